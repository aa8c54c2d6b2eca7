//! A client's closed periods compiled: which of them, if any, a slot touches.
//!
//! Compiled once per client and shared from then on. Days and times are the site's own, so one compiled list serves
//! sites in several zones. A bound that the clock repeats or skips is read wide: what may be closed is. Opening hours
//! are evaluated a year at a time, when a slot first asks, and known from 2000 to 2100.
//!
//! Compiling is cheap and trusts what was checked; [`Closed::problems`] looks at what opening hours come to over the years.
//! Says what is closed, never what follows from it: that is the planner's business.

use super::calendar::{self, Fold, Region};
use super::letters::when;
use super::window::{self, DATED_YEARS};
use super::window_lint::{self, Fault};
use crate::model::closed::{ClosedPeriod, PERIODS_MAX};
use crate::model::fleet::Language;
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use opening_hours::{OpeningHours, RuleKind};
use std::fmt;
use std::ops::{Range, Sub};
use std::sync::{Arc, OnceLock};

/// What a client's closed periods come to. Nothing to ask when there are none; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Closed(Option<Arc<Compiled>>);

/// A stretch of closed time that a slot touches, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// On the site's own clock, the end excluded.
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    /// The same as instants, read wide.
    pub slot: Slot,
    pub reason: Arc<str>,
}

/// One thing wrong with one closed period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Position of the period in its list, from 0.
    pub period: usize,
    /// Bytes of its opening hours it is about, when known.
    pub span: Option<Range<usize>>,
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.fix)
    }
}

#[derive(Debug)]
struct Compiled {
    civil: Timeline<NaiveDateTime>,
    instants: Timeline<DateTime<Utc>>,
    hours: Vec<Hours>,
    /// Around each stretch of the other two: whatever a slot outside of all touches, it is nothing of theirs. In seconds.
    near: Vec<(i64, i64)>,
}

/// How far civil time read as UTC may be from the instant it means, in seconds: no zone is further off than 14 hours, and
/// no clock is put back or forward by more than a day.
const OFF_SECONDS: i64 = (14 + 24) * 60 * 60;

impl Compiled {
    /// Whether it is worth asking what a slot touches: mostly it is nowhere near anything.
    fn may_touch(&self, slot: Slot) -> bool {
        let (start, end) = (slot.start.timestamp(), slot.end.timestamp());
        !self.hours.is_empty() || self.near.iter().any(|(from, to)| *from <= end && start <= *to)
    }
}

