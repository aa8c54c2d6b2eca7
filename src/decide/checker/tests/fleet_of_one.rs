//! Worlds of one server drawn at random, as the planner sees them and as the checker does.

use super::world::release;
use crate::decide::almanac::Almanac;
use crate::decide::calendar::{Calendar, Region};
use crate::decide::checker::{Checker, Finding, Scene, Spread};
use crate::decide::closed::Closed;
use crate::decide::durations::Durations;
use crate::decide::handout::{self, Asking, Offer};
use crate::decide::load::Load;
use crate::decide::notice;
use crate::decide::planner::{self, Catalog, Facts};
use crate::decide::rollout::Rollout;
use crate::decide::terms::Terms;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::decision::{Decision, Plan};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, ClosedPeriod, Fleet};
use crate::model::hold::{Hold, HoldOn};
use crate::model::manifest::{Companion, Requirement, Text};
use crate::model::release::{Release, Retraction};
use crate::model::report::{Backup, ServerState};
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::{Change, Scheme, Version};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

const PRODUCTS: [&str; 4] = ["isacompta", "isapaye", "isaged", "tiers"];

const SITES: [(Tz, &str); 6] = [
    (Tz::Europe__Paris, "FR"),
    (Tz::Europe__Paris, "FR-ALS"),
    (Tz::Indian__Reunion, "FR-974"),
    (Tz::America__Miquelon, "FR"),
    (Tz::Pacific__Noumea, "FR"),
    (Tz::America__Martinique, "FR-972"),
];

static SCHEDULES: LazyLock<[Terms; 2]> = LazyLock::new(|| {
    [include_str!("../../../../schedules/pro-controle.toml"), include_str!("../../../../schedules/nuit-blanche.toml")]
        .map(|text| Terms::compile(toml::from_str(text).unwrap()).unwrap())
});

/// One release: product, major, patch, hours since its publication, minutes it takes, flags.
#[derive(Clone, Debug)]
pub struct DrawnRelease {
    pub product: usize,
    pub major: bool,
    /// A version of the major line whose manifest says minor.
    pub says_minor: bool,
    pub patch: u32,
    pub hours: i64,
    pub minutes: u32,
    pub manual: bool,
    pub requires: bool,
    pub along: bool,
    pub from: bool,
    pub retracted: bool,
    pub failures: u32,
    /// Servers that have it, servers on which it failed.
    pub spread: (u32, u32),
}

/// A request for a major: product, patch, days until its date, hours since it came in.
pub type DrawnRequest = (usize, u32, i64, i64);
/// A hold: what is held, hours until it ends.
pub type DrawnHold = (usize, Option<i64>);
/// An agreed slot: product, hours until it begins, hours it lasts.
pub type DrawnSlot = (usize, i64, i64);

/// What a world is drawn from.
#[derive(Clone, Debug)]
pub struct Draw {
    pub schedule: usize,
    pub site: usize,
    /// Minutes since 1 January 2026.
    pub minute: i64,
    pub canary: bool,
    /// For which products the fleet has canaries.
    pub canaries: [bool; 3],
    pub releases: Vec<DrawnRelease>,
    pub request: Option<DrawnRequest>,
    pub short_notice: bool,
    pub hold: Option<DrawnHold>,
    pub agreed: Option<DrawnSlot>,
    /// Days until the client closes, days it stays closed, whether that is agreed away.
    pub closed: Option<(i64, i64, bool)>,
    /// Hours since the last backup, and whether it is good.
    pub backup: Option<(i64, bool)>,
    /// Hours until it is looked at again, and whether what was due has started by then.
    pub later: (i64, bool),
}

prop_compose! {
    fn drawn_release()(
        product in 0..4_usize, major in prop::bool::weighted(0.3), patch in 1..6_u32, hours in -10..200_i64,
        minutes in prop_oneof![5..60_u32, 5..400_u32],
        flags in prop::array::uniform6(prop::bool::weighted(0.25)),
        failures in prop_oneof![6 => Just(0), 1 => 1..4_u32],
        spread in prop_oneof![4 => Just((0, 0)), 1 => (0..40_u32, 0..4_u32)],
    ) -> DrawnRelease {
        let [manual, requires, along, from, retracted, says_minor] = flags;
        DrawnRelease { product, major, says_minor, patch, hours, minutes, manual, requires, along, from, retracted, failures, spread }
    }
}

