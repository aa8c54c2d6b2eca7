//! One event of a calendar: when it starts, how long it lasts, how it repeats.

use super::REASON_CHARS_MAX;
use super::moment::{self, Moment, parameter};
use crate::model::closed::{ClosedDays, ClosedInstants, ClosedPeriod, ClosedTimes};
use chrono::{NaiveDateTime, TimeDelta};
use icalendar::parser::{Component, Property};

/// An event as read. What repeats it is still text.
#[derive(Clone, Debug)]
pub struct Event {
    pub uid: String,
    /// How errors call it: `event "Inventaire" of 20261224`.
    pub name: String,
    pub reason: String,
    pub start: Moment,
    /// Time that it lasts on its own clock.
    pub length: TimeDelta,
    pub rule: Option<String>,
    /// Further starts.
    pub added: Vec<Moment>,
    /// Starts that do not happen.
    pub left_out: Vec<Moment>,
    /// The start of the occurrence that this event stands in for.
    pub moves: Option<Moment>,
    pub cancelled: bool,
}

impl Event {
    /// Reads an event. Its reason is `reason`, else its title, else `unnamed`.
    pub fn read(component: &Component<'_>, reason: Option<&str>, unnamed: &str) -> Result<Event, String> {
        for unsupported in ["EXRULE", "RANGE"] {
            if property(component, unsupported).is_some() {
                return Err(format!("{unsupported} is not supported; write its occurrences as events"));
            }
        }
        let rules: Vec<&Property> = properties(component, "RRULE").collect();
        if rules.len() > 1 {
            return Err("it repeats by two rules; make it two events".to_owned());
        }
        let start = Moment::read(property(component, "DTSTART").ok_or("it has no start (DTSTART)")?)?;
        let moves = property(component, "RECURRENCE-ID");
        if moves.is_some_and(|moves| parameter(moves, "RANGE").is_some()) {
            return Err("it moves all later occurrences (RANGE), which is not supported; make it two events".to_owned());
        }
        Ok(Event {
            uid: property(component, "UID").map(|uid| uid.val.as_str().trim().to_owned()).unwrap_or_default(),
            name: name(component),
            reason: reason.map(str::to_owned).or_else(|| title(component)).unwrap_or_else(|| unnamed.to_owned()),
            start,
            length: length(component, start)?,
            rule: rules.first().map(|rule| rule.val.as_str().trim().to_owned()),
            added: moments(component, "RDATE")?,
            left_out: moments(component, "EXDATE")?,
            moves: moves.map(Moment::read).transpose()?,
            cancelled: property(component, "STATUS").is_some_and(|s| s.val.as_str().trim() == "CANCELLED"),
        })
    }

    /// The closed period of the occurrence that starts at `civil`, on the event's own clock.
    pub fn period(&self, civil: NaiveDateTime) -> ClosedPeriod {
        let (from, to) = (self.start.at(civil), self.start.at(civil + self.length));
        let reason = self.reason.clone();
        match (from.instant(), to.instant(), self.start) {
            (_, _, Moment::Day(_)) => {
                let to = (to.civil() - TimeDelta::days(1)).date();
                ClosedPeriod::Days(ClosedDays { from: from.civil().date(), to, reason })
            }
            (Some(from), Some(to), Moment::Zoned(..) | Moment::Utc(_)) => {
                ClosedPeriod::Instants(ClosedInstants { from, to, reason })
            }
            (Some(_) | None, Some(_) | None, Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_)) => {
                ClosedPeriod::Times(ClosedTimes { from: from.civil(), to: to.civil(), reason })
            }
        }
    }
}

/// How errors call an event: by its title and start as written.
pub fn name(component: &Component<'_>) -> String {
    let title = title(component).unwrap_or_else(|| "without a title".to_owned());
    match property(component, "DTSTART") {
        Some(start) => format!("event {title:?} of {}", start.val.as_str().trim().chars().take(20).collect::<String>()),
        None => format!("event {title:?}"),
    }
}

fn title(component: &Component<'_>) -> Option<String> {
    let text = property(component, "SUMMARY")?.val.clone().unescape_text();
    let words: Vec<&str> = text.as_str().split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let title: String = words.join(" ").trim().chars().take(REASON_CHARS_MAX).collect();
    (!title.is_empty()).then_some(title)
}

/// Time from the start to the end. A day without an end is one day; a day's end is the day after it.
fn length(component: &Component<'_>, start: Moment) -> Result<TimeDelta, String> {
    let length = match (property(component, "DTEND"), property(component, "DURATION")) {
        (Some(end), _) => {
            let end = Moment::read(end)?;
            if matches!(end, Moment::Day(_)) != matches!(start, Moment::Day(_)) {
                return Err("it starts on a day and ends at a time, or the reverse; make both the same".to_owned());
            }
            match (start.instant(), end.instant()) {
                // Times in two zones: what passes between them, seen on the clock of the first.
                (Some(_), Some(_)) => end.civil_for(start) - start.civil(),
                (Some(_), None) | (None, Some(_)) => {
                    return Err("only one of its start and end has a zone; give both one".to_owned());
                }
                (None, None) => end.civil() - start.civil(),
            }
        }
        (None, Some(duration)) => moment::duration(duration.val.as_str())?,
        (None, None) => match start {
            Moment::Day(_) => TimeDelta::days(1),
            Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_) => {
                return Err("it has no end (DTEND or DURATION), so it closes nothing; give it one".to_owned());
            }
        },
    };
    match start {
        // Some programs write the last day itself.
        Moment::Day(_) if length == TimeDelta::zero() => Ok(TimeDelta::days(1)),
        Moment::Day(_) if length.num_seconds() % 86_400 != 0 => {
            Err("it starts on a day and lasts hours; give it whole days, or times".to_owned())
        }
        Moment::Day(_) | Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_) if length <= TimeDelta::zero() => {
            Err("it ends before it starts, or lasts no time; swap its bounds".to_owned())
        }
        Moment::Day(_) | Moment::Floating(_) | Moment::Zoned(..) | Moment::Utc(_) => Ok(length),
    }
}

fn moments(component: &Component<'_>, name: &str) -> Result<Vec<Moment>, String> {
    let read: Result<Vec<Vec<Moment>>, String> = properties(component, name).map(Moment::read_all).collect();
    Ok(read?.concat())
}

fn property<'c, 't>(component: &'c Component<'t>, name: &str) -> Option<&'c Property<'t>> {
    component.properties.iter().find(|property| property.name.as_str().eq_ignore_ascii_case(name))
}

fn properties<'c, 't>(component: &'c Component<'t>, name: &'c str) -> impl Iterator<Item = &'c Property<'t>> {
    component.properties.iter().filter(move |property| property.name.as_str().eq_ignore_ascii_case(name))
}
