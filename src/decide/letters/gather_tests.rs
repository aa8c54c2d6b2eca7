//! What goes when, and together with what: one minute either side of each bound.

use super::*;
use crate::decide::letters::samples::{finished, major, manual, minor};
use crate::model::manifest::Text;
use crate::model::notice::{Mailing, NewNotice, NoticeState};

fn at(text: &str) -> DateTime<Utc> {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc()
}

/// Written at `written` (UTC), about `deployment`.
fn notice(letter: Letter, deployment: i64, written: &str) -> Notice {
    let written = at(written);
    let body = NewNotice {
        key: format!("{}/{deployment}", letter.name()),
        at: written,
        client: Some("morel".to_owned()),
        server: None,
        deployment: Some(deployment),
        letter,
    };
    Notice { id: deployment, body, state: NoticeState::Pending { next_at: written }, attempts: 0, mail: None }
}

fn no_reason() -> Text {
    Text { fr: String::new(), en: None }
}

/// Quiet from 22:00 to 07:00 in Paris, where it is UTC+2: 20:00 to 05:00.
fn quiet(instant: DateTime<Utc>, _: Tz) -> Option<Slot> {
    let evening = instant.date_naive().and_hms_opt(20, 0, 0).unwrap().and_utc();
    [evening - TimeDelta::days(1), evening]
        .into_iter()
        .map(|start| Slot::new(start, start + TimeDelta::hours(9)).unwrap())
        .find(|slot| slot.contains(instant))
}

fn sorted(notices: &[Notice], now: &str) -> Sorted {
    let habits = Habits { gather: TimeDelta::minutes(30), quiet: &quiet, home: Tz::Europe__Paris };
    sort(&notices.iter().collect::<Vec<_>>(), &habits, at(now))
}

/// One letter alone, written at `written`, goes at `goes` and not a minute before.
fn check(letter: Letter, written: &str, goes: &str) {
    let name = letter.name();
    let one = [notice(letter, 1, written)];
    let waits = Sorted { waiting: vec![(0, at(goes))], ..Sorted::default() };
    if written != goes {
        let before = (at(goes) - TimeDelta::minutes(1)).format("%Y-%m-%d %H:%M").to_string();
        assert_eq!(sorted(&one, &before), waits, "{name} written at {written}, a minute before {goes}");
    }
    assert_eq!(sorted(&one, goes).mails, [[0]], "{name} written at {written}, at {goes}");
}

#[test]
fn an_announcement_waits_for_others_but_not_into_its_night() {
    // Its slot begins on the 29th at 20:00 UTC.
    check(Letter::MinorPlanned(minor()), "2026-04-29 13:00", "2026-04-29 13:30");
    check(Letter::MinorPlanned(minor()), "2026-04-29 17:29", "2026-04-29 17:59");
    check(Letter::MinorPlanned(minor()), "2026-04-29 17:45", "2026-04-29 18:00");
    check(Letter::MinorPlanned(minor()), "2026-04-29 18:30", "2026-04-29 18:30");
    check(Letter::MinorPlanned(minor()), "2026-04-29 20:30", "2026-04-29 20:30");
}

#[test]
fn nobody_is_woken_by_what_can_wait() {
    // Announced in the quiet hours of the night before.
    check(Letter::MinorPlanned(minor()), "2026-04-28 19:29", "2026-04-28 19:59");
    check(Letter::MinorPlanned(minor()), "2026-04-28 19:30", "2026-04-29 05:00");
    check(Letter::MajorPlanned(major()), "2026-04-28 23:00", "2026-04-29 05:00");
    check(Letter::ManualPlanned(manual()), "2026-04-28 12:00", "2026-04-28 12:00");
    // What went well.
    check(Letter::MinorInstalled(finished(minor(), "2026-04-29T20:41:00Z")), "2026-04-29 20:41", "2026-04-30 05:00");
    check(Letter::MinorInstalled(finished(minor(), "2026-04-30T05:00:00Z")), "2026-04-30 05:00", "2026-04-30 05:00");
    check(Letter::MajorInstalled(finished(major(), "2026-05-09T09:12:00Z")), "2026-05-09 09:12", "2026-05-09 09:12");
}

