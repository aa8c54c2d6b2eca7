//! Restarts of the machine: a fake command that does what a real one does to an agent, and every way it goes.

use super::installers::{PRODUCT, Site, new};
use super::stop_at;
use super::world::{World, at};
use noctule::decide::steps::Outcome;
use noctule::work::agent::{AgentError, Checkpoint, Pass};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A restart is over when the next start has another name. What runs at that moment of the agent ends.
const RESTARTS: &str = "echo two > $0/boot";
const REFUSES: &str = "echo 'Access is denied.(5)' >&2; exit 5";
const DOES_NOTHING: &str = "true";

/// A server whose machine restarts by the shell line `command`, which is counted. In it `$0` is the folder of all.
async fn site(command: &str) -> Site {
    let mut site = Site::new().await;
    site.keep_previous(|_| {});
    fs::write(site.path("boot"), "one\n").unwrap();
    let line = format!("cat $0/root/isaged/current >> $0/reboots; {command}");
    let here = site.world.dir.path().display().to_string();
    let reboot = &mut site.world.config.reboot;
    reboot.boot_id_file = Some(Path::new(&here).join("boot"));
    reboot.command = ["sh", "-c", &line, &here].map(str::to_owned).to_vec();
    site
}

/// A release whose installer ends with a code that means `response`, in a manifest that allows restarts.
fn publish(site: &Site, health: &str, response: &str, change: impl FnOnce(&mut Value)) {
    let expected = json!({"expected": [{"code": 9, "response": response}]});
    site.publish(health, "exit 9", |signed| {
        signed["manifest"]["installer"]["return_codes"] = expected;
        signed["manifest"]["reboot"] = json!("allowed");
        change(signed);
    });
}

/// One life of an agent that the restart ends.
async fn until_it_goes_down(site: &Site) {
    let down: Checkpoint = Arc::new(|point| point == "restart asked for");
    let stopped = site.world.agent(Some(down)).await.run_once().await;
    assert!(matches!(stopped, Err(AgentError::Stopped(_))), "{stopped:?}");
}

/// What the closing report says of restarts.
fn told(world: &World) -> String {
    let closing = &world.closings()[0];
    closing.iter().find_map(|line| line.strip_prefix("noctule.reboot.")).unwrap_or_default().to_owned()
}

fn reboots(site: &Site) -> usize {
    site.text("reboots").lines().count()
}

fn installed(pass: &Pass) -> bool {
    pass.ended == [("7".to_owned(), Outcome::Installed)]
}

#[tokio::test]
async fn the_machine_is_restarted_when_the_whole_group_is_installed_and_the_agent_goes_on() {
    let site = site(RESTARTS).await;
    publish(&site, "test -f app.bin", "rebootRequiredToFinish", |_| {});
    site.world.publish("isaged", "true", |_| {});
    site.world.hand_out(&[PRODUCT, "isaged"]);
    until_it_goes_down(&site).await;
    assert_eq!(site.text("reboots"), "2.0\n", "all is installed before");
    assert_eq!(site.world.service_log(), "stop\n", "nothing is started before");
    let pass = site.world.pass().await.unwrap();
    assert!(installed(&pass) && !pass.awaits_reboot, "{pass:?}");
    assert_eq!(told(&site.world), "done=2026-04-29T20:30:00Z");
    assert_eq!((reboots(&site), site.files(), site.text("runs").lines().count()), (1, new(), 1));
    assert!(site.is_tidy());
}

