//! A window compiled: opening hours that give slots.
//!
//! Hours are OpenStreetMap opening-hours syntax, read by the `opening-hours` crate in civil time; zone, clock
//! changes and holidays are ours. What a slot is:
//!
//! - A stretch of open time, midnight notwithstanding: `22:00-07:00` gives one slot, and that night belongs to the
//!   day it starts on. A day open from midnight to midnight is a slot of its own, so that a window that never closes
//!   still gives slots of finite length.
//! - Its bounds in UTC are on the safe side: a start the clock repeats is the later instant, an end the earlier one,
//!   a bound the clock skips is the instant it skips at. What is empty after that is left out. Where an open window
//!   forbids something ([`CompiledWindow::touches`]), the safe side is the other one, and bounds are read wide.
//!
//! A client's closed periods are not applied here. Asking is cheap: hours that depend only on the weekday and on
//! public holidays are tabled when compiled (a week costs a few microseconds); others are evaluated each day.

use super::calendar::{Calendar, Fold, Region};
use super::window_lint::{self, Fault};
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use compact_calendar::CompactCalendar;
use opening_hours::{Context, ContextHolidays, OpeningHours, RuleKind};
use opening_hours_syntax::rules::RuleSequence;
use opening_hours_syntax::rules::day::{HolidayKind, WeekDayRange};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Longest opening-hours expression accepted, in bytes.
pub const HOURS_BYTES_MAX: usize = 256;

/// How far ahead [`CompiledWindow::starting_from`] looks, in days: a window of 29 February opens within it.
const SEARCH_DAYS_MAX: i64 = 8 * 366;

const MINUTES_PER_DAY: u16 = 24 * 60;

/// Open time of one civil day, in minutes from its midnight, half-open, in order and apart.
pub(super) type Openings = Vec<(u16, u16)>;

/// A window that can be asked when it is open.
#[derive(Clone, Debug)]
pub struct CompiledWindow {
    days: DayRule,
}

/// How the open time of a day is found.
#[derive(Clone, Debug)]
enum DayRule {
    /// By weekday, whether the day is a holiday, and whether the day before was (its night may reach into this one).
    Weekly(Arc<[Openings; 28]>),
    /// By evaluating the expression on the date.
    Dated(OpeningHours),
}

/// Which way an unclear bound is read.
#[derive(Clone, Copy)]
enum Reading {
    Narrow,
    Wide,
}

impl CompiledWindow {
    /// Parses and lints an opening-hours expression.
    ///
    /// # Errors
    /// Everything that is wrong with it or would not do what it seems to say.
    pub fn compile(hours: &str) -> Result<CompiledWindow, Vec<Fault>> {
        let parsed = window_lint::parse(hours)?;
        let expression = parsed.get_expression();
        let window = CompiledWindow::of(parsed);
        let faults = window_lint::lint(hours, &expression, &window);
        if faults.is_empty() { Ok(window) } else { Err(faults) }
    }

    /// Compiles what the lints have not looked at.
    pub(super) fn of(hours: OpeningHours) -> CompiledWindow {
        let days = if hours.get_expression().rules.iter().all(is_weekly) {
            DayRule::Weekly(table(&hours))
        } else {
            DayRule::Dated(hours)
        };
        CompiledWindow { days }
    }

