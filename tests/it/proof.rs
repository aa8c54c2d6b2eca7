//! `history verify` and checkpoints, as whoever reviews a provider uses them: on the real binary, on both databases, with
//! somebody at work behind the orchestrator's back.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::{CONFIG, Desk};
use super::databases;
use noctule::edge::clock::Clock;
use noctule::edge::config::Config;
use noctule::work::{Orchestrator, jobs};
use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;

/// A desk whose orchestrator signs checkpoints, its database, and the line that others verify with.
fn desk(url: &str) -> (Desk, String) {
    let desk = Desk::applied_to(url);
    let key = desk.printed("history checkpoint-key checkpoint.pk8 --config noctule.toml");
    let config =
        format!("{}\n[checkpoints]\nkey_file = \"checkpoint.pk8\"\n", CONFIG.replace("sqlite:noctule.db", url));
    desk.write("noctule.toml", &config);
    (desk, key.trim().to_owned())
}

async fn behind(desk: &Desk, statements: &[&str]) {
    let database = Database::connect(desk.database()).await.unwrap();
    for statement in statements {
        database.execute_unprepared(statement).await.unwrap();
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_history_is_verified_and_what_was_done_to_it_is_named() {
    databases::each_url(|url| async move {
        let (desk, _) = desk(&url);
        let whole = desk.printed("history verify");
        assert!(whole.contains("cabinet-martin: "), "{whole}");
        assert!(whole.ends_with("held against no checkpoint: a chain forged from its first event on would not show\n"));
        let found = desk.json("history verify --client cabinet-martin --format json");
        assert_eq!(found["chains"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["breaks"], Value::Array(Vec::new()));
        desk.refused("history verify --client nobody", 1, &["no event of client nobody is known"]);

        behind(&desk, &["UPDATE event SET body = replace(body, 'fleet', 'flote') WHERE client = 'cabinet-martin'"])
            .await;
        let output = desk.run("history verify");
        assert_eq!(output.status.code(), Some(1));
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(out.contains("cabinet-martin event 1: its content is not what was written"), "{out}");
        assert!(out.contains("cabinet-martin: ") && out.contains("BROKEN"), "{out}");
        assert!(err.contains("noctule: the history is not what was written: "), "{err}");
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_kept_elsewhere_finds_what_the_owner_of_the_database_forged() {
    databases::each_url(|url| async move {
        let (desk, key) = desk(&url);
        assert!(key.starts_with("example.net+"), "{key}");
        desk.printed("history checkpoint --out kept.txt");
        let note = std::fs::read_to_string(desk.path().join("kept.txt")).unwrap();
        assert!(note.starts_with("noctule history of example.net\n2026-04-29T10:00:00Z\n"), "{note}");
        assert!(note.contains("\ncabinet-martin 2 "), "{note}");
        assert_eq!(desk.printed("history checkpoint"), note);
        desk.refused("history checkpoint --out kept.txt", 1, &["kept.txt: ", "exists"]);

        let against = format!("history verify --checkpoint kept.txt --key {key}");
        assert!(desk.printed(&against).ends_with("held against 1 signed checkpoint\n"));
        // As it comes in a letter.
        desk.write("mailed.txt", &note.replace('\n', "\r\n"));
        desk.printed(&against.replace("kept", "mailed"));
        desk.write("forged.txt", &note.replace("cabinet-martin ", "cabinet-martin 1"));
        desk.refused(
            &against.replace("kept", "forged"),
            1,
            &["forged.txt: the signature of example.net is not of this text"],
        );
        let unasked = desk.printed("history verify --checkpoint kept.txt");
        assert!(unasked.contains("whose signature nobody asked for (--key)"), "{unasked}");
        desk.write("theirs.txt", &note.replace("of example.net", "of other.example"));
        let theirs = "theirs.txt: a checkpoint of the history of other.example, not of example.net";
        desk.refused("history verify --checkpoint theirs.txt", 1, &[theirs]);
        desk.refused("history verify --checkpoint fleet.toml", 1, &["fleet.toml: no checkpoint: line 1: expected"]);
        desk.refused("history verify --checkpoint kept.txt --key example.net", 1, &["NAME+ID+KEY"]);

        // The chain is gone with its end: nothing in the database misses it.
        let gone =
            ["DELETE FROM event WHERE client = 'cabinet-martin'", "DELETE FROM chain WHERE client = 'cabinet-martin'"];
        behind(&desk, &gone).await;
        desk.printed("history verify");
        let output = desk.run(&against);
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}");
        assert!(out.contains("is missing; the checkpoint of 2026-04-29T10:00:00Z saw it"), "{out}");
    })
    .await;
}

#[test]
fn what_is_not_signed_says_so() {
    let desk = Desk::applied();
    let output = desk.run("history checkpoint");
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("not signed: [checkpoints] key_file"));
    desk.write("noctule.toml", &format!("{CONFIG}\n[checkpoints]\nkey_file = \"none.pk8\"\n"));
    desk.refused("history checkpoint", 1, &["the key of [checkpoints]: ", "none.pk8"]);
    desk.refused("history --client x verify", 2, &["cannot be used with"]);
}

/// The file that is attached to a letter.
fn attached(letter: &str) -> Vec<u8> {
    use base64::Engine as _;
    let (_, part) = letter.split_once("Content-Disposition: attachment").expect("something is attached");
    let (_, body) = part.split_once("\r\n\r\n").unwrap();
    let body: String = body.split("--=_m").next().unwrap().split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("it is base64")
}

#[tokio::test]
async fn a_checkpoint_is_mailed_once_in_its_days_and_what_comes_with_it_verifies() {
    databases::each_url(|url| async move {
        let (desk, key) = desk(&url);
        let config = std::fs::read_to_string(desk.path().join("noctule.toml")).unwrap();
        let keeper = "mail_to = [\"Audit <audit@cabinet.example>\"]\nlanguage = \"fr\"\n";
        for (line, said) in [
            ("mail_to = [\"audit\"]\n", "`checkpoints.mail_to`: \"audit\" is no e-mail address"),
            ("every_days = 0\n", "`checkpoints.every_days` is a number of days from 1 to 366"),
        ] {
            desk.write("noctule.toml", &format!("{config}{line}"));
            desk.refused("history verify", 1, &[said]);
        }
        desk.write("noctule.toml", &format!("{config}{keeper}"));
        let read = Config::read(&desk.path().join("noctule.toml")).unwrap();
        let now = "2026-04-29T10:00:00Z".parse().unwrap();
        let o = Orchestrator::open(read, Some(Clock::stepped(now))).await.unwrap();
        let letters = || {
            let outbox = desk.path().join("outbox");
            let files = std::fs::read_dir(outbox).into_iter().flatten().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().contains("checkpoint")).collect();
            files.sort();
            files
        };
        // Weeks begin on Sundays: the 29th is a Wednesday.
        for (hours, expected) in [(0, 1), (1, 1), (24, 1), (72, 2), (24, 2)] {
            o.clock.advance_to(o.clock.now() + chrono::TimeDelta::hours(hours));
            jobs::run_all_once(&o).await.unwrap();
            assert_eq!(letters().len(), expected, "after {hours} hours more");
        }
        o.store.clone().close().await.unwrap();
        let letter = std::fs::read_to_string(&letters()[0]).unwrap();
        assert!(letter.contains("To: Audit <audit@cabinet.example>\r\n"), "{letter}");
        assert!(letter.contains("filename=\"checkpoint-2026-04-29.txt\""), "{letter}");
        std::fs::write(desk.path().join("mailed.txt"), attached(&letter)).unwrap();
        let verified = desk.printed(&format!("history verify --checkpoint mailed.txt --key {key}"));
        assert!(verified.ends_with("held against 1 signed checkpoint\n"), "{verified}");
        assert!(desk.history().contains("checkpoint"), "that it was sent stands in the history");
    })
    .await;
}
