//! `noctule plan`: the coming nights of each client, and what is at risk and why. Changes nothing.

use super::access::Access;
use super::api::Client;
use super::args::Shape;
use super::explain::SUPPOSED;
use super::history::versions;
use super::lang::{self, Lang, Spoken, either};
use super::{Outcome, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::Moment;
use crate::model::fleet::Language;
use crate::work::views::{PlanRow, SlotRow};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use comfy_table::Cell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Only this client's
    #[arg(long)]
    client: Option<String>,
    /// Only on this server
    #[arg(long)]
    server: Option<String>,
    /// Only of this product
    #[arg(long)]
    product: Option<String>,
    /// Decide as if it were this time, with what is known now: 2026-05-16T22:00 or 2026-05-16 (its first moment) on the
    /// clock of the site (Paris, where neither --server nor --client says which), or 2026-05-16T20:00:00Z. A time to
    /// come assumes that nothing happens until then; a time gone by is judged with what became known since
    #[arg(long, value_name = "T")]
    at: Option<Moment>,
    /// How many days ahead
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Also what is up to date, waits for somebody, or is outside the order
    #[arg(long)]
    all: bool,
    /// Language of the table; the locale's unless given
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    /// JSON carries both languages
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: PlanArgs) -> Outcome {
    let client = Client::connect(&args.access).await?;
    let site = (args.server.as_deref(), args.client.as_deref());
    let at = client.instant(args.at, site, Fold::Earlier).await?;
    let supposed = match at.as_deref().map(str::parse::<DateTime<Utc>>).transpose()? {
        Some(at) => Some((at, client.zone_of(site.0, site.1).await?)),
        None => None,
    };
    let query = vec![
        ("client", args.client),
        ("server", args.server),
        ("product", args.product),
        ("at", at),
        ("days", Some(args.days.to_string())),
        ("all", Some(args.all.to_string())),
    ];
    let rows = client.plan(&query).await?;
    match args.format {
        Shape::Json => output::print_json(&rows),
        Shape::Text if rows.is_empty() && args.all => output::print(either(
            Lang::or_locale(args.lang),
            "nothing is known of such servers and products",
            "rien n'est connu de tels serveurs et produits",
        )),
        Shape::Text => output::print(&text(&rows, Lang::or_locale(args.lang), supposed)),
    }
}

/// The plan for people. `supposed` is the time it is for, where that is not now.
fn text(rows: &[PlanRow], language: Language, supposed: Option<(DateTime<Utc>, Tz)>) -> String {
    let mut parts = Vec::new();
    if let Some((at, zone)) = supposed {
        let at = lang::instant(language, at, zone);
        let said = format!("{at} ({zone}), {}", either(language, SUPPOSED.0, SUPPOSED.1));
        parts.push(output::hanging("", &said));
    }
    let mut clients: BTreeMap<&str, Vec<&PlanRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.row.slot.is_some()) {
        clients.entry(&row.row.client).or_default().push(row);
    }
    parts.extend(clients.into_iter().map(|(client, rows)| nights(client, &rows, language)));
    let risky = rows.iter().filter(|row| is_at_risk(row)).collect();
    parts.extend(reasoned(either(language, "At risk", "À surveiller"), risky, language));
    let waiting = rows.iter().filter(|row| row.decision == "waiting").collect();
    parts.extend(reasoned(either(language, "Waiting", "En attente"), waiting, language));
    let settled = rows.iter().filter(|row| matches!(row.decision.as_str(), "up_to_date" | "out_of_scope")).collect();
    parts.extend(nothing_to_do(settled, language));
    if rows.is_empty() {
        parts.push(
            either(
                language,
                "nothing is planned, held or late; --all shows what waits or is up to date\n",
                "rien n'est planifié, bloqué ni en retard ; --all montre ce qui attend ou est à jour\n",
            )
            .to_owned(),
        );
    } else {
        parts.push(
            either(
                language,
                "All reasons: noctule explain SERVER [PRODUCT]\n",
                "Tous les motifs : noctule explain SERVEUR [PRODUIT]\n",
            )
            .to_owned(),
        );
    }
    parts.join("\n")
}

