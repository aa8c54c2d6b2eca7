//! A server reports: progress becomes a line of history, a closing report ends the deployment.
//!
//! Loads, asks [`crate::decide::settle`] what the report means, and writes all of it in one commit: the deployment's
//! new state, its event, the client's letter, the alert to staff or the end of the one that was open, and the request
//! it fulfilled. A report about what is over changes nothing, so repeating one is harmless.

use super::presence::Presence;
use super::{Orchestrator, alerts};
use crate::decide::settle::{self, About, Feedback, Heard, Scene, Settled};
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::alert::Alert;
use crate::model::deployment::Deployment;
use crate::model::event::EventKind;
use crate::model::fleet::Client;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
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
    let mut tries = 0;
    loop {
        tries += 1;
        let seen = Seen::load(o, of_action(o, server, action).await?).await?;
        let now = o.clock.now();
        let mut settled = settle::settle(&seen.scene(now), about, feedback)?;
        let heard = settled.heard;
        // An alert's own line is written with it; other progress only when it says something new.
        if settled.alerts.is_empty() {
            settled.events.retain(|e| e.kind != EventKind::Progress || presence.is_news(action, &e.text));
        }
        match o.store.commit(seen.changes(o, settled, now).await?).await {
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
    deployments: Vec<Deployment>,
    revs: BTreeMap<i64, i64>,
    /// Absent when the server never said anything.
    known: Option<Stored<(String, ServerState)>>,
    state: ServerState,
    client: Option<Client>,
    releases: Vec<Release>,
    requests: Vec<Stored<Request>>,
    others: BTreeMap<String, ServerState>,
    alerts: BTreeMap<String, Stored<Alert>>,
}

impl Seen {
    /// Reads what settling `rows`, the deployments of one action on one server, needs.
    pub async fn load(o: &Orchestrator, rows: Vec<Stored<Deployment>>) -> Result<Seen, StoreError> {
        let revs = rows.iter().map(|row| (row.id, row.rev)).collect();
        let deployments: Vec<Deployment> = rows.into_iter().map(|row| row.value).collect();
        let mut seen = Seen {
            alerts: o.store.open_alerts_by_cause(&settle::causes(&deployments)).await?,
            revs,
            known: None,
            state: ServerState::default(),
            client: None,
            releases: Vec::new(),
            requests: Vec::new(),
            others: BTreeMap::new(),
            deployments,
        };
        let Some(first) = seen.deployments.first() else { return Ok(seen) };
        let (client, server) = (first.client.clone(), first.server.clone());
        seen.client = o.store.client(&client).await?.map(|client| client.value);
        seen.known = o.store.state(&server).await?;
        seen.state = seen.known.as_ref().map(|known| known.value.1.clone()).unwrap_or_default();
        for deployment in &seen.deployments {
            let release = o.store.release(&deployment.product, &deployment.to).await?;
            seen.releases.extend(release.map(|release| release.value));
            if let Some(id) = deployment.request.filter(|id| seen.requests.iter().all(|r| r.id != *id)) {
                seen.requests.extend(o.store.request(id).await?);
            }
        }
        if !seen.requests.is_empty() {
            for other in seen.client.iter().flat_map(|c| &c.servers).filter(|s| s.id != server) {
                seen.others.extend(o.store.state(&other.id).await?.map(|state| state.value));
            }
        }
        Ok(seen)
    }

    pub fn scene(&self, now: DateTime<Utc>) -> Scene<'_> {
        Scene {
            now,
            deployments: &self.deployments,
            state: &self.state,
            client: self.client.as_ref(),
            releases: self.releases.iter().collect(),
            requests: self.requests.iter().map(|request| &request.value).collect(),
            others: self.others.iter().map(|(server, state)| (server.as_str(), state)).collect(),
            alerted: self.alerts.keys().cloned().collect(),
        }
    }

    /// The rows, events and notices of what was settled.
    pub async fn changes(&self, o: &Orchestrator, settled: Settled, now: DateTime<Utc>) -> Result<Changes, StoreError> {
        let mut changes = Changes { events: settled.events, notices: settled.notices, ..Changes::default() };
        for alert in settled.resolved.iter().filter_map(|cause| self.alerts.get(cause)) {
            alerts::add_resolved(&mut changes, alert, now, "installed since");
        }
        for alert in settled.alerts {
            alerts::raise(o, &mut changes, alert).await?;
        }
        for request in settled.requests {
            let rev = self.requests.iter().find(|known| known.id == request.id).map_or(0, |known| known.rev);
            changes.rows.push(Row::Request(Stored { rev, value: request }));
        }
        for deployment in settled.deployments {
            let (server, state) = (&deployment.server, deployment.state.name());
            let name = format!("{} {}", deployment.product, deployment.to);
            tracing::info!(server.id = %server, deployment.id = deployment.id, state, "{name} ended");
            // Staff's letters name no client.
            if !changes.notices.iter().any(|n| n.client.is_some() && n.deployment == Some(deployment.id)) {
                tracing::warn!(deployment.id = deployment.id, "no letter: its release or client is not in the store");
            }
            let rev = self.revs.get(&deployment.id).copied().unwrap_or(0);
            changes.rows.push(Row::Deployment(Stored { rev, value: deployment }));
        }
        if let (Some(state), Some(first)) = (settled.state, self.deployments.first()) {
            let rev = self.known.as_ref().map_or(0, |known| known.rev);
            changes.rows.push(Row::State(Stored { rev, value: (first.server.clone(), state) }));
        }
        Ok(changes)
    }
}
