//! `noctule agent`: the agent of one server, as a daemon or for one pass.

use crate::edge::agent_file::{self, AgentFileError};
use crate::edge::clock::Clock;
use crate::work::agent::{Agent, AgentError, Listener};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Arguments of `noctule agent`. The enrolment code is never one of them: every process could read it.
#[derive(Debug, clap::Args)]
pub struct AgentArgs {
    /// The agent's configuration file.
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    pub config: PathBuf,
    /// Do everything there is to do now, then exit.
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum AgentCommandError {
    #[error(transparent)]
    File(#[from] AgentFileError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("cannot listen for signals: {0}")]
    Signal(#[source] std::io::Error),
}

/// Runs the agent until it is told to stop, or for one pass.
pub async fn run(args: AgentArgs) -> super::Outcome {
    let config = agent_file::load(&args.config)?;
    let mut agent = Agent::new(config, Clock::System).await?;
    if args.once {
        agent = agent.told_to(bars());
        let pass = agent.run_once().await?;
        for (action, outcome) in &pass.ended {
            super::output::print(&format!("action {action}: {outcome}"))?;
        }
        if pass.staged {
            super::output::print("a release is downloaded and waits for its slot")?;
        }
        return Ok(());
    }
    agent.run(stop_signal().map_err(AgentCommandError::Signal)?).await?;
    Ok(())
}

/// A bar for each download, on standard error where that is a terminal; elsewhere it draws nothing.
fn bars() -> Listener {
    let shown: Mutex<Option<(String, ProgressBar)>> = Mutex::default();
    Arc::new(move |file, have, want| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(name, _)| name != file) {
            let template = "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(want).with_style(style.progress_chars("=> ")).with_message(file.to_owned());
            // What was here before is not what the line gives now.
            *shown = Some((file.to_owned(), bar.with_position(have)));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set_position(have);
            if have == want {
                bar.finish();
            }
        }
    })
}

/// Resolves at SIGTERM or Ctrl-C.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C or when the service is stopped.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler there is no signal either: the daemon runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
