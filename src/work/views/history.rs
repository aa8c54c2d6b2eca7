//! Deployments as history shows them.

use super::ReasonRow;
use crate::edge::store::{Cursor, DeploymentFilter, Search, StoreError, Stored, Word};
use crate::model::deployment::Deployment;
use crate::model::request::Request;
use crate::model::slot::Slot;
use crate::model::transfer::Transfer;
use crate::model::version::Change;
use crate::work::Orchestrator;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Clients or requests one statement asks for.
const NAMES_AT_ONCE: usize = 500;
/// Rows looked at in one go for words that name nothing.
const SEARCHED_AT_ONCE: u64 = 2_000;

/// One deployment as history shows it. Instants are UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryRow {
    /// The deployment; absent in a plan for what has none yet.
    pub id: Option<i64>,
    pub client: String,
    pub server: String,
    pub product: String,
    pub from: Option<String>,
    pub to: Option<String>,
    /// `minor` or `major`.
    pub change: Option<String>,
    pub manual: bool,
    /// `planned`, `running`, `installed`, `rolled_back`, `refused`, `failed` or `cancelled`.
    pub state: Option<String>,
    /// IANA zone of the site.
    pub zone: String,
    pub published_at: Option<DateTime<Utc>>,
    pub request: Option<RequestRef>,
    pub slot: Option<SlotRow>,
    pub deadline: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    /// Installed by its deadline; null while open or without one.
    pub on_time: Option<bool>,
    /// What fetching the package cost the site's line; absent until the agent's closing report said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferRow>,
    pub reasons: Vec<ReasonRow>,
}

/// The cost of a package in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TransferRow {
    pub package_bytes: u64,
    /// What came over the line, broken-off tries included.
    pub moved_bytes: u64,
    pub saved_bytes: u64,
    /// `whole`, `changed` (only what changed was fetched) or `neighbour` (from another server of the site).
    pub way: String,
    /// Why it came whole although less was looked for.
    pub why_whole: Option<String>,
}