/// One client's slots by date, each in the time of its site.
fn nights(client: &str, rows: &[&PlanRow], language: Language) -> String {
    let zones: BTreeSet<&str> = rows.iter().map(|row| row.row.zone.as_str()).collect();
    let mut dates: BTreeMap<(NaiveDate, &str), Vec<(&SlotRow, &PlanRow)>> = BTreeMap::new();
    for row in rows {
        let Some(slot) = &row.row.slot else { continue };
        let day = slot.start.with_timezone(&output::zone(&row.row.zone)).date_naive();
        dates.entry((day, &row.row.zone)).or_default().push((slot, row));
    }
    let told = |slots: &mut Vec<(&SlotRow, &PlanRow)>| {
        slots.sort_by_key(|(slot, PlanRow { row, .. })| (slot.start, &row.server, &row.product));
        slots.iter().map(|(slot, row)| line(slot, row, language)).collect()
    };
    let tables = dates.values_mut().map(told).collect();
    let zoned = |zone: &str| format!(" ({zone})");
    let mut text = output::heading(client);
    text.extend(zones.first().filter(|_| zones.len() == 1).map(|zone| zoned(zone)));
    text.push('\n');
    for ((day, zone), table) in dates.keys().zip(output::listings(4, tables)) {
        let zone = if zones.len() == 1 { String::new() } else { zoned(zone) };
        text.push_str(&format!("  {}{zone}\n{table}", lang::date(language, *day)));
    }
    text
}

fn line(slot: &SlotRow, PlanRow { row, decision }: &PlanRow, language: Language) -> Vec<Cell> {
    vec![
        Cell::new(lang::hours(language, slot.start, slot.end, output::zone(&row.zone))),
        Cell::new(row.id.map_or_else(String::new, |id| format!("#{id}"))),
        Cell::new(&row.server),
        Cell::new(&row.product),
        Cell::new(versions(row)),
        Cell::new(lang::kind(language, row)),
        output::labelled(decision, &lang::decision(language, decision)),
    ]
}

/// Held, late, or planned for when it is too late.
fn is_at_risk(PlanRow { row, decision }: &PlanRow) -> bool {
    let after = row.slot.as_ref().zip(row.deadline).is_some_and(|(slot, deadline)| slot.start >= deadline);
    matches!(decision.as_str(), "held" | "late") || after
}

/// Rows with why they are as they are and what would change it; nothing when there are none.
fn reasoned(title: &str, rows: Vec<&PlanRow>, language: Language) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut text = format!("{}\n", output::heading(title));
    for plan in rows {
        let PlanRow { row, decision } = plan;
        let zone = output::zone(&row.zone);
        let due = row.deadline.map_or_else(String::new, |deadline| {
            format!("{} {}", either(language, ", due", ", échéance"), lang::due(language, deadline, zone))
        });
        let (colon, label) = (either(language, ":", " :"), lang::decision(language, decision));
        let (product, versions) = (&row.product, versions(row));
        let head = format!("{} ({}){colon} {product} {versions}, {label}{due}", row.server, row.client);
        let painted = format!(", {}", output::painted(decision, &label));
        text.push_str(&output::hanging("  ", &head).replacen(&format!(", {label}"), &painted, 1));
        for reason in telling(plan, language) {
            text.push_str(&output::hanging("    ", &reason.sentence(language)));
            if let Some(way_out) = reason.way_out(language) {
                text.push_str(&output::hanging("    → ", &way_out));
            }
        }
    }
    Some(text)
}

/// The reasons that can be changed, each way out once, and the last one, which settled it. That another, major version
/// waits for a request is no reason of what is planned or held.
fn telling<'a>(PlanRow { row, .. }: &'a PlanRow, language: Language) -> Vec<Spoken<'a>> {
    let Some(last) = row.reasons.len().checked_sub(1) else { return Vec::new() };
    let settled = &row.reasons[last].rule;
    let mut told = BTreeSet::new();
    let tells = |(at, reason): &(usize, Spoken<'a>)| {
        let own = reason.rule == settled || reason.rule != "major-on-request";
        *at == last || own && reason.remedy.is_some_and(|remedy| told.insert((reason.rule, remedy)))
    };
    let spoken = row.reasons.iter().map(|reason| Spoken::planned(language, reason)).enumerate();
    spoken.filter(tells).map(|(_, reason)| reason).collect()
}

fn nothing_to_do(rows: Vec<&PlanRow>, language: Language) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let line = |PlanRow { row, decision }: &PlanRow| {
        vec![
            Cell::new(&row.client),
            Cell::new(&row.server),
            Cell::new(&row.product),
            Cell::new(versions(row)),
            output::labelled(decision, &lang::decision(language, decision)),
        ]
    };
    let title = output::heading(either(language, "Nothing to do", "Rien à faire"));
    Some(format!("{title}\n{}", output::listings(2, vec![rows.into_iter().map(line).collect()]).concat()))
}
