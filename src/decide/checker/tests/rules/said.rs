//! What a decision says: reasons, and that nothing is passed over in silence.

use super::{MANUAL, NIGHT, NONE, PREREQUISITES, REQUEST, check, day, installed, minute};
use crate::decide::checker::Spread;
use crate::decide::checker::tests::world::{World, at, decision, deployment, plan, release, slot, version};
use crate::model::decision::{Outcome, Plan};
use crate::model::deployment::Deployment;
use crate::model::deployment::DeploymentState;
use crate::model::release::Retraction;
use std::sync::Arc;

#[test]
fn what_is_said() {
    check(&[
        ("no reason", World::minor, |w| w.decisions[0].reasons = [].into(), NIGHT),
        ("no reason for the client", World::minor, |w| Arc::make_mut(&mut w.decisions[0].reasons)[0].fr.clear(), NIGHT),
        ("no reason for a major", World::major, |w| w.decisions[0].reasons = [].into(), REQUEST),
        (
            "planned and out of scope",
            World::minor,
            |w| {
                w.decisions.insert(0, decision("isacompta", Outcome::OutOfScope));
                w.client.order.retain(|ordered| ordered != "isacompta");
            },
            &["fatal prerequisites isacompta", "fatal out-of-scope isacompta"],
        ),
        (
            "three times",
            World::minor,
            |w| {
                w.decisions.extend([
                    decision("isacompta", Outcome::Held { plan: None }),
                    decision("isacompta", Outcome::Held { plan: None }),
                ])
            },
            PREREQUISITES,
        ),
        (
            "two minors at once",
            World::minor,
            |w| {
                w.releases.push(release("isacompta", "14.20.005", "2026-04-29T14:00", ""));
                let second =
                    Plan { version: version("14.20.005"), leader: "isacompta 14.20.005".into(), ..w.plan().clone() };
                w.decisions.push(decision("isacompta", Outcome::Planned(second)));
            },
            PREREQUISITES,
        ),
        ("a minor and a major", World::major, |w| also_a_minor(w, "2026-04-29T20:00", "2026-04-30T05:00"), NONE),
        (
            "a minor after the major",
            World::major,
            |w| {
                Arc::make_mut(&mut w.releases[0].signed.manifest).upgrade_from = None;
                w.requests[0].received_at = at("2026-04-13T08:00");
                w.plan().slot = slot("2026-04-30T18:00", "2026-04-30T20:00");
                Arc::make_mut(&mut w.releases[0].signed.manifest).duration_minutes = 60;
                also_a_minor(w, "2026-04-30T20:00", "2026-05-01T05:00");
            },
            &["warning prerequisites isacompta"],
        ),
        (
            "about another server",
            World::minor,
            |w| w.decisions[0].server = "other".into(),
            &["fatal servers-only isacompta"],
        ),
        ("up to date, though it is not", World::minor, |w| w.decisions[0].outcome = Outcome::UpToDate, NIGHT),
        (
            "up to date, though a manual update is out",
            World::manual,
            |w| w.decisions[0].outcome = Outcome::UpToDate,
            MANUAL,
        ),
        (
            "up to date below a major nobody asked for",
            World::major,
            |w| w.decisions[0].outcome = Outcome::UpToDate,
            NONE,
        ),
        (
            "up to date, with nothing but a withdrawn release",
            World::minor,
            |w| {
                w.releases[0].retracted = Some(Retraction { at: w.now, reason: "r".into() });
                w.decisions[0].outcome = Outcome::UpToDate;
            },
            NONE,
        ),
        (
            "up to date, with a way that takes a stepping stone",
            World::minor,
            |w| {
                installed(w, "14.10.012");
                w.decisions[0].outcome = Outcome::UpToDate;
            },
            &["warning minor-night isacompta"],
        ),
        ("nothing", World::minor, |w| w.decisions.clear(), NIGHT),
        (
            "waiting for nothing",
            World::minor,
            |w| w.decisions[0].outcome = Outcome::Waiting,
            &["warning minor-night isacompta"],
        ),
        (
            "waiting for a canary",
            World::minor,
            |w| {
                w.spread = Spread { canaries: 2, canaries_settled: 1, ..Spread::default() };
                w.decisions[0].outcome = Outcome::Waiting;
            },
            NONE,
        ),
        ("running, and is not", World::minor, |w| w.decisions[0].outcome = Outcome::Running, PREREQUISITES),
        (
            "running, and is",
            World::minor,
            |w| {
                let running = DeploymentState::Running { started_at: w.now };
                let running = deployment(1, "isacompta", &w.plan().clone(), running);
                w.deployments.push(Deployment { slot: slot("2026-04-29T15:00", "2026-04-29T20:00"), ..running });
                w.decisions[0].outcome = Outcome::Running;
            },
            NONE,
        ),
    ]);
}

/// The old line goes on beside the major that was asked for.
fn also_a_minor(w: &mut World, start: &str, end: &str) {
    w.releases.push(release("isacompta", "14.20.004", "2026-04-29T14:00", ""));
    let minor = plan("14.20.004", slot(start, end), Some(at("2026-05-01T05:00")), "isacompta 14.20.004", 0);
    w.decisions.push(decision("isacompta", Outcome::Planned(minor)));
}

#[test]
fn a_finding_names_rule_clause_place_and_site_time() {
    let mut world = World::minor();
    world.plan().slot.start -= minute();
    insta::assert_snapshot!(
        world.findings()[0],
        @"fatal: minor-night (3.1.b.3): isacompta on srv of durand: Wed 29 Apr 2026 21:59 to Thu 30 Apr 2026 07:00 is not inside one night, and nothing else was agreed"
    );
    let mut world = World::major();
    world.requests[0].received_at = at("2026-04-24T20:30");
    world.requests[0].before = day("2026-05-04");
    world.plan().deadline = Some(at("2026-05-04T22:00"));
    insta::assert_snapshot!(
        world.findings()[0],
        @"fatal: major-notice (3.1.b.4): isacompta on srv of durand: request 7, received Fri 24 Apr 2026 22:30, names 2026-05-04: the notice allows 2026-05-05, and nothing sooner was agreed"
    );
}
