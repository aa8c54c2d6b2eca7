//! Releases that belong together as tables: companions, requirements, stepping stones, and what may go without them.

use super::tests::{World, deployment, manifest};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::ClosedPeriod;
use crate::model::manifest::{Companion, Manifest, Requirement, Text};
use crate::model::release::Retraction;
use crate::model::version::Change;

const PUBLISHED: &str = "2026-04-29 17:00";

/// A minor of isaged that goes only together with another release.
fn with(version: &str, product: &str, theirs: &str) -> Manifest {
    let mut manifest = manifest("isaged", version, Change::Minor);
    manifest.installs_with = vec![Companion { product: product.into(), version: theirs.parse().unwrap() }];
    manifest
}

fn requiring(version: &str, at_least: &str) -> Manifest {
    let mut manifest = manifest("isaged", version, Change::Minor);
    manifest.requires = vec![Requirement { product: "isacompta".into(), at_least: at_least.parse().unwrap() }];
    manifest
}

fn over(product: &str, version: &str, change: Change, oldest: &str) -> Manifest {
    let mut manifest = manifest(product, version, change);
    manifest.upgrade_from = Some(oldest.parse().unwrap());
    manifest
}

fn isaged() -> World {
    World::at("2026-04-29 18:00").install("isaged", "3.0.0")
}

#[test]
fn companions_go_together_or_not_at_all() {
    let world = isaged().publish(with("3.0.1", "isacompta", "14.20.003"), PUBLISHED);
    world.check("isaged", "waiting prerequisites");
    let world = world.publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
    let leaders: Vec<String> = world.plan().iter().filter_map(|d| d.outcome.plan().map(|p| p.leader.clone())).collect();
    assert_eq!(leaders, ["isacompta 14.20.003", "isacompta 14.20.003"]);
}

#[test]
fn a_companion_that_was_withdrawn_holds_and_is_told_before_the_deadline() {
    let mut world = isaged()
        .publish(with("3.0.1", "isacompta", "14.20.003"), PUBLISHED)
        .publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
    world.releases[1].retracted = Some(Retraction { at: world.now, reason: "faulty".into() });
    world.check("isaged", "held prerequisites");
    // A companion that is still to come is waited for.
    world.releases.remove(1);
    world.check("isaged", "waiting prerequisites");
}

#[test]
fn a_release_that_cannot_go_gives_way_to_a_newer_one_as_well() {
    // The newer one would wait for its canaries beyond the older one's deadline, so the older goes first; but it cannot.
    // The newer then takes its place in time: the rings are ours, the deadline is the contract's.
    let mut world = isaged()
        .publish(with("3.0.1", "isacompta", "14.20.009"), "2026-04-28 17:00")
        .publish(manifest("isaged", "3.0.2", Change::Minor), PUBLISHED);
    world.canaries.insert("isaged".into(), 1);
    world.check("isaged", "planned 3.0.2 29 22:00-30 07:00");
}

#[test]
fn a_companion_that_is_there_but_not_ordered_holds_and_is_told_before_the_deadline() {
    let mut world = isaged()
        .publish(with("3.0.1", "isacompta", "14.20.003"), PUBLISHED)
        .publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
    world.client.order.retain(|product| product != "isacompta");
    world.check("isaged", "held prerequisites");
    world.check("isacompta", "out_of_scope out-of-scope");
    let decisions = world.plan();
    let said: Vec<&str> = decisions[1].reasons.iter().map(|r| r.text.as_str()).collect();
    let last = said.last().copied().unwrap_or_default();
    assert_eq!(last, "isaged 3.0.1 goes only together with isacompta 14.20.003, and the order does not name isacompta");
    // Without it on the server there is nothing to bring along.
    world.state.inventory.remove("isacompta");
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
}

