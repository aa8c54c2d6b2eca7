//! Correct worlds to break: a minor, a manual update, a major on request, a group.

use crate::decide::checker::{Checker, Finding, Scene, Spread};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::decision::{Decision, Outcome, Plan, Reason};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Fleet, Server};
use crate::model::hold::{Hold, HoldOn};
use crate::model::manifest::{Manifest, SignedManifest};
use crate::model::release::Release;
use crate::model::report::{Backup, ServerState};
use crate::model::request::{Request, RequestState};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PRO_CONTROLE: &str = include_str!("../../../../schedules/pro-controle.toml");

pub fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00Z").parse().unwrap()
}

pub fn slot(start: &str, end: &str) -> Slot {
    Slot { start: at(start), end: at(end) }
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A release published at `published`; `more` are further lines of its manifest, tables last.
pub fn release(product: &str, number: &str, published: &str, more: &str) -> Release {
    let change = if more.contains("change =") { "" } else { "change = \"minor\"\n" };
    let minutes = if more.contains("duration_minutes") { "" } else { "duration_minutes = 20\nrollback_minutes = 10\n" };
    let manifest: Manifest = toml::from_str(&format!(
        "product = {product:?}\nversion = {number:?}\n{change}{minutes}package = {{ file = \"p.zip\" }}\n\
         installer = {{ kind = \"zip\" }}\nnotes = {{ fr = \"Corrections.\" }}\nhealth = {{ timeout_seconds = 10 }}\n\
         detect = {{ version_file = \"VERSION\" }}\n{more}"
    ))
    .unwrap();
    let signed = SignedManifest {
        publisher: "agiris".into(),
        published_at: at(published),
        size: 1,
        sha256: String::new(),
        manifest: manifest.into(),
    };
    Release { signed, seen_at: at(published), retracted: None, sha1: String::new(), md5: String::new() }
}

pub fn plan(number: &str, slot: Slot, deadline: Option<DateTime<Utc>>, leader: &str, position: u32) -> Plan {
    Plan { version: version(number), slot, deadline, request: None, position, leader: leader.to_owned() }
}

pub fn decision(product: &str, outcome: Outcome) -> Decision {
    let reasons = vec![Reason::new(Rule::MinorNight, "why", "pourquoi")];
    Decision {
        client: "durand".into(),
        server: "srv".into(),
        product: product.into(),
        outcome,
        reasons: reasons.into(),
    }
}

/// A deployment of the plan, as it would be committed.
pub fn deployment(id: i64, product: &str, plan: &Plan, state: DeploymentState) -> Deployment {
    Deployment {
        id,
        action: 1,
        position: plan.position,
        client: "durand".into(),
        server: "srv".into(),
        product: product.into(),
        from: None,
        to: plan.version.clone(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot: plan.slot,
        published_at: at("2026-04-29T14:00"),
        deadline: plan.deadline,
        request: plan.request,
        attempt: 1,
        reasons: vec![Reason::new(Rule::MinorNight, "why", "pourquoi")].into(),
        transfer: None,
        state,
    }
}

pub struct World {
    pub schedule: String,
    pub now: DateTime<Utc>,
    pub client: Client,
    pub state: ServerState,
    pub releases: Vec<Release>,
    pub requests: Vec<Request>,
    pub agreements: Vec<Agreement>,
    pub holds: Vec<Hold>,
    pub deployments: Vec<Deployment>,
    pub spread: Spread,
    pub decisions: Vec<Decision>,
}

impl World {
    fn empty(now: &str, installed: &[(&str, &str)]) -> World {
        let fleet: Fleet = toml::from_str(
            "[[client]]\nid = \"durand\"\nname = \"Durand\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\n\
             order = [\"isacompta\", \"isapaye\"]\ncontacts = []\n[[client.server]]\nid = \"srv\"\n\
             zone = \"Europe/Paris\"\n",
        )
        .unwrap();
        World {
            schedule: PRO_CONTROLE.to_owned(),
            now: at(now),
            client: fleet.clients.into_iter().next().unwrap(),
            state: ServerState {
                inventory: installed.iter().map(|(product, found)| ((*product).to_owned(), version(found))).collect(),
                backup: Some(Backup { finished_at: at("2026-04-29T17:00"), succeeded: true }),
                ..ServerState::default()
            },
            releases: Vec::new(),
            requests: Vec::new(),
            agreements: Vec::new(),
            holds: Vec::new(),
            deployments: Vec::new(),
            spread: Spread::default(),
            decisions: Vec::new(),
        }
    }

    /// A minor published Wednesday 29 April 2026 at 16:00, planned that night; due Friday 1 May, a holiday, at 07:00.
    pub fn minor() -> World {
        let mut world = World::empty("2026-04-29T15:00", &[("isacompta", "14.20.003")]);
        world.releases.push(release("isacompta", "14.20.004", "2026-04-29T14:00", "upgrade_from = \"14.20.000\""));
        let night = slot("2026-04-29T20:00", "2026-04-30T05:00");
        let plan = plan("14.20.004", night, Some(at("2026-05-01T05:00")), "isacompta 14.20.004", 0);
        world.decisions.push(decision("isacompta", Outcome::Planned(plan)));
        world
    }

    /// A manual update of the same day, in Thursday's maintenance slot, 20:00 to 22:00.
    pub fn manual() -> World {
        let mut world = World::minor();
        world.releases = vec![release(
            "isacompta",
            "14.20.004",
            "2026-04-29T14:00",
            "duration_minutes = 45\nrollback_minutes = 15\nmanual_steps = { fr = \"À la main.\" }",
        )];
        world.plan().slot = slot("2026-04-30T18:00", "2026-04-30T20:00");
        world.plan().deadline = None;
        world
    }

    /// A major of three hours, asked for on Monday 20 April by 16 May, planned on Saturday 2 May.
    pub fn major() -> World {
        let mut world = World::minor();
        world.releases = vec![release(
            "isacompta",
            "15.00.001",
            "2026-04-01T14:00",
            "change = \"major\"\nduration_minutes = 180\nrollback_minutes = 45",
        )];
        world.requests.push(Request {
            id: 7,
            client: "durand".into(),
            product: "isacompta".into(),
            version: version("15.00.001"),
            servers: Vec::new(),
            received_at: at("2026-04-20T08:00"),
            by: "a@durand.example".into(),
            before: "2026-05-16".parse().unwrap(),
            state: RequestState::Accepted,
        });
        *world.plan() = Plan {
            request: Some(7),
            ..plan(
                "15.00.001",
                slot("2026-05-02T06:00", "2026-05-02T14:00"),
                Some(at("2026-05-16T22:00")),
                "isacompta 15.00.001",
                0,
            )
        };
        world
    }

    /// ISAPAYE needs a newer ISACOMPTA: one group, ISACOMPTA first.
    pub fn group() -> World {
        let mut world = World::minor();
        world.state.inventory.insert("isapaye".into(), version("2026.1"));
        let requires = "scheme = \"year\"\n[[requires]]\nproduct = \"isacompta\"\nat_least = \"14.20.004\"";
        world.releases.push(release("isapaye", "2026.2", "2026-04-29T14:00", requires));
        world.plan().leader = "isapaye 2026.2".into();
        let follows = Plan { version: version("2026.2"), position: 1, ..world.plan().clone() };
        world.decisions.push(decision("isapaye", Outcome::Planned(follows)));
        world
    }

    pub fn plan_of(&mut self, at: usize) -> &mut Plan {
        match &mut self.decisions[at].outcome {
            Outcome::Planned(plan) | Outcome::Late(plan) | Outcome::Held { plan: Some(plan) } => plan,
            other => panic!("{other:?} has no plan"),
        }
    }

    pub fn plan(&mut self) -> &mut Plan {
        self.plan_of(0)
    }

    pub fn late(&mut self) {
        self.decisions[0].outcome = Outcome::Late(self.plan().clone());
    }

    pub fn held(&mut self, at: usize) {
        self.decisions[at].outcome = Outcome::Held { plan: Some(self.plan_of(at).clone()) };
    }

    pub fn server(&mut self) -> &mut Server {
        &mut self.client.servers[0]
    }

    pub fn agree(&mut self, made_at: &str, agreed: Agreed) {
        let client = self.client.id.clone();
        self.agreements.push(Agreement { id: 1, client, agreed, by: "Durand".into(), at: at(made_at) });
    }

    pub fn hold(&mut self, on: HoldOn, until: Option<DateTime<Utc>>) {
        let placed = at("2026-04-29T08:00");
        self.holds.push(Hold { id: 1, on, until, reason: "r".into(), by: "iah".into(), at: placed, lifted: None });
    }

    /// `count` attempts of the first plan failed.
    pub fn failed(&mut self, count: u32) {
        let (started, ended) = (at("2026-04-28T20:00"), at("2026-04-28T20:30"));
        for id in 0..count {
            let state = DeploymentState::RolledBack { started_at: started, finished_at: ended, why: "w".into() };
            let plan = self.plan().clone();
            let attempt = deployment(i64::from(id) + 100, "isacompta", &plan, state);
            self.deployments.push(Deployment { action: attempt.id, attempt: id + 1, ..attempt });
        }
    }

    pub fn checker(&self) -> Checker {
        let schedule = toml::from_str(&self.schedule).unwrap();
        Checker::new(&schedule, &self.client.holidays, self.client.servers[0].zone).unwrap()
    }

    pub fn look<T>(&self, ask: impl FnOnce(&Checker, &Scene) -> T) -> T {
        let mut releases: BTreeMap<String, Vec<Arc<Release>>> = BTreeMap::new();
        for release in &self.releases {
            releases.entry(release.product().to_owned()).or_default().push(Arc::new(release.clone()));
        }
        releases.values_mut().for_each(|known| known.sort_by(|a, b| a.version().cmp(b.version())));
        let scene = Scene {
            now: self.now,
            client: &self.client,
            server: &self.client.servers[0],
            state: &self.state,
            releases: &releases,
            requests: &self.requests,
            agreements: &self.agreements,
            holds: &self.holds,
            deployments: &self.deployments,
            spread: &|_| self.spread,
            minutes: &Scene::estimate,
        };
        ask(&self.checker(), &scene)
    }

    pub fn findings(&self) -> Vec<Finding> {
        self.look(|checker, scene| checker.decisions(scene, &self.decisions))
    }
}

/// Findings by severity, rule and product: `fatal minor-night isacompta`.
pub fn heads(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|found| format!("{} {} {}", found.severity, found.rule, found.product)).collect()
}
