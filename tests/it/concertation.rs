//! The page behind the link in a letter: what a contact answers there is recorded once, with who and when.

use super::site::{self, Answer, Site};
use noctule::edge::store::DeploymentFilter;
use noctule::model::deployment::Deployment;
use noctule::work::{concertation, jobs, planning, post};
use serde_json::json;

const API: &str = "/api/v1";

/// A manual update of isacompta on both servers, planned and told; the link in martin's letter.
async fn asked(site: &Site) -> String {
    site.publish("isacompta", "14.20.003", "minor", "manual_steps = { fr = \"Relancer.\" }").await;
    post::run(&site.o).await.unwrap();
    link(site, "manual-planned-martin").await
}

/// The path of the link in the last letter of this name.
async fn link(site: &Site, name: &str) -> String {
    let files = std::fs::read_dir(site.outbox()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.to_str().unwrap().contains(name)).collect();
    found.sort();
    let mail = std::fs::read_to_string(found.last().expect("the letter was written")).unwrap().replace("=\r\n", "");
    let start = mail.find("https://noctule.example.net/concertation/").expect("the letter has a link");
    let address: String = mail[start..].chars().take_while(|c| !c.is_whitespace()).collect();
    address.strip_prefix("https://noctule.example.net").unwrap().to_owned()
}

async fn of_martin(site: &Site) -> Deployment {
    let filter = DeploymentFilter { client: Some("martin".into()), ..DeploymentFilter::default() };
    site.o.store.deployments(&filter).await.unwrap().pop().unwrap().value
}

