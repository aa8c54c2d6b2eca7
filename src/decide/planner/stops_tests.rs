//! What stops a release, or lets it go where it would not, as tables: office hours, halts, holds, agreements, people.

use super::tests::{World, deployment, manifest, terms, utc};
use crate::decide::rollout::Progress;
use crate::decide::terms::Terms;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::DeploymentState;
use crate::model::fleet::{ClosedPeriod, Ring};
use crate::model::hold::{Hold, HoldOn, Lifted};
use crate::model::manifest::Text;
use crate::model::slot::Slot;
use crate::model::version::Change;
use std::sync::Arc;
use std::sync::LazyLock;

const PUBLISHED: &str = "2026-04-29 17:00";

/// The minor that goes in the night of 29 April.
fn minor() -> World {
    World::at("2026-04-29 18:00").minor("14.20.003", PUBLISHED)
}

/// A major that was asked for in time; the last slot but one before its date is that of 15 May.
fn major() -> World {
    World::at("2026-04-30 10:00")
        .publish(manifest("isacompta", "15.00.001", Change::Major), PUBLISHED)
        .request("15.00.001", "2026-05-16")
}

/// What was said of isacompta, by rule.
fn said(world: &World, rule: &str) -> Vec<String> {
    let decisions = world.plan();
    let reasons = decisions.iter().filter(|d| d.product == "isacompta").flat_map(|d| d.reasons.iter());
    reasons.filter(|r| r.rule.to_string() == rule).map(|r| r.text.clone()).collect()
}

#[test]
fn a_night_that_reaches_into_office_hours_is_no_night() {
    static LONG: LazyLock<Terms> = LazyLock::new(|| {
        let mut schedule = terms().schedule.clone();
        schedule.windows.get_mut("night").unwrap().hours = "Mo-Su 22:00-08:01".into();
        schedule.minor.deadline_nights = 4;
        Terms::compile(schedule).unwrap()
    });
    static SHORT: LazyLock<Terms> = LazyLock::new(|| {
        let mut schedule = terms().schedule.clone();
        schedule.windows.get_mut("night").unwrap().hours = "Mo-Su 22:00-08:00".into();
        Terms::compile(schedule).unwrap()
    });
    // The morning of 30 April is a working day's, that of 1 May a holiday's, that of 2 May a Saturday's.
    let mut world = World { terms: &LONG, ..minor() };
    world.check("isacompta", "planned 14.20.003 30 22:00-01 08:01");
    assert_eq!(said(&world, "office-hours").len(), 1, "one night fell away for it");
    world.terms = &SHORT;
    world.check("isacompta", "planned 14.20.003 29 22:00-30 08:00");
}

#[test]
fn a_release_that_used_up_its_failure_budget_goes_no_further() {
    for (mut world, version) in [(minor(), "14.20.003"), (major(), "15.00.001")] {
        let version = version.parse().unwrap();
        let planned = world.plan();
        // A tenth of ten, and a little less than a tenth.
        *world.rollout.entry("isacompta", &version) = Progress { installed: 10, failed: 1, ..Progress::default() };
        assert_eq!(world.plan()[0].outcome, planned[0].outcome);
        *world.rollout.entry("isacompta", &version) = Progress { installed: 9, failed: 1, ..Progress::default() };
        world.check("isacompta", "held rollout");
        // Canary servers as well.
        world.client.servers[0].ring = Ring::Canary;
        world.check("isacompta", "held rollout");
    }
}

fn held(world: &World, on: HoldOn, until: Option<&str>) -> World {
    let mut world = world.clone();
    let (by, at) = ("Zoé".to_owned(), world.now);
    world.holds.push(Hold { id: 7, on, until: until.map(utc), reason: "inventory".into(), by, at, lifted: None });
    world
}

