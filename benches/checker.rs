//! What checking costs: one server with eight plans, a plan of its own, and what binds ten thousand servers.
//!
//! Run with `cargo bench --bench checker`. Figures depend on the machine; compare within one run.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use noctule::decide::checker::{Checker, Limits, Scene, Spread, fleet};
use noctule::model::decision::{Decision, Outcome, Plan, Reason};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::fleet::Fleet;
use noctule::model::manifest::{Manifest, SignedManifest};
use noctule::model::release::Release;
use noctule::model::report::{Backup, ServerState};
use noctule::model::rule::Rule;
use noctule::model::schedule::Schedule;
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

#[cfg(target_os = "linux")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PRODUCTS: usize = 8;
const SERVERS: usize = 10_000;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn release(product: &str, version: &str, published_at: DateTime<Utc>) -> Arc<Release> {
    let manifest: Manifest = toml::from_str(&format!(
        "product = {product:?}\nversion = {version:?}\nchange = \"minor\"\nnotes = {{ fr = \"Corrections.\" }}\n\
         duration_minutes = 20\nrollback_minutes = 10\npackage = {{ file = \"p.zip\" }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ timeout_seconds = 10 }}\ndetect = {{ version_file = \"VERSION\" }}\n"
    ))
    .expect("a manifest");
    let signed = SignedManifest {
        publisher: "agiris".into(),
        published_at,
        size: 1,
        sha256: String::new(),
        manifest: manifest.into(),
    };
    Arc::new(Release { signed, seen_at: published_at, retracted: None, sha1: String::new(), md5: String::new() })
}

fn checking(criterion: &mut Criterion) {
    let schedule: Schedule =
        toml::from_str(include_str!("../schedules/pro-controle.toml")).expect("the schedule parses");
    let checker = Checker::new(&schedule, "FR", Tz::Europe__Paris).expect("the schedule can be checked");
    let products: Vec<String> = (0..PRODUCTS).map(|n| format!("product{n}")).collect();
    let client_file: Fleet = toml::from_str(&format!(
        "[[client]]\nid = \"c\"\nname = \"C\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\norder = {products:?}\n\
         contacts = []\n[[client.server]]\nid = \"s\"\nzone = \"Europe/Paris\"\n"
    ))
    .expect("a fleet");
    let client = &client_file.clients[0];
    // Inside the slot, where backups are looked at too.
    let now = at("2026-04-29T20:10:00Z");
    let published = at("2026-04-29T14:00:00Z");
    let state = ServerState {
        inventory: products.iter().map(|p| (p.clone(), "1.20".parse().expect("a version"))).collect(),
        backup: Some(Backup { finished_at: now - TimeDelta::hours(1), succeeded: true }),
        ..ServerState::default()
    };
    // Twenty older versions each, as a catalog has after a year.
    let releases: BTreeMap<String, Vec<Arc<Release>>> = products
        .iter()
        .map(|p| (p.clone(), (1..=21).map(|n| release(p, &format!("1.{n}"), published)).collect()))
        .collect();
    let slot = Slot { start: at("2026-04-29T20:00:00Z"), end: at("2026-04-30T05:00:00Z") };
    let decide = |product: &String| {
        let plan = Plan {
            version: "1.21".parse().expect("a version"),
            slot,
            deadline: Some(at("2026-05-01T05:00:00Z")),
            request: None,
            position: 0,
            leader: format!("{product} 1.21"),
        };
        let reasons = vec![Reason::new(Rule::MinorNight, "why", "pourquoi")];
        let outcome = Outcome::Planned(plan);
        Decision { client: "c".into(), server: "s".into(), product: product.clone(), outcome, reasons: reasons.into() }
    };
    let decisions: Vec<Decision> = products.iter().map(decide).collect();
    let scene = Scene {
        now,
        client,
        server: &client.servers[0],
        state: &state,
        releases: &releases,
        requests: &[],
        agreements: &[],
        holds: &[],
        deployments: &[],
        spread: &|_| Spread::default(),
        minutes: &Scene::estimate,
    };
    assert_eq!(checker.decisions(&scene, &decisions), [], "the bench checks what is correct");

    let mut group = criterion.benchmark_group("check");
    group.throughput(Throughput::Elements(PRODUCTS as u64));
    group.bench_function("one server, eight plans", |b| {
        b.iter(|| checker.decisions(black_box(&scene), black_box(&decisions)))
    });
    group.throughput(Throughput::Elements(1));
    let mut single = state.clone();
    single.inventory.retain(|product, _| *product == products[0]);
    let alone = Scene { state: &single, ..scene };
    group.bench_function("one plan", |b| b.iter(|| checker.decisions(black_box(&alone), black_box(&decisions[..1]))));

    let open: Vec<Deployment> = (1..=SERVERS as i64).map(|id| open_deployment(id, slot)).collect();
    let limits = Limits::from(&schedule);
    assert_eq!(fleet(&open, limits, &|_| Tz::Europe__Paris), []);
    group.throughput(Throughput::Elements(SERVERS as u64));
    group.bench_function("what binds ten thousand servers", |b| {
        b.iter(|| fleet(black_box(&open), limits, &|_| Tz::Europe__Paris))
    });
    group.finish();
}

fn open_deployment(id: i64, slot: Slot) -> Deployment {
    Deployment {
        id,
        action: id,
        position: 0,
        client: format!("c{id}"),
        server: format!("s{id}"),
        product: "product0".into(),
        from: None,
        to: "1.21".parse().expect("a version"),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: None,
        slot,
        published_at: slot.start,
        deadline: None,
        request: None,
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state: DeploymentState::Planned,
    }
}

criterion_group!(benches, checking);
criterion_main!(benches);
