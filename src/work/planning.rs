//! The planning job: load the world, decide for every server, commit what changed.
//!
//! Level-triggered: it takes no input, and running it twice changes nothing. A server whose rows somebody else
//! changed meanwhile is left for the next activation.

mod reconcile;
mod world;

pub use world::{Selection, World};

use super::Orchestrator;
use crate::decide::planner;
use crate::edge::store::StoreError;
use crate::model::decision::Decision;
use chrono::{DateTime, Utc};

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub servers: usize,
    /// Servers for which something was written.
    pub changed: usize,
    /// Servers left for the next activation because their rows changed meanwhile.
    pub conflicts: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("client {client} names schedule {schedule:?}, which is not in the schedules folder")]
    NoSchedule { client: String, schedule: String },
    #[error("client {client}: {source}")]
    Region { client: String, source: crate::decide::calendar::UnknownRegion },
    #[error("deployment transition refused: {0}")]
    Transition(#[from] crate::model::deployment::BadTransition),
}

/// Plans every server once.
pub async fn run(o: &Orchestrator) -> Result<Report, PlanningError> {
    let now = o.clock.now();
    let world = World::load(o, &Selection::default()).await?;
    let mut report = Report::default();
    expire_requests(o, &world, now).await?;
    for (client, server) in world.servers() {
        report.servers += 1;
        let decisions = world.decide(client, server, now);
        let changes = reconcile::changes(o, &world, client, server, &decisions, now).await?;
        if changes.is_empty() {
            continue;
        }
        match o.store.commit(changes).await {
            Ok(()) => report.changed += 1,
            Err(StoreError::Conflict { what }) => {
                tracing::debug!(server.id = %server.id, what, "left for the next activation");
                report.conflicts += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

/// What would be decided at `at` (now when `None`), for the servers of `selection`. Changes nothing.
pub async fn preview(
    o: &Orchestrator,
    at: Option<DateTime<Utc>>,
    selection: &Selection,
) -> Result<Vec<Decision>, PlanningError> {
    let world = World::load(o, selection).await?;
    let now = at.unwrap_or_else(|| o.clock.now());
    Ok(world.servers().flat_map(|(client, server)| world.decide(client, server, now)).collect())
}

/// An accepted request whose date has passed without its installation is over, and staff are told.
async fn expire_requests(o: &Orchestrator, world: &World, now: DateTime<Utc>) -> Result<(), PlanningError> {
    for request in world.overdue_requests(now) {
        let changes = reconcile::expire(o, request, now).await?;
        match o.store.commit(changes).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The planner's facts need names that live in `decide`; this keeps the import in one place.
pub(super) type Catalog = planner::Catalog;
