//! The outbox: leases what is due, puts together what goes in one mail, sends it, records what became of it.
//!
//! Nothing is sent inside a transaction. What a mail is made of is written down before it is sent: whoever is killed
//! between sending and recording sends again when the lease lapses, as the same message (Message-ID, date, file name),
//! marked as a repeat. A letter is counted as tried only by an attempt that was recorded. What is given up stays in the
//! outbox as undelivered, with an event and an alert.

pub mod again;
mod write;

pub(super) use write::{desk, file};

use super::{Orchestrator, alerts};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::gather::{self, Habits, Sorted};
use crate::decide::retry::{self, Next, Patience};
use crate::decide::terms::Terms;
use crate::edge::mail::{Receipt, SendError};
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::fleet::Client;
use crate::model::notice::{Letter, Mailing, NewNotice, Notice, NoticeState};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Letters leased at once.
const BATCH: u64 = 50;
/// Most batches of one activation; the next one goes on.
const BATCHES_MAX: usize = 200;
/// How long leased letters are ours, in minutes.
const LEASE_MINUTES: i64 = 15;
/// Time before the end of a lease from which no further letter of it is begun, in minutes.
const LEASE_MARGIN_MINUTES: i64 = 5;

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub sent: usize,
    /// To be tried again.
    pub deferred: usize,
    /// Given up.
    pub undelivered: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a letter did not leave.
enum Failure {
    /// It never will.
    Permanent(String),
    /// It may later.
    Temporary(String),
    /// Nothing leaves at present.
    Down(String),
}

/// Notices that go in one mail, in the order in which they were written; never empty.
struct Parcel {
    notices: Vec<Stored<Notice>>,
    mail: Mailing,
}

impl Parcel {
    fn first(&self) -> &Notice {
        &self.notices.first().expect("a parcel is made of its first notice").value
    }

    /// Whether it was begun before and nobody knows what became of it.
    fn is_repeat(&self) -> bool {
        self.first().attempts + 1 < self.mail.begun
    }
}

/// Sends what is due.
pub async fn run(o: &Orchestrator) -> Result<Report, PostError> {
    let mut report = Report::default();
    for _ in 0..BATCHES_MAX {
        let now = o.clock.now();
        let lease_until = now + TimeDelta::minutes(LEASE_MINUTES);
        let leased = o.store.lease_notices(now, lease_until, BATCH).await?;
        if leased.is_empty() {
            break;
        }
        let mut parcels = put_together(o, leased, now).await?.into_iter();
        while let Some(notices) = parcels.next() {
            let Some(parcel) = begin(o, notices).await? else { continue };
            let outcome = deliver(o, &parcel).await;
            let down = matches!(outcome, Err(Failure::Down(_)));
            record(o, parcel, outcome, &mut report).await?;
            if down {
                // One attempt has told us; the others wait without being counted as tried.
                give_back(o, parcels.flatten().collect()).await?;
                return Ok(report);
            }
            if lease_until - TimeDelta::minutes(LEASE_MARGIN_MINUTES) <= o.clock.now() {
                give_back(o, parcels.flatten().collect()).await?;
                break;
            }
        }
    }
    Ok(report)
}

/// Parts what goes now, mail by mail, from what waits; the latter is written down as waiting.
async fn put_together(
    o: &Orchestrator,
    leased: Vec<Stored<Notice>>,
    now: DateTime<Utc>,
) -> Result<Vec<Vec<Stored<Notice>>>, StoreError> {
    let mut of_clients: BTreeMap<Option<String>, Vec<Stored<Notice>>> = BTreeMap::new();
    for notice in leased {
        of_clients.entry(notice.body.client.clone()).or_default().push(notice);
    }
    let mut mails = Vec::new();
    for (client, notices) in of_clients {
        let client = match &client {
            Some(id) => o.store.client(id).await?.map(|found| found.value),
            None => None,
        };
        let Sorted { mails: together, waiting } = sort(o, client.as_ref(), &notices, now);
        let mut notices: Vec<Option<Stored<Notice>>> = notices.into_iter().map(Some).collect();
        for (place, until) in waiting {
            let Some(notice) = notices[place].take() else { continue };
            let id = notice.id;
            let waits = Notice { state: NoticeState::Waiting { until }, ..notice.value.clone() };
            settle(o, Changes { rows: vec![Row::Notice(notice.with(waits))], ..Changes::default() }, id).await?;
        }
        mails.extend(together.into_iter().map(|places| -> Vec<Stored<Notice>> {
            places.into_iter().filter_map(|place| notices[place].take()).collect()
        }));
    }
    // In the order in which the first of each was written, whosever it is.
    mails.sort_by_key(|mail: &Vec<Stored<Notice>>| mail.first().map(|notice| notice.id));
    Ok(mails)
}

