//! A client's month as the database knows it, thought through by `decide::report`, and checked against the history.

use crate::decide::calendar::{Region, UnknownRegion};
use crate::decide::checker::{Checker, CheckerError};
use crate::decide::recount::{self, Case};
use crate::decide::report::{self, Ledger, Month, Report};
use crate::edge::store::{DeploymentFilter, StoreError, Stored};
use crate::model::agreement::Agreement;
use crate::model::event::{EventKind, PROVIDER};
use crate::model::fleet::Client;
use crate::model::report::ServerState;
use crate::work::Orchestrator;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Kinds of events that a report reads of the month, besides every change of inventory.
const KINDS: [EventKind; 9] = [
    EventKind::Held,
    EventKind::Late,
    EventKind::RequestAccepted,
    EventKind::BackupReported,
    EventKind::Installed,
    EventKind::RolledBack,
    EventKind::Refused,
    EventKind::Failed,
    EventKind::Enrolled,
];

/// Days before the month from which silences that last into it are looked for.
const SILENCE_DAYS: i64 = 92;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("client {client} names schedule {schedule:?}, which is not in the schedules folder")]
    NoSchedule { client: String, schedule: String },
    #[error("client {client}: {source}")]
    Region { client: String, source: UnknownRegion },
    #[error("client {client}: {source}")]
    Checker { client: String, source: CheckerError },
    #[error("{0} has not begun yet")]
    NotBegun(Month),
}

/// A report and what its second reckoning came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    pub client: String,
    pub month: String,
    /// How many facts were compared.
    pub facts: usize,
    /// Those that the report and the history tell differently.
    pub differences: Vec<Difference>,
}

/// A fact that the report and the history tell differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// `minor martin-srv1 isacompta 14.20.003`, `letters.sent`, …
    pub fact: String,
    pub report: Option<String>,
    pub history: Option<String>,
}

/// The report of `client` over `month`.
pub async fn report(o: &Orchestrator, client: &str, month: Month) -> Result<Report, ReportError> {
    let client = known(o, client).await?;
    let terms = o
        .terms
        .get(&client.schedule)
        .ok_or_else(|| ReportError::NoSchedule { client: client.id.clone(), schedule: client.schedule.clone() })?;
    let region: Region =
        client.holidays.parse().map_err(|source| ReportError::Region { client: client.id.clone(), source })?;
    let now = o.clock.now();
    let (from, to) = month.bounds(report::zone_of(&client));
    if now < from {
        return Err(ReportError::NotBegun(month));
    }
    let since = report::begins(month, &client);
    let store = &o.store;
    let filter =
        DeploymentFilter { client: Some(client.id.clone()), since: Some(since), ..DeploymentFilter::default() };
    let alerts = values(store.alerts_of(&client.id, from - TimeDelta::days(SILENCE_DAYS)).await?);
    let mut notices = values(store.notices_between(&client.id, since, to).await?);
    let raised = alerts.iter().filter(|alert| from <= alert.raised_at && alert.raised_at < to);
    let keys: Vec<String> =
        raised.flat_map(|a| (0..=LEVEL_MAX).map(|level| format!("alert/{}/{level}", a.id))).collect();
    notices.extend(values(store.notices_by_key(&keys).await?));
    let mut events = store.chain_events(&client.id, &[EventKind::InventoryChanged], None).await?;
    events.extend(store.chain_events(&client.id, &KINDS, Some(since)).await?);
    events.sort_by_key(|event| event.seq);
    let own = |agreement: &Agreement| agreement.client == client.id;
    let mut states: BTreeMap<String, ServerState> = BTreeMap::new();
    for server in &client.servers {
        states.extend(store.state(&server.id).await?.map(|state| state.value));
    }
    Ok(report::report(&Ledger {
        now,
        month,
        client: &client,
        terms,
        region,
        releases: &values(store.releases().await?),
        deployments: &values(store.deployments(&filter).await?),
        requests: &values(store.requests(Some(&client.id)).await?),
        agreements: &values(store.agreements().await?).into_iter().filter(own).collect::<Vec<_>>(),
        alerts: &alerts,
        notices: &notices,
        events: &events,
        states: &states,
    }))
}

/// Highest level of escalation (6.1.7).
const LEVEL_MAX: u8 = 3;

/// Works the facts of a report out again, from the history alone.
pub async fn verify(o: &Orchestrator, report: &Report, month: Month) -> Result<Verified, ReportError> {
    let client = known(o, &report.client).await?;
    let schedule = &o
        .terms
        .get(&client.schedule)
        .ok_or_else(|| ReportError::NoSchedule { client: client.id.clone(), schedule: client.schedule.clone() })?
        .schedule;
    let mut checkers = BTreeMap::new();
    for server in &client.servers {
        let checker = Checker::new(schedule, &client.holidays, server.zone)
            .map_err(|source| ReportError::Checker { client: client.id.clone(), source })?;
        checkers.insert(server.id.clone(), Arc::new(checker));
    }
    let own = o.store.chain_events(&client.id, &[], None).await?;
    let published = [EventKind::ReleasePublished, EventKind::ReleaseRetracted];
    let provider = o.store.chain_events(PROVIDER, &published, None).await?;
    let told = report.facts();
    let history = recount::facts(&Case {
        now: report.made_at,
        first: month.first(),
        client: &client,
        own: &own,
        provider: &provider,
        checkers: &checkers,
        silent_after_minutes: schedule.agents.silent_after_minutes,
    });
    let differences = recount::differences(&told, &history).into_iter().map(|(fact, report, history)| Difference {
        fact,
        report,
        history,
    });
    Ok(Verified {
        client: client.id.clone(),
        month: report.month.clone(),
        facts: told.len(),
        differences: differences.collect(),
    })
}

async fn known(o: &Orchestrator, id: &str) -> Result<Client, ReportError> {
    let found = o.store.client(id).await?;
    Ok(found.ok_or_else(|| ReportError::NoClient(id.to_owned()))?.value)
}

fn values<T>(rows: Vec<Stored<T>>) -> Vec<T> {
    rows.into_iter().map(|row| row.value).collect()
}
