//! The end record: where the central directory is, and how many entries it has.
//!
//! There must be one record that ends where the file ends, no other that could be taken for it, and zip64 records that
//! say the same as the 32-bit fields (APPNOTE 4.3.14 to 4.3.16, 4.4.1.4).

use super::Refusal;
use super::source::{Fields, Source, Stop};
use std::io::{Read, Seek};

const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
/// Bytes of the records without what varies.
const END_BYTES: usize = 22;
const END64_BYTES: usize = 56;
const LOCATOR64_BYTES: usize = 20;
const COMMENT_BYTES_MAX: usize = u16::MAX as usize;
/// Begins every record of a zip; a comment that holds one wants to be read as something else.
const SIGNATURES: [[u8; 4]; 7] =
    [*b"PK\x01\x02", *b"PK\x03\x04", *b"PK\x05\x05", END, END64, LOCATOR64, *b"PK\x07\x08"];

/// Where the central directory is.
#[derive(Debug)]
pub(super) struct End {
    pub entries: u64,
    pub directory: u64,
    pub directory_bytes: u64,
}

/// Whether `bytes` hold what a reader may take for a record.
pub(super) fn holds_signature(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| SIGNATURES.iter().any(|signature| four == signature))
}

pub(super) fn find<R: Read + Seek>(source: &mut Source<R>) -> Result<End, Stop> {
    let tail_at = source.len.saturating_sub((END_BYTES + COMMENT_BYTES_MAX) as u64);
    let tail = source.up_to(tail_at, END_BYTES + COMMENT_BYTES_MAX)?;
    let candidates = (0..tail.len()).filter_map(|at| Some((at, at.checked_add(record_bytes(tail.get(at..)?)?)?)));
    let candidates: Vec<(usize, usize)> = candidates.collect();
    let reaching: Vec<usize> = candidates.iter().filter(|(_, to)| *to == tail.len()).map(|(at, _)| *at).collect();
    let at = match reaching[..] {
        [at] => at,
        [] => {
            let whole = candidates.iter().rev().find(|(_, to)| *to < tail.len());
            return Err(whole.map_or(Refusal::NoEnd, |(_, to)| Refusal::AfterEnd((tail.len() - to) as u64)).into());
        }
        _ => return Err(Refusal::SeveralEnds(reaching.len()).into()),
    };
    if holds_signature(&tail[at + END_BYTES..]) {
        return Err(Refusal::Comment.into());
    }
    let narrow = Narrow::read(&tail[at..]).ok_or(Refusal::NoEnd)?;
    if narrow.disks != [0, 0] || narrow.entries_here != narrow.entries {
        return Err(Refusal::Split.into());
    }
    let end_at = tail_at + at as u64;
    let (end, directory_end) = match locator(source, end_at)? {
        Some(locator) => (wide(source, &locator, &narrow, end_at)?, end_at - (LOCATOR64_BYTES + END64_BYTES) as u64),
        None => (narrow.end(), end_at),
    };
    if end.directory.checked_add(end.directory_bytes) != Some(directory_end) {
        let said = end.directory.saturating_add(end.directory_bytes);
        return Err(Refusal::Misplaced { said, is: directory_end }.into());
    }
    Ok(end)
}

/// Length of the end record that `bytes` begin with.
fn record_bytes(bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields(bytes);
    fields.signed(END)?;
    fields.bytes(16)?;
    Some(END_BYTES + usize::from(fields.u16()?))
}

/// The record with 32-bit fields.
struct Narrow {
    disks: [u16; 2],
    entries_here: u16,
    entries: u16,
    directory_bytes: u32,
    directory: u32,
}

impl Narrow {
    fn read(bytes: &[u8]) -> Option<Narrow> {
        let mut fields = Fields(bytes);
        fields.signed(END)?;
        Some(Narrow {
            disks: [fields.u16()?, fields.u16()?],
            entries_here: fields.u16()?,
            entries: fields.u16()?,
            directory_bytes: fields.u32()?,
            directory: fields.u32()?,
        })
    }

    fn end(&self) -> End {
        End {
            entries: self.entries.into(),
            directory: self.directory.into(),
            directory_bytes: self.directory_bytes.into(),
        }
    }
}

fn locator<R: Read + Seek>(source: &mut Source<R>, end_at: u64) -> Result<Option<Vec<u8>>, Stop> {
    let Some(at) = end_at.checked_sub(LOCATOR64_BYTES as u64) else { return Ok(None) };
    Ok(source.exactly(at, LOCATOR64_BYTES)?.filter(|bytes| bytes.starts_with(&LOCATOR64)))
}

/// The zip64 record before the locator before the end record at `end_at`.
fn wide<R: Read + Seek>(source: &mut Source<R>, locator: &[u8], narrow: &Narrow, end_at: u64) -> Result<End, Stop> {
    let wrong = |what: &'static str| Stop::from(Refusal::EndZip64(what));
    let at = end_at.checked_sub((LOCATOR64_BYTES + END64_BYTES) as u64).ok_or(wrong("has no zip64 end record"))?;
    let pointer = || {
        let mut fields = Fields(locator);
        fields.signed(LOCATOR64)?;
        Some((fields.u32()?, fields.u64()?, fields.u32()?))
    };
    let (disk, pointed, disks) = pointer().ok_or(wrong("has a broken zip64 locator"))?;
    if disk != 0 || disks > 1 {
        return Err(Refusal::Split.into());
    }
    if pointed != at {
        return Err(wrong("has a zip64 locator that does not point to the record right before it"));
    }
    let bytes = source.exactly(at, END64_BYTES)?.ok_or(wrong("has no zip64 end record"))?;
    let record = || {
        let mut fields = Fields(&bytes);
        fields.signed(END64)?;
        let size = fields.u64()?;
        fields.u32()?;
        let disks = [fields.u32()?, fields.u32()?];
        let entries = [fields.u64()?, fields.u64()?];
        Some((size, disks, entries, fields.u64()?, fields.u64()?))
    };
    let (size, disks, [here, entries], directory_bytes, directory) =
        record().ok_or(wrong("has no zip64 end record"))?;
    if size != (END64_BYTES - 12) as u64 {
        return Err(wrong("has a zip64 end record of unusual length"));
    }
    if disks != [0, 0] || here != entries {
        return Err(Refusal::Split.into());
    }
    let agrees = |narrow: u64, wide: u64, full: u64| narrow == full || narrow == wide;
    if !agrees(narrow.entries.into(), entries, u16::MAX.into())
        || !agrees(narrow.directory_bytes.into(), directory_bytes, u32::MAX.into())
        || !agrees(narrow.directory.into(), directory, u32::MAX.into())
    {
        return Err(wrong("has a zip64 end record that contradicts its 32-bit one"));
    }
    Ok(End { entries, directory, directory_bytes })
}