#[test]
fn an_older_release_goes_first_where_another_goes_only_together_with_it() {
    let isacompta = |version| manifest("isacompta", version, Change::Minor);
    let world = |now: &str, older: &str, newer: &str| {
        World::at(now)
            .install("isaged", "3.0.0")
            .publish(isacompta("14.20.003"), older)
            .publish(isacompta("14.20.004"), newer)
            .publish(with("3.0.1", "isacompta", "14.20.003"), PUBLISHED)
    };
    // What is late anyway lets isaged keep its deadline, this night.
    let late = world("2026-04-30 12:00", "2026-04-28 17:00", "2026-04-28 17:00");
    late.check("isacompta", "late 14.20.003 30 22:00-01 07:00");
    late.check("isaged", "planned 3.0.1 30 22:00-01 07:00");
    let decisions = late.plan();
    let said: Vec<&str> = decisions[0].reasons.iter().map(|r| r.text.as_str()).collect();
    let first =
        "isaged 3.0.1 goes only together with isacompta 14.20.003, which therefore goes before isacompta 14.20.004";
    assert!(said.contains(&first), "{said:#?}");
    // Two nights are left for both: the newer follows in the second.
    let both = world("2026-04-29 18:00", PUBLISHED, PUBLISHED);
    both.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    both.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
    // One night is left for both: what is in time stays in time, and staff hear of the other.
    let last = world("2026-04-30 18:00", PUBLISHED, PUBLISHED);
    last.check("isacompta", "planned 14.20.004 30 22:00-01 07:00");
    last.check("isaged", "held prerequisites");
    // Several newer ones are in the way, or the older was withdrawn.
    let mut more = late.publish(isacompta("14.20.005"), "2026-04-28 17:00");
    more.check("isacompta", "late 14.20.003 30 22:00-01 07:00");
    more.check("isaged", "planned 3.0.1 30 22:00-01 07:00");
    more.releases[0].retracted = Some(Retraction { at: more.now, reason: "faulty".into() });
    more.check("isacompta", "late 14.20.005 30 22:00-01 07:00");
    more.check("isaged", "held prerequisites");
}

#[test]
fn what_waits_for_others_does_not_hold_back_an_older_release() {
    for newest in [with("3.0.2", "isacompta", "14.20.003"), requiring("3.0.2", "14.20.003")] {
        let mut world =
            isaged().publish(manifest("isaged", "3.0.1", Change::Minor), PUBLISHED).publish(newest, "2026-04-29 17:30");
        world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
        world = world.publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
        world.check("isaged", "planned 3.0.2 29 22:00-30 07:00");
        // Once the older is there, the newer waits again.
        world.releases.pop();
        world.install("isaged", "3.0.1").check("isaged", "waiting prerequisites");
    }
}

#[test]
fn neither_manual_work_nor_a_request_for_something_newer_keeps_an_older_release_back() {
    let mut manual = requiring("3.0.2", "14.20.003");
    manual.manual_steps = Some(Text { fr: "Relancer".into(), en: None });
    let older = manifest("isaged", "3.0.1", Change::Minor);
    isaged()
        .publish(older.clone(), PUBLISHED)
        .publish(manual, "2026-04-29 17:30")
        .check("isaged", "planned 3.0.1 29 22:00-30 07:00");
    // The major that was asked for waits for its stone, which waits for its companion.
    let mut world = isaged()
        .publish(older, PUBLISHED)
        .publish(with("3.0.2", "isacompta", "14.20.003"), "2026-04-29 17:30")
        .publish(over("isaged", "4.0.0", Change::Major, "3.0.2"), PUBLISHED)
        .request("4.0.0", "2026-05-16");
    world.requests[0].product = "isaged".into();
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
}

#[test]
fn a_major_nobody_asked_for_does_not_hold_back_the_minor_it_names() {
    let mut major = manifest("isacompta", "15.00.001", Change::Major);
    major.installs_with = vec![Companion { product: "isaged".into(), version: "3.0.1".parse().unwrap() }];
    let world = isaged().publish(major, PUBLISHED).publish(manifest("isaged", "3.0.1", Change::Minor), PUBLISHED);
    world.check("isacompta", "waiting major-on-request");
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
}

#[test]
fn a_minor_that_nothing_leads_to_is_held_and_told() {
    let world = isaged().publish(over("isaged", "3.0.5", Change::Minor, "3.0.3"), PUBLISHED);
    world.check("isaged", "held prerequisites");
    // What leads part of the way goes.
    let world = world.publish(manifest("isaged", "3.0.1", Change::Minor), PUBLISHED);
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
    let world = world.publish(over("isaged", "3.0.3", Change::Minor, "3.0.1"), PUBLISHED);
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
}

