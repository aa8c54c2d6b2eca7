//! Alerts: raised once per cause, due in service time, acknowledged and resolved by name.
//!
//! The functions that jobs call add to the job's own [`Changes`], so that an alert stands or falls with what raised
//! it. The same trouble found again while its alert is open adds nothing; that makes every caller level-triggered.
//! Escalation is `work::watch`'s, sending is `work::post`'s and `work::webhook`'s.

use super::Orchestrator;
use super::said::{self, Unsaid};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::calls;
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::notice::intervention_due;
use crate::decide::terms::Terms;
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::alert::{Alert, AlertState, NewAlert, TakenUp};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::notice::{Letter, NewNotice};
use chrono::{DateTime, TimeDelta, Utc};

/// Elapsed minutes to the intervention where no schedule says otherwise (`gti-2h`, 6.1.6).
const WITHIN_MINUTES: i64 = 120;

#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no alert {0}; list them with their ids first")]
    NotFound(i64),
    #[error("alert {0} is resolved already")]
    Resolved(i64),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

/// Adds an alert, its event and its letter to staff, unless one with the same cause is open.
pub async fn raise(o: &Orchestrator, changes: &mut Changes, alert: NewAlert) -> Result<(), StoreError> {
    if open_for(o, changes, &alert.cause).await? {
        return Ok(());
    }
    let now = o.clock.now();
    let due = due(o, alert.client.as_deref(), alert.server.as_deref(), now).await?;
    let id = o.store.allocate(Sequence::Alert, 1).await?;
    add(o, changes, opened(id, alert, now, due), now);
    Ok(())
}

/// An alert that begins now.
pub(super) fn opened(id: i64, alert: NewAlert, now: DateTime<Utc>, due: DateTime<Utc>) -> Alert {
    Alert {
        id,
        cause: alert.cause,
        class: alert.class,
        client: alert.client,
        server: alert.server,
        product: alert.product,
        deployment: alert.deployment,
        title: alert.title,
        text: alert.text,
        raised_at: now,
        due,
        state: AlertState::Open { level: 0 },
    }
}

/// Adds an alert with its event, its letter to staff and its call.
pub(super) fn add(o: &Orchestrator, changes: &mut Changes, alert: Alert, now: DateTime<Utc>) {
    call(o, changes, &alert, now);
    changes.events.push(event(&alert, now, EventKind::AlertRaised, format!("alert {}: {}", alert.id, alert.title)));
    changes.notices.push(letter(&alert, now, 0));
    changes.rows.push(Row::Alert(Stored::new(alert)));
}

/// Resolves the open alert of `cause`, if there is one.
pub async fn resolve_cause(o: &Orchestrator, changes: &mut Changes, cause: &str, note: &str) -> Result<(), StoreError> {
    let known = o.store.open_alert(cause).await?;
    if let Some(alert) = known.filter(|alert| !touched(changes, alert.id)) {
        add_resolved(o, changes, &alert, note);
    }
    Ok(())
}

/// Somebody intervenes: the clock of alert `id` stops. Repeating it changes nothing.
pub async fn acknowledge(o: &Orchestrator, id: i64, by: &str) -> Result<Alert, AlertError> {
    let by = said::name("who takes it up", by)?;
    let alert = find(o, id).await?;
    let level = match &alert.state {
        AlertState::Resolved { .. } => return Err(AlertError::Resolved(id)),
        AlertState::Acknowledged { .. } => return Ok(alert.value),
        AlertState::Open { level } => *level,
    };
    let now = o.clock.now();
    let value = Alert { state: AlertState::Acknowledged { at: now, by: by.clone(), level }, ..alert.value.clone() };
    let in_time = if now <= value.due { "in time" } else { "after it was due" };
    let text = format!("alert {id} acknowledged by {by}, {in_time}: {}", value.title);
    let mut changes = Changes {
        events: vec![event(&value, now, EventKind::AlertAcknowledged, text).personal([by])],
        rows: vec![Row::Alert(alert.with(value.clone()))],
        ..Changes::default()
    };
    call(o, &mut changes, &value, now);
    o.store.commit(changes).await?;
    Ok(value)
}

/// `by` ends alert `id` with a note of what was done. Trouble that is still there is found again, and is a new alert.
pub async fn resolve(o: &Orchestrator, id: i64, by: &str, note: &str) -> Result<Alert, AlertError> {
    let (note, by) = (said::note(note)?, said::name("who resolves", by)?);
    let alert = find(o, id).await?;
    if !alert.is_open() {
        return Err(AlertError::Resolved(id));
    }
    let mut changes = Changes::default();
    let value = end(o, &mut changes, &alert, Some(&by), &note);
    o.store.commit(changes).await?;
    Ok(value)
}

