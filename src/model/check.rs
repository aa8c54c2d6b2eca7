//! What a server is asked about itself around an installation (`backup-first`, `health-after`), and what it answered.
//!
//! The questions are data, from `agent.toml` (the administrator's) and from a manifest's health section (the
//! publisher's). How they are asked is `edge::host::checks`' business. An answer is never a bare yes or no: it says what
//! was seen, so that the history does.

use super::decision::Reason;
use super::rule::Rule;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Time-out of a check that names none, in seconds.
pub const TIMEOUT_SECONDS: u32 = 30;
/// Longest time-out of one check, in seconds.
pub const TIMEOUT_SECONDS_MAX: u32 = 600;

/// One question with its name and its bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// As the history names it.
    pub name: String,
    pub probe: Probe,
    /// Longest wait for the answer, in seconds.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u32,
    /// When it is asked; left out, what the kind of probe is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

fn timeout_seconds() -> u32 {
    TIMEOUT_SECONDS
}

/// On which side of the installation a check is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// A condition for beginning: a backup, an empty office.
    Before,
    /// Something that only the new version has.
    After,
    /// Something that works: what does not before is not touched, what does not after goes back.
    Both,
}

/// How the answer is found out. Programs are argument vectors, never a shell line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// The file was written in the last `age_minutes_max` minutes.
    FileAge { file: String, age_minutes_max: u32 },
    /// The program ends with one of these codes (0 unless said otherwise), and prints this where it has to.
    Command {
        command: Vec<String>,
        #[serde(default = "zero", rename = "exit")]
        exits: Vec<i32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prints: Option<String>,
    },
    /// Something accepts a connection at `host:port`.
    Tcp { address: String },
    /// A `GET` answers with this status (200 unless said otherwise), and with this in its body where it has to.
    Http {
        url: String,
        #[serde(default = "ok")]
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
    },
    /// A systemd unit is active, or a Windows service is running.
    Service { service: String },
    /// The disk that holds `path` has this much room, in MiB.
    FreeDisk { path: String, mib_min: u64 },
    /// The program prints how many sessions are open, and there are no more than allowed (none, unless said otherwise).
    Sessions {
        command: Vec<String>,
        #[serde(default)]
        sessions_max: u32,
    },
    /// The program prints when a backup ended, `<RFC 3339 instant> [ok|failed]`, at most so many hours ago: the mark of
    /// SQL Server's backup, asked of it by a query.
    BackupAge { command: Vec<String>, age_hours_max: u32 },
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn ok() -> u16 {
    200
}

impl Check {
    pub fn when(&self) -> When {
        self.when.unwrap_or(match self.probe {
            Probe::Command { .. } | Probe::Tcp { .. } | Probe::Http { .. } | Probe::Service { .. } => When::Both,
            Probe::FileAge { .. } | Probe::FreeDisk { .. } | Probe::Sessions { .. } | Probe::BackupAge { .. } => {
                When::Before
            }
        })
    }

    /// The clause that asks for it.
    pub fn rule(&self) -> Rule {
        match self.probe {
            Probe::BackupAge { .. } | Probe::FileAge { .. } => Rule::BackupFirst,
            Probe::Command { .. }
            | Probe::Tcp { .. }
            | Probe::Http { .. }
            | Probe::Service { .. }
            | Probe::FreeDisk { .. }
            | Probe::Sessions { .. } => Rule::HealthAfter,
        }
    }
}

impl When {
    pub fn is_before(self) -> bool {
        match self {
            When::Before | When::Both => true,
            When::After => false,
        }
    }

    pub fn is_after(self) -> bool {
        match self {
            When::After | When::Both => true,
            When::Before => false,
        }
    }
}

/// Why a server was not fit for an installation: nothing was touched, or everything was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// What is installed does not work as it is.
    Sick,
    /// A condition is not met: a backup, the disk, an empty office.
    NotReady,
}

