//! The agent protocol, call by call: what is offered when, what a report does, how a package is fetched.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::site::{self, Answer, PACKAGE, Site};
use noctule::edge::store::{DeploymentFilter, EventFilter};
use noctule::model::event::EventKind;
use noctule::work::{attend, tokens};
use serde_json::{Value, json};

const BASE: &str = "/DEFAULT/controller/v1/martin-1";

/// Every route of the protocol: its one method, and its path below [`BASE`].
const ROUTES: [(&str, &str); 15] = [
    ("GET", ""),
    ("PUT", "/configData"),
    ("GET", "/deploymentBase/1"),
    ("POST", "/deploymentBase/1/feedback"),
    ("GET", "/cancelAction/1"),
    ("POST", "/cancelAction/1/feedback"),
    ("PUT", "/installedBase"),
    ("GET", "/installedBase/1"),
    ("GET", "/confirmationBase"),
    ("POST", "/confirmationBase/activateAutoConfirm"),
    ("POST", "/confirmationBase/deactivateAutoConfirm"),
    ("GET", "/confirmationBase/1"),
    ("POST", "/confirmationBase/1/feedback"),
    ("GET", "/softwaremodules/1/artifacts"),
    ("GET", "/softwaremodules/1/artifacts/a.zip"),
];

/// An agent of ours: reports its inventory and fetches ahead.
async fn report(site: &Site, token: &str, version: &str, capabilities: &str) {
    let data = json!({"mode": "replace", "data": {
        "noctule.inventory.isacompta": version,
        "noctule.backup.finished_at": site.o.clock.now().to_rfc3339(),
        "noctule.backup.succeeded": "true",
        "noctule.capabilities": capabilities,
        "os": "Windows Server 2022",
    }});
    site.call("PUT", &format!("{BASE}/configData"), token, &[], &data.to_string()).await.ok();
}

fn links(poll: &Answer) -> Vec<String> {
    let links = poll.ok().json()["_links"].as_object().unwrap().clone();
    links.keys().filter(|key| *key != "configData").cloned().collect()
}

/// The path of the offered action.
async fn offered(site: &Site, token: &str) -> String {
    let href = site.get(BASE, token).await.json()["_links"]["deploymentBase"]["href"].as_str().unwrap().to_owned();
    href.strip_prefix("http://noctule.example:8420").expect("links lead to where the client came").to_owned()
}

fn closed(finished: &str, details: &[&str]) -> String {
    json!({"id": "x", "status": {"execution": "closed", "result": {"finished": finished}, "details": details}})
        .to_string()
}

async fn states(site: &Site) -> Vec<String> {
    let filter = DeploymentFilter { server: Some("martin-1".into()), ..DeploymentFilter::default() };
    site.o.store.deployments(&filter).await.unwrap().iter().map(|d| d.state.name().to_owned()).collect()
}

async fn count(site: &Site, kind: EventKind) -> usize {
    let filter = EventFilter { server: Some("martin-1".into()), ..EventFilter::default() };
    site.o.store.events(&filter).await.unwrap().iter().filter(|e| e.body.kind == kind).count()
}

async fn letters(site: &Site) -> Vec<String> {
    let all = site.o.store.notices(Some("martin"), 100).await.unwrap();
    all.into_iter().map(|n| n.value.body.key.split('/').next().unwrap().to_owned()).collect()
}

async fn action(site: &Site) -> i64 {
    let filter = DeploymentFilter { server: Some("martin-1".into()), ..DeploymentFilter::default() };
    site.o.store.deployments(&filter).await.unwrap().last().unwrap().action
}

