//! Which releases can be installed over what is there: scope of change, stepping stones, retractions, failures.

use super::{Facts, words};
use crate::model::decision::Reason;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::release::Release;
use crate::model::version::{Change, Version};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the catalog offers one product on one server.
pub(super) struct Reach {
    /// Minors that can be installed directly now, newest first.
    pub minors: Vec<Arc<Release>>,
    /// Majors newer than what is installed, newest first.
    pub majors: Vec<Arc<Release>>,
    /// What was looked at and left aside, and that the product is up to date where nothing is left.
    pub reasons: Vec<Reason>,
}

pub(super) fn look(facts: &Facts, product: &str, installed: &Version) -> Reach {
    let mut reasons = Vec::new();
    let mut minors = Vec::new();
    let mut majors = Vec::new();
    let newer: Vec<&Arc<Release>> = releases(facts, product).filter(|r| r.version() > installed).collect();
    for release in &newer {
        if let Some(retraction) = &release.retracted {
            reasons.push(words::retracted(facts, release, retraction));
            continue;
        }
        match effective_change(release, installed) {
            Change::Minor => minors.push((*release).clone()),
            Change::Major => majors.push((*release).clone()),
        }
    }
    let minors = first_hops(installed, &minors, &mut reasons);
    if minors.is_empty() && majors.is_empty() {
        reasons.push(words::up_to_date(product, installed));
    }
    majors.reverse();
    Reach { minors, majors, reasons }
}

/// Published releases of one product, oldest version first.
pub(super) fn releases<'a>(facts: &'a Facts, product: &str) -> impl Iterator<Item = &'a Arc<Release>> {
    facts.catalog.get(product).into_iter().flatten().filter(|r| r.published_at() <= facts.now)
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
fn first_hops(installed: &Version, minors: &[Arc<Release>], reasons: &mut Vec<Reason>) -> Vec<Arc<Release>> {
    let Some(newest) = minors.last() else { return Vec::new() };
    let direct = || minors.iter().rev().filter(|r| is_direct(r, installed)).cloned();
    if is_direct(newest, installed) {
        return direct().collect();
    }
    match shortest_path(installed, newest, minors) {
        Some(first) => {
            reasons.push(words::stepping_stone(newest, first));
            std::iter::once(first.clone()).chain(direct().filter(|r| r.version() < first.version())).collect()
        }
        None => {
            reasons.push(words::no_path(newest, installed));
            direct().collect()
        }
    }
}

/// Breadth-first over "may be installed over": the first release of a shortest path to `goal`.
fn shortest_path<'a>(installed: &Version, goal: &Release, minors: &'a [Arc<Release>]) -> Option<&'a Arc<Release>> {
    let mut first_of: BTreeMap<&Version, &'a Arc<Release>> = BTreeMap::new();
    let mut queue: VecDeque<(&Version, Option<&'a Arc<Release>>)> = VecDeque::from([(installed, None)]);
    while let Some((at, first)) = queue.pop_front() {
        for next in minors.iter().rev().filter(|r| r.version() > at && is_direct(r, at)) {
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
pub(super) fn failures<'a>(facts: &'a Facts, release: &'a Release) -> impl DoubleEndedIterator<Item = &'a Deployment> {
    facts.deployments.iter().filter(move |d| {
        d.product == release.product()
            && d.to == *release.version()
            && matches!(d.state, DeploymentState::RolledBack { .. } | DeploymentState::Failed { .. })
    })
}
