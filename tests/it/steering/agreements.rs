//! Agreements: recorded by staff or the client itself, refused in words, and what they change.

use super::{API, events, letters, says, texts};
use crate::site::{self, Site};
use noctule::work::planning;
use serde_json::{Value, json};

async fn agree(site: &Site, token: &str, body: &Value) -> site::Answer {
    site.post(&format!("{API}/agreements"), token, &body.to_string()).await
}

fn slot(from: &str, to: &str) -> Value {
    json!({ "agreed": "slot", "server": "martin-1", "product": "isacompta", "from": from, "to": to, "by": "Mme Martin" })
}

fn with(mut body: Value, key: &str, value: &str) -> Value {
    body[key] = value.into();
    body
}

#[tokio::test]
async fn what_cannot_be_agreed_is_refused_in_words_and_changes_nothing() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        site.publish("isacompta", "14.20.003", "minor", "").await;
        site.publish("eic", "9.0", "major", "").await;
        let (staff, before) = (site.staff().await, site.kept().await);
        let good = || slot("2026-05-04T20:00", "2026-05-04T22:00");
        let closed = |from: &str, to: &str| {
            json!({ "agreed": "closed_period", "client": "martin", "from": from, "to": to, "by": "Mme Martin" })
        };
        let notice = |product: &str, version: &str, before: &str| {
            json!({
                "agreed": "short_notice", "client": "martin", "product": product, "version": version,
                "before": before, "by": "Mme Martin",
            })
        };
        for (body, status, said) in [
            (with(good(), "server", "nobody"), 404, "there is no server \"nobody\""),
            (with(good(), "product", "excel"), 404, "there is no product \"excel\""),
            (with(good(), "product", "eic"), 422, "eic is not in the order of martin"),
            (with(good(), "product", "isaged"), 422, "martin-1 does not run isaged"),
            (with(good(), "from", "soon"), 400, "\"soon\" is no time"),
            (with(good(), "from", "2026-05-04"), 422, "needs the time as well"),
            (with(good(), "by", " "), 400, "who agrees is missing"),
            // One minute either side of each bound: order, past, length for 30 + 15 minutes, 10 for the backup, one to start.
            (slot("2026-05-04T20:00", "2026-05-04T20:00"), 422, "not after its start"),
            (slot("2026-04-29T15:00", "2026-04-29T17:00"), 422, "the slot was over on Wed 29 Apr 2026 17:00"),
            (slot("2026-04-29T15:00", "2026-04-29T17:55"), 422, "needs 56 minutes, start, backup and rollback included; the slot has 55"),
            (slot("2026-05-04T20:00", "2026-05-04T20:55"), 422, "isacompta 14.20.003 needs 56 minutes"),
            (slot("2026-05-04T20:00", "2026-06-04T20:00"), 422, "at most 96 are agreed"),
            (closed("2026-05-10", "2026-05-09"), 422, "ends on 2026-05-09, before it begins on 2026-05-10"),
            (closed("2026-04-20", "2026-04-28"), 422, "2026-04-28 has passed"),
            (with(closed("2026-05-10", "2026-05-12"), "client", "nobody"), 404, "there is no client \"nobody\""),
            (with(closed("2026-05-10", "2026-05-12"), "server", "rhin-1"), 404, "client martin has no server \"rhin-1\""),
            (with(closed("2026-05-10", "2026-05-12"), "from", "2026-02-30"), 400, "JSON"),
            (notice("isacompta", "16", "2026-05-04"), 404, "isacompta 16 has not been published"),
            (notice("isacompta", "14.20.003", "2026-05-04"), 422, "needs no request on any server of martin"),
            (notice("eic", "9.0", "2026-05-04"), 422, "not in the order"),
            (notice("isacompta", "15.00.001", "2026-04-28"), 422, "2026-04-28 has passed"),
        ] {
            says(&agree(&site, &staff, &body).await, status, said);
        }
        let mut nobody = good();
        nobody.as_object_mut().unwrap().remove("by");
        says(&agree(&site, &staff, &nobody).await, 400, "who of the client agreed");
        let mut nowhere = closed("2026-05-10", "2026-05-12");
        nowhere.as_object_mut().unwrap().remove("client");
        says(&agree(&site, &staff, &nowhere).await, 400, "which client");
        assert_eq!(site.kept().await, before);
        for body in [
            slot("2026-05-04T20:00", "2026-05-04T20:56"),
            slot("2026-04-29T15:00", "2026-04-29T17:56"),
            slot("2026-05-04T18:00:00Z", "2026-05-04T22:00"),
            closed("2026-04-29", "2026-04-29"),
            notice("isacompta", "15.00.001", "2026-04-29"),
        ] {
            assert_eq!(agree(&site, &staff, &body).await.ok().status, 201);
        }
    })
    .await;
}

