//! The REST API, route by route: what staff see, what a client may see and ask, and how everything else is refused.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::site;
use super::world::paris;
use chrono::TimeDelta;
use noctule::edge::store::{Changes, EventFilter, FeedFile, Row};
use noctule::model::alert::{AlertClass, NewAlert};
use noctule::web::Identity;
use noctule::work::{alerts, tokens};
use serde_json::{Value, json};

const API: &str = "/api/v1";

/// Every route: method, path, and who may call it (`all`, `tokens`, `clients`, `staff`).
const ROUTES: [(&str, &str, &str); 32] = [
    ("GET", "/openapi.json", "all"),
    ("GET", "/health", "all"),
    ("POST", "/enrol", "all"),
    ("GET", "/feeds/agiris/metadata/1.root.json", "tokens"),
    ("GET", "/history", "clients"),
    ("GET", "/history/1/events", "clients"),
    ("GET", "/events", "clients"),
    ("GET", "/plan", "clients"),
    ("GET", "/explain?server=martin-1", "clients"),
    ("GET", "/status", "clients"),
    ("GET", "/report?month=2026-04", "clients"),
    ("GET", "/report/verification?month=2026-04", "clients"),
    ("GET", "/requests", "clients"),
    ("POST", "/requests", "clients"),
    ("DELETE", "/requests/1", "clients"),
    ("POST", "/requests/1/change", "clients"),
    ("GET", "/agreements", "clients"),
    ("POST", "/agreements", "clients"),
    ("GET", "/holds", "clients"),
    ("POST", "/holds", "staff"),
    ("POST", "/holds/1/lift", "staff"),
    ("GET", "/resumptions", "staff"),
    ("POST", "/resumptions", "staff"),
    ("GET", "/notices", "clients"),
    ("POST", "/notices/1/again", "staff"),
    ("GET", "/fleet", "clients"),
    ("GET", "/alerts", "staff"),
    ("POST", "/alerts/1/ack", "staff"),
    ("POST", "/alerts/1/resolve", "staff"),
    ("POST", "/deployments/1/attend", "staff"),
    ("GET", "/deployments/1/concertation", "clients"),
    ("POST", "/deployments/1/concertation", "clients"),
];

fn names(rows: &Value, key: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap_or("null").to_owned()).collect()
}

#[tokio::test]
async fn every_route_knows_who_asks_and_refuses_in_words() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (client, target) = (site.client("martin").await, site.target("martin-1").await);
        let staff = site.staff().await;
        let before = site.kept().await;
        for (method, path, who) in ROUTES {
            let path = format!("{API}{path}");
            let bare = path.split('?').next().unwrap();
            let right = |wrong: &str| {
                ROUTES
                    .iter()
                    .any(|(method, known, _)| *method == wrong && bare.ends_with(known.split('?').next().unwrap()))
            };
            for wrong in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].into_iter().filter(|wrong| !right(wrong))
            {
                let answer = site.call(wrong, bare, &client, &[], "{}").await;
                answer.refused(405);
                assert!(answer.header("allow").contains(method), "{wrong} {bare}: {}", answer.header("allow"));
            }
            if who != "all" {
                site.call(method, &path, "", &[], "{}").await.refused(401);
                site.call(method, &path, "Bearer wrong", &[], "{}").await.refused(401);
            }
            if who == "staff" {
                site.call(method, &path, &client, &[], "{}").await.refused(403);
            }
            if who == "staff" || who == "clients" {
                let body = r#"{"product":"isacompta","version":"15","before":"2026-06-01"}"#;
                let body = if path.ends_with("/requests") { body } else { "{}" };
                site.call(method, &path, &target, &[], body).await.refused(403);
            }
            if method == "POST" {
                let token = if who == "staff" { &staff } else { &client };
                for bad in ["{", "[1]", "null", "\u{0}", r#"{"surprise":1}"#] {
                    site.post(&path, token, bad).await.refused(400);
                }
                let large = format!(r#"{{"by":"{}"}}"#, "x".repeat(300 * 1024));
                site.post(&path, token, &large).await.refused(413);
            }
        }
        for bad in
            ["/history?state=asleep", "/history?surprise=1", "/history?since=soon", "/plan?at=now", "/history/x/events"]
        {
            site.get(&format!("{API}{bad}"), &client).await.refused(400);
        }
        site.get(&format!("{API}/nothing"), &client).await.refused(404);
        assert_eq!(site.kept().await, before, "a call that was refused changed something");
    })
    .await;
}

