//! The webhook's job: leases calls that are due, makes them, records what became of them.
//!
//! Nothing is called inside a transaction. Whoever is killed between the answer and recording it calls again when the lease
//! lapses, with the same key, by which receivers know a repeat. Of one alert a call is made only when those before it were
//! taken or given up. A receiver that takes nothing is left alone after a few attempts, and the rest waits for the next
//! activation without being counted as tried; it waits for as long as that lasts, and staff have an alert by mail.

pub mod again;

use super::{Orchestrator, alerts};
use crate::decide::calls::{self, Miss, Next};
use crate::edge::store::{Changes, Queue, Row, StoreError, Stored};
use crate::edge::webhook::{CallError, Webhook};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::call::{Call, CallState, NewCall};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Calls leased at once.
const BATCH: u64 = 20;
/// Most batches of one activation; the next one goes on.
const BATCHES_MAX: usize = 200;
/// How long leased calls are ours, in minutes: longer than all of them can take.
const LEASE_MINUTES: i64 = 10;
/// Attempts that fail in a row before the receiver is left alone.
const MISSES_MAX: usize = 3;
/// What staff are told by mail: that nothing is taken, and that one call never was.
const LATE: &str = "late";
const GIVEN_UP: &str = "given-up";

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub taken: usize,
    /// To be tried again.
    pub deferred: usize,
    pub given_up: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum WebhookJobError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the calls that are due. Without a webhook they wait for one.
pub async fn run(o: &Orchestrator) -> Result<Report, WebhookJobError> {
    let mut report = Report::default();
    let Some(webhook) = &o.webhook else { return Ok(report) };
    deliver(o, webhook, &mut report).await?;
    mind(o, webhook).await?;
    Ok(report)
}

async fn deliver(o: &Orchestrator, webhook: &Webhook, report: &mut Report) -> Result<(), StoreError> {
    let mut misses = 0;
    for _ in 0..BATCHES_MAX {
        let now = o.clock.now();
        let leased = o.store.lease_calls(now, now + TimeDelta::minutes(LEASE_MINUTES), BATCH).await?;
        if leased.is_empty() {
            break;
        }
        let mut leased = leased.into_iter();
        while misses < MISSES_MAX
            && let Some(call) = leased.next()
        {
            let outcome = webhook.call(&call.new, o.clock.now()).await;
            misses = if outcome.is_ok() { 0 } else { misses + 1 };
            record(o, webhook, call, outcome, report).await?;
        }
        if misses == MISSES_MAX {
            return give_back(o, leased.collect()).await;
        }
    }
    Ok(())
}

/// Writes down what became of an attempt.
async fn record(
    o: &Orchestrator,
    webhook: &Webhook,
    call: Stored<Call>,
    outcome: Result<u16, CallError>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = o.clock.now();
    let (id, attempts, kind) = (call.id, call.attempts + 1, call.new.kind.as_str());
    let mut changes = Changes::default();
    let (state, error) = match outcome {
        Ok(status) => {
            tracing::info!(call.id = id, alert.id = call.new.alert, attempt = attempts, status, "{kind} told");
            report.taken += 1;
            (CallState::Taken { at: now }, None)
        }
        Err(error) => {
            let last_taken = o.store.call_queue().await?.last_taken;
            let miss = Miss { attempts, offered: call.offered_at, asked: error.wait(), last_taken };
            let state = match calls::after(miss, now) {
                Next::TryAt(next_at) => {
                    tracing::warn!(call.id = id, attempt = attempts, %error, "{kind} not taken, is tried again");
                    report.deferred += 1;
                    CallState::Pending { next_at }
                }
                Next::GiveUp => {
                    tracing::error!(call.id = id, attempt = attempts, %error, "{kind} given up");
                    report.given_up += 1;
                    let text = format!("{} undelivered after attempt {attempts}: {error}", name(&call));
                    changes.events.push(NewEvent::new(now, PROVIDER, EventKind::NoticeUndelivered, text));
                    let text = format!("{}: {}", name(&call), error.in_full());
                    alerts::raise(o, &mut changes, trouble(webhook, GIVEN_UP, text)).await?;
                    CallState::GivenUp { at: now }
                }
            };
            (state, Some(error.in_full()))
        }
    };
    // What was taken is the receiver's to keep: names and notes stay with the alert alone.
    let body = if error.is_none() { String::new() } else { call.new.body.clone() };
    let value = Call { state, attempts, error, new: NewCall { body, ..call.new.clone() }, ..call.value.clone() };
    changes.rows.push(Row::Call(call.with(value)));
    settle(o, changes, id).await
}

/// Hands leased calls back untried, for the next activation.
async fn give_back(o: &Orchestrator, leased: Vec<Stored<Call>>) -> Result<(), StoreError> {
    let next_at = o.clock.now() + TimeDelta::minutes(1);
    for call in leased {
        let value = Call { state: CallState::Pending { next_at }, ..call.value.clone() };
        settle(o, Changes { rows: vec![Row::Call(call.with(value))], ..Changes::default() }, call.id).await?;
    }
    Ok(())
}

async fn settle(o: &Orchestrator, changes: Changes, id: i64) -> Result<(), StoreError> {
    match o.store.commit(changes).await {
        // Our lease had lapsed and somebody else made it, with the same key.
        Err(StoreError::Conflict { .. }) => {
            tracing::warn!(call.id = id, "another activation has this call");
            Ok(())
        }
        result => result,
    }
}

/// Tells staff that nothing is taken, and when it is again.
async fn mind(o: &Orchestrator, webhook: &Webhook) -> Result<(), StoreError> {
    let (queue, now) = (o.store.call_queue().await?, o.clock.now());
    let late = queue.oldest.as_ref().filter(|call| calls::is_late(call.offered_at, call.attempts, now));
    let cause = cause(LATE);
    let mut changes = Changes::default();
    match late {
        Some(call) => {
            let text = lasting(call, &queue);
            alerts::raise(o, &mut changes, trouble(webhook, LATE, text)).await?;
        }
        None => alerts::resolve_cause(o, &mut changes, &cause, "calls are taken again").await?,
    }
    match o.store.commit(changes).await {
        // Another replica found the same.
        Err(StoreError::Conflict { .. }) => Ok(()),
        result => result,
    }
}

fn lasting(oldest: &Call, queue: &Queue) -> String {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let last = queue
        .last_taken
        .map_or_else(|| "none was ever taken".to_owned(), |it| format!("the last one taken at {}", at(it)));
    format!(
        "{} waits since {} and was tried {} times ({}); {} wait, {last}. They stay in order and are tried on. \
         `noctule webhook check` says what the receiver answers",
        name(oldest),
        at(oldest.new.at),
        oldest.attempts,
        oldest.error.as_deref().unwrap_or("no answer"),
        queue.waiting,
    )
}

/// As history and letters name it.
fn name(call: &Call) -> String {
    format!("call {} ({} of alert {})", call.id, call.new.kind, call.new.alert)
}

fn cause(word: &str) -> String {
    format!("{}{word}", calls::OWN)
}

fn trouble(webhook: &Webhook, word: &str, text: String) -> NewAlert {
    NewAlert {
        cause: cause(word),
        class: AlertClass::Systems,
        client: None,
        server: None,
        product: None,
        deployment: None,
        title: format!("the webhook at {} does not take alerts ({word})", webhook.host()),
        text,
    }
}
