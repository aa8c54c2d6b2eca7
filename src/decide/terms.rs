//! A schedule compiled: its windows can be asked for slots, and everything it refers to exists.
//!
//! Compiling finds every problem at once. A problem names its place as a dotted path (`windows.night.hours`); the
//! file's line is the business of who read the file.

use super::calendar::{Calendar, Region};
use super::window_lint::Fault;
use crate::decide::civil::PROVIDER_ZONE;
use crate::model::schedule::{JobTerms, LetterTerms, Schedule, Window};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use std::collections::BTreeMap;
use std::fmt;

pub use super::window::CompiledWindow;

/// Longest notice a contract may ask for, in working days.
pub const NOTICE_WORKING_DAYS_MAX: u32 = 60;
/// Most nights a minor may be given.
pub const DEADLINE_NIGHTS_MAX: u32 = 60;
/// Longest intervention time, in minutes: two weeks.
pub const WITHIN_MINUTES_MAX: u32 = 14 * 24 * 60;

/// Longest wait of an announcement for others of its night, in minutes.
pub const GATHER_MINUTES_MAX: u32 = 12 * 60;

/// A schedule whose every window parsed and opens some time.
#[derive(Clone, Debug)]
pub struct Terms {
    pub schedule: Schedule,
    windows: BTreeMap<String, CompiledWindow>,
}

/// One thing wrong with a schedule, and where (`windows.night.hours`, byte span in the value when known).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: String,
    pub span: Option<std::ops::Range<usize>>,
    pub what: String,
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.fix)
    }
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { place: place.into(), span: None, what: what.into(), fix: fix.into() }
    }

    fn of_window(name: &str, fault: Fault) -> Problem {
        Problem { place: format!("windows.{name}.hours"), span: fault.span, what: fault.what, fix: fault.fix }
    }

    /// The keys of the place, outermost first, to find it in the file: `["windows", "night", "hours"]`.
    pub fn path(&self) -> Vec<&str> {
        self.place.split('.').collect()
    }

    /// The value with the place underlined, when the place within it is known.
    pub fn excerpt(&self, schedule: &Schedule) -> Option<String> {
        let (span, name) = (self.span.clone()?, self.place.strip_prefix("windows.")?.strip_suffix(".hours")?);
        let hours = &schedule.windows.get(name)?.hours;
        let before = hours.get(..span.start)?.chars().count();
        let under = hours.get(span)?.chars().count().max(1);
        Some(format!("{hours}\n{}{}", " ".repeat(before), "^".repeat(under)))
    }
}

impl Terms {
    /// Compiles and lints every window and checks every reference; all problems at once.
    pub fn compile(schedule: Schedule) -> Result<Terms, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut windows = BTreeMap::new();
        for (name, window) in &schedule.windows {
            match CompiledWindow::compile(&window.hours) {
                Ok(compiled) => {
                    windows.insert(name.clone(), compiled);
                }
                Err(faults) => problems.extend(faults.into_iter().map(|fault| Problem::of_window(name, fault))),
            }
        }
        problems.extend(missing_windows(&schedule));
        problems.extend(bad_numbers(&schedule));
        problems.extend(bad_crons(&schedule.jobs));
        problems.extend(missing_clauses(&schedule));
        let terms = Terms { schedule, windows };
        if problems.is_empty() {
            problems.extend(terms.night_never_free());
        }
        if problems.is_empty() { Ok(terms) } else { Err(problems) }
    }

    /// The window called `name`; compiling checked that those the terms refer to exist.
    pub fn window(&self, name: &str) -> &CompiledWindow {
        &self.windows[name]
    }

    /// Where minors are installed (`minor-night`).
    pub fn minor_window(&self) -> &CompiledWindow {
        self.window(&self.schedule.minor.window)
    }

    /// What no automatic work may overlap (`office-hours`).
    pub fn barred_window(&self) -> &CompiledWindow {
        self.window(&self.schedule.minor.never_in)
    }

    /// Where manual updates are done (`manual-slots`).
    pub fn manual_window(&self) -> &CompiledWindow {
        self.window(&self.schedule.manual.window)
    }

    /// Where majors are installed (`maintenance-slots`).
    pub fn major_window(&self) -> &CompiledWindow {
        self.window(&self.schedule.major.window)
    }

    /// When nobody is written to about what went well.
    pub fn quiet_window(&self) -> Option<&CompiledWindow> {
        self.schedule.letters.quiet.as_deref().map(|name| self.window(name))
    }

    /// A schedule whose nights all overlap the barred hours would install nothing, and say so only at dawn.
    fn night_never_free(&self) -> Option<Problem> {
        let calendar = Calendar::new(PROVIDER_ZONE, Region::National);
        let from: DateTime<Utc> = Utc.timestamp_opt(1_767_225_600, 0).single()?; // 2026-01-01
        let nights = self.minor_window().slots(&calendar, from, from + TimeDelta::days(2 * 366));
        if nights.is_empty() || nights.iter().any(|night| !self.barred_window().touches(&calendar, *night)) {
            return None;
        }
        let (window, never_in) = (&self.schedule.minor.window, &self.schedule.minor.never_in);
        Some(Problem::new(
            "minor.window",
            format!("every slot of {window:?} overlaps {never_in:?}, where minors are forbidden"),
            format!("make {window:?} end before {never_in:?} opens"),
        ))
    }
}