#[tokio::test]
async fn what_may_not_be_restarted_is_installed_and_says_that_a_restart_is_outstanding() {
    type Change = fn(&mut Site);
    let cases: [(&str, &str, Change); 3] = [
        ("never", "required=the manifest of isapaye 2.0 does not allow it", |_| {}),
        ("allowed", "required=agent.toml forbids it", |site| site.world.config.reboot.allowed = false),
        // Installing and going back fit into the 35 minutes that are left, a restart and going back do not.
        ("allowed", "required=the restart and what may follow it take 41 min, but the slot ends", |site| {
            site.world.config.reboot.minutes = 30;
            site.world.clock.advance_to(at("2026-04-30T04:25:00Z"));
        }),
    ];
    for (allows, said, change) in cases {
        let mut site = site(RESTARTS).await;
        change(&mut site);
        publish(&site, "true", "rebootRequiredToFinish", |s| s["manifest"]["reboot"] = json!(allows));
        let pass = site.world.pass().await.unwrap();
        assert!(installed(&pass), "{said}: {pass:?} {:?}", site.world.closings());
        assert!(told(&site.world).starts_with(said), "{said}: {}", told(&site.world));
        assert_eq!((reboots(&site), site.files()), (0, new()), "{said}");
        assert!(site.is_tidy(), "{said}");
    }
}

#[tokio::test]
async fn a_command_that_refuses_is_told_once_and_the_check_goes_on() {
    for (health, result) in [("true", "installed"), ("exit 1", "rolled_back")] {
        let site = site(REFUSES).await;
        publish(&site, health, "rebootRequiredToFinish", |_| {});
        site.world.pass().await.unwrap();
        assert_eq!(site.world.closing().0, result);
        let told = told(&site.world);
        assert!(told.starts_with("failed=the machine was told to restart and refused"), "{told}");
        assert!(told.contains("Access is denied.(5)"), "{told}");
        assert_eq!(reboots(&site), 1);
        assert!(site.is_tidy());
    }
}

#[tokio::test]
async fn a_machine_that_never_restarts_is_waited_for_a_bounded_time() {
    let site = site(DOES_NOTHING).await;
    publish(&site, "true", "rebootRequiredToFinish", |_| {});
    let mut agent = site.world.agent(None).await;
    for time in ["20:30", "20:31", "20:44"] {
        site.world.clock.advance_to(at(&format!("2026-04-29T{time}:59Z")));
        let pass = agent.run_once().await.unwrap();
        assert!(pass.awaits_reboot && pass.sleep.as_secs() == 15, "{time}: {pass:?}");
        assert!(site.world.closings().is_empty(), "{time}");
    }
    drop(agent);
    site.world.clock.advance_to(at("2026-04-29T20:45:59Z"));
    assert!(installed(&site.world.pass().await.unwrap()));
    let told = told(&site.world);
    assert_eq!(told, "failed=the machine was told to restart, and it did not within 15 min");
    assert_eq!((reboots(&site), site.files()), (1, new()));
}

#[tokio::test]
async fn what_does_not_work_after_the_restart_goes_back() {
    let site = site(RESTARTS).await;
    let before = site.files();
    publish(&site, "grep -q one ../../boot", "rebootRequiredToFinish", |_| {});
    site.world.publish("isaged", "true", |_| {});
    site.world.hand_out(&[PRODUCT, "isaged"]);
    until_it_goes_down(&site).await;
    site.world.pass().await.unwrap();
    assert_eq!((site.world.closing().0.as_str(), site.files()), ("rolled_back", before));
    assert_eq!(
        (site.text("list"), site.world.running("isaged")["VERSION"].as_slice()),
        ("1.0\n".into(), &b"1.0\n"[..])
    );
    assert_eq!((told(&site.world).as_str(), reboots(&site)), ("done=2026-04-29T20:30:00Z", 1));
    assert!(site.is_tidy());
}

