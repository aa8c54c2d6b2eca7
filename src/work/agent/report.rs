//! What the agent says to the server: its attributes, progress, and how an installation ended.

use super::{Agent, AgentError};
use crate::decide::reboot::{self, Reboots};
use crate::decide::steps::{FORWARD, Installation, Outcome, Step};
use crate::edge::agent_file::version_file;
use crate::edge::ddi_client::Heard;
use crate::edge::ddi_client::messages::{ConfigData, Execution, Feedback, FeedbackResult, Finished, Progress, Status};
use crate::edge::host::{probes, tree::Tree};
use crate::model::check::Answer;
use crate::model::transfer::Transfer;
use crate::model::version::Version;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Attributes are repeated after this time even if nothing changed (`hourly-checks`).
const REPEAT: TimeDelta = TimeDelta::minutes(55);

/// What an installation that ended leaves to be told, beside how it ended.
#[derive(Default)]
pub(super) struct Ending {
    products: Vec<String>,
    answers: Vec<Answer>,
    transfers: BTreeMap<String, Transfer>,
    reboots: Reboots,
    /// When it was begun without the server, and ended.
    alone: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl Ending {
    pub fn of(state: &Installation) -> Ending {
        Ending {
            products: state.order.parts.iter().map(|part| part.product.clone()).collect(),
            answers: state.answers().cloned().collect(),
            transfers: state.transfers.clone(),
            reboots: state.reboots.clone(),
            alone: state.alone,
        }
    }
}

impl Agent {
    /// Product → version as found on the disk now.
    pub fn inventory(&self) -> BTreeMap<String, Version> {
        let mut found = BTreeMap::new();
        let trees = std::fs::read_dir(&self.config.products_root).into_iter().flatten();
        let trees = trees.filter_map(|e| e.ok()?.file_name().into_string().ok());
        for product in trees.chain(self.config.installed.keys().cloned()) {
            match self.version_of(&product) {
                Ok(Some(version)) => drop(found.insert(product, version)),
                Ok(None) => {}
                Err(error) => tracing::warn!(product, %error, "cannot tell which version is installed"),
            }
        }
        found
    }

    /// What one product's files say it is; a tree that says nothing counts by its folder's name.
    pub(super) fn version_of(&self, product: &str) -> Result<Option<Version>, crate::edge::host::tree::TreeError> {
        let installed = self.config.installed.get(product);
        let own = || installed.map_or_else(version_file, |installed| installed.version_file.clone());
        let file = self.version_files.get(product).cloned().unwrap_or_else(own);
        let tree = Tree::new(&self.config.products_root, product);
        match self.observed(product, &file)? {
            Some(version) => Ok(Some(version)),
            None if installed.is_some() => Ok(None),
            None => Ok(tree.current()?.and_then(|slug| slug.parse().ok())),
        }
    }

