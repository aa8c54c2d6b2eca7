//! Requests: repeated, superseded, changed, cancelled, made together; who asked.

use super::{API, events, letters, says, texts};
use crate::site::{self, Site};
use noctule::edge::store::Scope;
use noctule::work::{planning, tokens};
use serde_json::{Value, json};

fn ask(before: &str) -> Value {
    json!({ "product": "isacompta", "version": "15.00.001", "before": before })
}

async fn post(site: &Site, path: &str, token: &str, body: &Value) -> site::Answer {
    site.post(&format!("{API}/{path}"), token, &body.to_string()).await
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_date_takes_its_place() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let martin = site.client("martin").await;
        let first = post(&site, "requests", &martin, &ask("2026-05-20")).await;
        assert_eq!(first.status, 201);
        let first = first.json();
        assert_eq!((&first["repeated"], &first["superseded"]), (&json!(false), &json!([])));
        planning::run(&site.o).await.unwrap();
        let before = site.kept().await;
        let again = post(&site, "requests", &martin, &ask("2026-05-20")).await;
        assert_eq!(again.status, 200);
        let again = again.json();
        assert_eq!((&again["id"], &again["repeated"]), (&first["id"], &json!(true)));
        assert_eq!((&again["slots"], &again["counting"]), (&first["slots"], &first["counting"]));
        assert_eq!(site.kept().await, before);
        // Repeated long after its notice has run out, it is the same all the same.
        site.at("2026-05-15 12:00");
        planning::run(&site.o).await.unwrap();
        assert_eq!(post(&site, "requests", &martin, &ask("2026-05-20")).await.status, 200);

        let second = post(&site, "requests", &martin, &ask("2026-12-15")).await;
        assert_eq!(second.status, 201);
        let second = second.json();
        assert_eq!(second["superseded"], json!([first["id"]]));
        let listed = site.get(&format!("{API}/requests"), &martin).await.ok().json();
        assert_eq!(texts(&listed, "state"), ["superseded", "accepted"]);
        assert_eq!(listed[0]["superseded_by"], second["id"]);
        let told = events(&site, "martin", "request_superseded").await;
        assert_eq!(told, ["request 1 for 15.00.001 by 2026-05-20 gives way to request 2"]);
        assert!(letters(&site, "martin").await.last().unwrap().contains("replaces: [1]"));
        // The answer tells the slot that the planner then gives; one installation, not one cancelled and one anew.
        planning::run(&site.o).await.unwrap();
        let rows = site.get(&format!("{API}/history"), &martin).await.ok().json();
        assert_eq!(texts(&rows, "state"), ["planned"]);
        assert_eq!((&rows[0]["slot"], &rows[0]["request"]["id"]), (&second["slots"][0]["slot"], &second["id"]));

        // More than 45 days ahead, for a client to whom nothing was promised.
        let rhin = site.client("rhin").await;
        let far = post(&site, "requests", &rhin, &ask("2026-12-15")).await.ok().json();
        let start = far["slots"][0]["slot"]["start"].as_str().unwrap();
        assert!(start.starts_with("2026-12-1"), "{start}");
        planning::run(&site.o).await.unwrap();
        let rows = site.get(&format!("{API}/history"), &rhin).await.ok().json();
        assert_eq!(rows[0]["slot"], far["slots"][0]["slot"]);
    })
    .await;
}

