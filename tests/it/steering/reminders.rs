//! Legal dates against a real store: each reminder is one event and one letter, the passed date one alert.

use super::{API, events};
use crate::site;
use noctule::edge::store::{Changes, Row};
use noctule::model::event::PROVIDER;
use noctule::model::notice::{Letter, NoticeState};
use noctule::model::request::{Request, RequestState};
use noctule::work::{alerts, jobs, reminders};
use serde_json::json;

fn found(reminded: usize, missed: usize) -> reminders::Report {
    reminders::Report { reminded, missed }
}

#[tokio::test]
async fn a_legal_date_is_told_of_once_for_each_day_and_once_when_it_has_passed() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "legal_date = \"2026-06-15\"").await;
        for (now, expected) in [
            ("2026-05-15 23:59", found(0, 0)),
            ("2026-05-16 00:00", found(2, 0)),
            ("2026-05-16 00:05", found(0, 0)),
            ("2026-05-31 12:00", found(2, 0)),
        ] {
            site.at(now);
            assert_eq!(reminders::run(&site.o).await.unwrap(), expected, "{now}");
        }
        let martin = site.client("martin").await;
        let ask = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-06-12" }).to_string();
        site.post(&format!("{API}/requests"), &martin, &ask).await.ok();
        // Two replicas at once write one letter and one event.
        site.at("2026-06-07 12:00");
        let (one, two) = tokio::join!(reminders::run(&site.o), reminders::run(&site.o));
        assert_eq!(one.unwrap().reminded + two.unwrap().reminded, 1);
        assert_eq!(events(&site, "martin", "legal_reminder").await.len(), 2);
        let told = events(&site, "rhin", "legal_reminder").await;
        let expected = "reminded, 8 days or less before the legal date 2026-06-15, that isacompta 15.00.001 is not \
                        requested for rhin-1; to be requested by 2026-06-08";
        assert_eq!((told.len(), told[2].as_str()), (3, expected));
        let letters = site.o.store.notices(Some("rhin"), 100).await.unwrap();
        let reminded: Vec<_> = letters
            .iter()
            .filter_map(|n| match &n.body.letter {
                Letter::LegalReminder { request_by, .. } => {
                    Some((n.body.key.as_str(), request_by.unwrap().to_string()))
                }
                _ => None,
            })
            .collect();
        let by = "2026-06-08".to_owned();
        assert_eq!(
            reminded,
            [30, 15, 8]
                .map(|days| format!("legal/rhin/isacompta 15.00.001/{days}"))
                .iter()
                .map(|key| (key.as_str(), by.clone()))
                .collect::<Vec<_>>()
        );
        assert!(letters.iter().all(|n| !matches!(n.state, NoticeState::Sent { .. })));

        for (now, expected) in
            [("2026-06-15 23:59", found(0, 0)), ("2026-06-16 00:00", found(0, 1)), ("2026-06-16 00:05", found(0, 0))]
        {
            site.at(now);
            assert_eq!(reminders::run(&site.o).await.unwrap(), expected, "{now}");
        }
        let alert = site.o.store.open_alert("legal-date/isacompta 15.00.001").await.unwrap().unwrap();
        assert!(alert.text.contains("2026-06-15; never requested by rhin (rhin-1)"), "{}", alert.text);
        assert_eq!(events(&site, PROVIDER, "alert_raised").await.len(), 1);
        // Resolved, it stays so.
        alerts::resolve(&site.o, alert.id, "Zoé", "they were called").await.unwrap();
        assert_eq!(reminders::run(&site.o).await.unwrap(), found(0, 0));
        // The jobs look as well, and the letters can be written and sent.
        jobs::run_all_once(&site.o).await.unwrap();
        let letters = site.o.store.notices(Some("rhin"), 100).await.unwrap();
        assert!(letters.iter().all(|n| matches!(n.state, NoticeState::Sent { .. })), "{letters:?}");
    })
    .await;
}

#[tokio::test]
async fn who_asked_and_was_served_is_not_reminded() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "legal_date = \"2026-06-15\"").await;
        let martin = site.client("martin").await;
        let ask = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-05-12" }).to_string();
        site.post(&format!("{API}/requests"), &martin, &ask).await.ok();
        site.at("2026-05-10 12:00");
        let request = site.o.store.requests(Some("martin")).await.unwrap().remove(0);
        // Carried out; the server does not say yet that it runs it.
        let done = Request { state: RequestState::Done { at: site.o.clock.now() }, ..request.value.clone() };
        let rows = vec![Row::Request(request.with(done))];
        site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        site.at("2026-05-16 00:00");
        assert_eq!(reminders::run(&site.o).await.unwrap(), found(1, 0));
        assert_eq!(events(&site, "martin", "legal_reminder").await.len(), 0);
        site.at("2026-06-16 00:00");
        assert_eq!(reminders::run(&site.o).await.unwrap(), found(0, 1));
        let alert = site.o.store.open_alert("legal-date/isacompta 15.00.001").await.unwrap().unwrap();
        assert!(alert.text.contains("never requested by rhin (rhin-1)"), "{}", alert.text);
    })
    .await;
}
