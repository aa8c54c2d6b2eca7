//! A time as people write it: an instant with its offset, a time on the clock of the site, or a day.
//!
//! The one place that reads such a text, for commands and the API alike ([`FORMS`]). A time that the site's clock
//! repeats or skips is taken on the safe side, which only who uses it knows.

use super::calendar::{self, Calendar, Fold};
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The clock of a time that is about no site: the provider's.
pub const PROVIDER_ZONE: Tz = chrono_tz::Europe::Paris;

/// The forms that are read, as people are told.
pub const FORMS: &str = "2026-05-16T22:00 or 2026-05-16 (on the clock of the site), or 2026-05-16T20:00:00Z";

/// Years that a moment may be in: those whose holidays and clock changes are known.
pub const YEARS: RangeInclusive<i32> = 2000..=2100;

/// How a time on the clock of the site may be written.
const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"];

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `2026-05-09T08:00:00+02:00`: the same everywhere.
    Instant(DateTime<Utc>),
    /// `2026-05-09T08:00`: on the clock of the site.
    Local(NaiveDateTime),
    /// `2026-05-09`: a day at the site.
    Day(NaiveDate),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoMoment {
    #[error("{0:?} is no time; write {FORMS}")]
    Unreadable(String),
    #[error("{0:?} is out of range; write a time from {from} to {to}", from = YEARS.start(), to = YEARS.end())]
    Year(String),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoSlot {
    #[error("{0} is a day; a slot needs the time as well: {0}T20:00")]
    Day(NaiveDate),
    #[error("the slot ends at {to}, which is not after its start at {from}")]
    Reversed { from: NaiveDateTime, to: NaiveDateTime },
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Moment, NoMoment> {
        // The seconds may be left out of an instant as well.
        let minutes = || DateTime::parse_from_str(&text.replace('Z', "+00:00"), "%Y-%m-%dT%H:%M%:z");
        let local = || LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        let (moment, year) = if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            (Moment::Day(day), day.year())
        } else if let Ok(instant) = DateTime::parse_from_rfc3339(text).or_else(|_| minutes()) {
            (Moment::Instant(instant.to_utc()), instant.year())
        } else if let Some(local) = local() {
            (Moment::Local(local), local.year())
        } else {
            return Err(NoMoment::Unreadable(text.to_owned()));
        };
        if YEARS.contains(&year) { Ok(moment) } else { Err(NoMoment::Year(text.to_owned())) }
    }
}

/// As it was written: on whose clock is for the reader to know.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Instant(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Moment::Local(local) => write!(f, "{}", local.format("%Y-%m-%dT%H:%M:%S")),
            Moment::Day(day) => write!(f, "{day}"),
        }
    }
}

impl Moment {
    /// When this begins at a site in `zone`: the instant itself, of a repeated time the one that `fold` says, the
    /// first moment of a day.
    pub fn start(self, zone: Tz, fold: Fold) -> DateTime<Utc> {
        match self {
            Moment::Instant(at) => at,
            Moment::Local(local) => calendar::instant(zone, local, fold),
            Moment::Day(day) => calendar::instant(zone, day.and_time(NaiveTime::MIN), fold),
        }
    }

    /// When this is over at a site in `zone`: the instant itself, the later of a repeated time, the end of a day.
    pub fn end(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Moment::Instant(_) | Moment::Local(_) => self.start(zone, Fold::Later),
            Moment::Day(day) => Moment::Day(day.succ_opt().unwrap_or(day)).start(zone, Fold::Later),
        }
    }

    fn at(self, calendar: &Calendar, fold: Fold) -> Result<DateTime<Utc>, NoSlot> {
        match self {
            Moment::Instant(at) => Ok(at),
            Moment::Local(local) => Ok(calendar.instant(local, fold)),
            Moment::Day(day) => Err(NoSlot::Day(day)),
        }
    }
}

