//! Nights, deadlines, office hours, and what was agreed instead.

use super::{DAY, NIGHT, NONE, agreed_slot, check, longer, minute};
use crate::decide::checker::tests::world::{World, at, plan, release, slot};
use crate::model::agreement::Agreed;
use chrono::TimeDelta;

/// The night the clocks go back, ten hours long, for a release of that Saturday.
fn autumn() -> World {
    let mut world = World::minor();
    world.now = at("2026-10-24T15:00");
    world.releases =
        vec![release("isacompta", "14.20.004", "2026-10-24T14:00", "duration_minutes = 580\nrollback_minutes = 10")];
    *world.plan() = plan(
        "14.20.004",
        slot("2026-10-24T20:00", "2026-10-25T06:00"),
        Some(at("2026-10-26T06:00")),
        "isacompta 14.20.004",
        0,
    );
    world
}

/// The night they go forward, eight hours long.
fn spring() -> World {
    let mut world = World::minor();
    world.now = at("2027-03-27T15:00");
    world.releases =
        vec![release("isacompta", "14.20.004", "2027-03-27T14:00", "duration_minutes = 460\nrollback_minutes = 10")];
    *world.plan() = plan(
        "14.20.004",
        slot("2027-03-27T21:00", "2027-03-28T05:00"),
        Some(at("2027-03-29T05:00")),
        "isacompta 14.20.004",
        0,
    );
    world
}

#[test]
fn nights_and_deadlines() {
    check(&[
        ("a minute early", World::minor, |w| w.plan().slot.start -= minute(), NIGHT),
        ("a minute longer", World::minor, |w| w.plan().slot.end += minute(), NIGHT),
        ("an empty slot", World::minor, |w| w.plan().slot.end = w.plan().slot.start, NIGHT),
        ("two nights at once", World::minor, |w| w.plan().slot.end += TimeDelta::hours(24), DAY),
        ("the deadline night", World::minor, |w| w.plan().slot = slot("2026-04-30T20:00", "2026-05-01T05:00"), NONE),
        ("past it", World::minor, |w| w.plan().slot = slot("2026-05-01T20:00", "2026-05-02T05:00"), NIGHT),
        (
            "past it and shown as late",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T20:00", "2026-05-02T05:00");
                w.late();
            },
            NONE,
        ),
        (
            "past it and held",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T20:00", "2026-05-02T05:00");
                w.held(0);
            },
            NONE,
        ),
        ("in time and shown as late", World::minor, World::late, NIGHT),
        ("a deadline too early", World::minor, |w| w.plan().deadline = Some(at("2026-05-01T04:59")), NIGHT),
        ("a deadline too late", World::minor, |w| w.plan().deadline = Some(at("2026-05-01T05:01")), NIGHT),
        ("no deadline", World::minor, |w| w.plan().deadline = None, NIGHT),
        ("the deadline of the night before", World::minor, |w| w.plan().deadline = Some(at("2026-04-30T05:00")), NIGHT),
        (
            "published after midnight: the night of that day is the first",
            World::minor,
            |w| w.releases[0].signed.published_at = at("2026-04-28T22:00"),
            NONE,
        ),
        (
            "published before midnight: the day before",
            World::minor,
            |w| w.releases[0].signed.published_at = at("2026-04-28T21:59"),
            NIGHT,
        ),
        ("work past the end", World::minor, |w| longer(w, 501), NIGHT),
        ("work to the end", World::minor, |w| longer(w, 500), NONE),
        ("too late to begin", World::minor, |w| w.now = at("2026-04-30T04:21"), NIGHT),
        ("just in time to begin", World::minor, |w| w.now = at("2026-04-30T04:20"), NONE),
        ("a night gone by", World::minor, |w| w.now = at("2026-04-30T05:00"), NIGHT),
        ("ten hours in autumn", autumn, |w| longer(w, 1), NIGHT),
        ("eleven in autumn", autumn, |w| w.plan().slot.end += minute(), NIGHT),
        ("eight hours in spring", spring, |w| longer(w, 1), NIGHT),
        ("as if spring had nine", spring, |w| w.plan().slot.end += TimeDelta::hours(1), NIGHT),
    ]);
}

#[test]
fn office_hours_and_agreements() {
    check(&[
        ("in the day", World::minor, |w| w.plan().slot = slot("2026-04-30T06:00", "2026-04-30T10:00"), DAY),
        (
            "before the office opens",
            World::minor,
            |w| w.plan().slot = slot("2026-04-30T05:00", "2026-04-30T06:00"),
            NIGHT,
        ),
        (
            "a minute into the office",
            World::minor,
            |w| w.plan().slot = slot("2026-04-30T05:00", "2026-04-30T06:01"),
            DAY,
        ),
        (
            "on a public holiday there is no office",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T06:00", "2026-05-01T10:00");
                w.late();
            },
            NIGHT,
        ),
        (
            "in the day, agreed",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-04-30T06:00", "2026-04-30T10:00");
                w.agree("2026-04-29T14:30", agreed_slot(w, "2026-04-30T06:00", "2026-04-30T10:00"));
            },
            NONE,
        ),
        (
            "a minute before what was agreed",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-04-30T05:59", "2026-04-30T10:00");
                w.agree("2026-04-29T14:30", agreed_slot(w, "2026-04-30T06:00", "2026-04-30T10:00"));
            },
            DAY,
        ),
        (
            "agreed after now",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T06:00", "2026-05-01T10:00");
                w.late();
                w.agree("2026-04-29T15:01", agreed_slot(w, "2026-05-01T06:00", "2026-05-01T10:00"));
            },
            NIGHT,
        ),
        (
            "agreed by another client",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T06:00", "2026-05-01T10:00");
                w.late();
                w.agree("2026-04-29T14:30", agreed_slot(w, "2026-05-01T06:00", "2026-05-01T10:00"));
                w.agreements[0].client = "martin".into();
            },
            NIGHT,
        ),
        (
            "agreed for another product",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-05-01T06:00", "2026-05-01T10:00");
                w.late();
                w.agree("2026-04-29T14:30", agreed_slot(w, "2026-05-01T06:00", "2026-05-01T10:00"));
                let Agreed::Slot { product, .. } = &mut w.agreements[0].agreed else { panic!() };
                *product = "isapaye".into();
            },
            NIGHT,
        ),
        (
            "the holidays of another region: 8 May is one, 26 December only in Alsace-Moselle",
            World::major,
            |w| w.plan().slot = slot("2026-05-08T18:00", "2026-05-08T20:00"),
            &["fatal maintenance-slots isacompta", "fatal maintenance-slots isacompta"],
        ),
    ]);
}
