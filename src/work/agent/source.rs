//! Where the agent gets releases it can believe: the publishers' signed metadata, checked by the agent itself.

use crate::model::manifest::SignedManifest;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A manifest that the publisher's metadata vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct Trusted {
    pub signed: SignedManifest,
    /// The publisher's reason, when it withdrew the release.
    pub retracted: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Worth another try.
    #[error("cannot reach the feed of {publisher}: {why}")]
    Unreachable { publisher: String, why: String },
    /// The metadata or what it names is not what the publisher signed; trying again does not help.
    #[error("the feed of {publisher} is refused: {why}")]
    Refused { publisher: String, why: String },
}

/// Fetches and verifies manifests; the real one is TUF from the root pinned at enrolment.
#[async_trait]
pub trait ReleaseSource: Send + Sync {
    /// The manifest that is TUF target `target` of `publisher`, verified as of `now`.
    async fn manifest(&self, publisher: &str, target: &str, now: DateTime<Utc>) -> Result<Trusted, SourceError>;
}
