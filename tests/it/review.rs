//! A month looked back on: the report against what really happened, against the history alone, and as commands show it;
//! and tonight at a glance.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::Desk;
use super::site::{self, Site};
use super::world::paris;
use noctule::edge::store::{Changes, DeploymentFilter, Row};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::work::{alerts, intake, planning, post, watch};
use serde_json::{Value, json};

const API: &str = "/api/v1";
const MARTIN: &str = "/DEFAULT/controller/v1/martin-1";

/// What the agent of martin-1 says it runs; its backup is of 20:00 of the day before.
async fn says(site: &Site, token: &str, products: &[(&str, &str)], backup: &str) {
    let mut data = serde_json::Map::new();
    for (product, version) in products {
        data.insert(format!("noctule.inventory.{product}"), json!(version));
    }
    data.insert("noctule.backup.finished_at".into(), json!(paris(backup).to_rfc3339()));
    data.insert("noctule.backup.succeeded".into(), json!("true"));
    data.insert("noctule.capabilities".into(), json!("inventory"));
    let body = json!({"mode": "replace", "data": data}).to_string();
    site.call("PUT", &format!("{MARTIN}/configData"), token, &[], &body).await.ok();
}

/// Takes what is offered; the number of the action.
async fn begins(site: &Site, token: &str) -> i64 {
    let poll = site.get(MARTIN, token).await.ok().json();
    let href = poll["_links"]["deploymentBase"]["href"].as_str().expect("something is offered").to_owned();
    let path = href.strip_prefix("http://noctule.example:8420").unwrap().to_owned();
    site.get(&path, token).await.ok().json()["id"].as_str().unwrap().parse().unwrap()
}

/// Reports how an action ended.
async fn ends(site: &Site, token: &str, id: i64, finished: &str, details: &[&str]) {
    let closed =
        json!({"id": "x", "status": {"execution": "closed", "result": {"finished": finished}, "details": details}});
    let path = format!("{MARTIN}/deploymentBase/{id}/feedback");
    site.post(&path, token, &closed.to_string()).await.ok();
}

/// A release as intake brings it, with its line in the history.
async fn publish(site: &Site, product: &str, version: &str, change: &str) {
    site.publish(product, version, change, "").await;
    let parsed = version.parse().unwrap();
    let release = site.o.store.release(product, &parsed).await.unwrap().unwrap();
    let events = vec![intake::published(&release, None, site.o.clock.now())];
    site.o.store.commit(Changes { events, ..Changes::default() }).await.unwrap();
}

async fn jobs(site: &Site, at: &str) {
    site.at(at);
    planning::run(&site.o).await.unwrap();
    watch::run(&site.o).await.unwrap();
    post::run(&site.o).await.unwrap();
}

/// Wednesday 29 April to Wednesday 20 May: one on time, one rolled back and late, one missed, a silent agent, a request
/// refused and one accepted, an alert taken up in time, one never.
async fn story(site: &Site) -> String {
    let token = site.target("martin-1").await;
    says(site, &token, &[("isacompta", "14.20.002"), ("isaged", "3.8.0")], "2026-04-28 20:00").await;
    publish(site, "isacompta", "14.20.003", "minor").await;
    publish(site, "isacompta", "15.00.001", "major").await;
    jobs(site, "2026-04-29 21:00").await;
    site.at("2026-04-29 22:40");
    says(site, &token, &[("isacompta", "14.20.002"), ("isaged", "3.8.0")], "2026-04-29 20:00").await;
    let id = begins(site, &token).await;
    says(site, &token, &[("isacompta", "14.20.003"), ("isaged", "3.8.0")], "2026-04-29 20:00").await;
    ends(site, &token, id, "success", &[]).await;
    jobs(site, "2026-04-29 22:45").await;

    // Rolled back in its first night, in its second nobody is there, installed on Thursday: late.
    jobs(site, "2026-05-04 11:00").await;
    publish(site, "isaged", "3.8.1", "minor").await;
    jobs(site, "2026-05-04 21:00").await;
    site.at("2026-05-04 22:40");
    says(site, &token, &[("isacompta", "14.20.003"), ("isaged", "3.8.0")], "2026-05-04 20:00").await;
    let id = begins(site, &token).await;
    ends(site, &token, id, "failure", &["noctule.result=rolled_back", "noctule.why=own check failed"]).await;
    jobs(site, "2026-05-04 22:45").await;
    site.at("2026-05-05 08:15");
    let open = site.o.store.alerts(false).await.unwrap();
    let failed = open.iter().find(|a| a.cause.starts_with("failed/")).expect("staff were told");
    alerts::acknowledge(&site.o, failed.id, "Nadia").await.unwrap();
    jobs(site, "2026-05-06 12:00").await;
    site.at("2026-05-07 22:40");
    says(site, &token, &[("isacompta", "14.20.003"), ("isaged", "3.8.0")], "2026-05-07 20:00").await;
    jobs(site, "2026-05-07 22:41").await;
    let id = begins(site, &token).await;
    says(site, &token, &[("isacompta", "14.20.003"), ("isaged", "3.8.1")], "2026-05-07 20:00").await;
    ends(site, &token, id, "success", &[]).await;
    jobs(site, "2026-05-07 22:50").await;

    // A major, refused and then accepted; then the agent falls silent for good.
    let martin = site.client("martin").await;
    let ask = |before: &str| json!({"product": "isacompta", "version": "15.00.001", "before": before}).to_string();
    site.at("2026-05-11 10:00");
    site.post(&format!("{API}/requests"), &martin, &ask("2026-05-13")).await.refused(422);
    site.post(&format!("{API}/requests"), &martin, &ask("2026-05-30")).await.ok();
    site.o.heard_from("martin-1", site.o.clock.now());
    jobs(site, "2026-05-11 10:05").await;
    publish(site, "isacompta", "14.20.004", "minor").await;
    for at in ["2026-05-11 11:30", "2026-05-12 07:05", "2026-05-13 12:00", "2026-05-15 12:00", "2026-05-20 12:00"] {
        jobs(site, at).await;
    }
    token
}

