//! Holds and resumptions: named, bounded, lifted, over by themselves, each in the right chain of history.

use super::{API, events, says, texts};
use crate::site::{self, Site};
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::alert::{AlertClass, NewAlert};
use noctule::model::event::PROVIDER;
use noctule::model::fleet::Fleet;
use noctule::model::release::Retraction;
use noctule::work::alerts;
use serde_json::{Value, json};

async fn hold(site: &Site, token: &str, body: &Value) -> site::Answer {
    site.post(&format!("{API}/holds"), token, &body.to_string()).await
}

/// A client that is called like a server of another, and one with servers in two zones.
async fn namesake(site: &Site) {
    let fleet: Fleet = toml::from_str(
        r#"
        [[client]]
        id = "rhin-1"
        name = "Homonyme"
        schedule = "pro-controle"
        holidays = "FR"
        order = ["isacompta"]
        contacts = []
        [[client]]
        id = "piton"
        name = "Piton"
        schedule = "pro-controle"
        holidays = "FR-974"
        order = ["isacompta"]
        contacts = []
        server = [{ id = "piton-1", zone = "Indian/Reunion" }, { id = "piton-2", zone = "Europe/Paris" }]
        "#,
    )
    .unwrap();
    let rows = fleet.clients.into_iter().map(|client| Row::Client(Stored::new(client))).collect();
    site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
}

#[tokio::test]
async fn a_hold_is_placed_by_whatever_names_it_and_refused_in_words() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        site.publish("isacompta", "14.20.004", "minor", "").await;
        namesake(&site).await;
        let mut gone = site.o.store.release("isacompta", &"14.20.004".parse().unwrap()).await.unwrap().unwrap();
        gone.value.retracted = Some(Retraction { at: site.o.clock.now(), reason: "faulty".into() });
        site.o.store.commit(Changes { rows: vec![Row::Release(gone)], ..Changes::default() }).await.unwrap();
        let (staff, before) = (site.staff().await, site.kept().await);
        let named = |name: &str| json!({ "name": name, "reason": "inventory" });
        for (body, status, said) in [
            (named("nobody"), 404, "\"nobody\" is no server, no client and no release"),
            (named("isacompta"), 404, "a release is written with its version: isacompta 14.20.003"),
            (named("isacompta 99"), 404, "there is no release \"isacompta 99\""),
            (named("isacompta 14.20.004"), 422, "isacompta 14.20.004 was withdrawn by its publisher"),
            (named("rhin-1"), 400, "\"rhin-1\" is a server and a client"),
            (json!({ "server": "martin", "reason": "x" }), 404, "there is no server \"martin\""),
            (json!({ "client": "martin-1", "reason": "x" }), 404, "there is no client \"martin-1\""),
            (json!({ "product": "isacompta", "reason": "x" }), 400, "does not say what to hold"),
            (json!({ "server": "martin-1", "client": "martin", "reason": "x" }), 400, "does not say what to hold"),
            (json!({ "server": "martin-1", "reason": " " }), 400, "the reason is missing"),
            (json!({ "server": "martin-1" }), 400, "missing field `reason`"),
            (json!({ "server": "martin-1", "reason": "x", "by": "" }), 400, "who holds is missing"),
            (json!({ "server": "martin-1", "reason": "x", "until": "soon" }), 400, "\"soon\" is no time"),
            (
                json!({ "server": "martin-1", "reason": "x", "until": "2026-04-29T17:00" }),
                422,
                "over on Wed 29 Apr 2026 17:00",
            ),
            (
                json!({ "server": "martin-1", "reason": "x", "until": "2026-04-28" }),
                422,
                "over on Wed 29 Apr 2026 00:00",
            ),
        ] {
            says(&hold(&site, &staff, &body).await, status, said);
        }
        assert_eq!(site.kept().await, before);
        for (body, on, until) in [
            (named("martin-1"), "server", Value::Null),
            (named("martin"), "client", Value::Null),
            (named("isacompta 14.20.3"), "release", Value::Null),
            (
                json!({ "server": "rhin-1", "reason": "x", "until": "2026-04-29T17:01" }),
                "server",
                json!("2026-04-29T15:01:00Z"),
            ),
            (
                json!({ "client": "rhin-1", "reason": "x", "until": "2026-04-29" }),
                "client",
                json!("2026-04-29T22:00:00Z"),
            ),
            // Réunion's clock for its server; for the client the site that reaches the time last; Paris for a release.
            (
                json!({ "server": "piton-1", "reason": "x", "until": "2026-05-01T08:00" }),
                "server",
                json!("2026-05-01T04:00:00Z"),
            ),
            (
                json!({ "client": "piton", "reason": "x", "until": "2026-05-01T08:00" }),
                "client",
                json!("2026-05-01T06:00:00Z"),
            ),
            (
                json!({ "product": "isacompta", "version": "14.20.003", "reason": "x", "until": "2026-05-01" }),
                "release",
                json!("2026-05-01T22:00:00Z"),
            ),
        ] {
            let placed = hold(&site, &staff, &body).await;
            assert_eq!(placed.status, 201, "{body}");
            let placed = placed.json();
            assert_eq!((&placed["on"], &placed["until"]), (&json!(on), &until), "{body}");
            assert_eq!((&placed["by"], &placed["active"]), (&json!("zoe"), &json!(true)));
        }
        let released = events(&site, PROVIDER, "hold_placed").await;
        assert_eq!(released[0], "hold 3 on release isacompta 14.20.003 by zoe until it is lifted: inventory");
        assert_eq!(events(&site, "martin", "hold_placed").await.len(), 2);
        // The same again changes nothing.
        let kept = site.kept().await;
        assert_eq!(hold(&site, &staff, &named("martin-1")).await.ok().json()["id"], 1);
        assert_eq!(site.kept().await, kept);
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_lifted_once_or_over_by_itself_and_a_client_sees_its_own() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (martin, rhin, staff) = (site.client("martin").await, site.client("rhin").await, site.staff().await);
        hold(&site, &staff, &json!({ "name": "martin-1", "reason": "a", "until": "2026-04-29T18:00" })).await.ok();
        hold(&site, &staff, &json!({ "name": "martin", "reason": "b", "by": "Nadia" })).await.ok();
        hold(&site, &staff, &json!({ "name": "isacompta 14.20.003", "reason": "c" })).await.ok();
        let seen = async |token: &str, query: &str| {
            texts(&site.get(&format!("{API}/holds{query}"), token).await.ok().json(), "reason")
        };
        assert_eq!(seen(&staff, "").await, ["a", "b", "c"]);
        assert_eq!(seen(&staff, "?client=martin").await, ["a", "b"]);
        assert_eq!(seen(&martin, "").await, ["a", "b"]);
        assert!(seen(&rhin, "").await.is_empty());
        site.get(&format!("{API}/holds?client=martin"), &rhin).await.refused(403);
        site.at("2026-04-29 17:59");
        assert_eq!(seen(&staff, "").await, ["a", "b", "c"]);
        site.at("2026-04-29 18:00");
        assert_eq!(seen(&staff, "").await, ["b", "c"]);
        assert_eq!(seen(&staff, "?all=true").await, ["a", "b", "c"]);
        let lift = async |id: i64, body: &str| site.post(&format!("{API}/holds/{id}/lift"), &staff, body).await;
        says(&lift(1, "{}").await, 409, "hold 1 is over already");
        says(&lift(9, "{}").await, 404, "there is no hold 9");
        let lifted = lift(2, r#"{"by":"Paul"}"#).await.ok().json();
        assert_eq!((&lifted["lifted_by"], &lifted["active"]), (&json!("Paul"), &json!(false)));
        assert_eq!(lifted["lifted_at"], "2026-04-29T16:00:00Z");
        says(&lift(2, "{}").await, 409, "hold 2 is over already");
        assert_eq!(events(&site, "martin", "hold_lifted").await, ["hold 2 on client martin lifted by Paul"]);
        assert_eq!(seen(&staff, "").await, ["c"]);
    })
    .await;
}

