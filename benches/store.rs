//! What the store costs a fleet of ten thousand servers: reading what planning needs, writing what it decided.
//!
//! Run with `cargo bench --bench store`. A release lands on every server; each gets a deployment, a line of history, a
//! letter with the whole manifest and a new standing, as planning would write them. Then every server reports it
//! installed. This is repeated, so the database grows as it would. Printed are medians and the work of this process
//! alone: on a machine that is busy with other things, the best and the work tell more.
//!
//! SQLite is a file in the temporary folder (`TMPDIR`), synchronised as in production. PostgreSQL is the server that
//! `NOCTULE_TEST_POSTGRES` names, else a cluster of our own that flushes to disk as it does by default; where there is
//! neither, the bench says so. `NOCTULE_BENCH_SERVERS` and `NOCTULE_BENCH_ROUNDS` change the numbers,
//! `NOCTULE_BENCH_ON=sqlite` or `postgres` leaves the other out. Criterion is for
//! what takes microseconds and leaves nothing behind; this is neither.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/databases.rs"]
mod databases;

use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::store::{Changes, Row, Sequence, Store, Stored};
use noctule::model::decision::Reason;
use noctule::model::deployment::{Closing, Deployment, DeploymentState};
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::fleet::{Client, Fleet};
use noctule::model::manifest::{Manifest, SignedManifest};
use noctule::model::notice::{Installation, Letter, NewNotice};
use noctule::model::release::{Release, ReleaseId};
use noctule::model::report::{Backup, ServerState};
use noctule::model::rule::Rule;
use noctule::model::slot::Slot;
use noctule::model::standing::Standing;
use noctule::model::version::{Change, Version};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Instant;

#[cfg(target_os = "linux")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PRODUCTS: [&str; 8] = ["isacompta", "isaged", "isaflux", "isapedi", "isapaye", "eic", "isafact", "isarev"];
const SERVERS_PER_CLIENT: usize = 3;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn noon(round: usize) -> DateTime<Utc> {
    "2026-04-29T10:00:00Z".parse::<DateTime<Utc>>().expect("an instant") + TimeDelta::days(round as i64)
}

fn manifest(product: &str, version: &Version) -> Manifest {
    let text = include_str!("../manifests/agiris/isacompta-14.20.003.toml");
    let known: Manifest = toml::from_str(text).expect("a manifest");
    Manifest { product: product.into(), version: version.clone(), ..known }
}

fn version(round: usize) -> Version {
    format!("14.20.{:03}", round + 1).parse().expect("a version")
}

fn reasons() -> Vec<Reason> {
    let reason = |rule| {
        Reason::new(
            rule,
            "published Wed 29 Apr 12:00, so the first night is Wed 29 Apr 22:00 to Thu 30 Apr 07:00, the last one after",
            "publiée le mer. 29 avril à 12 h 00 : la première nuit va du mer. 29 avril à 22 h 00 au jeu. 30 avril à 7 h 00",
        )
    };
    vec![reason(Rule::MinorNight), reason(Rule::StandingAccess), reason(Rule::BackupFirst), reason(Rule::Rollout)]
}

fn server_name(n: usize) -> String {
    format!("client-{:05}-{}", n / SERVERS_PER_CLIENT, n % SERVERS_PER_CLIENT + 1)
}

fn client_name(n: usize) -> String {
    format!("client-{:05}", n / SERVERS_PER_CLIENT)
}

fn clients(servers: usize) -> Vec<Client> {
    let one = |n: usize| {
        let of: String = (n * SERVERS_PER_CLIENT..((n + 1) * SERVERS_PER_CLIENT).min(servers))
            .map(|s| format!("[[client.server]]\nid = {:?}\nzone = \"Europe/Paris\"\n", server_name(s)))
            .collect();
        let text = format!(
            "[[client]]\nid = {:?}\nname = \"Cabinet {n} et associés\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\n\
             order = {PRODUCTS:?}\ncontacts = [{{ name = \"Mme Martin\", email = \"claire@client-{n}.example\" }}, \
             {{ name = \"M. Petit\", email = \"hugo@client-{n}.example\" }}]\n{of}",
            client_name(n * SERVERS_PER_CLIENT),
        );
        let fleet: Fleet = toml::from_str(&text).expect("a fleet");
        fleet.clients
    };
    (0..servers.div_ceil(SERVERS_PER_CLIENT)).flat_map(one).collect()
}

