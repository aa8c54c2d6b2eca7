//! A slot: one concrete interval in UTC during which work may happen.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A half-open interval `[start, end)` of instants. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Slot {
    /// `None` when the interval would be empty: an empty slot is no slot.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Slot> {
        (start < end).then_some(Slot { start, end })
    }

    /// Elapsed time between the bounds; a DST night counts its real minutes.
    pub fn duration(&self) -> TimeDelta {
        self.end - self.start
    }

    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    pub fn overlaps(&self, other: &Slot) -> bool {
        self.start < other.end && other.start < self.end
    }
}
