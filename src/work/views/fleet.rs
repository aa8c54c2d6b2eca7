//! The fleet, and what its servers last said of themselves.

use crate::edge::store::StoreError;
use crate::model::fleet::{Client, Ring};
use crate::work::Orchestrator;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use utoipa::ToSchema;

/// A server of the fleet and what it last said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServerRow {
    pub client: String,
    pub client_name: String,
    pub schedule: String,
    pub order: Vec<String>,
    pub server: String,
    pub zone: String,
    /// `canary` or `broad`.
    pub ring: String,
    /// Product → version.
    pub inventory: BTreeMap<String, String>,
    pub backup: Option<BackupRow>,
    pub capabilities: Vec<String>,
    pub reported_at: Option<DateTime<Utc>>,
    pub last_seen: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BackupRow {
    pub finished_at: DateTime<Utc>,
    pub succeeded: bool,
}

/// The fleet, or one client's part of it.
pub async fn fleet(o: &Orchestrator, client: Option<&str>) -> Result<Vec<ServerRow>, StoreError> {
    let clients: Vec<Client> = match client {
        Some(id) => o.store.client(id).await?.into_iter().map(|c| c.value).collect(),
        None => o.store.clients().await?.into_iter().map(|c| c.value).collect(),
    };
    let states: BTreeMap<_, _> = o.store.states().await?.into_iter().map(|s| s.value).collect();
    let written = o.store.last_seen().await?;
    let seen = o.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut rows = Vec::new();
    for (client, server) in clients.iter().flat_map(|c| c.servers.iter().map(move |s| (c, s))) {
        let state = states.get(&server.id).cloned().unwrap_or_default();
        let ring = match server.ring {
            Ring::Canary => "canary",
            Ring::Broad => "broad",
        };
        rows.push(ServerRow {
            client: client.id.clone(),
            client_name: client.name.clone(),
            schedule: client.schedule.clone(),
            order: client.order.clone(),
            server: server.id.clone(),
            zone: server.zone.name().to_owned(),
            ring: ring.to_owned(),
            inventory: state.inventory.iter().map(|(p, v)| (p.clone(), v.to_string())).collect(),
            backup: state.backup.map(|b| BackupRow { finished_at: b.finished_at, succeeded: b.succeeded }),
            capabilities: state.capabilities.into_iter().collect(),
            reported_at: state.reported_at,
            last_seen: seen.get(&server.id).or_else(|| written.get(&server.id)).copied(),
        });
    }
    Ok(rows)
}
