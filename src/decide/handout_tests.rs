//! The hand-out, instant by instant: what is offered, hidden, staged or stopped.

use super::*;
use crate::model::report::Backup;
use crate::model::version::Change;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-04-{text}:00Z").parse().unwrap()
}

fn deployment(id: i64, action: i64, start: &str, end: &str) -> Deployment {
    Deployment {
        id,
        action,
        position: u32::try_from(id - action).unwrap(),
        client: "cabinet".into(),
        server: "srv-1".into(),
        product: format!("p{id}"),
        from: None,
        to: "14.20.004".parse().unwrap(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot: Slot::new(at(start), at(end)).unwrap(),
        published_at: at("29T15:00"),
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state: DeploymentState::Planned,
    }
}

struct World {
    open: Vec<Deployment>,
    state: ServerState,
    retracted: BTreeSet<i64>,
    held: BTreeSet<i64>,
    minutes: BTreeMap<i64, u32>,
    splay_minutes: u32,
    agreements: Vec<Agreement>,
    line_busy: bool,
}

/// One action of two products in the night of the 29th, 30 minutes each, a good backup.
fn world() -> World {
    World {
        open: vec![deployment(1, 1, "29T20:00", "30T05:00"), deployment(2, 1, "29T20:00", "30T05:00")],
        state: ServerState {
            backup: Some(Backup { finished_at: at("29T18:00"), succeeded: true }),
            ..ServerState::default()
        },
        retracted: BTreeSet::new(),
        held: BTreeSet::new(),
        minutes: BTreeMap::from([(1, 30), (2, 30)]),
        splay_minutes: 0,
        agreements: Vec::new(),
        line_busy: false,
    }
}

fn next_start_of(world: &World, now: &str) -> Option<DateTime<Utc>> {
    let asking = world.asking(at(now));
    starts(&asking).into_iter().find(|start| asking.now < *start)
}

impl World {
    fn offer(&self, now: &str) -> Offer {
        self.offer_at(at(now))
    }

    fn offer_at(&self, now: DateTime<Utc>) -> Offer {
        offer(&self.asking(now))
    }

    fn asking(&self, now: DateTime<Utc>) -> Asking<'_> {
        Asking {
            now,
            open: &self.open,
            state: &self.state,
            backup_not_before: at("28T18:00"),
            retracted: &self.retracted,
            held: &self.held,
            minutes: &self.minutes,
            splay_minutes: self.splay_minutes,
            agreements: &self.agreements,
            line_busy: self.line_busy,
        }
    }

    #[track_caller]
    fn check(&self, now: &str, want: &str) {
        let got = match self.offer(now) {
            Offer::Nothing => "nothing".to_owned(),
            Offer::Install(action) => format!("install {} of {}", action.id, action.deployments.len()),
            Offer::Stage(action, why) => format!("stage {}: {why}", action.id),
            Offer::Stop(action) => format!("stop {}", action.id),
        };
        assert_eq!(got, want, "at {now}");
    }
}

#[test]
fn an_action_is_handed_out_inside_its_slot_only_and_whole() {
    let world = world();
    world.check("29T19:59", "nothing");
    world.check("29T20:00", "install 1 of 2");
    world.check("30T04:00", "install 1 of 2");
    world.check("30T04:01", "nothing"); // 60 minutes no longer fit
    world.check("30T05:00", "nothing");
}

#[test]
fn what_hinders_an_installation_hides_it() {
    let mut stale = world();
    stale.state.backup = Some(Backup { finished_at: at("28T17:59"), succeeded: true });
    stale.check("29T21:00", "nothing");
    let mut failed = world();
    failed.state.backup = Some(Backup { finished_at: at("29T18:00"), succeeded: false });
    failed.check("29T21:00", "nothing");
    let mut retracted = world();
    retracted.retracted.insert(2);
    retracted.check("29T21:00", "nothing");
    let mut held = world();
    held.held.insert(1);
    held.check("29T21:00", "nothing");
    let mut manual = world();
    manual.open[1].manual = true;
    manual.check("29T21:00", "nothing");
    manual.open[1].attended_by = Some("Zoé".into());
    manual.check("29T21:00", "install 1 of 2");
}

#[test]
fn only_an_agent_that_stages_ahead_sees_an_action_early() {
    let mut world = world();
    world.state.capabilities.insert(STAGE_AHEAD.into());
    world.check("29T10:00", "stage 1: its start in the slot has not come");
    world.check("29T21:00", "install 1 of 2");
    world.state.backup = None;
    world.check("29T21:00", "stage 1: the last backup failed or is too old");
    world.check("30T06:00", "nothing");
    world.retracted.insert(1);
    world.check("29T10:00", "nothing");
}