#[tokio::test]
async fn stopped_at_any_point_around_a_restart_it_goes_on_and_never_restarts_twice() {
    let prepare = async || {
        let site = site(RESTARTS).await;
        publish(&site, "true", "rebootRequiredToFinish", |_| {});
        site
    };
    let whole = prepare().await;
    let (checkpoint, points, _) = stop_at(usize::MAX);
    assert!(installed(&whole.world.agent(Some(checkpoint)).await.run_once().await.unwrap()));
    let points = points.load(Ordering::SeqCst);
    let mut seen = Vec::new();
    for point in 0..points {
        let site = prepare().await;
        let (checkpoint, _, name) = stop_at(point);
        let stopped = site.world.agent(Some(checkpoint)).await.run_once().await;
        assert!(matches!(stopped, Err(AgentError::Stopped(_))), "{stopped:?}");
        let name = name.lock().unwrap().clone();
        let pass = site.world.pass().await.unwrap();
        // Written down and never said to the machine: nobody can know that, so it is waited for.
        assert_eq!(pass.awaits_reboot, name == "restart written down", "after {name}");
        site.world.clock.advance_to(at("2026-04-29T20:45:00Z"));
        site.world.pass().await.unwrap();
        assert_eq!((site.world.closing().0.as_str(), site.files()), ("installed", new()), "after {name}");
        assert_eq!(reboots(&site), usize::from(name != "restart written down"), "after {name}");
        assert!(site.is_tidy(), "after {name}");
        seen.push(name);
    }
    for name in ["restart to be asked for", "restart written down", "restart asked for"] {
        assert!(seen.iter().any(|point| point == name), "{name}");
    }
}

#[tokio::test]
async fn an_installer_that_restarts_the_machine_is_checked_after_it_and_not_run_again() {
    // It ends before the machine goes down, or the machine takes it and its agent away in the middle.
    for goes_down_at in ["installer's end written", "installer ran"] {
        let site = site(REFUSES).await;
        publish(&site, "grep -q two ../../boot", "rebootInitiated", |_| {});
        let down: Checkpoint = Arc::new(move |point| point == goes_down_at);
        let stopped = site.world.agent(Some(down)).await.run_once().await;
        assert!(matches!(stopped, Err(AgentError::Stopped(_))), "{stopped:?}");
        fs::write(site.path("boot"), "two\n").unwrap();
        assert!(installed(&site.world.pass().await.unwrap()), "{:?}", site.world.closings());
        assert_eq!((site.text("runs").lines().count(), site.files()), (1, new()), "{goes_down_at}");
        assert_eq!((told(&site.world).as_str(), reboots(&site)), ("done=2026-04-29T20:30:00Z", 0));
        assert!(site.is_tidy());
    }
    // Power that went in the middle of any other installer is an interruption: it is run again.
    let site = site(RESTARTS).await;
    publish(&site, "true", "rebootRequiredToFinish", |_| {});
    let down: Checkpoint = Arc::new(|point| point == "installer ran");
    site.world.agent(Some(down)).await.run_once().await.unwrap_err();
    fs::write(site.path("boot"), "power\n").unwrap();
    site.world.pass().await.unwrap();
    assert_eq!(site.text("runs").lines().count(), 2);
}

#[tokio::test]
async fn an_installer_that_says_it_restarts_the_machine_and_does_not_is_waited_for_too() {
    let site = site(REFUSES).await;
    publish(&site, "true", "rebootInitiated", |_| {});
    assert!(site.world.pass().await.unwrap().awaits_reboot);
    site.world.clock.advance_to(at("2026-04-29T20:45:00Z"));
    assert!(installed(&site.world.pass().await.unwrap()));
    assert!(told(&site.world).starts_with("failed=an installer said that it restarts the machine"));
    assert_eq!((reboots(&site), site.text("runs").lines().count()), (0, 1));
}

#[tokio::test]
async fn an_installer_that_restarts_the_machine_is_not_begun_where_that_may_not_be() {
    type Change = fn(&mut Site);
    let cases: [(&str, Change); 2] = [
        ("agent.toml forbids it", |site| site.world.config.reboot.allowed = false),
        ("take 45 min, but the slot ends", |site| site.world.clock.advance_to(at("2026-04-30T04:20:00Z"))),
    ];
    for (said, change) in cases {
        let mut site = site(RESTARTS).await;
        change(&mut site);
        publish(&site, "true", "rebootInitiated", |_| {});
        site.world.pass().await.unwrap();
        let (result, why) = site.world.closing();
        assert!(result == "refused" && why.contains(said), "{result}: {why}");
        assert_eq!((site.text("runs"), site.world.service_log()), (String::new(), String::new()));
    }
}
