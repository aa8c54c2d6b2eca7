//! A drawn world as nouns: what a database would hold, at one moment.

use super::draw::{Draw, DrawnClient, DrawnRelease, DrawnRequest, DrawnServer, PRODUCTS, SITES};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::durations::Durations;
use crate::decide::notice;
use crate::decide::planner::tests::{manifest, release};
use crate::decide::terms::Terms;
use crate::decide::world::{Almanacs, Parts, World};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, ClosedPeriod, Language, Ring, Server};
use crate::model::hold::{Hold, HoldOn};
use crate::model::manifest::{Companion, Requirement, Text};
use crate::model::release::{Release, Retraction};
use crate::model::report::{Backup, ServerState};
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::{Change, Scheme, Version};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

const PLACES: [(Tz, &str); SITES] = [
    (Tz::Europe__Paris, "FR"),
    (Tz::Indian__Reunion, "FR-974"),
    (Tz::Europe__Paris, "FR-ALS"),
    (Tz::America__Miquelon, "FR"),
    (Tz::Pacific__Noumea, "FR"),
    (Tz::America__Martinique, "FR-972"),
];

/// The two schedules, by name.
pub const SCHEDULES: [&str; 2] = ["pro-controle", "nuit-blanche"];

static TERMS: LazyLock<[Arc<Terms>; 2]> = LazyLock::new(|| {
    [include_str!("../../../schedules/pro-controle.toml"), include_str!("../../../schedules/nuit-blanche.toml")]
        .map(|text| Arc::new(Terms::compile(toml::from_str(text).unwrap()).unwrap()))
});

/// One world at one moment.
#[derive(Clone)]
pub struct Case {
    pub now: DateTime<Utc>,
    pub parts: Parts,
    /// The next id of a deployment.
    pub next_id: i64,
}

/// The start of everything drawn.
fn epoch() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A version of the minor or the major line of a product.
pub fn number(product: usize, major: bool, patch: u32) -> Version {
    let (minor_line, major_line) = if product == 1 { ("2026", "2027") } else { ("14.20", "15.00") };
    format!("{}.{patch}", if major { major_line } else { minor_line }).parse().unwrap()
}

impl Case {
    pub fn new(draw: &Draw) -> Case {
        let now = epoch() + TimeDelta::minutes(draw.minute);
        let parts = Parts {
            terms: SCHEDULES
                .iter()
                .zip(TERMS.iter())
                .map(|(name, terms)| ((*name).to_owned(), terms.clone()))
                .collect(),
            clients: draw.clients.iter().enumerate().map(|(i, drawn)| client(i, drawn, now)).collect(),
            ..Parts::default()
        };
        let mut case = Case { now, parts, next_id: 1 };
        case.publish(&draw.releases);
        for (i, drawn) in draw.clients.iter().enumerate() {
            for (j, server) in drawn.servers.iter().enumerate() {
                case.install(i, j, server);
            }
            drawn.requests.iter().for_each(|request| case.ask(i, request));
            case.agree(i, drawn);
        }
        for (what, until) in &draw.holds {
            let of = draw.clients.len() - 1;
            let on = match what {
                0 => HoldOn::Server { client: id(0), server: server_id(0, 0) },
                1 => HoldOn::Client { client: id(0) },
                2 => HoldOn::Release { product: PRODUCTS[0].into(), version: number(0, false, 3) },
                _ => HoldOn::Server { client: id(of), server: server_id(of, 0) },
            };
            let id = case.parts.holds.len() as i64 + 1;
            let (until, at) = (until.map(|h| now + TimeDelta::hours(h)), now - TimeDelta::hours(1));
            case.parts.holds.push(Hold { id, on, until, reason: "r".into(), by: "iah".into(), at, lifted: None });
        }
        case
    }

    /// What planning sees.
    pub fn world(&self) -> World {
        World::new(self.parts.clone(), &mut almanacs(&self.parts.clients), self.now).unwrap()
    }

    pub fn terms(&self, client: &Client) -> &Arc<Terms> {
        &self.parts.terms[&client.schedule]
    }

    pub fn release(&self, product: &str, version: &Version) -> Option<&Release> {
        self.parts.releases.iter().find(|r| r.product() == product && r.version() == version)
    }

