//! `noctule agent`: the agent of one server, for one pass, until it is told to stop, or as a service of the machine.

mod service;

use super::say;
use crate::edge::agent_file::{self, AgentFileError};
use crate::edge::clock::Clock;
use crate::edge::host::agent_service::AgentServiceError;
use crate::work::agent::{Agent, AgentError, Listener};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Arguments of `noctule agent`. The enrolment code is never one of them: every process could read it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AgentArgs {
    #[command(subcommand)]
    command: Option<service::Command>,
    /// The agent's configuration file.
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    config: PathBuf,
    /// Do everything there is to do now, then exit.
    #[arg(long)]
    once: bool,
    /// Answer the service manager of Windows, which starts it so.
    #[cfg(windows)]
    #[arg(long, hide = true, conflicts_with = "once")]
    service: bool,
}

impl AgentArgs {
    /// Whether it runs until it is told to stop.
    pub fn is_service(&self) -> bool {
        self.command.is_none()
    }

    /// Where the log goes when nobody has a standard error.
    pub fn log_folder(&self) -> Option<PathBuf> {
        #[cfg(windows)]
        if self.service {
            return Some(crate::edge::host::agent_service::log_folder(&self.config));
        }
        None
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AgentCommandError {
    #[error(transparent)]
    File(#[from] AgentFileError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Service(#[from] AgentServiceError),
    #[error("cannot listen for signals: {0}")]
    Signal(#[source] std::io::Error),
}

/// Runs the agent until it is told to stop, or for one pass; or does something about its service.
pub async fn run(args: AgentArgs) -> super::Outcome {
    if let Some(command) = args.command {
        return service::run(command).await;
    }
    #[cfg(windows)]
    if args.service {
        return service::serve(args.config).await;
    }
    if args.once {
        return once(&args.config).await;
    }
    let agent = open(&args.config).await?;
    let stop = stop_signal().map_err(AgentCommandError::Signal)?;
    #[cfg(not(windows))]
    let stop = service::told(stop).map_err(AgentCommandError::Service)?;
    agent.run(stop).await?;
    Ok(())
}

async fn open(config: &Path) -> Result<Agent, AgentCommandError> {
    Ok(Agent::new(agent_file::load(config)?, Clock::System).await?)
}

async fn once(config: &Path) -> super::Outcome {
    let pass = open(config).await?.told_to(bars()).run_once().await?;
    for (action, outcome) in &pass.ended {
        say::print(&format!("action {action}: {outcome}"))?;
    }
    if pass.awaits_reboot {
        say::print("the machine is being restarted; the installation goes on when the agent is started after it")?;
    }
    if pass.staged {
        say::print("a release is downloaded and waits for its slot")?;
    }
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

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler there is no signal either: the daemon runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
