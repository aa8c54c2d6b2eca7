//! The agent against a fake orchestrator: it installs what was signed, and never breaks a server.

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod changed;
mod checks;
#[cfg(target_os = "linux")]
mod in_use;
#[cfg(unix)]
mod installers;
mod line;
mod neighbours;
mod offline;
#[cfg(unix)]
mod reboots;
#[cfg(unix)]
mod services;
mod world;

use crate::hostile::writer::{Raw, raw, stored, zip_of};
use noctule::decide::steps::Outcome;
use noctule::work::agent::{AgentError, Checkpoint};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use world::{Files, World, at, package};

#[tokio::test]
async fn a_group_is_installed_and_the_observed_version_reported() {
    let world = World::new().await;
    world.publish("isacompta", "test -e up || test -f app.bin", |_| {});
    world.publish("isaged", "test \"$(cat VERSION)\" = 2.0", |_| {});
    world.hand_out(&["isacompta", "isaged"]);
    let pass = world.pass().await.unwrap();
    assert_eq!(pass.ended, [("7".to_owned(), Outcome::Installed)]);
    assert_eq!(pass.sleep.as_secs(), 600);
    for product in ["isacompta", "isaged"] {
        let now = world.running(product);
        assert_eq!(now["app.bin"], b"new");
        assert_eq!(now["data/client.db"], b"the client's own", "preserved");
    }
    assert_eq!(world.closing().0, "installed");
    assert!(world.closings()[0].contains(&"noctule.observed.isaged=2.0".to_owned()));
    assert_eq!(world.service_log(), "stop\nstart\n", "one service of two products stops once");
    // The attributes that follow the installation came before the closing report, with the new inventory.
    let fake = world.fake.lock().unwrap();
    let last = &fake.configs.last().unwrap()["data"];
    assert_eq!(last["noctule.inventory.isacompta"], "2.0");
    assert_eq!(last["noctule.backup.finished_at"], "2026-04-29T19:00:00Z");
    assert_eq!(last["noctule.backup.succeeded"], "true");
    assert_eq!(fake.configs.last().unwrap()["mode"], "replace");
    let steps: Vec<&str> = fake
        .feedbacks
        .iter()
        .filter_map(|f| f["status"]["details"][0].as_str()?.strip_prefix("noctule.step="))
        .collect();
    assert_eq!(steps, ["fetch", "verify", "precheck", "quiesce", "snapshot", "apply", "check", "commit"]);
    assert!(std::fs::read_dir(world.dir.path().join("state/staging")).unwrap().next().is_none(), "staging is empty");
}

#[cfg(unix)]
#[tokio::test]
async fn the_identity_is_the_owners_alone_and_enrolment_happens_once() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    world.pass().await.unwrap();
    world.pass().await.unwrap();
    assert_eq!(world.fake.lock().unwrap().enrolled, 1);
    let mode = |name: &str| std::fs::metadata(world.dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("state/identity.json"), 0o600);
    assert_eq!(mode("state"), 0o700);
}

#[tokio::test]
async fn attributes_are_told_when_they_change_and_hourly() {
    let world = World::new().await;
    let mut agent = world.agent(None).await;
    let told = || world.fake.lock().unwrap().configs.len();
    for (time, expected) in [("20:31", 1), ("20:40", 1), ("21:30", 2), ("21:31", 2)] {
        world.clock.advance_to(at(&format!("2026-04-29T{time}:00Z")));
        agent.run_once().await.unwrap();
        assert_eq!(told(), expected, "{time}");
    }
    std::fs::write(world.dir.path().join("backup"), "2026-04-29T19:00:00Z failed").unwrap();
    agent.run_once().await.unwrap();
    assert_eq!(told(), 3);
}

/// Counts the points passed and stops at one of them.
fn stop_at(point: usize) -> (Checkpoint, Arc<AtomicUsize>, Arc<Mutex<String>>) {
    let (count, name) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let (counted, named) = (Arc::clone(&count), Arc::clone(&name));
    let checkpoint: Checkpoint = Arc::new(move |at| {
        let stop = counted.fetch_add(1, Ordering::SeqCst) == point;
        if stop {
            *named.lock().unwrap() = at.to_owned();
        }
        stop
    });
    (checkpoint, count, name)
}

