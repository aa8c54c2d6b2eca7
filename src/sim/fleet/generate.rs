//! A fleet and a year of its life, drawn from a seed: clients, servers, releases, requests, holds.

use super::chance::{About, Chance, Faults};
use super::engine::Setup;
use super::happening::Happening;
use super::releases;
use crate::decide::handout::INVENTORY;
use crate::decide::terms::Terms;
use crate::model::closed::ClosedPeriod;
use crate::model::fleet::{Client, Contact, Language, Ring, Server};
use crate::model::hold::HoldOn;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Days from one restart of the orchestrator to the next.
const RESTART_DAYS: u64 = 31;

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub servers: usize,
    pub nights: i64,
    pub seed: u64,
    pub from: NaiveDate,
}

/// Where sites are; most are in metropolitan France.
const SITES: [(Tz, &str); 10] = [
    (chrono_tz::Europe::Paris, "FR"),
    (chrono_tz::Europe::Paris, "FR"),
    (chrono_tz::Europe::Paris, "FR"),
    (chrono_tz::Europe::Paris, "FR-ALS"),
    (chrono_tz::Indian::Reunion, "FR-974"),
    (chrono_tz::America::Martinique, "FR-972"),
    (chrono_tz::America::Cayenne, "FR-973"),
    (chrono_tz::America::Miquelon, "FR-975"),
    (chrono_tz::Indian::Mayotte, "FR-976"),
    (chrono_tz::America::Marigot, "FR-978"),
];

/// Minutes from one planning to the next: what happens is planned at once anyway.
const PLAN_MINUTES: i64 = 24 * 60;

/// Draws a fleet of `size` under `terms`, and what happens to it.
pub fn generate(size: Size, schedule: &str, terms: Arc<Terms>) -> Setup {
    let chance = Chance::new(size.seed);
    let (mut clients, mut states, mut servers) = (Vec::new(), BTreeMap::new(), 0);
    while servers < size.servers {
        let client = client(chance, clients.len(), size, size.servers - servers, schedule);
        for server in &client.servers {
            states.insert(server.id.clone(), state(chance, servers, &client.order));
            servers += 1;
        }
        clients.push(client);
    }
    let published = releases::of_a_year(chance, size.from, size.nights);
    let mut happenings = releases::retractions(chance, &published);
    happenings.extend(requests(chance, &clients, &published, size));
    happenings.extend(holds(chance, &clients, size));
    happenings.extend(published.into_iter().map(|r| (r.published_at(), Happening::Published(Box::new(r)))));
    let restarts = (RESTART_DAYS..).step_by(RESTART_DAYS as usize).take_while(|day| (*day as i64) < size.nights);
    happenings.extend(restarts.map(|day| (noon(size.from + Days::new(day)), Happening::Restarted)));
    happenings.sort_by_key(|(at, _)| *at);
    Setup {
        terms: BTreeMap::from([(schedule.to_owned(), terms)]),
        clients,
        states,
        releases: releases::at_the_start(size.from),
        happenings,
        from: size.from,
        nights: size.nights,
        plan_minutes: PLAN_MINUTES,
        seed: size.seed,
        faults: Faults::USUAL,
    }
}

fn noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12)
}

fn client(chance: Chance, number: usize, size: Size, servers_max: usize, schedule: &str) -> Client {
    let mut draw = chance.on(About::Client, number as u64, 0);
    let (zone, region) =
        if draw.u32(0..100) < 75 { SITES[draw.usize(0..4)] } else { SITES[draw.usize(4..SITES.len())] };
    let mut order: Vec<String> = releases::PRODUCTS.iter().map(|p| (*p).to_owned()).collect();
    // Options are left out of some orders; isacompta is the base of all.
    order.retain(|product| product == "isacompta" || draw.u32(0..100) < 80);
    let canary = draw.u32(0..100) < 8;
    let closed = (draw.u32(0..100) < 20).then(|| {
        let from = size.from + Days::new(draw.u64(0..u64::try_from(size.nights).unwrap_or(1).max(1)));
        ClosedPeriod::days(from, from + Days::new(draw.u64(1..12)), "paie")
    });
    let count = draw.usize(1..5).min(servers_max);
    Client {
        id: format!("client-{number:04}"),
        name: format!("Cabinet {number}"),
        language: if draw.u32(0..10) == 0 { Language::En } else { Language::Fr },
        schedule: schedule.to_owned(),
        holidays: region.to_owned(),
        order,
        contacts: vec![Contact { name: "Mme Martin".into(), email: "contact@client.example".into(), phone: None }],
        closed: closed.into_iter().collect(),
        servers: (0..count)
            .map(|n| Server {
                id: format!("srv-{number:04}-{n}"),
                zone,
                ring: if canary { Ring::Canary } else { Ring::Broad },
            })
            .collect(),
    }
}

