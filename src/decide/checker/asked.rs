//! What others ask the checker, who want a second reckoning of what the contract says: deadlines and clocks.

use super::{Checker, civil};
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};

/// Longest that an intervention clock is followed, in minutes: well over a year of nights and holidays.
const CLOCK_MINUTES_MAX: i64 = 500 * 24 * 60;

impl Checker {
    /// When a minor that was published at `at` has to be installed (`minor-night`, 3.1.b.3).
    pub fn minor_due(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let day = civil::show(self.zone, at).date();
        Some(self.hours.night(self.windows.minor, day, self.minor.deadline_nights)?.end)
    }

    /// When somebody has to have intervened after an alert of `raised` (`gti-2h`, 6.1.6), counted minute by minute.
    pub fn intervention_due(&self, raised: DateTime<Utc>) -> DateTime<Utc> {
        let mut left = i64::from(self.intervention.within_minutes);
        let Some(clock) = self.windows.clock else { return raised + TimeDelta::minutes(left) };
        let mut at = raised;
        for _ in 0..CLOCK_MINUTES_MAX {
            let minute = Slot { start: at, end: at + TimeDelta::minutes(1) };
            if self.hours.covers(clock, minute) {
                left -= 1;
                at = minute.end;
                if left == 0 {
                    return at;
                }
            } else {
                // The clock stands still: the next whole minute may be one in which it runs.
                at = next_minute(at);
            }
        }
        at
    }
}

fn next_minute(at: DateTime<Utc>) -> DateTime<Utc> {
    let over = at.timestamp_millis().rem_euclid(60_000);
    at + TimeDelta::milliseconds(60_000 - over)
}
