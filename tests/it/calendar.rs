//! What is attended or agreed stands in people's calendars: invited to, moved, taken away; and as a feed.

use super::site::{self, Site};
use base64::Engine as _;
use noctule::edge::store::{Changes, Row};
use noctule::model::release::Retraction;
use noctule::work::{appointments, planning, post, tokens};
use serde_json::json;
use std::collections::BTreeMap;

const API: &str = "/api/v1";

/// The last mail of the outbox that has an invitation, as its properties; and how often it is in the mail.
fn invitation(site: &Site, word: &str) -> (BTreeMap<String, String>, usize) {
    let path = std::fs::read_dir(site.outbox()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = path.filter(|path| path.to_str().unwrap().contains(word)).collect();
    found.sort();
    let mail = std::fs::read_to_string(found.last().expect("the mail was written")).unwrap();
    let marker = "Content-Transfer-Encoding: base64\r\n\r\n";
    let parts: Vec<String> = mail
        .split(marker)
        .skip(1)
        .map(|part| part.split("\r\n--").next().unwrap().replace("\r\n", ""))
        .map(|part| String::from_utf8(base64::engine::general_purpose::STANDARD.decode(part).unwrap()).unwrap())
        .collect();
    assert!(parts.iter().all(|part| *part == parts[0]));
    let text = parts[0].replace("\r\n ", "");
    for kind in ["multipart/mixed", "multipart/alternative", "application/ics"] {
        assert_eq!(mail.matches(kind).count(), 1, "{kind}");
    }
    let properties = text.lines().filter_map(|line| line.split_once(':'));
    let properties: BTreeMap<String, String> =
        properties.map(|(key, value)| (key.split(';').next().unwrap().to_owned(), value.to_owned())).collect();
    let method = format!("method={}", properties["METHOD"]);
    assert!(mail.contains(&method), "{method}");
    (properties, parts.len())
}

async fn posted(site: &Site) -> usize {
    planning::run(&site.o).await.unwrap();
    post::run(&site.o).await.unwrap().sent
}

#[tokio::test]
async fn a_major_is_invited_to_moved_and_taken_away() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let (martin, staff) = (site.client("martin").await, site.staff().await);
        let ask = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-05-12" }).to_string();
        site.post(&format!("{API}/requests"), &martin, &ask).await.ok();
        assert!(posted(&site).await >= 2);
        let (planned, parts) = invitation(&site, "major-planned");
        assert_eq!(parts, 2, "as one way to read the letter, and as a file");
        assert_eq!((planned["METHOD"].as_str(), planned["SEQUENCE"].as_str()), ("REQUEST", "0"));
        assert_eq!(planned["STATUS"], "CONFIRMED");
        let deployment = site.o.store.deployments(&Default::default()).await.unwrap().remove(0);
        assert_eq!(planned["DTSTART"], deployment.slot.start.format("%Y%m%dT%H%M%SZ").to_string());
        assert_eq!(planned["UID"], format!("deployment-{}@provider.example", deployment.id));
        assert_eq!(planned["ATTENDEE"], "mailto:hugo@martin.example");

        let slot = json!({
            "agreed": "slot", "server": "martin-1", "product": "isacompta",
            "from": "2026-05-11T12:00", "to": "2026-05-11T14:00", "by": "Mme Martin",
        });
        site.post(&format!("{API}/agreements"), &staff, &slot.to_string()).await.ok();
        assert_eq!(posted(&site).await, 1);
        let (moved, _) = invitation(&site, "moved");
        assert_eq!((moved["METHOD"].as_str(), moved["SEQUENCE"].as_str()), ("REQUEST", "1"));
        assert_eq!((&moved["UID"], moved["DTSTART"].as_str()), (&planned["UID"], "20260511T100000Z"));

        let request = site.o.store.requests(None).await.unwrap()[0].id;
        site.call("DELETE", &format!("{API}/requests/{request}"), &martin, &[], "").await.ok();
        assert!(posted(&site).await >= 1);
        let (gone, _) = invitation(&site, "Z-cancelled-martin");
        assert_eq!((gone["METHOD"].as_str(), gone["SEQUENCE"].as_str()), ("CANCEL", "2"));
        assert_eq!((&gone["UID"], gone["STATUS"].as_str()), (&planned["UID"], "CANCELLED"));
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_manual_update_leaves_the_calendars_too() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "manual_steps = { fr = \"Relancer.\" }").await;
        assert_eq!(posted(&site).await, 2);
        assert_eq!(invitation(&site, "manual-planned-martin").0["METHOD"], "REQUEST");
        let mut release = site.o.store.releases().await.unwrap().remove(0);
        release.value.retracted = Some(Retraction { at: site.o.clock.now(), reason: "faulty".into() });
        site.o.store.commit(Changes { rows: vec![Row::Release(release)], ..Changes::default() }).await.unwrap();
        assert_eq!(posted(&site).await, 4, "each client is told, and each calendar");
        assert_eq!(invitation(&site, "Z-cancelled-martin").0["METHOD"], "CANCEL");
    })
    .await;
}

