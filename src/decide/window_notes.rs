//! What is sound in a window but worth explaining to whoever edits it: hours that a zone's clock repeats or skips, hours
//! that last almost a day.
//!
//! The lints ([`super::window_lint`]) refuse; these explain, and what they say depends on the zone.

use super::calendar::Calendar;
use super::hours_text::find_time;
use super::window::CompiledWindow;
use crate::model::slot::Slot;
use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use opening_hours_syntax::ExtendedTime;
use std::collections::BTreeMap;
use std::ops::Range;

/// How far ahead bounds are looked at, in days: every change of the clock happens once within it.
const AHEAD_DAYS: i64 = 400;
/// A stretch over midnight that is longer than this is rather its reverse, in minutes.
const LONG_MINUTES: i64 = 18 * 60;

/// Something to know about a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Bytes of the hours it is about, when known.
    pub span: Option<Range<usize>>,
    pub text: String,
}

/// What the zone's clock does to a bound.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Oddity {
    Twice,
    Never,
}

/// The notes on a window's `hours` for a site, looking ahead from `from`.
pub fn notes(hours: &str, window: &CompiledWindow, calendar: &Calendar, from: DateTime<Utc>) -> Vec<Note> {
    let first = calendar.date(from);
    let mut odd: BTreeMap<(NaiveTimeKey, Oddity), (NaiveDateTime, Option<Slot>)> = BTreeMap::new();
    let mut long: Option<(NaiveDateTime, NaiveDateTime)> = None;
    let last = first.checked_add_signed(TimeDelta::days(AHEAD_DAYS)).unwrap_or(NaiveDate::MAX);
    window.civil(calendar, first, last, |start, end| {
        for bound in [start, end] {
            let oddity = match calendar.zone.from_local_datetime(&bound) {
                MappedLocalTime::Single(_) => continue,
                MappedLocalTime::Ambiguous(..) => Oddity::Twice,
                MappedLocalTime::None => Oddity::Never,
            };
            odd.entry((key(bound), oddity)).or_insert_with(|| (bound, window.slot_of(calendar, start, end)));
        }
        if start.date() != end.date() && end - start > TimeDelta::minutes(LONG_MINUTES) && end.time() < start.time() {
            long.get_or_insert((start, end));
        }
    });
    let mut notes: Vec<Note> = odd
        .into_iter()
        .map(|((_, oddity), (bound, slot))| Note {
            span: time(bound).and_then(|time| find_time(hours, 0..hours.len(), &[time], "")),
            text: odd_bound(calendar, oddity, bound, slot),
        })
        .collect();
    notes.extend(long.map(|(start, end)| {
        let (from, to) = (start.format("%H:%M"), end.format("%H:%M"));
        let span = time(start).zip(time(end)).and_then(|(s, e)| find_time(hours, 0..hours.len(), &[s, e], ""));
        let length = (end - start).num_hours();
        Note {
            span,
            text: format!(
                "`{from}-{to}` lasts {length} hours, into the next day; write `{to}-{from}` if that is meant"
            ),
        }
    }));
    notes
}

type NaiveTimeKey = (u32, u32);

fn key(bound: NaiveDateTime) -> NaiveTimeKey {
    (bound.hour(), bound.minute())
}

fn time(bound: NaiveDateTime) -> Option<ExtendedTime> {
    ExtendedTime::new(u8::try_from(bound.hour()).ok()?, u8::try_from(bound.minute()).ok()?)
}

fn odd_bound(calendar: &Calendar, oddity: Oddity, bound: NaiveDateTime, slot: Option<Slot>) -> String {
    let (time, day, zone) = (bound.format("%H:%M"), bound.format("%a %-d %b %Y"), calendar.zone);
    let happens = match oddity {
        Oddity::Twice => "happens twice",
        Oddity::Never => "does not exist",
    };
    let taken = match slot {
        Some(slot) => format!(
            "the slot is taken on the safe side, {} to {} UTC, {} minutes",
            slot.start.format("%Y-%m-%d %H:%M"),
            slot.end.format("%Y-%m-%d %H:%M"),
            slot.duration().num_minutes()
        ),
        None => "on the safe side nothing is left, and there is no slot".to_owned(),
    };
    format!("{time} {happens} on {day} in {zone}: {taken}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    #[track_caller]
    fn check(hours: &str, zone: Tz, expected: &[(&str, &str)]) {
        let window = CompiledWindow::compile(hours).unwrap();
        let calendar = Calendar::new(zone, "FR".parse().unwrap());
        let found = notes(hours, &window, &calendar, "2026-05-01T00:00:00Z".parse().unwrap());
        let found: Vec<(&str, &str)> =
            found.iter().map(|note| (note.span.clone().map_or("", |span| &hours[span]), note.text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn bounds_in_a_changed_hour_are_explained() {
        check("Mo-Su 22:00-07:00", Tz::Europe__Paris, &[]);
        check("Mo-Su 03:00-07:00", Tz::Europe__Paris, &[]);
        check(
            "Mo-Su 02:30-06:00",
            Tz::Europe__Paris,
            &[
                (
                    "02:30",
                    "02:30 happens twice on Sun 25 Oct 2026 in Europe/Paris: the slot is taken on the safe side, 2026-10-25 01:30 to 2026-10-25 05:00 UTC, 210 minutes",
                ),
                (
                    "02:30",
                    "02:30 does not exist on Sun 28 Mar 2027 in Europe/Paris: the slot is taken on the safe side, 2027-03-28 01:00 to 2027-03-28 04:00 UTC, 180 minutes",
                ),
            ],
        );
        check(
            "Su 2:15-2:45",
            Tz::Europe__Paris,
            &[
                (
                    "2:15",
                    "02:15 happens twice on Sun 25 Oct 2026 in Europe/Paris: on the safe side nothing is left, and there is no slot",
                ),
                (
                    "2:15",
                    "02:15 does not exist on Sun 28 Mar 2027 in Europe/Paris: on the safe side nothing is left, and there is no slot",
                ),
                (
                    "2:45",
                    "02:45 happens twice on Sun 25 Oct 2026 in Europe/Paris: on the safe side nothing is left, and there is no slot",
                ),
                (
                    "2:45",
                    "02:45 does not exist on Sun 28 Mar 2027 in Europe/Paris: on the safe side nothing is left, and there is no slot",
                ),
            ],
        );
        // Never on a Sunday, or where the clock stands still.
        check("Mo-Fr 02:30-06:00", Tz::Europe__Paris, &[]);
        check("Mo-Su 02:30-06:00", Tz::Indian__Reunion, &[]);
    }

    #[test]
    fn a_stretch_that_is_rather_its_reverse_is_explained() {
        check("Mo-Fr 22:00-16:00", Tz::Europe__Paris, &[]);
        check(
            "Mo-Fr 22:00-20:00",
            Tz::Europe__Paris,
            &[("22:00-20:00", "`22:00-20:00` lasts 22 hours, into the next day; write `20:00-22:00` if that is meant")],
        );
    }
}
