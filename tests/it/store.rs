//! The store's promises, told once and held on SQLite and on PostgreSQL.

use super::databases;
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{
    Changes, DeploymentFilter, EventFilter, FeedFile, Row, Sequence, Store, StoreError, Stored,
};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::notice::{Letter, NewNotice, NoticeState};
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use sea_orm::{ConnectionTrait, Database};

fn noon() -> DateTime<Utc> {
    "2026-04-29T10:00:00Z".parse().unwrap()
}

fn deployment(id: i64, server: &str, version: &str) -> Deployment {
    Deployment {
        id,
        action: id,
        position: 0,
        client: "martin".into(),
        server: server.into(),
        product: "isacompta".into(),
        from: None,
        to: version.parse().unwrap(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        slot: Slot::new(noon(), noon() + TimeDelta::hours(9)).unwrap(),
        published_at: noon(),
        deadline: None,
        request: None,
        attempt: 1,
        reasons: Vec::new(),
        state: DeploymentState::Planned,
    }
}

fn event(text: &str) -> NewEvent {
    NewEvent::new(noon(), "martin", EventKind::Planned, text)
}

fn notice(key: &str) -> NewNotice {
    NewNotice {
        key: key.into(),
        at: noon(),
        client: Some("martin".into()),
        server: None,
        deployment: None,
        letter: Letter::Retracted {
            product: "isacompta".into(),
            version: "1.0".parse().unwrap(),
            reason: "faulty".into(),
            installed_on: Vec::new(),
        },
    }
}

async fn texts(store: &Store) -> Vec<String> {
    store.events(&EventFilter::default()).await.unwrap().into_iter().map(|e| e.body.text).collect()
}

#[tokio::test]
async fn a_commit_writes_everything_or_nothing() {
    databases::each(|store| async move {
        let id = store.allocate(Sequence::Deployment, 2).await.unwrap();
        let good = Changes {
            rows: vec![Row::Deployment(Stored::new(deployment(id, "martin-1", "14.20.003")))],
            events: vec![event("first")],
            notices: vec![notice("a")],
        };
        store.commit(good).await.unwrap();
        let read = store.deployment(id).await.unwrap().unwrap();
        assert_eq!(read.value, deployment(id, "martin-1", "14.20.003"));

        // Another open deployment of the same release on the same server: refused, and the rest with it.
        let twice = Changes {
            rows: vec![Row::Deployment(Stored::new(deployment(id + 1, "martin-1", "14.20.003")))],
            events: vec![event("second")],
            notices: vec![notice("b")],
        };
        assert!(matches!(store.commit(twice).await, Err(StoreError::Conflict { .. })));
        assert_eq!(texts(&store).await, ["first"]);
        assert_eq!(store.notices(None, 10).await.unwrap().len(), 1);
        assert!(store.deployment(id + 1).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_writers_is_told() {
    databases::each(|store| async move {
        let first =
            Changes { rows: vec![Row::Deployment(Stored::new(deployment(1, "s", "1.1")))], ..Changes::default() };
        store.commit(first).await.unwrap();
        let one = store.deployment(1).await.unwrap().unwrap();
        let two = store.deployment(1).await.unwrap().unwrap();
        let cancelled = one.value.clone().cancel(noon(), "superseded".into()).unwrap();
        let write = |row| Changes { rows: vec![Row::Deployment(row)], events: vec![event("x")], ..Changes::default() };
        store.commit(write(one.with(cancelled))).await.unwrap();
        let error = store.commit(write(two.with(two.value.clone()))).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(texts(&store).await, ["x"]);
        // What is no longer open may be planned again.
        let again =
            Changes { rows: vec![Row::Deployment(Stored::new(deployment(2, "s", "1.1")))], ..Changes::default() };
        store.commit(again).await.unwrap();
        assert_eq!(store.open_deployments("s").await.unwrap().len(), 1);
        let filter = DeploymentFilter { states: vec!["cancelled".into()], ..DeploymentFilter::default() };
        assert_eq!(store.deployments(&filter).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn concurrent_events_never_fork_the_chain() {
    databases::each(|store| async move {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..5 {
                        let events = vec![event(&format!("{writer}/{n}")), event("and one more")];
                        store.commit(Changes { events, ..Changes::default() }).await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(texts(&store).await.len(), 80);
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_rewritten_history_is_found() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        for n in 1..=4 {
            store.commit(Changes { events: vec![event(&format!("event {n}"))], ..Changes::default() }).await.unwrap();
        }
        let behind = Database::connect(&url).await.unwrap();
        behind
            .execute_unprepared("UPDATE event SET body = replace(body, 'event 2', 'event X') WHERE seq = 2")
            .await
            .unwrap();
        let breaks = store.verify_chain(Some("martin")).await.unwrap();
        assert_eq!(breaks.iter().map(|b| b.seq).collect::<Vec<_>>(), [2], "{breaks:?}");
        behind.execute_unprepared("DELETE FROM event WHERE seq = 3").await.unwrap();
        let seqs: Vec<i64> = store.verify_chain(None).await.unwrap().iter().map(|b| b.seq).collect();
        assert_eq!(seqs, [2, 4]);
    })
    .await;
}

#[tokio::test]
async fn a_notice_is_kept_once_and_leased_to_one() {
    databases::each(|store| async move {
        for _ in 0..2 {
            let notices = vec![notice("planned/1"), notice("planned/2")];
            store.commit(Changes { notices, ..Changes::default() }).await.unwrap();
        }
        let lease = noon() + TimeDelta::minutes(5);
        let (one, two) = tokio::join!(store.lease_notices(noon(), lease, 1), store.lease_notices(noon(), lease, 10));
        let mut keys: Vec<String> = one.unwrap().into_iter().chain(two.unwrap()).map(|n| n.value.body.key).collect();
        keys.extend(store.lease_notices(noon(), lease, 10).await.unwrap().into_iter().map(|n| n.value.body.key));
        keys.sort();
        assert_eq!(keys, ["planned/1", "planned/2"]);
        // A lease that ran out is given again: nothing is lost with the process that held it.
        let again = store.lease_notices(lease, lease + TimeDelta::minutes(5), 10).await.unwrap();
        assert_eq!(again.len(), 2);
        let sent = again[0].with(noctule::model::notice::Notice {
            state: NoticeState::Sent { at: lease },
            attempts: 1,
            ..again[0].value.clone()
        });
        store.commit(Changes { rows: vec![Row::Notice(sent)], ..Changes::default() }).await.unwrap();
        let later = lease + TimeDelta::hours(1);
        assert_eq!(store.lease_notices(later, later + TimeDelta::minutes(5), 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn ids_are_given_once() {
    databases::each(|store| async move {
        let taken: Vec<_> = (0..10)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.allocate(Sequence::Request, 3).await.unwrap() })
            })
            .collect();
        let mut firsts = Vec::new();
        for id in taken {
            firsts.push(id.await.unwrap());
        }
        firsts.sort();
        assert_eq!(firsts, (0..10).map(|n| n * 3 + 1).collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test]
async fn mirrored_files_are_bytes_under_a_name() {
    databases::each(|store| async move {
        let file = |name: &str, bytes: &[u8]| {
            Row::FeedFile(FeedFile { publisher: "agiris".into(), name: name.into(), bytes: bytes.into() })
        };
        let rows = vec![
            file("metadata/timestamp.json", b"1"),
            file("metadata/timestamp.json", b"2"),
            file("targets/a", b"\0x"),
        ];
        store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        assert_eq!(store.feed_file("agiris", "metadata/timestamp.json").await.unwrap().unwrap(), b"2");
        assert_eq!(store.feed_file("agiris", "metadata/none").await.unwrap(), None);
        assert_eq!(store.feed_files("agiris", "targets/").await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn last_seen_times_are_kept() {
    databases::each(|store| async move {
        for hours in [0, 1] {
            let seen = [("martin-1".to_owned(), noon() + TimeDelta::hours(hours))].into();
            store.seen(&seen).await.unwrap();
        }
        assert_eq!(store.last_seen().await.unwrap()["martin-1"], noon() + TimeDelta::hours(1));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_what_would_do() {
    let error = Store::open("sqlite:/nowhere/at/all/noctule.db").await.err().unwrap();
    assert!(error.to_string().contains("the address is sqlite:PATH or postgres://"), "{error}");
    let error = Store::open("mysql://x").await.err().unwrap();
    assert!(error.to_string().contains("mysql://x"), "{error}");
}