async fn send(site: &Site, path: &str, form: &str) -> Answer {
    site.call("POST", path, "", &[("content-type", "application/x-www-form-urlencoded")], form).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// The first slot that the page offers.
fn offered(page: &str) -> String {
    page.split("name=\"slot\" value=\"").nth(1).expect("a slot is offered").split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn reading_agrees_to_nothing_and_each_answer_is_recorded_once() {
    site::each_public(async |site| {
        let link = asked(&site).await;
        let before = site.kept().await;
        for method in ["GET", "HEAD", "GET"] {
            let page = site.call(method, &link, "", &[], "").await;
            assert_eq!(page.status, 200);
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-store"));
        }
        let page = text(&site.get(&link, "").await);
        for word in ["Mme Martin", "M. Petit", "Donner mon accord", "ISACOMPTA 14.20.003", "lang=\"fr\""] {
            assert!(page.contains(word), "{word}: {page}");
        }
        for word in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
        for form in [
            "",
            "answer=agreed",
            "answer=agreed&who=2",
            "answer=agreed&who=x",
            "answer=yes&who=0",
            "answer=slot&who=0",
            "answer=slot&who=0&slot=1-2",
        ] {
            let answer = send(&site, &link, form).await;
            assert!(matches!(answer.status.as_u16(), 400 | 409), "{form}: {}", answer.status);
        }
        assert_eq!(site.kept().await, before);

        assert!(text(send(&site, &link, "answer=agreed&who=0").await.ok()).contains("votre réponse est enregistrée"));
        let known = of_martin(&site).await.concertation.unwrap();
        assert_eq!((known.agreed.unwrap().by.as_str(), known.informed), ("Mme Martin", None));
        assert_eq!(send(&site, &link, "answer=agreed&who=1").await.status, 409);
        send(&site, &link, "answer=informed&who=1").await.ok();
        let page = text(&site.get(&link, "").await);
        assert!(!page.contains("<form") && page.contains("Mme Martin, le mercredi 29 avril 2026"), "{page}");
        let events = site.o.store.events(&Default::default()).await.unwrap();
        let told: Vec<&str> =
            events.iter().map(|event| event.body.text.as_str()).filter(|t| t.starts_with('M')).collect();
        let expected = [
            "Mme Martin agreed to the slot of isacompta 14.20.003",
            "M. Petit confirmed that the users are informed of isacompta 14.20.003",
        ];
        assert_eq!(told, expected);
        // Planning again asks nothing anew.
        planning::run(&site.o).await.unwrap();
        assert!(of_martin(&site).await.concertation.unwrap().agreed.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_link_answers_its_own_question_only_and_ends_with_the_slot() {
    site::each_public(async |site| {
        let link = asked(&site).await;
        let parts: Vec<&str> = link.split('/').collect();
        let (id, signature) = (parts[2], parts[4]);
        let other = if id == "1" { "2" } else { "1" };
        for wrong in [
            format!("/concertation/{other}/0/{signature}"),
            format!("/concertation/{id}/1/{signature}"),
            format!("/concertation/{id}/0/{}", "0".repeat(32)),
            format!("/concertation/{id}/0/"),
            format!("/concertation/x/0/{signature}"),
            "/concertation/99/0/x".to_owned(),
        ] {
            for answer in [site.get(&wrong, "").await, send(&site, &wrong, "answer=agreed&who=0").await] {
                assert!(matches!(answer.status.as_u16(), 400 | 404), "{wrong}: {}", answer.status);
            }
        }
        let start = of_martin(&site).await.slot.start;
        site.o.clock.advance_to(start - chrono::TimeDelta::seconds(1));
        site.get(&link, "").await.ok();
        site.o.clock.advance_to(start);
        let over = send(&site, &link, "answer=agreed&who=0").await;
        assert_eq!(over.status, 410);
        assert!(text(&over).contains("Il n&#x27;y a plus rien à répondre"), "{}", text(&over));
        assert!(of_martin(&site).await.concertation.unwrap().agreed.is_none());
    })
    .await;
}

#[tokio::test]
async fn another_slot_is_chosen_among_those_offered_and_the_question_moves_with_it() {
    site::each_public(async |site| {
        let link = asked(&site).await;
        let before = of_martin(&site).await;
        let page = text(&site.get(&link, "").await);
        let slot = offered(&page);
        assert!(page.matches("name=\"slot\"").count() >= 3, "{page}");
        assert!(text(send(&site, &link, &format!("answer=slot&who=1&slot={slot}")).await.ok()).contains("votre choix"));
        assert_eq!(send(&site, &link, &format!("answer=slot&who=0&slot={slot}")).await.status, 409, "chosen once");
        planning::run(&site.o).await.unwrap();
        post::run(&site.o).await.unwrap();
        let moved = of_martin(&site).await;
        assert_eq!(format!("{}-{}", moved.slot.start.timestamp(), moved.slot.end.timestamp()), slot);
        assert_ne!(moved.slot, before.slot);
        let asked = moved.concertation.unwrap();
        assert_eq!(
            (asked.version, asked.agreed.unwrap().by.as_str()),
            (1, "M. Petit"),
            "whoever chose it agreed to it"
        );
        let old = site.get(&link, "").await;
        assert_eq!(old.status, 410);
        assert!(text(&old).contains("Le créneau a changé"), "{}", text(&old));
        let newer = self::link(&site, "moved-martin").await;
        assert!(text(site.get(&newer, "").await.ok()).contains("Vos utilisateurs sont informés"));
    })
    .await;
}

#[tokio::test]
async fn who_has_not_agreed_is_reminded_two_working_days_before_once() {
    site::each_public(async |site| {
        site.publish("isacompta", "15.00.001", "major", "").await;
        for client in ["martin", "rhin"] {
            let ask = json!({ "product": "isacompta", "version": "15.00.001", "before": "2026-05-29" }).to_string();
            site.post(&format!("{API}/requests"), &site.client(client).await, &ask).await.ok();
        }
        planning::run(&site.o).await.unwrap();
        let staff = site.staff().await;
        let all = site.o.store.deployments(&Default::default()).await.unwrap();
        let rhin = all.iter().find(|d| d.client == "rhin").unwrap();
        let body = json!({ "answer": "agreed", "by": "M. Muller" }).to_string();
        site.post(&format!("{API}/deployments/{}/concertation", rhin.id), &staff, &body).await.ok();
        let slot = of_martin(&site).await.slot;
        let day = slot.start.with_timezone(&chrono_tz::Europe::Paris).date_naive();
        assert_eq!(day.to_string(), "2026-05-28", "a Thursday after Whit Monday: Tuesday is two working days before");
        for (now, reminded) in
            [("2026-05-25 23:59", 0), ("2026-05-26 00:00", 1), ("2026-05-26 00:05", 0), ("2026-05-28 19:00", 0)]
        {
            site.at(now);
            assert_eq!(concertation::remind::run(&site.o).await.unwrap(), reminded, "{now}");
        }
        jobs::run_all_once(&site.o).await.unwrap();
        let link = self::link(&site, "concertation-reminder-martin").await;
        assert!(text(site.get(&link, "").await.ok()).contains("Donner mon accord"));
    })
    .await;
}

#[tokio::test]
async fn commands_and_api_say_and_record_the_same() {
    site::each_public(async |site| {
        asked(&site).await;
        let (martin, rhin, staff) = (site.client("martin").await, site.client("rhin").await, site.staff().await);
        let id = of_martin(&site).await.id;
        let path = format!("{API}/deployments/{id}/concertation");
        let seen = site.get(&path, &martin).await.ok().json();
        assert!(seen["offered"].as_array().unwrap().len() >= 3 && seen["agreed"].is_null(), "{seen}");
        site.get(&path, &rhin).await.refused(403);
        site.post(&path, &rhin, "{\"answer\":\"agreed\"}").await.refused(403);
        site.post(&path, &staff, "{\"answer\":\"agreed\"}").await.refused(400);
        site.post(&path, &staff, "{\"answer\":\"agreed\",\"by\":\" \"}").await.refused(400);
        let said = site.post(&path, &staff, "{\"answer\":\"agreed\",\"by\":\"Mme Martin\"}").await.ok().json();
        assert_eq!(said["agreed"]["by"], "Mme Martin");
        site.post(&path, &martin, "{\"answer\":\"agreed\"}").await.refused(409);
        assert_eq!(
            site.post(&path, &martin, "{\"answer\":\"informed\"}").await.ok().json()["informed"]["by"],
            "contact martin"
        );
        site.get(&format!("{API}/deployments/99/concertation"), &staff).await.refused(404);
    })
    .await;
}
