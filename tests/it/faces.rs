//! `plan` and `explain` as their readers meet them: staff and a client's contact, in either language, for now and for
//! another instant, on the real binary and over the API.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::Desk;
use super::world::{manifest, paris, publish, report};
use super::{databases, site};
use noctule::edge::config::Config;
use noctule::model::hold::{Hold, HoldOn};
use noctule::work::{Orchestrator, holds, planning};
use serde_json::{Value, json};

const API: &str = "/api/v1";

/// Two servers in two zones of one client, and one of another that is closed in the coming days.
const FLEET: &str = r#"
[[client]]
id = "martin"
name = "Cabinet Martin"
schedule = "pro-controle"
holidays = "FR"
order = ["isacompta", "isaged", "isapaye"]
contacts = [{ name = "Mme Martin", email = "claire@martin.example" }]
server = [{ id = "martin-1", zone = "Europe/Paris" }, { id = "martin-2", zone = "Indian/Reunion" }]

[[client]]
id = "rhin"
name = "Fiduciaire du Rhin"
schedule = "pro-controle"
holidays = "FR-ALS"
order = ["isacompta"]
contacts = [{ name = "M. Muller", email = "jean@rhin.example" }]
closed = [{ from = "2026-04-29", to = "2026-05-03", reason = "inventaire" }]
server = [{ id = "rhin-1", zone = "Europe/Paris" }]
"#;

/// Wednesday 29 April 2026, noon in Paris, on a database of each kind: a minor and a manual update, a major with a
/// legal date, a release on hold, a backup that failed, a product outside the order, a closed period.
async fn each(story: impl Fn(&Desk)) {
    let story = &story;
    databases::each_url(|url| async move {
        let desk = Desk::applied_to(&url);
        desk.write("fleet.toml", FLEET);
        desk.printed("fleet apply fleet.toml --yes");
        let config = Config::read(&desk.path().join("noctule.toml")).unwrap();
        let o = Orchestrator::open(config, None).await.unwrap();
        let backup = Some(paris("2026-04-29 06:00"));
        let isacompta = ("isacompta", "14.20.002");
        report(&o, "martin-1", &[isacompta, ("isaged", "3.8.0"), ("isapaye", "2026.1"), ("eic", "11.0")], backup).await;
        report(&o, "martin-2", &[isacompta], Some(paris("2026-04-20 20:00"))).await;
        report(&o, "rhin-1", &[isacompta], backup).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        publish(&o, manifest("isaged", "3.8.1", "minor", "")).await;
        publish(&o, manifest("isapaye", "2026.2", "minor", "manual_steps = { fr = \"Relancer le service.\" }")).await;
        publish(&o, manifest("isacompta", "15.00.001", "major", "legal_date = \"2026-06-15\"")).await;
        planning::run(&o).await.unwrap();
        let release = holds::Target::Named("isaged 3.8.1".into());
        let placed: Hold = holds::place(&o, &release, None, "appel de l'éditeur", "Nadia").await.unwrap();
        assert!(matches!(placed.on, HoldOn::Release { .. }));
        planning::run(&o).await.unwrap();
        o.store.clone().close().await.unwrap();
        story(&desk);
    })
    .await;
}

