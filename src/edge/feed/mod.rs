//! A publisher's feed as the orchestrator sees it: a TUF repository behind HTTP, believed only as far as TUF goes.
//!
//! A refresh starts from the pinned root and the files mirrored before, verifies everything anew, and hands back what
//! has to be kept: nothing is written here, so that the caller can commit metadata, manifests and releases together.
//! Packages are not fetched here: they are streamed and compared with what the manifest vouches for.

mod shelf;

pub use super::tuf_http::HttpRepository;

use super::store::FeedFile;
use super::tuf_http::NotAnAddress;
use crate::model::feed::Role;
use crate::model::manifest::SignedManifest;
use crate::model::release::Retraction;
use chrono::{DateTime, Utc};
use shelf::Shelf;
use sigstore_tuf::{Error as TufError, TargetFile, Updater, UpdaterConfig};
use std::collections::BTreeMap;

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
    /// Names of targets that are no releases of ours or could not be had, with the reason; they stop nothing else.
    pub unusable: Vec<(String, FeedError)>,
    /// Mirrored files that are new or changed.
    pub files: Vec<FeedFile>,
    /// Until when each role's metadata is good.
    pub expires: BTreeMap<Role, DateTime<Utc>>,
}

/// Where a feed is and what its chain of trust starts from.
pub struct Source<'a> {
    pub publisher: &'a str,
    pub url: &'a str,
    pub root: &'a [u8],
}

/// A refresh that failed, and what it nevertheless proved.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    pub error: FeedError,
    /// Roots that are newer than those known: they are in force whatever came after them (TUF 5.3.8).
    pub roots: Vec<FeedFile>,
}

impl From<NotAnAddress> for FeedError {
    fn from(error: NotAnAddress) -> FeedError {
        FeedError::Refused(error.to_string())
    }
}

impl From<FeedError> for Failed {
    fn from(error: FeedError) -> Failed {
        Failed { error, roots: Vec::new() }
    }
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
) -> Result<Refreshed, Failed> {
    let repository = HttpRepository::new(http.clone(), source.url).map_err(FeedError::from)?;
    let mut config = UpdaterConfig::default();
    config.target_max_length = MANIFEST_BYTES_MAX;
    // No delegations: one visit is the top-level role.
    config.max_delegations = 1;
    let mut session = Session::open(repository, source.root, Shelf::of(known), config)?;
    if let Err(error) = session.refresh(now).await {
        let mut roots = session.shelf.news(source.publisher);
        roots.retain(|file| file.name.ends_with(".root.json"));
        return Err(Failed { error, roots });
    }
    let expires = session.expires();
    let Session { updater, shelf, .. } = session;
    let targets: BTreeMap<String, TargetFile> =
        updater.trusted().targets_role("targets").map(|role| role.targets.clone()).unwrap_or_default();
    if targets.len() > RELEASES_MAX * 2 {
        return Err(FeedError::Refused(format!("{} targets, at most {}", targets.len(), RELEASES_MAX * 2)).into());
    }
    let mut refreshed = Refreshed { expires, ..Refreshed::default() };
    for (name, target) in &targets {
        let Some(custom) = target.custom.as_ref().and_then(|c| c.get("noctule")) else { continue };
        if custom.get("kind").and_then(|k| k.as_str()) != Some("manifest") {
            continue;
        }
        let file = format!("{}.{name}", target.hashes.get("sha256").map_or("", String::as_str));
        let bytes = match shelf.target(&file) {
            Some(bytes) if verified(&bytes, target) => bytes,
            Some(_) | None => match updater.download_target(target, name).await {
                Ok(bytes) => bytes,
                // One missing manifest holds up neither the others nor a retraction.
                Err(error) => {
                    refreshed.unusable.push((name.clone(), judge(error)));
                    continue;
                }
            },
        };
        match listed(source.publisher, name, &bytes, custom, &targets) {
            Ok(release) => refreshed.releases.push(Verified(release)),
            Err(why) => refreshed.unusable.push((name.clone(), FeedError::Refused(why))),
        }
        shelf.keep_target(&file, bytes);
    }
    refreshed.files = shelf.news(source.publisher);
    Ok(refreshed)
}