async fn killed_everywhere(health: &str, result: &str) {
    let prepare = async || {
        let world = World::new().await;
        world.publish("isacompta", "true", |_| {});
        world.publish("isaged", health, |_| {});
        world.hand_out(&["isacompta", "isaged"]);
        world
    };
    let products = ["isacompta", "isaged"];
    let running = |world: &World| products.map(|product| world.running(product));
    let undisturbed = prepare().await;
    let old: [Files; 2] = running(&undisturbed);
    let old_files = undisturbed.files();
    let (checkpoint, points, _) = stop_at(usize::MAX);
    undisturbed.agent(Some(checkpoint)).await.run_once().await.unwrap();
    let (end, end_files) = (running(&undisturbed), undisturbed.files());
    assert_eq!(undisturbed.closing().0, result);
    let new = ["isacompta", "isaged"].map(|_| {
        let mut new: Files = [("VERSION", "2.0\n"), ("app.bin", "new"), ("lib/x/y.txt", "y")]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into();
        new.insert("data/client.db".to_owned(), b"the client's own".to_vec());
        new
    });
    assert_eq!(end, if result == "installed" { new.clone() } else { old.clone() });
    if result != "installed" {
        assert_eq!(end_files, old_files, "nothing is left behind");
    }
    let points = points.load(Ordering::SeqCst);
    assert!(points > 30, "{points} points");
    for point in 0..points {
        let world = prepare().await;
        let (checkpoint, _, name) = stop_at(point);
        let killed = world.agent(Some(checkpoint)).await.run_once().await;
        assert!(matches!(killed, Err(AgentError::Stopped(_))), "{killed:?}");
        let name = name.lock().unwrap().clone();
        for (at, now) in running(&world).iter().enumerate() {
            assert!(*now == old[at] || *now == new[at], "{} is torn after {name}", products[at]);
        }
        // The next life finishes or restores, starts what was stopped, and reports once.
        world.pass().await.unwrap();
        assert_eq!(running(&world), end, "after {name}");
        assert_eq!(world.files(), end_files, "after {name}");
        assert!(world.service_up(), "after {name}");
        assert_eq!(world.closing().0, result, "after {name}");
    }
}

#[tokio::test]
async fn killed_at_any_point_the_next_start_finishes() {
    killed_everywhere("true", "installed").await;
}

#[tokio::test]
async fn killed_at_any_point_of_a_failure_the_next_start_restores_the_whole_group() {
    killed_everywhere("echo the test company does not open >&2; exit 1", "rolled_back").await;
}

#[tokio::test]
async fn a_failed_health_check_says_why_and_leaves_the_old_version_running() {
    let world = World::new().await;
    world.publish("isacompta", "echo societe test illisible >&2; exit 1", |_| {});
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    assert_eq!(world.files(), before);
    let (result, why) = world.closing();
    assert_eq!(result, "rolled_back");
    assert!(why.contains("isacompta 2.0 does not work") && why.contains("societe test illisible"), "{why}");
    assert!(world.closings()[0].contains(&"noctule.observed.isacompta=1.0".to_owned()));
    assert_eq!(world.service_log(), "stop\nstart\nstop\nstart\n");
    assert!(world.service_up());
}

#[tokio::test]
async fn a_package_that_failed_is_kept_for_its_next_try_and_goes_with_the_next_order() {
    let world = World::new().await;
    let staged = || {
        let files = std::fs::read_dir(world.dir.path().join("state/staging")).unwrap();
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "zip")).count()
    };
    world.publish("isacompta", "exit 1", |_| {});
    world.hand_out(&["isacompta"]);
    world.pass().await.unwrap();
    assert_eq!((world.closing().0.as_str(), staged()), ("rolled_back", 1));
    // The line is dead at the next try; what is here is enough for it to fail again.
    world.fake.lock().unwrap().packages.insert("isacompta".into(), b"unavailable".to_vec());
    world.hand_out_as("8", &["isacompta"], "attempt");
    world.pass().await.unwrap();
    assert!(world.closings()[1][1].contains("does not work"), "{:?}", world.closings());
    // Ahead of its slot already, another order clears the place.
    let other = package(&[("VERSION", "2.0\n"), ("app.bin", "another")]);
    world.publish_package("isaged", "true", other, |_| {});
    world.hand_out_as("9", &["isaged"], "skip");
    assert!(world.pass().await.unwrap().staged);
    assert_eq!(staged(), 1);
    world.hand_out_as("9", &["isaged"], "attempt");
    world.pass().await.unwrap();
    assert_eq!(staged(), 0);
}

