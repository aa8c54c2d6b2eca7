//! What a page of history costs when there are a million deployments.
//!
//! Run with `cargo bench --bench history`. Fills an empty database with clients, servers and deployments (three servers
//! to a client, eight products, one in forty deployments gone wrong), then asks for pages of 100 as `GET /api/v1/history`
//! does: the newest, the next ones, one in the middle and one at the far end, narrowed by each filter and by several,
//! searched by name and by what went wrong. Printed are the median and the worst of 21 times each, in milliseconds; a page
//! is meant to take under 50.
//!
//! SQLite is a file in the temporary folder (`TMPDIR`). PostgreSQL is the server that `NOCTULE_TEST_POSTGRES` names, else a
//! cluster of our own; where there is neither, the bench says so. `NOCTULE_BENCH_DEPLOYMENTS` changes the number,
//! `NOCTULE_BENCH_ON=sqlite` or `postgres` leaves the other out.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/databases.rs"]
mod databases;
#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/world.rs"]
mod world;

use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{Changes, Cursor, DeploymentFilter, Row, Stored};
use noctule::model::decision::Reason;
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::fleet::{Client, Fleet};
use noctule::model::manifest::SignedManifest;
use noctule::model::release::Release;
use noctule::model::rule::Rule;
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use noctule::work::{Orchestrator, views};
use sea_orm::{ConnectionTrait, Database, Statement, TransactionTrait, Value};
use std::time::Instant;

const PRODUCTS: [&str; 8] = ["isacompta", "isaged", "isaflux", "isapedi", "isapaye", "eic", "isafact", "isarev"];
const SERVERS: usize = 10_000;
const SERVERS_PER_CLIENT: usize = 3;
const PAGE: u64 = 100;
const TIMES: usize = 21;
/// Rows of one statement, of twelve values each: what SQLite takes at most.
const ROWS_AT_ONCE: usize = 1_000;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn client(n: usize) -> String {
    format!("client-{:05}", n / SERVERS_PER_CLIENT)
}

fn server(n: usize) -> String {
    format!("client-{:05}-{}", n / SERVERS_PER_CLIENT, n % SERVERS_PER_CLIENT + 1)
}

fn clients() -> Vec<Client> {
    let one = |n: usize| {
        let of: String = (n * SERVERS_PER_CLIENT..((n + 1) * SERVERS_PER_CLIENT).min(SERVERS))
            .map(|s| format!("[[client.server]]\nid = {:?}\nzone = \"Europe/Paris\"\n", server(s)))
            .collect();
        let text = format!(
            "[[client]]\nid = {:?}\nname = \"Cabinet {n} et associés\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\n\
             order = {PRODUCTS:?}\ncontacts = [{{ name = \"Mme Martin\", email = \"claire@client-{n}.example\" }}]\n{of}",
            client(n * SERVERS_PER_CLIENT),
        );
        toml::from_str::<Fleet>(&text).expect("a fleet").clients
    };
    (0..SERVERS.div_ceil(SERVERS_PER_CLIENT)).flat_map(one).collect()
}

/// The deployment number `n`, from 1: every server in turn, a night for each turn.
fn deployment(n: usize) -> Deployment {
    let (site, night) = ((n - 1) % SERVERS, (n - 1) / SERVERS);
    let first: DateTime<Utc> = "2025-01-01T21:00:00Z".parse().expect("an instant");
    let start = first + TimeDelta::days(night as i64);
    let (started_at, finished_at) = (start + TimeDelta::minutes(10), start + TimeDelta::minutes(30));
    let state = match n % 40 {
        0 => {
            DeploymentState::RolledBack { started_at, finished_at, why: format!("own check failed: code {}", n % 977) }
        }
        _ => DeploymentState::Installed { started_at, finished_at, observed: None },
    };
    let reason = |rule| {
        let text = "published Wed 29 Apr 12:00, so the first night is Wed 29 Apr 22:00 to Thu 30 Apr 07:00, the last one after";
        Reason::new(rule, text, text)
    };
    let reasons = [Rule::MinorNight, Rule::StandingAccess, Rule::BackupFirst, Rule::Rollout].map(reason);
    let id = n as i64;
    Deployment {
        id,
        action: id,
        position: 0,
        client: client(site),
        server: server(site),
        product: PRODUCTS[night % PRODUCTS.len()].into(),
        from: None,
        to: format!("14.20.{night:03}").parse().expect("a version"),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: Default::default(),
        slot: Slot::new(start, start + TimeDelta::hours(9)).expect("a slot"),
        published_at: start,
        deadline: Some(start + TimeDelta::hours(9)),
        request: None,
        attempt: 1,
        reasons: reasons.to_vec().into(),
        transfer: None,
        state,
    }
}

fn release(night: usize) -> Release {
    let manifest = world::manifest(PRODUCTS[night % PRODUCTS.len()], &format!("14.20.{night:03}"), "minor", "");
    let published_at = "2025-01-01T10:00:00Z".parse().expect("an instant");
    let sha256 = "0".repeat(64);
    let signed =
        SignedManifest { publisher: "agiris".into(), published_at, size: 1, sha256, manifest: manifest.into() };
    Release { signed, seen_at: published_at, retracted: None, sha1: String::new(), md5: String::new() }
}

/// The row of a deployment, as the store lays it out.
fn row(d: &Deployment) -> [Value; 12] {
    let millis = |at: Option<DateTime<Utc>>| at.map_or(0, |at| at.timestamp_millis());
    [
        format!("{:012}", d.id).into(),
        1_i64.into(),
        serde_json::to_string(d).expect("it is written").into(),
        d.client.as_str().into(),
        d.server.as_str().into(),
        d.product.as_str().into(),
        d.to.as_str().into(),
        d.state.name().into(),
        d.action.into(),
        d.slot.start.timestamp_millis().into(),
        millis(d.state.started_at()).into(),
        millis(d.state.finished_at()).into(),
    ]
}

