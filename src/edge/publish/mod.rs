//! Publishing: a publisher's TUF repository, made and maintained on the publisher's own machine.
//!
//! `DIR/repository` is the static folder that any web server can serve; `DIR/keys` never leaves the machine, and the
//! root keys belong offline once the repository exists. Every change writes new files first and the timestamp last, by
//! rename, so that a reader always sees a whole repository. One writer at a time holds a lock.
//! Conventions of ours: one manifest and one package target per release, no delegations, consistent snapshots.

mod keys;
mod repository;

use crate::model::manifest::{Manifest, SignedManifest, target_name};
use crate::model::version::Version;
use chrono::{DateTime, SubsecRound, Utc};
use repository::Repository;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use tough::TargetName;
use tough::schema::{Hashes, RoleType, Target};

/// Largest package that is published, in bytes.
pub const PACKAGE_BYTES_MAX: u64 = 16 << 30;

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is a repository already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not a publisher's folder; `noctule release init` makes one", .0.display())]
    NotARepository(PathBuf),
    #[error("another release command is at work in {}; wait for it to end", .0.display())]
    Locked(PathBuf),
    #[error("{} cannot be read: {source}", path.display())]
    Metadata { path: PathBuf, source: serde_json::Error },
    #[error("cannot sign {role}: {why}; are its keys in the keys folder?")]
    Sign { role: &'static str, why: String },
    #[error("cannot make a key: {0}")]
    Key(String),
    #[error("a publisher's name is made of a-z, 0-9 and -, not {0:?}")]
    Name(String),
    #[error("a root threshold of {threshold} needs at least as many root keys, not {keys}")]
    Threshold { threshold: u64, keys: u64 },
    #[error("{0} is published already; a release is never replaced, publish a new version")]
    Published(String),
    #[error("the name {0} is taken by another release; choose another package file or version spelling")]
    Taken(String),
    #[error("{} is {bytes} bytes; a package holds something and at most {PACKAGE_BYTES_MAX}", path.display())]
    PackageSize { path: PathBuf, bytes: u64 },
    #[error("{0} is not published here")]
    Unknown(String),
    #[error("{0} is withdrawn already")]
    Withdrawn(String),
    #[error("there is no role {0:?}: root, targets, snapshot or timestamp")]
    Role(String),
    #[error("the metadata is not acceptable: {0}")]
    Schema(String),
}

/// How a repository is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitOptions {
    /// Root keys that must sign a new root.
    pub root_threshold: u64,
    pub root_keys: u64,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions { root_threshold: 1, root_keys: 1 }
    }
}

/// What was published, for the publisher's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub target: String,
    pub size: u64,
    pub sha256: String,
    pub published_at: DateTime<Utc>,
}

/// Makes keys and an empty, signed repository in `dir`.
pub async fn init(dir: &Path, publisher: &str, options: &InitOptions, now: DateTime<Utc>) -> Result<(), PublishError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if publisher.is_empty() || publisher.len() > 64 || !publisher.chars().all(good) {
        return Err(PublishError::Name(publisher.to_owned()));
    }
    let InitOptions { root_threshold: threshold, root_keys: keys } = *options;
    if threshold == 0 || threshold > keys {
        return Err(PublishError::Threshold { threshold, keys });
    }
    Repository::found(dir, publisher, options, now).await
}

