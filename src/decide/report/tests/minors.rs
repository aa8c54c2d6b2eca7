//! Each outcome of a minor, one unit either side.

use super::*;
use crate::model::release::Retraction;
use std::sync::Arc;

#[test]
fn a_minor_is_on_time_to_the_second_of_its_deadline() {
    // Published Tuesday 5 May: due Thursday 7 May, 07:00.
    let deadline = utc("2026-05-07 07:00");
    for (finished, outcome) in [
        (deadline, MinorOutcome::OnTime),
        (deadline + TimeDelta::milliseconds(1), MinorOutcome::Late),
        (deadline - TimeDelta::days(1), MinorOutcome::OnTime),
    ] {
        let mut world = World::new("2026-05-20 12:00");
        world.minor("14.20.003", "2026-05-05 15:00");
        let state = DeploymentState::Installed {
            started_at: finished - TimeDelta::minutes(9),
            finished_at: finished,
            observed: None,
        };
        world.deploy("14.20.003", NIGHT, state);
        let minor = world.report().minors.remove(0);
        assert_eq!((minor.deadline, minor.outcome, minor.installed_at), (deadline, outcome, Some(finished)));
    }
    for (now, outcome) in [("2026-05-07 07:00", MinorOutcome::Open), ("2026-05-07 07:01", MinorOutcome::Missed)] {
        let mut world = World::new(now);
        world.minor("14.20.003", "2026-05-05 15:00");
        assert_eq!(world.outcomes(), [("14.20.003".to_owned(), outcome)], "never planned, {now}");
    }
}

#[test]
fn a_newer_one_in_its_place_counts_and_is_named() {
    let mut world = World::new("2026-05-20 12:00");
    world.minor("14.20.003", "2026-05-05 15:00");
    world.minor("14.20.004", "2026-05-06 15:00");
    world.deploy("14.20.004", NIGHT, installed("2026-05-06 22:05", "2026-05-06 22:14"));
    let minors = world.report().minors;
    assert_eq!((minors[0].outcome, minors[0].instead.as_deref()), (MinorOutcome::OnTime, Some("14.20.004")));
    assert_eq!((minors[1].outcome, minors[1].instead.as_deref()), (MinorOutcome::OnTime, None));
}

#[test]
fn what_was_withdrawn_in_time_is_nobodys_debt() {
    for (at, outcome) in [("2026-05-06 09:30", MinorOutcome::Withdrawn), ("2026-05-07 07:01", MinorOutcome::Missed)] {
        let mut world = World::new("2026-05-20 12:00");
        world.minor("14.20.003", "2026-05-05 15:00").retracted =
            Some(Retraction { at: utc(at), reason: "faulty".into() });
        world.deploy("14.20.003", NIGHT, rolled_back("2026-05-05 22:05", "2026-05-05 22:14"));
        let report = world.report();
        assert_eq!(report.minors[0].outcome, outcome, "{at}");
        assert_eq!(report.figures["minors.due"], i64::from(outcome == MinorOutcome::Missed));
        // Installed first, it was on time whatever its publisher did afterwards.
        world.deploy("14.20.003", NIGHT, installed("2026-05-06 01:00", "2026-05-06 01:09"));
        assert_eq!(world.report().minors[0].outcome, MinorOutcome::OnTime, "{at}");
    }
}

#[test]
fn only_what_is_a_minor_for_this_server_is_owed() {
    let owed = |change: fn(&mut World)| {
        let mut world = World::new("2026-05-20 12:00");
        change(&mut world);
        world.outcomes().len()
    };
    assert_eq!(owed(|w| w.owes("14.20.003", "2026-05-05 15:00")), 1);
    assert_eq!(owed(|w| w.owes("14.20.002", "2026-05-05 15:00")), 0, "it runs already");
    assert_eq!(owed(|w| w.owes("15.00.002", "2026-05-05 15:00")), 0, "its number says major");
    let manual = |w: &mut World| {
        let steps = crate::model::manifest::Text { fr: "à la main".into(), en: None };
        let release = w.minor("14.20.003", "2026-05-05 15:00");
        Arc::make_mut(&mut release.signed.manifest).manual_steps = Some(steps);
    };
    assert_eq!(owed(manual), 0, "manual updates have slots and no deadline");
    assert_eq!(owed(|w| w.releases.push(release(manifest("eic", "11.1", Change::Minor), "2026-05-05 15:00"))), 0);
    let beyond_a_major = |w: &mut World| {
        w.releases.push(release(manifest("isacompta", "14.30", Change::Major), "2026-05-01 15:00"));
        w.minor("14.30.001", "2026-05-05 15:00");
    };
    assert_eq!(owed(beyond_a_major), 0, "a major lies between");
    assert_eq!(owed(|w| w.owes("14.20.003", "2026-04-28 15:00")), 0, "due in April, and see below");
}

#[test]
fn a_server_that_came_later_owes_what_was_due_after_it_came() {
    for (joined, owed) in [("2026-05-07 06:59", 1), ("2026-05-07 07:01", 0)] {
        let mut world = World::new("2026-05-20 12:00");
        world.events.clear();
        world.found(joined, "isacompta 14.20.002 found on the server");
        world.minor("14.20.003", "2026-05-05 15:00");
        assert_eq!(world.outcomes().len(), owed, "{joined}");
    }
}

#[test]
fn what_is_put_there_by_hand_is_there() {
    let mut world = World::new("2026-05-20 12:00");
    world.minor("14.20.003", "2026-05-05 15:00");
    world.found("2026-05-06 11:00", "isacompta went from 14.20.002 to 14.20.003");
    let minor = world.report().minors.remove(0);
    assert_eq!((minor.outcome, minor.installed_at), (MinorOutcome::OnTime, Some(utc("2026-05-06 11:00"))));
}

#[test]
fn what_was_missing_when_the_month_began_is_carried_and_counted_where_it_was_due() {
    let mut world = World::new("2026-05-20 12:00");
    world.minor("14.20.003", "2026-04-27 15:00");
    let text = "the last backup failed";
    let reasons = vec![Reason::new(Rule::BackupFirst, text, "la dernière sauvegarde a échoué")];
    let held = NewEvent::new(utc("2026-04-28 21:45"), "martin", EventKind::Held, "isacompta: held");
    world.event(held.server("martin-1").product("isacompta").reasons(reasons.into()));
    world.deploy(
        "14.20.003",
        ("2026-05-04 22:00", "2026-05-05 07:00"),
        installed("2026-05-04 22:05", "2026-05-04 22:14"),
    );
    let may = world.report();
    assert_eq!((may.minors.len(), may.carried.len()), (0, 1));
    assert_eq!(may.carried[0].outcome, MinorOutcome::Late);
    assert_eq!(may.carried[0].why[0].rule.as_deref(), Some("backup-first"));
    assert_eq!(may.figures["minors.due"], 0);
    world.month = "2026-04";
    let april = world.report();
    assert_eq!((april.minors.len(), april.carried.len(), april.figures["minors.late"]), (1, 0, 1));
    // Once it is there, the months after do not speak of it.
    world.month = "2026-06";
    world.now = utc("2026-06-02 12:00");
    assert_eq!(world.report().carried.len(), 0);
}
