//! What a server's report means: where its deployments go, who is told, which alert begins or ends, what was fulfilled.
//!
//! Pure: nouns in, one value out, no ids and no reads. A closing report, or the want of one past its time-out, ends the
//! running deployments of an action; what the machine says it runs decides, not that the installer was content. Other
//! reports are a line of history. Whether a line is news, whether an alert is open already, and its id, are the caller's
//! business.

mod alone;
mod end;
mod report;
#[cfg(test)]
mod tests;

pub use report::{Execution, Feedback, Finished, Reboot, Said};

use crate::decide::handout::INVENTORY;
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::deployment::{BadTransition, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Client;
use crate::model::notice::NewNotice;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::version::Version;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// What a report answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The action itself.
    Action,
    /// That the server should give it up, because its slot is over.
    Cancellation,
}

/// What is known when a report comes in.
#[derive(Clone)]
pub struct Scene<'a> {
    pub now: DateTime<Utc>,
    /// Every deployment of the action on its server, the ended ones too, by position.
    pub deployments: &'a [Deployment],
    /// What the server last said of itself.
    pub state: &'a ServerState,
    /// `None` when it left the fleet: then nobody is written to.
    pub client: Option<&'a Client>,
    /// The releases that the deployments bring, by product; one that is missing costs its letter.
    pub releases: BTreeMap<&'a str, &'a Release>,
    /// The requests that the deployments answer, whatever their state.
    pub requests: &'a [Request],
    /// What the client's other servers run: server, product.
    pub runs: &'a dyn Fn(&str, &str) -> Option<Version>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    /// The action goes on.
    #[default]
    Noted,
    /// The action is over.
    Settled,
}

/// What is to be written, together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    pub heard: Heard,
    /// New values of the deployments that ended.
    pub deployments: Vec<Deployment>,
    pub events: Vec<NewEvent>,
    pub notices: Vec<NewNotice>,
    /// Alerts to raise; one whose cause has an open alert already is not raised again.
    pub alerts: Vec<NewAlert>,
    /// Causes whose alert, if one is open, ends.
    pub resolved: Vec<String>,
    /// New values of the requests that are done.
    pub requests: Vec<Request>,
    /// What the server runs, where the closing report is all that tells it.
    pub state: Option<ServerState>,
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("action {0} is over")]
    Over(i64),
    #[error("action {0} was never handed out: its slot has not opened, so it cannot have been carried out")]
    NeverOpened(i64),
    #[error(transparent)]
    Transition(#[from] BadTransition),
}

/// Whether what the server says it runs can be relied on.
pub fn observes(state: &ServerState) -> bool {
    state.capabilities.contains(INVENTORY)
}

/// Takes a report. One about what is over is refused, so that repeating it changes nothing.
pub fn settle(scene: &Scene, about: About, feedback: &Feedback) -> Result<Settled, Refusal> {
    let action = scene.deployments.first().map_or(0, |d| d.action);
    if !scene.deployments.iter().any(|d| d.state.is_open()) {
        return Err(Refusal::Over(action));
    }
    let said = Said::read(&feedback.details);
    match about {
        About::Action => {
            let running = scene.deployments.iter().any(is_running);
            match (feedback.execution, feedback.finished, running) {
                (Execution::Closed, finished, true) => scene.close(finished, &said, scene.now),
                (Execution::Closed, finished, false) if let Some(begun) = scene.begun_alone(&said) => {
                    scene.close_alone(begun, finished, &said)
                }
                (Execution::Closed, Finished::Failure, false) => Ok(scene.staging_failed(&said)),
                (Execution::Closed, Finished::Success | Finished::None, false) => Err(Refusal::NeverOpened(action)),
                (execution, _, _) => Ok(scene.progress(execution, &said)),
            }
        }
        About::Cancellation if scene.deployments.iter().any(|d| d.state == DeploymentState::Planned) => {
            Err(Refusal::NeverOpened(action))
        }
        About::Cancellation if gives_up(feedback) => {
            let why = Some("given up: its slot ended before it was carried out".to_owned());
            scene.close(Finished::Failure, &Said { why, ..said }, scene.now)
        }
        About::Cancellation => Ok(scene.progress(feedback.execution, &said)),
    }
}

/// Whether the server agrees to give up the action (`closed`), or goes on with it.
fn gives_up(feedback: &Feedback) -> bool {
    match feedback.execution {
        Execution::Closed => true,
        Execution::Canceled => feedback.finished != Finished::Failure,
        Execution::Proceeding
        | Execution::Scheduled
        | Execution::Resumed
        | Execution::Download
        | Execution::Downloaded
        | Execution::Rejected => false,
    }
}

/// Whether `deployment` runs, its slot is over and its agent should have been heard since.
pub fn is_overdue(deployment: &Deployment, silent_after_minutes: u32, now: DateTime<Utc>) -> bool {
    is_running(deployment) && deployment.slot.end + TimeDelta::minutes(silent_after_minutes.into()) < now
}

/// Ends what runs, for want of a report: what the server runs is not known.
pub fn time_out(scene: &Scene) -> Result<Settled, Refusal> {
    let mut settled = Settled { heard: Heard::Settled, ..Settled::default() };
    for deployment in scene.deployments.iter().filter(|d| is_running(d)) {
        let why = "the agent has not reported since its slot ended; what the server runs is not known".to_owned();
        let failed = deployment.clone().time_out(scene.now, why)?;
        scene.ended(failed, scene.state, &mut settled);
    }
    Ok(settled)
}

fn is_running(deployment: &Deployment) -> bool {
    matches!(deployment.state, DeploymentState::Running { .. })
}

impl Scene<'_> {
    /// A line of history for an action that goes on.
    fn progress(&self, execution: Execution, said: &Said) -> Settled {
        let mut settled = Settled::default();
        if let Some(first) = self.deployments.iter().find(|d| d.state.is_open()) {
            let event = NewEvent::new(self.now, &first.client, EventKind::Progress, said.progress(execution));
            settled.events.push(event.about(first).reasons(said.reasons()));
        }
        settled
    }

    /// Fetching ahead failed: nothing was installed and the slot is still to come, but staff should know now.
    fn staging_failed(&self, said: &Said) -> Settled {
        let mut settled = Settled::default();
        let first = self.deployments.iter().find(|d| d.state == DeploymentState::Planned);
        let Some(deployment) = first else { return settled };
        let text = format!("could not be prepared ahead: {}", said.why());
        settled.alerts.push(NewAlert {
            cause: format!("staging/{}", deployment.id),
            class: AlertClass::Applications,
            client: Some(deployment.client.clone()),
            server: Some(deployment.server.clone()),
            product: Some(deployment.product.clone()),
            deployment: Some(deployment.id),
            title: format!("{} {} cannot be prepared on {}", deployment.product, deployment.to, deployment.server),
            text: text.clone(),
        });
        let event = NewEvent::new(self.now, &deployment.client, EventKind::Progress, text);
        settled.events.push(event.about(deployment));
        settled
    }
}
