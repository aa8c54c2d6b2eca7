//! What a server reports of an action, as it says it.

use crate::model::version::Version;
use std::collections::BTreeMap;

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

/// What the details of a report say: lines `noctule.<key>=<value>` are for us, the others for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub result: Option<String>,
    pub why: Option<String>,
    pub step: Option<String>,
    pub observed: BTreeMap<String, Version>,
    pub lines: Vec<String>,
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
                Some((key, value)) => {
                    if let (Some(product), Ok(version)) = (key.strip_prefix("observed."), value.parse()) {
                        said.observed.insert(product.to_owned(), version);
                    }
                }
                None if line.trim().is_empty() => {}
                None => said.lines.push(short(line)),
            }
        }
        said
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
}

pub(super) fn short(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_CHARS_MAX).collect()
}

impl Execution {
    /// In words, for the history.
    pub fn text(self) -> &'static str {
        match self {
            Execution::Closed => "closed",
            Execution::Proceeding => "proceeding",
            Execution::Scheduled => "scheduled",
            Execution::Resumed => "resumed",
            Execution::Download => "downloading",
            Execution::Downloaded => "downloaded",
            Execution::Canceled => "cancelled by the agent, which is still bound to it",
            Execution::Rejected => "rejected by the agent, which may still carry it out",
        }
    }
}

/// One line of history for news of an action that goes on.
pub fn progress(execution: Execution, said: &Said) -> String {
    let more = said.step.iter().map(|step| format!("step {step}")).chain(said.why.clone()).chain(said.lines.clone());
    short(&std::iter::once(execution.text().to_owned()).chain(more).collect::<Vec<_>>().join("; "))
}
