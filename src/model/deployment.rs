//! A deployment: one release going to one server, one attempt. Its state only moves by the methods here.

use super::check::Unfit;
use super::concertation::Concertation;
use super::decision::Reasons;
use super::slot::Slot;
use super::transfer::Transfer;
use super::version::{Change, Version};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: i64,
    /// Deployments with the same action install together, by `position`, all or nothing;
    /// it is the id of the group's first deployment and the protocol's action id.
    pub action: i64,
    pub position: u32,
    pub client: String,
    pub server: String,
    pub product: String,
    /// Version on the server when it was planned.
    pub from: Option<Version>,
    pub to: Version,
    pub change: Change,
    pub manual: bool,
    /// Who of the staff attends a manual update; without them it is not handed out (`manual-slots`).
    #[serde(default)]
    pub attended_by: Option<String>,
    pub slot: Slot,
    /// What the client's contact is asked about its slot; `None` for what people need not know of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concertation: Option<Concertation>,
    /// Copied from the release, so that history stands alone.
    pub published_at: DateTime<Utc>,
    pub deadline: Option<DateTime<Utc>>,
    pub request: Option<i64>,
    /// 1 for the first try of this release on this server.
    pub attempt: u32,
    pub reasons: Reasons,
    /// What fetching its package cost, from the agent's closing report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Box<Transfer>>,
    pub state: DeploymentState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeploymentState {
    Planned,
    /// Handed to the agent inside its slot.
    Running {
        started_at: DateTime<Utc>,
    },
    Installed {
        started_at: DateTime<Utc>,
        finished_at: DateTime<Utc>,
        /// What the machine says it runs now; `None` from a client without inventory.
        observed: Option<Version>,
    },
    /// The attempt failed and the old version runs again.
    RolledBack {
        started_at: DateTime<Utc>,
        finished_at: DateTime<Utc>,
        why: String,
    },
    /// The server was found unfit for it before anything was touched. An attempt of this server's, but no failure of the
    /// release's.
    Refused {
        started_at: DateTime<Utc>,
        finished_at: DateTime<Utc>,
        unfit: Unfit,
        why: String,
    },
    /// The attempt failed and the server's state is not known to be good.
    Failed {
        started_at: Option<DateTime<Utc>>,
        finished_at: DateTime<Utc>,
        why: String,
    },
    Cancelled {
        at: DateTime<Utc>,
        why: String,
    },
}

/// A transition that the present state does not allow.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("deployment {id} is {from} and cannot become {to}")]
pub struct BadTransition {
    pub id: i64,
    pub from: &'static str,
    pub to: &'static str,
}

/// What the agent's closing report says of one product.
#[derive(Clone, Debug, PartialEq)]
pub enum Closing {
    Installed { observed: Option<Version> },
    RolledBack { why: String },
    Refused { unfit: Unfit, why: String },
    Failed { why: String },
}

impl DeploymentState {
    pub fn name(&self) -> &'static str {
        match self {
            DeploymentState::Planned => "planned",
            DeploymentState::Running { .. } => "running",
            DeploymentState::Installed { .. } => "installed",
            DeploymentState::RolledBack { .. } => "rolled_back",
            DeploymentState::Refused { .. } => "refused",
            DeploymentState::Failed { .. } => "failed",
            DeploymentState::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether the deployment can still change.
    pub fn is_open(&self) -> bool {
        matches!(self, DeploymentState::Planned | DeploymentState::Running { .. })
    }

    /// Whether it is an attempt that did not end well, for whatever reason.
    pub fn is_missed(&self) -> bool {
        match self {
            DeploymentState::RolledBack { .. } | DeploymentState::Refused { .. } | DeploymentState::Failed { .. } => {
                true
            }
            DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Installed { .. }
            | DeploymentState::Cancelled { .. } => false,
        }
    }

    /// What went wrong, or why it was given up.
    pub fn why(&self) -> Option<&str> {
        match self {
            DeploymentState::RolledBack { why, .. }
            | DeploymentState::Refused { why, .. }
            | DeploymentState::Failed { why, .. }
            | DeploymentState::Cancelled { why, .. } => Some(why),
            DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Installed { .. } => None,
        }
    }

    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        match self {
            DeploymentState::Planned | DeploymentState::Cancelled { .. } => None,
            DeploymentState::Running { started_at }
            | DeploymentState::Installed { started_at, .. }
            | DeploymentState::Refused { started_at, .. }
            | DeploymentState::RolledBack { started_at, .. } => Some(*started_at),
            DeploymentState::Failed { started_at, .. } => *started_at,
        }
    }

    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        match self {
            DeploymentState::Planned | DeploymentState::Running { .. } => None,
            DeploymentState::Installed { finished_at, .. }
            | DeploymentState::RolledBack { finished_at, .. }
            | DeploymentState::Refused { finished_at, .. }
            | DeploymentState::Failed { finished_at, .. } => Some(*finished_at),
            DeploymentState::Cancelled { at, .. } => Some(*at),
        }
    }
}