#[tokio::test]
async fn a_version_that_says_it_is_another_is_put_back() {
    let world = World::new().await;
    let lies = package(&[("VERSION", "1.9\n"), ("app.bin", "new")]);
    world.publish_package("isacompta", "true", lies, |_| {});
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    assert_eq!(world.files(), before);
    let (result, why) = world.closing();
    assert!(result == "rolled_back" && why.contains("says it is 1.9"), "{why}");
}

/// Runs one order that has to be refused before any service stops; returns the reason told.
async fn refused(world: &World) -> String {
    untouched(world, "rolled_back").await
}

/// Runs one order that has to end with `expected` before any service stops; returns the reason told.
async fn untouched(world: &World, expected: &str) -> String {
    world.hand_out(&["isacompta"]);
    let before = world.files();
    world.pass().await.unwrap();
    assert_eq!(world.files(), before);
    assert_eq!(world.service_log(), "", "no service was touched");
    let (result, why) = world.closing();
    assert_eq!(result, expected, "{why}");
    why
}

#[tokio::test]
async fn what_was_not_signed_is_refused_before_anything_stops() {
    type Tamper = fn(&World);
    let cases: [(&str, Tamper); 7] = [
        ("not what its publisher signed", |w| {
            w.fake.lock().unwrap().packages.get_mut("isacompta").unwrap()[40] ^= 1;
        }),
        ("more than the", |w| w.fake.lock().unwrap().packages.get_mut("isacompta").unwrap().push(0)),
        ("signature", |w| {
            w.fake.lock().unwrap().manifests.insert("isacompta-2.0.json".into(), Err("bad signature".into()));
        }),
        ("is about isaged 2.0, not isacompta 2.0", |w| {
            w.publish("isacompta", "true", |s| s["manifest"]["product"] = json!("isaged"))
        }),
        ("is about isacompta 3.0", |w| w.publish("isacompta", "true", |s| s["manifest"]["version"] = json!("3.0"))),
        ("signed by eic, not by agiris", |w| w.publish("isacompta", "true", |s| s["publisher"] = json!("eic"))),
        ("retracted by its publisher: defaut", |w| {
            let mut fake = w.fake.lock().unwrap();
            let trusted = fake.manifests.get_mut("isacompta-2.0.json").unwrap();
            trusted.as_mut().unwrap().retracted = Some("defaut".into());
        }),
    ];
    for (said, tamper) in cases {
        let world = World::new().await;
        world.publish("isacompta", "true", |_| {});
        tamper(&world);
        let why = refused(&world).await;
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[tokio::test]
async fn a_hostile_package_is_refused_before_anything_stops_though_it_is_signed() {
    let files = [stored("VERSION", b"2.0\n"), stored("app.bin", b"new")];
    let with = |more: &[Raw]| zip_of(&[&files[..], more].concat());
    let unlisted = Raw { unlisted: true, ..raw("evil.dll") };
    for (zip, change, said) in [
        (with(&[raw("../evil.dll")]), json!({}), "entry \"../evil.dll\" has a name that climbs out of its folder"),
        (with(&[unlisted]), json!({}), "entry \"evil.dll\" is not in the central directory"),
        (with(&[]), json!({"entries": 1}), "the package has 2 entries; its manifest allows 1"),
        (with(&[]), json!({"unpacked_bytes": 6}), "the package unpacks to 7 bytes; its manifest allows 6"),
    ] {
        let world = World::new().await;
        world.publish_package("isacompta", "true", zip, |signed| {
            let package = signed["manifest"]["package"].as_object_mut().unwrap();
            package.extend(change.as_object().unwrap().clone());
        });
        let why = refused(&world).await;
        assert!(why.contains("isacompta.zip is refused") && why.contains(said), "{said}: {why}");
    }
}

#[tokio::test]
async fn what_cannot_go_well_is_refused_before_anything_stops() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 6] = [
        ("service \"paie\" is not described", |m| m["services"] = json!(["compta", "paie"])),
        ("leads out of the installed tree", |m| m["detect"] = json!({"version_file": "../../secret"})),
        ("preserve pattern", |m| m["preserve"] = json!(["data/[z-"])),
        ("installs over 1.5 or later, not over 1.0", |m| m["upgrade_from"] = json!("1.5")),
        ("requires isapaye 3 or later", |m| m["requires"] = json!([{"product": "isapaye", "at_least": "3"}])),
        ("takes 600 min, but the slot ends at 2026-04-30T05:00:00Z", |m| m["duration_minutes"] = json!(590)),
    ];
    for (said, change) in cases {
        let world = World::new().await;
        world.publish("isacompta", "true", |signed| change(&mut signed["manifest"]));
        let why = refused(&world).await;
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[tokio::test]
async fn without_a_good_backup_nothing_starts() {
    for (mark, said) in
        [("2026-04-29T19:00:00Z failed", "failed"), ("2026-04-25T16:29:00Z ok", "too long ago"), ("", "")]
    {
        let world = World::new().await;
        world.publish("isacompta", "true", |_| {});
        let file = world.dir.path().join("backup");
        if mark.is_empty() {
            std::fs::remove_file(&file).unwrap();
        } else {
            std::fs::write(&file, mark).unwrap();
        }
        let why = untouched(&world, "refused").await;
        assert!(why.contains("backup") && why.contains(said), "{why}");
        assert_eq!(world.closings()[0][1], "noctule.unfit=not_ready");
    }
}

#[tokio::test]
async fn a_downgrade_is_refused_even_when_signed() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    std::fs::write(world.root().join("isacompta/versions/1.0/VERSION"), "2.1").unwrap();
    let why = refused(&world).await;
    assert!(why.contains("older than the installed 2.1"), "{why}");
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    world.fake.lock().unwrap().cuts = 2;
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    let fake = world.fake.lock().unwrap();
    let size = fake.packages["isacompta"].len();
    assert_eq!(fake.ranges, [format!("bytes={}-", size / 2), format!("bytes={}-", size / 2 + (size - size / 2) / 2)]);
}

#[tokio::test]
async fn a_line_that_stays_down_is_taken_up_in_the_next_pass_until_the_slot_ends() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    world.fake.lock().unwrap().cuts = 1000;
    for _ in 0..2 {
        assert!(world.pass().await.is_err());
        assert!(world.closings().is_empty());
    }
    world.clock.advance_to(at("2026-04-30T05:00:00Z"));
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert!(result == "rolled_back" && why.contains("had not arrived"), "{why}");
    assert_eq!(world.service_log(), "");
}