#[tokio::test]
async fn a_release_goes_on_with_its_holds_lifted_and_its_alert_resolved() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let staff = site.staff().await;
        let resume = async |product: &str, version: &str, reason: &str| {
            let body = json!({ "product": product, "version": version, "reason": reason, "by": "Nadia" });
            site.post(&format!("{API}/resumptions"), &staff, &body.to_string()).await
        };
        says(&resume("isacompta", "99", "mended").await, 404, "there is no release isacompta 99");
        says(&resume("isacompta", "14.20.003", "mended").await, 409, "goes on already");
        says(&resume("isacompta", "14.20.003", "").await, 400, "the reason is missing");
        for name in ["isacompta 14.20.003", "martin-1"] {
            hold(&site, &staff, &json!({ "name": name, "reason": "looking into it" })).await.ok();
        }
        let mut changes = Changes::default();
        let alert = NewAlert {
            cause: "halted/isacompta 14.20.003".into(),
            class: AlertClass::Applications,
            client: None,
            server: None,
            product: Some("isacompta".into()),
            deployment: None,
            title: "isacompta 14.20.003 halted".into(),
            text: "rollout: too many failures".into(),
        };
        alerts::raise(&site.o, &mut changes, alert).await.unwrap();
        site.o.store.commit(changes).await.unwrap();
        let resumed = resume("isacompta", "14.20.3", "one cause, mended").await;
        assert_eq!(resumed.status, 201);
        let resumed = resumed.json();
        assert_eq!((&resumed["version"], &resumed["lifted"]), (&json!("14.20.003"), &json!([1])));
        assert!(site.o.store.alerts(false).await.unwrap().is_empty());
        let holds = site.get(&format!("{API}/holds"), &staff).await.ok().json();
        assert_eq!(texts(&holds, "on"), ["server"], "a hold on a server is nobody's release");
        for (kind, text) in [
            ("release_resumed", "isacompta 14.20.003 goes on, by Nadia: one cause, mended"),
            ("hold_lifted", "hold 1 on release isacompta 14.20.003 lifted by Nadia"),
            ("alert_resolved", "alert 1 resolved, resumed by Nadia: one cause, mended: isacompta 14.20.003 halted"),
        ] {
            assert_eq!(events(&site, PROVIDER, kind).await, [text]);
        }
        let rows = site.get(&format!("{API}/resumptions"), &staff).await.ok().json();
        assert_eq!((texts(&rows, "by"), texts(&rows, "product")), (vec!["Nadia".into()], vec!["isacompta".into()]));
        says(&resume("isacompta", "14.20.003", "again").await, 409, "goes on already");
        let mut gone = site.o.store.release("isacompta", &"14.20.003".parse().unwrap()).await.unwrap().unwrap();
        gone.value.retracted = Some(Retraction { at: site.o.clock.now(), reason: "faulty".into() });
        site.o.store.commit(Changes { rows: vec![Row::Release(gone)], ..Changes::default() }).await.unwrap();
        says(
            &resume("isacompta", "14.20.003", "again").await,
            409,
            "was withdrawn by its publisher and cannot go on: faulty",
        );
    })
    .await;
}
