//! A line that drops after the download: what is staged is begun without the server, within bounds, and told afterwards.

use super::world::at;
use super::{World, stop_at};
use noctule::edge::clock::Clock;
use noctule::work::agent::AgentError;
use serde_json::json;
use std::sync::atomic::Ordering;

/// A group is staged at 19:00, before its slot, with `allowed` as the server's word on beginning alone; the line dies.
async fn staged(grace_minutes: u32, allowed: &str) -> World {
    let mut world = World::new().await;
    world.clock = Clock::stepped(at("2026-04-29T19:10:00Z"));
    world.config.offline_grace_minutes = grace_minutes;
    world.publish("isacompta", "true", |_| {});
    world.publish("isaged", "true", |_| {});
    world.hand_out_as("7", &["isacompta", "isaged"], "skip");
    {
        let mut fake = world.fake.lock().unwrap();
        for chunk in fake.deployment.as_mut().unwrap()["deployment"]["chunks"].as_array_mut().unwrap() {
            chunk["metadata"].as_array_mut().unwrap().push(json!({"key": "noctule.offline", "value": allowed}));
        }
    }
    assert!(world.pass().await.unwrap().staged);
    world.fake.lock().unwrap().down = true;
    world
}

async fn at_time(world: &World, time: &str) {
    world.clock.advance_to(at(time));
    assert!(world.pass().await.is_err(), "nobody can be told");
}

fn version(world: &World) -> [String; 2] {
    ["isacompta", "isaged"].map(|product| String::from_utf8(world.running(product)["VERSION"].clone()).unwrap())
}

const OLD: [&str; 2] = ["1.0\n", "1.0\n"];
const NEW: [&str; 2] = ["2.0\n", "2.0\n"];

#[tokio::test]
async fn what_is_staged_is_begun_in_its_slot_and_reported_when_the_line_is_back() {
    let world = staged(120, "allowed").await;
    at_time(&world, "2026-04-29T19:59:59Z").await;
    assert_eq!(version(&world), OLD, "its slot has not opened");
    at_time(&world, "2026-04-29T20:10:00Z").await;
    assert_eq!((version(&world), world.service_log().as_str()), (NEW.map(String::from), "stop\nstart\n"));
    at_time(&world, "2026-04-29T23:00:00Z").await;
    assert!(world.closings().is_empty());
    world.fake.lock().unwrap().down = false;
    world.clock.advance_to(at("2026-04-30T07:00:00Z"));
    assert_eq!(world.pass().await.unwrap().ended.len(), 1);
    assert_eq!(world.closing().0, "installed");
    for line in ["noctule.started_at=2026-04-29T20:10:00Z", "noctule.finished_at=2026-04-29T20:10:00Z"] {
        assert!(world.closings()[0].contains(&line.to_owned()), "{:?}", world.closings());
    }
    assert_eq!(world.service_log(), "stop\nstart\n", "once");
}

#[tokio::test]
async fn without_grace_or_the_servers_word_or_after_it_nothing_is_begun() {
    for (grace, allowed, time) in [
        (0, "allowed", "2026-04-29T20:10:00Z"),
        (120, "no", "2026-04-29T20:10:00Z"),
        (120, "allowed", "2026-04-29T21:10:01Z"),  // heard at 19:10
        (1440, "allowed", "2026-04-30T04:31:00Z"), // 60 min for two products do not fit before 05:00
    ] {
        let world = staged(grace, allowed).await;
        at_time(&world, time).await;
        assert_eq!((version(&world), world.service_log().as_str()), (OLD.map(String::from), ""), "{grace} {allowed}");
    }
}

#[tokio::test]
async fn each_poll_in_which_it_is_still_wanted_renews_the_grace_and_one_in_which_it_is_not_ends_it() {
    for (wanted, expected) in [(true, NEW), (false, OLD)] {
        let world = staged(60, "allowed").await;
        world.fake.lock().unwrap().down = false;
        world.clock.advance_to(at("2026-04-29T19:50:00Z"));
        if !wanted {
            world.fake.lock().unwrap().deployment = None;
        }
        world.pass().await.unwrap();
        world.fake.lock().unwrap().down = true;
        at_time(&world, "2026-04-29T20:30:00Z").await;
        assert_eq!(version(&world), expected);
    }
}

#[tokio::test]
async fn killed_at_any_point_without_the_server_it_goes_on_and_reports_once() {
    let (counter, points, _) = stop_at(usize::MAX);
    let world = staged(120, "allowed").await;
    world.clock.advance_to(at("2026-04-29T20:10:00Z"));
    assert!(world.agent(Some(counter)).await.run_once().await.is_err());
    let points = points.load(Ordering::SeqCst);
    assert!(points > 30, "{points} points");
    for point in 0..points {
        let world = staged(120, "allowed").await;
        world.clock.advance_to(at("2026-04-29T20:10:00Z"));
        let (checkpoint, _, name) = stop_at(point);
        let killed = world.agent(Some(checkpoint)).await.run_once().await;
        assert!(matches!(killed, Err(AgentError::Stopped(_))), "{killed:?}");
        // The line is still dead in the next life.
        assert!(world.pass().await.is_err());
        let name = name.lock().unwrap().clone();
        assert_eq!(version(&world), NEW, "after {name}");
        assert!(world.service_up(), "after {name}");
        world.fake.lock().unwrap().down = false;
        for _ in 0..2 {
            world.pass().await.unwrap();
        }
        assert_eq!(world.closing().0, "installed", "after {name}");
    }
}
