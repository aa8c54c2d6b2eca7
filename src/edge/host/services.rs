//! Stops and starts the services of the server: units of systemd, or with the commands its administrator gave.
//!
//! The agent knows services only by name; how each is stopped and started is the server's business and
//! stands in `agent.toml`. A release that names a service nobody described is refused before anything stops.

use super::command::{self, CommandError, Purpose};
use crate::edge::agent_file::{ServiceConfig, ServiceControl};
use crate::model::check::{Check, Probe, TIMEOUT_SECONDS_MAX, When};
use std::collections::BTreeMap;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("service {0:?} is not described; add [service.{0}] with unit, or start and stop, to agent.toml")]
    Unknown(String),
    #[error(
        "service {name:?} is the unit {unit}, which systemd says is {said}; correct [service.{name}] in agent.toml"
    )]
    NotLoaded { name: String, unit: String, said: String },
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

/// What systemd is asked of a unit; it returns when that is done.
fn order(manager: &str, verb: &str, unit: &str) -> Vec<String> {
    [manager, verb, "--", unit].map(str::to_owned).into()
}

/// The services of this server, by name.
#[derive(Clone, Debug)]
pub struct Services {
    known: BTreeMap<String, ServiceConfig>,
    manager: String,
}

impl Services {
    /// `manager` is the program that knows the units.
    pub fn new(known: BTreeMap<String, ServiceConfig>, manager: String) -> Services {
        Services { known, manager }
    }

    /// Whether every one of `names` can be stopped and started here: described, and known to systemd where it is a unit.
    pub async fn check_known(&self, names: &[String]) -> Result<(), ServiceError> {
        for name in names {
            let service = self.find(name)?;
            let ServiceControl::Unit { unit } = &service.control else { continue };
            let mut argv = order(&self.manager, "show", unit);
            argv.splice(2..2, ["--property=LoadState".to_owned(), "--value".to_owned()]);
            let failed = |source| ServiceError::Command { doing: "ask about", name: name.clone(), source };
            let said = command::run(&argv, None, service.timeout(), Purpose::Ask).await.map_err(failed)?;
            if said.trim() != "loaded" {
                let said = said.trim().to_owned();
                return Err(ServiceError::NotLoaded { name: name.clone(), unit: unit.clone(), said });
            }
        }
        Ok(())
    }

    /// The checks that those of `names` are up that systemd can be asked about.
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
        let (argv, purpose) = match (&service.control, doing) {
            (ServiceControl::Commands { stop, .. }, Doing::Stop) => (stop.clone(), Purpose::Ask),
            (ServiceControl::Commands { start, .. }, Doing::Start) => (start.clone(), Purpose::Start),
            // What it starts is systemd's child, not its own: what it says can be listened to.
            (ServiceControl::Unit { unit }, doing) => (order(&self.manager, doing.verb(), unit), Purpose::Ask),
        };
        let done = command::run(&argv, None, service.timeout(), purpose).await;
        let failed = |source| ServiceError::Command { doing: doing.verb(), name: name.to_owned(), source };
        done.map(drop).map_err(failed)
    }

    fn find(&self, name: &str) -> Result<&ServiceConfig, ServiceError> {
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
