//! Fetches of a package only what changed since the version installed, where it is a zip whose publisher signed the list
//! of its files.
//!
//! The end of the package, its directory, then the entries that no installed file equals; each a range of one version of
//! the file, kept across cuts and restarts. What is put together of them is proven by the signed list before it counts
//! ([`crate::edge::host::assembly`] says why that is as good as the package's own digest). On any doubt the whole package
//! is fetched, and the history says why.

use super::Agent;
use super::perform::Trouble;
use super::watch::Watch;
use crate::edge::download::{DownloadError, Parts, Pieces, Source};
use crate::edge::host::archive::{self, Inspected, Limits};
use crate::edge::host::assembly::Assembly;
use crate::edge::host::{disk, tree};
use crate::model::manifest::{Installer, SignedManifest};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

/// Packages under this are here whole before their parts were asked for, in bytes.
const PACKAGE_BYTES_MIN: u64 = 256 << 10;
/// How much of a package's end is fetched to find its directory, in bytes; often the directory is in it.
const END_BYTES: u64 = 16 << 10;
/// Most of a package that is fetched in parts, in percent: nearly all of it is sooner here whole.
const PERCENT_MAX: u64 = 80;
/// Most parts: each is a request.
const PARTS_MAX: usize = 2000;

/// What became of fetching only what changed.
#[derive(Debug)]
pub(super) enum Attempt {
    Done,
    /// There is nothing to compare with, or nothing to prove it by.
    NotTried,
    /// It has to come whole: why, in one sentence.
    Whole(String),
}

/// Either may end a try.
enum Stop {
    Line(DownloadError),
    Doubt(String),
}

impl From<DownloadError> for Stop {
    fn from(error: DownloadError) -> Stop {
        match error {
            DownloadError::NoParts(_) | DownloadError::Write { .. } => Stop::Doubt(error.to_string()),
            DownloadError::Http(_)
            | DownloadError::Status(_)
            | DownloadError::TooMuch(_)
            | DownloadError::Short { .. }
            | DownloadError::Cut { .. }
            | DownloadError::Over { .. } => Stop::Line(error),
        }
    }
}

impl Agent {
    pub(super) async fn fetch_changed(
        &self,
        source: &Source<'_>,
        signed: &SignedManifest,
        watch: &Watch<'_>,
    ) -> Result<Attempt, Trouble> {
        let Some(installed) = self.to_compare_with(signed) else { return Ok(Attempt::NotTried) };
        let tried = self.patiently(signed, async || match self.try_changed(source, signed, &installed, watch).await {
            Ok(()) => Ok(Attempt::Done),
            Err(Stop::Doubt(why)) => Ok(Attempt::Whole(why)),
            Err(Stop::Line(error)) => Err(error),
        });
        let attempt = tried.await?;
        if !matches!(attempt, Attempt::NotTried) {
            Pieces::forget(&self.staged(signed));
        }
        Ok(attempt)
    }

    /// The installed tree that a package may be compared with.
    fn to_compare_with(&self, signed: &SignedManifest) -> Option<PathBuf> {
        let manifest = &signed.manifest;
        let is_told = matches!(manifest.installer, Installer::Zip {}) && manifest.package.files_sha256.is_some();
        // What has arrived of the whole is not thrown away.
        let is_begun = std::fs::metadata(self.staged(signed)).is_ok_and(|m| m.len() > 0);
        if !is_told || is_begun || signed.size < PACKAGE_BYTES_MIN {
            return None;
        }
        let slug = self.tree(manifest).current().ok().flatten()?;
        Some(self.tree(manifest).version_dir(&slug))
    }

    async fn try_changed(
        &self,
        source: &Source<'_>,
        signed: &SignedManifest,
        installed: &Path,
        watch: &Watch<'_>,
    ) -> Result<(), Stop> {
        let (size, staged) = (signed.size, self.staged(signed));
        let mut pieces = Pieces::open(&staged, size).map_err(doubt)?;
        let mut parts = Parts::new(source, watch);
        let end = size.saturating_sub(END_BYTES)..size;
        parts.fetch(&mut pieces, from_ref(&end)).await?;
        let directory = archive::directory(pieces.view().map_err(doubt)?).map_err(doubt)?;
        check_amount(directory.end - directory.start, size)?;
        parts.fetch(&mut pieces, from_ref(&directory)).await?;
        let (view, limits) = (pieces.view().map_err(doubt)?, Limits::of(&signed.manifest.package));
        let installed = installed.to_path_buf();
        let compare = move || archive::list(view, limits).map(|listed| Assembly::new(listed, &installed));
        let assembly = blocking(compare).await?.map_err(doubt)?;
        let wanted = assembly.wanted();
        check_amount(wanted.iter().map(|part| part.end - part.start).sum(), size)?;
        if wanted.len() > PARTS_MAX {
            return Err(Stop::Doubt(format!("what changed lies in {} places of it", wanted.len())));
        }
        let missing: u64 = pieces.missing(&wanted).iter().map(|part| part.end - part.start).sum();
        let need = assembly.bytes().saturating_add(missing).saturating_add(self.config.disk.margin_mib << 20);
        if disk::free_bytes(&staged).map_err(doubt)? < need {
            return Err(Stop::Doubt("putting it together needs more disk than there is".to_owned()));
        }
        parts.fetch(&mut pieces, &wanted).await?;
        let (view, partial) = (pieces.view().map_err(doubt)?, staged.with_extension("assembling"));
        let (assembled, signed) = (self.assembled(signed), signed.clone());
        let put_together = move || {
            let written = assembly.write(view, &partial).map_err(|error| error.to_string());
            let proven = written.and_then(|()| prove(&partial, &signed));
            if proven.is_err() {
                // Its want of room would be felt.
                let _ = std::fs::remove_file(&partial);
            }
            proven?;
            std::fs::rename(&partial, &assembled).map_err(|error| error.to_string())?;
            tree::sync_folder(assembled.parent().unwrap_or(&assembled)).map_err(|error| error.to_string())
        };
        blocking(put_together).await?.map_err(Stop::Doubt)
    }

    /// Where a package is that was put together from what is installed and what changed.
    pub(super) fn assembled(&self, signed: &SignedManifest) -> PathBuf {
        self.staged(signed).with_extension("files")
    }
}

/// Opens a package that was put together and proves that it holds what the publisher signed, and nothing else.
pub(super) fn prove(path: &Path, signed: &SignedManifest) -> Result<(File, Inspected), String> {
    let file = File::open(path).map_err(|error| format!("cannot open what was put together: {error}"))?;
    let judged = archive::inspect_files(&file, Limits::of(&signed.manifest.package));
    let (inspected, digest) = judged.map_err(|error| format!("what was put together is refused: {error}"))?;
    if signed.manifest.package.files_sha256.as_ref() != Some(&digest) {
        return Err("what was put together is not what the publisher signed".to_owned());
    }
    Ok((file, inspected))
}

fn check_amount(bytes: u64, size: u64) -> Result<(), Stop> {
    let percent = u128::from(bytes) * 100 / u128::from(size.max(1));
    match percent <= PERCENT_MAX.into() {
        true => Ok(()),
        false => Err(Stop::Doubt(format!("{percent} % of it changed"))),
    }
}

fn doubt(error: impl std::fmt::Display) -> Stop {
    Stop::Doubt(error.to_string())
}

/// Work on files that may take minutes.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    tokio::task::spawn_blocking(work).await.map_err(doubt)
}
