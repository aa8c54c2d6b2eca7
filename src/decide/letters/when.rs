//! Dates and slots in words, site-local, as a person would write them.
//!
//! French first: « dans la nuit du mercredi 29 au jeudi 30 avril 2026, entre 22 h et 7 h (heure de Paris) ».
//! Spaces that must not break are left plain here; [`super::markup::typeset`] sets them.

use super::brief::Day;
use crate::model::fleet::Language;
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;

const DAYS_FR: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const DAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `jeudi 30 avril 2026`, `Thursday 30 April 2026`.
pub fn day(language: Language, date: NaiveDate) -> String {
    format!("{} {} {} {}", weekday(language, date), number(language, date), month(language, date), date.year())
}

/// `30 avril 2026`, `30 April 2026`.
pub fn short_day(language: Language, date: NaiveDate) -> String {
    format!("{} {} {}", number(language, date), month(language, date), date.year())
}

/// `avril 2026`, `April 2026`.
pub fn month_year(language: Language, date: NaiveDate) -> String {
    format!("{} {}", month(language, date), date.year())
}

/// An instant in a sentence: `le jeudi 30 avril 2026 à 22 h 41 (heure de Paris)`.
pub fn moment(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone).naive_local();
    let (date, time, zone) = (day(language, local.date()), hour(language, local.time()), zone_name(language, zone));
    match language {
        Language::Fr => format!("le {date} à {time} ({zone})"),
        Language::En => format!("{date} at {time} ({zone})"),
    }
}

/// An instant where many stand close together: `mer. 29 avr. à 22 h 41`.
pub fn brief_moment(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone).naive_local();
    let (date, time) = (Day(language, local.date()), hour(language, local.time()));
    match language {
        Language::Fr => format!("{date} à {time}"),
        Language::En => format!("{date} {time}"),
    }
}

/// A slot in a sentence, after a verb: `dans la nuit du …`, `le samedi 16 mai 2026, entre 8 h et 16 h (…)`.
pub fn slot(language: Language, slot: Slot, zone: Tz) -> String {
    let (start, end) = bounds(slot, zone);
    let (from, to, zone) = (hour(language, start.time()), hour(language, end.time()), zone_name(language, zone));
    let days = days(language, start, end, Weekdays::Shown);
    match (language, kind(start, end)) {
        (Language::Fr, Kind::Night) => format!("dans la nuit du {days}, entre {from} et {to} ({zone})"),
        (Language::Fr, Kind::Day) => format!("le {days}, entre {from} et {to} ({zone})"),
        (Language::Fr, Kind::Long) => {
            format!("du {} à {from} au {} à {to} ({zone})", day(language, start.date()), day(language, end.date()))
        }
        (Language::En, Kind::Night) => format!("in the night of {days}, between {from} and {to} ({zone})"),
        (Language::En, Kind::Day) => format!("on {days}, between {from} and {to} ({zone})"),
        (Language::En, Kind::Long) => {
            format!("from {} {from} to {} {to} ({zone})", day(language, start.date()), day(language, end.date()))
        }
    }
}

/// A slot in a subject line: `nuit du 29 au 30 avril 2026`, `samedi 16 mai 2026 de 8 h à 16 h`.
pub fn short_slot(language: Language, slot: Slot, zone: Tz) -> String {
    let (start, end) = bounds(slot, zone);
    let (from, to) = (hour(language, start.time()), hour(language, end.time()));
    let (first, last) = (short_day(language, start.date()), short_day(language, end.date()));
    match (language, kind(start, end)) {
        (Language::Fr, Kind::Night) => format!("nuit du {}", days(language, start, end, Weekdays::Left)),
        (Language::Fr, Kind::Day) => format!("{} de {from} à {to}", day(language, start.date())),
        (Language::Fr, Kind::Long) => format!("du {first} {from} au {last} {to}"),
        (Language::En, Kind::Night) => format!("night of {}", days(language, start, end, Weekdays::Left)),
        (Language::En, Kind::Day) => format!("{} {from} to {to}", day(language, start.date())),
        (Language::En, Kind::Long) => format!("{first} {from} to {last} {to}"),
    }
}

/// A number of minutes: `3 h`, `1 h 30`, `45 minutes`.
pub fn duration(language: Language, minutes: u32) -> String {
    let s = if minutes == 1 { "" } else { "s" };
    match (minutes / 60, minutes % 60) {
        (0, _) => format!("{minutes} minute{s}"),
        (hours, 0) => format!("{hours} h"),
        (hours, rest) => match language {
            Language::Fr => format!("{hours} h {rest:02}"),
            Language::En => format!("{hours} h {rest:02} min"),
        },
    }
}

/// `heure de Paris`, `Paris time`.
pub fn zone_name(language: Language, zone: Tz) -> String {
    let city = zone.name().rsplit('/').next().unwrap_or(zone.name()).replace('_', " ");
    match (language, city.as_str()) {
        (Language::Fr, "Reunion") => "heure de La Réunion".to_owned(),
        (Language::Fr, "Martinique" | "Guadeloupe") => format!("heure de la {city}"),
        (Language::Fr, "UTC") => "heure UTC".to_owned(),
        (Language::Fr, _) => format!("heure de {city}"),
        (Language::En, "Reunion") => "Réunion time".to_owned(),
        (Language::En, "UTC") => "UTC".to_owned(),
        (Language::En, _) => format!("{city} time"),
    }
}

