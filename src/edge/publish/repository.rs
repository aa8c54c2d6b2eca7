//! The repository on disk: read, changed in memory, signed, written with the timestamp last.

use super::{InitOptions, PublishError, keys, name_of};
use crate::model::version::Version;
use aws_lc_rs::rand::SystemRandom;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tough::editor::signed::SignedRole;
use tough::schema::key::Key;
use tough::schema::{
    Hashes, KeyHolder, Metafile, Role, RoleKeys, RoleType, Root, Signed, Snapshot, Target, Targets, Timestamp,
};

/// Version of the TUF specification the metadata follows.
const SPEC: &str = "1.0.0";
const ROOT_DAYS: i64 = 730;
const TARGETS_DAYS: i64 = 365;
/// The online job re-signs the timestamp long before it runs out.
const TIMESTAMP_DAYS: i64 = 7;

/// A publisher's folder, held by one writer.
pub(super) struct Repository {
    dir: PathBuf,
    publisher: String,
    root: Signed<Root>,
    targets: Targets,
    snapshot: Snapshot,
    timestamp: Timestamp,
    _lock: File,
}

fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

fn after(now: DateTime<Utc>, days: i64) -> jiff::Timestamp {
    let at = (now + TimeDelta::days(days)).timestamp();
    jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::MAX)
}

fn lock(dir: &Path) -> Result<File, PublishError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(|source| PublishError::Io { path, source })?;
    file.try_lock().map_err(|_| PublishError::Locked(dir.to_owned()))?;
    Ok(file)
}

impl Repository {
    /// Makes keys, the first root and empty metadata.
    pub async fn found(
        dir: &Path,
        publisher: &str,
        options: &InitOptions,
        now: DateTime<Utc>,
    ) -> Result<(), PublishError> {
        if dir.join("repository").exists() || dir.join("keys").exists() {
            return Err(PublishError::Exists(dir.to_owned()));
        }
        for folder in ["keys", "repository/metadata", "repository/targets"] {
            let path = dir.join(folder);
            std::fs::create_dir_all(&path).map_err(|source| PublishError::Io { path, source })?;
        }
        let lock = lock(dir)?;
        write(&dir.join("publisher"), publisher.as_bytes())?;
        let mut root = Root {
            spec_version: SPEC.to_owned(),
            consistent_snapshot: true,
            version: one(),
            expires: after(now, ROOT_DAYS),
            keys: HashMap::new(),
            roles: HashMap::new(),
            _extra: HashMap::new(),
        };
        for (role, count) in [
            (RoleType::Root, options.root_keys),
            (RoleType::Targets, 1),
            (RoleType::Snapshot, 1),
            (RoleType::Timestamp, 1),
        ] {
            let threshold = if role == RoleType::Root { options.root_threshold } else { 1 };
            let threshold = NonZeroU64::new(threshold).unwrap_or(one());
            let mut role_keys = RoleKeys { keyids: Vec::new(), threshold, _extra: HashMap::new() };
            for _ in 0..count {
                let key = keys::make(&dir.join("keys"), &role.to_string())?;
                role_keys.keyids.push(admit(&mut root, key)?);
            }
            root.roles.insert(role, role_keys);
        }
        let root = sign(root.clone(), &root, dir).await?;
        let mut repository = Repository {
            dir: dir.to_owned(),
            publisher: publisher.to_owned(),
            root: root.signed().clone(),
            targets: Targets::new(SPEC.to_owned(), one(), after(now, TARGETS_DAYS)),
            snapshot: Snapshot::new(SPEC.to_owned(), one(), after(now, TARGETS_DAYS)),
            timestamp: Timestamp::new(SPEC.to_owned(), one(), after(now, TIMESTAMP_DAYS)),
            _lock: lock,
        };
        repository.write_metadata("1.root.json", root.buffer())?;
        repository.write_all(now).await
    }

