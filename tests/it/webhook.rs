//! Calls of the webhook, to a receiver that shares no code with us: nothing lost, in order, known by its key when repeated.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

mod commands;
#[cfg(target_os = "linux")]
mod killed;
mod receiver;

use super::databases;
use super::mail::wait;
use chrono::TimeDelta;
use noctule::edge::store::{Changes, EventFilter};
use noctule::model::alert::{AlertClass, NewAlert};
use noctule::model::event::EventKind;
use noctule::work::webhook::{self, Report, again};
use noctule::work::{Orchestrator, alerts, post, watch};
use receiver::{Receiver, calling, has_python, reopened};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn trouble(cause: &str) -> NewAlert {
    NewAlert {
        cause: cause.into(),
        class: AlertClass::Applications,
        client: Some("martin".into()),
        server: Some("martin-1".into()),
        product: None,
        deployment: None,
        title: format!("trouble with {cause}"),
        text: "an « example »".into(),
    }
}

async fn raise(o: &Orchestrator, causes: &[&str]) {
    let mut changes = Changes::default();
    for cause in causes {
        alerts::raise(o, &mut changes, trouble(cause)).await.unwrap();
    }
    o.store.commit(changes).await.unwrap();
}

fn done(taken: usize, deferred: usize, given_up: usize) -> Report {
    Report { taken, deferred, given_up }
}

fn types(requests: &[Value]) -> Vec<&str> {
    requests.iter().map(|request| request["type"].as_str().unwrap()).collect()
}

async fn open(o: &Orchestrator) -> Vec<String> {
    o.store.alerts(false).await.unwrap().into_iter().map(|alert| alert.value.cause).collect()
}

#[tokio::test]
async fn every_change_of_an_alert_is_told_once_in_order_and_signed() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut receiver = Receiver::start(dir.path(), None);
        let o = calling(dir.path(), &url, receiver.port).await;
        // The same trouble twice is one alert, and one call.
        raise(&o, &["a", "a"]).await;
        raise(&o, &["a"]).await;
        assert_eq!(webhook::run(&o).await.unwrap(), done(1, 0, 0));
        assert_eq!(webhook::run(&o).await.unwrap(), done(0, 0, 0));
        o.clock.advance_to(super::world::paris("2026-04-29 19:01"));
        assert_eq!(watch::run(&o).await.unwrap().escalated, 1);
        alerts::acknowledge(&o, 1, "Nadia").await.unwrap();
        alerts::acknowledge(&o, 1, "Nadia").await.unwrap();
        wait(&o, 5);
        alerts::resolve(&o, 1, "Zoé", "restored").await.unwrap();
        assert_eq!(webhook::run(&o).await.unwrap(), done(3, 0, 0));
        let requests = receiver.set("good");
        assert_eq!(types(&requests), ["alert.raised", "alert.escalated", "alert.acknowledged", "alert.resolved"]);
        assert_eq!(requests.iter().map(|r| r["level"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 1, 1]);
        assert_eq!(requests[3]["note"], "restored");
        for request in &requests {
            assert_eq!(
                (&request["signed"], request["content_type"].as_str()),
                (&true.into(), Some("application/json"))
            );
            assert_eq!(request["path"], "/s3cret/path?token=s3cret");
        }
        // The time of the attempt, not of the event.
        assert_eq!(requests[1]["timestamp"], o.clock.now().timestamp());
        // What was taken is kept without what it said.
        let taken = o.store.calls("taken", 10).await.unwrap();
        assert!(taken.len() == 4 && taken.iter().all(|call| call.new.body.is_empty()));
    })
    .await;
}

/// What the receiver of a faulty line kept, by key: how often, and that it was the same each time.
fn kept(requests: &[Value]) -> BTreeMap<String, usize> {
    let (mut kept, mut digests) = (BTreeMap::<String, usize>::new(), BTreeMap::new());
    for request in requests {
        assert_eq!(request["signed"], true, "{request}");
        let id = request["id"].as_str().unwrap().to_owned();
        let digest = request["sha256"].as_str().unwrap().to_owned();
        assert_eq!(*digests.entry(id.clone()).or_insert_with(|| digest.clone()), digest, "{id}");
        if request["kept"] == true {
            *kept.entry(id).or_default() += 1;
        }
    }
    kept
}

