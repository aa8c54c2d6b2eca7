//! What is written is read again, found by what it is searched by, in the same order on both databases.

use super::{databases, deployment, event, noon};
use chrono::{TimeDelta, Utc};
use noctule::edge::store::{
    Changes, DeploymentFilter, Enrolment, EventFilter, FeedFile, Row, Scope, Store, StoreError, Stored, Token,
};
use noctule::model::agreement::{Agreed, Agreement};
use noctule::model::feed::{Feed, Outage};
use noctule::model::fleet::{Client, Fleet};
use noctule::model::report::{Backup, ServerState};
use noctule::model::request::{Request, RequestState};
use noctule::model::slot::Slot;
use noctule::model::standing::Standing;

/// A client of the provider with these servers.
pub(super) fn client(id: &str, servers: &[&str]) -> Client {
    let servers: String =
        servers.iter().map(|s| format!("[[client.server]]\nid = \"{s}\"\nzone = \"Europe/Paris\"\n")).collect();
    let fleet = format!(
        "[[client]]\nid = \"{id}\"\nname = \"Cabinet {id}\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\n\
         order = [\"isacompta\"]\ncontacts = []\n{servers}"
    );
    let fleet: Fleet = toml::from_str(&fleet).unwrap();
    fleet.clients.into_iter().next().unwrap()
}

fn rows(rows: Vec<Row>) -> Changes {
    Changes { rows, ..Changes::default() }
}

async fn owner(store: &Store, server: &str) -> Option<String> {
    store.client_of_server(server).await.unwrap().map(|client| client.value.id)
}

#[tokio::test]
async fn a_server_is_found_with_its_client_wherever_it_moves() {
    databases::each(|store| async move {
        let fleet = vec![
            Row::Client(Stored::new(client("martin", &["martin-1", "martin-2"]))),
            Row::Client(Stored::new(client("dupont", &["dupont-1"]))),
        ];
        store.commit(rows(fleet)).await.unwrap();
        assert_eq!(owner(&store, "martin-2").await.as_deref(), Some("martin"));
        assert_eq!(owner(&store, "nobody").await, None);

        // A server that changes hands, whichever of the two is written first.
        for (martin, dupont) in [(vec!["martin-1"], vec!["dupont-1", "martin-2"]), (vec!["martin-2"], vec!["dupont-1"])]
        {
            let one = store.client("dupont").await.unwrap().unwrap();
            let two = store.client("martin").await.unwrap().unwrap();
            let moved = vec![
                Row::Client(one.with(client("dupont", &dupont))),
                Row::Client(two.with(client("martin", &martin))),
            ];
            store.commit(rows(moved)).await.unwrap();
            let expected = if dupont.len() == 2 { "dupont" } else { "martin" };
            assert_eq!(owner(&store, "martin-2").await.as_deref(), Some(expected));
        }

        let thief = Row::Client(Stored::new(client("thief", &["dupont-1"])));
        let error = store.commit(rows(vec![thief])).await.unwrap_err();
        assert!(matches!(&error, StoreError::Conflict { what } if what == "server dupont-1"), "{error}");
        assert!(store.client("thief").await.unwrap().is_none());

        let gone = store.client("dupont").await.unwrap().unwrap();
        store.commit(rows(vec![Row::RemoveClient(gone)])).await.unwrap();
        assert_eq!(owner(&store, "dupont-1").await, None);
        store.commit(rows(vec![Row::Client(Stored::new(client("thief", &["dupont-1"])))])).await.unwrap();
        assert_eq!(owner(&store, "dupont-1").await.as_deref(), Some("thief"));
    })
    .await;
}

