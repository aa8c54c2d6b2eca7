//! Services of Windows, by name, through its service control manager ([`scm`]). No program is asked, whose words would
//! be in the language of the machine.

use super::State;
use crate::edge::host::scm::{self, ScmError};
use std::time::Duration;

/// What it is called.
pub const SYSTEM: &str = "Windows";
/// What it calls a service.
pub const KIND: &str = "service";
/// No program is asked; what `agent.toml` names is for the other system.
pub const MANAGER: &str = "";

pub type ManagerError = ScmError;

/// Why `service` is none that Windows could stop and start.
pub async fn objection(_: &str, service: &str, _: Duration) -> Result<Option<String>, ManagerError> {
    Ok(scm::state(service)?.is_none().then(|| "not installed".to_owned()))
}

/// How `service` is.
pub async fn state(_: &str, service: &str, _: Duration) -> Result<State, ManagerError> {
    let state = scm::state(service)?;
    let said = state.map_or("not installed", scm::word).to_owned();
    Ok(State { is_running: state == Some(scm::ServiceState::Running), said })
}

pub async fn stop(_: &str, service: &str, timeout: Duration) -> Result<(), ManagerError> {
    scm::stop(service, timeout).await
}

pub async fn start(_: &str, service: &str, timeout: Duration) -> Result<(), ManagerError> {
    scm::start(service, timeout).await
}
