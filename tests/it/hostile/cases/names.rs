//! Names that leave the package, meet on one file, or are read as two.

use super::{Case, LIMITS, case, one};
use crate::hostile::writer::{Raw, raw, unicode_path, zip_of};
use noctule::edge::host::archive::Refusal;
use noctule::edge::host::entry_name::{COMPONENT_BYTES_MAX, DEPTH_MAX, NAME_BYTES_MAX, NameError};

pub fn names() -> Vec<Case> {
    use NameError::*;
    let long = "x".repeat(COMPONENT_BYTES_MAX + 1);
    let longer = vec!["x".repeat(200); 6].join("/");
    assert!(longer.len() > NAME_BYTES_MAX);
    let deep = ["d"; DEPTH_MAX + 1].join("/");
    let singles: Vec<(&[u8], NameError)> = vec![
        (b"/etc/x", Absolute),
        (b"//host/share/x", Absolute),
        (b"../x", Climbs),
        (b"a/../../x", Climbs),
        (b"a/..", Climbs),
        (b"./x", Climbs),
        (b"C:/x", Character(':')),
        (b"C:x", Character(':')),
        (b"a:stream", Character(':')),
        (b"..\\x", Character('\\')),
        (b"\\\\host\\share\\x", Character('\\')),
        (b"\\\\?\\C:\\x", Character('\\')),
        (b"a\\b", Character('\\')),
        (b"a\0b", Character('\0')),
        (b"a.txt\0.exe", Character('\0')),
        (b"a\x07b", Character('\x07')),
        (b"a\nb", Character('\n')),
        (b"a\x7fb", Character('\x7f')),
        (b"a?", Character('?')),
        (b"a|b", Character('|')),
        ("gnp.\u{202e}exe".as_bytes(), Character('\u{202e}')),
        ("a\u{200d}b".as_bytes(), Character('\u{200d}')),
        ("a\u{85}b".as_bytes(), Character('\u{85}')),
        (b"CON", Device("CON".into())),
        (b"NUL", Device("NUL".into())),
        (b"aux.txt", Device("AUX".into())),
        (b"x/prn.tar.gz", Device("PRN".into())),
        (b"nul /x", TrailingDotOrSpace),
        (b"nul .txt", Device("NUL".into())),
        (b"COM1", Device("COM1".into())),
        (b"lpt9.log", Device("LPT9".into())),
        ("COM¹".as_bytes(), Device("COM¹".into())),
        ("lpt³.txt".as_bytes(), Device("LPT³".into())),
        (b"CONIN$", Device("CONIN$".into())),
        (b"conout$.x", Device("CONOUT$".into())),
        (b"CLOCK$", Device("CLOCK$".into())),
        (b"a.", TrailingDotOrSpace),
        (b"a ", TrailingDotOrSpace),
        (b"dir./x", TrailingDotOrSpace),
        (b"PROGRA~1/x", ShortName("PROGRA~1".into())),
        (b"a//b", Empty),
        (b"", Empty),
        (b"\xff\xfe", NotUtf8),
        (b"caf\x82.txt", NotUtf8),
        (long.as_bytes(), TooLong),
        (deep.as_bytes(), TooDeep),
    ];
    let single = |(name, why): (&[u8], NameError)| {
        let shown = String::from_utf8_lossy(name).into_owned();
        let cut: String = shown.chars().take(200).collect();
        let shown = if cut == shown { shown } else { format!("{cut}…") };
        let zip = zip_of(&[raw("ok.txt"), raw(name)]);
        let verdicts = vec![(Some(shown), Refusal::Name(why))];
        Case { what: format!("name {}", String::from_utf8_lossy(name)), zip, limits: LIMITS, verdicts }
    };
    let mut cases: Vec<Case> = singles.into_iter().map(single).collect();
    let cut: String = longer.chars().take(200).collect::<String>() + "…";
    cases.push(case("an over-long path", zip_of(&[raw(&longer)]), &[(cut.as_str(), Refusal::Name(TooLong))]));
    for (first, second) in [
        ("same", "same"),
        ("Readme", "README"),
        ("a/x", "A/y"),
        ("a", "a/b"),
        ("straße", "STRASSE"),
        ("caf\u{e9}", "cafe\u{301}"),
        ("\u{212b}", "\u{e5}"),
    ] {
        let meets = if second.contains("/y") { "a" } else { first };
        let why = Refusal::Name(Duplicate(meets.to_owned()));
        cases.push(case(&format!("{first} and {second}"), zip_of(&[raw(first), raw(second)]), &[(second, why)]));
    }
    cases.push(one("UTF-8 without its mark", Raw { flags: 0, ..raw("é") }, &[Refusal::Unmarked]));
    let path = |of: &[u8], path: &str| Raw { extra: unicode_path(of, path), ..raw("b.txt") };
    cases.extend([
        one("a second name", path(b"b.txt", "../x"), &[Refusal::UnicodePath("../x".into())]),
        one("a second name of another", path(b"c.txt", "b.txt"), &[Refusal::UnicodePath("b.txt".into())]),
        one(
            "two second names",
            Raw { extra: [unicode_path(b"b.txt", "b.txt"), unicode_path(b"b.txt", "b.txt")].concat(), ..raw("b.txt") },
            &[Refusal::Extra("two Unicode paths")],
        ),
    ]);
    cases
}
