//! What people are shown: history, plan, explanation, fleet, letters. Read models, nothing is changed here.
//!
//! The JSON of these rows is what `--format json` prints and what others parse: fields are added, never renamed.

use super::Orchestrator;
use super::planning::{self, PlanningError, Selection};
use crate::edge::store::{DeploymentFilter, StoreError};
use crate::model::decision::{Decision, Outcome, Reason};
use crate::model::deployment::Deployment;
use crate::model::fleet::{Client, Ring};
use crate::model::notice::{Notice, NoticeState};
use crate::model::request::Request;
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use utoipa::ToSchema;

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
    /// `planned`, `running`, `installed`, `rolled_back`, `failed` or `cancelled`.
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
    pub reasons: Vec<ReasonRow>,
}

/// A row of the plan: the same, with what was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanRow {
    #[serde(flatten)]
    pub row: HistoryRow,
    /// `up_to_date`, `planned`, `running`, `waiting`, `held`, `late` or `out_of_scope`.
    pub decision: String,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReasonRow {
    pub rule: String,
    pub text: String,
}

/// The decisions about one server, with their reasons in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub server: String,
    pub client: String,
    pub zone: String,
    /// The instant it holds for.
    pub at: DateTime<Utc>,
    pub decisions: Vec<ExplainedDecision>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedDecision {
    pub product: String,
    pub decision: String,
    pub to: Option<String>,
    pub slot: Option<SlotRow>,
    pub deadline: Option<DateTime<Utc>>,
    pub reasons: Vec<ExplainedReason>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedReason {
    pub rule: String,
    /// Where the contract says it; null for a rule of the house.
    pub clause: Option<String>,
    pub text: String,
    /// The same in French.
    pub fr: String,
}

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

/// A letter of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NoticeRow {
    pub id: i64,
    pub key: String,
    pub at: DateTime<Utc>,
    pub client: Option<String>,
    pub server: Option<String>,
    pub deployment: Option<i64>,
    /// Which letter: `minor_planned`, `major_refused`, …
    pub letter: String,
    /// `pending`, `sent` or `undelivered`.
    pub state: String,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    pub error: Option<String>,
}

impl From<Slot> for SlotRow {
    fn from(slot: Slot) -> SlotRow {
        SlotRow { start: slot.start, end: slot.end }
    }
}

impl From<&Reason> for ReasonRow {
    fn from(reason: &Reason) -> ReasonRow {
        ReasonRow { rule: reason.rule.id().to_owned(), text: reason.text.clone() }
    }
}

fn change_name(change: Change) -> String {
    match change {
        Change::Minor => "minor",
        Change::Major => "major",
    }
    .to_owned()
}

/// What rows name beside their deployments.
struct Context {
    zones: BTreeMap<String, String>,
    requests: BTreeMap<i64, Request>,
}

impl Context {
    async fn load(o: &Orchestrator, client: Option<&str>) -> Result<Context, StoreError> {
        let clients = o.store.clients().await?;
        let servers = clients.iter().flat_map(|c| &c.servers);
        Ok(Context {
            zones: servers.map(|s| (s.id.clone(), s.zone.name().to_owned())).collect(),
            requests: o.store.requests(client).await?.into_iter().map(|r| (r.id, r.value)).collect(),
        })
    }

    /// UTC for a server that has left the fleet: its history stays readable.
    fn zone(&self, server: &str) -> String {
        self.zones.get(server).cloned().unwrap_or_else(|| "UTC".to_owned())
    }

    fn request(&self, id: Option<i64>) -> Option<RequestRef> {
        let request = self.requests.get(&id?)?;
        Some(RequestRef { id: request.id, received_at: request.received_at, before: request.before })
    }

    fn row(&self, d: &Deployment) -> HistoryRow {
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
            reasons: d.reasons.iter().map(ReasonRow::from).collect(),
        }
    }
}

/// The deployments that `filter` lets through, the earliest slot first.
pub async fn history(o: &Orchestrator, filter: &DeploymentFilter) -> Result<Vec<HistoryRow>, StoreError> {
    let context = Context::load(o, filter.client.as_deref()).await?;
    Ok(o.store.deployments(filter).await?.iter().map(|d| context.row(d)).collect())
}

/// Which decisions of the plan to show.
#[derive(Clone, Debug, Default)]
pub struct PlanFilter {
    pub selection: Selection,
    pub product: Option<String>,
    /// The instant to plan for; now when absent.
    pub at: Option<DateTime<Utc>>,
    /// Leaves out what is planned to begin later than this.
    pub days: Option<u32>,
    /// Also what needs nothing (up to date, out of scope) or waits for somebody else.
    pub all: bool,
}

