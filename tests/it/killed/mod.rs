//! The real binary, ended by SIGKILL at journal steps and at random instants, started again, and looked at.
//!
//! No instant is waited for: a life is watched through its journal, its log or what the other side heard, and killed
//! when that has come far enough. What is random comes from [`seed`], which every failure prints.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

mod agent;
mod ground;
mod post;
mod reboot;
mod serve;
mod service;

use std::path::Path;

/// The seed of all that is random here: fixed, or what `NOCTULE_TEST_SEED` says.
fn seed() -> u64 {
    std::env::var("NOCTULE_TEST_SEED").ok().map_or(20_260_429, |text| text.parse().expect("the seed is a number"))
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Waits until nothing runs any more whose command line names `dir`: commands that a killed agent had begun end by
/// themselves, and the next life is not to be judged by them.
fn orphans_end(dir: &Path) {
    let name = dir.file_name().unwrap().as_encoded_bytes();
    let mentions = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.windows(name.len()).any(|part| part == name)
    };
    while std::fs::read_dir("/proc").is_ok_and(|all| all.flatten().any(mentions)) {
        std::thread::yield_now();
    }
}
