//! What the fuzzer was given and what it found, replayed through the same laws: `fuzz/corpus`, one folder a law.
//! What a reader once stumbled over stays there.

#[path = "../../fuzz/laws.rs"]
mod laws;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Every file of a corpus, through its law. Too few files mean that they got lost.
fn replay(name: &str, law: fn(&[u8]), files_min: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= files_min, "{} holds {} files", folder.display(), paths.len());
    let broken = paths.iter().filter(|path| {
        let bytes = std::fs::read(path).unwrap();
        catch_unwind(AssertUnwindSafe(|| law(&bytes))).is_err()
    });
    let broken: Vec<_> = broken.collect();
    assert!(broken.is_empty(), "the law of {name} is broken by {broken:?}");
}

#[test]
fn packages_of_any_bytes_keep_the_law() {
    replay("zip", laws::zip, 300);
}

#[test]
fn manifests_of_any_bytes_keep_the_law() {
    replay("manifest", laws::manifest, 700);
}

#[test]
fn bodies_of_any_bytes_keep_the_law() {
    replay("protocol", laws::protocol, 800);
}