/// One client of one repository: the TUF workflow on files in memory. What it verified stays in memory until the caller
/// has written it; forgetting it would lose the protection against rollback.
pub struct Session {
    updater: Updater,
    shelf: Shelf,
}

impl Session {
    /// Starts from a root and from `known` metadata by name (`timestamp.json`, `2.root.json`, …).
    pub fn start(
        repository: HttpRepository,
        root: &[u8],
        known: BTreeMap<String, Vec<u8>>,
    ) -> Result<Session, FeedError> {
        Session::open(repository, root, Shelf::named(known), UpdaterConfig::default())
    }

    fn open(
        repository: HttpRepository,
        root: &[u8],
        shelf: Shelf,
        config: UpdaterConfig,
    ) -> Result<Session, FeedError> {
        let updater = Updater::new(repository, root).map_err(judge)?;
        // Agents start from the root they pinned, so the mirror serves the whole chain from the first.
        shelf.keep_root(updater.trusted().root().version, root);
        Ok(Session { updater: updater.with_config(config).with_store(shelf.clone()), shelf })
    }

    /// Brings the metadata up to date as of `now`: root, timestamp, snapshot, targets.
    pub async fn refresh(&mut self, now: DateTime<Utc>) -> Result<(), FeedError> {
        self.updater.refresh(instant(now)?).await.map_err(judge)?;
        let trusted = self.updater.trusted();
        let versions = trusted.snapshot().map(|s| s.version).zip(trusted.targets_role("targets").map(|t| t.version));
        if let Some((snapshot, targets)) = versions.filter(|_| trusted.root().consistent_snapshot) {
            self.shelf.name_versions([("snapshot", snapshot), ("targets", targets)]);
        }
        Ok(())
    }

    /// Until when what was verified is good, by role.
    fn expires(&self) -> BTreeMap<Role, DateTime<Utc>> {
        let trusted = self.updater.trusted();
        let found = [
            (Role::Root, Some(trusted.root().expires)),
            (Role::Targets, trusted.targets_role("targets").map(|targets| targets.expires)),
            (Role::Snapshot, trusted.snapshot().map(|snapshot| snapshot.expires)),
            (Role::Timestamp, trusted.timestamp().map(|timestamp| timestamp.expires)),
        ];
        let instant = |at: jiff::Timestamp| DateTime::from_timestamp(at.as_second(), 0);
        found.into_iter().filter_map(|(role, at)| Some((role, at.and_then(instant)?))).collect()
    }

    /// The bytes of a target, verified as of `now`; `held` are bytes that the caller has, which spare the download when
    /// they are the ones. Requires a refresh.
    pub async fn target(
        &mut self,
        name: &str,
        held: Option<Vec<u8>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, FeedError> {
        let info = self.updater.get_target_info(name, instant(now)?).await.map_err(judge)?;
        let info = info.ok_or_else(|| FeedError::Refused(format!("{name} is no target of this repository")))?;
        match held.filter(|bytes| verified(bytes, &info)) {
            Some(bytes) => Ok(bytes),
            None => self.updater.download_target(&info, name).await.map_err(judge),
        }
    }

    /// The metadata verified so far, by name; also after a refresh that failed half-way.
    pub fn metadata(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.shelf.all().into_iter();
        files.filter_map(|(name, bytes)| Some((name.strip_prefix("metadata/")?.to_owned(), bytes))).collect()
    }
}

fn instant(now: DateTime<Utc>) -> Result<jiff::Timestamp, FeedError> {
    jiff::Timestamp::from_millisecond(now.timestamp_millis()).map_err(|e| FeedError::Refused(e.to_string()))
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
