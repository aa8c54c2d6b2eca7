//! From decisions to changes: what has to be written so that the database says what was decided.

use super::{PlanningError, World};
use crate::edge::store::{Changes, Row, Sequence, Standing, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::decision::{Decision, Outcome, Plan};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::{Client, Server};
use crate::model::manifest::Text;
use crate::model::notice::{Installation, Letter, NewNotice};
use crate::model::release::Release;
use crate::model::request::{Request, RequestState};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Change;
use crate::work::{Orchestrator, alerts};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

struct Site<'a> {
    world: &'a World,
    client: &'a Client,
    server: &'a Server,
    now: DateTime<Utc>,
}

/// The rows, events and notices that make the database agree with `decisions`.
pub(super) async fn changes(
    o: &Orchestrator,
    world: &World,
    client: &Client,
    server: &Server,
    decisions: &[Decision],
    now: DateTime<Utc>,
) -> Result<Changes, PlanningError> {
    let site = Site { world, client, server, now };
    let open: Vec<&Stored<Deployment>> = world
        .deployments
        .get(&server.id)
        .into_iter()
        .flatten()
        .filter(|d| matches!(d.state, DeploymentState::Planned))
        .collect();
    let mut changes = Changes::default();
    for deployment in &open {
        if !decisions.iter().any(|d| intends(d, deployment)) {
            site.cancel(deployment, decisions, &mut changes)?;
        }
    }
    site.groups(o, &open, decisions, &mut changes).await?;
    site.standing(o, decisions, &mut changes).await?;
    Ok(changes)
}

fn intends(decision: &Decision, deployment: &Deployment) -> bool {
    decision.product == deployment.product && decision.outcome.intent().is_some_and(|p| p.version == deployment.to)
}

