//! The agent's side of its service: what Windows tells it, and what it tells Windows, from start to stop.
//!
//! Windows gives a service a thread of its own and no argument of ours, so that what is to run waits in a place that both
//! know. Nothing is told once it has ended. Sources: Microsoft Learn, "Service State Transitions",
//! "Service ServiceMain Function".

use super::settle;
use crate::edge::host::agent_service::{AgentServiceError, NAME, START_TIMEOUT};
use crate::edge::host::scm::{self, judge};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use windows_service::service::{
    ServiceAccess, ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

/// How often Windows hears that stopping goes on, and when it may expect the next word.
const STOPPING_PAUSE: Duration = Duration::from_secs(10);
const STOPPING_HINT: Duration = Duration::from_secs(60);
/// Nobody started this process as a service (`ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`).
const NOT_A_SERVICE: i32 = 1063;

/// What runs as the service. It says why it ended, if that was no request.
pub type Body = Box<dyn FnOnce(Session) -> Result<(), String> + Send>;

/// The body that Windows' own thread comes to fetch.
static BODY: Mutex<Option<Body>> = Mutex::new(None);

/// One life of the service.
#[derive(Clone)]
pub struct Session {
    handle: ServiceStatusHandle,
    stop: Arc<Notify>,
    has_ended: Arc<Mutex<bool>>,
}

impl Session {
    /// Runs `body` as the service that Windows started this process for; returns when it has ended.
    pub fn run(body: Body) -> Result<(), AgentServiceError> {
        *BODY.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        service_dispatcher::start(NAME, service_main).map_err(|error| match error {
            windows_service::Error::Winapi(error) if error.raw_os_error() == Some(NOT_A_SERVICE) => {
                AgentServiceError::NotAService
            }
            error => AgentServiceError::Scm(judge("run", NAME)(error)),
        })
    }

    /// It polls from now on.
    pub fn ready(&self) -> Result<(), AgentServiceError> {
        self.tell(ServiceState::Running, ServiceExitCode::NO_ERROR, 0)?;
        // Whoever registered it, a package for instance, need not know of these; while it starts, Windows may not take them.
        match scm::open(NAME, ServiceAccess::CHANGE_CONFIG | ServiceAccess::START) {
            Ok(Some(service)) => settle(&service),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot look after the service's settings"),
        }
        Ok(())
    }

    /// Resolves when Windows wants it to stop; from then on Windows hears that stopping goes on.
    pub async fn asked_to_stop(&self) {
        self.stop.notified().await;
        let session = self.clone();
        tokio::spawn(async move {
            for checkpoint in 1.. {
                if session.tell(ServiceState::StopPending, ServiceExitCode::NO_ERROR, checkpoint).is_err() {
                    return;
                }
                tokio::time::sleep(STOPPING_PAUSE).await;
            }
        });
    }

    fn tell(&self, state: ServiceState, exit_code: ServiceExitCode, checkpoint: u32) -> Result<(), AgentServiceError> {
        let mut has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *has_ended {
            return Ok(());
        }
        *has_ended = state == ServiceState::Stopped;
        let is_running = state == ServiceState::Running;
        let accepted = ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN;
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: if is_running { accepted } else { ServiceControlAccept::empty() },
            exit_code,
            checkpoint,
            wait_hint: match state {
                ServiceState::StartPending => START_TIMEOUT,
                ServiceState::StopPending => STOPPING_HINT,
                _ => Duration::ZERO,
            },
            process_id: None,
        };
        self.handle.set_service_status(status).map_err(|error| AgentServiceError::Scm(judge("tell of", NAME)(error)))
    }
}

define_windows_service!(service_main, serve);

fn serve(_: Vec<OsString>) {
    let Some(body) = BODY.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let stop = Arc::new(Notify::new());
    let heard = Arc::clone(&stop);
    let registered = service_control_handler::register(NAME, move |control| match control {
        ServiceControl::Stop | ServiceControl::Preshutdown => {
            heard.notify_one();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    });
    let session = match registered {
        Ok(handle) => Session { handle, stop, has_ended: Arc::default() },
        Err(error) => return tracing::error!(%error, "Windows does not take this as a service"),
    };
    let say = |state, code, checkpoint| {
        if let Err(error) = session.tell(state, code, checkpoint) {
            tracing::error!(%error, "cannot tell Windows how the service is");
        }
    };
    say(ServiceState::StartPending, ServiceExitCode::NO_ERROR, 1);
    match body(session.clone()) {
        Ok(()) => say(ServiceState::Stopped, ServiceExitCode::NO_ERROR, 0),
        Err(why) => {
            tracing::error!(why, "the agent ended");
            say(ServiceState::Stopped, ServiceExitCode::ServiceSpecific(1), 0);
        }
    }
}
