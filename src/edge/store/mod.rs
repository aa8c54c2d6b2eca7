//! The store: SQLite or PostgreSQL behind one code path.
//!
//! Everything that changes goes through [`Store::commit`], or [`Store::commit_batch`] for many jobs at once: the rows,
//! events and notices of a job in one transaction. Rows carry a revision; a row that somebody else changed since it was read makes the whole commit a
//! [`StoreError::Conflict`], and the job's next activation is the retry.

mod bulk;
mod calls;
mod chain;
mod commit;
mod erase;
mod error;
mod history;
mod ids;
mod keys;
mod migrations;
mod open;
mod outbox;
mod personal;
mod planning;
mod prepare;
mod read;
mod record;
mod review;
mod rows;
mod servers;
mod sharing;
mod verify;

pub use calls::Queue;
pub use erase::{Erasable, Erased, NotErasable};
pub use error::StoreError;
pub use history::{Cursor, Names, NoCursor, Search, Word};
pub use open::Limits;
pub use planning::{AttemptEnd, InstallTime, Outcomes, Tally};
pub use review::Outbox;
pub use verify::ChainBreak;

use crate::model::agreement::Agreement;
use crate::model::alert::Alert;
use crate::model::call::{Call, NewCall};
use crate::model::deployment::Deployment;
use crate::model::event::NewEvent;
use crate::model::feed::Feed;
use crate::model::fleet::Client;
use crate::model::hold::{Hold, Resumption};
use crate::model::notice::{NewNotice, Notice};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::standing::Standing;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A value and the revision it was read at.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    pub rev: i64,
    pub value: T,
}

impl<T> std::ops::Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Stored<T> {
    /// The same row with another value, to be written back.
    pub fn with<U>(&self, value: U) -> Stored<U> {
        Stored { rev: self.rev, value }
    }

    /// A row that is not in the store yet.
    pub fn new(value: T) -> Stored<T> {
        Stored { rev: 0, value }
    }
}

/// A row to write, one variant for each noun that is kept: inserted when its revision is 0, else updated if the
/// revision still stands.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // short-lived, and a box would hide what it holds
pub enum Row {
    Client(Stored<Client>),
    /// Removes a client and its servers from the fleet; history stays.
    RemoveClient(Stored<Client>),
    /// Server id and what its agent reported.
    State(Stored<(String, ServerState)>),
    Release(Stored<Release>),
    Deployment(Stored<Deployment>),
    Request(Stored<Request>),
    Agreement(Stored<Agreement>),
    Hold(Stored<Hold>),
    Resumption(Stored<Resumption>),
    Alert(Stored<Alert>),
    Notice(Stored<Notice>),
    /// A call about to be written, which gets its place after those before it; one whose key is there is left as it is.
    NewCall(NewCall),
    Call(Stored<Call>),
    Feed(Stored<Feed>),
    /// A file of a publisher's mirrored TUF repository; always overwritten.
    FeedFile(FeedFile),
    Token(Stored<Token>),
    /// A one-time enrolment code.
    Enrolment(Stored<Enrolment>),
    /// The last decisions of one server, for `held` and `late` transitions.
    Standing(Stored<Standing>),
}

/// What one job wants written, together or not at all.
#[derive(Clone, Debug, Default)]
#[must_use = "changes do nothing until they are committed"]
pub struct Changes {
    pub rows: Vec<Row>,
    pub events: Vec<NewEvent>,
    pub notices: Vec<NewNotice>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.events.is_empty() && self.notices.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedFile {
    pub publisher: String,
    /// `metadata/1.root.json`, `targets/<sha256>.isacompta-14.20.003.json`, …
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A bearer of rights. Only the hash of the secret is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// sha256 of the secret, lower-case hex.
    pub hash: String,
    pub name: String,
    pub scope: Scope,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    Staff,
    /// A client's IT contact: sees and asks only for this client.
    Client {
        client: String,
    },
    /// One server's agent.
    Target {
        server: String,
    },
    /// One client's gateway: may act for that client's servers.
    Gateway {
        client: String,
    },
    /// Whoever knows the address of a calendar: planned work of one client, or of all.
    Calendar {
        client: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    pub hash: String,
    pub server: String,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Which ids to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    Deployment,
    Request,
    Agreement,
    Hold,
    Resumption,
    Alert,
    /// For a letter that is written as a row, so that a second one of its key is a conflict.
    Notice,
}

/// Which deployments to list; every field that is set narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    /// State names; empty means all.
    pub states: Vec<String>,
    /// On the slot's start.
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub action: Option<i64>,
    pub search: Option<Search>,
    /// Only what comes before this place: the page before ended there.
    pub after: Option<Cursor>,
    pub limit: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    pub deployment: Option<i64>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub limit: Option<u64>,
}

type Result<T> = std::result::Result<T, StoreError>;

/// A handle to the database. Cloning shares the connections.
#[derive(Clone)]
pub struct Store {
    db: sea_orm::DatabaseConnection,
    /// One connection. SQLite has one writer at a time: here they queue for it, which is fair; its own waiting is polling,
    /// which is not. On PostgreSQL it is for batches.
    writer: sea_orm::DatabaseConnection,
}
