//! The outbox: leases what is due, writes it as a letter, sends it, records what became of it.
//!
//! Nothing is sent inside a transaction. Whoever is killed between sending and recording sends again when the lease
//! lapses, as the same message (Message-ID, file name). A letter is counted as tried only by an attempt that was
//! recorded. What is given up stays in the outbox as undelivered, with an event and an alert.

use super::{Orchestrator, alerts};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::{self, Desk, LetterError, Reader};
use crate::decide::retry::{self, Next, Patience};
use crate::edge::mail::{Outgoing, Person, Receipt, SendError, parse_mailbox};
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::fleet::Language;
use crate::model::notice::{Letter, NewNotice, Notice, NoticeState};
use chrono::TimeDelta;

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

/// Sends what is due.
pub async fn run(o: &Orchestrator) -> Result<Report, PostError> {
    let mut report = Report::default();
    for _ in 0..BATCHES_MAX {
        let now = o.clock.now();
        let lease_until = now + TimeDelta::minutes(LEASE_MINUTES);
        let mut leased = o.store.lease_notices(now, lease_until, BATCH).await?.into_iter();
        if leased.len() == 0 {
            break;
        }
        while let Some(notice) = leased.next() {
            let outcome = deliver(o, &notice).await;
            let down = matches!(outcome, Err(Failure::Down(_)));
            record(o, &notice, outcome, &mut report).await?;
            if down {
                // One attempt has told us; the others wait without being counted as tried.
                give_back(o, leased.collect()).await?;
                return Ok(report);
            }
            if lease_until - TimeDelta::minutes(LEASE_MARGIN_MINUTES) <= o.clock.now() {
                give_back(o, leased.collect()).await?;
                break;
            }
        }
    }
    Ok(report)
}

async fn deliver(o: &Orchestrator, notice: &Notice) -> Result<Receipt, Failure> {
    let letter = write(o, notice).await?;
    o.mailer.send(&letter).await.map_err(|error| match error {
        SendError::Refused(why) => Failure::Permanent(why),
        SendError::Deferred(why) => Failure::Temporary(why),
        SendError::Unavailable(why) => Failure::Down(why),
    })
}

/// The letter with its envelope.
async fn write(o: &Orchestrator, notice: &Notice) -> Result<Outgoing, Failure> {
    let body = &notice.body;
    let (to, language) = match (&body.letter, &body.client) {
        (Letter::Alert { class, level, .. }, _) => (staff(o, *class, *level), Language::En),
        (_, Some(id)) => {
            let client = o.store.client(id).await.map_err(|error| Failure::Temporary(error.to_string()))?;
            let client =
                client.ok_or_else(|| Failure::Permanent(format!("client {id} is not in the fleet any more")))?;
            let person =
                |c: &crate::model::fleet::Contact| Person { name: Some(c.name.clone()), email: c.email.clone() };
            (client.contacts.iter().map(person).collect(), client.language)
        }
        (_, None) => (staff(o, AlertClass::Applications, 0), Language::En),
    };
    let desk = Desk {
        provider: o.staff.signature.clone(),
        email: parse_mailbox(&o.staff.iah).map_or_else(|_| o.staff.iah.clone(), |it| it.email.to_string()),
        phone: o.staff.phone.clone(),
        zone: PROVIDER_ZONE,
    };
    let reader = Reader { name: to.first().and_then(|person: &Person| person.name.clone()), language };
    let rendered = letters::render(&body.letter, &reader, &desk)
        .map_err(|error: LetterError| Failure::Permanent(format!("{error}: {}", error.source)))?;
    Ok(Outgoing {
        key: body.key.clone(),
        at: body.at,
        thread: thread(body),
        slug: format!("{}-{}-{}", body.letter.name(), body.client.as_deref().unwrap_or("staff"), notice.id),
        to,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
    })
}

/// Who is told of an alert at a level: whoever that level names, and the desk. Beyond the last level, its people again.
fn staff(o: &Orchestrator, class: AlertClass, level: u8) -> Vec<Person> {
    let desk = match class {
        AlertClass::Applications => &o.staff.iah,
        AlertClass::Systems => &o.staff.noc,
    };
    let levels = &o.staff.levels;
    let told = match level {
        0 => None,
        _ => levels.get(usize::from(level) - 1).or(levels.last()),
    };
    told.into_iter().chain([desk]).map(|email| Person { name: None, email: email.clone() }).collect()
}

/// What letters of one conversation share.
fn thread(body: &NewNotice) -> Option<String> {
    match (&body.letter, body.deployment) {
        (Letter::Alert { alert, .. }, _) => Some(format!("alert/{alert}")),
        (Letter::MajorRequested { request, .. } | Letter::RequestCancelled { request, .. }, None) => {
            Some(format!("request/{request}"))
        }
        (_, Some(deployment)) => Some(format!("deployment/{deployment}")),
        (_, None) => None,
    }
}

/// Writes down what became of an attempt.
async fn record(
    o: &Orchestrator,
    notice: &Stored<Notice>,
    outcome: Result<Receipt, Failure>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = o.clock.now();
    let attempts = notice.attempts + 1;
    let (id, kind) = (notice.id, notice.body.letter.name());
    let mut changes = Changes::default();
    let state = match outcome {
        Ok(receipt) => {
            tracing::info!(notice.id = id, attempt = attempts, message_id = receipt.message_id, "{kind} sent");
            report.sent += 1;
            let text = format!("letter {id} ({kind}) sent at attempt {attempts}");
            changes.events.push(event(&notice.body, now, EventKind::NoticeSent, text));
            if !receipt.refused.is_empty() {
                let text = format!("letter {id} ({kind}) was not taken for: {}", receipt.refused.join("; "));
                alerts::raise(o, &mut changes, trouble(&notice.body, "refused-recipient", text)).await?;
            }
            NoticeState::Sent { at: now }
        }
        Err(failure) => {
            let patience = match notice.body.letter {
                Letter::Alert { .. } => Patience::Alert,
                _ => Patience::Letter,
            };
            let (error, next) = match failure {
                Failure::Permanent(error) => (error, Next::GiveUp),
                Failure::Temporary(error) | Failure::Down(error) => {
                    (error, retry::after_failure(patience, attempts, notice.body.at, now))
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
                    let text = format!("letter {id} ({kind}) undelivered after attempt {attempts}: {error}");
                    changes.events.push(event(&notice.body, now, EventKind::NoticeUndelivered, text.clone()));
                    alerts::raise(o, &mut changes, trouble(&notice.body, "undelivered", text)).await?;
                    NoticeState::Undelivered { at: now, error }
                }
            }
        }
    };
    changes.rows.push(Row::Notice(notice.with(Notice { state, attempts, ..notice.value.clone() })));
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

fn event(body: &NewNotice, now: chrono::DateTime<chrono::Utc>, kind: EventKind, text: String) -> NewEvent {
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
