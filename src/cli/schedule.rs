//! `noctule schedule check FILE`: a contract's problems on their lines, or the next slots it gives.

use super::{Outcome, output};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::terms::Terms;
use crate::edge::clock::Clock;
use crate::edge::schedule_file;
use chrono::TimeDelta;
use chrono_tz::Tz;
use std::fmt::Write as _;
use std::path::PathBuf;

/// How far ahead slots are looked for, in days.
const AHEAD_DAYS: i64 = 60;

#[derive(Debug, clap::Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ScheduleCommand {
    /// Show what is wrong with a contract, or the slots that it gives next
    Check {
        /// The contract, such as schedules/pro-controle.toml
        file: PathBuf,
        /// Zone of the site the slots are shown for
        #[arg(long, default_value = "Europe/Paris")]
        zone: Tz,
        /// Holidays of the site: FR, FR-ALS or FR-971 to FR-978
        #[arg(long, default_value = "FR")]
        holidays: Region,
        /// Slots to show of each window
        #[arg(long, default_value_t = 5)]
        slots: u8,
    },
}

pub fn run(args: ScheduleArgs) -> Outcome {
    let ScheduleCommand::Check { file, zone, holidays, slots } = args.command;
    let file = schedule_file::read(&file)?;
    let terms = Terms::compile(file.schedule.clone()).map_err(|problems| {
        let shown: Vec<String> = problems
            .iter()
            .map(|problem| file.point_at(&problem.path(), problem.span.clone(), &problem.to_string()))
            .collect();
        shown.join("\n")
    })?;
    let calendar = Calendar::new(zone, holidays, Vec::new());
    let now = Clock::System.now();
    let mut text = format!("{}: sound; next slots in {zone}, holidays of {holidays}\n", file.schedule.contract);
    for (name, window) in &file.schedule.windows {
        let _ = writeln!(text, "\n{name} ({}): {}", window.clause, window.hours);
        let next = terms.window(name).slots(&calendar, now, now + TimeDelta::days(AHEAD_DAYS));
        for slot in next.iter().take(slots.into()) {
            let _ = writeln!(text, "  {}", output::slot(slot.start, slot.end, zone));
        }
    }
    output::print(&text)
}
