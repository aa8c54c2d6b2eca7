//! Every local header, held against the central directory, and every byte of the package given to one owner.

use super::central::{Central, Header};
use super::extra;
use super::source::{Fields, Source};
use super::verdict::{Refusal, Verdicts, shown};
use std::io::{self, Read, Seek};
use std::ops::Range;

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const LOCAL_BYTES: usize = 30;
/// Signature, checksum and two sizes of 64 bits.
const DESCRIPTOR_BYTES_MAX: usize = 24;
/// Sizes and checksum follow after the data.
pub(super) const DESCRIBED_LATER: u16 = 1 << 3;

/// A local header and where its data begins.
struct Local {
    header: Header,
    zip64: bool,
    faults: Vec<Refusal>,
    data: u64,
}

/// What the walk found about one entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Where its data begins; `None` when there is no header that says it.
    pub data: Option<u64>,
    pub faults: Vec<Refusal>,
}

/// Where all entries are.
pub(super) struct Layout {
    /// In the order of the central directory.
    pub places: Vec<Place>,
    /// Whether every byte has one owner: entries may be inflated, for what they cost is bounded by what they say.
    pub exact: bool,
}

/// Walks the entries in the order in which they lie in the file, up to `directory`, where the central directory begins.
/// What belongs to no entry of the directory goes to `verdicts`.
pub(super) fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    entries: &[Central],
    directory: u64,
    verdicts: &mut Verdicts,
) -> io::Result<Layout> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| entries[index].offset);
    let mut layout = Layout { places: vec![Place::default(); entries.len()], exact: true };
    // How far bytes have an owner, and who it is.
    let (mut taken, mut owner): (u64, Option<usize>) = (0, None);
    for (position, &index) in order.iter().enumerate() {
        let entry = &entries[index];
        let next = order.get(position + 1).map_or(directory, |&next| entries[next].offset).min(directory);
        if entry.offset.min(directory) > taken {
            unowned(source, taken, entry.offset.min(directory), verdicts)?;
            layout.exact = false;
        }
        let place = &mut layout.places[index];
        if entry.offset < taken
            && let Some(owner) = owner
        {
            place.faults.push(Refusal::Overlaps(shown(&entries[owner].header.name)));
            layout.exact = false;
        }
        let Some(local) = read(source, entry.offset, directory)? else {
            place.faults.push(Refusal::NoLocal(entry.offset));
            layout.exact = false;
            (taken, owner) = (taken.max(next), Some(index));
            continue;
        };
        place.data = Some(local.data);
        compare(&local, &entry.header, &mut place.faults);
        let data_end = local.data.saturating_add(entry.header.packed);
        if data_end > directory {
            place.faults.push(Refusal::Overlaps("the central directory".to_owned()));
            layout.exact = false;
        }
        let mut end = data_end.min(directory);
        if entry.header.flags & DESCRIBED_LATER != 0 {
            let room = source.up_to(end, DESCRIPTOR_BYTES_MAX)?;
            match descriptor(&room, &entry.header, local.zip64) {
                Some(bytes) => end += bytes,
                None => {
                    place.faults.push(Refusal::Descriptor);
                    end = end.max(next);
                }
            }
        }
        (taken, owner) = (taken.max(end), Some(index));
    }
    if taken > directory
        && let Some(owner) = owner
    {
        layout.places[owner].faults.push(Refusal::Overlaps("the central directory".to_owned()));
        layout.exact = false;
    }
    if taken < directory {
        unowned(source, taken, directory, verdicts)?;
        layout.exact = false;
    }
    Ok(layout)
}

/// Tells of the bytes from `at` to `to`, which no entry of the directory owns.
fn unowned<R: Read + Seek>(source: &mut Source<R>, at: u64, to: u64, verdicts: &mut Verdicts) -> io::Result<()> {
    match read(source, at, to)? {
        Some(local) => verdicts.entry(&local.header.name, Refusal::Unlisted),
        None => verdicts.archive(Refusal::Gap { at, bytes: to.saturating_sub(at) }),
    }
    Ok(())
}