#[test]
fn a_hold_stops_what_it_names_and_nothing_else() {
    let server = |id: &str| HoldOn::Server { client: "martin".into(), server: id.into() };
    let client = |id: &str| HoldOn::Client { client: id.into() };
    let release = |version: &str| HoldOn::Release { product: "isacompta".into(), version: version.parse().unwrap() };
    let night = "planned 14.20.003 29 22:00-30 07:00";
    let stopped = "held hold";
    for (on, expected) in [
        (server("martin-1"), stopped),
        (server("martin-2"), night),
        (client("martin"), stopped),
        (client("durand"), night),
        (release("14.20.003"), stopped),
        (release("14.20.004"), night),
    ] {
        minor_check(&held(&minor(), on, None), expected);
    }
    // Lifted, or not yet placed, it holds nothing.
    let mut world = held(&minor(), server("martin-1"), None);
    world.holds[0].lifted = Some(Lifted { at: world.now, by: "Zoé".into() });
    minor_check(&world, night);
    // A major no less.
    let on = server("martin-1");
    held(&major(), on, None).check("isacompta", stopped);
}

/// Checks the plan, and that what is held says by which hold.
#[track_caller]
fn minor_check(world: &World, expected: &str) {
    world.check("isacompta", expected);
    assert_eq!(!said(world, "hold").is_empty(), expected.starts_with("held"), "{expected}");
}

#[test]
fn a_hold_with_an_end_moves_what_it_names_behind_it() {
    let on = || HoldOn::Client { client: "martin".into() };
    // A slot begins at the end of the hold or later, never a minute before it.
    for (until, expected) in [
        ("2026-04-29 22:00", "planned 14.20.003 29 22:00-30 07:00"),
        ("2026-04-29 22:01", "planned 14.20.003 30 22:00-01 07:00"),
        ("2026-04-30 22:00", "planned 14.20.003 30 22:00-01 07:00"),
        ("2026-04-30 22:01", "late 14.20.003 01 22:00-02 07:00"),
    ] {
        held(&minor(), on(), Some(until)).check("isacompta", expected);
    }
}

fn agreed(mut world: World, agreed: Agreed) -> World {
    let (client, by, at) = ("martin".to_owned(), "A. Martin".to_owned(), world.now);
    world.agreements.push(Agreement { id: 1, client, agreed, by, at });
    world
}

/// How often the client's contact is named among what was said under a rule.
fn names(world: &World, rule: &str) -> usize {
    said(world, rule).iter().filter(|text| text.contains("A. Martin")).count()
}

#[test]
fn what_goes_in_a_slot_that_was_agreed_to_says_who_agreed() {
    let slot = |from, to| Agreed::Slot {
        server: "martin-1".into(),
        product: "isacompta".into(),
        slot: Slot::new(utc(from), utc(to)).unwrap(),
    };
    let mut manual = minor();
    Arc::make_mut(&mut manual.releases[0].signed.manifest).manual_steps =
        Some(Text { fr: "Relancer".into(), en: None });
    for (world, slot, expected) in [
        (minor(), slot("2026-04-30 12:00", "2026-04-30 14:00"), "planned 14.20.003 30 12:00-30 14:00"),
        (manual, slot("2026-04-30 12:00", "2026-04-30 14:00"), "planned 14.20.003 30 12:00-30 14:00"),
        (major(), slot("2026-05-12 12:00", "2026-05-12 14:00"), "planned 15.00.001 12 12:00-12 14:00"),
    ] {
        let world = agreed(world, slot);
        world.check("isacompta", expected);
        assert_eq!(names(&world, "maintenance-slots"), 1, "{expected}");
    }
}

#[test]
fn what_goes_on_a_closed_day_says_who_agreed() {
    let day = "2026-04-29".parse().unwrap();
    let mut world = minor();
    world.client.closed.push(ClosedPeriod::days(day, day, "paie"));
    let world = agreed(world, Agreed::ClosedPeriod { server: None, from: day, to: day });
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    assert_eq!(names(&world, "closed-period"), 1);
}