/// A client whose contract or calendar is not known has no habits: each letter goes at once.
fn sort(o: &Orchestrator, client: Option<&Client>, notices: &[Stored<Notice>], now: DateTime<Utc>) -> Sorted {
    let terms: Option<&Terms> = client.and_then(|client| o.terms.get(&client.schedule)).map(AsRef::as_ref);
    let region: Option<Region> = client.and_then(|client| client.holidays.parse().ok());
    let quiet = |at, zone| {
        let window = terms?.quiet_window()?;
        window.slot_at(&Calendar::new(zone, region?), at)
    };
    let minutes = terms.map_or(0, |terms| terms.schedule.letters.gather_minutes);
    let home = client.and_then(|client| client.servers.first()).map_or(PROVIDER_ZONE, |server| server.zone);
    let habits = Habits { gather: TimeDelta::minutes(minutes.into()), quiet: &quiet, home };
    gather::sort(&notices.iter().map(|notice| &notice.value).collect::<Vec<_>>(), &habits, now)
}

/// Writes down that these go in one mail now; `None` when somebody else has them.
async fn begin(o: &Orchestrator, notices: Vec<Stored<Notice>>) -> Result<Option<Parcel>, StoreError> {
    let Some(first) = notices.first() else { return Ok(None) };
    let mail = match &first.mail {
        Some(mail) => Mailing { begun: mail.begun + 1, ..mail.clone() },
        None => {
            let together = if notices.len() > 1 { "together/" } else { "" };
            Mailing { key: format!("{together}{}", first.body.key), at: o.clock.now(), begun: 1 }
        }
    };
    let id = first.id;
    let begun: Vec<Stored<Notice>> =
        notices.iter().map(|n| n.with(Notice { mail: Some(mail.clone()), ..n.value.clone() })).collect();
    let rows = begun.iter().cloned().map(Row::Notice).collect();
    match o.store.commit(Changes { rows, ..Changes::default() }).await {
        // As they lie in their table from now on.
        Ok(()) => {
            let notices = begun.into_iter().map(|n| Stored { rev: n.rev + 1, value: n.value }).collect();
            Ok(Some(Parcel { notices, mail }))
        }
        Err(StoreError::Conflict { .. }) => {
            tracing::warn!(notice.id = id, "another activation has this letter");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn deliver(o: &Orchestrator, parcel: &Parcel) -> Result<Receipt, Failure> {
    let letter = write::write(o, parcel).await?;
    o.mailer.send(&letter).await.map_err(|error| match error {
        SendError::Refused(why) => Failure::Permanent(why),
        SendError::Deferred(why) => Failure::Temporary(why),
        SendError::Unavailable(why) => Failure::Down(why),
    })
}

/// Writes down what became of an attempt, for all that went in the mail at once.
async fn record(
    o: &Orchestrator,
    parcel: Parcel,
    outcome: Result<Receipt, Failure>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = o.clock.now();
    let first = parcel.first();
    let (id, attempts) = (first.id, first.attempts + 1);
    let count = parcel.notices.len();
    let name = |notice: &Notice| format!("letter {} ({})", notice.id, notice.body.letter.name());
    let mut changes = Changes::default();
    let state = match outcome {
        Ok(receipt) => {
            let kind = first.body.letter.name();
            tracing::info!(
                notice.id = id,
                attempt = attempts,
                letters = count,
                message_id = receipt.message_id,
                "{kind} sent"
            );
            report.sent += 1;
            let again = if parcel.is_repeat() { "; it may have been sent before, which was not recorded" } else { "" };
            let with = if count > 1 { format!(", in one mail of {count} letters") } else { String::new() };
            for notice in &parcel.notices {
                let text = format!("{} sent at attempt {attempts}{with}{again}", name(notice));
                changes.events.push(event(&notice.body, now, EventKind::NoticeSent, text));
            }
            if !receipt.refused.is_empty() {
                let text = format!("{} was not taken for: {}", name(first), receipt.refused.join("; "));
                alerts::raise(o, &mut changes, trouble(&first.body, "refused-recipient", text)).await?;
            }
            NoticeState::Sent { at: now }
        }
        Err(failure) => {
            let patience = match first.body.letter {
                Letter::Alert { .. } => Patience::Alert,
                _ => Patience::Letter,
            };
            let kind = first.body.letter.name();
            let (error, next) = match failure {
                Failure::Permanent(error) => (error, Next::GiveUp),
                Failure::Temporary(error) | Failure::Down(error) => {
                    (error, retry::after_failure(patience, attempts, first.body.at, now))
                }
            };
            match next {
                Next::TryAt(next_at) => {
                    tracing::warn!(notice.id = id, attempt = attempts, error, "{kind} did not leave, is tried again");
                    report.deferred += 1;
                    NoticeState::Pending { next_at }
                }
                Next::GiveUp => {
                    tracing::error!(
                        notice.id = id,
                        attempt = attempts,
                        error,
                        rule = "three-attempts",
                        "{kind} given up"
                    );
                    report.undelivered += 1;
                    for notice in &parcel.notices {
                        let text = format!("{} undelivered after attempt {attempts}: {error}", name(notice));
                        changes.events.push(event(&notice.body, now, EventKind::NoticeUndelivered, text));
                    }
                    let text = format!("{} undelivered after attempt {attempts}: {error}", name(first));
                    alerts::raise(o, &mut changes, trouble(&first.body, "undelivered", text)).await?;
                    NoticeState::Undelivered { at: now, error }
                }
            }
        }
    };
    changes.rows.extend(
        parcel
            .notices
            .iter()
            .map(|n| Row::Notice(n.with(Notice { state: state.clone(), attempts, ..n.value.clone() }))),
    );
    settle(o, changes, id).await
}

/// Hands leased letters back untried.
async fn give_back(o: &Orchestrator, leased: Vec<Stored<Notice>>) -> Result<(), StoreError> {
    for notice in leased {
        let id = notice.id;
        // Due when the attempt that told us is tried again, or so: the queue keeps its order.
        let next_at = o.clock.now() + TimeDelta::minutes(1);
        let rows =
            vec![Row::Notice(notice.with(Notice { state: NoticeState::Pending { next_at }, ..notice.value.clone() }))];
        settle(o, Changes { rows, ..Changes::default() }, id).await?;
    }
    Ok(())
}

async fn settle(o: &Orchestrator, changes: Changes, id: i64) -> Result<(), StoreError> {
    match o.store.commit(changes).await {
        // Our lease had lapsed and somebody else sent it, as the same message.
        Err(StoreError::Conflict { .. }) => {
            tracing::warn!(notice.id = id, "another activation has this letter");
            Ok(())
        }
        result => result,
    }
}

fn event(body: &NewNotice, now: DateTime<Utc>, kind: EventKind, text: String) -> NewEvent {
    NewEvent {
        server: body.server.clone(),
        deployment: body.deployment,
        ..NewEvent::new(now, body.client.as_deref().unwrap_or(PROVIDER), kind, text)
    }
}

/// One alert for each client whose letters have this trouble, one for those to staff: an alert about an alert that
/// could not be sent cannot be sent either, and must not breed.
fn trouble(body: &NewNotice, word: &str, text: String) -> NewAlert {
    let whom = body.client.as_deref().unwrap_or("staff");
    NewAlert {
        cause: format!("{word}/{whom}"),
        class: AlertClass::Systems,
        client: body.client.clone(),
        server: body.server.clone(),
        product: None,
        deployment: body.deployment,
        title: format!("mail to {whom} does not arrive ({word})"),
        text,
    }
}
