//! Enrolment: a one-time code becomes a server's token, once.
//!
//! The answer carries the publishers' roots that the agent pins. Enrolling a server again ends its older tokens.

use super::{Orchestrator, tokens};
use crate::edge::secret::{self, NoRandomness};
use crate::edge::store::{Changes, Enrolment, Row, Scope, StoreError, Stored, Token};
use crate::model::event::{EventKind, NewEvent};

/// A server that has just become known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    pub server: String,
    /// The secret of its TargetToken.
    pub token: String,
}

#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] NoRandomness),
    /// Which of the three is not said: a guesser would learn from it.
    #[error("the enrolment code is unknown, used or expired")]
    BadCode,
}

/// Uses `code` up and returns the token of its server.
pub async fn enrol(o: &Orchestrator, code: &str) -> Result<Enrolled, EnrolError> {
    let now = o.clock.now();
    let hash = secret::hash(code.trim());
    let known = o.store.enrolment(&hash).await?.filter(|e| secret::same(&e.hash, &hash));
    let known = known.filter(|e| e.used_at.is_none() && now < e.expires_at).ok_or(EnrolError::BadCode)?;
    let server = known.server.clone();
    let client = o.store.client_of_server(&server).await?.ok_or(EnrolError::BadCode)?;
    let name = format!("{server}@{}", now.format("%Y%m%dT%H%M%S%3fZ"));
    let scope = Scope::Target { server: server.clone() };
    let (token, row) = tokens::draft(now, &name, scope.clone())?;
    let mut changes = Changes::default();
    for older in o.store.tokens().await?.into_iter().filter(|t| t.scope == scope && t.revoked_at.is_none()) {
        changes.rows.push(Row::Token(older.with(Token { revoked_at: Some(now), ..older.value.clone() })));
    }
    changes.rows.push(Row::Enrolment(known.with(Enrolment { used_at: Some(now), ..known.value.clone() })));
    changes.rows.push(Row::Token(Stored::new(row)));
    let text = format!("the agent of {server} enrolled");
    changes.events.push(NewEvent::new(now, &client.id, EventKind::Enrolled, text).server(&server));
    match o.store.commit(changes).await {
        Ok(()) => Ok(Enrolled { server, token }),
        // Somebody used the code in the same moment.
        Err(StoreError::Conflict { .. }) => Err(EnrolError::BadCode),
        Err(error) => Err(error.into()),
    }
}
