//! An alert demands action of staff and has an intervention clock (`gti-2h`, `escalation`).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub id: i64,
    /// One open alert per cause: the same cause raised again changes nothing.
    pub cause: String,
    pub class: AlertClass,
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    pub deployment: Option<i64>,
    pub title: String,
    pub text: String,
    pub raised_at: DateTime<Utc>,
    /// When somebody has to have intervened: 2 hours of service time after `raised_at`.
    pub due: DateTime<Utc>,
    pub state: AlertState,
}

/// Which team: applications (iah@) or hardware and systems (noc@).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertClass {
    Applications,
    Systems,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AlertState {
    /// `level` 0 until the clock is missed, then 1 (IAH), 2 (managed services), 3 (director).
    Open { level: u8 },
    Acknowledged {
        at: DateTime<Utc>,
        by: String,
        /// How far it had gone by then.
        #[serde(default)]
        level: u8,
    },
    /// Over: because its reason is gone, or because somebody says so.
    Resolved {
        at: DateTime<Utc>,
        /// What was done, or what changed.
        note: String,
        /// Who says so; nobody where its reason went away by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// How far it had gone by then.
        #[serde(default)]
        level: u8,
        /// Who had taken it up before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_up: Option<TakenUp>,
    },
}

/// Somebody intervened: the clock stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenUp {
    pub at: DateTime<Utc>,
    pub by: String,
}

/// An alert about to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    pub cause: String,
    pub class: AlertClass,
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    pub deployment: Option<i64>,
    pub title: String,
    pub text: String,
}

impl Alert {
    /// Whether it is not resolved.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, AlertState::Resolved { .. })
    }

    /// How far it has gone: 0 until the clock is missed, then 1 (IAH), 2 (managed services), 3 (director).
    pub fn level(&self) -> u8 {
        match self.state {
            AlertState::Open { level }
            | AlertState::Acknowledged { level, .. }
            | AlertState::Resolved { level, .. } => level,
        }
    }

    /// When somebody intervened, and who: whoever took it up, or ended it without that.
    pub fn taken_up(&self) -> Option<(DateTime<Utc>, &str)> {
        match &self.state {
            AlertState::Open { .. } => None,
            AlertState::Acknowledged { at, by, .. } => Some((*at, by)),
            AlertState::Resolved { taken_up: Some(taken_up), .. } => Some((taken_up.at, &taken_up.by)),
            AlertState::Resolved { at, by, .. } => by.as_deref().map(|by| (*at, by)),
        }
    }

    /// How long after it was due somebody intervened: nothing when that was in time; `None` while nobody has.
    pub fn late_by(&self) -> Option<TimeDelta> {
        self.taken_up().map(|(at, _)| (at - self.due).max(TimeDelta::zero()))
    }
}
