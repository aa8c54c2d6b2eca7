//! `noctule history`: every deployment with its times and reasons, as a table, JSON or CSV; `--events` shows the log.

use super::access::Access;
use super::api::{Client, EventRow, Query, ROWS_MAX};
use super::args::Format;
use super::{Failure, Outcome, lang, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::Moment;
use crate::model::fleet::Language;
use crate::work::views::HistoryRow;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use comfy_table::Cell;
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// Only this client's
    #[arg(long)]
    client: Option<String>,
    /// Only on this server
    #[arg(long)]
    server: Option<String>,
    /// Only of this product
    #[arg(long)]
    product: Option<String>,
    /// Only in these states: planned, running, installed, rolled_back, refused, failed, cancelled
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = ["planned", "running", "installed", "rolled_back", "refused", "failed", "cancelled"])]
    state: Vec<String>,
    /// Only slots that begin at or after this: 2026-05-16 (its first moment) or 2026-05-16T22:00 on the clock of the
    /// site (Paris, where neither --server nor --client says which), or 2026-05-16T20:00:00Z
    #[arg(long, value_name = "T")]
    since: Option<Moment>,
    /// Only slots that begin before this; written like --since
    #[arg(long, value_name = "T")]
    until: Option<Moment>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show what happened, step by step: of this deployment, or of all that the filters let through
    #[arg(long, value_name = "DEPLOYMENT", num_args = 0..=1, default_missing_value = "0")]
    events: Option<i64>,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: HistoryArgs) -> Outcome {
    let client = Client::connect(&args.access).await?;
    match args.events {
        Some(id) => events(&client, &args, id).await,
        None => deployments(&client, &args).await,
    }
}

/// Prints the whole history as a table.
pub async fn show(client: &Client) -> Outcome {
    let rows = client.history(&vec![("limit", Some(ROWS_MAX.to_string()))]).await?;
    output::print(&table(&rows))
}

async fn query(client: &Client, args: &HistoryArgs) -> Result<Query<'static>, Failure> {
    let site = (args.server.as_deref(), args.client.as_deref());
    Ok(vec![
        ("client", args.client.clone()),
        ("server", args.server.clone()),
        // What begins in a repeated hour is shown with either.
        ("since", client.instant(args.since, site, Fold::Earlier).await?),
        ("until", client.instant(args.until, site, Fold::Later).await?),
        ("limit", Some(ROWS_MAX.to_string())),
    ])
}

async fn deployments(client: &Client, args: &HistoryArgs) -> Outcome {
    let mut query = query(client, args).await?;
    query.push(("product", args.product.clone()));
    query.push(("state", (!args.state.is_empty()).then(|| args.state.join(","))));
    let rows = client.history(&query).await?;
    warn_if_cut(rows.len());
    match args.format {
        Format::Json => output::print_json(&rows),
        Format::Csv => output::print(&csv(&rows)?),
        Format::Table if rows.is_empty() => output::print("no deployment matches"),
        Format::Table => output::print(&table(&rows)),
    }
}

fn warn_if_cut(rows: usize) {
    if rows >= ROWS_MAX {
        output::say(&format!(
            "warning: only the latest {ROWS_MAX} are shown; narrow with --client, --server, --since or --until"
        ));
    }
}

/// `14.20.003 → 14.20.004`, or what is known of it.
pub fn versions(row: &HistoryRow) -> String {
    match (&row.from, &row.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => to.clone(),
        (Some(from), None) => from.clone(),
        (None, None) => String::new(),
    }
}

fn table(rows: &[HistoryRow]) -> String {
    let mut table = output::table(&["id", "server", "product", "version", "kind", "slot (site time)", "state"]);
    for row in rows {
        let zone = output::zone(&row.zone);
        let slot = row.slot.as_ref().map_or_else(String::new, |slot| output::slot(slot.start, slot.end, zone));
        let mut state = row.state.clone().unwrap_or_default();
        if let Some(at) = row.finished_at.filter(|_| state != "cancelled") {
            state = format!("{state} {}", at.with_timezone(&zone).format("%a %H:%M"));
        }
        if row.on_time == Some(false) {
            state.push_str(", late");
        }
        if let Some(transfer) = row.transfer.as_ref().filter(|transfer| transfer.way != "whole") {
            let percent = transfer.moved_bytes.saturating_mul(100).div_ceil(transfer.package_bytes.max(1));
            state.push_str(&format!(", {percent} % moved"));
        }
        table.add_row([
            Cell::new(row.id.map_or_else(String::new, |id| id.to_string())),
            Cell::new(&row.server),
            Cell::new(&row.product),
            Cell::new(versions(row)),
            Cell::new(lang::kind(Language::En, row)),
            Cell::new(slot),
            output::state(&state),
        ]);
    }
    output::text(&table)
}