    pub fn open(dir: &Path) -> Result<Repository, PublishError> {
        let metadata = dir.join("repository/metadata");
        if !metadata.join("timestamp.json").is_file() {
            return Err(PublishError::NotARepository(dir.to_owned()));
        }
        let lock = lock(dir)?;
        let path = dir.join("publisher");
        let publisher = std::fs::read_to_string(&path).map_err(|source| PublishError::Io { path, source })?;
        let timestamp: Signed<Timestamp> = read(&metadata.join("timestamp.json"))?;
        let version = |meta: &HashMap<String, Metafile>, name: &str| {
            meta.get(name).map(|m| m.version).ok_or_else(|| PublishError::Schema(format!("{name} is not listed")))
        };
        let pinned = version(&timestamp.signed.meta, "snapshot.json")?;
        let snapshot: Signed<Snapshot> = read(&metadata.join(format!("{pinned}.snapshot.json")))?;
        let pinned = version(&snapshot.signed.meta, "targets.json")?;
        let targets: Signed<Targets> = read(&metadata.join(format!("{pinned}.targets.json")))?;
        let newest = (1..).take_while(|n| metadata.join(format!("{n}.root.json")).is_file()).last().unwrap_or(1);
        Ok(Repository {
            root: read(&metadata.join(format!("{newest}.root.json")))?,
            dir: dir.to_owned(),
            publisher: publisher.trim().to_owned(),
            targets: targets.signed,
            snapshot: snapshot.signed,
            timestamp: timestamp.signed,
            _lock: lock,
        })
    }

    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    pub fn target(&self, name: &str) -> Result<Option<Target>, PublishError> {
        Ok(self.targets.targets.get(&name_of(name)?).cloned())
    }

    /// The versions of `product` that are published.
    pub fn versions(&self, product: &str) -> Vec<Version> {
        let ours = self.targets.targets.values().filter_map(|t| t.custom.get("noctule"));
        ours.filter(|c| c.get("product").and_then(|p| p.as_str()) == Some(product))
            .filter_map(|c| c.get("version").and_then(|v| v.as_str()).and_then(|v| v.parse().ok()))
            .collect()
    }

    pub fn add(&mut self, name: &str, target: Target) -> Result<(), PublishError> {
        self.targets.targets.insert(name_of(name)?, target);
        Ok(())
    }

    /// Copies a file below `targets/`; it appears whole.
    pub fn keep_file(&self, name: &str, from: &Path) -> Result<(), PublishError> {
        let path = self.dir.join("repository/targets").join(name);
        let part = path.with_extension("part");
        let io = |source| PublishError::Io { path: path.clone(), source };
        std::fs::copy(from, &part).map_err(io)?;
        File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
        std::fs::rename(&part, &path).map_err(io)
    }

