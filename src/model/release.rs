//! A release as the orchestrator knows it: a verified manifest and what became of it.

use super::manifest::{Manifest, SignedManifest};
use super::version::Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One version of one product, verified at intake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub signed: SignedManifest,
    /// When intake first saw it; never used as the publication date.
    pub seen_at: DateTime<Utc>,
    pub retracted: Option<Retraction>,
    /// Digests older protocol clients ask for, computed while mirroring; lower-case hex.
    pub sha1: String,
    pub md5: String,
}

/// A publisher's withdrawal of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retraction {
    pub at: DateTime<Utc>,
    pub reason: String,
}

/// Which release: publisher, product and version, ordered in that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseId {
    pub product: String,
    pub version: Version,
}

impl Release {
    pub fn id(&self) -> ReleaseId {
        ReleaseId { product: self.product().to_owned(), version: self.version().clone() }
    }

    pub fn manifest(&self) -> &Manifest {
        &self.signed.manifest
    }

    pub fn product(&self) -> &str {
        &self.signed.manifest.product
    }

    pub fn version(&self) -> &Version {
        &self.signed.manifest.version
    }

    pub fn published_at(&self) -> DateTime<Utc> {
        self.signed.published_at
    }
}

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.product, self.version)
    }
}
