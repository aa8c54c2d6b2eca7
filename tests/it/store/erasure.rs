//! What people are called stands beside the history, shows when it is touched, and goes without breaking a chain.

use super::{databases, deployment, noon};
use noctule::edge::store::{Changes, Erasable, EventFilter, Row, Store, Stored};
use noctule::model::decision::Reason;
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::rule::Rule;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

const CLAIRE: &str = "claire@martin.example";

fn said(client: &str, text: &str, personal: &[&str]) -> NewEvent {
    NewEvent::new(noon(), client, EventKind::Agreed, text).personal(personal.iter().copied())
}

async fn write(store: &Store, events: Vec<NewEvent>) {
    store.commit(Changes { events, ..Changes::default() }).await.unwrap();
}

/// Everything that is said in the history, reasons too.
async fn told(store: &Store, client: &str) -> Vec<String> {
    let filter = EventFilter { client: Some(client.to_owned()), ..EventFilter::default() };
    let events = store.events(&filter).await.unwrap();
    let lines = |event: &noctule::model::event::Event| {
        let reasons = event.body.reasons.iter().map(|reason| reason.fr.clone());
        std::iter::once(event.body.text.clone()).chain(reasons).collect::<Vec<_>>()
    };
    let told: Vec<String> = events.iter().flat_map(lines).collect();
    let pages = store.chain_events(client, &[], None).await.unwrap();
    assert_eq!(told, pages.iter().flat_map(lines).collect::<Vec<_>>(), "both ways to read are the same");
    told
}

/// Whether any row of the table has it in its body.
async fn stands_in(db: &DatabaseConnection, table: &str, column: &str, words: &str) -> bool {
    let found = format!("SELECT 1 FROM {table} WHERE {column} LIKE '%{words}%' LIMIT 1");
    !db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), found)).await.unwrap().is_empty()
}

/// A history in which Claire agreed, was quoted, and her address stands in a reason; and a record of hers.
async fn history(store: &Store) {
    let reason = Reason::new(Rule::MajorNotice, format!("{CLAIRE} agreed"), format!("{CLAIRE} a accepté"));
    let planned = NewEvent::new(noon(), "martin", EventKind::Planned, "isacompta 15 is planned");
    write(
        store,
        vec![
            said("martin", &format!("agreed by {CLAIRE} (main contact)"), &[]),
            said("martin", "hold 1 by Zoé: Mme Claire Martin is away", &["Zoé", "Mme Claire Martin is away"]),
            planned.reasons([reason].into()),
            said("other", &format!("agreed by {CLAIRE}"), &[]),
        ],
    )
    .await;
    let attended = noctule::model::deployment::Deployment {
        attended_by: Some("Mme Claire Martin".to_owned()),
        ..deployment(1, "martin-1", "14.20.003")
    };
    store.commit(Changes { rows: vec![Row::Deployment(Stored::new(attended))], ..Changes::default() }).await.unwrap();
}

fn claire() -> Vec<Erasable> {
    [CLAIRE, "Claire Martin"].map(|one| one.parse().unwrap()).to_vec()
}

