//! When a client wants no automatic work: a payroll run, a tax season, an office move.
//!
//! A period is written as days, as times, as opening hours that say when the client is closed, or as an `.ics` file.
//! The file is read when a fleet is applied and becomes days and times, so that what is stored stands on its own.
//! Whether a period touches a slot is told by `decide::closed`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most closed periods of one client, its calendars read.
pub const PERIODS_MAX: usize = 2000;

/// One entry of a client's `closed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum ClosedPeriod {
    Days(ClosedDays),
    Times(ClosedTimes),
    Instants(ClosedInstants),
    Hours(ClosedHours),
    Calendar(ClosedCalendar),
}

/// Whole days of the site, both included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosedDays {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub reason: String,
}

/// Times on the site's own clock, the end excluded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosedTimes {
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    pub reason: String,
}

/// Instants, the end excluded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosedInstants {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub reason: String,
}

/// Opening-hours syntax for when the client is closed: `Jan 10-Jan 20`, `Mo[-1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedHours {
    pub hours: String,
    pub reason: String,
}

/// A calendar file, relative to the fleet's; never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedCalendar {
    pub ics: String,
    /// Stands in for the events' own titles, which may be nobody else's business.
    pub reason: Option<String>,
}

impl ClosedPeriod {
    pub fn days(from: NaiveDate, to: NaiveDate, reason: impl Into<String>) -> ClosedPeriod {
        ClosedPeriod::Days(ClosedDays { from, to, reason: reason.into() })
    }

    pub fn hours(hours: impl Into<String>, reason: impl Into<String>) -> ClosedPeriod {
        ClosedPeriod::Hours(ClosedHours { hours: hours.into(), reason: reason.into() })
    }

    /// Both bounds as written, of a period that ends before it begins or holds no time at all.
    pub fn backwards(&self) -> Option<(String, String)> {
        let written = |from: Moment, to: Moment| Some((from.into(), to.into()));
        match self {
            ClosedPeriod::Days(days) if days.to < days.from => written(Moment::Day(days.from), Moment::Day(days.to)),
            ClosedPeriod::Times(times) if times.to <= times.from => {
                written(Moment::Time(times.from), Moment::Time(times.to))
            }
            ClosedPeriod::Instants(instants) if instants.to <= instants.from => {
                written(Moment::Instant(instants.from), Moment::Instant(instants.to))
            }
            ClosedPeriod::Days(_)
            | ClosedPeriod::Times(_)
            | ClosedPeriod::Instants(_)
            | ClosedPeriod::Hours(_)
            | ClosedPeriod::Calendar(_) => None,
        }
    }
}

/// As a list of changes shows it: `2026-12-24 to 2026-12-31 (inventaire)`.
impl fmt::Display for ClosedPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minute = "%Y-%m-%d %H:%M";
        match self {
            ClosedPeriod::Days(d) if d.from == d.to => write!(f, "{} ({})", d.from, d.reason),
            ClosedPeriod::Days(d) => write!(f, "{} to {} ({})", d.from, d.to, d.reason),
            ClosedPeriod::Times(t) => write!(f, "{} to {} ({})", t.from.format(minute), t.to.format(minute), t.reason),
            ClosedPeriod::Instants(i) => {
                write!(f, "{} to {} UTC ({})", i.from.format(minute), i.to.format(minute), i.reason)
            }
            ClosedPeriod::Hours(h) => write!(f, "{} ({})", h.hours, h.reason),
            ClosedPeriod::Calendar(c) => write!(f, "calendar {}", c.ics),
        }
    }
}

