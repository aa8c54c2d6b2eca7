//! Settling: what the end of an installation means.
//!
//! Pure. A closing report, and what the machine says it runs, become the deployment's end with its event, the client's
//! letter, the alert to staff or the end of the one that was open, and the request it fulfilled: one [`Settled`],
//! written together or not at all. What the machine says decides, not that the installer was content.

mod report;

pub use report::{Execution, Feedback, Finished, Said, progress};

use super::handout::INVENTORY;
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::deployment::{BadTransition, Closing, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Client;
use crate::model::notice::{Installation, Letter, NewNotice};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// What is known where an installation ends.
pub struct Scene<'a> {
    pub now: DateTime<Utc>,
    pub client: &'a Client,
    /// The server's state, with what it says it runs now.
    pub state: &'a ServerState,
    /// The releases of the action's deployments, by product.
    pub releases: BTreeMap<&'a str, &'a Release>,
    /// The requests that the action's deployments answer.
    pub requests: &'a [Request],
    /// What the client's other servers run of a product.
    pub runs: &'a dyn Fn(&str, &str) -> Option<Version>,
}

/// What is to be written, together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    pub deployments: Vec<Deployment>,
    pub events: Vec<NewEvent>,
    pub notices: Vec<NewNotice>,
    pub alerts: Vec<NewAlert>,
    /// Causes of alerts whose reason is gone.
    pub resolved: Vec<String>,
    pub requests: Vec<Request>,
    /// The server's state, where nobody will report what runs there.
    pub state: Option<ServerState>,
}

/// Every running deployment of an action ends as the report, and the machine's inventory, say.
pub fn close(scene: &Scene, action: &[Deployment], finished: Finished, said: &Said) -> Result<Settled, BadTransition> {
    let mut settled = Settled::default();
    let mut state = scene.state.clone();
    let mut unobserved = false;
    for deployment in action.iter().filter(|d| matches!(d.state, DeploymentState::Running { .. })) {
        let closing = closing(deployment, finished, said, &state);
        if closing == (Closing::Installed { observed: None }) {
            // Nobody will report what runs there: the closing report is all there is to plan on.
            state.inventory.insert(deployment.product.clone(), deployment.to.clone());
            unobserved = true;
        }
        let closed = deployment.clone().close(scene.now, closing)?;
        ended(&Scene { state: &state, releases: scene.releases.clone(), ..*scene }, closed, &mut settled);
    }
    settled.state = unobserved.then_some(state);
    Ok(settled)
}

fn closing(deployment: &Deployment, finished: Finished, said: &Said, state: &ServerState) -> Closing {
    let observes = state.capabilities.contains(INVENTORY);
    let runs = state.inventory.get(&deployment.product).filter(|_| observes);
    let is_new = runs == Some(&deployment.to);
    let what_runs = runs
        .map_or_else(|| "the machine does not say it runs it".to_owned(), |v| format!("the machine says it runs {v}"));
    match finished {
        Finished::Success | Finished::None if !observes => Closing::Installed { observed: None },
        Finished::Success | Finished::None if is_new => Closing::Installed { observed: runs.cloned() },
        Finished::Success | Finished::None => {
            Closing::Failed { why: format!("reported as installed, but {what_runs}") }
        }
        Finished::Failure if said.result.as_deref() == Some("rolled_back") && is_new => {
            Closing::Failed { why: format!("reported as rolled back, but {what_runs}: {}", said.why()) }
        }
        Finished::Failure if said.result.as_deref() == Some("rolled_back") => Closing::RolledBack { why: said.why() },
        Finished::Failure => Closing::Failed { why: said.why() },
    }
}

/// What follows from the end of a deployment: its event, letter, alert and request.
pub fn ended(scene: &Scene, closed: Deployment, settled: &mut Settled) {
    let name = format!("{} {}", closed.product, closed.to);
    let (kind, text, why) = match &closed.state {
        DeploymentState::Installed { observed: Some(version), .. } => {
            (EventKind::Installed, format!("{name} installed; the machine says it runs {version}"), None)
        }
        DeploymentState::Installed { observed: None, .. } => {
            (EventKind::Installed, format!("{name} installed, as the agent reports; not observed"), None)
        }
        DeploymentState::RolledBack { why, .. } => {
            (EventKind::RolledBack, format!("{name} failed and the old version was restored: {why}"), Some(why.clone()))
        }
        DeploymentState::Failed { why, .. } => (EventKind::Failed, format!("{name} failed: {why}"), Some(why.clone())),
        // No end that follows a hand-out.
        DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => return,
    };
    settled.events.push(NewEvent::new(scene.now, &closed.client, kind, text).about(&closed));
    let cause = format!("failed/{}/{}/{}", closed.server, closed.product, closed.to);
    match &why {
        None => {
            settled.resolved.push(cause);
            fulfil(scene, &closed, settled);
        }
        Some(why) => {
            let word = if kind == EventKind::RolledBack { "rolled back" } else { "failed" };
            settled.alerts.push(NewAlert {
                cause,
                class: AlertClass::Applications,
                client: Some(closed.client.clone()),
                server: Some(closed.server.clone()),
                product: Some(closed.product.clone()),
                deployment: Some(closed.id),
                title: format!("{name} {word} on {}", closed.server),
                text: why.clone(),
            });
        }
    }
    tell(scene, &closed, why, settled);
    settled.deployments.push(closed);
}