#[tokio::test]
async fn a_night_from_the_closed_slot_to_the_installed_version() {
    site::each(async |site| {
    site.publish("isacompta", "14.20.003", "minor", "").await;
    let token = site.target("martin-1").await;
    let before = site.get(BASE, &token).await;
    assert_eq!(links(&before), Vec::<String>::new(), "a closed slot means no link");
    let id = action(&site).await;
    let hidden = format!("{BASE}/deploymentBase/{id}");
    site.get(&hidden, &token).await.refused(404);
    assert_eq!(states(&site).await, ["planned"]);

    site.at("2026-04-29 22:05");
    report(&site, &token, "14.20.002", "inventory").await;
    let poll = site.get(BASE, &token).await;
    assert_eq!(links(&poll), ["deploymentBase"]);
    assert_eq!(poll.json()["config"]["polling"]["sleep"], "00:01:00");
    let path = offered(&site, &token).await;
    site.call("HEAD", &path, &token, &[], "").await.ok();
    assert_eq!(states(&site).await, ["planned"], "looking starts nothing");

    let handed = site.get(&format!("{path}&actionHistory=5"), &token).await.ok().json();
    assert_eq!(states(&site).await, ["running"]);
    let deployment = &handed["deployment"];
    assert_eq!((&deployment["download"], &deployment["update"]), (&json!("forced"), &json!("forced")));
    assert_eq!(deployment["maintenanceWindow"], "available");
    assert_eq!(handed["actionHistory"]["status"], "RUNNING");
    let chunk = &deployment["chunks"][0];
    assert_eq!(
        (&chunk["part"], &chunk["name"], &chunk["version"]),
        (&json!("bApp"), &json!("isacompta"), &json!("14.20.003"))
    );
    let metadata: Vec<(&str, &str)> = chunk["metadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["key"].as_str().unwrap(), m["value"].as_str().unwrap()))
        .collect();
    assert_eq!(
        metadata,
        [
            ("noctule.publisher", "agiris"),
            ("noctule.manifest", "isacompta-14.20.003.json"),
            ("noctule.slot.not_before", "2026-04-29T20:00:00Z"),
            ("noctule.slot.not_after", "2026-04-30T05:00:00Z"),
            ("noctule.backup.not_before", "2026-04-28T16:00:00Z"),
        ]
    );
    let artifact = &chunk["artifacts"][0];
    assert_eq!((&artifact["filename"], &artifact["size"]), (&json!("isacompta.zip"), &json!(PACKAGE.len())));
    assert_eq!(artifact["hashes"]["sha1"], "5a1");

    // Asked again, it is the same running action, and nothing is written twice.
    site.get(&path, &token).await.ok();
    assert_eq!(count(&site, EventKind::Started).await, 1);

    let feedback = format!("{BASE}/deploymentBase/{id}/feedback");
    let progress = r#"{"id":7,"time":"x","status":{"execution":"proceeding","result":{"finished":"none","progress":{"cnt":1,"of":3}},"details":["copying"]}}"#;
    site.post(&feedback, &token, progress).await.ok();
    site.post(&feedback, &token, progress).await.ok();
    assert_eq!(count(&site, EventKind::Progress).await, 1, "the same news is one line");
    report(&site, &token, "14.20.003", "inventory").await;
    site.post(&feedback, &token, &closed("success", &[])).await.ok();
    assert_eq!(states(&site).await, ["installed"]);
    assert_eq!(letters(&site).await, ["planned", "installed"]);

    site.post(&feedback, &token, &closed("success", &[])).await.refused(410);
    site.post(&feedback, &token, &closed("failure", &[])).await.refused(410);
    assert_eq!((states(&site).await, count(&site, EventKind::Installed).await), (vec!["installed".to_owned()], 1));
    assert_eq!(letters(&site).await, ["planned", "installed"]);

    let poll = site.get(BASE, &token).await;
    assert_eq!(links(&poll), ["installedBase"]);
    let installed = site.get(&format!("{BASE}/installedBase/{id}"), &token).await.ok().json();
    assert_eq!(installed["deployment"]["chunks"][0]["version"], "14.20.003");
    site.get(&format!("{BASE}/installedBase/999"), &token).await.refused(404);
    })
    .await;
}

#[tokio::test]
async fn success_is_believed_only_of_what_was_handed_out_and_is_seen() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        site.post(&feedback, &token, &closed("success", &[])).await.refused(409);
        site.post(&format!("{BASE}/deploymentBase/999/feedback"), &token, &closed("success", &[])).await.refused(404);
        assert_eq!(states(&site).await, ["planned"]);

        site.at("2026-04-29 22:05");
        report(&site, &token, "14.20.002", "inventory").await;
        site.get(&offered(&site, &token).await, &token).await.ok();
        site.post(&feedback, &token, &closed("success", &[])).await.ok();
        assert_eq!(states(&site).await, ["failed"], "the machine says it runs the old version");
        assert_eq!(letters(&site).await, ["planned", "failed"]);
        let alerts = site.o.store.alerts(false).await.unwrap();
        assert!(alerts.iter().any(|a| a.cause == "failed/martin-1/isacompta/14.20.003"), "{alerts:?}");
    })
    .await;
}

