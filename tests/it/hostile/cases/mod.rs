//! The table of hostile packages: what is in each, and every verdict it has to get.

mod layout;
mod names;
mod wide;

use super::writer::{Archive, Raw, crc32, deflated, extra, folder, raw, stored, zip_of};
use noctule::edge::host::archive::{Limits, Refusal};

/// A package, what its manifest allows, and what has to be said of which entry.
pub struct Case {
    pub what: String,
    pub zip: Vec<u8>,
    pub limits: Limits,
    pub verdicts: Vec<(Option<String>, Refusal)>,
}

/// What the manifests of the table allow, unless a case says otherwise.
pub const LIMITS: Limits = Limits { entries: 100, bytes: 8 << 20 };

fn case(what: &str, zip: Vec<u8>, verdicts: &[(&str, Refusal)]) -> Case {
    let entry = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let verdicts = verdicts.iter().map(|(name, why)| (entry(name), why.clone())).collect();
    Case { what: what.to_owned(), zip, limits: LIMITS, verdicts }
}

/// One bad entry beside a good one.
fn one(what: &str, bad: Raw, verdicts: &[Refusal]) -> Case {
    let name = String::from_utf8_lossy(&bad.name).into_owned();
    let verdicts: Vec<_> = verdicts.iter().map(|why| (name.as_str(), why.clone())).collect();
    case(what, zip_of(&[raw("ok.txt"), bad]), &verdicts)
}

/// Something wrong with the archive as a whole.
fn whole(what: &str, archive: Archive, why: Refusal) -> Case {
    case(what, archive.bytes(), &[("", why)])
}

fn honest() -> Archive {
    Archive { entries: vec![raw("a"), deflated("b/c.txt", b"hello hello hello")], ..Archive::default() }
}

fn differs(field: &'static str, local: &str, central: &str) -> Refusal {
    Refusal::Differs { field, local: local.to_owned(), central: central.to_owned() }
}

pub fn all() -> Vec<Case> {
    let tables = [
        names::names(),
        kinds(),
        packing(),
        layout::structure(),
        layout::ends(),
        layout::both_headers(),
        wide::zip64s(),
        wide::descriptors(),
        figures(),
    ];
    tables.into_iter().flatten().collect()
}

fn kinds() -> Vec<Case> {
    let mode = |mode: u32, name: &str| Raw { attributes: mode << 16, ..stored(name, b"/etc/passwd") };
    let dos = |bits: u32| Raw { attributes: bits, ..raw("l") };
    let odd = "file by name and folder by mode, or the reverse";
    vec![
        one("a symbolic link", mode(0o120_777, "l"), &[Refusal::Special("a symbolic link")]),
        one("a character device", mode(0o020_666, "l"), &[Refusal::Special("a device, pipe or socket")]),
        one("a block device", mode(0o060_666, "l"), &[Refusal::Special("a device, pipe or socket")]),
        one("a pipe", mode(0o010_666, "l"), &[Refusal::Special("a device, pipe or socket")]),
        one("a socket", mode(0o140_777, "l"), &[Refusal::Special("a device, pipe or socket")]),
        one("a folder that is a file", mode(0o040_755, "l"), &[Refusal::Special(odd)]),
        one("a file that is a folder", Raw { attributes: 0o100_644 << 16, ..folder("l/") }, &[Refusal::Special(odd)]),
        one("a reparse point", dos(0x400), &[Refusal::Special("a reparse point by its attributes")]),
        one("a volume label", dos(0x08), &[Refusal::Special("a volume label")]),
        one("a DOS device", dos(0x40), &[Refusal::Special("a device by its attributes")]),
        one("a DOS folder", dos(0x10), &[Refusal::Special("a folder by its attributes, a file by its name")]),
        one("a folder with data", Raw { attributes: 0, ..stored("l/", b"xyz") }, &[Refusal::FolderWithData(3)]),
        one(
            "a hard link in an extra field",
            Raw { extra: extra(0x000d, &[0; 16]), ..raw("l") },
            &[Refusal::Special("an extra field that can make it a link")],
        ),
    ]
}