    /// The slots that intersect `[from, to)`, in order, whole (not clipped), in the calendar's zone and holidays.
    /// DST: bounds inside a repeated or missing hour are taken on the safe side; empty slots are left out.
    pub fn slots(&self, calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Slot> {
        self.read(calendar, from, to, Reading::Narrow)
    }

    /// The first `count` slots that start at or after `from`; fewer when the window opens that rarely.
    pub fn starting_from(&self, calendar: &Calendar, from: DateTime<Utc>, count: usize) -> Vec<Slot> {
        let mut found = Vec::new();
        let (mut done, mut step) = (0, 8);
        while found.len() < count && done < SEARCH_DAYS_MAX {
            let (start, end) = (from + TimeDelta::days(done), from + TimeDelta::days(done + step));
            found.extend(self.slots(calendar, start, end).into_iter().filter(|slot| slot.start >= start));
            (done, step) = (done + step, step * 2);
        }
        found.truncate(count);
        found
    }

    /// The slot that `instant` is in.
    pub fn slot_at(&self, calendar: &Calendar, instant: DateTime<Utc>) -> Option<Slot> {
        self.slots(calendar, instant, instant + TimeDelta::seconds(1)).into_iter().find(|slot| slot.contains(instant))
    }

    /// Whether the window is open at some instant of `slot`. Unclear bounds are read wide: what may be open is.
    pub fn touches(&self, calendar: &Calendar, slot: Slot) -> bool {
        !self.read(calendar, slot.start, slot.end, Reading::Wide).is_empty()
    }

    /// The time in `[from, to)` at which the window may be open: what [`Self::touches`] looks for, all at once.
    pub fn wide(&self, calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Slot> {
        self.read(calendar, from, to, Reading::Wide)
    }

    /// The end of the last slot that starts on the site-local `date`, if one does: 18:00 for office hours, the
    /// next morning for a night.
    pub fn close_of(&self, calendar: &Calendar, date: NaiveDate) -> Option<DateTime<Utc>> {
        let mut close = None;
        self.civil(calendar, date.checked_sub_days(Days::new(1))?, date, |start, end| {
            if start.date() == date
                && let Some(slot) = resolve(calendar, start, end, Reading::Narrow)
            {
                close = Some(slot.end);
            }
        });
        close
    }

    fn read(&self, calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>, reading: Reading) -> Vec<Slot> {
        let mut found = Vec::new();
        if from >= to {
            return found;
        }
        // A slot reaches at most into the day after the one it starts on.
        let first = calendar.date(from).checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
        self.civil(calendar, first, calendar.date(to), |start, end| {
            if let Some(slot) = resolve(calendar, start, end, reading)
                && slot.start < to
                && from < slot.end
            {
                found.push(slot);
            }
        });
        found
    }

    /// Gives every civil stretch of open time that starts on a day from `first` to `last`. What reaches into `first`
    /// from the day before is given from midnight on.
    pub(super) fn civil(
        &self,
        calendar: &Calendar,
        first: NaiveDate,
        last: NaiveDate,
        mut give: impl FnMut(NaiveDateTime, NaiveDateTime),
    ) {
        let days = self.on_calendar(calendar.region);
        let mut holiday_before = first.pred_opt().is_some_and(|day| calendar.holiday(day).is_some());
        let mut open_since: Option<NaiveDateTime> = None;
        for date in first.iter_days() {
            let midnight = date.and_time(NaiveTime::MIN);
            let at = |minute: u16| midnight + TimeDelta::minutes(minute.into());
            let holiday = calendar.holiday(date).is_some();
            let openings = days.openings(date, Holidays { before: holiday_before, today: holiday });
            holiday_before = holiday;
            let whole_day = *openings == [(0, MINUTES_PER_DAY)];
            if (whole_day || openings.first().is_none_or(|(start, _)| *start > 0))
                && let Some(start) = open_since.take()
            {
                give(start, midnight);
            }
            if date > last && open_since.is_none() {
                break;
            }
            if whole_day {
                give(midnight, at(MINUTES_PER_DAY));
                continue;
            }
            for &(start, end) in openings.iter() {
                let start = open_since.take().unwrap_or_else(|| at(start));
                if end < MINUTES_PER_DAY {
                    give(start, at(end));
                } else {
                    open_since = Some(start);
                }
                if date > last {
                    return;
                }
            }
        }
    }

    /// The slot of a civil stretch, bounds on the safe side.
    pub(super) fn slot_of(&self, calendar: &Calendar, start: NaiveDateTime, end: NaiveDateTime) -> Option<Slot> {
        resolve(calendar, start, end, Reading::Narrow)
    }

    fn on_calendar(&self, region: Region) -> DayReader<'_> {
        match &self.days {
            DayRule::Weekly(table) => DayReader::Weekly(table),
            DayRule::Dated(hours) => DayReader::Dated(Box::new(in_region(hours, region))),
        }
    }

    /// Open time of each day of a span of years, for the lints.
    pub(super) fn sample(&self, region: Region, years: std::ops::Range<i32>) -> Vec<(NaiveDate, Openings)> {
        let days = self.on_calendar(region);
        let calendar = Calendar::new(chrono_tz::UTC, region);
        let first = NaiveDate::from_ymd_opt(years.start, 1, 1).expect("a year of the common era has a first day");
        let mut before = false;
        first
            .iter_days()
            .take_while(|day| day.year() < years.end)
            .map(|day| {
                let today = calendar.holiday(day).is_some();
                let openings = days.openings(day, Holidays { before, today }).into_owned();
                before = today;
                (day, openings)
            })
            .collect()
    }
}

/// Whether a day, and the one before it, are public holidays.
#[derive(Clone, Copy)]
struct Holidays {
    before: bool,
    today: bool,
}

/// A day rule made ready for one region.
enum DayReader<'a> {
    Weekly(&'a [Openings; 28]),
    Dated(Box<OpeningHours>),
}

impl DayReader<'_> {
    fn openings(&self, date: NaiveDate, holidays: Holidays) -> std::borrow::Cow<'_, Openings> {
        match self {
            DayReader::Weekly(table) => std::borrow::Cow::Borrowed(&table[row(date, holidays)]),
            DayReader::Dated(hours) => std::borrow::Cow::Owned(evaluate(hours, date)),
        }
    }
}

