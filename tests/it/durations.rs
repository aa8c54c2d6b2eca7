//! Planner and hand-out go by the same durations: what fits into a slot for one fits for the other.

use super::databases;
use super::world::{commit_fleet, manifest, orchestrator, paris, publish, report};
use chrono::TimeDelta;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::manifest::Manifest;
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use noctule::work::checkin::{self, Intent};
use noctule::work::{Orchestrator, planning};

/// Ten servers elsewhere installed isacompta 14.20.003 in so many minutes.
async fn observed(o: &Orchestrator, minutes: i64) {
    let now = o.clock.now();
    let started_at = now - TimeDelta::minutes(minutes);
    let one = |id: i64| Deployment {
        id,
        action: id,
        position: 0,
        client: "elsewhere".into(),
        server: format!("elsewhere-{id}"),
        product: "isacompta".into(),
        from: None,
        to: "14.20.003".parse().unwrap(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot: Slot::new(started_at, now + TimeDelta::hours(1)).unwrap(),
        published_at: now,
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state: DeploymentState::Installed { started_at, finished_at: now, observed: None },
    };
    let rows = (1_001..=1_010).map(|id| Row::Deployment(Stored::new(one(id)))).collect();
    o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
}

/// What the planner planned for `martin-1`, its publisher's estimate being `estimate` minutes and others having needed
/// `took`.
async fn planned(o: &Orchestrator, estimate: u32, took: i64) -> Option<i64> {
    commit_fleet(o).await;
    report(o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
    publish(o, Manifest { duration_minutes: estimate, ..manifest("isacompta", "14.20.003", "minor", "") }).await;
    observed(o, took).await;
    planning::run(o).await.unwrap();
    o.store.open_deployments("martin-1").await.unwrap().first().map(|d| d.action)
}

/// Whether `martin-1` may install at this Paris time.
async fn may_install(o: &Orchestrator, action: i64, now: &str) -> bool {
    o.clock.advance_to(paris(now));
    let offered = checkin::hand_out(o, "martin-1", action, Intent::Look).await.unwrap();
    offered.is_some_and(|offered| offered.install)
}

#[tokio::test]
async fn what_installs_faster_than_estimated_is_handed_out_into_the_night_it_was_planned_for() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        // Ten hours by the estimate fit into no night.
        let action = planned(&o, 600, 30).await.expect("it is planned by what was observed");
        assert!(may_install(&o, action, "2026-04-29 22:35").await);
    })
    .await;
}

#[tokio::test]
async fn what_installs_slower_than_estimated_is_not_handed_out_when_too_little_is_left() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        // 400 minutes, 15 to go back and 10 for the copy: to be begun by 23:55.
        let action = planned(&o, 30, 400).await.expect("it is planned");
        assert!(may_install(&o, action, "2026-04-29 23:55").await);
        assert!(!may_install(&o, action, "2026-04-29 23:56").await);
    })
    .await;
}
