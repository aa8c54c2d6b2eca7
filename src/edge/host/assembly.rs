//! A package put together from what is installed and from what was fetched of it, where only little has changed.
//!
//! The directory of a new package lists its entries ([`archive::list`]). What has the length and the checksum of a file
//! of the tree installed now is taken from there, the rest from the bytes fetched, and both are written into a new zip of
//! our own, stored, with the entries of the list and no others. Nothing is believed for any of that: neither the
//! directory nor the parts of a package are signed on their own, a checksum of 32 bits is a hint, and a customer may have
//! changed a file. What is written is then judged like any package, by the same reader and the same figures
//! ([`archive::inspect_files`]), and unpacked only if the list of what it holds, name by name with sha256, length and
//! mode, has the digest that the publisher signed (`package.files_sha256`). So what reaches the disk is what the whole
//! package would have brought, down to the last byte, and what may be wrong with the bytes in between (local headers,
//! gaps, overlaps, a bomb) is not even there.
//!
//! A package rebuilt byte for byte would be proven by the digest it has already, but needs the old package beside the old
//! tree, and a publisher whose tool packs an unchanged file in the same way. Neither is given.
//!
//! In the field: zsync, casync and Delivery Optimization compare blocks against a list the publisher makes, and zipsync
//! fetches entries as here. Entries are what a product's versions have in common, whatever moved in between.

use super::archive::{self, CopyError, Listed};
use super::entry_name::Kind;
use flate2::Crc;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Gaps up to this are fetched with what is around them: a request of its own would cost as much, in bytes.
const GAP_BYTES_MAX: u64 = 2048;
/// Bytes copied at a time.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    #[error("entry {name:?} cannot be taken from what was fetched: {source}")]
    Entry { name: String, source: CopyError },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write a package: {0}")]
    Zip(#[from] zip::result::ZipError),
}

/// Where each entry of a package comes from.
#[derive(Debug)]
pub struct Assembly {
    entries: Vec<(Listed, Option<PathBuf>)>,
}

impl Assembly {
    /// Looks for the entries of a package among the files below `installed`. Reads those of the right length.
    pub fn new(listed: Vec<Listed>, installed: &Path) -> Assembly {
        let mut entries: Vec<_> = listed.into_iter().map(|entry| (entry, None)).collect();
        let look = |(entry, here): &mut (Listed, Option<PathBuf>)| {
            // What cannot be read is fetched.
            let path = installed.join(&entry.name);
            *here = (entry.kind == Kind::File && is_same(entry, &path).unwrap_or(false)).then_some(path);
            Ok::<(), ()>(())
        };
        // Never fails: `look` does not.
        let _ = archive::each(&mut entries, look);
        Assembly { entries }
    }

    /// The bytes of the package that have to be fetched, in their order.
    pub fn wanted(&self) -> Vec<Range<u64>> {
        let missing = self.entries.iter().filter(|(entry, here)| here.is_none() && entry.kind == Kind::File);
        let mut spans: Vec<Range<u64>> = missing.map(|(entry, _)| entry.span.clone()).collect();
        spans.sort_by_key(|span| span.start);
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for span in spans {
            match wanted.last_mut() {
                Some(last) if span.start <= last.end + GAP_BYTES_MAX => last.end = last.end.max(span.end),
                Some(_) | None => wanted.push(span),
            }
        }
        wanted
    }

    /// What all entries unpack to: about as much as the result of [`Assembly::write`].
    pub fn bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, (entry, _)| sum.saturating_add(entry.size))
    }

    /// Writes the package to `file`, durable; `fetched` has the bytes that were [`Assembly::wanted`], at their places.
    ///
    /// # Errors
    /// What was fetched is not what the directory said, or something cannot be read or written.
    pub fn write<R: Read + Seek>(&self, mut fetched: R, file: &Path) -> Result<(), AssemblyError> {
        let to_write = |source| AssemblyError::Write { path: file.to_path_buf(), source };
        let mut zip = ZipWriter::new(BufWriter::new(File::create(file).map_err(to_write)?));
        for (entry, here) in &self.entries {
            let mode = if entry.executable { 0o755 } else { 0o644 };
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .unix_permissions(mode)
                .large_file(entry.size >= u64::from(u32::MAX));
            match (entry.kind, here) {
                (Kind::Folder, _) => zip.add_directory(entry.name.as_str(), options.unix_permissions(0o755))?,
                (Kind::File, Some(path)) => {
                    zip.start_file(entry.name.as_str(), options)?;
                    let read = |source| AssemblyError::Read { path: path.clone(), source };
                    // It may be growing: the digest tells, and nothing is written without bound.
                    let mut source = File::open(path).map_err(read)?.take(entry.size);
                    io::copy(&mut source, &mut zip).map_err(read)?;
                }
                (Kind::File, None) => {
                    zip.start_file(entry.name.as_str(), options)?;
                    let wrong = |source| AssemblyError::Entry { name: entry.name.clone(), source };
                    entry.copy(&mut fetched, |piece| zip.write_all(piece)).map_err(wrong)?;
                }
            }
        }
        let written = zip.finish()?.into_inner().map_err(|error| to_write(error.into_error()))?;
        written.sync_all().map_err(to_write)
    }
}

/// Whether the file at `path` has the length and the checksum of `entry`.
fn is_same(entry: &Listed, path: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.len() != entry.size {
        return Ok(false);
    }
    let (mut file, mut crc, mut left) = (File::open(path)?, Crc::new(), entry.size);
    let mut buffer = vec![0; PIECE_BYTES];
    while left > 0 {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(false);
        }
        crc.update(&buffer[..count]);
        left = left.saturating_sub(count as u64);
    }
    Ok(crc.sum() == entry.crc)
}

#[cfg(test)]
#[path = "assembly_tests.rs"]
mod tests;