fn missing_windows(schedule: &Schedule) -> Vec<Problem> {
    let named = [
        ("minor.window", Some(&schedule.minor.window)),
        ("minor.never_in", Some(&schedule.minor.never_in)),
        ("manual.window", Some(&schedule.manual.window)),
        ("major.window", Some(&schedule.major.window)),
        ("major.received_until_end_of", Some(&schedule.major.received_until_end_of)),
        ("backup.since_close_of", Some(&schedule.backup.since_close_of)),
        ("intervention.clock", schedule.intervention.clock.as_ref()),
        ("letters.quiet", schedule.letters.quiet.as_ref()),
    ];
    let known: Vec<&str> = schedule.windows.keys().map(String::as_str).collect();
    let missing = |(place, name): (&str, Option<&String>)| {
        let name = name.filter(|name| !schedule.windows.contains_key(*name))?;
        let fix = match nearest(name, &known) {
            Some(near) => format!("write {near:?}, or add [windows.{name}]"),
            None => format!("add [windows.{name}], or name one of: {}", known.join(", ")),
        };
        Some(Problem::new(place, format!("there is no window {name:?}"), fix))
    };
    named.into_iter().filter_map(missing).collect()
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .copied()
        .min_by_key(|other| strsim::levenshtein(name, other))
        .filter(|other| strsim::levenshtein(name, other) <= 2)
}

fn bad_numbers(schedule: &Schedule) -> Vec<Problem> {
    let bounds = [
        ("minor.deadline_nights", schedule.minor.deadline_nights, 1..=DEADLINE_NIGHTS_MAX),
        ("manual.announce_hours", schedule.manual.announce_hours, 0..=30 * 24),
        ("major.notice_working_days", schedule.major.notice_working_days, 0..=NOTICE_WORKING_DAYS_MAX),
        ("intervention.within_minutes", schedule.intervention.within_minutes, 1..=WITHIN_MINUTES_MAX),
        ("agents.silent_after_minutes", schedule.agents.silent_after_minutes, 1..=WITHIN_MINUTES_MAX),
        ("retry.attempts_max", schedule.retry.attempts_max, 1..=100),
        ("letters.remind_working_days", schedule.letters.remind_working_days, 0..=20),
        ("letters.gather_minutes", schedule.letters.gather_minutes, 0..=GATHER_MINUTES_MAX),
    ];
    let mut problems: Vec<Problem> = bounds
        .into_iter()
        .filter(|(_, value, allowed)| !allowed.contains(value))
        .map(|(place, value, allowed)| {
            let fix = format!("write a number from {} to {}", allowed.start(), allowed.end());
            Problem::new(place, format!("{value} is out of range"), fix)
        })
        .collect();
    let delays = &schedule.intervention.escalate_after_hours;
    if !delays.is_sorted_by(|earlier, later| earlier < later) || delays.first() == Some(&0) || delays.len() > 2 {
        problems.push(Problem::new(
            "intervention.escalate_after_hours",
            format!("{delays:?} are not the delays of levels 2 and 3"),
            "write at most two hours, the later one larger, as in [24, 48]",
        ));
    }
    problems
}

fn bad_crons(jobs: &JobTerms) -> Vec<Problem> {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Required).build();
    [("jobs.fetch", &jobs.fetch), ("jobs.plan", &jobs.plan), ("jobs.post", &jobs.post), ("jobs.watch", &jobs.watch)]
        .into_iter()
        .filter_map(|(place, cron)| {
            let error = parser.parse(cron).err()?;
            let fix = "write six fields, seconds first, in UTC, as in `0 */5 * * * *` for every five minutes";
            Some(Problem::new(place, format!("{cron:?} is not a cron expression: {error}"), fix))
        })
        .collect()
}

/// Terms without a clause could not be looked up in the contract.
fn missing_clauses(schedule: &Schedule) -> Vec<Problem> {
    let windows =
        schedule.windows.iter().map(|(name, Window { clause, .. })| (format!("windows.{name}.clause"), clause));
    let terms = [
        ("minor", &schedule.minor.clause),
        ("manual", &schedule.manual.clause),
        ("major", &schedule.major.clause),
        ("backup", &schedule.backup.clause),
        ("intervention", &schedule.intervention.clause),
        ("agents", &schedule.agents.clause),
        ("retry", &schedule.retry.clause),
    ];
    // The one part that may be missing.
    let letters = &schedule.letters;
    let letters = (*letters != LetterTerms::default()).then_some(("letters", &letters.clause));
    windows
        .chain(terms.into_iter().chain(letters).map(|(name, clause)| (format!("{name}.clause"), clause)))
        .filter(|(_, clause)| clause.trim().is_empty())
        .map(|(place, _)| Problem::new(place, "the clause is empty", "name where the contract says it"))
        .collect()
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
