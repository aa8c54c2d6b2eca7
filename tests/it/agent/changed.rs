//! A minor of which only what changed comes over the line; and every doubt, after which all of it does.

use super::World;
use super::world::{Files, read_all};
use noctule::edge::host::archive::{self, Limits};
use noctule::model::transfer::{Transfer, Way};
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How many files the product has, and how long each is.
const FILES: usize = 40;
const FILE_BYTES: usize = 100_000;
/// Those that the new version brings anew: a twentieth of all.
const CHANGED: [usize; 2] = [7, 31];

/// Bytes that no packing makes smaller.
fn noise(seed: usize) -> Vec<u8> {
    let mut state = seed as u32 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..FILE_BYTES).map(|_| next()).collect()
}

fn name(file: usize) -> String {
    format!("lib/module{file}.bin")
}

pub fn new_files() -> Files {
    let mut files: Files = (0..FILES).map(|file| (name(file), noise(file))).collect();
    files.extend(CHANGED.map(|file| (name(file), noise(1000 + file))));
    files.insert("VERSION".into(), b"2.0\n".to_vec());
    files.insert("app.bin".into(), b"new".to_vec());
    files
}

fn packed(files: &Files) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.add_directory("spool", zip::write::SimpleFileOptions::default()).unwrap();
    for (name, bytes) in files {
        let mode = if name == "app.bin" { 0o755 } else { 0o644 };
        let options = zip::write::SimpleFileOptions::default().unix_permissions(mode);
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn files_sha256(package: &[u8]) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(package).unwrap();
    archive::inspect_files(&file, Limits { entries: 100, bytes: 64 << 20 }).unwrap().1
}

/// The product is installed at 1.0, and 2.0 is published and handed out.
pub async fn world() -> World {
    let world = World::new().await;
    let tree = world.root().join("isacompta/versions/1.0");
    std::fs::create_dir_all(tree.join("lib")).unwrap();
    for file in 0..FILES {
        std::fs::write(tree.join(name(file)), noise(file)).unwrap();
    }
    let package = packed(&new_files());
    let digest = files_sha256(&package);
    world.publish_package("isacompta", "true", package, |signed| {
        signed["manifest"]["package"]["files_sha256"] = json!(digest);
    });
    world.hand_out(&["isacompta"]);
    world
}

pub fn size(world: &World) -> u64 {
    world.fake.lock().unwrap().packages["isacompta"].len() as u64
}

pub fn sent(world: &World) -> u64 {
    world.fake.lock().unwrap().sent
}

/// What the last report says it cost.
pub fn cost(world: &World) -> Transfer {
    let closings = world.closings();
    let line = closings.last().unwrap().iter().find_map(|d| d.strip_prefix("noctule.transfer.isacompta="));
    serde_json::from_str(line.unwrap()).unwrap()
}

#[track_caller]
pub fn is_new(world: &World) {
    assert_eq!(world.closings().last().unwrap()[0], "noctule.result=installed", "{:?}", world.closings());
    let mut expected = new_files();
    expected.insert("data/client.db".into(), b"the client's own".to_vec());
    assert!(world.running("isacompta") == expected, "what is installed is what the whole package holds");
    let tree = world.root().join("isacompta/versions/2.0");
    assert!(tree.join("spool").is_dir(), "its empty folder too");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| std::fs::metadata(tree.join(name)).unwrap().permissions().mode() & 0o111;
        assert_eq!((mode("app.bin"), mode("VERSION")), (0o111, 0));
    }
    assert_eq!(read_all(&world.dir.path().join("state/staging")), Files::new(), "nothing is left behind");
}

/// Counts every byte between an agent and the server, either way.
async fn counted(world: &mut World) -> Arc<AtomicU64> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("{}:{}", world.config.server.host_str().unwrap(), world.config.server.port().unwrap());
    world.config.server.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut agent, _)) = listener.accept().await {
            let (to, counter) = (to.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                let (mut from_agent, mut to_agent) = agent.split();
                let (mut from_server, mut to_server) = server.split();
                let up = relay(&mut from_agent, &mut to_server, &counter);
                let down = relay(&mut from_server, &mut to_agent, &counter);
                tokio::join!(up, down);
            });
        }
    });
    count
}

