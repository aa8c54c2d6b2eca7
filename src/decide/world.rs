//! The fleet, the catalog and what was promised, as they were at one moment: what planning a fleet is done over.
//!
//! Pure: whoever loads it (the database, a simulation) fills [`Parts`]. It lends the planner one server's [`Facts`] at
//! a time, and keeps what is planned in this pass, so that staff and a client's line are not promised twice: servers
//! are planned in the fleet's order, and what was promised before comes first.

use super::almanac::Almanac;
pub use super::almanacs::Almanacs;
use super::calendar::{Region, UnknownRegion};
use super::checker::{Checker, CheckerError};
use super::closed::Closed;
use super::durations::Durations;
use super::load::{self, Load, Promise, Staffed, Stir};
use super::planner::{Catalog, Facts, Verdict, Verdicts};
use super::reconcile;
use super::rollout::Rollout;
use super::terms::Terms;
use crate::model::agreement::Agreement;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Ring, Server};
use crate::model::hold::Hold;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::standing::Standing;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("client {client} names schedule {schedule:?}, which is not in the schedules folder")]
    NoSchedule { client: String, schedule: String },
    #[error("client {client}: {source}")]
    Region { client: String, source: UnknownRegion },
    #[error("client {client}: {problem}")]
    Closed { client: String, problem: String },
    #[error("client {client}: {source}")]
    Checker { client: String, source: CheckerError },
}

/// What a world is made of.
#[derive(Clone, Default)]
pub struct Parts {
    /// In the fleet's order.
    pub clients: Vec<Client>,
    /// Schedules by name.
    pub terms: BTreeMap<String, Arc<Terms>>,
    pub states: BTreeMap<String, ServerState>,
    pub releases: Vec<Release>,
    pub requests: Vec<Request>,
    pub agreements: Vec<Agreement>,
    pub holds: Vec<Hold>,
    /// Deployments that are open or did not end well.
    pub deployments: Vec<Deployment>,
    pub standings: Vec<Standing>,
    pub rollout: Rollout,
    pub durations: Durations,
}

/// Everything the planner needs, by client and server.
pub struct World {
    clients: Vec<Customer>,
    sites: Vec<Site>,
    places: BTreeMap<String, usize>,
    catalog: Catalog,
    holds: Vec<Hold>,
    rollout: Rollout,
    durations: Durations,
    /// Canary servers by product.
    canaries: BTreeMap<String, usize>,
    /// Attended servers by slot, by schedule.
    staffed: BTreeMap<String, Staffed>,
    /// What was promised, by place.
    promises: Vec<Vec<Promise>>,
    /// How often the line of each client has changed hands.
    stirs: Vec<Stir>,
}

/// A client with what was made ready for it.
pub struct Customer {
    pub client: Client,
    pub terms: Arc<Terms>,
    pub closed: Closed,
    pub requests: Vec<Request>,
    pub agreements: Vec<Agreement>,
    /// Its servers' places.
    pub sites: Range<usize>,
}

/// One server with what is known of it.
pub struct Site {
    customer: usize,
    server: usize,
    pub almanac: Arc<Almanac>,
    pub checker: Arc<Checker>,
    pub state: ServerState,
    /// Open ones, and those that did not end well; oldest first.
    pub deployments: Vec<Deployment>,
    pub standing: Standing,
}

