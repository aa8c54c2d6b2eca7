//! Planning and requests against a real store: what is written, once, and what is told to whom.

use super::world::{commit_fleet, manifest, orchestrator, paris, publish, report};
use super::{databases, world};
use noctule::edge::store::{Changes, DeploymentFilter, EventFilter, Row};
use noctule::model::deployment::DeploymentState;
use noctule::model::event::EventKind;
use noctule::model::fleet::{Ring, Server};
use noctule::model::notice::Letter;
use noctule::model::release::Retraction;
use noctule::work::requests::{Accepted, Answer, Demand};
use noctule::work::{Orchestrator, planning, requests};

async fn kinds(o: &Orchestrator) -> Vec<EventKind> {
    o.store.events(&EventFilter::default()).await.expect("it reads").into_iter().map(|e| e.body.kind).collect()
}

async fn notices(o: &Orchestrator) -> Vec<String> {
    let all = o.store.notices(None, 100).await.expect("it reads");
    all.into_iter().map(|n| n.value.body.key.split('/').next().unwrap_or_default().to_owned()).collect()
}

async fn all(o: &Orchestrator) -> Vec<String> {
    let all = o.store.deployments(&DeploymentFilter::default()).await.expect("it reads");
    all.iter()
        .map(|d| {
            let start = d.slot.start.with_timezone(&chrono_tz::Europe::Paris).format("%d %H:%M");
            format!("{} {} {} {start}", d.server, d.to, d.state.name())
        })
        .collect()
}

fn demand(before: &str) -> Demand {
    Demand {
        client: "martin".into(),
        product: "isacompta".into(),
        version: "15.00.001".parse().expect("a version"),
        before: before.parse().expect("a date"),
        servers: Vec::new(),
        by: "claire@martin.example".into(),
    }
}

#[tokio::test]
async fn a_minor_is_planned_once_with_its_event_and_letter() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        for server in ["martin-1", "rhin-1"] {
            report(&o, server, &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        }
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        let first = planning::run(&o).await.unwrap();
        assert_eq!((first.servers, first.changed), (2, 2));
        let expected = ["martin-1 14.20.003 planned 29 22:00", "rhin-1 14.20.003 planned 29 22:00"];
        assert_eq!(all(&o).await, expected);
        let second = planning::run(&o).await.unwrap();
        assert_eq!((second.changed, second.conflicts), (0, 0));
        assert_eq!(kinds(&o).await, [EventKind::Planned, EventKind::Planned]);
        assert_eq!(notices(&o).await, ["planned", "planned"]);
    })
    .await;
}

#[tokio::test]
async fn a_retraction_cancels_what_was_planned_and_tells_the_client() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        let mut release = o.store.releases().await.unwrap().remove(0);
        release.value.retracted = Some(Retraction { at: o.clock.now(), reason: "faulty".into() });
        o.store.commit(Changes { rows: vec![Row::Release(release)], ..Changes::default() }).await.unwrap();
        planning::run(&o).await.unwrap();
        assert_eq!(all(&o).await, ["martin-1 14.20.003 cancelled 29 22:00"]);
        assert_eq!(notices(&o).await, ["planned", "retracted"]);
        assert_eq!(planning::run(&o).await.unwrap().changed, 0);
    })
    .await;
}

#[tokio::test]
async fn a_stale_backup_is_an_alert_once_and_resolves_itself() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(paris("2026-04-20 20:00"))).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        assert_eq!(o.store.alerts(false).await.unwrap().len(), 0);
        o.clock.advance_to(paris("2026-04-29 21:00"));
        for _ in 0..2 {
            planning::run(&o).await.unwrap();
        }
        let alerts = o.store.alerts(false).await.unwrap();
        assert_eq!(alerts.len(), 1);
        assert!(alerts[0].title.contains("backup-first"), "{}", alerts[0].title);
        // What was planned stays planned: should the backup come in the night, it still goes.
        assert_eq!(all(&o).await, ["martin-1 14.20.003 planned 29 22:00"]);
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        planning::run(&o).await.unwrap();
        assert_eq!(o.store.alerts(false).await.unwrap().len(), 0);
        assert!(kinds(&o).await.contains(&EventKind::Released));
    })
    .await;
}

