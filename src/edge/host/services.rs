//! Stops and starts the services of the server, with the commands its administrator gave.
//!
//! The agent knows services only by name; how each is stopped and started is the server's business and
//! stands in `agent.toml`. A release that names a service nobody described is refused before anything stops.

use super::command::{self, CommandError, Purpose};
use crate::edge::agent_file::ServiceCommands;
use std::collections::BTreeMap;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("service {0:?} is not described; add [service.{0}] with start and stop to agent.toml")]
    Unknown(String),
    #[error("cannot {doing} service {name:?}: {source}")]
    Command { doing: &'static str, name: String, source: CommandError },
}

/// The services of this server, by name.
#[derive(Clone, Debug, Default)]
pub struct Services {
    known: BTreeMap<String, ServiceCommands>,
}

impl Services {
    pub fn new(known: BTreeMap<String, ServiceCommands>) -> Services {
        Services { known }
    }

    /// Whether every one of `names` can be stopped and started here.
    pub fn check_known(&self, names: &[String]) -> Result<(), ServiceError> {
        names.iter().try_for_each(|name| self.find(name).map(|_| ()))
    }

    pub async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        let service = self.find(name)?;
        let stopped = command::run(&service.stop, None, service.timeout(), Purpose::Ask).await;
        stopped.map(|_| ()).map_err(|source| ServiceError::Command { doing: "stop", name: name.to_owned(), source })
    }

    pub async fn start(&self, name: &str) -> Result<(), ServiceError> {
        let service = self.find(name)?;
        let started = command::run(&service.start, None, service.timeout(), Purpose::Start).await;
        started.map(|_| ()).map_err(|source| ServiceError::Command { doing: "start", name: name.to_owned(), source })
    }

    fn find(&self, name: &str) -> Result<&ServiceCommands, ServiceError> {
        self.known.get(name).ok_or_else(|| ServiceError::Unknown(name.to_owned()))
    }
}
