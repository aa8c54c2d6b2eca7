//! `noctule explain SERVER [PRODUCT]`: the ordered reasons behind the current decisions, each with rule and clause.

use super::access::Access;
use super::api::Client;
use super::{Outcome, output};
use crate::work::views::{ExplainedReason, Explanation};
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// Server of the fleet
    server: String,
    /// Only this product
    product: Option<String>,
    /// Print the reasons in French
    #[arg(long)]
    fr: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: ExplainArgs) -> Outcome {
    let query = vec![("server", Some(args.server)), ("product", args.product)];
    let explanation = Client::connect(&args.access).await?.explain(&query).await?;
    if args.json { output::print_json(&explanation) } else { output::print(&text(&explanation, args.fr)) }
}

/// Prints the reasons about one server.
pub async fn show(client: &Client, server: &str, product: Option<&str>) -> Outcome {
    let query = vec![("server", Some(server.to_owned())), ("product", product.map(str::to_owned))];
    output::print(&text(&client.explain(&query).await?, false))
}

fn text(explanation: &Explanation, fr: bool) -> String {
    let zone = output::zone(&explanation.zone);
    let Explanation { server, client, at, .. } = explanation;
    let mut text = format!("{server} ({client}), {} {zone}\n", output::instant(*at, zone));
    if explanation.decisions.is_empty() {
        text.push_str("\nno product of the order has a release or is installed here\n");
    }
    for decision in &explanation.decisions {
        let version = decision.to.as_deref().map_or_else(String::new, |to| format!(" {to}"));
        let _ = writeln!(text, "\n{}{version}: {}", decision.product, decision.decision.replace('_', " "));
        if let Some(slot) = &decision.slot {
            let _ = writeln!(text, "  slot      {}", output::slot(slot.start, slot.end, zone));
        }
        if let Some(deadline) = decision.deadline {
            let _ = writeln!(text, "  deadline  {}", output::instant(deadline, zone));
        }
        for (number, reason) in decision.reasons.iter().enumerate() {
            let said = if fr { &reason.fr } else { &reason.text };
            let _ = writeln!(text, "  {}. {}: {said}", number + 1, rule(reason));
        }
    }
    text
}

/// `minor-night (3.1.b.3)`, or the bare id of a rule of the house.
fn rule(reason: &ExplainedReason) -> String {
    match &reason.clause {
        Some(clause) => format!("{} ({clause})", reason.rule),
        None => reason.rule.clone(),
    }
}