#[tokio::test]
async fn an_agreed_slot_is_planned_in_and_names_who_agreed() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        let recorded = agree(&site, &staff, &slot("2026-04-30T12:00", "2026-04-30T13:30")).await.ok().json();
        assert_eq!(recorded["slot"], json!({ "start": "2026-04-30T10:00:00Z", "end": "2026-04-30T11:30:00Z" }));
        assert_eq!((&recorded["by"], &recorded["client"]), (&json!("Mme Martin"), &json!("martin")));
        // The answer tells the plan that follows from it.
        assert_eq!(recorded["plan"][0]["slot"], recorded["slot"]);
        assert_eq!(recorded["plan"][0]["decision"], "planned");
        planning::run(&site.o).await.unwrap();
        let rows = site.get(&format!("{API}/history?client=martin"), &staff).await.ok().json();
        assert_eq!(rows[0]["slot"], recorded["slot"]);
        let reasons = rows[0]["reasons"].to_string();
        assert!(reasons.contains("Mme Martin"), "{reasons}");
        let told = events(&site, "martin", "agreed").await;
        let expected = "agreement 1 by Mme Martin, recorded by zoe: isacompta on martin-1 from Thu 30 Apr 2026 12:00 to \
                        Thu 30 Apr 2026 13:30 (Europe/Paris)";
        assert_eq!(told, [expected]);
    })
    .await;
}

#[tokio::test]
async fn a_shorter_notice_is_agreed_then_requested_and_the_letter_says_with_whom() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let (martin, staff) = (site.client("martin").await, site.staff().await);
        let ask = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-05-04" }).to_string();
        site.post(&format!("{API}/requests"), &martin, &ask).await.refused(422);
        let notice = json!({
            "agreed": "short_notice", "client": "martin", "product": "isacompta", "version": "15.00.001",
            "before": "2026-05-04", "by": "Mme Martin",
        });
        agree(&site, &staff, &notice).await.ok();
        let accepted = site.post(&format!("{API}/requests"), &martin, &ask).await.ok().json();
        let agreement = json!({ "id": 1, "by": "Mme Martin", "at": "2026-04-29T15:00:00Z" });
        assert_eq!(accepted["agreement"], agreement);
        let letter = letters(&site, "martin").await.pop().unwrap();
        assert!(letter.contains("agreed: Some(Consent { by: \"Mme Martin\", at: 2026-04-29T15:00:00Z })"), "{letter}");
        let filter = noctule::edge::store::EventFilter { client: Some("martin".into()), ..Default::default() };
        let events = site.o.store.events(&filter).await.unwrap();
        let reasons = &events.last().unwrap().body.reasons;
        assert!(reasons[1].text.contains("agreement 1: Mme Martin agreed to 2026-05-04 on Wed 29 Apr 2026 17:00"));
        planning::run(&site.o).await.unwrap();
        let rows = site.get(&format!("{API}/history"), &martin).await.ok().json();
        assert_eq!((&rows[0]["state"], &rows[0]["slot"]["end"]), (&json!("planned"), &json!("2026-05-02T14:00:00Z")));
    })
    .await;
}

#[tokio::test]
async fn a_client_agrees_for_itself_alone_and_sees_its_own() {
    site::each(async |site| {
        let (martin, rhin, staff) = (site.client("martin").await, site.client("rhin").await, site.staff().await);
        let closed = json!({ "agreed": "closed_period", "from": "2026-05-04", "to": "2026-05-08" });
        let own = agree(&site, &martin, &closed).await.ok().json();
        assert_eq!((&own["client"], &own["by"]), (&json!("martin"), &json!("contact martin")));
        assert_eq!(agree(&site, &rhin, &with(closed.clone(), "by", "M. Muller")).await.ok().json()["by"], "M. Muller");
        agree(&site, &rhin, &with(closed, "client", "martin")).await.refused(403);
        agree(&site, &rhin, &slot("2026-05-04T20:00", "2026-05-04T22:00")).await.refused(403);
        let mut notice = json!({ "agreed": "short_notice", "client": "martin", "product": "isacompta" });
        (notice["version"], notice["before"]) = ("15".into(), "2026-05-04".into());
        agree(&site, &rhin, &notice).await.refused(403);
        let seen = async |token: &str, query: &str| {
            texts(&site.get(&format!("{API}/agreements{query}"), token).await.ok().json(), "client")
        };
        assert_eq!(seen(&martin, "").await, ["martin"]);
        assert_eq!(seen(&staff, "").await, ["martin", "rhin"]);
        assert_eq!(seen(&staff, "?client=rhin").await, ["rhin"]);
        site.get(&format!("{API}/agreements?client=martin"), &rhin).await.refused(403);
        assert_eq!(events(&site, "rhin", "agreed").await.len(), 1);
    })
    .await;
}
