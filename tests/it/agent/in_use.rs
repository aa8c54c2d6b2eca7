//! Somebody uses the product that is to be replaced: found before anything changes, waited for, then postponed.

use super::World;
use noctule::work::agent::Checkpoint;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A program that has the customer's data open until its standard input ends.
fn user(world: &World) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec 3>> isacompta/versions/1.0/data/client.db; echo ready; read end"]);
    let mut child = command.current_dir(world.root()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

fn leave(user: &mut Child) {
    drop(user.stdin.take());
    user.wait().unwrap();
}

/// Two looks without a pause; counts how often somebody was waited for and lets `leaving` go at that.
fn waiting(leaving: Option<Child>) -> (Checkpoint, Arc<AtomicUsize>) {
    let (waits, leaving) = (Arc::new(AtomicUsize::new(0)), Mutex::new(leaving));
    let counter = Arc::clone(&waits);
    let checkpoint: Checkpoint = Arc::new(move |point| {
        if point == "waiting for users" {
            counter.fetch_add(1, Ordering::SeqCst);
            leaving.lock().unwrap().as_mut().map(leave);
        }
        false
    });
    (checkpoint, waits)
}

async fn world(services: &[&str]) -> World {
    let mut world = World::new().await;
    (world.config.in_use.tries_max, world.config.in_use.pause_seconds) = (2, 0);
    world.publish("isacompta", "true", |signed| signed["manifest"]["services"] = services.into());
    world.hand_out(&["isacompta"]);
    world
}

#[tokio::test]
async fn who_stays_postpones_it_and_nothing_was_stopped_or_changed() {
    let world = world(&[]).await;
    let mut user = user(&world);
    let (before, (checkpoint, waits)) = (world.files(), waiting(None));
    world.agent(Some(checkpoint)).await.run_once().await.unwrap();
    let (result, why) = world.closing();
    assert_eq!(result, "refused", "{why}");
    let expected = format!("isacompta 1.0, its users: failed (in use: sh (process {}) has data/client.db)", user.id());
    assert_eq!(why, expected);
    assert_eq!(world.closings()[0][1], "noctule.unfit=not_ready");
    assert!(world.closings()[0].iter().any(|line| line.starts_with("noctule.check=") && line.contains("its users")));
    assert_eq!((world.files() == before, world.service_log().as_str(), waits.load(Ordering::SeqCst)), (true, "", 1));
    leave(&mut user);
    world.hand_out_as("8", &["isacompta"], "attempt");
    world.pass().await.unwrap();
    assert_eq!(world.running("isacompta")["app.bin"], b"new");
}

#[tokio::test]
async fn who_leaves_was_waited_for_and_the_history_says_so() {
    let world = world(&[]).await;
    let user = user(&world);
    let (checkpoint, waits) = waiting(Some(user));
    world.agent(Some(checkpoint)).await.run_once().await.unwrap();
    assert_eq!((world.closing().0.as_str(), waits.load(Ordering::SeqCst)), ("installed", 1));
    let told = world.closings()[0].iter().find(|line| line.contains("its users")).cloned().expect("it is told");
    assert!(told.contains("free at look 2; before, sh (process "), "{told}");
}

#[tokio::test]
async fn who_stays_when_the_services_are_stopped_postpones_it_and_they_run_again() {
    let world = world(&["compta"]).await;
    let mut user = user(&world);
    let (before, (checkpoint, _)) = (world.files(), waiting(None));
    world.agent(Some(checkpoint)).await.run_once().await.unwrap();
    let (result, why) = world.closing();
    assert!(result == "refused" && why.contains("in use: sh"), "{result}: {why}");
    assert_eq!((world.files() == before, world.service_log().as_str()), (true, "stop\nstart\n"));
    assert!(world.service_up());
    leave(&mut user);
}

#[tokio::test]
async fn what_a_service_has_open_is_no_hindrance_once_it_is_stopped() {
    let mut world = world(&["compta"]).await;
    let mut service = user(&world);
    let stop = format!("kill {}", service.id());
    let control = world.config.services.get_mut("compta").unwrap();
    control.control = noctule::edge::agent_file::ServiceControl::Commands {
        stop: ["sh", "-c", &stop].map(str::to_owned).into(),
        start: vec!["true".to_owned()],
    };
    // Whoever is told to stop needs a moment, which further looks give.
    let held = service.stdin.take();
    let reaped = std::thread::spawn(move || service.wait());
    world.config.in_use.tries_max = 100;
    world.pass().await.unwrap();
    assert_eq!(world.closing(), ("installed".to_owned(), String::new()));
    assert!(!reaped.join().unwrap().unwrap().success(), "it was stopped and did not end by itself");
    drop(held);
}

#[tokio::test]
async fn an_administrator_may_say_whose_use_does_not_count() {
    for (programs, tries_max) in [(vec!["sh".to_owned()], 2), (Vec::new(), 0)] {
        let mut world = world(&[]).await;
        (world.config.in_use.ignore_programs, world.config.in_use.tries_max) = (programs, tries_max);
        let mut user = user(&world);
        world.pass().await.unwrap();
        assert_eq!(world.closing().0, "installed");
        leave(&mut user);
    }
}