impl Deployment {
    /// Handed out at `at`; repeating it while running changes nothing.
    pub fn start(self, at: DateTime<Utc>) -> Result<Deployment, BadTransition> {
        match self.state {
            DeploymentState::Planned if self.slot.contains(at) => {
                Ok(Deployment { state: DeploymentState::Running { started_at: at }, ..self })
            }
            DeploymentState::Running { .. } => Ok(self),
            _ => Err(self.refuse("running")),
        }
    }

    /// Begun at `at` by an agent that could not reach the server but had been allowed to, as it reports afterwards.
    pub fn start_alone(self, at: DateTime<Utc>) -> Result<Deployment, BadTransition> {
        match self.state {
            DeploymentState::Planned => Ok(Deployment { state: DeploymentState::Running { started_at: at }, ..self }),
            _ => Err(self.refuse("running")),
        }
    }

    /// The agent's closing report. Only a deployment that was handed out can close.
    pub fn close(self, at: DateTime<Utc>, closing: Closing) -> Result<Deployment, BadTransition> {
        let DeploymentState::Running { started_at } = self.state else {
            return Err(self.refuse("closed"));
        };
        let state = match closing {
            Closing::Installed { observed } => DeploymentState::Installed { started_at, finished_at: at, observed },
            Closing::RolledBack { why } => DeploymentState::RolledBack { started_at, finished_at: at, why },
            Closing::Refused { unfit, why } => DeploymentState::Refused { started_at, finished_at: at, unfit, why },
            Closing::Failed { why } => DeploymentState::Failed { started_at: Some(started_at), finished_at: at, why },
        };
        Ok(Deployment { state, ..self })
    }

    /// Gives up a deployment that has not been handed out.
    pub fn cancel(self, at: DateTime<Utc>, why: String) -> Result<Deployment, BadTransition> {
        match self.state {
            DeploymentState::Planned => Ok(Deployment { state: DeploymentState::Cancelled { at, why }, ..self }),
            _ => Err(self.refuse("cancelled")),
        }
    }

    /// No word from the agent past its time-out.
    pub fn time_out(self, at: DateTime<Utc>, why: String) -> Result<Deployment, BadTransition> {
        match self.state {
            DeploymentState::Running { started_at } => Ok(Deployment {
                state: DeploymentState::Failed { started_at: Some(started_at), finished_at: at, why },
                ..self
            }),
            _ => Err(self.refuse("failed")),
        }
    }

    /// Whether it was installed by its deadline; `None` while open, or without a deadline.
    pub fn on_time(&self) -> Option<bool> {
        match (&self.state, self.deadline) {
            (DeploymentState::Installed { finished_at, .. }, Some(deadline)) => Some(*finished_at <= deadline),
            _ => None,
        }
    }

    fn refuse(&self, to: &'static str) -> BadTransition {
        BadTransition { id: self.id, from: self.state.name(), to }
    }
}
