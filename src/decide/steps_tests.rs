//! The step function, table by table: forward, every interruption, every end.

use super::*;
use crate::model::manifest::SignedManifest;
use crate::model::slot::Slot;

fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    format!("2026-04-29T{hour:02}:{minute:02}:00Z").parse().unwrap()
}

fn signed() -> SignedManifest {
    serde_json::from_value(serde_json::json!({
        "publisher": "agiris", "published_at": at(15, 0), "size": 1, "sha256": "00",
        "manifest": {
            "product": "isacompta", "version": "2", "change": "minor", "notes": {"fr": "x"},
            "duration_minutes": 20, "rollback_minutes": 10, "package": {"file": "p.zip"},
            "installer": {"kind": "zip"}, "health": {"timeout_seconds": 1}, "detect": {"version_file": "VERSION"}
        }
    }))
    .unwrap()
}

fn order() -> Order {
    Order { action: "7".into(), slot: Slot::new(at(20, 0), at(22, 0)), backup_not_before: None, parts: vec![] }
}

fn state(steps: &[Step]) -> Installation {
    let mut state = Installation::new(order());
    state.take(Line::Trusted { at: at(20, 0), manifests: vec![signed()] });
    for step in steps {
        begin(&mut state, *step);
        state.take(Line::Done { at: at(20, 0), step: *step });
    }
    state
}

fn begin(state: &mut Installation, step: Step) {
    state.take(Line::Begun { at: at(20, 0), step });
}

fn fail(state: &mut Installation, step: Step, why: &str) {
    state.take(Line::Failed { at: at(20, 0), step, why: why.into() });
}

#[test]
fn forward_takes_every_step_once_and_ends_installed() {
    for done in 0..FORWARD.len() {
        assert_eq!(next(&state(&FORWARD[..done]), at(20, 0)), Next::Do(FORWARD[done]));
    }
    let mut whole = state(&FORWARD);
    assert_eq!(next(&whole, at(23, 0)), Next::Close(Outcome::Installed));
    whole.take(Line::Closed { at: at(23, 0), outcome: Outcome::Installed });
    assert_eq!(next(&whole, at(23, 0)), Next::Report(Outcome::Installed));
    whole.take(Line::Reported { at: at(23, 0) });
    assert_eq!(next(&whole, at(23, 0)), Next::Finished);
}

#[test]
fn nothing_begins_that_could_not_be_undone_within_the_slot() {
    // 20 min to install and 10 to restore: 21:30 is the last instant.
    for step in [Step::Precheck, Step::Quiesce, Step::Snapshot, Step::Apply] {
        let before: Vec<Step> = FORWARD.into_iter().take_while(|s| *s != step).collect();
        for (now, allowed) in
            [(at(19, 59), false), (at(20, 0), true), (at(21, 30), true), (at(21, 31), false), (at(22, 0), false)]
        {
            let answer = next(&state(&before), now);
            assert_eq!(answer == Next::Do(step), allowed, "{step:?} at {now}: {answer:?}");
            assert_eq!(matches!(answer, Next::Fail(..)), !allowed);
        }
    }
    // Fetching waits for nothing, but ends with the slot; checking what is applied is never skipped.
    assert_eq!(next(&state(&[]), at(12, 0)), Next::Do(Step::Fetch));
    assert!(matches!(next(&state(&[]), at(22, 0)), Next::Fail(Step::Fetch, _)));
    assert_eq!(next(&state(&FORWARD[..6]), at(23, 0)), Next::Do(Step::Check));
}

#[test]
fn an_untouched_server_needs_no_restore_and_a_touched_one_gets_it() {
    for done in 0..FORWARD.len() {
        let mut failed = state(&FORWARD[..done]);
        begin(&mut failed, FORWARD[done]);
        fail(&mut failed, FORWARD[done], "because");
        let touched = done >= 3;
        let rolled_back = Next::Close(Outcome::RolledBack { why: "because".into() });
        let expected = if touched { Next::Do(Step::Restore) } else { rolled_back.clone() };
        assert_eq!(next(&failed, at(20, 0)), expected, "{:?}", FORWARD[done]);
        begin(&mut failed, Step::Restore);
        failed.take(Line::Done { at: at(20, 0), step: Step::Restore });
        assert_eq!(next(&failed, at(23, 59)), rolled_back);
    }
}

#[test]
fn an_unfit_server_is_refused_and_keeps_what_was_asked() {
    let answer = |name: &str| Answer {
        name: name.into(),
        rule: crate::model::rule::Rule::HealthAfter,
        verdict: crate::model::check::Verdict::Failed { seen: "closed".into() },
    };
    let mut sick = state(&FORWARD[..2]);
    begin(&mut sick, Step::Precheck);
    for name in ["first", "again"] {
        // Interrupted in between: the step is taken again and asks again.
        sick.take(Line::Checked { at: at(20, 0), step: Step::Precheck, answers: vec![answer(name)] });
    }
    assert_eq!(sick.answers().cloned().collect::<Vec<_>>(), [answer("again")]);
    sick.take(Line::Unfit { at: at(20, 0), unfit: Unfit::Sick, why: "closed".into() });
    let refused = Outcome::Refused { unfit: Unfit::Sick, why: "closed".into() };
    assert_eq!(next(&sick, at(20, 0)), Next::Close(refused));
    sick.take(Line::Cancelled { at: at(20, 0), id: "9".into() });
    assert_eq!(next(&sick, at(20, 0)), Next::Close(Outcome::Cancelled { id: "9".into() }));
}

