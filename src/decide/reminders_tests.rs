//! Legal dates as tables: one day either side, holidays between, whoever is concerned.

use super::*;
use crate::decide::calendar::Calendar;
use crate::decide::calendar::Region;
use crate::decide::notice::last_request_day;
use crate::decide::planner::tests::{manifest, release, terms};
use crate::decide::world::{Almanacs, Parts};
use crate::model::fleet::Client;
use crate::model::release::Retraction;
use crate::model::report::ServerState;
use crate::model::version::{Change, Scheme};
use std::sync::Arc;

fn utc(text: &str) -> DateTime<Utc> {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    naive.and_local_timezone(chrono_tz::Europe::Paris).unwrap().to_utc()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn client(id: &str, zone: &str) -> Client {
    serde_json::from_value(serde_json::json!({
        "id": id, "name": id, "schedule": "pro-controle", "holidays": "FR", "order": ["isapaye", "isacompta"],
        "contacts": [], "server": [{ "id": format!("{id}-1"), "zone": zone }],
    }))
    .unwrap()
}

fn runs(product: &str, version: &str) -> ServerState {
    ServerState { inventory: [(product.to_owned(), version.parse().unwrap())].into(), ..ServerState::default() }
}

/// martin in Paris and piton in Réunion run isapaye 2026.2; 2027.1, published on 20 May, is due by Wednesday 1 July.
fn parts() -> Parts {
    let mut payroll = release(manifest("isapaye", "2027.1", Change::Major), "2026-05-20 11:00");
    Arc::make_mut(&mut payroll.signed.manifest).legal_date = Some(date("2026-07-01"));
    Parts {
        clients: vec![client("martin", "Europe/Paris"), client("piton", "Indian/Reunion")],
        terms: [("pro-controle".to_owned(), Arc::new(terms().clone()))].into(),
        states: ["martin-1", "piton-1"].map(|server| (server.to_owned(), runs("isapaye", "2026.2"))).into(),
        releases: vec![payroll],
        ..Parts::default()
    }
}

fn world(parts: Parts, now: DateTime<Utc>) -> World {
    World::new(parts, &mut Almanacs::default(), now).unwrap()
}

/// Who is due which reminder at this Paris time: `martin 30`.
fn due_at(parts: Parts, at: &str) -> Vec<String> {
    let now = utc(at);
    due(&world(parts, now), now).iter().map(|r| format!("{} {}", r.client, r.days_before)).collect()
}

#[test]
fn each_reminder_has_its_day_and_the_last_one_counts() {
    for (at, expected) in [
        ("2026-05-31 21:59", &[][..]),
        // 30 days before 1 July is 1 June; it begins two hours earlier in Réunion.
        ("2026-05-31 22:00", &["piton 30"]),
        ("2026-06-01 00:00", &["martin 30", "piton 30"]),
        ("2026-06-15 21:59", &["martin 30", "piton 30"]),
        ("2026-06-16 12:00", &["martin 15", "piton 15"]),
        ("2026-06-22 12:00", &["martin 15", "piton 15"]),
        ("2026-06-23 12:00", &["martin 8", "piton 8"]),
        ("2026-07-01 12:00", &["martin 8", "piton 8"]),
        ("2026-07-02 12:00", &[]),
    ] {
        assert_eq!(due_at(parts(), at), expected, "{at}");
    }
}

#[test]
fn only_whoever_is_concerned_and_has_not_asked_is_reminded() {
    let at = "2026-06-16 12:00";
    let requested = |version: &str, servers: &[&str], state: RequestState| {
        let mut parts = parts();
        parts.requests.push(Request {
            id: 1,
            client: "martin".into(),
            product: "isapaye".into(),
            version: version.parse().unwrap(),
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            received_at: utc("2026-06-01 10:00"),
            by: "claire".into(),
            before: date("2026-06-30"),
            state,
        });
        due_at(parts, at)
    };
    let (asked, not_asked) = (["piton 15"], ["martin 15", "piton 15"]);
    assert_eq!(requested("2027.1", &[], RequestState::Accepted), asked);
    assert_eq!(requested("2027.2", &["martin-1"], RequestState::Accepted), asked);
    assert_eq!(requested("2027.1", &[], RequestState::Done { at: utc(at) }), asked);
    assert_eq!(requested("2026.9", &[], RequestState::Accepted), not_asked);
    assert_eq!(requested("2027.1", &["martin-2"], RequestState::Accepted), not_asked);
    for over in [
        RequestState::Expired { at: utc(at) },
        RequestState::Cancelled { at: utc(at), by: "claire".into() },
        RequestState::Superseded { at: utc(at), by: 2 },
    ] {
        assert_eq!(requested("2027.1", &[], over), not_asked);
    }
    let changed = |change: &dyn Fn(&mut Parts)| {
        let mut parts = parts();
        change(&mut parts);
        due_at(parts, at)
    };
    assert_eq!(changed(&|p| p.clients[0].order = vec!["isacompta".into()]), asked);
    assert_eq!(changed(&|p| drop(p.states.insert("martin-1".into(), runs("isapaye", "2027.1")))), asked);
    assert_eq!(changed(&|p| drop(p.states.insert("martin-1".into(), runs("isacompta", "14")))), asked);
    assert_eq!(
        changed(&|p| Arc::make_mut(&mut p.releases[0].signed.manifest).change = Change::Minor),
        not_asked,
        "its numbers say major"
    );
    let minor = |p: &mut Parts| {
        let manifest = Arc::make_mut(&mut p.releases[0].signed.manifest);
        (manifest.change, manifest.scheme) = (Change::Minor, Scheme::Year);
    };
    assert!(changed(&minor).is_empty());
    let withdrawn = Retraction { at: utc(at), reason: "faulty".into() };
    assert!(changed(&|p| p.releases[0].retracted = Some(withdrawn.clone())).is_empty());
    assert!(changed(&|p| p.releases[0].signed.published_at = utc("2026-06-17 12:00")).is_empty());
    assert!(changed(&|p| Arc::make_mut(&mut p.releases[0].signed.manifest).legal_date = None).is_empty());
}

#[test]
fn of_two_releases_for_one_date_the_newer_is_recommended() {
    let mut parts = parts();
    let mut newer = parts.releases[0].clone();
    Arc::make_mut(&mut newer.signed.manifest).version = "2027.2".parse().unwrap();
    parts.releases.push(newer);
    let now = utc("2026-06-16 12:00");
    let versions = |world: &World| due(world, now).iter().map(|r| r.release.version().to_string()).collect::<Vec<_>>();
    assert_eq!(versions(&world(parts, now)), ["2027.2", "2027.2"]);
    let mut parts = self::parts();
    let mut next = parts.releases[0].clone();
    Arc::make_mut(&mut next.signed.manifest).version = "2027.2".parse().unwrap();
    Arc::make_mut(&mut next.signed.manifest).legal_date = Some(date("2026-07-10"));
    parts.releases.push(next);
    assert_eq!(versions(&world(parts, now)), ["2027.1", "2027.1", "2027.2", "2027.2"]);
}

#[test]
fn the_last_day_to_ask_leaves_the_notice_its_working_days() {
    let paris = Calendar::new(chrono_tz::Europe::Paris, Region::National);
    for (now, legal, expected) in [
        // Five working days after Wednesday 24 June end on Wednesday 1 July.
        ("2026-06-16 12:00", "2026-07-01", Some("2026-06-24")),
        ("2026-06-24 21:59", "2026-07-01", Some("2026-06-24")),
        // The service is over: it would count from the 25th.
        ("2026-06-24 22:00", "2026-07-01", None),
        ("2026-06-25 08:00", "2026-07-01", None),
        // A legal date on a Sunday gives no more than the Friday before.
        ("2026-06-16 12:00", "2026-07-05", Some("2026-06-26")),
        // 1 and 8 May are holidays: 4, 5, 6, 7, 11 May follow Thursday 30 April.
        ("2026-04-20 12:00", "2026-05-11", Some("2026-04-30")),
        ("2026-04-20 12:00", "2026-05-10", Some("2026-04-29")),
        // A weekend's request counts from Monday: Friday 19 June is over, Monday 22 June is still early enough.
        ("2026-06-20 12:00", "2026-06-29", Some("2026-06-22")),
        ("2026-06-20 12:00", "2026-06-28", None),
        ("2026-07-02 12:00", "2026-07-01", None),
    ] {
        let found = last_request_day(terms(), &paris, utc(now), date(legal));
        assert_eq!(found, expected.map(date), "{now} for {legal}");
    }
}

#[test]
fn a_date_is_missed_once_it_has_passed_everywhere() {
    let missed_at = |parts: Parts, at: &str| {
        let now = utc(at);
        let found = missed(&world(parts, now), now);
        found.into_iter().map(|m| m.clients.into_iter().map(|(c, _)| c).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let both = [vec!["martin".to_owned(), "piton".to_owned()]];
    // Over in Réunion at 22:00 Paris time, in Paris at midnight.
    for (at, expected) in [
        ("2026-07-01 12:00", &[][..]),
        ("2026-07-01 23:59", &[]),
        ("2026-07-02 00:00", &both),
        ("2026-08-30 12:00", &both),
        ("2026-08-31 12:00", &[]),
    ] {
        assert_eq!(missed_at(parts(), at), expected, "{at}");
    }
    let mut late = parts();
    late.states.insert("piton-1".into(), runs("isapaye", "2027.1"));
    assert_eq!(missed_at(late, "2026-07-02 12:00"), [["martin"]]);
    let mut done = parts();
    done.states.clear();
    assert!(missed_at(done, "2026-07-02 12:00").is_empty());
}
