//! What the contract answers to a request for a major version (`major-on-request`, `major-notice`).
//!
//! Pure, over the planner's own world and its own slots: a request is accepted when the planner has a slot for it that
//! ends by the latest date. Several majors may be asked for together; they are accepted together or not at all. What
//! an answer changes and who is told of it is in [`answer`]; writing it is the caller's business.

pub mod answer;
mod partners;
mod words;

#[cfg(test)]
mod tests;

use super::almanac::REQUEST_DAYS;
use super::notice::{self, NoticeCount};
use super::planner::{self, Facts, major};
use super::world::{Customer, World};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::decision::Reason;
use crate::model::manifest::Text;
use crate::model::release::{Release, ReleaseId};
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, Days, NaiveDate, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One major version that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub product: String,
    pub version: Version,
    /// Latest date the client wishes, site-local.
    pub before: NaiveDate,
    /// Only these servers of the client; empty means all that run the product.
    pub servers: Vec<String>,
}

/// What becomes of one ask when all are accepted.
#[derive(Clone, Debug)]
pub enum Granted {
    /// It is asked for already, in the same words: nothing changes.
    Same(Same),
    New(New),
}

/// The request that stands already.
#[derive(Clone, Debug)]
pub struct Same {
    pub request: Request,
    pub slots: Vec<(String, Slot)>,
    /// As it was counted then.
    pub count: NoticeCount,
}

/// A request to be written down.
#[derive(Clone, Debug)]
pub struct New {
    pub ask: Ask,
    pub release: Arc<Release>,
    /// Server and the slot it would be planned in now.
    pub slots: Vec<(String, Slot)>,
    pub count: NoticeCount,
    /// By which it may stand although the notice is too short.
    pub agreement: Option<Agreement>,
    /// Accepted requests that give way to it.
    pub supersedes: Vec<i64>,
    pub reasons: Vec<Reason>,
}

/// Why it was refused, and the earliest date that would have been accepted, if any would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which of the asks.
    pub product: String,
    pub version: Version,
    pub why: Text,
    pub earliest: Option<NaiveDate>,
    pub count: Option<NoticeCount>,
    /// What would have to be asked for together with it.
    pub together: Option<ReleaseId>,
}

/// The contract's answer to `asks`, made together by `customer` at `now`. `replaces` names a request that gives way to
/// them whichever servers it is about.
///
/// # Errors
/// The [`Refusal`] of the first ask that cannot be accepted; then none is.
pub fn judge(
    world: &World,
    customer: &Customer,
    asks: &[Ask],
    replaces: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Vec<Granted>, Refusal> {
    let desk = Desk { world, customer, asks, replaces, now };
    asks.iter()
        .map(|ask| desk.same(ask).map_or_else(|| desk.judge(ask).map(Granted::New), |s| Ok(Granted::Same(s))))
        .collect()
}

struct Desk<'a> {
    world: &'a World,
    customer: &'a Customer,
    asks: &'a [Ask],
    replaces: Option<i64>,
    now: DateTime<Utc>,
}

