//! Room: one server installs one thing at a time, so what is planned into one slot must fit into it together, and the
//! client's line must carry all of it.
//!
//! Where it does not, whole groups move to other slots of theirs: a search over the few there are finds a way to meet
//! every deadline whenever there is one. What still finds no room is late, or held where nothing is left at all.

use super::because::{Because, RingStand};
use super::draft::{Draft, Verdict};
use super::group::Barred;
use super::slots::{self, Search};
use super::{Facts, reach, trade};
use crate::decide::almanac::Work;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Most steps of the search. Eight groups with three slots each need under seven thousand.
const STEPS_MAX: usize = 20_000;
/// Most orders tried of what is done in slots that overlap.
const ORDERS_MAX: usize = 5_000;
/// Most slots looked at for one group.
const CHOICES_MAX: usize = 12;
/// Most of them past its deadline.
const LATE_MAX: usize = 4;

/// What goes into one slot together.
struct Unit<'a> {
    members: Vec<usize>,
    need: TimeDelta,
    slot: &'a Slot,
    /// Its members', the earliest first.
    deadlines: Vec<DateTime<Utc>>,
    /// Whether the client agreed to its slot, which is none of the contract's.
    agreed: bool,
}

impl Unit<'_> {
    fn is_agreed(&self, slot: &Slot) -> bool {
        self.agreed && slot == self.slot
    }
}

pub(super) fn make<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>]) {
    let taken = Used::before(facts, drafts);
    if drafts.iter().filter(|d| d.verdict.plan().is_some()).count() + taken.len() < 2 {
        return;
    }
    let mut units = units(facts, drafts);
    let mut used = taken.clone();
    if units.iter().all(|unit| used.take(facts, unit.slot, unit)) {
        return;
    }
    for unit in &mut units {
        let members = unit.members.iter().map(|member| &drafts[*member]);
        let older: Vec<_> = members.flat_map(|draft| older_deadlines(facts, draft)).collect();
        unit.deadlines.extend(older);
        unit.deadlines.sort_unstable();
    }
    sort(&mut units);
    let choices: Vec<Vec<&'a Slot>> = units.iter().map(|unit| choices(facts, drafts, unit)).collect();
    let chosen = assign(facts, &units, &choices, &taken);
    for (unit, slot) in units.iter().zip(chosen) {
        place(drafts, unit, slot);
    }
    keep_order(facts, drafts);
}

/// Settles again for each product whose release found no room by the deadline of an older one: then the older goes first,
/// where nothing else is the worse for it. `settle` drafts, joins and makes room, leaving releases aside.
pub(super) fn give_way<'a>(
    facts: &Facts<'a>,
    mut drafts: Vec<Draft<'a>>,
    settle: impl Fn(&[Barred<'a>]) -> Vec<Draft<'a>>,
) -> Vec<Draft<'a>> {
    let mut barred: Vec<Barred<'a>> = Vec::new();
    for _ in 0..drafts.len() {
        let crowded: Vec<Barred<'a>> = drafts.iter().filter_map(|draft| crowded_out(facts, draft)).collect();
        let better = crowded.into_iter().find_map(|aside| {
            let (mut with, mut next) = (barred.clone(), Some(aside));
            while let Some(aside) = next {
                with.push(aside);
                let settled = settle(&with);
                let product = aside.release.product();
                let no_worse = drafts.iter().all(|was| is_no_worse(was, product, &settled));
                if no_worse || trade::is_better(&trade::met(facts, &drafts), &trade::met(facts, &settled)) {
                    return Some((with, settled));
                }
                next = settled.iter().filter(|d| d.product == product).find_map(|draft| crowded_out(facts, draft));
            }
            None
        });
        let Some((with, settled)) = better else { break };
        (barred, drafts) = (with, settled);
    }
    drafts
}

/// A minor that was moved, or held, for what goes beside it, and costs an older one its deadline by that.
fn crowded_out<'a>(facts: &Facts<'a>, draft: &Draft<'a>) -> Option<Barred<'a>> {
    let moved = |said: &&Because| matches!(said, Because::SlotFull(_) | Because::Follows(..) | Because::Together(..));
    let because = *draft.reasons.iter().find(moved)?;
    let (placed, release) = (draft.verdict.intent(), draft.release?);
    if placed.is_some_and(|placed| placed.request.is_some()) {
        return None;
    }
    let installed = facts.state.inventory.get(draft.product)?;
    let end = draft.verdict.plan().map(|placed| placed.slot.end);
    let mut older = reach::outstanding(facts, draft.product, installed).filter(|r| r.version() < release.version());
    let costs = older.any(|r| {
        let deadline = facts.almanac.deadline_to_come(facts.terms, r.published_at(), facts.now);
        deadline.is_some_and(|deadline| end.is_none_or(|end| end > deadline))
    });
    costs.then_some(Barred { release, because })
}