#[tokio::test]
async fn the_plan_shows_each_clients_nights_and_what_is_at_risk() {
    each(|desk| {
        insta::assert_snapshot!("plan_en", desk.printed("plan"));
        insta::assert_snapshot!("plan_fr", desk.printed("plan --lang fr"));
        insta::assert_snapshot!("plan_all_fr", desk.printed("plan --all --client martin --lang fr"));
        insta::assert_snapshot!("plan_at_fr", desk.printed("plan --at 2026-04-29T21:30 --client martin --lang fr"));
        assert_eq!(
            desk.printed("plan --product eic"),
            "nothing is planned, held or late; --all shows what waits or is up to date\n"
        );
        assert_eq!(desk.printed("plan --all --product word"), "nothing is known of such servers and products\n");
        // No plan of what does not exist: it would read like good news.
        desk.refused("plan --client nobody", 1, &["there is no client \"nobody\""]);
        desk.refused("plan --server nothing-1", 1, &["there is no server \"nothing-1\""]);
        desk.refused("plan --client rhin --server martin-1", 1, &["there is no server \"martin-1\" of rhin"]);
        desk.refused("plan --format csv", 2, &["possible values: text, json"]);
        for line in desk.printed("plan --all").lines().chain(desk.printed("plan --all --lang fr").lines()) {
            assert!(line.chars().count() <= 100 && !line.contains('\u{1b}'), "{line}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_explanation_tells_rule_clause_facts_and_what_would_change_it() {
    each(|desk| {
        insta::assert_snapshot!("explain_en", desk.printed("explain martin-1"));
        insta::assert_snapshot!("explain_fr", desk.printed("explain martin-1 --lang fr"));
        // Réunion's clock for its server; near the slot the backup that is missing holds it.
        insta::assert_snapshot!("explain_at_en", desk.printed("explain martin-2 --at 2026-04-29T21:30"));
        insta::assert_snapshot!("explain_at_fr", desk.printed("explain martin-2 --at 2026-04-29T21:30 --lang fr"));
        insta::assert_snapshot!("explain_late_fr", desk.printed("explain rhin-1 --lang fr"));
    })
    .await;
}

#[tokio::test]
async fn the_language_is_the_locales_unless_one_is_asked_for_and_json_has_both() {
    each(|desk| {
        for (locale, line, said) in [
            ("fr_FR.UTF-8", "explain martin-1 isacompta", "isacompta 14.20.003 : planifiée"),
            ("fr_FR.UTF-8", "explain martin-1 isacompta --lang en", "isacompta 14.20.003: planned"),
            ("en_GB.UTF-8", "explain martin-1 isacompta --lang fr", "isacompta 14.20.003 : planifiée"),
            ("fr_BE", "plan --client martin", "À surveiller"),
            ("C.UTF-8", "plan --client martin", "At risk"),
        ] {
            let output = desk.command(line).env("LC_ALL", locale).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && text.contains(said), "{locale} {line}: {text}");
        }
        let english = desk.json("explain martin-1 --format json --lang en");
        assert_eq!(english, desk.json("explain martin-1 --format json --lang fr"));
        let held = english["decisions"].as_array().unwrap().iter().find(|d| d["product"] == "isaged").unwrap();
        let reason = held["reasons"].as_array().unwrap().last().unwrap();
        assert_eq!((&reason["rule"], &reason["clause"]), (&json!("hold"), &Value::Null));
        assert_eq!(reason["remedy"], "staff lifting hold 1");
        assert_eq!(reason["remedy_fr"], "la levée du blocage 1 par l'équipe");
        let plan = desk.json("plan --format json --lang fr");
        assert_eq!(plan, desk.json("plan --format json"));
        let held = plan.as_array().unwrap().iter().find(|row| row["decision"] == "held").unwrap();
        assert_eq!((&held["product"], &held["state"]), (&json!("isaged"), &json!("planned")));
        let reason = held["reasons"].as_array().unwrap().last().unwrap();
        assert_eq!(reason["remedy"], "staff lifting hold 1");
        assert!(reason["fr"].as_str().unwrap().starts_with("Nadia a bloqué la version isaged 3.8.1 le mer. 29 avr."));
    })
    .await;
}

#[tokio::test]
async fn another_instant_is_on_the_clock_of_the_site_and_changes_nothing() {
    each(|desk| {
        let before = desk.history();
        for (at, utc) in [
            ("2026-04-30", "2026-04-29T22:00:00Z"),
            ("2026-04-30T21:30", "2026-04-30T19:30:00Z"),
            ("2026-04-30T21:30Z", "2026-04-30T21:30:00Z"),
            ("2026-04-30T21:30:00-03:00", "2026-05-01T00:30:00Z"),
            ("2026-04-01T08:00", "2026-04-01T06:00:00Z"),
        ] {
            let told = desk.json(&format!("explain martin-1 --format json --at {at}"));
            assert_eq!(told["at"], utc, "{at}");
            desk.printed(&format!("plan --at {at}"));
        }
        let reunion = desk.json("explain martin-2 --format json --at 2026-04-30T21:30");
        assert_eq!(reunion["at"], "2026-04-30T17:30:00Z");
        for command in ["plan", "explain martin-1"] {
            for bad in ["demain", "2026-02-30T22:00", "22:00", "2026-04-30T24:00", "30/04/2026"] {
                let line = format!("{command} --at {bad}");
                desk.refused(
                    &line,
                    2,
                    &["is no time; write 2026-05-16T22:00 or 2026-05-16 (on the clock of the site)"],
                );
            }
            desk.refused(&format!("{command} --at 1999-12-31"), 2, &["write a time from 2000 to 2100"]);
            desk.refused(&format!("{command} --lang de"), 2, &["possible values: fr, en"]);
            let help = desk.printed(&format!("{} --help", command.split(' ').next().unwrap()));
            for said in ["with what is known now", "2026-05-16T22:00", "2026-05-16T20:00:00Z"] {
                assert!(help.contains(said), "{help}");
            }
        }
        desk.refused("explain martin-1 --fr", 2, &["unexpected argument '--fr'"]);
        assert_eq!(desk.history(), before);
    })
    .await;
}

#[tokio::test]
async fn a_client_asks_about_another_instant_for_itself_only() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let (martin, staff) = (site.client("martin").await, site.staff().await);
        let before = site.kept().await;
        let at = "at=2026-04-30T21:30:00%2B02:00";
        let rows = site.get(&format!("{API}/plan?{at}&all=true"), &martin).await.ok().json();
        let told: Vec<_> = rows.as_array().unwrap().iter().map(|row| (&row["client"], &row["slot"]["start"])).collect();
        assert_eq!(told, [(&json!("martin"), &json!("2026-04-30T20:00:00Z"))]);
        assert_eq!(site.get(&format!("{API}/plan?{at}"), &staff).await.ok().json().as_array().unwrap().len(), 2);
        let told = site.get(&format!("{API}/explain?server=martin-1&{at}"), &martin).await.ok().json();
        assert_eq!((&told["at"], &told["client"]), (&json!("2026-04-30T19:30:00Z"), &json!("martin")));
        for foreign in ["plan?client=rhin", "plan?server=rhin-1", "explain?server=rhin-1"] {
            site.get(&format!("{API}/{foreign}&{at}"), &martin).await.refused(403);
        }
        for unknown in ["plan?client=nobody", "plan?server=nothing-1", "plan?client=rhin&server=martin-1"] {
            site.get(&format!("{API}/{unknown}&{at}"), &staff).await.refused(404);
        }
        site.get(&format!("{API}/plan?server=nothing-1&{at}"), &martin).await.refused(404);
        for (bad, said) in [
            ("demain", "at \"demain\" is not an instant"),
            ("2026-04-30T21:30:00+02:00", "is not an instant"),
            ("2026-02-30T21:30:00Z", "is not an instant"),
            ("", "at \"\" is not an instant"),
            ("1999-12-31T23:59:59Z", "is out of range"),
            ("2101-01-01", "is out of range"),
        ] {
            for path in ["plan?", "explain?server=martin-1&"] {
                let body = site.get(&format!("{API}/{path}at={bad}"), &martin).await.refused(400);
                assert!(body["error"].as_str().unwrap().contains(said), "{bad}: {body}");
            }
        }
        let document = site.get(&format!("{API}/openapi.json"), "").await.ok().json();
        for path in ["plan", "explain"] {
            let operation = &document["paths"][format!("{API}/{path}")]["get"];
            let parameters = operation["parameters"].as_array().unwrap();
            let at = parameters.iter().find(|p| p["name"] == "at").expect("it is documented");
            assert_eq!((&at["schema"]["format"], &at["required"]), (&json!("date-time"), &json!(false)), "{at}");
            assert!(at["description"].as_str().unwrap().contains("with what is known now"), "{at}");
            assert!(operation["responses"]["400"].is_object());
        }
        assert_eq!(site.kept().await, before);
    })
    .await;
}
