//! The commands of the orchestrator, and what several of them take.

pub use super::say::{Print, Shape};
use super::{Outcome, Usage};
use super::{
    agree, alerts, attend, calendar, demo, erase, explain, fleet, history, hold, letters, plan, release, report,
    request, resume, schedule, serve, simulate, status, tokens, version, webhook,
};
use crate::edge::clock::Clock;
use chrono::NaiveDate;
use chrono_tz::Tz;

/// What an agent that is built alone does not know.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run the orchestrator: jobs, agent protocol, API
    Serve(serve::ServeArgs),
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
    /// Record what a client's contact agreed to: another slot, work in a closed period, a shorter notice
    Agree(agree::AgreeArgs),
    /// Hold back installations on a server, for a client, or of a release
    Hold(hold::HoldArgs),
    /// Let a release go on that halted or is held
    Resume(resume::ResumeArgs),
    /// What was installed where and when, and what is planned
    History(history::HistoryArgs),
    /// What will be installed in the coming days, and what is held or late and why; changes nothing
    Plan(plan::PlanArgs),
    /// Tonight at a glance: what is planned and under way, what is held and why, alerts, silent agents, feeds, letters
    Status(status::StatusArgs),
    /// A client's month under the contract: what was due and when it was done, who was told, what each rule comes to
    Report(report::ReportArgs),
    /// The ordered reasons behind the current decisions about a server
    Explain(explain::ExplainArgs),
    /// Check a contract, read it in words, ask it for slots and notices
    Schedule(schedule::ScheduleArgs),
    /// Compare and sort versions as publishers write them
    Version(version::VersionArgs),
    /// What demands action of staff
    #[command(visible_alias = "alert")]
    Alerts(alerts::AlertsArgs),
    /// What waits for the receiver of alerts (a ticketing tool), and whether it takes them
    Webhook(webhook::WebhookArgs),
    /// Say who attends a manual update
    Attend(attend::AttendArgs),
    /// Erase a person from what is kept about a client; what happened stays in the history
    Erase(erase::EraseArgs),
    /// Check the templates of letters, and see a letter before it is sent
    Letters(letters::LettersArgs),
    /// Print the address of a calendar of planned work, for a client or for staff
    Calendar(calendar::CalendarArgs),
    /// Play a fleet's months in seconds, with everything that goes wrong, and count what it comes to
    Simulate(simulate::SimulateArgs),
    /// See the whole service at work: two weeks in under a minute, on real parts and a stepped clock
    Demo(demo::DemoArgs),
}

impl Command {
    /// Whether it runs until it is told to stop.
    pub fn is_service(&self) -> bool {
        match self {
            Command::Serve(_) => true,
            Command::Release(_)
            | Command::Fleet(_)
            | Command::Enrol(_)
            | Command::Token(_)
            | Command::Request(_)
            | Command::Agree(_)
            | Command::Hold(_)
            | Command::Resume(_)
            | Command::History(_)
            | Command::Plan(_)
            | Command::Status(_)
            | Command::Report(_)
            | Command::Explain(_)
            | Command::Schedule(_)
            | Command::Version(_)
            | Command::Alerts(_)
            | Command::Webhook(_)
            | Command::Attend(_)
            | Command::Calendar(_)
            | Command::Erase(_)
            | Command::Letters(_)
            | Command::Simulate(_)
            | Command::Demo(_) => false,
        }
    }

