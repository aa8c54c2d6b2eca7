//! A hold: staff stop installations on a server, for a client, or of a release, until a date or until they lift it.
//! A resumption lets a release go on after it halted.

use super::release::ReleaseId;
use super::version::Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub id: i64,
    pub on: HoldOn,
    /// When it ends by itself; `None` lasts until somebody lifts it.
    pub until: Option<DateTime<Utc>>,
    pub reason: String,
    /// Who of the staff.
    pub by: String,
    pub at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum HoldOn {
    Server { client: String, server: String },
    Client { client: String },
    Release { product: String, version: Version },
}

/// The end of a hold before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    pub at: DateTime<Utc>,
    pub by: String,
}

/// Staff let a release go on: failures that ended before it no longer count against its failure budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    pub id: i64,
    #[serde(flatten)]
    pub release: ReleaseId,
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

/// Only a hold that still holds can be lifted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("hold {0} is over already")]
pub struct NotHeld(i64);

impl Hold {
    /// Whether it holds at `now`: from when it was placed to its end.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.lifted.is_none() && self.at <= now && self.until.is_none_or(|until| now < until)
    }

    /// Ends it at `at`.
    pub fn lift(self, at: DateTime<Utc>, by: String) -> Result<Hold, NotHeld> {
        if !self.is_active(at) {
            return Err(NotHeld(self.id));
        }
        Ok(Hold { lifted: Some(Lifted { at, by }), ..self })
    }
}

impl std::fmt::Display for HoldOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HoldOn::Server { server, .. } => write!(f, "server {server}"),
            HoldOn::Client { client } => write!(f, "client {client}"),
            HoldOn::Release { product, version } => write!(f, "release {product} {version}"),
        }
    }
}
