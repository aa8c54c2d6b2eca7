//! The planner's rules as tables: one small world, one change, one expected slot or verdict.

use super::*;
use crate::decide::calendar::Region;
use crate::decide::load::{Promise, Staffed};
use crate::decide::rollout::Progress;
use crate::model::decision::Plan;
use crate::model::fleet::{ClosedPeriod, Contact, Language, Ring};
use crate::model::manifest::*;
use crate::model::release::Retraction;
use crate::model::report::Backup;
use crate::model::request::RequestState;
use crate::model::slot::Slot;
use crate::model::version::{Change, Scheme};
use chrono::TimeDelta;

const PARIS: chrono_tz::Tz = chrono_tz::Europe::Paris;

pub(in crate::decide) fn utc(text: &str) -> DateTime<Utc> {
    // Site-local text without offset is read as Paris time.
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    naive.and_local_timezone(PARIS).unwrap().with_timezone(&Utc)
}

pub(in crate::decide) fn manifest(product: &str, version: &str, change: Change) -> Manifest {
    Manifest {
        product: product.into(),
        version: version.parse().unwrap(),
        change,
        scheme: Scheme::Dotted,
        urgency: Urgency::Normal,
        legal_date: None,
        notes: Text { fr: "Corrections".into(), en: None },
        manual_steps: None,
        workstation_action: None,
        closes_access: false,
        duration_minutes: 30,
        rollback_minutes: 15,
        upgrade_from: None,
        requires: Vec::new(),
        installs_with: Vec::new(),
        platform: Platform::default(),
        package: Package {
            file: format!("{product}-{version}.zip"),
            unpacked_mib_max: 10,
            entries: None,
            unpacked_bytes: None,
            files_sha256: None,
        },
        installer: Installer::Zip {},
        reboot: Reboot::Never,
        preserve: Vec::new(),
        services: Vec::new(),
        health: Health { command: Vec::new(), files: vec!["VERSION".into()], timeout_seconds: 10, checks: Vec::new() },
        detect: Detect { version_file: "VERSION".into() },
    }
}

/// A release published at the Paris time `at`.
pub(in crate::decide) fn release(manifest: Manifest, at: &str) -> Release {
    let (published_at, manifest) = (utc(at), Arc::new(manifest));
    let signed = SignedManifest { publisher: "agiris".into(), published_at, size: 1, sha256: String::new(), manifest };
    Release { signed, seen_at: published_at, retracted: None, sha1: String::new(), md5: String::new() }
}

/// The contract's own schedule.
pub(in crate::decide) fn terms() -> &'static Terms {
    static TERMS: std::sync::LazyLock<Terms> = std::sync::LazyLock::new(|| {
        Terms::compile(toml::from_str(include_str!("../../../schedules/pro-controle.toml")).unwrap()).unwrap()
    });
    &TERMS
}

/// An almanac of 2026 and early 2027, made once for each zone, region and contract; of the instant alone outside of them.
fn almanac(terms: &Terms, calendar: Calendar, now: DateTime<Utc>) -> Arc<Almanac> {
    type Made = BTreeMap<(String, Region, usize), Arc<Almanac>>;
    static MADE: std::sync::Mutex<Made> = std::sync::Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let key = (calendar.zone.to_string(), calendar.region, std::ptr::from_ref(terms).addr());
    let (from, to) = (utc("2026-01-01 00:00"), utc("2027-05-01 00:00"));
    let kept = made.entry(key).or_insert_with(|| Arc::new(Almanac::new(terms, calendar.clone(), from, to)));
    if kept.is_good_at(now) { kept.clone() } else { Arc::new(Almanac::new(terms, calendar, now, now)) }
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub now: DateTime<Utc>,
    pub terms: &'static Terms,
    pub client: Client,
    pub state: ServerState,
    pub releases: Vec<Release>,
    pub requests: Vec<Request>,
    pub deployments: Vec<Deployment>,
    pub rollout: Rollout,
    pub canaries: BTreeMap<String, usize>,
    pub region: Region,
    pub agreements: Vec<Agreement>,
    pub holds: Vec<Hold>,
    pub durations: Durations,
    pub staffed: Staffed,
    /// What the client's other server was promised.
    pub line: Vec<Promise>,
}

