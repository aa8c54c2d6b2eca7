//! The simulation as a command: deterministic, without violations in small scenarios, clear about bad input.

use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_noctule")).arg("simulate").args(arguments).output().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || simulate(&["--servers", "12", "--nights", "20", "--seed", "5"]).stdout;
    let first = run();
    assert!(String::from_utf8_lossy(&first).contains("minors in time"), "{}", String::from_utf8_lossy(&first));
    assert_eq!(first, run());
}

/// Each scenario, with the whole of what it tells: a new file is played like the others.
#[test]
fn every_scenario_tells_what_was_reviewed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() >= 17, "{files:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/scenarios");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files {
        let output = simulate(&["--scenario", path.to_str().unwrap()]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}: {told}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        settings.bind(|| insta::assert_snapshot!(name, told));
    }
}

#[test]
fn bad_input_is_said_where_it_is() {
    let output = simulate(&["--servers", "0"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = simulate(&["--scenario", "/nonexistent.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent.toml"), "{output:?}");
}
