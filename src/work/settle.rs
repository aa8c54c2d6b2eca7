//! A server reports: progress becomes a line of history, a closing report ends the deployment.
//!
//! Loads, asks [`crate::decide::settle`] what the report means, and writes all of it in one commit: the deployment's
//! new state, its event, the client's letter, the alert to staff or the end of the one that was open, and the request
//! it fulfilled. A report about what is over changes nothing, so repeating one is harmless.

use super::presence::Presence;
use super::{Orchestrator, alerts};
use crate::decide::settle::{self, About, Feedback, Heard, Scene, Settled};
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::deployment::Deployment;
use crate::model::event::EventKind;
use crate::model::fleet::Client;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

pub use crate::decide::settle::Refusal;

/// Times a report is tried when rows change under it.
const TRIES_MAX: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("server {server} has no action {action}")]
    NoAction { server: String, action: i64 },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Takes a report of `server` about `action`, or about giving it up.
pub async fn receive(
    o: &Orchestrator,
    presence: &Presence,
    server: &str,
    action: i64,
    about: About,
    feedback: &Feedback,
) -> Result<Heard, SettleError> {
    let (mut tries, mut news) = (0, None);
    loop {
        tries += 1;
        let seen = Seen::load(o, of_action(o, server, action).await?).await?;
        let now = o.clock.now();
        let settled = seen.with_scene(now, |scene| settle::settle(scene, about, feedback))?;
        let (heard, alerts) = (settled.heard, !settled.alerts.is_empty());
        let mut changes = seen.changes(o, settled).await?;
        // Progress is a line of history when it says something new. A second try does not make it old.
        changes.events.retain(|event| {
            let mut is_news = || *news.get_or_insert_with(|| presence.is_news(action, &event.text));
            alerts || event.kind != EventKind::Progress || is_news()
        });
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

async fn of_action(o: &Orchestrator, server: &str, action: i64) -> Result<Vec<Stored<Deployment>>, SettleError> {
    let filter = DeploymentFilter { action: Some(action), ..DeploymentFilter::default() };
    let mut rows = o.store.deployments(&filter).await?;
    rows.retain(|d| d.server == server);
    rows.sort_by_key(|d| (d.position, d.id));
    if rows.is_empty() { Err(SettleError::NoAction { server: server.to_owned(), action }) } else { Ok(rows) }
}

/// What settling one action looks at, with the revisions that writing back needs.
pub(super) struct Seen {
    rows: Vec<Stored<Deployment>>,
    deployments: Vec<Deployment>,
    /// Absent when the server never said anything.
    state: Option<Stored<(String, ServerState)>>,
    client: Option<Client>,
    releases: Vec<Release>,
    requests: Vec<Stored<Request>>,
    /// What the client's other servers run; read only where there are requests.
    inventories: BTreeMap<String, BTreeMap<String, Version>>,
}

impl Seen {
    /// Reads what settling `rows`, the deployments of one action on one server, needs.
    pub async fn load(o: &Orchestrator, rows: Vec<Stored<Deployment>>) -> Result<Seen, StoreError> {
        let first = rows.first().map(|row| (row.client.clone(), row.server.clone())).unwrap_or_default();
        let (client, server) = (o.store.client(&first.0).await?, first.1);
        let mut seen = Seen {
            state: o.store.state(&server).await?,
            client: client.map(|client| client.value),
            releases: Vec::new(),
            requests: Vec::new(),
            inventories: BTreeMap::new(),
            deployments: rows.iter().map(|row| row.value.clone()).collect(),
            rows,
        };
        for deployment in &seen.deployments {
            let release = o.store.release(&deployment.product, &deployment.to).await?;
            seen.releases.extend(release.map(|release| release.value));
            if let Some(id) = deployment.request.filter(|id| seen.requests.iter().all(|r| r.id != *id)) {
                seen.requests.extend(o.store.request(id).await?);
            }
        }
        if !seen.requests.is_empty() {
            for other in seen.client.iter().flat_map(|c| &c.servers).filter(|s| s.id != server) {
                let state = o.store.state(&other.id).await?.map(|state| state.value.1);
                seen.inventories.insert(other.id.clone(), state.unwrap_or_default().inventory);
            }
        }
        Ok(seen)
    }

    pub fn with_scene<T>(&self, now: DateTime<Utc>, look: impl FnOnce(&Scene) -> T) -> T {
        let unknown = ServerState::default();
        let requests: Vec<Request> = self.requests.iter().map(|request| request.value.clone()).collect();
        look(&Scene {
            now,
            deployments: &self.deployments,
            state: self.state.as_ref().map_or(&unknown, |state| &state.value.1),
            client: self.client.as_ref(),
            releases: self.releases.iter().map(|release| (release.product(), release)).collect(),
            requests: &requests,
            runs: &|server, product| self.inventories.get(server)?.get(product).cloned(),
        })
    }

    /// The rows, events and notices of what was settled.
    pub async fn changes(&self, o: &Orchestrator, settled: Settled) -> Result<Changes, StoreError> {
        let mut changes = Changes { events: settled.events, notices: settled.notices, ..Changes::default() };
        let causes: Vec<String> =
            settled.alerts.iter().map(|alert| alert.cause.clone()).chain(settled.resolved.iter().cloned()).collect();
        let open = if causes.is_empty() { BTreeMap::new() } else { o.store.open_alerts_by_cause(&causes).await? };
        for alert in settled.resolved.iter().filter_map(|cause| open.get(cause)) {
            alerts::add_resolved(o, &mut changes, alert, "installed since");
        }
        for alert in settled.alerts {
            if open.contains_key(&alert.cause) {
                // The same trouble again is no news: what could not be fetched ahead is told with its alert, once.
                changes.events.retain(|e| e.kind != EventKind::Progress || e.deployment != alert.deployment);
            } else {
                alerts::raise(o, &mut changes, alert).await?;
            }
        }
        for request in settled.requests {
            if let Some(row) = self.requests.iter().find(|row| row.id == request.id) {
                changes.rows.push(Row::Request(row.with(request)));
            }
        }
        for deployment in settled.deployments {
            let (server, state) = (&deployment.server, deployment.state.name());
            let name = format!("{} {}", deployment.product, deployment.to);
            tracing::info!(server.id = %server, deployment.id = deployment.id, state, "{name} ended");
            // Staff's letters name no client.
            if !changes.notices.iter().any(|n| n.client.is_some() && n.deployment == Some(deployment.id)) {
                tracing::warn!(deployment.id = deployment.id, "no letter: its release or client is not in the store");
            }
            if let Some(row) = self.rows.iter().find(|row| row.id == deployment.id) {
                changes.rows.push(Row::Deployment(row.with(deployment)));
            }
        }
        if let (Some(state), Some(first)) = (settled.state, self.rows.first()) {
            let value = (first.server.clone(), state);
            let known = self.state.as_ref();
            changes.rows.push(Row::State(known.map_or_else(|| Stored::new(value.clone()), |k| k.with(value.clone()))));
        }
        Ok(changes)
    }
}
