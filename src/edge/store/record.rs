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
use sea_orm::{QueryResult, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A noun that has a table.
pub(super) trait Record: Serialize + DeserializeOwned {
    const TABLE: &'static str;

    fn id(&self) -> String;

    /// Columns it is searched by, with their values.
    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// Numbers as text keys sort like numbers.
pub(super) fn numbered(id: i64) -> String {
    format!("{id:012}")
}

/// Reads a noun from a row that has `id`, `rev` and `body`.
pub(super) fn stored<T: Record>(row: &QueryResult) -> Result<Stored<T>, StoreError> {
    let body: String = row.try_get("", "body")?;
    let value = serde_json::from_str(&body).map_err(|source| StoreError::Corrupt {
        table: T::TABLE,
        id: row.try_get("", "id").unwrap_or_default(),
        source,
    })?;
    Ok(Stored { rev: row.try_get("", "rev")?, value })
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
    fn id(&self) -> String {
        format!("{} {}", self.product(), self.version())
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![("product", self.product().into())]
    }
}

impl Record for Deployment {
    const TABLE: &'static str = "deployment";
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("client", self.client.as_str().into()),
            ("server", self.server.as_str().into()),
            ("product", self.product.as_str().into()),
            ("version", self.to.as_str().into()),
            ("state", self.state.name().into()),
            ("action", self.action.into()),
            ("slot_start", self.slot.start.timestamp_millis().into()),
        ]
    }
}

impl Record for Request {
    const TABLE: &'static str = "request";
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![("client", self.client.as_str().into())]
    }
}

impl Record for Agreement {
    const TABLE: &'static str = "agreement";
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![("client", self.client.as_str().into())]
    }
}

impl Record for Hold {
    const TABLE: &'static str = "hold";
    fn id(&self) -> String {
        numbered(self.id)
    }
    /// When it ends by itself or ended; what lasts until somebody lifts it ends last of all.
    fn columns(&self) -> Vec<(&'static str, Value)> {
        let end = self.lifted.as_ref().map(|lifted| lifted.at).or(self.until);
        vec![("ends_at", end.map_or(i64::MAX, |end| end.timestamp_millis()).into())]
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
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        let state = match self.state {
            AlertState::Open { .. } => "open",
            AlertState::Acknowledged { .. } => "acknowledged",
            AlertState::Resolved { .. } => "resolved",
        };
        vec![("cause", self.cause.as_str().into()), ("state", state.into())]
    }
}

impl Record for Notice {
    const TABLE: &'static str = "notice";
    fn id(&self) -> String {
        numbered(self.id)
    }
    fn columns(&self) -> Vec<(&'static str, Value)> {
        let (state, next_at) = match &self.state {
            NoticeState::Pending { next_at } => ("pending", next_at.timestamp_millis()),
            NoticeState::Sent { .. } => ("sent", 0),
            NoticeState::Undelivered { .. } => ("undelivered", 0),
        };
        vec![
            ("notice_key", self.body.key.as_str().into()),
            ("client", self.body.client.as_deref().unwrap_or("").into()),
            ("state", state.into()),
            ("next_at", next_at.into()),
        ]
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
