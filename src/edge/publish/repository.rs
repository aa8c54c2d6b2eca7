//! The folder of a publisher: its repository as it stands, verified, and how the next state is put there.
//!
//! The static folder may lie on a machine that others can write to, and what is signed next builds on it: it is
//! verified from the publisher's own copy of the first root before anything is signed. Publishing writes the timestamp
//! last; until then clients see the state before.

use super::files;
use super::keys::{self, SigningKey};
use super::sign::{self, Signers};
use super::{Expiry, PublishError};
use crate::edge::lock::Lock;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sigstore_tuf::TrustedMetadataSet;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tough::schema::{Metafile, RoleType, Root, Signed, Snapshot, Targets, Timestamp};

/// Largest metadata file, in bytes; the same as clients accept.
const METADATA_BYTES_MAX: u64 = 5_000_000;
/// Most roots that a repository can have had.
const ROOTS_MAX: u64 = 1000;

/// An opened, locked and verified repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub dir: PathBuf,
    pub publisher: String,
    pub keys: Vec<SigningKey>,
    pub root: Root,
    pub targets: Targets,
    snapshot_version: NonZeroU64,
    snapshot_expires: jiff::Timestamp,
    snapshot: Metafile,
    timestamp_version: NonZeroU64,
    /// A rotation was cut between its root and its timestamp: everything has to be signed again.
    cut: bool,
    /// Held as long as the repository is open: one writer at a time.
    _lock: Lock,
}

pub(super) fn keys_folder(dir: &Path) -> PathBuf {
    dir.join("keys")
}

pub(super) fn metadata_file(dir: &Path, name: &str) -> PathBuf {
    dir.join("repository/metadata").join(name)
}

pub(super) fn targets_folder(dir: &Path) -> PathBuf {
    dir.join("repository/targets")
}

/// The first root: what clients pin, and what the publisher itself trusts.
pub(super) fn pinned_root(dir: &Path) -> PathBuf {
    dir.join("root.json")
}

pub(super) fn publisher_file(dir: &Path) -> PathBuf {
    dir.join("publisher")
}

