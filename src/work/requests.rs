//! A client asks for a major version (`major-on-request`, `major-notice`): accepted with its slot, or refused with
//! the arithmetic and the date that would do. Either way it is written down and answered by letter.
//!
//! The judgement is [`crate::decide::requests`]'s; here it is asked for, written and told.

use super::Orchestrator;
use super::planning::{PlanningError, Selection, World};
use crate::decide::notice::NoticeCount;
use crate::decide::requests::{self, Ask, Granted, New, answer};
use crate::decide::world::{self, Customer};
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::agreement::Agreement;
use crate::model::event::{EventKind, NewEvent};
use crate::model::notice::Letter;
use crate::model::request::{NotAccepted, Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, Utc};

pub use crate::decide::requests::Refusal;

/// What the client asks for.
#[derive(Clone, Debug)]
pub struct Demand {
    pub client: String,
    pub product: String,
    pub version: Version,
    /// Latest date the client wishes, site-local.
    pub before: NaiveDate,
    /// Only these servers; empty means all of the client's that run the product.
    pub servers: Vec<String>,
    /// Who asks, as [`crate::model::asker::Asker`] writes it.
    pub by: String,
}

/// The answer to what was asked for together.
#[derive(Clone, Debug)]
pub enum Answer {
    /// In the order of the demands.
    Accepted(Vec<Accepted>),
    Refused(Refusal),
}

/// A request in force.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub request: Request,
    pub slots: Vec<ServerSlot>,
    pub count: NoticeCount,
    /// By which it stands on a shorter notice.
    pub agreement: Option<Agreement>,
    /// Requests that gave way to it.
    pub superseded: Vec<i64>,
    /// Whether the same was asked for before and nothing changed.
    pub is_repeated: bool,
}

/// Where and when an accepted request is planned.
#[derive(Clone, Debug)]
pub struct ServerSlot {
    pub server: String,
    pub slot: Slot,
}

/// What a request is to become.
#[derive(Clone, Debug)]
pub struct Change {
    pub before: NaiveDate,
    /// Those it had, when absent.
    pub servers: Option<Vec<String>>,
}

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("client {client} has no server {server:?}")]
    NoServer { client: String, server: String },
    #[error("there is no request {0}")]
    NoRequest(i64),
    #[error("{0} is asked for twice")]
    Twice(String),
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
}

/// Answers a demand and records the answer with its event and letter.
pub async fn receive(o: &Orchestrator, demand: Demand) -> Result<Answer, RequestError> {
    receive_together(o, vec![demand]).await
}

/// Answers demands of one client that are made together: all are accepted, or none is.
pub async fn receive_together(o: &Orchestrator, demands: Vec<Demand>) -> Result<Answer, RequestError> {
    judge(o, demands, None).await
}

/// Asks request `id` anew with another date or other servers; the notice counts from now. A refusal leaves the old one
/// standing. `client` limits whose it may be.
pub async fn change(
    o: &Orchestrator,
    id: i64,
    client: Option<&str>,
    change: Change,
    by: String,
) -> Result<Answer, RequestError> {
    let old = find(o, id, client).await?.value;
    if old.state != RequestState::Accepted {
        return Err(NotAccepted::new(&old, "changed").into());
    }
    let demand = Demand {
        client: old.client.clone(),
        product: old.product.clone(),
        version: old.version.clone(),
        before: change.before,
        servers: change.servers.unwrap_or_else(|| old.servers.clone()),
        by,
    };
    judge(o, vec![demand], Some(old)).await
}

