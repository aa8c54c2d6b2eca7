//! The order of versions against the order in which publishers really brought them out (`data/versions.tsv`).
//!
//! Each package's versions are in time order. Where the publisher went back (a release withdrawn, an older branch
//! maintained), a reader has marked the line `back`: there the order must say so too.

use noctule::model::version::Version;

#[test]
fn versions_come_in_the_order_they_were_published() {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(&include_bytes!("data/versions.tsv")[..]);
    let lines: Vec<(String, String, String)> =
        reader.deserialize().collect::<Result<_, _>>().expect("the facts are tab-separated");
    let (mut forward, mut back) = (0, 0);
    let mut wrong = Vec::new();
    for pair in lines.windows(2) {
        let [(package, earlier, _), (same, later, mark)] = pair else { unreachable!("windows of two") };
        if package != same {
            continue;
        }
        let (a, b): (Version, Version) = (earlier.parse().unwrap(), later.parse().unwrap());
        let goes_back = mark == "back";
        let as_expected = if goes_back { b < a } else { a < b };
        if !as_expected {
            wrong.push(format!("{package}: {earlier} then {later} {mark}"));
        }
        (forward, back) = (forward + usize::from(!goes_back), back + usize::from(goes_back));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((forward, back), (195, 9));
}

#[test]
fn every_step_of_every_history_is_in_order_or_marked() {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b'\t').from_reader(&include_bytes!("data/version_sequences.tsv")[..]);
    let lines: Vec<(String, String, String)> =
        reader.deserialize().collect::<Result<_, _>>().expect("the facts are tab-separated");
    let (mut forward, mut back, mut unordered) = (0, 0, 0);
    let mut wrong = Vec::new();
    for pair in lines.windows(2) {
        let [(package, earlier, _), (same, later, mark)] = pair else { unreachable!("windows of two") };
        if package != same {
            continue;
        }
        let (a, b): (Version, Version) = (earlier.parse().unwrap(), later.parse().unwrap());
        let (count, as_marked) = match mark.as_str() {
            "" => (&mut forward, a < b),
            "back" => (&mut back, b < a),
            "unordered" => (&mut unordered, b < a),
            other => panic!("{package} {later}: {other:?} is no mark"),
        };
        *count += 1;
        if !as_marked {
            wrong.push(format!("{package}: {earlier} then {later} {mark}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((lines.len(), forward, back, unordered), (4981, 4711, 162, 6));
}

/// Runs `noctule version …` with `input` on standard input.
fn noctule(words: &[&str], input: &[u8]) -> std::process::Output {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
    command.arg("version").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("it has an input").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_commands_order_as_the_library_does() {
    let printed = |words: &[&str], input: &str| {
        let output = noctule(words, input.as_bytes());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is text")
    };
    for (a, order, b) in [
        ("14.9.120", "<", "14.10.012"),
        ("15.30.02/DU3", ">", "15.30.02"),
        ("14.20.003", "=", "14.20.3"),
        ("2.0-rc1", "<", "2.0"),
        ("2026.1", "<", "2026.10"),
    ] {
        assert_eq!(printed(&["compare", a, b], ""), format!("{order}\n"));
        let row: serde_json::Value =
            serde_json::from_str(&printed(&["compare", a, b, "--format", "json"], "")).unwrap();
        assert_eq!((&row["a"], &row["order"], &row["b"]), (&a.into(), &order.into(), &b.into()));
    }
    for (from, to, scheme, change) in [
        ("14.20.003", "14.20.004", "dotted", "minor"),
        ("14.20.004", "15.0", "dotted", "major"),
        ("15.0", "14.20.004", "dotted", "downgrade"),
        ("15.0", "15.0.0", "dotted", "none"),
        ("2025.4", "2026.1", "year", "minor"),
    ] {
        assert_eq!(printed(&["change", from, to, "--scheme", scheme], ""), format!("{change}\n"), "{from} {to}");
        let words = ["change", from, to, "--scheme", scheme, "--format", "json"];
        let row: serde_json::Value = serde_json::from_str(&printed(&words, "")).unwrap();
        assert!(row["change"] == change && row["why"].as_str().is_some_and(|why| !why.is_empty()), "{row}");
    }
    assert_eq!(printed(&["sort"], "15.0\r\n14.9\n14.10\n14.9.0\n"), "14.9\n14.9.0\n14.10\n15.0\n");
    assert_eq!(printed(&["sort"], ""), "");
    let sorted: Vec<String> = serde_json::from_str(&printed(&["sort", "--format", "json"], "2\n1\n")).unwrap();
    assert_eq!(sorted, ["1", "2"]);
}

#[test]
fn a_whole_history_is_sorted_and_bad_lines_are_named() {
    let mut history: Vec<&str> =
        include_str!("data/versions.tsv").lines().skip(1).filter_map(|line| line.split('\t').nth(1)).collect();
    let output = noctule(&["sort"], history.join("\n").as_bytes());
    history.sort_by_key(|raw| raw.parse::<Version>().unwrap());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(), history);

    let output = noctule(&["sort"], b"15.0\nSP\n14.0\n\n14,1\n");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{error}");
    for said in
        ["line 2: version \"SP\" holds no digit", "line 4: a version cannot be empty", "line 5: version \"14,1\" holds"]
    {
        assert!(error.contains(said), "{error}");
    }
}
