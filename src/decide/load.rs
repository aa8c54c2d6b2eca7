//! What other servers take of what all share: staff who attend (`staff.installs_max`) and a client's line
//! (`rollout.line_installs_max`).

use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// What a server was promised, as it weighs on what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    pub slot: Slot,
    /// Minutes the installation takes of its slot.
    pub minutes: u32,
    pub attended: bool,
}

/// How many servers are attended, by slot.
#[derive(Clone, Debug, Default)]
pub struct Staffed {
    count: BTreeMap<Slot, u32>,
    /// No slot in it was ever longer: one that began so long before another has ended.
    longest: TimeDelta,
    pub stir: Stir,
}

/// How often something that is shared has changed hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stir {
    pub changed: u64,
    /// Those times somebody gave something back.
    pub freed: u64,
}

impl Stir {
    pub fn count(&mut self, freed: bool) {
        self.changed += 1;
        self.freed += u64::from(freed);
    }
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

    /// Those that overlap `slot`, and how many of each.
    fn overlapping(&self, slot: Slot) -> impl Iterator<Item = (Slot, u32)> {
        // Slots are ordered by their start.
        let at = |start| Slot { start, end: start };
        let near = self.count.range(at(slot.start - self.longest)..at(slot.end));
        near.filter(move |(other, _)| other.overlaps(&slot)).map(|(other, n)| (*other, *n))
    }

    /// Whether `max` or more are there at any one time in `slot`, beside those of one server.
    fn is_full(&self, slot: Slot, own: &[Slot], max: u32) -> bool {
        let others = |(other, n): (Slot, u32)| (other, n.saturating_sub(u32::from(own.contains(&other))));
        let overlapping = || self.overlapping(slot).map(others);
        let at_once = |at| overlapping().filter(|(other, _)| other.contains(at)).map(|(_, n)| n).sum::<u32>();
        // Most are there when one of them begins.
        overlapping().any(|(other, _)| at_once(other.start.max(slot.start)) >= max)
    }
}

/// When the server of these promises is attended: one person does one thing after the other there.
pub fn attended_hours(promises: &[Promise]) -> Vec<Slot> {
    let mut hours: Vec<Slot> = promises.iter().filter(|p| p.attended).map(|p| p.slot).collect();
    hours.sort_unstable();
    hours.dedup_by(|later, earlier| {
        let joins = later.overlaps(earlier);
        if joins {
            earlier.end = earlier.end.max(later.end);
        }
        joins
    });
    hours
}

/// What the planner is told of the others; a server's own promises weigh nothing.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Attended servers over all clients of the schedule, this one among them.
    pub staffed: &'a Staffed,
    /// What this server was promised.
    pub own: &'a [Promise],
    /// What the client's other servers were promised: those before this one, and those after it.
    pub line: [&'a [Vec<Promise>]; 2],
}

impl Load<'_> {
    /// Whether fewer than `max` other servers are attended at any one time in `slot`.
    pub fn has_staff(&self, slot: Slot, max: u32) -> bool {
        // Mostly as many are there for the whole slot, or so few in all that nobody has to ask who is there when.
        let whole = self.staffed.count.get(&slot).copied().unwrap_or(0);
        let own = || self.own.iter().any(|promise| promise.attended && promise.slot.overlaps(&slot));
        if whole > max || whole == max && !own() {
            return false;
        }
        self.staffed.overlapping(slot).map(|(_, n)| n).sum::<u32>() < max
            || !self.staffed.is_full(slot, &attended_hours(self.own), max)
    }

    /// Whether the client's line carries what this server is to do (`own`: slots, and the time each takes) in `slot`
    /// beside what the others were promised, and nobody loses room that was there.
    ///
    /// So many servers install at once, each one thing after the other, in whatever order they come: all are done in
    /// time when the longest still is, should it come last.
    pub fn line_carries(&self, own: &[(Slot, TimeDelta)], slot: Slot, lines: u32, now: DateTime<Utc>) -> bool {
        let others = || self.line.iter().copied().flatten();
        if others().flatten().all(|p| !p.slot.overlaps(&slot)) {
            return true;
        }
        let carried = |within: Slot, own: TimeDelta| {
            let of = |promises: &Vec<Promise>| -> i64 {
                promises.iter().filter(|p| p.slot.overlaps(&within)).map(|p| i64::from(p.minutes)).sum()
            };
            let (mut servers, mut sum, mut longest) = (0, 0, 0);
            for load in others().map(of).chain([own.num_minutes()]).filter(|load| *load > 0) {
                (servers, sum, longest) = (servers + 1, sum + load, longest.max(load));
            }
            let room = (within.end - within.start.max(now)).num_minutes();
            servers <= lines || sum + (i64::from(lines) - 1) * longest <= room * i64::from(lines)
        };
        let ours = |within: Slot| own.iter().filter(|(s, _)| s.overlaps(&within)).map(|(_, t)| *t).sum::<TimeDelta>();
        let theirs = others().flatten().map(|p| p.slot).filter(|theirs| theirs.overlaps(&slot) && *theirs != slot);
        carried(slot, ours(slot))
            && theirs.into_iter().all(|theirs| carried(theirs, ours(theirs)) || !carried(theirs, TimeDelta::zero()))
    }
}

