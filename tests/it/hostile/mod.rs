//! Hostile packages: each refused with exactly its verdicts, with nothing written, by agents and by `release check`;
//! and the honest ones beside them, which have to pass.

mod cases;
pub mod writer;

use cases::{Case, LIMITS};
use noctule::edge::host::archive::{InspectError, Limits, inspect, inspect_file};
use noctule::edge::host::tree::{NewVersion, Tree};
use noctule::edge::host::unpack::{UnpackError, unpack};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use writer::{Archive, End64, Local, Raw, crc32, deflated, descriptor, folder, raw, stored, streamed, zip_of, zip64};

/// Everything below a folder: files with their bytes, folders with none.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), None);
            found.extend(snapshot(&path));
        } else {
            found.insert(path.clone(), Some(fs::read(&path).unwrap()));
        }
    }
    found
}

/// A verdict as the table has it.
type Said = Vec<(Option<String>, noctule::edge::host::archive::Refusal)>;

fn verdicts(zip: &[u8], limits: Limits) -> Said {
    match inspect(Cursor::new(zip), limits) {
        Ok(_) => Vec::new(),
        Err(InspectError::Refused(verdicts)) => {
            verdicts.list().iter().map(|verdict| (verdict.entry.clone(), verdict.why.clone())).collect()
        }
        Err(InspectError::Read(error)) => panic!("{error}"),
    }
}

#[test]
fn every_hostile_package_gets_exactly_its_verdicts() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        let said = verdicts(&case.zip, case.limits);
        if said != case.verdicts {
            wrong.push(format!("{}:\n  said {said:?}\n  want {:?}", case.what, case.verdicts));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_agent_refuses_it_and_its_folders_stay_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let tree = Tree::new(&root, "isacompta");
    let old = tree.version_dir("1.0");
    fs::create_dir_all(old.join("data")).unwrap();
    fs::write(old.join("data/client.db"), "the client's own").unwrap();
    fs::write(old.join("app.exe"), "old").unwrap();
    tree.switch_to(Some("1.0")).unwrap();
    let package = dir.path().join("package.zip");
    for case in cases::all() {
        fs::write(&package, &case.zip).unwrap();
        let before = snapshot(dir.path());
        let file = File::open(&package).unwrap();
        let preserve = ["data/**".to_owned()];
        let (slug, old) = ("2.0", Some("1.0"));
        // Without an `Inspected` nothing can be laid down, and there is none.
        let laid = inspect_file(&file, case.limits).map(|inspected| {
            let new = NewVersion { slug, package: &file, inspected: &inspected, preserve: &preserve, old };
            tree.lay_down(&new)
        });
        let Err(InspectError::Refused(all)) = laid else { panic!("{} was not refused", case.what) };
        let said: Said = all.list().iter().map(|verdict| (verdict.entry.clone(), verdict.why.clone())).collect();
        assert!(said == case.verdicts, "{}: several at once it is {said:?}", case.what);
        assert!(snapshot(dir.path()) == before, "{}: something was written", case.what);
    }
}

fn manifest(limits: Limits) -> String {
    format!(
        r#"
product = "isacompta"
version = "2.0"
change = "minor"
duration_minutes = 10
rollback_minutes = 5
notes = {{ fr = "Corrections." }}
installer = {{ kind = "zip" }}
health = {{ files = ["app.exe"], timeout_seconds = 10 }}
detect = {{ version_file = "VERSION" }}

[package]
file = "isacompta-2.0.zip"
unpacked_mib_max = 8
entries = {}
unpacked_bytes = {}
"#,
        limits.entries, limits.bytes
    )
}

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs `noctule release check m.toml --package p.zip` with `more`.
fn check(dir: &Path, zip: &[u8], limits: Limits, more: &[&str]) -> Answer {
    check_by(dir, &manifest(limits), zip, more)
}

