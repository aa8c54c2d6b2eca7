//! Releases that belong together: `requires` and `installs_with` make one ordered group, all or nothing.

use super::Facts;
use super::backup::BACKUP_LEAD;
use super::because::{Because, RingStand};
use super::companion;
use super::draft::{Draft, Verdict};
use super::major;
use super::slots::{self, Search};
use super::stuck::is_stuck;
use super::{reach, trade};
use crate::decide::almanac::Work;
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Joins drafts into groups; a draft whose partner cannot come along waits and says for what. The products that are to go
/// `apart` follow what they require.
pub(super) fn join<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>], apart: &[&String]) {
    for (i, draft) in drafts.iter_mut().enumerate() {
        if let Verdict::Planned(placed) | Verdict::Late(placed) | Verdict::Held(Some(placed)) = &mut draft.verdict {
            placed.leader = i;
        }
    }
    if !is_any_tied(drafts) {
        return;
    }
    // A partner that just began to wait can make others wait: at most one round for each draft.
    for _ in 0..drafts.len() {
        if !(0..drafts.len()).map(|i| tie(facts, drafts, i, apart)).fold(false, |any, changed| any | changed) {
            break;
        }
    }
}

/// Whether any of them has to look at another.
pub(super) fn is_any_tied(drafts: &[Draft]) -> bool {
    drafts.iter().any(is_tied)
}

fn is_tied(draft: &Draft) -> bool {
    draft.release.is_some_and(|r| !r.manifest().requires.is_empty() || !r.manifest().installs_with.is_empty())
}

/// Drafts again for each product whose release is stopped by what it is tied to, and takes another that is in time: a
/// newer release must not cost an older one its deadline, nor one that cannot go hold up a newer. `attempt` drafts and
/// joins, leaving releases aside.
pub(super) fn fall_back<'a>(
    facts: &Facts<'a>,
    mut drafts: Vec<Draft<'a>>,
    attempt: impl Fn(&[Barred<'a>]) -> Vec<Draft<'a>>,
) -> Vec<Draft<'a>> {
    let mut barred: Vec<Barred<'a>> = Vec::new();
    // Leaving one release aside can stop another product's: at most one round for each draft.
    for _ in 0..drafts.len() {
        let stopped: Vec<&'a String> =
            drafts.iter().filter(|d| stop(d).is_some() && has_another(facts, &drafts, d)).map(|d| d.product).collect();
        let older_companion = companion::older(facts, &drafts, &barred, &attempt);
        let better = older_companion.or_else(|| {
            stopped.into_iter().find_map(|product| {
                let mut with = barred.clone();
                let mut tried = None;
                loop {
                    let now = tried.as_ref().unwrap_or(&drafts);
                    with.push(now.iter().filter(|d| d.product == product).find_map(stop)?);
                    let next = attempt(&with);
                    // What goes late goes before what does not go at all.
                    let none_goes = || !drafts.iter().any(|was| was.product == product && was.verdict.plan().is_some());
                    let goes = |d: &Draft| match d.verdict {
                        Verdict::Planned(_) => true,
                        Verdict::Late(_) => none_goes(),
                        Verdict::UpToDate
                        | Verdict::Running
                        | Verdict::Waiting
                        | Verdict::Held(_)
                        | Verdict::OutOfScope => false,
                    };
                    // What is late may be in time for an older one.
                    let no_worse =
                        || none_goes() || trade::is_no_worse(&trade::met(facts, &drafts), &trade::met(facts, &next));
                    if next.iter().any(|d| d.product == product && goes(d)) && no_worse() {
                        return Some((with, next));
                    }
                    tried = Some(next);
                }
            })
        });
        let Some((with, next)) = better else { break };
        (barred, drafts) = (with, next);
    }
    drafts
}

/// Whether there is anything to fall back on: a newer release too, where an older one was to go before it.
fn has_another(facts: &Facts, drafts: &[Draft], draft: &Draft) -> bool {
    let (Some(release), Some(installed)) = (draft.release, facts.state.inventory.get(draft.product)) else {
        return false;
    };
    let mut others = reach::outstanding(facts, draft.product, installed).filter(|r| r.version() != release.version());
    others.any(|r| !is_stuck(facts, drafts, r))
}