impl World {
    /// A broad server without canaries that runs isacompta 14.20.002, backed up just now.
    pub fn at(now: &str) -> World {
        let now = utc(now);
        World {
            now,
            terms: terms(),
            client: Client {
                id: "martin".into(),
                name: "Cabinet Martin".into(),
                language: Language::Fr,
                schedule: "pro-controle".into(),
                holidays: "FR".into(),
                order: vec!["isacompta".into(), "isapaye".into(), "isaged".into()],
                contacts: vec![Contact { name: "A. Martin".into(), email: "a@martin.example".into(), phone: None }],
                closed: Vec::new(),
                servers: vec![Server { id: "martin-1".into(), zone: PARIS, ring: Ring::Broad }],
            },
            state: ServerState {
                inventory: BTreeMap::from([("isacompta".to_owned(), "14.20.002".parse().unwrap())]),
                backup: Some(Backup { finished_at: now, succeeded: true }),
                ..ServerState::default()
            },
            releases: Vec::new(),
            requests: Vec::new(),
            deployments: Vec::new(),
            rollout: Rollout::default(),
            canaries: BTreeMap::new(),
            region: Region::National,
            agreements: Vec::new(),
            holds: Vec::new(),
            durations: Durations::default(),
            staffed: Staffed::default(),
            line: Vec::new(),
        }
    }

    pub fn install(mut self, product: &str, version: &str) -> World {
        self.state.inventory.insert(product.into(), version.parse().unwrap());
        self
    }

    pub fn publish(mut self, manifest: Manifest, at: &str) -> World {
        self.releases.push(release(manifest, at));
        self
    }

    pub fn minor(self, version: &str, at: &str) -> World {
        self.publish(manifest("isacompta", version, Change::Minor), at)
    }

    pub fn request(mut self, version: &str, before: &str) -> World {
        self.requests.push(Request {
            id: 1,
            client: "martin".into(),
            product: "isacompta".into(),
            version: version.parse().unwrap(),
            servers: Vec::new(),
            received_at: self.now,
            by: "martin".into(),
            before: before.parse().unwrap(),
            state: RequestState::Accepted,
        });
        self
    }

    pub fn calendar(&self) -> Calendar {
        Calendar::new(self.client.servers[0].zone, self.region)
    }

    pub fn plan(&self) -> Vec<Decision> {
        let terms = self.terms;
        let server = &self.client.servers[0];
        let calendar = self.calendar();
        let mut catalog = Catalog::new();
        for release in &self.releases {
            catalog.entry(release.product().to_owned()).or_default().push(Arc::new(release.clone()));
        }
        for all in catalog.values_mut() {
            all.sort_by(|a, b| a.version().cmp(b.version()));
        }
        plan(&Facts {
            now: self.now,
            terms,
            almanac: &almanac(terms, calendar, self.now),
            closed: &Closed::compile(&self.client.closed, self.region).unwrap(),
            client: &self.client,
            server,
            state: &self.state,
            catalog: &catalog,
            requests: &self.requests,
            agreements: &self.agreements,
            holds: &self.holds,
            deployments: &self.deployments,
            rollout: &self.rollout,
            durations: &self.durations,
            canaries: &self.canaries,
            load: Load { staffed: &self.staffed, own: &[], line: [std::slice::from_ref(&self.line), &[]] },
        })
    }

    #[track_caller]
    pub fn check(&self, product: &str, expected: &str) {
        let decisions = self.plan();
        assert!(decisions.iter().all(|d| !d.reasons.is_empty()), "a decision without reason: {decisions:#?}");
        let said: Vec<String> = decisions.iter().filter(|d| d.product == product).map(short).collect();
        assert_eq!(said.join("; "), expected, "{decisions:#?}");
    }
}

/// "planned 14.20.003 29 22:00-30 07:00", site-local; or the outcome with the rule that settled it.
fn short(decision: &Decision) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&PARIS).format("%d %H:%M").to_string();
    match decision.outcome.plan() {
        Some(Plan { version, slot, .. }) => {
            format!("{} {version} {}-{}", decision.outcome.name(), local(slot.start), local(slot.end))
        }
        None => format!("{} {}", decision.outcome.name(), decision.reasons.last().unwrap().rule),
    }
}