#[tokio::test]
async fn a_failure_is_rolled_back_with_its_reason() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        site.at("2026-04-29 22:05");
        report(&site, &token, "14.20.002", "inventory").await;
        site.get(&offered(&site, &token).await, &token).await.ok();
        let details =
            ["noctule.result=rolled_back", "noctule.why=the health check failed", "noctule.step=check", "hello"];
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        site.post(&feedback, &token, &closed("failure", &details)).await.ok();
        assert_eq!(states(&site).await, ["rolled_back"]);
        let filter = EventFilter { server: Some("martin-1".into()), ..EventFilter::default() };
        let events = site.o.store.events(&filter).await.unwrap();
        let text = &events.iter().find(|e| e.body.kind == EventKind::RolledBack).unwrap().body.text;
        assert!(text.contains("the health check failed (step check)"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_fit_is_no_failure_of_the_release() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        site.at("2026-04-29 22:05");
        report(&site, &token, "14.20.002", "inventory").await;
        site.get(&offered(&site, &token).await, &token).await.ok();
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        let check = r#"noctule.check={"name":"own check","rule":"health-after","verdict":"failed","seen":"exit 1"}"#;
        let step = json!({"status": {"execution": "proceeding", "details": ["noctule.step=precheck", "no", check]}});
        site.post(&feedback, &token, &step.to_string()).await.ok();
        let details = ["noctule.result=refused", "noctule.unfit=sick", "noctule.why=it did not open", check];
        site.post(&feedback, &token, &closed("failure", &details)).await.ok();
        assert_eq!(states(&site).await, ["refused"]);
        assert_eq!(letters(&site).await, ["planned", "failed"]);
        let filter = EventFilter { server: Some("martin-1".into()), ..EventFilter::default() };
        let events = site.o.store.events(&filter).await.unwrap();
        for (kind, said) in
            [(EventKind::Progress, "step precheck"), (EventKind::Refused, "is unhealthy as it is: it did")]
        {
            let event = events.iter().find(|e| e.body.kind == kind).unwrap();
            assert!(event.body.text.contains(said), "{}", event.body.text);
            assert_eq!(event.body.reasons[0].text, "own check: failed (exit 1)");
            assert_eq!(event.body.reasons[0].fr, "own check : échoué (exit 1)");
        }
        let alerts = site.o.store.alerts(false).await.unwrap();
        let alert = alerts.iter().find(|a| a.cause == "sick/martin-1/isacompta").unwrap();
        assert_eq!(alert.title, "isacompta does not work on martin-1; 14.20.003 was not installed");
        // The release is not blamed; the server has had its try of tonight.
        let dawn = "2026-04-29T00:00:00Z".parse().unwrap();
        assert!(site.o.store.release_outcomes(dawn).await.unwrap().is_empty());
        assert_eq!(site.o.store.failed_attempts(dawn).await.unwrap().len(), 1);
        noctule::work::planning::run(&site.o).await.unwrap();
        let open = site.o.store.open_deployments("martin-1").await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].attempt, open[0].slot.start.to_rfc3339()), (2, "2026-04-30T20:00:00+00:00".into()));
    })
    .await;
}

