//! Reports as tables: a small scene, one report, everything that is to be written in one line.

use super::*;
use crate::decide::handout::STAGE_AHEAD;
use crate::decide::planner::tests::{manifest, release};
use crate::model::fleet::{Contact, Language, Ring, Server};
use crate::model::request::RequestState;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use std::collections::BTreeSet;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-04-{text}:00Z").parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn server(id: &str) -> Server {
    Server { id: id.into(), zone: chrono_tz::Europe::Paris, ring: Ring::Broad }
}

fn runs(versions: &[(&str, &str)]) -> ServerState {
    ServerState {
        inventory: versions.iter().map(|(product, text)| ((*product).to_owned(), version(text))).collect(),
        capabilities: BTreeSet::from([INVENTORY.to_owned()]),
        ..ServerState::default()
    }
}

/// What a scene is made from. One action of isacompta 14.20.003 runs on srv-1 since 20:05; the machine still says
/// 14.20.002, and so does srv-2.
struct World {
    now: DateTime<Utc>,
    deployments: Vec<Deployment>,
    state: ServerState,
    client: Option<Client>,
    releases: Vec<Release>,
    requests: Vec<Request>,
    others: Vec<(&'static str, ServerState)>,
}

fn deployment(id: i64, product: &str) -> Deployment {
    Deployment {
        id,
        action: 1,
        position: u32::try_from(id).unwrap() - 1,
        client: "martin".into(),
        server: "srv-1".into(),
        product: product.into(),
        from: Some(version("14.20.002")),
        to: version("14.20.003"),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot: Slot::new(at("29T20:00"), at("30T05:00")).unwrap(),
        published_at: at("29T15:00"),
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state: DeploymentState::Running { started_at: at("29T20:05") },
    }
}

fn world() -> World {
    let release = |product| release(manifest(product, "14.20.003", Change::Minor), "2026-04-29 17:00");
    World {
        now: at("29T20:30"),
        deployments: vec![deployment(1, "isacompta")],
        state: runs(&[("isacompta", "14.20.002")]),
        client: Some(Client {
            id: "martin".into(),
            name: "Cabinet Martin".into(),
            language: Language::Fr,
            schedule: "pro-controle".into(),
            holidays: "FR".into(),
            order: vec!["isacompta".into()],
            contacts: vec![Contact { name: "A. Martin".into(), email: "a@martin.example".into(), phone: None }],
            closed: Vec::new(),
            servers: vec![server("srv-1"), server("srv-2")],
        }),
        releases: vec![release("isacompta"), release("isaged")],
        requests: Vec::new(),
        others: vec![("srv-2", runs(&[("isacompta", "14.20.002")]))],
    }
}

impl World {
    /// The machine says that it runs the new version.
    fn updated(mut self) -> World {
        self.state.inventory.insert("isacompta".into(), version("14.20.003"));
        self
    }

    /// The installation fulfils request 9 for these servers (none: all).
    fn requested(mut self, servers: &[&str]) -> World {
        self.deployments[0].request = Some(9);
        self.deployments[0].change = Change::Major;
        self.requests = vec![Request {
            id: 9,
            client: "martin".into(),
            product: "isacompta".into(),
            version: version("14.20.003"),
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            received_at: at("20T10:00"),
            by: "a@martin.example".into(),
            before: "2026-05-16".parse().unwrap(),
            state: RequestState::Accepted,
        }];
        self
    }

    fn with<T>(&self, look: impl FnOnce(&Scene) -> T) -> T {
        look(&Scene {
            now: self.now,
            deployments: &self.deployments,
            state: &self.state,
            client: self.client.as_ref(),
            releases: self.releases.iter().map(|r| (r.product(), r)).collect(),
            requests: &self.requests,
            runs: &|server, product| {
                let (_, state) = self.others.iter().find(|(id, _)| *id == server)?;
                state.inventory.get(product).cloned()
            },
        })
    }