#[test]
fn a_major_that_needs_another_major_first_names_it() {
    let world = World::at("2026-04-30 10:00")
        .publish(manifest("isacompta", "15.00.001", Change::Major), PUBLISHED)
        .publish(over("isacompta", "16.00.001", Change::Major, "15.00.001"), PUBLISHED)
        .request("16.00.001", "2026-05-16");
    world.check("isacompta", "held prerequisites");
    let decisions = world.plan();
    let last = decisions[0].reasons.last().map(|r| r.text.clone()).unwrap_or_default();
    assert_eq!(last, "isacompta 16.00.001 needs isacompta 15.00.001 first, a major that has to be asked for as well");
}

#[test]
fn an_agreement_on_the_whole_closure_opens_its_last_night_too() {
    let mut world = World::at("2026-04-29 17:01").publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
    let day = |text: &str| text.parse().unwrap();
    world.client.closed.push(ClosedPeriod::days(day("2026-04-27"), day("2026-04-29"), "paie"));
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
    let agree = |world: &World, from: &str, to: &str| {
        let mut world = world.clone();
        let agreed = Agreed::ClosedPeriod { server: None, from: day(from), to: day(to) };
        let (client, by) = ("martin".to_owned(), "A. Martin".to_owned());
        world.agreements.push(Agreement { id: 1, client, agreed, by, at: world.now });
        world
    };
    agree(&world, "2026-04-29", "2026-04-29").check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    // Several agreements open together what none opens alone.
    let two = agree(&agree(&world, "2026-04-27", "2026-04-28"), "2026-04-29", "2026-04-29");
    two.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    // One day short of what is closed, it opens nothing.
    agree(&world, "2026-04-27", "2026-04-28").check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn what_follows_a_release_that_finds_no_room_is_held_with_it() {
    // The requested major and the manual update both need nearly all of the one slot there is before the date.
    let mut major = manifest("isacompta", "15.00.001", Change::Major);
    major.duration_minutes = 240;
    let mut manual = requiring("3.0.1", "15.00.001");
    manual.manual_steps = Some(Text { fr: "Relancer".into(), en: None });
    let mut paye = manifest("isapaye", "12.4.1", Change::Major);
    paye.duration_minutes = 240;
    let mut world = World::at("2026-05-06 10:00")
        .install("isaged", "3.0.0")
        .install("isapaye", "11.0.0")
        .publish(major, PUBLISHED)
        .publish(manual, PUBLISHED)
        .publish(paye, PUBLISHED)
        .request("15.00.001", "2026-05-10");
    let mut other = world.requests[0].clone();
    (other.id, other.product, other.version) = (2, "isapaye".into(), "12.4.1".parse().unwrap());
    world.requests.push(other);
    world.requests[1].before = "2026-05-09".parse().unwrap();
    world.check("isapaye", "planned 12.4.1 09 08:00-09 16:00");
    world.check("isacompta", "held maintenance-slots");
    world.check("isaged", "held prerequisites");
    world.requests.pop();
    world.check("isacompta", "planned 15.00.001 09 08:00-09 16:00");
    world.check("isaged", "planned 3.0.1 11 20:00-11 22:00");
}

#[test]
fn a_group_keeps_the_night_it_was_promised() {
    let mut world = isaged()
        .publish(with("3.0.1", "isacompta", "14.20.003"), PUBLISHED)
        .publish(manifest("isacompta", "14.20.003", Change::Minor), PUBLISHED);
    let night = ("2026-04-30 22:00", "2026-05-01 07:00");
    world.deployments.push(deployment(&world, "14.20.003", night, DeploymentState::Planned));
    world.check("isaged", "planned 3.0.1 30 22:00-01 07:00");
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
    let theirs = Deployment {
        id: 2,
        product: "isaged".into(),
        to: "3.0.1".parse().unwrap(),
        ..deployment(&world, "14.20.003", night, DeploymentState::Planned)
    };
    world.deployments.push(theirs);
    world.check("isaged", "planned 3.0.1 30 22:00-01 07:00");
    // A promise that would be late is not worth keeping.
    for deployment in &mut world.deployments {
        deployment.slot = crate::model::slot::Slot::new(
            "2026-05-02T20:00:00Z".parse().unwrap(),
            "2026-05-03T05:00:00Z".parse().unwrap(),
        )
        .unwrap();
    }
    world.check("isaged", "planned 3.0.1 29 22:00-30 07:00");
}

/// Two majors of one group, asked for by two dates on 30 April; each takes so many minutes.
fn majors(minutes: u32, dates: [&str; 2]) -> World {
    let mut first = manifest("isacompta", "15.00.001", Change::Major);
    let mut second = manifest("isaged", "4.0.0", Change::Major);
    second.installs_with = vec![Companion { product: "isacompta".into(), version: "15.00.001".parse().unwrap() }];
    (first.duration_minutes, second.duration_minutes) = (minutes, minutes);
    let mut world = World::at("2026-04-30 10:00")
        .install("isaged", "3.0.0")
        .publish(first, PUBLISHED)
        .publish(second, PUBLISHED)
        .request("15.00.001", dates[0])
        .request("4.0.0", dates[1]);
    (world.requests[1].id, world.requests[1].product) = (2, "isaged".into());
    world
}

#[test]
fn a_group_of_majors_leaves_a_retry_slot_as_late_as_a_single_one_does() {
    let check = |world: &World, slot: &str| {
        world.check("isacompta", &format!("planned 15.00.001 {slot}"));
        world.check("isaged", &format!("planned 4.0.0 {slot}"));
    };
    // Two hours for both go into an evening: the last but one slot by the earlier of the dates, a Saturday.
    check(&majors(34, ["2026-05-16", "2026-05-16"]), "15 20:00-15 22:00");
    check(&majors(34, ["2026-05-16", "2026-12-16"]), "15 20:00-15 22:00");
    check(&majors(34, ["2026-12-16", "2026-05-16"]), "15 20:00-15 22:00");
    // A minute more each, and only Saturdays do, although each by itself fits into an evening.
    let world = majors(35, ["2026-05-16", "2026-05-16"]);
    check(&world, "09 08:00-09 16:00");
    let decisions = world.plan();
    let texts = decisions.iter().flat_map(|d| d.reasons.iter()).map(|r| r.text.as_str());
    let retries: Vec<&str> = texts.filter(|text| text.ends_with("left for a retry")).collect();
    assert_eq!(retries.len(), 2, "{retries:#?}");
    assert!(retries.iter().all(|text| text.contains("Sat 16 May 08:00 to 16:00")), "{retries:#?}");
    // Only one is left by the date: that one; none: held, never after it.
    check(&majors(35, ["2026-05-02", "2026-05-16"]), "02 08:00-02 16:00");
    let none = majors(400, ["2026-05-16", "2026-05-16"]);
    none.check("isacompta", "held prerequisites");
    none.check("isaged", "held prerequisites");
    // What was promised is kept.
    let mut promised = majors(34, ["2026-05-16", "2026-05-16"]);
    for (id, product, version) in [(1, "isacompta", "15.00.001"), (2, "isaged", "4.0.0")] {
        let slot = ("2026-05-12 20:00", "2026-05-12 22:00");
        let deployment = deployment(&promised, version, slot, DeploymentState::Planned);
        promised.deployments.push(Deployment { id, product: product.into(), request: Some(id), ..deployment });
    }
    check(&promised, "12 20:00-12 22:00");
}

#[test]
fn a_major_goes_earlier_for_what_requires_it_unless_people_were_told_of_its_slot() {
    let major = manifest("isacompta", "15.00.001", Change::Major);
    let world = World::at("2026-04-30 10:00").install("isaged", "3.0.0").publish(major, PUBLISHED);
    let world = world.request("15.00.001", "2026-05-16");
    world.check("isacompta", "planned 15.00.001 15 20:00-15 22:00");
    // Due on Friday morning.
    let mut world = world.publish(requiring("3.0.1", "15.00.001"), PUBLISHED);
    world.check("isacompta", "planned 15.00.001 30 20:00-30 22:00");
    world.check("isaged", "planned 3.0.1 30 22:00-01 07:00");
    let told = deployment(&world, "15.00.001", ("2026-05-12 20:00", "2026-05-12 22:00"), DeploymentState::Planned);
    world.deployments.push(Deployment { request: Some(1), ..told });
    world.check("isacompta", "planned 15.00.001 12 20:00-12 22:00");
    world.check("isaged", "late 3.0.1 12 22:00-13 07:00");
}