#[test]
fn what_went_wrong_is_told_at_once() {
    let installation = finished(minor(), "2026-04-29T21:00:00Z");
    let why = "the test company does not open".to_owned();
    for letter in [
        Letter::MinorFailed { installation: installation.clone(), why: why.clone() },
        Letter::Degraded { installation: installation.clone(), why },
        Letter::Cancelled { installation, why: no_reason() },
    ] {
        check(letter, "2026-04-29 21:00", "2026-04-29 21:00");
    }
}

#[test]
fn what_one_night_brings_goes_in_one_mail() {
    let other_night = |it: Installation| {
        let day = TimeDelta::days(1);
        Installation { slot: Slot::new(it.slot.start + day, it.slot.end + day).unwrap(), ..it }
    };
    let planned = [
        notice(Letter::MinorPlanned(minor()), 1, "2026-04-29 13:00"),
        notice(Letter::MajorPlanned(major()), 2, "2026-04-29 13:00"),
        notice(Letter::MinorPlanned(other_night(minor())), 3, "2026-04-29 13:10"),
        notice(Letter::MinorPlanned(minor()), 4, "2026-04-29 13:29"),
    ];
    let early = sorted(&planned, "2026-04-29 13:29");
    assert_eq!(early.mails, [[1]]);
    assert_eq!(early.waiting, [(0, at("2026-04-29 13:30")), (2, at("2026-04-29 13:40")), (3, at("2026-04-29 13:30"))]);
    assert_eq!(sorted(&planned, "2026-04-29 13:30").mails, [vec![0, 3], vec![1]]);
    let installed = [
        notice(Letter::MinorInstalled(minor()), 1, "2026-04-29 20:30"),
        notice(Letter::MinorFailed { installation: minor(), why: String::new() }, 2, "2026-04-29 20:40"),
        notice(Letter::MinorInstalled(minor()), 3, "2026-04-30 02:00"),
    ];
    assert_eq!(sorted(&installed, "2026-04-30 02:00").mails, [[1]]);
    assert_eq!(sorted(&installed, "2026-04-30 05:00").mails, [vec![0, 2], vec![1]]);
}

#[test]
fn no_letter_overtakes_an_earlier_one_about_the_same_deployment() {
    let moved = Letter::Moved { installation: minor(), was: minor().slot, why: no_reason() };
    let all = [
        notice(Letter::MinorPlanned(minor()), 1, "2026-04-29 13:00"),
        notice(Letter::MinorPlanned(minor()), 2, "2026-04-29 13:00"),
        notice(Letter::MinorPlanned(other_zone(minor())), 3, "2026-04-29 13:00"),
        notice(moved, 2, "2026-04-29 13:05"),
    ];
    let sorted = sorted(&all, "2026-04-29 13:05");
    assert_eq!(sorted.mails, [vec![0, 1], vec![3]]);
    assert_eq!(sorted.waiting, [(2, at("2026-04-29 13:30"))]);
}

fn other_zone(it: Installation) -> Installation {
    Installation { zone: Tz::Indian__Reunion, ..it }
}

#[test]
fn a_mail_that_was_begun_stays_as_it_was() {
    let begun = |deployment| {
        let mail = Some(Mailing { key: "together/planned/1".to_owned(), at: at("2026-04-29 13:30"), begun: 1 });
        Notice { mail, ..notice(Letter::MinorPlanned(minor()), deployment, "2026-04-29 13:00") }
    };
    let all = [begun(1), begun(2), notice(Letter::MinorPlanned(minor()), 3, "2026-04-29 13:10")];
    let sorted = sorted(&all, "2026-04-29 13:35");
    assert_eq!(sorted.mails, [[0, 1]]);
    assert_eq!(sorted.waiting, [(2, at("2026-04-29 13:40"))]);
}

#[test]
fn a_mail_is_never_longer_than_can_be_read() {
    let all: Vec<Notice> =
        (0..TOGETHER_MAX as i64 + 1).map(|n| notice(Letter::MinorPlanned(minor()), n, "2026-04-29 13:00")).collect();
    let lengths: Vec<usize> = sorted(&all, "2026-04-29 13:30").mails.iter().map(Vec::len).collect();
    assert_eq!(lengths, [TOGETHER_MAX, 1]);
}