/// A bound as written: its form says what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Moment {
    Day(NaiveDate),
    Time(NaiveDateTime),
    Instant(DateTime<Utc>),
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Moment, String> {
        if let Ok(day) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
            return Ok(Moment::Day(day));
        }
        if let Ok(instant) = DateTime::parse_from_rfc3339(&text) {
            return Ok(Moment::Instant(instant.to_utc()));
        }
        ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .into_iter()
            .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
            .map(Moment::Time)
            .ok_or_else(|| {
                format!("{text:?} is no date; write \"2026-12-24\", or \"2026-12-24T12:00\" in the site's time")
            })
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        match moment {
            Moment::Day(day) => day.to_string(),
            Moment::Time(time) => time.format("%Y-%m-%dT%H:%M:%S").to_string(),
            Moment::Instant(instant) => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

/// An entry as written and stored.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ics: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Fields {
    /// The entry as one would write it, to tell it from others.
    fn written(&self) -> String {
        let moment = |at: Option<Moment>| at.map(String::from);
        let fields = [
            ("from", moment(self.from)),
            ("to", moment(self.to)),
            ("hours", self.hours.clone()),
            ("ics", self.ics.clone()),
            ("reason", self.reason.clone()),
        ];
        let given = fields.into_iter().filter_map(|(key, value)| Some(format!("{key} = {:?}", value?)));
        format!("{{ {} }}", given.collect::<Vec<_>>().join(", "))
    }
}

impl TryFrom<Fields> for ClosedPeriod {
    type Error = String;

    fn try_from(fields: Fields) -> Result<ClosedPeriod, String> {
        let written = fields.written();
        let Fields { from, to, hours, ics, reason } = fields;
        let because = |reason: Option<String>| reason.ok_or("needs a `reason`, which letters and history show");
        let period = match (from, to, hours, ics) {
            (Some(Moment::Day(from)), Some(Moment::Day(to)), None, None) => {
                because(reason).map(|reason| ClosedPeriod::Days(ClosedDays { from, to, reason }))
            }
            (Some(Moment::Time(from)), Some(Moment::Time(to)), None, None) => {
                because(reason).map(|reason| ClosedPeriod::Times(ClosedTimes { from, to, reason }))
            }
            (Some(Moment::Instant(from)), Some(Moment::Instant(to)), None, None) => {
                because(reason).map(|reason| ClosedPeriod::Instants(ClosedInstants { from, to, reason }))
            }
            (None, None, Some(hours), None) => {
                because(reason).map(|reason| ClosedPeriod::Hours(ClosedHours { hours, reason }))
            }
            (None, None, None, Some(ics)) => Ok(ClosedPeriod::Calendar(ClosedCalendar { ics, reason })),
            (Some(_), Some(_), None, None) => Err("needs `from` and `to` of one kind: two dates, or two times"),
            (Some(_), None, None, None) => Err("needs `to`, its last day"),
            (None, Some(_), None, None) => Err("needs `from`, its first day"),
            (None, None, None, None) => Err("needs `from` and `to`, `hours`, or `ics`"),
            (_, _, Some(_), _) | (_, _, _, Some(_)) => {
                Err("has to be either `from` and `to`, or `hours`, or `ics`; make it two entries")
            }
        };
        period.map_err(|what| format!("the closed period {written} {what}"))
    }
}

