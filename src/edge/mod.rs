//! The world: clock, store, feeds, packages, mail, the host. Makes no decision.

pub mod agent_file;
pub mod clock;
pub mod ddi_client;
pub mod host;
pub mod schedule_file;
pub mod secret;
pub mod store;
