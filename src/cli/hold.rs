//! `noctule hold NAME…`, `hold server|client|release …`, `hold list`, `hold lift ID`.

use super::access::Access;
use super::api::Client;
use super::args::Shape;
use super::steering::{HoldRow, WithPlan};
use super::{Outcome, Usage, output};
use crate::decide::civil::Moment;
use chrono_tz::Tz;
use comfy_table::Cell;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct HoldArgs {
    #[command(subcommand)]
    command: Option<HoldCommand>,
    /// A server, a client, or a product and its version
    #[arg(required = true, num_args = 1..=2, value_name = "NAME")]
    name: Vec<String>,
    #[command(flatten)]
    how: NamedHow,
}

#[derive(Debug, clap::Subcommand)]
enum HoldCommand {
    /// Hold back installations on one server
    Server {
        server: String,
        #[command(flatten)]
        how: How,
    },
    /// Hold back installations on all servers of a client
    Client {
        client: String,
        #[command(flatten)]
        how: How,
    },
    /// Hold back a release everywhere
    Release {
        product: String,
        version: String,
        #[command(flatten)]
        how: How,
    },
    /// The holds in force
    List {
        /// Only on this client and its servers
        #[arg(long)]
        client: Option<String>,
        /// Also those that are over
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        #[command(flatten)]
        access: Access,
    },
    /// End a hold before its time
    Lift {
        id: i64,
        /// Who of the staff
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// Why, as the decisions and the client's contact read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    rest: Rest,
}

/// The same where a subcommand may stand instead.
#[derive(Debug, clap::Args)]
struct NamedHow {
    /// Why, as the decisions and the client's contact read it
    #[arg(long, value_name = "TEXT", required = true)]
    reason: Option<String>,
    #[command(flatten)]
    rest: Rest,
}

#[derive(Debug, clap::Args)]
struct Rest {
    /// When it ends by itself: 2026-05-16T08:00 at the site (of a release: Paris), 2026-05-16T06:00:00Z, or a day, held
    /// to its end
    #[arg(long, value_name = "TIME|DATE")]
    until: Option<Moment>,
    /// Who of the staff
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: HoldArgs) -> Outcome {
    match args.command {
        None => {
            let reason = args.how.reason.ok_or_else(|| Usage("why? give --reason TEXT".to_owned()))?;
            place(json!({ "name": args.name.join(" ") }), reason, args.how.rest).await
        }
        Some(HoldCommand::Server { server, how }) => place(json!({ "server": server }), how.reason, how.rest).await,
        Some(HoldCommand::Client { client, how }) => place(json!({ "client": client }), how.reason, how.rest).await,
        Some(HoldCommand::Release { product, version, how }) => {
            place(json!({ "product": product, "version": version }), how.reason, how.rest).await
        }
        Some(HoldCommand::List { client, all, format, access }) => list(client, all, format, &access).await,
        Some(HoldCommand::Lift { id, by, format, access }) => {
            let lifted = Client::connect(&access).await?.lift(id, by.as_deref()).await?;
            if format == Shape::Json {
                return output::print_json(&lifted);
            }
            let by = lifted.done.lifted_by.as_deref().unwrap_or_default();
            output::print(&format!("hold {id} on {} is lifted by {by}\n{}", lifted.done.what(), lifted.plan_lines()))
        }
    }
}

async fn place(mut body: Value, reason: String, rest: Rest) -> Outcome {
    (body["reason"], body["until"], body["by"]) =
        (reason.into(), rest.until.map(|until| until.to_string()).into(), rest.by.into());
    let client = Client::connect(&rest.access).await?;
    let placed = client.hold(&body).await?;
    if rest.format == Shape::Json {
        return output::print_json(&placed);
    }
    let zone = client.zone_of(placed.done.server.as_deref(), placed.done.client.as_deref()).await?;
    output::print(&told(&placed, zone))
}

fn told(placed: &WithPlan<HoldRow>, zone: Tz) -> String {
    let row = &placed.done;
    let (id, what, end) = (row.id, row.what(), row.end(zone));
    let zone = row.until.map_or_else(String::new, |_| format!(" ({zone})"));
    format!("hold {id} on {what} {end}{zone}, by {}: {}\n{}", row.by, row.reason, placed.plan_lines())
}

async fn list(client: Option<String>, all: bool, format: Shape, access: &Access) -> Outcome {
    let query = vec![("client", client), ("all", Some(all.to_string()))];
    let rows = Client::connect(access).await?.holds(&query).await?;
    if format == Shape::Json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("nothing is held");
    }
    let mut table = output::table(&["id", "on", "until (UTC)", "reason", "by", "since (UTC)", "state"]);
    for row in rows {
        let until = row.until.map_or_else(|| "lifted".to_owned(), |until| output::instant(until, Tz::UTC));
        let state = match (&row.lifted_by, row.active) {
            (Some(by), _) => format!("lifted by {by}"),
            (None, true) => "held".to_owned(),
            (None, false) => "over".to_owned(),
        };
        table.add_row([
            Cell::new(row.id),
            Cell::new(row.what()),
            Cell::new(until),
            Cell::new(&row.reason),
            Cell::new(&row.by),
            Cell::new(output::instant(row.at, Tz::UTC)),
            output::state(&state),
        ]);
    }
    output::print(&output::text(&table))
}
