//! Dates and times as calendars write them: `20261224`, `20261224T120000`, `20261224T110000Z`, with or without a zone.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use icalendar::parser::Property;

/// Years that a calendar may speak of.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;
/// Longest duration of one event, in days.
const DURATION_DAYS_MAX: i64 = 3660;

/// A point in somebody's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Day(NaiveDate),
    /// On the clock of whoever reads it.
    Floating(NaiveDateTime),
    Zoned(NaiveDateTime, Tz),
    Utc(DateTime<Utc>),
}

impl Moment {
    /// What the moment shows on the clock of its own zone; a day's first moment.
    pub fn civil(self) -> NaiveDateTime {
        match self {
            Moment::Day(day) => day.and_time(NaiveTime::MIN),
            Moment::Floating(civil) | Moment::Zoned(civil, _) => civil,
            Moment::Utc(instant) => instant.naive_utc(),
        }
    }

    /// The same kind of moment at another time on that clock.
    pub fn at(self, civil: NaiveDateTime) -> Moment {
        match self {
            Moment::Day(_) => Moment::Day(civil.date()),
            Moment::Floating(_) => Moment::Floating(civil),
            Moment::Zoned(_, zone) => Moment::Zoned(civil, zone),
            Moment::Utc(_) => Moment::Utc(civil.and_utc()),
        }
    }

    /// What this moment is on the clock of `other`; days and floating times are taken as they stand.
    pub fn civil_for(self, other: Moment) -> NaiveDateTime {
        match (self.instant(), other) {
            (Some(instant), Moment::Zoned(_, zone)) => instant.with_timezone(&zone).naive_local(),
            (Some(instant), Moment::Utc(_)) => instant.naive_utc(),
            (Some(_) | None, Moment::Day(_) | Moment::Floating(_)) | (None, Moment::Zoned(..) | Moment::Utc(_)) => {
                self.civil()
            }
        }
    }

    /// The instant, where the moment has one. A time that the clock skips is read with the offset before (RFC 5545,
    /// 3.3.5); of two, the first.
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Moment::Day(_) | Moment::Floating(_) => None,
            Moment::Utc(instant) => Some(instant),
            Moment::Zoned(civil, zone) => Some(match zone.from_local_datetime(&civil) {
                MappedLocalTime::Single(only) | MappedLocalTime::Ambiguous(only, _) => only.to_utc(),
                MappedLocalTime::None => {
                    let before = zone.offset_from_utc_datetime(&(civil - TimeDelta::days(1))).fix();
                    (civil - TimeDelta::seconds(before.local_minus_utc().into())).and_utc()
                }
            }),
        }
    }

    /// Reads the one value of a property.
    pub fn read(property: &Property<'_>) -> Result<Moment, String> {
        Moment::parse(property.name.as_str(), property.val.as_str().trim(), zone_of(property)?)
    }

    /// Reads the values of a property that may have several.
    pub fn read_all(property: &Property<'_>) -> Result<Vec<Moment>, String> {
        let zone = zone_of(property)?;
        let values = property.val.as_str().split(',');
        values.map(|value| Moment::parse(property.name.as_str(), value.trim(), zone)).collect()
    }

    /// Reads the end of a repetition.
    pub fn parse_until(text: &str) -> Result<Moment, String> {
        Moment::parse("UNTIL", text, None)
    }

    fn parse(name: &str, text: &str, zone: Option<Tz>) -> Result<Moment, String> {
        let odd = || format!("{name} {text:?} is no date or time; it has to look like 20261224 or 20261224T120000");
        if text.contains('/') {
            return Err(format!("{name} {text:?} is a period, which is not supported; use events of their own"));
        }
        let moment = if let Ok(day) = NaiveDate::parse_from_str(text, "%Y%m%d") {
            Moment::Day(day)
        } else if let Some(utc) = text.strip_suffix(['Z', 'z']) {
            Moment::Utc(NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").map_err(|_| odd())?.and_utc())
        } else {
            let civil = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| odd())?;
            zone.map_or(Moment::Floating(civil), |zone| Moment::Zoned(civil, zone))
        };
        use chrono::Datelike;
        match moment.civil().year() {
            year if YEARS.contains(&year) => Ok(moment),
            year => {
                Err(format!("{name} is in the year {year}; it has to be from {} to {}", YEARS.start(), YEARS.end()))
            }
        }
    }
}