#[tokio::test]
async fn ahead_of_its_slot_a_release_is_only_downloaded() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out_as("7", &["isacompta"], "skip");
    let before = world.files();
    let pass = world.pass().await.unwrap();
    assert!(pass.staged && pass.ended.is_empty());
    assert_eq!(world.files(), before);
    // The line is dead in the night; what is here is enough.
    world.fake.lock().unwrap().packages.insert("isacompta".into(), b"unavailable".to_vec());
    world.hand_out(&["isacompta"]);
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
}

#[tokio::test]
async fn a_server_that_opens_too_early_is_not_believed() {
    let mut world = World::new().await;
    world.clock = noctule::edge::clock::Clock::stepped(at("2026-04-29T19:59:59Z"));
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    assert!(world.pass().await.unwrap().staged);
    assert_eq!(world.service_log(), "");
    world.clock.advance_to(at("2026-04-29T20:00:00Z"));
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
}

#[tokio::test]
async fn a_cancellation_is_honoured_until_something_is_applied() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    let before = world.files();
    let fake = Arc::clone(&world.fake);
    let cancel: Checkpoint = Arc::new(move |point| {
        if point == "Snapshot ended" {
            fake.lock().unwrap().cancel = Some(json!({"id": "12", "cancelAction": {"stopId": "7"}}));
        }
        false
    });
    let pass = world.agent(Some(cancel)).await.run_once().await.unwrap();
    assert_eq!(pass.ended, [("7".to_owned(), Outcome::Cancelled { id: "12".to_owned() })]);
    assert_eq!(world.files(), before);
    assert_eq!(world.service_log(), "stop\nstart\n");
    assert_eq!(world.fake.lock().unwrap().cancelled.len(), 1);
    assert!(world.closings().is_empty());
}

