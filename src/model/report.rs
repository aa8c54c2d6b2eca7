//! What an agent says of its server: inventory, backup, capabilities.

use super::version::Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The last known state of one server. What a machine says it runs is the truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerState {
    /// Product → version found installed.
    #[serde(default)]
    pub inventory: BTreeMap<String, Version>,
    #[serde(default)]
    pub backup: Option<Backup>,
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// When the agent last reported its attributes.
    #[serde(default)]
    pub reported_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub finished_at: DateTime<Utc>,
    pub succeeded: bool,
}