fn check_by(dir: &Path, manifest: &str, zip: &[u8], more: &[&str]) -> Answer {
    fs::write(dir.join("m.toml"), manifest).unwrap();
    fs::write(dir.join("p.zip"), zip).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
    command.args(["release", "check", "m.toml", "--package", "p.zip"]).args(more).current_dir(dir);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn release_check_gives_the_publisher_the_same_verdicts() {
    let dir = tempfile::tempdir().unwrap();
    let parallel = std::thread::available_parallelism().map_or(1, usize::from);
    let all = cases::all();
    std::thread::scope(|scope| {
        for (number, part) in all.chunks(all.len().div_ceil(parallel)).enumerate() {
            let dir = dir.path().join(number.to_string());
            fs::create_dir(&dir).unwrap();
            scope.spawn(move || part.iter().for_each(|case| told(&dir, case)));
        }
    });
}

/// Exit code 1, and every verdict in words, with the name of its entry.
fn told(dir: &Path, case: &Case) {
    let answer = check(dir, &case.zip, case.limits, &[]);
    assert_eq!(answer.code, Some(1), "{}: {}{}", case.what, answer.out, answer.err);
    assert_eq!(answer.out, "", "{}", case.what);
    for (entry, why) in &case.verdicts {
        let of = entry.as_ref().map_or("the package".to_owned(), |name| format!("entry {name:?}"));
        let line = format!("\n  {of} {why}\n");
        assert!(answer.err.contains(&line), "{} does not say {line:?}: {}", case.what, answer.err);
    }
}

fn good(more: &[Raw]) -> Vec<u8> {
    zip_of(&[&[stored("VERSION", b"2.0\n"), deflated("app.exe", &[7; 5000])], more].concat())
}

#[test]
fn release_check_says_what_is_good_in_one_line_each_and_what_is_wrong_with_the_version() {
    let dir = tempfile::tempdir().unwrap();
    let answer = check(dir.path(), &good(&[]), LIMITS, &[]);
    let said = "m.toml: isacompta 2.0 is good\np.zip: every agent would take it: 2 entries, 5004 bytes unpacked\n";
    assert_eq!((answer.code, answer.out.as_str(), answer.err.as_str()), (Some(0), said, ""));
    let other = zip_of(&[stored("VERSION", b"1.9\n")]);
    let answer = check(dir.path(), &other, LIMITS, &[]);
    let said = "noctule: p.zip cannot be released: 1 problem\n  entry \"VERSION\" says version \"1.9\", the manifest says 2.0; make them one\n";
    assert_eq!((answer.code, answer.out.as_str(), answer.err.as_str()), (Some(1), "", said));
    let answer = check(dir.path(), &zip_of(&[raw("app.exe")]), LIMITS, &[]);
    assert!(answer.err.contains("\"VERSION\" is missing, though the manifest reads"), "{}", answer.err);
    let answer = check(dir.path(), b"", LIMITS, &[]);
    assert!(answer.code == Some(1) && answer.err.contains("p.zip: is empty or no file"), "{}", answer.err);
    let answer = check(dir.path(), &good(&[]), LIMITS, &["m.toml"]);
    assert!(answer.code == Some(2) && answer.err.contains("--package belongs to one manifest"), "{}", answer.err);
    let answer = check(dir.path(), &good(&[]), Limits { entries: 0, ..LIMITS }, &[]);
    assert!(answer.code == Some(1) && answer.err.contains("package.entries`: give 1 to"), "{}", answer.err);
    assert!(answer.err.contains("p.zip was not looked at: mend the manifest first"), "{}", answer.err);
}

#[test]
fn release_check_tells_an_installer_program_from_what_only_says_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let check = |installer: &str, name: &str, package: &[u8]| {
        let manifest = manifest(LIMITS).replace("kind = \"zip\"", installer).replace("isacompta-2.0.zip", name);
        assert!(manifest.contains(installer) && manifest.contains(name), "{manifest}");
        check_by(dir.path(), &manifest, package, &[])
    };
    let compound = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, 0, 0];
    let (msi, exe, nsis) = ("kind = 'msi'", "kind = 'exe'", "kind = 'exe', technology = 'nsis'");
    for (installer, name, package) in [
        (msi, "p.msi", &compound[..]),
        (exe, "p.exe", b"MZ\x90"),
        (nsis, "P.EXE", b"MZ\x90"),
        (exe, "p.run", b"#!/bin/sh\n"),
        (exe, "p.bin", b"\x7fELF\x02"),
    ] {
        let answer = check(installer, name, package);
        let said = "p.zip: an installer program; agents run it as it is, nothing in it was judged";
        assert!(answer.code == Some(0) && answer.out.contains(said), "{}{}", answer.out, answer.err);
    }
    for (installer, name, package, said) in [
        (msi, "p.msi", &b"MZ"[..], "is of kind msi, but no Windows Installer package"),
        (msi, "p.bin", &compound, "let package.file end in .msi"),
        (exe, "p.exe", b"PK\x03\x04", "is of kind exe, but no program"),
        (nsis, "p.exe", b"#!/bin/sh\n", "is of kind exe, but no program for Windows"),
        (exe, "p.bin", b"MZ\x90", "let package.file end in .exe"),
        (exe, "p.exe", b"", "is empty or no file"),
    ] {
        let answer = check(installer, name, package);
        assert!(answer.code == Some(1) && answer.err.contains(said), "{installer}: {}{}", answer.out, answer.err);
    }
}