prop_compose! {
    pub fn draw()(
        // Fifteen months: every clock change of both hemispheres.
        schedule in 0..2_usize, site in 0..SITES.len(), minute in 0..650_000_i64, canary in any::<bool>(),
        canaries in prop::array::uniform3(any::<bool>()),
        releases in prop::collection::vec(drawn_release(), 0..7),
        request in prop::option::of((0..3_usize, 1..6_u32, 0..30_i64, 0..400_i64)),
        short_notice in any::<bool>(),
        hold in prop::option::weighted(0.3, (0..4_usize, prop::option::of(1..80_i64))),
        agreed in prop::option::weighted(0.3, (0..3_usize, -4..80_i64, 1..12_i64)),
        closed in prop::option::weighted(0.3, (-2..3_i64, 0..5_i64, any::<bool>())),
        backup in prop::option::weighted(0.8, (0..60_i64, prop::bool::weighted(0.9))),
        later in (0..60_i64, any::<bool>()),
    ) -> Draw {
        Draw { schedule, site, minute, canary, canaries, releases, request, short_notice, hold, agreed, closed, backup, later }
    }
}

/// What the windows give over the months that worlds are drawn from, worked out once.
fn almanac(schedule: usize, calendar: Calendar) -> Arc<Almanac> {
    static MADE: Mutex<BTreeMap<(usize, String, Region), Arc<Almanac>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let key = (schedule, calendar.zone.to_string(), calendar.region);
    let span = || {
        let from = "2026-01-01T00:00:00Z".parse().unwrap();
        Arc::new(Almanac::new(&SCHEDULES[schedule], calendar, from, from + TimeDelta::days(460)))
    };
    made.entry(key).or_insert_with(span).clone()
}

/// The checker of a site, made once.
fn checker(schedule: usize, region: &str, zone: Tz) -> Arc<Checker> {
    static MADE: Mutex<BTreeMap<(usize, String, String), Arc<Checker>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let make = || Arc::new(Checker::new(&SCHEDULES[schedule].schedule, region, zone).unwrap());
    made.entry((schedule, zone.to_string(), region.to_owned())).or_insert_with(make).clone()
}

/// One server and all that is known about it.
pub struct Site {
    schedule: usize,
    pub now: DateTime<Utc>,
    pub client: Client,
    pub state: ServerState,
    pub catalog: Catalog,
    pub requests: Vec<Request>,
    pub agreements: Vec<Agreement>,
    pub holds: Vec<Hold>,
    pub deployments: Vec<Deployment>,
    pub rollout: Rollout,
    pub canaries: BTreeMap<String, usize>,
}

fn number(product: usize, major: bool, patch: u32) -> Version {
    let (minor_line, major_line) = if product == 1 { ("2026", "2027") } else { ("14.20", "15.00") };
    format!("{}.{patch}", if major { major_line } else { minor_line }).parse().unwrap()
}

impl Site {
    pub fn new(draw: &Draw) -> Site {
        let (zone, region) = SITES[draw.site];
        let now = "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(draw.minute);
        let fleet: Fleet = toml::from_str(&format!(
            "[[client]]\nid = \"durand\"\nname = \"Durand\"\nschedule = \"s\"\nholidays = {region:?}\n\
             order = [\"isacompta\", \"isapaye\", \"isaged\"]\ncontacts = []\n[[client.server]]\nid = \"srv\"\n\
             zone = \"{zone}\"\nring = \"{}\"\n",
            if draw.canary { "canary" } else { "broad" }
        ))
        .unwrap();
        let mut site = Site {
            schedule: draw.schedule,
            now,
            client: fleet.clients.into_iter().next().unwrap(),
            state: ServerState {
                inventory: (0..4).map(|p| (PRODUCTS[p].to_owned(), number(p, false, 0))).collect(),
                backup: draw
                    .backup
                    .map(|(hours, succeeded)| Backup { finished_at: now - TimeDelta::hours(hours), succeeded }),
                ..ServerState::default()
            },
            catalog: Catalog::new(),
            requests: Vec::new(),
            agreements: Vec::new(),
            holds: Vec::new(),
            deployments: Vec::new(),
            rollout: Rollout::default(),
            canaries: (0..3).filter(|p| draw.canaries[*p]).map(|p| (PRODUCTS[p].to_owned(), 1)).collect(),
        };
        draw.releases.iter().for_each(|drawn| site.publish(drawn));
        site.people(draw);
        site
    }