#[test]
fn a_request_on_a_shorter_notice_says_who_agreed() {
    let mut world = major();
    let (product, version) = ("isacompta".to_owned(), "15.00.001".parse().unwrap());
    let before = "2026-05-04".parse().unwrap();
    world.requests[0].before = before;
    assert_eq!(names(&world, "major-notice"), 0);
    let world = agreed(world, Agreed::ShortNotice { product, version, before });
    assert_eq!(names(&world, "major-notice"), 1);
}

#[test]
fn a_failed_try_is_not_repeated_in_the_slot_it_failed_in() {
    let mut world = World::at("2026-04-29 23:00").minor("14.20.003", PUBLISHED);
    let at = world.now;
    let failed = DeploymentState::RolledBack { started_at: at, finished_at: at, why: "health check".into() };
    world.check("isacompta", "planned 14.20.003 29 22:00-30 07:00");
    world.deployments.push(deployment(&world, "14.20.003", ("2026-04-29 22:00", "2026-04-30 07:00"), failed));
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
}

#[test]
fn a_slot_in_which_all_staff_are_busy_is_no_slot_for_what_is_attended() {
    let mut world = major();
    let slot = Slot::new(utc("2026-05-15 20:00"), utc("2026-05-15 22:00")).unwrap();
    for attended in 0..terms().schedule.staff.installs_max {
        world.check("isacompta", "planned 15.00.001 15 20:00-15 22:00");
        assert!(said(&world, "maintenance-slots").iter().all(|text| !text.contains("staff")), "{attended}");
        world.staffed.add(slot);
    }
    // The 14th is Ascension Day.
    world.check("isacompta", "planned 15.00.001 13 20:00-13 22:00");
}

#[test]
fn a_major_ends_by_the_day_that_was_asked_for() {
    let mut world = major();
    // The last slot but one of those that end by then; on the 14th, Ascension Day, there is none.
    for (before, expected) in [
        ("2026-05-13", "planned 15.00.001 12 20:00-12 22:00"),
        ("2026-05-14", "planned 15.00.001 12 20:00-12 22:00"),
        ("2026-05-15", "planned 15.00.001 13 20:00-13 22:00"),
        ("2026-05-16", "planned 15.00.001 15 20:00-15 22:00"),
    ] {
        world.requests[0].before = before.parse().unwrap();
        world.check("isacompta", expected);
    }
}

#[test]
fn what_fills_a_slot_to_the_minute_leaves_its_agent_no_time_to_ask() {
    // With 15 minutes to go back and 10 for the copy: 119 and 120 of the evening's 120 minutes.
    for (minutes, expected) in
        [(94, "planned 15.00.001 15 20:00-15 22:00"), (95, "planned 15.00.001 09 08:00-09 16:00")]
    {
        let mut world = major();
        Arc::make_mut(&mut world.releases[0].signed.manifest).duration_minutes = minutes;
        world.check("isacompta", expected);
    }
}

#[test]
fn what_lacks_a_backup_keeps_room_for_it_and_is_late_where_the_last_night_is_full() {
    let long = |product: &str, version: &str| {
        let mut manifest = manifest(product, version, Change::Minor);
        (manifest.duration_minutes, manifest.rollback_minutes) = (240, 60);
        manifest
    };
    let mut world = World::at("2026-04-30 21:00")
        .install("isapaye", "12.4.0")
        .publish(long("isacompta", "14.20.003"), "2026-04-29 17:00")
        .publish(long("isapaye", "12.4.1"), "2026-04-29 17:00");
    world.check("isacompta", "planned 14.20.003 30 22:00-01 07:00");
    world.check("isapaye", "late 12.4.1 01 22:00-02 07:00");
    // The night would still do for one of them, should the backup come; the other is late, and staff hear of it now.
    world.state.backup = None;
    let decisions = world.plan();
    let is_late = |product: &str| decisions.iter().find(|d| d.product == product).map(|d| d.outcome.is_late());
    world.check("isacompta", "held backup-first");
    assert_eq!((is_late("isacompta"), is_late("isapaye")), (Some(false), Some(true)));
}
