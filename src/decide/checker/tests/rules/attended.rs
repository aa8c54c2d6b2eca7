//! Manual updates and majors: slots, holidays, announcement, request, notice.

use super::{MAINTENANCE, MANUAL, NIGHT, NONE, NOTICE, REQUEST, agreed_slot, check, longer, minute};
use crate::decide::checker::tests::world::{World, at, deployment, heads, release, slot, version};
use crate::model::agreement::Agreed;
use crate::model::deployment::DeploymentState;
use crate::model::request::RequestState;
use chrono::TimeDelta;

/// A manual update in this slot of a site's own maintenance window.
fn manual_in(region: &str, zone: &str, start: &str, end: &str) -> Vec<String> {
    let mut world = World::manual();
    world.client.holidays = region.to_owned();
    world.server().zone = zone.parse().unwrap();
    world.now = at(start) - TimeDelta::days(3);
    world.releases[0].signed.published_at = world.now;
    world.plan().slot = slot(start, end);
    heads(&world.findings())
}

#[test]
fn maintenance_knows_the_holidays_of_the_site() {
    let paris = "Europe/Paris";
    for (region, zone, start, end, expected) in [
        ("FR", paris, "2026-04-03T18:00", "2026-04-03T20:00", NONE), // Good Friday
        ("FR-ALS", paris, "2026-04-03T18:00", "2026-04-03T20:00", MANUAL),
        ("FR", paris, "2029-12-26T19:00", "2029-12-26T21:00", NONE),
        ("FR-ALS", paris, "2029-12-26T19:00", "2029-12-26T21:00", MANUAL),
        ("FR", paris, "2026-04-06T18:00", "2026-04-06T20:00", MANUAL), // Easter Monday
        ("FR", paris, "2026-05-14T18:00", "2026-05-14T20:00", MANUAL), // Ascension
        ("FR", paris, "2026-05-25T18:00", "2026-05-25T20:00", MANUAL), // Whit Monday
        ("FR", paris, "2026-08-15T06:00", "2026-08-15T14:00", MANUAL), // Assumption, a Saturday
        ("FR", paris, "2026-08-08T06:00", "2026-08-08T14:00", NONE),
        ("FR-976", "Indian/Mayotte", "2026-04-27T17:00", "2026-04-27T19:00", MANUAL),
        ("FR", "Indian/Mayotte", "2026-04-27T17:00", "2026-04-27T19:00", NONE),
        // An evening in Guadeloupe is the next day in UTC.
        ("FR-971", "America/Guadeloupe", "2026-05-28T00:00", "2026-05-28T02:00", MANUAL),
        ("FR-971", "America/Guadeloupe", "2026-05-29T00:00", "2026-05-29T02:00", NONE),
        ("FR-978", "America/Marigot", "2026-05-28T00:00", "2026-05-28T02:00", NONE),
        ("FR-978", "America/Marigot", "2026-05-29T00:00", "2026-05-29T02:00", MANUAL),
    ] {
        assert_eq!(manual_in(region, zone, start, end), expected, "{region} {start}");
    }
}

#[test]
fn manual_updates() {
    check(&[
        ("a minute early", World::manual, |w| w.plan().slot.start -= minute(), MANUAL),
        ("a minute longer", World::manual, |w| w.plan().slot.end += minute(), MANUAL),
        ("at night", World::manual, |w| w.plan().slot = slot("2026-04-30T20:00", "2026-05-01T05:00"), MANUAL),
        ("on the 1st of May", World::manual, |w| w.plan().slot = slot("2026-05-01T18:00", "2026-05-01T20:00"), MANUAL),
        ("on Saturday", World::manual, |w| w.plan().slot = slot("2026-05-02T06:00", "2026-05-02T14:00"), NONE),
        ("with a deadline", World::manual, |w| w.plan().deadline = Some(at("2026-05-01T05:00")), NIGHT),
        ("shown as late", World::manual, World::late, NIGHT),
        ("work past the end", World::manual, |w| longer(w, 51), MANUAL),
        ("work to the end", World::manual, |w| longer(w, 50), NONE),
        ("announced a day before, to the minute", World::manual, |w| w.now = at("2026-04-29T18:00"), NONE),
        ("announced too late", World::manual, |w| w.now = at("2026-04-29T18:01"), &["fatal concertation isacompta"]),
        (
            "a retry in the next slot",
            World::manual,
            |w| {
                w.now = at("2026-04-29T18:01");
                w.failed(1);
            },
            &["warning concertation isacompta"],
        ),
        (
            "announced before",
            World::manual,
            |w| {
                w.now = at("2026-04-29T18:01");
                let plan = w.plan().clone();
                w.deployments.push(deployment(1, "isacompta", &plan, DeploymentState::Planned));
            },
            NONE,
        ),
        (
            "announced for another slot",
            World::manual,
            |w| {
                w.now = at("2026-04-29T18:01");
                let mut before = w.plan().clone();
                before.slot = slot("2026-05-02T06:00", "2026-05-02T14:00");
                w.deployments.push(deployment(1, "isacompta", &before, DeploymentState::Planned));
            },
            &["fatal concertation isacompta"],
        ),
    ]);
}