impl World {
    /// Puts the parts in their places, with the almanacs that planning at `now` needs.
    pub fn new(parts: Parts, almanacs: &mut Almanacs, now: DateTime<Utc>) -> Result<World, WorldError> {
        let mut deployments: BTreeMap<String, Vec<Deployment>> = BTreeMap::new();
        // Facts may arrive in any order; their ids say in which they came about.
        let mut all = parts.deployments;
        all.sort_by_key(|d| d.id);
        for deployment in all {
            deployments.entry(deployment.server.clone()).or_default().push(deployment);
        }
        let mut standings: BTreeMap<String, Standing> =
            parts.standings.into_iter().map(|s| (s.server.clone(), s)).collect();
        let mut states = parts.states;
        let mut world = World {
            canaries: canaries(&parts.clients, &states),
            clients: Vec::with_capacity(parts.clients.len()),
            sites: Vec::new(),
            places: BTreeMap::new(),
            catalog: catalog(parts.releases),
            holds: by_id(parts.holds.into_iter().filter(|h| h.lifted.is_none()), |h| h.id),
            rollout: parts.rollout,
            durations: parts.durations,
            staffed: BTreeMap::new(),
            promises: Vec::new(),
            stirs: Vec::new(),
        };
        for client in parts.clients {
            let terms = parts.terms.get(&client.schedule).ok_or_else(|| WorldError::NoSchedule {
                client: client.id.clone(),
                schedule: client.schedule.clone(),
            })?;
            let region: Region =
                client.holidays.parse().map_err(|source| WorldError::Region { client: client.id.clone(), source })?;
            let first = world.sites.len();
            for (server, machine) in client.servers.iter().enumerate() {
                world.places.insert(machine.id.clone(), world.sites.len());
                world.sites.push(Site {
                    customer: world.clients.len(),
                    server,
                    almanac: almanacs.get(terms, &client.schedule, (machine.zone, region), now),
                    checker: almanacs
                        .checker(&client, terms, (machine.zone, region))
                        .map_err(|source| WorldError::Checker { client: client.id.clone(), source })?,
                    state: states.remove(&machine.id).unwrap_or_default(),
                    deployments: deployments.remove(&machine.id).unwrap_or_default(),
                    standing: standings
                        .remove(&machine.id)
                        .unwrap_or_else(|| Standing { server: machine.id.clone(), ..Standing::default() }),
                });
            }
            world.clients.push(Customer {
                closed: Closed::compile(&client.closed, region).map_err(|problems| WorldError::Closed {
                    client: client.id.clone(),
                    problem: problems.first().map(ToString::to_string).unwrap_or_default(),
                })?,
                requests: by_id(parts.requests.iter().filter(|r| r.client == client.id).cloned(), |r| r.id),
                agreements: by_id(parts.agreements.iter().filter(|a| a.client == client.id).cloned(), |a| a.id),
                terms: terms.clone(),
                sites: first..world.sites.len(),
                client,
            });
        }
        world.promises = vec![Vec::new(); world.sites.len()];
        world.stirs = vec![Stir::default(); world.clients.len()];
        for place in 0..world.sites.len() {
            let promises = world.open_promises(place);
            world.promise(place, promises);
        }
        Ok(world)
    }

    /// Every server's place, in the fleet's order.
    pub fn places(&self) -> Range<usize> {
        0..self.sites.len()
    }

    pub fn place(&self, server: &str) -> Option<usize> {
        self.places.get(server).copied()
    }

    pub fn site(&self, place: usize) -> &Site {
        &self.sites[place]
    }

    /// For whoever moves time: what is known of a server may change between two plannings.
    pub fn site_mut(&mut self, place: usize) -> &mut Site {
        &mut self.sites[place]
    }

    /// For whoever moves time: a client asks, agrees, gives up.
    pub fn client_mut(&mut self, id: &str) -> Option<&mut Customer> {
        self.clients.iter_mut().find(|c| c.client.id == id)
    }

    /// For whoever moves time: a release lands, or takes the place of the same version as it was.
    pub fn publish(&mut self, release: Release) {
        let all = self.catalog.entry(release.product().to_owned()).or_default();
        match all.binary_search_by(|r| r.version().cmp(release.version())) {
            Ok(place) => all[place] = Arc::new(release),
            Err(place) => all.insert(place, Arc::new(release)),
        }
    }

    /// For whoever moves time: releases fare well or badly.
    pub fn rollout_mut(&mut self) -> &mut Rollout {
        &mut self.rollout
    }

    pub fn holds_mut(&mut self) -> &mut Vec<Hold> {
        &mut self.holds
    }

    pub fn learn(&mut self, durations: Durations) {
        self.durations = durations;
    }

