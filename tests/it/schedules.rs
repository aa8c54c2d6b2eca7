//! A schedule file from the disk to compiled terms: what is wrong is shown on its line, with what to write.

use noctule::decide::terms::Terms;
use noctule::edge::schedule_file::{self, ScheduleFile};

const PRO_CONTROLE: &str = include_str!("../../schedules/pro-controle.toml");

/// The problems of pro-controle after a change of its text, as somebody who edits it sees them.
fn complaints(from: &str, to: &str) -> Vec<String> {
    assert!(PRO_CONTROLE.contains(from), "{from}");
    let folder = tempfile::tempdir().expect("a folder to write in");
    std::fs::write(folder.path().join("edited.toml"), PRO_CONTROLE.replacen(from, to, 1)).expect("the file is written");
    let file: ScheduleFile = schedule_file::read_folder(folder.path()).expect("the file is a schedule").remove(0);
    let problems = Terms::compile(file.schedule.clone()).err().unwrap_or_default();
    let show = |p: &noctule::decide::terms::Problem| file.point_at(&p.path(), p.span.clone(), &p.to_string());
    let strip = format!("{}/", folder.path().display());
    problems.iter().map(show).map(|shown| shown.replace(&strip, "")).collect()
}

#[test]
fn a_sound_schedule_has_nothing_to_say() {
    assert_eq!(complaints("hours", "hours"), Vec::<String>::new());
}

#[test]
fn a_problem_is_shown_on_its_line() {
    for (from, to, shown) in [
        (
            "Mo-Su 22:00-07:00",
            "Mo-Fr 22h-7h",
            r#"
edited.toml:8: windows.night.hours: these hours cannot be read from "22h-7h" on; write days then hours, as in `Mo-Fr 20:00-22:00; Sa 08:00-16:00; PH off` (days are Mo Tu We Th Fr Sa Su, holidays PH)
 8 | hours = "Mo-Fr 22h-7h"
   |                ^^^^^^"#,
        ),
        (
            "Mo-Su 22:00-07:00",
            "Mo-Fr 22:00-07:00; PH off",
            r#"
edited.toml:8: windows.night.hours: the night of 2026-01-01 is cut at midnight, which leaves its morning without its evening: `PH off` ends there; close whole nights: write `PH 22:00-07:00 off`
 8 | hours = "Mo-Fr 22:00-07:00; PH off"
   |                             ^^^^^^"#,
        ),
        (
            "Mo-Su 22:00-07:00",
            "2019 Mo-Su 22:00-07:00",
            r#"
edited.toml:8: windows.night.hours: this window never opens from 2026 to 2037; give it hours on some day, and let no later rule close them
 8 | hours = "2019 Mo-Su 22:00-07:00"
   |         ^^^^^^^^^^^^^^^^^^^^^^^^"#,
        ),
        (
            "never_in = \"office\"",
            "never_in = \"ofice\"",
            r#"
edited.toml:30: minor.never_in: there is no window "ofice"; write "office", or add [windows.ofice]
 30 | never_in = "ofice"
    |            ^^^^^^^"#,
        ),
    ] {
        assert_eq!(complaints(from, to), [shown.trim_start()], "{to}");
    }
}
