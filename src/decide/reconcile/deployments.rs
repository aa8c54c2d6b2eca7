//! Deployments as they should be: inserted, moved, regrouped, given up.

use super::{Ids, Scene, Steps, Weighed, intends, why, why_moved};
use crate::decide::planner::{Verdict, Verdicts};
use crate::decide::world::Site;
use crate::model::concertation::Concertation;
use crate::model::decision::{Decision, Plan};
use crate::model::deployment::{BadTransition, Deployment, DeploymentState};
use crate::model::event::EventKind;
use crate::model::manifest::Text;
use crate::model::notice::Letter;
use crate::model::release::{Release, Retraction};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Change;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether each open deployment has its plan; that each plan has its deployment is [`differs`]'s.
pub(super) fn are_intended(verdicts: &Verdicts, site: &Site) -> bool {
    let intended = verdicts
        .iter()
        .filter(|(product, release, verdict)| verdict.intent().is_some() && find(site, product, *release).is_some());
    intended.count() == site.planned().count()
}

/// Whether a decision still has to be written: its plan has no open deployment, or not as it should be.
pub(super) fn differs(verdicts: &Verdicts, site: &Site, (product, release, verdict): Weighed, rule: Rule) -> bool {
    let Some(placed) = verdict.intent() else { return false };
    let known = find(site, product, release);
    if let Verdict::Held(_) = verdict {
        return known.is_some_and(|known| follows(&site.deployments, known, *placed.slot, rule));
    }
    // The action of a group is the id of its first deployment.
    let first = match placed.position {
        0 => known,
        _ => verdicts.first_with(placed).and_then(|(product, release)| find(site, product, release)),
    };
    let (Some(deployment), Some(first)) = (known, first) else { return true };
    let same = deployment.slot == *placed.slot
        && deployment.deadline == placed.deadline
        && deployment.request == placed.request.map(|r| r.id)
        && deployment.position == placed.position
        && deployment.action == first.id;
    !same
}

fn find<'a>(site: &'a Site, product: &str, release: Option<&Arc<Release>>) -> Option<&'a Deployment> {
    let version = release?.version();
    site.planned().find(|d| d.product == product && d.to == *version)
}

/// Whether a deployment that is held for want of a backup goes to its next slot, because its own has gone by. Any other
/// hold keeps what was promised: nobody knows when it ends.
fn follows(deployments: &[Deployment], known: &Deployment, slot: Slot, rule: Rule) -> bool {
    let mut others = deployments.iter().filter(|d| d.state == DeploymentState::Planned && d.id != known.id);
    let mut alone = || others.all(|d| d.action != known.action);
    rule == Rule::BackupFirst && known.slot != slot && alone()
}

/// The slots that deployments have once `verdicts` are written down, running ones left aside: the release, its slot, and
/// whether it was asked for.
pub(super) fn slots<'v>(
    verdicts: &'v Verdicts,
    deployments: &'v [Deployment],
) -> impl Iterator<Item = (&'v Arc<Release>, Slot, bool)> {
    verdicts.iter().zip(verdicts.rules()).filter_map(|((product, release, verdict), rule)| {
        let (placed, release) = (verdict.intent()?, release?);
        let slot = match verdict {
            Verdict::Held(_) => {
                let mut planned = deployments.iter().filter(|d| d.state == DeploymentState::Planned);
                let known = planned.find(|d| d.product == product && d.to == *release.version())?;
                if follows(deployments, known, *placed.slot, rule) { *placed.slot } else { known.slot }
            }
            Verdict::Planned(_)
            | Verdict::Late(_)
            | Verdict::UpToDate
            | Verdict::Running
            | Verdict::Waiting
            | Verdict::OutOfScope => *placed.slot,
        };
        Some((release, slot, placed.request.is_some()))
    })
}

