//! `noctule explain SERVER [PRODUCT]`: the ordered reasons behind the decisions, each with rule, clause and what would
//! change it.

use super::access::Access;
use super::api::Client;
use super::args::Print;
use super::lang::{self, Lang, Spoken, either};
use super::{Outcome, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::Moment;
use crate::model::fleet::Language;
use crate::work::views::{ExplainedDecision, Explanation};
use chrono_tz::Tz;
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// Server of the fleet
    server: String,
    /// Only this product
    product: Option<String>,
    /// Decide as if it were this time, with what is known now: 2026-05-16T22:00 or 2026-05-16 (its first moment) on the
    /// server's own clock, or 2026-05-16T20:00:00Z. A time to come assumes that nothing happens until then; a time gone
    /// by is judged with what became known since, and is not what was decided then: that is in `history`
    #[arg(long, value_name = "T")]
    at: Option<Moment>,
    /// Language of the answer; the locale's unless given
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: ExplainArgs) -> Outcome {
    let client = Client::connect(&args.access).await?;
    let at = client.instant(args.at, (Some(&args.server), None), Fold::Earlier).await?;
    let supposed = at.is_some();
    let query = vec![("server", Some(args.server)), ("product", args.product), ("at", at)];
    let explanation = client.explain(&query).await?;
    if args.print.is_json() {
        return output::print_json(&explanation);
    }
    output::print(&text(&explanation, Lang::or_locale(args.lang), supposed))
}

/// Prints the reasons about one server.
pub async fn show(client: &Client, server: &str, product: Option<&str>) -> Outcome {
    let query = vec![("server", Some(server.to_owned())), ("product", product.map(str::to_owned))];
    output::print(&text(&client.explain(&query).await?, Language::En, false))
}

/// Said of an answer for a time that is not now.
pub const SUPPOSED: (&str, &str) = (
    "as if it were that time, with what is known now",
    "comme si l'on était à ce moment-là, d'après ce qui est connu maintenant",
);

fn text(explanation: &Explanation, language: Language, supposed: bool) -> String {
    let zone = output::zone(&explanation.zone);
    let Explanation { server, client, at, .. } = explanation;
    let mut text = format!("{server} ({client}), {} ({zone})\n", lang::instant(language, *at, zone));
    if supposed {
        let _ = writeln!(text, "{}", either(language, SUPPOSED.0, SUPPOSED.1));
    }
    if explanation.decisions.is_empty() {
        text.push_str(either(
            language,
            "\nno product of the order has a release or is installed here\n",
            "\naucun produit du bon de commande n'est installé ici ni n'a de version publiée\n",
        ));
    }
    for decision in &explanation.decisions {
        text.push_str(&told(decision, language, zone));
    }
    text
}

fn told(decision: &ExplainedDecision, language: Language, zone: Tz) -> String {
    let version = decision.to.as_deref().map_or_else(String::new, |to| format!(" {to}"));
    let (name, colon) = (lang::decision(language, &decision.decision), either(language, ":", " :"));
    let title = output::heading(&format!("{}{version}", decision.product));
    let mut text = format!("\n{title}{colon} {}\n", output::painted(&decision.decision, &name));
    if let Some(slot) = &decision.slot {
        let day = lang::date(language, slot.start.with_timezone(&zone).date_naive());
        let hours = lang::hours(language, slot.start, slot.end, zone);
        let _ = writeln!(text, "  {} {day} {hours}", either(language, "slot     ", "créneau  "));
    }
    if let Some(deadline) = decision.deadline {
        let deadline = lang::due(language, deadline, zone);
        let _ = writeln!(text, "  {} {deadline}", either(language, "deadline ", "échéance "));
    }
    let reasons: Vec<Spoken> = decision.reasons.iter().map(|reason| Spoken::explained(language, reason)).collect();
    for (number, reason) in reasons.iter().enumerate() {
        let lead = format!("  {}. ", number + 1);
        text.push_str(&output::hanging(&lead, &reason.sentence(language)));
        // What one thing would change in several nights is said once, after the last of them.
        let again = reasons.get(number + 1).is_some_and(|next| next.remedy == reason.remedy);
        if let Some(way_out) = reason.way_out(language).filter(|_| !again) {
            text.push_str(&output::hanging(&format!("{}→ ", " ".repeat(lead.len())), &way_out));
        }
    }
    text
}
