//! The command line: one file per command.
//!
//! Commands about what is known go through the API, in this process or over HTTP, so that there is one code path and one
//! set of rights ([`api`]). Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 not
//! done and why, 2 the command line itself is wrong.

mod access;
pub mod agent;
mod agree;
mod alerts;
mod api;
mod args;
mod attend;
mod calendar;
mod demo;
mod explain;
mod fleet;
mod history;
mod hold;
mod lang;
mod letters;
mod output;
mod plan;
pub mod release;
mod report;
mod request;
mod resume;
mod schedule;
mod serve;
mod simulate;
mod status;
mod steering;
mod tokens;
mod trace;
mod version;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

/// What ends a command early. Its message is shown as it is.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// The command line is at fault: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Parses the arguments, runs the command and maps its outcome to an exit code (0, 1, usage 2).
pub fn main() -> ExitCode {
    let args = Args::parse();
    trace::init(args.log_format, args.command.is_service());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::from(format!("cannot start: {error}"))),
    };
    match runtime.block_on(run(args.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Agent(args) => agent::run(args).await,
        Command::Release(args) => match release::run(args, crate::edge::clock::Clock::System).await {
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
        Command::Attend(args) => attend::run(args).await,
        Command::Letters(args) => letters::run(args).await,
        Command::Calendar(args) => calendar::run(args).await,
        Command::Simulate(args) => simulate::run(args),
        Command::Demo(args) => demo::run(args).await,
    }
}

/// Says on standard error what went wrong, with the causes that the message does not tell itself.
fn report(failure: &Failure) -> ExitCode {
    if output::is_broken_pipe(failure.as_ref()) {
        // Whoever read our output has enough of it.
        return ExitCode::SUCCESS;
    }
    let mut message = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    output::say(&format!("noctule: {message}"));
    ExitCode::from(if failure.is::<Usage>() { 2 } else { 1 })
}