#[tokio::test]
async fn the_document_names_every_route() {
    site::each(async |site| {
        let document = site.get(&format!("{API}/openapi.json"), "").await.ok().json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3."));
        for (method, path, _) in ROUTES.into_iter().filter(|(_, path, _)| *path != "/openapi.json") {
            let template = match path.split('?').next().unwrap() {
                "/feeds/agiris/metadata/1.root.json" => "/feeds/{publisher}/{kind}/{file}",
                "/history/1/events" => "/history/{deployment}/events",
                "/requests/1" => "/requests/{id}",
                "/requests/1/change" => "/requests/{id}/change",
                "/holds/1/lift" => "/holds/{id}/lift",
                "/alerts/1/ack" => "/alerts/{id}/ack",
                "/alerts/1/resolve" => "/alerts/{id}/resolve",
                "/notices/1/again" => "/notices/{id}/again",
                "/deployments/1/attend" => "/deployments/{id}/attend",
                "/deployments/1/concertation" => "/deployments/{id}/concertation",
                plain => plain,
            };
            let operation = &document["paths"][format!("{API}{template}")][method.to_ascii_lowercase()];
            assert!(operation["responses"].is_object(), "{method} {template}: {operation}");
        }
        // And the other way round: the table that the other stories go through leaves none out.
        let operations = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
        assert_eq!(operations.sum::<usize>() + 1, ROUTES.len(), "every route but the document's own is documented");
        assert!(document["components"]["schemas"]["HistoryRow"]["properties"]["on_time"].is_object());
    })
    .await;
}

#[tokio::test]
async fn history_has_exactly_the_promised_fields_and_is_filtered() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        let rows = site.get(&format!("{API}/history"), &staff).await.ok().json();
        assert_eq!(names(&rows, "server"), ["martin-1", "rhin-1"]);
        let mut keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let promised = [
            "attempts",
            "change",
            "client",
            "deadline",
            "finished_at",
            "from",
            "id",
            "manual",
            "on_time",
            "product",
            "published_at",
            "reasons",
            "request",
            "server",
            "slot",
            "started_at",
            "state",
            "to",
            "zone",
        ];
        assert_eq!(keys, promised);
        let row = &rows[0];
        assert_eq!(row["slot"], json!({"start": "2026-04-29T20:00:00Z", "end": "2026-04-30T05:00:00Z"}));
        assert_eq!(
            (&row["from"], &row["to"], &row["state"]),
            (&json!("14.20.002"), &json!("14.20.003"), &json!("planned"))
        );
        assert_eq!(
            (&row["zone"], &row["request"], &row["on_time"]),
            (&json!("Europe/Paris"), &Value::Null, &Value::Null)
        );
        assert_eq!(row["reasons"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["rule", "text"]);
        for (query, want) in [
            ("client=martin", 1),
            ("server=rhin-1", 1),
            ("product=isaged", 0),
            ("state=installed,failed", 0),
            ("state=planned", 2),
            ("since=2026-04-30", 0),
            ("until=2026-04-30", 2),
            ("limit=1", 1),
        ] {
            let rows = site.get(&format!("{API}/history?{query}"), &staff).await.ok().json();
            assert_eq!(rows.as_array().unwrap().len(), want, "{query}");
        }
        let events = site.get(&format!("{API}/history/{}/events", row["id"]), &staff).await.ok().json();
        assert_eq!(names(&events, "kind"), ["planned"]);
        site.get(&format!("{API}/history/999/events"), &staff).await.refused(404);
        let all = site.get(&format!("{API}/events?client=rhin"), &staff).await.ok().json();
        assert_eq!(names(&all, "kind"), ["planned"]);
    })
    .await;
}

