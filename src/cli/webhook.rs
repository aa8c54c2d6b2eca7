//! `noctule webhook`: what waits for the receiver of calls, whether it takes them, and the key they are signed with.
//!
//! Done where the orchestrator runs: the key is there, and so is the line to the receiver.

use super::access::Access;
use super::args::Shape;
use super::{Outcome, output};
use crate::edge::store::Queue;
use crate::edge::webhook;
use crate::model::call::{Call, CallState};
use crate::work::webhook::again::{self, AgainError};
use chrono_tz::Tz;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WebhookArgs {
    #[command(subcommand)]
    command: Option<WebhookCommand>,
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Subcommand)]
enum WebhookCommand {
    /// Make a signed call that is about nothing, and say what the receiver answered
    Check {
        #[command(flatten)]
        access: Access,
    },
    /// Make the key that calls are signed with
    Key {
        /// Where it goes; [webhook] secret_file of noctule.toml names it then
        file: PathBuf,
    },
    /// Offer what was given up to the receiver again
    Again {
        /// Who wants it
        #[arg(long, value_name = "NAME", default_value = "staff")]
        by: String,
        #[command(flatten)]
        access: Access,
    },
}

pub async fn run(args: WebhookArgs) -> Outcome {
    match args.command {
        Some(WebhookCommand::Check { access }) => check(&access).await,
        Some(WebhookCommand::Key { file }) => {
            webhook::generate(&file)?;
            output::say(&format!(
                "the key is in {}: name it in noctule.toml as [webhook] secret_file, and give the receiver its line",
                file.display()
            ));
            Ok(())
        }
        Some(WebhookCommand::Again { by, access }) => {
            let o = access.open().await?;
            match again::again(&o, &by).await? {
                0 => output::print("no call was given up"),
                count => output::print(&format!("calls that are offered again: {count}")),
            }
        }
        None => list(&args.access, args.format).await,
    }
}

async fn check(access: &Access) -> Outcome {
    let o = access.open().await?;
    let host = o.webhook.as_ref().map_or("", |webhook| webhook.host());
    match again::check(&o).await {
        Ok(status) => output::print(&format!("{host} took a signed call (webhook.ping): {status}")),
        Err(AgainError::NotTaken(error)) => {
            Err(format!("{host} did not take a signed call (webhook.ping): {}", error.in_full()).into())
        }
        Err(error) => Err(error.into()),
    }
}

async fn list(access: &Access, format: Shape) -> Outcome {
    let o = access.open().await?;
    let (queue, calls) = again::queue(&o).await?;
    if format == Shape::Json {
        return output::print_json(&calls.iter().map(|call| &call.value).collect::<Vec<_>>());
    }
    output::print(&summary(&queue, o.webhook.is_some()))?;
    if calls.is_empty() {
        return Ok(());
    }
    let mut table = output::table(&["id", "what", "alert", "happened (UTC)", "attempts", "next (UTC)", "why"]);
    for call in &calls {
        table.add_row([
            call.id.to_string(),
            call.new.kind.clone(),
            call.new.alert.to_string(),
            output::instant(call.new.at, Tz::UTC),
            call.attempts.to_string(),
            next(call),
            call.error.clone().unwrap_or_default(),
        ]);
    }
    output::print(&output::text(&table))
}

fn next(call: &Call) -> String {
    match call.state {
        CallState::Pending { next_at } => output::instant(next_at, Tz::UTC),
        CallState::Taken { .. } => "taken".to_owned(),
        CallState::GivenUp { .. } => "given up".to_owned(),
    }
}

fn summary(queue: &Queue, is_set: bool) -> String {
    let last = match queue.last_taken {
        Some(at) => format!("the last call was taken at {} UTC", output::instant(at, Tz::UTC)),
        None => "no call was taken yet".to_owned(),
    };
    let nobody = if is_set { "" } else { "; noctule.toml has no [webhook]" };
    format!("{} waiting, {} given up; {last}{nobody}", queue.waiting, queue.given_up)
}
