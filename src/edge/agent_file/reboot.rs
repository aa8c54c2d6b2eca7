//! `[reboot]` of `agent.toml`: whether and how this machine is restarted for what an installer needs.

use crate::edge::host::boot;
use serde::Deserialize;
use std::path::PathBuf;

/// Longest that a machine may take to restart, in minutes.
const MINUTES_MAX: u32 = 240;

/// The whole section. A manifest has to allow a restart too, and the slot to hold it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RebootConfig {
    /// `false`: this machine is never restarted, and what only works with a restart is not begun.
    pub allowed: bool,
    /// How long a restart may take until the agent runs again, in minutes; the slot has to hold it.
    pub minutes: u32,
    /// The program that restarts the machine, with its arguments, never a shell line.
    pub command: Vec<String>,
    /// A file whose text differs after each start of the machine; left out, what the system has of the kind.
    pub boot_id_file: Option<PathBuf>,
}

impl Default for RebootConfig {
    fn default() -> Self {
        let command = boot::COMMAND.iter().map(|word| (*word).to_owned()).collect();
        RebootConfig { allowed: true, minutes: 15, command, boot_id_file: None }
    }
}

impl RebootConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err("reboot: command needs a program; allowed = false forbids restarts".to_owned());
        }
        if !(1..=MINUTES_MAX).contains(&self.minutes) {
            return Err(format!("reboot: minutes has to be between 1 and {MINUTES_MAX}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_restarts_are_allowed_by_the_systems_own_command() {
        let config: RebootConfig = toml::from_str("").unwrap();
        assert_eq!((config.allowed, config.minutes, config.check()), (true, 15, Ok(())));
        let program = if cfg!(windows) { "shutdown.exe" } else { "systemctl" };
        assert_eq!(config.command[0], program);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let said = |text: &str| match toml::from_str::<RebootConfig>(text) {
            Ok(config) => config.check().map_or_else(|why| why, |()| "good".to_owned()),
            Err(error) => error.to_string(),
        };
        assert_eq!(said("allowed = false\nminutes = 240\ncommand = ['/sbin/reboot']"), "good");
        assert!(said("command = []").contains("needs a program"));
        assert!(said("command = 'reboot'").contains("expected a sequence"));
        assert!(said("minutes = 0").contains("between 1 and 240"));
        assert!(said("minutes = 241").contains("between 1 and 240"));
        assert!(said("allow = true").contains("unknown field"));
    }
}
