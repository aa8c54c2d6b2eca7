//! An `.ics` file (RFC 5545) of a client's closed periods, as any calendar program exports it.
//!
//! Every event counts as closed time, shown as busy or free: programs mark whole days free by themselves. Days stay days
//! of the site, times with a zone become instants, times without one stay on the site's clock. Repetitions are unfolded
//! within a [`Horizon`] of whole years, so that reading a file twice in a year gives the same. Cancelled events, single
//! occurrences that were moved or left out, alarms and to-dos are read as the standard says.
//!
//! What is not supported is an error that names the event; nothing is left out silently.

mod event;
mod moment;
mod repeat;

use crate::model::closed::ClosedPeriod;
use chrono::{Datelike, NaiveDate};
use event::Event;
use icalendar::parser::{self, Component};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most events of one file.
pub const EVENTS_MAX: usize = 2000;
/// Most events of one file that repeat: some rules take long to find that they never come true.
pub const REPEATED_MAX: usize = 200;
/// Most occurrences of one event, and most periods of one file.
pub const PERIODS_MAX: usize = 1000;
/// Whole years after the current one for which repetitions are unfolded.
pub const YEARS_AHEAD: i32 = 5;
/// Components may hold others, such as alarms; no file of good faith goes deeper.
const DEPTH_MAX: usize = 8;
/// Longest reason that an event's title gives, in characters.
const REASON_CHARS_MAX: usize = 100;

/// The days within which repetitions are unfolded, both included. What does not repeat is kept whenever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Horizon {
    /// From the first day of the year before `today`'s to the last day of the fifth year after it.
    pub fn around(today: NaiveDate) -> Horizon {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap_or(today);
        Horizon { first: day(today.year() - 1, 1, 1), last: day(today.year() + YEARS_AHEAD, 12, 31) }
    }
}

/// What a file comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarFile {
    /// In order, each once.
    pub periods: Vec<ClosedPeriod>,
    /// What somebody should know about it.
    pub warnings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes; export only the closed periods", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is no text in UTF-8; export it again as iCalendar (.ics)", .0.display())]
    NoText(PathBuf),
    #[error("{} is no iCalendar file{at}; export it again as iCalendar (.ics)", path.display())]
    Syntax { path: PathBuf, at: String },
    #[error("{} holds more than {EVENTS_MAX} events; export only the closed periods", .0.display())]
    TooManyEvents(PathBuf),
    #[error("{} holds more than {REPEATED_MAX} repeated events; export only the closed periods", .0.display())]
    TooManyRepeated(PathBuf),
    #[error("{} comes to more than {PERIODS_MAX} closed periods; give repetitions an end", .0.display())]
    TooManyPeriods(PathBuf),
    /// One line per event that cannot be read.
    #[error("{}", .0.join("\n"))]
    Events(Vec<String>),
}

/// Reads the file at `path`; `reason` stands in for the events' titles.
///
/// # Errors
/// Every event that cannot be read, at once, or what keeps the whole file from being read.
pub fn read(path: &Path, reason: Option<&str>, horizon: Horizon) -> Result<CalendarFile, CalendarError> {
    use std::io::Read;
    let failed = |source| CalendarError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(CalendarError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| CalendarError::NoText(path.to_owned()))?;
    parse(path, text.trim_start_matches('\u{feff}'), reason, horizon)
}

