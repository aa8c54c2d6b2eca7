//! Concertation (6.1.2): the client's IT contact is asked whether a slot suits, and to inform the users.
//!
//! It is about one slot: when that changes, the contact is asked anew, and earlier answers count no longer.

use super::notice::Consent;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was asked about an installation that people have to know of, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concertation {
    /// Grows with each change of the slot; also numbers the versions of the calendar's entry.
    pub version: u32,
    /// When this slot was put to the contact.
    pub asked_at: DateTime<Utc>,
    /// Who agreed to the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Consent>,
    /// Who confirmed that the users are informed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub informed: Option<Consent>,
}

impl Concertation {
    /// The first question, or the next after `before`, asked at `now`.
    pub fn after(before: Option<&Concertation>, now: DateTime<Utc>) -> Concertation {
        let version = before.map_or(0, |before| before.version.saturating_add(1));
        Concertation { version, asked_at: now, agreed: None, informed: None }
    }
}
