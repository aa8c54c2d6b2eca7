//! A small orchestrator for tests: real store, real schedules, a clock that stands still until it is moved.

use chrono::{DateTime, NaiveDateTime, Utc};
use noctule::edge::clock::Clock;
use noctule::edge::config::Config;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::fleet::Fleet;
use noctule::model::manifest::{Manifest, SignedManifest};
use noctule::model::release::Release;
use noctule::model::report::{Backup, ServerState};
use noctule::work::Orchestrator;
use std::path::Path;

/// Paris time.
pub fn paris(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .expect("a date and a time")
        .and_local_timezone(chrono_tz::Europe::Paris)
        .single()
        .expect("not in a changed hour")
        .with_timezone(&Utc)
}

/// An orchestrator on `database`, with its files under `dir`, at Paris time `now`.
pub async fn orchestrator(dir: &Path, database: &str, now: &str) -> Orchestrator {
    orchestrator_at(dir, database, paris(now)).await
}

/// The same at an instant.
pub async fn orchestrator_at(dir: &Path, database: &str, now: DateTime<Utc>) -> Orchestrator {
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let text = format!(
        "database = {database:?}\npackages = \"packages\"\nschedules = {schedules:?}\n\
         [mail]\nfrom = \"Infogérance <iah@provider.example>\"\ndomain = \"provider.example\"\nfolder = \"outbox\"\n\
         [staff]\nsignature = \"L'équipe\"\niah = \"iah@provider.example\"\nnoc = \"noc@provider.example\"\n"
    );
    let path = dir.join("noctule.toml");
    std::fs::write(&path, text).expect("the folder is writable");
    let config = Config::read(&path).expect("the configuration is good");
    Orchestrator::open(config, Some(Clock::stepped(now))).await.expect("it opens")
}

/// Two clients: `martin` with one server, `rhin` in Alsace with one server; French, Paris time.
pub fn fleet() -> Fleet {
    toml::from_str(
        r#"
        [[client]]
        id = "martin"
        name = "Cabinet Martin"
        schedule = "pro-controle"
        holidays = "FR"
        order = ["isacompta", "isaged"]
        contacts = [{ name = "Mme Martin", email = "claire@martin.example" }, { name = "M. Petit", email = "hugo@martin.example" }]
        [[client.server]]
        id = "martin-1"
        zone = "Europe/Paris"
        [[client]]
        id = "rhin"
        name = "Fiduciaire du Rhin"
        schedule = "pro-controle"
        holidays = "FR-ALS"
        order = ["isacompta"]
        contacts = [{ name = "M. Muller", email = "jean@rhin.example" }]
        [[client.server]]
        id = "rhin-1"
        zone = "Europe/Paris"
        "#,
    )
    .expect("the fleet is good")
}

pub async fn commit_fleet(o: &Orchestrator) {
    let rows = fleet().clients.into_iter().map(|c| Row::Client(Stored::new(c))).collect();
    o.store.commit(Changes { rows, ..Changes::default() }).await.expect("the fleet is written");
}

/// What the agent of `server` would have reported: these products, and a backup at `backup`.
pub async fn report(o: &Orchestrator, server: &str, products: &[(&str, &str)], backup: Option<DateTime<Utc>>) {
    let state = ServerState {
        inventory: products.iter().map(|(p, v)| ((*p).to_owned(), v.parse().expect("a version"))).collect(),
        backup: backup.map(|finished_at| Backup { finished_at, succeeded: true }),
        reported_at: Some(o.clock.now()),
        ..ServerState::default()
    };
    let known = o.store.state(server).await.expect("it reads");
    let row = known.map_or_else(
        || Stored::new((server.to_owned(), state.clone())),
        |known| known.with((server.to_owned(), state.clone())),
    );
    o.store.commit(Changes { rows: vec![Row::State(row)], ..Changes::default() }).await.expect("it is written");
}

/// A manifest as a publisher writes it, with the least there can be; `more` is further TOML.
pub fn manifest(product: &str, version: &str, change: &str, more: &str) -> Manifest {
    toml::from_str(&format!(
        "product = {product:?}\nversion = {version:?}\nchange = {change:?}\n{more}\n\
         notes = {{ fr = \"Corrections diverses.\" }}\nduration_minutes = 30\nrollback_minutes = 15\n\
         package = {{ file = \"{product}.zip\" }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ files = [\"VERSION\"], timeout_seconds = 10 }}\ndetect = {{ version_file = \"VERSION\" }}\n"
    ))
    .expect("the manifest is good")
}

/// What intake would have stored now.
pub async fn publish(o: &Orchestrator, manifest: Manifest) {
    let now = o.clock.now();
    let release = Release {
        signed: SignedManifest {
            publisher: "agiris".into(),
            published_at: now,
            size: 1,
            sha256: "0".repeat(64),
            manifest: manifest.into(),
        },
        seen_at: now,
        retracted: None,
        sha1: String::new(),
        md5: String::new(),
    };
    let rows = vec![Row::Release(Stored::new(release))];
    o.store.commit(Changes { rows, ..Changes::default() }).await.expect("it is written");
}