    /// Everything a report leads to, in words; `about cancel` in front of the report for one about giving up.
    #[track_caller]
    fn check(&self, report: &str, want: &str) {
        let (about, report) = match report.strip_prefix("cancel: ") {
            Some(rest) => (About::Cancellation, rest),
            None => (About::Action, report),
        };
        let mut words = report.split(" | ");
        let (execution, finished) = match words.next().unwrap() {
            "success" => (Execution::Closed, Finished::Success),
            "failure" => (Execution::Closed, Finished::Failure),
            "closed" => (Execution::Closed, Finished::None),
            "proceeding" => (Execution::Proceeding, Finished::None),
            "canceled" => (Execution::Canceled, Finished::Success),
            "not canceled" => (Execution::Canceled, Finished::Failure),
            "rejected" => (Execution::Rejected, Finished::None),
            other => panic!("no report {other:?}"),
        };
        let feedback = Feedback { execution, finished, details: words.map(str::to_owned).collect() };
        let got = self.with(|scene| settle(scene, about, &feedback));
        assert_eq!(got.map_or_else(|refusal| refusal.to_string(), |settled| said(&settled)), want);
    }
}

fn said(settled: &Settled) -> String {
    let mut said = vec![format!("{:?}", settled.heard).to_lowercase()];
    said.extend(settled.deployments.iter().map(|d| format!("{} {}", d.id, d.state.name())));
    said.extend(settled.events.iter().map(|e| format!("event: {}", e.text)));
    said.extend(settled.notices.iter().map(|n| format!("letter {}: {}", n.key, n.letter.name())));
    said.extend(settled.alerts.iter().map(|a| format!("alert {}", a.cause)));
    // What an installation also ends has a test of its own.
    let failures = settled.resolved.iter().filter(|cause| cause.starts_with("failed/"));
    said.extend(failures.map(|cause| format!("resolved {cause}")));
    said.extend(settled.requests.iter().map(|r| format!("request {} {}", r.id, r.state.name())));
    let inventory = settled.state.iter().flat_map(|state| &state.inventory);
    said.extend(inventory.map(|(product, version)| format!("runs {product} {version}")));
    said.join("\n")
}

#[test]
fn what_the_machine_runs_decides() {
    world().updated().check(
        "success",
        "settled\n1 installed\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003\n\
         letter installed/1: minor-installed\nresolved failed/srv-1/isacompta/14.20.003",
    );
    world().check(
        "success",
        "settled\n1 failed\nevent: isacompta 14.20.003 failed: reported as installed, but the machine says it runs \
         14.20.002\nletter failed/1: degraded\nalert failed/srv-1/isacompta/14.20.003",
    );
    world().check(
        "failure | noctule.result=rolled_back | noctule.why=no disk",
        "settled\n1 rolled_back\nevent: isacompta 14.20.003 failed and the old version was restored: no disk\n\
         letter failed/1: minor-failed\nalert failed/srv-1/isacompta/14.20.003",
    );
    world().updated().check(
        "failure | noctule.result=rolled_back | noctule.why=no disk",
        "settled\n1 failed\nevent: isacompta 14.20.003 failed: reported as rolled back, but the machine says it runs \
         14.20.003: no disk\nletter failed/1: degraded\nalert failed/srv-1/isacompta/14.20.003",
    );
    world().check(
        "failure | noctule.result=refused | noctule.unfit=sick | noctule.why=it does not open",
        "settled\n1 refused\nevent: isacompta 14.20.003 was not begun, isacompta is unhealthy as it is: it does not open\n\
         letter failed/1: not-begun\nalert sick/srv-1/isacompta",
    );
    world().check(
        "failure | noctule.result=refused | noctule.why=no backup",
        "settled\n1 refused\nevent: isacompta 14.20.003 was not begun, the server is not ready: no backup\n\
         letter failed/1: not-begun\nalert not_ready/srv-1/isacompta",
    );
    world().updated().check(
        "failure | noctule.result=refused | noctule.why=no backup",
        "settled\n1 failed\nevent: isacompta 14.20.003 failed: reported as not begun, but the machine says it runs \
         14.20.003: no backup\nletter failed/1: degraded\nalert failed/srv-1/isacompta/14.20.003",
    );
    world().check(
        "failure | exit 3",
        "settled\n1 failed\nevent: isacompta 14.20.003 failed: exit 3\nletter failed/1: degraded\n\
         alert failed/srv-1/isacompta/14.20.003",
    );
}

#[test]
fn a_restart_that_is_outstanding_is_in_the_history_and_one_that_failed_is_an_alert() {
    let installed = "settled\n1 installed\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003";
    let resolved = "letter installed/1: minor-installed";
    let failed = "resolved failed/srv-1/isacompta/14.20.003";
    world().updated().check(
        "success | noctule.reboot.required=agent.toml forbids it",
        &format!(
            "{installed}; reboot required: a restart of the machine is outstanding, agent.toml forbids it\n{resolved}\n{failed}"
        ),
    );
    world().updated().check(
        "success | noctule.reboot.failed=it did not within 15 min",
        &format!("{installed}; reboot required: it did not within 15 min\n{resolved}\nalert reboot/srv-1\n{failed}"),
    );
    world().updated().check(
        "success | noctule.reboot.done=2026-04-29T20:20:00Z",
        &format!("{installed}; the machine was restarted for it\n{resolved}\n{failed}"),
    );
}

#[test]
fn without_inventory_the_closing_report_is_what_is_known() {
    let mut blind = world();
    blind.state.capabilities.clear();
    blind.check(
        "closed",
        "settled\n1 installed\nevent: isacompta 14.20.003 installed, as the agent reports; not observed\n\
         letter installed/1: minor-installed\nresolved failed/srv-1/isacompta/14.20.003\nruns isacompta 14.20.003",
    );
    blind.check(
        "failure | exit 3",
        "settled\n1 failed\nevent: isacompta 14.20.003 failed: exit 3\nletter failed/1: degraded\n\
         alert failed/srv-1/isacompta/14.20.003",
    );
}

#[test]
fn each_member_of_an_action_ends_by_itself() {
    let mut group = world().updated();
    group.deployments.push(deployment(2, "isaged"));
    group.state.inventory.insert("isaged".into(), version("14.20.002"));
    group.check(
        "success",
        "settled\n1 installed\n2 failed\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003\n\
         event: isaged 14.20.003 failed: reported as installed, but the machine says it runs 14.20.002\n\
         letter installed/1: minor-installed\nletter failed/2: degraded\nalert failed/srv-1/isaged/14.20.003\n\
         resolved failed/srv-1/isacompta/14.20.003",
    );
}

#[test]
fn a_request_is_done_when_each_server_it_names_runs_it() {
    let open = "settled\n1 installed\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003\n\
                letter installed/1: major-installed\nresolved failed/srv-1/isacompta/14.20.003";
    let done = "settled\n1 installed\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003\n\
                event: request 9 is done: isacompta 14.20.003 runs wherever it was asked for\n\
                letter installed/1: major-installed\nresolved failed/srv-1/isacompta/14.20.003\nrequest 9 done";
    world().updated().requested(&[]).check("success", open);
    world().updated().requested(&["srv-1", "srv-2"]).check("success", open);
    world().updated().requested(&["srv-1"]).check("success", done);
    let both = |text| {
        let mut world = world().updated().requested(&[]);
        world.others = vec![("srv-2", runs(&[("isacompta", text)]))];
        world
    };
    both("14.20.002").check("success", open);
    both("14.20.003").check("success", done);
    both("15.00.001").check("success", done);
    let mut alone = world().updated().requested(&[]);
    alone.others = vec![("srv-2", runs(&[("isaged", "3.8.0")]))];
    alone.check("success", done);
    let mut cancelled = world().updated().requested(&["srv-1"]);
    cancelled.requests[0].state = RequestState::Cancelled { at: at("28T10:00"), by: "a@martin.example".into() };
    cancelled.check("success", open);
    // Two deployments of one request end it once.
    let mut group = world().updated().requested(&["srv-1"]);
    group.state.inventory.insert("isaged".into(), version("14.20.003"));
    group.deployments.push(Deployment { request: Some(9), ..deployment(2, "isaged") });
    let settled = group
        .with(|scene| {
            let feedback = Feedback { execution: Execution::Closed, finished: Finished::Success, details: Vec::new() };
            settle(scene, About::Action, &feedback)
        })
        .unwrap();
    assert_eq!(settled.requests.len(), 1);
}

#[test]
fn the_letter_fits_the_update_and_needs_its_release_and_client() {
    let letter = |world: World, report: &str| {
        let finished = if report == "success" { Finished::Success } else { Finished::Failure };
        let details = vec!["noctule.result=rolled_back".to_owned()];
        let feedback = Feedback { execution: Execution::Closed, finished, details };
        let settled = world.with(|scene| settle(scene, About::Action, &feedback)).unwrap();
        assert_eq!(settled.deployments.len(), 1);
        settled.notices.first().map_or("none", |notice| notice.letter.name())
    };
    let of = |change, manual| {
        let mut world = world();
        (world.deployments[0].change, world.deployments[0].manual) = (change, manual);
        world
    };
    assert_eq!(letter(of(Change::Minor, false).updated(), "success"), "minor-installed");
    assert_eq!(letter(of(Change::Minor, true).updated(), "success"), "manual-installed");
    assert_eq!(letter(of(Change::Major, true).updated(), "success"), "major-installed");
    assert_eq!(letter(of(Change::Minor, false), "failure"), "minor-failed");
    assert_eq!(letter(of(Change::Minor, true), "failure"), "manual-failed");
    assert_eq!(letter(of(Change::Major, true), "failure"), "major-failed");
    assert_eq!(letter(World { releases: Vec::new(), ..world() }, "failure"), "none");
    assert_eq!(letter(World { client: None, ..world() }, "failure"), "none");
}

#[test]
fn what_goes_on_is_one_line_and_what_is_over_is_refused() {
    world().check("proceeding | noctule.step=apply", "noted\nevent: proceeding; step apply");
    world().check("rejected", "noted\nevent: rejected by the agent, which may still carry it out");
    let mut over = world();
    over.deployments[0].state = DeploymentState::Cancelled { at: at("29T20:10"), why: "moved".into() };
    over.check("success", "action 1 is over");
    over.check("proceeding", "action 1 is over");
    over.check("cancel: closed", "action 1 is over");
}

#[test]
fn what_was_never_handed_out_can_only_fail_to_be_fetched() {
    let mut planned = world();
    planned.deployments[0].state = DeploymentState::Planned;
    let never = "action 1 was never handed out: its slot has not opened, so it cannot have been carried out";
    planned.check("success", never);
    planned.check("closed", never);
    planned.check("cancel: closed", never);
    planned
        .check("failure | noctule.why=bad sum", "noted\nevent: could not be prepared ahead: bad sum\nalert staging/1");
}

#[test]
fn what_was_begun_alone_in_its_slot_is_taken_afterwards() {
    let alone = |now: &str, mut world: World| {
        world.now = at(now);
        world.deployments[0].state = DeploymentState::Planned;
        world.state.capabilities.insert(STAGE_AHEAD.to_owned());
        world
    };
    let begun = "event: isacompta 14.20.003 was begun by the agent of srv-1 on 2026-04-29T20:00:00.000Z without the \
                 server, which it could not reach; it reports afterwards";
    let installed = format!(
        "settled\n1 installed\n{begun}\nevent: isacompta 14.20.003 installed; the machine says it runs 14.20.003; it \
         ended 2026-04-29T20:20:00.000Z\nletter installed/1: minor-installed\nresolved failed/srv-1/isacompta/14.20.003"
    );
    let report = "success | noctule.started_at=2026-04-29T20:00:00Z | noctule.finished_at=2026-04-29T20:20:00Z";
    alone("30T09:00", world().updated()).check(report, &installed);
    // Its end counts, not the report's.
    let details = report.split(" | ").skip(1).map(str::to_owned).collect();
    let feedback = Feedback { execution: Execution::Closed, finished: Finished::Success, details };
    let settled = alone("30T09:00", world().updated()).with(|s| settle(s, About::Action, &feedback)).unwrap();
    assert_eq!(settled.deployments[0].state.finished_at(), Some(at("29T20:20")));
    // Moved to the next night since: what the machine runs vouches for it.
    let mut moved = alone("30T09:00", world().updated());
    moved.deployments[0].slot = Slot::new(at("30T20:00"), at("30T23:00")).unwrap();
    moved.check(report, &installed);
    moved.state.inventory.insert("isacompta".into(), version("14.20.002"));
    let never = "action 1 was never handed out: its slot has not opened, so it cannot have been carried out";
    moved.check(report, never);
    // Before the slot, to come, or by an agent that never fetches ahead: not true.
    alone("30T09:00", world().updated()).check("success | noctule.started_at=2026-04-29T19:59:59Z", never);
    alone("29T20:10", world().updated()).check("success | noctule.started_at=2026-04-29T20:10:01Z", never);
    let mut plain = alone("30T09:00", world().updated());
    plain.state.capabilities.remove(STAGE_AHEAD);
    plain.check(report, never);
    // What failed alone is a failure like another.
    alone("30T09:00", world()).check(
        "failure | noctule.result=rolled_back | noctule.why=sick | noctule.started_at=2026-04-29T20:00:00Z",
        &format!(
            "settled\n1 rolled_back\n{begun}\nevent: isacompta 14.20.003 failed and the old version was restored: \
             sick\nletter failed/1: minor-failed\nalert failed/srv-1/isacompta/14.20.003"
        ),
    );
}

#[test]
fn giving_up_ends_it_unless_the_agent_goes_on() {
    let given_up = "settled\n1 failed\nevent: isacompta 14.20.003 failed: given up: its slot ended before it was \
                    carried out\nletter failed/1: degraded\nalert failed/srv-1/isacompta/14.20.003";
    world().check("cancel: closed", given_up);
    world().check("cancel: canceled", given_up);
    world().check("cancel: not canceled", "noted\nevent: cancelled by the agent, which is still bound to it");
    world().check("cancel: rejected", "noted\nevent: rejected by the agent, which may still carry it out");
}

#[test]
fn silence_ends_it_a_minute_past_its_time_out_and_not_before() {
    let timed_out = "settled\n1 failed\nevent: isacompta 14.20.003 failed: the agent has not reported since its slot \
                     ended; what the server runs is not known\nletter failed/1: degraded\n\
                     alert failed/srv-1/isacompta/14.20.003";
    for (now, want) in [("30T05:59", false), ("30T06:00", false), ("30T06:01", true)] {
        assert_eq!(is_overdue(&world().deployments[0], 60, at(now)), want, "at {now}");
    }
    assert_eq!(said(&world().with(time_out).unwrap()), timed_out);
    let mut planned = World { now: at("30T09:00"), ..world() };
    planned.deployments[0].state = DeploymentState::Planned;
    assert!(!is_overdue(&planned.deployments[0], 60, at("30T09:00")));
    assert_eq!(said(&planned.with(time_out).unwrap()), "settled");
}

#[test]
fn an_installation_ends_every_alert_about_the_product_on_its_server() {
    let feedback = Feedback { execution: Execution::Closed, finished: Finished::Success, details: Vec::new() };
    let settled = world().updated().with(|scene| settle(scene, About::Action, &feedback)).unwrap();
    let causes = ["failed/srv-1/isacompta/14.20.003", "sick/srv-1/isacompta", "not_ready/srv-1/isacompta"];
    assert_eq!(settled.resolved, causes);
}

#[test]
fn what_the_package_cost_is_kept_with_the_deployment_and_told_when_it_is_news() {
    let settled = |way: &str| {
        let cost = format!(r#"noctule.transfer.isacompta={{"package_bytes":8000,"moved_bytes":400,"way":"{way}"}}"#);
        let feedback = Feedback { execution: Execution::Closed, finished: Finished::Success, details: vec![cost] };
        world().updated().with(|scene| settle(scene, About::Action, &feedback)).unwrap()
    };
    let changed = settled("changed");
    let kept = changed.deployments[0].transfer.as_deref().unwrap();
    assert_eq!((kept.moved_bytes, kept.saved_bytes()), (400, 7600));
    let told = "isacompta 14.20.003 installed; the machine says it runs 14.20.003; 0.3 of 7.8 KiB moved, 95 % saved: \
                only what changed";
    assert_eq!(changed.events[0].text, told);
    let whole = settled("whole");
    assert!(whole.deployments[0].transfer.is_some());
    assert_eq!(whole.events[0].text, "isacompta 14.20.003 installed; the machine says it runs 14.20.003");
}
