//! The commands for whoever edits a contract, through the real binary: the golden facts, an independent oracle, the edges
//! one unit either side, and what is said of everything that is wrong.

use super::golden::{Row, rows, zone_of};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PRO_CONTROLE: &str = include_str!("../../schedules/pro-controle.toml");

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/pro-controle.toml")
}

fn noctule(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
    command.args(words).env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("LC_MESSAGES");
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

/// What a command prints as JSON, on a contract.
#[track_caller]
fn json(file: &Path, words: &[&str]) -> Value {
    let file = file.to_str().expect("the path is text");
    let words = [&["schedule", words[0], file], &words[1..], &["--format", "json"]].concat();
    let output = noctule(&words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// A command that fails with `code`: what it says.
#[track_caller]
fn refused(words: &[&str], code: i32) -> String {
    let output = noctule(words);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
    error
}

#[test]
fn notices_agree_with_the_golden_facts() {
    for row in &rows(include_str!("data/deadlines.csv")) {
        let region = row["calendar"].as_str();
        let zone = zone_of(region).name();
        // As an instant, and as what the clock on the site's wall showed.
        let (utc, zoned, local) = (&row["request_utc"], &row["request_local"], &row["request_local"][..19]);
        for received in [utc, zoned, local] {
            let words = ["notice", "--received", received, "--zone", zone, "--holidays", region];
            let count = json(&contract(), &words);
            assert_eq!(count["counted_from"], row["day0"].as_str(), "{row:?}");
            assert_eq!(count["earliest"], row["deadline_5jo"].as_str(), "{row:?}");
            assert_eq!(count["days"].as_array().map(Vec::len), Some(5), "{row:?}");
        }
    }
}

/// Pro Contrôle with one more window for each row of the facts, which opens at the row's hours.
fn golden_windows(rows: &[Row]) -> tempfile::NamedTempFile {
    let mut text = PRO_CONTROLE.to_owned();
    for (index, row) in rows.iter().enumerate() {
        let day = &chrono::NaiveDate::parse_from_str(&row["local_start"][..10], "%Y-%m-%d").unwrap();
        let day = &day.format("%a").to_string()[..2];
        let hours = format!("{day} {}-{}", &row["local_start"][11..], &row["local_end"][11..]);
        text.push_str(&format!("\n[windows.w{index}]\nhours = {hours:?}\nclause = \"x\"\n"));
    }
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn slots_agree_with_the_golden_facts() {
    let rows = rows(include_str!("data/windows.csv"));
    let file = golden_windows(&rows);
    for (index, row) in rows.iter().enumerate() {
        let (window, start) = (format!("w{index}"), row["local_start"].as_str());
        let day = |shift| {
            let day = chrono::NaiveDate::parse_from_str(&start[..10], "%Y-%m-%d").unwrap();
            (day + chrono::TimeDelta::days(shift)).to_string()
        };
        let (from, to, zone) = (day(0), day(2), row["zone"].as_str());
        let slots = json(file.path(), &["slots", "--window", &window, "--from", &from, "--to", &to, "--zone", zone]);
        let expected = match row["utc_start_conservative"].as_str() {
            "" => serde_json::json!([]),
            from => {
                let seconds = |at: &str| format!("{}:00Z", at.trim_end_matches('Z'));
                let minutes: i64 = row["minutes_conservative"].parse().unwrap();
                let to = seconds(&row["utc_end_conservative"]);
                serde_json::json!([{"start": seconds(from), "end": to, "minutes": minutes}])
            }
        };
        assert_eq!(slots, expected, "{row:?}");
    }
}

#[test]
fn an_oracle_that_shares_no_code_agrees_on_random_sites_and_dates() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_schedule.py");
    let python = Command::new("python3").arg("-c").arg("import zoneinfo; zoneinfo.ZoneInfo('Europe/Paris')").output();
    if !python.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI has to have python3 and the zone database");
        eprintln!("SKIPPED: python3 with a zone database is not here, so the oracle was NOT asked");
        return;
    }
    let output = Command::new("python3")
        .args([&script, Path::new(env!("CARGO_BIN_EXE_noctule")), &contract()])
        .args(["120", "20260504"])
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("240 questions") && said.contains(" 0 differ"), "{said}");
}

#[test]
fn notices_turn_at_the_second_and_at_the_day() {
    for (received, holidays, from, earliest) in [
        ("2026-04-29T21:59:59", "FR", "2026-04-29", "2026-05-07"),
        ("2026-04-29T22:00:00", "FR", "2026-04-30", "2026-05-11"),
        ("2026-04-29T19:59:59Z", "FR", "2026-04-29", "2026-05-07"),
        ("2026-04-29T20:00:00Z", "FR", "2026-04-30", "2026-05-11"),
        ("2026-04-29T23:59:59", "FR", "2026-04-30", "2026-05-11"),
        ("2026-04-30T00:00:00", "FR", "2026-04-30", "2026-05-11"),
        // The last hours of winter and summer time: the service still ends at 22:00 on the wall.
        ("2026-10-23T21:59", "FR", "2026-10-23", "2026-10-30"),
        ("2026-10-25T02:30", "FR", "2026-10-26", "2026-11-02"),
        ("2026-10-26T20:59:59Z", "FR", "2026-10-26", "2026-11-02"),
        ("2026-10-26T21:00:00Z", "FR", "2026-10-27", "2026-11-03"),
        ("2027-03-28T02:30", "FR", "2027-03-30", "2027-04-06"),
        // Leap years and those that are not.
        ("2028-02-28T10:00", "FR", "2028-02-28", "2028-03-06"),
        ("2028-02-29T22:00", "FR", "2028-03-01", "2028-03-08"),
        ("2027-02-26T10:00", "FR", "2027-02-26", "2027-03-05"),
        // The year's end; a holiday on a weekend moves nothing.
        ("2026-12-24T21:59:59", "FR", "2026-12-24", "2027-01-04"),
        ("2026-12-24T21:59:59", "FR-ALS", "2026-12-24", "2027-01-04"),
        ("2025-12-24T22:00", "FR", "2025-12-26", "2026-01-05"),
        ("2025-12-24T22:00", "FR-ALS", "2025-12-29", "2026-01-06"),
        ("2026-08-14T10:00", "FR", "2026-08-14", "2026-08-21"),
        ("2026-04-02T10:00", "FR", "2026-04-02", "2026-04-10"),
        ("2026-04-02T10:00", "FR-ALS", "2026-04-02", "2026-04-13"),
    ] {
        let count = json(&contract(), &["notice", "--received", received, "--holidays", holidays]);
        assert_eq!(
            (&count["counted_from"], &count["earliest"]),
            (&from.into(), &earliest.into()),
            "{received} {holidays}"
        );
    }
}

#[test]
fn slots_touch_the_span_they_are_asked_for() {
    let night = serde_json::json!([{"start": "2026-04-29T20:00:00Z", "end": "2026-04-30T05:00:00Z", "minutes": 540}]);
    for (from, to, found) in [
        ("2026-04-29T19:59:00Z", "2026-04-29T20:00:00Z", false),
        ("2026-04-29T19:59:00Z", "2026-04-29T20:00:01Z", true),
        ("2026-04-30T04:59:59Z", "2026-04-30T05:00:00Z", true),
        ("2026-04-30T05:00:00Z", "2026-04-30T05:00:01Z", false),
        ("2026-04-29T22:00", "2026-04-30T07:00", true),
        ("2026-04-29 08:00", "2026-04-29 22:00", false),
    ] {
        let slots = json(&contract(), &["slots", "--window", "night", "--from", from, "--to", to]);
        assert_eq!(slots, if found { night.clone() } else { serde_json::json!([]) }, "{from} {to}");
    }
}

#[test]
fn what_is_asked_wrongly_says_what_to_write() {
    let file = contract();
    let file = file.to_str().unwrap();
    let slots = |window: &str, from: &str, to: &str, more: &[&str], code| {
        refused(&[&["schedule", "slots", file, "--window", window, "--from", from, "--to", to], more].concat(), code)
    };
    let (may, june) = ("2026-05-01", "2026-06-01");
    for (said, of) in [
        (slots("nigt", may, june, &[], 1), "did you mean \"night\"?"),
        (slots("dimanche", may, june, &[], 1), "there are maintenance, night, office, service"),
        (slots("night", june, may, &[], 2), "has to be after --from"),
        (slots("night", may, may, &[], 2), "has to be after --from"),
        (slots("night", "hier", june, &[], 2), "write 2026-05-16T22:00 or 2026-05-16 (on the clock of the site)"),
        (slots("night", "2026-02-29", june, &[], 2), "is no time"),
        (slots("night", "1926-05-01", june, &[], 2), "write a time from 2000 to 2100"),
        (slots("night", may, june, &["--zone", "Europe/Pariss"], 2), "did you mean Europe/Paris?"),
        (slots("night", may, june, &["--zone", "+02:00"], 2), "wrong half of the year"),
        (slots("night", may, june, &["--holidays", "FR-979"], 2), "write FR, FR-ALS or FR-971 to FR-978"),
        (refused(&["schedule", "notice", "none.toml", "--received", may], 1), "cannot read none.toml"),
        (refused(&["schedule", "notice", file], 2), "--received"),
        (refused(&["version", "compare", "14.20", "SP"], 1), "version \"SP\" holds no digit"),
        (refused(&["version", "change", "14.20", "15", "--scheme", "semver"], 2), "possible values: dotted, year"),
    ] {
        assert!(said.contains(of), "{said}");
    }
}

/// Pro Contrôle after changes of its text, checked.
fn checked(changes: &[(&str, &str)], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut text = PRO_CONTROLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(folder.path().join("edited.toml"), text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_noctule"))
        .args([&["schedule", "check", "edited.toml"], more].concat())
        .current_dir(folder.path())
        .output()
        .expect("the binary runs")
}

#[test]
fn a_check_tells_everything_at_once_with_place_and_fix() {
    let changes = [
        ("Mo-Su 22:00-07:00", "Mo-Fr 22:00-07:00; PH off"),
        ("Mo-Fr 07:00-22:00", "Fr-Mo 20:00-25:00"),
        ("deadline_nights = 2", "deadline_night = 2"),
        ("never_in = \"office\"", "never_in = \"ofice\""),
        ("attempts_max = 3", "attempts_max = 0"),
    ];
    let output = checked(&changes, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert_eq!(report["sound"], false);
    let problems: Vec<(&str, i64, i64)> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["place"].as_str().unwrap(), p["line"].as_i64().unwrap(), p["column"].as_i64().unwrap()))
        .collect();
    assert_eq!(
        problems,
        [
            ("windows.night.hours", 8, 29),
            ("windows.service.hours", 22, 10),
            ("windows.service.hours", 22, 16),
            ("minor.deadline_night", 29, 1),
            ("minor.never_in", 30, 12),
            ("retry.attempts_max", 85, 16),
        ]
    );
    insta::assert_snapshot!("check_problems", String::from_utf8_lossy(&checked(&changes, &[]).stderr));
}

#[test]
fn a_check_explains_hours_that_the_clock_changes() {
    let changes = [("Mo-Su 22:00-07:00", "Mo-Su 02:30-07:00")];
    let report: Value = serde_json::from_slice(&checked(&changes, &["--format", "json"]).stdout).unwrap();
    assert_eq!(report["sound"], true);
    let notes = report["notes"].as_array().unwrap();
    let texts: Vec<&str> = notes.iter().map(|note| note["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("02:30 happens twice on Sun")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("02:30 does not exist on Sun")), "{texts:?}");
    assert_eq!((notes[0]["line"].as_i64(), notes[0]["column"].as_i64()), (Some(8), Some(16)));
    let reunion = checked(&changes, &["--format", "json", "--zone", "Indian/Reunion", "--slots", "2"]);
    let report: Value = serde_json::from_slice(&reunion.stdout).unwrap();
    assert_eq!(report["notes"], serde_json::json!([]));
    let windows = report["windows"].as_array().unwrap();
    assert!(windows.iter().all(|window| window["slots"].as_array().unwrap().len() == 2), "{report}");
}

#[test]
fn what_people_read() {
    let file = contract();
    let file = file.to_str().unwrap();
    let printed = |words: &[&str]| {
        let output = noctule(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    insta::assert_snapshot!("show_fr", printed(&["schedule", "show", file, "--lang", "fr"]));
    insta::assert_snapshot!("show_en", printed(&["schedule", "show", file]));
    let slots = ["schedule", "slots", file, "--window", "night", "--from", "2026-10-24T12:00", "--to", "2026-10-26"];
    insta::assert_snapshot!("slots", printed(&slots));
    insta::assert_snapshot!("notice", printed(&["schedule", "notice", file, "--received", "2026-04-03T22:30"]));
    let reunion = [
        "schedule",
        "notice",
        file,
        "--received",
        "2026-12-18T16:00Z",
        "--zone",
        "Indian/Reunion",
        "--holidays",
        "FR-974",
    ];
    insta::assert_snapshot!("notice_reunion", printed(&reunion));
    let french = Command::new(env!("CARGO_BIN_EXE_noctule"))
        .args(["schedule", "show", file])
        .env("LC_ALL", "fr_FR.UTF-8")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&french.stdout), printed(&["schedule", "show", file, "--lang", "fr"]));
}
