//! `noctule report`: a client's month under the contract, as a page that prints or as JSON; `--verify` works it out again
//! from the history alone.

use super::access::Access;
use super::api::Client;
use super::lang::Lang;
use super::{Outcome, output};
use crate::decide::report::{Month, Report, page};
use crate::model::fleet::Language;
use crate::work::views::Verified;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The client; with a client's own token it may be left out
    #[arg(long)]
    client: Option<String>,
    /// Every client, after a page that compares them
    #[arg(long, conflicts_with = "client")]
    all: bool,
    /// The month, on the clock of the client's first site
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    /// Language of the page; unless given, the client's own, and the locale's with --all
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Work the facts out again from the history alone, and say where the two differ
    #[arg(long, conflicts_with_all = ["lang", "format", "out"])]
    verify: bool,
    #[command(flatten)]
    access: Access,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A page that prints on A4
    #[default]
    Html,
    Json,
}

pub async fn run(args: ReportArgs) -> Outcome {
    let api = Client::connect(&args.access).await?;
    let clients = match args.all {
        true => api.fleet().await?.into_iter().map(|row| Some(row.client)).collect::<BTreeSet<_>>(),
        false => BTreeSet::from([args.client.clone()]),
    };
    if clients.is_empty() {
        return Err("the fleet has no client; `noctule fleet apply FILE` brings them".into());
    }
    if args.verify {
        return verify(&api, clients, args.month).await;
    }
    let mut reports: Vec<Report> = Vec::new();
    for client in clients {
        reports.push(api.report(client, args.month).await?);
    }
    let text = match (args.format, reports.as_slice()) {
        (Form::Json, [one]) if !args.all => serde_json::to_string_pretty(one)?,
        (Form::Json, all) => serde_json::to_string_pretty(all)?,
        (Form::Html, all) => page::html(all, language(args.lang, all, args.all))?,
    };
    match &args.out {
        Some(path) => output::write(path, text.as_bytes()),
        None => output::print(&text),
    }
}

fn language(asked: Option<Lang>, reports: &[Report], is_all: bool) -> Language {
    match (asked, reports) {
        (None, [one]) if !is_all => {
            if one.language == "en" {
                Language::En
            } else {
                Language::Fr
            }
        }
        (asked, _) => Lang::or_locale(asked),
    }
}

async fn verify(api: &Client, clients: BTreeSet<Option<String>>, month: Month) -> Outcome {
    let mut differ = 0;
    for client in clients {
        let verified = api.verification(client, month).await?;
        differ += verified.differences.len();
        output::print(&told(&verified))?;
    }
    match differ {
        0 => Ok(()),
        1 => Err("the report and the history differ in 1 fact".into()),
        many => Err(format!("the report and the history differ in {many} facts").into()),
    }
}

fn told(verified: &Verified) -> String {
    let Verified { client, month, facts, differences } = verified;
    if differences.is_empty() {
        return format!("{client} {month}: {facts} facts, and the history alone gives the same");
    }
    let mut text = format!("{client} {month}: {facts} facts, {} of them differ", differences.len());
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    for d in differences {
        text.push_str(&format!(
            "\n  {}: the report says {}, the history {}",
            d.fact,
            said(&d.report),
            said(&d.history)
        ));
    }
    text
}
