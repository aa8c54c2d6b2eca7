//! Holds: staff stop installations on a server, for a client, or of a release. Lifted by name, or over by themselves.
//!
//! What a hold changes is the planner's business, which tells the client where a promised slot falls away.

use super::Orchestrator;
use super::said::{self, Unsaid};
use crate::decide::civil::{Moment, PROVIDER_ZONE};
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::hold::{Hold, HoldOn, NotHeld};
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// What is to be held, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Server(String),
    Client(String),
    Release {
        product: String,
        version: String,
    },
    /// A server's id, a client's, or a product and its version.
    Named(String),
}

#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no server {0:?}")]
    NoServer(String),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("there is no release {0:?}; write the product and its version as the history does: isacompta 14.20.003")]
    NoRelease(String),
    #[error("{0:?} is no server, no client and no release; a release is written with its version: isacompta 14.20.003")]
    Unknown(String),
    #[error("{0:?} is a server and a client: say which, `server {0}` or `client {0}`")]
    Ambiguous(String),
    #[error("{0} was withdrawn by its publisher: it is not planned anyway")]
    Retracted(String),
    #[error("the hold would be over on {0}: hold until a time to come")]
    Over(String),
    #[error("there is no hold {0}; list them with their ids first")]
    NoHold(i64),
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

/// Holds `target` until a moment at its site, or until somebody lifts it. The same hold again changes nothing.
///
/// A time is on the clock of the server's site, of the client's site that reaches it last, and for a release of Paris;
/// a day is held to its end.
pub async fn place(
    o: &Orchestrator,
    target: &Target,
    until: Option<Moment>,
    reason: &str,
    by: &str,
) -> Result<Hold, HoldError> {
    let (reason, by) = (said::reason(reason)?, said::name("who holds", by)?);
    let now = o.clock.now();
    let (on, zones) = resolve(o, target).await?;
    let ends = |zone: &Tz| until.map(|until| until.end(*zone));
    let until = zones.iter().filter_map(ends).max();
    let zone = zones.first().copied().unwrap_or(PROVIDER_ZONE);
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(HoldError::Over(told(until, zone)));
    }
    let known = o.store.holds(Some(now)).await?;
    let same = |hold: &&Stored<Hold>| hold.on == on && hold.until == until && hold.reason == reason && hold.by == by;
    if let Some(same) = known.iter().find(same) {
        return Ok(same.value.clone());
    }
    let id = o.store.allocate(Sequence::Hold, 1).await?;
    let hold = Hold { id, on, until, reason, by, at: now, lifted: None };
    let end = until.map_or_else(|| "until it is lifted".to_owned(), |until| format!("until {}", told(until, zone)));
    let text = format!("hold {id} on {} by {} {end}: {}", hold.on, hold.by, hold.reason);
    let events = vec![event(&hold, now, EventKind::HoldPlaced, text)];
    let rows = vec![Row::Hold(Stored::new(hold.clone()))];
    o.store.commit(Changes { rows, events, notices: Vec::new() }).await?;
    Ok(hold)
}

/// Ends hold `id` before its time.
pub async fn lift(o: &Orchestrator, id: i64, by: &str) -> Result<Hold, HoldError> {
    let by = said::name("who lifts", by)?;
    let known = o.store.hold(id).await?.ok_or(HoldError::NoHold(id))?;
    let mut changes = Changes::default();
    let lifted = add_lifted(&mut changes, &known, o.clock.now(), &by)?;
    o.store.commit(changes).await?;
    Ok(lifted)
}

/// Adds the end of a hold that still holds, with its event.
pub(super) fn add_lifted(
    changes: &mut Changes,
    known: &Stored<Hold>,
    now: DateTime<Utc>,
    by: &str,
) -> Result<Hold, NotHeld> {
    let lifted = known.value.clone().lift(now, by.to_owned())?;
    let text = format!("hold {} on {} lifted by {by}", lifted.id, lifted.on);
    changes.events.push(event(&lifted, now, EventKind::HoldLifted, text));
    changes.rows.push(Row::Hold(known.with(lifted.clone())));
    Ok(lifted)
}

/// An event in the chain of the client that is held; of a release, in the provider's.
fn event(hold: &Hold, now: DateTime<Utc>, kind: EventKind, text: String) -> NewEvent {
    let event = match &hold.on {
        HoldOn::Server { client, server } => NewEvent::new(now, client, kind, text).server(server),
        HoldOn::Client { client } => NewEvent::new(now, client, kind, text),
        HoldOn::Release { product, .. } => NewEvent::new(now, PROVIDER, kind, text).product(product),
    };
    event.personal([&hold.by, &hold.reason]).personal(hold.lifted.iter().map(|lifted| &lifted.by))
}

/// What is meant, and the zones it is in.
async fn resolve(o: &Orchestrator, target: &Target) -> Result<(HoldOn, Vec<Tz>), HoldError> {
    match target {
        Target::Server(id) => server(o, id).await?.ok_or_else(|| HoldError::NoServer(id.clone())),
        Target::Client(id) => client(o, id).await?.ok_or_else(|| HoldError::NoClient(id.clone())),
        Target::Release { product, version } => {
            let name = format!("{product} {version}");
            release(o, product, version).await?.ok_or(HoldError::NoRelease(name))
        }
        Target::Named(name) => {
            let name = name.trim();
            if let Some((product, version)) = name.split_once(' ') {
                let found = release(o, product, version.trim()).await?;
                return found.ok_or_else(|| HoldError::NoRelease(name.to_owned()));
            }
            match (server(o, name).await?, client(o, name).await?) {
                (Some(_), Some(_)) => Err(HoldError::Ambiguous(name.to_owned())),
                (Some(found), None) | (None, Some(found)) => Ok(found),
                (None, None) => Err(HoldError::Unknown(name.to_owned())),
            }
        }
    }
}

type Found = Result<Option<(HoldOn, Vec<Tz>)>, HoldError>;

async fn server(o: &Orchestrator, id: &str) -> Found {
    let Some(client) = o.store.client_of_server(id).await? else { return Ok(None) };
    let zones = client.servers.iter().filter(|server| server.id == id).map(|server| server.zone).collect();
    Ok(Some((HoldOn::Server { client: client.id.clone(), server: id.to_owned() }, zones)))
}

async fn client(o: &Orchestrator, id: &str) -> Found {
    let Some(client) = o.store.client(id).await? else { return Ok(None) };
    let mut zones: Vec<Tz> = client.servers.iter().map(|server| server.zone).collect();
    if zones.is_empty() {
        zones.push(PROVIDER_ZONE);
    }
    Ok(Some((HoldOn::Client { client: id.to_owned() }, zones)))
}

async fn release(o: &Orchestrator, product: &str, version: &str) -> Found {
    let Ok(version) = version.parse::<Version>() else { return Ok(None) };
    let Some(release) = o.store.release(product, &version).await? else { return Ok(None) };
    if release.retracted.is_some() {
        return Err(HoldError::Retracted(release.id().to_string()));
    }
    let on = HoldOn::Release { product: product.to_owned(), version: release.version().clone() };
    Ok(Some((on, vec![PROVIDER_ZONE])))
}

fn told(at: DateTime<Utc>, zone: Tz) -> String {
    format!("{} ({zone})", at.with_timezone(&zone).format("%a %-d %b %Y %H:%M"))
}