/// Parses `text`, which `path` names in errors.
fn parse(path: &Path, text: &str, reason: Option<&str>, horizon: Horizon) -> Result<CalendarFile, CalendarError> {
    let text = parser::unfold(text);
    let roots = components(path, &text)?;
    let events: Vec<&Component> = roots.iter().flat_map(|root| &root.components).filter(|c| is(c, "VEVENT")).collect();
    if events.len() > EVENTS_MAX {
        return Err(CalendarError::TooManyEvents(path.to_owned()));
    }
    let file = path.display();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for component in events {
        match Event::read(component, reason, &stem) {
            Ok(event) => read.push(event),
            Err(error) => wrong.push(format!("{file}: {}: {error}", event::name(component))),
        }
    }
    if read.iter().filter(|event| event.rule.is_some()).count() > REPEATED_MAX {
        return Err(CalendarError::TooManyRepeated(path.to_owned()));
    }
    let mut found = CalendarFile::default();
    let mut periods = BTreeMap::new();
    let moved = moved(&read);
    for event in read.iter().filter(|event| !event.cancelled) {
        let moved = moved.get(event.uid.as_str()).filter(|_| event.moves.is_none()).map_or(&[][..], Vec::as_slice);
        if periods.len() > PERIODS_MAX {
            return Err(CalendarError::TooManyPeriods(path.to_owned()));
        }
        match repeat::occurrences(event, moved, horizon) {
            Ok(repeat) => {
                if repeat.goes_on {
                    let last = horizon.last;
                    found.warnings.push(format!(
                        "{file}: {} goes on after {last}; apply the fleet again in a later year to see further",
                        event.name
                    ));
                }
                let starts = repeat.starts.into_iter();
                periods.extend(starts.map(|start| event.period(start)).map(|period| (period.to_string(), period)));
            }
            Err(error) => wrong.push(format!("{file}: {}: {error}", event.name)),
        }
    }
    if !wrong.is_empty() {
        return Err(CalendarError::Events(wrong));
    }
    if periods.len() > PERIODS_MAX {
        return Err(CalendarError::TooManyPeriods(path.to_owned()));
    }
    if periods.is_empty() {
        found.warnings.push(format!("{file} closes nothing: it holds no event that is not cancelled or over"));
    }
    found.periods = periods.into_values().collect();
    Ok(found)
}

/// The file's calendars, refused where it is something else, is cut short, or is built to be a burden.
fn components<'t>(path: &Path, text: &'t str) -> Result<Vec<Component<'t>>, CalendarError> {
    let syntax = |at: String| CalendarError::Syntax { path: path.to_owned(), at };
    let (mut depth, mut last) = (0_usize, "");
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let at = || format!(" at its line {} ({:?})", index + 1, line.chars().take(60).collect::<String>());
        if starts_with(line, "BEGIN:") {
            depth += 1;
        } else if starts_with(line, "END:") {
            depth = depth.checked_sub(1).ok_or_else(|| syntax(at()))?;
        }
        if depth > DEPTH_MAX || (depth == 0 && !line.is_empty() && !starts_with(line, "END:")) {
            return Err(syntax(at()));
        }
        last = if line.is_empty() { last } else { line };
    }
    if depth > 0 {
        return Err(syntax(": it stops short".to_owned()));
    }
    if !last.eq_ignore_ascii_case("END:VCALENDAR") {
        return Err(syntax(String::new()));
    }
    let roots = parser::read_components(text).map_err(|error| syntax(parser_place(&error)))?;
    let known = roots.iter().all(|root| is(root, "VCALENDAR"));
    if known && !roots.is_empty() { Ok(roots) } else { Err(syntax(String::new())) }
}

/// What the parser's report says of the place: ` at line 3`.
fn parser_place(report: &str) -> String {
    let line = report.split("at line ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    line.map_or_else(String::new, |line| format!(" at its line {line}"))
}

/// Which occurrences of each repeated event were moved, by the moment at which they would have been.
fn moved(events: &[Event]) -> BTreeMap<&str, Vec<moment::Moment>> {
    let mut moved: BTreeMap<&str, Vec<moment::Moment>> = BTreeMap::new();
    for event in events {
        if let Some(from) = event.moves {
            moved.entry(event.uid.as_str()).or_default().push(from);
        }
    }
    moved
}

fn is(component: &Component<'_>, name: &str) -> bool {
    component.name.as_str().eq_ignore_ascii_case(name)
}

fn starts_with(line: &str, what: &str) -> bool {
    line.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what))
}

#[cfg(test)]
#[path = "calendar_file_tests.rs"]
mod tests;
