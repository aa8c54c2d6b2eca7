//! Bytes of no owner or of two, end records, and local headers that contradict the central directory.

use super::{Case, case, differs, honest, one, whole};
use crate::hostile::writer::{Archive, Local, Raw, crc32, deflated, folder, raw, stored, unicode_path, zip_of};
use noctule::edge::host::archive::Refusal;

pub fn structure() -> Vec<Case> {
    let hidden = Raw { unlisted: true, ..stored("hidden.exe", b"evil") };
    let first = stored("a", &[b'x'; 100]);
    let offset_of_second = (30 + 1 + 100) as u32;
    // Fifield: a kernel that several entries of the directory share, or that one quotes within another.
    let quoted = zip_of(&[raw("in")]);
    let inner = stored("outer", &quoted);
    vec![
        whole(
            "bytes before the first entry",
            Archive { entries: vec![Raw { before: b"MZ\x90\0 stub".to_vec(), ..raw("a") }], ..Archive::default() },
            Refusal::Gap { at: 0, bytes: 9 },
        ),
        case(
            "bytes before it, of which the directory knows nothing",
            [&b"#!/bin/sh\n"[..], &zip_of(&[raw("a")])].concat(),
            &[("", Refusal::Misplaced { said: 32 + 47, is: 32 + 47 + 10 })],
        ),
        whole(
            "bytes between entries",
            Archive { entries: vec![raw("a"), Raw { before: vec![0; 5], ..raw("b") }], ..Archive::default() },
            Refusal::Gap { at: 32, bytes: 5 },
        ),
        whole(
            "bytes before the directory",
            Archive { before_directory: vec![7; 4], entries: vec![raw("a")], ..Archive::default() },
            Refusal::Gap { at: 32, bytes: 4 },
        ),
        case(
            "an entry that is not listed",
            zip_of(&[raw("a"), hidden.clone(), raw("b")]),
            &[("hidden.exe", Refusal::Unlisted)],
        ),
        case(
            "an entry that is not listed, first",
            zip_of(&[hidden.clone(), raw("b")]),
            &[("hidden.exe", Refusal::Unlisted)],
        ),
        case(
            "an entry that is listed only",
            zip_of(&[raw("a"), Raw { listed_only: true, ..raw("b") }]),
            &[("b", Refusal::NoLocal(32))],
        ),
        case(
            "an entry behind the end",
            zip_of(&[raw("a"), Raw { listed_only: true, offset: Some(0x7fff_ffff), ..raw("b") }]),
            &[("b", Refusal::NoLocal(0x7fff_ffff))],
        ),
        case(
            "two entries of one local header",
            zip_of(&[raw("a"), Raw { listed_only: true, offset: Some(0), ..raw("b") }]),
            &[("b", Refusal::Overlaps("a".into())), ("b", differs("name", "\"a\"", "\"b\""))],
        ),
        case(
            "an entry within another",
            zip_of(&[inner.clone(), Raw { listed_only: true, offset: Some(30 + 5), ..raw("in") }]),
            &[("in", Refusal::Overlaps("outer".into()))],
        ),
        case(
            "data that runs into the next entry",
            zip_of(&[Raw { packed: Some(101), size: 101, ..first.clone() }, raw("b")]),
            &[("b", Refusal::Overlaps("a".into()))],
        ),
        case(
            "data that runs into the directory",
            zip_of(&[Raw { packed: Some(101), size: 101, ..first.clone() }]),
            &[("a", Refusal::Overlaps("the central directory".into()))],
        ),
        case(
            "data that ends before the next entry",
            zip_of(&[Raw { packed: Some(99), size: 99, crc: crc32(&[b'x'; 99]), ..first }, raw("b")]),
            &[("", Refusal::Gap { at: u64::from(offset_of_second) - 1, bytes: 1 })],
        ),
        case("no file", zip_of(&[folder("a/")]), &[("", Refusal::Empty)]),
        case("nothing", zip_of(&[]), &[("", Refusal::Empty)]),
    ]
}

