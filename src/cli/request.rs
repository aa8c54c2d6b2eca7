//! `noctule request PRODUCT VERSION --before DATE`, `request change ID`, `request list`, `request cancel ID`.

use super::access::Access;
use super::api::{Accepted, Client, Counting, InForce, Refused, RequestRow};
use super::args::{self, Print};
use super::{Failure, Outcome, Usage, output};
use axum::http::StatusCode;
use chrono::NaiveDate;
use comfy_table::Cell;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct RequestArgs {
    #[command(subcommand)]
    command: Option<RequestCommand>,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, clap::Subcommand)]
enum RequestCommand {
    /// The requests there are
    List {
        /// Only this client's
        #[arg(long)]
        client: Option<String>,
        #[command(flatten)]
        print: Print,
        #[command(flatten)]
        access: Access,
    },
    /// Ask anew with another date or other servers; refused, the old request stands
    Change {
        id: i64,
        /// The new latest date; the notice counts from now
        #[arg(long, value_name = "DATE", value_parser = args::date)]
        before: NaiveDate,
        /// The new servers; those it had when absent
        #[arg(long, value_name = "SERVER,…", value_delimiter = ',', alias = "servers")]
        server: Option<Vec<String>>,
        /// Who of the staff asks for the client
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        print: Print,
        #[command(flatten)]
        access: Access,
    },
    /// Withdraw a request
    Cancel {
        id: i64,
        #[command(flatten)]
        print: Print,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Debug, clap::Args)]
struct AskArgs {
    /// Product of the client's order
    #[arg(required = true)]
    product: Option<String>,
    /// Version that is asked for
    #[arg(required = true)]
    version: Option<String>,
    /// Latest date, at the site, on which the installation may end
    #[arg(long, value_name = "DATE", value_parser = args::date, required = true)]
    before: Option<NaiveDate>,
    /// For which client; a client's own token needs not say
    #[arg(long)]
    client: Option<String>,
    /// Only on these servers
    #[arg(long, value_name = "SERVER,…", value_delimiter = ',', alias = "servers")]
    server: Vec<String>,
    /// A further major by the same date: all are accepted, or none is
    #[arg(long, num_args = 2, value_names = ["PRODUCT", "VERSION"])]
    with: Vec<String>,
    /// Who of the staff asks for the client
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: RequestArgs) -> Outcome {
    match args.command {
        None => ask(args.ask).await,
        Some(RequestCommand::List { client, print, access }) => list(client, print, &access).await,
        Some(RequestCommand::Change { id, before, server, by, print, access }) => {
            let client = Client::connect(&access).await?;
            let body = json!({ "before": before, "servers": server, "by": by });
            answered(&client, client.change_request(id, &body).await, print).await
        }
        Some(RequestCommand::Cancel { id, print, access }) => {
            let row = Client::connect(&access).await?.cancel_request(id).await?;
            if print.is_json() {
                return output::print_json(&row);
            }
            output::print(&format!("request {id} ({} {}) is cancelled", row.product, row.version))
        }
    }
}

async fn ask(args: AskArgs) -> Outcome {
    let (Some(product), Some(version), Some(before)) = (args.product, args.version, args.before) else {
        return Err(Usage("a request is PRODUCT VERSION --before DATE".to_owned()).into());
    };
    let with: Vec<Value> =
        args.with.chunks_exact(2).map(|pair| json!({ "product": pair[0], "version": pair[1] })).collect();
    let body = json!({
        "client": args.client, "product": product, "version": version, "before": before, "servers": args.server,
        "with": with, "by": args.by,
    });
    let client = Client::connect(&args.access).await?;
    answered(&client, client.request(&body).await, args.print).await
}

async fn answered(client: &Client, answer: Result<Accepted, Failure>, print: Print) -> Outcome {
    match answer {
        Ok(accepted) if print.is_json() => output::print_json(&accepted),
        Ok(accepted) => {
            let zones: BTreeMap<String, String> =
                client.fleet().await?.into_iter().map(|row| (row.server, row.zone)).collect();
            let all = std::iter::once(&accepted.request).chain(&accepted.with);
            output::print(&all.map(|request| told(request, &zones)).collect::<String>())
        }
        Err(failure) => Err(with_counting(failure)),
    }
}

fn told(accepted: &InForce, zones: &BTreeMap<String, String>) -> String {
    let InForce { id, product, version, before, .. } = accepted;
    let stands = if accepted.repeated { "stands already" } else { "accepted" };
    let mut text = format!("request {id} {stands}: {product} {version} by {before}\n");
    for planned in &accepted.slots {
        let zone = output::zone(zones.get(&planned.server).map_or("UTC", String::as_str));
        let slot = output::slot(planned.slot.start, planned.slot.end, zone);
        let _ = writeln!(text, "  {}: planned {slot} ({zone})", planned.server);
    }
    for older in &accepted.superseded {
        let _ = writeln!(text, "  takes the place of request {older}");
    }
    text.push_str(&counting(&accepted.counting));
    if let Some(agreement) = &accepted.agreement {
        let at = output::instant(agreement.at, chrono_tz::Tz::UTC);
        let _ = writeln!(text, "  sooner by agreement {}: {}, {at} UTC", agreement.id, agreement.by);
    }
    text
}

/// How the notice was counted, one line.
fn counting(counting: &Counting) -> String {
    let days: Vec<String> = counting.days.iter().map(|day| day.format("%a %-d %b").to_string()).collect();
    format!(
        "  notice (3.1.b.4): counts as received {}, then {} working days: {}; earliest date {}\n",
        counting.counted_from.format("%a %-d %b"),
        counting.days.len(),
        days.join(", "),
        counting.earliest
    )
}

/// A refusal under the contract is told with its arithmetic.
fn with_counting(failure: Failure) -> Failure {
    let Some(refused) = failure.downcast_ref::<Refused>() else { return failure };
    if refused.status == StatusCode::BAD_REQUEST && refused.error.contains("for which client") {
        return Usage("for which client? give --client CLIENT".to_owned()).into();
    }
    if refused.body.get("accepted").is_none() {
        return failure;
    }
    let mut text = format!("refused: {}\n  {}", refused.error, refused.hint);
    if let Ok(count) = serde_json::from_value::<Counting>(refused.body["counting"].clone()) {
        let _ = write!(text, "\n{}", self::counting(&count).trim_end());
    }
    text.into()
}

async fn list(client: Option<String>, print: Print, access: &Access) -> Outcome {
    let rows = Client::connect(access).await?.requests(&vec![("client", client)]).await?;
    if print.is_json() {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("there is no request");
    }
    let mut table = output::table(&["id", "client", "product", "version", "before", "received (UTC)", "by", "state"]);
    for RequestRow { id, client, product, version, received_at, by, before, state, superseded_by, .. } in rows {
        // The client has a column of its own.
        let by = by.strip_suffix(&format!(" for {client}")).unwrap_or(&by).to_owned();
        let state = superseded_by.map_or(state, |newer| format!("superseded by {newer}"));
        table.add_row([
            Cell::new(id),
            Cell::new(client),
            Cell::new(product),
            Cell::new(version),
            Cell::new(before),
            Cell::new(output::instant(received_at, chrono_tz::Tz::UTC)),
            Cell::new(by),
            output::state(&state),
        ]);
    }
    output::print(&output::text(&table))
}