#[tokio::test]
async fn a_major_is_refused_with_the_arithmetic_and_accepted_with_its_slot() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-30 10:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "15.00.001", "major", "").tap(|m| m.duration_minutes = 180)).await;
        planning::run(&o).await.unwrap();
        assert_eq!(notices(&o).await, ["available"]);

        let Answer::Refused(refusal) = requests::receive(&o, demand("2026-05-08")).await.unwrap() else {
            panic!("five working days from 30 April are 11 May, 1 and 8 May being holidays");
        };
        assert_eq!(refusal.earliest, "2026-05-11".parse().ok());
        assert!(refusal.why.fr.contains("5 jours ouvrés (3.1.b.4)"), "{}", refusal.why.fr);

        let Answer::Accepted(accepted) = requests::receive(&o, demand("2026-05-16")).await.unwrap() else {
            panic!("16 May leaves more than five working days");
        };
        let Accepted { request, slots, .. } = accepted.into_iter().next().unwrap();
        assert_eq!(slots[0].slot.start, paris("2026-05-09 08:00"));
        planning::run(&o).await.unwrap();
        assert_eq!(all(&o).await, ["martin-1 15.00.001 planned 09 08:00"]);
        assert_eq!(notices(&o).await, ["available", "refused", "request", "planned"]);

        requests::cancel(&o, request.id, Some("martin"), "claire@martin.example").await.unwrap();
        planning::run(&o).await.unwrap();
        assert_eq!(all(&o).await, ["martin-1 15.00.001 cancelled 09 08:00"]);
        let again = requests::cancel(&o, request.id, Some("martin"), "x").await.unwrap_err();
        assert!(again.to_string().contains("is cancelled and cannot be cancelled"), "{again}");
        let foreign = requests::cancel(&o, request.id, Some("rhin"), "x").await.unwrap_err();
        assert!(foreign.to_string().contains("no request"), "{foreign}");
    })
    .await;
}

#[tokio::test]
async fn a_request_for_several_servers_is_answered_with_the_slot_of_each() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-30 10:00").await;
        commit_fleet(&o).await;
        let known = o.store.client("martin").await.unwrap().unwrap();
        let mut client = known.value.clone();
        for (id, zone) in [("martin-2", chrono_tz::Europe::Paris), ("martin-3", chrono_tz::Indian::Reunion)] {
            client.servers.push(Server { id: id.into(), zone, ring: Ring::Broad });
        }
        let servers: Vec<String> = client.servers.iter().map(|s| s.id.clone()).collect();
        o.store.commit(Changes { rows: vec![Row::Client(known.with(client))], ..Changes::default() }).await.unwrap();
        for server in &servers {
            report(&o, server, &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        }
        publish(&o, manifest("isacompta", "15.00.001", "major", "")).await;
        let Answer::Accepted(accepted) = requests::receive(&o, demand("2026-05-30")).await.unwrap() else {
            panic!("it is refused")
        };
        let slots: Vec<_> = accepted[0].slots.iter().map(|s| (s.server.clone(), s.slot)).collect();
        assert_eq!(slots.iter().map(|(server, _)| server).collect::<Vec<_>>(), servers.iter().collect::<Vec<_>>());
        let letters = o.store.notices(Some("martin"), 100).await.unwrap();
        let told = letters.iter().find_map(|n| match &n.body.letter {
            Letter::MajorRequested { installation, others, .. } => {
                let first = (installation.server.clone(), installation.slot);
                Some([first].into_iter().chain(others.iter().map(|o| (o.server.clone(), o.slot))).collect::<Vec<_>>())
            }
            _ => None,
        });
        assert_eq!(told, Some(slots));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_in_words() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-30 10:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        publish(&o, manifest("isacompta", "15.00.001", "major", "")).await;
        publish(&o, manifest("eic", "9.0", "major", "")).await;
        for (product, version, said) in [
            ("isapaie", "9.0", "there is no product"),
            ("eic", "9.0", "not in the order"),
            ("isacompta", "16.0", "has not been published"),
            ("isacompta", "14.20.003", "without a request"),
        ] {
            let demand = Demand { product: product.into(), version: version.parse().unwrap(), ..demand("2026-06-30") };
            match requests::receive(&o, demand).await.unwrap() {
                Answer::Refused(refusal) => {
                    let why = refusal.why.en.unwrap_or_default();
                    assert!(why.contains(said), "{product}: {why}");
                }
                Answer::Accepted(_) => panic!("{product} {version} was accepted"),
            }
        }
        assert!(all(&o).await.is_empty());
        let unknown = Demand { client: "nobody".into(), ..demand("2026-06-30") };
        assert!(requests::receive(&o, unknown).await.unwrap_err().to_string().contains("no client"));
    })
    .await;
}

#[tokio::test]
async fn a_missed_night_is_moved_and_told() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        o.clock.advance_to(paris("2026-04-30 07:00"));
        planning::run(&o).await.unwrap();
        assert_eq!(all(&o).await, ["martin-1 14.20.003 planned 30 22:00"]);
        o.clock.advance_to(paris("2026-05-01 07:00"));
        planning::run(&o).await.unwrap();
        assert_eq!(all(&o).await, ["martin-1 14.20.003 planned 01 22:00"]);
        assert!(kinds(&o).await.contains(&EventKind::Late));
        assert_eq!(notices(&o).await.iter().filter(|n| *n == "moved").count(), 2);
        let deployment = o.store.open_deployments("martin-1").await.unwrap().remove(0);
        assert!(matches!(deployment.state, DeploymentState::Planned));
        assert_eq!(deployment.deadline, Some(paris("2026-05-01 07:00")));
        assert_eq!(world::fleet().clients.len(), 2);
    })
    .await;
}

trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl<T> Tap for T {}