/// Whether what was planned still is, and what is left aside makes room for an older one that had none.
fn is_no_worse(was: &Draft, product: &str, settled: &[Draft]) -> bool {
    let mut now = settled.iter().filter(|d| d.product == was.product);
    if was.product == product {
        let end = was.verdict.plan().map(|placed| placed.slot.end);
        return now.any(|d| {
            let older = d.release.zip(was.release).is_some_and(|(is, was)| is.version() < was.version());
            let deadline = d.verdict.plan().and_then(|placed| placed.deadline);
            older && deadline.is_some_and(|d| end.is_none_or(|end| end > d)) && matches!(d.verdict, Verdict::Planned(_))
        });
    }
    !matches!(was.verdict, Verdict::Planned(_)) || now.any(|d| matches!(d.verdict, Verdict::Planned(_)))
}

/// The groups that have a slot, the most urgent first.
fn units<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>]) -> Vec<Unit<'a>> {
    let mut by_leader: BTreeMap<usize, Unit<'a>> = BTreeMap::new();
    for (i, draft) in drafts.iter().enumerate() {
        let (Some(placed), Some(release)) = (draft.verdict.plan(), draft.release) else { continue };
        let unit = by_leader.entry(placed.leader).or_insert_with(|| Unit {
            members: Vec::new(),
            need: TimeDelta::zero(),
            slot: placed.slot,
            deadlines: Vec::new(),
            agreed: slots::opening_of(facts, placed.work, placed.slot).is_none(),
        });
        unit.members.push(i);
        unit.need += facts.durations.need(facts.terms, release);
        unit.deadlines.extend(placed.deadline);
        unit.deadlines.sort_unstable();
    }
    let mut units: Vec<Unit<'a>> = by_leader.into_values().collect();
    sort(&mut units);
    units
}

fn sort(units: &mut [Unit]) {
    units.sort_by_key(|u| (u.deadlines.first().copied().unwrap_or(DateTime::<Utc>::MAX_UTC), *u.slot, u.members[0]));
}

/// Deadlines to come of the older releases that a draft's release makes up for.
fn older_deadlines<'a>(facts: &Facts<'a>, draft: &Draft<'a>) -> impl Iterator<Item = DateTime<Utc>> {
    let installed = facts.state.inventory.get(draft.product);
    let all = installed.into_iter().flat_map(|installed| reach::outstanding(facts, draft.product, installed));
    let release = draft.release;
    let older = all.filter(move |older| release.is_some_and(|release| older.version() < release.version()));
    older.filter_map(|older| facts.almanac.deadline_to_come(facts.terms, older.published_at(), facts.now))
}

/// Time taken by slot.
#[derive(Clone)]
struct Used {
    planned: Vec<(Slot, TimeDelta)>,
    /// What runs here now takes its time, whoever comes next; when it is done at the latest.
    running: Vec<(Slot, TimeDelta)>,
    free_from: DateTime<Utc>,
    /// What is held keeps its place on the line: it may go any time.
    held: Vec<(Slot, TimeDelta)>,
}

impl Used {
    fn before<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>]) -> Used {
        let need = |release| facts.durations.need(facts.terms, release);
        let release = |d: &Deployment| facts.catalog.get(&d.product)?.iter().find(|r| *r.version() == d.to);
        let running = facts.deployments.iter().filter(|d| matches!(d.state, DeploymentState::Running { .. }));
        let running: Vec<(Slot, TimeDelta)> = running.filter_map(|d| Some((d.slot, need(release(d)?)))).collect();
        let held = drafts.iter().filter(|d| matches!(d.verdict, Verdict::Held(Some(_))));
        let held = held.filter_map(|d| Some((*slots::promised(facts, d.release?)?, need(d.release?)))).collect();
        let time: TimeDelta = running.iter().map(|(_, time)| *time).sum();
        let end = running.iter().map(|(slot, _)| slot.end).max();
        let free_from = end.map_or(facts.now, |end| end.min(facts.now + time).max(facts.now));
        Used { planned: Vec::new(), running, free_from, held }
    }

    fn len(&self) -> usize {
        self.planned.len() + self.running.len() + self.held.len()
    }

    /// Takes a slot for a group if there is room beside what overlaps it.
    fn take(&mut self, facts: &Facts, slot: &Slot, unit: &Unit) -> bool {
        self.planned.push((*slot, unit.need));
        let fits = in_turn(&self.planned, self.free_from) && (unit.is_agreed(slot) || self.is_carried(facts, *slot));
        if !fits {
            self.planned.pop();
        }
        fits
    }

    /// Whether the client's line carries what is done in the slots that overlap `slot`.
    fn is_carried(&self, facts: &Facts, slot: Slot) -> bool {
        let own = || self.planned.iter().chain(&self.running).chain(&self.held).copied();
        if facts.load.line.iter().all(|others| others.iter().all(Vec::is_empty)) {
            return true;
        }
        let own: Vec<(Slot, TimeDelta)> = own().collect();
        let mut slots: Vec<Slot> = own.iter().map(|(other, _)| *other).filter(|other| other.overlaps(&slot)).collect();
        slots.dedup();
        slots.into_iter().all(|slot| slots::line_carries(facts, &own, slot))
    }
}

