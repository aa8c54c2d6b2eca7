//! Lines understood, and what they come to. That both reckonings agree over real stories is `tests/it/review.rs`'.

use super::line::{instant_after, slot_start, version, word_after};
use super::*;
use crate::model::event::PROVIDER;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn words_of_the_history_are_found() {
    let published = "isacompta 14.20.003 published by agiris on 2026-04-29T15:00:00Z (minor, manual)";
    assert_eq!(version(published).unwrap().as_str(), "14.20.003");
    assert_eq!(instant_after(published, " on "), Some(utc("2026-04-29T15:00:00Z")));
    assert_eq!(
        instant_after("isaged 1 withdrawn by agiris on 2026-04-29T15:00:00Z: x", " on "),
        Some(utc("2026-04-29T15:00:00Z"))
    );
    assert_eq!(word_after("alert 12 passed to level 2, nobody", "to level "), Some("2"));
    assert_eq!(word_after("alert 12: late", "alert "), Some("12"));
    assert_eq!(instant_after("no instant", " on "), None);
}

#[test]
fn a_slot_is_of_the_year_it_was_told_in_or_the_next() {
    let start = |text: &str, told: &str| {
        let found = slot_start(text, " planned for ", utc(told), chrono_tz::Europe::Paris);
        found.map(|(date, at)| format!("{date} {}", at.format("%F %R")))
    };
    let line = "isacompta 14.20.003 planned for Mon 4 May 22:00 to Tue 5 May 07:00";
    assert_eq!(start(line, "2026-05-04T09:00:00Z").as_deref(), Some("2026-05-04 2026-05-04 20:00"));
    let line = "isacompta 14.20.003 planned for Sat 2 Jan 08:00 to Sat 2 Jan 16:00";
    assert_eq!(start(line, "2026-12-29T09:00:00Z").as_deref(), Some("2027-01-02 2027-01-02 07:00"));
    assert_eq!(start("isacompta 14.20.003 given up", "2026-12-29T09:00:00Z"), None);
}

#[test]
fn what_the_history_says_is_worked_out_without_any_row() {
    let client: Client = serde_json::from_value(serde_json::json!({
        "id": "martin", "name": "Cabinet Martin", "schedule": "pro-controle", "holidays": "FR",
        "order": ["isacompta"], "contacts": [], "server": [{ "id": "martin-1", "zone": "Europe/Paris" }],
    }))
    .unwrap();
    let schedule = toml::from_str(include_str!("../../../schedules/pro-controle.toml")).unwrap();
    let checker = Checker::new(&schedule, "FR", chrono_tz::Europe::Paris).unwrap();
    let checkers = BTreeMap::from([("martin-1".to_owned(), Arc::new(checker))]);
    let event = |chain: &str, at: &str, kind, text: &str| {
        let body = NewEvent::new(utc(at), chain, kind, text);
        let body =
            if chain == PROVIDER { body.product("isacompta") } else { body.server("martin-1").product("isacompta") };
        Event { seq: 0, prev: String::new(), hash: String::new(), body }
    };
    let of = |at: &str, kind, text: &str, deployment| {
        let mut event = event("martin", at, kind, text);
        event.body.deployment = deployment;
        event
    };
    let published = |version: &str, at: &str| {
        let text = format!("isacompta {version} published by agiris on {at} (minor)");
        event(PROVIDER, at, EventKind::ReleasePublished, &text)
    };
    let provider = [published("14.20.003", "2026-05-05T13:00:00Z"), published("14.20.004", "2026-05-12T13:00:00Z")];
    let own = [
        of("2026-04-01T07:00:00Z", EventKind::InventoryChanged, "isacompta 14.20.002 found on the server", None),
        of(
            "2026-05-05T13:05:00Z",
            EventKind::Planned,
            "isacompta 14.20.003 planned for Tue 5 May 22:00 to Wed 6 May 07:00",
            Some(1),
        ),
        of("2026-05-05T20:05:00Z", EventKind::Started, "isacompta 14.20.003 handed to the agent of martin-1", Some(1)),
        of(
            "2026-05-05T20:14:00Z",
            EventKind::Installed,
            "isacompta 14.20.003 installed; the machine says it runs 14.20.003",
            Some(1),
        ),
        of("2026-05-14T05:00:00Z", EventKind::AlertRaised, "alert 7: isacompta late on martin-1 (minor-night)", None),
        // The 14th is a holiday: the clock begins on Friday the 15th at 07:00.
        of("2026-05-15T07:00:00Z", EventKind::AlertAcknowledged, "alert 7 acknowledged by Nadia, in time: x", None),
    ];
    let case = Case {
        now: utc("2026-05-20T10:00:00Z"),
        first: "2026-05-01".parse().unwrap(),
        client: &client,
        own: &own,
        provider: &provider,
        checkers: &checkers,
        silent_after_minutes: 75,
    };
    let told: Vec<String> = facts(&case).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        told,
        [
            "alert 7: level 0 in time",
            "letters.sent: 0",
            "letters.undelivered: 0",
            "minor martin-1 isacompta 14.20.003: on time 2026-05-05T20:14:00.000Z",
            "minor martin-1 isacompta 14.20.004: missed",
            "night 2026-05-05 installed: 1",
            "requests.received: 0",
            "requests.refused: 0",
            "silent martin-1: 0 min",
        ]
    );
    let mut other = facts(&case);
    other.insert("alert 7".to_owned(), "level 0 late".to_owned());
    other.remove("letters.sent");
    let differ: Vec<String> = differences(&other, &facts(&case)).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(differ, ["alert 7", "letters.sent"]);
}

#[test]
fn the_checkers_clock_is_the_contracts() {
    use crate::decide::calendar::{Calendar, Region};
    use crate::decide::notice;
    let schedule = toml::from_str(include_str!("../../../schedules/pro-controle.toml")).unwrap();
    let checker = Checker::new(&schedule, "FR", chrono_tz::Europe::Paris).unwrap();
    let calendar = Calendar::new(chrono_tz::Europe::Paris, Region::National);
    let terms = crate::decide::planner::tests::terms();
    // Hour by hour over a month with two holidays and over a change of clocks.
    for start in ["2026-04-29T00:30:00Z", "2026-10-20T00:30:00Z"] {
        for hour in 0..24 * 12 {
            let at = utc(start) + TimeDelta::hours(hour);
            assert_eq!(checker.intervention_due(at), notice::intervention_due(terms, &calendar, at), "{at}");
            assert_eq!(checker.minor_due(at), Some(notice::minor_deadline(terms, &calendar, at)), "{at}");
        }
    }
}