    pub fn customer(&self, place: usize) -> &Customer {
        &self.clients[self.sites[place].customer]
    }

    pub fn server(&self, place: usize) -> &Server {
        let site = &self.sites[place];
        &self.clients[site.customer].client.servers[site.server]
    }

    pub fn customers(&self) -> &[Customer] {
        &self.clients
    }

    pub fn client(&self, id: &str) -> Option<&Customer> {
        self.clients.iter().find(|c| c.client.id == id)
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How many canary servers run `product`.
    pub fn canaries_of(&self, product: &str) -> usize {
        self.canaries.get(product).copied().unwrap_or(0)
    }

    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    pub fn durations(&self) -> &Durations {
        &self.durations
    }

    /// A known release.
    pub fn release(&self, product: &str, version: &Version) -> Option<&Arc<Release>> {
        let all = self.catalog.get(product)?;
        all.binary_search_by(|r| r.version().cmp(version)).ok().map(|i| &all[i])
    }

    /// Whether any release of `product` is known.
    pub fn knows_product(&self, product: &str) -> bool {
        self.catalog.contains_key(product)
    }

    /// What a server is known to run.
    pub fn installed(&self, server: &str, product: &str) -> Option<&Version> {
        self.sites[self.place(server)?].state.inventory.get(product)
    }

    /// The servers of `client` that run exactly this version.
    pub fn running(&self, client: &Customer, product: &str, version: &Version) -> Vec<String> {
        let runs = |place: &usize| self.sites[*place].state.inventory.get(product).is_some_and(|v| v == version);
        client.sites.clone().filter(runs).map(|place| self.server(place).id.clone()).collect()
    }

    /// Accepted requests whose latest date has passed everywhere their client has servers.
    pub fn overdue_requests(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Request> {
        let over = move |client: &Client, request: &Request| {
            client.servers.iter().all(|s| now.with_timezone(&s.zone).date_naive() > request.before)
        };
        self.clients.iter().flat_map(move |customer| {
            customer
                .requests
                .iter()
                .filter(move |r| matches!(r.state, RequestState::Accepted) && over(&customer.client, r))
        })
    }

    /// Lends the planner's facts of one server at `now` to `look`.
    pub fn with_facts<T>(&self, place: usize, now: DateTime<Utc>, look: impl FnOnce(&Facts) -> T) -> T {
        let site = &self.sites[place];
        let customer = &self.clients[site.customer];
        let Range { start, end } = customer.sites;
        let none = Load::none();
        look(&Facts {
            now,
            terms: &customer.terms,
            almanac: &site.almanac,
            closed: &customer.closed,
            client: &customer.client,
            server: &customer.client.servers[site.server],
            state: &site.state,
            catalog: &self.catalog,
            requests: &customer.requests,
            agreements: &customer.agreements,
            holds: &self.holds,
            deployments: &site.deployments,
            rollout: &self.rollout,
            durations: &self.durations,
            canaries: &self.canaries,
            load: Load {
                staffed: self.staffed.get(&customer.client.schedule).unwrap_or(none.staffed),
                own: &self.promises[place],
                line: [&self.promises[start..place], &self.promises[place + 1..end]],
            },
        })
    }

    /// What the server that `verdicts` are about is promised once they are written down: what runs, what is planned, and
    /// of what is held what was promised before.
    pub fn promises(facts: &Facts, verdicts: &Verdicts) -> Vec<Promise> {
        let mut promises: Vec<Promise> = facts
            .deployments
            .iter()
            .filter(|d| matches!(d.state, DeploymentState::Running { .. }))
            .filter_map(|d| kept(facts.terms, facts.durations, facts.catalog, d))
            .collect();
        promises.extend(
            reconcile::slots(verdicts, facts.deployments)
                .map(|(release, slot, requested)| promise_of(facts.terms, facts.durations, release, slot, requested)),
        );
        promises
    }

    /// What the server that `verdicts` are about is to get, even where that is held and nothing is promised yet.
    pub fn intents(facts: &Facts, verdicts: &Verdicts) -> Vec<Promise> {
        let intended = |(_, release, verdict): (_, Option<&Arc<Release>>, &Verdict)| {
            let (placed, release) = (verdict.intent()?, release?);
            Some(promise_of(facts.terms, facts.durations, release, *placed.slot, placed.request.is_some()))
        };
        verdicts.iter().filter_map(intended).collect()
    }

    /// Replaces what the server at `place` was promised.
    pub fn promise(&mut self, place: usize, promises: Vec<Promise>) {
        let mut promises = promises;
        promises.sort_unstable();
        if self.promises[place] == promises {
            return;
        }
        let before = std::mem::replace(&mut self.promises[place], promises);
        let after = &self.promises[place];
        let customer = self.sites[place].customer;
        let freed = before.iter().any(|promise| !after.contains(promise));
        self.stirs[customer].count(freed);
        let (was, is) = (load::attended_hours(&before), load::attended_hours(after));
        if was != is {
            let staffed = self.staffed.entry(self.clients[customer].client.schedule.clone()).or_default();
            was.into_iter().for_each(|hours| staffed.remove(hours));
            is.into_iter().for_each(|hours| staffed.add(hours));
            staffed.stir.count(freed);
        }
    }

    /// How often what the server at `place` shares with others has changed.
    pub fn stir(&self, place: usize) -> Stir {
        let customer = self.sites[place].customer;
        let (line, staff) = (self.stirs[customer], self.staffed.get(&self.clients[customer].client.schedule));
        let staff = staff.map_or(Stir::default(), |staffed| staffed.stir);
        Stir { changed: line.changed + staff.changed, freed: line.freed + staff.freed }
    }

    fn open_promises(&self, place: usize) -> Vec<Promise> {
        let site = &self.sites[place];
        let terms = &self.clients[site.customer].terms;
        let open = site.deployments.iter().filter(|d| d.state.is_open());
        open.filter_map(|d| kept(terms, &self.durations, &self.catalog, d)).collect()
    }
}

/// What an open deployment takes of what all share.
fn kept(terms: &Terms, durations: &Durations, catalog: &Catalog, deployment: &Deployment) -> Option<Promise> {
    let all = catalog.get(&deployment.product)?;
    let place = all.binary_search_by(|r| r.version().cmp(&deployment.to)).ok()?;
    Some(promise_of(terms, durations, &all[place], deployment.slot, deployment.request.is_some()))
}

fn promise_of(terms: &Terms, durations: &Durations, release: &Release, slot: Slot, requested: bool) -> Promise {
    let minutes = u32::try_from(durations.need(terms, release).num_minutes()).unwrap_or(u32::MAX);
    Promise { slot, minutes, attended: requested || release.manifest().is_manual() }
}

fn by_id<T>(all: impl Iterator<Item = T>, id: impl Fn(&T) -> i64) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by_key(id);
    all
}

fn catalog(releases: Vec<Release>) -> Catalog {
    let mut catalog = Catalog::new();
    for release in releases {
        catalog.entry(release.product().to_owned()).or_default().push(Arc::new(release));
    }
    for releases in catalog.values_mut() {
        releases.sort_by(|a, b| a.version().cmp(b.version()));
    }
    catalog
}

/// How many canary servers the fleet has for each product.
fn canaries(clients: &[Client], states: &BTreeMap<String, ServerState>) -> BTreeMap<String, usize> {
    let mut products = BTreeMap::new();
    for client in clients {
        for server in client.servers.iter().filter(|s| s.ring == Ring::Canary) {
            let inventory = states.get(&server.id).into_iter().flat_map(|s| s.inventory.keys());
            for product in inventory.filter(|p| client.order.contains(p)) {
                *products.entry(product.clone()).or_default() += 1;
            }
        }
    }
    products
}

impl Site {
    /// Its planned deployments.
    pub fn planned(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().filter(|d| matches!(d.state, DeploymentState::Planned))
    }
}
