//! Releases that belong together: `requires` and `installs_with` make one ordered group, all or nothing.

use super::{Draft, Facts, slots, words};
use crate::model::decision::{Outcome, Plan, Reason};
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::TimeDelta;
use std::sync::Arc;

/// Joins drafts into groups; a draft whose partner cannot come along waits and says for what.
pub(super) fn join(facts: &Facts, drafts: &mut [Draft]) {
    // A partner that just began to wait can make others wait: at most one round for each draft.
    for _ in 0..drafts.len() {
        if !(0..drafts.len()).map(|i| tie(facts, drafts, i)).fold(false, |any, changed| any | changed) {
            break;
        }
    }
    number(drafts);
}

/// Ties draft `i` to what it needs. Returns whether anything changed.
fn tie(facts: &Facts, drafts: &mut [Draft], i: usize) -> bool {
    let (Some(release), Some(_)) = (drafts[i].release.clone(), drafts[i].outcome.plan()) else { return false };
    let mut changed = false;
    for requirement in &release.manifest().requires {
        let met = facts.state.inventory.get(&requirement.product).is_some_and(|v| *v >= requirement.at_least);
        if met {
            changed |= say(&mut drafts[i], words::requirement_met(requirement));
            continue;
        }
        let partner = find(drafts, &requirement.product, |r| *r.version() >= requirement.at_least);
        changed |= bind(facts, drafts, i, partner, words::requirement_missing(facts, requirement), true);
    }
    for companion in &release.manifest().installs_with {
        let there = facts.state.inventory.get(&companion.product);
        let ordered = facts.client.order.contains(&companion.product);
        if there.is_none_or(|v| *v >= companion.version) || !ordered {
            continue;
        }
        let partner = find(drafts, &companion.product, |r| *r.version() == companion.version);
        changed |= bind(facts, drafts, i, partner, words::companion_missing(companion), false);
    }
    changed
}

fn say(draft: &mut Draft, reason: Reason) -> bool {
    if !draft.reasons.contains(&reason) {
        draft.reasons.push(reason);
    }
    false
}

fn find(drafts: &[Draft], product: &str, good: impl Fn(&Arc<Release>) -> bool) -> Option<usize> {
    drafts
        .iter()
        .position(|d| d.product == product && d.outcome.intent().is_some() && d.release.as_ref().is_some_and(&good))
}

/// Puts draft `i` into its partner's slot as one group, or makes it wait.
fn bind(
    facts: &Facts,
    drafts: &mut [Draft],
    i: usize,
    partner: Option<usize>,
    missing: Reason,
    may_follow: bool,
) -> bool {
    let Some(partner) = partner.filter(|p| *p != i) else {
        drafts[i].reasons.push(missing);
        drafts[i].outcome = Outcome::Waiting;
        return true;
    };
    // What holds the partner holds the group.
    let Some(theirs) = drafts[partner].outcome.plan().cloned() else {
        let reason = words::partner_held(&drafts[partner].product);
        drafts[i].reasons.push(reason);
        drafts[i].outcome = Outcome::Held { plan: drafts[i].outcome.plan().cloned() };
        return true;
    };
    let Some(ours) = drafts[i].outcome.plan().cloned() else { return false };
    if ours.leader == theirs.leader {
        return false;
    }
    if may_follow && theirs.slot.end <= ours.slot.start {
        let reason = words::follows(facts, &drafts[partner].product, &theirs);
        return say(&mut drafts[i], reason);
    }
    if window_of(facts, &drafts[i]) != window_of(facts, &drafts[partner]) {
        return follow(facts, drafts, i, partner, &theirs, may_follow);
    }
    let Some(slot) = common_slot(facts, drafts, i, partner, ours.slot.max(theirs.slot)) else {
        let reason = words::group_does_not_fit(&drafts[partner].product);
        drafts[i].reasons.push(reason);
        drafts[i].outcome = Outcome::Waiting;
        return true;
    };
    let reason = words::together(facts, &drafts[partner].product, slot);
    drafts[i].reasons.push(reason);
    let (old, leader) = (ours.leader, theirs.leader.clone());
    for draft in drafts.iter_mut() {
        let member = draft.outcome.plan().is_some_and(|p| p.leader == old || p.leader == leader);
        if !member {
            continue;
        }
        draft.outcome = match std::mem::replace(&mut draft.outcome, Outcome::Waiting) {
            Outcome::Planned(plan) => Outcome::Planned(Plan { slot, leader: leader.clone(), ..plan }),
            Outcome::Late(plan) => Outcome::Late(Plan { slot, leader: leader.clone(), ..plan }),
            other => other,
        };
    }
    true
}

