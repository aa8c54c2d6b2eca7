//! Every kind of hostile zip: refused, and not one byte outside the folder.

use noctule::edge::host::unpack::{UnpackError, inspect, unpack};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// One raw entry, free to lie.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    mode: u32,
    crc: Option<u32>,
    size: Option<u32>,
    local_name: Option<Vec<u8>>,
}

fn raw(name: impl AsRef<[u8]>) -> Raw {
    Raw {
        name: name.as_ref().to_vec(),
        data: b"x".to_vec(),
        method: 0,
        flags: 1 << 11,
        mode: 0o100_644,
        crc: None,
        size: None,
        local_name: None,
    }
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

/// Writes a zip byte by byte, as no honest tool would.
fn zip_of(entries: &[Raw]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for e in entries {
        let offset = out.len() as u32;
        let common = |name: &[u8]| {
            let mut common = Vec::new();
            for field in [20, e.flags, e.method, 0, 0x21] {
                common.extend(field.to_le_bytes());
            }
            common.extend(e.crc.unwrap_or_else(|| crc32(&e.data)).to_le_bytes());
            common.extend((e.data.len() as u32).to_le_bytes());
            common.extend(e.size.unwrap_or(e.data.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend(0u16.to_le_bytes());
            common
        };
        let local_name = e.local_name.as_ref().unwrap_or(&e.name);
        out.extend(0x0403_4b50u32.to_le_bytes());
        out.extend(common(local_name));
        out.extend(local_name);
        out.extend(&e.data);
        directory.extend(0x0201_4b50u32.to_le_bytes());
        directory.extend((0x0300u16 | 20).to_le_bytes());
        directory.extend(common(&e.name));
        directory.extend([0; 6]);
        directory.extend((e.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&e.name);
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(0x0605_4b50u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn try_unpack(zip: &[u8], bytes_max: u64) -> Result<(), UnpackError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.zip");
    fs::write(&path, zip).unwrap();
    let result = unpack(&File::open(&path).unwrap(), &dir.path().join("out"), bytes_max);
    let outside: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "p.zip" && name != "out")
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    result
}

const MIB: u64 = 1 << 20;

#[test]
fn an_honest_zip_comes_out_whole() {
    let zip = zip_of(&[
        raw("a.txt"),
        Raw { mode: 0o100_755, ..raw("bin/run") },
        Raw { mode: 0o040_755, data: vec![], ..raw("empty/") },
    ]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p"), &zip).unwrap();
    let out = dir.path().join("out");
    let file = File::open(dir.path().join("p")).unwrap();
    assert_eq!(inspect(&file, MIB).unwrap(), 2);
    unpack(&file, &out, MIB).unwrap();
    assert_eq!(fs::read(out.join("bin/run")).unwrap(), b"x");
    assert!(out.join("empty").is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(out.join("bin/run")).unwrap().permissions().mode() & 0o7777, 0o755);
    }
    assert!(matches!(unpack(&file, &out, MIB), Err(UnpackError::Write { .. })), "never into an existing folder");
    assert!(!Path::new("a.txt").exists());
}

#[test]
fn hostile_names_are_refused() {
    for name in [
        &b"/etc/x"[..],
        b"../x",
        b"a/../../x",
        b"a/..",
        b"./x",
        b"C:/x",
        b"C:x",
        b"..\\x",
        b"\\\\h\\s\\x",
        b"a\\b",
        b"a\0b",
        b"a\x07b",
        b"NUL",
        b"x/con.txt",
        b"COM1",
        b"a.",
        b"a ",
        b"dir./x",
        b"a:stream",
        b"a//b",
        b"\xff\xfe",
        b"a?",
    ] {
        let error = try_unpack(&zip_of(&[raw("ok"), raw(name)]), MIB).unwrap_err();
        assert!(matches!(error, UnpackError::Name { .. }), "{}: {error}", String::from_utf8_lossy(name));
    }
    let error = try_unpack(&zip_of(&[raw("Readme"), raw("README")]), MIB).unwrap_err();
    assert!(matches!(error, UnpackError::Name { .. }), "{error}");
    let error = try_unpack(&zip_of(&[raw("a"), raw("a/b")]), MIB).unwrap_err();
    assert!(matches!(error, UnpackError::Name { .. }), "{error}");
    let error = try_unpack(&zip_of(&[raw("same"), raw("same")]), MIB).unwrap_err();
    assert!(matches!(error, UnpackError::Overlap), "{error}");
}

#[test]
fn links_and_special_files_are_refused() {
    for mode in [0o120_777, 0o020_666, 0o060_666, 0o010_666, 0o140_777, 0o040_755] {
        let entry = Raw { mode, data: b"/etc/passwd".to_vec(), ..raw("link") };
        let error = try_unpack(&zip_of(&[entry]), MIB).unwrap_err();
        assert!(matches!(error, UnpackError::NotAFile(_)), "{mode:o}: {error}");
    }
}

#[test]
fn unknown_ways_of_packing_are_refused() {
    let encrypted = try_unpack(&zip_of(&[Raw { flags: 1, data: vec![0; 20], ..raw("a") }]), MIB).unwrap_err();
    assert!(matches!(encrypted, UnpackError::Encrypted(_)), "{encrypted}");
    for method in [1, 9, 12, 14, 93, 95, 99] {
        let error = try_unpack(&zip_of(&[Raw { method, ..raw("a") }]), MIB).unwrap_err();
        assert!(matches!(error, UnpackError::Method { .. } | UnpackError::Zip(_)), "{method}: {error}");
    }
    for bytes in [&b""[..], b"PK", b"not a zip at all", &zip_of(&[])] {
        let error = try_unpack(bytes, MIB).unwrap_err();
        assert!(matches!(error, UnpackError::Zip(_) | UnpackError::Empty), "{error}");
    }
    let whole = zip_of(&[raw("a"), raw("b")]);
    for cut in 0..whole.len() {
        assert!(try_unpack(&whole[..cut], MIB).is_err(), "cut at {cut}");
    }
}

#[test]
fn damage_and_lies_are_refused() {
    let crc = try_unpack(&zip_of(&[Raw { crc: Some(1), ..raw("a") }]), MIB).unwrap_err();
    assert!(matches!(crc, UnpackError::Damaged { .. }), "{crc}");
    let lie = try_unpack(&zip_of(&[Raw { local_name: Some(b"b".to_vec()), ..raw("a") }]), MIB).unwrap_err();
    assert!(matches!(lie, UnpackError::Zip(_)), "{lie}");
    for size in [0, 1, 1000] {
        let entry = Raw { size: Some(size), data: vec![b'x'; 500], ..raw("a") };
        assert!(try_unpack(&zip_of(&[entry]), MIB).is_err(), "declared {size}");
    }
}

#[test]
fn bombs_are_refused() {
    let limit =
        try_unpack(&zip_of(&[Raw { data: vec![1; 600], ..raw("a") }, Raw { data: vec![1; 600], ..raw("b") }]), 1199);
    assert!(matches!(limit, Err(UnpackError::TooLarge(1199))), "{limit:?}");
    let exact = zip_of(&[Raw { data: vec![1; 600], ..raw("a") }, Raw { data: vec![1; 600], ..raw("b") }]);
    try_unpack(&exact, 1200).unwrap();
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    bomb.start_file("zeros", zip::write::SimpleFileOptions::default()).unwrap();
    bomb.write_all(&vec![0; 4 << 20]).unwrap();
    let bomb = bomb.finish().unwrap().into_inner();
    let error = try_unpack(&bomb, 64 * MIB).unwrap_err();
    assert!(matches!(error, UnpackError::Ratio(_)), "{error}");
}
