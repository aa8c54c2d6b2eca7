//! History: one chain per client that never forks, and no row that can be touched unseen.

use super::{databases, event, noon, texts};
use noctule::edge::store::{ChainBreak, Changes, Store};
use noctule::model::checkpoint::Checkpoint;
use noctule::model::event::{EventKind, NewEvent, PROVIDER};
use sea_orm::{ConnectionTrait, Database};

fn of(client: &str, text: &str) -> NewEvent {
    NewEvent::new(noon(), client, EventKind::Planned, text).server("martin-1")
}

async fn write(store: &Store, events: Vec<NewEvent>) {
    store.commit(Changes { events, ..Changes::default() }).await.unwrap();
}

#[tokio::test]
async fn concurrent_events_never_fork_the_chain() {
    databases::each(|store| async move {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..5 {
                        write(&store, vec![event(&format!("{writer}/{n}")), event("and one more")]).await;
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
async fn processes_that_share_a_database_share_its_chain() {
    databases::each_url(|url| async move {
        // Two handles that know nothing of each other, as two processes have.
        let stores = [Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap()];
        let writers: Vec<_> = stores
            .iter()
            .map(|store| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..20 {
                        write(&store, vec![event(&n.to_string())]).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(texts(&stores[0]).await.len(), 40);
        assert_eq!(stores[1].verify_chain(None).await.unwrap(), []);
        for store in stores {
            store.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn writers_of_the_same_two_chains_do_not_wait_in_a_circle() {
    databases::each(|store| async move {
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for _ in 0..6 {
                        let mut events = vec![of("martin", "a"), of(PROVIDER, "b")];
                        if writer % 2 == 0 {
                            events.reverse();
                        }
                        write(&store, events).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(texts(&store).await.len(), 72);
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_long_chain_is_walked_to_its_end() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        write(&store, (0..2_500).map(|n| event(&format!("event {n}"))).collect()).await;
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
        let behind = Database::connect(&url).await.unwrap();
        behind.execute_unprepared("UPDATE event SET hash = prev WHERE seq = 2400").await.unwrap();
        let seqs: Vec<i64> = store.verify_chain(None).await.unwrap().iter().map(|b| b.seq).collect();
        assert_eq!(seqs, [2400, 2401]);
    })
    .await;
}

/// What it is called, what somebody with the database's password did, and the client and event where it has to show.
type Tampering = (&'static str, &'static [&'static str], &'static [(&'static str, i64)]);

const TAMPERINGS: [Tampering; 12] = [
    ("nothing", &[], &[]),
    (
        "changed",
        &["UPDATE event SET body = replace(body, 'event 2', 'event X') WHERE id = 'martin/2'"],
        &[("martin", 2)],
    ),
    ("removed inside", &["DELETE FROM event WHERE id IN ('martin/2', 'martin/3')"], &[("martin", 4)]),
    ("removed first", &["DELETE FROM event WHERE id = 'martin/1'"], &[("martin", 2)]),
    ("removed last", &["DELETE FROM event WHERE id = 'martin/4'"], &[("martin", 4)]),
    ("removed all", &["DELETE FROM event WHERE client = 'martin'"], &[("martin", 4)]),
    (
        "reordered",
        &[
            "UPDATE event SET seq = 100 WHERE id = 'martin/2'",
            "UPDATE event SET seq = 2 WHERE id = 'martin/3'",
            "UPDATE event SET seq = 3 WHERE id = 'martin/2'",
        ],
        &[("martin", 2), ("martin", 3), ("martin", 4)],
    ),
    ("filed under another server", &["UPDATE event SET server = 'other' WHERE id = 'martin/3'"], &[("martin", 3)]),
    ("filed at another time", &["UPDATE event SET at = at + 1 WHERE id = 'martin/3'"], &[("martin", 3)]),
    (
        "moved to another client",
        &["UPDATE event SET client = 'other', seq = 5 WHERE id = 'martin/4'"],
        &[("martin", 4), ("other", 5), ("other", 5), ("other", 5)],
    ),
    (
        "added at the end",
        &["INSERT INTO event (id, client, server, prev, hash, seq, deployment, at, body) \
             SELECT 'martin/5', client, server, prev, hash, 5, deployment, at, body FROM event WHERE id = 'martin/4'"],
        &[("martin", 5), ("martin", 5)],
    ),
    (
        "cut, the end removed with it",
        &["DELETE FROM event WHERE id = 'martin/4'", "DELETE FROM chain WHERE client = 'martin'"],
        &[("martin", 3)],
    ),
];

#[tokio::test]
async fn a_rewritten_history_is_found() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        for client in ["martin", "other"] {
            for n in 1..=4 {
                write(&store, vec![of(client, &format!("event {n}"))]).await;
            }
        }
        let behind = Database::connect(&url).await.unwrap();
        for table in ["event", "chain"] {
            behind.execute_unprepared(&format!("CREATE TABLE {table}_kept AS SELECT * FROM {table}")).await.unwrap();
        }
        for (name, statements, expected) in TAMPERINGS {
            for statement in statements {
                behind.execute_unprepared(statement).await.unwrap();
            }
            let breaks = store.verify_chain(None).await.unwrap();
            let found: Vec<(&str, i64)> = breaks.iter().map(|b| (b.client.as_str(), b.seq)).collect();
            assert_eq!(found, expected, "{name}: {breaks:?}");
            let of_martin = expected.iter().filter(|(client, _)| *client == "martin").count();
            assert_eq!(store.verify_chain(Some("martin")).await.unwrap().len(), of_martin, "{name}");
            for table in ["event", "chain"] {
                let restore = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {table}_kept");
                behind.execute_unprepared(&restore).await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_history_forged_from_its_first_event_is_found_by_a_checkpoint() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        for client in ["martin", "other"] {
            write(&store, (1..=4).map(|n| of(client, &format!("event {n}"))).collect()).await;
        }
        let heads = store.heads().await.unwrap();
        let checkpoint = Checkpoint { origin: "example.net".to_owned(), at: noon(), heads };
        assert_eq!(checkpoint.to_string().parse().as_ref(), Ok(&checkpoint), "as it is kept elsewhere");
        // What is appended later takes nothing back.
        write(&store, vec![of("martin", "event 5")]).await;
        assert_eq!(store.verify_against(&checkpoint, None).await.unwrap(), []);

        let behind = Database::connect(&url).await.unwrap();
        behind.execute_unprepared("DELETE FROM event WHERE client = 'martin'").await.unwrap();
        behind.execute_unprepared("DELETE FROM chain WHERE client = 'martin'").await.unwrap();
        let found = |breaks: &[ChainBreak]| -> Vec<(String, i64)> {
            breaks.iter().map(|b| (b.client.clone(), b.seq)).collect()
        };
        let missing = store.verify_against(&checkpoint, None).await.unwrap();
        assert_eq!(found(&missing), [("martin".to_owned(), 4)], "{missing:?}");
        // Somebody writes another past, whole and with its end.
        write(&store, (1..=6).map(|n| of("martin", &format!("another {n}"))).collect()).await;
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
        let forged = store.verify_against(&checkpoint, None).await.unwrap();
        assert_eq!(found(&forged), [("martin".to_owned(), 4)], "{forged:?}");
        assert_eq!(store.verify_against(&checkpoint, Some("other")).await.unwrap(), []);
    })
    .await;
}
