//! What a server reports of an action, and what its details say: lines `noctule.<key>=<value>` are for us, the others
//! for people.

use crate::model::check::{Answer, Unfit, Verdict};
use crate::model::decision::{Reason, Reasons};
use crate::model::transfer::Transfer;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt;

/// Most answers of checks kept of one report.
const CHECKS_MAX: usize = 100;
/// Most packages of one report: as many as an action may have.
const TRANSFERS_MAX: usize = 32;
/// Longest text kept of one report, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// How far the server is (`status.execution` of the protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    Closed,
    Proceeding,
    Scheduled,
    Resumed,
    Download,
    Downloaded,
    Canceled,
    Rejected,
}

/// How it went (`status.result.finished`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finished {
    Success,
    Failure,
    #[default]
    None,
}

/// A report about an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    pub execution: Execution,
    pub finished: Finished,
    pub details: Vec<String>,
}

/// The details of a report, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub result: Option<String>,
    pub why: Option<String>,
    pub step: Option<String>,
    /// Why the server was not fit for it; `NotReady` where an agent gives a word that is not known.
    pub unfit: Option<Unfit>,
    /// What the server was asked around the installation, and what it answered.
    pub checks: Vec<Answer>,
    /// When the agent began without the server, and ended.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Product → what fetching its package cost.
    pub transfers: BTreeMap<String, Transfer>,
    /// What became of a restart of the machine that was wanted.
    pub reboot: Option<Reboot>,
    pub lines: Vec<String>,
}

/// What became of a restart of the machine that an installer wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reboot {
    Done,
    /// It is not for the agent to do: why.
    Required(String),
    /// The machine was told to and did not: why.
    Failed(String),
}

impl Reboot {
    fn read(word: &str, value: &str) -> Option<Reboot> {
        match word {
            "done" => Some(Reboot::Done),
            "required" => Some(Reboot::Required(short(value))),
            "failed" => Some(Reboot::Failed(short(value))),
            _ => None,
        }
    }
}

impl fmt::Display for Reboot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reboot::Done => f.write_str("the machine was restarted for it"),
            Reboot::Required(why) => write!(f, "reboot required: a restart of the machine is outstanding, {why}"),
            Reboot::Failed(why) => write!(f, "reboot required: {why}"),
        }
    }
}

impl Said {
    pub fn read(details: &[String]) -> Said {
        let mut said = Said::default();
        for line in details {
            let pair = line.strip_prefix("noctule.").and_then(|rest| rest.split_once('='));
            match pair {
                Some(("result", value)) => said.result = Some(value.to_owned()),
                Some(("why", value)) => said.why = Some(short(value)),
                Some(("step", value)) => said.step = Some(short(value)),
                Some(("unfit", value)) => {
                    said.unfit = Some(if value == Unfit::Sick.name() { Unfit::Sick } else { Unfit::NotReady });
                }
                Some(("check", value)) if said.checks.len() < CHECKS_MAX => said.checks.extend(answer(value)),
                Some(("started_at", value)) => said.started_at = instant(value),
                Some(("finished_at", value)) => said.finished_at = instant(value),
                Some((key, value))
                    if let Some(product) = key.strip_prefix("transfer.")
                        && said.transfers.len() < TRANSFERS_MAX =>
                {
                    said.transfers.extend(transfer(value).map(|transfer| (short(product), transfer)));
                }
                Some((key, value)) if let Some(word) = key.strip_prefix("reboot.") => {
                    said.reboot = Reboot::read(word, value);
                }
                // What a machine runs is read from its inventory; other keys are for other readers.
                Some(_) => {}
                None if line.trim().is_empty() => {}
                None => said.lines.push(short(line)),
            }
        }
        said
    }

    /// Whether the agent says that the old version runs again.
    pub fn rolled_back(&self) -> bool {
        self.result.as_deref() == Some("rolled_back")
    }

    /// Why the agent says that it touched nothing, if it does.
    pub fn refused(&self) -> Option<Unfit> {
        (self.result.as_deref() == Some("refused")).then(|| self.unfit.unwrap_or(Unfit::NotReady))
    }

    /// What the checks found, for the history.
    pub fn reasons(&self) -> Reasons {
        self.checks.iter().map(Answer::reason).collect::<Vec<Reason>>().into()
    }

    /// Why it failed, in one sentence.
    pub fn why(&self) -> String {
        let text = self.why.clone().or_else(|| (!self.lines.is_empty()).then(|| self.lines.join("; ")));
        let text = text.unwrap_or_else(|| "the agent reported a failure and did not say why".to_owned());
        short(&match &self.step {
            Some(step) if self.why.is_some() => format!("{text} (step {step})"),
            Some(_) | None => text,
        })
    }

    /// How far it is, in one line.
    pub fn progress(&self, execution: Execution) -> String {
        let word = match execution {
            Execution::Closed => "closed",
            Execution::Proceeding => "proceeding",
            Execution::Scheduled => "scheduled",
            Execution::Resumed => "resumed",
            Execution::Download => "downloading",
            Execution::Downloaded => "downloaded",
            Execution::Canceled => "cancelled by the agent, which is still bound to it",
            Execution::Rejected => "rejected by the agent, which may still carry it out",
        };
        let step = self.step.iter().map(|step| format!("step {step}"));
        let cost = self.transfers.iter().filter(|(_, transfer)| transfer.is_news());
        let cost = cost.map(|(product, transfer)| format!("{product}: {transfer}"));
        let more = step.chain(self.why.clone()).chain(self.lines.clone()).chain(cost);
        short(&std::iter::once(word.to_owned()).chain(more).collect::<Vec<_>>().join("; "))
    }
}

