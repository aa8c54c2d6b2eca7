//! What nobody reports: silence, installations that never end, alerts that nobody takes charge of.

use super::databases;
use super::world::{commit_fleet, manifest, orchestrator, paris, publish, report};
use noctule::edge::store::{Changes, DeploymentFilter, EventFilter, Row};
use noctule::model::alert::{AlertClass, AlertState, NewAlert};
use noctule::model::event::EventKind;
use noctule::model::notice::Letter;
use noctule::work::{Orchestrator, alerts, planning, post, watch};

async fn kinds(o: &Orchestrator) -> Vec<EventKind> {
    o.store.events(&EventFilter::default()).await.unwrap().into_iter().map(|event| event.body.kind).collect()
}

fn found(silent: usize, heard: usize, timed_out: usize, escalated: usize) -> watch::Report {
    watch::Report { silent, heard, timed_out, escalated }
}

#[tokio::test]
async fn a_silent_agent_is_one_alert_until_it_is_heard() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 10:00").await;
        commit_fleet(&o).await;
        o.heard_from("martin-1", o.clock.now());
        assert_eq!(watch::run(&o).await.unwrap(), found(0, 0, 0, 0));
        for (now, expected) in [
            ("2026-04-29 11:15", found(0, 0, 0, 0)),
            ("2026-04-29 11:16", found(1, 0, 0, 0)),
            ("2026-04-29 11:17", found(0, 0, 0, 0)),
        ] {
            o.clock.advance_to(paris(now));
            assert_eq!(watch::run(&o).await.unwrap(), expected, "{now}");
        }
        let alert = o.store.alerts(false).await.unwrap().remove(0);
        assert_eq!((alert.class, alert.due), (AlertClass::Systems, paris("2026-04-29 13:16")));
        assert!(alert.text.contains("2026-04-29 10:00"), "{}", alert.text);
        o.heard_from("martin-1", o.clock.now());
        assert_eq!(watch::run(&o).await.unwrap(), found(0, 1, 0, 0));
        assert!(o.store.alerts(false).await.unwrap().is_empty());
        assert_eq!(kinds(&o).await, [EventKind::AlertRaised, EventKind::AlertResolved]);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_silent_for_the_time_we_were_away() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 10:00").await;
        commit_fleet(&o).await;
        o.heard_from("martin-1", o.clock.now());
        watch::run(&o).await.unwrap();
        drop(o);
        let o = orchestrator(dir.path(), &url, "2026-04-29 18:00").await;
        assert_eq!(watch::run(&o).await.unwrap(), found(0, 0, 0, 0));
        o.clock.advance_to(paris("2026-04-29 19:16"));
        assert_eq!(watch::run(&o).await.unwrap(), found(1, 0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_installation_that_never_ends_fails_and_the_client_is_told_the_truth() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        let planned = o.store.deployments(&DeploymentFilter::default()).await.unwrap().remove(0);
        o.clock.advance_to(paris("2026-04-29 22:30"));
        let running = planned.value.clone().start(o.clock.now()).unwrap();
        let rows = vec![Row::Deployment(planned.with(running))];
        o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        // The slot ends at 07:00; the agent is given its silence (75 minutes) to report.
        for (now, timed_out) in [("2026-04-30 08:15", 0), ("2026-04-30 08:16", 1), ("2026-04-30 08:17", 0)] {
            o.clock.advance_to(paris(now));
            assert_eq!(watch::run(&o).await.unwrap(), found(0, 0, timed_out, 0), "{now}");
        }
        let failed = o.store.deployments(&DeploymentFilter::default()).await.unwrap().remove(0);
        assert_eq!(failed.state.name(), "failed");
        let letters: Vec<Letter> =
            o.store.notices(Some("martin"), 10).await.unwrap().into_iter().map(|n| n.value.body.letter).collect();
        assert!(matches!(letters[..], [Letter::MinorPlanned(_), Letter::Degraded { .. }]), "{letters:?}");
        assert_eq!(o.store.alerts(false).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_alert_nobody_takes_climbs_level_by_level_until_somebody_does() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut o = orchestrator(dir.path(), &url, "2026-04-30 03:00").await;
        o.staff.levels = ["head", "services", "director"].map(|who| format!("{who}@provider.example")).to_vec();
        commit_fleet(&o).await;
        let alert = NewAlert {
            cause: "test".into(),
            class: AlertClass::Applications,
            client: Some("martin".into()),
            server: Some("martin-1".into()),
            product: None,
            deployment: None,
            title: "a test".into(),
            text: "hold: a test".into(),
        };
        for _ in 0..2 {
            let mut changes = Changes::default();
            alerts::raise(&o, &mut changes, alert.clone()).await.unwrap();
            alerts::raise(&o, &mut changes, alert.clone()).await.unwrap();
            o.store.commit(changes).await.unwrap();
        }
        // 03:00 counts from the start of the service at 07:00 (6.1.1).
        assert_eq!(o.store.alerts(false).await.unwrap()[0].due, paris("2026-04-30 09:00"));
        for (now, escalated) in [
            ("2026-04-30 09:00", 0),
            ("2026-04-30 09:01", 1),
            ("2026-05-01 08:59", 0),
            ("2026-05-01 09:00", 1),
            ("2026-05-02 09:00", 1),
            ("2026-05-09 09:00", 0),
        ] {
            o.clock.advance_to(paris(now));
            assert_eq!(watch::run(&o).await.unwrap(), found(0, 0, 0, escalated), "{now}");
        }
        assert_eq!(post::run(&o).await.unwrap().sent, 4);
        let mut told: Vec<String> = std::fs::read_dir(dir.path().join("outbox"))
            .unwrap()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .map(|mail| mail.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().to_owned())
            .collect();
        told.sort();
        let expected = ["director", "head", "iah", "services"].map(|who| format!("{who}@provider.example"));
        assert_eq!(told, expected);
        assert_eq!(alerts::acknowledge(&o, 1, "Nadia").await.unwrap().state, {
            AlertState::Acknowledged { at: o.clock.now(), by: "Nadia".into(), level: 3 }
        });
        o.clock.advance_to(paris("2026-05-20 09:00"));
        assert_eq!(watch::run(&o).await.unwrap(), found(0, 0, 0, 0));
        alerts::resolve(&o, 1, "Nadia", "done").await.unwrap();
        assert!(alerts::resolve(&o, 1, "Nadia", "again").await.is_err());
        assert!(alerts::acknowledge(&o, 99, "Nadia").await.unwrap_err().to_string().contains("no alert 99"));
    })
    .await;
}
