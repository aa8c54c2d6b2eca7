//! Units of systemd, through `systemctl`: every order returns when it is done.

use crate::edge::host::command::{self, CommandError, Purpose};
use std::time::Duration;

use super::State;

/// What it is called.
pub const SYSTEM: &str = "systemd";
/// What it calls a service.
pub const KIND: &str = "unit";
/// The program that is asked, where `agent.toml` names no other.
pub const MANAGER: &str = "systemctl";

pub type ManagerError = CommandError;

/// Why `unit` is none that systemd could stop and start, in its own word.
pub async fn objection(manager: &str, unit: &str, timeout: Duration) -> Result<Option<String>, ManagerError> {
    let argv = [manager, "show", "--property=LoadState", "--value", "--", unit].map(str::to_owned);
    let said = command::run(&argv, None, timeout, Purpose::Ask).await?;
    let said = said.trim();
    Ok((said != "loaded").then(|| said.to_owned()))
}

/// How `unit` is. Its exit code says the same as its word.
pub async fn state(manager: &str, unit: &str, timeout: Duration) -> Result<State, ManagerError> {
    let argv = [manager, "is-active", "--", unit].map(str::to_owned);
    Ok(state_in(&command::observe(&argv, None, timeout, Purpose::Ask).await?.out))
}

pub async fn stop(manager: &str, unit: &str, timeout: Duration) -> Result<(), ManagerError> {
    order(manager, "stop", unit, timeout).await
}

pub async fn start(manager: &str, unit: &str, timeout: Duration) -> Result<(), ManagerError> {
    order(manager, "start", unit, timeout).await
}

/// What it starts is systemd's child, not its own: what it says can be listened to.
async fn order(manager: &str, verb: &str, unit: &str, timeout: Duration) -> Result<(), ManagerError> {
    let argv = [manager, verb, "--", unit].map(str::to_owned);
    command::run(&argv, None, timeout, Purpose::Ask).await.map(drop)
}

fn state_in(answer: &str) -> State {
    let word = answer.lines().next().unwrap_or_default().trim();
    let said = if word.is_empty() { "not known" } else { word };
    State { is_running: word == "active", said: said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_word_is_understood() {
        let check = |answer: &str, is_running: bool, said: &str| {
            assert_eq!(state_in(answer), State { is_running, said: said.to_owned() }, "{answer}");
        };
        check("active\n", true, "active");
        check("activating\n", false, "activating");
        check("", false, "not known");
    }
}