/// The keys of one alert in the order in which each was first kept.
fn order(requests: &[Value], alert: i64) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let of = requests.iter().filter(|r| r["alert"] == alert && r["kept"] == true);
    of.filter(|r| seen.insert(r["id"].as_str().unwrap())).map(|r| r["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_receiver_that_fails_in_every_way_gets_each_call_in_order_and_no_other() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut receiver = Receiver::start(dir.path(), None);
        let o = calling(dir.path(), &url, receiver.port).await;
        let other = reopened(dir.path()).await;
        let seed = std::env::var("NOCTULE_TEST_SEED").unwrap_or_else(|_| "20260429".into());
        eprintln!("seed {seed}");
        receiver.set(&format!("faulty {seed}"));
        let names: Vec<String> = (0..12).map(|n| format!("cause {n}")).collect();
        let mut moments = 0;
        for (n, name) in names.iter().enumerate() {
            raise(&o, &[name]).await;
            let id = o.store.open_alert(name).await.unwrap().unwrap().id;
            if n % 2 == 0 {
                alerts::acknowledge(&o, id, "Nadia").await.unwrap();
            }
            if n % 3 == 0 {
                alerts::resolve(&o, id, "Nadia", "done").await.unwrap();
            }
            moments += 1 + usize::from(n % 2 == 0) + usize::from(n % 3 == 0);
            wait(&o, 2);
            other.clock.advance_to(o.clock.now());
            // Two replicas at once.
            let (one, two) = tokio::join!(webhook::run(&o), webhook::run(&other));
            one.unwrap();
            two.unwrap();
        }
        let mut requests = receiver.set("good");
        for _ in 0..40 {
            wait(&o, 15);
            webhook::run(&o).await.unwrap();
        }
        requests.extend(receiver.set("good"));
        assert_eq!(o.store.call_queue().await.unwrap().waiting, 0);
        let kept = kept(&requests);
        assert_eq!(kept.len(), moments, "{kept:?}");
        let faults: BTreeSet<&str> = requests.iter().filter_map(|r| r["fault"].as_str()).collect();
        assert!(faults.len() >= 5, "{faults:?}");
        // What was kept twice is what its sender could not know was kept.
        let unsaid = |r: &&Value| r["kept"] == true && !r["fault"].is_null();
        let repeats: usize = kept.values().map(|times| times - 1).sum();
        assert!(repeats <= requests.iter().filter(unsaid).count());
        let alerts = o.store.alerts(true).await.unwrap();
        for (n, name) in names.iter().enumerate() {
            let id = alerts.iter().find(|alert| alert.cause == *name).unwrap().id;
            let mut expected = vec!["alert.raised"];
            expected.extend((n % 2 == 0).then_some("alert.acknowledged"));
            expected.extend((n % 3 == 0).then_some("alert.resolved"));
            assert_eq!(order(&requests, id), expected, "alert {id}");
        }
        assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn two_replicas_make_each_call_once() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut receiver = Receiver::start(dir.path(), None);
        let o = calling(dir.path(), &url, receiver.port).await;
        let other = reopened(dir.path()).await;
        let names: Vec<String> = (0..45).map(|n| format!("cause {n}")).collect();
        raise(&o, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let (one, two) = tokio::join!(webhook::run(&o), webhook::run(&other));
        assert_eq!(one.unwrap().taken + two.unwrap().taken, 45);
        let kept = kept(&receiver.set("good"));
        assert!(kept.len() == 45 && kept.values().all(|times| *times == 1), "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_away_for_a_day_costs_nothing_and_staff_hear_of_it_by_mail_once() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(dir.path(), None);
        let port = receiver.port;
        let o = calling(dir.path(), &url, port).await;
        drop(receiver);
        raise(&o, &["a", "b", "c", "d", "e"]).await;
        // After three in a row the others are spared, and not counted as tried.
        assert_eq!(webhook::run(&o).await.unwrap(), done(0, 3, 0));
        let attempts = async || -> Vec<u32> {
            o.store.calls("pending", 10).await.unwrap().iter().map(|call| call.attempts).collect()
        };
        assert_eq!(attempts().await, [1, 1, 1, 0, 0]);
        let late = "webhook/late".to_owned();
        for minutes in 1..24 * 60 {
            wait(&o, 1);
            webhook::run(&o).await.unwrap();
            assert_eq!(open(&o).await.contains(&late), 240 <= minutes, "{minutes}");
        }
        // Every quarter of an hour, not every minute.
        assert!(attempts().await.iter().all(|tries| (90..110).contains(tries)), "{:?}", attempts().await);
        let alert = o.store.open_alert(&late).await.unwrap().unwrap().value;
        assert!(alert.title.contains("127.0.0.1") && !format!("{alert:?}").contains("s3cret"), "{alert:?}");
        assert!(alert.text.contains("none was ever taken") && alert.text.contains("5 wait"), "{}", alert.text);
        alerts::acknowledge(&o, 1, "Nadia").await.unwrap();
        post::run(&o).await.unwrap();
        let mut receiver = Receiver::start(dir.path(), Some(port));
        wait(&o, 16);
        assert_eq!(webhook::run(&o).await.unwrap(), done(6, 0, 0));
        assert_eq!(open(&o).await, ["a", "b", "c", "d", "e"]);
        let requests = receiver.set("good");
        assert_eq!(kept(&requests).len(), 6);
        assert_eq!(order(&requests, 1), ["alert.raised", "alert.acknowledged"]);
        // The webhook's own trouble went by mail, and by mail only.
        assert!(requests.iter().all(|request| request["alert"] != alert.id), "{requests:?}");
        let mails = o.store.notices(None, 100).await.unwrap();
        let own = mails.iter().filter(|n| n.body.key == format!("alert/{}/0", alert.id)).count();
        assert_eq!(own, 1);
    })
    .await;
}

#[tokio::test]
async fn what_alone_is_never_taken_holds_up_nobody_and_is_given_up_and_offered_again() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut receiver = Receiver::start(dir.path(), None);
        let o = calling(dir.path(), &url, receiver.port).await;
        raise(&o, &["poison"]).await;
        receiver.set("status 422 1");
        for hours in 0..72 {
            raise(&o, &[&format!("cause {hours}")]).await;
            assert_eq!(webhook::run(&o).await.unwrap(), done(1, 1, 0), "{hours}");
            wait(&o, 60);
        }
        assert_eq!(webhook::run(&o).await.unwrap(), done(0, 0, 1));
        let refused = o.store.calls("given_up", 10).await.unwrap().remove(0);
        // The receiver's words, as one line, are with the call and its alert and not in the history.
        assert_eq!(refused.error.as_deref(), Some("the receiver answered 422: nein « ja » X: y"));
        let given_up = o.store.open_alert("webhook/given-up").await.unwrap().unwrap();
        assert!(given_up.text.contains("call 1 (alert.raised of alert 1): the receiver answered 422: nein"));
        let told: Vec<String> = o
            .store
            .events(&EventFilter::default())
            .await
            .unwrap()
            .into_iter()
            .filter(|event| event.body.kind == EventKind::NoticeUndelivered)
            .map(|event| event.body.text)
            .collect();
        assert_eq!(told, ["call 1 (alert.raised of alert 1) undelivered after attempt 73: the receiver answered 422"]);
        // What follows in that alert is no longer held up.
        receiver.set("good");
        alerts::resolve(&o, 1, "Nadia", "done").await.unwrap();
        assert_eq!(webhook::run(&o).await.unwrap(), done(1, 0, 0));
        assert_eq!(again::again(&o, "Nadia").await.unwrap(), 1);
        assert_eq!(again::again(&o, "Nadia").await.unwrap(), 0);
        assert!(o.store.open_alert("webhook/given-up").await.unwrap().is_none());
        assert_eq!(webhook::run(&o).await.unwrap(), done(1, 0, 0));
        let requests = receiver.set("good");
        assert_eq!(types(&requests), ["alert.resolved", "alert.raised"]);
        assert_eq!(requests[1]["id"], refused.new.key);
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_bounded_in_time_and_size_and_leads_nowhere_else() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(dir.path(), None);
    let o = calling(dir.path(), &format!("sqlite:{}", dir.path().join("n.db").display()), receiver.port).await;
    raise(&o, &["a"]).await;
    for (mood, error, minutes) in [
        ("redirect", "answered 307: redirects are not followed", 1),
        ("slow", "does not answer", 2),
        ("endless", "answered 500: xxxx", 4),
        ("busy", "answered 503: in maintenance", 30),
        ("status 410", "answered 410: nein", 15),
    ] {
        receiver.set(mood);
        assert_eq!(webhook::run(&o).await.unwrap(), done(0, 1, 0), "{mood}");
        let call = o.store.calls("pending", 1).await.unwrap().remove(0).value;
        let told = call.error.unwrap();
        assert!(told.contains(error) && told.len() < 300 && !told.contains("s3cret"), "{mood}: {told}");
        let next_at = o.clock.now() + TimeDelta::minutes(minutes);
        assert_eq!(call.state, noctule::model::call::CallState::Pending { next_at }, "{mood}");
        o.clock.advance_to(next_at);
    }
    let requests = receiver.set("good");
    assert!(requests.iter().all(|request| request["path"] != "/elsewhere"), "{requests:?}");
}

#[tokio::test]
async fn without_a_webhook_nothing_is_written_for_one() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = super::world::orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        raise(&o, &["a"]).await;
        alerts::resolve(&o, 1, "Nadia", "done").await.unwrap();
        assert_eq!(webhook::run(&o).await.unwrap(), done(0, 0, 0));
        assert_eq!(o.store.call_queue().await.unwrap(), noctule::edge::store::Queue::default());
    })
    .await;
}
