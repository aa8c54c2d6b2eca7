//! Downloads over a line that is slow, shared or not for ever.

use super::World;
use super::world::{at, package};
use noctule::edge::agent_file;
use noctule::work::agent::Listener;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A package of a little more than `kib` KiB, stored.
fn big_package(kib: usize) -> Vec<u8> {
    let noise: String = (0..kib * 1024).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let files = [("VERSION", "2.0\n"), ("app.bin", "new"), ("lib/noise.bin", &noise)];
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, stored).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn mib_allowed(signed: &mut Value) {
    signed["manifest"]["package"]["unpacked_mib_max"] = 64.into();
}

#[tokio::test]
async fn a_long_download_is_told_in_parts_and_a_short_one_only_here() {
    let world = World::new().await;
    world.publish_package("isacompta", "true", big_package(17 << 10), mib_allowed);
    world.publish_package("isaged", "true", package(&[("VERSION", "2.0\n"), ("app.bin", "new")]), |_| {});
    world.hand_out(&["isacompta", "isaged"]);
    let seen: Arc<Mutex<Vec<(String, u64, u64)>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let listener: Listener =
        Arc::new(move |file, have, want| noted.lock().unwrap().push((file.to_owned(), have, want)));
    world.agent(None).await.told_to(listener).run_once().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    let seen = seen.lock().unwrap();
    for file in ["isacompta.zip", "isaged.zip"] {
        let (_, have, want) = seen.iter().rfind(|(name, ..)| name == file).unwrap();
        assert_eq!(have, want, "{file}");
    }
    let fake = world.fake.lock().unwrap();
    let told: Vec<&Value> = fake.feedbacks.iter().filter(|f| f["status"]["execution"] == "download").collect();
    assert!((3..10).contains(&told.len()), "{} parts", told.len());
    let first = &told[0]["status"];
    assert_eq!(first["result"]["progress"]["of"], 18);
    let line = first["details"][0].as_str().unwrap();
    assert!(line.starts_with("isacompta.zip: ") && line.ends_with(" of 18 MiB are here"), "{line}");
}

#[tokio::test]
async fn a_download_ends_with_its_slot_and_what_is_here_serves_the_next_try() {
    let world = World::new().await;
    world.publish_package("isacompta", "true", big_package(3 << 10), |_| {});
    world.hand_out(&["isacompta"]);
    let clock = world.clock.clone();
    let listener: Listener = Arc::new(move |_, have, _| {
        if have > 1 << 20 {
            clock.advance_to(at("2026-04-30T05:00:00Z"));
        }
    });
    let before = world.files();
    world.agent(None).await.told_to(listener).run_once().await.unwrap();
    let (result, why) = world.closing();
    assert!(result == "rolled_back" && why.contains("had not arrived when the slot ended"), "{result}: {why}");
    assert_eq!((world.files(), world.service_log().as_str()), (before, ""));
    let have = std::fs::read_dir(world.dir.path().join("state/staging")).unwrap();
    let have = have.map(|e| e.unwrap()).find(|e| e.path().extension().is_some_and(|e| e == "zip")).unwrap();
    let have = have.metadata().unwrap().len();
    assert!((1 << 20..3 << 20).contains(&have), "{have}");
    // The next night, in a new life.
    world.hand_out_as("8", &["isacompta"], "skip");
    for (key, bound) in [(2, "2026-04-30T20:00:00Z"), (3, "2026-05-01T05:00:00Z")] {
        let mut fake = world.fake.lock().unwrap();
        let place = format!("/deployment/chunks/0/metadata/{key}/value");
        *fake.deployment.as_mut().unwrap().pointer_mut(&place).unwrap() = bound.into();
    }
    assert!(world.pass().await.unwrap().staged);
    assert_eq!(world.fake.lock().unwrap().ranges, [format!("bytes={have}-")], "only the rest was fetched");
}

#[tokio::test]
async fn a_download_takes_no_more_of_the_line_than_it_may() {
    let mut world = World::new().await;
    world.publish_package("isacompta", "true", big_package(96), |_| {});
    world.hand_out(&["isacompta"]);
    world.config.line = toml_line("kib_per_second_max = 64");
    let begun = Instant::now();
    world.pass().await.unwrap();
    assert_eq!(world.closing().0, "installed");
    assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
}

pub fn toml_line(line: &str) -> agent_file::LineConfig {
    let text = format!("server = 'https://x.example'\nstate_dir = '/s'\nproducts_root = '/p'\n[line]\n{line}\n");
    agent_file::parse(Path::new("agent.toml"), &text).unwrap().line
}
