//! The answers as tables: one small world, one ask, what is said.

use super::*;
use crate::decide::planner::tests::{manifest, release, terms};
use crate::decide::world::{Almanacs, Parts};
use crate::model::fleet::Client;
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::Retraction;
use crate::model::report::ServerState;
use crate::model::version::Change;

fn utc(text: &str) -> DateTime<Utc> {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    naive.and_local_timezone(chrono_tz::Europe::Paris).unwrap().to_utc()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn client() -> Client {
    serde_json::from_value(serde_json::json!({
        "id": "martin", "name": "Cabinet Martin", "schedule": "pro-controle", "holidays": "FR",
        "order": ["isacompta", "isapaye", "isaged"], "contacts": [],
        "server": [{ "id": "m1", "zone": "Europe/Paris" }, { "id": "m2", "zone": "Europe/Paris" }],
    }))
    .unwrap()
}

fn runs(products: &[(&str, &str)]) -> ServerState {
    let inventory = products.iter().map(|(p, v)| ((*p).to_owned(), v.parse().unwrap())).collect();
    ServerState { inventory, ..ServerState::default() }
}

/// Thursday 30 April 2026, 10:00: m1 runs everything, m2 isacompta alone; two majors and what comes with them.
struct Story {
    now: DateTime<Utc>,
    parts: Parts,
}

impl Story {
    fn new() -> Story {
        let major = |product, version| release(manifest(product, version, Change::Major), "2026-04-29 11:00");
        let mut gone = major("isacompta", "16");
        gone.retracted = Some(Retraction { at: utc("2026-04-29 18:00"), reason: "faulty".into() });
        let minor = release(manifest("isacompta", "14.20.003", Change::Minor), "2026-04-29 11:00");
        let parts = Parts {
            clients: vec![client()],
            terms: [("pro-controle".to_owned(), Arc::new(terms().clone()))].into(),
            states: [
                ("m1".to_owned(), runs(&[("isacompta", "14.20.002"), ("isapaye", "2026.1"), ("isaged", "3.8")])),
                ("m2".to_owned(), runs(&[("isacompta", "14.20.002")])),
            ]
            .into(),
            releases: vec![minor, major("isacompta", "15"), gone, major("isapaye", "2027.1"), major("eic", "9")],
            ..Parts::default()
        };
        Story { now: utc("2026-04-30 10:00"), parts }
    }

    fn manifest(&mut self, product: &str) -> &mut crate::model::manifest::Manifest {
        let found =
            self.parts.releases.iter_mut().find(|r| r.product() == product && r.manifest().change == Change::Major);
        Arc::make_mut(&mut found.unwrap().signed.manifest)
    }

    fn requested(mut self, id: i64, product: &str, version: &str, before: &str, servers: &[&str]) -> Story {
        self.parts.requests.push(Request {
            id,
            client: "martin".into(),
            product: product.into(),
            version: version.parse().unwrap(),
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            received_at: utc("2026-04-30 09:00"),
            by: "claire".into(),
            before: date(before),
            state: RequestState::Accepted,
        });
        self
    }

    fn agreed(mut self, agreed: Agreed) -> Story {
        let at = utc("2026-04-30 09:30");
        self.parts.agreements.push(Agreement {
            id: 4,
            client: "martin".into(),
            agreed,
            by: "Claire Martin".into(),
            at,
        });
        self
    }

    fn answer(self, asks: &[Ask], replaces: Option<i64>) -> Result<Vec<Granted>, Refusal> {
        let world = World::new(self.parts, &mut Almanacs::default(), self.now).unwrap();
        judge(&world, &world.customers()[0], asks, replaces, self.now)
    }

    #[track_caller]
    fn granted(self, ask: Ask) -> New {
        match self.answer(&[ask], None).unwrap().remove(0) {
            Granted::New(new) => new,
            Granted::Same(same) => panic!("request {} asks the same", same.request.id),
        }
    }

    /// The ask is refused, saying `said` and the date that would do.
    #[track_caller]
    fn refused(self, ask: Ask, said: &str, earliest: Option<&str>) -> Refusal {
        let refusal = self.answer(&[ask], None).unwrap_err();
        let why = refusal.why.en.clone().unwrap();
        assert!(why.contains(said), "{why} does not say {said}");
        assert!(!refusal.why.fr.is_empty());
        assert_eq!(refusal.earliest, earliest.map(date), "{why}");
        refusal
    }
}

fn ask(product: &str, version: &str, before: &str) -> Ask {
    Ask { product: product.into(), version: version.parse().unwrap(), before: date(before), servers: Vec::new() }
}

fn on(servers: &[&str], ask: Ask) -> Ask {
    Ask { servers: servers.iter().map(|s| (*s).to_owned()).collect(), ..ask }
}

fn ids(new: &New) -> Vec<&str> {
    new.slots.iter().map(|(server, _)| server.as_str()).collect()
}

#[test]
fn what_cannot_be_asked_for_is_refused_in_words() {
    for (product, version, said) in [
        ("excel", "1", "there is no product \"excel\""),
        ("eic", "9", "eic is not in the order of Cabinet Martin (III, annexe 1-2)"),
        ("isacompta", "17", "isacompta 17 has not been published"),
        ("isacompta", "16", "was withdrawn by its publisher: faulty"),
        ("isacompta", "14.20.003", "is a minor update"),
        ("isaged", "3.8", "isaged"),
    ] {
        Story::new().refused(ask(product, version, "2026-06-30"), said, None);
    }
    Story::new().refused(
        on(&["m2"], ask("isapaye", "2027.1", "2026-06-30")),
        "none of m2 is known to run isapaye",
        None,
    );
    let mut there = Story::new();
    there.parts.states.insert("m1".into(), runs(&[("isapaye", "2027.1")]));
    there.refused(ask("isapaye", "2027.1", "2026-06-30"), "or newer is already installed", None);
}

#[test]
fn the_notice_is_counted_and_its_bounds_hold() {
    // 30 April counts; 1 and 8 May are holidays: 4, 5, 6, 7 and 11 May.
    let refusal = Story::new().refused(
        ask("isacompta", "15", "2026-05-10"),
        "2026-05-10 is under 5 working days away (3.1.b.4)",
        Some("2026-05-11"),
    );
    assert_eq!(refusal.count.unwrap().days.len(), 5);
    let new = Story::new().granted(ask("isacompta", "15", "2026-05-11"));
    assert_eq!((ids(&new), new.count.earliest), (vec!["m1", "m2"], date("2026-05-11")));
    assert!(new.reasons[0].text.contains("earliest admissible date 2026-05-11"), "{:?}", new.reasons);
    // Long ahead: the slot is the last but one before that date.
    let new = Story::new().granted(ask("isacompta", "15", "2026-12-15"));
    let day = |slot: &Slot| slot.start.date_naive();
    assert!(new.slots.iter().all(|(_, slot)| day(slot) >= date("2026-12-11")), "{:?}", new.slots);
    // The client is closed for a fortnight; six hours with their reserve fit into no evening after it either.
    for (minutes, earliest) in [(30, "2026-05-18"), (360, "2026-05-23")] {
        let mut closed = Story::new();
        closed.manifest("isacompta").duration_minutes = minutes;
        let period = serde_json::json!([{ "from": "2026-05-01", "to": "2026-05-16", "reason": "paie" }]);
        closed.parts.clients[0].closed = serde_json::from_value(period).unwrap();
        closed.now = utc("2026-04-30 21:00");
        let need = format!("no maintenance slot (6.1.3) of {} minutes", minutes + 26);
        closed.refused(ask("isacompta", "15", "2026-05-16"), &need, Some(earliest));
    }
    let mut endless = Story::new();
    endless.manifest("isacompta").duration_minutes = 8 * 60;
    endless.refused(ask("isacompta", "15", "2026-06-15"), "no maintenance slot", None);
}

#[test]
fn the_site_with_the_longest_count_decides() {
    let mut story = Story::new();
    story.now = utc("2026-04-30 21:00");
    story.parts.clients[0].servers[1].zone = chrono_tz::Indian::Reunion;
    // In Réunion the service is over at 21:00 Paris time: the request counts from 4 May there.
    story.refused(ask("isacompta", "15", "2026-05-11"), "counts as received on 2026-05-04", Some("2026-05-12"));
}

fn short(before: &str) -> Agreed {
    Agreed::ShortNotice { product: "isacompta".into(), version: "15".parse().unwrap(), before: date(before) }
}

#[test]
fn an_agreement_covers_its_date_and_later_its_version_and_no_other() {
    let early = || ask("isacompta", "15", "2026-05-06");
    for covering in ["2026-05-05", "2026-05-06"] {
        let new = Story::new().agreed(short(covering)).granted(early());
        assert_eq!(new.agreement.as_ref().map(|a| a.id), Some(4));
        let said = &new.reasons.last().unwrap().text;
        assert!(said.contains("Claire Martin agreed") && said.contains("Thu 30 Apr 2026 09:30"), "{said}");
    }
    let refused = |story: Story| drop(story.refused(early(), "under 5 working days", Some("2026-05-11")));
    refused(Story::new().agreed(short("2026-05-07")));
    let other =
        Agreed::ShortNotice { product: "isacompta".into(), version: "16".parse().unwrap(), before: date("2026-05-05") };
    refused(Story::new().agreed(other));
    let closed = Agreed::ClosedPeriod { server: None, from: date("2026-05-01"), to: date("2026-05-30") };
    refused(Story::new().agreed(closed));
    // Not needed where the notice is kept, and no slot is made by it.
    assert!(Story::new().agreed(short("2026-05-05")).granted(ask("isacompta", "15", "2026-05-11")).agreement.is_none());
    Story::new().agreed(short("2026-04-29")).refused(
        ask("isacompta", "15", "2026-04-29"),
        "no maintenance slot",
        Some("2026-05-11"),
    );
}

#[test]
fn the_same_ask_changes_nothing_and_another_takes_its_place() {
    let asked = |servers: &[&str]| Story::new().requested(7, "isacompta", "15", "2026-05-20", servers);
    match asked(&[]).answer(&[ask("isacompta", "15", "2026-05-20")], None).unwrap().remove(0) {
        Granted::Same(same) => {
            assert_eq!((same.request.id, same.slots.len()), (7, 2));
            assert_eq!(same.count.earliest, date("2026-05-11"));
        }
        Granted::New(new) => panic!("{new:?}"),
    }
    for (servers, again, superseded) in [
        (&[][..], ask("isacompta", "15", "2026-05-21"), &[7][..]),
        (&[], on(&["m1"], ask("isacompta", "15", "2026-05-20")), &[7]),
        (&["m1"], ask("isacompta", "15", "2026-05-20"), &[7]),
        // About other servers or another product: both stand.
        (&["m1"], on(&["m2"], ask("isacompta", "15", "2026-05-20")), &[]),
        (&[], ask("isapaye", "2027.1", "2026-05-20"), &[]),
    ] {
        assert_eq!(asked(servers).granted(again.clone()).supersedes, superseded, "{again:?} after {servers:?}");
    }
    // Whoever changes a request means that one, whichever servers it is about.
    let moved = asked(&["m1"]).answer(&[on(&["m2"], ask("isacompta", "15", "2026-05-20"))], Some(7)).unwrap();
    assert!(matches!(&moved[..], [Granted::New(new)] if new.supersedes == [7]), "{moved:?}");
    let mut over = asked(&[]);
    over.parts.requests[0].state = RequestState::Expired { at: over.now };
    assert!(over.granted(ask("isacompta", "15", "2026-05-20")).supersedes.is_empty());
}

/// isapaye 2027.1 needs isacompta at `least`.
fn needing(least: &str) -> Story {
    let mut story = Story::new();
    story.manifest("isapaye").requires =
        vec![Requirement { product: "isacompta".into(), at_least: least.parse().unwrap() }];
    story
}

#[test]
fn a_required_major_is_asked_for_too_or_there() {
    let payroll = || ask("isapaye", "2027.1", "2026-05-30");
    let refusal = needing("15").refused(payroll(), "needs isacompta 15 or later on m1", None);
    assert_eq!(refusal.together.unwrap().to_string(), "isacompta 15");
    needing("15").requested(1, "isacompta", "15", "2026-05-30", &[]).granted(payroll());
    needing("15").requested(1, "isacompta", "15", "2026-05-30", &["m2"]).refused(payroll(), "not requested", None);
    let both = needing("15").answer(&[payroll(), ask("isacompta", "15", "2026-05-30")], None).unwrap();
    assert_eq!(both.len(), 2);
    // One of two that cannot be refuses both.
    assert!(needing("15").answer(&[payroll(), ask("isacompta", "15", "2026-05-08")], None).is_err());
    // A minor comes by itself; what is there is there; what is not known cannot come.
    needing("14.20.003").granted(payroll());
    needing("14.20.002").granted(payroll());
    needing("15.1").refused(payroll(), "which has not been published", None);
    let mut elsewhere = needing("15");
    elsewhere.parts.states.insert("m1".into(), runs(&[("isapaye", "2026.1")]));
    elsewhere.refused(payroll(), "on m1, which does not run it", None);
}

#[test]
fn companions_are_asked_for_together_whichever_names_the_other() {
    let companion =
        |product: &str, version: &str| vec![Companion { product: product.into(), version: version.parse().unwrap() }];
    let forward = || {
        let mut story = Story::new();
        story.manifest("isapaye").installs_with = companion("isacompta", "15");
        story
    };
    let (payroll, ledger) = (ask("isapaye", "2027.1", "2026-05-30"), ask("isacompta", "15", "2026-05-30"));
    forward().refused(payroll.clone(), "goes only together with isacompta 15 on m1", None);
    let refusal = forward().refused(ledger.clone(), "goes only together with isapaye 2027.1 on m1", None);
    assert_eq!(refusal.together.unwrap().product, "isapaye");
    // m2 has no payroll: nothing binds it there.
    forward().granted(on(&["m2"], ledger.clone()));
    let both = forward().answer(&[ledger.clone(), payroll.clone()], None).unwrap();
    assert_eq!(both.len(), 2);
    // Together they need the time of both, in one slot.
    let mut long = forward();
    (long.manifest("isapaye").duration_minutes, long.manifest("isacompta").duration_minutes) = (300, 150);
    let refusal = long.answer(&[ledger, payroll], None).unwrap_err();
    assert!(refusal.why.en.unwrap().contains("of 491 minutes"), "{}", refusal.why.fr);
}
