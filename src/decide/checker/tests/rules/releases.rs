//! Which release may go here, what goes before it and with it, and whether all of it fits.

use super::{NONE, PREREQUISITES, PREREQUISITES_OF_PAYROLL, SCOPE, SIGNED, check, installed, longer, minute};
use crate::decide::checker::tests::world::{World, at, decision, deployment, plan, release, slot, version};
use crate::model::decision::Outcome;
use crate::model::deployment::DeploymentState;
use crate::model::release::Retraction;
use std::sync::Arc;

#[test]
fn releases_and_paths() {
    check(&[
        ("not in the order", World::minor, |w| w.client.order.retain(|ordered| ordered != "isacompta"), SCOPE),
        ("in the order and out of scope", World::minor, |w| w.decisions[0].outcome = Outcome::OutOfScope, SCOPE),
        ("signed by nobody", World::minor, |w| w.releases.clear(), SIGNED),
        ("published in a minute", World::minor, |w| w.releases[0].signed.published_at = w.now + minute(), SIGNED),
        (
            "withdrawn",
            World::minor,
            |w| w.releases[0].retracted = Some(Retraction { at: w.now, reason: "r".into() }),
            &["fatal retracted isacompta"],
        ),
        (
            "withdrawn later than the plan is for",
            World::minor,
            |w| w.releases[0].retracted = Some(Retraction { at: w.now + minute(), reason: "r".into() }),
            NONE,
        ),
        ("the same version", World::minor, |w| installed(w, "14.20.4"), PREREQUISITES),
        ("a downgrade", World::minor, |w| installed(w, "14.20.005"), PREREQUISITES),
        ("over the oldest it takes", World::minor, |w| installed(w, "14.20.000"), NONE),
        ("over an older one", World::minor, |w| installed(w, "14.10.012"), PREREQUISITES),
        ("not known to be there", World::minor, |w| w.state.inventory.clear(), &["warning prerequisites isacompta"]),
        (
            "what it requires, held",
            World::group,
            |w| w.held(0),
            &["fatal prerequisites isapaye", "fatal prerequisites isacompta"],
        ),
        (
            "without what it requires",
            World::group,
            |w| {
                w.decisions.remove(0);
                w.plan().position = 0;
                w.client.order.retain(|ordered| ordered != "isacompta");
            },
            PREREQUISITES_OF_PAYROLL,
        ),
        (
            "with what it requires installed",
            World::group,
            |w| {
                installed(w, "14.20.004");
                w.decisions.remove(0);
                w.plan().position = 0;
            },
            NONE,
        ),
        (
            "what it requires in a slot before",
            World::group,
            |w| {
                w.plan().leader = "isacompta 14.20.004".into();
                w.plan_of(1).position = 0;
                w.plan_of(1).slot = slot("2026-04-30T20:00", "2026-05-01T05:00");
            },
            NONE,
        ),
        (
            "what it requires in the same night, apart",
            World::group,
            |w| {
                w.plan().leader = "isacompta 14.20.004".into();
                w.plan_of(1).position = 0;
            },
            PREREQUISITES_OF_PAYROLL,
        ),
        (
            "a companion left behind",
            World::group,
            |w| {
                w.releases[0] = release(
                    "isacompta",
                    "14.20.004",
                    "2026-04-29T14:00",
                    "installs_with = [{ product = \"isapaye\", version = \"2026.2\" }]",
                );
                let alone = w.plan().slot;
                w.decisions.pop();
                w.decisions.push(decision("isapaye", Outcome::Waiting));
                *w.plan() = plan("14.20.004", alone, Some(at("2026-05-01T05:00")), "isacompta 14.20.004", 0);
            },
            PREREQUISITES,
        ),
        (
            "a companion the server does not run",
            World::minor,
            |w| {
                w.releases[0] = release(
                    "isacompta",
                    "14.20.004",
                    "2026-04-29T14:00",
                    "installs_with = [{ product = \"isapaye\", version = \"2026.2\" }]",
                );
            },
            NONE,
        ),
    ]);
}

#[test]
fn groups() {
    check(&[
        (
            "the wrong order",
            World::group,
            |w| {
                w.plan().position = 1;
                w.plan_of(1).position = 0;
            },
            PREREQUISITES_OF_PAYROLL,
        ),
        (
            "two in one place",
            World::group,
            |w| w.plan().position = 1,
            &["fatal prerequisites isapaye", "fatal prerequisites isacompta"],
        ),
        ("a place left out", World::group, |w| w.plan_of(1).position = 2, PREREQUISITES),
        (
            "two nights",
            World::group,
            |w| w.plan_of(1).slot = slot("2026-04-30T20:00", "2026-05-01T05:00"),
            PREREQUISITES,
        ),
        ("one of two is held", World::group, |w| w.held(1), PREREQUISITES),
        (
            "both are held",
            World::group,
            |w| {
                w.held(0);
                w.held(1);
            },
            NONE,
        ),
        (
            "the leader is not in it",
            World::group,
            |w| {
                w.plan().leader = "isapaye 2026.3".into();
                w.plan_of(1).leader = "isapaye 2026.3".into();
            },
            PREREQUISITES,
        ),
        ("room for one of two", World::group, |w| longer(w, 471), &["fatal minor-night isapaye"]),
        ("room for both", World::group, |w| longer(w, 470), NONE),
        (
            "room for one of two that go apart",
            World::group,
            |w| {
                Arc::make_mut(&mut w.releases[1].signed.manifest).requires.clear();
                w.plan().leader = "isacompta 14.20.004".into();
                w.plan_of(1).position = 0;
                longer(w, 471);
            },
            &["fatal minor-night isapaye"],
        ),
        (
            "an agreed slot inside the night leaves less room",
            World::group,
            |w| {
                Arc::make_mut(&mut w.releases[1].signed.manifest).requires.clear();
                w.plan().leader = "isacompta 14.20.004".into();
                w.plan_of(1).position = 0;
                w.plan().slot = slot("2026-04-29T20:00", "2026-04-29T20:40");
                w.plan_of(1).slot = slot("2026-04-29T20:00", "2026-04-29T20:50");
            },
            &["fatal minor-night isapaye"],
        ),
        (
            "a minor that goes along with a major goes in its slot",
            World::major,
            |w| {
                Arc::make_mut(&mut w.releases[0].signed.manifest).installs_with =
                    vec![toml::from_str("product = \"isapaye\"\nversion = \"2026.2\"").unwrap()];
                w.releases.push(release("isapaye", "2026.2", "2026-04-29T14:00", "scheme = \"year\""));
                w.state.inventory.insert("isapaye".into(), version("2026.1"));
                let along = plan("2026.2", w.plan().slot, Some(at("2026-05-01T05:00")), "isacompta 15.00.001", 1);
                w.decisions.push(decision("isapaye", Outcome::Late(along)));
            },
            NONE,
        ),
        (
            "while another is running",
            World::group,
            |w| {
                let plan = w.plan().clone();
                let running = DeploymentState::Running { started_at: at("2026-04-29T14:30") };
                w.deployments.push(deployment(1, "isacompta", &plan, running));
            },
            PREREQUISITES,
        ),
    ]);
}
