//! Sizes in 64 bits, and sizes after the data.

use super::{Case, case, differs, honest, one, whole};
use crate::hostile::writer::{Archive, End64, Local, Raw, crc32, descriptor, raw, stored, streamed, zip_of, zip64};
use noctule::edge::host::archive::Refusal;

pub fn zip64s() -> Vec<Case> {
    const FULL: u32 = u32::MAX;
    let wide = |extra: Vec<u8>| Raw { packed: Some(FULL), size: FULL, extra, ..stored("a", b"xyz") };
    let missing = Refusal::Zip64("is missing, though a 32-bit field points to it");
    let idle = Refusal::Zip64("is there, though no 32-bit field points to it");
    let other = Refusal::Zip64("does not hold what the 32-bit fields point to, and only that");
    let end = |zip64: End64| Archive { zip64: Some(zip64), ..honest() };
    let ours = honest().bytes();
    let record = ours.len() as u64 - 22;
    vec![
        one(
            "sizes with no zip64 field",
            wide(Vec::new()),
            &[missing.clone(), Refusal::Overlaps("the central directory".into())],
        )
        .too_large(1 + u64::from(FULL)),
        one("a zip64 field that nothing points to", Raw { extra: zip64(&[3, 3]), ..stored("a", b"xyz") }, &[idle]),
        one(
            "a zip64 field with one size",
            Raw { extra: zip64(&[3]), ..wide(Vec::new()) },
            &[other, Refusal::Overlaps("the central directory".into())],
        )
        .too_large(1 + u64::from(FULL)),
        one("two zip64 fields", wide([zip64(&[3, 3]), zip64(&[3, 3])].concat()), &[Refusal::Zip64("is there twice")]),
        one(
            "another size in 64 bits",
            Raw {
                local: Local { packed: Some(3), size: Some(3), extra: Some(Vec::new()), ..Local::default() },
                ..wide(zip64(&[4, 3]))
            },
            &[Refusal::StoredSize { packed: 3, size: 4 }, differs("size", "3", "4")],
        ),
        one(
            "no end to its size",
            wide(zip64(&[u64::MAX, u64::MAX])),
            &[Refusal::Overlaps("the central directory".into())],
        )
        .too_large(u64::MAX),
        whole(
            "another count in 64 bits",
            Archive { count: Some(2), ..end(End64 { count: Some(1), ..End64::default() }) },
            Refusal::EndZip64("has a zip64 end record that contradicts its 32-bit one"),
        ),
        whole(
            "another count in 64 bits alone",
            end(End64 { count: Some(1), ..End64::default() }),
            Refusal::Count { said: 1, is: 2 },
        ),
        whole(
            "another directory in 64 bits",
            end(End64 { directory: Some(1), ..End64::default() }),
            Refusal::Misplaced { said: 1 + (record - directory_of(&ours)), is: record },
        ),
        whole(
            "a locator to elsewhere",
            end(End64 { locator: Some(0), ..End64::default() }),
            Refusal::EndZip64("has a zip64 locator that does not point to the record right before it"),
        ),
        whole(
            "a locator without a record",
            end(End64 { no_record: true, locator: Some(record - 56), ..End64::default() }),
            Refusal::EndZip64("has no zip64 end record"),
        ),
        whole(
            "more in the end record",
            end(End64 { record_bytes: Some(50), ..End64::default() }),
            Refusal::EndZip64("has a zip64 end record of unusual length"),
        ),
        whole(
            "a locator that counts two parts",
            end(End64 { locator_disks: Some(2), ..End64::default() }),
            Refusal::Split,
        ),
        whole("a part of several in 64 bits", end(End64 { disks: 1, ..End64::default() }), Refusal::Split),
        whole(
            "32-bit fields that point to nothing",
            Archive { directory: Some(FULL), ..honest() },
            Refusal::Misplaced { said: u64::from(FULL) + record - directory_of(&ours), is: record },
        ),
    ]
}

/// Where the directory of an honest archive begins.
fn directory_of(zip: &[u8]) -> u64 {
    u32::from_le_bytes(zip[zip.len() - 6..zip.len() - 2].try_into().unwrap()).into()
}

impl Case {
    /// The sizes it says are over every figure, too.
    fn too_large(mut self, bytes: u64) -> Case {
        self.verdicts.insert(0, (None, Refusal::TooLarge { bytes, max: self.limits.bytes }));
        self
    }
}

pub fn descriptors() -> Vec<Case> {
    let good = streamed("a", b"hello hello hello");
    let packed = good.data.len() as u32;
    let with = |after: Vec<u8>| Raw { after, ..good.clone() };
    let gap = |at: u64, bytes: u64| ("", Refusal::Gap { at, bytes });
    vec![
        one("no descriptor", with(Vec::new()), &[Refusal::Descriptor]),
        one("a descriptor with another checksum", with(descriptor(true, 1, packed, 17)), &[Refusal::Descriptor]),
        one(
            "a descriptor with another packed size",
            with(descriptor(true, good.crc, packed + 1, 17)),
            &[Refusal::Descriptor],
        ),
        one("a descriptor with another size", with(descriptor(false, good.crc, packed, 18)), &[Refusal::Descriptor]),
        one(
            "a descriptor in 64 bits beside sizes in 32",
            with(
                [
                    &b"PK\x07\x08"[..],
                    &good.crc.to_le_bytes(),
                    &u64::from(packed).to_le_bytes(),
                    &[17, 0, 0, 0, 0, 0, 0, 0],
                ]
                .concat(),
            ),
            &[Refusal::Descriptor],
        ),
        case(
            "bytes after a descriptor",
            zip_of(&[with([descriptor(true, good.crc, packed, 17), vec![0; 3]].concat())]),
            &[gap(31 + u64::from(packed) + 16, 3)],
        ),
        one(
            "stored, with its size after it",
            Raw { flags: 1 << 11 | 1 << 3, after: descriptor(true, crc32(b"x"), 1, 1), ..raw("a") },
            &[Refusal::Unbounded],
        ),
        one(
            "sizes before a descriptor that lie",
            Raw { local: Local { size: Some(5), ..good.local.clone() }, ..good.clone() },
            &[differs("size", "5", "17")],
        ),
    ]
}
