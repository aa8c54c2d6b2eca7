//! The agent as a service of Windows, under the machine's own account, which installers need.
//!
//! It starts after the services that start at once, a moment later: a product's come first. What goes wrong with it is
//! answered by the system: a minute later it is started again. Sources: Microsoft Learn, "Service Control Manager",
//! `SERVICE_STATUS`, `SERVICE_FAILURE_ACTIONS`.

mod session;

pub use session::Session;

use super::{AgentServiceError, Change, Definition, NAME, START_TIMEOUT, STOP_TIMEOUT, State, Status};
use crate::edge::host::scm::{self, ScmError, judge};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceStatus,
    ServiceType,
};
use windows_service::service_manager::ServiceManagerAccess;

const DISPLAY_NAME: &str = "Noctule agent";
const DESCRIPTION: &str = "Keeps this server's software up to date, at night, under the contract with its provider.";
/// Where its log is.
const LOG: &str = r"the folder logs beside agent.toml";
/// Between a failure and the next start.
const RESTART_PAUSE: Duration = Duration::from_secs(60);
/// How long without a failure until failures are counted anew.
const FAILURES_RESET: Duration = Duration::from_secs(24 * 3600);
/// How long the machine waits, when it shuts down, for a pass under way.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The folder of the agent's configuration.
pub fn config_folder() -> PathBuf {
    let data = std::env::var_os("ProgramData").map_or_else(|| PathBuf::from(r"C:\ProgramData"), PathBuf::from);
    data.join("Noctule")
}

/// The service, as its manager knows it.
#[derive(Clone, Debug)]
pub struct AgentService;

impl AgentService {
    /// The service of this machine.
    pub fn of_machine() -> AgentService {
        AgentService
    }

    /// Has Windows run the agent at each start of the machine.
    ///
    /// # Errors
    /// When Windows does not let this user, or the service is just being removed.
    pub async fn install(&self, definition: &Definition) -> Result<Change, AgentServiceError> {
        definition.check()?;
        let info = info(definition);
        let access = ServiceAccess::QUERY_CONFIG | ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
        let service = match scm::open(NAME, access)? {
            Some(service) => {
                let had = service.query_config().map_err(judge("ask", NAME))?;
                let same =
                    had.start_type == info.start_type && is_command(&had.executable_path.to_string_lossy(), definition);
                if same {
                    return Ok(Change::Nothing);
                }
                service.change_config(&info).map_err(judge("change", NAME))?;
                service
            }
            None => {
                let manager = scm::manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
                manager.create_service(&info, access).map_err(judge("create", NAME))?
            }
        };
        settle(&service);
        Ok(Change::Done)
    }

    /// Stops it and has Windows forget it.
    pub async fn uninstall(&self) -> Result<Change, AgentServiceError> {
        let Some(service) = scm::open(NAME, ServiceAccess::DELETE | ServiceAccess::QUERY_STATUS)? else {
            return Ok(Change::Nothing);
        };
        scm::stop(NAME, STOP_TIMEOUT).await?;
        service.delete().map_err(judge("remove", NAME))?;
        Ok(Change::Done)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Result<Change, AgentServiceError> {
        match self.status().await?.state {
            State::NotInstalled => Err(AgentServiceError::NotInstalled),
            State::Running => Ok(Change::Nothing),
            State::Stopped | State::Starting | State::Stopping | State::Failed => {
                match scm::start(NAME, START_TIMEOUT).await {
                    Ok(()) => Ok(Change::Done),
                    Err(ScmError::Ended { .. }) => Err(AgentServiceError::DoesNotStay(LOG)),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Stops it and waits until it has.
    pub async fn stop(&self) -> Result<Change, AgentServiceError> {
        match self.status().await?.state {
            State::NotInstalled => Err(AgentServiceError::NotInstalled),
            State::Stopped | State::Failed => Ok(Change::Nothing),
            State::Starting | State::Running | State::Stopping => {
                scm::stop(NAME, STOP_TIMEOUT).await?;
                Ok(Change::Done)
            }
        }
    }

    /// How it is.
    pub async fn status(&self) -> Result<Status, AgentServiceError> {
        let access = ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG;
        let Some(service) = scm::open(NAME, access)? else {
            return Ok(Status { service: NAME, state: State::NotInstalled, starts_with_machine: false, command: None });
        };
        let status = service.query_status().map_err(judge("ask", NAME))?;
        let config = service.query_config().map_err(judge("ask", NAME))?;
        Ok(Status {
            service: NAME,
            state: state_of(&status),
            starts_with_machine: config.start_type == ServiceStartType::AutoStart,
            command: Some(config.executable_path.display().to_string()),
        })
    }
}

fn info(definition: &Definition) -> ServiceInfo {
    ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: definition.program.clone(),
        launch_arguments: arguments(definition),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    }
}

fn arguments(definition: &Definition) -> Vec<OsString> {
    let words = ["agent", "--service", "--config"].map(OsString::from);
    words.into_iter().chain([definition.config.clone().into_os_string()]).collect()
}

/// Whether a command line, quoted by whoever wrote it, is the one that runs `definition`.
fn is_command(line: &str, definition: &Definition) -> bool {
    let bare = |text: &str| text.replace('"', "");
    let words = arguments(definition);
    let wanted = words
        .iter()
        .fold(definition.program.display().to_string(), |line, word| format!("{line} {}", word.to_string_lossy()));
    bare(line) == bare(&wanted)
}

/// What makes it a better service; without it, it is one all the same.
fn settle(service: &Service) {
    let restart = ServiceAction { action_type: ServiceActionType::Restart, delay: RESTART_PAUSE };
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FAILURES_RESET),
        reboot_msg: None,
        command: None,
        actions: Some(vec![restart; 3]),
    };
    let done = [
        ("description", service.set_description(DESCRIPTION)),
        ("delayed start", service.set_delayed_auto_start(true)),
        ("restart after a failure", service.update_failure_actions(actions)),
        ("restart after an error", service.set_failure_actions_on_non_crash_failures(true)),
        ("patience at shutdown", service.set_preshutdown_timeout(SHUTDOWN_PATIENCE)),
    ];
    for (what, done) in done {
        if let Err(error) = done {
            tracing::warn!(what, %error, "this Windows does not take a setting of the service");
        }
    }
}

fn state_of(status: &ServiceStatus) -> State {
    match status.current_state {
        // That it never ran counts for no failure (ERROR_SERVICE_NEVER_STARTED).
        ServiceState::Stopped => match status.exit_code {
            ServiceExitCode::Win32(0 | 1077) => State::Stopped,
            ServiceExitCode::Win32(_) | ServiceExitCode::ServiceSpecific(_) => State::Failed,
        },
        ServiceState::StartPending | ServiceState::ContinuePending => State::Starting,
        ServiceState::StopPending => State::Stopping,
        ServiceState::Running | ServiceState::PausePending | ServiceState::Paused => State::Running,
    }
}
