//! Holds, closed periods, rings, failures, backups.

use super::{BACKUP, CLOSED, HOLD, NONE, RETRY, ROLLOUT, check, day, minute};
use crate::decide::checker::Spread;
use crate::decide::checker::tests::world::{World, at, slot, version};
use crate::model::agreement::Agreed;
use crate::model::fleet::ClosedPeriod;
use crate::model::fleet::Ring;
use crate::model::hold::HoldOn;
use crate::model::hold::Lifted;
use crate::model::report::Backup;

fn closed(w: &mut World, from: &str, to: &str) {
    w.client.closed.push(ClosedPeriod::days(day(from), day(to), "paie"));
}

fn closed_as(w: &mut World, period: ClosedPeriod) {
    w.client.closed.push(period);
}

fn times(from: &str, to: &str) -> ClosedPeriod {
    serde_json::from_value(serde_json::json!({ "from": from, "to": to, "reason": "paie" })).unwrap()
}

fn reopened_slot(start: &str, end: &str) -> Agreed {
    Agreed::Slot { server: "srv".into(), product: "isacompta".into(), slot: slot(start, end) }
}

fn reopened(server: Option<&str>, from: &str, to: &str) -> Agreed {
    Agreed::ClosedPeriod { server: server.map(str::to_owned), from: day(from), to: day(to) }
}

#[test]
fn holds_and_closed_periods() {
    check(&[
        ("its server", World::minor, |w| w.hold(server("durand", "srv"), None), HOLD),
        ("another server", World::minor, |w| w.hold(server("durand", "other"), None), NONE),
        ("its client", World::minor, |w| w.hold(HoldOn::Client { client: "durand".into() }, None), HOLD),
        ("another client", World::minor, |w| w.hold(HoldOn::Client { client: "martin".into() }, None), NONE),
        ("the release", World::minor, |w| w.hold(held_release("14.20.004"), None), HOLD),
        ("another release", World::minor, |w| w.hold(held_release("14.20.003"), None), NONE),
        ("until the slot", World::minor, |w| w.hold(server("durand", "srv"), Some(at("2026-04-29T20:00"))), NONE),
        ("a minute longer", World::minor, |w| w.hold(server("durand", "srv"), Some(at("2026-04-29T20:01"))), HOLD),
        (
            "lifted",
            World::minor,
            |w| {
                w.hold(server("durand", "srv"), None);
                w.holds[0].lifted = Some(Lifted { at: w.now, by: "iah".into() });
            },
            NONE,
        ),
        (
            "held as it should be",
            World::minor,
            |w| {
                w.hold(server("durand", "srv"), None);
                w.held(0);
            },
            NONE,
        ),
        ("closed that day", World::minor, |w| closed(w, "2026-04-29", "2026-04-29"), CLOSED),
        ("closed the morning after", World::minor, |w| closed(w, "2026-04-30", "2026-05-10"), CLOSED),
        ("closed until the day before", World::minor, |w| closed(w, "2026-04-20", "2026-04-28"), NONE),
        ("closed from the day after", World::minor, |w| closed(w, "2026-05-01", "2026-05-10"), NONE),
        (
            "closed at a time of that night",
            World::minor,
            |w| closed_as(w, times("2026-04-30T06:59", "2026-04-30T08:00")),
            CLOSED,
        ),
        (
            "closed after that night",
            World::minor,
            |w| closed_as(w, times("2026-04-30T07:00", "2026-04-30T08:00")),
            NONE,
        ),
        (
            "closed until that night",
            World::minor,
            |w| closed_as(w, times("2026-04-29T12:00", "2026-04-29T22:00")),
            NONE,
        ),
        (
            "closed between instants of that night",
            World::minor,
            |w| closed_as(w, times("2026-04-29T20:00:00Z", "2026-04-29T20:01:00Z")),
            CLOSED,
        ),
        (
            "closed at month's end",
            World::minor,
            |w| w.client.closed.push(ClosedPeriod::hours("Apr 30", "bilan")),
            CLOSED,
        ),
        ("closed the next", World::minor, |w| w.client.closed.push(ClosedPeriod::hours("May 01-31", "bilan")), NONE),
        (
            "closed on public holidays",
            World::minor,
            |w| {
                w.client.closed.push(ClosedPeriod::hours("PH", "férié"));
                w.plan().slot = slot("2026-04-30T20:00", "2026-05-01T05:00");
            },
            CLOSED,
        ),
        (
            "closed by hours and agreed",
            World::minor,
            |w| {
                w.client.closed.push(ClosedPeriod::hours("Apr 30", "bilan"));
                w.agree("2026-04-29T09:00", reopened(None, "2026-04-30", "2026-04-30"));
            },
            NONE,
        ),
        (
            "closed by what nobody can read",
            World::minor,
            |w| w.client.closed.push(ClosedPeriod::hours("quand il fait beau", "x")),
            &["warning closed-period isacompta"],
        ),
        (
            "closed and agreed",
            World::minor,
            |w| {
                closed(w, "2026-04-20", "2026-05-10");
                w.agree("2026-04-29T09:00", reopened(None, "2026-04-29", "2026-04-30"));
            },
            NONE,
        ),
        (
            "closed and agreed for half the night",
            World::minor,
            |w| {
                closed(w, "2026-04-20", "2026-05-10");
                w.agree("2026-04-29T09:00", reopened(Some("srv"), "2026-04-29", "2026-04-29"));
            },
            CLOSED,
        ),
        (
            "closed and agreed for another server",
            World::minor,
            |w| {
                closed(w, "2026-04-20", "2026-05-10");
                w.agree("2026-04-29T09:00", reopened(Some("other"), "2026-04-20", "2026-05-10"));
            },
            CLOSED,
        ),
    ]);
}

