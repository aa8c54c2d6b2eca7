//! What planning reads of the whole fleet: the same answers as from all rows, on both databases.

use super::{alert, databases, deployment, noon};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{AttemptEnd, Changes, Outcomes, Row, Store, Stored};
use noctule::model::agreement::{Agreed, Agreement};
use noctule::model::alert::AlertState;
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::release::ReleaseId;
use noctule::model::request::{Request, RequestState};
use noctule::model::slot::Slot;
use sea_orm::{ConnectionTrait, Database};

fn hour(n: i64) -> DateTime<Utc> {
    noon() + TimeDelta::hours(n)
}

fn release(version: &str) -> ReleaseId {
    ReleaseId { product: "isacompta".into(), version: version.parse().unwrap() }
}

/// Deployments 1, 2, 3… of server, version and state; those that ended did so `id` hours after noon.
fn history() -> Vec<Deployment> {
    let installed = |minutes: i64| {
        move |at: DateTime<Utc>| DeploymentState::Installed {
            started_at: at - TimeDelta::minutes(minutes),
            finished_at: at,
            observed: None,
        }
    };
    let rolled_back = |at| DeploymentState::RolledBack { started_at: hour(0), finished_at: at, why: "probe".into() };
    let failed = |at| DeploymentState::Failed { started_at: None, finished_at: at, why: "silent".into() };
    let cancelled = |at| DeploymentState::Cancelled { at, why: "superseded".into() };
    type End<'a> = &'a dyn Fn(DateTime<Utc>) -> DeploymentState;
    let rows: [(&str, &str, End); 11] = [
        ("a", "1.1", &installed(20)),
        ("b", "1.1", &rolled_back),
        ("b", "1.1", &failed),
        ("b", "1.1", &installed(41)),
        ("c", "1.1", &cancelled),
        ("c", "1.1", &failed),
        ("a", "1.2", &installed(30)),
        ("b", "1.2", &|_| DeploymentState::Running { started_at: hour(8) }),
        ("c", "1.2", &|_| DeploymentState::Planned),
        // The same version, written another way.
        ("d", "1.01", &installed(1)),
        ("d", "1.2", &|_| DeploymentState::Planned),
    ];
    let row = |((server, version, end), id): ((&str, &str, End), i64)| Deployment {
        transfer: None,
        state: end(hour(id) + TimeDelta::seconds(id)),
        ..deployment(id, server, version)
    };
    rows.into_iter().zip(1..).map(row).collect()
}

async fn write(store: &Store, rows: Vec<Row>) {
    store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
}

