//! A server reports: progress becomes a line of history, a closing report ends the deployment.
//!
//! The end is one commit: the deployment's new state, its event, the client's letter, the alert to staff or the end of
//! the one that was open, and the request it fulfilled. A report about what is over changes nothing, so repeating one
//! is harmless. What the machine says it runs decides, not that the installer was content.

use super::presence::Presence;
use super::{Orchestrator, alerts};
use crate::decide::settle::{self, Said, Scene, Settled};
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::deployment::{BadTransition, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Client;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

pub use crate::decide::settle::{Execution, Feedback, Finished};

/// Times a report is tried when rows change under it.
const TRIES_MAX: u32 = 3;
/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Noted,
    Settled,
}

#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("server {server} has no action {action}")]
    NoAction { server: String, action: i64 },
    #[error("action {0} is over")]
    Over(i64),
    #[error("action {0} was never handed out: its slot has not opened, so it cannot have been carried out")]
    NeverOpened(i64),
    #[error(transparent)]
    Transition(#[from] BadTransition),
}

/// Takes a report of `server` about `action`.
pub async fn receive(
    o: &Orchestrator,
    presence: &Presence,
    server: &str,
    action: i64,
    feedback: &Feedback,
) -> Result<Heard, SettleError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let rows = of_action(o, server, action).await?;
        if !rows.iter().any(|d| d.state.is_open()) {
            return Err(SettleError::Over(action));
        }
        let running = rows.iter().any(|d| matches!(d.state, DeploymentState::Running { .. }));
        let said = Said::read(&feedback.details);
        let (changes, heard) = match (feedback.execution, feedback.finished, running) {
            (Execution::Closed, _, true) => (close(o, &rows, feedback.finished, &said).await?, Heard::Settled),
            (Execution::Closed, Finished::Failure, false) => (staging_failed(o, &rows, &said).await?, Heard::Noted),
            (Execution::Closed, Finished::Success | Finished::None, false) => {
                return Err(SettleError::NeverOpened(action));
            }
            (execution, _, _) => (progress(o, presence, &rows, execution, &said), Heard::Noted),
        };
        match o.store.commit(changes).await {
            Ok(()) => {
                if heard == Heard::Settled {
                    presence.is_over(action);
                    presence.forget(server);
                }
                return Ok(heard);
            }
            Err(StoreError::Conflict { .. }) if tries < TRIES_MAX => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The server agrees to give up an action whose slot is over (`closed`), or goes on with it.
pub async fn receive_cancel(
    o: &Orchestrator,
    presence: &Presence,
    server: &str,
    action: i64,
    feedback: &Feedback,
) -> Result<Heard, SettleError> {
    let ended = match feedback.execution {
        Execution::Closed => true,
        Execution::Canceled => feedback.finished != Finished::Failure,
        Execution::Proceeding
        | Execution::Scheduled
        | Execution::Resumed
        | Execution::Download
        | Execution::Downloaded
        | Execution::Rejected => false,
    };
    let rows = of_action(o, server, action).await?;
    if !rows.iter().any(|d| d.state.is_open()) {
        return Err(SettleError::Over(action));
    }
    let running = rows.iter().all(|d| !matches!(d.state, DeploymentState::Planned));
    if !running {
        return Err(SettleError::NeverOpened(action));
    }
    let said = Said::read(&feedback.details);
    let (changes, heard) = if ended {
        let said = Said { why: Some("given up: its slot ended before it was carried out".to_owned()), ..said };
        (close(o, &rows, Finished::Failure, &said).await?, Heard::Settled)
    } else {
        (progress(o, presence, &rows, feedback.execution, &said), Heard::Noted)
    };
    o.store.commit(changes).await?;
    if heard == Heard::Settled {
        presence.is_over(action);
        presence.forget(server);
    }
    Ok(heard)
}

async fn of_action(o: &Orchestrator, server: &str, action: i64) -> Result<Vec<Stored<Deployment>>, SettleError> {
    let filter = DeploymentFilter { action: Some(action), ..DeploymentFilter::default() };
    let mut rows = o.store.deployments(&filter).await?;
    rows.retain(|d| d.server == server);
    rows.sort_by_key(|d| (d.position, d.id));
    if rows.is_empty() { Err(SettleError::NoAction { server: server.to_owned(), action }) } else { Ok(rows) }
}

/// A line of history for each news of an action that goes on.
fn progress(
    o: &Orchestrator,
    presence: &Presence,
    rows: &[Stored<Deployment>],
    execution: Execution,
    said: &Said,
) -> Changes {
    let mut changes = Changes::default();
    let text = settle::progress(execution, said);
    if let Some(first) = rows.iter().find(|d| d.state.is_open()).filter(|d| presence.is_news(d.action, &text)) {
        let event = NewEvent::new(o.clock.now(), &first.client, EventKind::Progress, text);
        changes.events.push(event.about(first));
    }
    changes
}

/// Fetching ahead failed: staff are told once.
async fn staging_failed(o: &Orchestrator, rows: &[Stored<Deployment>], said: &Said) -> Result<Changes, StoreError> {
    let mut changes = Changes::default();
    let Some(alert) = settle::staging_failed(&plain(rows), said) else { return Ok(changes) };
    let (id, text) = (alert.deployment, alert.text.clone());
    alerts::raise(o, &mut changes, alert).await?;
    if let Some(deployment) = rows.iter().find(|d| Some(d.id) == id).filter(|_| !changes.rows.is_empty()) {
        let event = NewEvent::new(o.clock.now(), &deployment.client, EventKind::Progress, text);
        changes.events.push(event.about(deployment));
    }
    Ok(changes)
}

fn plain(rows: &[Stored<Deployment>]) -> Vec<Deployment> {
    rows.iter().map(|row| row.value.clone()).collect()
}

/// Every running deployment of the action ends as the report, and the machine's inventory, say.
async fn close(
    o: &Orchestrator,
    rows: &[Stored<Deployment>],
    finished: Finished,
    said: &Said,
) -> Result<Changes, SettleError> {
    let Some(ground) = Ground::load(o, rows).await? else { return Ok(Changes::default()) };
    let settled = ground.with_scene(o.clock.now(), |scene| settle::close(scene, &plain(rows), finished, said))?;
    Ok(ground.changes(o, rows, settled).await?)
}

/// Ends running deployments of one action that nobody reported on, for the reason `why`.
pub async fn time_out(o: &Orchestrator, rows: &[Stored<Deployment>], why: &str) -> Result<Changes, SettleError> {
    let Some(ground) = Ground::load(o, rows).await? else { return Ok(Changes::default()) };
    let now = o.clock.now();
    let settled = ground.with_scene(now, |scene| {
        let mut settled = Settled::default();
        for row in rows {
            let failed = row.value.clone().time_out(now, why.to_owned())?;
            settle::ended(scene, failed, &mut settled);
        }
        Ok::<_, BadTransition>(settled)
    })?;
    Ok(ground.changes(o, rows, settled).await?)
}

/// What settling an action needs, read once.
struct Ground {
    client: Client,
    state: Option<Stored<(String, ServerState)>>,
    releases: Vec<Release>,
    requests: Vec<Stored<Request>>,
    /// What the client's servers run, by server.
    inventories: BTreeMap<String, BTreeMap<String, Version>>,
}

impl Ground {
    /// `None` where the client is not in the fleet any more.
    async fn load(o: &Orchestrator, rows: &[Stored<Deployment>]) -> Result<Option<Ground>, StoreError> {
        let Some(first) = rows.first() else { return Ok(None) };
        let Some(client) = o.store.client(&first.client).await?.map(|c| c.value) else {
            tracing::warn!(deployment.id = first.id, "not settled: its client is not in the fleet any more");
            return Ok(None);
        };
        let (mut releases, mut requests, mut inventories) = (Vec::new(), Vec::new(), BTreeMap::new());
        for row in rows {
            releases.extend(o.store.release(&row.product, &row.to).await?.map(|r| r.value));
            if let Some(id) = row.request {
                requests.extend(o.store.request(id).await?);
            }
        }
        if !requests.is_empty() {
            for server in &client.servers {
                let state = o.store.state(&server.id).await?.map(|s| s.value.1).unwrap_or_default();
                inventories.insert(server.id.clone(), state.inventory);
            }
        }
        Ok(Some(Ground { state: o.store.state(&first.server).await?, client, releases, requests, inventories }))
    }

    fn with_scene<T>(&self, now: DateTime<Utc>, look: impl FnOnce(&Scene) -> T) -> T {
        let unknown = ServerState::default();
        let requests: Vec<Request> = self.requests.iter().map(|r| r.value.clone()).collect();
        look(&Scene {
            now,
            client: &self.client,
            state: self.state.as_ref().map_or(&unknown, |s| &s.value.1),
            releases: self.releases.iter().map(|r| (r.product(), r)).collect(),
            requests: &requests,
            runs: &|server, product| self.inventories.get(server)?.get(product).cloned(),
        })
    }

    async fn changes(
        &self,
        o: &Orchestrator,
        rows: &[Stored<Deployment>],
        settled: Settled,
    ) -> Result<Changes, StoreError> {
        let mut changes = Changes { events: settled.events, notices: settled.notices, ..Changes::default() };
        for cause in &settled.resolved {
            alerts::resolve_cause(o, &mut changes, cause, "installed since").await?;
        }
        for alert in settled.alerts {
            alerts::raise(o, &mut changes, alert).await?;
        }
        for deployment in settled.deployments {
            let (server, id, state) = (&deployment.server, deployment.id, deployment.state.name());
            tracing::info!(server.id = %server, deployment.id = id, state, "settled");
            if let Some(row) = rows.iter().find(|row| row.id == deployment.id) {
                changes.rows.push(Row::Deployment(row.with(deployment)));
            }
        }
        for request in settled.requests {
            if let Some(row) = self.requests.iter().find(|row| row.id == request.id) {
                changes.rows.push(Row::Request(row.with(request)));
            }
        }
        if let (Some(state), Some(first)) = (settled.state, rows.first()) {
            let value = (first.server.clone(), state);
            let row = self.state.as_ref().map_or_else(|| Stored::new(value.clone()), |known| known.with(value.clone()));
            changes.rows.push(Row::State(row));
        }
        Ok(changes)
    }
}
