//! What the planning job costs, with its store: a release lands on ten thousand servers, and all of them are planned.
//!
//! Run with `cargo bench --bench planning`; on one core with `taskset -c 0` before it (that core then serves the
//! database too). It is `work::planning` itself: it reads the fleet, decides for every server, has the checker inspect
//! every plan, and commits a deployment, a line of history and a letter for each. Every server reports eight products
//! of which one release lands, round by round a different product; in between the fleet installs it, so that the database
//! grows as it would. After each round planning runs once more and has to change nothing.
//!
//! SQLite is a file in the temporary folder (`TMPDIR`), synchronised as in production. PostgreSQL is the server that
//! `NOCTULE_TEST_POSTGRES` names, else a cluster of our own that flushes to disk as it does by default.
//! `NOCTULE_BENCH_SERVERS` and `NOCTULE_BENCH_ROUNDS` change the numbers, `NOCTULE_BENCH_ON=sqlite` or `postgres` leaves
//! the other out.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/databases.rs"]
mod databases;
#[allow(dead_code)]
#[path = "../tests/it/world.rs"]
mod world;

use chrono::TimeDelta;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::deployment::Closing;
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::fleet::{Client, Fleet};
use noctule::model::report::{Backup, ServerState};
use noctule::work::{Orchestrator, planning};
use std::collections::BTreeMap;
use std::time::Instant;

#[cfg(target_os = "linux")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PRODUCTS: [&str; 8] = ["isacompta", "isaged", "isaflux", "isapedi", "isapaye", "eic", "isafact", "isarev"];
const SERVERS_PER_CLIENT: usize = 3;
/// One client in so many has canary servers.
const CANARIES: usize = 20;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn client(n: usize, servers: usize) -> Client {
    let (zone, holidays) = [("Europe/Paris", "FR"), ("Europe/Paris", "FR-ALS"), ("Indian/Reunion", "FR-974")][n % 3];
    let ring = if n.is_multiple_of(CANARIES) { "canary" } else { "broad" };
    let machines: String = (1..=servers)
        .map(|s| format!("[[client.server]]\nid = \"cabinet-{n:05}-{s}\"\nzone = {zone:?}\nring = {ring:?}\n"))
        .collect();
    let text = format!(
        "[[client]]\nid = \"cabinet-{n:05}\"\nname = \"Cabinet {n} et associés\"\nschedule = \"pro-controle\"\n\
         holidays = {holidays:?}\norder = {PRODUCTS:?}\nclosed = [{{ hours = \"Dec 24-Dec 31\", reason = \"inventaire\" }}]\n\
         contacts = [{{ name = \"Mme Martin\", email = \"claire@cabinet-{n}.example\" }}, \
         {{ name = \"M. Petit\", email = \"hugo@cabinet-{n}.example\" }}]\n{machines}"
    );
    let mut fleet: Fleet = toml::from_str(&text).expect("a fleet");
    fleet.clients.remove(0)
}

/// The fleet, with what its agents reported.
async fn populate(o: &Orchestrator, servers: usize) {
    let clients: Vec<Client> = (0..servers.div_ceil(SERVERS_PER_CLIENT))
        .map(|n| client(n, SERVERS_PER_CLIENT.min(servers - n * SERVERS_PER_CLIENT)))
        .collect();
    let state = ServerState {
        inventory: PRODUCTS.iter().map(|p| ((*p).to_owned(), "14.20.001".parse().expect("a version"))).collect(),
        backup: Some(Backup { finished_at: o.clock.now(), succeeded: true }),
        capabilities: ["download-ahead".to_owned(), "zip".to_owned()].into(),
        reported_at: Some(o.clock.now()),
    };
    let server_ids: Vec<String> = clients.iter().flat_map(|c| &c.servers).map(|s| s.id.clone()).collect();
    let rows = clients.into_iter().map(|client| Row::Client(Stored::new(client))).collect();
    o.store.commit(Changes { rows, ..Changes::default() }).await.expect("the clients are written");
    let rows = server_ids.into_iter().map(|id| Row::State(Stored::new((id, state.clone())))).collect();
    o.store.commit(Changes { rows, ..Changes::default() }).await.expect("the states are written");
}

