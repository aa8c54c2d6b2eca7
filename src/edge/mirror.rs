//! A publisher's feed as an agent sees it: the orchestrator's mirror, believed only as far as TUF goes.
//!
//! The mirror serves `metadata/{file}` and `targets/{file}` below `api/v1/feeds/{publisher}/`. Metadata is
//! verified from the root pinned at enrolment; what was verified last is kept, so that a mirror cannot go back
//! in time. A store that cannot keep it fails the refresh: forgetting would lose that protection. Packages are
//! not fetched here: they are streamed and compared with what [`Mirror::manifest`] vouches for.

use super::tuf_http::HttpRepository;
use crate::model::manifest::SignedManifest;
use chrono::{DateTime, Utc};
use sigstore_tuf::{Error as TufError, FileStore, MetadataStore, Updater, UpdaterConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;

/// Largest manifest target, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error("the mirrored metadata cannot be fetched: {0}")]
    Unreachable(String),
    #[error("the verified metadata cannot be kept in {}", .0.display())]
    Store(PathBuf),
    #[error("the metadata is not what the publisher signed: {0}")]
    Refused(String),
    #[error("{target} is not a release manifest: {source}")]
    Manifest { target: String, source: serde_json::Error },
    #[error("{target} is not a target of this publisher")]
    Unknown { target: String },
    #[error("{manifest} and the publisher's metadata disagree on the package {package}")]
    Package { manifest: String, package: String },
}

impl MirrorError {
    /// Whether trying again may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, MirrorError::Unreachable(_) | MirrorError::Store(_))
    }
}

/// A manifest the publisher's metadata vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct MirroredManifest {
    pub signed: SignedManifest,
    /// The reason, when the publisher withdrew the release.
    pub retracted: Option<String>,
}

/// One publisher's mirror.
#[derive(Clone)]
pub struct Mirror {
    http: reqwest::Client,
    /// Ends with a slash.
    base: Url,
    root: Vec<u8>,
    store_dir: PathBuf,
}

impl Mirror {
    /// `http` carries the authorization; `root` is the root metadata pinned at enrolment.
    pub fn new(http: reqwest::Client, base: Url, root: Vec<u8>, store_dir: &Path) -> Mirror {
        Mirror { http, base, root, store_dir: store_dir.to_path_buf() }
    }

    /// Refreshes the metadata and returns the manifest that is TUF target `target`, verified as of `now`.
    pub async fn manifest(&self, target: &str, now: DateTime<Utc>) -> Result<MirroredManifest, MirrorError> {
        let now = jiff::Timestamp::from_millisecond(now.timestamp_millis())
            .map_err(|e| MirrorError::Refused(e.to_string()))?;
        let store = CountedStore { files: FileStore::new(&self.store_dir), failed: Arc::default() };
        let failed = Arc::clone(&store.failed);
        let mut config = UpdaterConfig::default();
        config.target_max_length = MANIFEST_BYTES_MAX;
        // No delegations: one visit is the top-level role.
        config.max_delegations = 1;
        let repository = HttpRepository::new(self.http.clone(), self.base.as_str())
            .map_err(|e| MirrorError::Refused(e.to_string()))?;
        let mut updater = Updater::new(repository, &self.root).map_err(judge)?.with_config(config).with_store(store);
        updater.refresh(now).await.map_err(judge)?;
        if failed.load(Ordering::SeqCst) {
            return Err(MirrorError::Store(self.store_dir.clone()));
        }
        let unknown = || MirrorError::Unknown { target: target.to_owned() };
        let info = updater.get_target_info(target, now).await.map_err(judge)?.ok_or_else(unknown)?;
        let bytes = updater.download_target(&info, target).await.map_err(judge)?;
        let signed: SignedManifest = serde_json::from_slice(&bytes)
            .map_err(|source| MirrorError::Manifest { target: target.to_owned(), source })?;
        let package = &signed.manifest.package.file;
        let vouched = updater.get_target_info(package, now).await.map_err(judge)?;
        if vouched.is_none_or(|v| v.length != signed.size || v.hashes.get("sha256") != Some(&signed.sha256)) {
            return Err(MirrorError::Package { manifest: target.to_owned(), package: package.clone() });
        }
        let retracted = info.custom.as_ref().and_then(|c| c.pointer("/noctule/retracted")).map(|retraction| {
            retraction.get("reason").and_then(|reason| reason.as_str()).unwrap_or("no reason given").to_owned()
        });
        Ok(MirroredManifest { signed, retracted })
    }
}

/// What a failure means: a broken line passes, anything else is a refusal.
fn judge(error: TufError) -> MirrorError {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    match error {
        TufError::Transport { .. } | TufError::Io { .. } => MirrorError::Unreachable(told),
        _ => MirrorError::Refused(told),
    }
}

/// A file store that remembers that something could not be kept; the client only logs it.
struct CountedStore {
    files: FileStore,
    failed: Arc<AtomicBool>,
}

impl MetadataStore for CountedStore {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, TufError> {
        self.files.load(name).inspect_err(|_| self.failed.store(true, Ordering::SeqCst))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        self.files.store(name, bytes).inspect_err(|_| self.failed.store(true, Ordering::SeqCst))
    }
}
