//! How a release fares over the fleet: canaries first, and a failure budget at which it halts by itself.
//!
//! Staff resume a release; what failed before that no longer counts. Counting is the caller's, deciding is here.

use crate::model::release::Release;
use crate::model::schedule::RolloutTerms;
use crate::model::version::Version;
use std::collections::BTreeMap;

/// One release's way through the fleet, since it was last resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Canary servers on which it was installed.
    pub canaries_installed: u32,
    /// Canary servers on which an attempt failed or was rolled back, and that do not run it now.
    pub canaries_failed: u32,
    /// Servers of any ring on which it was installed.
    pub installed: u32,
    /// Servers of any ring on which an attempt failed, and that do not run it now.
    pub failed: u32,
}

/// Every release that somebody tried, by product and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout(BTreeMap<String, BTreeMap<Version, Progress>>);

/// Why a release halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It failed on as many servers as the budget allows at all.
    Failures,
    /// It failed on too large a share of the servers tried.
    Share,
}

impl Progress {
    /// Servers it was tried on.
    pub fn tried(&self) -> u32 {
        self.installed + self.failed
    }

    /// Whether the canaries stop a release for the broad ring: too large a share of those that tried it failed. In a
    /// small ring one failure is too many.
    pub fn canaries_stop(&self, terms: &RolloutTerms) -> bool {
        let tried = u64::from(self.canaries_installed) + u64::from(self.canaries_failed);
        self.canaries_failed > 0 && u64::from(self.canaries_failed) * 100 >= u64::from(terms.failures_percent) * tried
    }

    /// Whether the failure budget is used up. A share says something only once enough servers were tried.
    pub fn halt(&self, terms: &RolloutTerms) -> Option<Halt> {
        if self.failed >= terms.failures_max {
            return Some(Halt::Failures);
        }
        let share = u64::from(self.failed) * 100 >= u64::from(terms.failures_percent) * u64::from(self.tried());
        (self.failed > 0 && self.tried() >= terms.sample_min && share).then_some(Halt::Share)
    }
}

impl Rollout {
    pub fn of(&self, release: &Release) -> Progress {
        self.get(release.product(), release.version())
    }

    pub fn get(&self, product: &str, version: &Version) -> Progress {
        self.0.get(product).and_then(|versions| versions.get(version)).copied().unwrap_or_default()
    }

    /// The progress of one release, to count in.
    pub fn entry(&mut self, product: &str, version: &Version) -> &mut Progress {
        if !self.0.contains_key(product) {
            self.0.insert(product.to_owned(), BTreeMap::new());
        }
        let versions = self.0.get_mut(product).expect("it was just put there");
        versions.entry(version.clone()).or_default()
    }

    /// Every release that was tried.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Version, &Progress)> {
        self.0.iter().flat_map(|(product, all)| all.iter().map(move |(version, p)| (product.as_str(), version, p)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(failures_max: u32, failures_percent: u32, sample_min: u32) -> RolloutTerms {
        RolloutTerms {
            clause: "6.2.3".into(),
            failures_max,
            failures_percent,
            sample_min,
            line_installs_max: 2,
            splay_minutes: 0,
            durations_min: 10,
        }
    }

    #[test]
    fn one_failure_stops_a_small_canary_ring_and_not_a_large_one() {
        let terms = terms(25, 10, 10);
        for (canaries_installed, canaries_failed, stops) in
            [(0, 0, false), (50, 0, false), (0, 1, true), (9, 1, true), (10, 1, false), (18, 2, true), (19, 2, false)]
        {
            let progress = Progress { canaries_installed, canaries_failed, ..Progress::default() };
            assert_eq!(
                progress.canaries_stop(&terms),
                stops,
                "{canaries_installed} installed, {canaries_failed} failed"
            );
        }
    }

    #[test]
    fn the_budget_halts_at_its_bounds_and_not_before() {
        let terms = terms(25, 10, 10);
        for (installed, failed, expected) in [
            (0, 0, None),
            // Nine tried say nothing, ten do.
            (8, 1, None),
            (9, 1, Some(Halt::Share)),
            (0, 9, None),
            (0, 10, Some(Halt::Share)),
            // Just under a tenth, and a tenth.
            (10, 1, None),
            (18, 2, Some(Halt::Share)),
            (19, 2, None),
            // The absolute bound, whatever the share.
            (10_000, 24, None),
            (10_000, 25, Some(Halt::Failures)),
        ] {
            let progress = Progress { installed, failed, ..Progress::default() };
            assert_eq!(progress.halt(&terms), expected, "{installed} installed, {failed} failed");
        }
    }
}
