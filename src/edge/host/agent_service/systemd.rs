//! The agent as a unit of systemd.
//!
//! A unit that a package brought is used where it says the same; otherwise ours goes into the administrator's folder,
//! which comes first. Sources: systemd.unit(5), systemd.service(5), systemctl(1), sd_notify(3).

use super::{AgentServiceError, Change, Definition, NAME, START_TIMEOUT, STOP_TIMEOUT, State, Status};
use crate::edge::host::command::{self, Purpose};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every installation runs, with the places of program and configuration.
const UNIT: &str = include_str!("noctule-agent.service");
/// Longest that systemd takes to read its units.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How its log is read.
const LOG: &str = "journalctl -u noctule-agent";

/// The folder of the agent's configuration.
pub fn config_folder() -> PathBuf {
    PathBuf::from("/etc/noctule")
}

/// The unit, and the systemd that knows it.
#[derive(Clone, Debug)]
pub struct AgentService {
    systemctl: String,
    /// The administrator's units.
    own: PathBuf,
    /// The packages' units.
    packaged: Vec<PathBuf>,
}

impl AgentService {
    /// The service of this machine.
    pub fn of_machine() -> AgentService {
        AgentService {
            systemctl: "systemctl".to_owned(),
            own: PathBuf::from("/etc/systemd/system"),
            packaged: ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]
                .map(PathBuf::from)
                .into(),
        }
    }

    /// Has systemd run the agent at each start of the machine.
    ///
    /// # Errors
    /// When the unit cannot be written, which only root can, or systemd does not take it.
    pub async fn install(&self, definition: &Definition) -> Result<Change, AgentServiceError> {
        definition.check()?;
        let text = unit(definition)?;
        let (own, found) = (self.own.join(file()), self.packaged_unit());
        let reads = |path: &Path| fs::read_to_string(path).ok();
        let had = reads(&own).or_else(|| reads(found.as_ref()?));
        let mut change = Change::Nothing;
        if had.as_ref() != Some(&text) {
            write_whole(&own, &text).map_err(|source| AgentServiceError::Write { path: own.clone(), source })?;
            change = Change::Done;
        }
        if change == Change::Done {
            self.order(&["daemon-reload"], RELOAD_TIMEOUT).await?;
        }
        if !self.status().await?.starts_with_machine {
            self.order(&["enable", "--quiet", &file()], RELOAD_TIMEOUT).await?;
            change = Change::Done;
        }
        Ok(change)
    }

    /// Stops it and has systemd forget it.
    pub async fn uninstall(&self) -> Result<Change, AgentServiceError> {
        if self.status().await?.state == State::NotInstalled {
            return Ok(Change::Nothing);
        }
        self.order(&["disable", "--quiet", "--now", &file()], STOP_TIMEOUT).await?;
        let own = self.own.join(file());
        match fs::remove_file(&own) {
            Ok(()) => self.order(&["daemon-reload"], RELOAD_TIMEOUT).await?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(AgentServiceError::Write { path: own, source }),
        }
        match self.packaged_unit() {
            Some(path) => Err(AgentServiceError::Packaged(path)),
            None => Ok(Change::Done),
        }
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Result<Change, AgentServiceError> {
        match self.status().await?.state {
            State::NotInstalled => return Err(AgentServiceError::NotInstalled),
            State::Running => return Ok(Change::Nothing),
            State::Stopped | State::Starting | State::Stopping | State::Failed => {}
        }
        let started = self.order(&["start", "--no-ask-password", &file()], START_TIMEOUT).await;
        let shown = self.show().await?;
        match status_in(&shown).state {
            State::Running => started.map(|()| Change::Done),
            State::NotInstalled => Err(AgentServiceError::NotInstalled),
            // Not a failure to systemd: what it was told to look for is not there.
            State::Stopped if value(&shown, "ConditionResult") == "no" => Err(AgentServiceError::NotConfigured),
            // systemd's own words name its tools, and come in many lines.
            State::Stopped | State::Starting | State::Stopping | State::Failed => {
                Err(AgentServiceError::DoesNotStay(LOG))
            }
        }
    }

    /// Stops it and waits until it has.
    pub async fn stop(&self) -> Result<Change, AgentServiceError> {
        match self.status().await?.state {
            State::NotInstalled => return Err(AgentServiceError::NotInstalled),
            State::Stopped | State::Failed => return Ok(Change::Nothing),
            State::Starting | State::Running | State::Stopping => {}
        }
        self.order(&["stop", "--no-ask-password", &file()], STOP_TIMEOUT).await?;
        Ok(Change::Done)
    }

    /// How it is.
    pub async fn status(&self) -> Result<Status, AgentServiceError> {
        Ok(status_in(&self.show().await?))
    }

    async fn show(&self) -> Result<String, AgentServiceError> {
        let properties = "--property=LoadState,ActiveState,UnitFileState,ExecStart,ConditionResult";
        let argv = [&self.systemctl, "show", properties, "--", &file()].map(str::to_owned);
        Ok(command::run(&argv, None, RELOAD_TIMEOUT, Purpose::Ask).await?)
    }

    fn packaged_unit(&self) -> Option<PathBuf> {
        self.packaged.iter().map(|folder| folder.join(file())).find(|path| path.exists())
    }

    async fn order(&self, words: &[&str], timeout: Duration) -> Result<(), AgentServiceError> {
        let argv: Vec<String> = [self.systemctl.as_str()].iter().chain(words).map(|word| (*word).to_owned()).collect();
        command::run(&argv, None, timeout, Purpose::Ask).await?;
        Ok(())
    }
}

