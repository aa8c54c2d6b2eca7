//! When each window of the schedule is open at a site, as sorted instants, one year at a time.
//!
//! A day's hours come from the opening-hours text for that day alone; hours that touch, midnight included, are joined
//! here, and their bounds become instants twice: `safe`, as late a start and as early an end as the clocks allow, for
//! what has to lie inside; `wide`, the other way round, for what has to stay outside. A year is worked out when it is
//! first asked for; after that a question is a search in a sorted list.

use super::civil;
use super::holidays::Region;
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use compact_calendar::CompactCalendar;
use opening_hours::{Context, ContextHolidays, OpeningHours, RuleKind};
use std::sync::{Arc, OnceLock};

/// Years the checker can judge; outside of them nothing is open.
const YEARS: std::ops::Range<i32> = 1990..2190;
/// Days of the neighbouring years that belong to a year's list, so that a night over New Year is whole.
const MARGIN_DAYS: i64 = 3;

/// The windows of one schedule under the clocks and holidays of one site.
pub(super) struct Hours {
    zone: Tz,
    region: Region,
    windows: Vec<OpeningHours>,
    years: Vec<OnceLock<Year>>,
}

/// A window of [`Hours`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowId(usize);

/// From and to, on the site's clocks.
type Civil = (NaiveDateTime, NaiveDateTime);

struct Year {
    holidays: Vec<NaiveDate>,
    windows: Vec<Vec<Span>>,
}

/// Open time without a break.
#[derive(Clone, Copy)]
struct Span {
    /// The site's date on which it begins: a night belongs to the day it starts on.
    day: NaiveDate,
    /// Empty (start not before end) where the clocks leave nothing that is surely open.
    safe: (DateTime<Utc>, DateTime<Utc>),
    wide: (DateTime<Utc>, DateTime<Utc>),
}

/// From, to.
type Bounds = (DateTime<Utc>, DateTime<Utc>);

impl Hours {
    pub fn new(zone: Tz, region: Region) -> Hours {
        Hours { zone, region, windows: Vec::new(), years: YEARS.map(|_| OnceLock::new()).collect() }
    }

    /// Adds a window. Must not be called once a question was asked, hence `&mut`.
    pub fn add(&mut self, window: OpeningHours) -> WindowId {
        self.windows.push(window);
        WindowId(self.windows.len() - 1)
    }

    fn context(&self, years: std::ops::RangeInclusive<i32>) -> Context {
        let mut public = CompactCalendar::default();
        for day in years.flat_map(|year| self.region.days(year)) {
            public.insert(day);
        }
        Context::default().with_holidays(ContextHolidays::new(Arc::new(public), Arc::default()))
    }

    /// When a text of opening hours is open in the days from `first` to `last`, bounds taken wide. For texts that are
    /// not the schedule's: read and worked out anew each time.
    pub fn opening(&self, text: &str, first: NaiveDate, last: NaiveDate) -> Result<Vec<Bounds>, String> {
        let read: OpeningHours = text.parse().map_err(|error: opening_hours_syntax::Error| error.to_string())?;
        let read = read.with_context(self.context(first.year() - 1..=last.year() + 1));
        let days = first.iter_days().take_while(|day| *day <= last);
        let open = joined(days.flat_map(|day| open_on(&read, day)));
        Ok(open.into_iter().map(|open| Span::new(self.zone, open).wide).collect())
    }

    fn year(&self, year: i32) -> Option<&Year> {
        let cell = self.years.get(usize::try_from(year - YEARS.start).ok()?)?;
        Some(cell.get_or_init(|| Year::new(self, year)))
    }

    fn spans(&self, window: WindowId, year: i32) -> &[Span] {
        self.year(year).and_then(|year| year.windows.get(window.0)).map_or(&[], Vec::as_slice)
    }

