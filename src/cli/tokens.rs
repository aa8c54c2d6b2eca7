//! `noctule enrol SERVER` and `noctule token create|revoke|list`: done where the orchestrator runs.
//!
//! A secret is printed alone on standard output, once, so that it can be sent straight into a file.

use super::access::Access;
use super::{Outcome, output};
use crate::edge::store::Scope;
use crate::work::fleet::CODE_DAYS;
use crate::work::tokens;
use chrono::TimeDelta;
use chrono_tz::Tz;

#[derive(Debug, clap::Args)]
pub struct EnrolArgs {
    /// Server of the fleet
    server: String,
    /// How long the code can be used
    #[arg(long, value_name = "DAYS", default_value_t = CODE_DAYS, value_parser = clap::value_parser!(i64).range(1..=90))]
    days: i64,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print it, once
    Create {
        /// What history calls who uses it, such as anna or martin-contact
        name: String,
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        access: Access,
    },
    /// End a token
    Revoke {
        name: String,
        #[command(flatten)]
        access: Access,
    },
    /// The tokens there are, without their secrets
    List {
        #[command(flatten)]
        access: Access,
    },
}

/// Whose token it is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ScopeArgs {
    /// For the provider's staff: sees and does everything
    #[arg(long)]
    staff: bool,
    /// For this client's IT contact: sees and asks only for this client
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// For this client's gateway: may act for its servers
    #[arg(long, value_name = "CLIENT")]
    gateway: Option<String>,
}

impl ScopeArgs {
    fn scope(self) -> Scope {
        match (self.client, self.gateway) {
            (Some(client), _) => Scope::Client { client },
            (None, Some(client)) => Scope::Gateway { client },
            // The group requires one of the three.
            (None, None) => Scope::Staff,
        }
    }
}

pub async fn enrol(args: EnrolArgs) -> Outcome {
    let o = args.access.open().await?;
    let code = tokens::issue_enrolment(&o, &args.server, TimeDelta::days(args.days)).await?;
    output::say(&format!("one-time code for {}, valid {} days, shown only now:", args.server, args.days));
    output::print(&code)
}

pub async fn run(args: TokenArgs) -> Outcome {
    match args.command {
        TokenCommand::Create { name, scope, access } => {
            let o = access.open().await?;
            let secret = tokens::issue(&o, &name, scope.scope()).await?;
            output::say(&format!("token {name:?}, shown only now:"));
            output::print(&secret)
        }
        TokenCommand::Revoke { name, access } => {
            tokens::revoke(&*access.open().await?, &name).await?;
            output::print(&format!("token {name:?} is revoked"))
        }
        TokenCommand::List { access } => list(&access).await,
    }
}

async fn list(access: &Access) -> Outcome {
    let tokens = access.open().await?.store.tokens().await?;
    if tokens.is_empty() {
        return output::print("there is no token; make one with `noctule token create NAME --staff`");
    }
    let mut table = output::table(&["name", "for", "made (UTC)", "revoked (UTC)"]);
    for token in tokens {
        let scope = match &token.scope {
            Scope::Staff => "staff".to_owned(),
            Scope::Client { client } => format!("client {client}"),
            Scope::Target { server } => format!("server {server}"),
            Scope::Gateway { client } => format!("gateway of {client}"),
            Scope::Calendar { client } => format!("calendar of {}", client.as_deref().unwrap_or("staff")),
        };
        let revoked = token.revoked_at.map_or_else(String::new, |at| output::instant(at, Tz::UTC));
        table.add_row([token.name.clone(), scope, output::instant(token.created_at, Tz::UTC), revoked]);
    }
    output::print(&output::text(&table))
}