impl Repository {
    pub fn open(dir: &Path) -> Result<Repository, PublishError> {
        if !pinned_root(dir).is_file() {
            return Err(PublishError::NoRepository(dir.to_owned()));
        }
        let lock_path = dir.join("lock");
        let taken = Lock::take(&lock_path).map_err(|source| PublishError::Io { path: lock_path, source })?;
        let lock = taken.ok_or_else(|| PublishError::Locked(dir.to_owned()))?;
        let publisher = String::from_utf8_lossy(&files::read(&publisher_file(dir), 1000)?).trim().to_owned();
        let roots = read_roots(dir)?;
        let metadata = |name: &str| files::read(&metadata_file(dir, name), METADATA_BYTES_MAX);
        let timestamp_bytes = metadata("timestamp.json")?;
        let timestamp: Timestamp = parse(dir, "timestamp.json", &timestamp_bytes)?;
        let pin = |meta: &std::collections::HashMap<String, Metafile>, name: &str| {
            meta.get(name).cloned().ok_or_else(|| PublishError::Unsound(format!("nothing pins {name}")))
        };
        let snapshot_pin = pin(&timestamp.meta, "snapshot.json")?;
        let snapshot_name = format!("{}.snapshot.json", snapshot_pin.version);
        let snapshot_bytes = metadata(&snapshot_name)?;
        let snapshot: Snapshot = parse(dir, &snapshot_name, &snapshot_bytes)?;
        let targets_name = format!("{}.targets.json", pin(&snapshot.meta, "targets.json")?.version);
        let targets_bytes = metadata(&targets_name)?;
        let below = [&timestamp_bytes, &snapshot_bytes, &targets_bytes];
        let whole = verify(&roots, below);
        let cut = whole.is_err() && roots.len() > 1 && verify(&roots[..roots.len() - 1], below).is_ok();
        if !cut {
            whole.map_err(|error| PublishError::Unsound(error.to_string()))?;
        }
        let last = roots.last().expect("a chain has its first root");
        Ok(Repository {
            publisher,
            keys: keys::load(&keys_folder(dir))?,
            root: parse(dir, "root.json", last)?,
            targets: parse(dir, &targets_name, &targets_bytes)?,
            snapshot_version: snapshot.version,
            snapshot_expires: snapshot.expires,
            snapshot: snapshot_pin,
            timestamp_version: timestamp.version,
            cut,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    pub fn signers<'a>(&'a self, root: &'a Root, keys: &'a [SigningKey], folder: &'a Path) -> Signers<'a> {
        Signers { root, keys, folder }
    }

    /// Signs the present targets, and everything above them, by `root` and publishes it.
    pub async fn publish_all(&self, root: &Root, now: DateTime<Utc>) -> Result<(), PublishError> {
        let folder = keys_folder(&self.dir);
        let signers = self.signers(root, &self.keys, &folder);
        let targets = signers.targets(&self.targets, now).await?;
        let snapshot = signers.snapshot(self.snapshot_version, &targets, now).await?;
        let timestamp = signers.timestamp(self.timestamp_version, sign::describe(&snapshot), now).await?;
        let put = |name: String, bytes: &[u8]| files::write(&metadata_file(&self.dir, &name), bytes);
        put(format!("{}.targets.json", targets.signed().signed.version), targets.buffer())?;
        put(format!("{}.snapshot.json", snapshot.signed().signed.version), snapshot.buffer())?;
        put("timestamp.json".to_owned(), timestamp.buffer())
    }

    /// Signs the timestamp alone, or everything where a rotation was cut.
    pub async fn publish_timestamp(&self, now: DateTime<Utc>) -> Result<(), PublishError> {
        if self.cut {
            return self.publish_all(&self.root, now).await;
        }
        let folder = keys_folder(&self.dir);
        let signers = self.signers(&self.root, &self.keys, &folder);
        let timestamp = signers.timestamp(self.timestamp_version, self.snapshot.clone(), now).await?;
        files::write(&metadata_file(&self.dir, "timestamp.json"), timestamp.buffer())
    }

    /// When what the timestamp job does not renew runs out.
    pub fn expiries(&self) -> Vec<Expiry> {
        [("root", self.root.expires), ("targets", self.targets.expires), ("snapshot", self.snapshot_expires)]
            .map(|(role, at)| Expiry { role, at: DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default() })
            .into()
    }

    /// Puts keys that no role names any more aside.
    pub fn retire_keys(&self, root: &Root) -> Result<(), PublishError> {
        let retired = keys_folder(&self.dir).join("retired");
        let io = |source| PublishError::Io { path: retired.clone(), source };
        for key in self.keys.iter().filter(|key| !root.keys.contains_key(&key.id)) {
            std::fs::create_dir_all(&retired).map_err(io)?;
            if let Some(name) = key.path.file_name() {
                std::fs::rename(&key.path, retired.join(name)).map_err(io)?;
            }
        }
        Ok(())
    }

    /// How many keys a role has.
    pub fn key_count(&self, role: RoleType) -> usize {
        self.root.roles.get(&role).map_or(1, |named| named.keyids.len())
    }
}

/// The pinned root and every published one after it, in order.
fn read_roots(dir: &Path) -> Result<Vec<Vec<u8>>, PublishError> {
    let pinned = files::read(&pinned_root(dir), METADATA_BYTES_MAX)?;
    let first: Root = parse(dir, "root.json", &pinned)?;
    let mut roots = vec![pinned];
    for version in first.version.get() + 1..first.version.get() + ROOTS_MAX {
        let path = metadata_file(dir, &format!("{version}.root.json"));
        if !path.exists() {
            break;
        }
        roots.push(files::read(&path, METADATA_BYTES_MAX)?);
    }
    Ok(roots)
}

/// Verifies signatures, versions, lengths and hashes. Expiry does not matter here: the publisher renews it.
fn verify(roots: &[Vec<u8>], [timestamp, snapshot, targets]: [&Vec<u8>; 3]) -> Result<(), sigstore_tuf::Error> {
    let always = jiff::Timestamp::UNIX_EPOCH;
    let mut set = TrustedMetadataSet::from_root(&roots[0])?;
    roots[1..].iter().try_for_each(|root| set.update_root(root))?;
    set.update_timestamp(timestamp, always)?;
    set.update_snapshot(snapshot, always)?;
    set.update_targets(targets, always)?;
    Ok(())
}

fn parse<T: DeserializeOwned>(dir: &Path, name: &str, bytes: &[u8]) -> Result<T, PublishError> {
    let signed: Signed<T> = serde_json::from_slice(bytes)
        .map_err(|source| PublishError::Json { path: metadata_file(dir, name), source })?;
    Ok(signed.signed)
}