#[test]
fn release_check_answers_programs() {
    let dir = tempfile::tempdir().unwrap();
    let json = |answer: &Answer| -> serde_json::Value { serde_json::from_str(&answer.out).unwrap() };
    let answer = check(dir.path(), &good(&[raw("../x"), raw("NUL")]), LIMITS, &["--format", "json"]);
    assert_eq!(answer.code, Some(1));
    insta::assert_json_snapshot!("release_check_refused", json(&answer));
    let answer = check(dir.path(), &good(&[]), LIMITS, &["--format", "json"]);
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    insta::assert_json_snapshot!("release_check_good", json(&answer));
}

#[test]
fn more_verdicts_than_anybody_reads_are_counted() {
    let many: Vec<Raw> = (0..150).map(|n| raw(format!("../{n}"))).collect();
    let Err(InspectError::Refused(found)) = inspect(Cursor::new(zip_of(&many)), Limits { entries: 1000, bytes: 1000 })
    else {
        panic!("it is refused");
    };
    assert_eq!((found.list().len(), found.more(), found.count()), (100, 50, 150));
    assert!(found.to_string().ends_with("; and 147 more"), "{found}");
}

/// What honest tools write has to pass, and come out as it went in.
#[test]
fn honest_packages_come_out_whole() {
    let text = b"hello hello hello hello";
    let wide = Raw { extra: zip64(&[23, 23]), packed: Some(u32::MAX), size: u32::MAX, ..stored("a.txt", text) };
    let only_local = Raw {
        local: Local {
            packed: Some(u32::MAX),
            size: Some(u32::MAX),
            extra: Some(zip64(&[23, 23])),
            ..Local::default()
        },
        ..stored("a.txt", text)
    };
    let unsigned = streamed("a.txt", text);
    let unsigned = Raw { after: descriptor(false, unsigned.crc, unsigned.data.len() as u32, 23), ..unsigned };
    let mut wide_stream = streamed("a.txt", text);
    let packed = wide_stream.data.len() as u64;
    wide_stream.after =
        [&b"PK\x07\x08"[..], &crc32(text).to_le_bytes(), &packed.to_le_bytes(), &23u64.to_le_bytes()].concat();
    wide_stream.local = Local {
        crc: Some(0),
        packed: Some(u32::MAX),
        size: Some(u32::MAX),
        extra: Some(zip64(&[0, 0])),
        ..Local::default()
    };
    let pack = |entry: Raw| zip_of(&[entry]);
    let archives = [
        ("stored", pack(stored("a.txt", text))),
        ("deflated", pack(deflated("a.txt", text))),
        ("from DOS", pack(Raw { attributes: 0x20, flags: 0, ..deflated("a.txt", text) })),
        ("streamed", pack(streamed("a.txt", text))),
        ("streamed without a signature", pack(unsigned)),
        ("streamed in 64 bits", pack(wide_stream)),
        ("sizes in 64 bits", pack(wide)),
        ("sizes in 64 bits in the local header", pack(only_local)),
        (
            "an agreeing Unicode path",
            pack(Raw { extra: writer::unicode_path(b"a.txt", "a.txt"), ..stored("a.txt", text) }),
        ),
        (
            "zip64",
            Archive { entries: vec![stored("a.txt", text)], zip64: Some(End64::default()), ..Archive::default() }
                .bytes(),
        ),
        (
            "a comment",
            Archive { entries: vec![stored("a.txt", text)], comment: b"3f2a91".to_vec(), ..Archive::default() }.bytes(),
        ),
        ("a zip in a zip", zip_of(&[stored("a.txt", text), stored("in.zip", &zip_of(&[raw("x")]))])),
        ("a folder first", zip_of(&[folder("z/"), stored("a.txt", text)])),
        ("written by the zip crate", by_the_zip_crate(false)),
        ("written by the zip crate, large", by_the_zip_crate(true)),
    ];
    for (what, zip) in archives {
        assert_eq!(verdicts(&zip, LIMITS), [], "{what}");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p"), &zip).unwrap();
        let file = File::open(dir.path().join("p")).unwrap();
        unpack(&file, &inspect_file(&file, LIMITS).unwrap(), &dir.path().join("out")).unwrap();
        assert_eq!(fs::read(dir.path().join("out/a.txt")).unwrap(), text, "{what}");
    }
}