/// A release that is left aside, and what stopped it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Barred<'a> {
    pub release: &'a Arc<Release>,
    pub because: Because<'a>,
}

/// What stops a minor that is tied to others, where that is what stops it.
fn stop<'a>(draft: &Draft<'a>) -> Option<Barred<'a>> {
    let (release, because) = (draft.release?, *draft.reasons.last()?);
    let tied = matches!(
        because,
        Because::CompanionMissing(_)
            | Because::CompanionNotOrdered(_)
            | Because::RequirementMissing(_)
            | Because::GroupDoesNotFit(_)
            | Because::PartnerHeld(_)
    );
    let late = matches!(draft.verdict, Verdict::Late(_)) && is_tied(draft);
    // What was asked for is not given up for something older.
    let asked = |b: &Because| matches!(b, Because::Requested(request) if request.version == *release.version());
    ((tied || late) && !draft.reasons.iter().any(asked)).then_some(Barred { release, because })
}

/// Ties draft `i` to what it needs. Returns whether anything changed.
fn tie<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>], i: usize, apart: &[&String]) -> bool {
    let Some(release) = drafts[i].release else { return false };
    let order = if apart.contains(&drafts[i].product) { Order::Follows } else { Order::MayFollow };
    let mut changed = false;
    if drafts[i].verdict.plan().is_some() {
        for requirement in &release.manifest().requires {
            changed |= require(facts, drafts, i, requirement, order);
        }
    }
    for companion in &release.manifest().installs_with {
        changed |= accompany(facts, drafts, i, companion);
    }
    changed
}

fn require<'a>(
    facts: &Facts<'a>,
    drafts: &mut [Draft<'a>],
    i: usize,
    requirement: &'a Requirement,
    order: Order,
) -> bool {
    if facts.state.inventory.get(&requirement.product).is_some_and(|v| *v >= requirement.at_least) {
        let because = Because::RequirementMet(requirement);
        // Said before what settled the decision, which stays last.
        if !drafts[i].reasons.contains(&because) {
            let last = drafts[i].reasons.len().saturating_sub(1);
            drafts[i].reasons.insert(last, because);
        }
        return false;
    }
    let partner = find(drafts, &requirement.product, |r| *r.version() >= requirement.at_least);
    bind(facts, drafts, i, partner, Because::RequirementMissing(requirement), order)
}

/// A companion goes in the same slot, all or nothing, whichever of the two names the other.
fn accompany<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>], i: usize, companion: &'a Companion) -> bool {
    let there = facts.state.inventory.get(&companion.product);
    if there.is_none_or(|v| *v >= companion.version) {
        return false;
    }
    if !facts.client.order.contains(&companion.product) {
        return hold(&mut drafts[i], Because::CompanionNotOrdered(companion));
    }
    let partner = find(drafts, &companion.product, |r| *r.version() == companion.version);
    if partner.is_none() && is_withdrawn(facts, companion) {
        return hold(&mut drafts[i], Because::CompanionMissing(companion));
    }
    if drafts[i].verdict.plan().is_some() {
        return bind(facts, drafts, i, partner, Because::CompanionMissing(companion), Order::SameSlot);
    }
    // It cannot go, so neither can its companion.
    let (Some(partner), Some(ours)) = (partner, drafts[i].release) else { return false };
    // A major that nobody asked for binds nobody.
    if drafts[partner].verdict.plan().is_none() || drafts[i].reasons.contains(&Because::NeedsRequest(ours)) {
        return false;
    }
    drafts[partner].say(Because::PartnerHeld(ours));
    let verdict = std::mem::replace(&mut drafts[partner].verdict, Verdict::Waiting);
    if matches!(drafts[i].verdict, Verdict::Held(_)) {
        drafts[partner].verdict = verdict.hold();
    }
    true
}

/// What was withdrawn does not come: waiting for it would let the deadline pass in silence.
fn is_withdrawn(facts: &Facts, companion: &Companion) -> bool {
    let all = facts.catalog.get(&companion.product);
    all.into_iter().flatten().any(|r| *r.version() == companion.version && r.retracted.is_some())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Whatever is required may also go before, in a slot of its own.
    MayFollow,
    /// It goes before, in a slot of its own.
    Follows,
    SameSlot,
}