/// The window a draft's slots come from: what is attended never shares a slot with what is not.
fn window_of<'a>(facts: &Facts<'a>, draft: &Draft) -> &'a str {
    let schedule = &facts.terms.schedule;
    let major = draft.outcome.intent().is_some_and(|p| p.request.is_some());
    let manual = draft.release.as_ref().is_some_and(|r| r.manifest().is_manual());
    match (major, manual) {
        (true, _) => &schedule.major.window,
        (false, true) => &schedule.manual.window,
        (false, false) => &schedule.minor.window,
    }
}

/// Moves draft `i` behind its partner, whose slot is of another kind; it waits where it cannot follow.
fn follow(facts: &Facts, drafts: &mut [Draft], i: usize, partner: usize, theirs: &Plan, may_follow: bool) -> bool {
    let window = window_of(facts, &drafts[i]);
    let (Some(ours), Some(release)) = (drafts[i].outcome.plan().cloned(), drafts[i].release.clone()) else {
        return false;
    };
    let later = slots::admissible(facts, window, theirs.slot.end, &release).slots.into_iter().next();
    let in_time = |slot: &Slot| ours.request.is_none() || ours.deadline.is_none_or(|d| slot.end <= d);
    match later.filter(|slot| may_follow && in_time(slot)) {
        Some(slot) => {
            let reason = words::follows(facts, &drafts[partner].product, theirs);
            drafts[i].reasons.push(reason);
            let plan = Plan { slot, ..ours };
            let late = plan.deadline.filter(|d| slot.end > *d);
            if let Some(deadline) = late {
                drafts[i].reasons.push(words::late(facts, slot, deadline));
            }
            drafts[i].outcome = if late.is_some() { Outcome::Late(plan) } else { Outcome::Planned(plan) };
        }
        None => {
            let reason = words::group_does_not_fit(&drafts[partner].product);
            drafts[i].reasons.push(reason);
            drafts[i].outcome = Outcome::Waiting;
        }
    }
    true
}

/// The slot both go into: the later of the two when it is in time for both, else the earlier one.
fn common_slot(facts: &Facts, drafts: &[Draft], i: usize, partner: usize, later: Slot) -> Option<Slot> {
    let plans = [drafts[i].outcome.plan()?, drafts[partner].outcome.plan()?];
    let earlier = plans[0].slot.min(plans[1].slot);
    let need: TimeDelta = [i, partner]
        .iter()
        .filter_map(|k| drafts[*k].release.as_deref().map(slots::need))
        .fold(TimeDelta::zero(), |a, b| a + b);
    let in_time = |slot: &Slot| plans.iter().all(|p| p.deadline.is_none_or(|d| slot.end <= d));
    [earlier, later]
        .into_iter()
        .filter(|slot| slots::fits(facts, *slot, need))
        .filter(|slot| drafts[i].release.iter().chain(&drafts[partner].release).all(|r| r.published_at() <= slot.start))
        .max_by_key(|slot| (in_time(slot), std::cmp::Reverse(slot.start)))
}

/// Gives the members of each group their order: what is required comes before what requires it.
fn number(drafts: &mut [Draft]) {
    let leaders: std::collections::BTreeSet<String> =
        drafts.iter().filter_map(|d| d.outcome.plan().map(|p| p.leader.clone())).collect();
    for leader in leaders {
        let mut left: Vec<usize> =
            (0..drafts.len()).filter(|i| drafts[*i].outcome.plan().is_some_and(|p| p.leader == leader)).collect();
        let mut position = 0;
        while !left.is_empty() {
            let free = left.iter().position(|i| !left.iter().any(|j| j != i && needs(&drafts[*i], &drafts[*j])));
            // Intake refuses cycles; should one exist all the same, the order of names is as good as any.
            let next = left.remove(free.unwrap_or(0));
            if let Outcome::Planned(plan) | Outcome::Late(plan) = &mut drafts[next].outcome {
                plan.position = position;
            }
            position += 1;
        }
    }
}

fn needs(draft: &Draft, other: &Draft) -> bool {
    draft.release.as_ref().is_some_and(|r| r.manifest().requires.iter().any(|q| q.product == other.product))
}
