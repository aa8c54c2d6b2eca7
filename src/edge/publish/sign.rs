//! Builds and signs the four roles. Nothing here touches the disk.
//!
//! Versions and expiry are set here and nowhere else: `tough` bumps neither. Instants are whole seconds, as the
//! specification writes them (TUF 4.2.1).

use super::PublishError;
use super::keys::{self, SigningKey};
use aws_lc_rs::rand::SystemRandom;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::Path;
use tough::editor::signed::SignedRole;
use tough::schema::{Hashes, KeyHolder, Metafile, Role, RoleKeys, RoleType, Root, Snapshot, Targets, Timestamp};

/// Version of the TUF specification that the metadata follows.
pub(super) const SPEC: &str = "1.0.31";
/// How long a root is good for, in days; `rotate root` makes the next.
const ROOT_DAYS: i64 = 730;
/// How long targets and snapshot are good for, in days; publishing or `resign --all` renews them.
const TARGETS_DAYS: i64 = 365;
/// How long the timestamp is good for, in days: how long an attacker could show an old state unnoticed, and how long
/// the job that re-signs it may fail.
const TIMESTAMP_DAYS: i64 = 14;

/// The roles that every root names.
pub(super) const ROLES: [RoleType; 4] = [RoleType::Root, RoleType::Targets, RoleType::Snapshot, RoleType::Timestamp];

fn in_days(now: DateTime<Utc>, days: i64) -> jiff::Timestamp {
    let at = (now + TimeDelta::days(days)).timestamp();
    jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::MAX)
}

pub(super) fn first() -> NonZeroU64 {
    NonZeroU64::MIN
}

fn after(version: NonZeroU64) -> NonZeroU64 {
    version.saturating_add(1)
}

/// A root that gives `role_keys` their roles.
pub(super) fn new_root(role_keys: &[(RoleType, &[SigningKey], NonZeroU64)], now: DateTime<Utc>) -> Root {
    let mut root = Root {
        spec_version: SPEC.to_owned(),
        consistent_snapshot: true,
        version: first(),
        expires: in_days(now, ROOT_DAYS),
        keys: HashMap::new(),
        roles: HashMap::new(),
        _extra: HashMap::new(),
    };
    for (role, keys, threshold) in role_keys {
        give(&mut root, *role, keys, *threshold);
    }
    root
}

/// The next root, in which `role` belongs to `keys` alone.
pub(super) fn next_root(root: &Root, role: RoleType, keys: &[SigningKey], now: DateTime<Utc>) -> Root {
    let mut next = root.clone();
    next.version = after(root.version);
    next.expires = in_days(now, ROOT_DAYS);
    let threshold = root.roles.get(&role).map_or(first(), |r| r.threshold);
    give(&mut next, role, keys, threshold);
    let named: Vec<_> = next.roles.values().flat_map(|r| r.keyids.clone()).collect();
    next.keys.retain(|id, _| named.contains(id));
    next
}

fn give(root: &mut Root, role: RoleType, keys: &[SigningKey], threshold: NonZeroU64) {
    root.keys.extend(keys.iter().map(|key| (key.id.clone(), key.public.clone())));
    let keyids = keys.iter().map(|key| key.id.clone()).collect();
    root.roles.insert(role, RoleKeys { keyids, threshold, _extra: HashMap::new() });
}

/// Who signs: a root that says which keys count, and the keys at hand.
#[derive(Clone, Copy)]
pub(super) struct Signers<'a> {
    pub root: &'a Root,
    pub keys: &'a [SigningKey],
    pub folder: &'a Path,
}

impl Signers<'_> {
    async fn sign<T: Role + Serialize>(self, role: T) -> Result<SignedRole<T>, PublishError> {
        let keys = keys::for_role(self.root, T::TYPE, self.keys, self.folder)?;
        let holder = KeyHolder::Root(self.root.clone());
        Ok(SignedRole::new(role, &holder, &keys, &SystemRandom::new()).await?)
    }

    /// Signs a root by its own keys and, when there is one before it, by that one's keys too (TUF 5.3.4).
    pub async fn root(self, root: Root, before: Option<&Root>) -> Result<SignedRole<Root>, PublishError> {
        let signed = Signers { root: &root.clone(), ..self }.sign(root.clone()).await?;
        match before {
            None => Ok(signed),
            Some(before) => {
                let crossed = Signers { root: before, ..self }.sign(root).await?;
                Ok(signed.add_old_signatures(crossed.signed().signatures.clone())?)
            }
        }
    }

    pub async fn targets(self, targets: &Targets, now: DateTime<Utc>) -> Result<SignedRole<Targets>, PublishError> {
        let mut next = targets.clone();
        next.version = after(targets.version);
        next.expires = in_days(now, TARGETS_DAYS);
        self.sign(next).await
    }

    pub async fn snapshot(
        self,
        before: NonZeroU64,
        targets: &SignedRole<Targets>,
        now: DateTime<Utc>,
    ) -> Result<SignedRole<Snapshot>, PublishError> {
        let mut next = Snapshot::new(SPEC.to_owned(), after(before), in_days(now, TARGETS_DAYS));
        next.meta.insert("targets.json".to_owned(), describe(targets));
        self.sign(next).await
    }

    /// The timestamp that pins `snapshot`, after version `before`.
    pub async fn timestamp(
        self,
        before: NonZeroU64,
        snapshot: Metafile,
        now: DateTime<Utc>,
    ) -> Result<SignedRole<Timestamp>, PublishError> {
        let mut next = Timestamp::new(SPEC.to_owned(), after(before), in_days(now, TIMESTAMP_DAYS));
        next.meta.insert("snapshot.json".to_owned(), snapshot);
        self.sign(next).await
    }
}

/// Version, length and hash of a signed role, for the role above it.
pub(super) fn describe<T: Role + Serialize>(role: &SignedRole<T>) -> Metafile {
    Metafile {
        length: Some(*role.length()),
        hashes: Some(Hashes { sha256: role.sha256().to_vec().into(), _extra: HashMap::new() }),
        version: role.signed().signed.version(),
        _extra: HashMap::new(),
    }
}
