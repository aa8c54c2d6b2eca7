//! Legal dates: clients who have not asked for what the law will require are reminded, once for each of the contract's
//! days; after the date staff are told once who never asked.
//!
//! Level-triggered: a reminder that a night without service missed is sent by the next activation. The letter and its
//! event are one commit, and a letter of the same key is a conflict, so that two replicas write one.

use super::planning::{PlanningError, Selection, World};
use super::{Orchestrator, alerts};
use crate::decide::reminders::{self, Missed, Reminder};
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent};
use crate::model::notice::{Letter, NewNotice, Notice, NoticeState};
use chrono::{DateTime, Utc};

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Clients reminded.
    pub reminded: usize,
    /// Legal dates that staff were told have passed.
    pub missed: usize,
}

/// Looks once.
pub async fn run(o: &Orchestrator) -> Result<Report, PlanningError> {
    let now = o.clock.now();
    let mut report = Report::default();
    if !o.store.releases().await?.iter().any(|release| reminders::is_watched(release, now)) {
        return Ok(report);
    }
    let mut world = World::load(o, &Selection::default(), now).await?;
    with_done_requests(o, &mut world).await?;
    for reminder in reminders::due(&world, now) {
        report.reminded += usize::from(remind(o, reminder, now).await?);
    }
    for missed in reminders::missed(&world, now) {
        report.missed += usize::from(tell_staff(o, missed).await?);
    }
    Ok(report)
}

/// Planning looks only at requests that wait to be carried out; whoever asked and was served has asked too.
async fn with_done_requests(o: &Orchestrator, world: &mut World) -> Result<(), StoreError> {
    let done = o.store.done_requests().await?.into_iter().map(|request| request.value);
    for request in done {
        if let Some(customer) = world.client_mut(&request.client) {
            customer.requests.push(request);
        }
    }
    Ok(())
}

/// Writes a reminder that was not written before.
async fn remind(o: &Orchestrator, reminder: Reminder, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let Reminder { client, release, legal_date, days_before, request_by, servers } = reminder;
    let key = format!("legal/{client}/{}/{days_before}", release.id());
    if o.store.has_notice(&key).await? {
        return Ok(false);
    }
    let by = request_by.map_or_else(
        || "it cannot be requested in time any more".to_owned(),
        |day| format!("to be requested by {day}"),
    );
    let text = format!(
        "reminded, {days_before} days or less before the legal date {legal_date}, that {} is not requested for {}; {by}",
        release.id(),
        servers.join(", ")
    );
    let event = NewEvent::new(now, &client, EventKind::LegalReminder, text).product(release.product());
    let letter = Letter::LegalReminder {
        product: release.product().to_owned(),
        version: release.version().clone(),
        manifest: release.signed.manifest.clone(),
        legal_date,
        request_by,
    };
    let body = NewNotice { key, at: now, client: Some(client), server: None, deployment: None, letter };
    let id = o.store.allocate(Sequence::Notice, 1).await?;
    let notice = Notice { id, body, state: NoticeState::Pending { next_at: now }, attempts: 0, mail: None };
    let rows = vec![Row::Notice(Stored::new(notice))];
    commit(o, Changes { rows, events: vec![event], notices: Vec::new() }).await
}

/// One alert for each release, however long it stays true and whoever resolved it.
async fn tell_staff(o: &Orchestrator, missed: Missed) -> Result<bool, StoreError> {
    let Missed { release, legal_date, clients } = missed;
    let id = release.id();
    let cause = format!("legal-date/{id}");
    if o.store.was_raised(&cause).await? {
        return Ok(false);
    }
    let who: Vec<String> =
        clients.iter().map(|(client, servers)| format!("{client} ({})", servers.join(", "))).collect();
    let alert = NewAlert {
        cause,
        class: AlertClass::Applications,
        client: None,
        server: None,
        product: Some(id.product.clone()),
        deployment: None,
        title: format!("the legal date of {id} has passed: {} client(s) never requested it", clients.len()),
        text: format!("major-on-request: the legal date was {legal_date}; never requested by {}", who.join(", ")),
    };
    let mut changes = Changes::default();
    alerts::raise(o, &mut changes, alert).await?;
    commit(o, changes).await
}

/// Commits; `false` when somebody else was faster.
async fn commit(o: &Orchestrator, changes: Changes) -> Result<bool, StoreError> {
    match o.store.commit(changes).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { what }) => {
            tracing::debug!(what, "another activation was faster");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
