//! Failed, abandoned and cut-off commits: whatever stops one, everything of it is there or nothing.

use super::{databases, deployment, event, notice, texts};
use noctule::edge::store::{Changes, Limits, Row, Store, StoreError, Stored};
use proptest::prelude::*;
use sea_orm::{ConnectionTrait, Database, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use std::future::Future;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

/// The `n`th job: a deployment, two lines of history and a letter that belong together.
pub(super) fn job(n: i64) -> Changes {
    Changes {
        rows: vec![Row::Deployment(Stored::new(deployment(n, "martin-1", &format!("1.{n}"))))],
        events: vec![event(&format!("{n}")), event(&format!("{n}"))],
        notices: vec![notice(&format!("{n}"))],
    }
}

/// Which jobs left something, after checking that each of them left everything.
async fn whole_jobs(store: &Store) -> Vec<i64> {
    whole_jobs_but(store, &[]).await
}

/// Like [`whole_jobs`], for a store that had deployments of its own before.
pub(super) async fn whole_jobs_but(store: &Store, known: &[i64]) -> Vec<i64> {
    let mut ids: Vec<i64> = store.deployments(&Default::default()).await.unwrap().iter().map(|d| d.id).collect();
    ids.retain(|id| !known.contains(id));
    ids.sort_unstable();
    let mut letters: Vec<i64> =
        store.notices(None, 10_000).await.unwrap().iter().map(|n| n.value.body.key.parse().unwrap()).collect();
    letters.sort_unstable();
    assert_eq!(letters, ids, "letters and deployments");
    let mut lines: Vec<i64> = texts(store).await.iter().map(|text| text.parse().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ids.iter().flat_map(|id| [*id, *id]).collect::<Vec<_>>(), "history and deployments");
    assert_eq!(store.verify_chain(None).await.unwrap(), []);
    ids
}

#[tokio::test]
async fn a_commit_abandoned_at_any_moment_is_whole_or_absent_and_blocks_nobody() {
    databases::each(|store| async move {
        let mut kept = Vec::new();
        for polls in 0..40 {
            let mut commit = Box::pin(store.commit(job(polls)));
            let mut left = polls;
            let done = std::future::poll_fn(|cx: &mut Context<'_>| {
                if left == 0 {
                    return Poll::Ready(false);
                }
                left -= 1;
                commit.as_mut().poll(cx).map(|result| {
                    result.unwrap();
                    true
                })
            })
            .await;
            drop(commit);
            if done {
                kept.push(polls);
            }
            // The next job is not held up by what the abandoned one had begun.
            store.commit(job(1_000 + polls)).await.unwrap();
        }
        let found = whole_jobs(&store).await;
        assert!(kept.iter().all(|n| found.contains(n)), "{kept:?} {found:?}");
        assert_eq!(found.iter().filter(|n| **n >= 1_000).count(), 40);
        assert!(!found.contains(&0), "what was never begun cannot be there");
    })
    .await;
}

#[tokio::test]
async fn a_log_cut_short_leaves_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("noctule.db");
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    for n in 1..=4 {
        store.commit(job(n)).await.unwrap();
    }
    // The log holds everything since the tables were made; a power cut left the disk some first part of it.
    let base = std::fs::read(&file).unwrap();
    let log = std::fs::read(dir.path().join("noctule.db-wal")).unwrap();
    assert_eq!(whole_jobs(&store).await, [1, 2, 3, 4]);
    let mut seen = std::collections::BTreeSet::new();
    for cut in (0..=24).map(|part| log.len() * part / 24) {
        let after = dir.path().join(format!("cut-{cut}"));
        std::fs::create_dir(&after).unwrap();
        std::fs::write(after.join("noctule.db"), &base).unwrap();
        std::fs::write(after.join("noctule.db-wal"), &log[..cut]).unwrap();
        seen.insert(survivors(&after.join("noctule.db")).await);
    }
    assert!(seen.contains(&4) && seen.len() >= 3, "{seen:?}");
    store.close().await.unwrap();
}

/// How many of the jobs 1, 2, 3… a database opened with part of its log still has: the first ones, each whole.
async fn survivors(file: &Path) -> usize {
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    let jobs = whole_jobs(&store).await;
    assert_eq!(jobs, (1..=jobs.len() as i64).collect::<Vec<_>>());
    // And it goes on from there.
    store.commit(job(99)).await.unwrap();
    assert!(whole_jobs(&store).await.contains(&99));
    store.close().await.unwrap();
    jobs.len()
}

/// What can be wrong with a commit.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// A row that somebody else changed.
    Stale,
    /// A second open deployment of one release.
    Twice,
    /// An id that is taken.
    Taken,
}