#[tokio::test]
async fn a_client_without_inventory_is_believed_and_marked_unobserved() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        site.at("2026-04-29 22:05");
        site.get(&offered(&site, &token).await, &token).await.ok();
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        site.post(&feedback, &token, &closed("success", &[])).await.ok();
        assert_eq!(states(&site).await, ["installed"]);
        let state = site.o.store.state("martin-1").await.unwrap().unwrap().value.1;
        assert_eq!(state.inventory["isacompta"].as_str(), "14.20.003");
    })
    .await;
}

#[tokio::test]
async fn only_an_agent_that_stages_ahead_sees_the_action_early() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        report(&site, &token, "14.20.002", "stage-ahead,inventory").await;
        let early = site.get(BASE, &token).await;
        assert_eq!(links(&early), ["deploymentBase"]);
        let handed = site.get(&offered(&site, &token).await, &token).await.ok().json();
        assert_eq!(handed["deployment"]["update"], "skip");
        assert_eq!(handed["deployment"]["maintenanceWindow"], "unavailable");
        assert_eq!(states(&site).await, ["planned"]);
        let downloaded = r#"{"status":{"execution":"downloaded","result":{"finished":"none"}}}"#;
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        site.post(&feedback, &token, downloaded).await.ok();
        site.post(&feedback, &token, &closed("failure", &["noctule.why=the package is not what was signed"]))
            .await
            .ok();
        assert_eq!(states(&site).await, ["planned"]);
        assert_eq!(site.o.store.alerts(false).await.unwrap().len(), 1);

        site.at("2026-04-29 22:05");
        report(&site, &token, "14.20.002", "stage-ahead,inventory").await;
        let tag = early.header("etag").to_owned();
        let open = site.call("GET", BASE, &token, &[("if-none-match", &tag)], "").await;
        assert_eq!(open.status, 200, "the opening of the slot is news");
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_without_us_where_that_was_allowed_is_taken_in_the_morning() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        report(&site, &token, "14.20.002", "stage-ahead,inventory").await;
        let handed = site.get(&offered(&site, &token).await, &token).await.ok().json();
        let metadata = handed["deployment"]["chunks"][0]["metadata"].as_array().unwrap().clone();
        let value = |key: &str| metadata.iter().find(|m| m["key"] == key).unwrap()["value"].clone();
        assert_eq!(value("noctule.offline"), "allowed");
        // The close of Tuesday, in the night of Wednesday.
        assert_eq!(value("noctule.backup.not_before"), "2026-04-28T16:00:00Z");
        let begun = value("noctule.slot.not_before").as_str().unwrap().to_owned();
        let feedback = format!("{BASE}/deploymentBase/{}/feedback", action(&site).await);
        let closing = closed("success", &["noctule.result=installed", &format!("noctule.started_at={begun}")]);
        site.post(&feedback, &token, &closing).await.refused(409);
        site.at("2026-04-30 06:30");
        report(&site, &token, "14.20.003", "stage-ahead,inventory").await;
        site.post(&feedback, &token, &closing).await.ok();
        assert_eq!(states(&site).await, ["installed"]);
        assert_eq!((count(&site, EventKind::Started).await, count(&site, EventKind::Installed).await), (1, 1));
        site.post(&feedback, &token, &closing).await.refused(410);
    })
    .await;
}

