//! Majors: only on the client's request, in a slot that ends by the latest date (`major-on-request`, `major-notice`).

use super::because::Because;
use super::draft::{Draft, Placement, Verdict};
use super::minor::{held, is_spent, placement, settle};
use super::reach::Reach;
use super::slots::Search;
use super::{Facts, reach, slots, words};
use crate::decide::almanac::Work;
use crate::decide::calendar::Fold;
use crate::decide::notice;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::decision::Reason;
use crate::model::release::Release;
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use std::sync::Arc;

pub(super) fn draft<'a>(
    facts: &Facts<'a>,
    product: &'a String,
    installed: &'a Version,
    reach: &Reach<'a>,
) -> Option<Draft<'a>> {
    let newest = *reach.majors.first()?;
    let Some(request) = request_for(facts, product, installed) else {
        let mut waiting = Draft::settled(product, Verdict::Waiting, Because::NeedsRequest(newest));
        waiting.release = Some(newest);
        if let Some(date) = newest.manifest().legal_date {
            waiting.reasons.insert(0, Because::LegalDate(date));
        }
        return Some(waiting);
    };
    let Some(release) = reach.majors.iter().find(|r| *r.version() == request.version).copied() else {
        return Some(Draft::settled(product, Verdict::Held(None), Because::RequestedGone(request)));
    };
    let mut reasons = vec![Because::Requested(request)];
    reasons.extend(agreed_notice(facts, request).map(Because::AgreedNotice));
    let verdict = verdict(facts, release, installed, request, reach, &mut reasons);
    Some(Draft { product, release: Some(release), verdict, reasons })
}

/// The accepted request that counts: the newest version asked for, then the latest received.
fn request_for<'a>(facts: &Facts<'a>, product: &str, installed: &Version) -> Option<&'a Request> {
    facts
        .requests
        .iter()
        .filter(|r| {
            r.client == facts.client.id
                && r.product == product
                && r.version > *installed
                && matches!(r.state, RequestState::Accepted)
                && (r.servers.is_empty() || r.servers.contains(&facts.server.id))
        })
        .max_by(|a, b| a.version.cmp(&b.version).then(a.received_at.cmp(&b.received_at)).then(a.id.cmp(&b.id)))
}

/// The agreement by which a request may stand on a shorter notice than the contract's.
fn agreed_notice<'a>(facts: &Facts<'a>, request: &Request) -> Option<&'a Agreement> {
    let short = || notice::count(facts.terms, facts.calendar(), request.received_at).earliest > request.before;
    facts.agreements.iter().find(|a| match &a.agreed {
        Agreed::ShortNotice { product, version, before } => {
            a.client == request.client
                && *product == request.product
                && *version == request.version
                && *before <= request.before
                && short()
        }
        Agreed::Slot { .. } | Agreed::ClosedPeriod { .. } => false,
    })
}

fn verdict<'a>(
    facts: &Facts<'a>,
    release: &'a Arc<Release>,
    installed: &'a Version,
    request: &'a Request,
    reach: &Reach<'a>,
    reasons: &mut Vec<Because<'a>>,
) -> Verdict<'a> {
    if let Some(failed) = reach::failures(facts, release).next_back() {
        reasons.push(Because::FailedBefore(failed));
        if is_spent(facts, release) {
            reasons.push(Because::StaffTakeOver(release));
            return Verdict::Held(None);
        }
    }
    if !reach::is_direct(release, installed) {
        return indirect(release, installed, reach, reasons);
    }
    let progress = facts.rollout.of(release);
    if let Some(halt) = progress.halt(&facts.terms.schedule.rollout) {
        reasons.push(Because::Halted(release, halt, progress.into()));
        return Verdict::Held(None);
    }
    let by = end_of_day(facts, request.before);
    let agreed = slots::agreed(facts, release).filter(|(_, slot)| slot.end <= by);
    if let Some((agreement, slot)) = agreed {
        reasons.push(Because::AgreedSlot(agreement));
        let placed = placement(slot, Work::Major, Some(by), Some(request));
        let verdict = settle(placed, Because::MajorSlot(slot, None), reasons);
        return held(facts, release, verdict, reasons);
    }
    // A request that was made anew is planned anew.
    let promised = slots::open_deployment(facts, release).filter(|d| d.request == Some(request.id));
    // A slot that has begun is no slot for anything new, and still the one that was promised.
    let promised = promised.and_then(|d| slots::kept(facts, Work::Major, release, &d.slot)).filter(|s| s.end <= by);
    let Some((slot, retry)) = last_slots(facts, release, by, promised, reasons) else {
        reasons.push(Because::NoSlotBefore(request.before));
        return Verdict::Held(None);
    };
    let placed = placement(slot, Work::Major, Some(by), Some(request));
    let verdict = settle(placed, Because::MajorSlot(slot, retry), reasons);
    held(facts, release, verdict, reasons)
}