/// Signs and publishes a release: its package, its manifest, and new metadata that vouches for both.
pub async fn publish(
    dir: &Path,
    manifest: &Manifest,
    package: &Path,
    now: DateTime<Utc>,
) -> Result<Published, PublishError> {
    let mut repository = Repository::open(dir)?;
    let published_at = now.trunc_subsecs(0);
    let (size, sha256) = measure(package)?;
    let id = format!("{} {}", manifest.product, manifest.version);
    let name = target_name(&manifest.product, &manifest.version);
    if let Some(known) = repository.target(&name)? {
        let version = known.custom.get("noctule").and_then(|c| c.get("version")).and_then(|v| v.as_str());
        let same = version.is_some_and(|v| v.parse() == Ok(manifest.version.clone()));
        return Err(if same { PublishError::Published(id) } else { PublishError::Taken(name) });
    }
    if repository.versions(&manifest.product).contains(&manifest.version) {
        return Err(PublishError::Published(id));
    }
    if repository.target(&manifest.package.file)?.is_some() || manifest.package.file == name {
        return Err(PublishError::Taken(manifest.package.file.clone()));
    }
    let signed = SignedManifest {
        publisher: repository.publisher().to_owned(),
        published_at,
        size,
        sha256: sha256.clone(),
        manifest: manifest.clone(),
    };
    let document = serde_json::to_vec_pretty(&signed)
        .map_err(|source| PublishError::Metadata { path: PathBuf::from(&name), source })?;
    let document_hash = hex::encode(Sha256::digest(&document));
    repository.keep_file(&format!("{sha256}.{}", manifest.package.file), package)?;
    repository.keep_bytes(&format!("{document_hash}.{name}"), &document)?;
    let custom = serde_json::json!({
        "kind": "manifest", "product": manifest.product, "version": manifest.version.as_str(),
    });
    repository.add(&manifest.package.file, target(size, &sha256, HashMap::new())?)?;
    let named = HashMap::from([("noctule".to_owned(), custom)]);
    repository.add(&name, target(document.len() as u64, &document_hash, named)?)?;
    repository.sign_targets(now).await?;
    Ok(Published { target: name, size, sha256, published_at })
}

/// Withdraws a release: it stays in the repository, marked, so that everybody learns of it.
pub async fn retract(
    dir: &Path,
    product: &str,
    version: &Version,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), PublishError> {
    let mut repository = Repository::open(dir)?;
    let name = target_name(product, version);
    let id = format!("{product} {version}");
    let Some(mut known) = repository.target(&name)? else { return Err(PublishError::Unknown(id)) };
    let custom = known.custom.entry("noctule".to_owned()).or_default();
    if custom.get("retracted").is_some() {
        return Err(PublishError::Withdrawn(id));
    }
    custom["retracted"] = serde_json::json!({ "at": now.trunc_subsecs(0), "reason": reason });
    repository.add(&name, known)?;
    repository.sign_targets(now).await
}

/// Replaces a role's key (for root: its first) with a new one. A new root is signed by the old keys as well.
pub async fn rotate(dir: &Path, role: &str, now: DateTime<Utc>) -> Result<(), PublishError> {
    let role = match role {
        "root" => RoleType::Root,
        "targets" => RoleType::Targets,
        "snapshot" => RoleType::Snapshot,
        "timestamp" => RoleType::Timestamp,
        other => return Err(PublishError::Role(other.to_owned())),
    };
    Repository::open(dir)?.rotate(role, now).await
}

/// Signs a fresh timestamp over unchanged metadata; the job that keeps a repository from expiring.
pub async fn resign(dir: &Path, now: DateTime<Utc>) -> Result<(), PublishError> {
    Repository::open(dir)?.sign_timestamp(now).await
}

fn target(length: u64, sha256: &str, custom: HashMap<String, serde_json::Value>) -> Result<Target, PublishError> {
    let bytes = hex::decode(sha256).map_err(|e| PublishError::Schema(e.to_string()))?;
    let hashes = Hashes { sha256: bytes.into(), _extra: HashMap::new() };
    Ok(Target { length, hashes, custom, _extra: HashMap::new() })
}

fn name_of(target: &str) -> Result<TargetName, PublishError> {
    TargetName::new(target).map_err(|e| PublishError::Schema(e.to_string()))
}

/// Size and sha256 of a package file.
fn measure(path: &Path) -> Result<(u64, String), PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    if bytes == 0 || bytes > PACKAGE_BYTES_MAX {
        return Err(PublishError::PackageSize { path: path.to_owned(), bytes });
    }
    Ok((bytes, hex::encode(hash.finalize())))
}