impl From<ClosedPeriod> for Fields {
    fn from(period: ClosedPeriod) -> Fields {
        let bounds =
            |from, to, reason| Fields { from: Some(from), to: Some(to), reason: Some(reason), ..Fields::default() };
        match period {
            ClosedPeriod::Days(d) => bounds(Moment::Day(d.from), Moment::Day(d.to), d.reason),
            ClosedPeriod::Times(t) => bounds(Moment::Time(t.from), Moment::Time(t.to), t.reason),
            ClosedPeriod::Instants(i) => bounds(Moment::Instant(i.from), Moment::Instant(i.to), i.reason),
            ClosedPeriod::Hours(h) => Fields { hours: Some(h.hours), reason: Some(h.reason), ..Fields::default() },
            ClosedPeriod::Calendar(c) => Fields { ics: Some(c.ics), reason: c.reason, ..Fields::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClosedPeriod, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_is_stored_as_it_is_written() {
        for (text, shown) in [
            (
                r#"{"from":"2026-12-24","to":"2026-12-31","reason":"inventaire"}"#,
                "2026-12-24 to 2026-12-31 (inventaire)",
            ),
            (r#"{"from":"2026-12-24","to":"2026-12-24","reason":"inventaire"}"#, "2026-12-24 (inventaire)"),
            (
                r#"{"from":"2026-12-24T12:00:00","to":"2026-12-24T18:30:00","reason":"fête"}"#,
                "2026-12-24 12:00 to 2026-12-24 18:30 (fête)",
            ),
            (
                r#"{"from":"2026-12-24T11:00:00Z","to":"2026-12-24T17:00:00Z","reason":"fête"}"#,
                "2026-12-24 11:00 to 2026-12-24 17:00 UTC (fête)",
            ),
            (r#"{"hours":"Jan 10-Jan 20","reason":"bilan"}"#, "Jan 10-Jan 20 (bilan)"),
            (r#"{"ics":"martin.ics"}"#, "calendar martin.ics"),
            (r#"{"ics":"martin.ics","reason":"fermeture"}"#, "calendar martin.ics"),
        ] {
            let period = read(text).unwrap();
            assert_eq!(serde_json::to_string(&period).unwrap(), text);
            assert_eq!(period.to_string(), shown);
            assert_eq!(period.backwards(), None);
        }
        let short = read(r#"{"from":"2026-12-24T12:00","to":"2026-12-24T18:30","reason":"fête"}"#).unwrap();
        assert_eq!(short.to_string(), "2026-12-24 12:00 to 2026-12-24 18:30 (fête)");
        let offset = read(r#"{"from":"2026-12-24T12:00:00+01:00","to":"2026-12-24T18:00:00+01:00","reason":"fête"}"#);
        assert_eq!(offset.unwrap().to_string(), "2026-12-24 11:00 to 2026-12-24 17:00 UTC (fête)");
    }

    #[test]
    fn what_is_no_period_says_what_to_write() {
        for (text, said) in [
            (r#"{}"#, "needs `from` and `to`, `hours`, or `ics`"),
            (r#"{"from":"2026-12-24","reason":"x"}"#, "needs `to`"),
            (r#"{"to":"2026-12-24","reason":"x"}"#, "needs `from`"),
            (r#"{"from":"2026-12-24","to":"2026-12-31"}"#, "needs a `reason`"),
            (r#"{"hours":"Mo[-1]"}"#, "needs a `reason`"),
            (r#"{"from":"2026-12-24","to":"2026-12-31T12:00","reason":"x"}"#, "of one kind"),
            (r#"{"from":"2026-12-24","to":"2026-12-31","hours":"Mo","reason":"x"}"#, "make it two entries"),
            (r#"{"ics":"a.ics","hours":"Mo","reason":"x"}"#, "make it two entries"),
            (
                r#"{"from":"24/12/2026","to":"2026-12-31","reason":"x"}"#,
                "\"24/12/2026\" is no date; write \"2026-12-24\"",
            ),
            (r#"{"from":"2026-02-30","to":"2026-12-31","reason":"x"}"#, "is no date"),
            (r#"{"form":"2026-12-24"}"#, "unknown field `form`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_found() {
        for (from, to, wrong) in [
            ("2026-12-24", "2026-12-24", false),
            ("2026-12-24", "2026-12-23", true),
            ("2026-12-24T12:00:00", "2026-12-24T12:00:01", false),
            ("2026-12-24T12:00:00", "2026-12-24T12:00:00", true),
            ("2026-12-24T12:00:00Z", "2026-12-24T12:00:01Z", false),
            ("2026-12-24T12:00:00Z", "2026-12-24T12:00:00Z", true),
        ] {
            let period = read(&format!(r#"{{"from":"{from}","to":"{to}","reason":"x"}}"#)).unwrap();
            assert_eq!(period.backwards(), wrong.then(|| (from.to_owned(), to.to_owned())));
        }
    }
}