/// The major does not go over what is there: it waits for the stone that leads to it, or nothing does.
fn indirect<'a>(
    release: &'a Arc<Release>,
    installed: &'a Version,
    reach: &Reach<'a>,
    reasons: &mut Vec<Because<'a>>,
) -> Verdict<'a> {
    let mut stones: Vec<&'a Arc<Release>> = reach.minors.iter().rev().copied().collect();
    stones.push(release);
    if let Some(stone) = reach::shortest_path(installed, release, &stones) {
        reasons.push(Because::SteppingStone(release, stone));
        return Verdict::Waiting;
    }
    let below = reach.majors.iter().rev().copied().filter(|r| r.version() < release.version());
    let last = stones.len() - 1;
    stones.splice(last..last, below);
    reasons.push(match reach::shortest_path(installed, release, &stones) {
        Some(stone) => Because::SteppingMajor(release, stone),
        None => Because::NoPath(release),
    });
    Verdict::Held(None)
}

/// The slot that was promised, else the last but one of those that end by `by`: as much warning as possible for the users,
/// and a second slot to retry in. With it the next one after it; `reasons` hear why others fell away.
fn last_slots<'a>(
    facts: &Facts<'a>,
    release: &Release,
    by: DateTime<Utc>,
    promised: Option<&'a Slot>,
    reasons: &mut Vec<Because<'a>>,
) -> Option<(&'a Slot, Option<&'a Slot>)> {
    let mut search = Search::new(facts, Work::Major, facts.now, release);
    let chosen = {
        let mut last = search.back(by);
        match promised {
            Some(promised) => Some((promised, last.take_while(|slot| slot.start > promised.start).last())),
            None => last.next().map(|only| last.next().map_or((only, None), |slot| (slot, Some(only)))),
        }
    };
    // They were met from the last on.
    reasons.extend(search.reasons.into_iter().rev());
    chosen
}

/// The slot of a group of majors, and one that is left for a retry, by the rule of a single one: where the client agreed
/// to, where it was promised, else the last but one of those that end by the earliest of their dates. `suits` says of a
/// slot whether the whole group may go into it.
pub(super) fn group_slot<'a>(
    facts: &Facts<'a>,
    members: &[(&'a Release, &Placement<'a>)],
    suits: impl Fn(&Slot) -> bool,
) -> Option<(&'a Slot, Option<&'a Slot>)> {
    let by = members.iter().filter_map(|(_, placed)| placed.deadline).min();
    let suits = |slot: &&'a Slot| by.is_none_or(|by| slot.end <= by) && suits(slot);
    let openings = facts.almanac.openings(Work::Major, facts.now).iter().map(|opening| &opening.slot);
    let is_agreed = |slot: &&Slot| slots::opening_of(facts, Work::Major, slot).is_none();
    let agreed = members.iter().map(|(_, placed)| placed.slot).filter(is_agreed).filter(|slot| suits(slot)).min();
    let promised = || {
        let of = |(release, placed): &(&'a Release, &Placement<'a>)| {
            let deployment = slots::open_deployment(facts, release)?;
            (deployment.request == placed.request.map(|r| r.id)).then_some(&deployment.slot)
        };
        members.iter().filter_map(of).filter(|slot| suits(slot)).min()
    };
    let to_come = || openings.clone().filter(|slot| slot.start >= facts.now);
    let last_but_one = || {
        let mut last = to_come().rev().filter(|slot| suits(slot));
        let last = [last.next(), last.next()];
        last[1].or(last[0])
    };
    let slot = agreed.or_else(promised).or_else(last_but_one)?;
    Some((slot, to_come().find(|retry| retry.start > slot.start && suits(retry))))
}

/// The first instant of the day after `day` at the site: a slot that ends then still ends on `day`.
fn end_of_day(facts: &Facts, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN);
    facts.calendar().instant(midnight, Fold::Earlier)
}

/// What a request for `release` would get now: the slot it would be planned in, or `None`, with the reasons.
pub fn slot_for_request(facts: &Facts, release: &Release, before: NaiveDate) -> (Option<Slot>, Vec<Reason>) {
    let by = end_of_day(facts, before);
    let agreed = slots::agreed(facts, release).filter(|(_, slot)| slot.end <= by);
    let (slot, reasons) = match agreed {
        Some((agreement, slot)) => (Some(slot), vec![Because::AgreedSlot(agreement)]),
        None => {
            let mut reasons = Vec::new();
            let slots = last_slots(facts, release, by, None, &mut reasons);
            reasons.push(slots.map_or(Because::NoSlotBefore(before), |(slot, retry)| Because::MajorSlot(slot, retry)));
            (slots.map(|(slot, _)| slot), reasons)
        }
    };
    (slot.copied(), words::tell_of(facts, release, &reasons))
}

/// Whether going from what the server runs to `release` needs a request.
pub fn needs_request(release: &Release, installed: &Version) -> bool {
    reach::effective_change(release, installed) == Change::Major
}
