//! When a repeated event happens: its rule, further dates, and exceptions, unfolded on the event's own clock.
//!
//! The rule runs on civil time (as UTC to the `rrule` crate), so that an event at ten stays at ten through every change
//! of the clock.

use super::event::Event;
use super::moment::Moment;
use super::{Horizon, PERIODS_MAX};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

/// The starts of an event, on its own clock.
pub struct Repeat {
    pub starts: Vec<NaiveDateTime>,
    /// Whether it goes on after the horizon.
    pub goes_on: bool,
}

/// Every start of `event`, without those in `moved`, which other events stand in for.
pub fn occurrences(event: &Event, moved: &[Moment], horizon: Horizon) -> Result<Repeat, String> {
    let start = event.start.civil();
    let mut repeat = Repeat { starts: vec![start], goes_on: false };
    if let Some(rule) = &event.rule {
        let first = horizon.first.and_time(NaiveTime::MIN) - event.length;
        let last = horizon.last.and_time(NaiveTime::MIN) + TimeDelta::days(1);
        repeat = unfold(event, rule, first, last)?;
        // The first occurrence is one even where the rule would not give it.
        if !repeat.starts.contains(&start) && first < start && start < last {
            repeat.starts.push(start);
        }
    }
    repeat.starts.extend(event.added.iter().map(|added| added.civil_for(event.start)));
    // A day left out leaves out every occurrence on it, whatever its hour.
    let is_left_out = |at: &NaiveDateTime| {
        event.left_out.iter().chain(moved).any(|left_out| match left_out {
            Moment::Day(day) => *day == at.date(),
            Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_) => left_out.civil_for(event.start) == *at,
        })
    };
    repeat.starts.retain(|at| !is_left_out(at));
    repeat.starts.sort();
    repeat.starts.dedup();
    if repeat.starts.len() > PERIODS_MAX {
        return Err(too_often());
    }
    Ok(repeat)
}

fn unfold(event: &Event, rule: &str, first: NaiveDateTime, last: NaiveDateTime) -> Result<Repeat, String> {
    let odd = |error: &dyn std::fmt::Display| format!("its repetition {rule:?} cannot be read: {error}");
    let read: RRule<Unvalidated> = on_own_clock(event, rule)?.parse().map_err(|error| odd(&error))?;
    let within_a_day = matches!(read.get_freq(), Frequency::Hourly | Frequency::Minutely | Frequency::Secondly);
    if within_a_day
        || !read.get_by_hour().is_empty()
        || !read.get_by_minute().is_empty()
        || !read.get_by_second().is_empty()
    {
        return Err(format!("its repetition {rule:?} happens within a day; repeat by days, weeks, months or years"));
    }
    let as_utc = |civil: NaiveDateTime| -> DateTime<Tz> { Tz::UTC.from_utc_datetime(&civil) };
    let start = as_utc(event.start.civil());
    let read = read.validate(start).map_err(|error| odd(&error))?;
    let limit = u16::try_from(PERIODS_MAX + 1).unwrap_or(u16::MAX);
    let all = RRuleSet::new(start).rrule(read);
    let found = all.clone().after(as_utc(first)).before(as_utc(last)).all(limit);
    if found.dates.len() > PERIODS_MAX {
        return Err(too_often());
    }
    if found.limited {
        return Err(format!("its repetition {rule:?} comes to no end; give it one with UNTIL or COUNT"));
    }
    let starts: Vec<NaiveDateTime> = found.dates.iter().map(DateTime::naive_utc).collect();
    // Those that are over when the horizon begins, or begin after it, are not kept.
    let starts = starts.into_iter().filter(|at| first < *at && *at < last).collect();
    let goes_on = !all.after(as_utc(last)).all(1).dates.is_empty();
    Ok(Repeat { starts, goes_on })
}

fn too_often() -> String {
    format!("it repeats more than {PERIODS_MAX} times; give it an end with UNTIL, or write it as `hours`")
}

/// The rule with its `UNTIL` on the event's own clock, which `rrule` takes for UTC.
fn on_own_clock(event: &Event, rule: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in rule.split(';').filter(|part| !part.trim().is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("its repetition {rule:?} cannot be read at {part:?}"));
        };
        if !key.trim().eq_ignore_ascii_case("UNTIL") {
            parts.push(part.trim().to_owned());
            continue;
        }
        let until = Moment::parse_until(value.trim())?;
        let civil = match until {
            Moment::Day(day) => day.and_time(NaiveTime::MIN) + TimeDelta::days(1) - TimeDelta::seconds(1),
            Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_) => until.civil_for(event.start),
        };
        parts.push(format!("UNTIL={}Z", civil.format("%Y%m%dT%H%M%S")));
    }
    Ok(parts.join(";"))
}
