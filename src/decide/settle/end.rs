//! The end of a deployment: its state, its event, the client's letter, the alert to staff, the request it fulfils.

use super::{Finished, Heard, Reboot, Refusal, Said, Scene, Settled, is_running, observes};
use crate::decide::civil::PROVIDER_ZONE;
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::check::Unfit;
use crate::model::deployment::{Closing, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Server;
use crate::model::notice::{Installation, Letter, NewNotice};
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::Change;
use chrono::{DateTime, SecondsFormat, Utc};

/// The cause of the alert about a release that fails on a server, whichever attempt it is.
fn failed_cause(deployment: &Deployment) -> String {
    format!("failed/{}/{}/{}", deployment.server, deployment.product, deployment.to)
}

/// The cause of the alert about a server that is not fit for what it should run, whichever release that is.
fn unfit_cause(unfit: Unfit, deployment: &Deployment) -> String {
    format!("{}/{}/{}", unfit.name(), deployment.server, deployment.product)
}

impl Scene<'_> {
    /// Every running deployment of the action ends as the report, and the machine's inventory, say.
    /// At `ended`, which is now unless the agent could not say so before.
    pub(super) fn close(&self, finished: Finished, said: &Said, ended: DateTime<Utc>) -> Result<Settled, Refusal> {
        let mut settled = Settled { heard: Heard::Settled, ..Settled::default() };
        let mut state = self.state.clone();
        let mut unobserved = false;
        for deployment in self.deployments.iter().filter(|d| is_running(d)) {
            let closing = closing(deployment, finished, said, &state);
            if closing == (Closing::Installed { observed: None }) {
                // Nobody will report what runs there: the closing report is all there is to plan on.
                state.inventory.insert(deployment.product.clone(), deployment.to.clone());
                unobserved = true;
            }
            let mut closed = deployment.clone().close(ended, closing)?;
            closed.transfer = said.transfers.get(&closed.product).cloned().map(Box::new);
            self.ended(closed, &state, &mut settled);
        }
        for event in &mut settled.events {
            if let Some(deployment) = event.deployment
                && settled.deployments.iter().any(|d| d.id == deployment)
            {
                event.reasons = said.reasons();
            }
        }
        self.tell_of_reboot(said, &mut settled);
        settled.state = unobserved.then_some(state);
        Ok(settled)
    }

    /// Every product's line says what became of the restart that was wanted; one that failed is for staff, once a server.
    fn tell_of_reboot(&self, said: &Said, settled: &mut Settled) {
        let Some(reboot) = &said.reboot else { return };
        let ends = settled.events.iter_mut().filter(|event| event.deployment.is_some());
        for event in ends.filter(|event| event.kind != EventKind::RequestDone) {
            event.text = format!("{}; {reboot}", event.text);
        }
        let Some(ended) = settled.deployments.first() else { return };
        let cause = format!("reboot/{}", ended.server);
        match reboot {
            Reboot::Done => settled.resolved.push(cause),
            Reboot::Required(_) => {}
            Reboot::Failed(why) => settled.alerts.push(NewAlert {
                cause,
                class: AlertClass::Systems,
                client: Some(ended.client.clone()),
                server: Some(ended.server.clone()),
                product: None,
                deployment: Some(ended.id),
                title: format!("{} should have restarted and did not", ended.server),
                text: why.clone(),
            }),
        }
    }

    /// Adds what follows from the end of a deployment that was handed out.
    pub(super) fn ended(&self, closed: Deployment, state: &ServerState, settled: &mut Settled) {
        let name = format!("{} {}", closed.product, closed.to);
        let (kind, text, why) = match &closed.state {
            DeploymentState::Installed { observed: Some(version), .. } => {
                (EventKind::Installed, format!("{name} installed; the machine says it runs {version}"), None)
            }
            DeploymentState::Installed { observed: None, .. } => {
                (EventKind::Installed, format!("{name} installed, as the agent reports; not observed"), None)
            }
            DeploymentState::RolledBack { why, .. } => {
                (EventKind::RolledBack, format!("{name} failed and the old version was restored: {why}"), Some(why))
            }
            DeploymentState::Refused { unfit: Unfit::Sick, why, .. } => (
                EventKind::Refused,
                format!("{name} was not begun, {} is unhealthy as it is: {why}", closed.product),
                Some(why),
            ),
            DeploymentState::Refused { unfit: Unfit::NotReady, why, .. } => {
                (EventKind::Refused, format!("{name} was not begun, the server is not ready: {why}"), Some(why))
            }
            DeploymentState::Failed { why, .. } => (EventKind::Failed, format!("{name} failed: {why}"), Some(why)),
            DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => {
                return; // not an end that follows a hand-out
            }
        };
        let text = match closed.state.finished_at() {
            // Told afterwards: the line says when it really was.
            Some(at) if at != self.now => {
                format!("{text}; it ended {}", at.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            Some(_) | None => text,
        };
        let cost = closed.transfer.iter().filter(|transfer| transfer.is_news());
        let text = cost.fold(text, |text, transfer| format!("{text}; {transfer}"));
        settled.events.push(NewEvent::new(self.now, &closed.client, kind, text).about(&closed));
        match why {
            None => {
                settled.resolved.push(failed_cause(&closed));
                settled.resolved.extend([Unfit::Sick, Unfit::NotReady].map(|unfit| unfit_cause(unfit, &closed)));
                self.fulfil(&closed, state, settled);
            }
            Some(why) => {
                let (product, server) = (&closed.product, &closed.server);
                let (cause, class, title) = match &closed.state {
                    DeploymentState::Refused { unfit: unfit @ Unfit::Sick, .. } => (
                        unfit_cause(*unfit, &closed),
                        AlertClass::Applications,
                        format!("{product} does not work on {server}; {} was not installed", closed.to),
                    ),
                    DeploymentState::Refused { unfit: unfit @ Unfit::NotReady, .. } => (
                        unfit_cause(*unfit, &closed),
                        AlertClass::Systems,
                        format!("{server} is not ready for {name}; everything is as it was"),
                    ),
                    DeploymentState::RolledBack { .. } => {
                        (failed_cause(&closed), AlertClass::Applications, format!("{name} rolled back on {server}"))
                    }
                    DeploymentState::Failed { .. }
                    | DeploymentState::Planned
                    | DeploymentState::Running { .. }
                    | DeploymentState::Installed { .. }
                    | DeploymentState::Cancelled { .. } => {
                        (failed_cause(&closed), AlertClass::Applications, format!("{name} failed on {server}"))
                    }
                };
                settled.alerts.push(NewAlert {
                    cause,
                    class,
                    client: Some(closed.client.clone()),
                    server: Some(closed.server.clone()),
                    product: Some(closed.product.clone()),
                    deployment: Some(closed.id),
                    title,
                    text: why.clone(),
                });
            }
        }
        settled.notices.extend(self.letter(&closed, why.cloned()));
        settled.deployments.push(closed);
    }

    /// The client's letter about the end of a deployment.
    fn letter(&self, closed: &Deployment, why: Option<String>) -> Option<NewNotice> {
        let release = self.releases.get(closed.product.as_str())?;
        let server = self.client?.servers.iter().find(|s| s.id == closed.server);
        let installation = Installation {
            server: closed.server.clone(),
            zone: server.map_or(PROVIDER_ZONE, |s| s.zone),
            product: closed.product.clone(),
            from: closed.from.clone(),
            to: closed.to.clone(),
            slot: closed.slot,
            deadline: closed.deadline,
            finished_at: closed.state.finished_at(),
            sequence: None,
            manifest: release.signed.manifest.clone(),
        };
        let word = if why.is_some() { "failed" } else { "installed" };
        // Only what was rolled back is known to run again.
        let degraded = matches!(closed.state, DeploymentState::Failed { .. });
        let unfit = match closed.state {
            DeploymentState::Refused { unfit, .. } => Some(unfit),
            DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Installed { .. }
            | DeploymentState::RolledBack { .. }
            | DeploymentState::Failed { .. }
            | DeploymentState::Cancelled { .. } => None,
        };
        let letter = match (closed.change, closed.manual, why) {
            (Change::Major | Change::Minor, _, Some(why)) if let Some(unfit) = unfit => {
                Letter::NotBegun { installation, unfit, why }
            }
            (Change::Major | Change::Minor, _, Some(why)) if degraded => Letter::Degraded { installation, why },
            (Change::Major, _, None) => Letter::MajorInstalled(installation),
            (Change::Major, _, Some(why)) => Letter::MajorFailed { installation, why },
            (Change::Minor, true, None) => Letter::ManualInstalled(installation),
            (Change::Minor, true, Some(why)) => Letter::ManualFailed { installation, why },
            (Change::Minor, false, None) => Letter::MinorInstalled(installation),
            (Change::Minor, false, Some(why)) => Letter::MinorFailed { installation, why },
        };
        Some(NewNotice {
            key: format!("{word}/{}", closed.id),
            at: self.now,
            client: Some(closed.client.clone()),
            server: Some(closed.server.clone()),
            deployment: Some(closed.id),
            letter,
        })
    }

    /// A request is done when every server it is about runs the version it asked for.
    fn fulfil(&self, closed: &Deployment, state: &ServerState, settled: &mut Settled) {
        let Some(id) = closed.request else { return };
        let accepted = self.requests.iter().find(|r| r.id == id && r.state == RequestState::Accepted);
        let (Some(request), Some(client)) = (accepted, self.client) else { return };
        let mut concerned =
            client.servers.iter().filter(|s| request.servers.is_empty() || request.servers.contains(&s.id));
        let is_behind = |server: &Server| {
            let runs = match server.id == closed.server {
                true => state.inventory.get(&request.product).cloned(),
                false => (self.runs)(&server.id, &request.product),
            };
            // A server without the product is none of the request's business.
            runs.is_some_and(|version| version < request.version)
        };
        // Two deployments of one action may answer one request, which is done once.
        if concerned.any(is_behind) || settled.requests.iter().any(|done| done.id == id) {
            return;
        }
        let text =
            format!("request {id} is done: {} {} runs wherever it was asked for", request.product, request.version);
        let event = NewEvent::new(self.now, &request.client, EventKind::RequestDone, text);
        settled.events.push(event.product(&request.product).request(id));
        settled.requests.push(Request { state: RequestState::Done { at: self.now }, ..request.clone() });
    }
}

fn closing(deployment: &Deployment, finished: Finished, said: &Said, state: &ServerState) -> Closing {
    let observes = observes(state);
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
        Finished::Failure if (said.rolled_back() || said.refused().is_some()) && is_new => Closing::Failed {
            why: format!(
                "reported as {}, but {what_runs}: {}",
                if said.rolled_back() { "rolled back" } else { "not begun" },
                said.why()
            ),
        },
        Finished::Failure if said.rolled_back() => Closing::RolledBack { why: said.why() },
        Finished::Failure if let Some(unfit) = said.refused() => Closing::Refused { unfit, why: said.why() },
        Finished::Failure => Closing::Failed { why: said.why() },
    }
}
