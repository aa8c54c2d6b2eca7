//! Publishing: a publisher's TUF repository, made and kept in a folder that any web server can serve.
//!
//! ```text
//! DIR/root.json        the first root: what clients pin; hand it out by a safe way
//! DIR/publisher        the publisher's name
//! DIR/keys/            private keys, one file each; root keys may be kept elsewhere between rotations
//! DIR/repository/      metadata/ and targets/: serve this folder
//! ```
//!
//! No delegations, ed25519, consistent snapshots, target names of one segment. One writer at a time (a lock file);
//! every step can be cut short and repeated: the timestamp is written last. The editor of `tough` cannot sign a root or
//! a timestamp alone and reads the clock when it opens a repository, so its signed roles are used one by one.
//! Everything here is blocking file work.

mod files;
mod keys;
mod package;
mod repository;
mod sign;

pub use package::{Figures, check_package};

use super::host::archive::Verdicts;
use super::manifest_file::{self, ManifestError};
use crate::model::manifest::{SignedManifest, target_name};
use crate::model::release::Retraction;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use repository::Repository;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tough::TargetName;
use tough::schema::{Hashes, RoleType, Target, Targets};

/// Largest package, in bytes.
pub const PACKAGE_BYTES_MAX: u64 = 16 << 30;
/// Most root keys.
pub const ROOT_KEYS_MAX: u32 = 20;

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {bytes_max} bytes", path.display())]
    TooLarge { path: PathBuf, bytes_max: u64 },
    #[error("{} is not valid metadata: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("{} is no publisher's folder; make one with `noctule release init`", .0.display())]
    NoRepository(PathBuf),
    #[error("{} already holds files; choose a new folder", .0.display())]
    Exists(PathBuf),
    #[error("{} is in use by another release command; try again when it has ended", .0.display())]
    Locked(PathBuf),
    #[error("publisher name {0:?} is not one word of letters, digits, dots and dashes")]
    Name(String),
    #[error(
        "{keys} root keys cannot reach a threshold of {threshold}; give 1 to {ROOT_KEYS_MAX} keys and a threshold of at most as many"
    )]
    Threshold { keys: u32, threshold: u32 },
    #[error("the repository is not what its keys signed: {0}; restore it from a copy before publishing")]
    Unsound(String),
    #[error("{} is no ed25519 key in PKCS#8 DER", .0.display())]
    NotAKey(PathBuf),
    #[error("the system gave no randomness")]
    Randomness,
    #[error("signing for {role} needs {needed} of its keys, {found} found in {}; bring the others there", folder.display())]
    MissingKeys { role: RoleType, needed: u64, found: usize, folder: PathBuf },
    #[error("there is no role {0:?}; roles are root, targets, snapshot and timestamp")]
    Role(String),
    #[error("the root names no keys for {0}")]
    NoRole(RoleType),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("{product} {version} is already published; a release is never changed, publish a new version")]
    AlreadyPublished { product: String, version: Version },
    #[error("{new} and the published {old} would share the file name {target}; choose another version")]
    SlugCollision { new: String, old: String, target: String },
    #[error("a package named {0} is already published with other contents; name this one differently")]
    PackageName(String),
    #[error("package {}: {what}", path.display())]
    Package { path: PathBuf, what: String },
    /// One line per verdict.
    #[error("{} cannot be released: {}", path.display(), told(verdicts))]
    Refused { path: PathBuf, verdicts: Verdicts },
    #[error("{what} is not published here; published: {known}")]
    NotPublished { what: String, known: String },
    #[error("{product} {version} was already retracted")]
    AlreadyRetracted { product: String, version: Version },
    #[error("say why the release is retracted; clients are told")]
    NoReason,
    #[error("cannot encode metadata: {0}")]
    Encode(#[source] tough::schema::Error),
    #[error("cannot encode the manifest: {0}")]
    EncodeManifest(#[source] serde_json::Error),
    #[error("cannot sign: {0}")]
    Sign(#[source] Box<tough::error::Error>),
}

impl From<tough::error::Error> for PublishError {
    fn from(error: tough::error::Error) -> PublishError {
        PublishError::Sign(Box::new(error))
    }
}

/// How many verdicts, then each on a line of its own.
fn told(verdicts: &Verdicts) -> String {
    let count = if verdicts.count() == 1 { "1 problem".to_owned() } else { format!("{} problems", verdicts.count()) };
    let lines: String = verdicts.list().iter().map(|verdict| format!("\n  {verdict}")).collect();
    match verdicts.more() {
        0 => format!("{count}{lines}"),
        more => format!("{count}{lines}\n  and {more} more"),
    }
}

/// How a repository begins.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// How many root keys have to sign a new root.
    pub root_threshold: u32,
    pub root_keys: u32,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions { root_threshold: 1, root_keys: 1 }
    }
}

