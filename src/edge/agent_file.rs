//! `agent.toml`: what the administrator of one server tells its agent.
//!
//! Durations carry their unit in the name. Everything has a default except where the server is, where the
//! agent keeps its state, and where the products are.

mod line;
mod neighbours;
mod reboot;

pub use line::{LineConfig, LineHours};
pub use neighbours::NeighboursConfig;
pub use reboot::RebootConfig;

use crate::edge::check_file;
use crate::edge::host::{installer, services};
use crate::edge::toml_errors::{self, TomlError};
use crate::model::check::Check;
use crate::model::manifest::Health;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use url::Url;

/// Longest time-out that can be configured, in seconds.
const TIMEOUT_SECONDS_MAX: u32 = 4 * 3600;

/// Longest that a retraction may go unheard, in minutes.
const OFFLINE_GRACE_MINUTES_MAX: u32 = 24 * 60;

/// The whole file. Unknown fields are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Base URL of the orchestrator: https, or http on loopback.
    pub server: Url,
    /// Identity, journal and downloads; kept from other users of the machine.
    pub state_dir: PathBuf,
    /// Installed trees: `<products_root>/<product>/versions/<version>` and `<product>/current`.
    pub products_root: PathBuf,
    /// File with the one-time enrolment code; the environment variable `NOCTULE_ENROL_CODE` goes first.
    #[serde(default)]
    pub enrol_code_file: Option<PathBuf>,
    #[serde(default)]
    pub poll: PollLimits,
    #[serde(default)]
    pub disk: DiskLimits,
    /// How long after it was last heard from, in minutes, what the server wanted is begun without it when the line is dead
    /// in the slot. 0, the default: never. A retraction that could not be heard is bounded by this.
    #[serde(default)]
    pub offline_grace_minutes: u32,
    /// How much of the site's line downloads may take.
    #[serde(default)]
    pub line: LineConfig,
    /// Servers of the site that share what they download.
    #[serde(default)]
    pub neighbours: Option<NeighboursConfig>,
    /// How to find out about the last backup. Without one nothing is ever installed (`backup-first`).
    #[serde(default)]
    pub backup: Option<BackupConfig>,
    /// Services a release may ask to stop, by name.
    #[serde(default, rename = "service")]
    pub services: BTreeMap<String, ServiceConfig>,
    /// What else has to be true before an installation, or works before and has to work after.
    #[serde(default, rename = "check")]
    pub checks: Vec<Check>,
    #[serde(default)]
    pub in_use: InUseConfig,
    /// The program that is asked about units of systemd.
    #[serde(default = "service_manager")]
    pub service_manager: String,
    /// The program that installs msi packages.
    #[serde(default = "windows_installer")]
    pub windows_installer: String,
    #[serde(default)]
    pub reboot: RebootConfig,
    /// Products that an installer program keeps in a folder of its own, by name; packages of kind msi and exe need it.
    #[serde(default)]
    pub installed: BTreeMap<String, InstalledProduct>,
    /// Products that were on the machine before the agent.
    #[serde(default, rename = "product")]
    pub products: Vec<InitialProduct>,
}

/// Bounds on what the orchestrator may ask as the time between two polls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PollLimits {
    pub min_seconds: u32,
    pub max_seconds: u32,
}