enum Kind {
    /// Evening to the next morning.
    Night,
    /// Within one day.
    Day,
    Long,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weekdays {
    Shown,
    Left,
}

fn bounds(slot: Slot, zone: Tz) -> (NaiveDateTime, NaiveDateTime) {
    (slot.start.with_timezone(&zone).naive_local(), slot.end.with_timezone(&zone).naive_local())
}

fn kind(start: NaiveDateTime, end: NaiveDateTime) -> Kind {
    if start.date() == end.date() {
        Kind::Day
    } else if start.date().succ_opt() == Some(end.date()) && start.hour() >= 17 && end.hour() < 12 {
        Kind::Night
    } else {
        Kind::Long
    }
}

/// The day, or the two days of a night with what they share written once.
fn days(language: Language, start: NaiveDateTime, end: NaiveDateTime, weekdays: Weekdays) -> String {
    let (first, last) = (start.date(), end.date());
    if first == last {
        return day(language, first);
    }
    let named = |date: NaiveDate| match weekdays {
        Weekdays::Shown => format!("{} {}", weekday(language, date), number(language, date)),
        Weekdays::Left => number(language, date),
    };
    let mut from = named(first);
    if first.month() != last.month() {
        from = format!("{from} {}", month(language, first));
    }
    if first.year() != last.year() {
        from = format!("{from} {}", first.year());
    }
    let to = format!("{} {} {}", named(last), month(language, last), last.year());
    match language {
        Language::Fr => format!("{from} au {to}"),
        Language::En => format!("{from} to {to}"),
    }
}

fn weekday(language: Language, date: NaiveDate) -> &'static str {
    let index = date.weekday().num_days_from_monday() as usize;
    match language {
        Language::Fr => DAYS_FR[index],
        Language::En => DAYS_EN[index],
    }
}

fn month(language: Language, date: NaiveDate) -> &'static str {
    match language {
        Language::Fr => MONTHS_FR[date.month0() as usize],
        Language::En => MONTHS_EN[date.month0() as usize],
    }
}

fn number(language: Language, date: NaiveDate) -> String {
    match (language, date.day()) {
        (Language::Fr, 1) => "1er".to_owned(),
        (_, day) => day.to_string(),
    }
}

/// `22 h 30`, `22:30`.
pub fn hour(language: Language, time: NaiveTime) -> String {
    match (language, time.minute()) {
        (Language::Fr, 0) => format!("{} h", time.hour()),
        (Language::Fr, minute) => format!("{} h {minute:02}", time.hour()),
        (Language::En, minute) => format!("{:02}:{minute:02}", time.hour()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &str, end: &str, zone: Tz, fr: &str, en: &str) {
        let slot_of = Slot::new(start.parse().unwrap(), end.parse().unwrap()).unwrap();
        assert_eq!(slot(Language::Fr, slot_of, zone), fr);
        assert_eq!(slot(Language::En, slot_of, zone), en);
    }

    #[test]
    fn slots_in_words() {
        let (paris, reunion) = (Tz::Europe__Paris, Tz::Indian__Reunion);
        check(
            "2026-04-29T20:00:00Z",
            "2026-04-30T05:00:00Z",
            paris,
            "dans la nuit du mercredi 29 au jeudi 30 avril 2026, entre 22 h et 7 h (heure de Paris)",
            "in the night of Wednesday 29 to Thursday 30 April 2026, between 22:00 and 07:00 (Paris time)",
        );
        check(
            "2026-04-30T18:00:00Z",
            "2026-05-01T03:00:00Z",
            reunion,
            "dans la nuit du jeudi 30 avril au vendredi 1er mai 2026, entre 22 h et 7 h (heure de La Réunion)",
            "in the night of Thursday 30 April to Friday 1 May 2026, between 22:00 and 07:00 (Réunion time)",
        );
        check(
            "2026-12-31T21:30:00Z",
            "2027-01-01T06:00:00Z",
            paris,
            "dans la nuit du jeudi 31 décembre 2026 au vendredi 1er janvier 2027, entre 22 h 30 et 7 h (heure de Paris)",
            "in the night of Thursday 31 December 2026 to Friday 1 January 2027, between 22:30 and 07:00 (Paris time)",
        );
        check(
            "2026-05-16T06:00:00Z",
            "2026-05-16T14:00:00Z",
            paris,
            "le samedi 16 mai 2026, entre 8 h et 16 h (heure de Paris)",
            "on Saturday 16 May 2026, between 08:00 and 16:00 (Paris time)",
        );
    }

    #[test]
    fn durations_in_words() {
        assert_eq!(duration(Language::Fr, 180), "3 h");
        assert_eq!(duration(Language::Fr, 95), "1 h 35");
        assert_eq!(duration(Language::En, 1), "1 minute");
    }
}
