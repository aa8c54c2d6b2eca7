//! What is here of a file that is not here whole: some of its ranges, in the order in which they came.
//!
//! `<stem>.parts` holds the bytes one range after the other, `<stem>.index` says which ranges they are and of which
//! version of the file. A range is written down before its first byte comes, so the length of the bytes tells how far
//! the last one is; killed at any instant, what had arrived is found again. Bytes are not proven here: whoever puts a
//! file together from them has to.

use crate::edge::host::journal::Journal;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Most ranges of one file; a download of more is not worth its requests.
const RANGES_MAX: usize = 4096;

/// A line of the index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Of {
        size: u64,
        tag: String,
    },
    Part {
        start: u64,
        end: u64,
    },
    /// The part before it ends here already.
    Cut {
        end: u64,
    },
}

/// Some ranges of a file.
pub struct Pieces {
    path: PathBuf,
    index: Journal<Line>,
    bytes: File,
    size: u64,
    tag: Option<String>,
    /// In the order of their bytes.
    parts: Vec<Range<u64>>,
}

fn length(parts: &[Range<u64>]) -> u64 {
    parts.iter().map(|part| part.end - part.start).sum()
}

impl Pieces {
    /// Opens what is at `<stem>.parts` of a file of `size` bytes; nothing is kept of another one.
    pub fn open(stem: &Path, size: u64) -> io::Result<Pieces> {
        let path = stem.with_extension("parts");
        let (index, lines) = Journal::open(&stem.with_extension("index")).map_err(io::Error::other)?;
        // Not to append: on Windows nothing that may only do that can be cut.
        let bytes = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut pieces = Pieces { path, index, bytes, size, tag: None, parts: Vec::new() };
        if !pieces.fold(lines) || !pieces.fits()? {
            pieces.start_over()?;
        }
        pieces.cut()?;
        Ok(pieces)
    }

    /// Whether the index is of this file and makes sense.
    fn fold(&mut self, lines: Vec<Line>) -> bool {
        for line in lines {
            match line {
                Line::Of { size, tag } if size == self.size && self.tag.is_none() => self.tag = Some(tag),
                Line::Part { start, end } if start < end && end <= self.size && self.tag.is_some() => {
                    self.parts.push(start..end);
                }
                Line::Cut { end } => match self.parts.last_mut() {
                    Some(last) if last.start <= end && end <= last.end => last.end = end,
                    Some(_) | None => return false,
                },
                Line::Of { .. } | Line::Part { .. } => return false,
            }
        }
        true
    }

    /// Whether the bytes reach into the last range and no further.
    fn fits(&self) -> io::Result<bool> {
        let before = self.parts.len().saturating_sub(1);
        let there = self.bytes.metadata()?.len();
        Ok(length(&self.parts[..before]) <= there && there <= length(&self.parts))
    }

    fn start_over(&mut self) -> io::Result<()> {
        (self.tag, self.parts) = (None, Vec::new());
        self.index.rotate().map_err(io::Error::other)?;
        self.bytes.set_len(0)
    }

    /// The last range ends where its bytes end.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        let (there, said) = (self.bytes.metadata()?.len(), length(&self.parts));
        if let Some(last) = self.parts.last_mut().filter(|_| there < said) {
            last.end -= said - there;
            let end = last.end;
            self.index.append(&Line::Cut { end }).map_err(io::Error::other)?;
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Which version of the file they are of, once that is known.
    pub(super) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Begins a range that comes from the version `tag`; its bytes follow by [`Pieces::append`].
    pub(super) fn begin(&mut self, tag: &str, part: Range<u64>) -> io::Result<()> {
        if self.tag.as_deref() != Some(tag) {
            self.start_over()?;
            self.index.append(&Line::Of { size: self.size, tag: tag.to_owned() }).map_err(io::Error::other)?;
            self.tag = Some(tag.to_owned());
        }
        if self.parts.len() == RANGES_MAX {
            return Err(io::Error::other(format!("it came in more than {RANGES_MAX} parts")));
        }
        self.index.append(&Line::Part { start: part.start, end: part.end }).map_err(io::Error::other)?;
        self.parts.push(part);
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.seek(SeekFrom::End(0))?;
        self.bytes.write_all(bytes)
    }

    /// How many bytes are here.
    pub fn bytes(&self) -> u64 {
        length(&self.parts)
    }

    /// What is not here of `wanted`.
    pub fn missing(&self, wanted: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut here = self.parts.clone();
        here.sort_by_key(|part| part.start);
        let mut missing = Vec::new();
        for want in wanted {
            let mut at = want.start;
            for part in &here {
                if part.start > at && at < want.end {
                    missing.push(at..part.start.min(want.end));
                }
                at = at.max(part.end);
            }
            if at < want.end {
                missing.push(at..want.end);
            }
        }
        missing.retain(|part| part.start < part.end);
        missing
    }

    /// Reads the file at its own places.
    pub fn view(&self) -> io::Result<View> {
        let mut places = Vec::with_capacity(self.parts.len());
        let mut at = 0;
        for part in self.parts.iter().filter(|part| !part.is_empty()) {
            places.push((part.clone(), at));
            at += part.end - part.start;
        }
        places.sort_by_key(|(part, _)| part.start);
        Ok(View { file: File::open(&self.path)?, places, size: self.size, at: 0 })
    }

    /// Removes what is at `<stem>.parts`.
    pub fn forget(stem: &Path) {
        for file in ["parts", "index", "index.last"].map(|extension| stem.with_extension(extension)) {
            if let Err(error) = fs::remove_file(&file)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(file = %file.display(), %error, "cannot remove parts of a download");
            }
        }
    }
}

