//! A publisher's feed as the orchestrator sees it: a TUF repository behind HTTP, believed only as far as TUF goes.
//!
//! A refresh starts from the pinned root and the files mirrored before, verifies everything anew, and hands back what
//! has to be kept: nothing is written here, so that the caller can commit metadata, manifests and releases together.
//! Packages are not fetched here: they are streamed and compared with what the manifest vouches for.

mod repository;

pub use repository::HttpRepository;

use super::store::FeedFile;
use crate::model::manifest::SignedManifest;
use crate::model::release::Retraction;
use chrono::{DateTime, Utc};
use repository::Shelf;
use sigstore_tuf::{Error as TufError, TargetFile, Updater, UpdaterConfig};
use std::collections::BTreeMap;
use url::Url;

/// Largest manifest target, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Most releases one publisher may have.
pub const RELEASES_MAX: usize = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Worth another try.
    #[error("the feed cannot be fetched: {0}")]
    Unreachable(String),
    /// Trying again does not help: staff and publisher have to look.
    #[error("the feed is not what the publisher signed: {0}")]
    Refused(String),
}

/// A document that the publisher's signed metadata vouches for. Only a refresh makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub fn get(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

/// One release as the feed tells it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub signed: SignedManifest,
    pub retracted: Option<Retraction>,
    /// File name of the package below `targets/`, hash prefix included.
    pub package_file: String,
}

/// What a refresh found.
#[derive(Debug, Default)]
pub struct Refreshed {
    pub releases: Vec<Verified<Listed>>,
    /// Targets that are no releases of ours, with the reason; they stop nothing else.
    pub unusable: Vec<String>,
    /// Mirrored files that are new or changed.
    pub files: Vec<FeedFile>,
}

/// Where a feed is and what its chain of trust starts from.
pub struct Source<'a> {
    pub publisher: &'a str,
    pub url: &'a str,
    pub root: &'a [u8],
}

/// Refreshes a feed as of `now`. `known` are the files mirrored before; an unchanged feed costs two requests.
///
/// # Errors
/// [`FeedError::Unreachable`] when the network failed, [`FeedError::Refused`] when what came was not signed, expired,
/// rolled back or otherwise not what TUF (spec 1.0.34, section 5) accepts.
pub async fn refresh(
    http: &reqwest::Client,
    source: &Source<'_>,
    known: Vec<FeedFile>,
    now: DateTime<Utc>,
) -> Result<Refreshed, FeedError> {
    let at =
        jiff::Timestamp::from_millisecond(now.timestamp_millis()).map_err(|e| FeedError::Refused(e.to_string()))?;
    let base = base_url(source.url)?;
    let shelf = Shelf::of(known);
    let mut config = UpdaterConfig::default();
    config.target_max_length = MANIFEST_BYTES_MAX;
    // No delegations: one visit is the top-level role.
    config.max_delegations = 1;
    let mut updater = Updater::new(HttpRepository::new(http.clone(), base), source.root)
        .map_err(judge)?
        .with_config(config)
        .with_store(shelf.clone());
    // Agents start from the root they pinned, so the mirror serves the whole chain from the first.
    shelf.keep_root(updater.trusted().root().version, source.root);
    updater.refresh(at).await.map_err(judge)?;
    shelf.keep_targets_version(updater.trusted().targets_role("targets").map_or(0, |role| role.version));
    let targets: BTreeMap<String, TargetFile> =
        updater.trusted().targets_role("targets").map(|role| role.targets.clone()).unwrap_or_default();
    if targets.len() > RELEASES_MAX * 2 {
        return Err(FeedError::Refused(format!("{} targets, at most {}", targets.len(), RELEASES_MAX * 2)));
    }
    let mut refreshed = Refreshed::default();
    for (name, target) in &targets {
        let Some(custom) = target.custom.as_ref().and_then(|c| c.get("noctule")) else { continue };
        if custom.get("kind").and_then(|k| k.as_str()) != Some("manifest") {
            continue;
        }
        let file = format!("{}.{name}", target.hashes.get("sha256").map_or("", String::as_str));
        let bytes = match shelf.target(&file) {
            Some(bytes) if verified(&bytes, target) => bytes,
            Some(_) | None => updater.download_target(target, name).await.map_err(judge)?,
        };
        match listed(source.publisher, name, &bytes, custom, &targets) {
            Ok(release) => refreshed.releases.push(Verified(release)),
            Err(why) => refreshed.unusable.push(format!("{name}: {why}")),
        }
        shelf.keep_target(&file, bytes);
    }
    refreshed.files = shelf.news(source.publisher);
    Ok(refreshed)
}

fn base_url(url: &str) -> Result<Url, FeedError> {
    let slashed = if url.ends_with('/') { url.to_owned() } else { format!("{url}/") };
    Url::parse(&slashed).map_err(|e| FeedError::Refused(format!("{url} is not a URL: {e}")))
}

fn verified(bytes: &[u8], target: &TargetFile) -> bool {
    use sha2::{Digest, Sha256};
    bytes.len() as u64 == target.length
        && target.hashes.get("sha256").is_some_and(|hash| *hash == hex::encode(Sha256::digest(bytes)))
}

/// Reads a manifest target and compares it with the metadata around it.
fn listed(
    publisher: &str,
    name: &str,
    bytes: &[u8],
    custom: &serde_json::Value,
    targets: &BTreeMap<String, TargetFile>,
) -> Result<Listed, String> {
    let signed: SignedManifest = serde_json::from_slice(bytes).map_err(|e| format!("not a release manifest: {e}"))?;
    if signed.publisher != publisher {
        return Err(format!("signed for publisher {:?}", signed.publisher));
    }
    let manifest = &signed.manifest;
    if crate::model::manifest::target_name(&manifest.product, &manifest.version) != name {
        return Err(format!("it is about {} {}", manifest.product, manifest.version));
    }
    let package = &manifest.package.file;
    let vouched = targets.get(package).ok_or_else(|| format!("its package {package} is not a target"))?;
    if vouched.length != signed.size || vouched.hashes.get("sha256") != Some(&signed.sha256) {
        return Err(format!("it and the metadata disagree on the package {package}"));
    }
    let retracted = match custom.get("retracted") {
        None | Some(serde_json::Value::Null) => None,
        Some(value) => Some(serde_json::from_value(value.clone()).map_err(|e| format!("unreadable retraction: {e}"))?),
    };
    Ok(Listed { package_file: format!("{}.{package}", signed.sha256), signed, retracted })
}

/// What a failure means: a broken line passes, anything else is a refusal.
pub(super) fn judge(error: TufError) -> FeedError {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    match error {
        TufError::Transport { .. } | TufError::Io { .. } => FeedError::Unreachable(told),
        _ => FeedError::Refused(told),
    }
}
