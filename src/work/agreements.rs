//! Agreements: the client's IT contact accepts something the contract lets them accept (6.1.2, 6.1.3, 3.1.b.4).
//!
//! Recorded once, with who and when, never changed; the planner rests decisions on them. Whether whoever records one
//! may speak for the client is the caller's business. No letter: what an agreement changes is told when it is planned.

use super::Orchestrator;
use super::planning::{PlanningError, Selection, World};
use super::said::{self, Unsaid};
use crate::decide::civil::{self, Moment, NoSlot};
use crate::decide::planner::major;
use crate::decide::world::Customer;
use crate::decide::{calendar::Calendar, world};
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::event::{EventKind, NewEvent};
use crate::model::release::{Release, ReleaseId};
use crate::model::request::RequestState;
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::sync::Arc;

/// Longest slot that is agreed for one installation, in hours: a long weekend.
const SLOT_HOURS_MAX: i64 = 96;

/// What is to be recorded, as people say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Another slot for one product on one server, on the clock of its site.
    Slot { server: String, product: String, from: Moment, to: Moment },
    /// Work in a closed period, on these days, both included.
    Closed { client: String, server: Option<String>, from: NaiveDate, to: NaiveDate },
    /// A major version by a date that is under the notice.
    Notice { client: String, product: String, version: Version, before: NaiveDate },
}

#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("there is no server {0:?}")]
    NoServer(String),
    #[error("client {client} has no server {server:?}")]
    NotTheirs { client: String, server: String },
    #[error("there is no product {0:?}")]
    NoProduct(String),
    #[error("{product} is not in the order of {client} (III, annexe 1-2): nothing can be agreed about it")]
    NotOrdered { client: String, product: String },
    #[error("{server} does not run {product}")]
    NotThere { server: String, product: String },
    #[error("{0} has not been published")]
    NoRelease(ReleaseId),
    #[error("{release} was withdrawn by its publisher: {reason}")]
    Retracted { release: ReleaseId, reason: String },
    #[error("{release} needs no request on any server of {client}: there is no notice to shorten")]
    NoMajor { client: String, release: ReleaseId },
    #[error(transparent)]
    NoSlot(#[from] NoSlot),
    #[error("the slot was over on {0}: agree on one to come")]
    SlotOver(String),
    #[error("the slot has {hours} hours, at most {SLOT_HOURS_MAX} are agreed for one installation: check its dates")]
    SlotTooLong { hours: i64 },
    #[error(
        "{release} needs {need} minutes, start, backup and rollback included; the slot has {left}: agree on a longer one"
    )]
    SlotTooShort { release: ReleaseId, need: i64, left: i64 },
    #[error("the period ends on {to}, before it begins on {from}")]
    Reversed { from: NaiveDate, to: NaiveDate },
    #[error("{0} has passed")]
    Past(NaiveDate),
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
}

/// Records that `by` agreed to `proposal`. `recorder` is who of the staff writes it down for the client, if anybody.
pub async fn record(
    o: &Orchestrator,
    proposal: Proposal,
    by: &str,
    recorder: Option<&str>,
) -> Result<Agreement, AgreementError> {
    let by = said::name("who agrees", by)?;
    let now = o.clock.now();
    let world = World::load(o, &Selection::default(), now).await?;
    let (customer, agreed, about) = match proposal {
        Proposal::Slot { server, product, from, to } => slot(&world, server, product, (from, to), now)?,
        Proposal::Closed { client, server, from, to } => closed(&world, client, server, (from, to), now)?,
        Proposal::Notice { client, product, version, before } => notice(&world, client, product, version, before, now)?,
    };
    let id = o.store.allocate(Sequence::Agreement, 1).await?;
    let agreement = Agreement { id, client: customer.client.id.clone(), agreed, by, at: now };
    let recorded = recorder.map_or_else(String::new, |staff| format!(", recorded by {staff}"));
    let text = format!("agreement {id} by {}{recorded}: {about}", agreement.by);
    let event = NewEvent::new(now, &agreement.client, EventKind::Agreed, text);
    let mut event = event.personal(recorder).personal([&agreement.by]);
    (event.server, event.product) = match &agreement.agreed {
        Agreed::Slot { server, product, .. } => (Some(server.clone()), Some(product.clone())),
        Agreed::ClosedPeriod { server, .. } => (server.clone(), None),
        Agreed::ShortNotice { product, .. } => (None, Some(product.clone())),
    };
    let rows = vec![Row::Agreement(Stored::new(agreement.clone()))];
    o.store.commit(Changes { rows, events: vec![event], notices: Vec::new() }).await?;
    Ok(agreement)
}

/// Whose agreement it is, what it is, and the same in words.
type Checked<'a> = Result<(&'a Customer, Agreed, String), AgreementError>;