/// A file of which only pieces are here. What is not reads as zeros, so nothing may be believed for being readable.
pub struct View {
    file: File,
    /// Range of the file, and where it lies among the bytes; by range.
    places: Vec<(Range<u64>, u64)>,
    size: u64,
    at: u64,
}

impl Read for View {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.at);
        let at_most = |bytes: u64| usize::try_from(bytes.min(left)).unwrap_or(buffer.len()).min(buffer.len());
        let begun = self.places.partition_point(|(part, _)| part.start <= self.at);
        let place = self.places[..begun].last().filter(|(part, _)| part.contains(&self.at));
        let count = match place {
            Some((part, from)) => {
                let count = at_most(part.end - self.at);
                self.file.seek(SeekFrom::Start(from + self.at - part.start))?;
                self.file.read(&mut buffer[..count])?
            }
            None => {
                let next = self.places.get(begun).map(|(part, _)| part.start);
                let count = at_most(next.map_or(left, |next| next - self.at));
                buffer[..count].fill(0);
                count
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for View {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.size, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from.checked_add_signed(by).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(pieces: &mut Pieces, tag: &str, part: Range<u64>, bytes: &[u8]) {
        pieces.begin(tag, part).unwrap();
        pieces.append(bytes).unwrap();
    }

    #[test]
    fn what_had_arrived_is_found_again_wherever_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let stem = dir.path().join("x.zip");
        let mut pieces = Pieces::open(&stem, 100).unwrap();
        add(&mut pieces, "\"a\"", 90..100, b"0123456789");
        add(&mut pieces, "\"a\"", 10..20, b"abc");
        drop(pieces);
        for _ in 0..2 {
            let pieces = Pieces::open(&stem, 100).unwrap();
            assert_eq!((pieces.bytes(), pieces.tag()), (13, Some("\"a\"")));
            assert_eq!(pieces.missing(&[5..12, 12..30, 95..100]), [5..10, 13..30]);
        }
        let mut pieces = Pieces::open(&stem, 100).unwrap();
        add(&mut pieces, "\"a\"", 13..16, b"def");
        drop(pieces);
        let pieces = Pieces::open(&stem, 100).unwrap();
        let mut text = Vec::new();
        let mut view = pieces.view().unwrap();
        view.seek(SeekFrom::Start(8)).unwrap();
        view.read_to_end(&mut text).unwrap();
        assert_eq!((&text[..9], &text[82..]), (&b"\0\0abcdef\0"[..], &b"0123456789"[..]));
        assert_eq!(text.len(), 92);
    }

    #[test]
    fn nothing_is_kept_of_another_file_or_of_an_index_that_makes_no_sense() {
        let dir = tempfile::tempdir().unwrap();
        let stem = dir.path().join("x.zip");
        let mut pieces = Pieces::open(&stem, 100).unwrap();
        add(&mut pieces, "\"a\"", 0..4, b"abcd");
        // Another version of it.
        add(&mut pieces, "\"b\"", 4..8, b"efgh");
        assert_eq!((pieces.bytes(), pieces.missing(&[0..2, 2..8])), (4, vec![0..2, 2..4]));
        drop(pieces);
        assert_eq!(Pieces::open(&stem, 99).unwrap().bytes(), 0);
        let mut pieces = Pieces::open(&stem, 100).unwrap();
        add(&mut pieces, "\"a\"", 0..4, b"abcd");
        drop(pieces);
        fs::write(stem.with_extension("parts"), b"abcdefgh").unwrap();
        assert_eq!(Pieces::open(&stem, 100).unwrap().bytes(), 0, "more bytes than the index knows");
        Pieces::forget(&stem);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
