//! What the type of a check cannot say: names, bounds, addresses. One reader for `agent.toml` and manifests.

use crate::model::check::{Check, Probe, TIMEOUT_SECONDS_MAX};
use std::collections::BTreeSet;
use url::Url;

/// Most checks of one list.
pub const CHECKS_MAX: usize = 32;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 60;
/// Oldest age that can be asked for, in hours: a month.
const AGE_HOURS_MAX: u32 = 31 * 24;

/// Everything wrong with a list of checks: the place of each below the list (`1.probe.address`), and what would do.
pub fn problems(checks: &[Check]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if checks.len() > CHECKS_MAX {
        found.push((String::new(), format!("at most {CHECKS_MAX} checks")));
    }
    let mut seen = BTreeSet::new();
    for (i, check) in checks.iter().enumerate() {
        let mut say = |place: &str, what: String| found.push((format!("{i}.{place}"), what));
        if check.name.trim().is_empty() || check.name.chars().count() > NAME_CHARS_MAX {
            say("name", format!("give it a name of 1 to {NAME_CHARS_MAX} characters, for the history"));
        }
        if !seen.insert(&check.name) {
            say("name", format!("{:?} is there twice", check.name));
        }
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&check.timeout_seconds) {
            say("timeout_seconds", format!("give 1 to {TIMEOUT_SECONDS_MAX} seconds"));
        }
        if let Some((place, what)) = objection(&check.probe) {
            say(&format!("probe.{place}"), what);
        }
    }
    found
}

fn objection(probe: &Probe) -> Option<(&'static str, String)> {
    let no_program = |command: &[String]| command.first().is_none_or(|program| program.trim().is_empty());
    let program = || Some(("command", "name a program first".to_owned()));
    let hours = |place, hours: u32| {
        (!(1..=AGE_HOURS_MAX).contains(&hours)).then(|| (place, format!("give 1 to {AGE_HOURS_MAX} hours")))
    };
    match probe {
        Probe::Command { command, .. } | Probe::Sessions { command, .. } | Probe::BackupAge { command, .. }
            if no_program(command) =>
        {
            program()
        }
        Probe::Command { exits, .. } if exits.is_empty() => {
            Some(("exit", "name at least one exit code, or leave it out for 0".to_owned()))
        }
        Probe::Command { .. } | Probe::Sessions { .. } => None,
        Probe::BackupAge { age_hours_max, .. } => hours("age_hours_max", *age_hours_max),
        Probe::FileAge { file, .. } if file.is_empty() => Some(("file", "name the file".to_owned())),
        Probe::FileAge { age_minutes_max, .. } if !(1..=AGE_HOURS_MAX * 60).contains(age_minutes_max) => {
            Some(("age_minutes_max", format!("give 1 to {} minutes", AGE_HOURS_MAX * 60)))
        }
        Probe::FileAge { .. } => None,
        Probe::Tcp { address } if !is_address(address) => {
            Some(("address", format!("{address:?} is no host:port; write \"localhost:1433\" or \"[::1]:1433\"")))
        }
        Probe::Tcp { .. } => None,
        Probe::Http { url, .. } if !is_http(url) => {
            Some(("url", format!("{url:?} is no http or https address with a host")))
        }
        Probe::Http { status, .. } if !(100..=599).contains(status) => {
            Some(("status", "give a status from 100 to 599".to_owned()))
        }
        Probe::Http { .. } => None,
        Probe::Service { service } if !is_service(service) => {
            Some(("service", format!("{service:?} is no name of a service: it must not be empty or begin with -")))
        }
        Probe::Service { .. } => None,
        Probe::FreeDisk { path, .. } if path.is_empty() => Some(("path", "name a path on the disk".to_owned())),
        Probe::FreeDisk { mib_min: 0, .. } => Some(("mib_min", "give at least 1 MiB".to_owned())),
        Probe::FreeDisk { .. } => None,
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let plain = !host.is_empty() && !host.contains([':', '/', '[', ']', ' ']);
        (bracketed || plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A name that no service manager could take for one of its options.
pub(super) fn is_service(name: &str) -> bool {
    !name.trim().is_empty() && !name.starts_with('-') && !name.contains(['\0', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(probe: &str, expected: &str) {
        let text = format!("name = 'x'\nprobe = {{ {probe} }}");
        let found = problems(&[toml::from_str(&text).unwrap()]);
        let said: Vec<String> = found.iter().map(|(place, what)| format!("{place}: {what}")).collect();
        let said = said.join("\n");
        assert!(if expected.is_empty() { said.is_empty() } else { said.starts_with(expected) }, "{probe}: {said}");
    }

    #[test]
    fn every_value_that_cannot_be_is_named() {
        check("kind = 'tcp', address = 'localhost:1433'", "");
        check("kind = 'tcp', address = '[::1]:1433'", "");
        check("kind = 'tcp', address = 'localhost'", "0.probe.address: \"localhost\" is no host:port");
        check("kind = 'tcp', address = 'localhost:0'", "0.probe.address");
        check("kind = 'tcp', address = '::1:80'", "0.probe.address");
        check("kind = 'http', url = 'http://localhost/x'", "");
        check("kind = 'http', url = 'localhost/x'", "0.probe.url");
        check("kind = 'http', url = 'file:///x'", "0.probe.url");
        check("kind = 'http', url = 'http://x/', status = 99", "0.probe.status");
        check("kind = 'command', command = []", "0.probe.command: name a program first");
        check("kind = 'command', command = ['x'], exit = []", "0.probe.exit");
        check("kind = 'sessions', command = [' ']", "0.probe.command");
        check("kind = 'backup_age', command = ['x'], age_hours_max = 0", "0.probe.age_hours_max: give 1 to 744 hours");
        check("kind = 'file_age', file = '', age_minutes_max = 1", "0.probe.file");
        check("kind = 'file_age', file = 'x', age_minutes_max = 44641", "0.probe.age_minutes_max");
        check("kind = 'file_age', file = 'x', age_minutes_max = 44640", "");
        check("kind = 'service', service = '--now'", "0.probe.service");
        check("kind = 'free_disk', path = '/', mib_min = 0", "0.probe.mib_min");
    }

    #[test]
    fn names_and_bounds_are_checked_for_every_kind() {
        let of = |name: &str, seconds: u32| Check {
            name: name.into(),
            probe: Probe::Tcp { address: "localhost:1".into() },
            timeout_seconds: seconds,
            when: None,
        };
        let said = |checks: &[Check]| problems(checks).into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(said(&[of("a", 1), of("b", 600)]), [""; 0]);
        assert_eq!(said(&[of("a", 0), of("a", 601)]), ["0.timeout_seconds", "1.name", "1.timeout_seconds"]);
        assert_eq!(said(&[of(" ", 1), of(&"é".repeat(61), 1)]), ["0.name", "1.name"]);
        let many: Vec<Check> = (0..33).map(|i| of(&i.to_string(), 1)).collect();
        assert_eq!(said(&many), [""]);
        assert_eq!(said(&many[1..]), [""; 0]);
    }
}
