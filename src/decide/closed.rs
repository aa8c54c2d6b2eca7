//! A client's closed periods: days on which it wants no automatic work.

use crate::model::fleet::ClosedPeriod;
use crate::model::slot::Slot;
use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;

/// One stretch of closed days, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub reason: String,
}

/// The closed periods of one client, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed(Vec<Closure>);

impl Closed {
    pub fn compile(periods: &[ClosedPeriod]) -> Closed {
        let mut closures: Vec<Closure> =
            periods.iter().map(|p| Closure { from: p.from, to: p.to, reason: p.reason.clone() }).collect();
        closures.sort_by_key(|c| (c.from, c.to));
        Closed(closures)
    }

    /// The first closed period that any instant of `slot` falls into, in the site's own days.
    pub fn covering(&self, slot: Slot, zone: Tz) -> Option<&Closure> {
        if self.0.is_empty() {
            return None;
        }
        let first = slot.start.with_timezone(&zone).date_naive();
        let last = (slot.end - TimeDelta::seconds(1)).with_timezone(&zone).date_naive();
        self.0.iter().find(|closure| closure.from <= last && first <= closure.to)
    }
}
