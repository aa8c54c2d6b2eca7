//! Bounded reads of a package at any place, and the little-endian fields in them.

use super::Refusal;
use std::io::{self, Read, Seek, SeekFrom};

/// Why reading stops before its end: nothing behind this place can be understood.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(Refusal),
    Read(io::Error),
}

impl From<Refusal> for Stop {
    fn from(why: Refusal) -> Stop {
        Stop::Refused(why)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Read(error)
    }
}

/// A package and how long it is.
pub(super) struct Source<R> {
    reader: R,
    pub len: u64,
}

impl<R: Read + Seek> Source<R> {
    pub fn new(mut reader: R) -> io::Result<Source<R>> {
        let len = reader.seek(SeekFrom::End(0))?;
        Ok(Source { reader, len })
    }

    /// Up to `count` bytes from `at`; fewer at the end of the package.
    pub fn up_to(&mut self, at: u64, count: usize) -> io::Result<Vec<u8>> {
        let there = self.len.saturating_sub(at).min(count as u64);
        if there == 0 {
            // Places behind the end come from headers that lie; some systems refuse to seek there.
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or(count));
        self.reader.seek(SeekFrom::Start(at))?;
        self.reader.by_ref().take(there).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Exactly `count` bytes from `at`, `None` when the package ends before.
    pub fn exactly(&mut self, at: u64, count: usize) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.up_to(at, count)?;
        Ok((bytes.len() == count).then_some(bytes))
    }
}

/// Fields one after the other; `None` when they run out.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// Takes the four bytes of a record's signature, if they are next.
    pub fn signed(&mut self, signature: [u8; 4]) -> Option<()> {
        (self.bytes(4)? == signature).then_some(())
    }
}