impl Closed {
    /// Compiles a client's closed periods; `region` says which days `PH` are.
    ///
    /// # Errors
    /// Everything that cannot be compiled, at once.
    pub fn compile(periods: &[ClosedPeriod], region: Region) -> Result<Closed, Vec<Problem>> {
        if periods.is_empty() {
            return Ok(Closed(None));
        }
        if periods.len() > PERIODS_MAX {
            let what = format!("there are {} closed periods, at most {PERIODS_MAX} are kept", periods.len());
            return Err(vec![problem(PERIODS_MAX, what, "leave out those that are over")]);
        }
        let (mut civil, mut instants, mut hours, mut problems) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, period) in periods.iter().enumerate() {
            problems.extend(bad_bounds(index, period));
            match period {
                ClosedPeriod::Days(days) => {
                    let after = days.to.succ_opt().unwrap_or(NaiveDate::MAX);
                    let reason = days.reason.as_str().into();
                    civil.push((days.from.and_time(NaiveTime::MIN), after.and_time(NaiveTime::MIN), reason));
                }
                ClosedPeriod::Times(times) => civil.push((times.from, times.to, times.reason.as_str().into())),
                ClosedPeriod::Instants(bounds) => {
                    instants.push((bounds.from, bounds.to, bounds.reason.as_str().into()));
                }
                ClosedPeriod::Hours(written) => match window_lint::read_closed(&written.hours) {
                    Ok(parsed) => hours.push(Hours::new(&parsed, region, &written.reason)),
                    Err(faults) => problems.extend(in_hours(index, faults)),
                },
                ClosedPeriod::Calendar(calendar) => {
                    let what = format!("the calendar {:?} has not been read", calendar.ics);
                    problems.push(problem(index, what, "apply the fleet from its file"));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (civil, instants) = (Timeline::new(civil), Timeline::new(instants));
        let on_the_wall = civil.spans.iter().map(|(from, to, _)| (from.and_utc(), to.and_utc()));
        let all = on_the_wall.chain(instants.spans.iter().map(|(from, to, _)| (*from, *to)));
        let near = all.map(|(from, to)| (from.timestamp() - OFF_SECONDS, to.timestamp() + OFF_SECONDS)).collect();
        Ok(Closed(Some(Arc::new(Compiled { civil, instants, hours, near }))))
    }

    /// Everything wrong with a client's closed periods, for whoever writes them: what cannot be compiled, and opening
    /// hours that would not do what they seem to say.
    pub fn problems(periods: &[ClosedPeriod], region: Region) -> Vec<Problem> {
        let mut problems = Closed::compile(periods, region).err().unwrap_or_default();
        for (index, period) in periods.iter().enumerate() {
            if let ClosedPeriod::Hours(written) = period
                && problems.iter().all(|problem| problem.period != index)
            {
                problems.extend(in_hours(index, window_lint::lint_closed(&written.hours)));
            }
        }
        problems.sort_by_key(|problem| problem.period);
        problems
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The closure that begins first among those that any instant of `slot` touches, for a site in `zone`.
    pub fn covering(&self, slot: Slot, zone: Tz) -> Option<Closure> {
        let compiled = self.0.as_deref().filter(|compiled| compiled.may_touch(slot))?;
        let (start, end) = (slot.start.with_timezone(&zone).naive_local(), slot.end.with_timezone(&zone).naive_local());
        // No clock is put back or forward by more than a day.
        let near = start - TimeDelta::days(1)..end + TimeDelta::days(1);
        let civil = compiled.civil.overlapping(near.clone()).map(|(from, to, reason)| (*from, *to, reason));
        let hours = compiled
            .hours
            .iter()
            .flat_map(|hours| hours.overlapping(near.clone()).into_iter().map(|(from, to)| (from, to, &hours.reason)));
        let on_the_wall = civil.chain(hours).filter_map(|(from, to, reason)| {
            let slot =
                Slot::new(calendar::instant(zone, from, Fold::Earlier), calendar::instant(zone, to, Fold::Later))?;
            Some(Closure { from, to, slot, reason: reason.clone() })
        });
        let instants = compiled.instants.overlapping(slot.start..slot.end).filter_map(|(from, to, reason)| {
            let local = |at: &DateTime<Utc>| at.with_timezone(&zone).naive_local();
            Some(Closure { from: local(from), to: local(to), slot: Slot::new(*from, *to)?, reason: reason.clone() })
        });
        on_the_wall
            .chain(instants)
            .filter(|closure| closure.slot.overlaps(&slot))
            .min_by_key(|closure| closure.slot.start)
    }
}

impl Closure {
    /// The first and the last day, where the closure is made of whole days.
    pub fn days(&self) -> Option<(NaiveDate, NaiveDate)> {
        let whole = self.from.time() == NaiveTime::MIN && self.to.time() == NaiveTime::MIN;
        whole.then_some((self.from.date(), self.to.date().pred_opt()?))
    }

    /// `24 December 2026 to 31 December 2026 (inventaire)`, `du 24 décembre 2026 au 31 décembre 2026 (inventaire)`.
    pub fn text(&self, language: Language) -> String {
        let day = |date| when::short_day(language, date);
        let hour = |time| when::hour(language, time);
        let (from, to) = (self.from, self.to);
        let span = match (language, self.days()) {
            (Language::En, Some((first, last))) if first == last => day(first),
            (Language::Fr, Some((first, last))) if first == last => format!("le {}", day(first)),
            (Language::En, Some((first, last))) => format!("{} to {}", day(first), day(last)),
            (Language::Fr, Some((first, last))) => format!("du {} au {}", day(first), day(last)),
            (Language::En, None) if from.date() == to.date() => {
                format!("{} {} to {}", day(from.date()), hour(from.time()), hour(to.time()))
            }
            (Language::Fr, None) if from.date() == to.date() => {
                format!("le {} de {} à {}", day(from.date()), hour(from.time()), hour(to.time()))
            }
            (Language::En, None) => {
                format!("{} {} to {} {}", day(from.date()), hour(from.time()), day(to.date()), hour(to.time()))
            }
            (Language::Fr, None) => {
                format!("du {} à {} au {} à {}", day(from.date()), hour(from.time()), day(to.date()), hour(to.time()))
            }
        };
        format!("{span} ({})", self.reason)
    }
}

impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::En))
    }
}

fn problem(period: usize, what: String, fix: &str) -> Problem {
    Problem { period, span: None, what, fix: fix.to_owned() }
}

fn in_hours(period: usize, faults: Vec<Fault>) -> impl Iterator<Item = Problem> {
    faults.into_iter().map(move |Fault { span, what, fix }| Problem { period, span, what, fix })
}

