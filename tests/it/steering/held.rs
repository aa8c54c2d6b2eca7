//! Holds and resumptions on their way through the store: the next planning decides by them, and the hand-out follows.

use super::API;
use crate::site::{self, Site};
use crate::world::report;
use noctule::edge::store::{Changes, Row};
use noctule::model::fleet::Ring;
use noctule::work::planning;
use serde_json::{Value, json};

/// What the server's poll leads to, `configData` aside.
async fn links(site: &Site, server: &str, token: &str) -> Vec<String> {
    let poll = site.get(&format!("/DEFAULT/controller/v1/{server}"), token).await.ok().json();
    poll["_links"].as_object().unwrap().keys().filter(|key| *key != "configData").cloned().collect()
}

/// The plan's row for the server: what was decided, and the reason that settled it.
async fn decided(site: &Site, server: &str, staff: &str) -> (Value, Value) {
    let rows = site.get(&format!("{API}/plan?server={server}"), staff).await.ok().json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    (rows[0]["decision"].clone(), rows[0]["reasons"].as_array().unwrap().last().unwrap().clone())
}

async fn post(site: &Site, path: &str, staff: &str, body: Value) -> Value {
    site.post(&format!("{API}/{path}"), staff, &body.to_string()).await.ok().json()
}

#[tokio::test]
async fn a_hold_takes_an_installation_back_and_its_end_gives_it_again() {
    for on in ["martin-1", "martin", "isacompta 14.20.003"] {
        site::each(async |site| {
            site.publish("isacompta", "14.20.003", "minor", "").await;
            let (staff, token) = (site.staff().await, site.target("martin-1").await);
            site.at("2026-04-29 22:35");
            report(&site.o, "martin-1", &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
            assert_eq!(links(&site, "martin-1", &token).await, ["deploymentBase"], "it would be installed now");

            let hold = json!({ "name": on, "reason": "call of the publisher", "by": "Nadia" });
            let id = post(&site, "holds", &staff, hold).await["id"].clone();
            planning::run(&site.o).await.unwrap();
            assert!(links(&site, "martin-1", &token).await.is_empty(), "{on} is held and was offered");
            let (decision, why) = decided(&site, "martin-1", &staff).await;
            assert_eq!((&decision, &why["rule"]), (&json!("held"), &json!("hold")));
            assert!(why["text"].as_str().unwrap().ends_with(": call of the publisher"), "{why}");
            assert_eq!(why["remedy"], format!("staff lifting hold {id}"));
            let deployment = site.o.store.open_deployments("martin-1").await.unwrap().remove(0);
            assert_eq!(deployment.state.name(), "planned", "what was promised stays, should the hold end in time");
            let elsewhere = if on.contains(' ') { "held" } else { "planned" };
            assert_eq!(decided(&site, "rhin-1", &staff).await.0, elsewhere, "{on}");
            // Held is held once.
            let kept = site.kept().await;
            assert_eq!(planning::run(&site.o).await.unwrap().changed, 0);
            assert_eq!(site.kept().await, kept);

            if on.contains(' ') {
                let resume = json!({ "product": "isacompta", "version": "14.20.003", "reason": "settled" });
                assert_eq!(post(&site, "resumptions", &staff, resume).await["lifted"], json!([id]));
            } else {
                post(&site, &format!("holds/{id}/lift"), &staff, json!({ "by": "Nadia" })).await;
            }
            planning::run(&site.o).await.unwrap();
            assert_eq!(decided(&site, "martin-1", &staff).await.0, "planned", "{on}");
            assert_eq!(links(&site, "martin-1", &token).await, ["deploymentBase"], "{on}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_hold_with_an_end_moves_the_installation_behind_it() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (staff, token) = (site.staff().await, site.target("martin-1").await);
        let hold = json!({ "name": "martin-1", "reason": "inventory", "until": "2026-04-30T12:00" });
        post(&site, "holds", &staff, hold).await;
        planning::run(&site.o).await.unwrap();
        let deployment = site.o.store.open_deployments("martin-1").await.unwrap().remove(0);
        assert_eq!(deployment.slot.start, crate::world::paris("2026-04-30 22:00"));
        site.at("2026-04-29 22:35");
        report(&site.o, "martin-1", &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
        assert!(links(&site, "martin-1", &token).await.is_empty());
        site.at("2026-04-30 22:35");
        report(&site.o, "martin-1", &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
        planning::run(&site.o).await.unwrap();
        assert_eq!(links(&site, "martin-1", &token).await, ["deploymentBase"]);
    })
    .await;
}

#[tokio::test]
async fn a_release_that_failed_on_a_canary_goes_on_once_it_is_resumed() {
    site::each(async |site| {
        let mut martin = site.o.store.client("martin").await.unwrap().unwrap();
        martin.value.servers[0].ring = Ring::Canary;
        site.o.store.commit(Changes { rows: vec![Row::Client(martin)], ..Changes::default() }).await.unwrap();
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        let (canary, rhin) = (site.target("martin-1").await, site.target("rhin-1").await);

        site.at("2026-04-29 22:35");
        report(&site.o, "martin-1", &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
        let action = site.o.store.open_deployments("martin-1").await.unwrap().remove(0).action;
        let base = format!("/DEFAULT/controller/v1/martin-1/deploymentBase/{action}");
        site.get(&base, &canary).await.ok();
        let details = ["noctule.result=rolled_back", "noctule.why=the health check failed"];
        let failed = json!({
            "id": "x",
            "status": { "execution": "closed", "result": { "finished": "failure" }, "details": details },
        });
        site.post(&format!("{base}/feedback"), &canary, &failed.to_string()).await.ok();

        site.at("2026-04-30 22:35");
        report(&site.o, "rhin-1", &[("isacompta", "14.20.002")], Some(site.o.clock.now())).await;
        planning::run(&site.o).await.unwrap();
        let (decision, why) = decided(&site, "rhin-1", &staff).await;
        assert_eq!((&decision, &why["rule"]), (&json!("held"), &json!("rollout")));
        assert_eq!(why["remedy"], "staff resuming isacompta 14.20.003, or a corrected release");
        assert!(links(&site, "rhin-1", &rhin).await.is_empty());

        let resume = json!({ "product": "isacompta", "version": "14.20.003", "reason": "the disk was full" });
        post(&site, "resumptions", &staff, resume).await;
        planning::run(&site.o).await.unwrap();
        assert_eq!(decided(&site, "rhin-1", &staff).await.0, "planned");
        assert_eq!(links(&site, "rhin-1", &rhin).await, ["deploymentBase"]);
    })
    .await;
}
