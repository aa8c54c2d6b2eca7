//! What the agent asks around an installation: what is sick already is not touched, what broke goes back, all is told.

use super::world::World;
use super::{stop_at, untouched};
use noctule::edge::agent_file::{self, AgentConfig, InitialProduct};
use noctule::model::check::Check;
use noctule::model::manifest::Health;
use noctule::work::agent::AgentError;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// A check of `agent.toml` by a shell line.
fn check(name: &str, when: &str, script: &str) -> Check {
    let probe = json!({"kind": "command", "command": ["sh", "-c", script]});
    serde_json::from_value(json!({"name": name, "when": when, "probe": probe})).unwrap()
}

/// The product as its administrator describes it: it works while `up` says so.
fn described(config: &AgentConfig, product: &str, up: &str) -> InitialProduct {
    let health = json!({"command": ["sh", "-c", format!("{up} || {{ echo dossier test illisible >&2; exit 1; }}")],
        "files": ["app.bin"], "timeout_seconds": 20});
    InitialProduct {
        name: product.to_owned(),
        version: "1.0".parse().unwrap(),
        directory: config.products_root.join(product).join("versions/1.0"),
        version_file: agent_file::version_file(),
        health: Some(serde_json::from_value::<Health>(health).unwrap()),
    }
}

/// The answers of the last report of this kind, in words.
fn told(world: &World, is: impl Fn(&Value) -> bool) -> Vec<String> {
    let fake = world.fake.lock().unwrap();
    let report = fake.feedbacks.iter().rfind(|f| is(&f["status"])).unwrap();
    let details: Vec<String> = serde_json::from_value(report["status"]["details"].clone()).unwrap();
    let answers = details.iter().filter_map(|line| line.strip_prefix("noctule.check="));
    answers.map(|text| serde_json::from_str::<noctule::model::check::Answer>(text).unwrap().to_string()).collect()
}

fn closing(world: &World) -> Vec<String> {
    told(world, |status| status["execution"] == "closed")
}

fn step(world: &World, step: &str) -> Vec<String> {
    told(world, |status| status["details"][0] == format!("noctule.step={step}"))
}

/// Without the room on the disk, which is what it is.
fn but_disk(mut answers: Vec<String>) -> Vec<String> {
    answers.retain(|answer| !answer.starts_with("disk: passed ("));
    answers
}

const BACKUP: &str = "backup: passed (the last backup ended at 2026-04-29T19:00:00Z)";

#[tokio::test]
async fn every_answer_is_in_the_reports_before_and_after() {
    let mut world = World::new().await;
    world.config.checks = vec![check("sessions", "before", "true"), check("base", "both", "true")];
    world.config.products = vec![described(&world.config, "isacompta", "true")];
    world.publish("isacompta", "true", |signed| {
        signed["manifest"]["health"]["check"] = json!([
            {"name": "new table", "when": "after", "probe": {"kind": "command", "command": ["grep", "-q", "2.0", "{dir}/VERSION"]}},
        ]);
    });
    world.hand_out(&["isacompta"]);
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    let before = [
        BACKUP,
        "sessions: passed (exit code 0)",
        "base: passed (exit code 0)",
        "isacompta 1.0, files: passed (1 of 1 there)",
        "isacompta 1.0, own check: passed (exit code 0)",
    ];
    let after = [
        "isacompta 2.0, files: passed (1 of 1 there)",
        "isacompta 2.0, own check: passed (exit code 0)",
        "isacompta 2.0, new table: passed (exit code 0)",
        "base: passed (exit code 0)",
    ];
    assert_eq!(but_disk(step(&world, "precheck")), before);
    assert_eq!(step(&world, "check"), after);
    assert_eq!(but_disk(closing(&world)), [&before[..], &after[..]].concat());
    assert_eq!(step(&world, "apply"), [""; 0]);
}

#[tokio::test]
async fn an_application_that_is_sick_already_is_not_touched() {
    let mut world = World::new().await;
    world.config.products = vec![described(&world.config, "isacompta", "false")];
    world.config.checks = vec![check("sessions", "before", "exit 3")];
    world.publish("isacompta", "true", |_| {});
    let why = untouched(&world, "refused").await;
    assert_eq!(
        why,
        "it did not work before the installation: isacompta 1.0, own check: failed (exit status: 1: dossier test illisible)"
    );
    assert_eq!(world.closings()[0][1], "noctule.unfit=sick", "the worse news");
    let failed: Vec<String> = closing(&world).into_iter().filter(|answer| !answer.contains(": passed (")).collect();
    assert_eq!(failed.len(), 2, "all was asked: {failed:?}");
}