fn find<'a>(drafts: &[Draft<'a>], product: &str, good: impl Fn(&Arc<Release>) -> bool) -> Option<usize> {
    drafts.iter().position(|d| d.product == product && d.verdict.intent().is_some() && d.release.is_some_and(&good))
}

/// Puts draft `i` into its partner's slot as one group, or makes it wait.
fn bind<'a>(
    facts: &Facts<'a>,
    drafts: &mut [Draft<'a>],
    i: usize,
    partner: Option<usize>,
    missing: Because<'a>,
    order: Order,
) -> bool {
    let partner = partner.filter(|p| *p != i).and_then(|p| drafts[p].release.map(|release| (p, release)));
    let Some((partner, theirs_release)) = partner else {
        return wait(facts, &mut drafts[i], missing);
    };
    let Some(ours) = drafts[i].verdict.plan().cloned() else { return false };
    // What holds the partner holds the group.
    let Some(theirs) = drafts[partner].verdict.plan().cloned() else {
        drafts[i].say(Because::PartnerHeld(theirs_release));
        let verdict = std::mem::replace(&mut drafts[i].verdict, Verdict::Waiting);
        drafts[i].verdict = verdict.hold();
        return true;
    };
    if ours.leader == theirs.leader {
        return false;
    }
    if order != Order::SameSlot && theirs.slot.end <= ours.slot.start {
        drafts[i].say_how(Because::Follows(theirs_release, theirs.slot));
        return false;
    }
    if order == Order::Follows {
        return follow(facts, &mut drafts[i], theirs_release, theirs.slot);
    }
    if order == Order::MayFollow
        && (ours.work != theirs.work || common_slot(facts, drafts, i, partner).is_none())
        && let Some(first) = sooner(facts, drafts, i, partner)
    {
        drafts[partner].reasons.retain(|said| *said != Because::Ring(RingStand::Waits));
        drafts[partner].move_to(first);
        drafts[partner].say_retry(first, Some(theirs.slot));
        return follow(facts, &mut drafts[i], theirs_release, first);
    }
    if ours.work != theirs.work {
        return match order {
            Order::MayFollow | Order::Follows => follow(facts, &mut drafts[i], theirs_release, theirs.slot),
            Order::SameSlot => hold(&mut drafts[i], Because::GroupDoesNotFit(theirs_release)),
        };
    }
    let (together, retry) = common_slot(facts, drafts, i, partner).unzip();
    // What may follow goes after it rather than too late with it.
    if order == Order::MayFollow && together.is_none_or(|slot| is_late_in(drafts, [ours.leader, theirs.leader], slot)) {
        let in_time = |slot: &Slot| ours.deadline.is_none_or(|d| slot.end <= d);
        let after = after(facts, &drafts[i], theirs.slot);
        // Nor does it make late what it requires, or later.
        let theirs_late = |slot| is_late_in(drafts, [theirs.leader; 2], slot);
        let spoils = together.is_some_and(|slot| theirs_late(slot) && slot.end > theirs.slot.end);
        if together.is_none() || spoils || !theirs.is_late() && after.is_some_and(in_time) {
            return follow(facts, &mut drafts[i], theirs_release, theirs.slot);
        }
    }
    let Some(slot) = together else {
        return hold(&mut drafts[i], Because::GroupDoesNotFit(theirs_release));
    };
    drafts[i].say_how(Because::Together(theirs_release, slot));
    let (old, leader) = (ours.leader, theirs.leader);
    for draft in drafts.iter_mut() {
        if let Some(placed) = draft.verdict.plan_mut().filter(|p| p.leader == old || p.leader == leader) {
            placed.leader = leader;
            draft.move_to(slot);
            draft.say_retry(slot, retry.flatten());
        }
    }
    true
}

/// Whether any of those that go with these leaders would be late in a slot.
fn is_late_in(drafts: &[Draft], leaders: [usize; 2], slot: &Slot) -> bool {
    let placed = drafts.iter().filter_map(|d| d.verdict.plan()).filter(|p| leaders.contains(&p.leader));
    placed.filter_map(|p| p.deadline).any(|deadline| slot.end > deadline)
}