/// The agent's side of the service: what it tells systemd. Where nobody started it as a service, nobody listens.
pub struct Session;

impl Session {
    /// It polls from now on.
    pub fn ready() -> Result<(), AgentServiceError> {
        tell(&[sd_notify::NotifyState::Ready])
    }

    /// It was told to stop and finishes what is under way.
    pub fn stopping() -> Result<(), AgentServiceError> {
        tell(&[sd_notify::NotifyState::Stopping])
    }
}

fn tell(state: &[sd_notify::NotifyState<'_>]) -> Result<(), AgentServiceError> {
    sd_notify::notify(state).map_err(AgentServiceError::Tell)
}

fn file() -> String {
    format!("{NAME}.service")
}

/// The unit that runs `definition`.
fn unit(definition: &Definition) -> Result<String, AgentServiceError> {
    let (program, config) = (spoken(&definition.program)?, spoken(&definition.config)?);
    let text = UNIT.replace("@PROGRAM@", &quoted(&program)).replace("@CONFIG@", &quoted(&config));
    // A path that is no command line: only % means something there.
    Ok(text.replace("@CONFIG_PATH@", &config.replace('%', "%%")))
}

fn spoken(path: &Path) -> Result<String, AgentServiceError> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r', '\0']));
    text.map(str::to_owned).ok_or_else(|| AgentServiceError::Unspeakable(path.to_path_buf()))
}

/// One word of a command line, as systemd reads it: specifiers and variables doubled, quotes where it has to have them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ':' | '@');
    if word.chars().all(plain) {
        return word.to_owned();
    }
    let inner = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{inner}\"")
}

/// A property in what `systemctl show` says: `Name=value` lines.
fn value<'a>(shown: &'a str, name: &str) -> &'a str {
    shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().trim()
}

fn status_in(shown: &str) -> Status {
    let state = match (value(shown, "LoadState"), value(shown, "ActiveState")) {
        ("not-found" | "", _) => State::NotInstalled,
        (_, "active" | "reloading") => State::Running,
        (_, "activating") => State::Starting,
        (_, "deactivating") => State::Stopping,
        (_, "failed") => State::Failed,
        _ => State::Stopped,
    };
    let command = value(shown, "ExecStart").split_once("argv[]=").and_then(|(_, rest)| rest.split_once(" ;"));
    Status {
        service: NAME,
        state,
        starts_with_machine: matches!(value(shown, "UnitFileState"), "enabled" | "enabled-runtime"),
        command: command.map(|(argv, _)| argv.trim().to_owned()),
    }
}

/// A unit that systemd could read by half would be a service that is half.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
#[path = "systemd_tests.rs"]
mod tests;
