//! What is inside a package, judged whole before a byte of it is written anywhere.
//!
//! A zip says everything twice: in the central directory at its end and in a local header before each entry. Readers
//! differ in which they believe, and a package that means one thing to whoever checked it and another to whoever
//! unpacks it is an attack. So both are read and have to agree, and every byte of the file has to belong to exactly
//! one entry, to the directory or to the end record: nothing before, between or after them, nothing twice. Then every
//! entry is inflated once, against its sizes and its checksum.
//!
//! Invariants: [`inspect`] reads only, with bounded memory, and tells everything it finds, not the first thing;
//! [`Entry`] exists only for entries of a package in which nothing was found; [`Inspected::copy`] reads the very bytes
//! that were judged, so no second parser can see something else.
//! Deliberately not done: repairing, decrypting, guessing encodings, archives in parts, other methods than deflate.
//!
//! Sources: PKWARE's APPNOTE 6.3.10; D. Fifield, *A better zip bomb* (2019); the checks of PyPI and uv against zip
//! confusion (2025).

mod central;
mod content;
mod end;
mod extra;
mod files;
mod judge;
mod listing;
mod local;
mod parallel;
mod source;
mod verdict;

pub use files::inspect_files;
pub use listing::{Listed, directory, list};
pub use parallel::each;
pub use verdict::{Refusal, VERDICTS_MAX, Verdict, Verdicts};

use super::entry_name::Kind;
use content::ContentError;
use judge::{Judged, contents, judge};
use parallel::At;
use source::{Source, Stop};
use std::fs::File;
use std::io::{self, Read, Seek};

/// Most entries of one package, where its manifest says nothing.
pub const ENTRIES_MAX: u64 = 100_000;
/// Largest growth of one entry; real installers stay under 50, deflate itself ends near 1032.
pub const RATIO_MAX: u64 = 200;
/// Entries that unpack to less than this are not judged by their ratio, in bytes.
pub const RATIO_JUDGED_FROM: u64 = 1 << 20;

/// What the manifest of a package allows it to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most entries, folders included.
    pub entries: u64,
    /// Most bytes that all entries unpack to.
    pub bytes: u64,
}

impl Limits {
    /// The figures of a manifest, the house's where it has none.
    pub fn of(package: &crate::model::manifest::Package) -> Limits {
        let most = package.unpacked_mib_max.saturating_mul(1 << 20);
        Limits {
            entries: package.entries.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX),
            bytes: package.unpacked_bytes.unwrap_or(most).min(most),
        }
    }
}

/// Why there is no [`Inspected`].
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Refused(Verdicts),
    #[error("cannot read the package: {0}")]
    Read(#[source] io::Error),
}

/// One entry of a sound package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, with `/` between its parts and none at its end.
    pub name: String,
    pub kind: Kind,
    pub executable: bool,
    /// Unpacked, in bytes.
    pub size: u64,
    pub crc: u32,
    packed: u64,
    deflated: bool,
    /// Where its data begins in the package.
    data: u64,
}

/// A package in which nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// In the order of the central directory.
    pub entries: Vec<Entry>,
    /// What all of them unpack to.
    pub bytes: u64,
}

/// Why an entry of a sound package could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("the package changed since it was judged: it {0}")]
    Changed(Refusal),
    #[error("cannot read the package: {0}")]
    Read(#[source] io::Error),
    #[error("{0}")]
    Write(#[source] io::Error),
}

/// Judges `package`: its structure, then its names and figures against `limits`, then what its entries inflate to.
///
/// # Errors
/// Everything that speaks against it, in the order of the package, or why it cannot be read.
pub fn inspect<R: Read + Seek>(package: R, limits: Limits) -> Result<Inspected, InspectError> {
    let one_by_one = |source: &mut Source<R>, judged: &mut [Judged]| -> io::Result<()> {
        judged.iter_mut().try_for_each(|entry| contents(source, entry, |_| Ok(())))
    };
    inspect_with(package, limits, one_by_one)
}

/// [`inspect`], several entries at once.
///
/// # Errors
/// Those of [`inspect`], in the same order.
pub fn inspect_file(package: &File, limits: Limits) -> Result<Inspected, InspectError> {
    let at_once = |_: &mut Source<At>, judged: &mut [Judged]| -> io::Result<()> {
        each(judged, |entry| contents(&mut Source::new(At::start(package))?, entry, |_| Ok(())))
    };
    inspect_with(At::start(package), limits, at_once)
}

fn inspect_with<R: Read + Seek>(
    package: R,
    limits: Limits,
    inflate: impl FnOnce(&mut Source<R>, &mut [Judged]) -> io::Result<()>,
) -> Result<Inspected, InspectError> {
    let mut verdicts = Verdicts::default();
    let source = Source::new(package).map_err(Stop::Read);
    let sound = match source.and_then(|mut source| judge(&mut source, limits, &mut verdicts, inflate)) {
        Ok(sound) => sound,
        Err(Stop::Read(error)) => return Err(InspectError::Read(error)),
        Err(Stop::Refused(why)) => {
            verdicts.archive(why);
            None
        }
    };
    match sound {
        Some(inspected) if verdicts.is_empty() => Ok(inspected),
        Some(_) | None => Err(InspectError::Refused(verdicts)),
    }
}

impl Inspected {
    /// Whether an entry of this name is there, and which.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// [`Inspected::copy`], whoever else reads the package meanwhile.
    ///
    /// # Errors
    /// Those of [`Inspected::copy`].
    pub fn copy_from_file(
        package: &File,
        entry: &Entry,
        sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CopyError> {
        Inspected::copy(At::start(package), entry, sink)
    }

    /// Hands the unpacked bytes of `entry` to `sink`, piece by piece, checked as they go by.
    ///
    /// # Errors
    /// The package is not what was judged any more, cannot be read, or `sink` failed.
    pub fn copy<R: Read + Seek>(
        package: R,
        entry: &Entry,
        sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CopyError> {
        let mut source = Source::new(package).map_err(CopyError::Read)?;
        content::unpacked(&mut source, entry, sink).map_err(copied)
    }
}

fn copied(error: ContentError) -> CopyError {
    match error {
        ContentError::Refused(why) => CopyError::Changed(why),
        ContentError::Read(error) => CopyError::Read(error),
        ContentError::Sink(error) => CopyError::Write(error),
    }
}
