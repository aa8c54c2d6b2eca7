//! Which slot: admissible intervals for one release on one server, and the room that is left in them.

use super::{Draft, Facts, reach, words};
use crate::model::decision::{Outcome, Reason};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// How far ahead a slot is looked for when none is left before the deadline.
const SEARCH_DAYS: i64 = 45;

/// Time a release needs inside its slot: installing it and, should that fail, putting the old version back.
pub(super) fn need(release: &Release) -> TimeDelta {
    let manifest = release.manifest();
    TimeDelta::minutes(i64::from(manifest.duration_minutes) + i64::from(manifest.rollback_minutes))
}

/// What there is to choose from, and why some slots fell away.
#[derive(Default)]
pub(super) struct Choice {
    pub slots: Vec<Slot>,
    pub reasons: Vec<Reason>,
}

/// The slots of `window` that begin at or after `from` (or are open now) in which `need` still fits, outside the
/// barred window and the client's closed periods, and after the last failed try.
pub(super) fn admissible(facts: &Facts, window: &str, from: DateTime<Utc>, release: &Release) -> Choice {
    let mut choice = Choice::default();
    let until = from.max(facts.now) + TimeDelta::days(SEARCH_DAYS);
    let barred = facts.terms.window(&facts.terms.schedule.minor.never_in);
    let failed_in = reach::failures(facts, release).next_back().map(|d| d.slot.start);
    for slot in facts.terms.window(window).slots(facts.calendar, facts.now, until) {
        if slot.start < from || failed_in.is_some_and(|start| slot.start <= start) {
            continue;
        }
        if !fits(facts, slot, need(release)) {
            // Only the next slot's shortness explains anything; that of a hundred later ones is noise.
            if choice.slots.is_empty() && choice.reasons.is_empty() {
                choice.reasons.push(words::too_short(facts, slot, release));
            }
        } else if barred.touches(facts.calendar, slot) {
            choice.reasons.push(words::office_hours(facts, slot));
        } else if let Some(closed) = closed_in(facts, slot) {
            choice.reasons.push(words::closed(facts, slot, closed));
        } else {
            choice.slots.push(slot);
        }
    }
    choice.reasons.dedup();
    choice
}

/// Whether `need` still fits between now (or the slot's start) and the slot's end.
pub(super) fn fits(facts: &Facts, slot: Slot, need: TimeDelta) -> bool {
    slot.end - slot.start.max(facts.now) >= need
}

fn closed_in<'a>(facts: &'a Facts, slot: Slot) -> Option<&'a crate::model::fleet::ClosedDays> {
    let first = facts.calendar.local(slot.start).date();
    let last = facts.calendar.local(slot.end - TimeDelta::seconds(1)).date();
    first.iter_days().take_while(|day| *day <= last).find_map(|day| facts.calendar.closed_on(day))
}

/// The slot promised before for this release, if it is among those still admissible.
pub(super) fn promised(facts: &Facts, release: &Release, slots: &[Slot]) -> Option<Slot> {
    open_deployment(facts, release).map(|d| d.slot).filter(|slot| slots.contains(slot))
}

pub(super) fn open_deployment<'a>(facts: &'a Facts, release: &Release) -> Option<&'a Deployment> {
    facts.deployments.iter().find(|d| {
        d.product == release.product() && d.to == *release.version() && matches!(d.state, DeploymentState::Planned)
    })
}

/// One server installs one thing at a time: what is planned into one slot must fit into it together. What does
/// not fit waits, held, with the reason; groups were joined before and stay whole.
pub(super) fn reserve(facts: &Facts, drafts: &mut [Draft]) {
    let mut used: BTreeMap<Slot, TimeDelta> = BTreeMap::new();
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|i| {
        let plan = drafts[*i].outcome.plan();
        plan.map(|p| (p.slot, p.deadline.unwrap_or(DateTime::<Utc>::MAX_UTC), p.leader.clone(), p.position))
    });
    let mut at = 0;
    while at < order.len() {
        let Some(plan) = drafts[order[at]].outcome.plan().cloned() else {
            at += 1;
            continue;
        };
        let members: Vec<usize> = order[at..]
            .iter()
            .copied()
            .take_while(|i| drafts[*i].outcome.plan().is_some_and(|p| p.slot == plan.slot && p.leader == plan.leader))
            .collect();
        let total: TimeDelta = members
            .iter()
            .filter_map(|i| drafts[*i].release.as_deref().map(need))
            .fold(TimeDelta::zero(), |a, b| a + b);
        let taken = used.entry(plan.slot).or_insert(TimeDelta::zero());
        if fits(facts, plan.slot, *taken + total) {
            *taken += total;
        } else {
            for i in &members {
                let draft = &mut drafts[*i];
                draft.reasons.push(words::slot_full(facts, plan.slot));
                draft.outcome = Outcome::Held { plan: draft.outcome.plan().cloned() };
            }
        }
        at += members.len().max(1);
    }
}
