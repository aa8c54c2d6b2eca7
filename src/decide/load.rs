//! What other servers take of what all share: staff who attend (`staff.installs_max`) and a client's line
//! (`rollout.line_installs_max`).

use crate::model::slot::Slot;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// What a server was promised, as it weighs on what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    pub slot: Slot,
    /// Minutes the installation takes of its slot.
    pub minutes: u32,
    pub attended: bool,
}

/// How many attended installations there are, by slot.
#[derive(Clone, Debug, Default)]
pub struct Staffed {
    count: BTreeMap<Slot, u32>,
    /// No slot in it was ever longer: one that began so long before another has ended.
    longest: TimeDelta,
}

impl Staffed {
    pub fn add(&mut self, slot: Slot) {
        *self.count.entry(slot).or_default() += 1;
        self.longest = self.longest.max(slot.end - slot.start);
    }

    pub fn remove(&mut self, slot: Slot) {
        if let Some(count) = self.count.get_mut(&slot) {
            *count -= 1;
            if *count == 0 {
                self.count.remove(&slot);
            }
        }
    }

    /// Those that overlap `slot`.
    fn overlapping(&self, slot: Slot) -> u32 {
        // Slots are ordered by their start.
        let at = |start| Slot { start, end: start };
        let near = self.count.range(at(slot.start - self.longest)..at(slot.end));
        near.filter(|(other, _)| other.overlaps(&slot)).map(|(_, n)| n).sum()
    }
}

/// What the planner is told of the others; a server's own promises weigh nothing.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Attended installations over all clients of the schedule, this server's among them.
    pub staffed: &'a Staffed,
    /// What this server was promised.
    pub own: &'a [Promise],
    /// What the client's other servers were promised: those before this one, and those after it.
    pub line: [&'a [Vec<Promise>]; 2],
}

impl Load<'_> {
    /// Attended installations of others that overlap `slot`.
    pub fn attended(&self, slot: Slot) -> u32 {
        let own = self.own.iter().filter(|promise| promise.attended && promise.slot.overlaps(&slot)).count();
        self.staffed.overlapping(slot).saturating_sub(u32::try_from(own).unwrap_or(u32::MAX))
    }

    /// How long installations of others that overlap `slot` keep the client's line busy.
    pub fn line_busy(&self, slot: Slot) -> TimeDelta {
        let others = self.line.iter().copied().flatten().flatten();
        let minutes: i64 = others.filter(|p| p.slot.overlaps(&slot)).map(|p| i64::from(p.minutes)).sum();
        TimeDelta::minutes(minutes)
    }
}

static NOTHING: Staffed = Staffed { count: BTreeMap::new(), longest: TimeDelta::zero() };

impl Load<'static> {
    /// Nobody else is there.
    pub fn none() -> Load<'static> {
        Load { staffed: &NOTHING, own: &[], line: [&[], &[]] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes of one day.
    fn slot(from: i64, to: i64) -> Slot {
        let midnight = "2026-05-04T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        Slot::new(midnight + TimeDelta::minutes(from), midnight + TimeDelta::minutes(to)).unwrap()
    }

    #[test]
    fn what_overlaps_is_counted_however_early_it_began() {
        let mut staffed = Staffed::default();
        for slot in [slot(0, 600), slot(300, 360), slot(300, 360), slot(360, 420), slot(700, 720)] {
            staffed.add(slot);
        }
        let count = |staffed: &Staffed, from, to| staffed.overlapping(slot(from, to));
        assert_eq!(count(&staffed, 310, 350), 3);
        assert_eq!(count(&staffed, 359, 361), 4);
        assert_eq!(count(&staffed, 599, 600), 1);
        assert_eq!(count(&staffed, 600, 700), 0);
        staffed.remove(slot(0, 600));
        staffed.remove(slot(300, 360));
        assert_eq!(count(&staffed, 310, 350), 1);
        assert_eq!(count(&staffed, 500, 600), 0);
    }

    #[test]
    fn own_promises_weigh_nothing() {
        let promise = |from, to, attended| Promise { slot: slot(from, to), minutes: 20, attended };
        let mut staffed = Staffed::default();
        staffed.add(slot(0, 60));
        staffed.add(slot(0, 60));
        let own = [promise(0, 60, true), promise(0, 60, false)];
        let others = [vec![promise(30, 90, false)], vec![promise(60, 120, false), promise(50, 60, true)]];
        let load = Load { staffed: &staffed, own: &own, line: [&others[..1], &others[1..]] };
        assert_eq!(load.attended(slot(0, 60)), 1);
        assert_eq!(load.line_busy(slot(0, 60)), TimeDelta::minutes(40));
        assert_eq!(load.line_busy(slot(0, 90)), TimeDelta::minutes(60));
    }
}
