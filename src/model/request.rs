//! A client's express demand for a major version by a latest date (`major-on-request`).

use super::version::Version;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: i64,
    pub client: String,
    pub product: String,
    pub version: Version,
    /// Limits the request to these servers; empty means every server of the client.
    #[serde(default)]
    pub servers: Vec<String>,
    pub received_at: DateTime<Utc>,
    /// Who asked: the contact's address or the token's name.
    pub by: String,
    /// Latest date, site-local, on which the installation may end.
    pub before: NaiveDate,
    pub state: RequestState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestState {
    Accepted,
    /// The client asked again for the same product; request `by` counts.
    Superseded {
        at: DateTime<Utc>,
        by: i64,
    },
    Done {
        at: DateTime<Utc>,
    },
    Cancelled {
        at: DateTime<Utc>,
        by: String,
    },
    Expired {
        at: DateTime<Utc>,
    },
}

/// Only an accepted request can still be cancelled, changed or superseded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("request {id} is {state} and cannot be {what}")]
pub struct NotAccepted {
    id: i64,
    state: &'static str,
    what: &'static str,
}

impl NotAccepted {
    /// `request` cannot become `what`.
    pub fn new(request: &Request, what: &'static str) -> NotAccepted {
        NotAccepted { id: request.id, state: request.state.name(), what }
    }
}

impl Request {
    /// Withdraws an accepted request.
    pub fn cancel(self, at: DateTime<Utc>, by: String) -> Result<Request, NotAccepted> {
        match self.state {
            RequestState::Accepted => Ok(Request { state: RequestState::Cancelled { at, by }, ..self }),
            RequestState::Superseded { .. }
            | RequestState::Done { .. }
            | RequestState::Cancelled { .. }
            | RequestState::Expired { .. } => Err(NotAccepted::new(&self, "cancelled")),
        }
    }

    /// Gives way to a later request of the same client for the same product.
    pub fn supersede(self, at: DateTime<Utc>, by: i64) -> Result<Request, NotAccepted> {
        match self.state {
            RequestState::Accepted => Ok(Request { state: RequestState::Superseded { at, by }, ..self }),
            RequestState::Superseded { .. }
            | RequestState::Done { .. }
            | RequestState::Cancelled { .. }
            | RequestState::Expired { .. } => Err(NotAccepted::new(&self, "superseded")),
        }
    }
}

impl RequestState {
    pub fn name(&self) -> &'static str {
        match self {
            RequestState::Accepted => "accepted",
            RequestState::Superseded { .. } => "superseded",
            RequestState::Done { .. } => "done",
            RequestState::Cancelled { .. } => "cancelled",
            RequestState::Expired { .. } => "expired",
        }
    }
}
