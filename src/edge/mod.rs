//! The world: clock, store, feeds, packages, mail, the host. Makes no decision.

pub mod agent_file;
pub mod check_file;
pub mod clock;
pub mod ddi_client;
pub mod download;
pub mod host;
pub mod lock;
pub mod mirror;
pub mod neighbours;
pub mod toml_errors;
pub mod tuf_http;

// What an agent that is built alone does not have.
cfg_if::cfg_if! {
    if #[cfg(feature = "orchestrator")] {
        pub mod calendar_file;
        pub mod config;
        pub mod feed;
        pub mod fleet_file;
        pub mod ics;
        pub mod letter_files;
        pub mod mail;
        pub mod manifest_file;
        pub mod packages;
        pub mod publish;
        pub mod schedule_file;
        pub mod schedule_survey;
        pub mod secret;
        pub mod signed_note;
        pub mod store;
        pub mod webhook;
    }
}