impl Unfit {
    /// The word of the protocol, the store and the history.
    pub fn name(self) -> &'static str {
        match self {
            Unfit::Sick => "sick",
            Unfit::NotReady => "not_ready",
        }
    }
}

/// What a check found, as it travels in the agent's journal and reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub name: String,
    pub rule: Rule,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Passed {
        seen: String,
    },
    /// It answered, and the answer is not the one that is needed.
    Failed {
        seen: String,
    },
    TimedOut {
        seconds: u32,
    },
    /// The question could not be asked: its program is not there, its answer makes no sense.
    CannotRun {
        why: String,
    },
}

impl Verdict {
    pub fn is_passed(&self) -> bool {
        match self {
            Verdict::Passed { .. } => true,
            Verdict::Failed { .. } | Verdict::TimedOut { .. } | Verdict::CannotRun { .. } => false,
        }
    }

    fn french(&self) -> String {
        match self {
            Verdict::Passed { seen } => format!("réussi ({seen})"),
            Verdict::Failed { seen } => format!("échoué ({seen})"),
            Verdict::TimedOut { seconds } => format!("sans réponse au bout de {seconds} s"),
            Verdict::CannotRun { why } => format!("impossible ({why})"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed { seen } => write!(f, "passed ({seen})"),
            Verdict::Failed { seen } => write!(f, "failed ({seen})"),
            Verdict::TimedOut { seconds } => write!(f, "gave no answer within {seconds} s"),
            Verdict::CannotRun { why } => write!(f, "could not be asked ({why})"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.verdict)
    }
}

impl Answer {
    /// As a line of the history.
    pub fn reason(&self) -> Reason {
        Reason::new(self.rule, self.to_string(), format!("{} : {}", self.name, self.verdict.french()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_asked_when_its_kind_says_unless_the_file_does() {
        let of = |text: &str| toml::from_str::<Check>(&format!("name = 'x'\n{text}")).unwrap();
        for (probe, when, rule) in [
            ("kind = 'tcp', address = 'localhost:1433'", When::Both, Rule::HealthAfter),
            ("kind = 'http', url = 'http://localhost/'", When::Both, Rule::HealthAfter),
            ("kind = 'command', command = ['true']", When::Both, Rule::HealthAfter),
            ("kind = 'service', service = 'mssql'", When::Both, Rule::HealthAfter),
            ("kind = 'file_age', file = '/b', age_minutes_max = 1", When::Before, Rule::BackupFirst),
            ("kind = 'backup_age', command = ['q'], age_hours_max = 1", When::Before, Rule::BackupFirst),
            ("kind = 'free_disk', path = '/', mib_min = 1", When::Before, Rule::HealthAfter),
            ("kind = 'sessions', command = ['q']", When::Before, Rule::HealthAfter),
        ] {
            let check = of(&format!("probe = {{ {probe} }}"));
            assert_eq!((check.when(), check.rule(), check.timeout_seconds), (when, rule, 30), "{probe}");
            assert_eq!(of(&format!("when = 'after'\nprobe = {{ {probe} }}")).when(), When::After);
        }
    }

    #[test]
    fn an_answer_says_what_was_seen_in_both_languages_and_travels() {
        let check = |verdict: Verdict, en: &str, fr: &str| {
            let answer = Answer { name: "base".into(), rule: Rule::HealthAfter, verdict };
            let reason = answer.reason();
            assert_eq!((reason.text.as_str(), reason.fr.as_str()), (en, fr));
            let travelled: Answer = serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
            assert_eq!(travelled, answer);
        };
        check(Verdict::Passed { seen: "up".into() }, "base: passed (up)", "base : réussi (up)");
        check(Verdict::Failed { seen: "down".into() }, "base: failed (down)", "base : échoué (down)");
        let late = Verdict::TimedOut { seconds: 5 };
        check(late, "base: gave no answer within 5 s", "base : sans réponse au bout de 5 s");
        let absent = Verdict::CannotRun { why: "no q".into() };
        check(absent, "base: could not be asked (no q)", "base : impossible (no q)");
    }
}