#[tokio::test]
async fn text_is_ordered_by_its_bytes() {
    databases::each(|store| async move {
        let ids = ["b", "martin-1", "Zoe", "martin1", "élan", "a"];
        let standing = |id: &str| Row::Standing(Stored::new(Standing { server: id.into(), ..Standing::default() }));
        store.commit(rows(ids.map(standing).to_vec())).await.unwrap();
        let mut expected = ids.to_vec();
        expected.sort_unstable();
        let read = store.standings().await.unwrap();
        assert_eq!(read.iter().map(|s| s.server.as_str()).collect::<Vec<_>>(), expected);

        let names =
            ["targets/é.json", "targets-old/a", "targets/a.json", "metadata/1.root.json", "Targets/b", "targets0"];
        let file = |name: &str| {
            Row::FeedFile(FeedFile { publisher: "agiris".into(), name: name.into(), bytes: b"x".to_vec() })
        };
        store.commit(rows(names.map(file).to_vec())).await.unwrap();
        let found = store.feed_files("agiris", "targets/").await.unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["targets/a.json", "targets/é.json"]);
        assert_eq!(store.feed_files("agiris", "").await.unwrap().len(), names.len());
        assert_eq!(store.feed_files("eic", "").await.unwrap().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn deployments_are_found_by_every_filter() {
    databases::each(|store| async move {
        let mut written = Vec::new();
        for id in 1..=6 {
            let mut one = deployment(id, if id % 2 == 0 { "even" } else { "odd" }, &format!("1.{id}"));
            one.client = if id <= 3 { "martin" } else { "dupont" }.into();
            one.product = if id == 6 { "isagri" } else { "isacompta" }.into();
            one.action = (id + 1) / 2;
            // Later ids sit in earlier nights: order is the slot's.
            let start = noon() + TimeDelta::days(10 - id);
            one.slot = Slot::new(start, start + TimeDelta::hours(1)).unwrap();
            if id == 5 {
                one = one.cancel(noon(), "superseded".into()).unwrap();
            }
            written.push(Row::Deployment(Stored::new(one)));
        }
        store.commit(rows(written)).await.unwrap();
        let all = DeploymentFilter::default();
        let text = |t: &str| Some(t.to_owned());
        let night = |id: i64| Some(noon() + TimeDelta::days(10 - id));
        let table: [(DeploymentFilter, &[i64]); 10] = [
            (all.clone(), &[6, 5, 4, 3, 2, 1]),
            (DeploymentFilter { client: text("martin"), ..all.clone() }, &[3, 2, 1]),
            (DeploymentFilter { server: text("even"), ..all.clone() }, &[6, 4, 2]),
            (DeploymentFilter { product: text("isagri"), ..all.clone() }, &[6]),
            (DeploymentFilter { states: vec!["cancelled".into()], ..all.clone() }, &[5]),
            (DeploymentFilter { states: vec!["planned".into(), "running".into()], ..all.clone() }, &[6, 4, 3, 2, 1]),
            (DeploymentFilter { action: Some(2), ..all.clone() }, &[4, 3]),
            (DeploymentFilter { since: night(3), ..all.clone() }, &[3, 2, 1]),
            (DeploymentFilter { until: night(3), ..all.clone() }, &[6, 5, 4]),
            (DeploymentFilter { limit: Some(2), ..all.clone() }, &[2, 1]),
        ];
        for (filter, expected) in table {
            let found: Vec<i64> = store.deployments(&filter).await.unwrap().iter().map(|d| d.id).collect();
            assert_eq!(found, expected, "{filter:?}");
        }
        let open: Vec<i64> = store.open_deployments("odd").await.unwrap().iter().map(|d| d.id).collect();
        assert_eq!(open, [1, 3]);
    })
    .await;
}

#[tokio::test]
async fn events_are_found_by_every_filter() {
    databases::each(|store| async move {
        let mut events = Vec::new();
        for n in 0..6_i64 {
            let mut one = event(&n.to_string());
            one.at = noon() + TimeDelta::hours(n);
            one.client = if n < 4 { "martin" } else { "dupont" }.into();
            one.server = (n % 2 == 0).then(|| "even".to_owned());
            one.deployment = (n == 3).then_some(7);
            events.push(one);
        }
        store.commit(Changes { events, ..Changes::default() }).await.unwrap();
        let all = EventFilter::default();
        let hour = |n| Some(noon() + TimeDelta::hours(n));
        let table: [(EventFilter, &str); 7] = [
            (all.clone(), "012345"),
            (EventFilter { client: Some("dupont".into()), ..all.clone() }, "45"),
            (EventFilter { server: Some("even".into()), ..all.clone() }, "024"),
            (EventFilter { deployment: Some(7), ..all.clone() }, "3"),
            (EventFilter { since: hour(2), ..all.clone() }, "2345"),
            (EventFilter { until: hour(2), ..all.clone() }, "01"),
            (EventFilter { limit: Some(2), ..all.clone() }, "45"),
        ];
        for (filter, expected) in table {
            let found: String = store.events(&filter).await.unwrap().iter().map(|e| e.body.text.as_str()).collect();
            assert_eq!(found, expected, "{filter:?}");
        }
    })
    .await;
}

/// Writes a row, reads it, writes it again and is refused with the old revision.
macro_rules! round_trip {
    ($store:ident, $row:path, $first:expr, $second:expr, $read:expr) => {{
        let (first, second) = ($first, $second);
        $store.commit(rows(vec![$row(Stored::new(first.clone()))])).await.unwrap();
        let read = $read.await.unwrap().into_iter().next().unwrap();
        assert_eq!(read.value, first);
        $store.commit(rows(vec![$row(read.with(second.clone()))])).await.unwrap();
        let again = $read.await.unwrap().into_iter().next().unwrap();
        assert_eq!((again.rev, &again.value), (read.rev + 1, &second));
        for late in [read.with(first.clone()), Stored::new(first)] {
            let error = $store.commit(rows(vec![$row(late)])).await.unwrap_err();
            assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        }
        assert_eq!($read.await.unwrap().into_iter().next().unwrap().value, second);
    }};
}

#[tokio::test]
async fn every_noun_is_kept_and_guarded_by_its_revision() {
    databases::each(|store| async move {
        let at = noon();
        round_trip!(store, Row::Client, client("martin", &["s"]), client("martin", &[]), store.client("martin"));
        let state = |succeeded| {
            let backup = Some(Backup { finished_at: at, succeeded });
            ("s".to_owned(), ServerState { backup, ..ServerState::default() })
        };
        round_trip!(store, Row::State, state(true), state(false), store.state("s"));
        let planned = deployment(1, "s", "1.1");
        let cancelled = planned.clone().cancel(at, "superseded".into()).unwrap();
        round_trip!(store, Row::Deployment, planned, cancelled, store.deployment(1));
        let request = |state| Request {
            id: 1,
            client: "martin".into(),
            product: "isacompta".into(),
            version: "15".parse().unwrap(),
            servers: Vec::new(),
            received_at: at,
            by: "martin@example.org".into(),
            before: at.date_naive(),
            state,
        };
        round_trip!(
            store,
            Row::Request,
            request(RequestState::Accepted),
            request(RequestState::Done { at }),
            store.request(1)
        );
        assert_eq!(store.requests(Some("dupont")).await.unwrap(), []);
        let agreement = |by: &str| Agreement {
            id: 1,
            client: "martin".into(),
            agreed: Agreed::Slot {
                server: "s".into(),
                product: "isacompta".into(),
                slot: Slot::new(at, at + TimeDelta::hours(1)).unwrap(),
            },
            by: by.into(),
            at,
        };
        round_trip!(store, Row::Agreement, agreement("a"), agreement("b"), store.agreements());
        let outage = Outage { since: at, fetches: 2, why: "no answer".into(), told: false };
        let feed = |refused: Option<&str>, outage: Option<Outage>| Feed {
            publisher: "agiris".into(),
            fetched_at: Some(at),
            refused: refused.map(str::to_owned),
            outage,
            ..Feed::default()
        };
        round_trip!(store, Row::Feed, feed(Some("expired"), None), feed(None, Some(outage)), store.feed("agiris"));
        let token = |revoked_at: Option<chrono::DateTime<Utc>>| Token {
            hash: "ab".into(),
            name: "it".into(),
            scope: Scope::Client { client: "martin".into() },
            created_at: at,
            revoked_at,
        };
        round_trip!(store, Row::Token, token(None), token(Some(at)), store.token("ab"));
        assert_eq!(store.tokens().await.unwrap().len(), 1);
        let enrolment = |used_at| Enrolment { hash: "cd".into(), server: "s".into(), expires_at: at, used_at };
        round_trip!(store, Row::Enrolment, enrolment(None), enrolment(Some(at)), store.enrolment("cd"));
        let standing = |outcome: &str| Standing {
            server: "s".into(),
            outcomes: [("isacompta".to_owned(), outcome.to_owned())].into(),
        };
        round_trip!(store, Row::Standing, standing("held"), standing("planned"), store.standings());
    })
    .await;
}