    fn publish(&mut self, drawn: &[DrawnRelease]) {
        let mut observed = Vec::new();
        for drawn in drawn {
            let (product, version) = (PRODUCTS[drawn.product], number(drawn.product, drawn.major, drawn.patch));
            if self.release(product, &version).is_some() {
                continue;
            }
            let published = self.now - TimeDelta::hours(drawn.hours);
            let mut release = release(noted(drawn, product, &version), "2026-01-01 00:00");
            (release.signed.published_at, release.seen_at) = (published, published);
            release.retracted =
                drawn.retracted.then(|| Retraction { at: self.now - TimeDelta::hours(1), reason: "r".into() });
            let progress = self.parts.rollout.entry(product, &version);
            (progress.installed, progress.failed, progress.canaries_installed) = drawn.spread;
            progress.canaries_installed = progress.canaries_installed.min(progress.installed);
            progress.canaries_failed = u32::from(drawn.spread.1 > 2);
            let times = drawn.learned.into_iter().flat_map(|took| (0..20).map(move |_| took));
            observed.extend(times.map(|took| (product, version.clone(), took)));
            self.parts.releases.push(release);
        }
        self.parts.durations =
            Durations::learn(observed.iter().map(|(product, version, took)| (*product, version, *took)));
    }

    fn install(&mut self, client: usize, server: usize, drawn: &DrawnServer) {
        let runs = |(product, patch): (usize, &Option<u32>)| {
            Some((PRODUCTS[product].to_owned(), number(product, false, (*patch)?)))
        };
        let backup = |(hours, succeeded)| Backup { finished_at: self.now - TimeDelta::hours(hours), succeeded };
        let state = ServerState {
            inventory: drawn.runs.iter().enumerate().filter_map(runs).collect(),
            backup: drawn.backup.map(backup),
            ..ServerState::default()
        };
        self.parts.states.insert(server_id(client, server), state);
        let Some((product, patch, times)) = drawn.failed else { return };
        let version = number(product, false, patch);
        let Some(release) = self.release(PRODUCTS[product], &version).cloned() else { return };
        let calendar = self.calendar(client, server);
        let (from, to) = (release.published_at(), self.now + TimeDelta::hours(1));
        let terms = self.terms(&self.parts.clients[client]).clone();
        let window = if release.manifest().is_manual() { terms.manual_window() } else { terms.minor_window() };
        let slots = window.slots(&calendar, from.min(to), to);
        let now = self.now;
        let slots = slots.into_iter().filter(move |slot| from <= slot.start && slot.start < now);
        for (attempt, slot) in (1..).zip(slots.take(times as usize)) {
            let finished_at = self.now.min(slot.start + TimeDelta::hours(1));
            let state = DeploymentState::RolledBack { started_at: slot.start, finished_at, why: "w".into() };
            let of = (client, server);
            let failed = self.deployment(of, &release, slot, state);
            self.parts.deployments.push(Deployment { attempt, ..failed });
        }
    }

    fn deployment(
        &mut self,
        (client, server): (usize, usize),
        release: &Release,
        slot: Slot,
        state: DeploymentState,
    ) -> Deployment {
        let id = self.next_id;
        self.next_id += 1;
        Deployment {
            id,
            action: id,
            position: 0,
            client: self::id(client),
            server: server_id(client, server),
            product: release.product().into(),
            from: None,
            to: release.version().clone(),
            change: release.manifest().change,
            manual: release.manifest().is_manual(),
            attended_by: None,
            concertation: None,
            slot,
            published_at: release.published_at(),
            deadline: None,
            request: None,
            attempt: 1,
            reasons: Arc::new([]),
            transfer: None,
            state,
        }
    }

    fn calendar(&self, client: usize, server: usize) -> Calendar {
        let client = &self.parts.clients[client];
        Calendar::new(client.servers[server].zone, client.holidays.parse().unwrap())
    }

    /// A request on too short a notice is refused unless that was agreed: it never becomes a fact.
    fn ask(&mut self, client: usize, drawn: &DrawnRequest) {
        let received_at = self.now - TimeDelta::hours(drawn.hours);
        let terms = self.terms(&self.parts.clients[client]).clone();
        let before = self.calendar(client, 0).date(self.now) + TimeDelta::days(drawn.days);
        let servers = 0..self.parts.clients[client].servers.len();
        let earliest =
            servers.clone().map(|s| notice::count(&terms, &self.calendar(client, s), received_at).earliest).max();
        let (product, version) = (PRODUCTS[drawn.product], number(drawn.product, true, drawn.patch));
        let at = self.now;
        if earliest.is_some_and(|earliest| before < earliest) {
            if !drawn.short_notice {
                return;
            }
            let (product, version) = (product.to_owned(), version.clone());
            self.agreed(client, Agreed::ShortNotice { product, version, before });
        }
        self.parts.requests.push(Request {
            id: self.parts.requests.len() as i64 + 1,
            client: id(client),
            product: product.into(),
            version,
            servers: drawn.server.map(|s| server_id(client, s % servers.len())).into_iter().collect(),
            received_at,
            by: "a".into(),
            before,
            state: match drawn.state {
                0 => RequestState::Accepted,
                1 => RequestState::Superseded { at, by: 99 },
                2 => RequestState::Done { at },
                3 => RequestState::Cancelled { at, by: "a".into() },
                _ => RequestState::Expired { at },
            },
        });
    }