#[tokio::test]
async fn a_report_nobody_heard_is_repeated_and_one_too_late_is_dropped() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    world.fake.lock().unwrap().deaf = 2;
    for _ in 0..2 {
        assert!(world.pass().await.is_err());
    }
    assert_eq!(world.pass().await.unwrap().ended.len(), 1);
    assert_eq!(world.closing().0, "installed");
    assert_eq!(world.service_log(), "stop\nstart\n", "nothing is installed twice");

    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    world.hand_out(&["isacompta"]);
    world.fake.lock().unwrap().deaf = 1;
    assert!(world.pass().await.is_err());
    world.fake.lock().unwrap().deployment = None; // 410 from now on
    assert_eq!(world.pass().await.unwrap().ended.len(), 1);
    assert!(world.pass().await.unwrap().ended.is_empty());
}

#[tokio::test]
async fn a_first_installation_that_fails_leaves_nothing_behind() {
    let world = World::new().await;
    world.publish("isapaye", "exit 1", |_| {});
    world.hand_out(&["isapaye"]);
    let before = world.files();
    world.pass().await.unwrap();
    assert_eq!(world.files(), before);
    assert!(!world.root().join("isapaye").exists());
    assert_eq!(world.closing().0, "rolled_back");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_and_an_unwritable_folder_are_said_so() {
    let world = World::new().await;
    world.publish("isacompta", "true", |_| {});
    std::fs::create_dir_all(world.dir.path().join("state/staging")).unwrap();
    let digest = match &world.fake.lock().unwrap().manifests["isacompta-2.0.json"] {
        Ok(trusted) => trusted.signed.sha256.clone(),
        Err(why) => panic!("{why}"),
    };
    std::os::unix::fs::symlink("/dev/full", world.dir.path().join(format!("state/staging/{digest}.zip"))).unwrap();
    let why = refused(&world).await;
    assert!(why.contains("No space left on device"), "{why}");

    // A file where the folder of versions should be: nothing can be laid down, not even by root.
    let world = World::new().await;
    world.publish("isapaye", "true", |_| {});
    std::fs::create_dir_all(world.root().join("isapaye")).unwrap();
    std::fs::write(world.root().join("isapaye/versions"), "").unwrap();
    world.hand_out(&["isapaye"]);
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert!(result != "installed" && why.contains("cannot create") && why.contains("isapaye/versions"), "{why}");
    assert!(world.service_up());
}

#[tokio::test]
async fn two_agents_do_not_share_a_state_folder() {
    let world = World::new().await;
    let _first = world.agent(None).await;
    let second = world.try_agent(None).await;
    assert!(matches!(second, Err(AgentError::Locked(_))));
}

#[tokio::test]
async fn malformed_orders_are_closed_with_the_reason() {
    for (pointer, value, said) in [
        ("/deployment/chunks/0/name", json!("../x"), "not a product name"),
        ("/deployment/chunks/0/version", json!("latest"), "no digit"),
        ("/deployment/chunks/0/metadata/1/value", json!("../../x"), "not a plain name"),
        ("/deployment/chunks/0/metadata/2/value", json!("soon"), "RFC 3339"),
        ("/deployment/chunks/0/metadata/0/key", json!("other"), "without noctule.publisher"),
        ("/deployment/chunks/0/artifacts", json!([]), "0 packages"),
        ("/deployment/chunks", json!([]), "0 parts"),
    ] {
        let world = World::new().await;
        world.publish("isacompta", "true", |_| {});
        world.hand_out(&["isacompta"]);
        let changed = |fake: &mut world::Fake| {
            *fake.deployment.as_mut().unwrap().pointer_mut(pointer).unwrap() = value.clone();
        };
        changed(&mut world.fake.lock().unwrap());
        world.pass().await.unwrap();
        let (result, why) = world.closing();
        assert!(result == "rolled_back" && why.contains(said), "{pointer}: {why}");
    }
}
