//! `noctule plan`: the coming days, with what is held or late and why. Changes nothing.

use super::access::Access;
use super::api::Client;
use super::args::Format;
use super::history::{kind, versions};
use super::{Outcome, Usage, output};
use crate::work::views::PlanRow;
use comfy_table::Cell;

#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[arg(long)]
    client: Option<String>,
    #[arg(long)]
    server: Option<String>,
    #[arg(long)]
    product: Option<String>,
    /// How many days ahead
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Also what is up to date, waits for somebody, or is outside the order
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: PlanArgs) -> Outcome {
    let query = vec![
        ("client", args.client),
        ("server", args.server),
        ("product", args.product),
        ("days", Some(args.days.to_string())),
        ("all", Some(args.all.to_string())),
    ];
    let rows = Client::connect(&args.access).await?.plan(&query).await?;
    match args.format {
        Format::Json => output::print_json(&rows),
        Format::Csv => Err(Usage("the plan is printed as table or json".to_owned()).into()),
        Format::Table if rows.is_empty() => output::print("nothing is planned, held or late"),
        Format::Table => output::print(&table(&rows)),
    }
}

fn table(rows: &[PlanRow]) -> String {
    let mut table = output::table(&["slot (site time)", "server", "product", "version", "kind", "decision", "why"]);
    for PlanRow { row, decision } in rows {
        let zone = output::zone(&row.zone);
        let slot = row.slot.as_ref().map_or_else(String::new, |slot| output::slot(slot.start, slot.end, zone));
        // The last reason is the one that settled it.
        let why = row.reasons.last().map_or_else(String::new, |reason| format!("{}: {}", reason.rule, reason.text));
        table.add_row([
            Cell::new(slot),
            Cell::new(&row.server),
            Cell::new(&row.product),
            Cell::new(versions(row)),
            Cell::new(kind(row)),
            output::state(decision),
            Cell::new(why),
        ]);
    }
    output::text(&table)
}
