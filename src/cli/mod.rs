//! The command line: one file per command.
//!
//! Commands about what is known go through the API, in this process or over HTTP, so that there is one code path and one
//! set of rights ([`api`]). Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 not
//! done and why, 2 the command line itself is wrong.

pub mod agent;
mod say;
mod trace;

// What an agent that is built alone does not have.
cfg_if::cfg_if! {
    if #[cfg(feature = "orchestrator")] {
        mod access;
        mod agree;
        mod alerts;
        mod api;
        mod args;
        mod attend;
        mod calendar;
        mod demo;
        mod erase;
        mod explain;
        mod fleet;
        mod history;
        mod hold;
        mod lang;
        mod letters;
        mod output;
        mod plan;
        mod proof;
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
        mod version;
        mod webhook;
    }
}

use clap::Parser;
use std::process::ExitCode;

/// Keeps other people's servers up to date under a contract, at night, and can prove it.
#[derive(Debug, clap::Parser)]
#[command(name = "noctule", version, max_term_width = 100)]
struct Args {
    /// How the log on standard error is written; NOCTULE_LOG says what of it (info, noctule=debug, …)
    #[arg(long, value_enum, default_value_t, global = true, help_heading = "Log")]
    log_format: trace::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the agent of this server, or have the system run it
    Agent(agent::AgentArgs),
    #[cfg(feature = "orchestrator")]
    #[command(flatten)]
    Orchestrator(args::Command),
}

impl Command {
    /// How much is told of what it does, and where.
    fn log(&self) -> trace::Log {
        match self {
            Command::Agent(args) => match args.log_folder() {
                Some(folder) => trace::Log::Folder(folder),
                None if args.is_service() => trace::Log::Service,
                None => trace::Log::Command,
            },
            #[cfg(feature = "orchestrator")]
            Command::Orchestrator(command) if command.is_service() => trace::Log::Service,
            #[cfg(feature = "orchestrator")]
            Command::Orchestrator(_) => trace::Log::Command,
        }
    }
}

/// What ends a command early. Its message is shown as it is.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// The command line is at fault: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// What there is to say was printed already: exit code 1.
#[derive(Debug, thiserror::Error)]
#[error("")]
struct Told;

/// Threads of an agent besides those that unpack: it does one thing after the other, on a server whose cores are others'.
const AGENT_THREADS: usize = 2;

/// Parses the arguments, runs the command and maps its outcome to an exit code (0, 1, usage 2).
pub fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = trace::init(args.log_format, args.command.log()) {
        return report(&error.into());
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(args.command, Command::Agent(_)) {
        runtime.worker_threads(AGENT_THREADS);
    }
    let runtime = match runtime.enable_all().build() {
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
        Command::Agent(args) => agent::run(args).await,
        #[cfg(feature = "orchestrator")]
        Command::Orchestrator(command) => command.run().await,
    }
}

/// Says on standard error what went wrong, with the causes that the message does not tell itself.
fn report(failure: &Failure) -> ExitCode {
    if say::is_broken_pipe(failure.as_ref()) {
        // Whoever read our output has enough of it.
        return ExitCode::SUCCESS;
    }
    if failure.is::<Told>() {
        return ExitCode::FAILURE;
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
    say::say(&format!("noctule: {message}"));
    ExitCode::from(if failure.is::<Usage>() { 2 } else { 1 })
}