/// The client's letter about the end of a deployment; none where its release is not known any more.
fn tell(scene: &Scene, closed: &Deployment, why: Option<String>, settled: &mut Settled) {
    let Some(release) = scene.releases.get(closed.product.as_str()) else { return };
    let server = scene.client.servers.iter().find(|s| s.id == closed.server);
    let installation = Installation {
        server: closed.server.clone(),
        zone: server.map_or(chrono_tz::Europe::Paris, |s| s.zone),
        product: closed.product.clone(),
        from: closed.from.clone(),
        to: closed.to.clone(),
        slot: closed.slot,
        deadline: closed.deadline,
        finished_at: closed.state.finished_at(),
        manifest: Box::new(release.manifest().clone()),
    };
    let word = if why.is_some() { "failed" } else { "installed" };
    // Only what was rolled back is known to run again.
    let degraded = matches!(closed.state, DeploymentState::Failed { .. });
    let letter = match (closed.change, closed.manual, why) {
        (Change::Major | Change::Minor, _, Some(why)) if degraded => Letter::Degraded { installation, why },
        (Change::Major, _, None) => Letter::MajorInstalled(installation),
        (Change::Major, _, Some(why)) => Letter::MajorFailed { installation, why },
        (Change::Minor, true, None) => Letter::ManualInstalled(installation),
        (Change::Minor, true, Some(why)) => Letter::ManualFailed { installation, why },
        (Change::Minor, false, None) => Letter::MinorInstalled(installation),
        (Change::Minor, false, Some(why)) => Letter::MinorFailed { installation, why },
    };
    settled.notices.push(NewNotice {
        key: format!("{word}/{}", closed.id),
        at: scene.now,
        client: Some(closed.client.clone()),
        server: Some(closed.server.clone()),
        deployment: Some(closed.id),
        letter,
    });
}

/// A request is done when every server it is about runs the version it asked for.
fn fulfil(scene: &Scene, closed: &Deployment, settled: &mut Settled) {
    let ours = |r: &&Request| Some(r.id) == closed.request && r.state == RequestState::Accepted;
    let Some(request) = scene.requests.iter().find(ours) else { return };
    let asked = |server: &str| request.servers.is_empty() || request.servers.iter().any(|s| s == server);
    for server in scene.client.servers.iter().filter(|s| asked(&s.id)) {
        let runs = match server.id == closed.server {
            true => scene.state.inventory.get(&request.product).cloned(),
            false => (scene.runs)(&server.id, &request.product),
        };
        // A server without the product is none of the request's business.
        if runs.is_some_and(|version| version < request.version) {
            return;
        }
    }
    let id = request.id;
    let text = format!("request {id} is done: {} {} runs wherever it was asked for", request.product, request.version);
    let event = NewEvent::new(scene.now, &request.client, EventKind::RequestDone, text);
    settled.events.push(event.product(&request.product).request(id));
    settled.requests.push(Request { state: RequestState::Done { at: scene.now }, ..request.clone() });
}

/// Fetching ahead failed: nothing was installed and the slot is still to come, but staff should know now.
pub fn staging_failed(action: &[Deployment], said: &Said) -> Option<NewAlert> {
    let deployment = action.iter().find(|d| d.state == DeploymentState::Planned)?;
    Some(NewAlert {
        cause: format!("staging/{}", deployment.id),
        class: AlertClass::Applications,
        client: Some(deployment.client.clone()),
        server: Some(deployment.server.clone()),
        product: Some(deployment.product.clone()),
        deployment: Some(deployment.id),
        title: format!("{} {} cannot be prepared on {}", deployment.product, deployment.to, deployment.server),
        text: format!("could not be prepared ahead: {}", said.why()),
    })
}