/// Whose key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl Rotation {
    /// The role's name, as the specification writes it.
    pub fn name(self) -> &'static str {
        match self {
            Rotation::Root => "root",
            Rotation::Targets => "targets",
            Rotation::Snapshot => "snapshot",
            Rotation::Timestamp => "timestamp",
        }
    }
}

impl std::str::FromStr for Rotation {
    type Err = PublishError;

    fn from_str(name: &str) -> Result<Rotation, PublishError> {
        match name {
            "root" => Ok(Rotation::Root),
            "targets" => Ok(Rotation::Targets),
            "snapshot" => Ok(Rotation::Snapshot),
            "timestamp" => Ok(Rotation::Timestamp),
            other => Err(PublishError::Role(other.to_owned())),
        }
    }
}

/// When a role's metadata runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    pub role: &'static str,
    pub at: DateTime<Utc>,
}

/// Makes a publisher's folder, complete or not at all; returns the root to hand out.
pub async fn init(
    dir: &Path,
    publisher: &str,
    options: &InitOptions,
    now: DateTime<Utc>,
) -> Result<PathBuf, PublishError> {
    let (count, threshold) = (options.root_keys, options.root_threshold);
    let wrong = PublishError::Threshold { keys: count, threshold };
    let Some(root_threshold) = NonZeroU64::new(threshold.into()) else { return Err(wrong) };
    if threshold > count || count > ROOT_KEYS_MAX {
        return Err(wrong);
    }
    if !manifest_file::is_segment(publisher) {
        return Err(PublishError::Name(publisher.to_owned()));
    }
    let io = |source| PublishError::Io { path: dir.to_owned(), source };
    if dir.exists() && std::fs::read_dir(dir).map_err(io)?.next().is_some() {
        return Err(PublishError::Exists(dir.to_owned()));
    }
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(io)?;
    let staging = tempfile::Builder::new().prefix(".init-").tempdir_in(parent).map_err(io)?;
    lay_out(staging.path(), publisher, (count, root_threshold), now).await?;
    files::set_mode(staging.path(), 0o755).map_err(io)?;
    if dir.exists() {
        std::fs::remove_dir(dir).map_err(io)?;
    }
    std::fs::rename(staging.path(), dir).map_err(io)?;
    files::sync_folder(parent).map_err(io)?;
    Ok(repository::pinned_root(dir))
}