#[tokio::test]
async fn what_hinders_an_installation_takes_the_link_away() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "manual_steps = { fr = \"À la main.\" }").await;
        let token = site.target("martin-1").await;
        let deployment = site.o.store.open_deployments("martin-1").await.unwrap().remove(0).value;
        site.o.clock.advance_to(deployment.slot.start);
        report(&site, &token, "14.20.002", "inventory").await;
        assert_eq!(links(&site.get(BASE, &token).await), Vec::<String>::new(), "nobody attends it");
        attend::attend(&site.o, deployment.id, "Zoé").await.unwrap();
        assert_eq!(links(&site.get(BASE, &token).await), ["deploymentBase"]);
        let stale = json!({"data": {"noctule.backup.succeeded": "false"}}).to_string();
        site.call("PUT", &format!("{BASE}/configData"), &token, &[], &stale).await.ok();
        assert_eq!(links(&site.get(BASE, &token).await), Vec::<String>::new(), "the last backup failed");
        site.get(&format!("{BASE}/deploymentBase/{}", deployment.action), &token).await.refused(404);
        assert_eq!(states(&site).await, ["planned"]);
    })
    .await;
}

#[tokio::test]
async fn what_never_closed_is_stopped_when_its_slot_is_over() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        site.at("2026-04-29 22:05");
        report(&site, &token, "14.20.002", "inventory").await;
        site.get(&offered(&site, &token).await, &token).await.ok();
        let cancel = format!("{BASE}/cancelAction/{}", action(&site).await);
        site.get(&cancel, &token).await.refused(404);
        site.at("2026-04-30 07:00");
        assert_eq!(links(&site.get(BASE, &token).await), ["cancelAction"]);
        let stop = site.get(&cancel, &token).await.ok().json();
        assert_eq!(stop["cancelAction"]["stopId"], stop["id"]);
        let rejected = r#"{"status":{"execution":"rejected","result":{"finished":"none"}}}"#;
        site.post(&format!("{cancel}/feedback"), &token, rejected).await.ok();
        assert_eq!(states(&site).await, ["running"]);
        site.post(&format!("{cancel}/feedback"), &token, &closed("success", &[])).await.ok();
        assert_eq!(states(&site).await, ["failed"]);
        site.post(&format!("{cancel}/feedback"), &token, &closed("success", &[])).await.refused(410);
    })
    .await;
}