    /// Monday to Friday, public holidays excluded.
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
            && self.year(day.year()).is_some_and(|year| year.holidays.binary_search(&day).is_err())
    }

    /// The first working day after `day`.
    pub fn working_day_after(&self, day: NaiveDate) -> Option<NaiveDate> {
        day.iter_days().skip(1).take(60).find(|day| self.is_working_day(*day))
    }

    /// Whether the slot lies in one stretch of surely open time.
    pub fn covers(&self, window: WindowId, slot: Slot) -> bool {
        let mut at = slot.start;
        loop {
            let spans = self.spans(window, at.year());
            let next = spans.partition_point(|span| span.safe.0 <= at);
            let Some(end) = next.checked_sub(1).map(|last| spans[last].safe.1).filter(|end| *end > at) else {
                return false;
            };
            if end >= slot.end {
                return true;
            }
            // A year's list stops a few days into the next year: what is open there goes on in that year's list.
            if end.year() == at.year() {
                return false;
            }
            at = end;
        }
    }

    /// Whether any instant of the slot may be open.
    pub fn touches(&self, window: WindowId, slot: Slot) -> bool {
        (slot.start.year()..=slot.end.year()).any(|year| {
            let spans = self.spans(window, year);
            let next = spans.partition_point(|span| span.wide.0 < slot.end);
            // In a repeated hour the span before may end later than its successor.
            spans[..next].iter().rev().take(2).any(|span| span.wide.1 > slot.start)
        })
    }

    /// The `count`th night (from 1) that begins on `day` or later: from its first opening to its last closing.
    pub fn night(&self, window: WindowId, day: NaiveDate, count: u32) -> Option<Slot> {
        let mut nights = 0;
        let mut found: Option<(NaiveDate, Slot)> = None;
        for year in day.year()..=day.year() + 1 {
            let spans = self.spans(window, year);
            let first = spans.partition_point(|span| span.day < day);
            for span in spans[first..].iter().filter(|span| span.day.year() == year && span.safe.0 < span.safe.1) {
                match &mut found {
                    Some((day, night)) if *day == span.day => night.end = span.safe.1,
                    Some((_, night)) if nights == count => return Some(*night),
                    Some(_) | None => {
                        nights += 1;
                        found = Some((span.day, Slot { start: span.safe.0, end: span.safe.1 }));
                    }
                }
            }
        }
        found.filter(|_| nights == count).map(|(_, night)| night)
    }

    /// When the window closes for good on `day`; `None` where it does not open.
    pub fn close_of(&self, window: WindowId, day: NaiveDate) -> Option<DateTime<Utc>> {
        let spans = self.spans(window, day.year());
        let next = spans.partition_point(|span| span.day <= day);
        next.checked_sub(1).map(|last| spans[last]).filter(|span| span.day == day).map(|span| span.wide.1)
    }

    /// The day on which the open stretch around `at` began; `None` when the window is closed then.
    pub fn began(&self, window: WindowId, at: DateTime<Utc>) -> Option<NaiveDate> {
        let spans = self.spans(window, at.year());
        let next = spans.partition_point(|span| span.safe.0 <= at);
        next.checked_sub(1).map(|last| spans[last]).filter(|span| at < span.safe.1).map(|span| span.day)
    }

    /// The window's close on the last working day before `day` on which it opened.
    pub fn last_close_before(&self, window: WindowId, day: NaiveDate) -> Option<DateTime<Utc>> {
        let days = std::iter::successors(day.pred_opt(), NaiveDate::pred_opt).take(60);
        days.filter(|day| self.is_working_day(*day)).find_map(|day| self.close_of(window, day))
    }
}

impl Year {
    fn new(hours: &Hours, year: i32) -> Year {
        let context = hours.context(year - 1..=year + 1);
        let first = NaiveDate::from_ymd_opt(year, 1, 1).map(|day| day - TimeDelta::days(MARGIN_DAYS));
        let last = NaiveDate::from_ymd_opt(year, 12, 31).map(|day| day + TimeDelta::days(MARGIN_DAYS));
        let windows = hours.windows.iter().map(|window| {
            let window = window.clone().with_context(context.clone());
            let days = first.into_iter().flat_map(|day| day.iter_days()).take_while(|day| Some(*day) <= last);
            joined(days.flat_map(|day| open_on(&window, day)))
                .into_iter()
                .map(|open| Span::new(hours.zone, open))
                .collect()
        });
        Year { holidays: hours.region.days(year), windows: windows.collect() }
    }
}

impl Span {
    fn new(zone: Tz, (start, end): Civil) -> Span {
        let (starts, ends) = (civil::instants(zone, start), civil::instants(zone, end));
        Span { day: start.date(), safe: (starts.1, ends.0), wide: (starts.0, ends.1) }
    }
}

/// Civil times between which the window is open on one day, midnight to midnight.
fn open_on(window: &OpeningHours, day: NaiveDate) -> Vec<Civil> {
    let midnight = day.and_time(NaiveTime::MIN);
    let open = window.schedule_at(day).into_iter().filter(|range| range.kind == RuleKind::Open);
    open.map(|range| {
        let at = |hour: u8, minute: u8| midnight + TimeDelta::minutes(i64::from(hour) * 60 + i64::from(minute));
        let (start, end) = (range.range.start, range.range.end);
        (at(start.hour(), start.minute()), at(end.hour(), end.minute()))
    })
    .collect()
}

/// Joins what touches; the input is in order.
fn joined(open: impl Iterator<Item = Civil>) -> Vec<Civil> {
    let mut joined: Vec<Civil> = Vec::new();
    for (start, end) in open {
        match joined.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            Some(_) | None => joined.push((start, end)),
        }
    }
    joined
}
