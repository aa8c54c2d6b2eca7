//! All judgements over a package, in their order: structure, headers and names, figures, contents.

use super::central::{self, Central, Header};
use super::content::{self, ContentError};
use super::local::{self, DESCRIBED_LATER, Layout};
use super::source::{Source, Stop};
use super::verdict::{Refusal, Verdicts};
use super::{Entry, Inspected, Limits, RATIO_JUDGED_FROM, RATIO_MAX, end};
use crate::edge::host::entry_name::{Kind, Names};
use std::io::{self, Read, Seek};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Encrypted; strongly encrypted; local header masked by encryption of the directory.
const KEYED: u16 = 1 | 1 << 6 | 1 << 13;
const UTF8: u16 = 1 << 11;
/// How hard deflate tried, sizes after the data, UTF-8: nothing else is read.
const FLAGS: u16 = 0b110 | DESCRIBED_LATER | UTF8;
/// DOS attributes: volume label, folder, device, reparse point.
const DOS_FOLDER: u32 = 0x10;
const DOS_SPECIAL: [(u32, &str); 3] =
    [(0x08, "a volume label"), (0x40, "a device by its attributes"), (0x400, "a reparse point by its attributes")];

/// An entry of a package that is being judged, where it is sound so far, and what was found about it.
pub(super) type Judged = (Option<Entry>, Vec<Refusal>);

/// Fills `verdicts`; what is there is returned where that stays empty. `inflate` judges what the entries hold, by
/// [`contents`] of each.
pub(super) fn judge<R: Read + Seek>(
    source: &mut Source<R>,
    limits: Limits,
    verdicts: &mut Verdicts,
    inflate: impl FnOnce(&mut Source<R>, &mut [Judged]) -> io::Result<()>,
) -> Result<Option<Inspected>, Stop> {
    let end = end::find(source)?;
    if end.entries > limits.entries {
        return Err(Refusal::TooMany { entries: end.entries, max: limits.entries }.into());
    }
    let directory = central::read(source, &end)?;
    let Layout { places, exact } = local::walk(source, &directory, end.directory, verdicts)?;
    let mut names = Names::default();
    let mut judged: Vec<Judged> = Vec::with_capacity(directory.len());
    for (central, place) in directory.iter().zip(places) {
        let (name, mut faults) = header(central, &mut names);
        for fault in place.faults {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let entry = match (name, place.data) {
            (Some(name), Some(data)) if faults.is_empty() => Some(entry(name, central, data)),
            (None | Some(_), _) => None,
        };
        judged.push((entry, faults));
    }
    let bytes = directory.iter().fold(0u64, |sum, central| sum.saturating_add(central.header.size));
    if bytes > limits.bytes {
        verdicts.archive(Refusal::TooLarge { bytes, max: limits.bytes });
    } else if exact {
        inflate(source, &mut judged)?;
    }
    if !directory.iter().any(|central| kind(&central.header) == Kind::File) {
        verdicts.archive(Refusal::Empty);
    }
    for (central, (_, faults)) in directory.iter().zip(&judged) {
        faults.iter().for_each(|fault| verdicts.entry(&central.header.name, fault.clone()));
    }
    let entries: Option<Vec<Entry>> = judged.into_iter().map(|(entry, _)| entry).collect();
    Ok(entries.map(|entries| Inspected { entries, bytes }))
}

/// Inflates one entry against its sizes and its checksum; `sink` sees what comes out.
pub(super) fn contents<R: Read + Seek>(
    source: &mut Source<R>,
    (entry, faults): &mut Judged,
    sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let Some(sound) = entry else { return Ok(()) };
    match content::unpacked(source, sound, sink) {
        Ok(()) => Ok(()),
        Err(ContentError::Refused(why)) => {
            faults.push(why);
            Ok(())
        }
        Err(ContentError::Read(error) | ContentError::Sink(error)) => Err(error),
    }
}

fn kind(header: &Header) -> Kind {
    if header.name.ends_with(b"/") { Kind::Folder } else { Kind::File }
}

pub(super) fn entry(name: String, central: &Central, data: u64) -> Entry {
    let header = &central.header;
    Entry {
        name,
        kind: kind(header),
        executable: central.attributes >> 16 & 0o111 != 0,
        size: header.size,
        crc: header.crc,
        packed: header.packed,
        deflated: header.method == DEFLATED,
        data,
    }
}

/// The accepted name, and what speaks against one header of the central directory.
pub(super) fn header(central: &Central, names: &mut Names) -> (Option<String>, Vec<Refusal>) {
    let Central { header, attributes, faults, .. } = central;
    let mut faults = faults.clone();
    let kind = kind(header);
    let name = match names.accept(&header.name, kind) {
        Ok(name) => Some(name),
        Err(why) => {
            faults.push(Refusal::Name(why));
            None
        }
    };
    if name.as_ref().is_some_and(|name| !name.is_ascii()) && header.flags & UTF8 == 0 {
        faults.push(Refusal::Unmarked);
    }
    faults.extend(special(*attributes, kind).map(Refusal::Special));
    if kind == Kind::Folder && header.size > 0 {
        faults.push(Refusal::FolderWithData(header.size));
    }
    if header.flags & KEYED != 0 {
        faults.push(Refusal::Encrypted);
    } else if header.flags & !FLAGS != 0 {
        faults.push(Refusal::Flags(header.flags));
    }
    match header.method {
        STORED if header.flags & KEYED != 0 => {}
        STORED if header.packed != header.size => {
            faults.push(Refusal::StoredSize { packed: header.packed, size: header.size });
        }
        STORED if header.flags & DESCRIBED_LATER != 0 && header.packed > 0 => faults.push(Refusal::Unbounded),
        STORED | DEFLATED => {}
        other => faults.push(Refusal::Method(other)),
    }
    let ratio = header.size / header.packed.max(1);
    if header.size > RATIO_JUDGED_FROM && ratio > RATIO_MAX {
        faults.push(Refusal::Ratio(ratio));
    }
    (name, faults)
}

/// What makes an entry something else than the file or folder that its name says. Archives without Unix modes pass.
fn special(attributes: u32, kind: Kind) -> Option<&'static str> {
    if let Some((_, what)) = DOS_SPECIAL.iter().find(|(bit, _)| attributes & bit != 0) {
        return Some(what);
    }
    let folder = kind == Kind::Folder;
    if attributes & DOS_FOLDER != 0 && !folder {
        return Some("a folder by its attributes, a file by its name");
    }
    match attributes >> 16 & 0o170_000 {
        0 => None,
        0o100_000 if !folder => None,
        0o040_000 if folder => None,
        0o120_000 => Some("a symbolic link"),
        0o100_000 | 0o040_000 => Some("file by name and folder by mode, or the reverse"),
        _ => Some("a device, pipe or socket"),
    }
}
