//! The commands and their arguments.

use super::trace::LogFormat;
use super::{
    agent, alerts, attend, demo, explain, fleet, history, plan, release, request, schedule, serve, simulate, tokens,
};
use chrono::{DateTime, NaiveDate, Utc};

/// Keeps other people's servers up to date under a contract, at night, and can prove it.
#[derive(Debug, clap::Parser)]
#[command(name = "noctule", version, max_term_width = 100)]
pub struct Args {
    /// How the log on standard error is written; NOCTULE_LOG says what of it (info, noctule=debug, …)
    #[arg(long, value_enum, default_value_t, global = true, help_heading = "Log")]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run the orchestrator: jobs, agent protocol, API
    Serve(serve::ServeArgs),
    /// Run the agent of this server
    Agent(agent::AgentArgs),
    /// Sign and publish releases, as their publisher
    Release(release::ReleaseArgs),
    /// Make the database match fleet.toml, or show the fleet
    Fleet(fleet::FleetArgs),
    /// Make a one-time code that enrols a server's agent
    Enrol(tokens::EnrolArgs),
    /// Make, end or list the tokens of staff, clients and gateways
    Token(tokens::TokenArgs),
    /// Ask for a major version by a date; list or cancel such requests
    Request(request::RequestArgs),
    /// What was installed where and when, and what is planned
    History(history::HistoryArgs),
    /// What will be installed in the coming days, and what is held or late and why; changes nothing
    Plan(plan::PlanArgs),
    /// The ordered reasons behind the current decisions about a server
    Explain(explain::ExplainArgs),
    /// Check a contract before it is used
    Schedule(schedule::ScheduleArgs),
    /// What demands action of staff
    Alerts(alerts::AlertsArgs),
    /// Say who attends a manual update
    Attend(attend::AttendArgs),
    /// Play a fleet's months in seconds, with everything that goes wrong, and count what it comes to
    Simulate(simulate::SimulateArgs),
    /// See the whole service at work: two weeks in under a minute, on real parts and a stepped clock
    Demo(demo::DemoArgs),
}

impl Command {
    /// Whether it runs until it is told to stop.
    pub fn is_service(&self) -> bool {
        match self {
            Command::Serve(_) | Command::Agent(_) => true,
            Command::Release(_)
            | Command::Fleet(_)
            | Command::Enrol(_)
            | Command::Token(_)
            | Command::Request(_)
            | Command::History(_)
            | Command::Plan(_)
            | Command::Explain(_)
            | Command::Schedule(_)
            | Command::Alerts(_)
            | Command::Attend(_)
            | Command::Simulate(_)
            | Command::Demo(_) => false,
        }
    }
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Csv,
}

/// Reads a calendar date: `2026-05-16`.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "no such date; write it as in 2026-05-16".to_owned())
}

/// Reads an instant: a date (its first moment in UTC) or RFC 3339.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(date) = date(text) {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| "no such date or instant; write 2026-05-16 or 2026-05-16T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_configuration_comes_after_the_command() {
        for line in [
            "noctule history --config noctule.toml --state installed,failed --since 2026-05-01",
            "noctule request isacompta 15.0.001 --before 2026-05-16 --config noctule.toml",
            "noctule request list --config noctule.toml",
            "noctule request cancel 3 --config noctule.toml",
            "noctule explain martin-srv1 isacompta --api http://127.0.0.1:8420 --token-file t",
            "noctule fleet apply fleet.toml --dry-run --config noctule.toml",
            "noctule token create anna --staff --config noctule.toml",
            "noctule agent --config agent.toml --once",
        ] {
            Args::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for line in [
            "noctule history --config a --api http://x",
            "noctule request isacompta 15.0 --before 2026-02-30",
            "noctule request isacompta",
            "noctule history --since hier",
            "noctule token create anna",
            "noctule",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_date_is_its_first_moment() {
        assert_eq!(instant("2026-05-16").unwrap().to_rfc3339(), "2026-05-16T00:00:00+00:00");
        assert_eq!(instant("2026-05-16T08:00:00+02:00").unwrap().to_rfc3339(), "2026-05-16T06:00:00+00:00");
        assert!(instant("16/05/2026").is_err() && date("2026-02-29").is_err());
    }
}