/// It waits for what is still to come; once its last night in time is near, staff hear of it.
fn wait<'a>(facts: &Facts<'a>, draft: &mut Draft<'a>, because: Because<'a>) -> bool {
    let deadline = draft.verdict.intent().and_then(|placed| placed.deadline);
    let last_night = |deadline| {
        let nights = facts.almanac.openings(Work::Night, facts.now);
        nights.iter().rev().find(|night| night.slot.end <= deadline).map(|night| night.slot.start)
    };
    if deadline.is_some_and(|d| last_night(d).is_none_or(|start| facts.now >= start - BACKUP_LEAD)) {
        return hold(draft, because);
    }
    draft.reasons.push(because);
    draft.verdict = Verdict::Waiting;
    true
}

/// What nothing but a change of the order or of the releases can free: staff hear of it before the deadline.
fn hold<'a>(draft: &mut Draft<'a>, because: Because<'a>) -> bool {
    let Some(placed) = draft.verdict.intent() else { return false };
    draft.reasons.extend(placed.deadline.map(Because::DeadlineAtRisk));
    draft.reasons.push(because);
    draft.verdict = Verdict::Held(None);
    true
}

/// Moves a draft behind its partner; it is held where it cannot follow.
fn follow<'a>(facts: &Facts<'a>, draft: &mut Draft<'a>, partner: &'a Release, after: &'a Slot) -> bool {
    let Some(ours) = draft.verdict.plan().cloned() else { return false };
    let in_time = |slot: &Slot| ours.request.is_none() || ours.deadline.is_none_or(|d| slot.end <= d);
    let Some(slot) = self::after(facts, draft, after).filter(|slot| in_time(slot)) else {
        return hold(draft, Because::GroupDoesNotFit(partner));
    };
    draft.move_to(slot);
    draft.say_how(Because::Follows(partner, after));
    true
}

/// An earlier slot for what draft `i` requires, where only that lets it follow in time: the rings and the late slots of
/// majors are ours, the deadline is the contract's.
fn sooner<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>], i: usize, partner: usize) -> Option<&'a Slot> {
    let (ours, theirs, release) =
        (drafts[i].verdict.plan()?, drafts[partner].verdict.plan()?, drafts[partner].release?);
    let by = ours.deadline?;
    let alone = drafts.iter().filter(|d| d.verdict.plan().is_some_and(|p| p.leader == theirs.leader)).count() == 1;
    let in_time = |slot: &Slot| slot.end <= by;
    let lets_follow = |slot: &Slot| after(facts, &drafts[i], slot).is_some_and(in_time);
    if !alone || lets_follow(theirs.slot) {
        return None;
    }
    let slot = match theirs.work {
        Work::Night => Search::new(facts, Work::Night, release.published_at(), release).first(),
        Work::Major if slots::promised(facts, release) != Some(theirs.slot) => {
            Search::new(facts, Work::Major, facts.now, release).back(by).find(|slot| lets_follow(slot))
        }
        // What people were told of stays where it is; what is done by hand goes in the first slot anyway.
        Work::Major | Work::Manual => None,
    };
    slot.filter(|slot| slot.end <= theirs.slot.start && lets_follow(slot))
}

/// The first slot of its own kind that a draft may go into after another.
fn after<'a>(facts: &Facts<'a>, draft: &Draft<'a>, after: &Slot) -> Option<&'a Slot> {
    let (ours, release) = (draft.verdict.plan()?, draft.release?);
    let from = match ours.work {
        Work::Manual => after.end.max(slots::announced(facts, release)),
        Work::Night | Work::Major => after.end,
    };
    Search::new(facts, ours.work, from, release).first()
}

/// Most openings looked at for a slot that suits a whole group.
const OPENINGS_MAX: usize = 14;

