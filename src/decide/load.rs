//! What other servers take of what all share: staff who attend (`staff.installs_max`) and a client's line
//! (`rollout.line_installs_max`).

use crate::model::slot::Slot;
use std::collections::BTreeMap;

/// Work promised by slot: how many attended installations there are, or how many minutes a line is busy.
pub type Promised = BTreeMap<Slot, u32>;

/// What the planner is told of the others; a server's own promises are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Attended installations, over all clients of the schedule.
    pub staffed: &'a Promised,
    /// Minutes of installations on this client's line.
    pub line: &'a Promised,
}

/// The sum over the slots that overlap `slot`.
pub fn overlapping(promised: &Promised, slot: Slot) -> u32 {
    // Slots are ordered by their start; one that begins at or after the end of `slot` cannot overlap it.
    let end = Slot { start: slot.end, end: slot.end };
    promised.range(..end).filter(|(other, _)| other.overlaps(&slot)).map(|(_, n)| n).sum()
}

static NOTHING: Promised = Promised::new();

impl Load<'static> {
    /// Nobody else is there.
    pub fn none() -> Load<'static> {
        Load { staffed: &NOTHING, line: &NOTHING }
    }
}
