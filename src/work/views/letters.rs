//! The outbox, letter by letter.

use crate::edge::store::StoreError;
use crate::model::notice::{Notice, NoticeState};
use crate::work::Orchestrator;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A letter of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NoticeRow {
    pub id: i64,
    pub key: String,
    pub at: DateTime<Utc>,
    pub client: Option<String>,
    pub server: Option<String>,
    pub deployment: Option<i64>,
    /// Which letter: `minor_planned`, `major_refused`, …
    pub letter: String,
    /// `pending`, `waiting`, `sent` or `undelivered`.
    pub state: String,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    pub error: Option<String>,
}

/// The letters of a client, or of everybody.
pub async fn notices(o: &Orchestrator, client: Option<&str>, limit: u64) -> Result<Vec<NoticeRow>, StoreError> {
    Ok(o.store.notices(client, limit).await?.into_iter().map(|n| notice_row(n.value)).collect())
}

/// A letter as lists show it.
pub fn notice_row(notice: Notice) -> NoticeRow {
    let letter = serde_json::to_value(&notice.body.letter).ok();
    let name = letter.as_ref().and_then(|l| l.get("letter")).and_then(|l| l.as_str()).unwrap_or_default().to_owned();
    let state = notice.state.name().to_owned();
    let (sent_at, error) = match notice.state {
        NoticeState::Pending { .. } | NoticeState::Waiting { .. } => (None, None),
        NoticeState::Sent { at } => (Some(at), None),
        NoticeState::Undelivered { error, .. } => (None, Some(error)),
    };
    NoticeRow {
        id: notice.id,
        key: notice.body.key,
        at: notice.body.at,
        client: notice.body.client,
        server: notice.body.server,
        deployment: notice.body.deployment,
        letter: name,
        state,
        sent_at,
        attempts: notice.attempts,
        error,
    }
}
