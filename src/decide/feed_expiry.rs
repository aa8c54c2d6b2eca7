//! When a signature that runs out is worth telling staff: before the feed is refused for it, and while there is time.
//!
//! The lead is [`LEAD_DAYS`] for what is renewed by hand and [`TIMESTAMP_DAYS`] for the timestamp, which a job renews; never
//! more than half of the signature's life, so that a publisher whose signatures are short is not told of at each of them.
//! These two constants are the only place that says so.

use crate::model::feed::{Role, Signature};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Days before root, targets or snapshot expire.
pub const LEAD_DAYS: i64 = 14;
/// Days before the timestamp expires.
pub const TIMESTAMP_DAYS: i64 = 7;

/// What is known of a feed's signatures when a refresh at `now` found these instants.
pub fn seen(
    before: &BTreeMap<Role, Signature>,
    found: &BTreeMap<Role, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> BTreeMap<Role, Signature> {
    let signature = |(role, expires): (&Role, &DateTime<Utc>)| {
        let known = before.get(role);
        let signature = match known.filter(|known| known.expires == *expires) {
            Some(known) => known.clone(),
            None => Signature { expires: *expires, seen_at: now, renewed: known.is_some() },
        };
        (*role, signature)
    };
    found.iter().map(signature).collect()
}

/// Whether staff have to hear at `now` that `signature` runs out.
pub fn is_near(role: Role, signature: &Signature, now: DateTime<Utc>) -> bool {
    let (days, by_job) = match role {
        Role::Root | Role::Targets => (LEAD_DAYS, false),
        Role::Snapshot => (LEAD_DAYS, true),
        Role::Timestamp => (TIMESTAMP_DAYS, true),
    };
    let lead = TimeDelta::days(days);
    // One that was there before us may be old already: it has no known life, but those of jobs are short.
    let half = (signature.renewed || by_job).then(|| (signature.expires - signature.seen_at) / 2);
    signature.expires - half.map_or(lead, |half| half.min(lead)) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(role: Role, seen_at: &str, renewed: bool, expires: &str, first: &str) {
        let signature = Signature { expires: at(expires), seen_at: at(seen_at), renewed };
        let first = at(first);
        assert!(is_near(role, &signature, first), "{role:?} at {first}");
        assert!(!is_near(role, &signature, first - TimeDelta::seconds(1)), "{role:?} before {first}");
        assert!(is_near(role, &signature, at(expires) + TimeDelta::days(9)), "and for as long as it is not renewed");
    }

    #[test]
    fn each_role_is_told_while_there_is_time() {
        let (new, year) = ("2026-04-29T00:00:00Z", "2027-04-29T00:00:00Z");
        for role in [Role::Root, Role::Targets, Role::Snapshot] {
            check(role, new, true, year, "2027-04-15T00:00:00Z");
        }
        check(Role::Timestamp, new, true, "2026-05-13T00:00:00Z", "2026-05-06T00:00:00Z");
        // Short ones: half of their life.
        check(Role::Timestamp, new, true, "2026-04-30T00:00:00Z", "2026-04-29T12:00:00Z");
        check(Role::Snapshot, new, true, "2026-05-06T00:00:00Z", "2026-05-02T12:00:00Z");
        check(Role::Targets, new, true, "2026-05-09T00:00:00Z", "2026-05-04T00:00:00Z");
        // One that was old when it was first seen.
        check(Role::Root, "2027-04-20T00:00:00Z", false, year, "2027-04-15T00:00:00Z");
        check(Role::Timestamp, new, false, "2026-04-30T00:00:00Z", "2026-04-29T12:00:00Z");
    }

    #[test]
    fn a_signature_is_new_when_its_end_is_another() {
        let (first, later) = (at("2026-04-29T00:00:00Z"), at("2026-04-30T00:00:00Z"));
        let found = |end: &str| BTreeMap::from([(Role::Timestamp, at(end))]);
        let one = seen(&BTreeMap::new(), &found("2026-05-13T00:00:00Z"), first);
        assert_eq!(
            one[&Role::Timestamp],
            Signature { expires: at("2026-05-13T00:00:00Z"), seen_at: first, renewed: false }
        );
        assert_eq!(seen(&one, &found("2026-05-13T00:00:00Z"), later), one);
        let two = seen(&one, &found("2026-05-14T00:00:00Z"), later);
        assert_eq!(
            two[&Role::Timestamp],
            Signature { expires: at("2026-05-14T00:00:00Z"), seen_at: later, renewed: true }
        );
    }
}