#[tokio::test]
async fn a_client_sees_and_asks_only_for_itself() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (martin, staff) = (site.client("martin").await, site.staff().await);
        for path in ["history", "plan", "fleet", "events", "notices"] {
            let rows = site.get(&format!("{API}/{path}"), &martin).await.ok().json();
            let clients = names(&rows, "client");
            assert!(!clients.is_empty() && clients.iter().all(|client| client == "martin"), "{path}: {clients:?}");
            site.get(&format!("{API}/{path}?client=rhin"), &martin).await.refused(403);
        }
        for path in [
            "history?server=rhin-1",
            "plan?server=rhin-1",
            "events?server=rhin-1",
            "explain?server=rhin-1",
            "requests?client=rhin",
        ] {
            site.get(&format!("{API}/{path}"), &martin).await.refused(403);
        }
        let rows = site.get(&format!("{API}/history?client=rhin"), &staff).await.ok().json();
        site.get(&format!("{API}/history/{}/events", rows[0]["id"]), &martin).await.refused(403);
        let other = r#"{"client":"rhin","product":"isacompta","version":"15.00.001","before":"2026-06-01"}"#;
        site.post(&format!("{API}/requests"), &martin, other).await.refused(403);
        let nobody = r#"{"product":"isacompta","version":"15.00.001","before":"2026-06-01"}"#;
        site.post(&format!("{API}/requests"), &staff, nobody).await.refused(400);
    })
    .await;
}

#[tokio::test]
async fn a_plan_and_its_explanation_change_nothing() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        let plan = site.get(&format!("{API}/plan?client=martin&days=3"), &staff).await.ok().json();
        assert_eq!(
            (names(&plan, "decision"), names(&plan, "to")),
            (vec!["planned".to_owned()], vec!["14.20.003".to_owned()])
        );
        assert_eq!(plan[0]["slot"]["start"], "2026-04-29T20:00:00Z");
        let later =
            site.get(&format!("{API}/plan?client=martin&at=2026-04-30T10:00:00Z&all=true"), &staff).await.ok().json();
        assert_ne!(later[0]["slot"], plan[0]["slot"]);
        let none = site.get(&format!("{API}/plan?client=martin&days=0"), &staff).await.ok().json();
        assert_eq!(none, json!([]));
        let why = site.get(&format!("{API}/explain?server=martin-1&product=isacompta"), &staff).await.ok().json();
        assert_eq!((&why["zone"], &why["at"]), (&json!("Europe/Paris"), &json!("2026-04-29T15:00:00Z")));
        let decision = &why["decisions"][0];
        assert_eq!(decision["decision"], "planned");
        let reasons = decision["reasons"].as_array().unwrap();
        assert!(reasons.iter().any(|r| r["rule"] == "minor-night" && r["clause"] == "3.1.b.3"), "{reasons:?}");
        site.get(&format!("{API}/explain?server=nobody"), &staff).await.refused(404);
        site.get(&format!("{API}/explain?server=martin-1&product=isaged"), &staff).await.refused(404);
        let history = site.get(&format!("{API}/history"), &staff).await.ok().json();
        assert_eq!(names(&history, "state"), ["planned", "planned"]);
    })
    .await;
}

