//! Unpacks a release package into an empty folder. A zip is hostile until proven otherwise.
//!
//! Invariants: the whole package was judged ([`super::archive`]), down to the last inflated byte, before the first
//! byte is written: an [`Inspected`] exists only then; what is written are the bytes that were judged; nothing is written outside `into`; no link, device
//! or special file is ever created; every file and folder is on the disk (fsync) when [`unpack`] returns.
//! Deliberately not done: restoring owners, times or set-id bits.

use super::archive::{self, CopyError, Entry, Inspected};
use super::entry_name::Kind;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("entry {name:?}: {source}")]
    Copy { name: String, source: CopyError },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Unpacks `package` into `into`, which must not exist yet, as it was judged to be; several files at once.
/// On an error, `into` may hold a part; the caller removes it.
pub fn unpack(package: &File, inspected: &Inspected, into: &Path) -> Result<(), UnpackError> {
    create_folder(into)?;
    let mut folders = BTreeSet::from([into.to_path_buf()]);
    let mut files: Vec<(&Entry, PathBuf)> = Vec::new();
    for entry in &inspected.entries {
        let path = into.join(&entry.name);
        let folder = match entry.kind {
            Kind::Folder => path.as_path(),
            Kind::File => path.parent().unwrap_or(into),
        };
        let missing: Vec<&Path> = folder.ancestors().take_while(|f| !folders.contains(*f)).collect();
        for folder in missing.into_iter().rev() {
            create_folder(folder)?;
            folders.insert(folder.to_path_buf());
        }
        if entry.kind == Kind::File {
            files.push((entry, path));
        }
    }
    archive::each(&mut files, |(entry, path)| write_file(package, entry, path))?;
    make_durable(into, &folders)
}

fn write_file(package: &File, entry: &Entry, path: &Path) -> Result<(), UnpackError> {
    let to_write = |source| UnpackError::Write { path: path.to_path_buf(), source };
    let mut file = File::options().write(true).create_new(true).open(path).map_err(to_write)?;
    Inspected::copy_from_file(package, entry, |piece| file.write_all(piece)).map_err(|error| match error {
        CopyError::Write(source) => to_write(source),
        CopyError::Changed(_) | CopyError::Read(_) => UnpackError::Copy { name: entry.name.clone(), source: error },
    })?;
    if entry.executable {
        make_executable(&file).map_err(to_write)?;
    }
    if cfg!(target_os = "linux") { Ok(()) } else { file.sync_all().map_err(to_write) }
}

/// One call for the whole file system: for thousands of small files far less work than one for each, and it tells of
/// any that could not be written.
#[cfg(target_os = "linux")]
fn make_durable(into: &Path, _: &BTreeSet<PathBuf>) -> Result<(), UnpackError> {
    let synced = File::open(into).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
    synced.map_err(|source| UnpackError::Write { path: into.to_path_buf(), source })
}

/// The files are; deepest first, so that a folder is durable before the one that names it.
#[cfg(not(target_os = "linux"))]
fn make_durable(_: &Path, folders: &BTreeSet<PathBuf>) -> Result<(), UnpackError> {
    folders.iter().rev().try_for_each(|path| {
        super::tree::sync_folder(path).map_err(|source| UnpackError::Write { path: path.clone(), source })
    })
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}

fn create_folder(path: &Path) -> Result<(), UnpackError> {
    fs::create_dir(path).map_err(|source| UnpackError::Write { path: path.to_path_buf(), source })
}
