//! The world: clock, store, feeds, packages, mail, the host. Makes no decision.

pub mod agent_file;
pub mod calendar_file;
pub mod check_file;
pub mod clock;
pub mod config;
pub mod ddi_client;
pub mod feed;
pub mod fleet_file;
pub mod host;
pub mod ics;
pub mod letter_files;
pub mod lock;
pub mod mail;
pub mod manifest_file;
pub mod mirror;
pub mod packages;
pub mod publish;
pub mod schedule_file;
pub mod schedule_survey;
pub mod secret;
pub mod store;
pub mod toml_errors;
