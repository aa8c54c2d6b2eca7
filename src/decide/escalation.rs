//! Who has to be told of an alert that nobody took charge of (`escalation`, 6.1.7).
//!
//! The levels count from the breach: the moment at which somebody should have intervened (`gti-2h`). The hours of the
//! later levels are elapsed hours, nights and weekends included.

use crate::model::schedule::InterventionTerms;
use chrono::{DateTime, TimeDelta, Utc};

/// How long the watch may take to pass an alert on: it looks every five minutes.
pub const GRACE: TimeDelta = TimeDelta::minutes(10);

/// The level an unacknowledged alert that was due at `due` has reached at `now`: 0 until the clock is missed, then 1
/// (IAH), and one more for each delay of the terms that has passed since.
pub fn level(terms: &InterventionTerms, due: DateTime<Utc>, now: DateTime<Utc>) -> u8 {
    if now <= due {
        return 0;
    }
    let later = terms.escalate_after_hours.iter().filter(|hours| due + TimeDelta::hours((**hours).into()) <= now);
    u8::try_from(later.count()).unwrap_or(u8::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_begins_when_its_time_has_passed() {
        let terms = InterventionTerms {
            clause: "6.1.6".to_owned(),
            within_minutes: 120,
            clock: None,
            escalate_after_hours: vec![24, 48],
        };
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let due = at("2026-04-30T07:00:00Z");
        for (now, reached) in [
            ("2026-04-29T07:00:00Z", 0),
            ("2026-04-30T07:00:00Z", 0),
            ("2026-04-30T07:00:01Z", 1),
            ("2026-05-01T06:59:59Z", 1),
            ("2026-05-01T07:00:00Z", 2),
            ("2026-05-02T06:59:59Z", 2),
            ("2026-05-02T07:00:00Z", 3),
            ("2027-01-01T00:00:00Z", 3),
        ] {
            assert_eq!(level(&terms, due, at(now)), reached, "{now}");
        }
        let one = InterventionTerms { escalate_after_hours: Vec::new(), ..terms };
        assert_eq!(level(&one, due, at("2027-01-01T00:00:00Z")), 1);
    }
}