    /// Runs it.
    pub async fn run(self) -> Outcome {
        match self {
            Command::Serve(args) => serve::run(args).await,
            Command::Release(args) => match release::run(args, Clock::System).await {
                Err(release::ReleaseError::Usage(text)) => Err(Usage(text).into()),
                done => Ok(done?),
            },
            Command::Fleet(args) => fleet::run(args).await,
            Command::Enrol(args) => tokens::enrol(args).await,
            Command::Token(args) => tokens::run(args).await,
            Command::Request(args) => request::run(args).await,
            Command::Agree(args) => agree::run(args).await,
            Command::Hold(args) => hold::run(args).await,
            Command::Resume(args) => resume::run(args).await,
            Command::History(args) => history::run(args).await,
            Command::Plan(args) => plan::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Report(args) => report::run(args).await,
            Command::Explain(args) => explain::run(args).await,
            Command::Schedule(args) => schedule::run(args),
            Command::Version(args) => version::run(args),
            Command::Alerts(args) => alerts::run(args).await,
            Command::Webhook(args) => webhook::run(args).await,
            Command::Attend(args) => attend::run(args).await,
            Command::Letters(args) => letters::run(args).await,
            Command::Calendar(args) => calendar::run(args).await,
            Command::Erase(args) => erase::run(args).await,
            Command::Simulate(args) => simulate::run(args),
            Command::Demo(args) => demo::run(args).await,
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

/// Reads an IANA zone.
pub fn zone(text: &str) -> Result<Tz, String> {
    if let Ok(zone) = text.parse() {
        return Ok(zone);
    }
    if text.starts_with(['+', '-']) || text.to_ascii_uppercase().starts_with("UTC") {
        return Err(
            "a fixed distance from UTC is wrong half of the year; write a zone, such as Europe/Paris".to_owned()
        );
    }
    let lower = text.to_lowercase();
    let near = chrono_tz::TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .min_by_key(|name| strsim::damerau_levenshtein(&lower, &name.to_lowercase()));
    Err(match near {
        Some(near) if strsim::damerau_levenshtein(&lower, &near.to_lowercase()) <= 3 => {
            format!("no such zone; did you mean {near}?")
        }
        Some(_) | None => "no such zone; write an IANA zone, such as Europe/Paris or Indian/Reunion".to_owned(),
    })
}

/// Reads a calendar date: `2026-05-16`.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "no such date; write it as in 2026-05-16".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Args;
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
            "noctule request change 3 --before 2026-05-16 --server a,b --format json --config noctule.toml",
            "noctule request isacompta 15 --with isapaye 2027.1 --with isaged 4 --before 2026-05-16 --client c",
            "noctule agree slot srv isacompta --from 2026-05-16T08:00 --to 2026-05-16T12:00 --by Claire",
            "noctule agree closed client --from 2026-05-16 --to 2026-05-20 --by Claire",
            "noctule agree notice client isacompta 15 --before 2026-05-16 --by Claire",
            "noctule hold srv --reason why --by Nadia",
            "noctule hold isacompta 15 --until 2026-05-16 --reason why --config noctule.toml",
            "noctule hold release isacompta 15 --until 2026-05-16T08:00 --reason why",
            "noctule hold list --all --format json",
            "noctule hold lift 3 --by Nadia",
            "noctule resume isacompta 15 --reason mended --by Nadia",
            "noctule plan --at 2026-05-16T22:00 --lang fr --client c --config noctule.toml",
            "noctule explain martin-srv1 --at 2026-05-16 --lang en --format json --config noctule.toml",
            "noctule explain martin-srv1 isacompta --api http://127.0.0.1:8420 --token-file t",
            "noctule fleet apply fleet.toml --dry-run --config noctule.toml",
            "noctule token create anna --staff --config noctule.toml",
            "noctule alert ack 7 --by Nadia",
            "noctule alert resolve 7 --note mended",
            "noctule webhook --format json",
            "noctule webhook check --config noctule.toml",
            "noctule webhook key webhook.key",
            "noctule webhook again --by Nadia",
            "noctule agent --config agent.toml --once",
            "noctule agent install --config /etc/noctule/agent.toml",
            "noctule agent uninstall",
            "noctule agent start --log-format json",
            "noctule agent stop",
            "noctule agent status --format json",
        ] {
            Args::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for line in [
            "noctule history --config a --api http://x",
            "noctule request isacompta 15.0 --before 2026-02-30",
            "noctule request isacompta",
            "noctule history --since hier",
            "noctule plan --at demain",
            "noctule plan --lang de",
            "noctule explain srv --at 2026-02-30T22:00",
            "noctule explain srv --fr",
            "noctule hold srv",
            "noctule hold a b c --reason why",
            "noctule hold srv --reason why --until soon",
            "noctule agree slot srv isacompta --from 8h --to 12h --by Claire",
            "noctule agree closed client --from 2026-05-16 --by Claire",
            "noctule request isacompta 15 --with isapaye --before 2026-05-16",
            "noctule resume isacompta --reason mended",
            "noctule token create anna",
            "noctule agent --once install",
            "noctule agent restart",
            "noctule agent start --config agent.toml",
            "noctule",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_zone_that_is_none_says_what_to_write() {
        assert_eq!(zone("Indian/Reunion"), Ok(Tz::Indian__Reunion));
        for (text, said) in [
            ("Europe/Pari", "did you mean Europe/Paris?"),
            ("europe/paris", "did you mean Europe/Paris?"),
            ("+02:00", "wrong half of the year"),
            ("UTC+2", "wrong half of the year"),
            ("chez nous", "such as Europe/Paris"),
        ] {
            assert!(zone(text).unwrap_err().contains(said), "{text}");
        }
    }

    #[test]
    fn a_date_is_one_of_the_calendar() {
        assert_eq!(date("2026-05-16"), Ok(NaiveDate::from_ymd_opt(2026, 5, 16).unwrap()));
        assert!(date("16/05/2026").is_err() && date("2026-02-29").is_err());
    }
}