#[tokio::test]
async fn a_report_is_what_happened_and_what_the_history_says() {
    site::each(async |site| {
        story(&site).await;
        let staff = site.staff().await;
        let may = site.get(&format!("{API}/report?client=martin&month=2026-05"), &staff).await.ok().json();
        insta::allow_duplicates! {
            insta::assert_json_snapshot!("review_figures", may["figures"]);
        }
        let minors: Vec<_> = may["minors"].as_array().unwrap().iter().map(|m| (&m["version"], &m["outcome"])).collect();
        // The first was due on Friday 1 May at 07:00, the second on Wednesday 6 May, the third on Wednesday 13 May.
        assert_eq!(
            minors,
            [
                (&json!("14.20.003"), &json!("on_time")),
                (&json!("3.8.1"), &json!("late")),
                (&json!("14.20.004"), &json!("missed")),
            ]
        );
        assert_eq!(may["minors"][0]["installed_at"], "2026-04-29T20:40:00Z");
        assert_eq!(may["minors"][1]["attempts"][0]["why"], "own check failed");
        let (silence, agent) = (&may["availability"][0]["silences"], &may["availability"][0]);
        assert_eq!(silence.as_array().unwrap().last().unwrap()["end"], "2026-05-20T10:00:00Z", "{agent}");
        let taken: Vec<_> =
            may["interventions"].as_array().unwrap().iter().filter(|i| i["taken"] != Value::Null).collect();
        let taken: Vec<_> = taken.iter().map(|i| (&i["kind"], &i["in_time"])).collect();
        assert_eq!(taken, [(&json!("failed"), &json!(true))]);
        assert_eq!(may["refused"][0]["before"], "2026-05-13");
        assert_eq!((&may["majors"][0]["notice_kept"], &may["majors"][0]["state"]), (&json!(true), &json!("accepted")));
        let rule = |id: &str| may["rules"].as_array().unwrap().iter().find(|r| r["rule"] == id).unwrap().clone();
        assert_eq!((&rule("minor-night")["kept"], &rule("minor-night")["broken"]), (&json!(1), &json!(2)));
        assert_eq!((&rule("hourly-checks")["kept"], &rule("hourly-checks")["broken"]), (&json!(0), &json!(1)));

        // The history alone says the same, for each month and client.
        for (client, month) in [("martin", "2026-04"), ("martin", "2026-05"), ("rhin", "2026-05")] {
            let path = format!("{API}/report/verification?client={client}&month={month}");
            let verified = site.get(&path, &staff).await.ok().json();
            assert_eq!(verified["differences"], json!([]), "{client} {month}");
            assert!(verified["facts"].as_u64().unwrap() >= 4, "{verified}");
        }

        // A row that somebody makes look better is told.
        let filter = DeploymentFilter { product: Some("isaged".into()), ..DeploymentFilter::default() };
        let late = site.o.store.deployments(&filter).await.unwrap();
        let late = late.iter().find(|d| d.state.name() == "installed").unwrap();
        let (started_at, finished_at) = (paris("2026-05-05 22:40"), paris("2026-05-05 22:49"));
        let state = DeploymentState::Installed { started_at, finished_at, observed: None };
        let rows = vec![Row::Deployment(late.with(Deployment { state, ..late.value.clone() }))];
        site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        let path = format!("{API}/report/verification?client=martin&month=2026-05");
        let verified = site.get(&path, &staff).await.ok().json();
        assert_eq!(
            verified["differences"],
            json!([{
                "fact": "minor martin-1 isaged 3.8.1",
                "report": "on time 2026-05-05T20:49:00.000Z",
                "history": "late 2026-05-07T20:41:00.000Z",
            }])
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_sees_its_own_report_and_status_only() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (martin, staff) = (site.client("martin").await, site.staff().await);
        let own = site.get(&format!("{API}/report?month=2026-04"), &martin).await.ok().json();
        assert_eq!(own["client"], "martin");
        for path in ["report?month=2026-04&", "report/verification?month=2026-04&", "status?"] {
            site.get(&format!("{API}/{path}client=rhin"), &martin).await.refused(403);
            site.get(&format!("{API}/{path}client=nobody"), &staff).await.refused(404);
        }
        for (query, said) in [
            ("month=2026-04", "no client is named"),
            ("client=rhin&month=april", "is no month"),
            ("client=rhin&month=2026-05", "has not begun yet"),
        ] {
            let body = site.get(&format!("{API}/report?{query}"), &staff).await.refused(400);
            assert!(body["error"].as_str().unwrap().contains(said), "{query}: {body}");
        }
        let page = site.get(&format!("{API}/report?month=2026-04&format=html&lang=fr"), &martin).await;
        assert_eq!(page.ok().header("content-type"), "text/html; charset=utf-8");
        assert!(
            String::from_utf8_lossy(&page.bytes).contains("<h1>Rapport de conformité <span>– avril 2026</span></h1>")
        );

        let status = site.get(&format!("{API}/status"), &martin).await.ok().json();
        let tonight: Vec<_> = status["tonight"].as_array().unwrap().iter().map(|row| &row["server"]).collect();
        assert_eq!((tonight, &status["servers"]), (vec![&json!("martin-1")], &json!(1)));
        let all = site.get(&format!("{API}/status"), &staff).await.ok().json();
        assert_eq!(all["tonight"].as_array().unwrap().len(), 2);
        assert_eq!((&all["outbox"]["waiting"], &status["outbox"]["waiting"]), (&json!(2), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn tonight_is_told_as_it_stands() {
    site::each(async |site| {
        let token = story(&site).await;
        let staff = site.staff().await;
        let status = site.get(&format!("{API}/status?client=martin"), &staff).await.ok().json();
        assert_eq!(status["silent"][0]["server"], "martin-1");
        assert_eq!(status["outbox"], json!({"waiting": 0, "oldest_at": null, "undelivered": 0}));
        let overdue: Vec<_> = status["alerts"].as_array().unwrap().iter().filter(|a| a["is_overdue"] == true).collect();
        assert!(overdue.iter().any(|a| a["title"] == "martin-1 is silent (hourly-checks)"), "{status}");
        // Under way, in its slot, as long as nobody reports its end.
        site.at("2026-05-20 22:40");
        says(&site, &token, &[("isacompta", "14.20.003"), ("isaged", "3.8.1")], "2026-05-20 20:00").await;
        jobs(&site, "2026-05-20 22:41").await;
        let before = site.get(&format!("{API}/status?client=martin"), &staff).await.ok().json();
        assert_eq!((before["tonight"].as_array().unwrap().len(), &before["running"]), (1, &json!([])), "{before}");
        assert_eq!((&before["tonight"][0]["state"], &before["silent"]), (&json!("late"), &json!([])));
        begins(&site, &token).await;
        let after = site.get(&format!("{API}/status?client=martin"), &staff).await.ok().json();
        assert_eq!((&after["tonight"], after["running"].as_array().unwrap().len()), (&json!([]), 1));
        assert_eq!(after["running"][0]["started_at"], "2026-05-20T20:41:00Z");
    })
    .await;
}

#[test]
fn the_commands_print_and_refuse_in_words() {
    let desk = Desk::applied();
    insta::assert_snapshot!("review_status_quiet", desk.printed("status"));
    let status = desk.json("status --format json");
    assert_eq!((&status["clients"], &status["tonight"]), (&json!(4), &json!([])));
    desk.refused("status --client nobody", 1, &["there is no client \"nobody\""]);
    let page = desk.printed("report --client cabinet-martin --month 2026-04");
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"fr\">") && page.contains("Cabinet Martin &amp; Associés"));
    assert!(desk.printed("report --client bocage-expertise --month 2026-04").contains("<html lang=\"en\">"));
    assert!(desk.printed("report --client bocage-expertise --month 2026-04 --lang fr").contains("<html lang=\"fr\">"));
    let all = desk.json("report --all --month 2026-04 --format json");
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[1], desk.json("report --client cabinet-martin --month 2026-04 --format json"));
    assert_eq!(desk.printed("report --all --month 2026-04 --out month.html"), "");
    let written = std::fs::read_to_string(desk.path().join("month.html")).unwrap();
    assert_eq!(written.matches("<section class=\"client\">").count(), 4);
    let verified = desk.printed("report --all --month 2026-04 --verify");
    assert_eq!(
        verified.lines().filter(|l| l.ends_with("and the history alone gives the same")).count(),
        4,
        "{verified}"
    );
    desk.refused("report --month 2026-04", 1, &["no client is named"]);
    desk.refused("report --client nobody --month 2026-04", 1, &["there is no client \"nobody\""]);
    desk.refused("report --client cabinet-martin --month 2026-05", 1, &["2026-05 has not begun yet"]);
    desk.refused(
        "report --client cabinet-martin --month 2026-04 --out nowhere/x.html",
        1,
        &["cannot write nowhere/x.html"],
    );
    for line in
        ["report --client cabinet-martin", "report --all --month april", "report --all --client x --month 2026-04"]
    {
        desk.refused(line, 2, &[]);
    }
}
