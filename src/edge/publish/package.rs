//! A look into a package before it is signed: a release whose own version file disagrees with its manifest would be
//! rolled back on every server.

use super::PublishError;
use crate::model::manifest::{Installer, Manifest};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes read of a version file.
const VERSION_BYTES_MAX: u64 = 4096;

/// Refuses a package that is empty, or a zip that does not bring the version it is published as.
pub(super) fn check(path: &Path, manifest: &Manifest) -> Result<(), PublishError> {
    let wrong = |what: String| PublishError::Package { path: path.to_owned(), what };
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(wrong("is empty or no file".to_owned()));
    }
    match manifest.installer {
        Installer::Msi { .. } | Installer::Exe { .. } => return Ok(()),
        Installer::Zip {} => {}
    }
    let mut archive = zip::ZipArchive::new(file).map_err(|error| wrong(format!("is no zip: {error}")))?;
    let name = &manifest.detect.version_file;
    let entry = archive.by_name(name).map_err(|_| wrong(format!("lacks {name}, which tells the installed version")))?;
    let mut text = String::new();
    entry.take(VERSION_BYTES_MAX).read_to_string(&mut text).map_err(|error| wrong(format!("{name}: {error}")))?;
    let said = text.lines().next().unwrap_or_default().trim();
    if said.parse().as_ref() != Ok(&manifest.version) {
        return Err(wrong(format!("{name} says {said:?}, the manifest says {}", manifest.version)));
    }
    Ok(())
}