/// The value of a property's parameter, without quotes.
pub fn parameter<'p>(property: &'p Property<'_>, key: &str) -> Option<&'p str> {
    let found = property.params.iter().find(|param| param.key.as_str().eq_ignore_ascii_case(key))?;
    found.val.as_ref().map(|value| value.as_str().trim_matches('"'))
}

fn zone_of(property: &Property<'_>) -> Result<Option<Tz>, String> {
    let Some(name) = parameter(property, "TZID") else { return Ok(None) };
    match zone(name) {
        Some(zone) => Ok(Some(zone)),
        None => Err(format!("its zone {name:?} is not known; use an IANA zone, such as Europe/Paris")),
    }
}

/// A zone by its IANA name, by such a name behind a prefix (`/mozilla.org/20050126_1/Europe/Paris`), or by the name
/// that Outlook gives to it (Unicode CLDR, windowsZones).
fn zone(name: &str) -> Option<Tz> {
    const OUTLOOK: [(&str, Tz); 18] = [
        ("Romance Standard Time", Tz::Europe__Paris),
        ("W. Europe Standard Time", Tz::Europe__Berlin),
        ("Central Europe Standard Time", Tz::Europe__Budapest),
        ("Central European Standard Time", Tz::Europe__Warsaw),
        ("GMT Standard Time", Tz::Europe__London),
        ("E. Europe Standard Time", Tz::Europe__Chisinau),
        ("SA Western Standard Time", Tz::America__La_Paz),
        ("SA Eastern Standard Time", Tz::America__Cayenne),
        ("Saint Pierre Standard Time", Tz::America__Miquelon),
        ("Mauritius Standard Time", Tz::Indian__Mauritius),
        ("E. Africa Standard Time", Tz::Africa__Nairobi),
        ("Morocco Standard Time", Tz::Africa__Casablanca),
        ("W. Central Africa Standard Time", Tz::Africa__Lagos),
        ("Central Pacific Standard Time", Tz::Pacific__Guadalcanal),
        ("Hawaiian Standard Time", Tz::Pacific__Honolulu),
        ("UTC+12", Tz::Etc__GMTMinus12),
        ("Eastern Standard Time", Tz::America__New_York),
        ("UTC", Tz::UTC),
    ];
    if let Ok(zone) = name.parse() {
        return Some(zone);
    }
    if let Some((_, zone)) = OUTLOOK.into_iter().find(|(outlook, _)| outlook.eq_ignore_ascii_case(name)) {
        return Some(zone);
    }
    name.starts_with('/').then(|| name.match_indices('/').find_map(|(at, _)| name[at + 1..].parse().ok())).flatten()
}

/// Reads a duration: `P1D`, `PT2H30M`, `P1W`.
pub fn duration(text: &str) -> Result<TimeDelta, String> {
    let odd = || format!("DURATION {text:?} is no duration; it has to look like P1D or PT2H30M");
    let rest = text.trim().trim_start_matches('+').strip_prefix('P').ok_or_else(odd)?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = TimeDelta::zero();
    for (part, units) in
        [(days, [('W', 604_800), ('D', 86_400)].as_slice()), (time, &[('H', 3600), ('M', 60), ('S', 1)])]
    {
        let mut number = String::new();
        for letter in part.chars() {
            if letter.is_ascii_digit() && number.len() < 8 {
                number.push(letter);
                continue;
            }
            let (_, seconds) = units.iter().find(|(unit, _)| *unit == letter).ok_or_else(odd)?;
            let count: i64 = number.parse().map_err(|_| odd())?;
            total += TimeDelta::seconds(count * seconds);
            number.clear();
        }
        if !number.is_empty() {
            return Err(odd());
        }
    }
    if total <= TimeDelta::zero() || total > TimeDelta::days(DURATION_DAYS_MAX) { Err(odd()) } else { Ok(total) }
}
