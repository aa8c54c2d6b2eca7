//! Where the agent gets releases it can believe: the publishers' signed metadata, checked by the agent itself.

use super::AgentError;
use crate::edge::agent_file::{AgentConfig, is_product_name};
use crate::edge::ddi_client::{self, messages::Enrolled};
use crate::edge::mirror::Mirror;
use crate::model::manifest::SignedManifest;
use async_trait::async_trait;
use base64::Engine;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

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

/// The orchestrator's mirrors of the publishers' feeds, one per pinned root.
pub struct Mirrors {
    by_publisher: BTreeMap<String, Mirror>,
}

impl Mirrors {
    /// Mirrors of every publisher whose root came with the enrolment.
    pub fn new(config: &AgentConfig, enrolled: &Enrolled) -> Result<Mirrors, AgentError> {
        let http = ddi_client::http_client(Some(&format!("TargetToken {}", enrolled.token)))?;
        let mut by_publisher = BTreeMap::new();
        for (publisher, root) in &enrolled.roots {
            if !is_product_name(publisher) {
                return Err(AgentError::Root { publisher: publisher.clone() });
            }
            let pinned = base64::engine::general_purpose::STANDARD.decode(root);
            let pinned = pinned.map_err(|_| AgentError::Root { publisher: publisher.clone() })?;
            let base = config.server.join(&format!("api/v1/feeds/{publisher}/"));
            let base = base.map_err(|_| AgentError::Root { publisher: publisher.clone() })?;
            let store_dir = config.state_dir.join("tuf").join(publisher);
            by_publisher.insert(publisher.clone(), Mirror::new(http.clone(), base, pinned, &store_dir));
        }
        Ok(Mirrors { by_publisher })
    }
}

#[async_trait]
impl ReleaseSource for Mirrors {
    async fn manifest(&self, publisher: &str, target: &str, now: DateTime<Utc>) -> Result<Trusted, SourceError> {
        let publisher = publisher.to_owned();
        let Some(mirror) = self.by_publisher.get(&publisher) else {
            let why = "no root of this publisher was pinned at enrolment".to_owned();
            return Err(SourceError::Refused { publisher, why });
        };
        match mirror.manifest(target, now).await {
            Ok(mirrored) => Ok(Trusted { signed: mirrored.signed, retracted: mirrored.retracted }),
            Err(error) if error.is_passing() => Err(SourceError::Unreachable { publisher, why: error.to_string() }),
            Err(error) => Err(SourceError::Refused { publisher, why: error.to_string() }),
        }
    }
}