impl Site<'_> {
    /// Inserts, moves and groups what is planned. The action of a group is the id of its first deployment.
    async fn groups(
        &self,
        o: &Orchestrator,
        open: &[&Stored<Deployment>],
        decisions: &[Decision],
        changes: &mut Changes,
    ) -> Result<(), PlanningError> {
        let mut groups: BTreeMap<(Slot, &str), Vec<(&Plan, &Decision)>> = BTreeMap::new();
        for decision in decisions {
            if let Some(plan) = decision.outcome.plan() {
                groups.entry((plan.slot, &plan.leader)).or_default().push((plan, decision));
            }
        }
        for mut members in groups.into_values() {
            members.sort_by_key(|(plan, _)| plan.position);
            let mut action = None;
            for (plan, decision) in members {
                let known = open.iter().find(|d| d.product == decision.product && d.to == plan.version);
                let id = match known {
                    Some(known) => known.id,
                    None => o.store.allocate(Sequence::Deployment, 1).await?,
                };
                let action = *action.get_or_insert(id);
                match known {
                    Some(known) => self.keep(known, plan, decision, action, changes),
                    None => self.insert(id, action, plan, decision, changes),
                }
            }
        }
        Ok(())
    }

    fn insert(&self, id: i64, action: i64, plan: &Plan, decision: &Decision, changes: &mut Changes) {
        let Some(release) = self.world.release(&decision.product, &plan.version) else { return };
        let failed = self
            .world
            .deployments
            .get(&self.server.id)
            .into_iter()
            .flatten()
            .filter(|d| d.product == decision.product && d.to == plan.version)
            .filter(|d| matches!(d.state, DeploymentState::RolledBack { .. } | DeploymentState::Failed { .. }))
            .count();
        let deployment = Deployment {
            id,
            action,
            position: plan.position,
            client: self.client.id.clone(),
            server: self.server.id.clone(),
            product: decision.product.clone(),
            from: self.world.installed(&self.server.id, &decision.product).cloned(),
            to: plan.version.clone(),
            change: if plan.request.is_some() { Change::Major } else { Change::Minor },
            manual: release.manifest().is_manual(),
            attended_by: None,
            slot: plan.slot,
            published_at: release.published_at(),
            deadline: plan.deadline,
            request: plan.request,
            attempt: u32::try_from(failed).unwrap_or(u32::MAX).saturating_add(1),
            reasons: decision.reasons.clone(),
            state: DeploymentState::Planned,
        };
        let text = format!("{} {} planned for {}", deployment.product, deployment.to, self.when(plan.slot));
        let event = NewEvent::new(self.now, &self.client.id, EventKind::Planned, text);
        changes.events.push(event.about(&deployment).reasons(decision.reasons.clone()));
        let installation = self.installation(&deployment, release);
        let letter = match (deployment.change, deployment.manual) {
            (Change::Major, _) => Letter::MajorPlanned(installation),
            (Change::Minor, true) => Letter::ManualPlanned(installation),
            (Change::Minor, false) => Letter::MinorPlanned(installation),
        };
        self.notify(format!("planned/{id}"), &deployment, letter, changes);
        changes.rows.push(Row::Deployment(Stored::new(deployment)));
    }

    fn keep(&self, known: &Stored<Deployment>, plan: &Plan, decision: &Decision, action: i64, changes: &mut Changes) {
        let moved = known.slot != plan.slot;
        let regrouped = known.action != action || known.position != plan.position;
        if !moved && !regrouped && known.deadline == plan.deadline && known.request == plan.request {
            return;
        }
        let deployment = Deployment {
            slot: plan.slot,
            action,
            position: plan.position,
            deadline: plan.deadline,
            request: plan.request,
            attended_by: known.attended_by.clone().filter(|_| !moved),
            reasons: decision.reasons.clone(),
            ..known.value.clone()
        };
        let what = if moved { "moved to" } else { "stays, regrouped, on" };
        let text = format!("{} {} {what} {}", deployment.product, deployment.to, self.when(plan.slot));
        let event = NewEvent::new(self.now, &self.client.id, EventKind::Moved, text);
        changes.events.push(event.about(&deployment).reasons(decision.reasons.clone()));
        if moved && let Some(release) = self.world.release(&deployment.product, &deployment.to) {
            let letter = Letter::Moved {
                installation: self.installation(&deployment, release),
                was: known.slot,
                why: why(decision),
            };
            self.notify(
                format!("moved/{}/{}", deployment.id, plan.slot.start.timestamp()),
                &deployment,
                letter,
                changes,
            );
        }
        changes.rows.push(Row::Deployment(known.with(deployment)));
    }

    /// Gives up a deployment that is no longer intended, and says why.
    fn cancel(
        &self,
        known: &Stored<Deployment>,
        decisions: &[Decision],
        changes: &mut Changes,
    ) -> Result<(), PlanningError> {
        let release = self.world.release(&known.product, &known.to);
        let retraction = release.and_then(|r| r.retracted.as_ref());
        let decision = decisions.iter().find(|d| d.product == known.product);
        let superseded = decision.and_then(|d| d.outcome.intent()).filter(|p| p.version > known.to);
        let text = match (retraction, superseded, decision) {
            (Some(retraction), _, _) => format!("withdrawn by its publisher: {}", retraction.reason),
            (None, Some(newer), _) => format!("superseded by {}", newer.version),
            (None, None, Some(decision)) => why(decision).en.unwrap_or_default(),
            (None, None, None) => "the product is no longer on the server".to_owned(),
        };
        let deployment = known.value.clone().cancel(self.now, text.clone())?;
        let event = NewEvent::new(
            self.now,
            &self.client.id,
            EventKind::Cancelled,
            format!("{} {}: {text}", known.product, known.to),
        );
        changes.events.push(event.about(&deployment));
        if let (Some(release), Some(retraction)) = (release, retraction) {
            let letter = Letter::Retracted {
                product: release.product().to_owned(),
                version: release.version().clone(),
                reason: retraction.reason.clone(),
                installed_on: Vec::new(),
            };
            self.notify(format!("retracted/{}/{}", known.id, self.client.id), &deployment, letter, changes);
        } else if let (Some(release), None) = (release, superseded) {
            let why = decision.map_or_else(|| Text { fr: text.clone(), en: None }, why);
            let letter = Letter::Cancelled { installation: self.installation(&deployment, release), why };
            self.notify(format!("cancelled/{}", known.id), &deployment, letter, changes);
        }
        changes.rows.push(Row::Deployment(known.with(deployment)));
        Ok(())
    }

    /// What is held, late or waiting for a request is an event, an alert or a letter when it begins, not each time.
    async fn standing(
        &self,
        o: &Orchestrator,
        decisions: &[Decision],
        changes: &mut Changes,
    ) -> Result<(), PlanningError> {
        let known = self.world.standings.get(&self.server.id);
        let before = known.map(|s| s.outcomes.clone()).unwrap_or_default();
        let mut after = BTreeMap::new();
        for decision in decisions {
            let version = decision.outcome.intent().map_or("-", |p| p.version.as_str());
            let rule = decision.reasons.last().map_or("", |r| r.rule.id());
            let key = if after.contains_key(&decision.product) {
                format!("{}#2", decision.product)
            } else {
                decision.product.clone()
            };
            let value = format!("{} {rule} {version}", decision.outcome.name());
            if before.get(&key) != Some(&value) {
                self.begin(o, decision, changes).await?;
            }
            after.insert(key, value);
        }
        for (key, value) in &before {
            let ended = value.starts_with("held") || value.starts_with("late");
            if ended && after.get(key) != Some(value) {
                let product = key.split('#').next().unwrap_or(key);
                let event = NewEvent::new(
                    self.now,
                    &self.client.id,
                    EventKind::Released,
                    format!("{product}: no longer {value}"),
                );
                changes.events.push(event.server(&self.server.id).product(product));
                let still = after.get(key).is_some_and(|v| v.split(' ').next() == value.split(' ').next());
                if !still {
                    let cause = cause(value.split(' ').next().unwrap_or("held"), &self.server.id, product);
                    alerts::resolve_cause(o, changes, &cause, "the reason is gone").await?;
                }
            }
        }
        if before != after {
            let standing = Standing { server: self.server.id.clone(), outcomes: after };
            changes
                .rows
                .push(Row::Standing(known.map_or_else(|| Stored::new(standing.clone()), |k| k.with(standing.clone()))));
        }
        Ok(())
    }

    async fn begin(&self, o: &Orchestrator, decision: &Decision, changes: &mut Changes) -> Result<(), PlanningError> {
        let kind = match &decision.outcome {
            Outcome::Held { .. } => EventKind::Held,
            Outcome::Late(_) => EventKind::Late,
            Outcome::Waiting => {
                self.offer_major(decision, changes);
                return Ok(());
            }
            Outcome::UpToDate | Outcome::Planned(_) | Outcome::Running | Outcome::OutOfScope => return Ok(()),
        };
        let Some(reason) = decision.reasons.last() else { return Ok(()) };
        let text = format!("{}: {}", decision.product, reason.text);
        let event = NewEvent::new(self.now, &self.client.id, kind, text);
        changes.events.push(event.server(&self.server.id).product(&decision.product).reasons(decision.reasons.clone()));
        let word = decision.outcome.name();
        let alert = NewAlert {
            cause: cause(word, &self.server.id, &decision.product),
            class: if reason.rule == Rule::BackupFirst { AlertClass::Systems } else { AlertClass::Applications },
            client: Some(self.client.id.clone()),
            server: Some(self.server.id.clone()),
            product: Some(decision.product.clone()),
            deployment: None,
            title: format!("{} {word} on {} ({})", decision.product, self.server.id, reason.rule),
            text: decision.reasons.iter().map(|r| format!("{}: {}", r.rule, r.text)).collect::<Vec<_>>().join("\n"),
        };
        alerts::raise(o, changes, alert).await?;
        Ok(())
    }

    /// A major that only waits for a request is announced once per client (annexe 3).
    fn offer_major(&self, decision: &Decision, changes: &mut Changes) {
        if decision.reasons.last().map(|r| r.rule) != Some(Rule::MajorOnRequest) {
            return;
        }
        let newest = self.world.with_facts(self.client, self.server, self.now, |facts| {
            facts
                .catalog
                .get(&decision.product)
                .and_then(|all| all.iter().rev().find(|r| r.retracted.is_none()).cloned())
        });
        let (Some(release), Some(calendar)) = (newest, self.world.calendar(&self.server.id)) else { return };
        let count = crate::decide::notice::count(self.world.terms_of(self.client), calendar, self.now);
        changes.notices.push(NewNotice {
            key: format!("available/{}/{}/{}", self.client.id, release.product(), release.version()),
            at: self.now,
            client: Some(self.client.id.clone()),
            server: None,
            deployment: None,
            letter: Letter::MajorAvailable {
                product: release.product().to_owned(),
                version: release.version().clone(),
                manifest: Box::new(release.manifest().clone()),
                earliest: count.earliest,
            },
        });
    }

    /// A slot in the site's own time: "Wed 29 Apr 22:00 to Thu 30 Apr 07:00".
    fn when(&self, slot: Slot) -> String {
        let local = |at: DateTime<Utc>| at.with_timezone(&self.server.zone).format("%a %-d %b %H:%M").to_string();
        format!("{} to {}", local(slot.start), local(slot.end))
    }

    fn installation(&self, deployment: &Deployment, release: &Release) -> Installation {
        Installation {
            server: deployment.server.clone(),
            zone: self.server.zone,
            product: deployment.product.clone(),
            from: deployment.from.clone(),
            to: deployment.to.clone(),
            slot: deployment.slot,
            deadline: deployment.deadline,
            finished_at: deployment.state.finished_at(),
            manifest: Box::new(release.manifest().clone()),
        }
    }

    fn notify(&self, key: String, deployment: &Deployment, letter: Letter, changes: &mut Changes) {
        changes.notices.push(NewNotice {
            key,
            at: self.now,
            client: Some(self.client.id.clone()),
            server: Some(self.server.id.clone()),
            deployment: Some(deployment.id),
            letter,
        });
    }
}