#[tokio::test]
async fn a_major_is_refused_with_the_date_that_would_do_then_accepted_and_withdrawn() {
    site::each(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        let (martin, rhin) = (site.client("martin").await, site.client("rhin").await);
        let ask = |before: &str| json!({"product": "isacompta", "version": "15.00.001", "before": before}).to_string();
        let path = format!("{API}/requests");
        let refused = site.post(&path, &martin, &ask("2026-05-04")).await.refused(422);
        assert_eq!((&refused["accepted"], &refused["counting"]["earliest"]), (&json!(false), &json!("2026-05-07")));
        let earliest = refused["earliest"].as_str().unwrap().to_owned();
        let answer = site.post(&path, &martin, &ask(&earliest)).await;
        assert_eq!(answer.status, 201);
        let accepted = answer.json();
        assert_eq!((&accepted["client"], &accepted["slots"][0]["server"]), (&json!("martin"), &json!("martin-1")));
        for bad in [ask("2026-02-30"), ask("soon"), ask(&earliest).replace("15.00.001", "none")] {
            site.post(&path, &martin, &bad).await.refused(400);
        }
        let unordered = ask(&earliest).replace("isacompta", "isapaye");
        site.post(&path, &martin, &unordered).await.refused(422);
        let listed = site.get(&path, &martin).await.ok().json();
        assert_eq!(
            (names(&listed, "state"), names(&listed, "by")),
            (vec!["accepted".into()], vec!["contact martin".into()])
        );
        let one = format!("{path}/{}", accepted["id"]);
        site.call("DELETE", &one, &rhin, &[], "").await.refused(403);
        site.call("DELETE", &one, &martin, &[], "").await.ok();
        site.call("DELETE", &one, &martin, &[], "").await.refused(409);
        site.call("DELETE", &format!("{path}/999"), &martin, &[], "").await.refused(404);
        assert_eq!(names(&site.get(&path, &martin).await.json(), "state"), ["cancelled"]);
        let letters = site.get(&format!("{API}/notices"), &martin).await.ok().json();
        let told = names(&letters, "letter");
        for letter in ["major_available", "major_refused", "major_requested", "request_cancelled"] {
            assert!(told.iter().any(|l| l == letter), "{letter}: {told:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn staff_acknowledge_alerts_and_attend_manual_updates() {
    site::each(async |site| {
        let staff = site.staff().await;
        let mut changes = Changes::default();
        let alert = NewAlert {
            cause: "test".into(),
            class: AlertClass::Systems,
            client: Some("martin".into()),
            server: Some("martin-1".into()),
            product: None,
            deployment: None,
            title: "the disk is full".into(),
            text: "no space left".into(),
        };
        alerts::raise(&site.o, &mut changes, alert).await.unwrap();
        site.o.store.commit(changes).await.unwrap();
        let listed = site.get(&format!("{API}/alerts"), &staff).await.ok().json();
        assert_eq!((names(&listed, "state"), names(&listed, "class")), (vec!["open".into()], vec!["systems".into()]));
        let ack = format!("{API}/alerts/{}/ack", listed[0]["id"]);
        let row = site.post(&ack, &staff, "").await.ok().json();
        assert_eq!((&row["state"], &row["by"]), (&json!("acknowledged"), &json!("zoe")));
        site.post(&format!("{API}/alerts/999/ack"), &staff, "{}").await.refused(404);
        let resolve = format!("{API}/alerts/{}/resolve", listed[0]["id"]);
        site.post(&resolve, &staff, r#"{"note":"  "}"#).await.refused(400);
        site.post(&format!("{API}/alerts/999/resolve"), &staff, r#"{"note":"done"}"#).await.refused(404);
        let row = site.post(&resolve, &staff, r#"{"note":"the disk is larger now"}"#).await.ok().json();
        let told = (&row["state"], &row["by"], &row["note"]);
        assert_eq!(told, (&json!("resolved"), &json!("zoe"), &json!("the disk is larger now")));
        site.post(&resolve, &staff, r#"{"note":"again"}"#).await.refused(409);
        assert_eq!(names(&site.get(&format!("{API}/alerts"), &staff).await.ok().json(), "state"), Vec::<String>::new());
        let events = site.o.store.events(&EventFilter::default()).await.unwrap();
        let texts: Vec<&str> = events.iter().map(|e| e.body.text.as_str()).collect();
        let ended = texts.iter().any(|t| t.contains("resolved by zoe, the disk is larger now: the disk is full"));
        assert!(ended, "{texts:?}");

        site.publish("isacompta", "14.20.003", "minor", "manual_steps = { fr = \"À la main.\" }").await;
        let rows = site.get(&format!("{API}/history?client=martin"), &staff).await.ok().json();
        let attend = format!("{API}/deployments/{}/attend", rows[0]["id"]);
        assert_eq!(rows[0]["manual"], true);
        site.post(&attend, &staff, r#"{"by":" "}"#).await.refused(400);
        assert_eq!(site.post(&attend, &staff, r#"{"by":"Zoé"}"#).await.ok().json()["by"], "Zoé");
        site.post(&format!("{API}/deployments/999/attend"), &staff, "{}").await.refused(404);
        let end = rows[0]["slot"]["end"].as_str().unwrap().parse().unwrap();
        site.o.clock.advance_to(end);
        site.post(&attend, &staff, "{}").await.refused(409);
    })
    .await;
}

#[tokio::test]
async fn a_code_enrols_once_and_the_new_token_replaces_the_old() {
    site::each(async |site| {
        let old = site.target("martin-1").await;
        let code = tokens::issue_enrolment(&site.o, "martin-1", TimeDelta::days(1)).await.unwrap();
        let path = format!("{API}/enrol");
        site.post(&path, "", r#"{"code":"wrong"}"#).await.refused(403);
        let body = json!({ "code": code }).to_string();
        let enrolled = site.post(&path, "", &body).await.ok().json();
        assert_eq!((&enrolled["server"], &enrolled["tenant"]), (&json!("martin-1"), &json!("DEFAULT")));
        assert!(enrolled["roots"].is_object());
        site.post(&path, "", &body).await.refused(403);
        let token = format!("TargetToken {}", enrolled["token"].as_str().unwrap());
        site.get("/DEFAULT/controller/v1/martin-1", &token).await.ok();
        site.get("/DEFAULT/controller/v1/martin-1", &old).await.refused(401);
        let stored = site.o.store.tokens().await.unwrap();
        assert!(stored.iter().all(|t| !token.contains(&t.hash)), "only hashes are kept");

        let late = tokens::issue_enrolment(&site.o, "rhin-1", TimeDelta::hours(1)).await.unwrap();
        site.o.clock.advance_to(paris("2026-04-29 18:00"));
        site.post(&path, "", &json!({ "code": late }).to_string()).await.refused(403);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_of_staff_or_of_a_client_ends_at_once() {
    site::each(async |site| {
        let (staff, martin) = (site.staff().await, site.client("martin").await);
        for (name, token) in [("zoe", staff), ("contact martin", martin)] {
            site.get(&format!("{API}/history"), &token).await.ok();
            tokens::revoke(&site.o, name).await.unwrap();
            site.get(&format!("{API}/history"), &token).await.refused(401);
        }
    })
    .await;
}

#[tokio::test]
async fn agents_read_the_mirrored_feeds() {
    site::each(async |site| {
        let file = FeedFile { publisher: "agiris".into(), name: "metadata/1.root.json".into(), bytes: b"{}".to_vec() };
        site.o.store.commit(Changes { rows: vec![Row::FeedFile(file)], ..Changes::default() }).await.unwrap();
        let token = site.target("martin-1").await;
        let answer = site.get(&format!("{API}/feeds/agiris/metadata/1.root.json"), &token).await;
        assert_eq!(answer.ok().bytes, b"{}");
        for missing in ["agiris/metadata/2.root.json", "agiris/other/1.root.json", "eic/metadata/1.root.json"] {
            site.get(&format!("{API}/feeds/{missing}"), &token).await.refused(404);
        }
    })
    .await;
}

#[tokio::test]
async fn the_fleet_shows_what_servers_said_and_health_needs_no_token() {
    site::each(async |site| {
        let staff = site.staff().await;
        site.get("/DEFAULT/controller/v1/martin-1", &site.target("martin-1").await).await.ok();
        let fleet = site.get(&format!("{API}/fleet"), &staff).await.ok().json();
        assert_eq!(names(&fleet, "server"), ["martin-1", "rhin-1"]);
        assert_eq!(fleet[0]["inventory"]["isacompta"], "14.20.002");
        assert_eq!((&fleet[0]["last_seen"], &fleet[1]["last_seen"]), (&json!("2026-04-29T15:00:00Z"), &Value::Null));
        let health = site.get(&format!("{API}/health"), "").await.ok().json();
        assert_eq!((&health["status"], &health["now"]), (&json!("ok"), &json!("2026-04-29T15:00:00Z")));
    })
    .await;
}

#[tokio::test]
async fn a_call_from_within_carries_its_identity_itself() {
    use tower::ServiceExt;
    site::each(async |site| {
        let mut request = axum::http::Request::get(format!("{API}/alerts")).body(axum::body::Body::empty()).unwrap();
        request.extensions_mut().insert(Identity::Staff { name: "console".into() });
        assert_eq!(site.router.clone().oneshot(request).await.unwrap().status(), 200);
    })
    .await;
}