impl<'a> Desk<'a> {
    /// The request that asks the same already: the same version and servers by the same date.
    fn standing(&self, ask: &Ask) -> Option<&'a Request> {
        let servers: BTreeSet<&String> = ask.servers.iter().collect();
        self.accepted(&ask.product).find(|r| {
            r.version == ask.version && r.before == ask.before && r.servers.iter().collect::<BTreeSet<_>>() == servers
        })
    }

    fn same(&self, ask: &Ask) -> Option<Same> {
        let request = self.standing(ask)?;
        let release = self.world.release(&ask.product, &ask.version)?;
        let targets = self.targets(ask, release).unwrap_or_default();
        let count = self.count(&targets, request.received_at)?;
        let would_do = targets.iter().map(|place| (*place, self.slot_by(*place, release, request.before))).collect();
        Some(Same { slots: self.told(ask, would_do, &[]), count, request: request.clone() })
    }

    /// Where and when the planner would put the ask, were all accepted: it keeps what it promised, and knows what goes
    /// together. A server it has no slot for is told the one that makes the ask admissible.
    fn told(&self, ask: &Ask, would_do: Vec<(usize, Option<Slot>)>, supersedes: &[i64]) -> Vec<(String, Slot)> {
        let asked = self.asks.iter().filter(|ask| self.standing(ask).is_none()).map(|ask| self.request(ask));
        let stand = self.customer.requests.iter().filter(|r| !supersedes.contains(&r.id));
        let requests: Vec<Request> = stand.cloned().chain(asked).collect();
        let planned = |place: usize| {
            self.world.with_facts(place, self.now, |facts| {
                let decisions = planner::plan(&Facts { requests: &requests, ..*facts });
                let ours = decisions.iter().filter(|d| d.product == ask.product).filter_map(|d| d.outcome.intent());
                ours.into_iter().find(|plan| plan.version == ask.version).map(|plan| plan.slot)
            })
        };
        let running = |place: usize| {
            let mut open = self.world.site(place).deployments.iter().filter(|d| d.state.is_open());
            open.find(|d| d.product == ask.product && d.to == ask.version).map(|d| d.slot)
        };
        let told = |(place, slot): (usize, Option<Slot>)| {
            let slot = planned(place).or_else(|| running(place)).or(slot)?;
            Some((self.world.server(place).id.clone(), slot))
        };
        would_do.into_iter().filter_map(told).collect()
    }

    /// An ask as the request it would become.
    fn request(&self, ask: &Ask) -> Request {
        Request {
            // The latest of all, as it will be.
            id: i64::MAX,
            client: self.customer.client.id.clone(),
            product: ask.product.clone(),
            version: ask.version.clone(),
            servers: ask.servers.clone(),
            received_at: self.now,
            by: String::new(),
            before: ask.before,
            state: RequestState::Accepted,
        }
    }

    fn slot_by(&self, place: usize, release: &Release, before: NaiveDate) -> Option<Slot> {
        self.world.with_facts(place, self.now, |facts| major::slot_for_request(facts, release, before).0)
    }

    fn accepted<'p>(&self, product: &'p str) -> impl Iterator<Item = &'a Request> + use<'a, 'p> {
        self.customer.requests.iter().filter(move |r| r.product == product && r.state == RequestState::Accepted)
    }

    fn judge(&self, ask: &Ask) -> Result<New, Refusal> {
        let release = self.release(ask)?;
        let targets = self.targets(ask, &release)?;
        for place in &targets {
            partners::check(self, ask, &release, *place)?;
        }
        let Some(count) = self.count(&targets, self.now) else {
            return Err(words::nowhere(ask, &self.customer.client));
        };
        let together = self.together(&release, &targets);
        let agreement = if ask.before < count.earliest { self.agreed(ask) } else { None };
        let slots = |before: NaiveDate| -> Option<Vec<(usize, Option<Slot>)>> {
            targets.iter().map(|place| Some((*place, Some(self.slot_by(*place, &together, before)?)))).collect()
        };
        let admissible = count.earliest <= ask.before || agreement.is_some();
        let Some(slots) = admissible.then(|| slots(ask.before)).flatten() else {
            let why = if admissible {
                let need = self.world.durations().need(&self.customer.terms, &together);
                words::no_slot(ask, need)
            } else {
                words::short_notice(self.customer, ask, &count)
            };
            let earliest = earliest(count.earliest, |day| slots(day).is_some());
            return Err(Refusal { earliest, count: Some(count), ..words::refusal(ask, why) });
        };
        let mut reasons = vec![words::counted(ask, &count)];
        let zone = self.world.server(targets[0]).zone;
        reasons.extend(agreement.as_ref().map(|agreement| words::agreed(ask, agreement, zone)));
        let supersedes = self.superseded(ask, &targets);
        Ok(New {
            slots: self.told(ask, slots, &supersedes),
            supersedes,
            ask: ask.clone(),
            release,
            count,
            agreement,
            reasons,
        })
    }

    /// The release that is asked for, where it can be.
    fn release(&self, ask: &Ask) -> Result<Arc<Release>, Refusal> {
        let client = &self.customer.client;
        if !client.order.contains(&ask.product) {
            return Err(if self.world.knows_product(&ask.product) {
                words::not_ordered(ask, client)
            } else {
                words::no_product(ask)
            });
        }
        let release = self.world.release(&ask.product, &ask.version).filter(|r| r.published_at() <= self.now);
        let release = release.ok_or_else(|| words::not_published(ask))?;
        match &release.retracted {
            Some(retraction) => Err(words::retracted(ask, retraction)),
            None => Ok(release.clone()),
        }
    }

    /// The servers the ask is about: those that run the product, below the version, and for which it is a major.
    fn targets(&self, ask: &Ask, release: &Release) -> Result<Vec<usize>, Refusal> {
        let named = |place: &usize| covers(&ask.servers, &self.world.server(*place).id);
        let running: Vec<(usize, &Version)> = self
            .customer
            .sites
            .clone()
            .filter(named)
            .filter_map(|place| Some((place, self.world.site(place).state.inventory.get(&ask.product)?)))
            .collect();
        if running.is_empty() {
            return Err(words::not_running(ask, &self.customer.client));
        }
        let below: Vec<(usize, &Version)> = running.into_iter().filter(|(_, v)| **v < ask.version).collect();
        if below.is_empty() {
            return Err(words::installed(ask));
        }
        let major: Vec<usize> =
            below.into_iter().filter(|(_, v)| major::needs_request(release, v)).map(|(place, _)| place).collect();
        if major.is_empty() { Err(words::minor(ask)) } else { Ok(major) }
    }

    /// The count that asks for most: the sites of one client may lie in two zones, or have other holidays.
    fn count(&self, targets: &[usize], received: DateTime<Utc>) -> Option<NoticeCount> {
        let calendars = targets.iter().map(|place| self.world.site(*place).almanac.calendar());
        calendars.map(|c| notice::count(&self.customer.terms, c, received)).max_by_key(|count| count.earliest)
    }

    /// The agreement by which the ask may come sooner than the notice allows.
    fn agreed(&self, ask: &Ask) -> Option<Agreement> {
        let covers = |agreement: &&Agreement| match &agreement.agreed {
            Agreed::ShortNotice { product, version, before } => {
                *product == ask.product && *version == ask.version && *before <= ask.before
            }
            Agreed::Slot { .. } | Agreed::ClosedPeriod { .. } => false,
        };
        self.customer.agreements.iter().find(covers).cloned()
    }

    /// `release` as it weighs on a slot: companions that are asked for with it go into the same one, all or nothing.
    fn together(&self, release: &Arc<Release>, targets: &[usize]) -> Arc<Release> {
        let goes_along = |other: &Release, place: &usize| {
            let there = self.world.site(*place).state.inventory.get(other.product());
            there.is_some_and(|v| v < other.version())
        };
        let companions =
            self.asks.iter().filter_map(|ask| self.world.release(&ask.product, &ask.version)).filter(|other| {
                partners::are_companions(release, other) && targets.iter().any(|place| goes_along(other, place))
            });
        let mut whole = Release::clone(release);
        for companion in companions {
            let (manifest, other) = (Arc::make_mut(&mut whole.signed.manifest), companion.manifest());
            manifest.duration_minutes = manifest.duration_minutes.saturating_add(other.duration_minutes);
            manifest.rollback_minutes = manifest.rollback_minutes.saturating_add(other.rollback_minutes);
        }
        Arc::new(whole)
    }

    /// Accepted requests for the same product and any of the same servers.
    fn superseded(&self, ask: &Ask, targets: &[usize]) -> Vec<i64> {
        let meets = |request: &&Request| {
            Some(request.id) == self.replaces
                || targets.iter().any(|place| covers(&request.servers, &self.world.server(*place).id))
        };
        self.accepted(&ask.product).filter(meets).map(|request| request.id).collect()
    }
}

/// Whether a list of servers, in which none means all, has this one.
fn covers(servers: &[String], server: &str) -> bool {
    servers.is_empty() || servers.iter().any(|s| s == server)
}

/// The first day from `first` on which `has_slot`, within the days that requests are planned ahead. More time never
/// takes a slot away, so the days are halved.
fn earliest(first: NaiveDate, has_slot: impl Fn(NaiveDate) -> bool) -> Option<NaiveDate> {
    let day = |offset: u64| first.checked_add_days(Days::new(offset)).unwrap_or(first);
    let (mut low, mut high) = (0, u64::try_from(REQUEST_DAYS).unwrap_or(0));
    if !has_slot(day(high)) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if has_slot(day(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(day(low))
}
