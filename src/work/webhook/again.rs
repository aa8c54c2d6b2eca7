//! What waits for the receiver, and what was given up offered to it again.

use super::{GIVEN_UP, cause, name};
use crate::decide::calls;
use crate::edge::store::{Changes, Queue, Row, StoreError, Stored};
use crate::edge::webhook::CallError;
use crate::model::call::{Call, CallState};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::work::said::{self, Unsaid};
use crate::work::{Orchestrator, alerts};

/// Most calls that are offered again, or listed, at once.
pub const CALLS_MAX: u64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    #[error("noctule.toml has no [webhook]: there is nobody to call")]
    NoWebhook,
    #[error(transparent)]
    NotTaken(#[from] CallError),
}

/// How the queue stands, with what waits and what was given up, oldest first.
pub async fn queue(o: &Orchestrator) -> Result<(Queue, Vec<Stored<Call>>), AgainError> {
    let mut calls = o.store.calls("given_up", CALLS_MAX).await?;
    calls.extend(o.store.calls("pending", CALLS_MAX).await?);
    calls.sort_by_key(|call| call.id);
    Ok((o.store.call_queue().await?, calls))
}

/// Puts what was given up back into the queue, as `by` wants, with the same keys; it is tried as new calls are.
pub async fn again(o: &Orchestrator, by: &str) -> Result<usize, AgainError> {
    let by = said::name("who offers them again", by)?;
    let now = o.clock.now();
    let given_up = o.store.calls("given_up", CALLS_MAX).await?;
    let mut changes = Changes::default();
    for call in &given_up {
        let text = format!("{} is offered again, as {by} wants", name(call));
        changes.events.push(NewEvent::new(now, PROVIDER, EventKind::NoticeAgain, text));
        let value =
            Call { state: CallState::Pending { next_at: now }, attempts: 0, offered_at: now, ..call.value.clone() };
        changes.rows.push(Row::Call(call.with(value)));
    }
    let note = format!("offered again by {by}");
    alerts::resolve_cause(o, &mut changes, &cause(GIVEN_UP), &note).await?;
    o.store.commit(changes).await?;
    Ok(given_up.len())
}

/// Makes a signed call that is about nothing; returns the status it was taken with.
pub async fn check(o: &Orchestrator) -> Result<u16, AgainError> {
    let webhook = o.webhook.as_ref().ok_or(AgainError::NoWebhook)?;
    let now = o.clock.now();
    Ok(webhook.call(&calls::ping(now), now).await?)
}