/// Every answer about [`history`].
async fn answers(store: &Store) {
    let ids = |rows: Vec<Stored<Deployment>>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(store.all_open_deployments().await.unwrap()), [8, 9, 11]);
    assert_eq!(ids(store.open_deployments("d").await.unwrap()), [11]);
    assert_eq!(ids(store.failed_attempts(hour(0)).await.unwrap()), [2, 3, 6]);
    // The bound is part of it, to the millisecond.
    let third = hour(3) + TimeDelta::seconds(3);
    assert_eq!(ids(store.failed_attempts(third).await.unwrap()), [3, 6]);
    assert_eq!(ids(store.failed_attempts(third + TimeDelta::milliseconds(1)).await.unwrap()), [6]);

    let tally = |tally: Vec<noctule::edge::store::Tally>| {
        let line = |t: noctule::edge::store::Tally| {
            let minutes = t.started_at.map(|at| (t.finished_at - at).num_minutes());
            format!("{} {} {} {:?} {minutes:?}", t.server, t.product, t.version, t.end)
        };
        tally.into_iter().map(line).collect::<Vec<_>>()
    };
    let all = [
        "a isacompta 1.1 Installed Some(20)",
        "b isacompta 1.1 RolledBack Some(120)",
        "b isacompta 1.1 Failed None",
        "b isacompta 1.1 Installed Some(41)",
        "c isacompta 1.1 Failed None",
        "a isacompta 1.2 Installed Some(30)",
        "d isacompta 1.01 Installed Some(1)",
    ];
    assert_eq!(tally(store.release_tally(hour(0), None).await.unwrap()), all);
    assert_eq!(tally(store.release_tally(third, None).await.unwrap()), all[2..]);
    let canaries = ["b".to_owned(), "nobody".to_owned(), "c".to_owned()];
    assert_eq!(tally(store.release_tally(hour(0), Some(&canaries)).await.unwrap()), all[1..5]);
    assert_eq!(tally(store.release_tally(hour(0), Some(&[])).await.unwrap()), [""; 0]);
    let ends: Vec<AttemptEnd> =
        store.release_tally(hour(0), Some(&canaries)).await.unwrap().into_iter().map(|t| t.end).collect();
    assert_eq!(ends[..2], [AttemptEnd::RolledBack, AttemptEnd::Failed]);

    let outcomes = store.release_outcomes(hour(0)).await.unwrap();
    let (first, second) = (
        Outcomes { installed: 3, rolled_back: 1, failed: 2, servers_failed: 2 },
        Outcomes { installed: 1, ..Outcomes::default() },
    );
    assert_eq!(outcomes, [(release("1.1"), first), (release("1.2"), second)].into());
    assert_eq!(store.release_outcomes(hour(24)).await.unwrap(), [].into());
    let late = Outcomes { installed: 2, rolled_back: 0, failed: 1, servers_failed: 1 };
    assert_eq!(store.release_outcomes(hour(4)).await.unwrap()[&release("1.1")], late);

    let times = |releases: &'static [&'static str], per_release| async move {
        let releases: Vec<ReleaseId> = releases.iter().map(|version| release(version)).collect();
        let times = store.install_times(&releases, per_release).await.unwrap();
        times.into_iter().map(|time| (time.version.to_string(), time.minutes)).collect::<Vec<_>>()
    };
    let of = |version: &str, minutes| (version.to_owned(), minutes);
    assert_eq!(times(&["1.1", "1.2"], 10).await, [of("1.2", 30), of("1.1", 41), of("1.1", 20)]);
    assert_eq!(times(&["1.1", "1.2"], 1).await, [of("1.2", 30), of("1.1", 41)]);
    assert_eq!(times(&["1.01", "9"], 10).await, [of("1.01", 1)]);
    assert_eq!(times(&[], 10).await, []);
}

#[tokio::test]
async fn attempts_are_found_and_counted() {
    databases::each(|store| async move {
        // Each goes through the states it would have gone through: columns follow the body.
        for one in history() {
            let planned = Deployment { state: DeploymentState::Planned, ..one.clone() };
            write(&store, vec![Row::Deployment(Stored::new(planned))]).await;
            write(&store, vec![Row::Deployment(Stored { rev: 1, value: one })]).await;
        }
        answers(&store).await;
    })
    .await;
}

fn request(id: i64, state: RequestState) -> Request {
    Request {
        id,
        client: "martin".into(),
        product: "isacompta".into(),
        version: "15".parse().unwrap(),
        servers: Vec::new(),
        received_at: noon(),
        by: "martin@example.org".into(),
        before: noon().date_naive(),
        state,
    }
}

fn agreement(id: i64) -> Agreement {
    Agreement {
        id,
        client: "martin".into(),
        agreed: Agreed::Slot {
            server: "s".into(),
            product: "isacompta".into(),
            slot: Slot::new(noon(), hour(id)).unwrap(),
        },
        by: "a".into(),
        at: noon(),
    }
}

fn promises() -> Vec<Row> {
    let (at, by) = (noon(), "x".to_owned());
    let states = [
        RequestState::Accepted,
        RequestState::Done { at },
        RequestState::Cancelled { at, by },
        RequestState::Expired { at },
        RequestState::Accepted,
    ];
    let requests = states.into_iter().zip(1..).map(|(state, id)| Row::Request(Stored::new(request(id, state))));
    requests.chain((1..=3).map(|id| Row::Agreement(Stored::new(agreement(id))))).collect()
}

