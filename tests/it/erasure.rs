//! `noctule erase`, as staff use it when a contact has left: on the real binary, on both databases.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::{Desk, FLEET};
use super::databases;
use super::world::{manifest, publish};
use noctule::edge::config::Config;
use noctule::work::Orchestrator;
use sea_orm::{ConnectionTrait, Database, Statement};

const CLAIRE: &str = "claire.martin@cabinet-martin.example";

/// The records in which words stand, by table; clients aside, who are the fleet file's.
async fn where_it_stands(desk: &Desk, words: &str) -> Vec<&'static str> {
    let db = Database::connect(desk.database()).await.unwrap();
    let mut tables = Vec::new();
    for (table, column) in [
        ("event", "body"),
        ("personal", "words"),
        ("request", "body"),
        ("agreement", "body"),
        ("hold", "body"),
        ("resumption", "body"),
        ("notice", "body"),
        ("deployment", "body"),
        ("alert", "body"),
        ("standing", "body"),
        ("token", "body"),
    ] {
        let found = format!("SELECT 1 FROM {table} WHERE {column} LIKE '%{words}%' LIMIT 1");
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), found)).await.unwrap();
        if !rows.is_empty() {
            tables.push(table);
        }
    }
    db.close().await.unwrap();
    tables
}

#[tokio::test]
async fn a_contact_who_left_is_erased_and_the_history_says_so() {
    databases::each_url(|url| async move {
        let desk = Desk::applied_to(&url);
        let client = "cabinet-martin";
        desk.printed(&format!("token create {CLAIRE} --client {client}"));
        desk.printed(&format!("agree closed {client} --from 2026-05-04 --to 2026-05-08 --by {CLAIRE}"));
        let o = Orchestrator::open(Config::read(&desk.path().join("noctule.toml")).unwrap(), None).await.unwrap();
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        o.store.clone().close().await.unwrap();
        // A release is nobody's: what is said of it stands in the provider's chain.
        for (line, reason) in [
            ("hold client cabinet-martin --by zoe --reason", "Mme Claire Martin asked for a pause"),
            ("hold release isacompta 14.20.003 --by zoe --reason", "Mme Claire Martin is against it"),
            ("resume isacompta 14.20.003 --by zoe --reason", "Mme Claire Martin agrees by now"),
        ] {
            let output = desk.command(line).arg(reason).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(where_it_stands(&desk, CLAIRE).await, ["personal", "agreement", "token"]);
        assert_eq!(where_it_stands(&desk, "Claire Martin").await, ["personal", "hold", "resumption"]);

        let erase = |who: &str, more: &str| {
            let mut command = desk.command(&format!("erase {client} {CLAIRE}"));
            command.arg(who).args(more.split_whitespace());
            command.output().unwrap()
        };
        let refused = |who: &str, said: &str| {
            let output = erase(who, "--yes");
            assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
            output.status.code()
        };
        assert_eq!(refused("Martin", "may mean something else too"), Some(2));
        assert_eq!(
            refused("Mme Claire Martin", "is a contact of cabinet-martin: take them out of fleet.toml"),
            Some(1)
        );
        desk.refused("erase nobody a@b.fr", 1, &["nothing is known of a client \"nobody\""]);
        let fleet: String = FLEET.lines().filter(|line| !line.contains(CLAIRE)).map(|l| format!("{l}\n")).collect();
        desk.write("fleet.toml", &fleet);
        desk.printed("fleet apply fleet.toml --yes");
        assert_eq!(refused("Mme Claire Martin", "there is a valid token named"), Some(1));
        desk.printed(&format!("token revoke {CLAIRE}"));

        let look = String::from_utf8(erase("Mme Claire Martin", "").stdout).unwrap();
        assert!(look.starts_with("the person is named: 6 mentions in the history, "), "{look}");
        assert!(!where_it_stands(&desk, CLAIRE).await.is_empty(), "looking erases nothing");
        let done = String::from_utf8(erase("Mme Claire Martin", "--yes --by Zoé").stdout).unwrap();
        assert_eq!(done, look.replace("the person is named:", "erased:"));
        for words in [CLAIRE, "Claire Martin"] {
            assert_eq!(where_it_stands(&desk, words).await, [""; 0], "{words}");
        }
        let history = desk.history();
        assert!(history.contains("agreement 1 by [erased]"), "{history}");
        assert!(
            history.contains("hold 1 on client cabinet-martin by zoe until it is lifted: [erased] asked for a pause")
        );
        assert!(history.contains("a person was erased, as Zoé wants: 6 mentions in the history, "), "{history}");
        assert!(history.contains("isacompta 14.20.003 by zoe until it is lifted: [erased] is against it"), "{history}");
        assert!(history.contains("isacompta 14.20.003 goes on, by zoe: [erased] agrees by now"), "{history}");
        let verified = desk.printed("history verify");
        assert!(verified.contains("cabinet-martin: ") && verified.contains("provider: "), "{verified}");
        let again = String::from_utf8(erase("Mme Claire Martin", "--yes").stdout).unwrap();
        assert_eq!(again, "nothing that is kept about cabinet-martin names that person\n");
    })
    .await;
}
