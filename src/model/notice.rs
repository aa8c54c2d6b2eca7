//! A notice informs a client; it waits in the outbox until the mail server has it.

use super::alert::AlertClass;
use super::check::Unfit;
use super::manifest::{Manifest, Text};
use super::slot::Slot;
use super::version::Version;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A letter about to be written: what it says, not yet how.
///
/// `key` makes it unique: the same key is never sent twice, and the Message-ID comes from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewNotice {
    pub key: String,
    pub at: DateTime<Utc>,
    /// `None` for a letter to staff alone.
    pub client: Option<String>,
    pub server: Option<String>,
    pub deployment: Option<i64>,
    pub letter: Letter,
}

/// Every letter that exists, with the facts it is written from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    MinorPlanned(Installation),
    MinorInstalled(Installation),
    MinorFailed {
        installation: Installation,
        why: String,
    },
    ManualPlanned(Installation),
    ManualInstalled(Installation),
    ManualFailed {
        installation: Installation,
        why: String,
    },
    MajorAvailable {
        product: String,
        version: Version,
        manifest: Arc<Manifest>,
        earliest: NaiveDate,
    },
    /// A legal date nears and the client has not asked for the version that answers it.
    LegalReminder {
        product: String,
        version: Version,
        manifest: Arc<Manifest>,
        legal_date: NaiveDate,
        /// Latest day on which a request can still be carried out by the legal date; `None` when it has passed.
        request_by: Option<NaiveDate>,
    },
    MajorRequested {
        request: i64,
        by: String,
        before: NaiveDate,
        /// On the first server.
        installation: Installation,
        /// On the other servers that it is about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<Visit>,
        /// Whose agreement makes up for a notice that is too short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreed: Option<Consent>,
        /// Requests that gave way to this one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<i64>,
    },
    MajorRefused {
        product: String,
        version: Version,
        by: String,
        before: NaiveDate,
        earliest: Option<NaiveDate>,
        why: Text,
        /// The request that was to be changed, and stands as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stands: Option<Standing>,
    },
    MajorPlanned(Installation),
    /// The contact was asked about the slot and has not agreed to it yet; it is near.
    ConcertationReminder(Installation),
    MajorInstalled(Installation),
    MajorFailed {
        installation: Installation,
        why: String,
    },
    /// It failed and the old version is not known to run again (annexe 3: the client is told while degraded).
    Degraded {
        installation: Installation,
        why: String,
    },
    /// Nothing was begun: the server was not fit for it.
    NotBegun {
        installation: Installation,
        unfit: Unfit,
        why: String,
    },
    Moved {
        installation: Installation,
        was: Slot,
        why: Text,
    },
    Cancelled {
        installation: Installation,
        why: Text,
    },
    Retracted {
        product: String,
        version: Version,
        reason: String,
        installed_on: Vec<String>,
    },
    RequestCancelled {
        request: i64,
        product: String,
        version: Version,
        by: String,
    },
    /// To whoever keeps it out of the database owner's reach: where every chain of the history ends.
    Checkpoint {
        at: DateTime<Utc>,
        chains: u32,
        /// The checkpoint as it is kept, signed.
        note: String,
    },
    /// To staff: something demands action.
    Alert {
        alert: i64,
        class: AlertClass,
        title: String,
        text: String,
        due: DateTime<Utc>,
        level: u8,
    },
}

impl Letter {
    /// What kind of letter it is, as files, events and logs name it: `minor-planned`.
    pub fn name(&self) -> &'static str {
        match self {
            Letter::MinorPlanned(_) => "minor-planned",
            Letter::MinorInstalled(_) => "minor-installed",
            Letter::MinorFailed { .. } => "minor-failed",
            Letter::ManualPlanned(_) => "manual-planned",
            Letter::ManualInstalled(_) => "manual-installed",
            Letter::ManualFailed { .. } => "manual-failed",
            Letter::MajorAvailable { .. } => "major-available",
            Letter::LegalReminder { .. } => "legal-reminder",
            Letter::MajorRequested { .. } => "major-requested",
            Letter::MajorRefused { .. } => "major-refused",
            Letter::MajorPlanned(_) => "major-planned",
            Letter::ConcertationReminder(_) => "concertation-reminder",
            Letter::MajorInstalled(_) => "major-installed",
            Letter::MajorFailed { .. } => "major-failed",
            Letter::Degraded { .. } => "degraded",
            Letter::NotBegun { .. } => "not-begun",
            Letter::Moved { .. } => "moved",
            Letter::Cancelled { .. } => "cancelled",
            Letter::Retracted { .. } => "retracted",
            Letter::RequestCancelled { .. } => "request-cancelled",
            Letter::Checkpoint { .. } => "checkpoint",
            Letter::Alert { .. } => "alert",
        }
    }
}

