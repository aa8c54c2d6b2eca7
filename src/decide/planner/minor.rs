//! Minor and manual updates: which release, which night (`minor-night`, `manual-slots`).

use super::because::{Because, RingStand};
use super::draft::{Draft, Placement, Verdict};
use super::group::Barred;
use super::reach::Reach;
use super::slots::Search;
use super::{Facts, reach, slots};
use crate::decide::almanac::Work;
use crate::decide::rollout::Progress;
use crate::model::fleet::Ring;
use crate::model::release::Release;
use crate::model::request::Request;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// The next minor of a product; `barred` are left aside.
pub(super) fn draft<'a>(
    facts: &Facts<'a>,
    product: &'a String,
    reach: &Reach<'a>,
    barred: &[Barred<'a>],
) -> Option<Draft<'a>> {
    let aside = |r: &Release| barred.iter().find(|b| b.release.product() == product && b.release.id() == r.id());
    let left: Vec<&'a Arc<Release>>;
    let minors = match barred {
        [] => &reach.minors,
        _ => {
            left = reach.minors.iter().copied().filter(|r| aside(r).is_none()).collect();
            &left
        }
    };
    let Some((newest, older)) = minors.split_first() else { return stranded(facts, product, reach) };
    let mut chosen = place(facts, newest);
    // A newer release must not cost an older one its deadline: then the older goes first, or one that makes up for it.
    for older in older {
        let made_up_for = reach.outstanding.iter().filter(|r| r.version() <= older.version());
        let too_late = |deadline: &_| chosen.verdict.plan().is_none_or(|plan| plan.slot.end > *deadline);
        let missed = made_up_for.filter_map(|r| deadline_to_come(facts, r)).filter(too_late).max();
        let Some(deadline) = missed else { continue };
        if is_spent(facts, older) {
            continue;
        }
        let candidate = place(facts, older);
        if candidate.verdict.plan().is_some_and(|plan| plan.slot.end <= deadline) {
            chosen = candidate;
            chosen.reasons.push(Because::OlderFirst(older, newest));
        }
    }
    // What goes late goes before what does not go at all.
    if chosen.verdict.plan().is_none() {
        let late = older.iter().filter(|r| !is_spent(facts, r)).map(|r| place(facts, r));
        if let Some(late) = late.into_iter().find(|candidate| candidate.verdict.plan().is_some()) {
            let aside = std::mem::replace(&mut chosen, late);
            chosen.reasons.splice(0..0, aside.reasons);
        }
    }
    let chosen = by_older_deadlines(facts, reach, minors, chosen);
    let Placed { release, verdict, reasons: placed } = chosen;
    let mut reasons = Vec::with_capacity(reach.reasons.len() + 1 + placed.len());
    reasons.extend_from_slice(&reach.reasons);
    for barred in reach.minors.iter().filter_map(|r| aside(r)) {
        match barred.because {
            Because::CompanionFirst(..) | Because::MakesWay(..) => reasons.push(barred.because),
            because => reasons.extend([because, Because::OlderFirst(release, barred.release)]),
        }
    }
    reasons.push(Because::Newer(release));
    reasons.extend(placed);
    Some(Draft { product, release: Some(release), verdict, reasons })
}

/// Ours are the rings, the contract's the deadlines: where what is left behind cannot go by itself any more, what takes
/// its place is in time for it, if it can be and nothing is the worse for it.
fn by_older_deadlines<'a>(
    facts: &Facts<'a>,
    reach: &Reach<'a>,
    minors: &[&'a Arc<Release>],
    chosen: Placed<'a>,
) -> Placed<'a> {
    if reach.outstanding.len() < 2 || chosen.verdict.plan().is_none() {
        return chosen;
    }
    let due = |r: &&'a Arc<Release>| Some((*r, deadline_to_come(facts, r)?));
    let mut dues: Vec<(&Arc<Release>, DateTime<Utc>)> = reach.outstanding.iter().filter_map(due).collect();
    dues.sort_by_key(|(_, due)| *due);
    let goes_by_itself = |r: &'a Arc<Release>, due| {
        let newer = r.version() > chosen.release.version() && minors.iter().any(|m| Arc::ptr_eq(m, r));
        newer && place(facts, r).meets(r, due)
    };
    let mut missed = dues.iter().filter(|(r, due)| !chosen.meets(r, *due) && !goes_by_itself(r, *due));
    let sooner = missed.find_map(|(missed, by)| {
        let in_its_place =
            |m: &&&'a Arc<Release>| m.version() >= missed.version() && !m.manifest().is_manual() && !is_spent(facts, m);
        minors.iter().filter(in_its_place).find_map(|release| {
            let mut reasons = Vec::with_capacity(6);
            let verdict = verdict(facts, release, Some(*by), &mut reasons);
            let sooner = Placed { release, verdict, reasons };
            let no_worse = || dues.iter().all(|(r, due)| !chosen.meets(r, *due) || sooner.meets(r, *due));
            (sooner.meets(missed, *by) && no_worse()).then_some(sooner)
        })
    });
    sooner.unwrap_or(chosen)
}

