//! What speaks against a package, entry by entry, in words for its publisher.

use super::super::entry_name::NameError;
use super::{RATIO_MAX, central::DIRECTORY_BYTES_MAX};
use serde::Serialize;
use std::fmt;

/// Most verdicts that are kept of one package; the rest is counted.
pub const VERDICTS_MAX: usize = 100;
/// Longest name that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// Most verdicts told in one line.
const TOLD_MAX: usize = 3;

/// One thing that speaks against a package: each message follows on the entry's name, or on "the package".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "reason", content = "details", rename_all = "snake_case")]
pub enum Refusal {
    #[error("has no end record: it is no zip, or its end is missing")]
    NoEnd,
    #[error("has {0} end records that reach its end; write it anew, with one")]
    SeveralEnds(usize),
    #[error("goes on for {0} bytes after its end record; cut them off")]
    AfterEnd(u64),
    #[error("has a comment that can be read as part of the archive; leave the comment out")]
    Comment,
    #[error("is one part of several; make it one file")]
    Split,
    #[error("{0}; write it anew")]
    EndZip64(&'static str),
    #[error(
        "says that its central directory ends at byte {said}, but it ends at {is}; nothing may stand before or between"
    )]
    Misplaced { said: u64, is: u64 },
    #[error("has a central directory of {0} bytes; at most {DIRECTORY_BYTES_MAX} are read")]
    DirectoryTooLarge(u64),
    #[error("has a central directory that is broken at byte {0}; write it anew")]
    Directory(u64),
    #[error("says that it has {said} entries, but lists {is}; write it anew")]
    Count { said: u64, is: u64 },
    #[error("has {entries} entries; its manifest allows {max}")]
    TooMany { entries: u64, max: u64 },
    #[error("unpacks to {bytes} bytes; its manifest allows {max}")]
    TooLarge { bytes: u64, max: u64 },
    #[error("holds no file; add what the release installs")]
    Empty,
    #[error("has {bytes} bytes at byte {at} that belong to no entry; write it anew, without them")]
    Gap { at: u64, bytes: u64 },

    #[error(transparent)]
    Name(NameError),
    #[error(
        "has letters beyond ASCII, but no mark that they are UTF-8 (flag bit 11); pack it with a tool that sets it"
    )]
    Unmarked,
    #[error("has a Unicode path that says {0:?}; leave that field out")]
    UnicodePath(String),
    #[error("is or may become a link or special file ({0}); pack the file itself")]
    Special(&'static str),
    #[error("is a folder that holds {0} bytes of its own; pack it as a file, or empty")]
    FolderWithData(u64),
    #[error("is encrypted; pack it in the clear, its signature protects it")]
    Encrypted,
    #[error("is packed by method {}; only stored (0) and deflate (8) are read", method(*.0))]
    Method(u16),
    #[error("has flags {0:#06x}, of which some change how it is read; set no others than UTF-8 (bit 11)")]
    Flags(u16),
    #[error("has {0}; leave them out")]
    Extra(&'static str),
    #[error("has zip64 sizes that lie: the field {0}")]
    Zip64(&'static str),
    #[error("is stored, so its {packed} bytes cannot become {size}")]
    StoredSize { packed: u64, size: u64 },
    #[error("grows {0} times when it is unpacked; at most {RATIO_MAX} times is accepted")]
    Ratio(u64),
    #[error("has no local header at byte {0}, where the directory says it is")]
    NoLocal(u64),
    #[error("is not in the central directory, so some tools unpack it and others do not; remove it")]
    Unlisted,
    #[error("has the {field} {local} in its local header, but {central} in the central directory; make them one")]
    Differs { field: &'static str, local: String, central: String },
    #[error("has no data descriptor with its sizes and checksum after its data, though its flags promise one")]
    Descriptor,
    #[error("is stored, with its size only after it; write its size first")]
    Unbounded,
    #[error("overlaps entry {0:?}; every byte may belong to one entry only")]
    Overlaps(String),
    #[error("ends its compressed data {0} bytes before the end of its room; nothing may hide there")]
    Slack(u64),
    #[error("holds more than the {0} bytes it says")]
    Longer(u64),
    #[error("holds {is} bytes, not the {said} it says")]
    Shorter { said: u64, is: u64 },
    #[error("has damaged compressed data")]
    Damaged,
    #[error("has the checksum {is:08x}, not the {said:08x} it says; it is damaged")]
    Crc { said: u32, is: u32 },

    /// Told to publishers only.
    #[error("is missing, though the manifest reads the installed version from it; add it")]
    NoVersion,
    /// Told to publishers only.
    #[error("says version {said:?}, the manifest says {manifest}; make them one")]
    OtherVersion { said: String, manifest: String },
}

/// A method by the name that people know.
fn method(number: u16) -> String {
    let name = match number {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        9 => "deflate64",
        12 => "bzip2",
        14 => "LZMA",
        20 | 93 => "Zstandard",
        95 => "XZ",
        98 => "PPMd",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

/// A refusal and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Name of the entry as it is written there; `None` for the package as a whole.
    pub entry: Option<String>,
    #[serde(flatten)]
    pub why: Refusal,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(name) => write!(f, "entry {name:?} {}", self.why),
            None => write!(f, "the package {}", self.why),
        }
    }
}

/// Everything that speaks against a package; the first [`VERDICTS_MAX`], and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    list: Vec<Verdict>,
    more: usize,
}

impl Verdicts {
    /// One verdict on one entry.
    pub fn of_entry(name: &str, why: Refusal) -> Verdicts {
        let mut verdicts = Verdicts::default();
        verdicts.entry(name.as_bytes(), why);
        verdicts
    }

    pub fn list(&self) -> &[Verdict] {
        &self.list
    }

    /// How many there are, the untold included.
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are counted but not kept.
    pub fn more(&self) -> usize {
        self.more
    }

    pub(super) fn archive(&mut self, why: Refusal) {
        self.push(None, why);
    }

    pub(super) fn entry(&mut self, name: &[u8], why: Refusal) {
        self.push(Some(shown(name)), why);
    }

    fn push(&mut self, entry: Option<String>, why: Refusal) {
        if self.list.len() < VERDICTS_MAX {
            self.list.push(Verdict { entry, why });
        } else {
            self.more += 1;
        }
    }
}

/// The first few, in one line.
impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.list.iter().take(TOLD_MAX).map(Verdict::to_string).collect();
        write!(f, "{}", told.join("; "))?;
        match self.count() - told.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Verdicts {}

/// A raw name for people, not longer than they read.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into_owned(),
    }
}
