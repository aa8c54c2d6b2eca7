//! The agent as a service of its machine: a unit of systemd, a service of Windows. The same words for both.
//!
//! [`AgentService::install`] makes the system run the agent at each start of the machine and starts nothing yet. All of it
//! may be repeated: what is so already is done. Stopping waits for the pass under way, which is finished first; what is
//! cut off nevertheless is taken up, or taken back, at the next start.
//!
//! A service says to the system when it is ready ([`Session::ready`]), so that starting one that cannot work fails there
//! and then.

#[cfg(not(windows))]
mod systemd;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use systemd as system;
#[cfg(windows)]
use windows as system;

pub use system::{AgentService, Session};

use super::command::CommandError;
#[cfg(windows)]
use super::scm::ScmError;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the system calls it.
pub const NAME: &str = "noctule-agent";
/// Longest wait for it to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for it to stop: an installation under way is finished first.
const STOP_TIMEOUT: Duration = Duration::from_secs(16 * 60);

/// What the system is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// This program; absolute.
    pub program: PathBuf,
    /// Its agent.toml; absolute.
    pub config: PathBuf,
}

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    NotInstalled,
    Stopped,
    Starting,
    Running,
    Stopping,
    /// It ended by itself, with an error.
    Failed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::NotInstalled => "not installed",
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Failed => "failed",
        }
    }
}

/// What the system knows of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub service: &'static str,
    pub state: State,
    /// Whether it starts with the machine.
    pub starts_with_machine: bool,
    /// The command line that the system runs.
    pub command: Option<String>,
}

/// What there was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Done,
    /// It was so already.
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub enum AgentServiceError {
    #[error("{NAME} is not installed; run `noctule agent install` first")]
    NotInstalled,
    #[error("{} is no absolute path, which a service needs", .0.display())]
    Relative(PathBuf),
    #[error("{} cannot stand in a unit: its name has a character that ends a line", .0.display())]
    Unspeakable(PathBuf),
    #[error("cannot write {}: {source}; run it as an administrator (root)", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the unit {} belongs to a package; remove that, and this goes with it", .0.display())]
    Packaged(PathBuf),
    #[error("{NAME} has no configuration where it looks for one; write it, or install it again with --config FILE")]
    NotConfigured,
    #[error("{NAME} does not stay up; look at what it said: {}", .0)]
    DoesNotStay(&'static str),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[cfg(windows)]
    #[error(transparent)]
    Scm(#[from] ScmError),
    #[error("the service cannot tell the system how it is: {0}")]
    Tell(#[source] io::Error),
    #[error("nothing started this as a service; leave --service out")]
    NotAService,
}

impl Definition {
    /// A service has no current folder that anybody chose.
    fn check(&self) -> Result<(), AgentServiceError> {
        let relative = [&self.program, &self.config].into_iter().find(|path| !path.is_absolute());
        relative.map_or(Ok(()), |path| Err(AgentServiceError::Relative(path.clone())))
    }
}

/// Where the agent's configuration is on this system, unless somebody says otherwise.
pub fn default_config() -> PathBuf {
    system::config_folder().join("agent.toml")
}

/// Where a service that has no standard error writes its log: beside its configuration.
pub fn log_folder(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).join("logs")
}