/// What will be installed where and when, and what is held or late; changes nothing.
pub async fn plan(o: &Orchestrator, filter: &PlanFilter) -> Result<Vec<PlanRow>, PlanningError> {
    let decisions = planning::preview(o, filter.at, &filter.selection).await?;
    let context = Context::load(o, None).await?;
    let until = filter.days.map(|days| filter.at.unwrap_or_else(|| o.clock.now()) + TimeDelta::days(days.into()));
    let mut open: BTreeMap<String, Vec<Deployment>> = BTreeMap::new();
    let states = vec!["planned".to_owned(), "running".to_owned()];
    let wanted = DeploymentFilter {
        client: filter.selection.client.clone(),
        server: filter.selection.server.clone(),
        states,
        ..DeploymentFilter::default()
    };
    for deployment in o.store.deployments(&wanted).await? {
        open.entry(deployment.server.clone()).or_default().push(deployment.value);
    }
    let mut inventories = BTreeMap::new();
    for state in o.store.states().await? {
        let (server, state) = state.value;
        inventories.insert(server, state.inventory);
    }
    let mut rows = Vec::new();
    for decision in decisions {
        let interesting = match &decision.outcome {
            Outcome::Planned(_) | Outcome::Late(_) | Outcome::Held { .. } | Outcome::Running => true,
            Outcome::UpToDate | Outcome::Waiting | Outcome::OutOfScope => filter.all,
        };
        let asked = filter.product.as_ref().is_none_or(|p| *p == decision.product);
        let soon = decision.outcome.intent().zip(until).is_none_or(|(plan, until)| plan.slot.start < until);
        if !interesting || !asked || !soon {
            continue;
        }
        let known = open.get(&decision.server).and_then(|all| all.iter().find(|d| carries(&decision, d)));
        let mut row = match known {
            Some(known) => context.row(known),
            None => bare(&context, &decision),
        };
        row.reasons = decision.reasons.iter().map(ReasonRow::from).collect();
        row.from = row.from.or_else(|| {
            inventories.get(&decision.server).and_then(|i| i.get(&decision.product)).map(ToString::to_string)
        });
        if let Some(plan) = decision.outcome.intent() {
            row.slot = Some(plan.slot.into());
            row.deadline = plan.deadline;
            row.request = context.request(plan.request);
            row.to = Some(plan.version.to_string());
            if known.is_none()
                && let Some(release) = o.store.release(&decision.product, &plan.version).await?
            {
                row.published_at = Some(release.published_at());
                row.manual = release.manifest().is_manual();
                let change = if plan.request.is_some() { Change::Major } else { release.manifest().change };
                row.change = Some(change_name(change));
            }
        }
        rows.push(PlanRow { row, decision: decision.outcome.name().to_owned() });
    }
    rows.sort_by_cached_key(|r| {
        let slot = r.row.slot.as_ref().map(|s| s.start);
        (slot.is_none(), slot, r.row.client.clone(), r.row.server.clone(), r.row.product.clone())
    });
    Ok(rows)
}

/// Whether `deployment` is what `decision` speaks of.
fn carries(decision: &Decision, deployment: &Deployment) -> bool {
    let running = decision.outcome == Outcome::Running && deployment.state.name() == "running";
    let intended = decision.outcome.intent().is_some_and(|plan| plan.version == deployment.to);
    decision.product == deployment.product && (running || intended)
}

/// A row for a decision that no deployment carries yet.
fn bare(context: &Context, decision: &Decision) -> HistoryRow {
    HistoryRow {
        id: None,
        client: decision.client.clone(),
        server: decision.server.clone(),
        product: decision.product.clone(),
        from: None,
        to: None,
        change: None,
        manual: false,
        state: None,
        zone: context.zone(&decision.server),
        published_at: None,
        request: None,
        slot: None,
        deadline: None,
        started_at: None,
        finished_at: None,
        attempts: 0,
        on_time: None,
        reasons: Vec::new(),
    }
}

/// Why things are as they are on one server; `None` when the fleet has no such server.
pub async fn explain(
    o: &Orchestrator,
    server: &str,
    product: Option<&str>,
    at: Option<DateTime<Utc>>,
) -> Result<Option<Explanation>, PlanningError> {
    let Some(client) = o.store.client_of_server(server).await? else { return Ok(None) };
    let zone = client.servers.iter().find(|s| s.id == server).map_or("UTC", |s| s.zone.name());
    let selection = Selection { client: Some(client.id.clone()), server: Some(server.to_owned()) };
    let decisions = planning::preview(o, at, &selection).await?;
    let asked = decisions.iter().filter(|d| product.is_none_or(|p| p == d.product));
    Ok(Some(Explanation {
        server: server.to_owned(),
        client: client.id.clone(),
        zone: zone.to_owned(),
        at: at.unwrap_or_else(|| o.clock.now()),
        decisions: asked.map(explained).collect(),
    }))
}

fn explained(decision: &Decision) -> ExplainedDecision {
    let plan = decision.outcome.intent();
    let reason = |r: &Reason| ExplainedReason {
        rule: r.rule.id().to_owned(),
        clause: r.rule.clause().map(str::to_owned),
        text: r.text.clone(),
        fr: r.fr.clone(),
    };
    ExplainedDecision {
        product: decision.product.clone(),
        decision: decision.outcome.name().to_owned(),
        to: plan.map(|p| p.version.to_string()),
        slot: plan.map(|p| p.slot.into()),
        deadline: plan.and_then(|p| p.deadline),
        reasons: decision.reasons.iter().map(reason).collect(),
    }
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

/// The letters of a client, or of everybody.
pub async fn notices(o: &Orchestrator, client: Option<&str>, limit: u64) -> Result<Vec<NoticeRow>, StoreError> {
    Ok(o.store.notices(client, limit).await?.into_iter().map(|n| notice_row(n.value)).collect())
}

fn notice_row(notice: Notice) -> NoticeRow {
    let letter = serde_json::to_value(&notice.body.letter).ok();
    let name = letter.as_ref().and_then(|l| l.get("letter")).and_then(|l| l.as_str()).unwrap_or_default().to_owned();
    let (state, sent_at, error) = match notice.state {
        NoticeState::Pending { .. } => ("pending", None, None),
        NoticeState::Sent { at } => ("sent", Some(at), None),
        NoticeState::Undelivered { error, .. } => ("undelivered", None, Some(error)),
    };
    NoticeRow {
        id: notice.id,
        key: notice.body.key,
        at: notice.body.at,
        client: notice.body.client,
        server: notice.body.server,
        deployment: notice.body.deployment,
        letter: name,
        state: state.to_owned(),
        sent_at,
        attempts: notice.attempts,
        error,
    }
}