#[test]
fn majors() {
    check(&[
        ("without a request", World::major, |w| w.plan().request = None, REQUEST),
        ("a request nobody knows", World::major, |w| w.plan().request = Some(8), REQUEST),
        ("of another client", World::major, |w| w.requests[0].client = "martin".into(), REQUEST),
        ("for another product", World::major, |w| w.requests[0].product = "isapaye".into(), REQUEST),
        ("for an older version", World::major, |w| w.requests[0].version = version("15.00.000"), REQUEST),
        ("on the way to a newer one", World::major, |w| w.requests[0].version = version("15.20.000"), NONE),
        ("for another server", World::major, |w| w.requests[0].servers = vec!["other".into()], REQUEST),
        ("for this server", World::major, |w| w.requests[0].servers = vec!["srv".into()], NONE),
        (
            "cancelled",
            World::major,
            |w| w.requests[0].state = RequestState::Cancelled { at: w.now, by: "a".into() },
            REQUEST,
        ),
        ("expired", World::major, |w| w.requests[0].state = RequestState::Expired { at: w.now }, REQUEST),
        ("done", World::major, |w| w.requests[0].state = RequestState::Done { at: w.now }, REQUEST),
        ("superseded", World::major, |w| w.requests[0].state = RequestState::Superseded { at: w.now, by: 9 }, REQUEST),
        (
            "not received yet",
            World::major,
            |w| {
                w.requests[0].received_at = w.now + minute();
                w.requests[0].before = "2026-05-30".parse().unwrap();
                w.plan().deadline = Some(at("2026-05-30T22:00"));
            },
            REQUEST,
        ),
        (
            "on the latest date",
            World::major,
            |w| {
                w.requests[0].before = "2026-05-02".parse().unwrap();
                w.plan().deadline = Some(at("2026-05-02T22:00"));
            },
            NONE,
        ),
        (
            "a day after it",
            World::major,
            |w| {
                w.requests[0].before = "2026-05-01".parse().unwrap();
                w.plan().deadline = Some(at("2026-05-01T22:00"));
            },
            NOTICE,
        ),
        ("another deadline", World::major, |w| w.plan().deadline = Some(at("2026-05-15T22:00")), NOTICE),
        ("shown as late", World::major, World::late, NOTICE),
        ("just enough notice", World::major, notice_of_5_may, NONE),
        (
            "received after the service closed",
            World::major,
            |w| {
                notice_of_5_may(w);
                w.requests[0].received_at = at("2026-04-27T20:00");
            },
            NOTICE,
        ),
        (
            "sooner, agreed",
            World::major,
            |w| {
                notice_of_5_may(w);
                w.requests[0].received_at = at("2026-04-28T08:00");
                w.agree("2026-04-28T09:00", short_notice("15.00.001", "2026-05-05"));
            },
            NONE,
        ),
        (
            "sooner than agreed",
            World::major,
            |w| {
                notice_of_5_may(w);
                w.requests[0].received_at = at("2026-04-28T08:00");
                w.agree("2026-04-28T09:00", short_notice("15.00.001", "2026-05-06"));
            },
            NOTICE,
        ),
        (
            "agreed for another version",
            World::major,
            |w| {
                notice_of_5_may(w);
                w.requests[0].received_at = at("2026-04-28T08:00");
                w.agree("2026-04-28T09:00", short_notice("15.00.002", "2026-05-05"));
            },
            NOTICE,
        ),
        ("a minute early", World::major, |w| w.plan().slot.start -= minute(), MAINTENANCE),
        ("a minute longer", World::major, |w| w.plan().slot.end += minute(), MAINTENANCE),
        (
            "three hours in an evening of two",
            World::major,
            |w| w.plan().slot = slot("2026-05-04T18:00", "2026-05-04T20:00"),
            MAINTENANCE,
        ),
        ("at night", World::major, |w| w.plan().slot = slot("2026-05-02T20:00", "2026-05-03T05:00"), MAINTENANCE),
        (
            "at night, agreed",
            World::major,
            |w| {
                w.plan().slot = slot("2026-05-02T20:00", "2026-05-03T05:00");
                w.agree("2026-04-28T09:00", agreed_slot(w, "2026-05-02T20:00", "2026-05-03T05:00"));
            },
            NONE,
        ),
        (
            "a minor that crosses the boundary by its number",
            World::minor,
            |w| {
                w.releases[0] = release("isacompta", "15.00.001", "2026-04-29T14:00", "");
                w.plan().version = version("15.00.001");
                w.plan().leader = "isacompta 15.00.001".into();
            },
            &["fatal maintenance-slots isacompta", "fatal major-on-request isacompta"],
        ),
        (
            "a minor that passes over a major",
            World::minor,
            |w| w.releases.push(release("isacompta", "14.20.003.5", "2026-04-01T14:00", "change = \"major\"")),
            &["fatal maintenance-slots isacompta", "fatal major-on-request isacompta"],
        ),
        (
            "a minor over a major that is not out yet",
            World::minor,
            |w| w.releases.push(release("isacompta", "14.20.003.5", "2026-04-29T15:01", "change = \"major\"")),
            NONE,
        ),
        (
            "a minor of the old line below a major",
            World::minor,
            |w| w.releases.push(release("isacompta", "15.00.001", "2026-04-01T14:00", "change = \"major\"")),
            NONE,
        ),
        (
            "a manual major without a request",
            World::major,
            |w| {
                w.releases[0] = release(
                    "isacompta",
                    "15.00.001",
                    "2026-04-01T14:00",
                    "change = \"major\"\nduration_minutes = 60\nrollback_minutes = 10\nmanual_steps = { fr = \"À la main.\" }",
                );
                w.plan().request = None;
            },
            REQUEST,
        ),
    ]);
}

/// A request of Monday 27 April at 10:00 for 5 May, the first date it may name.
fn notice_of_5_may(w: &mut World) {
    w.requests[0].received_at = at("2026-04-27T08:00");
    w.requests[0].before = "2026-05-05".parse().unwrap();
    w.plan().deadline = Some(at("2026-05-05T22:00"));
}

fn short_notice(number: &str, before: &str) -> Agreed {
    Agreed::ShortNotice { product: "isacompta".into(), version: version(number), before: before.parse().unwrap() }
}
