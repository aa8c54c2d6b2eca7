//! What nobody reports: agents that fell silent, installations that never ended, alerts that nobody took charge of.
//!
//! Raises and resolves by itself. A planned deployment whose slot passed unused is the planner's business.

use super::settle::{Refusal, Seen};
use super::{Orchestrator, alerts};
use crate::decide::{escalation, settle, silence};
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::alert::{Alert, AlertState};
use crate::model::deployment::Deployment;
use crate::model::event::EventKind;
use crate::model::fleet::{Client, Server};
use crate::model::schedule::Schedule;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Minutes after which an agent is silent where no schedule says otherwise (`hourly-checks`, 6.2.4).
const SILENT_AFTER_MINUTES: u32 = 60;

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Servers found silent.
    pub silent: usize,
    /// Servers heard again.
    pub heard: usize,
    /// Actions given up for want of a report.
    pub timed_out: usize,
    /// Alerts passed to a higher level.
    pub escalated: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Looks once.
pub async fn run(o: &Orchestrator) -> Result<Report, WatchError> {
    let mut report = Report::default();
    write_down_seen(o).await?;
    let clients = o.store.clients().await?;
    silent(o, &clients, &mut report).await?;
    overdue(o, &clients, &mut report).await?;
    escalate(o, &clients, &mut report).await?;
    Ok(report)
}

/// Writes when servers were heard from; notes that cannot be written are kept for the next activation.
async fn write_down_seen(o: &Orchestrator) -> Result<(), StoreError> {
    let notes = std::mem::take(&mut *o.seen.lock().unwrap_or_else(PoisonError::into_inner));
    if notes.is_empty() {
        return Ok(());
    }
    if let Err(error) = o.store.seen(&notes).await {
        let mut seen = o.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (server, at) in notes {
            // What was heard meanwhile is newer.
            seen.entry(server).or_insert(at);
        }
        return Err(error);
    }
    Ok(())
}

/// Alerts for agents that were heard once and are not any more (`hourly-checks`, 6.2.4), ended when they are heard again.
///
/// A server whose agent never came is not silent but not yet there. While we were away ourselves nobody could be
/// heard, so silence counts from our own start at the earliest.
async fn silent(o: &Orchestrator, clients: &[Stored<Client>], report: &mut Report) -> Result<(), StoreError> {
    let now = o.clock.now();
    let seen = o.store.last_seen().await?;
    let open = causes(o.store.alerts(false).await?);
    // Collected, because the iterator itself may not be kept across an await in a task.
    let sites: Vec<(&Client, &Server)> =
        clients.iter().flat_map(|c| c.servers.iter().map(move |s| (&c.value, s))).collect();
    for (client, server) in sites {
        let (Some(last), Some(schedule)) = (seen.get(&server.id), schedule_of(o, client)) else { continue };
        let limit = TimeDelta::minutes(schedule.agents.silent_after_minutes.into());
        let cause = silence::cause(&server.id);
        let mut changes = Changes::default();
        if limit < now - (*last).max(o.opened_at) {
            if !open.contains_key(&cause) {
                report.silent += 1;
                alerts::raise(o, &mut changes, silence::alert(client, server, *last)).await?;
            }
        } else if open.contains_key(&cause) && now - *last <= limit {
            report.heard += 1;
            alerts::resolve_cause(o, &mut changes, &cause, "heard again").await?;
        }
        commit(o, changes).await?;
    }
    Ok(())
}

/// Ends installations whose slot is over and whose agent should have been heard since.
async fn overdue(o: &Orchestrator, clients: &[Stored<Client>], report: &mut Report) -> Result<(), WatchError> {
    let now = o.clock.now();
    let running = DeploymentFilter { states: vec!["running".to_owned()], ..DeploymentFilter::default() };
    let mut actions: BTreeMap<i64, Vec<Stored<Deployment>>> = BTreeMap::new();
    for deployment in o.store.deployments(&running).await? {
        let grace = clients
            .iter()
            .find(|client| client.id == deployment.client)
            .and_then(|client| schedule_of(o, client))
            .map_or(SILENT_AFTER_MINUTES, |schedule| schedule.agents.silent_after_minutes);
        if settle::is_overdue(&deployment, grace, now) {
            actions.entry(deployment.action).or_default().push(deployment);
        }
    }
    for deployments in actions.into_values() {
        let seen = Seen::load(o, deployments).await?;
        let settled = seen.with_scene(now, settle::time_out)?;
        if commit(o, seen.changes(o, settled).await?).await? {
            report.timed_out += 1;
        }
    }
    Ok(())
}

/// Passes alerts that nobody took charge of to the next level (`escalation`, 6.1.7). A level that was slept through
/// is told as well, later than it should have been.
async fn escalate(o: &Orchestrator, clients: &[Stored<Client>], report: &mut Report) -> Result<(), StoreError> {
    let now = o.clock.now();
    for alert in o.store.alerts(false).await? {
        let AlertState::Open { level } = alert.state else { continue };
        let client = clients.iter().find(|client| Some(&client.id) == alert.client.as_ref());
        let schedule = client
            .and_then(|client| schedule_of(o, client))
            .or_else(|| o.terms.values().next().map(|terms| &terms.schedule));
        let Some(schedule) = schedule else { continue };
        let reached = escalation::level(&schedule.intervention, alert.due, now);
        if reached <= level {
            continue;
        }
        let value = Alert { state: AlertState::Open { level: reached }, ..alert.value.clone() };
        let text = format!("alert {} passed to level {reached}, nobody took charge of it: {}", alert.id, alert.title);
        let mut changes = Changes {
            events: vec![alerts::event(&value, now, EventKind::AlertEscalated, text)],
            notices: (level + 1..=reached).map(|level| alerts::letter(&value, now, level)).collect(),
            ..Changes::default()
        };
        alerts::call(o, &mut changes, &value, now);
        changes.rows.push(Row::Alert(alert.with(value)));
        if commit(o, changes).await? {
            report.escalated += 1;
        }
    }
    Ok(())
}

fn schedule_of<'a>(o: &'a Orchestrator, client: &Client) -> Option<&'a Schedule> {
    o.terms.get(&client.schedule).map(|terms| &terms.schedule)
}

fn causes(alerts: Vec<Stored<Alert>>) -> BTreeMap<String, i64> {
    alerts.into_iter().map(|alert| (alert.value.cause, alert.value.id)).collect()
}

/// Commits; `false` when somebody else was faster, which the next activation sees.
async fn commit(o: &Orchestrator, changes: Changes) -> Result<bool, StoreError> {
    match o.store.commit(changes).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { what }) => {
            tracing::debug!(what, "left for the next activation");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
