//! How each noun lies in its table: its id, the columns it is searched by, its JSON body.

use super::{Enrolment, StoreError, Stored, Token};
use crate::model::agreement::Agreement;
use crate::model::alert::{Alert, AlertState};
use crate::model::deployment::Deployment;
use crate::model::feed::Feed;
use crate::model::fleet::Client;
use crate::model::hold::{Hold, Resumption};
use crate::model::notice::{Notice, NoticeState};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::standing::Standing;
use chrono::{DateTime, Utc};
use sea_orm::{QueryResult, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A noun that has a table.
pub(super) trait Record: Serialize + DeserializeOwned + Send + 'static {
    const TABLE: &'static str;
    /// The columns it is searched by, besides its id.
    const COLUMNS: &'static [&'static str] = &[];
    /// Whether its body leaves out what it has in common with others.
    const SHARES: bool = false;

    fn id(&self) -> String;

    /// The values of [`Record::COLUMNS`], in their order.
    fn values(&self) -> Vec<Value> {
        Vec::new()
    }

    /// What only one row may be about while it is open; the same text for all that could be in each other's way.
    fn about(&self) -> Option<String> {
        None
    }
}

/// Numbers as text keys sort like numbers.
pub(super) fn numbered(id: i64) -> String {
    format!("{id:012}")
}

/// An instant as its column: milliseconds, 0 where there is none.
fn millis(at: Option<DateTime<Utc>>) -> Value {
    at.map_or(0, |at| at.timestamp_millis()).into()
}

/// Reads a noun from a row that has `id`, `rev` and `body`.
pub(super) fn stored<T: Record>(row: &QueryResult) -> Result<Stored<T>, StoreError> {
    let body: String = row.try_get("", "body")?;
    stored_as(row, &body)
}

/// Reads a noun from `body`, and the rest from its row.
pub(super) fn stored_as<T: Record>(row: &QueryResult, body: &str) -> Result<Stored<T>, StoreError> {
    let value = serde_json::from_str(body).map_err(|source| StoreError::Corrupt {
        table: T::TABLE,
        id: row.try_get("", "id").unwrap_or_default(),
        source,
    })?;
    Ok(Stored { rev: row.try_get("", "rev")?, value })
}

/// The columns of a noun's table.
pub(super) fn columns(searched: &'static [&'static str]) -> Vec<&'static str> {
    ["id", "rev", "body"].into_iter().chain(searched.iter().copied()).collect()
}

/// The values of [`columns`].
pub(super) fn row(id: String, rev: i64, body: String, searched: Vec<Value>) -> Vec<Value> {
    [id.into(), rev.into(), body.into()].into_iter().chain(searched).collect()
}

impl Record for Client {
    const TABLE: &'static str = "client";
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Record for (String, ServerState) {
    const TABLE: &'static str = "server_state";
    fn id(&self) -> String {
        self.0.clone()
    }
}

impl Record for Release {
    const TABLE: &'static str = "release";
    const COLUMNS: &'static [&'static str] = &["product"];
    fn id(&self) -> String {
        format!("{} {}", self.product(), self.version())
    }
    fn values(&self) -> Vec<Value> {
        vec![self.product().into()]
    }
}

impl Record for Deployment {
    const TABLE: &'static str = "deployment";
    const COLUMNS: &'static [&'static str] =
        &["client", "server", "product", "version", "state", "action", "slot_start", "started_at", "finished_at"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn values(&self) -> Vec<Value> {
        vec![
            self.client.as_str().into(),
            self.server.as_str().into(),
            self.product.as_str().into(),
            self.to.as_str().into(),
            self.state.name().into(),
            self.action.into(),
            self.slot.start.timestamp_millis().into(),
            millis(self.state.started_at()),
            millis(self.state.finished_at()),
        ]
    }
    fn about(&self) -> Option<String> {
        Some(format!("{} {} {}", self.server, self.product, self.to.as_str()))
    }
}

impl Record for Request {
    const TABLE: &'static str = "request";
    const COLUMNS: &'static [&'static str] = &["client", "state"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn values(&self) -> Vec<Value> {
        vec![self.client.as_str().into(), self.state.name().into()]
    }
}

impl Record for Agreement {
    const TABLE: &'static str = "agreement";
    const COLUMNS: &'static [&'static str] = &["client", "slot_end"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn values(&self) -> Vec<Value> {
        vec![self.client.as_str().into(), millis(Some(self.ends_at()))]
    }
}

impl Record for Hold {
    const TABLE: &'static str = "hold";
    const COLUMNS: &'static [&'static str] = &["ends_at"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    /// When it ends by itself or ended; what lasts until somebody lifts it ends last of all.
    fn values(&self) -> Vec<Value> {
        let end = self.lifted.as_ref().map(|lifted| lifted.at).or(self.until);
        vec![end.map_or(i64::MAX, |end| end.timestamp_millis()).into()]
    }
}

impl Record for Resumption {
    const TABLE: &'static str = "resumption";
    fn id(&self) -> String {
        numbered(self.id)
    }
}

impl Record for Alert {
    const TABLE: &'static str = "alert";
    const COLUMNS: &'static [&'static str] = &["cause", "state", "client", "raised_at"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn values(&self) -> Vec<Value> {
        let state = match self.state {
            AlertState::Open { .. } => "open",
            AlertState::Acknowledged { .. } => "acknowledged",
            AlertState::Resolved { .. } => "resolved",
        };
        let client = self.client.as_deref().unwrap_or("");
        vec![self.cause.as_str().into(), state.into(), client.into(), millis(Some(self.raised_at))]
    }
    fn about(&self) -> Option<String> {
        Some(self.cause.clone())
    }
}

impl Record for Notice {
    const TABLE: &'static str = "notice";
    const COLUMNS: &'static [&'static str] = &["notice_key", "client", "state", "next_at", "written_at"];
    const SHARES: bool = true;
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn values(&self) -> Vec<Value> {
        let (state, next_at) = match &self.state {
            NoticeState::Pending { next_at } => ("pending", next_at.timestamp_millis()),
            NoticeState::Waiting { until } => ("waiting", until.timestamp_millis()),
            NoticeState::Sent { .. } => ("sent", 0),
            NoticeState::Undelivered { .. } => ("undelivered", 0),
        };
        vec![
            self.body.key.as_str().into(),
            self.body.client.as_deref().unwrap_or("").into(),
            state.into(),
            next_at.into(),
            self.body.at.timestamp_millis().into(),
        ]
    }
    fn about(&self) -> Option<String> {
        Some(self.body.key.clone())
    }
}

impl Record for Feed {
    const TABLE: &'static str = "feed";
    fn id(&self) -> String {
        self.publisher.clone()
    }
}

impl Record for Token {
    const TABLE: &'static str = "token";
    fn id(&self) -> String {
        self.hash.clone()
    }
}

impl Record for Enrolment {
    const TABLE: &'static str = "enrolment";
    fn id(&self) -> String {
        self.hash.clone()
    }
}

impl Record for Standing {
    const TABLE: &'static str = "standing";
    fn id(&self) -> String {
        self.server.clone()
    }
}
