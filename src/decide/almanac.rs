//! An almanac: what the contract's windows give on one calendar, worked out once for many servers.
//!
//! Servers with one schedule, zone and holidays region share it, so that planning a fleet asks the calendar a few
//! hundred questions instead of a few million. It says nothing that [`super::window`] and [`super::notice`] would not
//! say when asked one by one; a test holds them together. A client's closed periods are not in it.

use super::calendar::{Calendar, Fold};
use super::notice;
use super::terms::Terms;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Days before its making that an almanac looks back: what was published then still has its deadline in it.
const BACK_DAYS: i64 = 120;
/// How far ahead automatic and manual work looks for a slot, in days.
pub const SEARCH_DAYS: i64 = 45;
/// How far ahead a major may be requested, in days.
pub const REQUEST_DAYS: i64 = 400;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Which window work is done in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Unattended, at night (`minor-night`).
    Night,
    /// Attended by staff (`manual-slots`).
    Manual,
    /// On the client's request (`maintenance-slots`).
    Major,
}

/// One opening of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub slot: Slot,
    /// [`Slot::duration`]: asked for a million times.
    pub length: TimeDelta,
    /// Site-local day it begins on.
    pub day: NaiveDate,
    /// Whether it overlaps the hours in which no automatic work may be done (`office-hours`).
    pub barred: bool,
    /// Oldest end of a backup that is recent enough for work in it (`backup-first`).
    pub backup_since: DateTime<Utc>,
}

/// The openings of one schedule's windows on one calendar, in order.
#[derive(Clone, Debug)]
pub struct Almanac {
    calendar: Calendar,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    night: Openings,
    /// Beside each opening of the night.
    due: Vec<Due>,
    manual: Openings,
    major: Openings,
}

/// When that is due which is published on the day an opening begins on, or since the day of the one before.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// The end of the opening's site-local day.
    until: DateTime<Utc>,
    /// Unknown for the last few nights, whose deadline the almanac does not reach.
    deadline: Option<DateTime<Utc>>,
}

/// Openings in order, and where each day's begin among them: a year of them is asked for those from now on by the
/// million.
#[derive(Clone, Debug, Default)]
struct Openings {
    all: Vec<Opening>,
    /// The midnight in UTC that `by_day` begins with, in seconds since 1970.
    first_midnight: i64,
    /// For each day the place of the first opening that ends after its midnight.
    by_day: Vec<usize>,
}