/// One cause per server, product and kind of trouble: the same trouble raised again is the same alert.
fn cause(word: &str, server: &str, product: &str) -> String {
    format!("{word}/{server}/{product}")
}

/// The reason that settled a decision, for a letter.
fn why(decision: &Decision) -> Text {
    let last = decision.reasons.last();
    Text { fr: last.map(|r| r.fr.clone()).unwrap_or_default(), en: last.map(|r| r.text.clone()) }
}

/// Ends a request whose date has passed.
pub(super) async fn expire(
    o: &Orchestrator,
    request: &Stored<Request>,
    now: DateTime<Utc>,
) -> Result<Changes, PlanningError> {
    let mut changes = Changes::default();
    let text = format!(
        "request {} for {} {} was not carried out by {}",
        request.id, request.product, request.version, request.before
    );
    let event = NewEvent::new(now, &request.client, EventKind::RequestExpired, text.clone());
    changes.events.push(event.product(&request.product).request(request.id));
    let alert = NewAlert {
        cause: format!("request-expired/{}", request.id),
        class: AlertClass::Applications,
        client: Some(request.client.clone()),
        server: None,
        product: Some(request.product.clone()),
        deployment: None,
        title: format!("request {} expired: {} {}", request.id, request.product, request.version),
        text,
    };
    alerts::raise(o, &mut changes, alert).await?;
    let expired = Request { state: RequestState::Expired { at: now }, ..request.value.clone() };
    changes.rows.push(Row::Request(request.with(expired)));
    Ok(changes)
}
