//! Signing keys as files: ed25519 in PKCS#8 DER, readable by their owner alone.

use super::PublishError;
use async_trait::async_trait;
use aws_lc_rs::signature::Ed25519KeyPair;
use std::io::Write;
use std::path::{Path, PathBuf};
use tough::key_source::KeySource;
use tough::schema::key::Key;
use tough::sign::Sign;

type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// One key file of the keys folder.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
}

#[async_trait]
impl KeySource for KeyFile {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, BoxError> {
        let bytes = std::fs::read(&self.path)?;
        Ok(Box::new(Ed25519KeyPair::from_pkcs8(&bytes).map_err(|e| format!("{}: {e}", self.path.display()))?))
    }

    async fn write(&self, _: &str, _: &str) -> Result<(), BoxError> {
        Err("keys are only written when they are made".into())
    }
}

/// Makes a key called `name` and returns its public half. An existing file is never replaced.
pub(super) fn make(folder: &Path, name: &str) -> Result<Key, PublishError> {
    let path = free_name(folder, name);
    let io = |source| PublishError::Io { path: path.clone(), source };
    let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
        .map_err(|e| PublishError::Key(e.to_string()))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(io)?;
    file.write_all(document.as_ref()).map_err(io)?;
    file.sync_all().map_err(io)?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|e| PublishError::Key(e.to_string()))?;
    Ok(pair.tuf_key())
}

fn free_name(folder: &Path, name: &str) -> PathBuf {
    (1..=u32::MAX)
        .map(|n| folder.join(format!("{name}-{n}.pk8")))
        .find(|path| !path.exists())
        .expect("there are fewer keys than numbers")
}

/// Every key of the folder; keys that no role names any more do no harm.
pub(super) fn all(folder: &Path) -> Result<Vec<Box<dyn KeySource>>, PublishError> {
    let io = |source| PublishError::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "pk8") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().map(|path| Box::new(KeyFile { path }) as Box<dyn KeySource>).collect())
}