/// A minor that nothing leads to: staff hear of it, because its deadline will pass.
fn stranded<'a>(facts: &Facts<'a>, product: &'a String, reach: &Reach<'a>) -> Option<Draft<'a>> {
    let goal = reach.stranded?;
    let mut reasons = vec![Because::Newer(goal)];
    reasons.extend(deadline(facts, goal).map(Because::DeadlineAtRisk));
    // Why nothing leads there was said last.
    reasons.extend_from_slice(&reach.reasons);
    Some(Draft { product, release: Some(goal), verdict: Verdict::Held(None), reasons })
}

/// Deadline of a minor (`minor-night`): none for a manual one, whose slots are the staffed ones.
pub(super) fn deadline(facts: &Facts, release: &Release) -> Option<DateTime<Utc>> {
    (!release.manifest().is_manual()).then(|| facts.almanac.minor_deadline(facts.terms, release.published_at()))
}

/// The same, if it is not past: what was left behind long ago costs nothing any more.
pub(super) fn deadline_to_come(facts: &Facts, release: &Release) -> Option<DateTime<Utc>> {
    let published = release.published_at();
    (!release.manifest().is_manual())
        .then(|| facts.almanac.deadline_to_come(facts.terms, published, facts.now))
        .flatten()
}

pub(super) fn is_spent(facts: &Facts, release: &Release) -> bool {
    reach::failures(facts, release).count() >= facts.terms.schedule.retry.attempts_max as usize
}

struct Placed<'a> {
    release: &'a Arc<Release>,
    verdict: Verdict<'a>,
    reasons: Vec<Because<'a>>,
}

impl Placed<'_> {
    /// Whether it makes up for a release by the time that is due.
    fn meets(&self, release: &Release, due: DateTime<Utc>) -> bool {
        release.version() <= self.release.version() && self.verdict.plan().is_some_and(|plan| plan.slot.end <= due)
    }
}

fn place<'a>(facts: &Facts<'a>, release: &'a Arc<Release>) -> Placed<'a> {
    let mut reasons = Vec::with_capacity(6);
    let verdict = verdict(facts, release, None, &mut reasons);
    Placed { release, verdict, reasons }
}

/// `by` is an older release's deadline that it is to meet as well.
fn verdict<'a>(
    facts: &Facts<'a>,
    release: &'a Release,
    by: Option<DateTime<Utc>>,
    reasons: &mut Vec<Because<'a>>,
) -> Verdict<'a> {
    if let Some(failed) = reach::failures(facts, release).next_back() {
        reasons.push(Because::FailedBefore(failed));
        if is_spent(facts, release) {
            reasons.push(Because::StaffTakeOver(release));
            return Verdict::Held(None);
        }
    }
    let progress = facts.rollout.of(release);
    if let Some(stopped) = stopped(facts, release, progress) {
        reasons.extend(deadline(facts, release).map(Because::DeadlineAtRisk));
        reasons.push(stopped);
        return Verdict::Held(None);
    }
    let verdict = match release.manifest().is_manual() {
        true => manual(facts, release, reasons),
        false => night(facts, release, (progress, by), reasons),
    };
    held(facts, release, verdict, reasons)
}

/// Why a release goes no further by itself: its failure budget is used up, or the canaries failed.
fn stopped<'a>(facts: &Facts<'a>, release: &'a Release, progress: Progress) -> Option<Because<'a>> {
    if let Some(halt) = progress.halt(&facts.terms.schedule.rollout) {
        return Some(Because::Halted(release, halt, progress.into()));
    }
    let broad = facts.server.ring == Ring::Broad;
    (broad && progress.canaries_stop(&facts.terms.schedule.rollout))
        .then_some(Because::CanaryFailed(release, progress.canaries_failed))
}