/// The slot between two moments at the site: never longer than what was meant, so a repeated time is the later one at
/// its start and the earlier one at its end.
pub fn slot(calendar: &Calendar, from: Moment, to: Moment) -> Result<Slot, NoSlot> {
    let (start, end) = (from.at(calendar, Fold::Later)?, to.at(calendar, Fold::Earlier)?);
    Slot::new(start, end).ok_or_else(|| NoSlot::Reversed { from: calendar.local(start), to: calendar.local(end) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::calendar::Region;

    const PARIS: Tz = chrono_tz::Europe::Paris;

    fn paris() -> Calendar {
        Calendar::new(PARIS, Region::National)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.end(PARIS).to_rfc3339());
        for (text, end) in [
            ("2026-05-09T08:00", "2026-05-09T06:00:00+00:00"),
            ("2026-05-09 08:00:30", "2026-05-09T06:00:30+00:00"),
            ("2026-05-09T08:00:00Z", "2026-05-09T08:00:00+00:00"),
            ("2026-05-09T08:00:00+04:00", "2026-05-09T04:00:00+00:00"),
            // A day holds until its end, one with 25 hours too.
            ("2026-05-09", "2026-05-09T22:00:00+00:00"),
            ("2026-10-25", "2026-10-25T23:00:00+00:00"),
            // Repeated: the later; skipped: where the clock goes on.
            ("2026-10-25T02:30", "2026-10-25T01:30:00+00:00"),
            ("2026-03-29T02:30", "2026-03-29T01:00:00+00:00"),
            ("2000-01-01T00:00", "1999-12-31T23:00:00+00:00"),
            ("2100-12-31", "2100-12-31T23:00:00+00:00"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(end), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026",
            "2026-02-30",
            "2026-05-09T24:00",
            "2026-05-09T25:00",
            "09/05/2026",
            "2026-05-09T08:00+02",
            "2026-05-09T08:00Z ",
        ] {
            assert_eq!(at(text), Err(NoMoment::Unreadable(text.to_owned())), "{text}");
        }
        for text in ["1999-12-31", "2101-01-01T00:00", "9999-12-31T23:59:59Z", "1970-01-01 00:00"] {
            assert_eq!(at(text), Err(NoMoment::Year(text.to_owned())), "{text}");
        }
        let said = "soon".parse::<Moment>().unwrap_err().to_string();
        assert_eq!(said, format!("\"soon\" is no time; write {FORMS}"));
        for form in ["2026-05-16T22:00", "2026-05-16", "2026-05-16T20:00:00Z"] {
            assert!(FORMS.contains(form) && form.parse::<Moment>().is_ok(), "{form}");
        }
    }

    #[test]
    fn a_moment_begins_on_the_clock_of_its_site() {
        for (text, zone, fold, at) in [
            ("2026-05-16", PARIS, Fold::Earlier, "2026-05-15T22:00:00+00:00"),
            ("2026-05-16T22:00", PARIS, Fold::Earlier, "2026-05-16T20:00:00+00:00"),
            ("2026-05-16 22:00:01", PARIS, Fold::Earlier, "2026-05-16T20:00:01+00:00"),
            ("2026-05-16T22:00", chrono_tz::Indian::Reunion, Fold::Earlier, "2026-05-16T18:00:00+00:00"),
            ("2026-05-16T22:00:00Z", PARIS, Fold::Earlier, "2026-05-16T22:00:00+00:00"),
            ("2026-05-16T22:00:00-03:00", PARIS, Fold::Earlier, "2026-05-17T01:00:00+00:00"),
            ("2026-05-16T22:00Z", PARIS, Fold::Earlier, "2026-05-16T22:00:00+00:00"),
            ("2026-05-16T22:00-03:00", PARIS, Fold::Earlier, "2026-05-17T01:00:00+00:00"),
            ("2026-10-25T02:30", PARIS, Fold::Earlier, "2026-10-25T00:30:00+00:00"),
            ("2026-10-25T02:30", PARIS, Fold::Later, "2026-10-25T01:30:00+00:00"),
            ("2000-01-01", PARIS, Fold::Earlier, "1999-12-31T23:00:00+00:00"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.start(zone, fold).to_rfc3339(), at, "{text}");
            // What is passed on means the same.
            assert_eq!(moment.to_string().parse(), Ok(moment), "{text}");
        }
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: Result<(&str, &str), &str>) {
        let found = slot(&paris(), from.parse().unwrap(), to.parse().unwrap());
        let told = found.map(|s| (s.start.format("%d %H:%M").to_string(), s.end.format("%d %H:%M").to_string()));
        match expected {
            Ok((start, end)) => assert_eq!(told, Ok((start.to_owned(), end.to_owned())), "{from} {to}"),
            Err(said) => assert!(told.as_ref().is_err_and(|e| e.to_string().contains(said)), "{from} {to}: {told:?}"),
        }
    }

    #[test]
    fn a_slot_is_never_longer_than_was_meant() {
        check("2026-05-09T08:00", "2026-05-09T12:00", Ok(("09 06:00", "09 10:00")));
        check("2026-05-09T08:00", "2026-05-09T08:00", Err("not after its start"));
        check("2026-05-09T08:00", "2026-05-09T07:59", Err("not after its start"));
        check("2026-05-09", "2026-05-09T12:00", Err("2026-05-09T20:00"));
        check("2026-05-09T08:00", "2026-05-10", Err("needs the time"));
        // Both bounds in the repeated hour: what is left may be nothing.
        check("2026-10-25T02:10", "2026-10-25T02:50", Err("not after its start"));
        check("2026-10-25T01:00", "2026-10-25T02:30", Ok(("24 23:00", "25 00:30")));
        check("2026-10-25T02:30", "2026-10-25T04:00", Ok(("25 01:30", "25 03:00")));
    }
}
