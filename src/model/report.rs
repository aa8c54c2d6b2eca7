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

impl Backup {
    /// The history's line about it, which [`Backup::read`] understands again.
    pub fn line(&self) -> String {
        let how = if self.succeeded { "succeeded" } else { "failed" };
        format!("the backup that ended {} {how}", self.finished_at.format("%Y-%m-%dT%H:%M:%SZ"))
    }

    /// The backup that a line of the history is about, to the second.
    pub fn read(line: &str) -> Option<Backup> {
        let (at, how) = line.strip_prefix("the backup that ended ")?.split_once(' ')?;
        let succeeded = match how {
            "succeeded" => true,
            "failed" => false,
            _ => return None,
        };
        Some(Backup { finished_at: at.parse().ok()?, succeeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_about_a_backup_is_understood_again() {
        for succeeded in [true, false] {
            let backup = Backup { finished_at: "2026-04-29T20:00:00Z".parse().unwrap(), succeeded };
            assert_eq!(Backup::read(&backup.line()), Some(backup));
        }
        for line in ["", "the backup that ended yesterday succeeded", "the backup that ended 2026-04-29T20:00:00Z well"]
        {
            assert_eq!(Backup::read(line), None, "{line}");
        }
    }
}
