//! A schedule compiled: its windows can be asked for slots.

use super::calendar::Calendar;
use crate::model::schedule::Schedule;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeMap;

/// A schedule whose every window parsed and opens some time.
#[derive(Clone, Debug)]
pub struct Terms {
    pub schedule: Schedule,
    windows: BTreeMap<String, CompiledWindow>,
}

/// A window that can be asked when it is open.
#[derive(Clone, Debug)]
pub struct CompiledWindow {}

/// One thing wrong with a schedule, and where (`windows.night.hours`, byte span in the value when known).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: String,
    pub span: Option<std::ops::Range<usize>>,
    pub what: String,
    pub fix: String,
}

impl Terms {
    /// Compiles and lints every window and checks every reference; all problems at once.
    pub fn compile(_schedule: Schedule) -> Result<Terms, Vec<Problem>> {
        todo!()
    }

    /// The window called `name`; compiling checked that those the terms refer to exist.
    pub fn window(&self, name: &str) -> &CompiledWindow {
        &self.windows[name]
    }
}

impl CompiledWindow {
    /// The slots that intersect `[from, to)`, in order, whole (not clipped), in the calendar's zone and holidays.
    /// DST: bounds inside a repeated or missing hour are taken on the safe side; empty slots are left out.
    pub fn slots(&self, _calendar: &Calendar, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Vec<Slot> {
        todo!()
    }

    /// Whether the window is open at some instant of `slot`.
    pub fn touches(&self, calendar: &Calendar, slot: Slot) -> bool {
        !self.slots(calendar, slot.start, slot.end).is_empty()
    }

    /// The last instant the window is open on the site-local `date`, if it opens that day.
    pub fn close_of(&self, _calendar: &Calendar, _date: NaiveDate) -> Option<DateTime<Utc>> {
        todo!()
    }
}