#[tokio::test]
async fn a_poll_repeated_is_not_modified_and_speaks_hal_when_asked() {
    site::each(async |site| {
        let token = site.target("martin-1").await;
        let first = site.get(BASE, &token).await;
        assert_eq!(first.header("content-type"), "application/json");
        let tag = first.header("etag").to_owned();
        let again = site.call("GET", BASE, &token, &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
        let hal = site.call("GET", BASE, &token, &[("accept", "application/hal+json")], "").await;
        assert_eq!(hal.header("content-type"), "application/hal+json");
        assert_eq!(first.json()["_links"]["configData"], Value::Null, "it reported just now");
        site.at("2026-04-29 18:00");
        let late = site.get(BASE, &token).await.json();
        assert_eq!(late["_links"]["configData"]["href"], format!("http://noctule.example:8420{BASE}/configData"));
    })
    .await;
}

#[tokio::test]
async fn who_may_speak_for_a_server() {
    site::each(async |site| {
        let (own, gateway) = (site.target("martin-1").await, site.gateway("martin").await);
        site.get(BASE, &gateway).await.ok();
        for token in ["", "TargetToken nonsense", "nonsense", "Bearer"] {
            let answer = site.get(BASE, token).await;
            answer.refused(401);
            assert!(answer.header("www-authenticate").contains("TargetToken"));
        }
        site.get(BASE, &own.replace("TargetToken", "GatewayToken")).await.refused(401);
        site.get("/DEFAULT/controller/v1/rhin-1", &own).await.refused(403);
        site.get("/DEFAULT/controller/v1/rhin-1", &gateway).await.refused(403);
        site.get("/DEFAULT/controller/v1/nobody", &gateway).await.refused(404);
        site.get("/OTHER/controller/v1/martin-1", &own).await.refused(404);
        site.get(BASE, &site.staff().await).await.refused(403);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_polls_for_a_minute_at_most() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let tokens = [site.target("martin-1").await, site.gateway("martin").await];
        for token in &tokens {
            site.get(BASE, token).await.ok();
        }
        // As another process would: nothing of the service's own memory is told.
        for name in ["target martin-1", "gateway martin"] {
            tokens::revoke(&site.o, name).await.unwrap();
        }
        let start = site.o.clock.now();
        site.o.clock.advance_to(start + chrono::TimeDelta::seconds(59));
        for token in &tokens {
            site.get(BASE, token).await.ok();
        }
        site.o.clock.advance_to(start + chrono::TimeDelta::seconds(60));
        site.get(BASE, &tokens[0]).await.refused(401);

        let id = action(&site).await;
        for (method, path) in [
            ("GET", format!("{BASE}/deploymentBase/{id}")),
            ("POST", format!("{BASE}/deploymentBase/{id}/feedback")),
            ("GET", format!("{BASE}/cancelAction/{id}")),
            ("PUT", format!("{BASE}/configData")),
            ("GET", format!("{BASE}/softwaremodules/{id}/artifacts/isacompta.zip")),
            ("GET", "/api/v1/feeds/agiris/metadata/1.root.json".to_owned()),
        ] {
            let name = format!("again {method} {path}");
            let scope = noctule::edge::store::Scope::Target { server: "martin-1".into() };
            let again = format!("TargetToken {}", tokens::issue(&site.o, &name, scope).await.unwrap());
            site.get(BASE, &again).await.ok();
            tokens::revoke(&site.o, &name).await.unwrap();
            site.call(method, &path, &again, &[], "{}").await.refused(401);
            // And who was found out there is not polling on either.
            site.get(BASE, &again).await.refused(401);
        }
        assert_eq!(states(&site).await, ["planned"]);
    })
    .await;
}

#[tokio::test]
async fn a_package_is_fetched_whole_in_parts_and_not_by_others() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        let file = format!("{BASE}/softwaremodules/{}/artifacts/isacompta.zip", action(&site).await);
        let whole = site.get(&file, &token).await;
        assert_eq!((whole.status.as_u16(), whole.bytes.as_slice()), (200, PACKAGE));
        assert_eq!(whole.header("accept-ranges"), "bytes");
        let tag = whole.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() == 66, "{tag}");
        let head = site.call("HEAD", &file, &token, &[], "").await;
        assert_eq!((head.header("content-length"), head.bytes.len(), head.header("etag")), ("20", 0, tag.as_str()));
        for (range, if_range, status, bytes) in [
            ("bytes=0-3", None, 206, &PACKAGE[..4]),
            ("bytes=10-", Some(tag.as_str()), 206, &PACKAGE[10..]),
            ("bytes=10-", Some("\"other\""), 200, PACKAGE),
            ("bytes=-5", None, 206, &PACKAGE[15..]),
            ("bytes=0-1,4-5", None, 200, PACKAGE),
        ] {
            let mut headers = vec![("range", range)];
            headers.extend(if_range.map(|tag| ("if-range", tag)));
            let answer = site.call("GET", &file, &token, &headers, "").await;
            assert_eq!((answer.status.as_u16(), answer.bytes.as_slice()), (status, bytes), "{range}");
            if status == 206 {
                assert!(answer.header("content-range").ends_with("/20"));
            }
        }
        let beyond = site.call("GET", &file, &token, &[("range", "bytes=20-")], "").await;
        beyond.refused(416);
        assert_eq!(beyond.header("content-range"), "bytes */20");
        let known = site.call("GET", &file, &token, &[("if-none-match", &tag)], "").await;
        assert_eq!(known.status, 304);

        let md5 = site.get(&format!("{file}.MD5SUM"), &token).await;
        assert_eq!(md5.ok().bytes, b"3d5  isacompta.zip");
        let list = site.get(file.strip_suffix("/isacompta.zip").unwrap(), &token).await.ok().json();
        assert_eq!(list[0]["filename"], "isacompta.zip");
        site.get(&file.replace("isacompta.zip", "other.zip"), &token).await.refused(404);
        site.get(&format!("{BASE}/softwaremodules/999/artifacts/isacompta.zip"), &token).await.refused(404);
        let rhin = site.target("rhin-1").await;
        site.get(&file.replace("martin-1", "rhin-1"), &rhin).await.refused(404);
        site.get(&file, &rhin).await.refused(403);
        std::fs::remove_file(site.o.packages.path(tag.trim_matches('"'))).unwrap();
        site.get(&file, &token).await.refused(503);
    })
    .await;
}

