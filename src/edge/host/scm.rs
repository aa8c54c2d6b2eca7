//! The service control manager of Windows: how a service is, its stop and its start, each waited for within a time-out.
//!
//! Stopping what is stopped and starting what runs is done already. A service that is on its way is waited for before it
//! is told anything, because it would refuse. Services that depend on another are not stopped with it: they are somebody
//! else's, and the refusal says so.
//!
//! Sources: Microsoft Learn, "Service State Transitions", `ControlService`, `StartServiceW`.

use std::io;
use std::time::Duration;
use tokio::time::Instant;
use windows_service::service::{Service, ServiceAccess, ServiceExitCode, ServiceStatus};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

pub use windows_service::service::ServiceState;

/// Between two looks at a service that is on its way.
const PAUSE: Duration = Duration::from_millis(200);

/// System error codes that mean something here (winerror.h).
const ACCESS_DENIED: i32 = 5;
const DEPENDENT_SERVICES_RUNNING: i32 = 1051;
const ALREADY_RUNNING: i32 = 1056;
const DOES_NOT_EXIST: i32 = 1060;
const CANNOT_ACCEPT_NOW: i32 = 1061;
const NOT_ACTIVE: i32 = 1062;
const MARKED_FOR_DELETE: i32 = 1072;

#[derive(Debug, thiserror::Error)]
pub enum ScmError {
    #[error("there is no service {0}")]
    NotThere(String),
    #[error("Windows lets only an administrator do this; run it as one")]
    Denied,
    #[error("other services that run depend on {0}; stop them first, or name them too")]
    NeededByOthers(String),
    #[error("{name} was still {state} after {seconds} s")]
    TimedOut { name: String, state: &'static str, seconds: u64 },
    #[error("{name} stopped right after it was started ({end})")]
    Ended { name: String, end: String },
    #[error("{0} is being removed; close what shows the machine's services, or restart it")]
    Leaving(String),
    #[error("Windows cannot {doing} {name}: {source}")]
    System { doing: &'static str, name: String, source: io::Error },
}

/// What to make of an error of `doing` something with `name`.
pub fn judge(doing: &'static str, name: &str) -> impl Fn(windows_service::Error) -> ScmError {
    move |error| {
        let source = match error {
            windows_service::Error::Winapi(source) => source,
            other => io::Error::other(other),
        };
        match source.raw_os_error() {
            Some(ACCESS_DENIED) => ScmError::Denied,
            Some(DOES_NOT_EXIST) => ScmError::NotThere(name.to_owned()),
            Some(MARKED_FOR_DELETE) => ScmError::Leaving(name.to_owned()),
            Some(DEPENDENT_SERVICES_RUNNING) => ScmError::NeededByOthers(name.to_owned()),
            _ => ScmError::System { doing, name: name.to_owned(), source },
        }
    }
}

/// The manager of this machine.
pub fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, ScmError> {
    ServiceManager::local_computer(None::<&str>, access).map_err(judge("reach the manager of", "services"))
}

/// The service `name`, when there is one.
pub fn open(name: &str, access: ServiceAccess) -> Result<Option<Service>, ScmError> {
    match manager(ServiceManagerAccess::CONNECT)?.open_service(name, access).map_err(judge("open", name)) {
        Ok(service) => Ok(Some(service)),
        Err(ScmError::NotThere(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn there(name: &str, access: ServiceAccess) -> Result<Service, ScmError> {
    open(name, access)?.ok_or_else(|| ScmError::NotThere(name.to_owned()))
}

/// How the service is; `None` when there is none of this name.
pub fn state(name: &str) -> Result<Option<ServiceState>, ScmError> {
    let Some(service) = open(name, ServiceAccess::QUERY_STATUS)? else { return Ok(None) };
    Ok(Some(service.query_status().map_err(judge("ask", name))?.current_state))
}

/// The state in a word that is the same on every machine.
pub fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Stopped => "stopped",
        ServiceState::StartPending => "starting",
        ServiceState::StopPending => "stopping",
        ServiceState::Running => "running",
        ServiceState::ContinuePending => "continuing",
        ServiceState::PausePending => "pausing",
        ServiceState::Paused => "paused",
    }
}

/// Stops a service and waits until it has.
pub async fn stop(name: &str, timeout: Duration) -> Result<(), ScmError> {
    let service = there(name, ServiceAccess::QUERY_STATUS | ServiceAccess::STOP)?;
    let until = Instant::now() + timeout;
    loop {
        let status = service.query_status().map_err(judge("ask", name))?;
        match status.current_state {
            ServiceState::Stopped => return Ok(()),
            ServiceState::StopPending => {}
            ServiceState::Running
            | ServiceState::Paused
            | ServiceState::StartPending
            | ServiceState::ContinuePending
            | ServiceState::PausePending => match told(service.stop().map(drop), &[CANNOT_ACCEPT_NOW, NOT_ACTIVE]) {
                Ok(()) => {}
                Err(error) => return Err(judge("stop", name)(error)),
            },
        }
        pause(name, &status, until, timeout).await?;
    }
}

/// Starts a service and waits until it runs.
pub async fn start(name: &str, timeout: Duration) -> Result<(), ScmError> {
    let service = there(name, ServiceAccess::QUERY_STATUS | ServiceAccess::START)?;
    let until = Instant::now() + timeout;
    let mut was_told = false;
    loop {
        let status = service.query_status().map_err(judge("ask", name))?;
        match status.current_state {
            ServiceState::Running => return Ok(()),
            ServiceState::Stopped if was_told => {
                return Err(ScmError::Ended { name: name.to_owned(), end: end(status.exit_code) });
            }
            ServiceState::Stopped => {
                told(service.start::<&str>(&[]), &[ALREADY_RUNNING]).map_err(judge("start", name))?;
                was_told = true;
                continue;
            }
            ServiceState::Paused => {
                return Err(ScmError::TimedOut {
                    name: name.to_owned(),
                    state: word(ServiceState::Paused),
                    seconds: 0,
                });
            }
            ServiceState::StartPending
            | ServiceState::StopPending
            | ServiceState::ContinuePending
            | ServiceState::PausePending => {}
        }
        pause(name, &status, until, timeout).await?;
    }
}

/// Errors that a second look settles are none.
fn told(done: windows_service::Result<()>, settled: &[i32]) -> windows_service::Result<()> {
    match done {
        Err(windows_service::Error::Winapi(error))
            if error.raw_os_error().is_some_and(|code| settled.contains(&code)) =>
        {
            Ok(())
        }
        done => done,
    }
}

async fn pause(name: &str, status: &ServiceStatus, until: Instant, timeout: Duration) -> Result<(), ScmError> {
    if Instant::now() >= until {
        let (name, state) = (name.to_owned(), word(status.current_state));
        return Err(ScmError::TimedOut { name, state, seconds: timeout.as_secs() });
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

fn end(code: ServiceExitCode) -> String {
    match code {
        ServiceExitCode::Win32(code) => format!("error {code}"),
        ServiceExitCode::ServiceSpecific(code) => format!("its own code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_service_that_is_not_there_is_said_to_be_none() {
        assert_eq!(state("noctule-nowhere").unwrap(), None);
        for done in [start("noctule-nowhere", SOON).await, stop("noctule-nowhere", SOON).await] {
            assert_eq!(done.unwrap_err().to_string(), "there is no service noctule-nowhere");
        }
    }

    #[tokio::test]
    async fn what_runs_is_started_already() {
        // Every Windows has it, and runs it always.
        assert_eq!(state("RpcSs").unwrap(), Some(ServiceState::Running));
        start("RpcSs", SOON).await.unwrap();
    }
}
