//! Many jobs at once: each of them whole or absent, whatever stops one, the batch or the machine.

use super::faults::{job, standing, whole_jobs_but as whole_jobs};
use super::listings::client;
use super::{alert, databases, deployment, event, noon, notice};
use noctule::edge::store::{Changes, Limits, Row, Store, StoreError, Stored};
use noctule::model::alert::AlertState;
use noctule::model::notice::{Notice, NoticeState};
use noctule::model::standing::Standing;
use sea_orm::{ConnectionTrait, Database, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use std::collections::BTreeSet;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;

#[tokio::test]
async fn what_meets_a_conflict_is_left_out_alone() {
    databases::each(|store| async move {
        let resolved = || AlertState::Resolved { at: noon(), note: "back".into(), by: None, level: 0, taken_up: None };
        let known = vec![
            Row::Deployment(Stored::new(deployment(1_000, "martin-1", "9.9"))),
            Row::Alert(Stored::new(alert(1, resolved()))),
            Row::Alert(Stored::new(alert(2, AlertState::Open { level: 0 }))),
            Row::Client(Stored::new(client("dupont", &["dupont-1"]))),
        ];
        store.commit(Changes { rows: known, ..Changes::default() }).await.unwrap();
        let bad = [
            // Somebody else changed it.
            (10, Row::Deployment(Stored { rev: 7, value: deployment(1_000, "martin-1", "9.9") })),
            // It is not there any more.
            (11, Row::Deployment(Stored { rev: 1, value: deployment(2_000, "martin-1", "9.9") })),
            // Planned already, under another id.
            (20, Row::Deployment(Stored::new(deployment(3_000, "martin-1", "9.9")))),
            // The id is taken.
            (30, Row::Deployment(Stored::new(deployment(1_000, "elsewhere", "9.9")))),
            // Another alert about the same is open: the statement that meets it does not say which row did.
            (40, Row::Alert(Stored { rev: 1, value: alert(1, AlertState::Open { level: 0 }) })),
            // Somebody else's server.
            (50, Row::Client(Stored::new(client("thief", &["dupont-1"])))),
        ];
        let mut batch: Vec<Changes> = (1..=60).map(job).collect();
        for (n, row) in &bad {
            // A good row before and after: neither may stay.
            batch[n - 1].rows.push(row.clone());
            batch[n - 1].rows.push(Row::Standing(standing(&format!("{n}"))));
        }
        let done = store.commit_batch(batch).await.unwrap();
        let met: Vec<(usize, String)> =
            done.iter().zip(1..).filter_map(|(done, n)| Some((n, done.as_ref().err()?.to_string()))).collect();
        let expected = [
            (10, "deployment 000000001000"),
            (11, "deployment 000000002000"),
            (20, "deployment 000000003000"),
            (30, "deployment 000000001000"),
            (40, "alert 000000000001"),
            (50, "server dupont-1"),
        ];
        let expected: Vec<_> = expected.map(|(n, what)| (n, format!("{what} changed meanwhile"))).into();
        assert_eq!(met, expected);
        let left: BTreeSet<usize> = bad.iter().map(|(n, _)| *n).collect();
        let good: Vec<i64> = (1..=60).filter(|n| !left.contains(n)).map(|n| n as i64).collect();
        assert_eq!(whole_jobs(&store, &[1_000]).await, good);
        assert_eq!(store.standings().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn jobs_that_build_on_each_other_keep_their_order() {
    databases::each(|store| async move {
        let value = |outcome: &str| Standing {
            server: "s".into(),
            outcomes: [("isacompta".to_owned(), outcome.to_owned())].into(),
        };
        let step = |rev: i64| Changes {
            rows: vec![Row::Standing(Stored { rev, value: value(&rev.to_string()) })],
            events: vec![event(&rev.to_string())],
            ..Changes::default()
        };
        // The third finds that the second has been there already.
        let done = store.commit_batch(vec![step(0), step(1), step(1), step(2)]).await.unwrap();
        assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!(store.standing("s").await.unwrap().unwrap(), Stored { rev: 3, value: value("2") });
        assert_eq!(super::texts(&store).await, ["0", "1", "2"]);
        // And within one job: what was open ends, and the same begins again.
        store.commit(job(1)).await.unwrap();
        let one = store.deployment(1).await.unwrap().unwrap();
        let over = one.with(one.value.clone().cancel(noon(), "superseded".into()).unwrap());
        let again = Row::Deployment(Stored::new(deployment(2, "martin-1", "1.1")));
        let both = Changes { rows: vec![Row::Deployment(over), again], ..Changes::default() };
        assert!(store.commit_batch(vec![both]).await.unwrap()[0].is_ok());
        assert_eq!(store.open_deployments("martin-1").await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_may_be_written_once_only_gives_way_to_an_earlier_one() {
    databases::each(|store| async move {
        let row = |id: i64, key: &str| {
            let state = NoticeState::Pending { next_at: noon() };
            let value = Notice { id, body: notice(key), state, attempts: 0, mail: None };
            Changes { rows: vec![Row::Notice(Stored::new(value))], ..Changes::default() }
        };
        let plain = |key: &str| Changes { notices: vec![notice(key)], ..Changes::default() };
        let done = store.commit_batch(vec![plain("a"), row(900, "a"), row(901, "b"), plain("b")]).await.unwrap();
        assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        let kept = store.notices(None, 10).await.unwrap();
        assert_eq!(
            kept.iter().map(|kept| (kept.id, kept.body.key.as_str())).collect::<Vec<_>>(),
            [(1, "a"), (901, "b")]
        );
    })
    .await;
}

#[tokio::test]
async fn more_than_one_transaction_holds_is_all_there() {
    databases::each(|store| async move {
        let batch = (1..=2_500).map(job).collect();
        assert!(store.commit_batch(batch).await.unwrap().iter().all(Result::is_ok));
        assert_eq!(whole_jobs(&store, &[]).await, (1..=2_500).collect::<Vec<_>>());
        assert_eq!(store.commit_batch(Vec::new()).await.unwrap().len(), 0);
        assert!(store.commit_batch(vec![Changes::default()]).await.unwrap()[0].is_ok());
    })
    .await;
}

#[tokio::test]
async fn processes_that_write_batches_at_once_lose_nothing() {
    databases::each_url(|url| async move {
        let stores = [Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap()];
        let writers: Vec<_> = stores
            .iter()
            .zip([0_i64, 10_000])
            .map(|(store, first)| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut written = Vec::new();
                    for round in 0..6 {
                        // Both plan the same installations, in opposite orders, under ids of their own.
                        let mut ids: Vec<i64> = (1..=50).map(|n| first + round * 50 + n).collect();
                        if first > 0 {
                            ids.reverse();
                        }
                        let plan = |id: &i64| {
                            let mut changes = job(*id);
                            let server = format!("s{}", id % 10_000 % 7);
                            let value = deployment(*id, &server, &format!("1.{}", id % 10_000));
                            changes.rows = vec![Row::Deployment(Stored::new(value))];
                            changes.events[1].client = format!("client-{}", id % 5);
                            changes
                        };
                        let done = store.commit_batch(ids.iter().map(plan).collect()).await.unwrap();
                        for (id, done) in ids.into_iter().zip(done) {
                            match done {
                                Ok(()) => written.push(id),
                                Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
                            }
                        }
                    }
                    written
                })
            })
            .collect();
        let mut written = Vec::new();
        for writer in writers {
            written.extend(writer.await.unwrap());
        }
        written.sort_unstable();
        assert_eq!(whole_jobs(&stores[0], &[]).await, written);
        // Each installation was planned, by one of the two.
        let planned: BTreeSet<i64> = written.iter().map(|id| id % 10_000).collect();
        assert_eq!((written.len(), planned.len()), (300, 300));
        for store in stores {
            store.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_abandoned_at_any_moment_leaves_its_first_jobs_whole() {
    databases::each(|store| async move {
        let mut lengths = BTreeSet::new();
        let mut kept: Vec<i64> = Vec::new();
        let covered = |lengths: &BTreeSet<usize>| lengths.contains(&0) && lengths.contains(&4) && lengths.len() > 2;
        // How much is done by a number of polls is the machine's to say: on, until the beginning, the end and some place
        // between them were met.
        for polls in 0..600_i64 {
            if polls >= 40 && covered(&lengths) {
                break;
            }
            let rev = store.standing("s").await.unwrap().map_or(0, |standing| standing.rev);
            // Each builds on the one before, so that each has a transaction of its own.
            let chained = |n: i64| {
                let mut changes = job(polls * 10 + n);
                changes.rows.push(Row::Standing(Stored { rev: rev + n - 1, ..standing("s") }));
                changes
            };
            let mut batch = Box::pin(store.commit_batch((1..=4).map(chained).collect()));
            let mut left = if polls < 40 { polls * 2 } else { polls % 80 };
            std::future::poll_fn(|cx: &mut Context<'_>| {
                left -= 1;
                if left < 0 { Poll::Ready(()) } else { batch.as_mut().poll(cx).map(|done| _ = done.unwrap()) }
            })
            .await;
            drop(batch);
            // What was begun is over before anybody else's turn.
            store
                .commit(Changes { rows: vec![Row::Standing(standing(&format!("{polls}")))], ..Changes::default() })
                .await
                .unwrap();
            let found = whole_jobs(&store, &[]).await;
            let new: Vec<i64> = found.iter().copied().filter(|id| id / 10 == polls).collect();
            assert_eq!(new, (1..=new.len() as i64).map(|n| polls * 10 + n).collect::<Vec<_>>());
            kept.extend(&new);
            assert_eq!(found, kept);
            lengths.insert(new.len());
        }
        assert!(covered(&lengths), "{lengths:?}");
    })
    .await;
}

#[tokio::test]
async fn a_log_cut_short_leaves_whole_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("noctule.db");
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    store.commit_batch((1..=100).map(job).collect()).await.unwrap();
    store.commit_batch((101..=200).map(job).collect()).await.unwrap();
    let base = std::fs::read(&file).unwrap();
    let log = std::fs::read(dir.path().join("noctule.db-wal")).unwrap();
    let mut seen = BTreeSet::new();
    for cut in (0..=20).map(|part| log.len() * part / 20) {
        let after = dir.path().join(format!("cut-{cut}"));
        std::fs::create_dir(&after).unwrap();
        std::fs::write(after.join("noctule.db"), &base).unwrap();
        std::fs::write(after.join("noctule.db-wal"), &log[..cut]).unwrap();
        let left = Store::open(&format!("sqlite:{}", after.join("noctule.db").display())).await.unwrap();
        let jobs = whole_jobs(&left, &[]).await;
        assert_eq!(jobs, (1..=jobs.len() as i64).collect::<Vec<_>>());
        seen.insert(jobs.len());
        left.close().await.unwrap();
    }
    assert_eq!(seen, [0, 100, 200].into());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_finds_the_database_locked_writes_nothing() {
    databases::each_url(|url| async move {
        let limits = Limits { lock_timeout: Duration::from_millis(50), ..Limits::default() };
        let store = Store::open_with(&url, limits).await.unwrap();
        let other = Database::connect(&url).await.unwrap();
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let held = other.begin_with_options(immediate).await.unwrap();
        if url.starts_with("postgres") {
            held.execute_unprepared("LOCK TABLE notice IN EXCLUSIVE MODE").await.unwrap();
        }
        let error = store.commit_batch((1..=10).map(job).collect()).await.unwrap_err();
        assert!(matches!(error, StoreError::Locked(_)), "{error}");
        held.rollback().await.unwrap();
        assert_eq!(whole_jobs(&store, &[]).await, [0_i64; 0]);
        assert!(store.commit_batch((1..=10).map(job).collect()).await.unwrap().iter().all(Result::is_ok));
        assert_eq!(whole_jobs(&store, &[]).await, (1..=10).collect::<Vec<_>>());
        store.close().await.unwrap();
    })
    .await;
}
