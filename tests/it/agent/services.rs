//! Services as units of systemd: asked before anything stops, stopped in order, started in reverse, and up at the end.

use super::untouched;
use super::world::World;
use noctule::edge::agent_file::{ServiceConfig, ServiceControl};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// A world whose services `base` and `compta` are units of a systemd that writes down what it is asked; `script` may
/// answer before it does, with `$1` the verb and `$unit` the unit.
async fn world(script: &str) -> World {
    let mut world = World::new().await;
    let (manager, log) = (world.dir.path().join("systemctl"), world.dir.path().join("log"));
    let text = format!(
        "#!/bin/sh\nfor unit; do :; done\n[ $1 = show ] || echo $1 $unit >> {log}\n{script}\n\
         case $1 in show) echo loaded;; is-active) echo active;; esac\n",
        log = log.display()
    );
    std::fs::write(&manager, text).unwrap();
    std::fs::set_permissions(&manager, PermissionsExt::from_mode(0o755)).unwrap();
    world.config.service_manager = manager.display().to_string();
    for name in ["base", "compta"] {
        let control = ServiceControl::Unit { unit: format!("{name}.service") };
        world.config.services.insert(name.to_owned(), ServiceConfig { control, timeout_seconds: 2 });
    }
    world.publish("isacompta", "true", |signed| signed["manifest"]["services"] = json!(["compta", "base"]));
    world
}

const INSTALLED: &str = "stop compta.service\nstop base.service\nstart base.service\nstart compta.service\n";
const ASKED: [&str; 2] = ["is-active compta.service\n", "is-active base.service\n"];

/// The log without the questions.
fn orders(world: &World) -> String {
    ASKED.iter().fold(world.service_log(), |log, asked| log.replace(asked, ""))
}

#[tokio::test]
async fn units_stop_in_order_start_in_reverse_and_are_up_at_the_end() {
    let world = world("").await;
    world.hand_out(&["isacompta"]);
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    assert_eq!(orders(&world), INSTALLED);
    let closing = world.closings()[0].join("\n");
    for unit in ["compta", "base"] {
        assert!(closing.contains(&format!("\"name\":\"service {unit}\"")), "{closing}");
        assert!(closing.contains(&format!("{unit}.service is active")), "{closing}");
    }
}

#[tokio::test]
async fn a_unit_that_systemd_does_not_know_is_refused_before_anything_stops() {
    let world = world("[ $1$unit != showbase.service ] || { echo not-found; exit 0; }").await;
    let why = untouched(&world, "refused").await;
    assert!(why.contains("service \"base\" is the unit base.service, which systemd says is not-found"), "{why}");
}

#[tokio::test]
async fn a_unit_that_does_not_stop_in_time_is_started_again() {
    let world = world("[ $1$unit != stopbase.service ] || sleep 1000").await;
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert_eq!(result, "rolled_back");
    assert!(why.contains("cannot stop service \"base\"") && why.contains("did not end within 2 s"), "{why}");
    assert_eq!(world.files(), before);
    assert_eq!(orders(&world), INSTALLED, "both are started again");
}

#[tokio::test]
async fn a_unit_that_dies_after_its_start_is_found_and_the_old_version_goes_back() {
    let world = world("[ $1$unit != is-activecompta.service ] || { echo failed; exit 3; }").await;
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert_eq!(result, "rolled_back");
    let said = "something does not work after the installation: service compta: failed (compta.service is failed)";
    assert_eq!(why, said);
    assert_eq!(world.files(), before);
    assert_eq!(orders(&world), [INSTALLED, INSTALLED].concat());
}