/// The local header at `at`, if there is one that ends before `end`.
fn read<R: Read + Seek>(source: &mut Source<R>, at: u64, end: u64) -> io::Result<Option<Local>> {
    let fixed = source.up_to(at, LOCAL_BYTES)?;
    let parse = || {
        let mut fields = Fields(&fixed);
        fields.signed(SIGNATURE)?;
        fields.bytes(2)?; // version
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let time = fields.u32()?;
        let sizes = (fields.u32()?, fields.u32()?, fields.u32()?);
        Some((flags, method, time, sizes, usize::from(fields.u16()?), usize::from(fields.u16()?)))
    };
    let Some((flags, method, time, (crc, packed, size), name_bytes, extra_bytes)) = parse() else { return Ok(None) };
    let Some(rest) = source.exactly(at + LOCAL_BYTES as u64, name_bytes + extra_bytes)? else { return Ok(None) };
    let data = at + (LOCAL_BYTES + rest.len()) as u64;
    if data > end {
        return Ok(None);
    }
    let (name, extra) = rest.split_at(name_bytes);
    let mut extras = extra::read(extra, name);
    let zip64 = extras.is_zip64();
    let [size, packed] = extras.resolve([size, packed]);
    let header = Header { name: name.to_vec(), flags, method, time, crc, packed, size };
    Ok(Some(Local { header, zip64, faults: extras.faults, data }))
}

/// Where the data of the entry that is at `span` begins, by its local header.
pub(super) fn data<R: Read + Seek>(source: &mut Source<R>, span: &Range<u64>) -> io::Result<Option<u64>> {
    Ok(read(source, span.start, span.end)?.map(|local| local.data))
}

/// Tells where a local header says something else than the central directory.
fn compare(local: &Local, central: &Header, faults: &mut Vec<Refusal>) {
    faults.extend(local.faults.iter().cloned());
    let mut differs = |field, local: String, central: String| {
        if local != central {
            faults.push(Refusal::Differs { field, local, central });
        }
    };
    let name = |header: &Header| format!("{:?}", shown(&header.name));
    let header = &local.header;
    if header.name != central.name && name(header) == name(central) {
        // They differ where they are not shown: in bytes that are no UTF-8, or far behind.
        differs("name", "of other bytes".to_owned(), name(central));
    }
    differs("name", name(header), name(central));
    differs("flags", format!("{:#06x}", header.flags), format!("{:#06x}", central.flags));
    differs("method", header.method.to_string(), central.method.to_string());
    differs("time", format!("{:#010x}", header.time), format!("{:#010x}", central.time));
    // Sizes and checksum that follow after the data may be left out here.
    let later = central.flags & DESCRIBED_LATER != 0;
    let mut same = |field, local: u64, central: u64| {
        if !(later && local == 0) {
            differs(field, local.to_string(), central.to_string());
        }
    };
    same("packed size", header.packed, central.packed);
    same("size", header.size, central.size);
    if !(later && header.crc == 0) {
        differs("checksum", format!("{:08x}", header.crc), format!("{:08x}", central.crc));
    }
}

/// Length of the data descriptor that `room` begins with, if it says what the directory says (APPNOTE 4.3.9).
fn descriptor(room: &[u8], central: &Header, zip64: bool) -> Option<u64> {
    [true, false].into_iter().find_map(|signed| {
        let mut fields = Fields(room);
        if signed {
            fields.signed(DESCRIPTOR)?;
        }
        let crc = fields.u32()?;
        let sizes = if zip64 { [fields.u64()?, fields.u64()?] } else { [fields.u32()?.into(), fields.u32()?.into()] };
        let agrees = crc == central.crc && sizes == [central.packed, central.size];
        agrees.then_some((room.len() - fields.0.len()) as u64)
    })
}
