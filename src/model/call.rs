//! A call tells a receiver of the provider's, a ticketing tool, what became of an alert; it waits until it was taken.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A call about to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCall {
    /// What the receiver knows it by, however often it is tried (`webhook-id`).
    pub key: String,
    /// Calls of one alert are made in the order in which they were written.
    pub alert: i64,
    /// What happened: `alert.raised`.
    pub kind: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The JSON that is sent, the same bytes each time; empty once they were taken.
    pub body: String,
}

/// A call that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub id: i64,
    pub new: NewCall,
    /// Since when it is offered: when it was written, or put back into the queue.
    pub offered_at: DateTime<Utc>,
    pub state: CallState,
    /// How often it was tried, as far as that was recorded.
    pub attempts: u32,
    /// What the last attempt met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// To be tried at or after `next_at`.
    Pending {
        next_at: DateTime<Utc>,
    },
    Taken {
        at: DateTime<Utc>,
    },
    /// The receiver takes others and never took this one; stays visible.
    GivenUp {
        at: DateTime<Utc>,
    },
}

impl CallState {
    /// As lists and filters name it.
    pub fn name(&self) -> &'static str {
        match self {
            CallState::Pending { .. } => "pending",
            CallState::Taken { .. } => "taken",
            CallState::GivenUp { .. } => "given_up",
        }
    }
}
