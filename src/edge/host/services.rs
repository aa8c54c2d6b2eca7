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

/// The program that knows the services where `agent.toml` names no other.
pub const MANAGER: &str = if cfg!(windows) { "sc.exe" } else { "systemctl" };

/// What a service manager said of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub is_running: bool,
    /// Its own word.
    pub said: String,
}

/// The question how a service is: a systemd unit, or a service of Windows.
pub fn query(manager: &str, service: &str) -> Vec<String> {
    let verb: &[&str] = if cfg!(windows) { &["query"] } else { &["is-active", "--"] };
    [manager].iter().chain(verb).chain([&service]).map(|part| (*part).to_owned()).collect()
}

/// The answer: systemd's one word, or the number of Windows' state, whose words are translated.
pub fn state_in(answer: &str) -> State {
    // `TYPE : 10  WIN32_OWN_PROCESS`, then `STATE : 4  RUNNING`, under names that differ from one language to another.
    let coded = |line: &'_ str| {
        let (code, word) = line.split_once(':')?.1.trim().split_once(' ')?;
        let (code, word) = (code.parse::<u32>().ok()?, word.trim().to_lowercase());
        (!word.starts_with('(')).then_some((code, word))
    };
    match answer.lines().filter_map(coded).nth(1) {
        Some((code, word)) => State { is_running: code == 4, said: word },
        None => {
            let word = answer.lines().next().unwrap_or_default().trim();
            let said = if word.is_empty() { "not known" } else { word };
            State { is_running: word == "active", said: said.to_owned() }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_managers_are_understood() {
        let check = |answer: &str, is_running: bool, said: &str| {
            assert_eq!(state_in(answer), State { is_running, said: said.to_owned() }, "{answer}");
        };
        check("active\n", true, "active");
        check("activating\n", false, "activating");
        check("", false, "not known");
        let windows = "\r\nSERVICE_NAME: MSSQLSERVER\r\n        TYPE               : 10  WIN32_OWN_PROCESS\r\n        \
                       STATE              : 4  RUNNING\r\n                                (STOPPABLE, PAUSABLE)\r\n";
        check(windows, true, "running");
        check(&windows.replace("4  RUNNING", "1  STOPPED"), false, "stopped");
    }
}
