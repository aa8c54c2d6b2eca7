//! Concertation (6.1.2): the client's contact agrees to a slot, chooses another, or confirms that the users are informed.
//!
//! Answered by the link in the letter, or recorded by a command. The link is signed and says which question it answers: it
//! ends with the slot's start, and with every change of the slot. Recorded once, with who and when, in one commit with
//! its event; what a chosen slot changes is planned and told as ever.

pub mod remind;

use super::Orchestrator;
use super::agreements::{self, AgreementError, Proposal};
use super::planning::{PlanningError, Selection, World};
use super::said::{self, Unsaid};
use crate::decide::civil::Moment;
use crate::decide::planner;
use crate::edge::secret::{self, NoRandomness};
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::concertation::Concertation;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::notice::Consent;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};

/// Where the links lead, after the service's own address.
pub const PATH: &str = "/concertation";

/// What the contact says of the slot that is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Agreed,
    Informed,
}

#[derive(Debug, thiserror::Error)]
pub enum ConcertationError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    #[error(transparent)]
    Secret(#[from] NoRandomness),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    #[error("there is no deployment {0}")]
    NoDeployment(i64),
    #[error("deployment {0} is unattended work at night: nobody is asked about it")]
    NotAsked(i64),
    #[error("deployment {id} is {state}: only what is still to come is agreed on")]
    Over { id: i64, state: &'static str },
    #[error("the slot of deployment {0} has changed since: the latest letter asks about the new one")]
    Superseded(i64),
    #[error("{by} said so already on {at}")]
    Already { by: String, at: DateTime<Utc> },
    #[error("that slot is not among those offered any more")]
    NotOffered,
}

/// A question as a link names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub deployment: i64,
    pub version: u32,
}

/// What the contact is asked, for a page or a command.
#[derive(Clone, Debug)]
pub struct Asked {
    pub deployment: Deployment,
    pub concertation: Concertation,
    /// Other slots that can be chosen.
    pub offered: Vec<Slot>,
}

/// The link by which `deployment`'s question is answered; `None` where nobody outside could follow it.
pub async fn link(o: &Orchestrator, deployment: i64, version: u32) -> Result<Option<String>, ConcertationError> {
    if o.config.public_url.is_none() {
        return Ok(None);
    }
    let question = Question { deployment, version };
    Ok(Some(format!("{}{PATH}/{deployment}/{version}/{}", o.base_url, signature(o, question).await?)))
}

/// Whether `given` is this question's signature.
pub async fn is_signed(o: &Orchestrator, question: Question, given: &str) -> Result<bool, ConcertationError> {
    Ok(secret::same(&signature(o, question).await?, given))
}

async fn signature(o: &Orchestrator, question: Question) -> Result<String, ConcertationError> {
    let key = o.store.key("concertation", &secret::generate()?).await?;
    Ok(secret::sign(&key, &format!("concertation/{}/{}", question.deployment, question.version)))
}

/// What is asked about `id` now; `version` where a link says which question it is.
pub async fn asked(o: &Orchestrator, id: i64, version: Option<u32>) -> Result<Asked, ConcertationError> {
    let (known, concertation) = open(o, id, version).await?;
    let world = World::load(o, &Selection::default(), o.clock.now()).await?;
    let offered = world.place(&known.server).zip(world.release(&known.product, &known.to)).map(|(place, release)| {
        let now = o.clock.now();
        crate::decide::world::World::with_facts(&world, place, now, |facts| {
            planner::offered(facts, release, known.deadline.filter(|_| known.request.is_some()), known.slot)
        })
    });
    Ok(Asked { deployment: known.value, concertation, offered: offered.unwrap_or_default() })
}

/// Records what `by` says of the slot that is planned; `recorder` is who of the staff writes it down, if anybody.
pub async fn answer(
    o: &Orchestrator,
    id: i64,
    version: Option<u32>,
    answer: Answer,
    by: &str,
    recorder: Option<&str>,
) -> Result<Deployment, ConcertationError> {
    let by = said::name("who answers", by)?;
    let now = o.clock.now();
    let (known, mut concertation) = open(o, id, version).await?;
    let place = match answer {
        Answer::Agreed => &mut concertation.agreed,
        Answer::Informed => &mut concertation.informed,
    };
    if let Some(Consent { by, at }) = place {
        return Err(ConcertationError::Already { by: by.clone(), at: *at });
    }
    *place = Some(Consent { by: by.clone(), at: now });
    let recorded = recorder.map_or_else(String::new, |staff| format!(", recorded by {staff}"));
    let (kind, what) = match answer {
        Answer::Agreed => (EventKind::Agreed, "agreed to the slot of"),
        Answer::Informed => (EventKind::UsersInformed, "confirmed that the users are informed of"),
    };
    let text = format!("{by} {what} {} {}{recorded}", known.product, known.to);
    let event = NewEvent::new(now, &known.client, kind, text)
        .about(&known)
        .personal([by])
        .personal(recorder.map(str::to_owned));
    let answered = Deployment { concertation: Some(concertation), ..known.value.clone() };
    let rows = vec![Row::Deployment(known.with(answered.clone()))];
    o.store.commit(Changes { rows, events: vec![event], notices: Vec::new() }).await?;
    Ok(answered)
}

/// Records that `by` chose another of the slots offered; planning moves the installation there and tells.
pub async fn choose(
    o: &Orchestrator,
    id: i64,
    version: Option<u32>,
    slot: Slot,
    by: &str,
) -> Result<Agreement, ConcertationError> {
    let asked = asked(o, id, version).await?;
    // Until planning has moved it there, the question stands; it is answered all the same.
    let chosen = |agreement: &Stored<Agreement>| match &agreement.agreed {
        Agreed::Slot { server, product, slot } => {
            (server, product) == (&asked.deployment.server, &asked.deployment.product)
                && *slot != asked.deployment.slot
                && asked.concertation.asked_at <= agreement.at
        }
        Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => false,
    };
    if let Some(agreement) = o.store.agreements_after(o.clock.now()).await?.iter().find(|it| chosen(it)) {
        return Err(ConcertationError::Already { by: agreement.by.clone(), at: agreement.at });
    }
    if !asked.offered.contains(&slot) {
        return Err(ConcertationError::NotOffered);
    }
    let proposal = Proposal::Slot {
        server: asked.deployment.server.clone(),
        product: asked.deployment.product.clone(),
        from: Moment::Instant(slot.start),
        to: Moment::Instant(slot.end),
    };
    Ok(agreements::record(o, proposal, by, None).await?)
}

/// The deployment and what is asked about it, while it can be answered.
async fn open(
    o: &Orchestrator,
    id: i64,
    version: Option<u32>,
) -> Result<(Stored<Deployment>, Concertation), ConcertationError> {
    let known = o.store.deployment(id).await?.ok_or(ConcertationError::NoDeployment(id))?;
    let concertation = known.concertation.clone().ok_or(ConcertationError::NotAsked(id))?;
    if version.is_some_and(|version| version != concertation.version) {
        return Err(ConcertationError::Superseded(id));
    }
    if known.state != DeploymentState::Planned {
        return Err(ConcertationError::Over { id, state: known.state.name() });
    }
    if known.slot.start <= o.clock.now() {
        return Err(ConcertationError::Over { id, state: "begun" });
    }
    Ok((known, concertation))
}
