//! How long a release takes: its publisher's estimate, until enough installations have shown better.
//!
//! A release's own observations replace the estimate (their 95th percentile). Those of its product's earlier releases
//! only ever lengthen it: that a product's small updates are quick says nothing of the next one.

use super::terms::Terms;
use crate::model::release::Release;
use crate::model::version::Version;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Minutes until an agent has asked for what may start: it polls within half a minute of its start
/// (`decide::handout::pause`), and each minute while it waits.
pub(super) const ASKING_MINUTES: i64 = 1;

/// Share of the observations that a learned duration covers, in percent.
const PERCENTILE: usize = 95;

/// What installations took, by product and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations(BTreeMap<String, Product>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Product {
    all: Learned,
    releases: BTreeMap<Version, Learned>,
}

/// So many observations, and the minutes that 95 of a hundred needed at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Learned {
    count: u32,
    p95_minutes: u32,
}

/// Where a duration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The manifest's estimate.
    Estimate,
    /// So many installations of this release.
    Observed(u32),
    /// So many installations of this product, which took longer than the estimate.
    Product(u32),
}

impl Durations {
    /// Learns from observations: product, version, whole minutes an installation took.
    pub fn learn<'o>(observed: impl IntoIterator<Item = (&'o str, &'o Version, u32)>) -> Durations {
        let mut minutes: BTreeMap<&str, BTreeMap<&Version, Vec<u32>>> = BTreeMap::new();
        for (product, version, took) in observed {
            minutes.entry(product).or_default().entry(version).or_default().push(took);
        }
        let product = |releases: BTreeMap<&Version, Vec<u32>>| Product {
            all: Learned::of(releases.values().flatten().copied().collect()),
            releases: releases.into_iter().map(|(version, all)| (version.clone(), Learned::of(all))).collect(),
        };
        Durations(minutes.into_iter().map(|(name, releases)| (name.to_owned(), product(releases))).collect())
    }

    /// Minutes the installation of `release` itself needs, and how that is known.
    pub fn minutes(&self, terms: &Terms, release: &Release) -> (u32, Source) {
        let estimate = release.manifest().duration_minutes;
        let Some(product) = self.0.get(release.product()) else { return (estimate, Source::Estimate) };
        let enough = terms.schedule.rollout.durations_min.max(1);
        match product.releases.get(release.version()) {
            Some(own) if own.count >= enough => (own.p95_minutes, Source::Observed(own.count)),
            Some(_) | None if product.all.count >= enough && product.all.p95_minutes > estimate => {
                (product.all.p95_minutes, Source::Product(product.all.count))
            }
            Some(_) | None => (estimate, Source::Estimate),
        }
    }

    /// Time that is kept for a release inside its slot: what it takes, and until its agent has asked for it. What fills a
    /// slot to the minute would be planned into it and never start.
    pub fn need(&self, terms: &Terms, release: &Release) -> TimeDelta {
        self.takes(terms, release) + TimeDelta::minutes(ASKING_MINUTES)
    }

    /// Time a release takes once it is handed out: the copy made before, installing it and, should that fail, putting
    /// the old version back.
    pub fn takes(&self, terms: &Terms, release: &Release) -> TimeDelta {
        let (install, _) = self.minutes(terms, release);
        let minutes = u64::from(install)
            + u64::from(release.manifest().rollback_minutes)
            + u64::from(terms.schedule.backup.reserve_minutes);
        TimeDelta::minutes(i64::try_from(minutes).unwrap_or(i64::from(u32::MAX)))
    }
}

impl Learned {
    fn of(mut minutes: Vec<u32>) -> Learned {
        minutes.sort_unstable();
        // Nearest rank, rounded up: of ten observations the largest, of forty the 38th.
        let rank = (minutes.len() * PERCENTILE).div_ceil(100);
        Learned {
            count: u32::try_from(minutes.len()).unwrap_or(u32::MAX),
            p95_minutes: rank.checked_sub(1).map_or(0, |i| minutes[i]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planner::tests::{manifest, release, terms};
    use super::*;
    use crate::model::version::Change;

    fn learned(version: &str, minutes: impl IntoIterator<Item = u32>) -> Durations {
        let version = version.parse().unwrap();
        Durations::learn(minutes.into_iter().map(|m| ("isacompta", &version, m)))
    }

    #[test]
    fn enough_observations_replace_the_estimate() {
        // The contract's schedule asks for ten; the manifest says 30 minutes.
        let release = release(manifest("isacompta", "14.20.003", Change::Minor), "2026-04-29 17:00");
        let minutes = |d: &Durations| d.minutes(terms(), &release);
        assert_eq!(minutes(&Durations::default()), (30, Source::Estimate));
        assert_eq!(minutes(&learned("14.20.003", [5; 9])), (30, Source::Estimate));
        assert_eq!(minutes(&learned("14.20.003", [5; 10])), (5, Source::Observed(10)));
        assert_eq!(minutes(&learned("14.20.003", 1..=40)), (38, Source::Observed(40)));
        // Another release of the product may lengthen it, never shorten it.
        assert_eq!(minutes(&learned("14.20.002", [5; 10])), (30, Source::Estimate));
        assert_eq!(minutes(&learned("14.20.002", [45; 9])), (30, Source::Estimate));
        assert_eq!(minutes(&learned("14.20.002", [45; 10])), (45, Source::Product(10)));
        // Copy (10) and way back (15) are added.
        assert_eq!(learned("14.20.003", [5; 10]).takes(terms(), &release), TimeDelta::minutes(30));
        // And a minute until its agent has asked for it.
        assert_eq!(learned("14.20.003", [5; 10]).need(terms(), &release), TimeDelta::minutes(31));
    }
}