fn instant(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value).ok().map(|at| at.to_utc())
}

fn transfer(value: &str) -> Option<Transfer> {
    let transfer: Transfer = serde_json::from_str(value).ok()?;
    Some(Transfer { why_whole: transfer.why_whole.as_deref().map(short), ..transfer })
}

/// One answer, with its texts kept to their longest; what cannot be read is for other readers.
fn answer(value: &str) -> Option<Answer> {
    let Answer { name, rule, verdict } = serde_json::from_str(value).ok()?;
    let verdict = match verdict {
        Verdict::Passed { seen } => Verdict::Passed { seen: short(&seen) },
        Verdict::Failed { seen } => Verdict::Failed { seen: short(&seen) },
        Verdict::TimedOut { seconds } => Verdict::TimedOut { seconds },
        Verdict::CannotRun { why } => Verdict::CannotRun { why: short(&why) },
    };
    Some(Answer { name: short(&name), rule, verdict })
}

fn short(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(details: &[&str], why: &str, progress: &str) {
        let said = Said::read(&details.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert_eq!((said.why().as_str(), said.progress(Execution::Proceeding).as_str()), (why, progress));
    }

    #[test]
    fn details_are_read_for_people() {
        let silent = "the agent reported a failure and did not say why";
        check(&[], silent, "proceeding");
        check(&["", "  "], silent, "proceeding");
        check(&["noctule.step=apply"], silent, "proceeding; step apply");
        check(&["disk full", "at 3%"], "disk full; at 3%", "proceeding; disk full; at 3%");
        check(&["noctule.why=disk full"], "disk full", "proceeding; disk full");
        check(
            &["noctule.step=apply", "noctule.why=disk\nfull", "line"],
            "disk full (step apply)",
            "proceeding; step apply; disk full; line",
        );
        // Keys of ours that say nothing here are not told to people.
        check(&["noctule.observed.isacompta=14.20.003"], silent, "proceeding");
    }

    #[test]
    fn answers_of_checks_are_read_within_bounds() {
        let line = |name: &str| {
            format!(r#"noctule.check={{"name":"{name}","rule":"health-after","verdict":"failed","seen":"a\nb"}}"#)
        };
        let said = Said::read(&[line("base"), "noctule.check={".into(), line(&"é".repeat(501))]);
        let texts: Vec<String> = said.reasons().iter().map(|r| r.text.clone()).collect();
        assert_eq!(texts[0], "base: failed (a b)");
        assert_eq!((texts.len(), texts[1].chars().count()), (2, 500 + ": failed (a b)".len()));
        assert_eq!(Said::read(&vec![line("base"); 101]).checks.len(), 100);
    }

    #[test]
    fn what_a_package_cost_is_told_when_it_is_news() {
        let line = |way: &str, why: &str| {
            format!(r#"noctule.transfer.isacompta={{"package_bytes":1000,"moved_bytes":50,"way":"{way}"{why}}}"#)
        };
        check(&[&line("whole", "")], "the agent reported a failure and did not say why", "proceeding");
        let said = |line: String| Said::read(&[line]).progress(Execution::Downloaded);
        let changed = "downloaded; isacompta: 50 of 1000 bytes moved, 95 % saved: only what changed";
        assert_eq!(said(line("changed", "")), changed);
        let whole = "downloaded; isacompta: 50 of 1000 bytes moved, the whole package: no parts";
        assert_eq!(said(line("whole", r#","why_whole":"no parts""#)), whole);
        assert_eq!(said(line("teleported", "")), "downloaded");
        assert_eq!(
            Said::read(
                &(0..40).map(|n| line("changed", "").replace("isacompta", &format!("p{n}"))).collect::<Vec<_>>()
            )
            .transfers
            .len(),
            32
        );
    }

    #[test]
    fn what_became_of_a_restart_is_read() {
        let said = |line: &str| Said::read(&[line.to_owned()]).reboot.map(|reboot| reboot.to_string());
        let done = "noctule.reboot.done=2026-04-29T20:00:00Z";
        assert_eq!(said(done).as_deref(), Some("the machine was restarted for it"));
        let required = "reboot required: a restart of the machine is outstanding, agent.toml forbids it";
        assert_eq!(said("noctule.reboot.required=agent.toml forbids it").as_deref(), Some(required));
        assert_eq!(said("noctule.reboot.failed=it\nrefused").as_deref(), Some("reboot required: it refused"));
        assert_eq!(said("noctule.reboot.perhaps=x"), None);
    }

    #[test]
    fn what_a_server_was_not_fit_for_is_told_apart() {
        let refused =
            |details: &[&str]| Said::read(&details.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>()).refused();
        assert_eq!(refused(&["noctule.result=refused", "noctule.unfit=sick"]), Some(Unfit::Sick));
        assert_eq!(refused(&["noctule.result=refused", "noctule.unfit=tired"]), Some(Unfit::NotReady));
        assert_eq!(refused(&["noctule.result=refused"]), Some(Unfit::NotReady));
        assert_eq!(refused(&["noctule.result=failed", "noctule.unfit=sick"]), None);
    }

    #[test]
    fn a_text_is_kept_to_its_longest() {
        for (length, kept) in [(499, 499), (500, 500), (501, 500)] {
            let said = Said::read(&["é".repeat(length)]);
            assert_eq!(said.why().chars().count(), kept);
        }
    }
}
