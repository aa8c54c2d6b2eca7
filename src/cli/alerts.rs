//! `noctule alerts`: what demands action of staff, and who has taken it up.

use super::access::Access;
use super::api::{AlertRow, Client};
use super::{Outcome, output};
use chrono_tz::Tz;
use comfy_table::Cell;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    /// Also those that are resolved
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Subcommand)]
enum AlertsCommand {
    /// Take up an alert: its clock stops (6.1.6)
    Ack {
        id: i64,
        /// Who intervenes
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

pub async fn run(args: AlertsArgs) -> Outcome {
    if let Some(AlertsCommand::Ack { id, by, access }) = args.command {
        let row = Client::connect(&access).await?.acknowledge(id, by.as_deref()).await?;
        let by = row.by.unwrap_or_default();
        return output::print(&format!("alert {id} is taken up by {by}: {}", row.title));
    }
    let rows = Client::connect(&args.access).await?.alerts(args.all).await?;
    if args.json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("no alert is open");
    }
    output::print(&table(&rows))
}

fn table(rows: &[AlertRow]) -> String {
    let mut table = output::table(&["id", "state", "raised (UTC)", "due (UTC)", "server", "what"]);
    for row in rows {
        let mut state = row.state.clone();
        if let Some(level) = row.level.filter(|level| *level > 0) {
            state = format!("{state} level {level}");
        }
        if let Some(by) = &row.by {
            state = format!("{state} {by}");
        }
        table.add_row([
            Cell::new(row.id),
            output::state(&state),
            Cell::new(output::instant(row.raised_at, Tz::UTC)),
            Cell::new(output::instant(row.due, Tz::UTC)),
            Cell::new(row.server.as_deref().or(row.client.as_deref()).unwrap_or_default()),
            Cell::new(format!("{}\n{}", row.title, row.text)),
        ]);
    }
    output::text(&table)
}