fn server(client: &str, server: &str) -> HoldOn {
    HoldOn::Server { client: client.into(), server: server.into() }
}

fn held_release(number: &str) -> HoldOn {
    HoldOn::Release { product: "isacompta".into(), version: version(number) }
}

fn spread(w: &mut World, tried: u32, failed: u32) {
    w.spread = Spread { tried, failed, ..Spread::default() };
}

fn canaries(w: &mut World, canaries: u32, canaries_settled: u32) {
    w.spread = Spread { canaries, canaries_settled, ..Spread::default() };
}

#[test]
fn rings_and_failures() {
    check(&[
        ("before the canaries", World::minor, |w| canaries(w, 2, 1), &["warning rollout isacompta"]),
        ("after the canaries", World::minor, |w| canaries(w, 2, 2), NONE),
        (
            "a canary",
            World::minor,
            |w| {
                canaries(w, 2, 0);
                w.server().ring = Ring::Canary;
            },
            NONE,
        ),
        (
            "the deadline night waits for nobody",
            World::minor,
            |w| {
                canaries(w, 2, 0);
                w.plan().slot = slot("2026-04-30T20:00", "2026-05-01T05:00");
            },
            NONE,
        ),
        ("the rings are for what goes by itself", World::manual, |w| canaries(w, 2, 0), NONE),
        ("one failure in ten", World::minor, |w| spread(w, 10, 1), ROLLOUT),
        ("one in eleven", World::minor, |w| spread(w, 11, 1), NONE),
        ("one in nine is too few to tell", World::minor, |w| spread(w, 9, 1), NONE),
        ("25 in a thousand", World::minor, |w| spread(w, 1000, 25), ROLLOUT),
        ("24 in a thousand", World::minor, |w| spread(w, 1000, 24), NONE),
        ("none in ten", World::minor, |w| spread(w, 10, 0), NONE),
        (
            "halted and held",
            World::minor,
            |w| {
                spread(w, 1000, 25);
                w.held(0);
            },
            NONE,
        ),
        ("a fourth attempt", World::minor, |w| w.failed(3), RETRY),
        ("a third attempt", World::minor, |w| w.failed(2), NONE),
        (
            "three failures of the version before",
            World::minor,
            |w| {
                w.failed(3);
                w.deployments.iter_mut().for_each(|failed| failed.to = version("14.20.003"));
            },
            NONE,
        ),
    ]);
}

#[test]
fn backups() {
    fn tonight(w: &mut World, finished: &str, succeeded: bool) {
        w.now = at("2026-04-29T20:00");
        w.state.backup = Some(Backup { finished_at: at(finished), succeeded });
    }
    check(&[
        ("since the office closed the day before", World::minor, |w| tonight(w, "2026-04-28T16:00", true), NONE),
        ("a minute before", World::minor, |w| tonight(w, "2026-04-28T15:59", true), BACKUP),
        ("failed", World::minor, |w| tonight(w, "2026-04-29T17:00", false), BACKUP),
        (
            "none",
            World::minor,
            |w| {
                tonight(w, "2026-04-29T17:00", true);
                w.state.backup = None;
            },
            BACKUP,
        ),
        (
            "a minute before, after midnight",
            World::minor,
            |w| {
                tonight(w, "2026-04-28T15:59", true);
                w.now = at("2026-04-29T23:30");
            },
            BACKUP,
        ),
        (
            "in an agreed slot, the day before as well",
            World::minor,
            |w| {
                w.plan().slot = slot("2026-04-29T11:00", "2026-04-29T19:00");
                w.agree("2026-04-29T09:00", reopened_slot("2026-04-29T11:00", "2026-04-29T19:00"));
                tonight(w, "2026-04-28T16:00", true);
                w.now = at("2026-04-29T16:30");
            },
            NONE,
        ),
        (
            "none, and held",
            World::minor,
            |w| {
                tonight(w, "2026-04-28T15:59", true);
                w.held(0);
            },
            NONE,
        ),
        (
            "none, a minute before the slot",
            World::minor,
            |w| {
                tonight(w, "2026-04-28T15:59", true);
                w.now -= minute();
            },
            NONE,
        ),
    ]);
}