#[tokio::test]
async fn no_hashed_body_holds_a_name_and_every_reader_sees_it() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        history(&store).await;
        let db = Database::connect(&url).await.unwrap();
        for words in [CLAIRE, "Claire Martin", "Zoé"] {
            assert!(!stands_in(&db, "event", "body", words).await, "{words}");
            assert!(stands_in(&db, "personal", "words", words).await, "{words}");
        }
        assert_eq!(
            told(&store, "martin").await,
            [
                "agreed by claire@martin.example (main contact)",
                "hold 1 by Zoé: Mme Claire Martin is away",
                "isacompta 15 is planned",
                "claire@martin.example a accepté",
            ]
        );
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn whatever_is_done_to_the_words_is_found() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        history(&store).await;
        let db = Database::connect(&url).await.unwrap();
        db.execute_unprepared("CREATE TABLE kept AS SELECT * FROM personal").await.unwrap();
        for (statement, expected) in [
            ("UPDATE personal SET words = 'Zoe' WHERE words = 'Zoé'", vec![2]),
            ("UPDATE personal SET words = '[erased]', salt = '' WHERE client = 'martin'", vec![1, 2, 2, 3]),
            ("UPDATE personal SET salt = 'x' WHERE words = 'Zoé'", vec![2]),
            ("DELETE FROM personal WHERE words = 'Zoé'", vec![2]),
            ("DELETE FROM personal WHERE client = 'martin'", vec![1, 2, 2, 3]),
        ] {
            db.execute_unprepared(statement).await.unwrap();
            let breaks = store.verify_chain(Some("martin")).await.unwrap();
            let found: Vec<i64> = breaks.iter().map(|b| b.seq).collect();
            assert_eq!(found, expected, "{statement}: {breaks:?}");
            assert!(breaks.iter().all(|b| b.what.contains("not what was written")), "{breaks:?}");
            assert_eq!(store.verify_chain(Some("other")).await.unwrap(), []);
            db.execute_unprepared("DELETE FROM personal; INSERT INTO personal SELECT * FROM kept").await.unwrap();
        }
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_person_is_erased_everywhere_and_the_chain_holds() {
    databases::each_url(|url| async move {
        let store = Store::open(&url).await.unwrap();
        history(&store).await;
        let before = store.heads().await.unwrap();
        let would = store.erasable("martin", &claire()).await.unwrap();
        assert_eq!((would.mentioned(), would.records), (3, 1));
        assert_eq!(store.heads().await.unwrap(), before, "looking changes nothing");

        let tell = |chain: &str, _: &_| said(chain, "a person was erased, as Zoé wants", &["Zoé"]);
        let erased = store.erase("martin", &claire(), tell).await.unwrap();
        assert_eq!(erased, would);
        assert_eq!(
            told(&store, "martin").await,
            [
                "agreed by [erased] (main contact)",
                "hold 1 by Zoé: Mme [erased] is away",
                "isacompta 15 is planned",
                "[erased] a accepté",
                "a person was erased, as Zoé wants",
            ]
        );
        assert_eq!(told(&store, "other").await, ["agreed by claire@martin.example"], "another client's contact");
        let attended = store.deployment(1).await.unwrap().unwrap();
        assert_eq!((attended.attended_by.as_deref(), attended.rev), (Some("Mme [erased]"), 2));
        assert_eq!(store.verify_chain(None).await.unwrap(), []);

        // Nothing is left, and there is nothing to tell a second time.
        let again = store.erase("martin", &claire(), tell).await.unwrap();
        assert_eq!((again.mentioned(), again.records), (0, 0));
        assert_eq!(told(&store, "martin").await.len(), 5);
        store.erase("other", &claire(), |chain, _| said(chain, "a person was erased", &[])).await.unwrap();
        let db = Database::connect(&url).await.unwrap();
        for words in ["claire@", "Claire Martin"] {
            assert!(!stands_in(&db, "personal", "words", words).await);
            assert!(!stands_in(&db, "deployment", "body", words).await);
        }
        // What is erased cannot be guessed: its salt is gone, and nothing misses it. What is not is still held to its digest.
        db.execute_unprepared("DELETE FROM personal WHERE salt = ''").await.unwrap();
        assert!(!stands_in(&db, "personal", "words", "[erased]").await);
        db.execute_unprepared("UPDATE personal SET words = 'Zoe' WHERE words = 'Zoé'").await.unwrap();
        let seqs: Vec<i64> = store.verify_chain(None).await.unwrap().iter().map(|b| b.seq).collect();
        assert_eq!(seqs, [2, 4]);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_somebody_else_writes_meanwhile_is_not_lost() {
    databases::each(|store| async move {
        history(&store).await;
        let read = store.deployment(1).await.unwrap().unwrap();
        store.erase("martin", &claire(), |chain, _| said(chain, "erased", &[])).await.unwrap();
        // Whoever read it before writes nothing back.
        let rows = vec![Row::Deployment(read.with(read.value.clone()))];
        assert!(store.commit(Changes { rows, ..Changes::default() }).await.is_err());
        assert_eq!(store.deployment(1).await.unwrap().unwrap().attended_by.as_deref(), Some("Mme [erased]"));
    })
    .await;
}