pub fn ends() -> Vec<Case> {
    let zip = honest().bytes();
    let entries_end = zip.len() as u64 - 22;
    let directory_bytes = u64::from(u32::from_le_bytes(zip[zip.len() - 10..zip.len() - 6].try_into().unwrap()));
    let directory = entries_end - directory_bytes;
    let second_end = zip_of(&[]);
    vec![
        case("no zip", b"not a zip at all".to_vec(), &[("", Refusal::NoEnd)]),
        case("an empty file but for a letter", b"P".to_vec(), &[("", Refusal::NoEnd)]),
        case("cut at its end", zip[..zip.len() - 1].to_vec(), &[("", Refusal::NoEnd)]),
        whole("bytes after the end", Archive { after: b"tail".to_vec(), ..honest() }, Refusal::AfterEnd(4)),
        whole(
            "a comment longer than the file",
            Archive { comment: b"x".to_vec(), comment_bytes: Some(2), ..honest() },
            Refusal::NoEnd,
        ),
        whole(
            "an end record in the comment",
            Archive { comment: second_end.clone(), ..honest() },
            Refusal::SeveralEnds(2),
        ),
        whole(
            "half an end record in the comment",
            Archive { comment: b"see PK\x05\x06".to_vec(), ..honest() },
            Refusal::Comment,
        ),
        whole(
            "a local header in the comment",
            Archive { comment: zip_of(&[raw("x")])[..31].to_vec(), ..honest() },
            Refusal::Comment,
        ),
        case(
            "two archives in one",
            [&zip[..], &zip[..]].concat(),
            &[("", Refusal::Misplaced { said: entries_end, is: entries_end + zip.len() as u64 })],
        ),
        whole(
            "an end record before the end record",
            Archive { before_end: second_end.clone(), ..honest() },
            Refusal::Misplaced { said: entries_end, is: entries_end + 22 },
        ),
        whole("a part of several", Archive { disk: 1, ..honest() }, Refusal::Split),
        case("an entry on another part", zip_of(&[raw("a"), Raw { disk: 1, ..raw("b") }]), &[("b", Refusal::Split)]),
        whole("fewer entries than listed", Archive { count: Some(1), ..honest() }, Refusal::Count { said: 1, is: 2 }),
        whole("more entries than listed", Archive { count: Some(3), ..honest() }, Refusal::Count { said: 3, is: 2 }),
        whole(
            "something else in the directory",
            Archive { in_directory: b"PK\x05\x05\x02\0hi".to_vec(), ..honest() },
            Refusal::Directory(entries_end),
        ),
        whole(
            "a directory that begins late",
            Archive {
                directory: Some(directory as u32 + 1),
                directory_bytes: Some(directory_bytes as u32 - 1),
                ..honest()
            },
            Refusal::Directory(directory + 1),
        ),
        whole(
            "a directory behind the end",
            Archive { directory: Some(u32::MAX - 1), ..honest() },
            Refusal::Misplaced { said: u64::from(u32::MAX) - 1 + directory_bytes, is: entries_end },
        ),
        case(
            "a record in the comment of an entry",
            zip_of(&[Raw { comment: b"PK\x05\x06".to_vec(), ..raw("a") }]),
            &[("a", Refusal::Comment)],
        ),
    ]
}

pub fn both_headers() -> Vec<Case> {
    let with = |local: Local| Raw { local, ..deflated("a", b"hello hello hello") };
    let entry = with(Local::default());
    let (packed, crc) = (entry.data.len().to_string(), format!("{:08x}", entry.crc));
    let none = Local::default;
    vec![
        one("another name", with(Local { name: Some(b"b".to_vec()), ..none() }), &[differs("name", "\"b\"", "\"a\"")]),
        one("another method", with(Local { method: Some(0), ..none() }), &[differs("method", "0", "8")]),
        one("other flags", with(Local { flags: Some(0), ..none() }), &[differs("flags", "0x0000", "0x0800")]),
        one(
            "encrypted in one",
            with(Local { flags: Some(1 << 11 | 1), ..none() }),
            &[differs("flags", "0x0801", "0x0800")],
        ),
        one("another time", with(Local { date: Some(0x22), ..none() }), &[differs("time", "0x00220000", "0x00210000")]),
        one("another packed size", with(Local { packed: Some(1), ..none() }), &[differs("packed size", "1", &packed)]),
        one("another size", with(Local { size: Some(18), ..none() }), &[differs("size", "18", "17")]),
        one("another checksum", with(Local { crc: Some(1), ..none() }), &[differs("checksum", "00000001", &crc)]),
        one(
            "a second name in one",
            with(Local { extra: Some(unicode_path(b"a", "b")), ..none() }),
            &[Refusal::UnicodePath("b".into())],
        ),
        one(
            "broken extra fields in one",
            with(Local { extra: Some(vec![1, 2, 3]), ..none() }),
            &[Refusal::Extra("extra fields that run past their end")],
        ),
    ]
}
