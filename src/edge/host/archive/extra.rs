//! Extra fields: zip64 sizes and everything that can give an entry a second name, a second target or a key.

use super::Refusal;
use super::source::Fields;

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;
/// PKWARE's Unix field and ASi's: both can carry the target of a link.
const LINKS: [u16; 2] = [0x000d, 0x756e];
/// Strong encryption, its certificates, and AES.
const KEYS: [u16; 6] = [0x0014, 0x0015, 0x0016, 0x0017, 0x0018, 0x9901];
/// A 32-bit field with this value is in the zip64 field instead (APPNOTE 4.5.3).
pub(super) const ELSEWHERE: u32 = u32::MAX;

/// What the extra fields of one header say.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// Data of the zip64 field.
    zip64: Option<Vec<u8>>,
    pub faults: Vec<Refusal>,
}

pub(super) fn read(extra: &[u8], name: &[u8]) -> Extras {
    let mut read = Extras::default();
    let mut fields = Fields(extra);
    let mut paths = 0;
    while !fields.0.is_empty() {
        let mut next = || {
            let id = fields.u16()?;
            let bytes = fields.u16()?;
            Some((id, fields.bytes(bytes.into())?))
        };
        let Some((id, data)) = next() else {
            read.faults.push(Refusal::Extra("extra fields that run past their end"));
            break;
        };
        match id {
            ZIP64 if read.zip64.is_some() => read.faults.push(Refusal::Zip64("is there twice")),
            ZIP64 => read.zip64 = Some(data.to_vec()),
            UNICODE_PATH => {
                paths += 1;
                read.faults.extend(other_path(data, name));
            }
            id if LINKS.contains(&id) => {
                read.faults.push(Refusal::Special("an extra field that can make it a link"));
            }
            id if KEYS.contains(&id) => read.faults.push(Refusal::Encrypted),
            _ => {}
        }
    }
    if paths > 1 {
        read.faults.push(Refusal::Extra("two Unicode paths"));
    }
    read
}

/// Refuses a Unicode path (Info-ZIP) that is not the name: some readers take one, some the other.
fn other_path(data: &[u8], name: &[u8]) -> Option<Refusal> {
    let mut fields = Fields(data);
    let header = (fields.bytes(1), fields.u32());
    let mut crc = flate2::Crc::new();
    crc.update(name);
    let same = header == (Some(&[1]), Some(crc.sum())) && fields.0 == name;
    (!same).then(|| Refusal::UnicodePath(String::from_utf8_lossy(fields.0).into_owned()))
}

impl Extras {
    /// Puts the values of the zip64 field in the place of those 32-bit fields that point to it, in their order.
    /// It must be there if one does, hold exactly those, and not be there otherwise.
    pub fn resolve<const N: usize>(&mut self, narrow: [u32; N]) -> [u64; N] {
        let mut values = narrow.map(u64::from);
        let wanted = narrow.iter().filter(|field| **field == ELSEWHERE).count();
        match &self.zip64 {
            None if wanted > 0 => {
                self.faults.push(Refusal::Zip64("is missing, though a 32-bit field points to it"));
            }
            Some(_) if wanted == 0 => {
                self.faults.push(Refusal::Zip64("is there, though no 32-bit field points to it"));
            }
            Some(data) if data.len() != wanted * 8 => {
                self.faults.push(Refusal::Zip64("does not hold what the 32-bit fields point to, and only that"));
            }
            Some(data) => {
                let mut fields = Fields(data);
                for value in values.iter_mut().filter(|value| **value == u64::from(ELSEWHERE)) {
                    *value = fields.u64().unwrap_or(*value);
                }
            }
            None => {}
        }
        values
    }

    /// Whether sizes are in 64 bits here, and so in a data descriptor too (APPNOTE 4.3.9.2).
    pub fn is_zip64(&self) -> bool {
        self.zip64.is_some()
    }
}