fn faults() -> impl Strategy<Value = Vec<(Fault, usize)>> {
    let fault = prop_oneof![Just(Fault::None), Just(Fault::Stale), Just(Fault::Twice), Just(Fault::Taken)];
    proptest::collection::vec((fault, 0_usize..3), 1..12)
}

/// Commits jobs of which some hold a bad row at some place; the good ones must be there and nothing else.
async fn commit_all(store: Store, plan: Vec<(Fault, usize)>) {
    store.commit(job(0)).await.unwrap();
    let mut expected = vec![0];
    for (n, (fault, place)) in plan.into_iter().enumerate() {
        let id = n as i64 + 1;
        let mut changes = job(id);
        changes.rows.extend((1..=2).map(|k| Row::Standing(standing(&format!("{id}/{k}")))));
        let bad = match fault {
            Fault::None => None,
            Fault::Stale => Some(Stored { rev: 7, value: deployment(0, "martin-1", "1.0") }),
            Fault::Twice => Some(Stored::new(deployment(id + 500, "martin-1", "1.0"))),
            Fault::Taken => Some(Stored::new(deployment(0, "elsewhere", "9"))),
        };
        let good = bad.is_none();
        changes.rows.splice(place..place, bad.map(Row::Deployment));
        match store.commit(changes).await {
            Ok(()) => assert!(good, "{fault:?} was let through"),
            Err(error) => assert!(!good && matches!(error, StoreError::Conflict { .. }), "{fault:?}: {error}"),
        }
        if good {
            expected.push(id);
        }
    }
    assert_eq!(whole_jobs(&store).await, expected);
    assert_eq!(store.standings().await.unwrap().len(), (expected.len() - 1) * 2);
}

pub(super) fn standing(server: &str) -> Stored<noctule::model::standing::Standing> {
    Stored::new(noctule::model::standing::Standing { server: server.into(), ..Default::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_failed_commit_changes_nothing(plan in faults()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(databases::each(|store| commit_all(store, plan.clone())));
    }
}

#[tokio::test]
async fn a_locked_database_is_said_and_nothing_is_half_written() {
    databases::each_url(|url| async move {
        let short = Duration::from_millis(50);
        let limits = Limits { lock_timeout: short, ..Limits::default() };
        let store = Store::open_with(&url, limits).await.unwrap();
        store.commit(job(1)).await.unwrap();
        let other = Database::connect(&url).await.unwrap();
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let held = other.begin_with_options(immediate).await.unwrap();
        if url.starts_with("postgres") {
            held.execute_unprepared("LOCK TABLE notice IN EXCLUSIVE MODE").await.unwrap();
        }
        let error = store.commit(job(2)).await.unwrap_err();
        assert!(matches!(error, StoreError::Locked(_)), "{error}");
        // Readers are not in its way.
        assert_eq!(whole_jobs(&store).await, [1]);
        held.rollback().await.unwrap();
        store.commit(job(2)).await.unwrap();
        assert_eq!(whole_jobs(&store).await, [1, 2]);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_database_that_may_only_be_read_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("noctule.db").display());
    Store::open(&url).await.unwrap().commit(job(1)).await.unwrap();
    let store = Store::open(&format!("{url}?mode=ro")).await.unwrap();
    let error = store.commit(job(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    assert!(error.to_string().contains("give this process the right to write"), "{error}");
    assert_eq!(whole_jobs(&store).await, [1]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letters.txt");
    let text = "Madame, Monsieur, ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let error = Store::open(&format!("sqlite:{}", file.display())).await.err().unwrap();
    assert!(error.to_string().contains("letters.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("50%20 d'été #1.db");
    Store::open(&format!("sqlite:{}", file.display())).await.unwrap().close().await.unwrap();
    assert!(file.exists());
}

#[tokio::test]
async fn replicas_that_start_together_agree_on_the_tables() {
    databases::each_url(|url| async move {
        let replicas: Vec<_> = (1..=4)
            .map(|n| {
                let url = url.clone();
                tokio::spawn(async move {
                    let store = Store::open(&url).await.unwrap();
                    store.commit(job(n)).await.unwrap();
                    store
                })
            })
            .collect();
        let mut stores = Vec::new();
        for replica in replicas {
            stores.push(replica.await.unwrap());
        }
        assert_eq!(whole_jobs(&stores[0]).await, [1, 2, 3, 4]);
        // Jobs of different processes share the chain like jobs of one.
        let writers: Vec<_> = (10..30)
            .map(|n| {
                let store = stores[n % 4].clone();
                tokio::spawn(async move { store.commit(job(n as i64)).await.unwrap() })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(whole_jobs(&stores[3]).await.len(), 24);
        for store in stores {
            store.close().await.unwrap();
        }
    })
    .await;
}