async fn lay_out(
    dir: &Path,
    publisher: &str,
    (root_count, threshold): (u32, NonZeroU64),
    now: DateTime<Utc>,
) -> Result<(), PublishError> {
    let keys_folder = repository::keys_folder(dir);
    for folder in [keys_folder.clone(), dir.join("repository/metadata"), repository::targets_folder(dir)] {
        std::fs::create_dir_all(&folder).map_err(|source| PublishError::Io { path: folder, source })?;
    }
    files::set_mode(&keys_folder, 0o700).map_err(|source| PublishError::Io { path: keys_folder.clone(), source })?;
    let generate =
        |role, count: u32| (0..count).map(|_| keys::generate(&keys_folder, role)).collect::<Result<Vec<_>, _>>();
    let root_keys = generate(RoleType::Root, root_count)?;
    let [targets, snapshot, timestamp] =
        [generate(RoleType::Targets, 1)?, generate(RoleType::Snapshot, 1)?, generate(RoleType::Timestamp, 1)?];
    let one = sign::first();
    let given = [
        (RoleType::Root, root_keys.as_slice(), threshold),
        (RoleType::Targets, &targets, one),
        (RoleType::Snapshot, &snapshot, one),
        (RoleType::Timestamp, &timestamp, one),
    ];
    let root = sign::new_root(&given, now);
    let all = [root_keys.clone(), targets.clone(), snapshot.clone(), timestamp.clone()].concat();
    let signers = sign::Signers { root: &root, keys: &all, folder: &keys_folder };
    let signed_root = signers.root(root.clone(), None).await?;
    let mut nothing = Targets::new(sign::SPEC.to_owned(), one, jiff::Timestamp::UNIX_EPOCH);
    nothing.delegations = None;
    let signed_targets = signers.targets(&nothing, now).await?;
    let signed_snapshot = signers.snapshot(one, &signed_targets, now).await?;
    let signed_timestamp = signers.timestamp(one, sign::describe(&signed_snapshot), now).await?;
    files::write(&repository::publisher_file(dir), format!("{publisher}\n").as_bytes())?;
    files::write(&repository::pinned_root(dir), signed_root.buffer())?;
    let put = |name: &str, bytes: &[u8]| files::write(&repository::metadata_file(dir, name), bytes);
    put("1.root.json", signed_root.buffer())?;
    put(&format!("{}.targets.json", signed_targets.signed().signed.version), signed_targets.buffer())?;
    put(&format!("{}.snapshot.json", signed_snapshot.signed().signed.version), signed_snapshot.buffer())?;
    put("timestamp.json", signed_timestamp.buffer())
}

/// Signs and publishes a release; `now` becomes its publication date.
pub async fn publish(
    dir: &Path,
    manifest: &Path,
    package: &Path,
    now: DateTime<Utc>,
) -> Result<SignedManifest, PublishError> {
    let mut manifest = manifest_file::read(manifest)?;
    if let Some(figures) = check_package(package, &manifest)? {
        manifest.package.entries = Some(figures.entries);
        manifest.package.unpacked_bytes = Some(figures.unpacked_bytes);
        manifest.package.files_sha256 = Some(figures.files_sha256);
    }
    let mut repository = Repository::open(dir)?;
    let (product, version) = (manifest.product.clone(), manifest.version.clone());
    for (name, known_product, known) in published(&repository.targets) {
        if known_product == product && known.parse() == Ok(version.clone()) {
            return Err(PublishError::AlreadyPublished { product, version });
        }
        if name == target_name(&product, &version) {
            return Err(PublishError::SlugCollision { new: version.to_string(), old: known, target: name });
        }
    }
    let folder = repository::targets_folder(dir);
    let file = manifest.package.file.clone();
    let (size, sha256) = files::copy(package, &folder, PACKAGE_BYTES_MAX, |sha256| format!("{sha256}.{file}"))?;
    let package_name = TargetName::new(file.as_str())?;
    let taken = repository.targets.targets.get(&package_name);
    if taken.is_some_and(|target| hex::encode(&target.hashes.sha256) != sha256) {
        return Err(PublishError::PackageName(file));
    }
    let signed = SignedManifest {
        publisher: repository.publisher.clone(),
        published_at: now,
        size,
        sha256: sha256.clone(),
        manifest: manifest.into(),
    };
    let document = serde_json::to_vec_pretty(&signed).map_err(PublishError::EncodeManifest)?;
    let document_sha256 = hex::encode(Sha256::digest(&document));
    let name = target_name(&product, &version);
    files::write(&folder.join(format!("{document_sha256}.{name}")), &document)?;
    let described = json!({ "kind": "manifest", "product": product, "version": version.as_str() });
    let targets = &mut repository.targets.targets;
    targets.insert(package_name, target(size, &sha256, json!({ "kind": "package" })));
    targets.insert(TargetName::new(name)?, target(document.len() as u64, &document_sha256, described));
    repository.publish_all(&repository.root, now).await?;
    Ok(signed)
}

