//! The store's promises, told once and held on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used)] // the lint's exception for tests does not reach what they share

mod batch;
mod chain;
mod erasure;
mod faults;
mod holds;
mod letters;
mod listings;
mod one_by_one;
mod planning;

use super::databases;
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{
    Changes, DeploymentFilter, EventFilter, FeedFile, Row, Sequence, Store, StoreError, Stored,
};
use noctule::model::alert::{Alert, AlertClass, AlertState};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::notice::{Letter, NewNotice, NoticeState};
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use std::collections::BTreeSet;

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
        concertation: None,
        slot: Slot::new(noon(), noon() + TimeDelta::hours(9)).unwrap(),
        published_at: noon(),
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
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

#[tokio::test]
async fn many_leasers_share_the_outbox_without_overlap() {
    databases::each(|store| async move {
        let notices = (0..60).map(|n| notice(&format!("planned/{n}"))).collect();
        store.commit(Changes { notices, ..Changes::default() }).await.unwrap();
        let lease = noon() + TimeDelta::minutes(5);
        let leasers: Vec<_> = (0..6)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    loop {
                        let leased = store.lease_notices(noon(), lease, 4).await.unwrap();
                        if leased.is_empty() {
                            return mine;
                        }
                        mine.extend(leased.into_iter().map(|n| n.value.body.key));
                    }
                })
            })
            .collect();
        let mut given = Vec::new();
        for leaser in leasers {
            given.extend(leaser.await.unwrap());
        }
        // Whoever found only rows that another had locked stopped early; none of them may be lost for that.
        given.extend(store.lease_notices(noon(), lease, 60).await.unwrap().into_iter().map(|n| n.value.body.key));
        assert_eq!(given.len(), 60);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 60);
    })
    .await;
}

fn alert(id: i64, state: AlertState) -> Alert {
    Alert {
        id,
        cause: "silent martin-1".into(),
        class: AlertClass::Systems,
        client: Some("martin".into()),
        server: Some("martin-1".into()),
        product: None,
        deployment: None,
        title: "martin-1 is silent".into(),
        text: "no word since 20:00".into(),
        raised_at: noon(),
        due: noon() + TimeDelta::hours(2),
        state,
    }
}

#[tokio::test]
async fn one_alert_is_open_per_cause() {
    databases::each(|store| async move {
        let write = |row| Changes { rows: vec![Row::Alert(row)], events: vec![event("x")], ..Changes::default() };
        let open = || AlertState::Open { level: 0 };
        store.commit(write(Stored::new(alert(1, open())))).await.unwrap();
        let error = store.commit(write(Stored::new(alert(2, open())))).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        let one = store.alert(1).await.unwrap().unwrap();
        let resolved = AlertState::Resolved { at: noon(), note: "back".into(), by: None, level: 0, taken_up: None };
        store.commit(write(one.with(alert(1, resolved)))).await.unwrap();
        store.commit(write(Stored::new(alert(2, open())))).await.unwrap();
        // Opening the first again would make two: refused like any other change that came too late.
        let one = store.alert(1).await.unwrap().unwrap();
        let error = store.commit(write(one.with(alert(1, open())))).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(store.alerts(false).await.unwrap().iter().map(|a| a.id).collect::<Vec<_>>(), [2]);
        assert_eq!(texts(&store).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_plan_the_same_one_succeeds() {
    databases::each(|store| async move {
        let planners: Vec<_> = (1..=8)
            .map(|id| {
                let store = store.clone();
                tokio::spawn(async move {
                    let rows = vec![Row::Deployment(Stored::new(deployment(id, "martin-1", "14.20.003")))];
                    let notices = vec![notice(&format!("planned/{id}"))];
                    store.commit(Changes { rows, events: vec![event("planned")], notices }).await
                })
            })
            .collect();
        let mut done = 0;
        for planner in planners {
            match planner.await.unwrap() {
                Ok(()) => done += 1,
                Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
            }
        }
        let counts = (store.open_deployments("martin-1").await.unwrap().len(), texts(&store).await.len());
        assert_eq!((done, counts), (1, (1, 1)));
        assert_eq!(store.notices(None, 10).await.unwrap().len(), 1);
    })
    .await;
}