/// Refuses bounds in the wrong order, and years that are surely slips of the hand.
fn bad_bounds(index: usize, period: &ClosedPeriod) -> Option<Problem> {
    if let Some((from, to)) = period.backwards() {
        let what = format!("the closed period ends on {to}, before it begins on {from}");
        return Some(problem(index, what, "swap them"));
    }
    let bounds = match period {
        ClosedPeriod::Days(days) => [days.from, days.to],
        ClosedPeriod::Times(times) => [times.from.date(), times.to.date()],
        ClosedPeriod::Instants(bounds) => [bounds.from.date_naive(), bounds.to.date_naive()],
        ClosedPeriod::Hours(_) | ClosedPeriod::Calendar(_) => return None,
    };
    let odd = bounds.into_iter().find(|date| !DATED_YEARS.contains(&date.year()))?;
    let fix = format!("write a date from {} to {}", DATED_YEARS.start, DATED_YEARS.end - 1);
    Some(problem(index, format!("a closed period bound by {odd} is surely not meant"), &fix))
}

/// Stretches in order of their start.
#[derive(Debug)]
struct Timeline<T> {
    spans: Vec<(T, T, Arc<str>)>,
    longest: TimeDelta,
}

impl<T: Copy + Ord + Sub<Output = TimeDelta> + Sub<TimeDelta, Output = T>> Timeline<T> {
    fn new(mut spans: Vec<(T, T, Arc<str>)>) -> Timeline<T> {
        spans.sort_by_key(|(from, to, _)| (*from, *to));
        let longest = spans.iter().map(|(from, to, _)| *to - *from).max().unwrap_or(TimeDelta::zero());
        Timeline { spans, longest }
    }

    fn overlapping(&self, near: Range<T>) -> impl Iterator<Item = &(T, T, Arc<str>)> {
        let earliest = near.start - self.longest;
        let first = self.spans.partition_point(|(from, _, _)| *from < earliest);
        self.spans[first..].iter().take_while(move |(from, _, _)| *from < near.end).filter(move |s| s.1 > near.start)
    }
}

/// Open time of opening hours, cut at the new year: a year's stretches in order and apart.
type Year = Vec<(NaiveDateTime, NaiveDateTime)>;

/// Opening hours whose open time is closed time.
struct Hours {
    expression: OpeningHours,
    years: Box<[OnceLock<Year>]>,
    reason: Arc<str>,
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hours({} {:?})", self.expression, self.reason)
    }
}

impl Hours {
    fn new(parsed: &OpeningHours, region: Region, reason: &str) -> Hours {
        let years = DATED_YEARS.map(|_| OnceLock::new()).collect();
        Hours { expression: window::in_region(parsed, region), years, reason: reason.into() }
    }

    fn year(&self, year: i32) -> &[(NaiveDateTime, NaiveDateTime)] {
        let index = usize::try_from(year - DATED_YEARS.start).ok();
        let Some(known) = index.and_then(|index| self.years.get(index)) else { return &[] };
        known.get_or_init(|| {
            let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).expect("every year has a first day");
            let (from, to) = (first(year).and_time(NaiveTime::MIN), first(year + 1).and_time(NaiveTime::MIN));
            let open = self.expression.iter_range(from, to).filter(|range| range.kind == RuleKind::Open);
            open.map(|range| (range.range.start, range.range.end)).collect()
        })
    }

    /// The stretches that overlap `near`, those that go on over the new year made whole.
    fn overlapping(&self, near: Range<NaiveDateTime>) -> Vec<(NaiveDateTime, NaiveDateTime)> {
        let mut found: Year = Vec::new();
        for year in near.start.year()..=near.end.year() {
            let stretches = self.year(year);
            let first = stretches.partition_point(|(_, to)| *to <= near.start);
            for (from, to) in stretches[first..].iter().take_while(|(from, _)| *from < near.end) {
                match found.last_mut() {
                    Some(last) if last.1 == *from => last.1 = *to,
                    Some(_) | None => found.push((*from, *to)),
                }
            }
        }
        if let Some(first) = found.first_mut() {
            while let Some((from, to)) = self.year((first.0 - TimeDelta::seconds(1)).year()).last()
                && *to == first.0
            {
                first.0 = *from;
            }
        }
        if let Some(last) = found.last_mut() {
            while let Some((from, to)) = self.year(last.1.year()).first()
                && *from == last.1
            {
                last.1 = *to;
            }
        }
        found
    }
}

#[cfg(test)]
#[path = "closed_tests.rs"]
mod tests;
