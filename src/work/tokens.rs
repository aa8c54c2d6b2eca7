//! Bearers of rights: tokens for staff, clients, servers and gateways, and one-time enrolment codes.
//!
//! The secret is returned once; the store keeps its sha256. A revoked token stays in the list, so that history can
//! name it. Who may ask for a token is the caller's business: these are the provider's commands.

use super::Orchestrator;
use crate::edge::secret::{self, NoRandomness};
use crate::edge::store::{Changes, Enrolment, Row, Scope, StoreError, Stored, Token};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long a looked-up token is relied on where [`Assurance::Lately`] is enough, in seconds.
const CACHE_SECONDS: i64 = 60;
/// Most tokens held in memory.
const CACHE_MAX: usize = 100_000;
/// Longest secret looked at, in bytes.
const SECRET_BYTES_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] NoRandomness),
    #[error("there is no client {0:?} in the fleet")]
    NoClient(String),
    #[error("there is no server {0:?} in the fleet")]
    NoServer(String),
    #[error("there is a valid token named {0:?}; revoke it first or choose another name")]
    NameTaken(String),
    #[error("there is no valid token named {0:?}")]
    NoToken(String),
}

/// Makes a token called `name`; the secret it returns is not kept anywhere.
pub async fn issue(o: &Orchestrator, name: &str, scope: Scope) -> Result<String, TokenError> {
    let client = client_of(o, &scope).await?;
    if o.store.tokens().await?.iter().any(|t| t.name == name && t.revoked_at.is_none()) {
        return Err(TokenError::NameTaken(name.to_owned()));
    }
    let (secret, token) = draft(o.clock.now(), name, scope)?;
    let event = NewEvent::new(o.clock.now(), &client, EventKind::FleetChanged, format!("token {name:?} issued"));
    let event = event.personal([name]);
    let changes = Changes { rows: vec![Row::Token(Stored::new(token))], events: vec![event], notices: Vec::new() };
    o.store.commit(changes).await?;
    Ok(secret)
}

/// A fresh token and its secret, not stored yet.
pub(super) fn draft(now: DateTime<Utc>, name: &str, scope: Scope) -> Result<(String, Token), NoRandomness> {
    let secret = secret::generate()?;
    let hash = secret::hash(&secret);
    Ok((secret, Token { hash, name: name.to_owned(), scope, created_at: now, revoked_at: None }))
}

/// Ends the token called `name`.
pub async fn revoke(o: &Orchestrator, name: &str) -> Result<(), TokenError> {
    let now = o.clock.now();
    let known = o.store.tokens().await?.into_iter().find(|t| t.name == name && t.revoked_at.is_none());
    let token = known.ok_or_else(|| TokenError::NoToken(name.to_owned()))?;
    let client = match client_of(o, &token.scope).await {
        Ok(client) => client,
        Err(TokenError::NoClient(_) | TokenError::NoServer(_)) => PROVIDER.to_owned(),
        Err(error) => return Err(error),
    };
    let event = NewEvent::new(now, &client, EventKind::FleetChanged, format!("token {name:?} revoked"));
    let event = event.personal([name]);
    let revoked = Token { revoked_at: Some(now), ..token.value.clone() };
    let changes = Changes { rows: vec![Row::Token(token.with(revoked))], events: vec![event], notices: Vec::new() };
    o.store.commit(changes).await?;
    Ok(())
}

/// Makes a code that enrols `server` once, within `valid`.
pub async fn issue_enrolment(o: &Orchestrator, server: &str, valid: TimeDelta) -> Result<String, TokenError> {
    let now = o.clock.now();
    let client = client_of(o, &Scope::Target { server: server.to_owned() }).await?;
    let code = secret::generate()?;
    let enrolment =
        Enrolment { hash: secret::hash(&code), server: server.to_owned(), expires_at: now + valid, used_at: None };
    let text = format!("enrolment code issued for {server}");
    let changes = Changes {
        rows: vec![Row::Enrolment(Stored::new(enrolment))],
        events: vec![NewEvent::new(now, &client, EventKind::FleetChanged, text).server(server)],
        notices: Vec::new(),
    };
    o.store.commit(changes).await?;
    Ok(code)
}

/// The chain that speaks of a scope; an error when its client or server is not in the fleet.
async fn client_of(o: &Orchestrator, scope: &Scope) -> Result<String, TokenError> {
    match scope {
        Scope::Staff | Scope::Calendar { client: None } => Ok(PROVIDER.to_owned()),
        Scope::Client { client } | Scope::Gateway { client } | Scope::Calendar { client: Some(client) } => {
            let known = o.store.client(client).await?.ok_or_else(|| TokenError::NoClient(client.clone()))?;
            Ok(known.id.clone())
        }
        Scope::Target { server } => {
            let known = o.store.client_of_server(server).await?.ok_or_else(|| TokenError::NoServer(server.clone()))?;
            Ok(known.id.clone())
        }
    }
}

/// How sure it has to be that a token still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assurance {
    /// Read for this request: a revocation by whatever process counts at once.
    Now,
    /// Read within the last minute. For the bare poll, which opens nothing and is all that most requests are.
    Lately,
}

/// Tokens looked up lately, by hash, so that an idle poll does not read one each time.
#[derive(Debug, Default)]
pub struct TokenCache {
    known: Mutex<BTreeMap<String, (DateTime<Utc>, Token)>>,
}

impl TokenCache {
    /// The valid token whose secret this is.
    pub async fn identify(
        &self,
        o: &Orchestrator,
        secret: &str,
        assurance: Assurance,
    ) -> Result<Option<Token>, StoreError> {
        if secret.is_empty() || SECRET_BYTES_MAX < secret.len() {
            return Ok(None);
        }
        let (now, hash) = (o.clock.now(), secret::hash(secret));
        let known = match assurance {
            Assurance::Now => None,
            Assurance::Lately => self.recall(&hash, now),
        };
        if known.is_some() {
            return Ok(known);
        }
        let read = o.store.token(&hash).await?.map(|token| token.value);
        let token = read.filter(|t| secret::same(&t.hash, &hash) && t.revoked_at.is_none());
        let mut known = self.lock();
        match &token {
            Some(token) => {
                if CACHE_MAX <= known.len() {
                    known.clear();
                }
                known.insert(hash, (now, token.clone()));
            }
            None => drop(known.remove(&hash)),
        }
        Ok(token)
    }

    fn recall(&self, hash: &str, now: DateTime<Utc>) -> Option<Token> {
        let fresh = |read_at: DateTime<Utc>| (now - read_at).abs() < TimeDelta::seconds(CACHE_SECONDS);
        self.lock().get(hash).filter(|(read_at, _)| fresh(*read_at)).map(|(_, token)| token.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (DateTime<Utc>, Token)>> {
        // What a panicking holder left is a map all the same.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
