//! The planning job: load the world, decide for every server, commit what changed.
//!
//! Level-triggered: it takes no input, and running it twice changes nothing. A server whose rows somebody else
//! changed meanwhile is left for the next activation.

mod world;
mod write;

pub use world::{Selection, World};

use super::{Orchestrator, alerts};
use crate::decide::reconcile;
use crate::decide::rounds;
use crate::decide::world::WorldError;
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::decision::Decision;
use crate::model::event::{EventKind, NewEvent};
use crate::model::request::{Request, RequestState};
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
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("deployment transition refused: {0}")]
    Transition(#[from] crate::model::deployment::BadTransition),
}

/// Plans every server once.
pub async fn run(o: &Orchestrator) -> Result<Report, PlanningError> {
    let now = o.clock.now();
    let mut world = World::load(o, &Selection::default(), now).await?;
    expire_requests(o, &world, now).await?;
    let differing = weigh(&mut world, now);
    let mut report = Report { servers: world.places().len(), ..Report::default() };
    write::commit(o, &world, &differing, now, &mut report).await?;
    write::resume_alerts(o, &world).await?;
    Ok(report)
}

/// The servers whose decisions differ from what is written, with those decisions.
///
/// What is decided for one server is promised before the next is looked at: what they share is never promised twice.
fn weigh(world: &mut World, now: DateTime<Utc>) -> Vec<(usize, Vec<Decision>)> {
    let places = world.places();
    let decided = rounds::plan(world, places, now, |world, place, facts, verdicts| {
        reconcile::differing(verdicts, facts, world.site(place))
    });
    decided.into_iter().filter_map(|(place, decisions)| Some((place, decisions?))).collect()
}

/// What would be decided at `at` (now when `None`), for the servers of `selection`. Changes nothing.
pub async fn preview(
    o: &Orchestrator,
    at: Option<DateTime<Utc>>,
    selection: &Selection,
) -> Result<Vec<Decision>, PlanningError> {
    let now = at.unwrap_or_else(|| o.clock.now());
    let mut world = World::load(o, selection, now).await?;
    let selected: Vec<usize> = world.selected().collect();
    let decided = rounds::plan(&mut world, selected, now, |_, _, facts, verdicts| verdicts.decisions(facts));
    Ok(decided.into_iter().flat_map(|(_, decisions)| decisions).collect())
}

/// An accepted request whose date has passed without its installation is over, and staff are told.
async fn expire_requests(o: &Orchestrator, world: &World, now: DateTime<Utc>) -> Result<(), PlanningError> {
    for overdue in world.overdue_requests(now) {
        let Some(request) = world.requests.iter().find(|r| r.id == overdue.id) else { continue };
        match o.store.commit(expire(o, request, now).await?).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Ends a request whose date has passed.
async fn expire(o: &Orchestrator, request: &Stored<Request>, now: DateTime<Utc>) -> Result<Changes, PlanningError> {
    let mut changes = Changes::default();
    let text = format!(
        "request {} for {} {} was not carried out by {}",
        request.id, request.product, request.version, request.before
    );
    let event = NewEvent::new(now, &request.client, EventKind::RequestExpired, text.clone());
    changes.events.push(event.product(&request.product).request(request.id));
    let alert = NewAlert {
        cause: format!("request-expired/{}", request.id),
        class: AlertClass::Applications,
        client: Some(request.client.clone()),
        server: None,
        product: Some(request.product.clone()),
        deployment: None,
        title: format!("request {} expired: {} {}", request.id, request.product, request.version),
        text,
    };
    alerts::raise(o, &mut changes, alert).await?;
    let expired = Request { state: RequestState::Expired { at: now }, ..request.value.clone() };
    changes.rows.push(Row::Request(request.with(expired)));
    Ok(changes)
}
