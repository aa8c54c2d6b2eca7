//! Who has to be told that a legal date nears, and who let it pass (annexe 3: the client is reminded).
//!
//! Pure, over the planner's world. Being due is a matter of the day, not of what was sent: whoever writes the letters
//! keeps each of them to one.

use super::notice;
use super::planner::major;
use super::terms::Terms;
use super::world::{Customer, World};
use crate::model::release::Release;
use crate::model::request::{Request, RequestState};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::sync::Arc;

/// For so many days after a legal date staff are still told who let it pass.
const MISSED_DAYS: i64 = 60;
/// Longest before a legal date that anybody is reminded, in days.
pub const REMIND_DAYS_MAX: i64 = 366;

/// A client to be reminded of a release.
#[derive(Clone, Debug)]
pub struct Reminder {
    pub client: String,
    pub release: Arc<Release>,
    pub legal_date: NaiveDate,
    /// Which of the contract's reminders: so many days before the date.
    pub days_before: u32,
    /// Last day on which a request is still admissible by the date; `None` when it has passed.
    pub request_by: Option<NaiveDate>,
    /// Servers that run an older version and are not asked for.
    pub servers: Vec<String>,
}

/// A legal date that has passed without some clients asking for what answers it.
#[derive(Clone, Debug)]
pub struct Missed {
    pub release: Arc<Release>,
    pub legal_date: NaiveDate,
    /// Client and the servers that run an older version.
    pub clients: Vec<(String, Vec<String>)>,
}

/// Whether a release has a legal date near enough for anybody to be told of.
pub fn is_watched(release: &Release, now: DateTime<Utc>) -> bool {
    let near = |date: NaiveDate| {
        let today = now.date_naive();
        date - TimeDelta::days(REMIND_DAYS_MAX + 1) <= today && today <= date + TimeDelta::days(MISSED_DAYS + 1)
    };
    release.retracted.is_none() && release.published_at() <= now && release.manifest().legal_date.is_some_and(near)
}

/// The reminders that are due at `now`, by release and client: of several that are, the last before the date.
pub fn due(world: &World, now: DateTime<Utc>) -> Vec<Reminder> {
    let mut due = Vec::new();
    for (release, legal_date) in dated(world, now) {
        for customer in world.customers() {
            let places = unasked(world, customer, release);
            let Some(first) = places.first() else { continue };
            let today = world.site(*first).almanac.calendar().date(now);
            let Some(days_before) = reminder_on(&customer.terms, today, legal_date) else { continue };
            let last_day = |place: &usize| {
                notice::last_request_day(&customer.terms, world.site(*place).almanac.calendar(), now, legal_date)
            };
            due.push(Reminder {
                client: customer.client.id.clone(),
                release: release.clone(),
                legal_date,
                days_before,
                // The site that has to be asked for first; one that is too late makes the whole too late.
                request_by: places.iter().map(last_day).min().flatten(),
                servers: names(world, &places),
            });
        }
    }
    due
}

/// The legal dates that have passed at every site concerned, with the clients that never asked.
pub fn missed(world: &World, now: DateTime<Utc>) -> Vec<Missed> {
    let mut missed = Vec::new();
    for (release, legal_date) in dated(world, now) {
        let concerned = world.customers().iter().map(|customer| (customer, unasked(world, customer, release)));
        let concerned: Vec<(&Customer, Vec<usize>)> = concerned.filter(|(_, places)| !places.is_empty()).collect();
        let is_over = |place: &usize| {
            let days = (world.site(*place).almanac.calendar().date(now) - legal_date).num_days();
            (1..=MISSED_DAYS).contains(&days)
        };
        if !concerned.is_empty() && concerned.iter().flat_map(|(_, places)| places).all(is_over) {
            let clients = concerned.iter().map(|(c, places)| (c.client.id.clone(), names(world, places))).collect();
            missed.push(Missed { release: release.clone(), legal_date, clients });
        }
    }
    missed
}

/// The release that answers each legal date: the newest of those of one product that name the same.
fn dated(world: &World, now: DateTime<Utc>) -> impl Iterator<Item = (&Arc<Release>, NaiveDate)> {
    world.catalog().values().flat_map(move |releases| {
        let watched = releases.iter().filter(move |r| is_watched(r, now));
        watched.filter_map(move |release| {
            let date = release.manifest().legal_date?;
            let newer = releases.iter().filter(|r| r.version() > release.version() && is_watched(r, now));
            newer.clone().all(|r| r.manifest().legal_date != Some(date)).then_some((release, date))
        })
    })
}

/// The places of the client that run an older version, for which `release` is a major, and that nobody asked for.
fn unasked(world: &World, customer: &Customer, release: &Release) -> Vec<usize> {
    if !customer.client.order.iter().any(|product| product == release.product()) {
        return Vec::new();
    }
    let older = |place: &usize| {
        let installed = world.site(*place).state.inventory.get(release.product());
        installed.is_some_and(|v| v < release.version() && major::needs_request(release, v))
    };
    let asked = |place: &usize| {
        let server = &world.server(*place).id;
        customer.requests.iter().any(|request| answers(request, release, server))
    };
    customer.sites.clone().filter(older).filter(|place| !asked(place)).collect()
}

/// Whether a request, carried out or to be, brings `server` to `release` or beyond.
fn answers(request: &Request, release: &Release, server: &str) -> bool {
    let stands = match request.state {
        RequestState::Accepted | RequestState::Done { .. } => true,
        RequestState::Superseded { .. } | RequestState::Cancelled { .. } | RequestState::Expired { .. } => false,
    };
    stands
        && request.product == release.product()
        && request.version >= *release.version()
        && (request.servers.is_empty() || request.servers.iter().any(|s| s == server))
}

/// Which reminder falls on `today`: the one nearest to the date of those whose day has come.
fn reminder_on(terms: &Terms, today: NaiveDate, legal_date: NaiveDate) -> Option<u32> {
    let left = (legal_date - today).num_days();
    let come = terms.schedule.major.remind_days_before.iter().copied().filter(|days| left <= i64::from(*days));
    if left < 0 { None } else { come.min() }
}

fn names(world: &World, places: &[usize]) -> Vec<String> {
    places.iter().map(|place| world.server(*place).id.clone()).collect()
}

#[cfg(test)]
#[path = "reminders_tests.rs"]
mod tests;
