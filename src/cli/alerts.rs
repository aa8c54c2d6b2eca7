//! `noctule alerts`: what demands action of staff, and who has taken it up.

use super::access::Access;
use super::api::{AlertRow, Client};
use super::args::Print;
use super::{Outcome, output};
use chrono_tz::Tz;
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    /// Also those that are resolved
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    print: Print,
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
    /// End an alert with a note of what was done
    Resolve {
        id: i64,
        /// What was done: it stays in the history
        #[arg(long, value_name = "TEXT")]
        note: String,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

pub async fn run(args: AlertsArgs) -> Outcome {
    match args.command {
        Some(AlertsCommand::Ack { id, by, access }) => {
            let row = Client::connect(&access).await?.acknowledge(id, by.as_deref()).await?;
            let by = row.by.unwrap_or_default();
            return output::print(&format!("alert {id} is taken up by {by}: {}", row.title));
        }
        Some(AlertsCommand::Resolve { id, note, by, access }) => {
            let row = Client::connect(&access).await?.resolve(id, by.as_deref(), &note).await?;
            let by = row.by.unwrap_or_default();
            return output::print(&format!("alert {id} is resolved by {by}: {}", row.title));
        }
        None => {}
    }
    let rows = Client::connect(&args.access).await?.alerts(args.all).await?;
    if args.print.is_json() {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("no alert is open");
    }
    output::print(&told(&rows))
}

/// A paragraph for each alert: what happened takes more room than a column has.
fn told(rows: &[AlertRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut state = row.state.clone();
        if let Some(level) = row.level.filter(|level| *level > 0) {
            let _ = write!(state, ", level {level} (6.1.7)");
        }
        if let Some(by) = &row.by {
            let _ = write!(state, " by {by}");
        }
        let (raised, due) = (output::instant(row.raised_at, Tz::UTC), output::instant(row.due, Tz::UTC));
        let _ = writeln!(text, "alert {}, {state}: {}", row.id, row.title);
        let _ = writeln!(text, "  raised {raised} UTC, due {due} UTC, {}", row.class);
        for line in row.text.lines().chain(row.note.as_deref()) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}
