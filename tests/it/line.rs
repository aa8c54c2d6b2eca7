//! A client's line: its servers share it, and no more of them install at once than its contract allows.

use super::site::{self, Site};
use super::world::report;
use noctule::edge::store::{Changes, DeploymentFilter, Row, Stored};
use noctule::model::fleet::{Client, Ring, Server};
use serde_json::json;

/// Servers of one client whose contract lets two of them install at once.
const SERVERS: [&str; 4] = ["trio-1", "trio-2", "trio-3", "trio-4"];

/// Publishes a minor for the client `trio`; the clock is past every server's own start in the night.
async fn begin(site: &Site) {
    let known = site.o.store.client("martin").await.unwrap().unwrap();
    let servers = SERVERS.map(|id| Server { id: id.into(), zone: chrono_tz::Europe::Paris, ring: Ring::Broad });
    let client = Client { id: "trio".into(), servers: servers.to_vec(), ..known.value };
    let rows = vec![Row::Client(Stored::new(client))];
    site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
    for server in SERVERS {
        report(&site.o, server, &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
    }
    site.publish("isacompta", "14.20.003", "minor", "").await;
    site.at("2026-04-29 22:35");
}

fn base(server: &str) -> String {
    format!("/DEFAULT/controller/v1/{server}")
}

async fn action(site: &Site, server: &str) -> i64 {
    site.o.store.open_deployments(server).await.unwrap()[0].action
}

async fn take(site: &Site, server: &str, token: &str) -> u16 {
    let path = format!("{}/deploymentBase/{}", base(server), action(site, server).await);
    site.get(&path, token).await.status.as_u16()
}

async fn running(site: &Site) -> usize {
    let filter = DeploymentFilter { states: vec!["running".into()], ..DeploymentFilter::default() };
    site.o.store.deployments(&filter).await.unwrap().iter().filter(|d| d.client == "trio").count()
}

#[tokio::test]
async fn a_server_waits_for_the_line_and_asks_each_minute() {
    site::each(async |site| {
        begin(&site).await;
        let token = site.gateway("trio").await;
        assert_eq!(take(&site, SERVERS[0], &token).await, 200);
        assert_eq!(take(&site, SERVERS[1], &token).await, 200);
        assert_eq!(take(&site, SERVERS[2], &token).await, 404);
        let poll = site.get(&base(SERVERS[2]), &token).await.ok().json();
        assert_eq!(poll["_links"]["deploymentBase"], json!(null));
        assert_eq!(poll["config"]["polling"]["sleep"], "00:01:00");
        // What runs is offered again, whoever else uses the line.
        assert_eq!(take(&site, SERVERS[0], &token).await, 200);

        report(&site.o, SERVERS[0], &[("isacompta", "14.20.003")], Some(site.o.clock.now())).await;
        let feedback = format!("{}/deploymentBase/{}/feedback", base(SERVERS[0]), action(&site, SERVERS[0]).await);
        let closed = r#"{"status":{"execution":"closed","result":{"finished":"success"}}}"#;
        site.post(&feedback, &token, closed).await.ok();
        assert_eq!(take(&site, SERVERS[2], &token).await, 200);
        assert_eq!(take(&site, SERVERS[3], &token).await, 404);
        assert_eq!(running(&site).await, 2);
    })
    .await;
}

#[tokio::test]
async fn servers_that_come_at_once_do_not_overload_the_line() {
    site::each(async |site| {
        begin(&site).await;
        let token = site.gateway("trio").await;
        let taken = futures_util::future::join_all(SERVERS.map(|server| take(&site, server, &token))).await;
        assert!(running(&site).await <= 2, "{taken:?}");
        // Whoever lost a race asks again.
        for server in SERVERS {
            take(&site, server, &token).await;
        }
        assert_eq!(running(&site).await, 2, "{taken:?}");
    })
    .await;
}

/// A client may have left the fleet while its server installed: the installation ends all the same, without a letter.
#[tokio::test]
async fn an_installation_ends_after_its_client_left_the_fleet() {
    site::each(async |site| {
        begin(&site).await;
        let token = site.gateway("trio").await;
        assert_eq!(take(&site, SERVERS[0], &token).await, 200);
        let client = site.o.store.client("trio").await.unwrap().unwrap();
        let rows = vec![Row::RemoveClient(client)];
        site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        site.at("2026-04-30 08:01");
        noctule::work::watch::run(&site.o).await.unwrap();
        noctule::work::watch::run(&site.o).await.unwrap();
        assert_eq!(running(&site).await, 0);
        assert_eq!(
            site.o.store.alerts(false).await.unwrap().iter().filter(|a| a.cause.starts_with("failed/")).count(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_package_cost_the_line_is_in_the_history() {
    site::each(async |site| {
        begin(&site).await;
        let (token, staff) = (site.gateway("trio").await, site.staff().await);
        assert_eq!(take(&site, SERVERS[0], &token).await, 200);
        report(&site.o, SERVERS[0], &[("isacompta", "14.20.003")], Some(site.o.clock.now())).await;
        let cost = json!({"package_bytes": 8_000_000, "moved_bytes": 400_000, "way": "changed"});
        let closed = json!({"status": {"execution": "closed", "result": {"finished": "success"},
            "details": ["noctule.result=installed", format!("noctule.transfer.isacompta={cost}")]}});
        let action = action(&site, SERVERS[0]).await;
        let feedback = format!("{}/deploymentBase/{action}/feedback", base(SERVERS[0]));
        site.post(&feedback, &token, &closed.to_string()).await.ok();
        let rows = site.get(&format!("/api/v1/history?server={}", SERVERS[0]), &staff).await.ok().json();
        let kept = json!({"package_bytes": 8_000_000, "moved_bytes": 400_000, "saved_bytes": 7_600_000,
            "way": "changed", "why_whole": null});
        assert_eq!(rows[0]["transfer"], kept);
        let events = site.get(&format!("/api/v1/history/{action}/events"), &staff).await.ok().json();
        let installed = events.as_array().unwrap().iter().find(|event| event["kind"] == "installed").unwrap();
        let text = installed["text"].as_str().unwrap();
        assert!(text.ends_with("; 0.3 of 7.6 MiB moved, 95 % saved: only what changed"), "{text}");
        // Of what has not reported yet nothing is known.
        let others = site.get(&format!("/api/v1/history?server={}", SERVERS[1]), &staff).await.ok().json();
        assert_eq!(others[0].get("transfer"), None);
    })
    .await;
}