fn by_the_zip_crate(large: bool) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().large_file(large);
    writer.add_directory("données", options).unwrap();
    writer.start_file("a.txt", options).unwrap();
    writer.write_all(b"hello hello hello hello").unwrap();
    writer.start_file("données/é.txt", options.compression_method(zip::CompressionMethod::Stored)).unwrap();
    writer.write_all(b"x").unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn modes_folders_and_figures_come_out_exactly() {
    let zip = zip_of(&[
        raw("a.txt"),
        Raw { attributes: 0o100_755 << 16, ..raw("bin/run") },
        folder("empty/"),
        Raw { attributes: 0o104_755 << 16, ..raw("set-id") },
    ]);
    let exact = Limits { entries: 4, bytes: 3 };
    let inspected = inspect(Cursor::new(&zip), exact).unwrap();
    assert_eq!((inspected.entries.len(), inspected.bytes), (4, 3));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p"), &zip).unwrap();
    let (out, file) = (dir.path().join("out"), File::open(dir.path().join("p")).unwrap());
    let inspected = inspect_file(&file, exact).unwrap();
    unpack(&file, &inspected, &out).unwrap();
    assert_eq!(fs::read(out.join("bin/run")).unwrap(), b"x");
    assert!(out.join("empty").is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("bin/run"), mode("set-id"), mode("a.txt") & 0o111), (0o755, 0o755, 0));
    }
    assert!(matches!(unpack(&file, &inspected, &out), Err(UnpackError::Write { .. })), "never into an existing folder");
}

/// No prefix of a package is a package, and no single flipped bit goes unnoticed but in what no reader uses.
#[test]
fn cuts_and_flips_never_pass_for_something_else() {
    let whole = Archive {
        entries: vec![folder("d/"), stored("d/a.txt", b"plain"), streamed("b.txt", b"hello hello hello")],
        ..Archive::default()
    }
    .bytes();
    let honest = inspect(Cursor::new(&whole), LIMITS).unwrap();
    let told = |i: &noctule::edge::host::archive::Inspected| -> Vec<(String, u64, u32)> {
        i.entries.iter().map(|e| (e.name.clone(), e.size, e.crc)).collect()
    };
    for cut in 0..whole.len() {
        assert!(inspect(Cursor::new(&whole[..cut]), LIMITS).is_err(), "cut at {cut}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = inspect(Cursor::new(&flipped), LIMITS) {
            assert_eq!(told(&other), told(&honest), "bit {bit} changes what comes out");
        }
    }
}