/// The slot both go into: one that every member may go into and that is long enough for all of them; rather in time for
/// all, then rather behind their canaries, then rather the one a client was told of, then rather early. Majors go by their
/// own rule, which keeps another for a retry.
fn common_slot<'a>(
    facts: &Facts<'a>,
    drafts: &[Draft<'a>],
    i: usize,
    partner: usize,
) -> Option<(&'a Slot, Option<&'a Slot>)> {
    let plans = [drafts[i].verdict.plan()?, drafts[partner].verdict.plan()?];
    let leaders = [plans[0].leader, plans[1].leader];
    let members: Vec<&Draft<'a>> =
        drafts.iter().filter(|d| d.verdict.plan().is_some_and(|p| leaders.contains(&p.leader))).collect();
    let releases = || members.iter().filter_map(|d| d.release);
    let need: TimeDelta = releases().map(|r| facts.durations.need(facts.terms, r)).sum();
    let placed = || members.iter().filter_map(|d| Some((*d, d.verdict.plan()?)));
    let in_time = |slot: &Slot| placed().all(|(_, p)| p.deadline.is_none_or(|d| slot.end <= d));
    let waits = |d: &Draft| d.reasons.contains(&Because::Ring(RingStand::Waits));
    let behind_canaries = |slot: &Slot| placed().all(|(d, p)| !waits(d) || p.slot.start <= slot.start);
    let promised = |slot: &Slot| releases().any(|r| slots::promised(facts, r) == Some(slot));
    let work = plans[0].work;
    let agreed = |slot: &Slot| plans.iter().any(|p| p.slot == slot) && slots::opening_of(facts, work, slot).is_none();
    let suits = |slot: &Slot| {
        let announced = || releases().all(|r| is_announced(facts, work, r, slot));
        let kept = || releases().all(|r| slots::kept(facts, work, r, slot).is_some());
        slots::fits(facts, *slot, need)
            && releases().all(|r| slots::may_begin(facts, r, slot))
            && (agreed(slot) || announced() && kept())
    };
    if work == Work::Major {
        let members: Vec<_> = placed().filter_map(|(d, p)| Some((d.release?.as_ref(), p))).collect();
        return major::group_slot(facts, &members, suits);
    }
    let openings = facts.almanac.openings(work, facts.now).iter().take(OPENINGS_MAX).map(|o| &o.slot);
    // An agreed slot is none of the contract's openings.
    let mut slots: Vec<&'a Slot> = openings.chain(plans.map(|p| p.slot)).collect();
    slots.sort();
    slots.dedup();
    let rather = |slot: &Slot| (in_time(slot), behind_canaries(slot), promised(slot), std::cmp::Reverse(slot.start));
    slots.into_iter().filter(|slot| suits(slot)).max_by_key(|slot| rather(slot)).map(|slot| (slot, None))
}

/// Whether a contact hears early enough of a manual update in this slot; of one promised it was told before.
fn is_announced(facts: &Facts, work: Work, release: &Release, slot: &Slot) -> bool {
    match work {
        Work::Manual => slots::announced(facts, release) <= slot.start || slots::promised(facts, release) == Some(slot),
        Work::Night | Work::Major => true,
    }
}

/// Gives the members of each group their order: what is required comes before what requires it.
pub(super) fn number(drafts: &mut [Draft]) {
    let placed = |d: &Draft| d.verdict.plan().map(|p| p.leader);
    let leaders: BTreeSet<usize> =
        drafts.iter().enumerate().filter_map(|(i, d)| placed(d).filter(|leader| *leader != i)).collect();
    for leader in leaders {
        let mut left: Vec<usize> = (0..drafts.len()).filter(|i| placed(&drafts[*i]) == Some(leader)).collect();
        let mut position = 0;
        while !left.is_empty() {
            let free = left.iter().position(|i| !left.iter().any(|j| j != i && needs(&drafts[*i], &drafts[*j])));
            // Intake refuses cycles; should one exist all the same, the order of names is as good as any.
            let next = left.remove(free.unwrap_or(0));
            if let Some(placed) = drafts[next].verdict.plan_mut() {
                placed.position = position;
            }
            position += 1;
        }
    }
}

fn needs(draft: &Draft, other: &Draft) -> bool {
    draft.release.is_some_and(|r| r.manifest().requires.iter().any(|q| q.product == *other.product))
}
