//! `noctule schedule`: a contract checked, read in words, and asked for its slots and notices. Touches no database.

mod check;
mod notice;
mod show;
mod slots;

use super::args::{self, Shape};
use super::lang::Lang;
use super::{Failure, Outcome};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::civil::Moment;
use crate::decide::terms::{Problem, Terms};
use crate::edge::schedule_file::{self, ScheduleFile};
use crate::edge::schedule_survey::{self, Mistake};
use crate::edge::toml_errors;
use crate::model::slot::Slot;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ScheduleCommand {
    /// Show everything that is wrong with a contract, with place and fix, or the slots that it gives next
    Check {
        /// The contract, such as schedules/pro-controle.toml
        file: PathBuf,
        #[command(flatten)]
        site: Site,
        /// Slots to show of each window
        #[arg(long, default_value_t = 5)]
        slots: u8,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// A contract in words, each term with its clause
    Show {
        file: PathBuf,
        /// Language of the sentences; the locale's unless given
        #[arg(long, value_enum)]
        lang: Option<Lang>,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// The slots of a window that touch a span of time, whole, bounds in UTC
    Slots {
        file: PathBuf,
        /// Name of the window: night, maintenance, office, …
        #[arg(long)]
        window: String,
        /// Start: 2026-05-16T22:00 or 2026-05-16 (its first moment) on the site's own clock, or 2026-05-16T20:00:00Z
        #[arg(long, value_name = "T")]
        from: Moment,
        /// End, not included; written like --from
        #[arg(long, value_name = "T")]
        to: Moment,
        #[command(flatten)]
        site: Site,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// From which date a major version could be asked for, had the request come at this time
    Notice {
        file: PathBuf,
        /// When the request came: 2026-05-16T22:00 or 2026-05-16 on the site's own clock, or 2026-05-16T20:00:00Z
        #[arg(long, value_name = "T")]
        received: Moment,
        #[command(flatten)]
        site: Site,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
}

/// Whose clock and holidays.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Site {
    /// Time zone of the site, by its IANA name
    #[arg(long, default_value = "Europe/Paris", value_parser = args::zone)]
    zone: Tz,
    /// Holidays of the site: FR, FR-ALS or FR-971 to FR-978
    #[arg(long, value_name = "REGION", default_value = "FR")]
    holidays: Region,
}

impl Site {
    fn calendar(self) -> Calendar {
        Calendar::new(self.zone, self.holidays)
    }
}

pub fn run(args: ScheduleArgs) -> Outcome {
    match args.command {
        ScheduleCommand::Check { file, site, slots, format } => check::run(&file, site, slots, format),
        ScheduleCommand::Show { file, lang, format } => show::run(&file, Lang::or_locale(lang), format),
        ScheduleCommand::Slots { file, window, from, to, site, format } => {
            slots::run(&file, &window, from, to, site, format)
        }
        ScheduleCommand::Notice { file, received, site, format } => notice::run(&file, received, site, format),
    }
}

/// A slot as other programs read it: bounds in UTC, its real minutes.
#[derive(Debug, Serialize)]
struct SlotRow {
    start: String,
    end: String,
    minutes: i64,
}

impl From<Slot> for SlotRow {
    fn from(slot: Slot) -> SlotRow {
        let utc = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        SlotRow { start: utc(slot.start), end: utc(slot.end), minutes: slot.duration().num_minutes() }
    }
}

/// One thing wrong with a contract, as it is told.
#[derive(Debug, Serialize)]
struct Finding {
    /// `windows.night.hours`.
    place: String,
    line: usize,
    column: usize,
    what: String,
    fix: String,
    /// File, line, message and the place underlined.
    #[serde(skip)]
    shown: String,
}

impl Finding {
    fn new(path: &Path, text: &str, span: std::ops::Range<usize>, place: String, what: String, fix: String) -> Finding {
        let message = if place.is_empty() { format!("{what}; {fix}") } else { format!("{place}: {what}; {fix}") };
        let (line, column) = toml_errors::place(text, span.start);
        Finding { shown: schedule_file::point_at(path, text, span, &message), place, line, column, what, fix }
    }
}

/// A contract, or everything that is wrong with it.
struct Contract {
    file: ScheduleFile,
    terms: Terms,
}

impl Contract {
    /// Reads a contract.
    ///
    /// # Errors
    /// Every problem, in the order of the file, or why it cannot be read at all.
    fn read(path: &Path) -> Result<Result<Contract, Vec<Finding>>, Failure> {
        let survey = schedule_survey::survey(path)?;
        let mistaken: Vec<String> = survey.mistakes.iter().map(|mistake| mistake.keys.join(".")).collect();
        let told = |Mistake { keys, span, what, fix }: Mistake| {
            Finding::new(path, &survey.text, span, keys.join("."), what, fix)
        };
        let mut findings: Vec<Finding> = survey.mistakes.into_iter().map(told).collect();
        let Some(file) = survey.file else { return Ok(Err(findings)) };
        match Terms::compile(file.schedule.clone()) {
            Ok(terms) if findings.is_empty() => return Ok(Ok(Contract { file, terms })),
            Ok(_) => {}
            Err(problems) => {
                // A value that stands in for a mistaken one says nothing about the file.
                let own = |problem: &Problem| {
                    !mistaken
                        .iter()
                        .any(|place| problem.place == *place || problem.place.starts_with(&format!("{place}.")))
                };
                findings.extend(problems.into_iter().filter(own).map(|problem| {
                    let span = file.bytes_of(&problem.path(), problem.span.clone()).unwrap_or(0..0);
                    Finding::new(path, &survey.text, span, problem.place.clone(), problem.what, problem.fix)
                }));
            }
        }
        findings.sort_by_key(|finding| (finding.line, finding.column));
        Ok(Err(findings))
    }

    /// Reads a contract that has to be sound.
    fn sound(path: &Path) -> Result<Contract, Failure> {
        Contract::read(path)?.map_err(|findings| told(&findings).into())
    }
}

/// All findings as text, and how many there are.
fn told(findings: &[Finding]) -> String {
    let shown: Vec<&str> = findings.iter().map(|finding| finding.shown.as_str()).collect();
    let count = if findings.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", findings.len()) };
    format!("{count} in this contract\n{}", shown.join("\n"))
}