fn state(n: usize) -> Row {
    let state = ServerState {
        inventory: PRODUCTS.iter().map(|product| ((*product).to_owned(), version(0))).collect(),
        backup: Some(Backup { finished_at: noon(0), succeeded: true }),
        capabilities: ["download-ahead".to_owned(), "zip".to_owned()].into(),
        reported_at: Some(noon(0)),
    };
    Row::State(Stored::new((server_name(n), state)))
}

fn release(product: &str, round: usize) -> Row {
    let signed = SignedManifest {
        publisher: "agiris".into(),
        published_at: noon(round),
        size: 80_000_000,
        sha256: "0".repeat(64),
        manifest: manifest(product, &version(round)).into(),
    };
    let (sha1, md5) = ("0".repeat(40), "0".repeat(32));
    Row::Release(Stored::new(Release { signed, seen_at: noon(round), retracted: None, sha1, md5 }))
}

/// What planning writes for one server when a release lands.
fn planned(n: usize, round: usize, id: i64, manifest: &Manifest, standing: Option<&Stored<Standing>>) -> Changes {
    let slot = Slot::new(noon(round) + TimeDelta::hours(10), noon(round) + TimeDelta::hours(19)).expect("a slot");
    let deployment = Deployment {
        id,
        action: id,
        position: 0,
        client: client_name(n),
        server: server_name(n),
        product: manifest.product.clone(),
        from: Some(version(0)),
        to: manifest.version.clone(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot,
        published_at: noon(round),
        deadline: Some(slot.end),
        request: None,
        attempt: 1,
        reasons: reasons().into(),
        transfer: None,
        state: DeploymentState::Planned,
    };
    let text = format!("{} {} planned for Wed 29 Apr 22:00 to Thu 30 Apr 07:00", deployment.product, deployment.to);
    let event = NewEvent::new(noon(round), &deployment.client, EventKind::Planned, text);
    let known = standing.map(|known| known.value.clone()).unwrap_or_default();
    let mut outcomes = known.outcomes;
    outcomes.insert(deployment.product.clone(), format!("planned minor-night {}", deployment.to));
    let value = Standing { server: deployment.server.clone(), outcomes };
    let standing = standing.map_or_else(|| Stored::new(value.clone()), |known| known.with(value.clone()));
    Changes {
        events: vec![event.about(&deployment).reasons(reasons().into())],
        notices: vec![letter("planned", &deployment, manifest, Letter::MinorPlanned)],
        rows: vec![Row::Deployment(Stored::new(deployment)), Row::Standing(standing)],
    }
}

fn letter(
    key: &str,
    deployment: &Deployment,
    manifest: &Manifest,
    letter: impl FnOnce(Installation) -> Letter,
) -> NewNotice {
    NewNotice {
        key: format!("{key}/{}", deployment.id),
        at: deployment.slot.start,
        client: Some(deployment.client.clone()),
        server: Some(deployment.server.clone()),
        deployment: Some(deployment.id),
        letter: letter(Installation {
            server: deployment.server.clone(),
            zone: chrono_tz::Europe::Paris,
            product: deployment.product.clone(),
            from: deployment.from.clone(),
            to: deployment.to.clone(),
            slot: deployment.slot,
            deadline: deployment.deadline,
            finished_at: deployment.state.finished_at(),
            sequence: None,
            manifest: manifest.clone().into(),
        }),
    }
}

/// What the report of one server that installed it leads to, written in bulk here as no night does.
fn settled(deployment: &Stored<Deployment>, manifest: &Manifest) -> Changes {
    let start = deployment.slot.start;
    let end = start + TimeDelta::minutes(20 + deployment.id % 7);
    let observed = Some(deployment.to.clone());
    let running = deployment.value.clone().start(start).expect("it is planned");
    let value = running.close(end, Closing::Installed { observed }).expect("it runs");
    let event = NewEvent::new(end, &value.client, EventKind::Installed, "installed").about(&value);
    let notices = vec![letter("installed", &value, manifest, Letter::MinorInstalled)];
    Changes { rows: vec![Row::Deployment(deployment.with(value))], events: vec![event], notices }
}

/// Milliseconds of each round, by what was measured: elapsed, and spent by this process's threads.
#[derive(Default)]
struct Times(BTreeMap<&'static str, Vec<(f64, f64)>>);

/// A moment, by the clock and by the work done.
struct Moment(Instant, f64);

impl Moment {
    fn now() -> Moment {
        Moment(Instant::now(), spent_ms())
    }

    fn passed(&self) -> (f64, f64) {
        (self.0.elapsed().as_secs_f64() * 1_000.0, spent_ms() - self.1)
    }
}

/// What this process's threads have worked so far, to the 10 ms that Linux counts in; 0 elsewhere.
fn spent_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

impl Times {
    async fn of<T>(&mut self, what: &'static str, work: impl Future<Output = T>) -> T {
        let begin = Moment::now();
        let done = work.await;
        self.add(what, begin.passed());
        done
    }

    fn add(&mut self, what: &'static str, passed: (f64, f64)) {
        self.0.entry(what).or_default().push(passed);
    }

    fn print(&self, database: &str) {
        for (what, times) in &self.0 {
            let median = |of: fn(&(f64, f64)) -> f64| {
                let mut sorted: Vec<f64> = times.iter().map(of).collect();
                sorted.sort_by(f64::total_cmp);
                (sorted[(sorted.len() - 1) / 2], sorted[0])
            };
            let ((middle, best), (work, _)) = (median(|passed| passed.0), median(|passed| passed.1));
            println!("{database:<10}  {what:<34} {middle:>8.1} ms, best {best:>8.1} ms, work {work:>6.0} ms");
        }
    }
}

/// Everything planning reads, one after the other and each by itself.
async fn load_apart(store: &Store, times: &mut Times, round: usize, servers: usize, releases: &[ReleaseId]) {
    let since = noon(round) - TimeDelta::days(30);
    let canaries: Vec<String> = (0..servers).step_by(20).map(server_name).collect();
    let causes: Vec<String> = (0..servers).map(|n| format!("held/{}/isacompta", server_name(n))).collect();
    assert_eq!(times.of("read apart: states", store.states()).await.expect("read").len(), servers);
    times.of("read apart: clients", store.clients()).await.expect("read");
    times.of("read apart: releases", store.releases()).await.expect("read");
    times.of("read apart: standings", store.standings()).await.expect("read");
    times.of("read apart: open deployments", store.all_open_deployments()).await.expect("read");
    times.of("read apart: failed attempts", store.failed_attempts(since)).await.expect("read");
    times.of("read apart: outcomes of releases", store.release_outcomes(since)).await.expect("read");
    times.of("read apart: tally of canaries", store.release_tally(since, Some(&canaries))).await.expect("read");
    times.of("read apart: install times", store.install_times(releases, 100)).await.expect("read");
    times.of("read apart: open alerts by cause", store.open_alerts_by_cause(&causes)).await.expect("read");
}

/// The same at once, as planning would.
async fn load(store: &Store, round: usize, servers: usize, releases: &[ReleaseId]) -> Vec<Stored<Standing>> {
    let since = noon(round) - TimeDelta::days(30);
    let canaries: Vec<String> = (0..servers).step_by(20).map(server_name).collect();
    let standings = tokio::try_join!(
        store.states(),
        store.clients(),
        store.releases(),
        store.standings(),
        store.all_open_deployments(),
        store.failed_attempts(since),
        async { tokio::try_join!(store.accepted_requests(), store.agreements_after(noon(round))) },
        store.release_outcomes(since),
        store.release_tally(since, Some(&canaries)),
        store.install_times(releases, 100),
    );
    standings.expect("everything reads").3
}

async fn story(url: String, servers: usize, rounds: usize) {
    if std::env::var("NOCTULE_BENCH_ON").is_ok_and(|only| !url.starts_with(&only)) {
        println!("left out, as NOCTULE_BENCH_ON asks");
        return;
    }
    let database = if url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" };
    let store = Store::open(&url).await.expect("the database opens");
    let mut times = Times::default();
    let rows = clients(servers).into_iter().map(|client| Row::Client(Stored::new(client))).collect();
    times
        .of("write: the fleet, one commit", store.commit(Changes { rows, ..Changes::default() }))
        .await
        .expect("written");
    let states = (0..servers).map(|n| Changes { rows: vec![state(n)], ..Changes::default() }).collect();
    assert!(times.of("write: states", store.commit_batch(states)).await.expect("written").iter().all(Result::is_ok));
    let mut releases = Vec::new();
    for round in 0..rounds {
        let product = PRODUCTS[round % PRODUCTS.len()];
        let manifest = manifest(product, &version(round));
        releases.push(ReleaseId { product: product.into(), version: version(round) });
        let row = release(product, round);
        store.commit(Changes { rows: vec![row], ..Changes::default() }).await.expect("written");
        load_apart(&store, &mut times, round, servers, &releases).await;
        let begin = Moment::now();
        let standings = times.of("PLAN read: everything at once", load(&store, round, servers, &releases)).await;
        let standings: BTreeMap<&str, &Stored<Standing>> = standings.iter().map(|s| (s.server.as_str(), s)).collect();
        let first = store.allocate(Sequence::Deployment, servers as u32).await.expect("ids");
        let job = |n| planned(n, round, first + n as i64, &manifest, standings.get(server_name(n).as_str()).copied());
        let jobs: Vec<Changes> = (0..servers).map(job).collect();
        let results = times.of("PLAN write: deployments and all", store.commit_batch(jobs)).await.expect("written");
        assert!(results.iter().all(Result::is_ok), "nobody else writes");
        times.add("PLAN together", begin.passed());
        let open = times.of("read: 10,000 open", store.all_open_deployments()).await.expect("read");
        assert_eq!(open.len(), servers);
        let jobs = open.iter().map(|deployment| settled(deployment, &manifest)).collect();
        let results = times.of("write: all installed", store.commit_batch(jobs)).await.expect("written");
        assert!(results.iter().all(Result::is_ok), "nobody else writes");
        let one = (0..50).map(|n| Changes {
            events: vec![NewEvent::new(noon(round), &client_name(n), EventKind::Progress, "one")],
            ..Changes::default()
        });
        let begin = Moment::now();
        for changes in one {
            store.commit(changes).await.expect("written");
        }
        let (elapsed, work) = begin.passed();
        times.add("write: one event, one commit", (elapsed / 50.0, work / 50.0));
    }
    let begin = Instant::now();
    assert_eq!(store.verify_chain(None).await.expect("read"), []);
    println!("{database:<10}  chains verified in {:.0} ms", begin.elapsed().as_secs_f64() * 1_000.0);
    times.print(database);
    store.close().await.expect("the database closes");
}

fn main() {
    let (servers, rounds) = (number("NOCTULE_BENCH_SERVERS", 10_000), number("NOCTULE_BENCH_ROUNDS", 8));
    println!("{servers} servers, {rounds} releases one after the other; medians over the releases");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(databases::each_url_with("", |url| story(url, servers, rounds)));
}
