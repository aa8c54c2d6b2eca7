//! `noctule status`: tonight at a glance, in 100 columns.

use super::access::Access;
use super::api::Client;
use super::args::Print;
use super::{Outcome, output};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::brief;
use crate::model::fleet::Language;
use crate::work::views::{FeedRow, HeldRow, OpenAlert, SilentRow, Status, TonightRow};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use comfy_table::Cell;
use std::collections::BTreeMap;

/// Most lines of one part; the rest is counted. `--client` narrows, JSON has all.
const LINES_MAX: usize = 30;

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Only this client's
    #[arg(long)]
    client: Option<String>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: StatusArgs) -> Outcome {
    let api = Client::connect(&args.access).await?;
    let status = api.status(args.client).await?;
    match args.print.is_json() {
        true => output::print_json(&status),
        false => output::print(&text(&status)),
    }
}

fn text(status: &Status) -> String {
    let now = output::instant(status.now, PROVIDER_ZONE);
    let (clients, servers) = (count(status.clients, "client"), count(status.servers, "server"));
    let mut parts = vec![format!("{now} ({PROVIDER_ZONE}), {clients}, {servers}\n")];
    parts.push(part("Tonight", tonight(&status.tonight), "nothing is planned"));
    if !status.running.is_empty() {
        parts.push(part("Under way", running(&status.running), ""));
    }
    if !status.held.is_empty() {
        parts.push(part("Held or late", held(&status.held), ""));
    }
    parts.push(part("Alerts", alerts(&status.alerts, status.now), "none is open"));
    let silent = silent(&status.silent, &status.unheard);
    parts.push(part("Agents", silent, "every agent is heard"));
    if !status.feeds.is_empty() {
        parts.push(part("Feeds", vec![feeds(&status.feeds)], ""));
    }
    parts.push(part("Letters", letters(status), "all have left"));
    parts.join("\n")
}

/// A heading with lines below it, or with what it means that there are none.
fn part(title: &str, lines: Vec<String>, none: &str) -> String {
    let mut text = format!("{}\n", output::heading(title));
    if lines.is_empty() {
        text.push_str(&format!("  {none}\n"));
    }
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.iter().take(LINES_MAX).for_each(|line| text.push_str(line));
    if surplus > 0 {
        text.push_str(&format!("  … and {surplus} more; --client narrows, --format json has all\n"));
    }
    text
}

/// Each installation where they are few, else each client with how many it has.
fn tonight(rows: &[TonightRow]) -> Vec<String> {
    if rows.len() > LINES_MAX {
        return by_client(rows);
    }
    listed(rows.iter().map(|row| {
        let zone = output::zone(&row.zone);
        let slot = output::slot(row.slot.start, row.slot.end, zone);
        let at = if zone == PROVIDER_ZONE { slot } else { format!("{slot} ({zone})") };
        let attended = match (row.manual, &row.attended_by) {
            (true, Some(by)) => format!("by {by}"),
            (true, None) => "nobody attends yet".to_owned(),
            (false, _) => String::new(),
        };
        let texts =
            [row.client.clone(), at, row.server.clone(), row.product.clone(), versions(row), kind(row), attended];
        let mut cells: Vec<Cell> = texts.into_iter().map(Cell::new).collect();
        cells.push(output::state(&row.state));
        cells
    }))
}

fn by_client(rows: &[TonightRow]) -> Vec<String> {
    let mut clients: BTreeMap<&str, Vec<&TonightRow>> = BTreeMap::new();
    for row in rows {
        clients.entry(&row.client).or_default().push(row);
    }
    listed(clients.into_iter().map(|(client, rows)| {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *states.entry(&row.state).or_default() += 1);
        let told: Vec<String> = states.into_iter().map(|(state, n)| format!("{n} {state}")).collect();
        let servers: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.server.as_str()).collect();
        vec![Cell::new(client), Cell::new(count(servers.len(), "server")), Cell::new(told.join(", "))]
    }))
}

fn running(rows: &[TonightRow]) -> Vec<String> {
    listed(rows.iter().map(|row| {
        let zone = output::zone(&row.zone);
        let since = row.started_at.map_or_else(String::new, |at| format!("since {}", clock(at, zone)));
        [row.client.clone(), row.server.clone(), row.product.clone(), versions(row), kind(row), since]
            .into_iter()
            .map(Cell::new)
            .collect()
    }))
}

