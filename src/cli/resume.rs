//! `noctule resume PRODUCT VERSION --reason TEXT`: a release that halted or is held goes on.

use super::access::Access;
use super::api::Client;
use super::args::Shape;
use super::{Outcome, output};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    product: String,
    version: String,
    /// Why it may go on
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who of the staff
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: ResumeArgs) -> Outcome {
    let body = json!({ "product": args.product, "version": args.version, "reason": args.reason, "by": args.by });
    let resumed = Client::connect(&args.access).await?.resume(&body).await?;
    if args.format == Shape::Json {
        return output::print_json(&resumed);
    }
    let row = &resumed.done;
    let mut text = format!("{} {} goes on, by {}: {}\n", row.product, row.version, row.by, row.reason);
    for hold in &row.lifted {
        let _ = writeln!(text, "  hold {hold} is lifted");
    }
    output::print(&format!("{text}{}", resumed.plan_lines()))
}