impl Default for PollLimits {
    fn default() -> Self {
        PollLimits { min_seconds: 5, max_seconds: 3600 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskLimits {
    /// Space that stays free after an installation, in MiB.
    pub margin_mib: u64,
}

impl Default for DiskLimits {
    fn default() -> Self {
        DiskLimits { margin_mib: 512 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BackupFields")]
pub struct BackupConfig {
    pub probe: BackupProbe,
    /// Oldest last backup with which anything is installed, in hours. The orchestrator, which knows the working
    /// days, is stricter; this bound is the agent's own and spans a long week-end.
    pub age_hours_max: u32,
}

/// How long an installation waits for whoever uses the product's files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InUseConfig {
    /// How often it is looked, each time; 0: not at all.
    pub tries_max: u32,
    /// Between two looks.
    pub pause_seconds: u32,
    /// Programs whose use does not count, as the system lists them: a virus scanner, a backup.
    pub ignore_programs: Vec<String>,
}

impl Default for InUseConfig {
    fn default() -> Self {
        InUseConfig { tries_max: 3, pause_seconds: 60, ignore_programs: Vec::new() }
    }
}

/// How the last backup is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupProbe {
    /// A program that prints `<RFC 3339 instant> ok|failed`.
    Command { command: Vec<String>, timeout_seconds: u32 },
    /// A file that is written when a backup succeeded, or that holds such a line.
    File { file: PathBuf },
}

/// `[backup]` as written: either `command` or `file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupFields {
    command: Option<Vec<String>>,
    #[serde(default = "minute")]
    timeout_seconds: u32,
    file: Option<PathBuf>,
    #[serde(default = "hours_max")]
    age_hours_max: u32,
}

impl TryFrom<BackupFields> for BackupConfig {
    type Error = &'static str;

    fn try_from(fields: BackupFields) -> Result<BackupConfig, &'static str> {
        let probe = match (fields.command, fields.file) {
            (Some(command), None) => BackupProbe::Command { command, timeout_seconds: fields.timeout_seconds },
            (None, Some(file)) => BackupProbe::File { file },
            _ => return Err("[backup] needs either command or file"),
        };
        Ok(BackupConfig { probe, age_hours_max: fields.age_hours_max })
    }
}

fn hours_max() -> u32 {
    100
}

fn minute() -> u32 {
    60
}

fn windows_installer() -> String {
    installer::MSIEXEC.to_owned()
}

fn service_manager() -> String {
    services::MANAGER.to_owned()
}

/// How one service is stopped and started.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ServiceFields")]
pub struct ServiceConfig {
    pub control: ServiceControl,
    /// Bound of stopping, and of starting.
    pub timeout_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceControl {
    /// Programs with their arguments, never a shell line. Both have to succeed when there is nothing to do.
    Commands { stop: Vec<String>, start: Vec<String> },
    /// A unit of systemd or a service of Windows, by the name that the system knows it by.
    Unit { unit: String },
}

/// `[service.…]` as written: either `unit` (on Windows `service`), or `stop` and `start`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceFields {
    unit: Option<String>,
    service: Option<String>,
    stop: Option<Vec<String>>,
    start: Option<Vec<String>>,
    #[serde(default = "minute")]
    timeout_seconds: u32,
}

impl TryFrom<ServiceFields> for ServiceConfig {
    type Error = &'static str;

    fn try_from(fields: ServiceFields) -> Result<ServiceConfig, &'static str> {
        let here = match (fields.unit, fields.service) {
            (Some(_), _) if cfg!(windows) => {
                return Err("a unit is systemd's; name the Windows service: service = \"…\"");
            }
            (_, Some(_)) if !cfg!(windows) => return Err("a service is Windows'; name the unit: unit = \"….service\""),
            (unit, service) => unit.or(service),
        };
        let control = match (here, fields.stop, fields.start) {
            (Some(unit), None, None) => ServiceControl::Unit { unit },
            (None, Some(stop), Some(start)) => ServiceControl::Commands { stop, start },
            _ if cfg!(windows) => return Err("a service needs either service, or both stop and start"),
            _ => return Err("a service needs either unit, or both stop and start"),
        };
        Ok(ServiceConfig { control, timeout_seconds: fields.timeout_seconds })
    }
}

impl ServiceConfig {
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds))
    }
}

/// A product installed by other means; its folder is copied into the agent's tree once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialProduct {
    pub name: String,
    pub version: crate::model::version::Version,
    pub directory: PathBuf,
    /// File of the tree whose first line is the version.
    #[serde(default = "version_file")]
    pub version_file: String,
    /// How to tell that it works, until a manifest says so: what does not work is not touched.
    #[serde(default)]
    pub health: Option<Health>,
}

/// A product in the one folder where its installer puts it: copied before an installation, put back after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledProduct {
    /// The product's own folder, absolute; everything in it is the product's and comes back with it.
    pub directory: PathBuf,
    /// File of the folder whose first line is the version, until a manifest names another.
    #[serde(default = "version_file")]
    pub version_file: String,
    /// Longest run of its installer, in seconds; the slot may leave less.
    #[serde(default = "hour")]
    pub timeout_seconds: u32,
    /// Pause before an installer is run again that found something in use, in seconds.
    #[serde(default = "minute")]
    pub busy_pause_seconds: u32,
}

fn hour() -> u32 {
    3600
}

/// Where a product's version is looked for until a manifest says otherwise.
pub fn version_file() -> String {
    "VERSION".to_owned()
}