    fn publish(&mut self, drawn: &DrawnRelease) {
        let version = number(drawn.product, drawn.major, drawn.patch);
        let known = self.catalog.entry(PRODUCTS[drawn.product].to_owned()).or_default();
        if known.iter().any(|release| *release.version() == version) {
            return;
        }
        let published = self.now - TimeDelta::hours(drawn.hours);
        let mut release: Release = release(PRODUCTS[drawn.product], version.as_str(), "2026-01-01T00:00", "");
        release.signed.published_at = published;
        release.seen_at = published;
        let manifest = Arc::make_mut(&mut release.signed.manifest);
        manifest.change = if drawn.major && !drawn.says_minor { Change::Major } else { Change::Minor };
        manifest.scheme = if drawn.product == 1 { Scheme::Year } else { Scheme::Dotted };
        manifest.duration_minutes = drawn.minutes;
        manifest.manual_steps = drawn.manual.then(|| Text { fr: "À la main.".into(), en: None });
        if drawn.requires && drawn.product == 1 {
            manifest.requires.push(Requirement { product: PRODUCTS[0].into(), at_least: number(0, false, 2) });
        }
        if drawn.along && drawn.product == 2 {
            manifest.installs_with.push(Companion { product: PRODUCTS[0].into(), version: number(0, false, 3) });
        }
        manifest.upgrade_from = drawn.from.then(|| number(drawn.product, false, 2));
        release.retracted =
            drawn.retracted.then(|| Retraction { at: self.now - TimeDelta::hours(1), reason: "r".into() });
        let progress = self.rollout.entry(release.product(), release.version());
        (progress.installed, progress.failed) = drawn.spread;
        (progress.canaries_installed, progress.canaries_failed) =
            (drawn.spread.0.min(1), u32::from(drawn.spread.1 > 2));
        let night = Slot { start: published - TimeDelta::hours(2), end: published };
        let plan = Plan { version, slot: night, deadline: None, request: None, position: 0, leader: String::new() };
        for attempt in 1..=drawn.failures.min(if drawn.hours > 24 { 3 } else { 0 }) {
            let state =
                DeploymentState::RolledBack { started_at: night.start, finished_at: night.end, why: "w".into() };
            let id = self.deployments.len() as i64 + 1;
            let failed = super::world::deployment(id, PRODUCTS[drawn.product], &plan, state);
            self.deployments.push(Deployment { attempt, ..failed });
        }
        known.push(Arc::new(release));
        known.sort_by(|a, b| a.version().cmp(b.version()));
    }

    /// What people asked for, agreed to and stopped.
    fn people(&mut self, draw: &Draw) {
        let (now, hours) = (self.now, |hours: i64| self.now + TimeDelta::hours(hours));
        let today = now.with_timezone(&SITES[draw.site].0).date_naive();
        let agree = |agreed| Agreement { id: 1, client: "durand".into(), agreed, by: "Durand".into(), at: now };
        if let Some((product, patch, days, received)) = draw.request {
            let version = number(product, true, patch);
            let before = today + TimeDelta::days(days);
            let asked = PRODUCTS[product];
            self.requests.push(Request {
                id: 7,
                client: "durand".into(),
                product: asked.into(),
                version: version.clone(),
                servers: Vec::new(),
                received_at: hours(-received),
                by: "a".into(),
                before,
                state: RequestState::Accepted,
            });
            let short = self.notice_is_short();
            // A request on too short a notice is refused unless that was agreed: it never becomes a fact.
            if short && !draw.short_notice {
                self.requests.clear();
            } else if short {
                self.agreements.push(agree(Agreed::ShortNotice { product: asked.into(), version, before }));
            }
        }
        if let Some((what, until)) = draw.hold {
            let on = match what {
                0 => HoldOn::Server { client: "durand".into(), server: "srv".into() },
                1 => HoldOn::Client { client: "durand".into() },
                2 => HoldOn::Release { product: PRODUCTS[0].into(), version: number(0, false, 3) },
                _ => HoldOn::Server { client: "durand".into(), server: "other".into() },
            };
            let until = until.map(|h| now + TimeDelta::hours(h));
            let at = now - TimeDelta::hours(1);
            self.holds.push(Hold { id: 1, on, until, reason: "r".into(), by: "iah".into(), at, lifted: None });
        }
        if let Some((product, start, length)) = draw.agreed {
            let slot = Slot { start: now + TimeDelta::hours(start), end: now + TimeDelta::hours(start + length) };
            self.agreements.push(agree(Agreed::Slot { server: "srv".into(), product: PRODUCTS[product].into(), slot }));
        }
        if let Some((days, length, agreed)) = draw.closed {
            let from = today + TimeDelta::days(days);
            let to = from + TimeDelta::days(length);
            self.client.closed.push(ClosedPeriod::days(from, to, "paie"));
            if agreed {
                self.agreements.push(agree(Agreed::ClosedPeriod { server: None, from, to }));
            }
        }
    }

