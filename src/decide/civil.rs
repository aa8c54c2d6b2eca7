//! A time as people write it: an instant with its offset, a time on the clock of the site, or a day.
//!
//! A time that the site's clock repeats or skips is taken on the safe side, which only who uses it knows.

use super::calendar::{Calendar, Fold};
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use std::str::FromStr;

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
#[error("{0:?} is no time; write 2026-05-09T08:00 (the site's own clock), 2026-05-09T08:00:00+02:00, or 2026-05-09")]
pub struct NoMoment(pub String);

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
        let text = text.trim();
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Moment::Instant(instant.to_utc()));
        }
        if let Some(local) = LOCAL.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
            return Ok(Moment::Local(local));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Moment::Day).map_err(|_| NoMoment(text.to_owned()))
    }
}

impl Moment {
    /// When this is over at the site: the instant itself, the later of a repeated time, the end of a day.
    pub fn end(self, calendar: &Calendar) -> DateTime<Utc> {
        match self {
            Moment::Instant(at) => at,
            Moment::Local(civil) => calendar.instant(civil, Fold::Later),
            Moment::Day(day) => {
                let next = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
                calendar.instant(next, Fold::Later)
            }
        }
    }

    fn at(self, calendar: &Calendar, fold: Fold) -> Result<DateTime<Utc>, NoSlot> {
        match self {
            Moment::Instant(at) => Ok(at),
            Moment::Local(civil) => Ok(calendar.instant(civil, fold)),
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

    fn paris() -> Calendar {
        Calendar::new(chrono_tz::Europe::Paris, Region::National)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.end(&paris()).to_rfc3339());
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
        ] {
            assert_eq!(at(text).as_deref(), Ok(end), "{text}");
        }
        for text in ["", "soon", "2026-02-30", "2026-05-09T25:00", "09/05/2026", "2026-05-09T08:00+02"] {
            assert_eq!(at(text), Err(NoMoment(text.to_owned())));
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