fn csv(rows: &[HistoryRow]) -> Result<String, Failure> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "id",
        "client",
        "server",
        "product",
        "from",
        "to",
        "change",
        "manual",
        "state",
        "zone",
        "published_at",
        "request",
        "request_received_at",
        "request_before",
        "slot_start",
        "slot_end",
        "deadline",
        "started_at",
        "finished_at",
        "attempts",
        "on_time",
        "package_bytes",
        "moved_bytes",
        "reasons",
    ])?;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let time = |value: Option<DateTime<Utc>>| value.map_or_else(String::new, |at| at.to_rfc3339());
    let bytes = |value: Option<u64>| value.map_or_else(String::new, |bytes| bytes.to_string());
    for row in rows {
        let request = row.request.as_ref();
        let reasons: Vec<String> = row.reasons.iter().map(|r| format!("{}: {}", r.rule, r.text)).collect();
        csv.write_record([
            row.id.map_or_else(String::new, |id| id.to_string()),
            row.client.clone(),
            row.server.clone(),
            row.product.clone(),
            text(&row.from),
            text(&row.to),
            text(&row.change),
            row.manual.to_string(),
            text(&row.state),
            row.zone.clone(),
            time(row.published_at),
            request.map_or_else(String::new, |r| r.id.to_string()),
            time(request.map(|r| r.received_at)),
            request.map_or_else(String::new, |r| r.before.to_string()),
            time(row.slot.as_ref().map(|s| s.start)),
            time(row.slot.as_ref().map(|s| s.end)),
            time(row.deadline),
            time(row.started_at),
            time(row.finished_at),
            row.attempts.to_string(),
            row.on_time.map_or_else(String::new, |on_time| on_time.to_string()),
            bytes(row.transfer.as_ref().map(|transfer| transfer.package_bytes)),
            bytes(row.transfer.as_ref().map(|transfer| transfer.moved_bytes)),
            reasons.join("\n"),
        ])?;
    }
    Ok(String::from_utf8(csv.into_inner()?)?)
}

async fn events(client: &Client, args: &HistoryArgs, id: i64) -> Outcome {
    let mut rows =
        if id > 0 { client.deployment_events(id).await? } else { client.events(&query(client, args).await?).await? };
    if let Some(product) = &args.product {
        rows.retain(|event| event.product.as_ref() == Some(product));
    }
    warn_if_cut(rows.len());
    rows.sort_by(|a, b| (a.at, &a.client, a.seq).cmp(&(b.at, &b.client, b.seq)));
    match args.format {
        Format::Json => output::print_json(&rows),
        Format::Csv => output::print(&events_csv(&rows)?),
        Format::Table if rows.is_empty() => output::print("no event matches"),
        Format::Table => {
            let zones = client.fleet().await?.into_iter().map(|row| (row.server, output::zone(&row.zone))).collect();
            output::print(&log(&rows, &zones))
        }
    }
}

/// The events as lines, in the time of the site each is about.
fn log(rows: &[EventRow], zones: &BTreeMap<String, Tz>) -> String {
    let mut text = String::new();
    for event in rows {
        let zone = event.server.as_ref().and_then(|server| zones.get(server));
        let at = output::instant(event.at, zone.copied().unwrap_or(Tz::UTC));
        let utc = if zone.is_none() { " UTC" } else { "" };
        let about: Vec<&str> = [event.server.as_deref(), event.product.as_deref()].into_iter().flatten().collect();
        let about = if about.is_empty() { event.client.clone() } else { about.join(" ") };
        text.push_str(&format!("{at}{utc}  {about}  {}: {}\n", event.kind.replace('_', " "), event.text));
        for reason in &event.reasons {
            text.push_str(&format!("    {}: {}\n", reason.rule, reason.text));
        }
    }
    text
}

fn events_csv(rows: &[EventRow]) -> Result<String, Failure> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["client", "seq", "at", "server", "product", "deployment", "request", "kind", "text", "hash"])?;
    let number = |value: Option<i64>| value.map_or_else(String::new, |number| number.to_string());
    for event in rows {
        csv.write_record([
            event.client.clone(),
            event.seq.to_string(),
            event.at.to_rfc3339(),
            event.server.clone().unwrap_or_default(),
            event.product.clone().unwrap_or_default(),
            number(event.deployment),
            number(event.request),
            event.kind.clone(),
            event.text.clone(),
            event.hash.clone(),
        ])?;
    }
    Ok(String::from_utf8(csv.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::views::TransferRow;

    #[test]
    fn the_table_says_how_much_was_moved_where_that_is_news() {
        let row = |way: &str, moved_bytes: u64| HistoryRow {
            id: Some(1),
            client: "martin".into(),
            server: "martin-srv1".into(),
            product: "isacompta".into(),
            from: None,
            to: Some("14.20.004".into()),
            change: Some("minor".into()),
            manual: false,
            state: Some("installed".into()),
            zone: "Europe/Paris".into(),
            published_at: None,
            request: None,
            slot: None,
            deadline: None,
            started_at: None,
            finished_at: "2026-04-29T20:09:00Z".parse().ok(),
            attempts: 1,
            on_time: Some(true),
            transfer: Some(TransferRow {
                package_bytes: 1000,
                moved_bytes,
                saved_bytes: 1000 - moved_bytes,
                way: way.into(),
                why_whole: None,
            }),
            reasons: Vec::new(),
        };
        for (way, moved, state) in [
            ("changed", 41, "installed Wed 22:09, 5 % moved"),
            ("neighbour", 0, "installed Wed 22:09, 0 % moved"),
            ("whole", 1000, "installed Wed 22:09"),
        ] {
            let table = table(&[row(way, moved)]);
            assert_eq!(
                table.lines().nth(1).unwrap().trim_end().split("minor").nth(1).unwrap().trim(),
                state,
                "{table}"
            );
        }
        let csv = csv(&[row("changed", 41)]).unwrap();
        assert!(csv.contains(",package_bytes,moved_bytes,") && csv.contains(",true,1000,41,"), "{csv}");
    }
}