#[test]
fn what_was_handed_out_is_offered_again_until_its_slot_ends_then_stopped() {
    let mut world = world();
    for deployment in &mut world.open {
        deployment.state = DeploymentState::Running { started_at: at("29T20:01") };
    }
    world.state.backup = None;
    world.check("30T04:59", "install 1 of 2");
    world.check("30T05:00", "stop 1");
    world.open[1].state = DeploymentState::Planned;
    world.check("29T21:00", "nothing");
}

#[test]
fn the_earliest_slot_goes_first() {
    let mut world = world();
    world.open.push(deployment(7, 7, "29T20:00", "29T23:00"));
    world.check("29T21:00", "install 7 of 1");
    world.check("29T23:30", "install 1 of 2");
}

#[test]
fn the_pause_ends_just_after_the_slot_begins() {
    let world = world();
    let seconds = |now: &str| {
        pause(at(now), "srv-1", &world.open, &world.offer(now), &starts(&world.asking(at(now)))).num_seconds()
    };
    assert!((PAUSE_SECONDS..=PAUSE_SECONDS * 6 / 5).contains(&seconds("29T10:00")));
    assert_eq!(seconds("29T10:00"), seconds("29T10:05"), "an idle answer stays the same");
    for now in ["29T19:57", "29T19:59"] {
        let polls = at(now) + TimeDelta::seconds(seconds(now));
        assert!(at("29T20:00") < polls && polls <= at("29T20:01"), "{now}: {polls}");
    }
    assert_eq!(seconds("29T21:00"), PAUSE_BUSY_SECONDS);
    let spread: BTreeSet<i64> =
        (0..50).map(|n| pause(at("29T10:00"), &format!("srv-{n}"), &[], &Offer::Nothing, &[]).num_seconds()).collect();
    assert!(spread.len() > 10, "{spread:?}");
}

#[test]
fn each_server_has_its_own_start_in_the_night() {
    let mut world = world();
    world.splay_minutes = 30;
    let start = next_start_of(&world, "29T19:00").unwrap();
    let seconds = (start - at("29T20:00")).num_seconds();
    assert_eq!(seconds, 30 * 60 * place("srv-1") / 1000);
    assert!((1..30 * 60).contains(&seconds), "{seconds}");
    let asked = |now: DateTime<Utc>| world.offer_at(now);
    assert_eq!(asked(start - TimeDelta::seconds(1)), Offer::Nothing);
    assert!(matches!(asked(start), Offer::Install(_)));
    // What is attended starts with its slot.
    world.open.iter_mut().for_each(|d| (d.manual, d.attended_by) = (true, Some("staff".into())));
    world.check("29T20:00", "install 1 of 2");
}

#[test]
fn the_spread_leaves_half_of_what_is_spare() {
    let mut world = world();
    world.splay_minutes = 600;
    // Nine hours less one are spare: four at most.
    let latest = (0..200)
        .map(|n| {
            world.open.iter_mut().for_each(|d| d.server = format!("srv-{n}"));
            next_start_of(&world, "29T19:00").unwrap()
        })
        .max()
        .unwrap();
    assert!(latest < at("30T00:00") && at("29T23:50") < latest, "{latest}");
    world.minutes = BTreeMap::from([(1, 270), (2, 270)]);
    assert_eq!(next_start_of(&world, "29T19:00"), Some(at("29T20:00")), "nothing is spare");
}

#[test]
fn a_busy_line_waits() {
    let mut world = world();
    world.line_busy = true;
    world.check("29T20:00", "nothing");
    world.state.capabilities.insert(STAGE_AHEAD.to_owned());
    world.check("29T20:00", "stage 1: the client's other servers use its line");
    world.line_busy = false;
    world.check("29T20:00", "install 1 of 2");
}

/// "NOW: pause" of srv-1, what it is offered now included.
fn pause_of(world: &World, now: DateTime<Utc>) -> i64 {
    pause(now, "srv-1", &world.open, &world.offer_at(now), &starts(&world.asking(now))).num_seconds()
}

#[test]
fn a_server_asks_again_just_after_its_own_start() {
    let mut world = world();
    world.splay_minutes = 30;
    let start = next_start_of(&world, "29T19:00").unwrap();
    let spread = SPREAD_SECONDS * place("srv-1") / 1000 + 1;
    for before in [1, 30, 200] {
        assert_eq!(pause_of(&world, start - TimeDelta::seconds(before)), (before + spread).max(PAUSE_SECONDS_MIN));
    }
    let far = pause_of(&world, start - TimeDelta::seconds(1000));
    assert!((PAUSE_SECONDS..=PAUSE_SECONDS_MAX).contains(&far), "{far}");
    // Its start has come: what hinders it may go away any minute, whatever else is planned for later.
    world.open.push(deployment(7, 7, "30T20:00", "30T23:00"));
    world.line_busy = true;
    assert_eq!(pause_of(&world, start), PAUSE_BUSY_SECONDS);
}