/// Withdraws a release; its files stay, so that whoever has it can still verify what it was.
pub async fn retract(
    dir: &Path,
    product: &str,
    version: &Version,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Retraction, PublishError> {
    if reason.trim().is_empty() {
        return Err(PublishError::NoReason);
    }
    let mut repository = Repository::open(dir)?;
    let all = published(&repository.targets);
    let same = |(_, p, v): &&(String, String, String)| p == product && v.parse().as_ref() == Ok(version);
    let Some((name, ..)) = all.iter().find(same) else {
        let known: Vec<String> = all.iter().map(|(_, p, v)| format!("{p} {v}")).collect();
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        return Err(PublishError::NotPublished { what: format!("{product} {version}"), known });
    };
    let retraction = Retraction { at: now, reason: reason.trim().to_owned() };
    let target = repository.targets.targets.get_mut(&TargetName::new(name.as_str())?);
    let custom = target.and_then(|target| target.custom.get_mut("noctule")).and_then(Value::as_object_mut);
    let custom = custom.ok_or_else(|| PublishError::Unsound(format!("{name} is not described")))?;
    if custom.contains_key("retracted") {
        return Err(PublishError::AlreadyRetracted { product: product.to_owned(), version: version.clone() });
    }
    custom.insert("retracted".to_owned(), serde_json::to_value(&retraction).map_err(PublishError::EncodeManifest)?);
    repository.publish_all(&repository.root, now).await?;
    Ok(retraction)
}

/// Replaces the keys of a role by new ones, under a new root signed by the old root keys and the new; returns its version.
pub async fn rotate(dir: &Path, rotation: Rotation, now: DateTime<Utc>) -> Result<u64, PublishError> {
    let role = match rotation {
        Rotation::Root => RoleType::Root,
        Rotation::Targets => RoleType::Targets,
        Rotation::Snapshot => RoleType::Snapshot,
        Rotation::Timestamp => RoleType::Timestamp,
    };
    let mut repository = Repository::open(dir)?;
    let folder = repository::keys_folder(dir);
    // Every key that the new state needs has to be there before the first new one is made.
    for needed in sign::ROLES.into_iter().filter(|r| *r == RoleType::Root || *r != role) {
        keys::for_role(&repository.root, needed, &repository.keys, &folder)?;
    }
    let count = repository.key_count(role);
    let fresh = (0..count).map(|_| keys::generate(&folder, role)).collect::<Result<Vec<_>, _>>()?;
    repository.keys.extend(fresh.clone());
    let next = sign::next_root(&repository.root, role, &fresh, now);
    let signed =
        repository.signers(&next, &repository.keys, &folder).root(next.clone(), Some(&repository.root)).await?;
    let name = format!("{}.root.json", next.version);
    files::write(&repository::metadata_file(dir, &name), signed.buffer())?;
    repository.publish_all(&next, now).await?;
    repository.retire_keys(&next)?;
    Ok(next.version.get())
}

/// Signs a fresh timestamp with its own key: the job that keeps a repository from expiring. Returns when the roles that
/// this does not renew run out.
pub async fn resign(dir: &Path, now: DateTime<Utc>) -> Result<Vec<Expiry>, PublishError> {
    let repository = Repository::open(dir)?;
    repository.publish_timestamp(now).await?;
    Ok(repository.expiries())
}

/// Signs fresh targets, snapshot and timestamp over unchanged releases.
pub async fn renew(dir: &Path, now: DateTime<Utc>) -> Result<(), PublishError> {
    let repository = Repository::open(dir)?;
    repository.publish_all(&repository.root, now).await
}

/// Target name, product and version of every manifest, in order of name.
fn published(targets: &Targets) -> Vec<(String, String, String)> {
    let described = |(name, target): (&TargetName, &Target)| {
        let custom = target.custom.get("noctule")?;
        let text = |key: &str| custom.get(key).and_then(Value::as_str).map(str::to_owned);
        (text("kind")? == "manifest").then_some((name.raw().to_owned(), text("product")?, text("version")?))
    };
    let mut all: Vec<_> = targets.targets.iter().filter_map(described).collect();
    all.sort();
    all
}

fn target(length: u64, sha256: &str, custom: Value) -> Target {
    let sha256 = hex::decode(sha256).expect("our own hexadecimal");
    Target {
        length,
        hashes: Hashes { sha256: sha256.into(), _extra: HashMap::new() },
        custom: HashMap::from([("noctule".to_owned(), custom)]),
        _extra: HashMap::new(),
    }
}
