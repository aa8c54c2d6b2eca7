//! `noctule agent install|uninstall|start|stop|status`: the agent as a service of its machine, in the same words on Linux
//! and Windows.

use super::AgentCommandError;
use crate::cli::say::{self, Print};
use crate::cli::{Outcome, Told};
use crate::edge::agent_file;
use crate::edge::host::agent_service::{
    self, AgentService, AgentServiceError, Change, Definition, NAME, Session, State, Status,
};
use std::path::{Path, PathBuf, absolute};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Have the system run the agent at each start of the machine; starts nothing yet
    Install {
        /// The agent's configuration file, which is checked first
        #[arg(long, value_name = "FILE", default_value_os_t = agent_service::default_config())]
        config: PathBuf,
    },
    /// Stop the agent and have the system forget it; its state and what it installed stay
    Uninstall,
    /// Start the agent now and wait until it is ready
    Start {
        /// Do nothing, and call that done, where there is no configuration yet: for packages
        #[arg(long, hide = true)]
        if_configured: bool,
    },
    /// Stop the agent, once an installation under way has ended
    Stop,
    /// Say how the agent's service is: exit code 0 when it runs, 1 when it does not
    Status(Print),
}

/// Does what `command` says, and tells what there was to do.
pub async fn run(command: Command) -> Outcome {
    let service = AgentService::of_machine();
    let told = match command {
        Command::Install { config } => {
            let definition = definition(&config)?;
            match service.install(&definition).await? {
                Change::Done => format!("{NAME} starts with the machine; `noctule agent start` starts it now"),
                Change::Nothing => format!("{NAME} is installed so already"),
            }
        }
        Command::Uninstall => match service.uninstall().await? {
            Change::Done => format!("{NAME} is stopped and removed; its state and its configuration stay"),
            Change::Nothing => format!("{NAME} is not installed"),
        },
        Command::Start { if_configured: true } if !agent_service::default_config().exists() => {
            format!("{} is not there yet; {NAME} is not started", agent_service::default_config().display())
        }
        Command::Start { .. } => match service.start().await? {
            Change::Done => format!("{NAME} runs"),
            Change::Nothing => format!("{NAME} runs already"),
        },
        Command::Stop => match service.stop().await? {
            Change::Done => format!("{NAME} is stopped"),
            Change::Nothing => format!("{NAME} is stopped already"),
        },
        Command::Status(print) => return status(&service.status().await?, print),
    };
    say::print(&told)
}

/// This program with the configuration at `config`, which has to be one.
fn definition(config: &Path) -> Result<Definition, AgentCommandError> {
    agent_file::load(config)?;
    let at = |path: &Path, source| AgentServiceError::Write { path: path.to_path_buf(), source };
    let config = absolute(config).map_err(|source| at(config, source))?;
    let program = std::env::current_exe().map_err(|source| at(Path::new("noctule"), source))?;
    Ok(Definition { program, config })
}

fn status(status: &Status, print: Print) -> Outcome {
    if print.is_json() {
        say::print_json(status)?;
    } else {
        say::print(&in_words(status))?;
    }
    if status.state == State::Running { Ok(()) } else { Err(Told.into()) }
}

fn in_words(status: &Status) -> String {
    let verb = if status.state == State::Failed { "has" } else { "is" };
    let mut text = format!("{} {verb} {}", status.service, status.state.name());
    if status.state != State::NotInstalled {
        text += if status.starts_with_machine {
            "; it starts with the machine"
        } else {
            "; it does not start with the machine"
        };
    }
    if let Some(command) = &status.command {
        text += &format!("\n  runs {command}");
    }
    text
}

/// Tells systemd that the agent is ready, and later, when `stop` resolves, that it stops.
#[cfg(not(windows))]
pub fn told(stop: impl Future<Output = ()>) -> Result<impl Future<Output = ()>, AgentServiceError> {
    Session::ready()?;
    Ok(async move {
        stop.await;
        if let Err(error) = Session::stopping() {
            tracing::warn!(%error, "systemd does not hear that the agent stops");
        }
    })
}

/// Runs the agent as the service that Windows started this process for.
#[cfg(windows)]
pub async fn serve(config: PathBuf) -> Outcome {
    let runtime = tokio::runtime::Handle::current();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "the agent broke down")));
    let body = move |session: Session| {
        let agent = async {
            let agent = super::open(&config).await?;
            session.ready()?;
            Ok(agent.run(session.asked_to_stop()).await?)
        };
        runtime.block_on(agent).map_err(|error: AgentCommandError| error.to_string())
    };
    // Windows keeps the thread that asks for as long as the service runs.
    tokio::task::spawn_blocking(|| Session::run(Box::new(body))).await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_said_in_the_same_words_everywhere() {
        let status = |state, starts_with_machine, command: Option<&str>| {
            let command = command.map(str::to_owned);
            in_words(&Status { service: NAME, state, starts_with_machine, command })
        };
        insta::assert_snapshot!([
            status(State::NotInstalled, false, None),
            status(State::Running, true, Some("/usr/bin/noctule agent --config /etc/noctule/agent.toml")),
            status(State::Failed, false, Some("noctule agent")),
        ].join("\n"), @"
        noctule-agent is not installed
        noctule-agent is running; it starts with the machine
          runs /usr/bin/noctule agent --config /etc/noctule/agent.toml
        noctule-agent has failed; it does not start with the machine
          runs noctule agent
        ");
    }

    #[test]
    fn a_status_is_data_too() {
        let status = Status { service: NAME, state: State::NotInstalled, starts_with_machine: false, command: None };
        let said = serde_json::to_string(&status).unwrap();
        let expected =
            r#"{"service":"noctule-agent","state":"not_installed","starts_with_machine":false,"command":null}"#;
        assert_eq!(said, expected);
    }

    #[test]
    fn what_cannot_run_is_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        std::fs::write(&file, "server = 'http://example.net'\nstate_dir = 's'\nproducts_root = 'p'\n").unwrap();
        let error = definition(&file).unwrap_err().to_string();
        assert!(error.contains("https"), "{error}");
        assert!(definition(&dir.path().join("none")).is_err());
        std::fs::write(&file, "server = 'https://example.net'\nstate_dir = 's'\nproducts_root = 'p'\n").unwrap();
        let definition = definition(&file).unwrap();
        assert!(definition.program.is_absolute() && definition.config.is_absolute());
    }
}
