//! A release that halted goes on (`rollout`): staff say so, by name and with a reason.
//!
//! Failures that ended before it no longer count against the release's failure budget; counting is planning's.

use super::planning::{PlanningError, Selection, World};
use super::said::{self, Unsaid};
use super::{Orchestrator, alerts, holds};
use crate::decide::reconcile;
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::hold::{HoldOn, NotHeld, Resumption};
use crate::model::release::ReleaseId;

#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no release {0}; write the product and its version as the history does")]
    NoRelease(ReleaseId),
    #[error("{release} was withdrawn by its publisher and cannot go on: {reason}")]
    Retracted { release: ReleaseId, reason: String },
    #[error("{0} goes on already: it did not halt, and nothing holds it")]
    NotHalted(ReleaseId),
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

/// What was done to let a release go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    pub resumption: Resumption,
    /// Holds on the release that were lifted.
    pub lifted: Vec<i64>,
}

/// Lets `release` go on: what failed before counts no more, holds on it are lifted, and its alert is resolved.
pub async fn resume(o: &Orchestrator, release: ReleaseId, reason: &str, by: &str) -> Result<Resumed, ResumeError> {
    let (reason, by) = (said::reason(reason)?, said::name("who resumes", by)?);
    let now = o.clock.now();
    let Some(known) = o.store.release(&release.product, &release.version).await? else {
        return Err(ResumeError::NoRelease(release));
    };
    let release = known.id();
    if let Some(retraction) = &known.retracted {
        return Err(ResumeError::Retracted { release, reason: retraction.reason.clone() });
    }
    let on = HoldOn::Release { product: release.product.clone(), version: release.version.clone() };
    let held: Vec<_> = o.store.holds(Some(now)).await?.into_iter().filter(|hold| hold.on == on).collect();
    let cause = format!("{}{release}", reconcile::HALTED);
    if held.is_empty() && o.store.open_alert(&cause).await?.is_none() && !has_halted(o, &release).await? {
        return Err(ResumeError::NotHalted(release));
    }
    let id = o.store.allocate(Sequence::Resumption, 1).await?;
    let resumption = Resumption { id, release: release.clone(), at: now, by: by.clone(), reason: reason.clone() };
    let mut changes = Changes::default();
    let text = format!("{release} goes on, by {by}: {reason}");
    let event = NewEvent::new(now, PROVIDER, EventKind::ReleaseResumed, text).product(&release.product);
    changes.events.push(event);
    for hold in &held {
        holds::add_lifted(&mut changes, hold, now, &by)?;
    }
    alerts::resolve_cause(o, &mut changes, &cause, &format!("resumed by {by}: {reason}")).await?;
    // All of it tells what they said.
    changes.events = changes.events.into_iter().map(|event| event.personal([&by, &reason])).collect();
    changes.rows.push(Row::Resumption(Stored::new(resumption.clone())));
    o.store.commit(changes).await?;
    Ok(Resumed { resumption, lifted: held.iter().map(|hold| hold.id).collect() })
}

/// Whether failures stop the release anywhere, although no planning has said so yet.
async fn has_halted(o: &Orchestrator, release: &ReleaseId) -> Result<bool, PlanningError> {
    let world = World::load(o, &Selection::default(), o.clock.now()).await?;
    let progress = world.rollout().get(&release.product, &release.version);
    let over_budget = world.customers().iter().any(|c| progress.halt(&c.terms.schedule.rollout).is_some());
    Ok(progress.canaries_failed > 0 || over_budget)
}
