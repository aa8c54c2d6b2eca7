//! When a letter that did not leave is tried again, and when it is given up.
//!
//! An alert is tried exactly three times (`three-attempts`, 6.2.4), all within its intervention time. A letter to a
//! client is patient: it outlives a long weekend without a mail server. What is given up stays visible.

use chrono::{DateTime, TimeDelta, Utc};

/// Attempts of an alert, and the fewest of any letter that may still pass.
pub const ATTEMPTS: u32 = 3;
/// Minutes from one attempt of an alert to the next.
const ALERT_MINUTES: [i64; 2] = [5, 15];
/// Minutes from one attempt of a letter to the next; the last holds for all further ones.
const LETTER_MINUTES: [i64; 5] = [1, 5, 15, 30, 60];
/// Hours after which a letter is no longer worth sending.
const LETTER_HOURS: i64 = 96;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    Alert,
    Letter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    TryAt(DateTime<Utc>),
    GiveUp,
}

/// What follows the failure of the attempt number `attempts` (from 1) of a letter written at `written`.
pub fn after_failure(patience: Patience, attempts: u32, written: DateTime<Utc>, now: DateTime<Utc>) -> Next {
    let delay = |minutes: &[i64]| {
        let index = (attempts.max(1) as usize - 1).min(minutes.len() - 1);
        Next::TryAt(now + TimeDelta::minutes(minutes[index]))
    };
    match patience {
        Patience::Alert if ATTEMPTS <= attempts => Next::GiveUp,
        Patience::Alert => delay(&ALERT_MINUTES),
        Patience::Letter if ATTEMPTS <= attempts && written + TimeDelta::hours(LETTER_HOURS) <= now => Next::GiveUp,
        Patience::Letter => delay(&LETTER_MINUTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_alert_is_tried_three_times() {
        let (mut now, written) = (at("2026-04-29T20:00:00Z"), at("2026-04-29T20:00:00Z"));
        let mut attempts = 0;
        loop {
            attempts += 1;
            match after_failure(Patience::Alert, attempts, written, now) {
                Next::TryAt(next) => now = next,
                Next::GiveUp => break,
            }
        }
        assert_eq!((attempts, now), (3, at("2026-04-29T20:20:00Z")));
    }

    #[test]
    fn a_letter_outlives_a_long_weekend_and_not_a_week() {
        let written = at("2026-04-30T20:00:00Z");
        let next = |attempts, now: &str| after_failure(Patience::Letter, attempts, written, at(now));
        assert_eq!(next(1, "2026-04-30T20:00:00Z"), Next::TryAt(at("2026-04-30T20:01:00Z")));
        assert_eq!(next(5, "2026-04-30T21:00:00Z"), Next::TryAt(at("2026-04-30T22:00:00Z")));
        assert_eq!(next(90, "2026-05-04T19:59:59Z"), Next::TryAt(at("2026-05-04T20:59:59Z")));
        assert_eq!(next(91, "2026-05-04T20:00:00Z"), Next::GiveUp);
        // Never tried while the server was away: it gets its attempts all the same.
        assert_eq!(next(2, "2026-05-10T20:00:00Z"), Next::TryAt(at("2026-05-10T20:05:00Z")));
    }
}