/// Servers run what the client ordered, and now and then something it did not.
fn state(chance: Chance, number: usize, order: &[String]) -> ServerState {
    let mut draw = chance.on(About::Server, number as u64, 0);
    let runs = |product: &&str, draw: &mut fastrand::Rng| {
        let odds = if order.iter().any(|o| o == product) { 85 } else { 10 };
        draw.u32(0..100) < odds
    };
    let mut inventory = BTreeMap::new();
    for product in releases::PRODUCTS.iter().filter(|p| **p == "isacompta" || runs(p, &mut draw)) {
        inventory.insert((*product).to_owned(), releases::version(14, 0, 0));
    }
    ServerState { inventory, capabilities: BTreeSet::from([INVENTORY.to_owned()]), ..ServerState::default() }
}

/// Clients ask for majors: soon or late, with enough notice or not, and some give up again.
fn requests(chance: Chance, clients: &[Client], published: &[Release], size: Size) -> Vec<(DateTime<Utc>, Happening)> {
    let mut happenings = Vec::new();
    for (r, release) in published.iter().enumerate().filter(|(_, r)| r.manifest().change == Change::Major) {
        for (c, client) in clients.iter().enumerate().filter(|(_, c)| c.order.iter().any(|p| p == release.product())) {
            let mut draw = chance.on(About::Request, r as u64, c as u64);
            if draw.u32(0..100) >= 60 {
                continue;
            }
            let at = release.published_at() + TimeDelta::minutes(draw.i64(60..40 * 24 * 60));
            let before = at.date_naive() + Days::new(draw.u64(2..70));
            let (product, version): (String, Version) = (release.product().to_owned(), release.version().clone());
            happenings.push((
                at,
                Happening::Requested { client: client.id.clone(), product: product.clone(), version, before },
            ));
            if draw.u32(0..100) < 10 {
                let given_up = at + TimeDelta::hours(draw.i64(1..120));
                happenings.push((given_up, Happening::RequestCancelled { client: client.id.clone(), product }));
            }
        }
    }
    happenings.retain(|(at, _)| *at < noon(size.from + Days::new(u64::try_from(size.nights).unwrap_or(0))));
    happenings
}

/// Staff hold a server, a client or nothing, for some days.
fn holds(chance: Chance, clients: &[Client], size: Size) -> Vec<(DateTime<Utc>, Happening)> {
    let mut happenings = Vec::new();
    for (c, client) in clients.iter().enumerate() {
        let mut draw = chance.on(About::Hold, c as u64, 0);
        let Some(server) = client.servers.first().filter(|_| draw.u32(0..100) < 6) else { continue };
        let on = match draw.bool() {
            true => HoldOn::Client { client: client.id.clone() },
            false => HoldOn::Server { client: client.id.clone(), server: server.id.clone() },
        };
        let at = noon(size.from) + TimeDelta::hours(draw.i64(0..(size.nights * 24).max(1)));
        let until = at + TimeDelta::hours(draw.i64(4..100));
        let ends = draw.bool().then_some(until);
        happenings.push((at, Happening::Held { on: on.clone(), until: ends, reason: "essai".to_owned() }));
        happenings.push((until, Happening::Lifted { on }));
    }
    happenings
}
