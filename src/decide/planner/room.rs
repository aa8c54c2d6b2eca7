//! Room: one server installs one thing at a time, so what is planned into one slot must fit into it together.
//!
//! Where it does not, whole groups move to other slots of theirs: a search over the few there are finds a way to meet
//! every deadline whenever there is one. What still finds no room is late, or held where nothing is left at all.

use super::Facts;
use super::because::Because;
use super::draft::{Draft, Verdict};
use super::slots::{self, Search};
use crate::decide::almanac::Work;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Most steps of the search. Eight groups with three slots each need under seven thousand.
const STEPS_MAX: usize = 20_000;
/// Most slots looked at for one group.
const CHOICES_MAX: usize = 12;

/// What goes into one slot together.
struct Unit<'a> {
    members: Vec<usize>,
    need: TimeDelta,
    slot: &'a Slot,
    deadline: DateTime<Utc>,
}

pub(super) fn make<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>]) {
    let taken = Used::running(facts);
    if drafts.iter().filter(|d| d.verdict.plan().is_some()).count() + taken.0.len() < 2 {
        return;
    }
    let units = units(facts, drafts);
    let mut used = taken.clone();
    if units.iter().all(|unit| used.take(facts, unit.slot, unit.need)) {
        return;
    }
    let choices: Vec<Vec<&'a Slot>> = units.iter().map(|unit| choices(facts, drafts, unit)).collect();
    let chosen = assign(facts, &units, &choices, &taken);
    for (unit, slot) in units.iter().zip(chosen) {
        place(facts, drafts, unit, slot);
    }
    keep_order(facts, drafts);
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
            deadline: DateTime::<Utc>::MAX_UTC,
        });
        unit.members.push(i);
        unit.need += facts.durations.need(facts.terms, release);
        unit.deadline = placed.deadline.map_or(unit.deadline, |d| d.min(unit.deadline));
    }
    let mut units: Vec<Unit<'a>> = by_leader.into_values().collect();
    units.sort_by_key(|unit| (unit.deadline, *unit.slot, unit.members[0]));
    units
}

/// Time taken by slot.
#[derive(Clone, Default)]
struct Used<'a>(Vec<(&'a Slot, TimeDelta)>);

impl<'a> Used<'a> {
    /// What runs here now takes its time, whoever comes next.
    fn running(facts: &Facts<'a>) -> Used<'a> {
        let running = facts.deployments.iter().filter(|d| matches!(d.state, DeploymentState::Running { .. }));
        let release = |d: &Deployment| facts.catalog.get(&d.product)?.iter().find(|r| *r.version() == d.to);
        Used(running.filter_map(|d| Some((&d.slot, facts.durations.need(facts.terms, release(d)?)))).collect())
    }

    /// Takes `need` of `slot` if it fits beside what overlaps it.
    fn take(&mut self, facts: &Facts, slot: &'a Slot, need: TimeDelta) -> bool {
        let taken: TimeDelta = self.0.iter().filter(|(other, _)| other.overlaps(slot)).map(|(_, t)| *t).sum();
        let fits = slots::fits(facts, *slot, taken + need);
        if fits {
            self.0.push((slot, need));
        }
        fits
    }
}

/// The slots a group may go into: its own first, those in time for all its members, then the first that is not.
fn choices<'a>(facts: &Facts<'a>, drafts: &[Draft<'a>], unit: &Unit<'a>) -> Vec<&'a Slot> {
    let mut common: Option<Vec<&'a Slot>> = None;
    let mut later: Option<&'a Slot> = None;
    for member in &unit.members {
        let (Some(placed), Some(release)) = (drafts[*member].verdict.plan(), drafts[*member].release) else { continue };
        let from = if placed.work == Work::Major { facts.now } else { release.published_at() };
        let announced = match placed.work {
            Work::Manual => slots::announced(facts, release),
            Work::Night | Work::Major => from,
        };
        let mut search = Search::new(facts, placed.work, announced, release);
        let horizon = facts.now + TimeDelta::days(crate::decide::almanac::SEARCH_DAYS);
        let (in_time, after) = search.by(placed.deadline.unwrap_or(horizon));
        later = later.max(after);
        common = Some(match common {
            Some(slots) => slots.into_iter().filter(|slot| in_time.contains(slot)).collect(),
            None => in_time,
        });
        if placed.work != Work::Night {
            later = None;
        } else if after.is_none() {
            let mut beyond = Search::new(facts, Work::Night, placed.deadline.unwrap_or(horizon), release);
            later = later.max(beyond.first());
        }
    }
    let mut choices = vec![unit.slot];
    let slots = common.unwrap_or_default();
    let rest = slots.into_iter().chain(later).filter(|slot| *slot != unit.slot);
    choices.extend(rest.filter(|slot| slots::fits(facts, **slot, unit.need)).take(CHOICES_MAX));
    choices
}

/// A slot for each group, `None` where no room is left. In time for all if that can be, preferring earlier choices.
fn assign<'a>(
    facts: &Facts<'a>,
    units: &[Unit<'a>],
    choices: &[Vec<&'a Slot>],
    taken: &Used<'a>,
) -> Vec<Option<&'a Slot>> {
    let in_time: Vec<Vec<&'a Slot>> = units
        .iter()
        .zip(choices)
        .map(|(unit, all)| all.iter().copied().filter(|slot| slot.end <= unit.deadline).collect())
        .collect();
    let mut steps = 0;
    let mut chosen = Vec::new();
    if search(facts, units, &in_time, taken, &mut chosen, &mut steps) {
        return chosen.into_iter().map(Some).collect();
    }
    // Not all can be in time: the most urgent first, each where it finds room.
    let mut used = taken.clone();
    units
        .iter()
        .zip(choices)
        .map(|(unit, all)| all.iter().copied().find(|slot| used.take(facts, slot, unit.need)))
        .collect()
}

/// Depth first over the choices of each group in turn.
fn search<'a>(
    facts: &Facts<'a>,
    units: &[Unit<'a>],
    choices: &[Vec<&'a Slot>],
    used: &Used<'a>,
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
        if with.take(facts, slot, unit.need) {
            chosen.push(slot);
            if search(facts, units, choices, &with, chosen, steps) {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

fn place<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>], unit: &Unit<'a>, slot: Option<&'a Slot>) {
    for member in &unit.members {
        let draft = &mut drafts[*member];
        match slot {
            Some(slot) if slot == unit.slot => {}
            Some(slot) => {
                draft.reasons.push(Because::SlotFull(unit.slot));
                draft.reasons.push(Because::Spilled(slot));
                if let Some(placed) = draft.verdict.plan_mut() {
                    placed.slot = slot;
                }
                draft.resettle(facts);
            }
            None => {
                draft.reasons.push(Because::SlotFull(unit.slot));
                let verdict = std::mem::replace(&mut draft.verdict, Verdict::Waiting);
                draft.verdict = verdict.hold();
            }
        }
    }
}

/// What was to follow a release that moved behind it, or found no room, waits for the next planning: it is held, never
/// out of order.
fn keep_order<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>]) {
    // What is held can be what another follows: at most one round for each draft.
    for _ in 0..drafts.len() {
        let overtaken = (0..drafts.len()).find_map(|i| Some((i, overtakes(facts, drafts, &drafts[i])?)));
        let Some((i, because)) = overtaken else { break };
        drafts[i].reasons.push(because);
        let verdict = std::mem::replace(&mut drafts[i].verdict, Verdict::Waiting);
        drafts[i].verdict = verdict.hold();
    }
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
