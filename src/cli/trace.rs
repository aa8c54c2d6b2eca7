//! The log: on standard error, filtered by `NOCTULE_LOG` (`info`, `noctule=debug,warn`, …), as text or JSON.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Environment variable with the filter.
const FILTER: &str = "NOCTULE_LOG";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Starts the log. A service tells what changes; a command only what somebody should act on.
pub fn init(format: LogFormat, service: bool) {
    let usual = if service { "info,tokio_cron_scheduler=warn,sqlx=warn" } else { "error" };
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second initialisation, as in tests that run several commands in one process, changes nothing.
    let _already = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
