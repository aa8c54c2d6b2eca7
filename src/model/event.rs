//! One line of history: append-only, chained by hash per client.

use super::decision::Reasons;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The chain of events that belong to no client (feeds, the fleet as a whole).
pub const PROVIDER: &str = "provider";

/// An event about to be written; the store gives it its place in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    pub at: DateTime<Utc>,
    /// The client whose chain it belongs to, or [`PROVIDER`].
    pub client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<i64>,
    pub kind: EventKind,
    /// One sentence, English.
    pub text: String,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub reasons: Reasons,
    /// What people are called, and what they wrote, in what is said here. Words, not parts of them; the store keeps them
    /// apart, so that they can be erased without the event. It finds e-mail addresses by itself.
    #[serde(skip)]
    pub personal: Vec<String>,
    /// The digests of what is kept apart, once it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The digests of what this event erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    ReleasePublished,
    ReleaseRetracted,
    FeedRefused,
    FeedUnreachable,
    FeedRecovered,
    FleetChanged,
    Enrolled,
    InventoryChanged,
    BackupReported,
    Planned,
    Moved,
    Cancelled,
    Started,
    Progress,
    Installed,
    RolledBack,
    Refused,
    Failed,
    Held,
    Late,
    Released,
    RequestAccepted,
    RequestRefused,
    RequestCancelled,
    RequestDone,
    RequestExpired,
    RequestSuperseded,
    Agreed,
    UsersInformed,
    ConcertationReminder,
    HoldPlaced,
    HoldLifted,
    ReleaseHalted,
    ReleaseResumed,
    LegalReminder,
    CheckFailed,
    AlertRaised,
    AlertAcknowledged,
    AlertEscalated,
    AlertResolved,
    NoticeSent,
    NoticeUndelivered,
    NoticeAgain,
    PersonErased,
}

/// An event as stored: `hash = sha256(previous hash ‖ canonical JSON of the body)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the client's chain, from 1.
    pub seq: i64,
    /// Lower-case hex; of the event before, or 64 zeros.
    pub prev: String,
    pub hash: String,
    #[serde(flatten)]
    pub body: NewEvent,
}

impl NewEvent {
    /// An event of `client` that happened at `at`; the builder methods add what it is about.
    pub fn new(at: DateTime<Utc>, client: &str, kind: EventKind, text: impl Into<String>) -> NewEvent {
        NewEvent {
            at,
            client: client.to_owned(),
            server: None,
            product: None,
            deployment: None,
            request: None,
            kind,
            text: text.into(),
            reasons: Reasons::default(),
            personal: Vec::new(),
            mentions: Vec::new(),
            erased: Vec::new(),
        }
    }

    pub fn server(mut self, server: &str) -> NewEvent {
        self.server = Some(server.to_owned());
        self
    }

    pub fn product(mut self, product: &str) -> NewEvent {
        self.product = Some(product.to_owned());
        self
    }

    pub fn request(mut self, id: i64) -> NewEvent {
        self.request = Some(id);
        self
    }

    /// These of its words are what people are called, or what they wrote.
    pub fn personal<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> NewEvent {
        self.personal.extend(words.into_iter().map(Into::into));
        self
    }

    pub fn reasons(mut self, reasons: Reasons) -> NewEvent {
        self.reasons = reasons;
        self
    }

    /// About `deployment`: its server, product, id and request.
    pub fn about(mut self, deployment: &super::deployment::Deployment) -> NewEvent {
        self.server = Some(deployment.server.clone());
        self.product = Some(deployment.product.clone());
        self.deployment = Some(deployment.id);
        self.request = deployment.request;
        self
    }
}