#[tokio::test]
async fn the_agent_keeps_how_to_tell_that_what_it_installed_works() {
    let world = World::new().await;
    let mark = world.dir.path().join("opens");
    std::fs::write(&mark, "").unwrap();
    world.publish("isacompta", &format!("test -e {}", mark.display()), |_| {});
    world.hand_out(&["isacompta"]);
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    assert!(!closing(&world).iter().any(|answer| answer.starts_with("isacompta 1.0")), "nobody said how");
    let log = world.service_log();
    // The same release again, on a version that broke since.
    std::fs::remove_file(&mark).unwrap();
    world.hand_out_as("8", &["isacompta"], "attempt");
    world.pass().await.unwrap();
    let last = world.closings().pop().unwrap();
    assert_eq!(last[..2], ["noctule.result=refused", "noctule.unfit=sick"]);
    assert_eq!(world.service_log(), log, "nothing was touched");
}

#[tokio::test]
async fn a_condition_that_is_not_met_leaves_everything_as_it_is() {
    for (when, unfit) in [("before", "not_ready"), ("both", "sick")] {
        let mut world = World::new().await;
        world.config.checks = vec![check("base", when, "echo arretee >&2; exit 1")];
        world.publish("isacompta", "true", |_| {});
        let why = untouched(&world, "refused").await;
        assert!(why.ends_with("base: failed (exit status: 1: arretee)"), "{why}");
        assert_eq!(world.closings()[0][1], format!("noctule.unfit={unfit}"));
    }
    let world = World::new().await;
    world.publish("isacompta", "true", |s| s["manifest"]["platform"] = json!({"min_free_disk_mib": 1u64 << 40}));
    let why = untouched(&world, "refused").await;
    assert!(why.starts_with("disk: failed (not enough disk: "), "{why}");
}

#[tokio::test]
async fn what_worked_before_and_does_not_after_goes_back() {
    let mut world = World::new().await;
    let current = world.root().join("isacompta/current");
    let script = format!("grep -q 1.0 {} || {{ echo base perdue >&2; exit 1; }}", current.display());
    world.config.checks = vec![check("base", "both", &script)];
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    assert_eq!(world.files(), before);
    let (result, why) = world.closing();
    assert_eq!(result, "rolled_back");
    assert_eq!(why, "something does not work after the installation: base: failed (exit status: 1: base perdue)");
    assert!(world.service_up());
}

#[tokio::test]
async fn a_check_that_hangs_is_ended_with_its_time() {
    let mut world = World::new().await;
    world.config.checks = vec![Check { timeout_seconds: 1, ..check("licence", "before", "sleep 1000") }];
    world.publish("isacompta", "true", |_| {});
    let why = untouched(&world, "refused").await;
    assert_eq!(why, "licence: gave no answer within 1 s");
}

#[tokio::test]
async fn killed_at_any_point_of_a_refusal_the_next_start_refuses_once() {
    let prepare = async || {
        let mut world = World::new().await;
        world.config.products = vec![described(&world.config, "isacompta", "false")];
        world.publish("isacompta", "true", |_| {});
        world.hand_out(&["isacompta"]);
        world
    };
    let undisturbed = prepare().await;
    let files = undisturbed.files();
    let (checkpoint, points, _) = stop_at(usize::MAX);
    undisturbed.agent(Some(checkpoint)).await.run_once().await.unwrap();
    let points = points.load(Ordering::SeqCst);
    assert!(points > 12, "{points} points");
    for point in 0..points {
        let world = prepare().await;
        let (checkpoint, _, name) = stop_at(point);
        let killed = world.agent(Some(checkpoint)).await.run_once().await;
        assert!(matches!(killed, Err(AgentError::Stopped(_))), "{killed:?}");
        world.pass().await.unwrap();
        let name = name.lock().unwrap().clone();
        assert_eq!(world.closing().0, "refused", "after {name}");
        assert!(closing(&world).iter().any(|answer| answer.contains("dossier test illisible")), "after {name}");
        assert_eq!((world.files(), world.service_log().as_str()), (files.clone(), ""), "after {name}");
    }
}
