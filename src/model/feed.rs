//! How a publisher's feed is doing: what is wrong with what it says, and for how long it has not been had at all.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
