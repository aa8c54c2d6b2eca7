//! Minor and manual updates: which release, which night (`minor-night`, `manual-slots`).

use super::reach::Reach;
use super::{Draft, Facts, Progress, reach, slots, words};
use crate::decide::notice;
use crate::model::decision::{Outcome, Plan, Reason};
use crate::model::fleet::Ring;
use crate::model::release::Release;
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;

/// Time before a slot from which a missing backup holds the installation, so that staff can still act.
const BACKUP_LEAD: TimeDelta = TimeDelta::hours(4);

pub(super) fn draft(facts: &Facts, product: &str, installed: &Version, reach: &Reach) -> Option<Draft> {
    let newest = reach.minors.first()?;
    let mut chosen = place(facts, newest);
    // A newer release must not cost an older one its deadline: then the older goes first.
    for older in &reach.minors[1..] {
        let deadline = deadline(facts, older);
        let too_late = chosen.1.outcome.intent().is_none_or(|plan| deadline.is_some_and(|d| plan.slot.end > d));
        if !too_late || is_spent(facts, older) {
            continue;
        }
        let candidate = place(facts, older);
        if candidate.1.outcome.plan().is_some_and(|plan| deadline.is_some_and(|d| plan.slot.end <= d)) {
            chosen = candidate;
            chosen.1.reasons.push(words::older_first(facts, older, newest));
            break;
        }
    }
    let (release, mut draft) = chosen;
    let mut reasons = reach.reasons.clone();
    reasons.push(words::newer(facts, &release, installed));
    reasons.append(&mut draft.reasons);
    Some(Draft { product: product.to_owned(), release: Some(release), outcome: draft.outcome, reasons })
}

/// Deadline of a minor (`minor-night`): none for a manual one, whose slots are the staffed ones.
fn deadline(facts: &Facts, release: &Release) -> Option<DateTime<Utc>> {
    (!release.manifest().is_manual())
        .then(|| notice::minor_deadline(facts.terms, facts.calendar, release.published_at()))
}

fn is_spent(facts: &Facts, release: &Release) -> bool {
    reach::failures(facts, release).count() >= facts.terms.schedule.retry.attempts_max as usize
}

struct Placed {
    outcome: Outcome,
    reasons: Vec<Reason>,
}

fn place(facts: &Facts, release: &Arc<Release>) -> (Arc<Release>, Placed) {
    let mut reasons = Vec::new();
    let outcome = outcome(facts, release, &mut reasons);
    (release.clone(), Placed { outcome, reasons })
}

fn outcome(facts: &Facts, release: &Release, reasons: &mut Vec<Reason>) -> Outcome {
    if let Some(failed) = reach::failures(facts, release).next_back() {
        reasons.push(words::failed_before(facts, failed));
        if is_spent(facts, release) {
            reasons.push(words::staff_take_over(facts, release));
            return Outcome::Held { plan: None };
        }
    }
    let progress = facts.rollout.get(&release.id()).copied().unwrap_or_default();
    if facts.server.ring == Ring::Broad && progress.failed > 0 {
        reasons.push(words::canary_failed(release, progress.failed));
        return Outcome::Held { plan: None };
    }
    if release.manifest().is_manual() {
        manual(facts, release, reasons)
    } else {
        night(facts, release, progress, reasons)
    }
}

fn night(facts: &Facts, release: &Release, progress: Progress, reasons: &mut Vec<Reason>) -> Outcome {
    let minor = &facts.terms.schedule.minor;
    let deadline = notice::minor_deadline(facts.terms, facts.calendar, release.published_at());
    reasons.push(words::minor_deadline(facts, release, deadline));
    let choice = slots::admissible(facts, &minor.window, release.published_at(), release);
    reasons.extend(choice.reasons);
    let in_time: Vec<Slot> = choice.slots.iter().copied().filter(|slot| slot.end <= deadline).collect();
    let waits =
        facts.server.ring == Ring::Broad && facts.canaries.contains(release.product()) && progress.installed == 0;
    let slot = slots::promised(facts, release, &in_time)
        .or_else(|| if waits { in_time.last().copied() } else { in_time.first().copied() });
    if let Some(slot) = slot {
        reasons.push(words::ring(facts, release, progress));
        reasons.push(words::planned(facts, slot));
        return with_backup(facts, plan_of(release, slot, Some(deadline), None), reasons, Outcome::Planned);
    }
    let Some(slot) = slots::promised(facts, release, &choice.slots).or(choice.slots.first().copied()) else {
        reasons.push(words::no_slot(facts, &minor.window));
        return Outcome::Held { plan: None };
    };
    reasons.push(words::late(facts, slot, deadline));
    with_backup(facts, plan_of(release, slot, Some(deadline), None), reasons, Outcome::Late)
}

fn manual(facts: &Facts, release: &Release, reasons: &mut Vec<Reason>) -> Outcome {
    let terms = &facts.terms.schedule.manual;
    let from = release.published_at() + TimeDelta::hours(i64::from(terms.announce_hours));
    reasons.push(words::manual(facts, release));
    let choice = slots::admissible(facts, &terms.window, from, release);
    reasons.extend(choice.reasons);
    let Some(slot) = slots::promised(facts, release, &choice.slots).or(choice.slots.first().copied()) else {
        reasons.push(words::no_slot(facts, &terms.window));
        return Outcome::Held { plan: None };
    };
    reasons.push(words::maintenance_slot(facts, slot));
    with_backup(facts, plan_of(release, slot, None, None), reasons, Outcome::Planned)
}

pub(super) fn plan_of(release: &Release, slot: Slot, deadline: Option<DateTime<Utc>>, request: Option<i64>) -> Plan {
    Plan { version: release.version().clone(), slot, deadline, request, position: 0, leader: release.id().to_string() }
}

/// `backup-first`: near the slot, no recent successful backup holds the installation.
pub(super) fn with_backup(
    facts: &Facts,
    plan: Plan,
    reasons: &mut Vec<Reason>,
    outcome: impl FnOnce(Plan) -> Outcome,
) -> Outcome {
    let not_before = notice::backup_not_before(facts.terms, facts.calendar, plan.slot.start);
    let recent = facts.state.backup.as_ref().is_some_and(|b| b.succeeded && b.finished_at >= not_before);
    let near = facts.now >= plan.slot.start - BACKUP_LEAD;
    if !recent && near {
        reasons.push(words::backup_missing(facts, not_before, near));
        return Outcome::Held { plan: Some(plan) };
    }
    let backup =
        if recent { words::backup_good(facts, not_before) } else { words::backup_missing(facts, not_before, near) };
    // The slot is what settles it, so its reason stays last.
    reasons.insert(reasons.len().saturating_sub(1), backup);
    outcome(plan)
}