    fn agree(&mut self, client: usize, drawn: &DrawnClient) {
        if let Some((server, product, start, length)) = drawn.agreed {
            let start = self.now + TimeDelta::hours(start);
            let slot = Slot { start, end: start + TimeDelta::hours(length) };
            let server = server_id(client, server % drawn.servers.len());
            self.agreed(client, Agreed::Slot { server, product: PRODUCTS[product].into(), slot });
        }
        if let Some((days, length, Some((front, back)))) = drawn.closed {
            let from = self.calendar(client, 0).date(self.now) + TimeDelta::days(days);
            let to = from + TimeDelta::days(length);
            for (from, to) in [(from, from + TimeDelta::days(front)), (to - TimeDelta::days(back), to)] {
                self.agreed(client, Agreed::ClosedPeriod { server: None, from, to });
            }
        }
    }

    fn agreed(&mut self, client: usize, agreed: Agreed) {
        let id = self.parts.agreements.len() as i64 + 1;
        let at = self.now - TimeDelta::hours(1);
        self.parts.agreements.push(Agreement { id, client: self::id(client), agreed, by: "d".into(), at });
    }
}

fn noted(drawn: &DrawnRelease, product: &str, version: &Version) -> crate::model::manifest::Manifest {
    let change = if drawn.major && !drawn.says_minor { Change::Major } else { Change::Minor };
    let mut manifest = manifest(product, version.as_str(), change);
    manifest.scheme = if drawn.product == 1 { Scheme::Year } else { Scheme::Dotted };
    (manifest.duration_minutes, manifest.rollback_minutes) = (drawn.minutes, 10);
    manifest.manual_steps = drawn.manual.then(|| Text { fr: "À la main.".into(), en: None });
    if drawn.requires && drawn.product == 1 {
        manifest.requires.push(Requirement { product: PRODUCTS[0].into(), at_least: number(0, false, 2) });
    }
    if drawn.along && drawn.product == 2 {
        manifest.installs_with.push(Companion { product: PRODUCTS[0].into(), version: number(0, false, 3) });
    }
    manifest.upgrade_from = drawn.from.then(|| number(drawn.product, false, 2));
    manifest
}

fn id(client: usize) -> String {
    format!("c{client}")
}

fn server_id(client: usize, server: usize) -> String {
    format!("c{client}-{server}")
}

fn client(i: usize, drawn: &DrawnClient, now: DateTime<Utc>) -> Client {
    let (zone, region) = PLACES[drawn.site];
    let today = now.with_timezone(&zone).date_naive();
    let closed = drawn.closed.iter().map(|(days, length, _)| {
        let from = today + TimeDelta::days(*days);
        ClosedPeriod::days(from, from + TimeDelta::days(*length), "paie")
    });
    let server = |(j, server): (usize, &DrawnServer)| Server {
        id: server_id(i, j),
        zone: server.zone.map_or(zone, |z| PLACES[z].0),
        ring: if server.canary { Ring::Canary } else { Ring::Broad },
    };
    Client {
        id: id(i),
        name: format!("Cabinet {i}"),
        language: Language::Fr,
        schedule: SCHEDULES[drawn.schedule].into(),
        holidays: region.into(),
        order: PRODUCTS[..3].iter().map(|p| (*p).to_owned()).collect(),
        contacts: Vec::new(),
        closed: closed.collect(),
        servers: drawn.servers.iter().enumerate().map(server).collect(),
    }
}

/// Almanacs for these clients' sites over everything that is drawn, made once for all cases.
fn almanacs(clients: &[Client]) -> MutexGuard<'static, Almanacs> {
    static MADE: LazyLock<Mutex<Almanacs>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    for client in clients {
        let region: Region = client.holidays.parse().unwrap();
        let terms = SCHEDULES.iter().position(|name| *name == client.schedule).map(|i| &TERMS[i]).unwrap();
        for server in &client.servers {
            made.spanning(terms, &client.schedule, (server.zone, region), epoch(), epoch() + TimeDelta::days(470));
        }
    }
    made
}
