//! Signing keys: ed25519 as PKCS#8 DER, one file each, readable by their owner only.
//!
//! A key's file is named for the role it was made for and its id. Which keys count for a role is said by the root
//! alone: a key file that no role names is never used, so a leftover is harmless.

use super::PublishError;
use crate::edge::secret;
use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use std::fmt;
use std::path::{Path, PathBuf};
use tough::key_source::KeySource;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key;
use tough::schema::{RoleType, Root};
use tough::sign::Sign;

/// Largest key file that is read, in bytes; one of ours has 83.
const KEY_BYTES_MAX: u64 = 4096;
/// Ending of a key's file.
const ENDING: &str = "pk8";

/// A key that can sign.
#[derive(Clone)]
pub(super) struct SigningKey {
    pub path: PathBuf,
    pub id: Decoded<Hex>,
    pub public: Key,
    pkcs8: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("path", &self.path).finish_non_exhaustive()
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl KeySource for SigningKey {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, Failure> {
        Ok(Box::new(Ed25519KeyPair::from_pkcs8(&self.pkcs8)?))
    }

    async fn write(&self, _value: &str, _key_id_hex: &str) -> Result<(), Failure> {
        Err("keys are written once, when they are made".into())
    }
}

/// Makes a key for `role` and writes it, synced, before anybody relies on it.
pub(super) fn generate(folder: &Path, role: RoleType) -> Result<SigningKey, PublishError> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| PublishError::Randomness)?;
    let mut key = parse(folder.to_owned(), pkcs8.as_ref().to_vec())?;
    let id = hex::encode(&key.id);
    key.path = folder.join(format!("{role}-{}.{ENDING}", &id[..12]));
    secret::keep(&key.path, &key.pkcs8).map_err(|source| PublishError::Io { path: key.path.clone(), source })?;
    Ok(key)
}

/// Every key of the folder.
pub(super) fn load(folder: &Path) -> Result<Vec<SigningKey>, PublishError> {
    let io = |source| PublishError::Io { path: folder.to_owned(), source };
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let pkcs8 = super::files::read(&path, KEY_BYTES_MAX)?;
            keys.push(parse(path, pkcs8)?);
        }
    }
    keys.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(keys)
}

fn parse(path: PathBuf, pkcs8: Vec<u8>) -> Result<SigningKey, PublishError> {
    let Ok(pair) = Ed25519KeyPair::from_pkcs8(&pkcs8) else { return Err(PublishError::NotAKey(path)) };
    let public = pair.tuf_key();
    let id = public.key_id().map_err(PublishError::Encode)?;
    Ok(SigningKey { path, id, public, pkcs8 })
}

/// The keys among `keys` that count for `role` under `root`, when they are enough to sign for it.
pub(super) fn for_role(
    root: &Root,
    role: RoleType,
    keys: &[SigningKey],
    folder: &Path,
) -> Result<Vec<Box<dyn KeySource>>, PublishError> {
    let named = root.roles.get(&role).ok_or(PublishError::NoRole(role))?;
    let mine: Vec<Box<dyn KeySource>> = keys
        .iter()
        .filter(|key| named.keyids.contains(&key.id))
        .map(|key| Box::new(key.clone()) as Box<dyn KeySource>)
        .collect();
    if (mine.len() as u64) < named.threshold.get() {
        let (needed, found) = (named.threshold.get(), mine.len());
        return Err(PublishError::MissingKeys { role, needed, found, folder: folder.to_owned() });
    }
    Ok(mine)
}
