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

#[test]
fn whoever_runs_a_withdrawn_release_is_told() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scenarios/withdrawn.toml");
    let output = simulate(&["--scenario", file]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    for line in [
        "Tue 28 Apr 17:00  martin-1 isacompta: isacompta 14.20.003 planned for Tue 28 Apr 22:00 to Wed 29 Apr 07:00",
        "martin-1 isacompta: isacompta 14.20.003 installed; the machine says it runs 14.20.003",
        "Thu 30 Apr 09:00  martin-1 isacompta: isacompta 14.20.003, installed here, was withdrawn by its publisher",
        "retracted 1",
        "violations           0",
    ] {
        assert!(told.contains(line), "{line:?} is missing in:\n{told}");
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