fn packing() -> Vec<Case> {
    let flags = |bits: u16| Raw { flags: 1 << 11 | bits, ..raw("a") };
    let mut cases: Vec<Case> = [1, 6, 9, 12, 14, 20, 93, 95, 98, 97, 1234]
        .into_iter()
        .map(|method| one(&format!("method {method}"), Raw { method, ..raw("a") }, &[Refusal::Method(method)]))
        .collect();
    let good = deflated("a", b"hello hello hello hello");
    let mut flipped = good.clone();
    flipped.data[0] |= 0b110;
    cases.extend([
        one("encrypted", flags(1), &[Refusal::Encrypted]),
        one("strongly encrypted", flags(1 << 6), &[Refusal::Encrypted]),
        one("a masked header", flags(1 << 13), &[Refusal::Encrypted]),
        one(
            "AES",
            Raw { method: 99, extra: extra(0x9901, &[2, 0, b'A', b'E', 3, 0, 0]), ..raw("a") },
            &[Refusal::Encrypted, Refusal::Method(99)],
        ),
        one("patch data", flags(1 << 5), &[Refusal::Flags(1 << 11 | 1 << 5)]),
        one("a reserved flag", flags(1 << 15), &[Refusal::Flags(1 << 11 | 1 << 15)]),
        one("a wrong checksum", Raw { crc: 1, ..raw("a") }, &[Refusal::Crc { said: 1, is: crc32(b"x") }]),
        one("deflate with a wrong checksum", Raw { crc: 1, ..good.clone() }, &[Refusal::Crc { said: 1, is: good.crc }]),
        one("no deflate at all", flipped, &[Refusal::Damaged]),
        one(
            "deflate cut short",
            Raw { data: good.data[..good.data.len() - 1].to_vec(), ..good.clone() },
            &[Refusal::Damaged],
        ),
        one("deflate of nothing", Raw { data: Vec::new(), ..good.clone() }, &[Refusal::Damaged]),
        one(
            "more behind the deflate",
            Raw { data: [&good.data[..], b"hidden"].concat(), ..good.clone() },
            &[Refusal::Slack(6)],
        ),
        one("more than it says", Raw { size: 22, ..good.clone() }, &[Refusal::Longer(22)]),
        one("less than it says", Raw { size: 24, ..good.clone() }, &[Refusal::Shorter { said: 24, is: 23 }]),
        one("stored and grown", Raw { size: 2, ..raw("a") }, &[Refusal::StoredSize { packed: 1, size: 2 }]),
        one(
            "extra fields past their end",
            Raw { extra: vec![1, 2, 200, 0, 1], ..raw("a") },
            &[Refusal::Extra("extra fields that run past their end")],
        ),
    ]);
    cases
}

fn figures() -> Vec<Case> {
    let two = || zip_of(&[stored("a", &[1; 600]), stored("b", &[1; 600])]);
    let within =
        |limits: Limits, what: &str, zip: Vec<u8>, why: Refusal| Case { limits, ..case(what, zip, &[("", why)]) };
    vec![
        within(Limits { entries: 1, ..LIMITS }, "one entry too many", two(), Refusal::TooMany { entries: 2, max: 1 }),
        within(
            Limits { bytes: 1199, ..LIMITS },
            "one byte too many",
            two(),
            Refusal::TooLarge { bytes: 1200, max: 1199 },
        ),
        one("a bomb", deflated("zeros", &vec![0; 4 << 20]), &[Refusal::Ratio(bomb_ratio())]),
        one(
            "a bomb that says it is small",
            Raw { size: 1 << 20, ..deflated("zeros", &vec![0; 4 << 20]) },
            &[Refusal::Longer(1 << 20)],
        ),
    ]
}

fn bomb_ratio() -> u64 {
    (4 << 20) / deflated("zeros", &vec![0; 4 << 20]).data.len() as u64
}
