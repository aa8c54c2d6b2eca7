//! The search itself: every way to do all tasks, until one breaks no rule.

use super::site::Site;
use super::tasks::{self, Choice, Kind, Task};
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};

/// What nobody waits for may go so long after the last that is due: a version that goes late may free what a newer one of
/// its product names.
const BESIDE: TimeDelta = TimeDelta::days(4);

pub struct Search<'s, 'a> {
    site: &'s Site<'a>,
    due: Vec<Task>,
    /// For each thing that may be done: everything that would do it, `None` where it may be left. What is due may be left
    /// where another choice does it as well.
    open: Vec<Vec<Option<Choice<'a>>>>,
}

impl<'s, 'a> Search<'s, 'a> {
    /// All tasks, and whatever their releases may need beside them.
    pub fn new(site: &'s Site<'a>, due: Vec<Task>) -> Search<'s, 'a> {
        let until = due.iter().map(|task| task.by).max().unwrap_or(site.now());
        let mut open: Vec<Vec<Option<Choice<'a>>>> = Vec::new();
        let mut wanted: Vec<(String, bool)> = Vec::new();
        for task in &due {
            let all = tasks::choices(site, &task.product, task.request.is_some(), task.by);
            let does = all.into_iter().filter(|c| *c.release.version() >= task.at_least).map(Some);
            let thing = (task.product.clone(), task.request.is_some());
            let again = wanted.contains(&thing).then_some(None);
            open.push(again.into_iter().chain(does).collect());
            wanted.push(thing);
        }
        let mut next = 0;
        while let Some(choices) = open.get(next) {
            next += 1;
            let named: Vec<String> = choices.iter().flatten().flat_map(|c| named(site, c)).collect();
            let lenders = choices.iter().flatten().filter_map(|c| c.with.clone());
            let named: Vec<String> = named.into_iter().chain(lenders).collect();
            for thing in named.into_iter().flat_map(|product| [(product.clone(), false), (product, true)]) {
                if !wanted.contains(&thing) {
                    let all = tasks::choices(site, &thing.0, thing.1, until + BESIDE);
                    open.push(std::iter::once(None).chain(all.into_iter().map(Some)).collect());
                    wanted.push(thing);
                }
            }
        }
        Search { site, due, open }
    }

    pub fn finds(&self) -> bool {
        self.schedule().is_some()
    }

    /// What goes where: product, version, slot.
    pub fn schedule(&self) -> Option<Vec<String>> {
        let mut chosen = Vec::new();
        self.go(&mut chosen).then(|| {
            let say =
                |c: &Choice| format!("{} {} {}/{}", c.release.product(), c.release.version(), c.slot.start, c.slot.end);
            chosen.iter().flatten().map(say).collect()
        })
    }

    fn go(&self, chosen: &mut Vec<Option<Choice<'a>>>) -> bool {
        let Some(choices) = self.open.get(chosen.len()) else { return self.is_whole(chosen) };
        choices.iter().any(|choice| {
            chosen.push(choice.clone());
            let good = (choice.is_none() || self.has_room(chosen)) && self.is_done(chosen) && self.go(chosen);
            if !good {
                chosen.pop();
            }
            good
        })
    }

    /// Whether the last of these is done by its own choice or by an earlier one, and no minor goes over a newer one.
    fn is_done(&self, chosen: &[Option<Choice>]) -> bool {
        let all = || chosen.iter().flatten();
        let Some(task) = self.due.get(chosen.len() - 1) else { return true };
        let does = |c: &&Choice| {
            c.release.product() == task.product
                && (c.kind == Kind::Major) == task.request.is_some()
                && *c.release.version() >= task.at_least
                && c.slot.end <= task.by
        };
        let goes_back = |one: &Choice, other: &Choice| {
            one.release.product() == other.release.product()
                && (one.kind == Kind::Major) == (other.kind == Kind::Major)
                && one.release.version() < other.release.version()
                && other.slot.start < one.slot.start
        };
        all().any(|c| does(&c)) && !all().any(|one| all().any(|other| goes_back(one, other)))
    }

    /// The server does one thing at a time, staff are free, the line carries it.
    fn has_room(&self, chosen: &[Option<Choice>]) -> bool {
        let chosen: Vec<&Choice> = chosen.iter().flatten().collect();
        let Some(last) = chosen.last() else { return true };
        let all: Vec<(Slot, TimeDelta)> = chosen.iter().map(|c| (c.slot, c.need)).collect();
        let busy: TimeDelta = self.running().map(|(_, need)| need).sum();
        let until = self.running().map(|(slot, _)| slot.end).max();
        let from = until.map_or(self.site.now(), |end| end.min(self.site.now() + busy).max(self.site.now()));
        in_turn(&all, from)
            && (last.agreed || last.kind == Kind::Night || self.staff_are_free(last.slot))
            && chosen.iter().filter(|c| !c.agreed).all(|c| self.is_carried(&all, c.slot))
            && self.nobody_loses_room(&all)
    }

    fn running(&self) -> impl Iterator<Item = (Slot, TimeDelta)> {
        self.site.running().filter_map(|d| {
            let release = self.site.case.release(&d.product, &d.to)?;
            Some((d.slot, self.site.need(release)))
        })
    }

