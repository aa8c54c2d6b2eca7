//! The central directory: every header, and nothing but headers.

use super::end::{self, End};
use super::source::{Fields, Source, Stop};
use super::{Refusal, extra};
use std::io::{Read, Seek};

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
/// Largest central directory that is read, in bytes: more than 600 for each of the most entries.
pub(super) const DIRECTORY_BYTES_MAX: u64 = 64 << 20;

/// What both headers of an entry say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    /// DOS time, then date; restored by nobody here.
    pub time: u32,
    pub crc: u32,
    pub packed: u64,
    pub size: u64,
}

/// A header of the central directory.
#[derive(Debug)]
pub(super) struct Central {
    pub header: Header,
    /// Where its local header is.
    pub offset: u64,
    /// Upper half: Unix mode; lower: DOS attributes.
    pub attributes: u32,
    pub faults: Vec<Refusal>,
}

/// Reads as many headers as the end record says, which must fill the directory.
pub(super) fn read<R: Read + Seek>(source: &mut Source<R>, end: &End) -> Result<Vec<Central>, Stop> {
    if end.directory_bytes > DIRECTORY_BYTES_MAX {
        return Err(Refusal::DirectoryTooLarge(end.directory_bytes).into());
    }
    let count = usize::try_from(end.directory_bytes).unwrap_or(usize::MAX);
    let bytes = source.exactly(end.directory, count)?.ok_or(Refusal::Directory(end.directory))?;
    let mut fields = Fields(&bytes);
    let mut headers = Vec::new();
    while !fields.0.is_empty() {
        let at = end.directory + (bytes.len() - fields.0.len()) as u64;
        headers.push(header(&mut fields).ok_or(Refusal::Directory(at))?);
    }
    if headers.len() as u64 != end.entries {
        return Err(Refusal::Count { said: end.entries, is: headers.len() as u64 }.into());
    }
    Ok(headers)
}

fn header(fields: &mut Fields<'_>) -> Option<Central> {
    fields.signed(SIGNATURE)?;
    fields.bytes(4)?; // versions
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let time = fields.u32()?;
    let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let lengths = [fields.u16()?, fields.u16()?, fields.u16()?];
    let disk = fields.u16()?;
    fields.bytes(2)?; // whether text
    let (attributes, offset) = (fields.u32()?, fields.u32()?);
    let name = fields.bytes(lengths[0].into())?.to_vec();
    let mut extras = extra::read(fields.bytes(lengths[1].into())?, &name);
    let comment = fields.bytes(lengths[2].into())?;
    let [size, packed, offset] = extras.resolve([size, packed, offset]);
    let mut faults = extras.faults;
    if disk != 0 {
        faults.push(Refusal::Split);
    }
    if end::holds_signature(comment) {
        faults.push(Refusal::Comment);
    }
    Some(Central { header: Header { name, flags, method, time, crc, packed, size }, offset, attributes, faults })
}