static NOTHING: Staffed =
    Staffed { count: BTreeMap::new(), longest: TimeDelta::zero(), stir: Stir { changed: 0, freed: 0 } };

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
        let peak = |staffed: &Staffed, from, to| {
            (1..9).take_while(|most| staffed.is_full(slot(from, to), &[], *most)).last().unwrap_or(0)
        };
        assert_eq!(peak(&staffed, 310, 350), 3);
        // Those that follow each other are not there at once.
        assert_eq!(peak(&staffed, 359, 361), 3);
        assert_eq!(peak(&staffed, 599, 600), 1);
        assert_eq!(peak(&staffed, 600, 700), 0);
        staffed.remove(slot(0, 600));
        staffed.remove(slot(300, 360));
        assert_eq!(peak(&staffed, 310, 350), 1);
        assert_eq!(peak(&staffed, 500, 600), 0);
    }

    fn promise(from: i64, to: i64, minutes: u32, attended: bool) -> Promise {
        Promise { slot: slot(from, to), minutes, attended }
    }

    #[test]
    fn a_server_is_attended_once_at_a_time_and_its_own_promises_weigh_nothing() {
        let own = [promise(0, 60, 20, true), promise(30, 90, 20, true), promise(0, 60, 20, false)];
        assert_eq!(attended_hours(&own), [slot(0, 90)]);
        assert_eq!(attended_hours(&[own[0], promise(60, 90, 20, true)]), [slot(0, 60), slot(60, 90)]);
        let mut staffed = Staffed::default();
        staffed.add(slot(0, 60));
        staffed.add(slot(0, 90));
        let load = Load { staffed: &staffed, own: &own, line: [&[], &[]] };
        assert!(!load.has_staff(slot(0, 60), 1));
        assert!(load.has_staff(slot(0, 60), 2));
        assert!(load.has_staff(slot(60, 90), 1));
    }

    /// Whether two lines carry `own` minutes of `slot(0, 540)` beside others' promises there.
    fn carries(own: i64, others: &[&[u32]]) -> bool {
        let others: Vec<Vec<Promise>> =
            others.iter().map(|all| all.iter().map(|m| promise(0, 540, *m, false)).collect()).collect();
        let load = Load { staffed: &NOTHING, own: &[], line: [&others[..1], &others[1..]] };
        load.line_carries(&[(slot(0, 540), TimeDelta::minutes(own))], slot(0, 540), 2, slot(0, 540).start)
    }

    #[test]
    fn a_line_carries_what_is_done_in_time_whatever_comes_last() {
        // Two at once are two at once, however long.
        assert!(carries(540, &[&[540]]));
        // Three of six hours do not go into nine on two lines, though their minutes would.
        assert!(!carries(360, &[&[360], &[360]]));
        assert!(carries(270, &[&[270], &[270]]));
        assert!(!carries(270, &[&[270], &[271]]));
        // What one server does, it does one after the other.
        assert!(!carries(180, &[&[180, 180], &[181]]));
        assert!(carries(180, &[&[180, 180], &[180]]));
    }

    #[test]
    fn nobody_loses_the_room_that_was_there() {
        let others = [vec![promise(500, 560, 50, false)]];
        let load = Load { staffed: &NOTHING, own: &[], line: [&others, &[]] };
        let carries = |minutes| {
            load.line_carries(&[(slot(0, 540), TimeDelta::minutes(minutes))], slot(0, 540), 1, slot(0, 1).start)
        };
        assert!(carries(10));
        assert!(!carries(11));
    }
}
