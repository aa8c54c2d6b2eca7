//! The jobs: load, decide, commit. One file per job.
//!
//! Level-triggered: an activation takes no input, runs one code path, and the next activation is the retry. A missed
//! tick, a restart or a second replica changes nothing. The network is never awaited inside a transaction.

pub mod agent;

// What an agent that is built alone does not have.
cfg_if::cfg_if! {
    if #[cfg(feature = "orchestrator")] {
        pub mod agreements;
        pub mod alerts;
        pub mod appointments;
        pub mod attend;
        pub mod checkin;
        pub mod checkpoints;
        pub mod concertation;
        pub mod enrol;
        pub mod erasure;
        pub mod fleet;
        pub mod holds;
        pub mod intake;
        pub mod jobs;
        pub mod letters;
        mod observed;
        pub mod planning;
        pub mod post;
        pub mod presence;
        pub mod reminders;
        pub mod report;
        pub mod requests;
        pub mod resume;
        mod said;
        pub mod settle;
        pub mod tokens;
        pub mod views;
        pub mod watch;
        pub mod webhook;
        mod orchestrator;

        pub use orchestrator::{OpenError, Orchestrator};
    }
}
