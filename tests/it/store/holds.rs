//! Holds and resumptions are kept, found while they hold, and guarded; a letter written as a row is written once.

use super::{databases, event, noon, notice, texts};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use noctule::model::alert::AlertState;
use noctule::model::hold::{Hold, HoldOn, Resumption};
use noctule::model::notice::{Notice, NoticeState};
use noctule::model::release::ReleaseId;

fn hold(id: i64, on: HoldOn, until: Option<DateTime<Utc>>) -> Hold {
    Hold { id, on, until, reason: "inventory".into(), by: "Nadia".into(), at: noon(), lifted: None }
}

fn rows(rows: Vec<Row>) -> Changes {
    Changes { rows, ..Changes::default() }
}

#[tokio::test]
async fn holds_are_listed_while_they_hold() {
    databases::each(|store| async move {
        let first = store.allocate(Sequence::Hold, 3).await.unwrap();
        assert_eq!(first, 1);
        let server = HoldOn::Server { client: "martin".into(), server: "martin-1".into() };
        let release = HoldOn::Release { product: "isacompta".into(), version: "15.30.02/DU3".parse().unwrap() };
        let until = noon() + TimeDelta::microseconds(3_600_000_500);
        let all = vec![
            hold(1, server, Some(until)),
            hold(2, HoldOn::Client { client: "martin".into() }, None),
            hold(3, release, None),
        ];
        let written = all.iter().map(|hold| Row::Hold(Stored::new(hold.clone()))).collect();
        store.commit(rows(written)).await.unwrap();
        let read: Vec<Hold> = store.holds(None).await.unwrap().into_iter().map(|hold| hold.value).collect();
        assert_eq!(read, all);
        let active = async |at| store.holds(Some(at)).await.unwrap().iter().map(|hold| hold.id).collect::<Vec<_>>();
        let moment = TimeDelta::microseconds(1);
        assert_eq!(active(noon() - moment).await, [] as [i64; 0]);
        assert_eq!(active(noon()).await, [1, 2, 3]);
        assert_eq!(active(until - moment).await, [1, 2, 3]);
        assert_eq!(active(until).await, [2, 3]);

        let two = store.hold(2).await.unwrap().unwrap();
        let lifted = two.value.clone().lift(until, "Paul".into()).unwrap();
        let change = |row| Changes { rows: vec![Row::Hold(row)], events: vec![event("lifted")], notices: Vec::new() };
        store.commit(change(two.with(lifted.clone()))).await.unwrap();
        // Whoever read it before that is told, and nothing is written twice.
        let error = store.commit(change(two.with(lifted.clone()))).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(texts(&store).await, ["lifted"]);
        assert_eq!((active(until).await, active(noon()).await), (vec![3], vec![1, 3]));
        assert_eq!(store.hold(2).await.unwrap().unwrap().value, lifted);
        assert_eq!(store.hold(9).await.unwrap(), None);
        assert_eq!(store.holds(None).await.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn resumptions_are_kept_in_order() {
    databases::each(|store| async move {
        let id = store.allocate(Sequence::Resumption, 2).await.unwrap();
        let resumption = |id| Resumption {
            id,
            release: ReleaseId { product: "isacompta".into(), version: "14.20.003".parse().unwrap() },
            at: noon(),
            by: "Nadia".into(),
            reason: "the failures had one cause, now mended".into(),
        };
        for id in [id + 1, id] {
            store.commit(rows(vec![Row::Resumption(Stored::new(resumption(id)))])).await.unwrap();
        }
        let read: Vec<Resumption> = store.resumptions().await.unwrap().into_iter().map(|row| row.value).collect();
        assert_eq!(read, [resumption(id), resumption(id + 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_is_a_row_is_written_once_with_its_event() {
    databases::each(|store| async move {
        assert!(!store.has_notice("legal/1").await.unwrap());
        for (id, first) in [(store.allocate(Sequence::Notice, 1).await.unwrap(), true), (7, false)] {
            let body = notice("legal/1");
            let letter = Notice { id, state: NoticeState::Pending { next_at: noon() }, body, attempts: 0, mail: None };
            let rows = vec![Row::Notice(Stored::new(letter))];
            let outcome = store.commit(Changes { rows, events: vec![event("told")], notices: Vec::new() }).await;
            match outcome {
                Ok(()) => assert!(first),
                Err(error) => assert!(!first && matches!(error, StoreError::Conflict { .. }), "{error}"),
            }
        }
        assert!(store.has_notice("legal/1").await.unwrap() && !store.has_notice("legal/2").await.unwrap());
        assert_eq!(texts(&store).await, ["told"]);
        assert_eq!(store.lease_notices(noon(), noon() + TimeDelta::minutes(5), 9).await.unwrap().len(), 1);
        // The ids of letters written either way do not meet.
        store.commit(Changes { notices: vec![notice("legal/2")], ..Changes::default() }).await.unwrap();
        assert_eq!(store.notices(None, 9).await.unwrap().iter().map(|n| n.id).collect::<Vec<_>>(), [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn an_alert_once_raised_is_remembered() {
    databases::each(|store| async move {
        assert!(!store.was_raised("silent martin-1").await.unwrap());
        let resolved = AlertState::Resolved { at: noon(), note: "done".into(), by: None, level: 0, taken_up: None };
        store.commit(rows(vec![Row::Alert(Stored::new(super::alert(1, resolved)))])).await.unwrap();
        assert!(store.was_raised("silent martin-1").await.unwrap());
        assert!(!store.was_raised("silent martin-2").await.unwrap());
    })
    .await;
}
