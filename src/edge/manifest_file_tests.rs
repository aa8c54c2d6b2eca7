//! Manifests: the project's own are sound, and every mistake is shown on its line.

use super::*;

const ISACOMPTA: &str = include_str!("../../manifests/agiris/isacompta-14.20.003.toml");
const ISAPAYE: &str = include_str!("../../manifests/isapaye/isapaye-2026.2.toml");

/// What reading `text` says, with the folder left out.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    std::fs::write(&path, text).unwrap();
    let error = read(&path).unwrap_err().to_string();
    error.replace(&path.display().to_string(), "m.toml")
}

#[track_caller]
fn check(text: &str, from: &str, to: &str, expected: &str) {
    assert!(text.contains(from), "{from}");
    let said = said(&text.replacen(from, to, 1));
    assert!(said.contains(expected), "{said}\nlacks {expected}");
}

#[test]
fn the_projects_own_manifests_are_sound_and_named_for_what_they_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut count = 0;
    for publisher in ["agiris", "isapaye", "eic"] {
        for entry in std::fs::read_dir(root.join(publisher)).unwrap() {
            let path = entry.unwrap().path();
            let manifest = read(&path).unwrap_or_else(|error| panic!("{error}"));
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(stem, format!("{}-{}", manifest.product, manifest.version.slug()));
            assert_eq!(manifest.package.file, format!("{stem}.zip"));
            assert!(manifest.notes.en.is_some());
            count += 1;
        }
    }
    assert!(count >= 10);
}

#[test]
fn a_misspelt_field_names_file_line_and_the_nearest_field() {
    check(ISACOMPTA, "rollback_minutes", "rolback_minutes", "m.toml:6:1: unknown field `rolback_minutes`");
    check(ISACOMPTA, "rollback_minutes", "rolback_minutes", "did you mean `rollback_minutes`?");
    check(ISACOMPTA, "version_file =", "versoin_file =", "did you mean `version_file`?");
    check(ISACOMPTA, "\"minor\"", "\"minro\"", "did you mean `minor`?");
    check(ISACOMPTA, "= 20", "= \"20\"", "m.toml:5:20: invalid type: string \"20\"");
    check(ISAPAYE, "2026-05-31", "2026-02-31", "m.toml:7:14: ");
}

#[test]
fn what_cannot_be_is_shown_on_its_line() {
    for (from, to, expected) in [
        ("\"isacompta\"", "\"ISA compta\"", "m.toml:2: `product`: use lower-case"),
        ("duration_minutes = 20", "duration_minutes = 0", "m.toml:5: `duration_minutes`: say how long"),
        ("rollback_minutes = 10", "rollback_minutes = 1441", "m.toml:6: `rollback_minutes`"),
        ("\"14.20.000\"", "\"14.20.3\"", "`upgrade_from`: 14.20.3 is not older"),
        ("\"14.20.000\"", "\"13.1\"", "m.toml:4: `change`: a minor release cannot go from 13.1"),
        ("isacompta-14.20.003.zip", "../x.zip", "`package.file`: \"../x.zip\" is no plain file name"),
        ("isacompta-14.20.003.zip", "isacompta-14.20.003.json", "name of the signed manifest"),
        ("\"data/**\"", "\"../data\"", "m.toml:8: `preserve.0`: \"../data\" is not inside"),
        ("\"data/**\"", "\"data/[\"", "is no pattern"),
        ("\"bin/isacompta.dat\"", "\"C:/x\"", "`health.files.0`"),
        ("timeout_seconds = 120", "timeout_seconds = 0", "`health.timeout_seconds`"),
        ("\"VERSION\"", "\"/VERSION\"", "`detect.version_file`"),
        ("[platform]", "[manual_steps]\nfr = ' '\n[platform]", "`manual_steps.fr`: write at least one sentence"),
        ("change = \"minor\"", "change = \"minor\"\nurgency = \"legal\"", "`legal_date`: give it"),
        ("change = \"minor\"", "change = \"minor\"\nservices = [\"a\", \"a\"]", "`services.1`: a is there twice"),
        ("change = \"minor\"", "change = \"minor\"\nreboot = \"allowed\"", "`reboot`: a zip has no installer"),
    ] {
        check(ISACOMPTA, from, to, expected);
    }
    let coded = |codes: &str| format!("kind = \"msi\"\nreturn_codes = {{ {codes} }}");
    for (codes, expected) in [
        ("success = [0]", "`installer.return_codes.success.0`: 0 always is success"),
        ("success = [4294967296]", "`installer.return_codes.success.0`: 4294967296 is no exit code"),
        ("success = [-1, 4294967295]", "`installer.return_codes.success.1`: 4294967295 is there twice"),
        (
            "success = [5], expected = [{ code = 5, response = \"diskFull\" }]",
            "`installer.return_codes.expected.0.code`: 5 is",
        ),
        ("expected = [{ code = 5, response = \"diskfull\" }]", "did you mean `diskFull`?"),
    ] {
        check(ISACOMPTA, "kind = \"zip\"", &coded(codes), expected);
    }
    let asked = |probe: &str| format!("[[health.check]]\nname = \"x\"\nprobe = {{ {probe} }}\n[detect]");
    for (probe, expected) in [
        ("kind = \"tcp\", address = \"sql\"", "`health.check.0.probe.address`: \"sql\" is no host:port"),
        ("kind = \"tcp\", addres = \"sql:1\"", "did you mean `address`?"),
        (
            "kind = \"file_age\", file = \"/etc/x\", age_minutes_max = 1",
            "`health.check.0.probe.file`: \"/etc/x\" is not",
        ),
        ("kind = \"file_age\", file = \"{dir}/../x\", age_minutes_max = 1", "`health.check.0.probe.file`"),
        ("kind = \"free_disk\", path = \"{dir}\", mib_min = 0", "`health.check.0.probe.mib_min`"),
    ] {
        check(ISACOMPTA, "[detect]", &asked(probe), expected);
    }
    let twice = "product = \"isacompta\"\nat_least = \"14\"\n[[requires]]\nproduct = \"isacompta\"";
    check(ISAPAYE, "product = \"isacompta\"", twice, "`requires.1.product`: isacompta is there twice");
    check(ISAPAYE, "product = \"isacompta\"", "product = \"isapaye\"", "cannot depend on its own product");
    let with = "[[installs_with]]\nproduct = \"isacompta\"\nversion = \"14.20.003\"\n[notes]";
    check(ISAPAYE, "[notes]", with, "`installs_with.0.version`: isacompta 14.20.003 is older than the required");
}

#[test]
fn all_problems_are_shown_at_once() {
    let broken = ISACOMPTA.replace("minutes = 20", "minutes = 0").replace("minutes = 10", "minutes = 0");
    assert_eq!(said(&broken).lines().count(), 2);
}