/// Whether all can be done one after the other from `from` on, each inside its slot.
fn in_turn(all: &[(Slot, TimeDelta)], from: DateTime<Utc>) -> bool {
    let Some(((slot, need), rest)) = all.split_first() else { return true };
    let starts = slot.start.max(from);
    if rest.iter().all(|(other, _)| other == slot) {
        return starts + rest.iter().map(|(_, need)| *need).sum::<TimeDelta>() + *need <= slot.end;
    }
    let mut left = all.to_vec();
    // Those that end first go first; others are tried where that does not do.
    left.sort_by_key(|(slot, need)| (slot.end, *need));
    can_finish(&left, from, &mut 0)
}

fn can_finish(left: &[(Slot, TimeDelta)], from: DateTime<Utc>, steps: &mut usize) -> bool {
    if left.is_empty() {
        return true;
    }
    (0..left.len()).any(|next| {
        *steps += 1;
        let (slot, need) = left[next];
        let done = slot.start.max(from) + need;
        *steps <= ORDERS_MAX && done <= slot.end && {
            let rest: Vec<(Slot, TimeDelta)> =
                left.iter().enumerate().filter(|(i, _)| *i != next).map(|(_, one)| *one).collect();
            can_finish(&rest, done, steps)
        }
    })
}

/// The slots a group may go into: its own first, then those that every member may go into, the early ones before the late
/// ones unless it waits for its canaries, and a few past the last deadline among them. A major has none past its date.
fn choices<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>], unit: &Unit<'a>) -> Vec<&'a Slot> {
    let members = || unit.members.iter().filter_map(|i| Some((drafts[*i].verdict.plan()?, drafts[*i].release?)));
    let last = members().filter_map(|(placed, _)| placed.deadline).max();
    let mut common: Option<Vec<&'a Slot>> = None;
    for (placed, release) in members() {
        let from = match placed.work {
            Work::Major => facts.now,
            Work::Night => release.published_at(),
            Work::Manual => slots::announced(facts, release),
        };
        let mut search = Search::new(facts, placed.work, from, release);
        let mut place = 0;
        let all = std::iter::from_fn(|| search.next_after(&mut place).map(|opening| &opening.slot));
        let is_late = |slot: &Slot| last.is_some_and(|last| slot.end > last);
        let mut late = 0;
        let mut admissible: Vec<&'a Slot> = Vec::new();
        for slot in all {
            late += usize::from(is_late(slot));
            let over = placed.request.is_some() && placed.deadline.is_some_and(|by| slot.end > by);
            if over || late > LATE_MAX || admissible.len() - late.min(admissible.len()) >= CHOICES_MAX {
                break;
            }
            admissible.push(slot);
        }
        common = Some(match common {
            Some(slots) => slots.into_iter().filter(|slot| admissible.contains(slot)).collect(),
            None => admissible,
        });
    }
    let rest = common.unwrap_or_default().into_iter().filter(|slot| *slot != unit.slot);
    let mut rest: Vec<&'a Slot> = rest.filter(|slot| slots::fits(facts, **slot, unit.need)).collect();
    // What waits for its canaries waits as long as it can.
    if unit.members.iter().any(|i| drafts[*i].reasons.contains(&Because::Ring(RingStand::Waits))) {
        let in_time = rest.partition_point(|slot| last.is_none_or(|last| slot.end <= last));
        rest[..in_time].reverse();
    }
    std::iter::once(unit.slot).chain(rest).collect()
}

/// A slot for each group, `None` where no room is left. In time for all that can be, preferring earlier choices.
fn assign<'a>(facts: &Facts<'a>, units: &[Unit<'a>], choices: &[Vec<&'a Slot>], taken: &Used) -> Vec<Option<&'a Slot>> {
    let in_time: Vec<Vec<&'a Slot>> = units
        .iter()
        .zip(choices)
        .map(|(unit, all)| {
            let alone = |slot: &&'a Slot| taken.clone().take(facts, slot, unit);
            let possible: Vec<&'a Slot> = all.iter().copied().filter(alone).collect();
            // The next deadline that something still meets; what is late anyway takes no room from what is not.
            let due = unit.deadlines.iter().find(|due| possible.iter().any(|slot| slot.end <= **due));
            possible.into_iter().filter(|slot| due.is_none_or(|due| slot.end <= *due)).collect()
        })
        .collect();
    let mut steps = 0;
    let mut chosen = Vec::new();
    if search(facts, units, &in_time, taken, &mut chosen, &mut steps) {
        return chosen.into_iter().map(Some).collect();
    }
    // Not all can be in time: the most urgent first, each where it finds room.
    let mut used = taken.clone();
    units.iter().zip(choices).map(|(unit, all)| all.iter().copied().find(|slot| used.take(facts, slot, unit))).collect()
}

