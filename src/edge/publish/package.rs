//! A look into a package before it is signed: what an agent would refuse in the night is refused here, and a release
//! whose own version file disagrees with its manifest would be rolled back on every server. Nothing is known of what an
//! installer program holds but that it is one.

use super::PublishError;
use crate::edge::host::archive::{self, InspectError, Inspected, Limits, Refusal, Verdicts};
use crate::model::manifest::{Installer, Manifest};
use crate::model::return_code::Technology;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes read of a version file.
const VERSION_BYTES_MAX: usize = 4096;
/// What of a package shows what it is, in bytes.
const FIRST_BYTES: u64 = 8;
/// How a Windows Installer package begins (MS-CFB 2.2).
const COMPOUND_FILE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

/// What a package holds, as its signed manifest says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Entries, folders included.
    pub entries: u64,
    /// What they unpack to, in bytes.
    pub unpacked_bytes: u64,
    /// Of the list of all files ([`archive::inspect_files`]).
    pub files_sha256: String,
}

/// Judges a package as agents do, and whether it brings the version it is published as; `None` for an installer program.
///
/// # Errors
/// [`PublishError::Refused`] with everything that speaks against it, or why it cannot be read or is not of its kind.
pub fn check_package(path: &Path, manifest: &Manifest) -> Result<Option<Figures>, PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let wrong = |what| PublishError::Package { path: path.to_owned(), what };
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(wrong("is empty or no file".to_owned()));
    }
    let mut first = Vec::new();
    if !matches!(manifest.installer, Installer::Zip {}) {
        (&mut file).take(FIRST_BYTES).read_to_end(&mut first).map_err(io)?;
    }
    match &manifest.installer {
        Installer::Zip {} => {}
        Installer::Msi { .. } | Installer::Exe { .. } => {
            return match not_of_its_kind(&manifest.installer, &first, &manifest.package.file) {
                None => Ok(None),
                Some(what) => Err(wrong(what)),
            };
        }
    }
    let refused = |verdicts| PublishError::Refused { path: path.to_owned(), verdicts };
    let (inspected, files_sha256) = match archive::inspect_files(&file, Limits::of(&manifest.package)) {
        Ok(judged) => judged,
        Err(InspectError::Read(source)) => return Err(io(source)),
        Err(InspectError::Refused(verdicts)) => return Err(refused(verdicts)),
    };
    let why = match version_line(&file, &inspected, manifest).map_err(io)? {
        None => Refusal::NoVersion,
        Some(said) if said.parse().as_ref() == Ok(&manifest.version) => {
            let (entries, unpacked_bytes) = (inspected.entries.len() as u64, inspected.bytes);
            return Ok(Some(Figures { entries, unpacked_bytes, files_sha256 }));
        }
        Some(said) => Refusal::OtherVersion { said, manifest: manifest.version.to_string() },
    };
    Err(refused(Verdicts::of_entry(&manifest.detect.version_file, why)))
}

/// Why a package that begins with these bytes cannot be what its manifest says, if it cannot.
fn not_of_its_kind(installer: &Installer, first: &[u8], name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let is_windows = first.starts_with(b"MZ");
    match installer {
        Installer::Msi { .. } if !first.starts_with(COMPOUND_FILE) => {
            Some("is of kind msi, but no Windows Installer package".to_owned())
        }
        Installer::Msi { .. } if !name.ends_with(".msi") => {
            Some("is of kind msi: let package.file end in .msi".to_owned())
        }
        Installer::Exe { technology, .. } if *technology != Technology::Plain && !is_windows => {
            Some("is of kind exe, but no program for Windows".to_owned())
        }
        Installer::Exe { .. } if !is_windows && !first.starts_with(b"\x7fELF") && !first.starts_with(b"#!") => Some(
            "is of kind exe, but no program: neither of Windows nor of Linux, nor a script that names its own"
                .to_owned(),
        ),
        Installer::Exe { .. } if is_windows && !name.ends_with(".exe") => {
            Some("is a program for Windows: let package.file end in .exe".to_owned())
        }
        Installer::Zip {} | Installer::Msi { .. } | Installer::Exe { .. } => None,
    }
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
