//! The package store: a folder of files named by their sha256, complete or absent.
//!
//! A download goes to a temporary file, is compared with the signed length and hash while it runs, synced and renamed.
//! What a killed process left half-way is removed by [`Packages::sweep`]. Whether a package is wanted is not known here.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// How a download that is not complete begins its name.
const PART: &str = ".part-";
/// Age from which an incomplete download is nobody's any more, in hours; longer than any download may take.
const PART_HOURS: i64 = 24;

/// What mirroring learned about a package besides its sha256; older protocol clients ask for these digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    pub sha1: String,
    pub md5: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("cannot use the package folder {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("cannot download {url}: {source}")]
    Download { url: String, source: reqwest::Error },
    #[error("{url} answered {status}")]
    Status { url: String, status: reqwest::StatusCode },
    #[error("{url} holds {found} bytes or more, but {expected} were signed")]
    Size { url: String, expected: u64, found: u64 },
    #[error("{url} has sha256 {found}, but {expected} was signed")]
    Hash { url: String, expected: String, found: String },
}

impl PackageError {
    /// Whether it may pass by itself: the publisher's line, and not what came over it nor this machine's disk.
    pub fn is_passing(&self) -> bool {
        match self {
            PackageError::Download { .. } | PackageError::Status { .. } => true,
            PackageError::Io { .. } | PackageError::Size { .. } | PackageError::Hash { .. } => false,
        }
    }
}

/// A handle to the folder.
#[derive(Clone, Debug)]
pub struct Packages {
    dir: PathBuf,
}

impl Packages {
    /// Opens the folder, created when missing.
    pub fn open(dir: &Path) -> Result<Packages, PackageError> {
        std::fs::create_dir_all(dir).map_err(|source| PackageError::Io { path: dir.to_owned(), source })?;
        Ok(Packages { dir: dir.to_owned() })
    }

    /// Where the package with this sha256 lies, or would lie.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(sha256)
    }

    pub fn contains(&self, sha256: &str) -> bool {
        self.path(sha256).is_file()
    }

    /// Downloads a package of exactly `size` bytes and the signed hash. It appears whole or not at all.
    pub async fn mirror(
        &self,
        http: &reqwest::Client,
        url: &str,
        size: u64,
        sha256: &str,
    ) -> Result<Digests, PackageError> {
        if self.contains(sha256) {
            return self.digests(sha256).await;
        }
        let io = |source| PackageError::Io { path: self.dir.clone(), source };
        let temporary = tempfile::Builder::new().prefix(PART).tempfile_in(&self.dir).map_err(io)?;
        let (file, guard) = temporary.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let download = |source| PackageError::Download { url: url.to_owned(), source };
        let mut response = http.get(url).send().await.map_err(download)?;
        if !response.status().is_success() {
            return Err(PackageError::Status { url: url.to_owned(), status: response.status() });
        }
        let (mut found, mut hash) = (0_u64, Sha256::new());
        while let Some(chunk) = response.chunk().await.map_err(download)? {
            found += chunk.len() as u64;
            if found > size {
                return Err(PackageError::Size { url: url.to_owned(), expected: size, found });
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(io)?;
        }
        if found != size {
            return Err(PackageError::Size { url: url.to_owned(), expected: size, found });
        }
        let actual = hex::encode(hash.finalize());
        if actual != sha256 {
            return Err(PackageError::Hash { url: url.to_owned(), expected: sha256.to_owned(), found: actual });
        }
        file.sync_all().await.map_err(io)?;
        guard.persist(self.path(sha256)).map_err(|e| io(e.error))?;
        sync_folder(&self.dir).map_err(io)?;
        self.digests(sha256).await
    }

    /// Removes incomplete downloads that a killed process left; returns how many.
    pub fn sweep(&self, now: DateTime<Utc>) -> Result<usize, PackageError> {
        let io = |source| PackageError::Io { path: self.dir.clone(), source };
        let mut swept = 0;
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let entry = entry.map_err(io)?;
            let modified = entry.metadata().and_then(|m| m.modified()).map(DateTime::<Utc>::from);
            let old = modified.is_ok_and(|at| at + TimeDelta::hours(PART_HOURS) < now);
            if old && entry.file_name().to_string_lossy().starts_with(PART) {
                std::fs::remove_file(entry.path()).map_err(io)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    async fn digests(&self, sha256: &str) -> Result<Digests, PackageError> {
        let path = self.path(sha256);
        let io = |source| PackageError::Io { path: path.clone(), source };
        let mut file = tokio::fs::File::open(&path).await.map_err(io)?;
        let (mut sha1, mut md5) = (sha1::Sha1::new(), md5::Md5::new());
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match tokio::io::AsyncReadExt::read(&mut file, &mut buffer).await.map_err(io)? {
                0 => break,
                n => {
                    sha1.update(&buffer[..n]);
                    md5.update(&buffer[..n]);
                }
            }
        }
        Ok(Digests { sha1: hex::encode(sha1.finalize()), md5: hex::encode(md5.finalize()) })
    }
}

/// Makes a rename in `folder` survive a power cut, where the system can.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_incomplete_downloads_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let packages = Packages::open(folder.path()).unwrap();
        for name in [".part-1", "00ff"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let written = DateTime::<Utc>::from(std::fs::metadata(packages.path("00ff")).unwrap().modified().unwrap());
        assert_eq!(packages.sweep(written + TimeDelta::hours(PART_HOURS - 1)).unwrap(), 0);
        assert_eq!(packages.sweep(written + TimeDelta::hours(PART_HOURS + 1)).unwrap(), 1);
        assert!(packages.contains("00ff") && !packages.contains(".part-1"));
    }
}
