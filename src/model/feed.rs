//! How a publisher's feed is doing: what is wrong with what it says, and for how long it has not been had at all.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of one publisher's feed; what was verified of it before stays in force whatever this says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    pub publisher: String,
    /// When this was last written: a fetch that brings nothing new writes nothing.
    pub fetched_at: Option<DateTime<Utc>>,
    /// What was refused when it was last read: people have to look.
    #[serde(default)]
    pub refused: Option<String>,
    /// Since when it, or a part of it, cannot be fetched: a line that may come back by itself.
    #[serde(default)]
    pub outage: Option<Outage>,
    /// Until when its metadata is good, as last verified.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signatures: BTreeMap<Role, Signature>,
}

/// A role of TUF's (spec 1.0.34, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp];

    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Targets => "targets",
            Role::Snapshot => "snapshot",
            Role::Timestamp => "timestamp",
        }
    }
}

/// How long one role's metadata is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub expires: DateTime<Utc>,
    /// When it was first seen.
    pub seen_at: DateTime<Utc>,
    /// Whether it took the place of one seen before, so that it was new then.
    pub renewed: bool,
}

/// Fetches that failed in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// The first of them.
    pub since: DateTime<Utc>,
    /// How many, the first included.
    pub fetches: u32,
    /// What the last one said.
    pub why: String,
    /// Whether staff were told.
    pub told: bool,
}

impl Feed {
    /// A feed that was never fetched.
    pub fn of(publisher: &str) -> Feed {
        Feed { publisher: publisher.to_owned(), ..Feed::default() }
    }
}