impl Letter {
    /// Which version of a slot it asks the client's contact about (6.1.2), if it asks.
    pub fn question(&self) -> Option<u32> {
        match self {
            Letter::ManualPlanned(it)
            | Letter::MajorPlanned(it)
            | Letter::ConcertationReminder(it)
            | Letter::Moved { installation: it, .. } => it.sequence,
            Letter::MinorPlanned(_)
            | Letter::MinorInstalled(_)
            | Letter::MinorFailed { .. }
            | Letter::ManualInstalled(_)
            | Letter::ManualFailed { .. }
            | Letter::MajorAvailable { .. }
            | Letter::LegalReminder { .. }
            | Letter::MajorRequested { .. }
            | Letter::MajorRefused { .. }
            | Letter::MajorInstalled(_)
            | Letter::MajorFailed { .. }
            | Letter::Degraded { .. }
            | Letter::NotBegun { .. }
            | Letter::Cancelled { .. }
            | Letter::Retracted { .. }
            | Letter::RequestCancelled { .. }
            | Letter::Checkpoint { .. }
            | Letter::Alert { .. } => None,
        }
    }

    /// The installation it is about, if it is about one.
    pub fn installation_mut(&mut self) -> Option<&mut Installation> {
        match self {
            Letter::MinorPlanned(it)
            | Letter::MinorInstalled(it)
            | Letter::ManualPlanned(it)
            | Letter::ManualInstalled(it)
            | Letter::MajorPlanned(it)
            | Letter::ConcertationReminder(it)
            | Letter::MajorInstalled(it)
            | Letter::MinorFailed { installation: it, .. }
            | Letter::ManualFailed { installation: it, .. }
            | Letter::MajorRequested { installation: it, .. }
            | Letter::MajorFailed { installation: it, .. }
            | Letter::Degraded { installation: it, .. }
            | Letter::NotBegun { installation: it, .. }
            | Letter::Moved { installation: it, .. }
            | Letter::Cancelled { installation: it, .. } => Some(it),
            Letter::MajorAvailable { .. }
            | Letter::LegalReminder { .. }
            | Letter::MajorRefused { .. }
            | Letter::Retracted { .. }
            | Letter::RequestCancelled { .. }
            | Letter::Checkpoint { .. }
            | Letter::Alert { .. } => None,
        }
    }
}

/// When one more server has its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    pub server: String,
    pub zone: Tz,
    pub from: Option<Version>,
    pub slot: Slot,
}

/// Who agreed, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub by: String,
    pub at: DateTime<Utc>,
}

/// An accepted request that stays in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub request: i64,
    pub before: NaiveDate,
}

/// The facts every letter about one installation shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Installation {
    pub server: String,
    pub zone: chrono_tz::Tz,
    pub product: String,
    pub from: Option<Version>,
    pub to: Version,
    pub slot: Slot,
    pub deadline: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Which version of its calendar entry this is; `None` for what has none: unattended work at night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    pub manifest: Arc<Manifest>,
}

impl Installation {
    /// Whether it was finished after its deadline.
    pub fn is_late(&self) -> bool {
        matches!((self.finished_at, self.deadline), (Some(finished), Some(deadline)) if finished > deadline)
    }
}

/// A notice in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub id: i64,
    pub body: NewNotice,
    pub state: NoticeState,
    /// How often it was tried, as far as that was recorded.
    pub attempts: u32,
    /// The mail it goes in; from the first time that one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mailing>,
}

/// The mail that a notice goes in, alone or with others. Written down before the mail is sent, so that whoever repeats
/// it sends the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailing {
    /// The same for all that go in one mail; its Message-ID comes from it.
    pub key: String,
    /// The mail's date: when it was first begun.
    pub at: DateTime<Utc>,
    /// How often it was begun. More often than it was recorded as tried: it may have arrived already.
    pub begun: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NoticeState {
    /// To be tried at or after `next_at`.
    Pending {
        next_at: DateTime<Utc>,
    },
    /// Not tried before then, unless others take it along: the night is quiet, or brings more.
    Waiting {
        until: DateTime<Utc>,
    },
    Sent {
        at: DateTime<Utc>,
    },
    /// Given up after its attempts (`three-attempts`); stays visible.
    Undelivered {
        at: DateTime<Utc>,
        error: String,
    },
}

impl NoticeState {
    /// As lists and filters name it.
    pub fn name(&self) -> &'static str {
        match self {
            NoticeState::Pending { .. } => "pending",
            NoticeState::Waiting { .. } => "waiting",
            NoticeState::Sent { .. } => "sent",
            NoticeState::Undelivered { .. } => "undelivered",
        }
    }
}
