//! `noctule history`: every deployment with its times and reasons, as a table, JSON, CSV or a workbook; `--events` shows the
//! log, `--follow` goes on showing it.

mod follow;
mod sheet;

use super::access::Access;
use super::api::{Client, EventRow, Query, ROWS_MAX};
use super::proof::{self, ProofCommand};
use super::{Failure, Outcome, Usage, lang, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::Moment;
use crate::model::fleet::Language;
use crate::work::views::HistoryRow;
use chrono_tz::Tz;
use comfy_table::Cell;
use sheet::Sheet;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    #[command(subcommand)]
    proof: Option<ProofCommand>,
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
    /// Only what these words are about: each is part of the name of a client, server, product or version, or of what went
    /// wrong
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["events", "follow"])]
    search: Option<String>,
    /// Only slots that begin at or after this: 2026-05-16 (its first moment) or 2026-05-16T22:00 on the clock of the
    /// site (Paris, where neither --server nor --client says which), or 2026-05-16T20:00:00Z
    #[arg(long, value_name = "T")]
    since: Option<Moment>,
    /// Only slots that begin before this; written like --since
    #[arg(long, value_name = "T")]
    until: Option<Moment>,
    /// The latest so many
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    limit: usize,
    /// Only what comes before the page that ended here, as that page said
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["events", "follow"])]
    after: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "follow")]
    out: Option<PathBuf>,
    /// Show what happened, step by step: of this deployment, or of all that the filters let through
    #[arg(long, value_name = "DEPLOYMENT", num_args = 0..=1, default_missing_value = "0")]
    events: Option<i64>,
    /// Show what happened and go on as it happens, until Ctrl-C
    #[arg(long, conflicts_with_all = ["state", "until"])]
    follow: bool,
    #[command(flatten)]
    access: Access,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    #[default]
    Table,
    Json,
    Csv,
    /// A workbook; needs --out, or a pipe
    Xlsx,
}

pub async fn run(mut args: HistoryArgs) -> Outcome {
    if let Some(proof) = args.proof.take() {
        return proof::run(proof).await;
    }
    if args.format == Form::Xlsx && args.out.is_none() && std::io::stdout().is_terminal() {
        return Err(Usage("a workbook is no text for a terminal: add --out FILE".to_owned()).into());
    }
    if args.follow && !matches!(args.format, Form::Table | Form::Json) {
        return Err(Usage("--follow prints lines: --format table or json".to_owned()).into());
    }
    let client = Client::connect(&args.access).await?;
    match (args.follow, args.events) {
        (true, _) => follow::run(&client, &args).await,
        (false, Some(id)) => events(&client, &args, id).await,
        (false, None) => deployments(&client, &args).await,
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
        ("product", args.product.clone()),
        // What begins in a repeated hour is shown with either.
        ("since", client.instant(args.since, site, Fold::Earlier).await?),
        ("until", client.instant(args.until, site, Fold::Later).await?),
    ])
}

async fn deployments(client: &Client, args: &HistoryArgs) -> Outcome {
    let mut query = query(client, args).await?;
    query.push(("state", (!args.state.is_empty()).then(|| args.state.join(","))));
    query.push(("search", args.search.clone()));
    let rows = pages(client, query, args).await?;
    if let Some(place) = rows.first().filter(|_| rows.len() >= args.limit).and_then(place) {
        output::say(&format!("the latest {}; older ones: --after {place}", rows.len()));
    }
    match args.format {
        Form::Json => written(args, serde_json::to_string_pretty(&rows)?.into_bytes()),
        Form::Csv | Form::Xlsx => written_sheet(args, &sheet::deployments(&rows)),
        Form::Table if rows.is_empty() => written(args, b"no deployment matches\n".to_vec()),
        Form::Table => written(args, table(&rows).into_bytes()),
    }
}

/// As many rows as were asked for, page by page: the newest page first, each before the one it precedes.
async fn pages(client: &Client, query: Query<'static>, args: &HistoryArgs) -> Result<Vec<HistoryRow>, Failure> {
    let (mut pages, mut left, mut after) = (Vec::new(), args.limit, args.after.clone());
    while left > 0 {
        let mut query = query.clone();
        let wanted = left.min(ROWS_MAX);
        query.extend([("limit", Some(wanted.to_string())), ("after", after.clone())]);
        let page = client.history(&query).await?;
        let is_last = page.len() < wanted;
        left -= page.len().min(left);
        after = page.first().and_then(place);
        pages.push(page);
        if is_last || after.is_none() {
            break;
        }
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

/// Where a page that begins with `row` ends: what is older comes before it.
fn place(row: &HistoryRow) -> Option<String> {
    Some(format!("{}-{}", row.slot.as_ref()?.start.timestamp_millis(), row.id?))
}

fn written_sheet(args: &HistoryArgs, sheet: &Sheet) -> Outcome {
    match args.format {
        Form::Xlsx => written(args, sheet.xlsx()?),
        Form::Csv | Form::Table | Form::Json => written(args, sheet.csv()?.into_bytes()),
    }
}

fn written(args: &HistoryArgs, bytes: Vec<u8>) -> Outcome {
    match &args.out {
        Some(path) => output::write(path, &bytes),
        None => output::print_bytes(&bytes, args.format != Form::Xlsx),
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

async fn events(client: &Client, args: &HistoryArgs, id: i64) -> Outcome {
    let mut query = query(client, args).await?;
    query.push(("limit", Some(args.limit.min(ROWS_MAX).to_string())));
    let mut rows = if id > 0 { client.deployment_events(id).await? } else { client.events(&query).await? };
    if let Some(product) = &args.product {
        rows.retain(|event| event.product.as_ref() == Some(product));
    }
    if rows.len() >= args.limit.min(ROWS_MAX) {
        output::say(&format!("only the latest {} are shown; narrow with --until or other filters", rows.len()));
    }
    rows.sort_by(|a, b| (a.at, &a.client, a.seq).cmp(&(b.at, &b.client, b.seq)));
    match args.format {
        Form::Json => written(args, serde_json::to_string_pretty(&rows)?.into_bytes()),
        Form::Csv | Form::Xlsx => written_sheet(args, &sheet::events(&rows)),
        Form::Table if rows.is_empty() => written(args, b"no event matches\n".to_vec()),
        Form::Table => written(args, log(&rows, &zones(client).await?).into_bytes()),
    }
}

async fn zones(client: &Client) -> Result<BTreeMap<String, Tz>, Failure> {
    Ok(client.fleet().await?.into_iter().map(|row| (row.server, output::zone(&row.zone))).collect())
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
        let csv = sheet::deployments(&[row("changed", 41)]).csv().unwrap();
        assert!(csv.contains(",package_bytes,moved_bytes,") && csv.contains(",true,1000,41,"), "{csv}");
    }
}