fn row(date: NaiveDate, holidays: Holidays) -> usize {
    date.weekday().num_days_from_monday() as usize * 4 + usize::from(holidays.before) * 2 + usize::from(holidays.today)
}

fn resolve(calendar: &Calendar, start: NaiveDateTime, end: NaiveDateTime, reading: Reading) -> Option<Slot> {
    let (start_fold, end_fold) = match reading {
        Reading::Narrow => (Fold::Later, Fold::Earlier),
        Reading::Wide => (Fold::Earlier, Fold::Later),
    };
    Slot::new(calendar.instant(start, start_fold), calendar.instant(end, end_fold))
}

/// Whether a rule looks at nothing but the weekday and public holidays.
fn is_weekly(rule: &RuleSequence) -> bool {
    let days = &rule.day_selector;
    days.year.is_empty()
        && days.monthday.is_empty()
        && days.week.is_empty()
        && days.weekday.iter().all(|range| match range {
            WeekDayRange::Fixed { offset, nth_from_start, nth_from_end, .. } => {
                *offset == 0 && *nth_from_start == [true; 5] && *nth_from_end == [true; 5]
            }
            WeekDayRange::Holiday { kind, offset } => *kind == HolidayKind::Public && *offset == 0,
        })
}

/// Evaluates weekly hours once for each kind of day, on an ordinary week whose holidays are made up.
fn table(hours: &OpeningHours) -> Arc<[Openings; 28]> {
    let monday = NaiveDate::from_ymd_opt(2024, 7, 1).expect("July has a first day");
    let mut table: [Openings; 28] = Default::default();
    for day in 0..7 {
        let date = monday + Days::new(day);
        for (before, today) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut public = CompactCalendar::default();
            if before {
                public.insert(date - Days::new(1));
            }
            if today {
                public.insert(date);
            }
            let holidays = ContextHolidays::new(Arc::new(public), Arc::default());
            let hours = hours.clone().with_context(Context::default().with_holidays(holidays));
            table[row(date, Holidays { before, today })] = evaluate(&hours, date);
        }
    }
    Arc::new(table)
}

/// Open time of one day, stretches that meet made one.
fn evaluate(hours: &OpeningHours, date: NaiveDate) -> Openings {
    let mut openings = Openings::new();
    for range in hours.schedule_at(date).into_iter().filter(|range| range.kind == RuleKind::Open) {
        let (start, end) = (range.range.start.mins_from_midnight(), range.range.end.mins_from_midnight());
        match openings.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            Some(_) | None => openings.push((start, end)),
        }
    }
    openings
}

/// Years whose holidays hours that also look at dates know; the weekly table knows all.
pub(super) const DATED_YEARS: std::ops::Range<i32> = 2000..2101;

/// Hours that know the public holidays of `region`.
pub(super) fn in_region(hours: &OpeningHours, region: Region) -> OpeningHours {
    static KNOWN: LazyLock<BTreeMap<Region, ContextHolidays>> = LazyLock::new(|| {
        let regions = [Region::National, Region::AlsaceMoselle].into_iter().chain((971..=978).map(Region::Overseas));
        regions.map(|region| (region, holidays_of(region))).collect()
    });
    let holidays = KNOWN.get(&region).cloned().unwrap_or_else(|| holidays_of(region));
    hours.clone().with_context(Context::default().with_holidays(holidays))
}

fn holidays_of(region: Region) -> ContextHolidays {
    let mut public = CompactCalendar::default();
    let first = NaiveDate::from_ymd_opt(DATED_YEARS.start, 1, 1).expect("a year of the common era has a first day");
    for day in first.iter_days().take_while(|day| day.year() < DATED_YEARS.end) {
        if super::holidays::holiday(region, day).is_some() {
            public.insert(day);
        }
    }
    ContextHolidays::new(Arc::new(public), Arc::default())
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