#[tokio::test]
async fn attributes_are_merged_replaced_and_checked() {
    site::each(async |site| {
        let token = site.target("martin-1").await;
        let path = format!("{BASE}/configData");
        let put = |body: &'static str| site.call("PUT", &path, &token, &[], body);
        put(r#"{"mode":null,"data":{"noctule.inventory.isaged":"3.1"}}"#).await.ok();
        put(r#"{"mode":"remove","data":{"noctule.inventory.isacompta":""}}"#).await.ok();
        let state = site.o.store.state("martin-1").await.unwrap().unwrap().value.1;
        assert_eq!(state.inventory.keys().collect::<Vec<_>>(), ["isaged"]);
        assert_eq!(count(&site, EventKind::InventoryChanged).await, 2);
        for body in [
            "{",
            "[]",
            "{}",
            r#"{"mode":"twist","data":{}}"#,
            r#"{"data":{"noctule.inventory.isaged":"none"}}"#,
            r#"{"data":{"noctule.backup.finished_at":"yesterday"}}"#,
        ] {
            put(body).await.refused(400);
        }
        let assigned = r#"{"name":"isaged","version":"3.2"}"#;
        site.call("PUT", &format!("{BASE}/installedBase"), &token, &[], assigned).await.ok();
        let state = site.o.store.state("martin-1").await.unwrap().unwrap().value.1;
        assert_eq!(state.inventory["isaged"].as_str(), "3.2");
        let large = format!(r#"{{"data":{{"a":"{}"}}}}"#, "x".repeat(300 * 1024));
        site.call("PUT", &path, &token, &[], &large).await.refused(413);
    })
    .await;
}

#[test]
fn no_route_is_left_out_of_the_table() {
    let source = include_str!("../../src/web/ddi/mod.rs");
    assert_eq!(source.matches(".route(").count(), ROUTES.len());
}

#[tokio::test]
async fn every_route_refuses_what_it_cannot_do_in_words() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        let before = site.kept().await;
        for (right, rest) in ROUTES {
            let path = format!("{BASE}{rest}");
            for wrong in
                ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"].into_iter().filter(|wrong| *wrong != right)
            {
                let answer = site.call(wrong, &path, &token, &[], "{}").await;
                answer.refused(405);
                assert!(answer.header("allow").contains(right), "{wrong} {path}: {}", answer.header("allow"));
            }
            site.call(right, &path, "", &[], "{}").await.refused(401);
            if right != "GET" && !rest.contains("confirmationBase") {
                for bad in ["{\"status\":", "[1]", "null", "\u{0}", "{}"] {
                    site.call(right, &path, &token, &[], bad).await.refused(400);
                }
            }
        }
        assert_eq!(site.kept().await, before, "a call that was refused changed something");
        site.get(&format!("{BASE}/deploymentBase/abc"), &token).await.refused(404);
        site.get(&format!("{BASE}/confirmationBase"), &token).await.ok();
        site.post(&format!("{BASE}/confirmationBase/activateAutoConfirm"), &token, "").await.ok();
        site.post(&format!("{BASE}/confirmationBase/deactivateAutoConfirm"), &token, "").await.refused(409);
        site.get("/somewhere/else", "").await.refused(404);
    })
    .await;
}
