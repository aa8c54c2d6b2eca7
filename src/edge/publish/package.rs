//! A look into a package before it is signed: what an agent would refuse in the night is refused here, and a release
//! whose own version file disagrees with its manifest would be rolled back on every server.

use super::PublishError;
use crate::edge::host::archive::{self, InspectError, Inspected, Limits, Refusal, Verdicts};
use crate::model::manifest::{Installer, Manifest};
use std::fs::File;
use std::path::Path;

/// Most bytes read of a version file.
const VERSION_BYTES_MAX: usize = 4096;

/// What a package holds, as its signed manifest says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Entries, folders included.
    pub entries: u64,
    /// What they unpack to, in bytes.
    pub unpacked_bytes: u64,
}

/// Judges a package as agents do, and whether it brings the version it is published as.
///
/// # Errors
/// [`PublishError::Refused`] with everything that speaks against it, or why it cannot be read or is no package that
/// agents install.
pub fn check_package(path: &Path, manifest: &Manifest) -> Result<Figures, PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let not_installed = |kind: &str| PublishError::Package {
        path: path.to_owned(),
        what: format!(
            "is of kind {kind}, which agents do not install yet: it would fail on every server; publish a zip"
        ),
    };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(PublishError::Package { path: path.to_owned(), what: "is empty or no file".to_owned() });
    }
    match manifest.installer {
        Installer::Msi { .. } => return Err(not_installed("msi")),
        Installer::Exe { .. } => return Err(not_installed("exe")),
        Installer::Zip {} => {}
    }
    let refused = |verdicts| PublishError::Refused { path: path.to_owned(), verdicts };
    let inspected = match archive::inspect_file(&file, Limits::of(&manifest.package)) {
        Ok(inspected) => inspected,
        Err(InspectError::Read(source)) => return Err(io(source)),
        Err(InspectError::Refused(verdicts)) => return Err(refused(verdicts)),
    };
    let why = match version_line(&file, &inspected, manifest).map_err(io)? {
        None => Refusal::NoVersion,
        Some(said) if said.parse().as_ref() == Ok(&manifest.version) => {
            return Ok(Figures { entries: inspected.entries.len() as u64, unpacked_bytes: inspected.bytes });
        }
        Some(said) => Refusal::OtherVersion { said, manifest: manifest.version.to_string() },
    };
    Err(refused(Verdicts::of_entry(&manifest.detect.version_file, why)))
}

/// First line of the file that tells the installed version, if the package has it.
fn version_line(file: &File, inspected: &Inspected, manifest: &Manifest) -> std::io::Result<Option<String>> {
    let Some(entry) = inspected.entry(&manifest.detect.version_file) else { return Ok(None) };
    let mut text = Vec::new();
    let copied = Inspected::copy(file, entry, |piece| {
        text.extend_from_slice(&piece[..piece.len().min(VERSION_BYTES_MAX - text.len())]);
        Ok(())
    });
    copied.map_err(std::io::Error::other)?;
    Ok(Some(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()))
}
