//! The log: on standard error, filtered by `NOCTULE_LOG` (`info`, `noctule=debug,warn`, …), as text or JSON. What has no
//! standard error writes it to a folder, a file a day.

use std::io::IsTerminal;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Environment variable with the filter.
const FILTER: &str = "NOCTULE_LOG";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// What somebody should act on.
    Command,
    /// What changes.
    Service,
    /// The same, in files of this folder.
    Folder(PathBuf),
}

/// Starts the log.
pub fn init(format: LogFormat, log: Log) -> Result<(), folder::LogError> {
    let usual = match log {
        Log::Command => "error",
        Log::Service | Log::Folder(_) => "info,tokio_cron_scheduler=warn,sqlx=warn",
    };
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(usual));
    match log {
        Log::Command | Log::Service => start(format, filter, std::io::stderr, std::io::stderr().is_terminal()),
        Log::Folder(path) => start(format, filter, folder::open(&path)?, false),
    }
    Ok(())
}

fn start<W>(format: LogFormat, filter: EnvFilter, writer: W, ansi: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A second initialisation, as in tests that run several commands in one process, changes nothing.
    let _already = match format {
        LogFormat::Text => log.with_ansi(ansi).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

/// Files of a folder, one a day, the last ones kept.
mod folder {
    use std::path::Path;
    use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};

    /// Days that are kept.
    const FILES_MAX: usize = 30;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the log to {folder}: {source}")]
    pub struct LogError {
        folder: String,
        source: InitError,
    }

    pub fn open(folder: &Path) -> Result<RollingFileAppender, LogError> {
        let files = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("agent")
            .filename_suffix("log")
            .max_log_files(FILES_MAX);
        files.build(folder).map_err(|source| LogError { folder: folder.display().to_string(), source })
    }
}
