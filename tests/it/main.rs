//! The one integration binary: each module tells one story.

// Clippy lets #[test] functions unwrap, but not what they call.
#![allow(clippy::unwrap_used)]

mod agent;
mod alerts;
mod api;
mod calendar;
mod cli;
mod closed;
mod concertation;
mod databases;
mod ddi;
mod durations;
mod erasure;
mod faces;
mod feed;
mod foreign_client;
mod fuzzed;
mod golden;
mod history;
mod holidays;
mod hostile;
#[cfg(target_os = "linux")]
mod killed;
mod letters_cli;
mod line;
mod mail;
#[cfg(unix)]
mod mail_servers;
mod mail_together;
mod planning;
mod proof;
mod review;
mod schedule_cli;
mod schedules;
mod simulate;
mod site;
mod smtp;
mod steering;
mod store;
mod tidy;
#[cfg(unix)]
mod trouble;
mod versions;
mod watch;
#[cfg(unix)]
mod webhook;
mod world;
