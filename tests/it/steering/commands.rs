//! The commands on the real binary: what they print, their JSON, and their exit codes.

use crate::cli::Desk;
use crate::world::{manifest, publish, report};
use crate::{databases, world};
use noctule::edge::config::Config;
use noctule::work::Orchestrator;
use serde_json::json;

/// Tells `story` at a desk in each kind of database: Wednesday 29 April 2026, noon in Paris; martin-srv1 and piton-srv1
/// run isacompta 14.20.002, of which there is a minor and a major.
async fn each(story: impl Fn(&Desk)) {
    let story = &story;
    databases::each_url(|url| async move {
        let desk = Desk::applied_to(&url);
        let config = Config::read(&desk.path().join("noctule.toml")).unwrap();
        let o = Orchestrator::open(config, None).await.unwrap();
        for server in ["martin-srv1", "piton-srv1"] {
            report(&o, server, &[("isacompta", "14.20.002")], Some(world::paris("2026-04-29 06:00"))).await;
        }
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        publish(&o, manifest("isacompta", "15.00.001", "major", "legal_date = \"2026-06-15\"")).await;
        o.store.clone().close().await.unwrap();
        story(&desk);
    })
    .await;
}

#[tokio::test]
async fn agreements_are_recorded_and_listed() {
    each(|desk| {
        let before = desk.history();
        for (line, code, said) in [
            ("agree", 2, "Usage: noctule agree"),
            ("agree slot martin-srv1 isacompta --from 8h --to 12h --by Claire", 2, "is no time; write 2026-05-16T22:00"),
            ("agree slot martin-srv1 isacompta --from 2026-05-09T08:00 --to 2026-05-09T12:00", 2, "give --by NAME"),
            ("agree slot nobody isacompta --from 2026-05-09T08:00 --to 2026-05-09T12:00 --by C", 1, "no server \"nobody\""),
            (
                "agree slot martin-srv1 isacompta --from 2026-05-09T12:00 --to 2026-05-09T08:00 --by C",
                1,
                "noctule: the slot ends at 2026-05-09 08:00:00, which is not after its start at 2026-05-09 12:00:00; nothing was recorded",
            ),
            ("agree closed cabinet-martin --from 2026-05-09 --to 2026-02-30 --by C", 2, "no such date"),
            ("agree closed nobody --from 2026-05-09 --to 2026-05-10 --by C", 1, "no client \"nobody\""),
            ("agree notice cabinet-martin isacompta 16 --before 2026-05-04 --by C", 1, "has not been published"),
        ] {
            desk.refused(line, code, &[said]);
        }
        assert_eq!(desk.history(), before);
        assert_eq!(desk.printed("agree list"), "nothing was agreed\n");
        let slot = "agree slot martin-srv1 isacompta --from 2026-04-30T12:30 --to 2026-04-30T13:30 --by Claire";
        assert_eq!(
            desk.printed(slot),
            "agreement 1 by Claire: isacompta on martin-srv1, Thu 30 Apr 12:30–13:30 (Europe/Paris)\n  \
             plan: martin-srv1 isacompta 14.20.003 planned Thu 30 Apr 12:30–13:30 (Europe/Paris)\n"
        );
        // Réunion's clock for its server.
        let slot = "agree slot piton-srv1 isacompta --from 2026-04-30T12:30 --to 2026-04-30T13:30 --by Loïc --format json";
        let row = desk.json(slot);
        assert_eq!(row["slot"], json!({ "start": "2026-04-30T08:30:00Z", "end": "2026-04-30T09:30:00Z" }));
        let closed = desk.printed("agree closed cabinet-martin --from 2026-05-04 --to 2026-05-08 --by Claire");
        assert!(closed.starts_with("agreement 3 by Claire: closed period of cabinet-martin, 2026-05-04 to 2026-05-08"));
        let notice = desk.printed("agree notice cabinet-martin isacompta 15.00.001 --before 2026-05-04 --by Claire");
        assert!(notice.starts_with("agreement 4 by Claire: isacompta 15.00.001 by 2026-05-04, under the notice"));
        let listed = desk.printed("agree list");
        assert!(listed.contains("2  piton-conseil  isacompta on piton-srv1, Thu 30 Apr 12:30–13:30"), "{listed}");
        assert_eq!(desk.json("agree list --client cabinet-martin --format json").as_array().unwrap().len(), 3);
        assert!(desk.history().contains("agreement 4 by Claire, recorded by staff"));

        let asked = desk.printed("request isacompta 15.00.001 --before 2026-05-04 --client cabinet-martin");
        assert!(asked.contains("  sooner by agreement 4: Claire, Wed 29 Apr 2026 10:00 UTC"), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn holds_are_placed_listed_and_lifted_and_a_release_goes_on() {
    each(|desk| {
        let before = desk.history();
        for (line, code, said) in [
            ("hold", 2, "required"),
            ("hold martin-srv1", 2, "--reason"),
            ("hold martin-srv1 --reason audit --until hier", 2, "is no time"),
            ("hold nobody --reason audit", 1, "\"nobody\" is no server, no client and no release"),
            ("hold isacompta 99 --reason audit", 1, "no release \"isacompta 99\""),
            ("hold server cabinet-martin --reason audit", 1, "no server \"cabinet-martin\""),
            ("hold martin-srv1 --reason audit --until 2026-04-28", 1, "hold until a time to come"),
            ("hold lift 7", 1, "there is no hold 7"),
            ("resume isacompta 14.20.003", 2, "--reason"),
            ("resume isacompta 14.20.003 --reason mended", 1, "goes on already: it did not halt, and nothing holds it"),
        ] {
            desk.refused(line, code, &[said]);
        }
        assert_eq!(desk.history(), before);
        assert_eq!(desk.printed("hold list"), "nothing is held\n");
        let placed = desk.printed("hold martin-srv1 --reason audit --until 2026-05-02 --by Nadia");
        assert!(
            placed.starts_with(
                "hold 1 on server martin-srv1 until Sun 3 May 2026 00:00 (Europe/Paris), by Nadia: audit\n"
            ),
            "{placed}"
        );
        assert!(
            desk.printed("hold client piton-conseil --reason tax")
                .starts_with("hold 2 on client piton-conseil until it is lifted, by staff: tax\n")
        );
        let release = desk.json("hold isacompta 14.20.003 --reason doubt --format json");
        assert_eq!((&release["on"], &release["version"]), (&json!("release"), &json!("14.20.003")));
        let listed = desk.printed("hold list");
        assert!(
            listed.contains("1  server martin-srv1") && listed.contains("3  release isacompta 14.20.003"),
            "{listed}"
        );
        let lifted = desk.printed("hold lift 1 --by Paul");
        assert!(lifted.starts_with("hold 1 on server martin-srv1 is lifted by Paul\n"), "{lifted}");
        desk.refused("hold lift 1", 1, &["hold 1 is over already; there is nothing to lift"]);
        let resumed = desk.printed("resume isacompta 14.20.003 --reason mended --by Nadia");
        assert!(
            resumed.starts_with("isacompta 14.20.003 goes on, by Nadia: mended\n  hold 3 is lifted\n"),
            "{resumed}"
        );
        assert_eq!(desk.json("hold list --format json").as_array().unwrap().len(), 1);
        let all = desk.json("hold list --all --format json");
        assert_eq!((&all[0]["lifted_by"], &all[2]["lifted_by"]), (&json!("Paul"), &json!("Nadia")));
    })
    .await;
}

#[tokio::test]
async fn requests_are_changed_repeated_and_printed_as_json() {
    each(|desk| {
        let ask = "request isacompta 15.00.001 --before 2026-05-20 --client cabinet-martin";
        assert!(desk.printed(ask).starts_with("request 1 accepted: isacompta 15.00.001 by 2026-05-20\n"));
        assert!(desk.printed(ask).starts_with("request 1 stands already: isacompta 15.00.001 by 2026-05-20\n"));
        desk.refused("request change 1", 2, &["--before"]);
        desk.refused("request change 9 --before 2026-05-20", 1, &["there is no request 9"]);
        desk.refused(
            "request change 1 --before 2026-05-05",
            1,
            &[
                "refused: 2026-05-05 is under 5 working days away",
                "request 1 by 2026-05-20 stands as it was",
                "notice (3.1.b.4)",
            ],
        );
        let changed = desk.printed("request change 1 --before 2026-06-10 --servers martin-srv1 --by Nadia");
        assert!(
            changed.contains("request 2 accepted") && changed.contains("  takes the place of request 1\n"),
            "{changed}"
        );
        assert!(desk.printed("request list").contains("superseded by 2"));
        let listed = desk.json("request list --format json");
        assert_eq!(
            (&listed[0]["by"], &listed[1]["by"]),
            (&json!("staff for cabinet-martin"), &json!("staff Nadia for cabinet-martin"))
        );
        assert_eq!(desk.json("request list --format json"), desk.json("request list --json"));
        let cancelled = desk.json("request cancel 2 --format json");
        assert_eq!((&cancelled["id"], &cancelled["state"]), (&json!(2), &json!("cancelled")));
        let twice =
            "request isacompta 15.00.001 --with isacompta 15.00.001 --before 2026-06-10 --client cabinet-martin";
        desk.refused(twice, 1, &["isacompta is asked for twice"]);
    })
    .await;
}