const COLUMNS: &str =
    "id, rev, body, client, server, product, version, state, action, slot_start, started_at, finished_at";

async fn fill(o: &Orchestrator, url: &str, deployments: usize) {
    let begun = Instant::now();
    for part in clients().chunks(500) {
        let rows = part.iter().map(|c| Row::Client(Stored::new(c.clone()))).collect();
        o.store.commit(Changes { rows, ..Changes::default() }).await.expect("clients are written");
    }
    let releases = (0..deployments.div_ceil(SERVERS)).map(|night| Row::Release(Stored::new(release(night)))).collect();
    o.store.commit(Changes { rows: releases, ..Changes::default() }).await.expect("releases are written");
    let db = Database::connect(url).await.expect("the database opens");
    let all: Vec<usize> = (1..=deployments).collect();
    for part in all.chunks(100 * ROWS_AT_ONCE) {
        let tx = db.begin().await.expect("a transaction begins");
        for rows in part.chunks(ROWS_AT_ONCE) {
            let place =
                |n: usize| format!("({})", (1..=12).map(|c| format!("${}", n * 12 + c)).collect::<Vec<_>>().join(", "));
            let places: Vec<String> = (0..rows.len()).map(place).collect();
            let sql = format!("INSERT INTO deployment ({COLUMNS}) VALUES {}", places.join(", "));
            let values = rows.iter().flat_map(|n| row(&deployment(*n)));
            let insert = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
            tx.execute_raw(insert).await.expect("rows are written");
        }
        tx.commit().await.expect("it is written");
    }
    if url.starts_with("postgres") {
        db.execute_unprepared("ANALYZE").await.expect("it is analysed");
    }
    db.close().await.expect("it closes");
    println!("  {deployments} deployments of {SERVERS} servers written in {:.0} s", begun.elapsed().as_secs_f64());
}

async fn pages(o: &Orchestrator, deployments: usize) {
    let at = |n: usize| Some(Cursor { slot_start: deployment(n).slot.start.timestamp_millis(), id: n as i64 });
    let base = || DeploymentFilter { limit: Some(PAGE), ..DeploymentFilter::default() };
    let (some, site) = (client(4_242), server(4_242));
    let troubled = || vec!["rolled_back".to_owned(), "failed".to_owned()];
    let questions: Vec<(&str, DeploymentFilter, Option<&str>)> = vec![
        ("the newest", base(), None),
        ("from the middle on", DeploymentFilter { after: at(deployments / 2), ..base() }, None),
        ("the oldest", DeploymentFilter { after: at(PAGE as usize + 1), ..base() }, None),
        ("--client", DeploymentFilter { client: Some(some.clone()), ..base() }, None),
        ("--server", DeploymentFilter { server: Some(site.clone()), ..base() }, None),
        ("--product", DeploymentFilter { product: Some("eic".into()), ..base() }, None),
        ("--state rolled_back,failed", DeploymentFilter { states: troubled(), ..base() }, None),
        ("--state planned (none)", DeploymentFilter { states: vec!["planned".into()], ..base() }, None),
        (
            "--since, --until",
            DeploymentFilter {
                since: at(deployments / 3).and_then(|c| DateTime::from_timestamp_millis(c.slot_start)),
                until: at(deployments / 2).and_then(|c| DateTime::from_timestamp_millis(c.slot_start)),
                ..base()
            },
            None,
        ),
        (
            "--client --state --product",
            DeploymentFilter { client: Some(some), states: troubled(), product: Some("eic".into()), ..base() },
            None,
        ),
        (
            "--product --state, deep",
            DeploymentFilter { product: Some("eic".into()), states: troubled(), after: at(deployments / 2), ..base() },
            None,
        ),
        ("--search of a client's name", base(), Some("cabinet 1414")),
        ("--search of a product", base(), Some("isaged")),
        ("--search of client and product", base(), Some("client-01414 isaged")),
        ("--search of what went wrong", base(), Some("failed:")),
    ];
    println!("  {:<32} {:>9} {:>9} {:>6}", "page of 100", "median ms", "worst ms", "rows");
    for (name, filter, text) in questions {
        let mut times = Vec::new();
        let mut rows = 0;
        for _ in 0..TIMES {
            let begun = Instant::now();
            let search = match text {
                Some(text) => Some(views::search(o, text).await.expect("it searches")),
                None => None,
            };
            let filter = DeploymentFilter { search, ..filter.clone() };
            rows = views::history(o, &filter).await.expect("a page").len();
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        println!("  {name:<32} {:>9.1} {:>9.1} {rows:>6}", times[TIMES / 2], times[TIMES - 1]);
    }
}

#[tokio::main]
async fn main() {
    let deployments = number("NOCTULE_BENCH_DEPLOYMENTS", 1_000_000);
    let only = std::env::var("NOCTULE_BENCH_ON").unwrap_or_default();
    databases::each_url_with("", |url| {
        let only = only.clone();
        async move {
            let kind = if url.starts_with("sqlite") { "sqlite" } else { "postgres" };
            if !only.is_empty() && only != kind {
                return;
            }
            println!("{kind}");
            let dir = tempfile::tempdir().expect("a temporary folder");
            let o = world::orchestrator(dir.path(), &url, "2027-12-01 12:00").await;
            fill(&o, &url, deployments).await;
            pages(&o, deployments).await;
            o.store.clone().close().await.expect("it closes");
        }
    })
    .await;
}