async fn relay(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, counter: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        counter.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[tokio::test]
async fn a_minor_that_changes_a_twentieth_moves_less_than_a_tenth_of_its_package() {
    let mut world = world().await;
    let count = counted(&mut world).await;
    world.pass().await.unwrap();
    is_new(&world);
    let (moved, size) = (count.load(Ordering::SeqCst), size(&world));
    assert!(moved * 10 < size, "{moved} of {size} bytes, polls and reports included");
    let cost = cost(&world);
    assert_eq!((cost.package_bytes, cost.moved_bytes, cost.way), (size, sent(&world), Way::Changed));
    assert!(cost.moved_bytes * 20 > size, "{cost}: a twentieth is new");
}

#[tokio::test]
async fn what_had_arrived_of_its_parts_is_not_fetched_again_in_this_life_or_the_next() {
    let world = world().await;
    // Each answer is cut in its middle: a pass takes it up five times, then the next life does.
    world.fake.lock().unwrap().cuts = 8;
    assert!(world.pass().await.is_err());
    assert!(sent(&world) > 0 && world.closings().is_empty());
    for _ in 0..3 {
        if world.pass().await.is_ok() {
            break;
        }
    }
    is_new(&world);
    assert!(sent(&world) * 10 < size(&world), "{} bytes", sent(&world));
    assert_eq!(cost(&world).moved_bytes, sent(&world), "both lives are in the account");
}

#[tokio::test]
async fn staged_ahead_it_is_proven_again_in_its_slot() {
    let world = world().await;
    world.hand_out_as("7", &["isacompta"], "skip");
    assert!(world.pass().await.unwrap().staged);
    let told = world.fake.lock().unwrap().feedbacks.last().unwrap()["status"]["details"].to_string();
    assert!(told.contains("noctule.transfer.isacompta"), "{told}");
    let staged = read_all(&world.dir.path().join("state/staging"));
    let assembled = staged.keys().find(|name| name.ends_with(".files")).expect("it was put together");
    // One byte of one file, somewhere behind its header.
    let path = world.dir.path().join("state/staging").join(assembled);
    let mut bytes = staged[assembled].clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let before = world.files();
    world.hand_out_as("7", &["isacompta"], "attempt");
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert!(result == "rolled_back" && why.contains("what was put together"), "{result}: {why}");
    assert_eq!((world.files() == before, world.service_log().as_str()), (true, ""));
    // Its next try fetches again what it takes.
    world.hand_out_as("8", &["isacompta"], "attempt");
    world.pass().await.unwrap();
    is_new(&world);
}

#[tokio::test]
async fn on_any_doubt_the_whole_package_comes_and_the_reason_is_told() {
    type Doubt = fn(&World);
    let tampered: Doubt = |world| {
        // In what changed, where its package is stored: its own checksum tells.
        let mut fake = world.fake.lock().unwrap();
        let package = fake.packages.get_mut("isacompta").unwrap();
        let new = noise(1000 + CHANGED[0]);
        let at = package.windows(64).position(|bytes| bytes == &new[..64]).unwrap();
        package[at + 1000] ^= 1;
    };
    let other_digest: Doubt = |world| {
        let mut fake = world.fake.lock().unwrap();
        let trusted = fake.manifests.get_mut("isacompta-2.0.json").unwrap().as_mut().unwrap();
        std::sync::Arc::make_mut(&mut trusted.signed.manifest).package.files_sha256 = Some("0".repeat(64));
    };
    let all_new: Doubt = |world| {
        for file in 0..FILES {
            std::fs::write(world.root().join("isacompta/versions/1.0").join(name(file)), "older").unwrap();
        }
    };
    let cases: [(&str, Doubt); 4] = [
        ("the server sends this file whole only", |world| world.fake.lock().unwrap().whole_only = true),
        ("what was put together is not what the publisher signed", other_digest),
        ("% of it changed", all_new),
        ("cannot be taken from what was fetched", tampered),
    ];
    for (why, doubt) in cases {
        let world = world().await;
        doubt(&world);
        world.pass().await.unwrap();
        let cost = cost(&world);
        // What was sent whole to whoever asked for a part was not read.
        let unread = if world.fake.lock().unwrap().whole_only { size(&world) } else { 0 };
        assert_eq!((cost.way, cost.moved_bytes + unread), (Way::Whole, sent(&world)), "{why}");
        assert!(cost.why_whole.as_ref().unwrap().contains(why), "{why}: {cost}");
        if why.starts_with("cannot") {
            // The whole package is as bad, which its digest tells.
            assert!(world.closing().1.contains("not what its publisher signed"), "{:?}", world.closing());
        } else {
            is_new(&world);
        }
    }
}

#[tokio::test]
async fn what_a_customer_changed_is_fetched_anew() {
    let world = world().await;
    let path = world.root().join("isacompta/versions/1.0").join(name(3));
    let mut bytes = noise(3);
    bytes[50_000] ^= 1;
    std::fs::write(path, bytes).unwrap();
    world.pass().await.unwrap();
    is_new(&world);
    assert_eq!(cost(&world).way, Way::Changed);
    assert!(sent(&world) as usize > 3 * FILE_BYTES, "three files, not two");
}

#[tokio::test]
async fn an_older_manifest_or_a_first_installation_takes_the_whole_as_ever() {
    type Change = fn(&World);
    let cases: [Change; 2] = [
        |world| {
            let mut fake = world.fake.lock().unwrap();
            let trusted = fake.manifests.get_mut("isacompta-2.0.json").unwrap().as_mut().unwrap();
            std::sync::Arc::make_mut(&mut trusted.signed.manifest).package.files_sha256 = None;
        },
        |world| std::fs::remove_dir_all(world.root().join("isacompta")).unwrap(),
    ];
    for change in cases {
        let world = world().await;
        change(&world);
        world.pass().await.unwrap();
        assert_eq!(world.closing().0, "installed");
        let cost = cost(&world);
        assert_eq!((cost.way, cost.moved_bytes, cost.why_whole), (Way::Whole, size(&world), None));
        assert_eq!(world.fake.lock().unwrap().ranges, [""; 0], "no part was asked for");
    }
}

#[tokio::test]
async fn a_hostile_package_is_refused_as_ever() {
    let world = world().await;
    let mut files = new_files();
    files.insert("../evil.dll".into(), noise(1));
    let package = packed(&files);
    world.publish_package("isacompta", "true", package, |signed| {
        signed["manifest"]["package"]["files_sha256"] = json!("0".repeat(64));
    });
    let before = world.files();
    world.pass().await.unwrap();
    let (result, why) = world.closing();
    assert!(result == "rolled_back" && why.contains("isacompta.zip is refused") && why.contains("climbs"), "{why}");
    assert!(world.files() == before);
    assert!(cost(&world).why_whole.unwrap().contains("climbs"));
}
