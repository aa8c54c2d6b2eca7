//! Majors: only on the client's request, in a slot that ends by the latest date (`major-on-request`, `major-notice`).

use super::minor::{plan_of, with_backup};
use super::reach::Reach;
use super::{Draft, Facts, reach, slots, words};
use crate::model::agreement::Agreed;
use crate::model::decision::{Outcome, Reason};
use crate::model::release::Release;
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Days, NaiveDate, Utc};
use std::sync::Arc;

pub(super) fn draft(facts: &Facts, product: &str, installed: &Version, reach: &Reach) -> Option<Draft> {
    let newest = reach.majors.first()?;
    let Some(request) = request_for(facts, product, installed) else {
        let reasons = vec![words::needs_request(facts, newest)];
        return Some(Draft::settled(product, Outcome::Waiting, reasons));
    };
    let Some(release) = reach.majors.iter().find(|r| *r.version() == request.version) else {
        let reasons = vec![words::requested_is_gone(request)];
        return Some(Draft::settled(product, Outcome::Held { plan: None }, reasons));
    };
    let mut reasons = vec![words::requested(facts, request)];
    let outcome = outcome(facts, release, installed, request, &mut reasons);
    Some(Draft { product: product.to_owned(), release: Some(release.clone()), outcome, reasons })
}

/// The accepted request that counts: the newest version asked for, then the latest received.
fn request_for<'a>(facts: &'a Facts, product: &str, installed: &Version) -> Option<&'a Request> {
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
        .max_by(|a, b| a.version.cmp(&b.version).then(a.received_at.cmp(&b.received_at)))
}

fn outcome(
    facts: &Facts,
    release: &Arc<Release>,
    installed: &Version,
    request: &Request,
    reasons: &mut Vec<Reason>,
) -> Outcome {
    if !reach::is_direct(release, installed) {
        reasons.push(words::no_path(release, installed));
        return Outcome::Held { plan: None };
    }
    if let Some(failed) = reach::failures(facts, release).next_back() {
        reasons.push(words::failed_before(facts, failed));
        if reach::failures(facts, release).count() >= facts.terms.schedule.retry.attempts_max as usize {
            reasons.push(words::staff_take_over(facts, release));
            return Outcome::Held { plan: None };
        }
    }
    let choice = candidates(facts, release, request.before);
    reasons.extend(choice.reasons);
    let by = end_of_day(facts, request.before);
    let slot = slots::promised(facts, release, &choice.slots).or_else(|| leaving_a_retry(&choice.slots));
    let Some(slot) = slot else {
        reasons.push(words::no_slot_before(facts, request.before));
        return Outcome::Held { plan: None };
    };
    let spare = choice.slots.iter().find(|s| s.start > slot.start);
    reasons.push(words::major_slot(facts, slot, spare.copied(), release));
    with_backup(facts, plan_of(release, slot, Some(by), Some(request.id)), reasons, Outcome::Planned)
}

/// The slots in which the release fits and which end by `before`, site-local; agreed slots count as well.
pub(super) fn candidates(facts: &Facts, release: &Release, before: NaiveDate) -> slots::Choice {
    let by = end_of_day(facts, before);
    let mut choice = slots::admissible(facts, &facts.terms.schedule.major.window, facts.now, release);
    for agreement in facts.agreements.iter().filter(|a| a.client == facts.client.id) {
        let Agreed::Slot { server, product, slot } = &agreement.agreed else { continue };
        let ours = *server == facts.server.id && product == release.product();
        if ours && slot.end > facts.now && slots::fits(facts, *slot, slots::need(release)) {
            choice.slots.push(*slot);
            choice.reasons.push(words::agreed(facts, agreement, *slot));
        }
    }
    choice.slots.retain(|slot| slot.end <= by);
    choice.slots.sort();
    choice
}

/// The last slot but one: as much warning as possible for the users, and a second slot to retry in.
fn leaving_a_retry(slots: &[Slot]) -> Option<Slot> {
    slots.len().checked_sub(2).map(|i| slots[i]).or(slots.last().copied())
}

/// The first instant of the day after `day` at the site: a slot that ends then still ends on `day`.
fn end_of_day(facts: &Facts, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(chrono::NaiveTime::MIN);
    // Midnight itself can be missing (some zones change at 00:00): then the day ends when the gap begins.
    let local = midnight.and_local_timezone(facts.calendar.zone);
    match local {
        chrono::LocalResult::Single(at) => at.with_timezone(&Utc),
        chrono::LocalResult::Ambiguous(first, _) => first.with_timezone(&Utc),
        chrono::LocalResult::None => (midnight - chrono::TimeDelta::hours(1))
            .and_local_timezone(facts.calendar.zone)
            .earliest()
            .map_or(facts.now, |at| at.with_timezone(&Utc)),
    }
}

/// What a request for `release` would get now: the slot it would be planned in, or `None`, with the reasons.
pub fn slot_for_request(facts: &Facts, release: &Release, before: NaiveDate) -> (Option<Slot>, Vec<Reason>) {
    let choice = candidates(facts, release, before);
    let mut reasons = choice.reasons;
    let slot = leaving_a_retry(&choice.slots);
    match slot {
        Some(slot) => {
            let spare = choice.slots.iter().find(|s| s.start > slot.start).copied();
            reasons.push(words::major_slot(facts, slot, spare, release));
        }
        None => reasons.push(words::no_slot_before(facts, before)),
    }
    (slot, reasons)
}

/// Whether going from what the server runs to `release` needs a request.
pub fn needs_request(release: &Release, installed: &Version) -> bool {
    reach::effective_change(release, installed) == Change::Major
}
