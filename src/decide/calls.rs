//! What a webhook tells of an alert, when a call that was not taken is made again, and when staff hear of it.
//!
//! The shape is one for all kinds and has a version: a field may be added to it, none changes its meaning or goes. A call
//! is patient: it outlives days without a receiver. It is given up only where the receiver takes others and never this one.

use crate::model::alert::{Alert, AlertClass, AlertState};
use crate::model::call::NewCall;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// The version of the shape, which every call names.
pub const VERSION: u32 = 1;
/// What causes of alerts about the webhook itself begin with: they go by mail only, a call about calls would breed.
pub const OWN: &str = "webhook/";
/// Minutes from one attempt to the next; the last holds for all further ones.
const MINUTES: [i64; 5] = [1, 2, 4, 8, 15];
/// Fewest attempts of a call that is given up or told to staff.
const ATTEMPTS: u32 = 3;
/// Hours after which staff hear that nothing is taken.
const LATE_HOURS: i64 = 4;
/// Hours after which a call that alone is not taken is given up.
const GIVE_UP_HOURS: i64 = 72;
/// Longest wait that a receiver may ask for, in minutes.
const ASKED_MINUTES_MAX: i64 = 60;

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: u32,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: i64,
    cause: &'a str,
    class: AlertClass,
    client: Option<&'a str>,
    server: Option<&'a str>,
    product: Option<&'a str>,
    deployment: Option<i64>,
    title: &'a str,
    text: &'a str,
    raised_at: DateTime<Utc>,
    due: DateTime<Utc>,
    level: u8,
    state: &'static str,
    by: Option<&'a str>,
    taken_up_at: Option<DateTime<Utc>>,
    taken_up_by: Option<&'a str>,
    note: Option<&'a str>,
}

/// The call that tells what `alert` has just become; none where it is about the webhook itself.
pub fn about(alert: &Alert, at: DateTime<Utc>) -> Option<NewCall> {
    if alert.cause.starts_with(OWN) {
        return None;
    }
    let (word, state, by, note) = match &alert.state {
        AlertState::Open { level: 0 } => ("raised", "open", None, None),
        AlertState::Open { .. } => ("escalated", "open", None, None),
        AlertState::Acknowledged { by, .. } => ("acknowledged", "acknowledged", Some(by.as_str()), None),
        AlertState::Resolved { by, note, .. } => ("resolved", "resolved", by.as_deref(), Some(note.as_str())),
    };
    let (level, taken_up) = (alert.level(), alert.taken_up());
    let kind = format!("alert.{word}");
    let data = Data {
        id: alert.id,
        cause: &alert.cause,
        class: alert.class,
        client: alert.client.as_deref(),
        server: alert.server.as_deref(),
        product: alert.product.as_deref(),
        deployment: alert.deployment,
        title: &alert.title,
        text: &alert.text,
        raised_at: alert.raised_at,
        due: alert.due,
        level,
        state,
        by,
        taken_up_at: taken_up.map(|(at, _)| at),
        taken_up_by: taken_up.map(|(_, by)| by),
        note,
    };
    let body = serde_json::to_string(&Payload { kind: &kind, version: VERSION, timestamp: at, data })
        .expect("text and numbers are JSON");
    // The instant tells it from an alert of the same number in a database that was restored.
    let key = format!("alert_{}_{}_{word}_{level}", alert.id, alert.raised_at.timestamp_millis());
    Some(NewCall { key, alert: alert.id, kind, at, body })
}

/// The call that only asks whether calls arrive.
pub fn ping(at: DateTime<Utc>) -> NewCall {
    let body = serde_json::json!({ "type": "webhook.ping", "version": VERSION, "timestamp": at, "data": {} });
    let key = format!("ping_{}", at.timestamp_millis());
    NewCall { key, alert: 0, kind: "webhook.ping".to_owned(), at, body: body.to_string() }
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Its number, from 1.
    pub attempts: u32,
    /// Since when the call is offered.
    pub offered: DateTime<Utc>,
    /// How long the receiver asks to be left alone.
    pub asked: Option<TimeDelta>,
    /// When the receiver last took any call.
    pub last_taken: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    TryAt(DateTime<Utc>),
    GiveUp,
}

/// What follows a miss.
pub fn after(miss: Miss, now: DateTime<Utc>) -> Next {
    let takes_others = miss.last_taken.is_some_and(|at| miss.offered < at);
    if takes_others && ATTEMPTS <= miss.attempts && miss.offered + TimeDelta::hours(GIVE_UP_HOURS) <= now {
        return Next::GiveUp;
    }
    let index = (miss.attempts.max(1) as usize - 1).min(MINUTES.len() - 1);
    let asked = miss.asked.unwrap_or_default().min(TimeDelta::minutes(ASKED_MINUTES_MAX));
    Next::TryAt(now + TimeDelta::minutes(MINUTES[index]).max(asked))
}

/// Whether staff have to hear that a call waits, which is offered since then and was tried so often.
pub fn is_late(offered: DateTime<Utc>, attempts: u32, now: DateTime<Utc>) -> bool {
    ATTEMPTS <= attempts && offered + TimeDelta::hours(LATE_HOURS) <= now
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
