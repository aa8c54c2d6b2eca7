//! Majors with their notice, and what each rule is measured by.

use super::*;
use crate::model::agreement::Agreed;
use crate::model::notice::{Installation, Letter, NewNotice, NoticeState};

#[test]
fn a_major_is_told_with_its_notice_its_date_and_its_slot() {
    let mut world = World::new("2026-05-20 12:00");
    world.requests = vec![request(RequestState::Done { at: utc("2026-05-09 08:09") })];
    let state = installed("2026-05-09 08:01", "2026-05-09 08:09");
    let major = world.deploy("15.00.001", ("2026-05-09 08:00", "2026-05-09 16:00"), state);
    (major.change, major.request) = (Change::Major, Some(1));
    let report = world.report();
    let told = &report.majors[0];
    assert_eq!((told.counted_from, told.earliest), ("2026-04-30".parse().unwrap(), "2026-05-11".parse().unwrap()));
    assert_eq!((told.notice_kept, told.on_time, told.visits[0].in_slot), (true, Some(true), Some(true)));
    let figure = |id: &str| {
        let found = report.rules.iter().find(|r| r.rule == id).unwrap();
        (found.kept, found.broken)
    };
    assert_eq!(figure("major-on-request"), (Some(1), Some(0)));
    // It was received in April: there its notice counts, here its date.
    assert_eq!(figure("major-notice"), (Some(1), Some(0)));
    assert_eq!(figure("maintenance-slots"), (Some(1), Some(0)));
    assert_eq!(figure("service-hours"), (None, None));
    // Outside its slot, without a request, in office hours, on an old backup, told to nobody: each is a breach.
    world.deployments[0].request = None;
    world.deployments[0].state = installed("2026-05-11 10:00", "2026-05-11 10:09");
    let report = world.report();
    let broken = |id: &str| report.rules.iter().find(|r| r.rule == id).unwrap().broken;
    for rule in ["major-on-request", "maintenance-slots", "office-hours", "backup-first", "concertation"] {
        assert_eq!(broken(rule), Some(1), "{rule}");
    }
    // Under the notice, unless the contact agreed.
    world.requests[0].before = "2026-05-08".parse().unwrap();
    assert!(!world.report().majors[0].notice_kept);
    world.agreements = vec![Agreement {
        id: 1,
        client: "martin".into(),
        agreed: Agreed::ShortNotice {
            product: "isacompta".into(),
            version: "15.00.001".parse().unwrap(),
            before: "2026-05-08".parse().unwrap(),
        },
        by: "Mme Martin".into(),
        at: utc("2026-04-30 10:00"),
    }];
    let told = world.report().majors.remove(0);
    assert_eq!((told.notice_kept, told.agreed_by.as_deref(), told.on_time), (true, Some("Mme Martin"), Some(false)));
}

#[test]
fn a_backup_and_letters_are_looked_for_around_each_attempt() {
    let mut world = World::new("2026-05-20 12:00");
    let release = world.minor("14.20.003", "2026-05-05 15:00").clone();
    let state = installed("2026-05-06 22:05", "2026-05-06 22:14");
    world.deploy("14.20.003", NIGHT, state);
    let figures = |world: &World, id: &str| {
        let report = world.report();
        let found = report.rules.iter().find(|r| r.rule == id).unwrap().clone();
        (found.kept.unwrap(), found.broken.unwrap())
    };
    assert_eq!(figures(&world, "backup-first"), (0, 1));
    let backup = |at: &str, ended: &str, succeeded| {
        let line = crate::model::report::Backup { finished_at: utc(ended), succeeded }.line();
        NewEvent::new(utc(at), "martin", EventKind::BackupReported, line).server("martin-1")
    };
    world.event(backup("2026-05-06 20:00", "2026-05-06 20:00", false));
    assert_eq!(figures(&world, "backup-first"), (0, 1), "one that failed");
    world.event(backup("2026-05-05 20:00", "2026-05-05 18:00", true));
    assert_eq!(figures(&world, "backup-first"), (0, 1), "one of before Tuesday's close");
    world.event(backup("2026-05-06 22:06", "2026-05-06 20:00", true));
    assert_eq!(figures(&world, "backup-first"), (0, 1), "one that was not known yet");
    world.event(backup("2026-05-06 20:00", "2026-05-05 18:01", true));
    assert_eq!(figures(&world, "backup-first"), (1, 0));

    assert_eq!(figures(&world, "minor-content-notice"), (0, 1));
    let installation = Installation {
        server: "martin-1".into(),
        zone: chrono_tz::Europe::Paris,
        product: "isacompta".into(),
        from: None,
        to: "14.20.003".parse().unwrap(),
        slot: world.deployments[0].slot,
        deadline: None,
        finished_at: None,
        sequence: None,
        manifest: release.signed.manifest.clone(),
    };
    let mut notice = |id: i64, letter: Letter, state: NoticeState| {
        let at = utc("2026-05-06 15:00");
        let (client, deployment) = (Some("martin".into()), Some(1));
        let body = NewNotice { key: id.to_string(), at, client, server: None, deployment, letter };
        world.notices.push(Notice { id, body, state, attempts: 1, mail: None });
    };
    let sent = NoticeState::Sent { at: utc("2026-05-06 15:01") };
    notice(1, Letter::MinorPlanned(installation.clone()), sent.clone());
    notice(2, Letter::MinorInstalled(installation), NoticeState::Pending { next_at: utc("2026-05-06 23:00") });
    assert_eq!(figures(&world, "minor-content-notice"), (0, 0), "it may still leave");
    world.notices[1].state = sent;
    assert_eq!(figures(&world, "minor-content-notice"), (1, 0));
    world.notices[0].state = NoticeState::Undelivered { at: utc("2026-05-06 15:01"), error: "no".into() };
    assert_eq!(figures(&world, "minor-content-notice"), (0, 1));
    let letters = world.report().letters;
    assert_eq!((letters.sent, letters.undelivered, letters.waiting, letters.post.len()), (1, 1, 0, 2));
}
