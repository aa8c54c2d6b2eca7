//! `noctule erase CLIENT WHO…`: takes a person out of what is kept, done where the orchestrator runs.

use super::access::Access;
use super::{Outcome, output};
use crate::edge::store::{Erasable, Erased};
use crate::work::erasure;

#[derive(Debug, clap::Args)]
pub struct EraseArgs {
    /// Client whose contact it was
    client: String,
    /// E-mail address of the person, and the name as it was written; several may be given
    #[arg(required = true, num_args = 1..=10)]
    who: Vec<Erasable>,
    /// Erase it; without this only what would be erased is told
    #[arg(long)]
    yes: bool,
    /// Whose wish it is, for the history
    #[arg(long, value_name = "NAME", default_value = "staff")]
    by: String,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: EraseArgs) -> Outcome {
    let o = args.access.open().await?;
    let client = &args.client;
    let erased = match args.yes {
        true => erasure::erase(&o, client, &args.who, &args.by).await?,
        false => erasure::look(&o, client, &args.who).await?,
    };
    if erased == Erased::default() {
        return output::print(&format!("nothing that is kept about {client} names that person"));
    }
    let what = erasure::words(&erased);
    if !args.yes {
        output::print(&format!("the person is named: {what}"))?;
        output::say("nothing is changed yet: with --yes it is erased, and cannot be brought back");
        return Ok(());
    }
    output::print(&format!("erased: {what}"))?;
    output::say("not reached: letters that were sent, files of mail.folder, copies of the database");
    Ok(())
}