#[derive(Debug, thiserror::Error)]
pub enum AgentFileError {
    #[error(transparent)]
    Toml(#[from] TomlError),
    #[error("{}: {what}", path.display())]
    Value { path: PathBuf, what: String },
}

/// Reads and checks agent.toml.
pub fn load(path: &Path) -> Result<AgentConfig, AgentFileError> {
    parse(path, &toml_errors::read_text(path)?)
}

/// Parses the text of the agent.toml at `path`.
pub fn parse(path: &Path, text: &str) -> Result<AgentConfig, AgentFileError> {
    let mut config: AgentConfig = toml_errors::parse(path, text)?;
    check(&config).map_err(|what| AgentFileError::Value { path: path.to_path_buf(), what })?;
    // Joining below a base needs the slash.
    if !config.server.path().ends_with('/') {
        config.server.set_path(&format!("{}/", config.server.path()));
    }
    Ok(config)
}

fn check(config: &AgentConfig) -> Result<(), String> {
    check_server(&config.server)?;
    if config.poll.min_seconds == 0 || config.poll.min_seconds > config.poll.max_seconds {
        return Err("poll: min_seconds has to be at least 1 and at most max_seconds".to_owned());
    }
    config.line.check()?;
    config.reboot.check()?;
    config.neighbours.as_ref().map_or(Ok(()), NeighboursConfig::check)?;
    if config.offline_grace_minutes > OFFLINE_GRACE_MINUTES_MAX {
        return Err(format!("offline_grace_minutes has to be at most {OFFLINE_GRACE_MINUTES_MAX}"));
    }
    for (name, service) in &config.services {
        match &service.control {
            ServiceControl::Commands { stop, start } if stop.is_empty() || start.is_empty() => {
                return Err(format!("service.{name}: start and stop each need a program"));
            }
            ServiceControl::Unit { unit } if !check_file::is_service(unit) => {
                return Err(format!("service.{name}: {unit:?} is no name of a {}", services::KIND));
            }
            ServiceControl::Commands { .. } | ServiceControl::Unit { .. } => {}
        }
        check_timeout(&format!("service.{name}"), service.timeout_seconds)?;
    }
    match config.backup.as_ref().map(|b| &b.probe) {
        None | Some(BackupProbe::File { .. }) => {}
        Some(BackupProbe::Command { command, .. }) if command.is_empty() => {
            return Err("backup: command needs a program".to_owned());
        }
        Some(BackupProbe::Command { timeout_seconds, .. }) => check_timeout("backup", *timeout_seconds)?,
    }
    if config.in_use.tries_max > 100 || config.in_use.pause_seconds > 3600 {
        return Err("in_use: tries_max has to be at most 100, pause_seconds at most 3600".to_owned());
    }
    check_checks("check", &config.checks)?;
    check_installed(config)?;
    for product in &config.products {
        if !is_product_name(&product.name) {
            return Err(format!("product {:?}: a name is made of a-z, 0-9 and -", product.name));
        }
        if let Some(health) = &product.health {
            check_timeout(&format!("product {:?}: health", product.name), health.timeout_seconds)?;
            check_checks(&format!("product {:?}: health.check", product.name), &health.checks)?;
        }
    }
    Ok(())
}

/// A folder that is put back whole must hold one product and nothing else.
fn check_installed(config: &AgentConfig) -> Result<(), String> {
    for (name, product) in &config.installed {
        let what = format!("installed.{name}");
        if !is_product_name(name) {
            return Err(format!("{what}: a name is made of a-z, 0-9 and -"));
        }
        let directory = &product.directory;
        if !directory.is_absolute() || directory.components().any(|part| part == Component::ParentDir) {
            return Err(format!("{what}: directory has to be an absolute path without .."));
        }
        if directory.parent().is_none_or(|parent| parent.parent().is_none()) {
            return Err(format!("{what}: {} is no product's own folder", directory.display()));
        }
        let others = config.installed.iter().filter(|(other, _)| *other != name).map(|(_, other)| &other.directory);
        let touches = |other: &&PathBuf| other.starts_with(directory) || directory.starts_with(other);
        if let Some(other) = others.chain([&config.state_dir, &config.products_root]).find(touches) {
            let (directory, other) = (directory.display(), other.display());
            return Err(format!("{what}: {directory} and {other} lie in each other; give each a folder of its own"));
        }
        if config.products.iter().any(|product| product.name == *name) {
            return Err(format!("{what}: {name} is under [[product]] too; an installer keeps it, or the agent does"));
        }
        check_timeout(&what, product.timeout_seconds)?;
        if product.busy_pause_seconds > 3600 {
            return Err(format!("{what}: busy_pause_seconds has to be at most 3600"));
        }
    }
    Ok(())
}

fn check_checks(list: &str, checks: &[Check]) -> Result<(), String> {
    match check_file::problems(checks).into_iter().next() {
        None => Ok(()),
        Some((place, what)) => {
            // Places count from 0; the administrator gave names.
            let at = place.split('.').next().and_then(|i| checks.get(i.parse::<usize>().ok()?));
            let name = at.map(|check| format!(" {:?}", check.name)).unwrap_or_default();
            let field = place.split_once('.').map(|(_, field)| format!(": {field}")).unwrap_or_default();
            Err(format!("{list}{name}{field}: {what}"))
        }
    }
}

/// Whether `name` can be a product, and so a folder.
pub fn is_product_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn check_timeout(what: &str, seconds: u32) -> Result<(), String> {
    if (1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        Ok(())
    } else {
        Err(format!("{what}: timeout_seconds has to be between 1 and {TIMEOUT_SECONDS_MAX}"))
    }
}

/// Tokens never cross a network in clear.
fn check_server(server: &Url) -> Result<(), String> {
    let loopback = match server.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err("server: has to be an https URL with a host".to_owned()),
    };
    match server.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(format!("server: {server} has to be https (http only on loopback)")),
    }
}

#[cfg(test)]
#[path = "agent_file_tests.rs"]
mod tests;
