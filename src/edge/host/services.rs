//! Stops and starts the services of the server: units of systemd or services of Windows, or with the commands its
//! administrator gave.
//!
//! The agent knows services only by name; how each is stopped and started is the server's business and
//! stands in `agent.toml`. A release that names a service nobody described is refused before anything stops.

#[cfg(not(windows))]
mod systemd;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use systemd as system;
#[cfg(windows)]
use windows as system;

pub use system::{KIND, MANAGER, ManagerError, SYSTEM, state};

use super::command::{self, CommandError, Purpose};
use crate::edge::agent_file::{ServiceConfig, ServiceControl};
use crate::model::check::{Check, Probe, TIMEOUT_SECONDS_MAX, When};
use std::collections::BTreeMap;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("service {0:?} is not described; add [service.{0}] with {KIND}, or start and stop, to agent.toml")]
    Unknown(String),
    #[error(
        "service {name:?} is the {KIND} {unit}, which {SYSTEM} says is {said}; correct [service.{name}] in agent.toml"
    )]
    NotLoaded { name: String, unit: String, said: String },
    #[error("cannot {doing} service {name:?}: {source}")]
    Action { doing: &'static str, name: String, source: ActionError },
}

/// Why a service could not be stopped, started or asked about.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error(transparent)]
    Command(CommandError),
    #[error(transparent)]
    Manager(ManagerError),
}

/// What a service manager said of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub is_running: bool,
    /// Its own word.
    pub said: String,
}

#[derive(Clone, Copy)]
enum Doing {
    Stop,
    Start,
}

impl Doing {
    fn verb(self) -> &'static str {
        match self {
            Doing::Stop => "stop",
            Doing::Start => "start",
        }
    }
}

/// The services of this server, by name.
#[derive(Clone, Debug)]
pub struct Services {
    known: BTreeMap<String, ServiceConfig>,
    manager: String,
}

impl Services {
    /// `manager` is the program that knows the units of systemd.
    pub fn new(known: BTreeMap<String, ServiceConfig>, manager: String) -> Services {
        Services { known, manager }
    }

    /// Whether every one of `names` can be stopped and started here: described, and known to the system where it is one of its own.
    pub async fn check_known(&self, names: &[String]) -> Result<(), ServiceError> {
        for name in names {
            let service = self.find(name)?;
            let ServiceControl::Unit { unit } = &service.control else { continue };
            let asked = system::objection(&self.manager, unit, service.timeout()).await;
            let failed = |source| ServiceError::Action {
                doing: "ask about",
                name: name.clone(),
                source: ActionError::Manager(source),
            };
            if let Some(said) = asked.map_err(failed)? {
                return Err(ServiceError::NotLoaded { name: name.clone(), unit: unit.clone(), said });
            }
        }
        Ok(())
    }

    /// The units that `names` are; `None` where nobody can tell their processes from others: one is known by its commands
    /// only, or the system is Windows.
    pub fn units(&self, names: &[String]) -> Option<Vec<String>> {
        if cfg!(windows) && !names.is_empty() {
            return None;
        }
        let unit = |name: &String| match &self.known.get(name)?.control {
            ServiceControl::Unit { unit } => Some(unit.clone()),
            ServiceControl::Commands { .. } => None,
        };
        names.iter().map(unit).collect()
    }

    /// The checks that those of `names` are up that the system can be asked about.
    pub fn checks(&self, names: &[String]) -> Vec<Check> {
        let check = |name: &String| {
            let service = self.known.get(name)?;
            let ServiceControl::Unit { unit } = &service.control else { return None };
            let probe = Probe::Service { service: unit.clone() };
            let timeout_seconds = service.timeout_seconds.min(TIMEOUT_SECONDS_MAX);
            Some(Check { name: format!("service {name}"), probe, timeout_seconds, when: Some(When::After) })
        };
        names.iter().filter_map(check).collect()
    }

    pub async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        self.act(name, Doing::Stop).await
    }

    pub async fn start(&self, name: &str) -> Result<(), ServiceError> {
        self.act(name, Doing::Start).await
    }

    async fn act(&self, name: &str, doing: Doing) -> Result<(), ServiceError> {
        let service = self.find(name)?;
        let (manager, timeout) = (&self.manager, service.timeout());
        let commanded = async |argv: &[String], purpose| {
            command::run(argv, None, timeout, purpose).await.map(drop).map_err(ActionError::Command)
        };
        let done = match (&service.control, doing) {
            (ServiceControl::Commands { stop, .. }, Doing::Stop) => commanded(stop, Purpose::Ask).await,
            (ServiceControl::Commands { start, .. }, Doing::Start) => commanded(start, Purpose::Start).await,
            (ServiceControl::Unit { unit }, Doing::Stop) => {
                system::stop(manager, unit, timeout).await.map_err(ActionError::Manager)
            }
            (ServiceControl::Unit { unit }, Doing::Start) => {
                system::start(manager, unit, timeout).await.map_err(ActionError::Manager)
            }
        };
        done.map_err(|source| ServiceError::Action { doing: doing.verb(), name: name.to_owned(), source })
    }

    fn find(&self, name: &str) -> Result<&ServiceConfig, ServiceError> {
        self.known.get(name).ok_or_else(|| ServiceError::Unknown(name.to_owned()))
    }
}
