//! Which releases can be installed over what is there: scope of change, stepping stones, retractions, failures.

use super::Facts;
use super::because::Because;
use crate::model::deployment::Deployment;
use crate::model::release::Release;
use crate::model::version::{Change, Version};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the catalog offers one product on one server.
#[derive(Default)]
pub(super) struct Reach<'a> {
    /// Minors that can be installed directly now, newest first.
    pub minors: Vec<&'a Arc<Release>>,
    /// All minors newer than what is installed, oldest first, whether something leads to them or not.
    pub outstanding: Vec<&'a Arc<Release>>,
    /// Majors newer than what is installed, newest first.
    pub majors: Vec<&'a Arc<Release>>,
    /// The newest minor, where nothing leads to it.
    pub stranded: Option<&'a Arc<Release>>,
    /// What was looked at and left aside, and that the product is up to date where nothing is left.
    pub reasons: Vec<Because<'a>>,
}

pub(super) fn look<'a>(facts: &Facts<'a>, product: &str, installed: &'a Version) -> Reach<'a> {
    let (here, newer) = around(facts, product, installed);
    let withdrawn = here.filter(|r| r.retracted.is_some());
    if newer.is_empty() && withdrawn.is_none() {
        return Reach { reasons: vec![Because::UpToDate], ..Reach::default() };
    }
    let mut reach = Reach::default();
    if let Some(release) = withdrawn {
        reach.reasons.push(Because::InstalledRetracted(release));
    }
    // Whatever comes after a major lies across its boundary, whatever it calls itself.
    let mut crossed = false;
    for release in newer.iter().filter(|r| r.published_at() <= facts.now) {
        crossed |= release.manifest().change == Change::Major;
        if release.retracted.is_some() {
            reach.reasons.push(Because::Retracted(release));
            continue;
        }
        let change = if crossed { Change::Major } else { effective_change(release, installed) };
        match change {
            Change::Minor => reach.outstanding.push(release),
            Change::Major => {
                if release.manifest().change == Change::Minor {
                    reach.reasons.push(Because::NumbersSayMajor(release));
                }
                reach.majors.push(release);
            }
        }
    }
    let newest = reach.outstanding.last().copied();
    reach.minors = first_hops(installed, &reach.outstanding, &mut reach.reasons);
    reach.stranded = newest.filter(|_| reach.minors.is_empty());
    reach.majors.reverse();
    if reach.minors.is_empty() && reach.majors.is_empty() && reach.stranded.is_none() {
        reach.reasons.push(Because::UpToDate);
    }
    reach
}

/// What is installed, where it is a known release, and all that are newer, oldest first.
fn around<'a>(facts: &Facts<'a>, product: &str, installed: &Version) -> (Option<&'a Arc<Release>>, &'a [Arc<Release>]) {
    let all = facts.catalog.get(product).map_or(&[][..], Vec::as_slice);
    let (known, newer) = all.split_at(all.partition_point(|r| r.version() <= installed));
    (known.last().filter(|r| r.version() == installed), newer)
}

/// What is installed, where its publisher withdrew it.
pub(super) fn withdrawn<'a>(facts: &Facts<'a>, product: &str, installed: &Version) -> Option<&'a Release> {
    around(facts, product, installed).0.map(|r| &**r).filter(|r| r.retracted.is_some())
}

/// The releases that are newer than what is installed, are out and were not withdrawn, of whichever size; oldest first.
pub(super) fn outstanding<'a>(
    facts: &Facts<'a>,
    product: &str,
    installed: &Version,
) -> impl Iterator<Item = &'a Arc<Release>> + Clone + use<'a> {
    let now = facts.now;
    let (_, newer) = around(facts, product, installed);
    newer.iter().filter(move |r| r.retracted.is_none() && r.published_at() <= now)
}

/// The manifest says how large a change is and the numbers cross-check it: where either says major, it is one
/// (`major-on-request`: "a minor that would cross a major boundary is a major").
pub(super) fn effective_change(release: &Release, installed: &Version) -> Change {
    let manifest = release.manifest();
    match manifest.version.change_from(installed, manifest.scheme) {
        Some(Change::Major) => Change::Major,
        Some(Change::Minor) | None => manifest.change,
    }
}

/// Whether the release may be put over `installed` without a stepping stone.
pub(super) fn is_direct(release: &Release, installed: &Version) -> bool {
    release.manifest().upgrade_from.as_ref().is_none_or(|oldest| installed >= oldest)
}

/// The releases that can be installed now, newest first: those that go directly, and for a newest one that does
/// not, the first stone of the shortest path to it.
fn first_hops<'a>(
    installed: &'a Version,
    minors: &[&'a Arc<Release>],
    reasons: &mut Vec<Because<'a>>,
) -> Vec<&'a Arc<Release>> {
    let Some(newest) = minors.last() else { return Vec::new() };
    let direct = || minors.iter().rev().filter(|r| is_direct(r, installed)).copied();
    if is_direct(newest, installed) {
        return direct().collect();
    }
    match shortest_path(installed, newest, minors) {
        Some(first) => {
            reasons.push(Because::SteppingStone(newest, first));
            std::iter::once(first).chain(direct().filter(|r| r.version() < first.version())).collect()
        }
        None => {
            reasons.push(Because::NoPath(newest));
            direct().collect()
        }
    }
}

/// Breadth-first over "may be installed over": the first release of a shortest path to `goal`.
pub(super) fn shortest_path<'a>(
    installed: &'a Version,
    goal: &Release,
    releases: &[&'a Arc<Release>],
) -> Option<&'a Arc<Release>> {
    let mut first_of: BTreeMap<&Version, &'a Arc<Release>> = BTreeMap::new();
    let mut queue: VecDeque<(&Version, Option<&'a Arc<Release>>)> = VecDeque::from([(installed, None)]);
    while let Some((at, first)) = queue.pop_front() {
        for next in releases.iter().rev().filter(|r| r.version() > at && is_direct(r, at)) {
            let first = first.unwrap_or(next);
            if next.version() == goal.version() {
                return Some(first);
            }
            if !first_of.contains_key(next.version()) {
                first_of.insert(next.version(), first);
                queue.push_back((next.version(), Some(first)));
            }
        }
    }
    None
}

/// This server's earlier tries of one release that did not end well, oldest first.
pub(super) fn failures<'a, 'r>(
    facts: &Facts<'a>,
    release: &'r Release,
) -> impl DoubleEndedIterator<Item = &'a Deployment> + use<'a, 'r> {
    let (product, version) = (release.product(), release.version());
    facts.deployments.iter().filter(move |d| d.state.is_missed() && d.product == product && d.to == *version)
}
