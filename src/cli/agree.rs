//! `noctule agree slot|closed|notice|planned|informed|offers|list`: what a client's contact agreed to, with who and when.

use super::access::Access;
use super::api::{Client, Refused};
use super::args::{self, Shape};
use super::steering::{AgreementRow, WithPlan};
use super::{Failure, Outcome, Usage, output};
use crate::decide::civil::Moment;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use comfy_table::Cell;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub struct AgreeArgs {
    #[command(subcommand)]
    command: AgreeCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AgreeCommand {
    /// Another slot than the contract's, for one installation (6.1.3)
    Slot {
        server: String,
        product: String,
        /// Start: 2026-05-16T08:00 on the server's own clock, or 2026-05-16T06:00:00Z
        #[arg(long, value_name = "TIME")]
        from: Moment,
        /// End, restore included
        #[arg(long, value_name = "TIME")]
        to: Moment,
        #[command(flatten)]
        how: How,
    },
    /// Automatic work in a closed period of the client
    Closed {
        client: String,
        /// Only on this server
        #[arg(long)]
        server: Option<String>,
        /// First day, at the site
        #[arg(long, value_name = "DATE", value_parser = args::date)]
        from: NaiveDate,
        /// Last day, at the site
        #[arg(long, value_name = "DATE", value_parser = args::date)]
        to: NaiveDate,
        #[command(flatten)]
        how: How,
    },
    /// A major version by a date that is under the notice (3.1.b.4); it is requested as usual
    Notice {
        client: String,
        product: String,
        version: String,
        /// The date agreed on; later ones are covered as well
        #[arg(long, value_name = "DATE", value_parser = args::date)]
        before: NaiveDate,
        #[command(flatten)]
        how: How,
    },
    /// That the planned slot of a deployment suits (6.1.2)
    Planned {
        /// As `noctule history` numbers it
        deployment: i64,
        #[command(flatten)]
        how: How,
    },
    /// That the users are informed of a deployment (6.1.2)
    Informed {
        deployment: i64,
        #[command(flatten)]
        how: How,
    },
    /// What a contact is asked about a deployment, what was answered, and which other slots there are
    Offers {
        deployment: i64,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        #[command(flatten)]
        access: Access,
    },
    /// What was agreed
    List {
        /// Only with this client
        #[arg(long)]
        client: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// Who of the client agreed: name or address; a client's own token needs not say
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: AgreeArgs) -> Outcome {
    let (mut body, how) = match args.command {
        AgreeCommand::List { client, format, access } => return list(client, format, &access).await,
        AgreeCommand::Planned { deployment, how } => return answer(deployment, "agreed", how).await,
        AgreeCommand::Informed { deployment, how } => return answer(deployment, "informed", how).await,
        AgreeCommand::Offers { deployment, format, access } => {
            let client = Client::connect(&access).await?;
            let asked = client.asked(deployment).await?;
            return tell_asked(&client, &asked, format).await;
        }
        AgreeCommand::Slot { server, product, from, to, how } => (
            json!({ "agreed": "slot", "server": server, "product": product, "from": from.to_string(), "to": to.to_string() }),
            how,
        ),
        AgreeCommand::Closed { client, server, from, to, how } => {
            (json!({ "agreed": "closed_period", "client": client, "server": server, "from": from, "to": to }), how)
        }
        AgreeCommand::Notice { client, product, version, before, how } => {
            let body = json!({
                "agreed": "short_notice", "client": client, "product": product, "version": version, "before": before,
            });
            (body, how)
        }
    };
    body["by"] = Value::from(how.by);
    let client = Client::connect(&how.access).await?;
    let recorded = client.agree(&body).await.map_err(who_agreed)?;
    match how.format {
        Shape::Json => output::print_json(&recorded),
        Shape::Text => {
            let row = &recorded.done;
            let zone = client.zone_of(row.server.as_deref(), Some(&row.client)).await?;
            output::print(&told(&recorded, zone))
        }
    }
}

async fn answer(deployment: i64, answer: &str, how: How) -> Outcome {
    let client = Client::connect(&how.access).await?;
    let asked = client.answer(deployment, answer, how.by.as_deref()).await.map_err(who_agreed)?;
    tell_asked(&client, &asked, how.format).await
}

/// What is asked about a deployment, and the answers there are.
async fn tell_asked(client: &Client, asked: &Value, format: Shape) -> Outcome {
    if format == Shape::Json {
        return output::print_json(asked);
    }
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let instant = |value: &Value, key: &str| word(value, key).parse::<DateTime<Utc>>().unwrap_or_default();
    let zone = client.zone_of(asked["server"].as_str(), asked["client"].as_str()).await?;
    let slot = |slot: &Value| output::slot(instant(slot, "start"), instant(slot, "end"), zone);
    let said = |key: &str| match asked[key].as_object() {
        Some(_) => format!("{}, {}", word(&asked[key], "by"), output::instant(instant(&asked[key], "at"), zone)),
        None => "not yet".to_owned(),
    };
    let mut lines = vec![
        format!(
            "deployment {}: {} {} on {}, {} ({zone})",
            asked["deployment"],
            word(asked, "product"),
            word(asked, "version"),
            word(asked, "server"),
            slot(&asked["slot"])
        ),
        format!("  agreed          {}", said("agreed")),
        format!("  users informed  {}", said("informed")),
    ];
    let offered = asked["offered"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.extend(offered.iter().map(|other| format!("  or              {}", slot(other))));
    output::print(&lines.join("\n"))
}

/// Staff have to say who agreed, which is a matter of the command line.
fn who_agreed(failure: Failure) -> Failure {
    match failure.downcast_ref::<Refused>() {
        Some(refused) if refused.status == StatusCode::BAD_REQUEST && refused.error.contains("who of the client") => {
            Usage("who of the client agreed? give --by NAME".to_owned()).into()
        }
        Some(_) | None => failure,
    }
}

fn told(recorded: &WithPlan<AgreementRow>, zone: Tz) -> String {
    let row = &recorded.done;
    let clock = row.slot.as_ref().map_or_else(String::new, |_| format!(" ({zone})"));
    format!("agreement {} by {}: {}{clock}\n{}", row.id, row.by, what(row, zone), recorded.plan_lines())
}

/// What was agreed, in one line.
fn what(row: &AgreementRow, zone: Tz) -> String {
    let product = row.product.as_deref().unwrap_or_default();
    let on = row.server.as_ref().map_or_else(|| row.client.clone(), Clone::clone);
    match (&row.slot, row.from, row.to, row.before) {
        (Some(slot), ..) => format!("{product} on {on}, {}", output::slot(slot.start, slot.end, zone)),
        (None, Some(from), Some(to), _) => format!("closed period of {on}, {from} to {to}"),
        (None, _, _, Some(before)) => {
            format!("{product} {} by {before}, under the notice", row.version.as_deref().unwrap_or_default())
        }
        (None, ..) => row.agreed.clone(),
    }
}

async fn list(client: Option<String>, format: Shape, access: &Access) -> Outcome {
    let api = Client::connect(access).await?;
    let rows = api.agreements(&vec![("client", client)]).await?;
    if format == Shape::Json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("nothing was agreed");
    }
    let zones: BTreeMap<String, String> = api.fleet().await?.into_iter().map(|row| (row.server, row.zone)).collect();
    let mut table = output::table(&["id", "client", "agreed (site time)", "by", "at (UTC)"]);
    for row in rows {
        let zone = row.server.as_ref().and_then(|server| zones.get(server)).map_or("Europe/Paris", String::as_str);
        table.add_row([
            Cell::new(row.id),
            Cell::new(&row.client),
            Cell::new(what(&row, output::zone(zone))),
            Cell::new(&row.by),
            Cell::new(output::instant(row.at, Tz::UTC)),
        ]);
    }
    output::print(&output::text(&table))
}
