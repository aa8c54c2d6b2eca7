//! The shape of calls, one snapshot for each kind, and their patience, one unit either side.

use super::*;
use crate::model::alert::TakenUp;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn alert(state: AlertState) -> Alert {
    Alert {
        id: 17,
        cause: "failed/martin-1/isacompta/14.20.003".into(),
        class: AlertClass::Applications,
        client: Some("martin".into()),
        server: Some("martin-1".into()),
        product: Some("isacompta".into()),
        deployment: Some(42),
        title: "isacompta 14.20.003 failed on martin-1".into(),
        text: "the « dossier » does not open".into(),
        raised_at: at("2026-04-30T01:00:00Z"),
        due: at("2026-04-30T07:00:00Z"),
        state,
    }
}

fn told(state: AlertState) -> String {
    let call = about(&alert(state), at("2026-04-30T08:00:00Z")).unwrap();
    let body: serde_json::Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(body["type"], call.kind);
    format!("{}\n{}", call.key, serde_json::to_string_pretty(&body).unwrap())
}

#[test]
fn each_change_of_an_alert_is_told_in_one_shape() {
    let (noon, by) = (at("2026-04-30T08:00:00Z"), "Nadia".to_owned());
    insta::assert_snapshot!("call_raised", told(AlertState::Open { level: 0 }));
    insta::assert_snapshot!("call_escalated", told(AlertState::Open { level: 2 }));
    insta::assert_snapshot!("call_acknowledged", told(AlertState::Acknowledged { at: noon, by: by.clone(), level: 1 }));
    let taken_up = Some(TakenUp { at: at("2026-04-30T07:30:00Z"), by: "Zoé".into() });
    let note = "restored from the backup".to_owned();
    insta::assert_snapshot!(
        "call_resolved",
        told(AlertState::Resolved { at: noon, note, by: Some(by), level: 1, taken_up })
    );
}

#[test]
fn every_change_has_a_key_of_its_own_that_can_be_signed() {
    let noon = at("2026-04-30T08:00:00Z");
    let states = [
        AlertState::Open { level: 0 },
        AlertState::Open { level: 1 },
        AlertState::Open { level: 3 },
        AlertState::Acknowledged { at: noon, by: "Nadia".into(), level: 3 },
        AlertState::Resolved { at: noon, note: "done".into(), by: None, level: 3, taken_up: None },
    ];
    let keys: std::collections::BTreeSet<String> =
        states.iter().map(|state| about(&alert(state.clone()), noon).unwrap().key).collect();
    assert_eq!(keys.len(), states.len());
    // A full stop would let one id and timestamp be read as another.
    assert!(keys.iter().all(|key| key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')), "{keys:?}");
    assert!(ping(noon).key.starts_with("ping_"));
}

#[test]
fn what_is_about_the_webhook_goes_by_mail_only() {
    let own = Alert { cause: format!("{OWN}late"), ..alert(AlertState::Open { level: 0 }) };
    assert_eq!(about(&own, own.raised_at), None);
}

#[test]
fn a_call_is_tried_ever_more_rarely_and_for_as_long_as_nothing_is_taken() {
    let offered = at("2026-04-30T01:00:00Z");
    let miss = |attempts, asked, last_taken: Option<&str>| Miss {
        attempts,
        offered,
        asked: (asked > 0).then(|| TimeDelta::minutes(asked)),
        last_taken: last_taken.map(at),
    };
    for (attempts, asked, minutes) in [
        (1, 0, 1),
        (2, 0, 2),
        (3, 0, 4),
        (4, 0, 8),
        (5, 0, 15),
        (6, 0, 15),
        (9_999, 0, 15),
        (1, 30, 30),
        (5, 3, 15),
        (1, 600, 60),
    ] {
        let next = after(miss(attempts, asked, None), offered);
        assert_eq!(next, Next::TryAt(offered + TimeDelta::minutes(minutes)), "{attempts} {asked}");
    }
    let (before, then) = (at("2026-05-03T00:59:59Z"), at("2026-05-03T01:00:00Z"));
    let gives_up = |miss, now| after(miss, now) == Next::GiveUp;
    assert!(!gives_up(miss(500, 0, Some("2026-05-01T00:00:00Z")), before));
    assert!(gives_up(miss(500, 0, Some("2026-05-01T00:00:00Z")), then));
    assert!(!gives_up(miss(2, 0, Some("2026-05-01T00:00:00Z")), then), "it gets its attempts all the same");
    assert!(!gives_up(miss(500, 0, None), at("2026-06-30T00:00:00Z")), "nobody takes anything");
    assert!(!gives_up(miss(500, 0, Some("2026-04-30T01:00:00Z")), then), "nor since it is offered");
}

#[test]
fn staff_hear_of_what_waits_for_hours() {
    let offered = at("2026-04-30T01:00:00Z");
    for (attempts, now, late) in
        [(3, "2026-04-30T04:59:59Z", false), (3, "2026-04-30T05:00:00Z", true), (2, "2026-05-30T05:00:00Z", false)]
    {
        assert_eq!(is_late(offered, attempts, at(now)), late, "{attempts} {now}");
    }
}
