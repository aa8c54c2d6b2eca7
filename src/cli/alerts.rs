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
        let level = if row.level > 0 { format!(", level {} (6.1.7)", row.level) } else { String::new() };
        let at = |at| format!("{} UTC", output::instant(at, Tz::UTC));
        let _ = writeln!(text, "alert {}, {}{level}: {}", row.id, row.state, row.title);
        let _ = writeln!(text, "  raised {}, due {}, {}", at(row.raised_at), at(row.due), row.class);
        if let (Some(taken_up), Some(by)) = (row.taken_up_at, &row.taken_up_by) {
            let _ = writeln!(text, "  taken up {} by {by}, {}", at(taken_up), clock(row.late_minutes));
        }
        if let (Some(resolved), Some(note)) = (row.changed_at, &row.note) {
            let by = row.by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
            let _ = writeln!(text, "  resolved {}{by}: {note}", at(resolved));
        }
        for line in row.text.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// What became of the clock (6.1.6).
fn clock(late_minutes: Option<i64>) -> String {
    match late_minutes.unwrap_or(0) {
        0 => "in time".to_owned(),
        late @ 1..60 => format!("{late} min late"),
        late => format!("{} h {:02} min late", late / 60, late % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_told_in_minutes_and_hours() {
        for (late, told) in [
            (0, "in time"),
            (1, "1 min late"),
            (59, "59 min late"),
            (60, "1 h 00 min late"),
            (1505, "25 h 05 min late"),
        ] {
            assert_eq!(clock(Some(late)), told);
        }
    }
}