/// Every open deployment installs in its slot; the day after, every server says what it runs, after a good backup.
async fn install_all(o: &Orchestrator) {
    let open = o.store.all_open_deployments().await.expect("it reads");
    let end = open.iter().map(|d| d.slot.end).max().expect("something is planned");
    o.clock.advance_to(end + TimeDelta::hours(4));
    let runs: BTreeMap<&str, _> = open.iter().map(|d| (d.server.as_str(), (&d.product, &d.to))).collect();
    let mut jobs = Vec::with_capacity(open.len() * 2);
    for mut state in o.store.states().await.expect("it reads") {
        let (server, reported) = &mut state.value;
        let (product, version) = runs[server.as_str()];
        reported.inventory.insert(product.clone(), version.clone());
        reported.backup = Some(Backup { finished_at: o.clock.now(), succeeded: true });
        jobs.push(Changes { rows: vec![Row::State(state)], ..Changes::default() });
    }
    for deployment in &open {
        let start = deployment.slot.start;
        let end = start + TimeDelta::minutes(20 + deployment.id % 7);
        let observed = Some(deployment.to.clone());
        let running = deployment.value.clone().start(start).expect("it is planned");
        let done = running.close(end, Closing::Installed { observed }).expect("it runs");
        let event = NewEvent::new(end, &done.client, EventKind::Installed, "installed").about(&done);
        let rows = vec![Row::Deployment(deployment.with(done))];
        jobs.push(Changes { rows, events: vec![event], ..Changes::default() });
    }
    let results = o.store.commit_batch(jobs).await.expect("it is written");
    assert!(results.iter().all(Result::is_ok), "nobody else writes");
}

/// A release lands: seconds that planning takes, and that planning again takes, which has nothing to do.
async fn round(o: &Orchestrator, servers: usize, round: usize) -> (f64, f64) {
    let product = PRODUCTS[round % PRODUCTS.len()];
    let version = format!("14.20.{:03}", 2 + round / PRODUCTS.len());
    world::publish(o, world::manifest(product, &version, "minor", "")).await;
    let begin = Instant::now();
    let first = planning::run(o).await.expect("planning runs");
    let landed = begin.elapsed().as_secs_f64();
    assert_eq!((first.servers, first.changed, first.conflicts), (servers, servers, 0), "{product} {version}");
    let open = o.store.all_open_deployments().await.expect("it reads");
    assert_eq!(open.len(), servers, "each server has a deployment of its own");
    assert!(open.iter().all(|d| d.product == product && !d.reasons.is_empty()));
    let begin = Instant::now();
    let again = planning::run(o).await.expect("planning runs");
    let same = begin.elapsed().as_secs_f64();
    assert_eq!((again.changed, again.conflicts), (0, 0), "planning twice changes nothing");
    (landed, same)
}

async fn story(url: String, servers: usize, rounds: usize) {
    if std::env::var("NOCTULE_BENCH_ON").is_ok_and(|only| !url.starts_with(&only)) {
        println!("left out, as NOCTULE_BENCH_ON asks");
        return;
    }
    let database = if url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let o = world::orchestrator(dir.path(), &url, "2026-04-27 17:00").await;
    populate(&o, servers).await;
    planning::run(&o).await.expect("planning runs");
    let (mut landed, mut same) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        let (first, again) = round(&o, servers, n).await;
        println!("{database:<10}  round {n}: a release lands {first:.3} s, planned again {again:.3} s");
        landed.push(first);
        same.push(again);
        install_all(&o).await;
    }
    let letters = o.store.notices(None, u64::MAX >> 1).await.expect("it reads").len();
    assert_eq!(letters, servers * rounds, "each deployment was told of");
    assert_eq!(o.store.verify_chain(None).await.expect("the chains read"), [], "the chains hold");
    for (what, mut times) in [("a release lands, planned and committed", landed), ("nothing to do", same)] {
        times.sort_by(f64::total_cmp);
        let (median, worst) = (times[(times.len() - 1) / 2], times[times.len() - 1]);
        println!(
            "{database:<10}  {servers} servers, {what}: median {median:.3} s, best {:.3} s, worst {worst:.3} s",
            times[0]
        );
    }
}

fn main() {
    let (servers, rounds) = (number("NOCTULE_BENCH_SERVERS", 10_000), number("NOCTULE_BENCH_ROUNDS", 8));
    println!("{servers} servers with {} products, {rounds} releases one after the other", PRODUCTS.len());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(databases::each_url_with("", |url| story(url, servers, rounds)));
}
