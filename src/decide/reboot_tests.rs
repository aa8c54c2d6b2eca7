//! When a machine is restarted, when it is not, and what becomes of it: tables over a journal.

use super::*;
use crate::decide::steps::{FORWARD, Line, Next, Order, Outcome, Step, next};
use crate::model::check::{Answer, Verdict};
use crate::model::manifest::SignedManifest;
use crate::model::rule::Rule;
use crate::model::slot::Slot;

const TERMS: Terms = Terms { consent: Consent::Given, minutes: 15 };

fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    format!("2026-04-29T{hour:02}:{minute:02}:00Z").parse().unwrap()
}

/// 20 minutes to install, 10 to go back, 5 to check.
fn signed(product: &str, reboot: &str) -> SignedManifest {
    serde_json::from_value(serde_json::json!({
        "publisher": "agiris", "published_at": at(15, 0), "size": 1, "sha256": "00",
        "manifest": {
            "product": product, "version": "2", "change": "minor", "notes": {"fr": "x"},
            "duration_minutes": 20, "rollback_minutes": 10, "package": {"file": "p.msi"}, "reboot": reboot,
            "installer": {"kind": "msi"}, "health": {"timeout_seconds": 300}, "detect": {"version_file": "VERSION"}
        }
    }))
    .unwrap()
}

fn ran(product: &str, reboot: Option<Wish>) -> Line {
    let verdict = Verdict::Passed { seen: "exit code".into() };
    let answer = Answer { name: product.into(), rule: Rule::HealthAfter, verdict };
    Line::Ran { at: at(20, 10), product: product.into(), answer, reboot }
}

fn running(product: &str) -> Line {
    Line::Running { at: at(20, 0), product: product.into(), boot: Some("one".into()) }
}

/// Two products, the slot from 20:00 to 22:00, everything up to `apply` done, with these lines of it.
fn state(allows: [&str; 2], lines: &[Line]) -> Installation {
    let slot = Slot::new(at(20, 0), at(22, 0));
    let mut state = Installation::new(Order { action: "7".into(), slot, backup_not_before: None, parts: vec![] });
    let manifests = vec![signed("paie", allows[0]), signed("compta", allows[1])];
    state.take(Line::Trusted { at: at(20, 0), manifests });
    for step in FORWARD.into_iter().take_while(|step| *step != Step::Check) {
        state.take(Line::Begun { at: at(20, 0), step });
        if step == Step::Apply {
            lines.iter().for_each(|line| state.take(line.clone()));
        }
        state.take(Line::Done { at: at(20, 0), step });
    }
    state
}

fn both_ran(wishes: [Option<Wish>; 2]) -> Vec<Line> {
    vec![running("paie"), ran("paie", wishes[0]), running("compta"), ran("compta", wishes[1])]
}

const WANTED: [Option<Wish>; 2] = [Some(Wish::Required), None];

#[test]
fn a_restart_comes_when_all_is_applied_and_before_the_check() {
    let nobody = state(["allowed", "allowed"], &both_ran([None, None]));
    assert_eq!(next(&nobody, at(20, 30)), Next::Do(Step::Check));
    let mut wanted = state(["allowed", "never"], &both_ran(WANTED));
    assert_eq!(next(&wanted, at(20, 30)), Next::Reboot);
    assert_eq!(objection(&wanted, TERMS, at(20, 30)), None, "who does not ask need not allow");
    wanted.take(Line::RebootAsked { at: at(20, 30), boot: "one".into() });
    for now in [at(20, 30), at(23, 0)] {
        assert_eq!(next(&wanted, now), Next::AwaitReboot);
    }
    wanted.take(Line::Rebooted { at: at(20, 35) });
    // The slot may be over: what is applied is checked all the same.
    assert_eq!(next(&wanted, at(23, 0)), Next::Do(Step::Check));
    assert_eq!(wanted.reboots.end(), End::Happened(at(20, 35)));
    // Not in the middle of the group.
    let mut half = Installation::new(wanted.order.clone());
    half.take(Line::Trusted { at: at(20, 0), manifests: wanted.manifests.clone() });
    for step in FORWARD.into_iter().take_while(|step| *step != Step::Apply) {
        half.take(Line::Done { at: at(20, 0), step });
    }
    [running("paie"), ran("paie", Some(Wish::Required))].into_iter().for_each(|line| half.take(line));
    assert_eq!(next(&half, at(20, 30)), Next::Do(Step::Apply));
}

#[test]
fn nothing_is_restarted_that_may_not_be() {
    let wanted = |allows| state(allows, &both_ran(WANTED));
    let check = |state: &Installation, terms: Terms, now, said: Option<&str>| {
        let objection = objection(state, terms, now);
        assert_eq!(objection.is_some(), said.is_some(), "{now}: {objection:?}");
        assert!(objection.as_deref().unwrap_or_default().contains(said.unwrap_or_default()), "{objection:?}");
    };
    let allowed = wanted(["allowed", "never"]);
    check(&wanted(["never", "allowed"]), TERMS, at(20, 30), Some("manifest of paie 2 does not allow it"));
    check(&allowed, Terms { consent: Consent::Withheld, ..TERMS }, at(20, 30), Some("agent.toml forbids it"));
    // 15 min to restart, twice 5 to check, twice 10 to go back: 21:15 is the last instant.
    check(&allowed, TERMS, at(21, 15), None);
    check(&allowed, TERMS, at(21, 16), Some("take 45 min, but the slot ends at 2026-04-29T22:00:00Z"));
    check(&allowed, Terms { minutes: 44, ..TERMS }, at(20, 46), None);
    check(&allowed, Terms { minutes: 44, ..TERMS }, at(20, 47), Some("take 74 min"));
    let mut open = allowed.clone();
    open.order.slot = None;
    check(&open, TERMS, at(20, 30), Some("the server gave no slot"));
    // What is said once is not asked again, and the check goes on.
    let mut refused = allowed;
    refused.take(Line::NotRebooted { at: at(21, 16), why: "the slot is short".into() });
    assert_eq!(next(&refused, at(21, 16)), Next::Do(Step::Check));
    assert_eq!(refused.reboots.end(), End::Required("the slot is short".into()));
}