/// A hold without an end keeps what would be planned.
pub(super) fn held<'a>(
    facts: &Facts<'a>,
    release: &'a Release,
    verdict: Verdict<'a>,
    reasons: &mut Vec<Because<'a>>,
) -> Verdict<'a> {
    match slots::active_holds(facts, release).find(|hold| hold.until.is_none()) {
        Some(hold) => {
            reasons.push(Because::HeldBy(hold));
            verdict.hold()
        }
        None => verdict,
    }
}

fn night<'a>(
    facts: &Facts<'a>,
    release: &'a Release,
    (progress, by): (Progress, Option<DateTime<Utc>>),
    reasons: &mut Vec<Because<'a>>,
) -> Verdict<'a> {
    let deadline = facts.almanac.minor_deadline(facts.terms, release.published_at());
    reasons.push(Because::Deadline(deadline));
    let placed = |slot| placement(slot, Work::Night, Some(deadline), None);
    let by = by.unwrap_or(deadline);
    let agreed = slots::agreed(facts, release);
    if let Some((agreement, slot)) = agreed.filter(|(_, slot)| slot.end <= by) {
        reasons.push(Because::AgreedSlot(agreement));
        return settle(placed(slot), Because::NightSlot(slot), reasons);
    }
    let mut search = Search::new(facts, Work::Night, release.published_at(), release);
    let (in_time, after) = search.by(by);
    reasons.append(&mut search.reasons);
    let promised = slots::promised(facts, release);
    let stand = ring(facts, release, progress);
    let kept = promised.and_then(|promised| in_time.iter().find(|slot| **slot == promised));
    // What is late itself waits for nobody.
    let waits = stand == RingStand::Waits && by <= deadline;
    match kept.or(if waits { in_time.last() } else { in_time.first() }).copied() {
        Some(slot) if slot.end <= deadline => {
            reasons.push(Because::Ring(stand));
            return settle(placed(slot), Because::NightSlot(slot), reasons);
        }
        Some(slot) => return settle(placed(slot), Because::Late(slot, deadline), reasons),
        None => {}
    }
    // An agreement opens a slot and closes none: one that is late goes only where nothing is in time.
    reasons.extend(agreed.map(|(agreement, _)| Because::AgreedSlot(agreement)));
    let Some(slot) = agreed.map(|(_, slot)| slot).or(after) else {
        reasons.push(Because::NoSlot);
        return Verdict::Held(None);
    };
    settle(placed(slot), Because::Late(slot, deadline), reasons)
}

/// Where this server stands in the rollout: broad servers wait for the canaries, never past the deadline.
fn ring(facts: &Facts, release: &Release, progress: Progress) -> RingStand {
    let canaries = facts.canaries.get(release.product()).copied().unwrap_or(0);
    match facts.server.ring {
        Ring::Canary => RingStand::Canary,
        Ring::Broad if canaries == 0 => RingStand::NoCanaries,
        Ring::Broad if progress.canaries_installed as usize >= canaries => {
            RingStand::Settled(progress.canaries_installed)
        }
        Ring::Broad => RingStand::Waits,
    }
}

fn manual<'a>(facts: &Facts<'a>, release: &'a Release, reasons: &mut Vec<Because<'a>>) -> Verdict<'a> {
    reasons.push(Because::Manual);
    let slot = match slots::agreed(facts, release) {
        Some((agreement, slot)) => {
            reasons.push(Because::AgreedSlot(agreement));
            Some(slot)
        }
        None => {
            let promised = slots::promised(facts, release).and_then(|p| slots::kept(facts, Work::Manual, release, p));
            let mut search = Search::new(facts, Work::Manual, slots::announced(facts, release), release);
            let slot = promised.or_else(|| search.first());
            reasons.append(&mut search.reasons);
            slot
        }
    };
    let Some(slot) = slot else {
        reasons.push(Because::NoSlot);
        return Verdict::Held(None);
    };
    settle(placement(slot, Work::Manual, None, None), Because::MaintenanceSlot(slot), reasons)
}

pub(super) fn placement<'a>(
    slot: &'a Slot,
    work: Work,
    deadline: Option<DateTime<Utc>>,
    request: Option<&'a Request>,
) -> Placement<'a> {
    Placement { slot, deadline, request, work, leader: 0, position: 0 }
}

/// The end of a decision: in time or late. What settles it is said last.
pub(super) fn settle<'a>(placed: Placement<'a>, because: Because<'a>, reasons: &mut Vec<Because<'a>>) -> Verdict<'a> {
    reasons.push(because);
    placed.settled()
}
