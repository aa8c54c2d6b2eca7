//! Erasing a person who is no contact any more (GDPR, article 17), without breaking the history.
//!
//! What happened stays: which request, which agreement, when. Who it was goes, and the history says that it went and whose
//! wish that was. Out of reach are letters that left, files of `mail.folder`, and copies of the database.

use super::{Orchestrator, said};
use crate::edge::store::{Erasable, Erased, StoreError};
use crate::model::event::{EventKind, NewEvent};

/// How often a record may change in between before it is given up.
const TRIES: usize = 5;

#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Said(#[from] said::Unsaid),
    #[error("nothing is known of a client {0:?}")]
    NoClient(String),
    #[error("{called} is a contact of {client}: take them out of fleet.toml, run `noctule fleet apply`, then erase")]
    Contact { called: String, client: String },
    #[error("there is a valid token named {0:?}: revoke it first (`noctule token revoke`)")]
    Token(String),
}

/// What is known about `client` of a person called any of `who`.
///
/// # Errors
/// [`ErasureError::Contact`] and [`ErasureError::Token`] while they are still needed under that name.
pub async fn look(o: &Orchestrator, client: &str, who: &[Erasable]) -> Result<Erased, ErasureError> {
    check(o, client, who).await?;
    Ok(o.store.erasable(client, who).await?)
}

/// Erases a person called any of `who` from what is known about `client`, because `by` says so.
///
/// # Errors
/// As [`look`]; nothing is erased then.
pub async fn erase(o: &Orchestrator, client: &str, who: &[Erasable], by: &str) -> Result<Erased, ErasureError> {
    let by = said::name("who erases", by)?;
    check(o, client, who).await?;
    let mut tries = 1;
    loop {
        let told = |chain: &str, erased: &Erased| {
            let text = format!("a person was erased, as {by} wants: {}", words(erased));
            NewEvent::new(o.clock.now(), chain, EventKind::PersonErased, text).personal([&by])
        };
        match o.store.erase(client, who, told).await {
            Err(StoreError::Conflict { .. } | StoreError::Locked(_)) if tries < TRIES => tries += 1,
            done => return Ok(done?),
        }
    }
}

async fn check(o: &Orchestrator, client: &str, who: &[Erasable]) -> Result<(), ErasureError> {
    let known = o.store.client(client).await?;
    if known.is_none() && !o.store.heads().await?.contains_key(client) {
        return Err(ErasureError::NoClient(client.to_owned()));
    }
    let is_one = |called: &str| who.iter().any(|one| one.is(called));
    for contact in known.iter().flat_map(|client| &client.contacts) {
        if let Some(called) = [&contact.email, &contact.name].into_iter().find(|called| is_one(called)) {
            return Err(ErasureError::Contact { called: called.clone(), client: client.to_owned() });
        }
    }
    match o.store.tokens().await?.into_iter().find(|token| token.revoked_at.is_none() && is_one(&token.name)) {
        Some(token) => Err(ErasureError::Token(token.name.clone())),
        None => Ok(()),
    }
}

/// `2 mentions in the history, 1 other record`.
pub fn words(erased: &Erased) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{} in the history, {}", count(erased.mentioned(), "mention"), count(erased.records, "other record"))
}
