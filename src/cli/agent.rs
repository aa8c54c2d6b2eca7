//! `noctule agent`: the agent of one server, as a daemon or for one pass.

use crate::edge::agent_file::{self, AgentFileError};
use crate::edge::clock::Clock;
use crate::work::agent::{Agent, AgentError};
use std::path::PathBuf;

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
