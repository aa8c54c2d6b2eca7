//! Packages put together, and what is made of those that lie.

use super::*;
use crate::edge::host::archive::{Inspected, Limits};
use std::io::Cursor;

const LIMITS: Limits = Limits { entries: 100, bytes: 64 << 20 };

/// A file name, its bytes and its mode.
type Add<'a> = (&'a str, &'a [u8], u32);

fn package(entries: &[Add]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, mode) in entries {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        match name.strip_suffix('/') {
            Some(folder) => zip.add_directory(folder, options).unwrap(),
            None => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

/// Bytes that no packing makes smaller.
fn noise(seed: u8, count: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn install(dir: &Path, files: &[Add]) {
    for (name, bytes, _) in files.iter().filter(|(name, ..)| !name.ends_with('/')) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The digest of what a package unpacks to.
fn files(package: &[u8]) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(package).unwrap();
    archive::inspect_files(&file, LIMITS).unwrap().1
}

fn assemble(package: &[u8], installed: &Path) -> (Vec<Range<u64>>, Result<String, String>) {
    let listed = archive::list(Cursor::new(package), LIMITS).unwrap();
    let assembly = Assembly::new(listed, installed);
    let wanted = assembly.wanted();
    // Only what is wanted can be read, as over the line.
    let mut fetched = vec![0; package.len()];
    for part in &wanted {
        let part = part.start as usize..part.end as usize;
        fetched[part.clone()].copy_from_slice(&package[part]);
    }
    let file = installed.join(".assembled");
    let written = assembly.write(Cursor::new(fetched), &file).map_err(|error| error.to_string());
    let judged = written.and_then(|()| {
        let judged = archive::inspect_files(&File::open(&file).unwrap(), LIMITS);
        judged.map(|(_, digest)| digest).map_err(|error| error.to_string())
    });
    (wanted, judged)
}

#[test]
fn what_is_installed_is_taken_from_there_and_the_result_holds_the_same() {
    let (a, b, c) = (noise(1, 40_000), noise(2, 40_000), noise(3, 40_000));
    let new: [Add; 6] = [
        ("bin/run", &a, 0o755),
        ("lib/b", &b, 0o644),
        ("lib/é.txt", b"new", 0o644),
        ("leer/", b"", 0o755),
        ("null", b"", 0o644),
        ("lib/c", &c, 0o644),
    ];
    let package = package(&new);
    for (installed, fetched_max) in [
        (vec![new[0], new[1], new[2], new[4], new[5]], 0),
        (vec![new[0], ("lib/b", &c, 0o644), new[2], new[4], new[5]], 40_200),
        // Its length is the same and its bytes are not.
        (vec![new[0], new[1], ("lib/é.txt", b"old", 0o644), new[4], new[5]], 200),
        (vec![], package.len()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        install(dir.path(), &installed);
        let (wanted, judged) = assemble(&package, dir.path());
        let bytes: u64 = wanted.iter().map(|part| part.end - part.start).sum();
        assert!(bytes <= fetched_max as u64, "{bytes} of {fetched_max}");
        assert_eq!(judged.unwrap(), files(&package));
    }
}

#[test]
fn a_directory_that_lies_never_gets_its_way() {
    let (a, b) = (noise(1, 3000), noise(2, 3000));
    let package = package(&[("a", &a, 0o644), ("b", &b, 0o644)]);
    let signed = files(&package);
    let dir = tempfile::tempdir().unwrap();
    install(dir.path(), &[("a", &a, 0o644)]);
    let directory = archive::directory(Cursor::new(&package)).unwrap();
    let mut refused = 0;
    for at in directory.start as usize..package.len() {
        for bit in [0x01, 0x20] {
            let mut lies = package.clone();
            lies[at] ^= bit;
            // Whatever else a lie leads to, nothing else than what was signed is taken for it.
            match archive::list(Cursor::new(&lies), LIMITS) {
                Err(_) => refused += 1,
                Ok(listed) => {
                    let assembly = Assembly::new(listed, dir.path());
                    let file = dir.path().join(".assembled");
                    let written = assembly.write(Cursor::new(&lies), &file);
                    let judged = written.map(|()| archive::inspect_files(&File::open(&file).unwrap(), LIMITS));
                    match judged {
                        Ok(Ok((inspected, digest))) if digest == signed => {
                            // Versions, times and other systems' attributes: they reach no file.
                            assert_eq!(contents(&file, &inspected), [("a", a.clone()), ("b", b.clone())]);
                        }
                        Ok(Ok(_) | Err(_)) | Err(_) => refused += 1,
                    }
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

fn contents(file: &Path, inspected: &Inspected) -> Vec<(&'static str, Vec<u8>)> {
    let read = |name: &'static str| {
        let mut bytes = Vec::new();
        let entry = inspected.entry(name).unwrap();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        Inspected::copy(File::open(file).unwrap(), entry, sink).unwrap();
        (name, bytes)
    };
    assert_eq!(inspected.entries.len(), 2);
    vec![read("a"), read("b")]
}

#[test]
fn a_file_with_the_checksum_of_another_is_found_out_by_the_digest() {
    // CRC-32 is linear: four bytes put it where one wants.
    let (good, mut evil) = (b"good bytes here.".to_vec(), b"evil bytes here.".to_vec());
    let crc = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    let (mut at, want) = (evil.len() - 4, crc(&good));
    evil[at..].fill(0);
    let zero = crc(&evil);
    // Solves for the last 32 bits by the columns that each of them adds.
    let mut rows: Vec<(u32, u32)> = (0..32)
        .map(|bit| {
            let mut one = evil.clone();
            one[at + bit / 8] = 1 << (bit % 8);
            (crc(&one) ^ zero, 1 << bit)
        })
        .collect();
    let (mut left, mut bits) = (want ^ zero, 0u32);
    for pivot in 0..32 {
        let row = (pivot..32).find(|&row| rows[row].0 >> pivot & 1 == 1).unwrap();
        rows.swap(pivot, row);
        let (value, mask) = rows[pivot];
        for row in rows.iter_mut().skip(pivot + 1).filter(|row| row.0 >> pivot & 1 == 1) {
            *row = (row.0 ^ value, row.1 ^ mask);
        }
        if left >> pivot & 1 == 1 {
            (left, bits) = (left ^ value, bits ^ mask);
        }
    }
    for byte in bits.to_le_bytes() {
        evil[at] = byte;
        at += 1;
    }
    assert!(crc(&evil) == want && evil != good);
    let package = package(&[("app", &good, 0o644)]);
    let dir = tempfile::tempdir().unwrap();
    install(dir.path(), &[("app", &evil, 0o644)]);
    let (wanted, judged) = assemble(&package, dir.path());
    assert_eq!(wanted, [], "it looks the same");
    assert_ne!(judged.unwrap(), files(&package));
}
