//! What binds servers to each other, broken once on purpose.

use super::world::{World, at, deployment, heads, slot};
use crate::decide::checker::{Limits, fleet};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::TimeDelta;
use chrono_tz::Tz;

const LIMITS: Limits = Limits { attended_max: 4, line_max: 2 };

fn check(name: &str, deployments: &[Deployment], expected: &[&str]) {
    let findings = fleet(deployments, LIMITS, &|_| Tz::Europe__Paris);
    let heads: Vec<String> = heads(&findings).iter().zip(&findings).map(|(h, f)| format!("{h} {}", f.server)).collect();
    assert_eq!(heads, expected, "{name}: {findings:#?}");
}

/// One minor on a server of its own, client by client.
fn minor(id: i64, state: DeploymentState) -> Deployment {
    let plan = World::minor().plan().clone();
    let (client, server) = (format!("client{id}"), format!("srv{id}"));
    Deployment { action: id, client, server, ..deployment(id, "isacompta", &plan, state) }
}

fn running() -> DeploymentState {
    DeploymentState::Running { started_at: at("2026-04-29T20:00") }
}

#[test]
fn limits_are_the_schedules() {
    let schedule = toml::from_str(super::world::PRO_CONTROLE).unwrap();
    assert_eq!(Limits::from(&schedule), LIMITS);
}

#[test]
fn one_installation_of_a_server_at_once() {
    let mut two = [minor(1, running()), minor(2, running())];
    check("two servers", &two, &[]);
    two[1].server = "srv1".into();
    two[1].client = "client1".into();
    two[1].product = "isapaye".into();
    check("two actions of one", &two, &["fatal rollout isapaye srv1"]);
    two[1].state = DeploymentState::Planned;
    check("one runs, one is planned", &two, &[]);
    two[1].product = "isacompta".into();
    check("one product twice", &two, &["fatal prerequisites isacompta srv1"]);
    two[1].state = DeploymentState::Cancelled { at: at("2026-04-29T20:00"), why: "w".into() };
    check("one of them cancelled", &two, &[]);
}

#[test]
fn so_many_on_a_line() {
    let mut three: Vec<Deployment> = (1..=3).map(|id| minor(id, running())).collect();
    check("three lines", &three, &[]);
    three.iter_mut().for_each(|d| d.client = "client1".into());
    check("one line", &three, &["fatal rollout  "]);
    three[2].state = DeploymentState::Planned;
    check("two running on one line", &three, &[]);
}

#[test]
fn so_many_attended() {
    let saturday = slot("2026-05-02T06:00", "2026-05-02T14:00");
    let attended = |id: i64, slot: Slot| Deployment { manual: true, slot, ..minor(id, DeploymentState::Planned) };
    let mut five: Vec<Deployment> = (1..=5).map(|id| attended(id, saturday)).collect();
    check("five at once", &five, &["fatal service-hours isacompta srv5"]);
    check("four at once", &five[..4], &[]);
    five[4].slot.start = saturday.end;
    five[4].slot.end = saturday.end + TimeDelta::hours(1);
    check("one after the others", &five, &[]);
    five[4].slot.start = saturday.end - TimeDelta::minutes(1);
    check("one a minute before the others end", &five, &["fatal service-hours isacompta srv5"]);
    five[4].manual = false;
    check("one that needs nobody", &five, &[]);
    five[4].change = Change::Major;
    check("a major needs somebody", &five, &["fatal service-hours isacompta srv5"]);
}

#[test]
fn groups_are_whole() {
    let group = || {
        let first = minor(1, DeploymentState::Planned);
        let second = Deployment { id: 2, position: 1, product: "isapaye".into(), ..first.clone() };
        [first, second]
    };
    type Break = (&'static str, fn(&mut [Deployment; 2]));
    check("whole", &group(), &[]);
    let breaks: [Break; 6] = [
        ("half of it started", |g| g[1].state = running()),
        ("another slot", |g| g[1].slot.start += TimeDelta::minutes(1)),
        ("another server", |g| g[1].server = "srv2".into()),
        ("another client", |g| g[1].client = "client2".into()),
        ("a gap", |g| g[1].position = 2),
        ("one cancelled", |g| g[0].state = DeploymentState::Cancelled { at: at("2026-04-29T19:00"), why: "w".into() }),
    ];
    for (name, split) in breaks {
        let mut group = group();
        split(&mut group);
        let product = if name == "one cancelled" { "isapaye" } else { "isacompta" };
        check(name, &group, &[&format!("fatal prerequisites {product} srv1")]);
    }
    let mut both = group();
    both.iter_mut().for_each(|d| d.state = running());
    check("both started", &both, &[]);
}