async fn judge(o: &Orchestrator, demands: Vec<Demand>, replaced: Option<Request>) -> Result<Answer, RequestError> {
    let now = o.clock.now();
    let world = World::load(o, &Selection::default(), now).await?;
    let Some(first) = demands.first() else { return Ok(Answer::Accepted(Vec::new())) };
    let customer =
        world::World::client(&world, &first.client).ok_or_else(|| RequestError::NoClient(first.client.clone()))?;
    let client = &customer.client;
    for (i, demand) in demands.iter().enumerate() {
        if let Some(server) = demand.servers.iter().find(|id| !client.servers.iter().any(|s| s.id == **id)) {
            return Err(RequestError::NoServer { client: client.id.clone(), server: server.clone() });
        }
        if demands[..i].iter().any(|other| other.product == demand.product) {
            return Err(RequestError::Twice(demand.product.clone()));
        }
    }
    let asks: Vec<Ask> = demands
        .iter()
        .map(|demand| Ask {
            product: demand.product.clone(),
            version: demand.version.clone(),
            before: demand.before,
            servers: demand.servers.clone(),
        })
        .collect();
    let by = first.by.clone();
    match requests::judge(&world, customer, &asks, replaced.as_ref().map(|old| old.id), now) {
        Ok(granted) => accept(o, &world, customer, granted, &by, now).await,
        Err(refusal) => {
            let before = asks.iter().find(|ask| ask.product == refusal.product).map_or(asks[0].before, |a| a.before);
            let (event, notice) = answer::refused(&client.id, &refusal, before, &by, replaced.as_ref(), now);
            let changes = Changes { events: vec![event], notices: vec![notice], ..Changes::default() };
            o.store.commit(changes).await?;
            Ok(Answer::Refused(refusal))
        }
    }
}

async fn accept(
    o: &Orchestrator,
    world: &World,
    customer: &Customer,
    granted: Vec<Granted>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Answer, RequestError> {
    let new = granted.iter().filter(|granted| matches!(granted, Granted::New(_))).count();
    let mut id = match new {
        0 => 0,
        n => o.store.allocate(Sequence::Request, u32::try_from(n).unwrap_or(u32::MAX)).await?,
    };
    let mut changes = Changes::default();
    let mut accepted = Vec::new();
    for granted in granted {
        match granted {
            Granted::Same(same) => accepted.push(Accepted {
                request: same.request,
                slots: server_slots(same.slots),
                count: same.count,
                agreement: None,
                superseded: Vec::new(),
                is_repeated: true,
            }),
            Granted::New(new) => {
                accepted.push(write_down(world, customer, new, id, by, now, &mut changes)?);
                id += 1;
            }
        }
    }
    o.store.commit(changes).await?;
    Ok(Answer::Accepted(accepted))
}

fn server_slots(slots: Vec<(String, Slot)>) -> Vec<ServerSlot> {
    slots.into_iter().map(|(server, slot)| ServerSlot { server, slot }).collect()
}

/// Adds the request, what gives way to it, and what is told of both.
fn write_down(
    world: &World,
    customer: &Customer,
    new: New,
    id: i64,
    by: &str,
    now: DateTime<Utc>,
    changes: &mut Changes,
) -> Result<Accepted, RequestError> {
    let written = answer::accepted(world, customer, &new, id, by, now)?;
    for older in written.superseded {
        let known = world.accepted_requests(&customer.client.id, &older.product).find(|r| r.id == older.id).cloned();
        let known = known.expect("what gives way is one of the accepted requests the world was made of");
        changes.rows.push(Row::Request(known.with(older)));
    }
    changes.events.extend(written.events);
    changes.notices.extend(written.notice);
    changes.rows.push(Row::Request(Stored::new(written.request.clone())));
    Ok(Accepted {
        request: written.request,
        slots: server_slots(new.slots),
        count: new.count,
        agreement: new.agreement,
        superseded: new.supersedes,
        is_repeated: false,
    })
}

async fn find(o: &Orchestrator, id: i64, client: Option<&str>) -> Result<Stored<Request>, RequestError> {
    let request = o.store.request(id).await?;
    request.filter(|r| client.is_none_or(|c| r.client == c)).ok_or(RequestError::NoRequest(id))
}

/// Withdraws request `id`; the planner then cancels what was planned for it. `client` limits whose it may be.
pub async fn cancel(o: &Orchestrator, id: i64, client: Option<&str>, by: &str) -> Result<Request, RequestError> {
    let now = o.clock.now();
    let request = find(o, id, client).await?;
    let cancelled = request.value.clone().cancel(now, by.to_owned())?;
    let event = NewEvent::new(now, &cancelled.client, EventKind::RequestCancelled, format!("request {id} cancelled"));
    let letter = Letter::RequestCancelled {
        request: id,
        product: cancelled.product.clone(),
        version: cancelled.version.clone(),
        by: by.to_owned(),
    };
    let changes = Changes {
        events: vec![event.product(&cancelled.product).request(id)],
        notices: vec![answer::notice(&cancelled.client, format!("request-cancelled/{id}"), letter, now)],
        rows: vec![Row::Request(request.with(cancelled.clone()))],
    };
    o.store.commit(changes).await?;
    Ok(cancelled)
}