#[test]
fn a_machine_is_restarted_once_for_an_installation() {
    let mut own = state(["allowed", "allowed"], &both_ran([Some(Wish::Initiated), None]));
    assert_eq!(next(&own, at(20, 30)), Next::AwaitReboot);
    own.take(Line::Rebooted { at: at(20, 35) });
    own.take(ran("compta", Some(Wish::Required)));
    assert_eq!(next(&own, at(20, 35)), Next::Reboot);
    let why = objection(&own, TERMS, at(20, 35)).unwrap();
    assert!(why.contains("once already"), "{why}");
    own.take(Line::NotRebooted { at: at(20, 35), why: why.clone() });
    assert_eq!((next(&own, at(20, 35)), own.reboots.end()), (Next::Do(Step::Check), End::Required(why)));
    // One that comes after all have asked serves them all.
    let lines = [both_ran([Some(Wish::Required), Some(Wish::Initiated)]), vec![Line::Rebooted { at: at(20, 35) }]];
    let served = state(["allowed", "allowed"], &lines.concat());
    assert_eq!(next(&served, at(20, 35)), Next::Do(Step::Check));
}

#[test]
fn what_became_of_a_restart_is_told_by_the_start_of_the_machine() {
    let asked = |boot: Option<&str>, by| Asked { at: at(20, 30), by, boot: boot.map(str::to_owned) };
    let mine = asked(Some("one"), By::Agent);
    assert_eq!(fate(&mine, TERMS, Some("one"), at(20, 44)), Fate::Awaited);
    for now in [at(20, 30), at(23, 0), at(19, 0)] {
        assert_eq!(fate(&mine, TERMS, Some("two"), now), Fate::Happened);
    }
    let never = |asked: &Asked, boot, now| match fate(asked, TERMS, boot, now) {
        Fate::Never(why) => why,
        fate => panic!("{fate:?}"),
    };
    assert!(never(&mine, Some("one"), at(20, 45)).contains("told to restart, and it did not within 15 min"));
    assert!(never(&mine, Some("one"), at(20, 29)).contains("did not"), "its clock was set back");
    let its = asked(None, By::Installer);
    assert_eq!(fate(&its, TERMS, Some("one"), at(20, 44)), Fate::Awaited);
    assert!(never(&its, Some("one"), at(20, 45)).contains("an installer said"));
    assert!(never(&mine, None, at(20, 45)).contains("did not"));
}

#[test]
fn a_machine_that_does_not_restart_is_checked_and_told_of() {
    let mut asked = state(["allowed", "allowed"], &both_ran(WANTED));
    asked.take(Line::RebootAsked { at: at(20, 30), boot: "one".into() });
    asked.take(Line::NotRebooted { at: at(20, 45), why: "it did not".into() });
    assert_eq!(next(&asked, at(20, 45)), Next::Do(Step::Check));
    assert_eq!(asked.reboots.end(), End::Failed("it did not".into()));
    // What does not work goes back, restart or no restart.
    asked.take(Line::Begun { at: at(20, 45), step: Step::Check });
    asked.take(Line::Failed { at: at(20, 46), step: Step::Check, why: "sick".into() });
    assert_eq!(next(&asked, at(20, 46)), Next::Do(Step::Restore));
    asked.take(Line::Done { at: at(20, 50), step: Step::Restore });
    assert_eq!(next(&asked, at(20, 50)), Next::Close(Outcome::RolledBack { why: "sick".into() }));
    assert_eq!(asked.reboots.end(), End::Failed("it did not".into()));
}

#[test]
fn a_restart_that_an_installer_begins_is_no_interruption() {
    let mut state = Installation::new(state(["allowed"; 2], &[]).order);
    state
        .take(Line::Trusted { at: at(20, 0), manifests: vec![signed("paie", "allowed"), signed("compta", "allowed")] });
    for step in FORWARD.into_iter().take_while(|step| *step != Step::Apply) {
        state.take(Line::Done { at: at(20, 0), step });
    }
    for product in ["paie", "compta"] {
        assert_eq!(next(&state, at(20, 0)), Next::Do(Step::Apply), "{product}");
        state.take(Line::Begun { at: at(20, 0), step: Step::Apply });
        state.take(running(product));
        assert_eq!(state.running(), Some(product));
        assert!(state.reboots.has_restarted(Some("two")) && !state.reboots.has_restarted(Some("one")));
        assert!(!state.reboots.has_restarted(None));
        state.take(ran(product, Some(Wish::Initiated)));
        assert_eq!(next(&state, at(20, 0)), Next::AwaitReboot);
        state.take(Line::Rebooted { at: at(20, 5) });
    }
    // Every installer has ended: what is left may be done though the slot would not hold another installation.
    assert_eq!(next(&state, at(21, 50)), Next::Do(Step::Apply));
}

#[test]
fn one_that_was_wanted_before_everything_went_back_is_told() {
    let mut state = state(["allowed", "allowed"], &both_ran(WANTED));
    state.take(Line::Failed { at: at(20, 20), step: Step::Apply, why: "torn".into() });
    assert_eq!(next(&state, at(20, 20)), Next::Do(Step::Restore));
    let End::Required(why) = state.reboots.end() else { panic!("{:?}", state.reboots.end()) };
    assert!(why.contains("the installer of paie wanted it"), "{why}");
}
