//! What the checker is told: the facts of one server at one instant, as nouns.

use super::finding::Findings;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Server};
use crate::model::hold::Hold;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The facts of one server. What concerns other clients or servers may be in it and is not used.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub now: DateTime<Utc>,
    pub client: &'a Client,
    pub server: &'a Server,
    pub state: &'a ServerState,
    /// Every known release by product, oldest version first, retracted ones included.
    pub releases: &'a BTreeMap<String, Vec<Arc<Release>>>,
    pub requests: &'a [Request],
    pub agreements: &'a [Agreement],
    pub holds: &'a [Hold],
    /// This server's, closed ones included.
    pub deployments: &'a [Deployment],
    /// How far a release has come in the whole fleet.
    pub spread: &'a dyn Fn(&Release) -> Spread,
    /// Minutes the installation of a release takes: learned, or its publisher's estimate ([`Scene::estimate`]).
    pub minutes: &'a dyn Fn(&Release) -> u32,
}

/// How far one release has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Canary servers that are to take it first.
    pub canaries: u32,
    /// Those of them that have it and run well.
    pub canaries_settled: u32,
    /// Servers it was tried on, since staff last let it go on.
    pub tried: u32,
    /// Those of them on which it failed.
    pub failed: u32,
}

impl<'a> Scene<'a> {
    /// The publisher's estimate, for [`Scene::minutes`] where nothing was learned.
    pub fn estimate(release: &Release) -> u32 {
        release.manifest().duration_minutes
    }

    pub(super) fn findings(&self) -> Findings<'a> {
        Findings { client: &self.client.id, server: &self.server.id, found: Vec::new() }
    }

    pub(super) fn releases_of(&self, product: &str) -> &'a [Arc<Release>] {
        self.releases.get(product).map_or(&[], Vec::as_slice)
    }

    pub(super) fn release(&self, product: &str, version: &Version) -> Option<&'a Release> {
        let releases = self.releases_of(product);
        let at = releases.binary_search_by(|release| release.version().cmp(version)).ok()?;
        Some(&releases[at])
    }

    /// Whether what the server runs is at least `version` of the product.
    pub(super) fn runs(&self, product: &str, version: &Version) -> bool {
        self.state.inventory.get(product).is_some_and(|installed| installed >= version)
    }

    /// How much installing `release` changes here: a minor that crosses a major boundary is a major.
    pub(super) fn change(&self, release: &Release, installed: Option<&Version>) -> Change {
        let manifest = release.manifest();
        let Some(installed) = installed else { return manifest.change };
        let numbers_say_major = manifest.version.change_from(installed, manifest.scheme) == Some(Change::Major);
        let releases = self.releases_of(&manifest.product);
        let above = releases.partition_point(|known| known.version() <= installed);
        let crosses = |known: &&Arc<Release>| known.version() <= &manifest.version;
        let is_major =
            |known: &Arc<Release>| known.manifest().change == Change::Major && known.published_at() <= self.now;
        if manifest.change == Change::Major
            || numbers_say_major
            || releases[above..].iter().take_while(crosses).any(is_major)
        {
            Change::Major
        } else {
            Change::Minor
        }
    }

    /// Agreements of this client that were made by now.
    pub(super) fn agreed(&self) -> impl Iterator<Item = &'a Agreed> {
        let (client, now) = (&self.client.id, self.now);
        self.agreements.iter().filter(move |made| made.client == *client && made.at <= now).map(|made| &made.agreed)
    }

    /// Whether the client's contact agreed to do the product in a slot that holds this one.
    pub(super) fn agreed_slot(&self, product: &str, slot: Slot) -> bool {
        self.agreed().any(|agreed| match agreed {
            Agreed::Slot { server, product: of, slot: open } => {
                *server == self.server.id && of == product && open.start <= slot.start && slot.end <= open.end
            }
            Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => false,
        })
    }

    /// Attempts of this release on this server that failed.
    pub(super) fn failures(&self, product: &str, version: &Version) -> usize {
        let failed = |deployment: &&Deployment| match deployment.state {
            DeploymentState::Failed { .. } | DeploymentState::RolledBack { .. } | DeploymentState::Refused { .. } => {
                true
            }
            DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Installed { .. }
            | DeploymentState::Cancelled { .. } => false,
        };
        self.own_deployments().filter(|d| d.product == product && d.to == *version).filter(failed).count()
    }

    pub(super) fn own_deployments(&self) -> impl Iterator<Item = &'a Deployment> {
        let server = &self.server.id;
        self.deployments.iter().filter(move |deployment| deployment.server == *server)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (&'a Deployment, DateTime<Utc>)> {
        self.own_deployments().filter_map(|deployment| match deployment.state {
            DeploymentState::Running { started_at } => Some((deployment, started_at)),
            DeploymentState::Planned
            | DeploymentState::Installed { .. }
            | DeploymentState::RolledBack { .. }
            | DeploymentState::Refused { .. }
            | DeploymentState::Failed { .. }
            | DeploymentState::Cancelled { .. } => None,
        })
    }
}
