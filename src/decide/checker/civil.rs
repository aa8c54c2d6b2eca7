//! From what the site's clocks show to instants and back.

use crate::model::slot::Slot;
use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The first and the last instant at which the site's clocks show `civil`: they differ in a repeated hour. A time that
/// the clocks jump over is the instant of the jump.
pub(super) fn instants(zone: Tz, civil: NaiveDateTime) -> (DateTime<Utc>, DateTime<Utc>) {
    match zone.from_local_datetime(&civil) {
        LocalResult::Single(at) => (at.to_utc(), at.to_utc()),
        LocalResult::Ambiguous(a, b) => (a.min(b).to_utc(), a.max(b).to_utc()),
        LocalResult::None => {
            let at = jump_over(zone, civil);
            (at, at)
        }
    }
}

/// The first second at which the clocks show `civil` or later. No zone is further than 26 hours from UTC.
fn jump_over(zone: Tz, civil: NaiveDateTime) -> DateTime<Utc> {
    let shows = |second: i64| show(zone, civil.and_utc() + TimeDelta::seconds(second));
    let (mut before, mut after) = (-26 * 3600, 26 * 3600);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if shows(middle) < civil {
            before = middle;
        } else {
            after = middle;
        }
    }
    civil.and_utc() + TimeDelta::seconds(after)
}

/// What the site's clocks show at `at`.
pub(super) fn show(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// The first instant of `day` at the site.
pub(super) fn day_start(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    instants(zone, day.and_time(NaiveTime::MIN)).0
}

/// An instant as people at the site write it: `Thu 30 Apr 2026 22:00`.
pub(super) fn say(zone: Tz, at: DateTime<Utc>) -> String {
    at.with_timezone(&zone).format("%a %-d %b %Y %H:%M").to_string()
}

/// `Thu 30 Apr 2026 22:00 to Fri 1 May 2026 07:00`.
pub(super) fn say_slot(zone: Tz, slot: Slot) -> String {
    format!("{} to {}", say(zone, slot.start), say(zone, slot.end))
}
