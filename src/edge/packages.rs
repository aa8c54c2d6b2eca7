//! The package store: a folder of files named by their sha256, complete or absent.
//!
//! A download goes to `.part-<sha256>`, where a later one takes it up if it is cut ([`super::download`]); when it is whole
//! and synced it is compared with the signed length and hash and renamed. What nobody takes up any more is removed by
//! [`Packages::sweep`]. Whether a package is wanted is not known here.

use super::download::{DownloadError, Source, Unwatched};
use super::host::kept_packages::digest;
use super::lock::Lock;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::Digest;
use std::path::{Path, PathBuf};
use url::Url;

/// How a download that is not complete begins its name.
const PART: &str = ".part-";
/// Time after its last byte from which an incomplete download is nobody's any more, in hours; longer than any try may
/// take.
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
    #[error("{0} is no address of a package")]
    Address(String),
    #[error("cannot download {url}: {source}; what has arrived serves the next try")]
    Cut { url: String, source: DownloadError },
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
            PackageError::Cut { .. } | PackageError::Status { .. } => true,
            PackageError::Io { .. }
            | PackageError::Address(_)
            | PackageError::Size { .. }
            | PackageError::Hash { .. } => false,
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

    /// Downloads a package of exactly `size` bytes and the signed hash, taking up what an earlier try left. It appears whole
    /// or not at all.
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
        let part = self.dir.join(format!("{PART}{sha256}"));
        let lock = Lock::take(&part.with_extension("lock")).map_err(io)?;
        // Somebody else is at it, another publisher's feed or a replica: two never write one file.
        let own = match lock {
            Some(_) => None,
            None => {
                let own = tempfile::Builder::new().prefix(PART).tempfile_in(&self.dir).map_err(io)?;
                Some(own.into_temp_path())
            }
        };
        let part = own.as_deref().unwrap_or(&part);
        let fetched = self.fetch(http, url, size, sha256, part).await;
        let over = match fetched {
            Ok(()) => {
                std::fs::rename(part, self.path(sha256)).and_then(|()| sync_folder(&self.dir)).map_err(io)?;
                true
            }
            Err(PackageError::Cut { .. } | PackageError::Status { .. }) => own.is_some(),
            // It is not what was signed, and no rest of it will be.
            Err(_) => true,
        };
        if over {
            for file in [part.to_owned(), part.with_extension("etag"), part.with_extension("lock")] {
                // What is left costs space until it is swept.
                let _ = std::fs::remove_file(file);
            }
        }
        drop(lock);
        fetched?;
        self.digests(sha256).await
    }

    /// Makes `part` the package, by what it holds already or anew.
    async fn fetch(
        &self,
        http: &reqwest::Client,
        url: &str,
        size: u64,
        sha256: &str,
        part: &Path,
    ) -> Result<(), PackageError> {
        let address: Url = url.parse().map_err(|_| PackageError::Address(url.to_owned()))?;
        let source = Source { http, url: address, authorization: None };
        loop {
            let resumed = std::fs::metadata(part).is_ok_and(|m| m.len() > 0);
            source.whole(part, size, &Unwatched).await.map_err(|error| failed(url, size, error))?;
            let file = part.to_owned();
            let read = tokio::task::spawn_blocking(move || digest(&file)).await.map_err(std::io::Error::other);
            let (_, found) =
                read.and_then(|read| read).map_err(|source| PackageError::Io { path: part.to_owned(), source })?;
            if found == sha256 {
                return Ok(());
            }
            if !resumed {
                return Err(PackageError::Hash { url: url.to_owned(), expected: sha256.to_owned(), found });
            }
            // Halves of two files, perhaps: the whole of one tells.
            std::fs::remove_file(part).map_err(|source| PackageError::Io { path: part.to_owned(), source })?;
        }
    }

    /// Removes incomplete downloads that a killed process left; returns how many.
    pub fn sweep(&self, now: DateTime<Utc>) -> Result<usize, PackageError> {
        let io = |source| PackageError::Io { path: self.dir.clone(), source };
        let mut swept = 0;
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let entry = entry.map_err(io)?;
            // What belongs to a download is as young as its last byte.
            let (path, own) = (entry.path().with_extension(""), entry.metadata());
            let metadata = std::fs::metadata(path).or(own);
            let modified = metadata.and_then(|m| m.modified()).map(DateTime::<Utc>::from);
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

fn failed(url: &str, expected: u64, error: DownloadError) -> PackageError {
    let url = url.to_owned();
    match error {
        DownloadError::Status(status) => PackageError::Status { url, status },
        DownloadError::TooMuch(_) => PackageError::Size { url, expected, found: expected.saturating_add(1) },
        DownloadError::Short { is, .. } => PackageError::Size { url, expected, found: is },
        DownloadError::Write { path, source } => PackageError::Io { path, source },
        DownloadError::Http(_) | DownloadError::Cut { .. } | DownloadError::Over { .. } | DownloadError::NoParts(_) => {
            PackageError::Cut { url, source: error }
        }
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
