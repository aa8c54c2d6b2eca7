//! `noctule calendar`: the address under which a client, or staff, find planned work in their own calendar.

use super::access::Access;
use super::{Outcome, output};
use crate::work::appointments;

#[derive(Debug, clap::Args)]
pub struct CalendarArgs {
    /// The calendar of this client; without it, that of all clients, for staff
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    #[command(flatten)]
    access: Access,
}

pub async fn run(args: CalendarArgs) -> Outcome {
    let o = args.access.open().await?;
    let address = appointments::address(&o, args.client.as_deref()).await?;
    let whose = args.client.as_deref().unwrap_or("staff");
    output::say(&format!("address of the calendar of {whose}, shown only now; the one before it has ended:"));
    output::print(&address)
}