async fn promised(store: &Store) {
    let requests = store.accepted_requests().await.unwrap();
    assert_eq!(requests.iter().map(|request| request.id).collect::<Vec<_>>(), [1, 5]);
    assert_eq!(requests[0].value, request(1, RequestState::Accepted));
    let agreements = store.agreements_after(hour(1)).await.unwrap();
    assert_eq!(agreements.iter().map(|agreement| agreement.id).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn what_was_promised_is_found_while_it_stands() {
    databases::each(|store| async move {
        write(&store, promises()).await;
        promised(&store).await;
    })
    .await;
}

#[tokio::test]
async fn open_alerts_are_found_by_many_causes() {
    databases::each(|store| async move {
        let (at, by) = (noon(), "claire".to_owned());
        let mut rows = Vec::new();
        for id in 1..=600 {
            let state = match id % 3 {
                0 => AlertState::Open { level: 0 },
                1 => AlertState::Acknowledged { at, by: by.clone(), level: 0 },
                _ => AlertState::Resolved { at, note: "back".into(), by: None, level: 0, taken_up: None },
            };
            let mut one = alert(id, state);
            one.cause = format!("held/{id}");
            rows.push(Row::Alert(Stored::new(one)));
        }
        write(&store, rows).await;
        let causes: Vec<String> = (0..=900).map(|id| format!("held/{id}")).collect();
        let found = store.open_alerts_by_cause(&causes).await.unwrap();
        assert_eq!(found.len(), 400);
        assert!(found.iter().all(|(cause, alert)| *cause == alert.cause && alert.is_open()));
        assert_eq!(store.open_alerts_by_cause(&["held/2".into(), "held/3".into()]).await.unwrap().len(), 1);
        assert_eq!(store.open_alerts_by_cause(&[]).await.unwrap().len(), 0);
        assert_eq!(store.alerts(false).await.unwrap().len(), 400);
        assert_eq!(store.open_alert("held/2").await.unwrap(), None);
    })
    .await;
}

/// Takes a database back to the tables of the first version, rows and all.
const FIRST_VERSION: &str = "DROP INDEX deployment_ended; DROP INDEX deployment_failed; DROP INDEX deployment_installed; \
    DROP INDEX request_accepted; DROP INDEX agreement_by_slot_end; DROP INDEX deployment_missed; \
    DROP INDEX alert_by_client; DROP INDEX notice_by_client_written; DROP INDEX event_by_client_at; \
    DROP INDEX history_by_slot; DROP INDEX history_by_client; DROP INDEX history_by_server; DROP INDEX history_by_product; \
    DROP INDEX history_troubled; DROP INDEX history_open; DROP INDEX event_by_time; DROP INDEX event_by_server_time; \
    CREATE INDEX deployment_by_client_slot_start ON deployment (client, slot_start); \
    CREATE INDEX deployment_by_slot_start ON deployment (slot_start); CREATE INDEX event_by_at ON event (at); CREATE INDEX event_by_server ON event (server); \
    ALTER TABLE alert DROP COLUMN client; ALTER TABLE alert DROP COLUMN raised_at; \
    ALTER TABLE notice DROP COLUMN written_at; \
    ALTER TABLE deployment DROP COLUMN started_at; ALTER TABLE deployment DROP COLUMN finished_at; \
    ALTER TABLE request DROP COLUMN state; ALTER TABLE agreement DROP COLUMN slot_end; DROP TABLE shared_text; DROP TABLE signing_key; DROP TABLE hold; DROP TABLE resumption; DROP TABLE webhook_call; \
    DROP TABLE personal; \
    DELETE FROM seaql_migrations WHERE version <> 'm0001_nouns'";

const UNTAGGED: &str = "UPDATE agreement SET body = replace(body, '\"agreed\":\"slot\",', '') \
    WHERE body LIKE '%\"agreed\":\"slot\",%'";

#[tokio::test]
async fn rows_of_the_first_version_are_found_too() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        let rows = history().into_iter().map(|one| Row::Deployment(Stored::new(one))).chain(promises()).collect();
        write(&store, rows).await;
        store.close().await.unwrap();
        let behind = Database::connect(&url).await.unwrap();
        behind.execute_unprepared(FIRST_VERSION).await.unwrap();
        // An agreement could be about another slot only, and did not say so.
        let untagged = behind.execute_unprepared(UNTAGGED).await.unwrap();
        assert_eq!(untagged.rows_affected(), 3);
        behind.close().await.unwrap();
        let store = Store::open(&url).await.unwrap();
        answers(&store).await;
        promised(&store).await;
        let agreements = store.agreements_after(noon()).await.unwrap();
        assert_eq!(agreements.into_iter().map(|a| a.value).collect::<Vec<_>>(), [1, 2, 3].map(agreement));
        store.close().await.unwrap();
    })
    .await;
}