fn slot(
    world: &World,
    server: String,
    product: String,
    (from, to): (Moment, Moment),
    now: DateTime<Utc>,
) -> Checked<'_> {
    let place = world.place(&server).ok_or_else(|| AgreementError::NoServer(server.clone()))?;
    let customer = world.customer(place);
    ordered(world, customer, &product)?;
    let site = world.site(place);
    if !site.state.inventory.is_empty() && !site.state.inventory.contains_key(&product) {
        return Err(AgreementError::NotThere { server, product });
    }
    let calendar = site.almanac.calendar();
    let slot = civil::slot(calendar, from, to)?;
    if slot.end <= now {
        return Err(AgreementError::SlotOver(local(calendar, slot.end)));
    }
    if slot.duration() > TimeDelta::hours(SLOT_HOURS_MAX) {
        return Err(AgreementError::SlotTooLong { hours: slot.duration().num_hours() });
    }
    let left = slot.end - slot.start.max(now);
    if let Some((release, need)) = needed(world, place, &product)
        && left < need
    {
        let (need, left) = (need.num_minutes(), left.num_minutes());
        return Err(AgreementError::SlotTooShort { release: release.id(), need, left });
    }
    let about = format!("{product} on {server} {}", span(calendar, slot));
    Ok((customer, Agreed::Slot { server, product, slot }, about))
}

/// The release that the slot would be for, and the time it needs: the one that is planned or requested, else the one
/// of those to come that needs least. `None` when none is known; a slot may be agreed before its release is there.
fn needed<'a>(world: &'a World, place: usize, product: &str) -> Option<(&'a Arc<Release>, TimeDelta)> {
    let (site, customer) = (world.site(place), world.customer(place));
    let server = &world.server(place).id;
    let planned = site.planned().find(|d| d.product == product).map(|d| &d.to);
    let requested = customer.requests.iter().find(|r| {
        r.product == product
            && r.state == RequestState::Accepted
            && (r.servers.is_empty() || r.servers.contains(server))
    });
    let need = |release: &'a Arc<Release>| (release, world.durations().need(&customer.terms, release));
    if let Some(release) = planned.or(requested.map(|r| &r.version)).and_then(|v| world.release(product, v)) {
        return Some(need(release));
    }
    let installed = site.state.inventory.get(product);
    let to_come = world.catalog().get(product)?.iter();
    to_come
        .filter(|r| r.retracted.is_none() && installed.is_none_or(|installed| r.version() > installed))
        .map(need)
        .min_by_key(|(_, need)| *need)
}

fn closed(
    world: &World,
    client: String,
    server: Option<String>,
    (from, to): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> Checked<'_> {
    let customer = world::World::client(world, &client).ok_or_else(|| AgreementError::NoClient(client.clone()))?;
    if let Some(server) = server.as_ref().filter(|id| !customer.client.servers.iter().any(|s| s.id == **id)) {
        return Err(AgreementError::NotTheirs { client, server: server.clone() });
    }
    if to < from {
        return Err(AgreementError::Reversed { from, to });
    }
    has_not_passed(customer, to, now)?;
    let place = server.as_ref().map_or_else(|| format!("for {client}"), |server| format!("on {server}"));
    let about = format!("automatic work {place} in the closed period from {from} to {to}");
    Ok((customer, Agreed::ClosedPeriod { server, from, to }, about))
}

fn notice(
    world: &World,
    client: String,
    product: String,
    version: Version,
    before: NaiveDate,
    now: DateTime<Utc>,
) -> Checked<'_> {
    let customer = world::World::client(world, &client).ok_or_else(|| AgreementError::NoClient(client.clone()))?;
    ordered(world, customer, &product)?;
    let id = ReleaseId { product: product.clone(), version: version.clone() };
    let release = world.release(&product, &version).filter(|r| r.published_at() <= now);
    let release = release.ok_or_else(|| AgreementError::NoRelease(id.clone()))?;
    if let Some(retraction) = &release.retracted {
        return Err(AgreementError::Retracted { release: id, reason: retraction.reason.clone() });
    }
    let mut there = customer.sites.clone().filter_map(|place| world.site(place).state.inventory.get(&product));
    if !there.any(|installed| *installed < version && major::needs_request(release, installed)) {
        return Err(AgreementError::NoMajor { client, release: id });
    }
    has_not_passed(customer, before, now)?;
    let about = format!("{id} by {before}, sooner than the notice allows");
    Ok((customer, Agreed::ShortNotice { product, version, before }, about))
}

fn ordered(world: &World, customer: &Customer, product: &str) -> Result<(), AgreementError> {
    let client = &customer.client;
    let (product, id) = (product.to_owned(), client.id.clone());
    match (client.order.contains(&product), world.knows_product(&product)) {
        (true, _) => Ok(()),
        (false, true) => Err(AgreementError::NotOrdered { client: id, product }),
        (false, false) => Err(AgreementError::NoProduct(product)),
    }
}

/// A day that has passed at every site of the client cannot be agreed to any more.
fn has_not_passed(customer: &Customer, day: NaiveDate, now: DateTime<Utc>) -> Result<(), AgreementError> {
    let zones = customer.client.servers.iter().map(|server| server.zone);
    let today = zones.map(|zone| now.with_timezone(&zone).date_naive()).min();
    if day < today.unwrap_or_else(|| now.date_naive()) { Err(AgreementError::Past(day)) } else { Ok(()) }
}

fn local(calendar: &Calendar, at: DateTime<Utc>) -> String {
    calendar.local(at).format("%a %-d %b %Y %H:%M").to_string()
}

fn span(calendar: &Calendar, slot: Slot) -> String {
    format!("from {} to {} ({})", local(calendar, slot.start), local(calendar, slot.end), calendar.zone)
}
