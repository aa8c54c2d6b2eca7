//! The life of an alert as staff see it: who is written to at each level, what every mail shows, what is listed afterwards.

use super::cli::Desk;
use super::databases;
use super::world::{commit_fleet, fleet, manifest, orchestrator, paris, publish, report};
use noctule::edge::clock::Clock;
use noctule::edge::config::Config;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::alert::{AlertClass, NewAlert};
use noctule::model::fleet::Ring;
use noctule::work::{Orchestrator, alerts, planning, post, watch};
use std::collections::BTreeMap;
use std::path::Path;

fn trouble(cause: &str, class: AlertClass, client: Option<&str>) -> NewAlert {
    NewAlert {
        cause: cause.into(),
        class,
        client: client.map(str::to_owned),
        server: None,
        product: None,
        deployment: None,
        title: format!("trouble with {cause}"),
        text: "an example".into(),
    }
}

async fn raise(o: &Orchestrator, cause: &str, class: AlertClass, client: Option<&str>) {
    let mut changes = Changes::default();
    alerts::raise(o, &mut changes, trouble(cause, class, client)).await.unwrap();
    o.store.commit(changes).await.unwrap();
}

/// The mails of a folder: subject, to and copies, and the text in one line.
fn mails(dir: &Path) -> BTreeMap<String, (String, String)> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let mail = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let header = |name: &str| mail.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let text = mail.split_whitespace().collect::<Vec<_>>().join(" ");
        (header("Subject: "), (format!("{} + {}", header("To: "), header("Cc: ")), text))
    };
    std::fs::read_dir(dir.join("outbox")).unwrap().map(read).collect()
}