#[test]
fn a_slot_is_near_when_the_next_poll_falls_into_it() {
    let world = world();
    let near = |now: DateTime<Utc>| is_near(now, &world.open[0]);
    let lead = TimeDelta::seconds(PAUSE_SECONDS_MAX);
    assert!(!near(at("29T20:00") - lead - TimeDelta::seconds(1)));
    assert!(near(at("29T20:00") - lead));
    assert!(near(at("30T05:00") - TimeDelta::seconds(1)));
    assert!(!near(at("30T05:00")));
}

#[test]
fn what_is_attended_or_agreed_starts_with_its_slot() {
    let early = |change: &dyn Fn(&mut World)| {
        let mut world = world();
        world.splay_minutes = 30;
        change(&mut world);
        world.offer("29T20:00") != Offer::Nothing
    };
    let agree = |server: &'static str, product: &'static str, end: &'static str| {
        move |world: &mut World| {
            let slot = Slot::new(at("29T20:00"), at(end)).unwrap();
            world.agreements.push(Agreement {
                id: 1,
                client: "cabinet".into(),
                agreed: Agreed::Slot { server: server.into(), product: product.into(), slot },
                by: "M. Martin".into(),
                at: at("28T10:00"),
            });
        }
    };
    assert!(!early(&|_| {}));
    assert!(early(&agree("srv-1", "p2", "30T05:00")));
    assert!(!early(&agree("srv-1", "p3", "30T05:00")), "for another product");
    assert!(!early(&agree("srv-2", "p2", "30T05:00")), "for another server");
    assert!(!early(&agree("srv-1", "p2", "30T04:59")), "for another slot");
    assert!(early(&|world| world.open[1].change = Change::Major));
    assert!(early(&|world| world.open[1].request = Some(3)));
    assert!(!early(&|world| world.open[1].manual = true), "its technician is not there");
}

#[test]
fn what_the_planner_lets_fill_a_slot_is_still_handed_out_when_its_agent_asks() {
    // One product, and two in a row, in a slot of exactly the time that the planner keeps for them.
    for server in (0..300).map(|n| format!("srv-{n}")) {
        for (minutes, offered) in [(59, true), (60, false)] {
            let mut world = world();
            world.open = vec![Deployment { server: server.clone(), ..deployment(1, 1, "29T20:00", "29T21:00") }];
            world.splay_minutes = 600;
            world.minutes = BTreeMap::from([(1, minutes)]);
            let before = at("29T19:58");
            let asks =
                before + pause(before, &server, &world.open, &world.offer_at(before), &starts(&world.asking(before)));
            assert!(at("29T20:00") < asks && asks <= at("29T20:01"), "{server}: {asks}");
            assert_eq!(world.offer_at(asks) != Offer::Nothing, offered, "{server}: {minutes} min, asks at {asks}");
        }
        let mut world = world();
        world.open = vec![
            Deployment { server: server.clone(), ..deployment(1, 1, "29T20:00", "29T21:00") },
            Deployment { server: server.clone(), ..deployment(2, 2, "29T20:00", "29T21:00") },
        ];
        world.splay_minutes = 600;
        world.minutes = BTreeMap::from([(1, 29), (2, 29)]);
        let before = at("29T19:58");
        let asks =
            before + pause(before, &server, &world.open, &world.offer_at(before), &starts(&world.asking(before)));
        assert!(matches!(world.offer_at(asks), Offer::Install(action) if action.id == 1), "{server}");
        // The first took all of its time, and the second is asked for within a minute.
        world.open.remove(0);
        let again = asks + TimeDelta::minutes(29) + TimeDelta::seconds(PAUSE_BUSY_SECONDS);
        assert!(matches!(world.offer_at(again), Offer::Install(action) if action.id == 2), "{server}");
    }
}

#[test]
fn the_spread_is_bounded_to_the_second_by_half_of_what_is_spare() {
    // A slot of 60 minutes, one product: what is left beside it, halved, is the widest spread.
    // A minute of it is kept for the agent to ask in.
    for (needed, splay, widest_seconds) in [
        (0, 29, 29 * 60),
        (0, 30, 59 * 30),
        (20, 30, 39 * 30),
        (20, 19, 19 * 60),
        (58, 30, 30),
        (59, 30, 0),
        (60, 30, 0),
        (61, 30, 0),
    ] {
        let mut world = world();
        world.open = vec![deployment(1, 1, "29T20:00", "29T21:00")];
        world.splay_minutes = splay;
        world.minutes = BTreeMap::from([(1, needed)]);
        let found = starts(&world.asking(at("29T19:00")))[0] - at("29T20:00");
        assert_eq!(found.num_seconds(), widest_seconds * place("srv-1") / 1000, "{needed} {splay}");
    }
}
