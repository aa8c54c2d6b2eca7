//! Unpacks a release package into an empty folder. A zip is hostile until proven otherwise.
//!
//! Invariants: every header is judged before the first byte is written; nothing is written outside
//! `into`; no link, device or special file is ever created; no more bytes are written than the signed
//! manifest allows; every file and folder is on the disk (fsync) when [`unpack`] returns.
//! Deliberately not done: repairing names, decrypting, restoring owners, times or set-id bits.

use super::entry_name::{Kind, NameError, Names};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// Most entries of one package.
pub const ENTRIES_MAX: usize = 100_000;
/// Largest growth of one entry; real installers stay under 50, deflate itself ends near 1032.
pub const RATIO_MAX: u64 = 200;
/// Entries that unpack to less than this are not judged by their ratio, in bytes.
pub const RATIO_JUDGED_FROM: u64 = 1 << 20;

/// Why a package was refused or could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the package is not a readable zip: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("the package holds no file")]
    Empty,
    #[error("the package holds {0} entries, more than {ENTRIES_MAX}")]
    TooMany(usize),
    #[error("the package holds two entries of one name, or entries that overlap")]
    Overlap,
    #[error("entry {name:?} {source}")]
    Name { name: String, source: NameError },
    #[error("entry {0:?} is a link or a special file")]
    NotAFile(String),
    #[error("entry {0:?} is encrypted")]
    Encrypted(String),
    #[error("entry {name:?} uses compression {method}; only stored and deflated are accepted")]
    Method { name: String, method: String },
    #[error("entry {0:?} grows more than {RATIO_MAX} times")]
    Ratio(String),
    #[error("the package unpacks to more than the {0} bytes its manifest allows")]
    TooLarge(u64),
    #[error("entry {0:?} is longer than its header says")]
    Longer(String),
    #[error("entry {name:?} is damaged: {source}")]
    Damaged { name: String, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// One accepted entry.
struct Entry {
    index: usize,
    name: String,
    kind: Kind,
    executable: bool,
    size: u64,
}

/// Judges `package` without writing anything; returns how many bytes it unpacks to.
pub fn inspect(package: &File, bytes_max: u64) -> Result<u64, UnpackError> {
    let entries = judge(&mut ZipArchive::new(BufReader::new(package))?, bytes_max)?;
    Ok(entries.iter().map(|entry| entry.size).sum())
}

/// Unpacks `package` into `into`, which must not exist yet; at most `bytes_max` bytes come out.
/// On error `into` may hold a part; the caller removes it.
pub fn unpack(package: &File, into: &Path, bytes_max: u64) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(BufReader::new(package))?;
    let entries = judge(&mut archive, bytes_max)?;
    create_folder(into)?;
    let mut folders = BTreeSet::from([into.to_path_buf()]);
    let mut left = bytes_max;
    for entry in &entries {
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
            left -= write_file(&mut archive, entry, &path, Allowance { left, total: bytes_max })?;
        }
    }
    // Deepest first, so that a folder is durable before the one that names it.
    folders.iter().rev().try_for_each(|folder| sync_folder(folder))
}

/// Judges every header; nothing is written before all of them pass.
fn judge(archive: &mut ZipArchive<BufReader<&File>>, bytes_max: u64) -> Result<Vec<Entry>, UnpackError> {
    if archive.len() > ENTRIES_MAX {
        return Err(UnpackError::TooMany(archive.len()));
    }
    if archive.has_duplicate_names() || archive.has_overlapping_entries()? {
        return Err(UnpackError::Overlap);
    }
    let mut names = Names::default();
    let mut entries = Vec::with_capacity(archive.len());
    let mut total: u64 = 0;
    for index in 0..archive.len() {
        let raw = archive.by_index_raw(index)?;
        let shown = String::from_utf8_lossy(raw.name_raw()).into_owned();
        let kind = if raw.is_dir() { Kind::Folder } else { Kind::File };
        let mode = raw.unix_mode().unwrap_or(0);
        if raw.is_symlink() || !type_fits(mode, kind) {
            return Err(UnpackError::NotAFile(shown));
        }
        let name =
            names.accept(raw.name_raw(), kind).map_err(|source| UnpackError::Name { name: shown.clone(), source })?;
        if raw.encrypted() {
            return Err(UnpackError::Encrypted(shown));
        }
        if !matches!(raw.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(UnpackError::Method { name: shown, method: raw.compression().to_string() });
        }
        if raw.size() > RATIO_JUDGED_FROM && raw.size() / raw.compressed_size().max(1) > RATIO_MAX {
            return Err(UnpackError::Ratio(shown));
        }
        total = total.saturating_add(raw.size());
        if total > bytes_max {
            return Err(UnpackError::TooLarge(bytes_max));
        }
        entries.push(Entry { index, name, kind, executable: mode & 0o111 != 0, size: raw.size() });
    }
    // Local headers that tell another story than the central directory: what was judged is not what is there.
    archive.validate_header_consistency()?;
    if !entries.iter().any(|e| e.kind == Kind::File) {
        return Err(UnpackError::Empty);
    }
    Ok(entries)
}

/// Whether the file type bits of a Unix mode agree with what the name says; archives without them pass.
fn type_fits(mode: u32, kind: Kind) -> bool {
    match mode & 0o170_000 {
        0 => true,
        0o100_000 => kind == Kind::File,
        0o040_000 => kind == Kind::Folder,
        _ => false,
    }
}

/// How many bytes may still be written, of how many in all.
struct Allowance {
    left: u64,
    total: u64,
}

fn write_file(
    archive: &mut ZipArchive<BufReader<&File>>,
    entry: &Entry,
    path: &Path,
    allowance: Allowance,
) -> Result<u64, UnpackError> {
    let to_write = |source| UnpackError::Write { path: path.to_path_buf(), source };
    let mut from = archive.by_index(entry.index)?;
    let declared = from.size();
    let mut file = File::options().write(true).create_new(true).open(path).map_err(to_write)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut written: u64 = 0;
    loop {
        // Reading to the end also checks the CRC.
        let n = from.read(&mut buffer).map_err(|source| UnpackError::Damaged { name: entry.name.clone(), source })?;
        if n == 0 {
            break;
        }
        written += n as u64;
        if written > declared {
            return Err(UnpackError::Longer(entry.name.clone()));
        }
        if written > allowance.left {
            return Err(UnpackError::TooLarge(allowance.total));
        }
        file.write_all(&buffer[..n]).map_err(to_write)?;
    }
    if written < declared {
        let source = io::ErrorKind::UnexpectedEof.into();
        return Err(UnpackError::Damaged { name: entry.name.clone(), source });
    }
    if entry.executable {
        make_executable(&file).map_err(to_write)?;
    }
    file.sync_all().map_err(to_write)?;
    Ok(written)
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

fn sync_folder(path: &Path) -> Result<(), UnpackError> {
    super::tree::sync_folder(path).map_err(|source| UnpackError::Write { path: path.to_path_buf(), source })
}