#[tokio::test]
async fn a_change_counts_from_now_and_a_refused_one_leaves_the_old_standing() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let (martin, rhin, staff) = (site.client("martin").await, site.client("rhin").await, site.staff().await);
        let id = post(&site, "requests", &martin, &ask("2026-05-20")).await.ok().json()["id"].clone();
        let change = format!("requests/{id}/change");
        site.at("2026-05-06 10:00");
        // Counted from 6 May: 7, 11, 12, 13 and 15 May, 8 and 14 May being holidays.
        let refused = post(&site, &change, &martin, &json!({ "before": "2026-05-14" })).await.refused(422);
        assert_eq!(refused["stands"], json!({ "id": id, "before": "2026-05-20" }));
        assert_eq!((&refused["earliest"], &refused["accepted"]), (&json!("2026-05-15"), &json!(false)));
        let hint = refused["hint"].as_str().unwrap();
        assert!(hint.contains("request 1 by 2026-05-20 stands as it was"), "{hint}");
        assert_eq!(texts(&site.get(&format!("{API}/requests"), &martin).await.json(), "state"), ["accepted"]);
        let told = events(&site, "martin", "request_refused").await;
        assert!(told[0].ends_with("; request 1 by 2026-05-20 stands"), "{told:?}");
        assert!(letters(&site, "martin").await.last().unwrap().contains("stands: Some(Standing { request: 1"));

        post(&site, &change, &rhin, &json!({ "before": "2026-05-30" })).await.refused(403);
        says(&post(&site, "requests/9/change", &staff, &json!({ "before": "2026-05-30" })).await, 404, "no request 9");
        let unknown = json!({ "before": "2026-05-30", "servers": ["rhin-1"] });
        says(&post(&site, &change, &martin, &unknown).await, 404, "has no server \"rhin-1\"");
        assert_eq!(post(&site, &change, &martin, &json!({ "before": "2026-05-20" })).await.status, 200);

        let changed = post(&site, &change, &martin, &json!({ "before": "2026-05-15" })).await;
        assert_eq!(changed.status, 201);
        assert_eq!(changed.json()["superseded"], json!([id]));
        says(&post(&site, &change, &martin, &json!({ "before": "2026-06-30" })).await, 409, "cannot be changed");
        let one = format!("{API}/requests/{id}");
        says(&site.call("DELETE", &one, &martin, &[], "").await, 409, "is superseded and cannot be cancelled");
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_is_named_and_asks_only_for_itself() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let claire = tokens::issue(&site.o, "claire@martin.example", Scope::Client { client: "martin".into() });
        let (claire, staff) = (format!("Bearer {}", claire.await.unwrap()), site.staff().await);
        let for_rhin = |before: &str, by: Option<&str>| {
            json!({ "client": "rhin", "product": "isacompta", "version": "15.00.001", "before": before, "by": by })
        };
        post(&site, "requests", &claire, &for_rhin("2026-06-01", None)).await.refused(403);
        let own = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-06-01", "by": "Hugo" });
        says(&post(&site, "requests", &claire, &own).await, 400, "who of the staff");
        let asked = post(&site, "requests", &claire, &ask("2026-06-01")).await.ok().json();
        assert_eq!(asked["by"], "claire@martin.example (main contact)");
        let asked = post(&site, "requests", &staff, &for_rhin("2026-06-01", None)).await.ok().json();
        assert_eq!(asked["by"], "staff zoe for rhin");
        let asked = post(&site, "requests", &staff, &for_rhin("2026-06-02", Some("Nadia"))).await.ok().json();
        assert_eq!(asked["by"], "staff Nadia for rhin");
        let nobody = json!({ "client": "nobody", "product": "isacompta", "version": "15", "before": "2026-06-01" });
        says(&post(&site, "requests", &staff, &nobody).await, 404, "no client \"nobody\"");
        let row = site.call("DELETE", &format!("{API}/requests/3"), &staff, &[], "").await.ok().json();
        assert_eq!(row["state"], "cancelled");
        assert!(letters(&site, "rhin").await.last().unwrap().contains("by: \"staff zoe for rhin\""));
    })
    .await;
}

#[tokio::test]
async fn what_belongs_together_is_asked_for_together() {
    site::each(async |site| {
        crate::world::report(
            &site.o,
            "martin-1",
            &[("isacompta", "14.20.002"), ("isaged", "3.8")],
            Some(site.o.clock.now()),
        )
        .await;
        site.publish("isaged", "4.0", "major", "").await;
        let with = "installs_with = [{ product = \"isaged\", version = \"4.0\" }]";
        site.publish("isacompta", "15.00.001", "major", with).await;
        let martin = site.client("martin").await;
        let refused = post(&site, "requests", &martin, &ask("2026-05-20")).await.refused(422);
        assert_eq!(refused["together"], json!({ "product": "isaged", "version": "4.0" }));
        assert!(refused["hint"].as_str().unwrap().contains("ask for isaged 4.0 together with it"));
        assert!(refused["fr"].as_str().unwrap().contains("demandez isaged 4.0 en même temps"));

        let mut both = ask("2026-05-20");
        both["with"] = json!([{ "product": "isaged", "version": "5.0" }]);
        post(&site, "requests", &martin, &both).await.refused(422);
        assert_eq!(site.get(&format!("{API}/requests"), &martin).await.json(), json!([]), "all or none");
        both["with"] = json!([{ "product": "isacompta", "version": "15.00.001" }]);
        says(&post(&site, "requests", &martin, &both).await, 400, "isacompta is asked for twice");
        both["with"] = json!([{ "product": "isaged", "version": "4.0" }]);
        let accepted = post(&site, "requests", &martin, &both).await;
        assert_eq!(accepted.status, 201);
        assert_eq!(accepted.json()["with"][0]["product"], "isaged");
        planning::run(&site.o).await.unwrap();
        let rows = site.o.store.deployments(&Default::default()).await.unwrap();
        assert_eq!(rows.iter().map(|d| (d.action, d.slot)).collect::<std::collections::BTreeSet<_>>().len(), 1);
        assert_eq!(rows.len(), 2);
    })
    .await;
}