    /// The decisions become deployments, as planning commits them, and time passes.
    pub fn go_on(&mut self, decisions: &[Decision], (hours, starts): (i64, bool)) {
        let first = 100 + self.deployments.len() as i64;
        let mut leaders: Vec<&str> = Vec::new();
        for decision in decisions {
            let Some(plan) = decision.outcome.plan() else { continue };
            let place = leaders.iter().position(|leader| **leader == plan.leader).unwrap_or(leaders.len());
            if place == leaders.len() {
                leaders.push(&plan.leader);
            }
            let id = first + self.deployments.len() as i64;
            let planned = super::world::deployment(id, &decision.product, plan, DeploymentState::Planned);
            let release = self.release(&decision.product, &plan.version);
            self.deployments.push(Deployment {
                action: first + place as i64,
                manual: release.manifest().is_manual(),
                attended_by: Some("iah".into()),
                published_at: release.published_at(),
                ..planned
            });
        }
        let before = self.now;
        self.now += TimeDelta::hours(hours);
        let due = |deployment: &&Deployment| deployment.state.is_open() && deployment.slot.contains(self.now);
        let Some(action) = self.deployments.iter().find(due).map(|due| due.action).filter(|_| starts) else { return };
        for deployment in self.deployments.iter_mut().filter(|deployment| deployment.action == action) {
            deployment.state = DeploymentState::Running { started_at: deployment.slot.start.max(before) };
        }
    }

    pub fn release(&self, product: &str, version: &Version) -> &Release {
        self.catalog[product].iter().find(|release| release.version() == version).unwrap()
    }

    /// What the server would be offered if it asked now, the planner having been asked again.
    pub fn offer(&self) -> Option<Vec<Deployment>> {
        let again = self.plan();
        let stands = |deployment: &Deployment| {
            again.iter().filter_map(|decision| Some((&decision.product, decision.outcome.plan()?))).any(
                |(product, plan)| {
                    *product == deployment.product && plan.version == deployment.to && plan.slot == deployment.slot
                },
            )
        };
        let terms = &SCHEDULES[self.schedule];
        let region = self.client.holidays.parse().unwrap();
        let calendar = Calendar::new(self.client.servers[0].zone, region);
        let open: Vec<Deployment> = self.deployments.iter().filter(|d| d.state.is_open()).cloned().collect();
        let minutes = |deployment: &Deployment| {
            let need = Durations::default().need(terms, self.release(&deployment.product, &deployment.to));
            (deployment.id, u32::try_from(need.num_minutes()).unwrap())
        };
        let asking = Asking {
            agreements: &self.agreements,
            now: self.now,
            open: &open,
            line_busy: false,
            splay_minutes: 0,
            state: &self.state,
            backup_not_before: notice::backup_not_before(terms, &calendar, self.now),
            retracted: &BTreeSet::new(),
            held: &open.iter().filter(|deployment| !stands(deployment)).map(|deployment| deployment.id).collect(),
            minutes: &open.iter().map(minutes).collect(),
        };
        match handout::offer(&asking) {
            Offer::Install(action) => Some(action.deployments),
            Offer::Nothing | Offer::Stage(..) | Offer::Stop(_) => None,
        }
    }

    fn notice_is_short(&self) -> bool {
        let request = &self.requests[0];
        let notice = self.checker().notice(request.received_at).unwrap();
        request.before < notice.earliest
    }

    pub fn checker(&self) -> Arc<Checker> {
        checker(self.schedule, &self.client.holidays, self.client.servers[0].zone)
    }

    pub fn plan(&self) -> Vec<Decision> {
        let terms = &SCHEDULES[self.schedule];
        let region = self.client.holidays.parse().unwrap();
        let server = &self.client.servers[0];
        let calendar = Calendar::new(server.zone, region);
        planner::plan(&Facts {
            now: self.now,
            terms,
            almanac: &almanac(self.schedule, calendar),
            closed: &Closed::compile(&self.client.closed, region).unwrap(),
            client: &self.client,
            server,
            state: &self.state,
            catalog: &self.catalog,
            requests: &self.requests,
            agreements: &self.agreements,
            holds: &self.holds,
            deployments: &self.deployments,
            rollout: &self.rollout,
            durations: &Durations::default(),
            canaries: &self.canaries,
            load: Load::none(),
        })
    }

    pub fn check(&self, decisions: &[Decision]) -> Vec<Finding> {
        self.look(|checker, scene| checker.decisions(scene, decisions))
    }

    pub fn check_start(&self, group: &[Deployment]) -> Vec<Finding> {
        self.look(|checker, scene| checker.handed_out(scene, &group.iter().collect::<Vec<_>>()))
    }

    fn look<T>(&self, ask: impl FnOnce(&Checker, &Scene) -> T) -> T {
        let spread = |release: &Release| {
            let progress = self.rollout.of(release);
            let settled = progress.canaries_installed > 0 && progress.canaries_failed == 0;
            Spread {
                canaries: u32::from(self.canaries.contains_key(release.product())),
                canaries_settled: u32::from(settled),
                tried: progress.tried(),
                failed: progress.failed,
            }
        };
        let scene = Scene {
            now: self.now,
            client: &self.client,
            server: &self.client.servers[0],
            state: &self.state,
            releases: &self.catalog,
            requests: &self.requests,
            agreements: &self.agreements,
            holds: &self.holds,
            deployments: &self.deployments,
            spread: &spread,
            minutes: &Scene::estimate,
        };
        ask(&self.checker(), &scene)
    }
}