    async fn attributes(&self) -> BTreeMap<String, String> {
        let mut data: BTreeMap<String, String> = self
            .inventory()
            .into_iter()
            .map(|(product, version)| (format!("noctule.inventory.{product}"), version.to_string()))
            .collect();
        if let Some(backup) = &self.config.backup {
            match probes::last_backup(&backup.probe).await {
                Ok(backup) => {
                    let at = backup.finished_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                    data.insert("noctule.backup.finished_at".to_owned(), at);
                    data.insert("noctule.backup.succeeded".to_owned(), backup.succeeded.to_string());
                }
                Err(error) => tracing::warn!(%error, "the last backup is not known"),
            }
        }
        data.insert("noctule.capabilities".to_owned(), "stage-ahead,inventory".to_owned());
        data.insert("noctule.agent.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        data
    }

    /// Tells the server the attributes: when asked, when they changed, and at least hourly.
    pub(super) async fn tell_attributes(&mut self, asked: bool) -> Result<(), AgentError> {
        let data = self.attributes().await;
        let known = self.told.as_ref().is_some_and(|(told, at)| *told == data && self.clock.since(*at) < REPEAT);
        if known && !asked {
            return Ok(());
        }
        self.ddi()?.put_config(&ConfigData { mode: "replace", data: data.clone() }).await?;
        self.told = Some((data, self.clock.now()));
        Ok(())
    }

    pub(super) fn feedback(&self, execution: Execution, finished: Finished, details: Vec<String>) -> Feedback {
        Feedback {
            timestamp: self.clock.now().timestamp_millis(),
            status: Status { execution, result: FeedbackResult { finished, progress: None }, details },
        }
    }

    /// Says how far an installation is; a deaf server does not hold it up.
    pub(super) async fn tell_progress(&self, action: &str, step: Step, message: &str) {
        let mut details = vec![format!("noctule.step={}", name(step)), message.to_owned()];
        if let Some(state) = &self.state {
            details.extend(state.answers_of(step).map(told));
        }
        let mut feedback = self.feedback(Execution::Proceeding, Finished::None, details);
        feedback.status.result.progress =
            FORWARD.iter().position(|s| *s == step).map(|at| Progress { cnt: at as u32 + 1, of: FORWARD.len() as u32 });
        let Ok(ddi) = self.ddi() else { return };
        if let Err(error) = ddi.feedback(action, &feedback).await {
            tracing::info!(%error, "progress not delivered");
        }
    }

    /// Says that a package is here ahead of its slot.
    pub(super) async fn tell_staged(
        &self,
        action: &str,
        transfers: &BTreeMap<String, Transfer>,
    ) -> Result<(), AgentError> {
        let mut details = vec!["the package is downloaded and verified; it waits for its slot".to_owned()];
        details.extend(transfers.iter().map(cost));
        let feedback = self.feedback(Execution::Downloaded, Finished::None, details);
        self.ddi()?.feedback(action, &feedback).await?;
        Ok(())
    }

    /// Reports the end of an installation: attributes first, so that the server can compare.
    pub(super) async fn tell_outcome(
        &mut self,
        action: &str,
        ending: Ending,
        outcome: &Outcome,
    ) -> Result<(), AgentError> {
        self.tell_attributes(true).await?;
        let mut details: Vec<String> = Vec::new();
        let (finished, result) = match outcome {
            Outcome::Cancelled { id } => return self.tell_cancelled(id).await,
            Outcome::Installed => (Finished::Success, "installed"),
            Outcome::RolledBack { why } => {
                details.push(format!("noctule.why={}", sentence(why)));
                (Finished::Failure, "rolled_back")
            }
            Outcome::Refused { unfit, why } => {
                details.push(format!("noctule.unfit={}", unfit.name()));
                details.push(format!("noctule.why={}", sentence(why)));
                (Finished::Failure, "refused")
            }
            Outcome::Failed { why } => {
                details.push(format!("noctule.why={}", sentence(why)));
                (Finished::Failure, "failed")
            }
        };
        details.insert(0, format!("noctule.result={result}"));
        for product in &ending.products {
            if let Ok(Some(version)) = self.version_of(product) {
                details.push(format!("noctule.observed.{product}={version}"));
            }
        }
        if let Some((begun, ended)) = ending.alone {
            details.push(format!("noctule.started_at={}", instant(begun)));
            details.extend(ended.map(|at| format!("noctule.finished_at={}", instant(at))));
        }
        details.extend(rebooted(&ending.reboots));
        details.extend(ending.transfers.iter().map(cost));
        details.extend(ending.answers.iter().map(told));
        let feedback = self.feedback(Execution::Closed, finished, details);
        let heard = self.ddi()?.feedback(action, &feedback).await?;
        if heard == Heard::Over {
            tracing::warn!(action, "the server no longer waits for this report");
        }
        Ok(())
    }

    /// Says that a cancellation was honoured.
    pub(super) async fn tell_cancelled(&self, id: &str) -> Result<(), AgentError> {
        let details = vec!["cancelled before anything was changed".to_owned()];
        let feedback = self.feedback(Execution::Closed, Finished::Success, details);
        self.ddi()?.cancel_feedback(id, &feedback).await?;
        Ok(())
    }
}

/// The step as the protocol names it.
fn name(step: Step) -> &'static str {
    match step {
        Step::Fetch => "fetch",
        Step::Verify => "verify",
        Step::Precheck => "precheck",
        Step::Quiesce => "quiesce",
        Step::Snapshot => "snapshot",
        Step::Apply => "apply",
        Step::Check => "check",
        Step::Commit => "commit",
        Step::Restore => "restore",
    }
}

/// What a check found, for the history.
fn told(answer: &Answer) -> String {
    format!("noctule.check={}", serde_json::to_string(answer).unwrap_or_default())
}

/// What fetching one product's package cost the line, for the history.
fn cost((product, transfer): (&String, &Transfer)) -> String {
    format!("noctule.transfer.{product}={}", serde_json::to_string(transfer).unwrap_or_default())
}

/// What became of a restart of the machine that was wanted.
fn rebooted(reboots: &Reboots) -> Option<String> {
    match reboots.end() {
        reboot::End::None => None,
        reboot::End::Happened(at) => Some(format!("noctule.reboot.done={}", instant(at))),
        reboot::End::Required(why) => Some(format!("noctule.reboot.required={}", sentence(&why))),
        reboot::End::Failed(why) => Some(format!("noctule.reboot.failed={}", sentence(&why))),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// One line of at most 500 characters.
fn sentence(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect()
}
