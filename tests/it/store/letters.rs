//! Letters that are about the same release share its manifest, and nobody who reads them sees it.

use super::{databases, noon, notice};
use crate::world::manifest;
use chrono::TimeDelta;
use noctule::edge::store::{Changes, Row, Store};
use noctule::model::manifest::Text;
use noctule::model::notice::{Installation, Letter, NewNotice, Notice, NoticeState};
use noctule::model::slot::Slot;
use sea_orm::{ConnectionTrait, Database, Statement};

/// A letter whose manifest holds what is hard to cut out of a text.
fn planned(n: i64, version: &str) -> NewNotice {
    let mut manifest = manifest("isacompta", version, "minor", "");
    manifest.notes = Text { fr: "« \"manifest\":{ » \\ } \n{".into(), en: Some("\"manifest\":\"sha256:".into()) };
    let letter = Letter::Moved {
        installation: Installation {
            server: "martin-1".into(),
            zone: chrono_tz::Europe::Paris,
            product: "isacompta".into(),
            from: None,
            to: version.parse().unwrap(),
            slot: Slot::new(noon(), noon() + TimeDelta::hours(9)).unwrap(),
            deadline: None,
            finished_at: None,
            sequence: None,
            manifest: manifest.into(),
        },
        was: Slot::new(noon(), noon() + TimeDelta::hours(1)).unwrap(),
        why: Text { fr: "{\"manifest\":{}}".into(), en: None },
    };
    NewNotice { letter, ..notice(&n.to_string()) }
}

async fn number(url: &str, sql: &str) -> i64 {
    let db = Database::connect(url).await.unwrap();
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    let number = row.try_get_by_index(0).unwrap();
    db.close().await.unwrap();
    number
}

async fn bodies(store: &Store) -> Vec<NewNotice> {
    store.notices(None, 100).await.unwrap().into_iter().map(|notice| notice.value.body).collect()
}

#[tokio::test]
async fn letters_share_a_manifest_and_read_whole() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        let letters: Vec<NewNotice> =
            (1..=8).map(|n| planned(n, if n <= 5 { "14.20.003" } else { "14.20.004" })).chain([notice("9")]).collect();
        let jobs = letters.iter().map(|notice| Changes { notices: vec![notice.clone()], ..Changes::default() });
        assert!(store.commit_batch(jobs.collect()).await.unwrap().iter().all(Result::is_ok));
        assert_eq!(bodies(&store).await, letters);
        assert_eq!(number(&url, "SELECT COUNT(*) FROM shared_text").await, 2);
        let whole = serde_json::to_string(&letters[0]).unwrap().len() as i64;
        assert!(number(&url, "SELECT CAST(MAX(LENGTH(body)) AS BIGINT) FROM notice").await < whole - 200);

        // Leased and sent, they are the same letters still.
        let lease = noon() + TimeDelta::minutes(5);
        let leased = store.lease_notices(noon(), lease, 100).await.unwrap();
        assert_eq!(leased.iter().map(|notice| notice.value.body.clone()).collect::<Vec<_>>(), letters);
        let sent = leased.iter().map(|notice| {
            let state = NoticeState::Sent { at: lease };
            Row::Notice(notice.with(Notice { state, attempts: 1, ..notice.value.clone() }))
        });
        store.commit(Changes { rows: sent.collect(), ..Changes::default() }).await.unwrap();
        assert_eq!(bodies(&store).await, letters);
        assert_eq!(number(&url, "SELECT COUNT(*) FROM shared_text").await, 2);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_holds_its_manifest_itself_is_read_and_sent() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        store.commit(Changes { notices: vec![planned(1, "14.20.003")], ..Changes::default() }).await.unwrap();
        // As it was written before manifests were shared.
        let notice = store.notices(None, 1).await.unwrap().remove(0);
        let behind = Database::connect(&url).await.unwrap();
        let (backend, old) = (behind.get_database_backend(), serde_json::to_string(&notice.value).unwrap());
        let update = Statement::from_sql_and_values(backend, "UPDATE notice SET body = $1", [old.into()]);
        behind.execute_raw(update).await.unwrap();
        behind.execute_unprepared("DELETE FROM shared_text").await.unwrap();
        behind.close().await.unwrap();
        assert_eq!(store.notices(None, 1).await.unwrap(), std::slice::from_ref(&notice));
        let lease = noon() + TimeDelta::minutes(5);
        let leased = store.lease_notices(noon(), lease, 1).await.unwrap();
        assert_eq!(leased[0].value.body, notice.value.body);
        assert_eq!(store.notices(None, 1).await.unwrap(), leased);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_manifest_is_gone_says_so() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        store.commit(Changes { notices: vec![planned(1, "14.20.003")], ..Changes::default() }).await.unwrap();
        let behind = Database::connect(&url).await.unwrap();
        behind.execute_unprepared("DELETE FROM shared_text").await.unwrap();
        let error = store.notices(None, 1).await.unwrap_err();
        assert!(error.to_string().contains("shared text"), "{error}");
        store.close().await.unwrap();
    })
    .await;
}