#[test]
fn interruptions_are_retried_a_bounded_number_of_times() {
    let mut applying = state(&FORWARD[..5]);
    begin(&mut applying, Step::Apply);
    assert_eq!(next(&applying, at(20, 0)), Next::Do(Step::Apply));
    begin(&mut applying, Step::Apply);
    assert!(matches!(next(&applying, at(20, 0)), Next::Fail(Step::Apply, _)));
    fail(&mut applying, Step::Apply, "interrupted");
    for _ in 0..RESTORES_MAX {
        assert_eq!(next(&applying, at(20, 0)), Next::Do(Step::Restore));
        begin(&mut applying, Step::Restore);
        fail(&mut applying, Step::Restore, "service stuck");
    }
    let Next::Close(Outcome::Failed { why }) = next(&applying, at(20, 0)) else { panic!("has to end") };
    assert!(why.contains("interrupted") && why.contains("service stuck"), "{why}");
}

#[test]
fn an_interruption_of_restoring_is_no_failure_of_it() {
    let mut failed = state(&FORWARD[..5]);
    begin(&mut failed, Step::Apply);
    fail(&mut failed, Step::Apply, "because");
    for _ in 0..RESTORES_BEGUN_MAX {
        assert_eq!(next(&failed, at(20, 0)), Next::Do(Step::Restore));
        begin(&mut failed, Step::Restore);
    }
    let Next::Close(Outcome::Failed { why }) = next(&failed, at(20, 0)) else { panic!("has to end") };
    assert!(why.contains("interrupted each time"), "{why}");
}

#[test]
fn a_cancellation_counts_until_something_is_applied() {
    let mut quiesced = state(&FORWARD[..4]);
    assert!(quiesced.can_cancel());
    quiesced.take(Line::Cancelled { at: at(20, 0), id: "9".into() });
    assert_eq!(next(&quiesced, at(20, 0)), Next::Do(Step::Restore));
    quiesced.take(Line::Done { at: at(20, 0), step: Step::Restore });
    assert_eq!(next(&quiesced, at(20, 0)), Next::Close(Outcome::Cancelled { id: "9".into() }));
    let mut applying = state(&FORWARD[..5]);
    begin(&mut applying, Step::Apply);
    assert!(!applying.can_cancel());
}

#[test]
fn the_journal_reads_back_as_written() {
    let lines = vec![
        Line::Accepted { at: at(20, 0), order: order(), alone: false },
        Line::Trusted { at: at(20, 0), manifests: vec![signed()] },
        Line::Begun { at: at(20, 0), step: Step::Quiesce },
        Line::Old { at: at(20, 0), pointers: BTreeMap::from([("isacompta".into(), None)]) },
        Line::Checked { at: at(20, 0), step: Step::Check, answers: vec![] },
        Line::Unfit { at: at(20, 0), unfit: Unfit::NotReady, why: "x".into() },
        Line::Failed { at: at(20, 0), step: Step::Apply, why: "x".into() },
        Line::Closed { at: at(20, 0), outcome: Outcome::RolledBack { why: "x".into() } },
    ];
    let text: Vec<String> = lines.iter().map(|l| serde_json::to_string(l).unwrap()).collect();
    let read: Vec<Line> = text.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(read, lines);
    assert!(Installation::fold(read).is_some());
    assert_eq!(Installation::fold(lines[1..].to_vec()), None);
}

/// An agent that was upgraded in between reads what the older one wrote.
#[test]
fn a_journal_from_before_restarts_were_written_down_is_read() {
    let text = r#"{"line":"running","at":"2026-04-29T20:00:00Z","product":"paie"}"#;
    let line: Line = serde_json::from_str(text).unwrap();
    assert_eq!(line, Line::Running { at: at(20, 0), product: "paie".into(), boot: None });
    assert_eq!(serde_json::to_string(&line).unwrap(), text);
}

#[test]
fn installing_may_take_what_the_slot_leaves_for_going_back() {
    let mut state = state(&[]);
    // 10 minutes to restore, the slot ends at 22:00.
    for (now, minutes) in [(at(20, 0), 110), (at(21, 40), 10), (at(21, 50), 0), (at(23, 0), 0)] {
        assert_eq!(state.time_left(now), Some(TimeDelta::minutes(minutes)), "{now}");
    }
    state.order.slot = None;
    assert_eq!(state.time_left(at(20, 0)), None);
}

#[test]
fn how_an_installer_ended_is_told_and_known_after_a_restart() {
    let mut state = state(&FORWARD[..5]);
    assert_eq!(state.ran("isacompta"), None, "never started");
    state.take(Line::Running { at: at(20, 0), product: "isacompta".into(), boot: None });
    assert_eq!(state.ran("isacompta"), Some(None), "nobody saw its end");
    let answer = Answer {
        name: "isacompta 2, installer".into(),
        rule: crate::model::rule::Rule::HealthAfter,
        verdict: crate::model::check::Verdict::Passed { seen: "exit code 0: success".into() },
    };
    state.take(Line::Ran { at: at(20, 0), product: "isacompta".into(), answer: answer.clone(), reboot: None });
    assert_eq!(state.ran("isacompta"), Some(Some(&answer)));
    assert_eq!(state.answers_of(Step::Apply).collect::<Vec<_>>(), [&answer]);
    // What an installer finds out about the server is no fault of the release, once everything is put back.
    state.take(Line::Unfit { at: at(20, 0), unfit: Unfit::NotReady, why: "the disk is full".into() });
    assert_eq!(next(&state, at(20, 0)), Next::Do(Step::Restore));
    state.take(Line::Done { at: at(20, 0), step: Step::Restore });
    let refused = Outcome::Refused { unfit: Unfit::NotReady, why: "the disk is full".into() };
    assert_eq!(next(&state, at(20, 0)), Next::Close(refused));
}