    pub fn keep_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        write(&self.dir.join("repository/targets").join(name), bytes)
    }

    /// New targets, snapshot and timestamp.
    pub async fn sign_targets(&mut self, now: DateTime<Utc>) -> Result<(), PublishError> {
        self.targets.version = next(self.targets.version);
        self.targets.expires = after(now, TARGETS_DAYS);
        self.snapshot.version = next(self.snapshot.version);
        self.snapshot.expires = after(now, TARGETS_DAYS);
        self.timestamp.version = next(self.timestamp.version);
        self.timestamp.expires = after(now, TIMESTAMP_DAYS);
        self.write_all(now).await
    }

    /// A new timestamp over the same snapshot.
    pub async fn sign_timestamp(&mut self, now: DateTime<Utc>) -> Result<(), PublishError> {
        self.timestamp.version = next(self.timestamp.version);
        self.timestamp.expires = after(now, TIMESTAMP_DAYS);
        let timestamp = sign(self.timestamp.clone(), &self.root.signed, &self.dir).await?;
        self.write_metadata("timestamp.json", timestamp.buffer())
    }

    pub async fn rotate(&mut self, role: RoleType, now: DateTime<Utc>) -> Result<(), PublishError> {
        let old = self.root.signed.clone();
        let mut root = old.clone();
        root.version = next(root.version);
        root.expires = after(now, ROOT_DAYS);
        let key = keys::make(&self.dir.join("keys"), &role.to_string())?;
        let id = admit(&mut root, key)?;
        let gone = match root.roles.get_mut(&role) {
            Some(role_keys) if !role_keys.keyids.is_empty() => std::mem::replace(&mut role_keys.keyids[0], id),
            Some(_) | None => return Err(PublishError::Schema(format!("the root names no key for {role}"))),
        };
        if !root.roles.values().any(|r| r.keyids.contains(&gone)) {
            root.keys.remove(&gone);
        }
        // TUF 5.3.4: a new root is trusted when the old keys and the new ones have signed it.
        let by_old = sign(root.clone(), &old, &self.dir).await?;
        let by_new = sign(root.clone(), &root, &self.dir).await?;
        let signed = by_new
            .add_old_signatures(by_old.signed().signatures.clone())
            .map_err(|e| PublishError::Sign { role: "root", why: e.to_string() })?;
        self.write_metadata(&format!("{}.root.json", root.version), signed.buffer())?;
        self.root = signed.signed().clone();
        // What the old keys signed has to be signed by the new ones.
        self.sign_targets(now).await
    }

    /// Signs and writes targets, snapshot and, last, the timestamp.
    async fn write_all(&mut self, now: DateTime<Utc>) -> Result<(), PublishError> {
        let root = self.root.signed.clone();
        let targets = sign(self.targets.clone(), &root, &self.dir).await?;
        self.snapshot.meta = HashMap::from([("targets.json".to_owned(), metafile(&targets, self.targets.version))]);
        let snapshot = sign(self.snapshot.clone(), &root, &self.dir).await?;
        self.timestamp.meta = HashMap::from([("snapshot.json".to_owned(), metafile(&snapshot, self.snapshot.version))]);
        self.timestamp.expires = after(now, TIMESTAMP_DAYS);
        let timestamp = sign(self.timestamp.clone(), &root, &self.dir).await?;
        self.write_metadata(&format!("{}.targets.json", self.targets.version), targets.buffer())?;
        self.write_metadata(&format!("{}.snapshot.json", self.snapshot.version), snapshot.buffer())?;
        self.write_metadata("timestamp.json", timestamp.buffer())
    }

    fn write_metadata(&self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        write(&self.dir.join("repository/metadata").join(name), bytes)
    }
}

fn next(version: NonZeroU64) -> NonZeroU64 {
    version.saturating_add(1)
}

type KeyId = tough::schema::decoded::Decoded<tough::schema::decoded::Hex>;

fn admit(root: &mut Root, key: Key) -> Result<KeyId, PublishError> {
    let id = key.key_id().map_err(|e| PublishError::Key(e.to_string()))?;
    root.keys.insert(id.clone(), key);
    Ok(id)
}

async fn sign<T: Role + Serialize>(role: T, root: &Root, dir: &Path) -> Result<SignedRole<T>, PublishError> {
    let holder = KeyHolder::Root(root.clone());
    let name = match T::TYPE {
        RoleType::Root => "root",
        RoleType::Snapshot => "snapshot",
        RoleType::Targets => "targets",
        RoleType::Timestamp => "timestamp",
        RoleType::DelegatedTargets => "delegated targets",
    };
    let keys = keys::all(&dir.join("keys"))?;
    let signed = SignedRole::new(role, &holder, &keys, &SystemRandom::new())
        .await
        .map_err(|e| PublishError::Sign { role: name, why: e.to_string() })?;
    let threshold = root.roles.get(&T::TYPE).map_or(1, |r| r.threshold.get());
    if (signed.signed().signatures.len() as u64) < threshold {
        return Err(PublishError::Sign { role: name, why: format!("{threshold} signature(s) are needed") });
    }
    Ok(signed)
}

fn metafile<T: Role + Serialize>(signed: &SignedRole<T>, version: NonZeroU64) -> Metafile {
    let hashes = Hashes { sha256: signed.sha256().to_vec().into(), _extra: HashMap::new() };
    Metafile { length: Some(*signed.length()), hashes: Some(hashes), version, _extra: HashMap::new() }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, PublishError> {
    let bytes = std::fs::read(path).map_err(|source| PublishError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| PublishError::Metadata { path: path.to_owned(), source })
}

/// Writes a file so that it is there whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let part = path.with_extension("part");
    let mut file = File::create(&part).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&part, path).map_err(io)
}
