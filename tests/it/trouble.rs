//! What the machine may do to the service: a locked database, folders that may not be written, a disk that is full.
//! Each time: said in words, nothing changed, and all well again when the trouble is over.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::Desk;
use super::site::Site;
use super::world::{commit_fleet, orchestrator};
use super::{cli, databases};
use noctule::edge::store::{Changes, Limits};
use noctule::model::notice::{Letter, NewNotice, NoticeState};
use noctule::work::{jobs, post};
use sea_orm::{
    ConnectionTrait, Database, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Another process that holds what every change writes, until it is dropped or rolled back.
async fn lock(url: &str) -> DatabaseTransaction {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let held = Database::connect(url).await.unwrap().begin_with_options(immediate).await.unwrap();
    if url.starts_with("postgres") {
        held.execute_unprepared("LOCK TABLE event, chain, notice IN EXCLUSIVE MODE").await.unwrap();
    }
    held
}

#[tokio::test]
async fn a_locked_database_is_told_to_every_caller_and_job_and_passes() {
    databases::each_url(|url| async move {
        let limits = Limits { lock_timeout: Duration::from_millis(50), ..Limits::default() };
        let site = Site::with(&url, limits).await;
        site.publish("isacompta", "14.20.003", "minor", "").await;
        site.publish("isacompta", "15.00.001", "major", "").await;
        let (agent, martin, staff) = (site.target("martin-1").await, site.client("martin").await, site.staff().await);
        let id = site.o.store.open_deployments("martin-1").await.unwrap()[0].action;
        site.at("2026-04-29 22:05");
        let backup =
            json!({"data": {"noctule.backup.finished_at": "2026-04-29T19:00:00Z", "noctule.inventory.isaged": "3.1"}});
        let (backup, ask) =
            (backup.to_string(), r#"{"product":"isacompta","version":"15.00.001","before":"2026-06-30"}"#);
        let base = "/DEFAULT/controller/v1/martin-1";
        let (config, deployment) = (format!("{base}/configData"), format!("{base}/deploymentBase/{id}"));
        let calls = [
            ("PUT", config.as_str(), &agent, backup.as_str()),
            ("GET", deployment.as_str(), &agent, ""),
            ("POST", "/api/v1/requests", &martin, ask),
        ];
        let before = site.kept().await;
        let held = lock(&url).await;
        for (method, path, token, body) in calls {
            let answer = site.call(method, path, token, &[], body).await;
            answer.refused(503);
            assert_eq!(answer.header("retry-after"), "5", "{path}");
        }
        let failed = jobs::run_all_once(&site.o).await.unwrap_err();
        assert!(failed.why.contains("busy or locked") && failed.why.contains("nothing was written"), "{failed}");
        // Whoever only reads is not held up.
        site.get("/api/v1/history", &staff).await.ok();
        site.get(base, &agent).await.ok();
        assert_eq!(site.kept().await, before);
        held.rollback().await.unwrap();
        for (method, path, token, body) in calls {
            site.call(method, path, token, &[], body).await.ok();
        }
        jobs::run_all_once(&site.o).await.unwrap();
        assert_ne!(site.kept().await, before);
        assert_eq!(site.o.store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn commands_say_that_the_database_is_locked() {
    databases::each_url(|url| async move {
        let desk = Desk::applied_to(&url);
        let before = desk.history();
        desk.write("edited.toml", &cli::FLEET.replace("Bocage Expertise", "Bocage & Cie"));
        let lines = ["fleet apply edited.toml --yes", "token create zoe --staff", "enrol martin-srv1"];
        let held = lock(&desk.database()).await;
        // Each waits its time for the lock, so they do it together.
        let run = |line: &str| desk.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ended: Vec<Output> = lines.map(run).into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        held.rollback().await.unwrap();
        for (line, output) in lines.iter().zip(ended) {
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{line}: {error}");
            assert!(error.contains("busy or locked by another process, nothing was written"), "{line}: {error}");
        }
        assert_eq!(desk.history(), before);
        desk.printed(lines[0]);
    })
    .await;
}

/// The binary as somebody to whom permissions apply: the tests may run as root, who may write anywhere.
struct Nobody<'a> {
    desk: &'a Desk,
    binary: PathBuf,
}

impl Nobody<'_> {
    fn at(desk: &Desk) -> Nobody<'_> {
        let binary = desk.path().join("noctule");
        std::fs::copy(env!("CARGO_BIN_EXE_noctule"), &binary).unwrap();
        mode(&binary, 0o755);
        mode(desk.path(), 0o755);
        Nobody { desk, binary }
    }

    fn run(&self, line: &str) -> Output {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&self.binary);
        command.args(line.split_whitespace()).current_dir(self.desk.path()).stdin(Stdio::null());
        command.env_remove("NOCTULE_LOG");
        if is_root() {
            command.uid(65_534).gid(65_534);
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn refused(&self, line: &str, said: &[&str]) {
        let output = self.run(line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {error}");
        for text in said {
            assert!(error.contains(text), "{line} does not say {text:?}: {error}");
        }
    }
}

fn is_root() -> bool {
    // Root may write where nobody has the right to.
    let dir = tempfile::tempdir().unwrap();
    mode(dir.path(), 0o555);
    std::fs::write(dir.path().join("x"), "").is_ok()
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Sets the mode of a folder and of everything in it.
fn modes(dir: &Path, file: u32, folder: u32) {
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { modes(&entry, file, folder) } else { mode(&entry, file) }
    }
    mode(dir, folder);
}

#[test]
fn folders_that_may_not_be_written_are_named_and_nothing_changes() {
    let desk = Desk::applied();
    desk.write("edited.toml", &cli::FLEET.replace("Bocage Expertise", "Bocage & Cie"));
    for folder in ["packages", "outbox"] {
        assert!(desk.path().join(folder).is_dir(), "{folder} was made by the first command");
    }
    desk.write("agent.toml", "server = \"http://127.0.0.1:1\"\nstate_dir = \"state\"\nproducts_root = \"root\"\n");
    std::fs::create_dir(desk.path().join("open")).unwrap();
    let before = desk.history();
    modes(desk.path(), 0o444, 0o555);
    mode(&desk.path().join("open"), 0o777);
    let nobody = Nobody::at(&desk);
    let right = "give this process the right to write the file and its folder";
    nobody.refused("fleet apply edited.toml --yes --config noctule.toml", &[right]);
    nobody.refused("token create zoe --staff --config noctule.toml", &[right]);
    nobody.refused("agent --config agent.toml --once", &["cannot use state: Permission denied"]);
    nobody.refused("release init feed --publisher agiris", &["feed", "Permission denied"]);
    // A database that is not there cannot be made either, nor the folders that hold packages and letters.
    for (from, to, said) in [
        ("sqlite:noctule.db", "sqlite:other.db", "cannot open the database sqlite:"),
        ("packages = \"packages\"", "packages = \"elsewhere\"", "cannot use the package folder"),
        ("folder = \"outbox\"", "folder = \"letters\"", "cannot make the folder of letters"),
    ] {
        mode(desk.path(), 0o755);
        let config = cli::CONFIG.replace(from, to).replace("sqlite:noctule.db", "sqlite:open/noctule.db");
        desk.write("other.toml", &config);
        mode(desk.path(), 0o555);
        nobody.refused("history --config other.toml", &[said]);
    }
    modes(desk.path(), 0o644, 0o755);
    assert_eq!(desk.history(), before);
    desk.printed("fleet apply edited.toml --yes");
}

#[tokio::test]
async fn letters_wait_while_their_folder_cannot_be_written_or_its_disk_is_full() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        let letter = Letter::RequestCancelled {
            request: 7,
            product: "isacompta".into(),
            version: "15.0".parse().unwrap(),
            by: "c.morel".into(),
        };
        let (key, at, client) = ("a".to_owned(), o.clock.now(), Some("martin".to_owned()));
        let notices = vec![NewNotice { key, at, client, server: None, deployment: None, letter }];
        o.store.commit(Changes { notices, ..Changes::default() }).await.unwrap();
        let outbox = dir.path().join("outbox");
        let name = "2026-04-29T1500Z-request-cancelled-martin-1.eml";
        let deferred = async || {
            let report = post::run(&o).await.unwrap();
            assert_eq!((report.sent, report.deferred, report.undelivered), (0, 1, 0));
            let state = o.store.notices(None, 10).await.unwrap().remove(0).value.state;
            assert!(matches!(state, NoticeState::Pending { .. }), "{state:?}");
            o.clock.advance_to(o.clock.now() + chrono::TimeDelta::minutes(30));
        };
        // A file where the folder was: nobody can write there, not even root.
        std::fs::remove_dir(&outbox).unwrap();
        std::fs::write(&outbox, "").unwrap();
        deferred().await;
        std::fs::remove_file(&outbox).unwrap();
        std::fs::create_dir(&outbox).unwrap();
        // The unfinished letter goes to a device that is always full.
        if cfg!(target_os = "linux") {
            std::os::unix::fs::symlink("/dev/full", outbox.join(format!(".{name}.part"))).unwrap();
            deferred().await;
            assert_eq!(std::fs::read_dir(&outbox).unwrap().count(), 0, "nothing half-written stays");
        }
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        let letters: Vec<_> = std::fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(letters, [name]);
    })
    .await;
}
