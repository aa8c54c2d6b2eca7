//! `noctule attend DEPLOYMENT --by NAME`: a manual update is handed out only when somebody attends it (`manual-slots`).

use super::access::Access;
use super::api::Client;
use super::{Outcome, output};

#[derive(Debug, clap::Args)]
pub struct AttendArgs {
    /// The deployment, as `noctule plan` and `noctule history` number it
    deployment: i64,
    /// Who will be there
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: AttendArgs) -> Outcome {
    let client = Client::connect(&args.access).await?;
    let answer = client.attend(args.deployment, args.by.as_deref()).await?;
    let by = answer.get("by").and_then(|by| by.as_str()).unwrap_or_default();
    output::print(&format!("deployment {} will be attended by {by}", args.deployment))
}