#[tokio::test]
async fn every_alert_mail_shows_the_clock_and_each_level_has_its_recipients() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut o = orchestrator(dir.path(), &url, "2026-04-30 03:00").await;
        o.staff.levels = ["head", "services", "director"].map(|who| format!("{who}@provider.example")).to_vec();
        commit_fleet(&o).await;
        raise(&o, "a", AlertClass::Applications, Some("martin")).await;
        raise(&o, "b", AlertClass::Systems, Some("martin")).await;
        for now in ["2026-04-30 09:01", "2026-05-01 09:00", "2026-05-02 09:00"] {
            o.clock.advance_to(paris(now));
            watch::run(&o).await.unwrap();
        }
        post::run(&o).await.unwrap();
        let mails = mails(dir.path());
        assert_eq!(mails.len(), 8, "{:?}", mails.keys());
        for (id, cause, desk) in [(1, "a", "iah@provider.example"), (2, "b", "noc@provider.example")] {
            for (level, who) in [("", ""), (", level 1", "head"), (", level 2", "services"), (", level 3", "director")]
            {
                let (people, text) = &mails[&format!("[Alert {id}{level}] trouble with {cause}")];
                let expected = match who {
                    "" => format!("{desk} + "),
                    who => format!("{who}@provider.example + {desk}"),
                };
                assert_eq!(*people, expected, "{level}");
                // Raised at 03:00, outside the service: due two hours after it begins (6.1.1, 6.1.6).
                assert!(text.contains("by Thursday 30 April 2026 at 09:00 (Paris time)"), "{level}: {text}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_level_and_the_clock_stay_to_be_seen_when_an_alert_is_taken_up_and_resolved() {
    databases::each_url(|url| async move {
        let desk = Desk::applied_to(&url);
        let config = Config::read(&desk.path().join("noctule.toml")).unwrap();
        let o = Orchestrator::open(config, Some(Clock::stepped(paris("2026-04-30 10:00")))).await.unwrap();
        for cause in ["a", "b", "c", "d"] {
            raise(&o, cause, AlertClass::Applications, None).await;
        }
        alerts::acknowledge(&o, 1, " Nadia\n Benali ").await.unwrap();
        o.clock.advance_to(paris("2026-04-30 13:04"));
        watch::run(&o).await.unwrap();
        alerts::acknowledge(&o, 2, "Zoé").await.unwrap();
        let note = "the disk is larger now\nand watched";
        alerts::resolve(&o, 2, "Nadia Benali", note).await.unwrap();
        alerts::resolve(&o, 3, "Zoé", "a false alarm").await.unwrap();
        assert_eq!(
            desk.printed("alert --all"),
            "alert 1, acknowledged: trouble with a\n\
             \x20 raised Thu 30 Apr 2026 08:00 UTC, due Thu 30 Apr 2026 10:00 UTC, applications\n\
             \x20 taken up Thu 30 Apr 2026 08:00 UTC by Nadia Benali, in time\n\
             \x20 an example\n\
             alert 2, resolved, level 1 (6.1.7): trouble with b\n\
             \x20 raised Thu 30 Apr 2026 08:00 UTC, due Thu 30 Apr 2026 10:00 UTC, applications\n\
             \x20 taken up Thu 30 Apr 2026 11:04 UTC by Zoé, 1 h 04 min late\n\
             \x20 resolved Thu 30 Apr 2026 11:04 UTC by Nadia Benali: the disk is larger now and watched\n\
             \x20 an example\n\
             alert 3, resolved, level 1 (6.1.7): trouble with c\n\
             \x20 raised Thu 30 Apr 2026 08:00 UTC, due Thu 30 Apr 2026 10:00 UTC, applications\n\
             \x20 taken up Thu 30 Apr 2026 11:04 UTC by Zoé, 1 h 04 min late\n\
             \x20 resolved Thu 30 Apr 2026 11:04 UTC by Zoé: a false alarm\n\
             \x20 an example\n\
             alert 4, open, level 1 (6.1.7): trouble with d\n\
             \x20 raised Thu 30 Apr 2026 08:00 UTC, due Thu 30 Apr 2026 10:00 UTC, applications\n\
             \x20 an example\n"
        );
        let rows = desk.json("alerts --all --format json");
        assert_eq!((&rows[1]["level"], &rows[1]["late_minutes"]), (&1.into(), &64.into()));
        assert_eq!((&rows[1]["taken_up_by"], &rows[1]["by"]), (&"Zoé".into(), &"Nadia Benali".into()));
        assert_eq!((&rows[0]["level"], &rows[0]["late_minutes"]), (&0.into(), &0.into()));
        assert!(rows[3]["taken_up_at"].is_null() && rows[3]["late_minutes"].is_null(), "{rows}");
        for (line, said) in [
            ("alert ack 4 --by x", None),
            ("alert resolve 1 --note y --by \u{7}", Some("who resolves is missing or too long")),
            ("alert resolve 1 --by x --note \u{7}", Some("the note of what was done is missing or too long")),
        ] {
            match said {
                None => assert!(desk.printed(line).starts_with("alert 4 is taken up by x")),
                Some(said) => desk.refused(line, 1, &[said]),
            }
        }
    })
    .await;
}

/// The causes of all alerts there are, by their first word.
async fn words(o: &Orchestrator) -> Vec<String> {
    let all = o.store.alerts(true).await.unwrap();
    all.into_iter().map(|alert| alert.cause.split('/').next().unwrap().to_owned()).collect()
}

// A silent agent, an undelivered notice, a failed feed and a signature that runs out are told in `watch`, `mail` and `feed`.

#[tokio::test]
async fn a_late_deployment_is_one_alert() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        // Nobody planned until its second night was over.
        o.clock.advance_to(paris("2026-05-02 12:00"));
        report(&o, "martin-1", &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        for _ in 0..3 {
            planning::run(&o).await.unwrap();
        }
        assert_eq!(words(&o).await, ["late"]);
        let alert = o.store.open_alert("late/martin-1/isacompta").await.unwrap().unwrap();
        assert_eq!((alert.class, alert.client.as_deref()), (AlertClass::Applications, Some("martin")));
        assert!(alert.text.contains("minor-night"), "{}", alert.text);
    })
    .await;
}

#[tokio::test]
async fn a_release_that_stopped_is_one_alert_however_many_servers_wait() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        let mut clients = fleet().clients;
        clients[0].servers[0].ring = Ring::Canary;
        let rows = clients.into_iter().map(|client| Row::Client(Stored::new(client))).collect();
        o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        for server in ["martin-1", "rhin-1"] {
            report(&o, server, &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        }
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        o.clock.advance_to(paris("2026-04-29 22:30"));
        let canary = o.store.open_deployments("martin-1").await.unwrap().remove(0);
        let failed = canary.value.clone().start(o.clock.now()).unwrap();
        let failed = failed.time_out(paris("2026-04-30 08:20"), "no report".into()).unwrap();
        let rows = vec![Row::Deployment(canary.with(failed))];
        o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        o.clock.advance_to(paris("2026-04-30 12:00"));
        for _ in 0..3 {
            planning::run(&o).await.unwrap();
        }
        let open = o.store.open_alert("halted/isacompta 14.20.003").await.unwrap().unwrap();
        assert_eq!(open.title, "isacompta 14.20.003 goes no further by itself (rollout)");
        assert_eq!(words(&o).await.iter().filter(|word| *word == "halted").count(), 1, "{:?}", words(&o).await);
    })
    .await;
}