impl Scene<'_> {
    pub(super) fn deployments(
        &self,
        decisions: &[Decision],
        mut ids: Ids,
        steps: &mut Steps,
    ) -> Result<(), BadTransition> {
        for deployment in self.site.planned() {
            if !decisions.iter().any(|d| intends(d, deployment)) {
                self.cancel(deployment, decisions, steps)?;
            }
        }
        for decision in decisions.iter().filter(|d| d.outcome.plan().is_none()) {
            let (Some(plan), Some(reason)) = (decision.outcome.intent(), decision.reasons.last()) else { continue };
            let known = self.site.planned().find(|d| d.product == decision.product && d.to == plan.version);
            if let Some(known) = known.filter(|known| follows(&self.site.deployments, known, plan.slot, reason.rule)) {
                self.keep(known, plan, decision, known.action, steps);
            }
        }
        let mut groups: BTreeMap<(Slot, &str), Vec<(&Plan, &Decision)>> = BTreeMap::new();
        for decision in decisions {
            if let Some(plan) = decision.outcome.plan() {
                groups.entry((plan.slot, &plan.leader)).or_default().push((plan, decision));
            }
        }
        for mut members in groups.into_values() {
            members.sort_by_key(|(plan, _)| plan.position);
            // The action of a group is the id of its first deployment.
            let mut action = None;
            for (plan, decision) in members {
                let known = self.site.planned().find(|d| d.product == decision.product && d.to == plan.version);
                let id = known.map_or_else(|| ids.take(), |known| known.id);
                let action = *action.get_or_insert(id);
                match known {
                    Some(known) => self.keep(known, plan, decision, action, steps),
                    None => self.insert(id, action, plan, decision, steps),
                }
            }
        }
        Ok(())
    }

    fn insert(&self, id: i64, action: i64, plan: &Plan, decision: &Decision, steps: &mut Steps) {
        let Some(release) = self.world.release(&decision.product, &plan.version) else { return };
        let failed = self
            .site
            .deployments
            .iter()
            .filter(|d| d.product == decision.product && d.to == plan.version)
            .filter(|d| d.state.is_missed())
            .count();
        let mut deployment = Deployment {
            id,
            action,
            position: plan.position,
            client: self.client().to_owned(),
            server: self.server.id.clone(),
            product: decision.product.clone(),
            from: self.site.state.inventory.get(&decision.product).cloned(),
            to: plan.version.clone(),
            change: if plan.request.is_some() { Change::Major } else { Change::Minor },
            manual: release.manifest().is_manual(),
            attended_by: None,
            slot: plan.slot,
            concertation: None,
            published_at: release.published_at(),
            deadline: plan.deadline,
            request: plan.request,
            attempt: u32::try_from(failed).unwrap_or(u32::MAX).saturating_add(1),
            reasons: decision.reasons.clone(),
            transfer: None,
            state: DeploymentState::Planned,
        };
        deployment.concertation = self.asked(&deployment);
        let text = format!("{} {} planned for {}", deployment.product, deployment.to, self.when(plan.slot));
        let event = self.event(EventKind::Planned, text).about(&deployment);
        steps.events.push(event.reasons(decision.reasons.clone()));
        let installation = self.installation(&deployment, release);
        let letter = match (deployment.change, deployment.manual) {
            (Change::Major, _) => Letter::MajorPlanned(installation),
            (Change::Minor, true) => Letter::ManualPlanned(installation),
            (Change::Minor, false) => Letter::MinorPlanned(installation),
        };
        self.notify(format!("planned/{id}"), &deployment, letter, steps);
        steps.deployments.push(deployment);
    }

    fn keep(&self, known: &Deployment, plan: &Plan, decision: &Decision, action: i64, steps: &mut Steps) {
        let moved = known.slot != plan.slot;
        let regrouped = known.action != action || known.position != plan.position;
        if !moved && !regrouped && known.deadline == plan.deadline && known.request == plan.request {
            return;
        }
        let mut deployment = Deployment {
            slot: plan.slot,
            action,
            position: plan.position,
            deadline: plan.deadline,
            request: plan.request,
            attended_by: known.attended_by.clone().filter(|_| !moved),
            reasons: decision.reasons.clone(),
            ..known.clone()
        };
        if moved {
            deployment.concertation = self.asked(&deployment);
        }
        let (what, so) = if moved { ("moved to", "") } else { ("stays on", "; what goes with it has changed") };
        let text = format!("{} {} {what} {}{so}", deployment.product, deployment.to, self.when(plan.slot));
        let event = self.event(EventKind::Moved, text).about(&deployment);
        steps.events.push(event.reasons(decision.reasons.clone()));
        if moved && let Some(release) = self.world.release(&deployment.product, &deployment.to) {
            let letter = Letter::Moved {
                installation: self.installation(&deployment, release),
                was: known.slot,
                why: why_moved(decision),
            };
            // It may be moved to where it was before: each move is told.
            let key = format!("moved/{}/{}/{}", deployment.id, plan.slot.start.timestamp(), self.now.timestamp());
            self.notify(key, &deployment, letter, steps);
        }
        steps.deployments.push(deployment);
    }

    /// Gives up a deployment that is no longer intended, and says why.
    fn cancel(&self, known: &Deployment, decisions: &[Decision], steps: &mut Steps) -> Result<(), BadTransition> {
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
        let mut deployment = known.clone().cancel(self.now, text.clone())?;
        deployment.concertation = deployment.concertation.map(|it| Concertation::after(Some(&it), self.now));
        let event = self.event(EventKind::Cancelled, format!("{} {} given up: {text}", known.product, known.to));
        steps.events.push(event.about(&deployment));
        if let (Some(release), Some(_)) = (release, retraction) {
            self.tell_retraction(release, Some(known.id), steps);
        }
        match (release, retraction.is_some() || superseded.is_some()) {
            // Its entry has to leave the calendars, whatever else is told.
            (Some(release), true) if deployment.concertation.is_some() => {
                let why = cancelled_for(retraction, superseded);
                let letter = Letter::Cancelled { installation: self.installation(&deployment, release), why };
                self.notify(format!("cancelled/{}", known.id), &deployment, letter, steps);
            }
            (Some(release), false) => {
                let why = decision.map_or_else(|| Text { fr: text.clone(), en: None }, why);
                let letter = Letter::Cancelled { installation: self.installation(&deployment, release), why };
                self.notify(format!("cancelled/{}", known.id), &deployment, letter, steps);
            }
            (Some(_), true) | (None, _) => {}
        }
        steps.deployments.push(deployment);
        Ok(())
    }
}

/// Why work that was announced to people is not done, where another letter or another plan says the rest.
fn cancelled_for(retraction: Option<&Retraction>, newer: Option<&Plan>) -> Text {
    match (retraction, newer) {
        (Some(it), _) => Text {
            fr: format!("L'éditeur a retiré cette version : {}", it.reason),
            en: Some(format!("Its publisher has withdrawn this version: {}", it.reason)),
        },
        (None, Some(newer)) => Text {
            fr: format!("La version {} la remplace ; elle vous est annoncée par un autre message.", newer.version),
            en: Some(format!("Version {} takes its place, as another letter says.", newer.version)),
        },
        (None, None) => Text { fr: String::new(), en: None },
    }
}
