//! A schedule's problems: found all at once, each with its place and what to write.

use super::*;

fn schedule() -> Schedule {
    toml::from_str(include_str!("../../schedules/pro-controle.toml")).unwrap()
}

/// The problems of the schedule after `change`, as printed.
fn problems(change: impl FnOnce(&mut Schedule)) -> Vec<String> {
    let mut schedule = schedule();
    change(&mut schedule);
    Terms::compile(schedule).err().unwrap_or_default().iter().map(Problem::to_string).collect()
}

fn only(change: impl FnOnce(&mut Schedule)) -> String {
    let mut found = problems(change);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn both_contracts_compile() {
    assert_eq!(problems(|_| ()), Vec::<String>::new());
    let other: Schedule = toml::from_str(include_str!("../../schedules/nuit-blanche.toml")).unwrap();
    assert!(Terms::compile(other).is_ok());
}

#[test]
fn a_window_that_is_missing_is_named_with_the_nearest() {
    for (found, place) in [
        (only(|s| s.minor.window = "nigt".into()), "minor.window"),
        (only(|s| s.minor.never_in = "nigt".into()), "minor.never_in"),
        (only(|s| s.manual.window = "nigt".into()), "manual.window"),
        (only(|s| s.major.window = "nigt".into()), "major.window"),
        (only(|s| s.major.received_until_end_of = "nigt".into()), "major.received_until_end_of"),
        (only(|s| s.backup.since_close_of = "nigt".into()), "backup.since_close_of"),
        (only(|s| s.intervention.clock = Some("nigt".into())), "intervention.clock"),
    ] {
        let said = format!("{place}: there is no window \"nigt\"; write \"night\", or add [windows.nigt]");
        assert_eq!(found, said);
    }
    assert!(only(|s| s.minor.window = "dimanche".into()).ends_with("name one of: maintenance, night, office, service"));
}

#[test]
fn numbers_out_of_range_are_refused_on_both_sides() {
    assert!(only(|s| s.minor.deadline_nights = 0).starts_with("minor.deadline_nights: 0 is out of range"));
    assert!(only(|s| s.minor.deadline_nights = 61).starts_with("minor.deadline_nights: 61"));
    assert!(only(|s| s.major.notice_working_days = 61).ends_with("write a number from 0 to 60"));
    assert!(only(|s| s.intervention.within_minutes = 0).starts_with("intervention.within_minutes: 0"));
    assert!(only(|s| s.retry.attempts_max = 0).starts_with("retry.attempts_max: 0"));
    assert!(only(|s| s.agents.silent_after_minutes = 0).starts_with("agents.silent_after_minutes: 0"));
    assert!(only(|s| s.manual.announce_hours = 721).starts_with("manual.announce_hours: 721"));
    for delays in [vec![48, 24], vec![24, 24], vec![0, 48], vec![24, 48, 72]] {
        assert!(only(|s| s.intervention.escalate_after_hours = delays).contains("as in [24, 48]"));
    }
    for sound in [vec![], vec![24], vec![1, 2]] {
        assert_eq!(problems(|s| s.intervention.escalate_after_hours = sound), Vec::<String>::new());
    }
    assert_eq!(problems(|s| (s.minor.deadline_nights, s.major.notice_working_days) = (1, 0)), Vec::<String>::new());
}

#[test]
fn a_cron_has_six_fields() {
    for cron in ["*/5 * * * *", "0 99 * * * *", "", "tous les jours"] {
        assert!(only(|s| s.jobs.watch = cron.into()).starts_with("jobs.watch: "), "{cron}");
    }
}

#[test]
fn every_term_cites_its_clause() {
    assert!(only(|s| s.backup.clause = " ".into()).starts_with("backup.clause: the clause is empty"));
    let night = |s: &mut Schedule| s.windows.get_mut("night").unwrap().clause.clear();
    assert!(only(night).starts_with("windows.night.clause: the clause is empty"));
}

#[test]
fn a_night_that_always_meets_office_hours_is_refused() {
    let found = only(|s| s.windows.get_mut("night").unwrap().hours = "Mo-Fr 12:00-14:00; PH off".into());
    assert!(found.starts_with("minor.window: every slot of \"night\" overlaps \"office\""), "{found}");
    // On holidays the office is shut.
    let holidays_too = |s: &mut Schedule| s.windows.get_mut("night").unwrap().hours = "Mo-Fr 12:00-14:00".into();
    assert_eq!(problems(holidays_too), Vec::<String>::new());
}

#[test]
fn all_problems_come_at_once_and_a_window_is_shown_with_its_place() {
    let change = |s: &mut Schedule| {
        s.windows.get_mut("night").unwrap().hours = "Mo-Fr 22:00-07:00; PH off".into();
        s.windows.get_mut("service").unwrap().hours = "Mo-Fr 7h-22h".into();
        s.minor.never_in = "ofice".into();
        s.retry.attempts_max = 0;
    };
    let places: Vec<String> = problems(change).iter().map(|p| p.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["windows.night.hours", "windows.service.hours", "minor.never_in", "retry.attempts_max"]);
    let mut broken = schedule();
    change(&mut broken);
    let found = Terms::compile(broken.clone()).unwrap_err();
    assert_eq!(found[0].path(), ["windows", "night", "hours"]);
    let excerpt = found[0].excerpt(&broken).unwrap();
    assert_eq!(excerpt, "Mo-Fr 22:00-07:00; PH off\n                   ^^^^^^");
    assert_eq!(found[2].excerpt(&broken), None);
}