fn held(rows: &[HeldRow]) -> Vec<String> {
    let told = |row: &HeldRow| {
        let version = row.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
        let clause = row.clause.as_ref().map(|clause| format!(" ({clause})")).unwrap_or_default();
        let text = row.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let head = format!("{} ({}), {}{version}: ", row.server, row.client, row.product);
        let line = output::hanging("  ", &format!("{head}{}, {}{clause}{text}", row.state, row.rule));
        line.replacen(&format!(": {},", row.state), &format!(": {},", output::painted(&row.state, &row.state)), 1)
    };
    rows.iter().map(told).collect()
}

fn alerts(rows: &[OpenAlert], now: DateTime<Utc>) -> Vec<String> {
    let told = |row: &OpenAlert| {
        let due = clock_day(row.due, now);
        let state = match (&row.by, row.is_overdue) {
            (Some(by), _) => format!("taken up by {by}"),
            (None, true) if row.level > 0 => format!("overdue since {due}, level {}", row.level),
            (None, true) => format!("overdue since {due}"),
            (None, false) => format!("due {due}"),
        };
        let line = output::hanging("  ", &format!("{}: {}; {state}", row.id, row.title));
        match row.is_overdue {
            true => line.replacen("overdue", &output::painted("late", "overdue"), 1),
            false => line,
        }
    };
    rows.iter().map(told).collect()
}

fn silent(rows: &[SilentRow], unheard: &[String]) -> Vec<String> {
    let told = |row: &SilentRow| {
        let zone = output::zone(&row.zone);
        let last = row
            .last_seen
            .map_or_else(|| "never heard".to_owned(), |at| format!("last heard {}", output::instant(at, zone)));
        format!("  {} ({}) is {}, {last} ({zone})\n", row.server, row.client, output::painted("late", "silent"))
    };
    let mut lines: Vec<String> = rows.iter().map(told).collect();
    if !unheard.is_empty() {
        lines.push(output::hanging("  ", &format!("never heard yet: {}", unheard.join(", "))));
    }
    lines
}

fn feeds(rows: &[FeedRow]) -> String {
    let told = |row: &FeedRow| {
        let since = row.since.map(|at| format!(" since {}", output::instant(at, PROVIDER_ZONE))).unwrap_or_default();
        let why = row.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{} {}{since}{why}", row.publisher, row.state)
    };
    output::hanging("  ", &rows.iter().map(told).collect::<Vec<_>>().join(", "))
}

fn letters(status: &Status) -> Vec<String> {
    let outbox = &status.outbox;
    let mut lines = Vec::new();
    if outbox.waiting > 0 {
        let oldest = outbox.oldest_at.map(|at| format!(", the oldest since {}", output::instant(at, PROVIDER_ZONE)));
        lines.push(format!("  {} waiting{}\n", outbox.waiting, oldest.unwrap_or_default()));
    }
    if outbox.undelivered > 0 {
        let word = output::painted("failed", "undelivered");
        lines.push(format!("  {} {word}; the alerts say to whom\n", outbox.undelivered));
    }
    lines
}

/// Rows as lines whose columns stand below each other.
fn listed(rows: impl Iterator<Item = Vec<Cell>>) -> Vec<String> {
    let table = output::listings(2, vec![rows.collect()]).concat();
    table.split_inclusive('\n').map(str::to_owned).collect()
}

fn versions(row: &TonightRow) -> String {
    row.from.as_ref().map_or_else(|| row.to.clone(), |from| format!("{from} → {}", row.to))
}

fn kind(row: &TonightRow) -> String {
    if row.manual { "manual".to_owned() } else { row.change.clone() }
}

fn clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M").to_string()
}

/// `09:00` of today, `Thu 7 May 09:00` of another day, on the provider's clock.
fn clock_day(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (local, today) = (at.with_timezone(&PROVIDER_ZONE), now.with_timezone(&PROVIDER_ZONE).date_naive());
    let time = clock(at, PROVIDER_ZONE);
    if local.date_naive() == today { time } else { format!("{} {time}", brief::Day(Language::En, local.date_naive())) }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
