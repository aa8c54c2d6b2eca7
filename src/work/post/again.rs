//! What was given up is offered again: staff send a letter once more, when its address or its server is mended.

use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::notice::{Mailing, Notice, NoticeState};
use crate::work::Orchestrator;
use crate::work::said::{self, Unsaid};

/// Most letters that are looked through for those that went in the same mail.
const LOOKED_THROUGH: u64 = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    #[error("there is no letter {0}")]
    NoLetter(i64),
    #[error("letter {id} is {state}: only what was given up is sent again")]
    NotGivenUp { id: i64, state: &'static str },
}

/// Puts letter `id` back into the outbox, with what went in the same mail, as `by` wants; it is tried as a new one is, as the
/// same message.
pub async fn again(o: &Orchestrator, id: i64, by: &str) -> Result<Notice, AgainError> {
    let by = said::name("who sends it again", by)?;
    let now = o.clock.now();
    let known = o.store.notice_by_id(id).await?.ok_or(AgainError::NoLetter(id))?;
    let state = known.state.name();
    if !matches!(known.state, NoticeState::Undelivered { .. }) {
        return Err(AgainError::NotGivenUp { id, state });
    }
    let mut changes = Changes::default();
    let back = |notice: &Stored<Notice>| {
        let mail = notice.mail.clone().map(|mail| Mailing { begun: 0, ..mail });
        notice.with(Notice { state: NoticeState::Pending { next_at: now }, attempts: 0, mail, ..notice.value.clone() })
    };
    for notice in together(o, &known).await? {
        let text = format!("letter {} ({}) is sent again, as {by} wants", notice.id, notice.body.letter.name());
        let client = notice.body.client.as_deref().unwrap_or(PROVIDER);
        let event = NewEvent::new(now, client, EventKind::NoticeAgain, text).personal([&by]);
        changes.events.push(NewEvent {
            server: notice.body.server.clone(),
            deployment: notice.body.deployment,
            ..event
        });
        changes.rows.push(Row::Notice(back(&notice)));
    }
    o.store.commit(changes).await?;
    Ok(back(&known).value)
}

/// The letter and those that were given up with it.
async fn together(o: &Orchestrator, known: &Stored<Notice>) -> Result<Vec<Stored<Notice>>, StoreError> {
    let Some(mail) = &known.mail else { return Ok(vec![known.clone()]) };
    let all = o.store.notices(known.body.client.as_deref(), LOOKED_THROUGH).await?;
    let same = |notice: &Stored<Notice>| {
        notice.id == known.id
            || (matches!(notice.state, NoticeState::Undelivered { .. })
                && notice.mail.as_ref().is_some_and(|other| other.key == mail.key))
    };
    let mut found: Vec<Stored<Notice>> = all.into_iter().filter(same).collect();
    if !found.iter().any(|notice| notice.id == known.id) {
        found.push(known.clone());
    }
    Ok(found)
}
