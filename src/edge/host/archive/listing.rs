//! A package by its directory alone, where the rest is not here: what it says it holds, and which bytes hold it.
//!
//! Nothing of this is proven. Names, kinds and figures are judged as ever, so that no entry of a bad name is looked for
//! or copied; but the local headers, the data and whatever lies between are not seen, and the directory itself came over
//! a line that nobody signed. Whoever uses a listing has to prove what comes of it.

use super::central::{self, Central};
use super::content;
use super::judge;
use super::local;
use super::source::{Source, Stop};
use super::{CopyError, Entry, InspectError, Limits, Refusal, Verdicts, copied, end};
use crate::edge::host::entry_name::{Kind, Names};
use std::io::{self, Read, Seek};
use std::ops::Range;

/// One entry, as the directory tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative, with `/` between its parts and none at its end.
    pub name: String,
    pub kind: Kind,
    pub executable: bool,
    /// Unpacked, in bytes.
    pub size: u64,
    pub crc: u32,
    /// Bytes of the package up to the next entry: its header, its data, and what follows on them.
    pub span: Range<u64>,
    packed: u64,
    deflated: bool,
}

/// Which bytes of `package` are its directory, by the record at its end.
///
/// # Errors
/// There is no such record, or it makes no sense.
pub fn directory<R: Read + Seek>(package: R) -> Result<Range<u64>, InspectError> {
    let find = || {
        let mut source = Source::new(package)?;
        end::find(&mut source)
    };
    let end = find().map_err(told)?;
    // Checked by `find`: it ends where the record begins.
    Ok(end.directory..end.directory + end.directory_bytes)
}

/// Lists the entries of `package`, of which the directory and the end are here.
///
/// # Errors
/// Everything that speaks against it, as far as the directory tells.
pub fn list<R: Read + Seek>(package: R, limits: Limits) -> Result<Vec<Listed>, InspectError> {
    let read = || {
        let mut source = Source::new(package)?;
        let end = end::find(&mut source)?;
        if end.entries > limits.entries {
            return Err(Stop::from(Refusal::TooMany { entries: end.entries, max: limits.entries }));
        }
        Ok((central::read(&mut source, &end)?, end.directory))
    };
    let (entries, directory) = read().map_err(told)?;
    let bytes = entries.iter().fold(0u64, |sum, central| sum.saturating_add(central.header.size));
    if bytes > limits.bytes {
        return Err(told(Refusal::TooLarge { bytes, max: limits.bytes }.into()));
    }
    let mut verdicts = Verdicts::default();
    let (mut names, mut listed) = (Names::default(), Vec::with_capacity(entries.len()));
    for (central, span) in entries.iter().zip(spans(&entries, directory)) {
        let (name, faults) = judge::header(central, &mut names);
        faults.into_iter().for_each(|fault| verdicts.entry(&central.header.name, fault));
        match (name, span) {
            (Some(name), Some(span)) => listed.push(entry(name, central, span)),
            (_, None) => verdicts.entry(&central.header.name, Refusal::NoLocal(central.offset)),
            (None, _) => {}
        }
    }
    if verdicts.is_empty() { Ok(listed) } else { Err(InspectError::Refused(verdicts)) }
}

/// From each entry to the next in the file; `None` where two begin at one place or one behind the directory.
fn spans(entries: &[Central], directory: u64) -> Vec<Option<Range<u64>>> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| entries[index].offset);
    let mut spans = vec![None; entries.len()];
    for (position, &index) in order.iter().enumerate() {
        let start = entries[index].offset;
        let end = order.get(position + 1).map_or(directory, |&next| entries[next].offset);
        spans[index] = (start < end && end <= directory).then_some(start..end);
    }
    spans
}

fn entry(name: String, central: &Central, span: Range<u64>) -> Listed {
    let Entry { kind, executable, size, crc, packed, deflated, .. } = judge::entry(name.clone(), central, span.start);
    Listed { name, kind, executable, size, crc, span, packed, deflated }
}

impl Listed {
    /// Hands the unpacked bytes of the entry, whose span is here, to `sink`; never more than it says it has.
    ///
    /// # Errors
    /// They are not what the directory says, or `sink` failed.
    pub fn copy<R: Read + Seek>(&self, package: R, sink: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), CopyError> {
        let mut source = Source::new(package).map_err(CopyError::Read)?;
        let data = local::data(&mut source, &self.span).map_err(CopyError::Read)?;
        let data = data.ok_or(CopyError::Changed(Refusal::NoLocal(self.span.start)))?;
        if data.saturating_add(self.packed) > self.span.end {
            return Err(CopyError::Changed(Refusal::Damaged));
        }
        let entry = Entry {
            name: self.name.clone(),
            kind: self.kind,
            executable: self.executable,
            size: self.size,
            crc: self.crc,
            packed: self.packed,
            deflated: self.deflated,
            data,
        };
        content::unpacked(&mut source, &entry, sink).map_err(copied)
    }
}

fn told(stop: Stop) -> InspectError {
    match stop {
        Stop::Read(error) => InspectError::Read(error),
        Stop::Refused(why) => {
            let mut verdicts = Verdicts::default();
            verdicts.archive(why);
            InspectError::Refused(verdicts)
        }
    }
}
