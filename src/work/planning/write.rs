//! Writing what planning found: one set of changes for each server, alerts of all of them together.

use super::{PlanningError, Report, World};
use crate::decide::checker::Finding;
use crate::decide::inspect;
use crate::decide::reconcile::{self, Ids, Steps};
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::alert::{Alert, AlertClass, NewAlert};
use crate::model::decision::Decision;
use crate::model::event::{EventKind, NewEvent};
use crate::work::{Orchestrator, alerts};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Alerts by cause: those that are open, and those that this planning raises.
struct Causes {
    open: BTreeMap<String, Stored<Alert>>,
    raised: BTreeSet<String>,
    next_id: i64,
}

/// Commits what each of the `differing` servers needs. A server whose rows changed meanwhile is left for next time.
pub(super) async fn commit(
    o: &Orchestrator,
    world: &World,
    differing: &[(usize, Vec<Decision>)],
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), PlanningError> {
    if differing.is_empty() {
        return Ok(());
    }
    let (differing, blocked) = inspected(world, differing, now);
    alert_blocked(o, blocked, now).await?;
    let mut planned = Vec::with_capacity(differing.len());
    let new: u32 = differing.iter().map(|(place, d)| reconcile::new_deployments(d, world.site(*place))).sum();
    let mut id = if new > 0 { o.store.allocate(Sequence::Deployment, new).await? } else { 0 };
    for (place, decisions) in &differing {
        let steps = reconcile::steps(world, *place, decisions, Ids::from(id), now)?;
        id += i64::from(reconcile::new_deployments(decisions, world.site(*place)));
        if !steps.is_empty() {
            planned.push((*place, steps));
        }
    }
    let mut causes = Causes::load(o, &planned).await?;
    let places: Vec<usize> = planned.iter().map(|(place, _)| *place).collect();
    let batch = planned.into_iter().map(|(place, steps)| causes.changes(o, world, place, steps, now)).collect();
    for (place, result) in places.into_iter().zip(o.store.commit_batch(batch).await?) {
        match result {
            Ok(()) => report.changed += 1,
            Err(StoreError::Conflict { what }) => {
                tracing::debug!(server.id = %world.server(place).id, what, "left for the next activation");
                report.conflicts += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

type Differing<'a> = Vec<&'a (usize, Vec<Decision>)>;

/// Parts what the checker has nothing against from what it forbids: a fatal finding blocks a server's commit.
fn inspected<'a>(
    world: &World,
    differing: &'a [(usize, Vec<Decision>)],
    now: DateTime<Utc>,
) -> (Differing<'a>, Vec<Vec<Finding>>) {
    let (mut good, mut blocked) = (Vec::with_capacity(differing.len()), Vec::new());
    for differs in differing {
        let (place, decisions) = differs;
        let mut findings = inspect::decisions(world, *place, decisions, now);
        findings.retain(Finding::is_fatal);
        if findings.is_empty() {
            good.push(differs);
        } else {
            blocked.push(findings);
        }
    }
    (good, blocked)
}

/// A plan that the checker forbids is not written, and staff are told what is wrong with it: one alert for each server.
async fn alert_blocked(o: &Orchestrator, blocked: Vec<Vec<Finding>>, now: DateTime<Utc>) -> Result<(), StoreError> {
    for findings in blocked {
        let Some(first) = findings.first() else { continue };
        let text = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        tracing::error!(server.id = %first.server, rule = %first.rule, "a plan was blocked: {text}");
        let alert = NewAlert {
            cause: format!("check/{}", first.server),
            class: AlertClass::Applications,
            client: Some(first.client.clone()),
            server: Some(first.server.clone()),
            product: Some(first.product.clone()).filter(|p| !p.is_empty()),
            deployment: None,
            title: format!("a plan for {} was blocked by the checker ({})", first.server, first.rule),
            text: text.clone(),
        };
        let mut changes = Changes::default();
        alerts::raise(o, &mut changes, alert).await?;
        if !changes.is_empty() {
            changes.events.push(NewEvent::new(now, &first.client, EventKind::CheckFailed, text).server(&first.server));
        }
        match o.store.commit(changes).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Causes {
    async fn load(o: &Orchestrator, planned: &[(usize, Steps)]) -> Result<Causes, StoreError> {
        let concerned = planned.iter().any(|(_, s)| !s.alerts.is_empty() || !s.resolved.is_empty());
        if !concerned {
            return Ok(Causes { open: BTreeMap::new(), raised: BTreeSet::new(), next_id: 0 });
        }
        let causes: BTreeSet<String> =
            planned.iter().flat_map(|(_, s)| s.alerts.iter().map(|a| &a.cause).chain(&s.resolved)).cloned().collect();
        let open = o.store.open_alerts_by_cause(&causes.into_iter().collect::<Vec<_>>()).await?;
        let fresh: BTreeSet<&str> = planned
            .iter()
            .flat_map(|(_, steps)| &steps.alerts)
            .map(|alert| alert.cause.as_str())
            .filter(|cause| !open.contains_key(*cause))
            .collect();
        let n = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        let next_id = if n > 0 { o.store.allocate(Sequence::Alert, n).await? } else { 0 };
        Ok(Causes { open, raised: BTreeSet::new(), next_id })
    }

    /// The rows, events and notices of one server's steps.
    fn changes(&mut self, o: &Orchestrator, world: &World, place: usize, steps: Steps, now: DateTime<Utc>) -> Changes {
        let mut changes = Changes { events: steps.events, notices: steps.notices, ..Changes::default() };
        for deployment in steps.deployments {
            let rev = world.deployment_revs.get(&deployment.id).copied().unwrap_or(0);
            changes.rows.push(Row::Deployment(Stored { rev, value: deployment }));
        }
        for cause in &steps.resolved {
            if let Some(alert) = self.open.remove(cause) {
                alerts::add_resolved(o, &mut changes, &alert, "the reason is gone");
            }
        }
        for alert in steps.alerts {
            self.raise(o, world, place, alert, now, &mut changes);
        }
        if let Some(standing) = steps.standing {
            let rev = world.standing_revs.get(&standing.server).copied().unwrap_or(0);
            changes.rows.push(Row::Standing(Stored { rev, value: standing }));
        }
        changes
    }

    fn raise(
        &mut self,
        o: &Orchestrator,
        world: &World,
        place: usize,
        alert: NewAlert,
        now: DateTime<Utc>,
        changes: &mut Changes,
    ) {
        if self.open.contains_key(&alert.cause) || !self.raised.insert(alert.cause.clone()) {
            return;
        }
        let due =
            alerts::due_at(o, Some(&world.customer(place).terms), Some(world.site(place).almanac.calendar()), now);
        let id = self.next_id;
        self.next_id += 1;
        alerts::add(o, changes, alerts::opened(id, alert, now, due), now);
    }
}

/// Ends the alert of a release that stopped and goes on again, or that its publisher withdrew.
pub(super) async fn resume_alerts(o: &Orchestrator, world: &World) -> Result<(), StoreError> {
    for alert in o.store.alerts(false).await?.iter().filter(|a| a.cause.starts_with(reconcile::HALTED)) {
        let Some((product, version)) = alert.cause[reconcile::HALTED.len()..].split_once(' ') else { continue };
        let Ok(version) = version.parse() else { continue };
        let progress = world.rollout().get(product, &version);
        let stopped = world
            .customers()
            .iter()
            .map(|c| &c.terms.schedule.rollout)
            .any(|terms| progress.canaries_stop(terms) || progress.halt(terms).is_some());
        let withdrawn = world.release(product, &version).is_none_or(|r| r.retracted.is_some());
        if stopped && !withdrawn {
            continue;
        }
        let mut changes = Changes::default();
        let note = if withdrawn { "withdrawn by its publisher" } else { "it goes on" };
        alerts::add_resolved(o, &mut changes, alert, note);
        match o.store.commit(changes).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