pub(super) fn deployment(world: &World, version: &str, slot: (&str, &str), state: DeploymentState) -> Deployment {
    Deployment {
        id: 1,
        action: 1,
        position: 0,
        client: "martin".into(),
        server: "martin-1".into(),
        product: "isacompta".into(),
        from: world.state.inventory.get("isacompta").cloned(),
        to: version.parse().unwrap(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot: Slot::new(utc(slot.0), utc(slot.1)).unwrap(),
        published_at: world.now,
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state,
    }
}

#[test]
fn a_minor_goes_in_the_first_night_after_its_publication() {
    World::at("2026-04-29 17:01")
        .minor("14.20.003", "2026-04-29 17:00")
        .check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    World::at("2026-04-29 22:01")
        .minor("14.20.003", "2026-04-29 22:00")
        .check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    // One minute into the night is no longer a night that begins after publication.
    World::at("2026-04-29 22:02")
        .minor("14.20.003", "2026-04-29 22:01")
        .check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn broad_servers_wait_for_the_canaries_but_never_past_the_deadline() {
    let mut world = World::at("2026-04-29 17:01").minor("14.20.003", "2026-04-29 17:00");
    world.canaries.insert("isacompta".into(), 1);
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
    world.client.servers[0].ring = Ring::Canary;
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    world.client.servers[0].ring = Ring::Broad;
    *world.rollout.entry("isacompta", world.releases[0].version()) =
        Progress { canaries_failed: 1, ..Progress::default() };
    world.check("isacompta", "held rollout");
}

#[test]
fn past_the_deadline_it_is_late_and_says_so() {
    World::at("2026-05-04 10:00")
        .minor("14.20.003", "2026-04-29 17:00")
        .check("isacompta", "late 14.20.003 04 22:00-05 07:00");
}

#[test]
fn a_closed_period_makes_a_minor_late() {
    let mut world = World::at("2026-04-29 17:01").minor("14.20.003", "2026-04-29 17:00");
    let (from, to) = ("2026-04-29".parse().unwrap(), "2026-05-02".parse().unwrap());
    world.client.closed.push(ClosedPeriod::days(from, to, "paie"));
    world.check("isacompta", "late 14.20.003 03 22:00-04 07:00");
}

#[test]
fn what_the_order_does_not_name_is_never_touched() {
    let world = World::at("2026-04-29 17:01")
        .install("eic", "7.1")
        .publish(manifest("eic", "7.2", Change::Minor), "2026-04-29 17:00");
    world.check("eic", "out_of_scope out-of-scope");
}

#[test]
fn a_retracted_release_is_never_planned_and_the_one_before_is() {
    let mut world =
        World::at("2026-04-29 18:00").minor("14.20.003", "2026-04-29 16:00").minor("14.20.004", "2026-04-29 17:00");
    world.check("isacompta", "planned 14.20.004 29 22:00-30 07:00");
    world.releases[1].retracted = Some(Retraction { at: world.now, reason: "faulty".into() });
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
}

#[test]
fn a_newer_minor_never_costs_an_older_one_its_deadline() {
    let mut world =
        World::at("2026-04-30 17:01").minor("14.20.003", "2026-04-29 17:00").minor("14.20.004", "2026-04-30 17:00");
    world.canaries.insert("isacompta".into(), 1);
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn a_stepping_stone_comes_first() {
    let mut last = manifest("isacompta", "14.20.005", Change::Minor);
    last.upgrade_from = Some("14.20.004".parse().unwrap());
    World::at("2026-04-29 18:00")
        .minor("14.20.004", "2026-04-29 17:00")
        .publish(last, "2026-04-29 17:00")
        .check("isacompta", "planned 14.20.004 29 22:00-30 07:00");
}

#[test]
fn a_manual_update_waits_for_a_maintenance_slot_after_its_announcement() {
    let mut manual = manifest("isacompta", "14.20.005", Change::Minor);
    manual.manual_steps = Some(Text { fr: "Relancer".into(), en: None });
    World::at("2026-05-05 10:01")
        .publish(manual.clone(), "2026-05-05 10:00")
        .check("isacompta", "planned 14.20.005 06 20:00-06 22:00");
    // 7 May 10:00 plus 24 h leads into the holiday of 8 May: Saturday.
    World::at("2026-05-07 10:01")
        .publish(manual, "2026-05-07 10:00")
        .check("isacompta", "planned 14.20.005 09 08:00-09 16:00");
}

#[test]
fn a_major_waits_for_a_request_and_leaves_a_retry_slot() {
    let mut major = manifest("isacompta", "15.00.001", Change::Major);
    major.duration_minutes = 180;
    major.rollback_minutes = 60;
    let world = World::at("2026-04-30 10:00").publish(major, "2026-04-29 17:00");
    world.check("isacompta", "waiting major-on-request");
    // Four hours fit only on Saturdays: 2, 9 and 16 May; the last but one leaves the 16th.
    let world = world.request("15.00.001", "2026-05-16");
    world.check("isacompta", "planned 15.00.001 09 08:00-09 16:00");
    let mut world = world;
    world.requests[0].before = "2026-05-08".parse().unwrap();
    world.check("isacompta", "planned 15.00.001 02 08:00-02 16:00");
    world.requests[0].before = "2026-05-01".parse().unwrap();
    world.check("isacompta", "held major-notice");
}

#[test]
fn a_minor_that_crosses_a_major_boundary_is_a_major() {
    World::at("2026-04-29 18:00").minor("15.00.001", "2026-04-29 17:00").check("isacompta", "waiting major-on-request");
}

#[test]
fn a_stale_backup_holds_near_the_slot_and_not_before() {
    let mut world = World::at("2026-04-29 21:59").minor("14.20.003", "2026-04-29 17:00");
    world.state.backup = Some(Backup { finished_at: utc("2026-04-20 20:00"), succeeded: true });
    world.check("isacompta", "held backup-first");
    world.state.backup = Some(Backup { finished_at: world.now, succeeded: false });
    world.check("isacompta", "held backup-first");
    world.state.backup = None;
    world.check("isacompta", "held backup-first");
    world.now = utc("2026-04-29 17:59");
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
}

#[test]
fn a_failed_backup_holds_without_a_break_once_it_has_cost_a_night() {
    let mut world = World::at("2026-04-29 20:35").minor("14.20.003", "2026-04-29 17:00");
    world.state.backup = Some(Backup { finished_at: world.now, succeeded: false });
    for now in ["2026-04-29 20:35", "2026-04-30 06:30", "2026-04-30 12:00", "2026-05-01 06:30", "2026-05-02 12:00"] {
        world.now = utc(now);
        world.check("isacompta", "held backup-first");
    }
    // The next backup that succeeds ends it.
    world.state.backup = Some(Backup { finished_at: utc("2026-04-30 11:00"), succeeded: true });
    world.now = utc("2026-04-30 12:00");
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn what_is_required_goes_first_in_the_same_slot() {
    let mut paye = manifest("isapaye", "12.4.1", Change::Minor);
    paye.requires = vec![Requirement { product: "isacompta".into(), at_least: "14.20.004".parse().unwrap() }];
    let world = World::at("2026-05-04 17:01").install("isapaye", "12.4.0").publish(paye, "2026-05-04 17:00");
    world.check("isapaye", "waiting prerequisites");
    let world = world.minor("14.20.004", "2026-05-04 16:00");
    world.check("isapaye", "planned 12.4.1 04 22:00-05 07:00");
    let plans: Vec<(String, u32, String)> = world
        .plan()
        .iter()
        .filter_map(|d| d.outcome.plan().map(|p| (d.product.clone(), p.position, p.leader.clone())))
        .collect();
    let leader = "isacompta 14.20.004".to_owned();
    assert_eq!(plans, [("isacompta".into(), 0, leader.clone()), ("isapaye".into(), 1, leader)]);
}

#[test]
fn a_failed_try_goes_to_the_next_night_and_then_to_staff() {
    let mut world = World::at("2026-04-30 08:00").minor("14.20.003", "2026-04-29 17:00");
    let at = world.now;
    let failed = |n: &str| DeploymentState::RolledBack { started_at: at, finished_at: at, why: n.into() };
    let night = ("2026-04-29 22:00", "2026-04-30 07:00");
    let first = deployment(&world, "14.20.003", night, failed("health check"));
    world.deployments.push(first.clone());
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
    while world.deployments.len() < 3 {
        world.deployments.push(first.clone());
    }
    world.check("isacompta", "held gti-2h");
}

#[test]
fn a_promised_slot_is_kept_while_it_is_admissible() {
    let mut world = World::at("2026-04-29 17:01").minor("14.20.003", "2026-04-29 17:00");
    let kept = deployment(&world, "14.20.003", ("2026-04-30 22:00", "2026-05-01 07:00"), DeploymentState::Planned);
    world.deployments.push(kept);
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn nothing_starts_that_cannot_end_in_its_slot() {
    // 30 minutes, 15 to go back, 10 for the copy and one for the agent to ask: at 06:04 they fit, a minute later not.
    let mut world = World::at("2026-04-30 06:04").minor("14.20.003", "2026-04-29 17:00");
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    world.now += TimeDelta::minutes(1);
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn running_is_left_alone() {
    let mut world = World::at("2026-04-29 23:00").minor("14.20.003", "2026-04-29 17:00");
    let started_at = world.now;
    let night = ("2026-04-29 22:00", "2026-04-30 07:00");
    let running = deployment(&world, "14.20.003", night, DeploymentState::Running { started_at });
    world.deployments.push(running);
    world.check("isacompta", "running standing-access");
}