impl From<&Transfer> for TransferRow {
    fn from(transfer: &Transfer) -> TransferRow {
        TransferRow {
            package_bytes: transfer.package_bytes,
            moved_bytes: transfer.moved_bytes,
            saved_bytes: transfer.saved_bytes(),
            way: transfer.way.name().to_owned(),
            why_whole: transfer.why_whole.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestRef {
    pub id: i64,
    pub received_at: DateTime<Utc>,
    pub before: NaiveDate,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlotRow {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl From<Slot> for SlotRow {
    fn from(slot: Slot) -> SlotRow {
        SlotRow { start: slot.start, end: slot.end }
    }
}

pub(super) fn change_name(change: Change) -> String {
    match change {
        Change::Minor => "minor",
        Change::Major => "major",
    }
    .to_owned()
}

/// What rows name beside their deployments.
pub(super) struct Context {
    zones: BTreeMap<String, String>,
    requests: BTreeMap<i64, Request>,
}

impl Context {
    pub async fn load(o: &Orchestrator, client: Option<&str>) -> Result<Context, StoreError> {
        let clients = o.store.clients().await?;
        let servers = clients.iter().flat_map(|c| &c.servers);
        Ok(Context {
            zones: servers.map(|s| (s.id.clone(), s.zone.name().to_owned())).collect(),
            requests: o.store.requests(client).await?.into_iter().map(|r| (r.id, r.value)).collect(),
        })
    }

    /// Only what these deployments name: a page of history costs the same whatever the fleet.
    async fn of(o: &Orchestrator, deployments: &[Stored<Deployment>]) -> Result<Context, StoreError> {
        let clients: BTreeSet<&str> = deployments.iter().map(|d| d.client.as_str()).collect();
        let requests: BTreeSet<i64> = deployments.iter().filter_map(|d| d.request).collect();
        let mut context = Context { zones: BTreeMap::new(), requests: BTreeMap::new() };
        for some in Vec::from_iter(clients).chunks(NAMES_AT_ONCE) {
            let clients = o.store.clients_by_id(some).await?;
            let servers = clients.iter().flat_map(|c| &c.servers);
            context.zones.extend(servers.map(|s| (s.id.clone(), s.zone.name().to_owned())));
        }
        for some in Vec::from_iter(requests).chunks(NAMES_AT_ONCE) {
            let requests = o.store.requests_by_id(some).await?;
            context.requests.extend(requests.into_iter().map(|r| (r.id, r.value)));
        }
        Ok(context)
    }

    /// UTC for a server that has left the fleet: its history stays readable.
    pub fn zone(&self, server: &str) -> String {
        self.zones.get(server).cloned().unwrap_or_else(|| "UTC".to_owned())
    }

    pub fn request(&self, id: Option<i64>) -> Option<RequestRef> {
        let request = self.requests.get(&id?)?;
        Some(RequestRef { id: request.id, received_at: request.received_at, before: request.before })
    }

    pub fn row(&self, d: &Deployment) -> HistoryRow {
        HistoryRow {
            id: Some(d.id),
            client: d.client.clone(),
            server: d.server.clone(),
            product: d.product.clone(),
            from: d.from.as_ref().map(ToString::to_string),
            to: Some(d.to.to_string()),
            change: Some(change_name(d.change)),
            manual: d.manual,
            state: Some(d.state.name().to_owned()),
            zone: self.zone(&d.server),
            published_at: Some(d.published_at),
            request: self.request(d.request),
            slot: Some(d.slot.into()),
            deadline: d.deadline,
            started_at: d.state.started_at(),
            finished_at: d.state.finished_at(),
            attempts: d.attempt,
            on_time: d.on_time(),
            transfer: d.transfer.as_deref().map(TransferRow::from),
            reasons: d.reasons.iter().map(ReasonRow::from).collect(),
        }
    }
}

/// The deployments that `filter` lets through, the earliest slot first: the latest `limit` of them.
pub async fn history(o: &Orchestrator, filter: &DeploymentFilter) -> Result<Vec<HistoryRow>, StoreError> {
    let found = match &filter.search {
        Some(search) if search.words.iter().any(Word::names_nothing) => searched(o, filter, search).await?,
        Some(_) | None => o.store.deployments(filter).await?,
    };
    let context = Context::of(o, &found).await?;
    Ok(found.iter().map(|d| context.row(d)).collect())
}

/// A page of what went wrong in the words of a search. The database finds rows that hold the words anywhere; those that
/// hold them elsewhere are left out here, and others looked for.
async fn searched(
    o: &Orchestrator,
    filter: &DeploymentFilter,
    search: &Search,
) -> Result<Vec<Stored<Deployment>>, StoreError> {
    let mut wanted = DeploymentFilter { limit: Some(SEARCHED_AT_ONCE), ..filter.clone() };
    let mut found: Vec<Stored<Deployment>> = Vec::new();
    loop {
        let rows = o.store.deployments(&wanted).await?;
        let is_last = (rows.len() as u64) < SEARCHED_AT_ONCE;
        wanted.after = rows.first().map(|d| Cursor { slot_start: d.slot.start.timestamp_millis(), id: d.id });
        // Newest first while pages are added.
        found.extend(rows.into_iter().rev().filter(|d| search.holds(d)));
        let is_full = filter.limit.is_some_and(|limit| found.len() as u64 >= limit);
        if is_last || is_full {
            found.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
            found.reverse();
            return Ok(found);
        }
    }
}

/// Looks up what each word of a search is part of the name of.
pub async fn search(o: &Orchestrator, text: &str) -> Result<Search, StoreError> {
    let names = o.store.names().await?;
    let clients = o.store.clients().await?;
    let among = |names: &BTreeSet<String>, word: &str| -> Vec<String> {
        names.iter().filter(|name| name.to_lowercase().contains(word)).cloned().collect()
    };
    let words = text.split_whitespace().map(str::to_lowercase).map(|word| {
        let mut named = among(&names.clients, &word);
        let by_name = clients.iter().filter(|c| c.name.to_lowercase().contains(&word)).map(|c| c.id.clone());
        named.extend(by_name);
        named.sort_unstable();
        named.dedup();
        Word {
            clients: named,
            servers: among(&names.servers, &word),
            products: among(&names.products, &word),
            versions: among(&names.versions, &word),
            deployment: word.strip_prefix('#').unwrap_or(&word).parse().ok(),
            text: word,
        }
    });
    Ok(Search { words: words.collect() })
}