/// The letter that tells staff of `alert` at an escalation level; its key makes each level one letter.
pub(super) fn letter(alert: &Alert, at: DateTime<Utc>, level: u8) -> NewNotice {
    NewNotice {
        key: format!("alert/{}/{level}", alert.id),
        at,
        // Staff's, whoever it concerns: a client's letters are what was said to the client.
        client: None,
        server: alert.server.clone(),
        deployment: alert.deployment,
        letter: Letter::Alert {
            alert: alert.id,
            class: alert.class,
            title: alert.title.clone(),
            text: alert.text.clone(),
            due: alert.due,
            level,
        },
    }
}

/// An event of `alert`, in the chain of the client it concerns.
pub(super) fn event(alert: &Alert, at: DateTime<Utc>, kind: EventKind, text: String) -> NewEvent {
    NewEvent {
        server: alert.server.clone(),
        product: alert.product.clone(),
        deployment: alert.deployment,
        ..NewEvent::new(at, alert.client.as_deref().unwrap_or(PROVIDER), kind, text)
    }
}

/// Adds the end of an alert whose reason is gone.
pub(super) fn add_resolved(o: &Orchestrator, changes: &mut Changes, alert: &Stored<Alert>, note: &str) {
    end(o, changes, alert, None, note);
}

/// Adds the call that tells what `alert` has become, where a webhook is to be told.
pub(super) fn call(o: &Orchestrator, changes: &mut Changes, alert: &Alert, at: DateTime<Utc>) {
    if o.webhook.is_some() {
        changes.rows.extend(calls::about(alert, at).map(Row::NewCall));
    }
}

fn end(o: &Orchestrator, changes: &mut Changes, alert: &Stored<Alert>, by: Option<&str>, note: &str) -> Alert {
    let now = o.clock.now();
    let (level, taken_up) = match &alert.state {
        AlertState::Open { level } => (*level, None),
        AlertState::Acknowledged { at, by, level } => (*level, Some(TakenUp { at: *at, by: by.clone() })),
        AlertState::Resolved { level, taken_up, .. } => (*level, taken_up.clone()),
    };
    let state = AlertState::Resolved { at: now, note: note.to_owned(), by: by.map(str::to_owned), level, taken_up };
    let value = Alert { state, ..alert.value.clone() };
    let whose = by.map(|by| format!(" by {by}")).unwrap_or_default();
    let text = format!("alert {} resolved{whose}, {note}: {}", value.id, value.title);
    let event = event(&value, now, EventKind::AlertResolved, text);
    changes.events.push(match by {
        Some(by) => event.personal([by, note]),
        None => event,
    });
    call(o, changes, &value, now);
    changes.rows.push(Row::Alert(alert.with(value.clone())));
    value
}

async fn find(o: &Orchestrator, id: i64) -> Result<Stored<Alert>, AlertError> {
    o.store.alert(id).await?.ok_or(AlertError::NotFound(id))
}

/// Whether an alert with this cause will be open once `changes` are written.
async fn open_for(o: &Orchestrator, changes: &Changes, cause: &str) -> Result<bool, StoreError> {
    let added = pending(changes).any(|alert| alert.cause == cause && alert.is_open());
    if added {
        return Ok(true);
    }
    Ok(o.store.open_alert(cause).await?.is_some_and(|alert| !touched(changes, alert.id)))
}

fn touched(changes: &Changes, id: i64) -> bool {
    pending(changes).any(|alert| alert.id == id)
}

fn pending(changes: &Changes) -> impl Iterator<Item = &Alert> {
    changes.rows.iter().filter_map(|row| match row {
        Row::Alert(alert) => Some(&alert.value),
        _ => None,
    })
}

/// When somebody has to have intervened: by the terms and calendar of the client, else of the first schedule.
async fn due(
    o: &Orchestrator,
    client: Option<&str>,
    server: Option<&str>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, StoreError> {
    let client = match client {
        Some(id) => o.store.client(id).await?.map(|client| client.value),
        None => None,
    };
    let terms = client.as_ref().and_then(|client| o.terms.get(&client.schedule)).map(AsRef::as_ref);
    let site = client.as_ref().and_then(|client| {
        client.servers.iter().find(|s| Some(s.id.as_str()) == server).or_else(|| client.servers.first())
    });
    let region = client.as_ref().and_then(|client| client.holidays.parse().ok()).unwrap_or(Region::National);
    let zone = site.map_or(PROVIDER_ZONE, |server| server.zone);
    let calendar = Calendar::new(zone, region);
    Ok(due_at(o, terms, Some(&calendar), now))
}

/// When somebody has to have intervened in what is raised at `now`: by these terms, else by those of the first
/// schedule.
pub(super) fn due_at(
    o: &Orchestrator,
    terms: Option<&Terms>,
    calendar: Option<&Calendar>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    match (terms.or_else(|| o.terms.values().next().map(AsRef::as_ref)), calendar) {
        (Some(terms), Some(calendar)) => intervention_due(terms, calendar, now),
        (None, _) | (_, None) => now + TimeDelta::minutes(WITHIN_MINUTES),
    }
}