    fn staff_are_free(&self, slot: Slot) -> bool {
        let there = |at: DateTime<Utc>| {
            self.site.staff.iter().filter(|slots| slots.iter().any(|other| other.contains(at))).count()
        };
        let begins = self.site.staff.iter().flatten().map(|other| other.start.max(slot.start));
        let most = begins.filter(|at| slot.contains(*at)).map(there).max().unwrap_or(0);
        most < self.site.terms.schedule.staff.installs_max as usize
    }

    /// Whether all that is done in `slot`, here and by the client's other servers, is done in time whoever comes last:
    /// all lines are busy with the rest until the longest begins.
    fn is_carried(&self, own: &[(Slot, TimeDelta)], slot: Slot) -> bool {
        let lines = i64::from(self.site.terms.schedule.rollout.line_installs_max);
        let here = own.iter().copied().chain(self.running());
        let here: i64 = here.filter(|(s, _)| s.overlaps(&slot)).map(|(_, need)| need.num_minutes()).sum();
        let there = self.site.line.iter().map(|promises| {
            promises.iter().filter(|p| p.slot.overlaps(&slot)).map(|p| i64::from(p.minutes)).sum::<i64>()
        });
        let loads: Vec<i64> = there.chain([here]).filter(|load| *load > 0).collect();
        let longest = loads.iter().max().copied().unwrap_or(0);
        let room = (slot.end - slot.start.max(self.site.now())).num_minutes();
        loads.len() as i64 <= lines || loads.iter().sum::<i64>() - longest + longest * lines <= room * lines
    }

    /// What others were promised stays possible where it was.
    fn nobody_loses_room(&self, own: &[(Slot, TimeDelta)]) -> bool {
        self.site.line.iter().flatten().all(|p| self.is_carried(own, p.slot) || !self.is_carried(&[], p.slot))
    }

    /// Companions that are here come along, what is required is here or comes first, and what is attended shares no slot
    /// with what is not.
    fn is_whole(&self, chosen: &[Option<Choice>]) -> bool {
        let inventory = &self.site.state.inventory;
        let of = |product: &str| chosen.iter().flatten().filter(|c| c.release.product() == product).collect::<Vec<_>>();
        chosen.iter().flatten().all(|choice| {
            let manifest = choice.release.manifest();
            let with = manifest.installs_with.iter().all(|companion| {
                let there = inventory.get(&companion.product);
                there.is_none_or(|v| *v >= companion.version)
                    || of(&companion.product).iter().any(|c| {
                        *c.release.version() == companion.version && c.slot == choice.slot && c.kind == choice.kind
                    })
            });
            let required = manifest.requires.iter().all(|needed| {
                inventory.get(&needed.product).is_some_and(|v| *v >= needed.at_least)
                    || of(&needed.product).iter().any(|c| {
                        let along = c.slot == choice.slot && c.kind == choice.kind;
                        *c.release.version() >= needed.at_least && (along || c.slot.end <= choice.slot.start)
                    })
            });
            // Whichever names the other: it goes along, unless another of its product goes first.
            let named = tasks::naming(self.site, choice.release).iter().all(|by| {
                of(by.product())
                    .iter()
                    .any(|c| c.release.version() != by.version() || c.slot == choice.slot && c.kind == choice.kind)
            });
            let lends = |c: &&Choice| choice.with.as_deref() == Some(c.release.product()) && c.with.is_none();
            let lent = choice.with.is_none() || group(chosen, choice).into_iter().any(|c| lends(&c));
            with && required && named && lent
        })
    }
}

/// The products that a choice has to do with: those it names, and those that name it.
fn named(site: &Site, choice: &Choice) -> Vec<String> {
    let manifest = choice.release.manifest();
    let required = manifest.requires.iter().map(|r| r.product.clone());
    let along = manifest.installs_with.iter().map(|c| c.product.clone());
    required.chain(along).chain(tasks::naming(site, choice.release).iter().map(|r| r.product().to_owned())).collect()
}

/// What goes in one slot with a choice because one names the other, or what another of them names.
fn group<'c, 'a>(chosen: &'c [Option<Choice<'a>>], choice: &'c Choice<'a>) -> Vec<&'c Choice<'a>> {
    let names = |one: &Choice, other: &Choice| {
        let manifest = one.release.manifest();
        manifest.installs_with.iter().any(|it| it.product == other.release.product())
            || manifest.requires.iter().any(|it| it.product == other.release.product())
    };
    let mut group = vec![choice];
    let mut next = 0;
    while let Some(one) = group.get(next).copied() {
        next += 1;
        for other in chosen.iter().flatten().filter(|c| c.slot == choice.slot && c.kind == choice.kind) {
            let is_in = group.iter().any(|c| c.release.product() == other.release.product());
            if !is_in && (names(one, other) || names(other, one)) {
                group.push(other);
            }
        }
    }
    group
}

/// Whether some order does each inside its slot, one after the other.
fn in_turn(all: &[(Slot, TimeDelta)], from: DateTime<Utc>) -> bool {
    all.is_empty()
        || (0..all.len()).any(|next| {
            let (slot, need) = all[next];
            let done = slot.start.max(from) + need;
            let rest: Vec<(Slot, TimeDelta)> = [&all[..next], &all[next + 1..]].concat();
            done <= slot.end && in_turn(&rest, done)
        })
}
