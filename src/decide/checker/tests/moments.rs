//! When an installation starts, and once it has ended: every rule broken once on purpose.

use super::world::{World, at, deployment, heads, slot, version};
use crate::decide::checker::Spread;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::hold::HoldOn;
use crate::model::release::Retraction;
use crate::model::report::Backup;
use crate::model::request::RequestState;
use chrono::TimeDelta;

const NIGHT: &[&str] = &["fatal minor-night isacompta"];
const PREREQUISITES: &[&str] = &["fatal prerequisites isacompta"];
const NONE: &[&str] = &[];

type Case = (&'static str, fn(&mut World, &mut Vec<Deployment>), &'static [&'static str]);

/// The deployments of a world's decisions, and the world at the start of their slot.
fn start(mut world: World) -> (World, Vec<Deployment>) {
    let mut group = Vec::new();
    for place in 0..world.decisions.len() {
        let product = world.decisions[place].product.clone();
        let plan = world.plan_of(place).clone();
        let planned = deployment(place as i64 + 1, &product, &plan, DeploymentState::Planned);
        group.push(Deployment { from: world.state.inventory.get(&product).cloned(), ..planned });
    }
    world.now = group[0].slot.start;
    // The day's backup ends half an hour before any slot.
    world.state.backup = Some(Backup { finished_at: world.now - TimeDelta::minutes(30), succeeded: true });
    (world, group)
}

fn check_start(world: fn() -> World, cases: &[Case]) {
    for (name, change, expected) in cases {
        let (mut world, mut group) = start(world());
        let look = |world: &World, group: &[Deployment]| {
            world.look(|checker, scene| checker.handed_out(scene, &group.iter().collect::<Vec<_>>()))
        };
        if *name != "nobody attends" {
            assert_eq!(heads(&look(&world, &group)), attended(&group), "{name}: correct before");
        }
        change(&mut world, &mut group);
        let findings = look(&world, &group);
        assert_eq!(heads(&findings), *expected, "{name}: {findings:#?}");
    }
}

/// A manual update is not correct before somebody attends it.
fn attended(group: &[Deployment]) -> Vec<String> {
    let unattended = |d: &&Deployment| d.manual && d.attended_by.is_none();
    group.iter().filter(unattended).map(|d| format!("fatal manual-slots {}", d.product)).collect()
}

#[test]
fn a_minor_starts() {
    check_start(
        World::minor,
        &[
            ("in its slot", |_, _| {}, NONE),
            ("a minute early", |w, _| w.now -= TimeDelta::minutes(1), NIGHT),
            ("at the end", |w, g| w.now = g[0].slot.end, NIGHT),
            ("too late to end", |w, _| w.now = at("2026-04-30T04:21"), NIGHT),
            ("just in time", |w, _| w.now = at("2026-04-30T04:20"), NONE),
            ("as it starts", |w, g| g[0].state = DeploymentState::Running { started_at: w.now }, NONE),
            ("a slot outside the night", |_, g| g[0].slot.start -= TimeDelta::minutes(1), NIGHT),
            ("another deadline", |_, g| g[0].deadline = None, NIGHT),
            (
                "no backup since the office closed",
                |w, _| w.state.backup = Some(Backup { finished_at: at("2026-04-28T15:59"), succeeded: true }),
                &["fatal backup-first isacompta"],
            ),
            ("no backup", |w, _| w.state.backup = None, &["fatal backup-first isacompta"]),
            (
                "withdrawn",
                |w, _| w.releases[0].retracted = Some(Retraction { at: w.now, reason: "r".into() }),
                &["fatal retracted isacompta"],
            ),
            ("unknown", |w, _| w.releases.clear(), &["fatal signed-release isacompta"]),
            ("not ordered any more", |w, _| w.client.order.clear(), &["fatal out-of-scope isacompta"]),
            ("on hold", |w, _| w.hold(HoldOn::Client { client: "durand".into() }, None), &["fatal hold isacompta"]),
            (
                "halted",
                |w, _| w.spread = Spread { tried: 10, failed: 1, ..Spread::default() },
                &["fatal rollout isacompta"],
            ),
            (
                "before the canaries",
                |w, _| w.spread = Spread { canaries: 1, ..Spread::default() },
                &["warning rollout isacompta"],
            ),
            ("tried too often", |w, _| w.failed(3), &["fatal three-attempts isacompta"]),
            (
                "installed meanwhile",
                |w, _| {
                    w.state.inventory.insert("isacompta".into(), version("14.20.004"));
                },
                PREREQUISITES,
            ),
            ("on another server", |_, g| g[0].server = "other".into(), &["fatal servers-only isacompta"]),
            ("without a reason", |_, g| g[0].reasons = [].into(), NIGHT),
            (
                "while another installation runs",
                |w, g| {
                    let running = DeploymentState::Running { started_at: at("2026-04-29T20:00") };
                    w.deployments.push(Deployment {
                        id: 9,
                        action: 9,
                        product: "isapaye".into(),
                        transfer: None,
                        state: running,
                        ..g[0].clone()
                    });
                },
                &["fatal rollout isacompta"],
            ),
            (
                "while itself runs",
                |w, g| {
                    let running = DeploymentState::Running { started_at: at("2026-04-29T20:00") };
                    w.deployments.push(Deployment { state: running, ..g[0].clone() });
                },
                NONE,
            ),
        ],
    );
}

#[test]
fn a_manual_update_starts() {
    check_start(
        World::manual,
        &[
            ("nobody attends", |_, g| g[0].attended_by = None, &["fatal manual-slots isacompta"]),
            ("nobody attends", |_, g| g[0].attended_by = Some(String::new()), &["fatal manual-slots isacompta"]),
            ("nobody attends", |_, g| g[0].attended_by = Some("iah".into()), NONE),
        ],
    );
}

#[test]
fn a_major_starts() {
    check_start(
        World::major,
        &[
            ("in its slot", |_, _| {}, NONE),
            (
                "the client withdrew",
                |w, _| w.requests[0].state = RequestState::Cancelled { at: w.now, by: "a".into() },
                &["fatal major-on-request isacompta"],
            ),
            ("nobody asked", |_, g| g[0].request = None, &["fatal major-on-request isacompta"]),
            ("too late to end", |w, _| w.now = at("2026-05-02T10:06"), &["fatal maintenance-slots isacompta"]),
            ("just in time", |w, _| w.now = at("2026-05-02T10:05"), NONE),
        ],
    );
}

#[test]
fn a_group_starts() {
    check_start(
        World::group,
        &[
            ("whole", |_, _| {}, NONE),
            (
                "without its first",
                |_, g| drop(g.remove(0)),
                &["fatal prerequisites isapaye", "fatal prerequisites isapaye"],
            ),
            ("without its last", |_, g| drop(g.pop()), NONE),
            ("in two slots", |_, g| g[1].slot = slot("2026-04-29T20:00", "2026-04-30T04:00"), PREREQUISITES),
            (
                "the wrong way round",
                |_, g| {
                    g[0].position = 1;
                    g[1].position = 0;
                },
                &["fatal prerequisites isapaye"],
            ),
            ("too late for both", |w, _| w.now = at("2026-04-30T03:51"), NIGHT),
            ("just in time for both", |w, _| w.now = at("2026-04-30T03:50"), NONE),
        ],
    );
}

fn installed(d: &mut Deployment, from: &str, to: &str) {
    let observed = Some(d.to.clone());
    d.state = DeploymentState::Installed { started_at: at(from), finished_at: at(to), observed };
}

fn rolled_back(d: &mut Deployment) {
    let (started_at, finished_at) = (at("2026-04-29T20:00"), at("2026-04-29T20:30"));
    d.state = DeploymentState::RolledBack { started_at, finished_at, why: "w".into() };
}

#[test]
fn results() {
    let cases: &[Case] = &[
        ("installed", |_, _| {}, NONE),
        ("started early", |_, g| installed(&mut g[0], "2026-04-29T19:59", "2026-04-29T20:30"), NIGHT),
        (
            "started late",
            |_, g| installed(&mut g[0], "2026-04-30T05:00", "2026-04-30T05:30"),
            &["fatal minor-night isacompta", "warning minor-night isacompta"],
        ),
        (
            "ended late",
            |_, g| installed(&mut g[0], "2026-04-29T20:00", "2026-04-30T05:01"),
            &["warning minor-night isacompta"],
        ),
        ("ended on time", |_, g| installed(&mut g[0], "2026-04-29T20:00", "2026-04-30T05:00"), NONE),
        ("ended before it began", |_, g| installed(&mut g[0], "2026-04-29T20:30", "2026-04-29T20:00"), NIGHT),
        (
            "the server says otherwise",
            |_, g| {
                let DeploymentState::Installed { observed, .. } = &mut g[0].state else { panic!() };
                *observed = Some(version("14.20.003"));
            },
            &["fatal health-after isacompta"],
        ),
        (
            "the server cannot say",
            |_, g| {
                let DeploymentState::Installed { observed, .. } = &mut g[0].state else { panic!() };
                *observed = None;
            },
            NONE,
        ),
        ("one of two", |_, g| rolled_back(&mut g[1]), &["fatal prerequisites isapaye"]),
        (
            "none of two",
            |_, g| {
                rolled_back(&mut g[0]);
                rolled_back(&mut g[1]);
            },
            NONE,
        ),
        (
            "twice",
            |w, g| {
                let mut before = Deployment { id: 9, action: 9, ..g[0].clone() };
                installed(&mut before, "2026-04-28T20:00", "2026-04-28T20:30");
                w.deployments.push(before);
                g[0].from = Some(version("14.20.004"));
            },
            PREREQUISITES,
        ),
        (
            "again, after the server lost it",
            |w, g| {
                let mut before = Deployment { id: 9, action: 9, ..g[0].clone() };
                installed(&mut before, "2026-04-28T20:00", "2026-04-28T20:30");
                w.deployments.push(before);
            },
            &["warning prerequisites isacompta"],
        ),
    ];
    for (name, change, expected) in cases {
        let (mut world, mut group) = start(World::group());
        group.iter_mut().for_each(|d| installed(d, "2026-04-29T20:00", "2026-04-29T20:30"));
        change(&mut world, &mut group);
        let findings = world.look(|checker, scene| checker.closed(scene, &group.iter().collect::<Vec<_>>()));
        assert_eq!(heads(&findings), *expected, "{name}: {findings:#?}");
    }
}