impl Almanac {
    /// Good for planning at any instant of `[from, to)`; for one instant, let them be equal.
    pub fn new(terms: &Terms, calendar: Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Almanac {
        let start = from - TimeDelta::days(BACK_DAYS);
        let (near, far) = (to + TimeDelta::days(SEARCH_DAYS + 1), to + TimeDelta::days(REQUEST_DAYS + 1));
        let mut maker = Maker {
            terms,
            calendar: &calendar,
            barred: terms.barred_window().wide(&calendar, start, far + TimeDelta::days(2)),
            backups: BTreeMap::new(),
        };
        let night = Openings::new(maker.openings(terms.minor_window().slots(&calendar, start, near), |_| None));
        // A slot that begins inside a night belongs to that night's evening.
        let in_a_night = |at| terms.minor_window().slot_at(&calendar, at).map(|slot| slot.start);
        let major = maker.openings(terms.major_window().slots(&calendar, start, far), |at| {
            in_a_night(at).or_else(|| terms.manual_window().slot_at(&calendar, at).map(|slot| slot.start))
        });
        let manual = match terms.schedule.manual.window == terms.schedule.major.window {
            true => major.iter().take_while(|o| o.slot.start < near).cloned().collect(),
            false => maker.openings(terms.manual_window().slots(&calendar, start, near), in_a_night),
        };
        let (manual, major) = (Openings::new(manual), Openings::new(major));
        let due = due(&night, &calendar, terms.schedule.minor.deadline_nights as usize);
        Almanac { from, to, night, due, manual, major, calendar }
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Whether it may be used for planning at `now`.
    pub fn is_good_at(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now <= self.to
    }

    /// The openings for `work` that have not ended at `now`.
    pub fn openings(&self, work: Work, now: DateTime<Utc>) -> &[Opening] {
        let (all, days) = match work {
            Work::Night => (&self.night, SEARCH_DAYS),
            Work::Manual => (&self.manual, SEARCH_DAYS),
            Work::Major => (&self.major, REQUEST_DAYS),
        };
        let (first, last) = (all.ended_by(now), all.begun_before(now + TimeDelta::days(days)));
        &all.all[first.min(last)..last]
    }

    /// [`notice::backup_not_before`], without asking the calendar in a night that it knows.
    pub fn backup_not_before(&self, terms: &Terms, at: DateTime<Utc>) -> DateTime<Utc> {
        let next = self.night.all.get(self.night.ended_by(at)).filter(|night| night.slot.contains(at));
        next.map_or_else(|| notice::backup_not_before(terms, &self.calendar, at), |night| night.backup_since)
    }

    /// Whether a night has begun since `since`; of those before its making, the last [`BACK_DAYS`] are known.
    pub fn night_began(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.night.all.get(self.night.begun_before(since)).is_some_and(|o| o.slot.start <= now)
    }

    /// The deadline of a minor published at `published`, if it is still to come at `now`. What is long past costs nothing
    /// to tell: a server that is far behind has many of those.
    pub fn deadline_to_come(
        &self,
        terms: &Terms,
        published: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let deadline = match self.due_of(published) {
            Ok(deadline) => deadline,
            Err(first) => {
                let nights_max = terms.schedule.minor.deadline_nights as usize;
                let ended = &self.night.all[first..self.night.ended_by(now).max(first)];
                // Nights before the almanac's memory would only make it longer ago.
                if ended.chunk_by(|one, next| one.day == next.day).take(nights_max + 1).count() > nights_max {
                    return None;
                }
                notice::minor_deadline(terms, &self.calendar, published)
            }
        };
        Some(deadline).filter(|deadline| *deadline > now)
    }

    /// When a minor published at `published` is late: [`notice::minor_deadline`].
    pub fn minor_deadline(&self, terms: &Terms, published: DateTime<Utc>) -> DateTime<Utc> {
        self.due_of(published).unwrap_or_else(|_| notice::minor_deadline(terms, &self.calendar, published))
    }

    /// The same, where the almanac reaches from the night of publication to the deadline; else the place of the first night
    /// that counts.
    fn due_of(&self, published: DateTime<Utc>) -> Result<DateTime<Utc>, usize> {
        let first = self.due.partition_point(|due| due.until <= published);
        // Before the first opening it knows, the almanac cannot tell whether it knows them all.
        self.due.get(first).filter(|_| first > 0).and_then(|due| due.deadline).ok_or(first)
    }
}

/// When what is published on the day of each opening is due: the nights of `nights_max` days count, in order.
fn due(night: &Openings, calendar: &Calendar, nights_max: usize) -> Vec<Due> {
    let end_of = |day: NaiveDate| {
        let midnight = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
        calendar.instant(midnight, Fold::Later)
    };
    let days: Vec<&[Opening]> = night.all.chunk_by(|one, next| one.day == next.day).collect();
    let of = |(place, openings): (usize, &&[Opening])| {
        // Of the last day known there may be more openings.
        let last = (place + nights_max).checked_sub(1).filter(|last| *last >= place && last + 1 < days.len());
        let deadline = last.and_then(|last| days[last].last()).map(|opening| opening.slot.end);
        vec![Due { until: end_of(openings[0].day), deadline }; openings.len()]
    };
    days.iter().enumerate().flat_map(of).collect()
}

impl Openings {
    fn new(all: Vec<Opening>) -> Openings {
        let (Some(first), Some(last)) = (all.first(), all.last()) else { return Openings::default() };
        let first_day = first.slot.start.date_naive();
        let first_midnight = first_day.and_time(NaiveTime::MIN).and_utc().timestamp();
        let mut place = 0;
        let by_day = first_day.iter_days().take_while(|day| *day <= last.slot.end.date_naive()).map(|day| {
            let midnight = day.and_time(NaiveTime::MIN).and_utc();
            place += all[place..].iter().take_while(|o| o.slot.end <= midnight).count();
            place
        });
        Openings { by_day: by_day.collect(), first_midnight, all }
    }

    /// How many have ended at `at`.
    fn ended_by(&self, at: DateTime<Utc>) -> usize {
        let place = self.ended_by_midnight(at);
        place + self.all[place..].iter().take_while(|o| o.slot.end <= at).count()
    }

    /// How many begin before `at`. One that has ended by midnight began before.
    fn begun_before(&self, at: DateTime<Utc>) -> usize {
        let place = self.ended_by_midnight(at);
        place + self.all[place..].iter().take_while(|o| o.slot.start < at).count()
    }

    /// How many have ended at the midnight before `at`.
    fn ended_by_midnight(&self, at: DateTime<Utc>) -> usize {
        match usize::try_from((at.timestamp() - self.first_midnight).div_euclid(DAY_SECONDS)) {
            Ok(day) => self.by_day.get(day).copied().unwrap_or(self.all.len()),
            Err(_) => 0,
        }
    }
}

/// Makes openings of slots; asks the calendar once for what many share.
struct Maker<'a> {
    terms: &'a Terms,
    calendar: &'a Calendar,
    /// When no automatic work may be done, in order.
    barred: Vec<Slot>,
    /// The answers of [`notice::backup_not_before`], by the day a slot begins on.
    backups: BTreeMap<NaiveDate, DateTime<Utc>>,
}

impl Maker<'_> {
    /// `within` gives the start of another slot that an instant is in and that counts before its own.
    fn openings(&mut self, slots: Vec<Slot>, within: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>) -> Vec<Opening> {
        slots
            .into_iter()
            .map(|slot| {
                let day = self.calendar.date(slot.start);
                let began = within(slot.start).map_or(day, |start| self.calendar.date(start));
                let since = || notice::backup_since_day(self.terms, self.calendar, began);
                let backup_since = *self.backups.entry(began).or_insert_with(since);
                // The first that ends after the slot begins is the only one that could overlap it first.
                let next = self.barred.partition_point(|b| b.end <= slot.start);
                let barred = self.barred.get(next).is_some_and(|b| b.overlaps(&slot));
                Opening { slot, length: slot.duration(), day, barred, backup_since }
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "almanac_tests.rs"]
mod tests;
