//! What has to hold for any bytes at all. The fuzzer tries to break it; the tests replay what the fuzzer found.

use noctule::decide::settle::Said;
use noctule::edge::ddi_client::messages::DeploymentBase;
use noctule::edge::host::archive::{InspectError, Inspected, Limits, inspect};
use noctule::edge::host::entry_name::Kind;
use noctule::edge::manifest_file;
use noctule::model::manifest::{Manifest, SignedManifest, target_name};
use noctule::model::report::ServerState;
use noctule::web::bodies;
use noctule::work::{agent::order, report};
use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::Path;

const LIMITS: Limits = Limits { entries: 64, bytes: 1 << 20 };

/// A package is refused with reasons, or it is within its figures, stays inside its folder, and a reader that nobody
/// here wrote sees the same in it.
pub fn zip(data: &[u8]) {
    let inspected = match inspect(Cursor::new(data), LIMITS) {
        Ok(inspected) => inspected,
        Err(InspectError::Refused(verdicts)) => {
            assert!(!verdicts.is_empty(), "refused without a reason");
            verdicts.list().iter().for_each(|verdict| assert!(!verdict.to_string().is_empty()));
            return;
        }
        Err(InspectError::Read(error)) => panic!("memory cannot fail to be read: {error}"),
    };
    // What it takes from an entry has to be the same. Its own check of headers is not asked: it also refuses what has no
    // consequence, such as a Unicode path that agrees with the name and is in one header only.
    let mut other = zip::ZipArchive::new(Cursor::new(data)).expect("another reader opens it");
    assert_eq!(other.len(), inspected.entries.len());
    assert!(inspected.entries.len() as u64 <= LIMITS.entries && inspected.bytes <= LIMITS.bytes);
    let (mut total, mut folded) = (0, BTreeSet::new());
    for (index, entry) in inspected.entries.iter().enumerate() {
        assert!(entry.name.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{}", entry.name);
        assert!(!entry.name.contains(['\\', ':', '\0']), "{}", entry.name);
        assert!(folded.insert(entry.name.to_lowercase()), "{} is there twice", entry.name);
        let mut ours = Vec::new();
        let copied = Inspected::copy(Cursor::new(data), entry, |piece| {
            ours.extend_from_slice(piece);
            Ok(())
        });
        copied.expect("what was judged can be copied");
        assert_eq!(ours.len() as u64, entry.size);
        total += entry.size;
        let mut theirs = other.by_index(index).expect("another reader finds it");
        let name = theirs.name().expect("another reader reads its name").into_owned();
        assert_eq!(name.strip_suffix('/').unwrap_or(&name), entry.name);
        assert_eq!(theirs.is_dir(), entry.kind == Kind::Folder);
        assert!(!theirs.is_symlink());
        let mut bytes = Vec::new();
        theirs.read_to_end(&mut bytes).expect("another reader unpacks it");
        assert!(bytes == ours, "{}: another reader sees other bytes", entry.name);
    }
    assert_eq!(total, inspected.bytes);
}

/// A manifest is refused with every problem on its line, or it is sound, and stays what it is when it is signed.
pub fn manifest(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match manifest_file::parse(Path::new("m.toml"), text) {
            Ok(manifest) => sound(&manifest),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Ok(signed) = serde_json::from_slice::<SignedManifest>(data) {
        let again = serde_json::to_vec(&signed).expect("it is written again");
        let again: SignedManifest = serde_json::from_slice(&again).expect("what is written is read");
        assert_eq!(again, signed);
        if manifest_file::problems(&signed.manifest).is_empty() {
            sound(&signed.manifest);
        }
    }
}

fn sound(manifest: &Manifest) {
    assert_eq!(manifest_file::problems(manifest), []);
    let target = target_name(&manifest.product, &manifest.version);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    assert!(target.chars().all(plain), "{target:?} is no target name");
    let limits = Limits::of(&manifest.package);
    assert!(limits.bytes <= manifest.package.unpacked_mib_max.saturating_mul(1 << 20));
    let text = toml::to_string(manifest).expect("it is written as its author would");
    assert_eq!(&manifest_file::parse(Path::new("m.toml"), &text).expect("and read again"), manifest);
}

/// What agents tell the orchestrator, and what it hands to them: refused, or within every limit.
pub fn protocol(data: &[u8]) {
    if let Ok(feedback) = bodies::feedback(data) {
        assert!(feedback.details.len() <= 200);
        let said = Said::read(&feedback.details);
        assert!([said.why(), said.progress(feedback.execution)].iter().all(|text| text.chars().count() <= 500));
    }
    if let Ok((mode, attributes)) = bodies::attributes(data) {
        let now = chrono::DateTime::UNIX_EPOCH;
        if let Ok(state) = report::merged(&ServerState::default(), mode, attributes, now) {
            assert!(state.inventory.len() <= report::ATTRIBUTES_MAX);
            let kept = serde_json::to_string(&state).expect("it is kept");
            assert_eq!(serde_json::from_str::<ServerState>(&kept).expect("and read again"), state);
        }
    }
    if let Ok(handed) = serde_json::from_slice::<DeploymentBase>(data)
        && let Ok(order) = order::read(&handed)
    {
        for part in &order.parts {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(part.manifest.chars().all(plain) && part.product.chars().all(plain), "{part:?}");
        }
        assert!(order.slot.is_none_or(|slot| slot.start < slot.end));
    }
}