#[tokio::test]
async fn an_agreed_slot_for_a_minor_is_invited_to() {
    site::each(async |site| {
        let slot = json!({
            "agreed": "slot", "server": "martin-1", "product": "isacompta",
            "from": "2026-04-30T12:00", "to": "2026-04-30T14:00", "by": "Mme Martin",
        });
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        site.post(&format!("{API}/agreements"), &staff, &slot.to_string()).await.ok();
        // The announcement first, and then what the agreement changed.
        assert_eq!(posted(&site).await, 2);
        let (moved, _) = invitation(&site, "moved-martin");
        assert_eq!((moved["SEQUENCE"].as_str(), moved["DTSTART"].as_str()), ("0", "20260430T100000Z"));
    })
    .await;
}

#[tokio::test]
async fn planned_work_is_a_feed_for_whoever_knows_its_address() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        site.publish("isaged", "2.0", "minor", "").await;
        let path = async |client: Option<&str>| {
            let address = appointments::address(&site.o, client).await.unwrap();
            address.strip_prefix(&site.o.base_url).expect("it is ours").to_owned()
        };
        let (own, all) = (path(Some("martin")).await, path(None).await);
        let read = async |path: &str| {
            let answer = site.get(path, "").await;
            assert_eq!(answer.ok().header("content-type"), "text/calendar; charset=utf-8");
            String::from_utf8(answer.bytes).unwrap().replace("\r\n ", "")
        };
        let (martin, staff) = (read(&own).await, read(&all).await);
        assert!(
            martin.contains("METHOD:PUBLISH")
                && martin.contains("SUMMARY:martin-1 : mise à jour de nuit (ISACOMPTA 14.20.003)")
        );
        assert_eq!((martin.matches("BEGIN:VEVENT").count(), staff.matches("BEGIN:VEVENT").count()), (1, 2), "{staff}");
        assert!(staff.contains("SUMMARY:Fiduciaire du Rhin\\, rhin-1: update at night"), "{staff}");
        assert!(!martin.contains("rhin"), "{martin}");

        // It opens nothing else, and nothing else opens it.
        let secret = own.strip_prefix("/calendar/").unwrap().strip_suffix(".ics").unwrap();
        site.get(&format!("{API}/history"), &format!("Bearer {secret}")).await.refused(401);
        let bearer = site.staff().await;
        site.get(&format!("/calendar/{}.ics", bearer.strip_prefix("Bearer ").unwrap()), "").await.refused(404);
        for nothing in ["/calendar/.ics", "/calendar/x.ics", &own.replace(".ics", "")] {
            site.get(nothing, "").await.refused(404);
        }
        // A new address ends the old one; so does revoking it.
        let renewed = path(Some("martin")).await;
        site.get(&own, "").await.refused(404);
        read(&renewed).await;
        tokens::revoke(&site.o, "calendar of martin").await.unwrap();
        site.get(&renewed, "").await.refused(404);
        read(&all).await;
        assert!(appointments::address(&site.o, Some("nobody")).await.unwrap_err().to_string().contains("no client"));
    })
    .await;
}