/// Depth first over the choices of each group in turn.
fn search<'a>(
    facts: &Facts<'a>,
    units: &[Unit<'a>],
    choices: &[Vec<&'a Slot>],
    used: &Used,
    chosen: &mut Vec<&'a Slot>,
    steps: &mut usize,
) -> bool {
    let next = chosen.len();
    let Some(unit) = units.get(next) else { return true };
    for slot in &choices[next] {
        *steps += 1;
        if *steps > STEPS_MAX {
            return false;
        }
        let mut with = used.clone();
        if with.take(facts, slot, unit) {
            chosen.push(slot);
            if search(facts, units, choices, &with, chosen, steps) {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

fn place<'a>(drafts: &mut [Draft<'a>], unit: &Unit<'a>, slot: Option<&'a Slot>) {
    for member in &unit.members {
        let draft = &mut drafts[*member];
        match slot {
            Some(slot) if slot == unit.slot => {}
            Some(slot) => {
                draft.move_to(slot);
                // What settles it is said last: as it will be when it is planned again, promised already.
                let last = draft.reasons.len().saturating_sub(1);
                draft.reasons.splice(last..last, [Because::SlotFull(unit.slot), Because::Spilled(slot)]);
            }
            None => {
                draft.reasons.push(Because::SlotFull(unit.slot));
                let verdict = std::mem::replace(&mut draft.verdict, Verdict::Waiting);
                draft.verdict = verdict.hold();
            }
        }
    }
}

/// What was to follow a release that moved into its slot goes with it. Where that moved behind it, or found no room, it
/// waits for the next planning: it is held, never out of order.
pub(super) fn keep_order<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>]) {
    // What is held can be what another follows: at most one round for each draft.
    for _ in 0..drafts.len() {
        let overtaken = (0..drafts.len()).find_map(|i| Some((i, overtakes(facts, drafts, &drafts[i])?)));
        let Some((i, because)) = overtaken else { break };
        if let Because::Follows(first, _) = because
            && go_along(drafts, i, first)
        {
            continue;
        }
        drafts[i].reasons.push(because);
        let verdict = std::mem::replace(&mut drafts[i].verdict, Verdict::Waiting);
        drafts[i].verdict = verdict.hold();
    }
}

/// Joins a draft to the group that `first` goes with, if that is in the same slot, where room was found for both.
fn go_along<'a>(drafts: &mut [Draft<'a>], i: usize, first: &'a Release) -> bool {
    let is_first = |d: &&Draft<'a>| d.release.is_some_and(|r| r.id() == first.id());
    let theirs = drafts.iter().filter(is_first).find_map(|d| d.verdict.plan()).cloned();
    let (Some(ours), Some(theirs)) = (drafts[i].verdict.plan().cloned(), theirs) else { return false };
    if ours.slot != theirs.slot || ours.work != theirs.work {
        return false;
    }
    drafts[i].reasons.retain(|said| !matches!(said, Because::Follows(release, _) if release.id() == first.id()));
    drafts[i].say_how(Because::Together(first, theirs.slot));
    let members = drafts.iter_mut().filter_map(|d| d.verdict.plan_mut()).filter(|p| p.leader == ours.leader);
    members.for_each(|placed| placed.leader = theirs.leader);
    true
}

/// What a draft would overtake: what brings something it requires and that is not there, and does not come before it.
fn overtakes<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>], draft: &Draft<'a>) -> Option<Because<'a>> {
    let (placed, release) = (draft.verdict.plan()?, draft.release?);
    let comes_before = |other: &Draft| {
        other.verdict.plan().is_some_and(|p| p.leader == placed.leader || p.slot.end <= placed.slot.start)
    };
    release.manifest().requires.iter().find_map(|needed| {
        if facts.state.inventory.get(&needed.product).is_some_and(|there| *there >= needed.at_least) {
            return None;
        }
        let brings =
            |d: &&Draft<'a>| *d.product == needed.product && d.release.is_some_and(|r| *r.version() >= needed.at_least);
        if drafts.iter().filter(brings).any(comes_before) {
            return None;
        }
        let other = drafts.iter().filter(brings).find(|d| d.verdict.intent().is_some())?;
        let theirs = other.release?;
        Some(other.verdict.plan().map_or(Because::PartnerHeld(theirs), |p| Because::Follows(theirs, p.slot)))
    })
}
