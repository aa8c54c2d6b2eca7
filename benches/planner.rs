//! What planning costs: one server, and fleets of growing size when a release lands.
//!
//! Run with `cargo bench --bench planner`. Figures depend on the machine; compare within one run. `NOCTULE_BENCH_SERVERS`
//! (default 100000) sets the largest fleet.

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use noctule::decide::planner::{plan, weigh};
use noctule::decide::terms::Terms;
use noctule::decide::world::{Almanacs, Parts, World};
use noctule::model::fleet::{Client, Contact, Language, Ring, Server};
use noctule::model::manifest::{Manifest, SignedManifest};
use noctule::model::release::Release;
use noctule::model::report::{Backup, ServerState};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

#[cfg(target_os = "linux")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PRODUCTS: usize = 8;
const ZONES: [chrono_tz::Tz; 4] =
    [chrono_tz::Europe::Paris, chrono_tz::Europe::Paris, chrono_tz::Indian::Reunion, chrono_tz::America::Martinique];
const REGIONS: [&str; 4] = ["FR", "FR-ALS", "FR-974", "FR-972"];

fn now() -> DateTime<Utc> {
    "2026-04-29T15:00:00Z".parse().expect("an instant")
}

fn release(product: &str, version: &str, published_at: DateTime<Utc>) -> Release {
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
    Release { signed, seen_at: now(), retracted: None, sha1: String::new(), md5: String::new() }
}

/// So many servers, two for each client, with eight products that are up to date but for the one whose release has
/// just landed.
fn world(servers: usize) -> World {
    let schedule = toml::from_str(include_str!("../schedules/pro-controle.toml")).expect("the schedule parses");
    let terms = Arc::new(Terms::compile(schedule).expect("the schedule is good"));
    let products: Vec<String> = (0..PRODUCTS).map(|n| format!("product{n}")).collect();
    let state = ServerState {
        inventory: products.iter().map(|p| (p.clone(), "1.0".parse().expect("a version"))).collect(),
        backup: Some(Backup { finished_at: now(), succeeded: true }),
        ..ServerState::default()
    };
    let client = |n: usize| Client {
        id: format!("client{n}"),
        name: format!("Client {n}"),
        language: Language::Fr,
        schedule: "pro-controle".into(),
        holidays: REGIONS[n % 4].into(),
        order: products.clone(),
        contacts: vec![Contact { name: "A".into(), email: "a@example.net".into(), phone: None }],
        closed: Vec::new(),
        servers: (0..2)
            .map(|s| Server {
                id: format!("client{n}-{s}"),
                zone: ZONES[n % 4],
                ring: if n.is_multiple_of(20) { Ring::Canary } else { Ring::Broad },
            })
            .collect(),
    };
    let clients: Vec<Client> = (0..servers.div_ceil(2)).map(client).collect();
    let old = now() - TimeDelta::days(60);
    let mut releases: Vec<Release> = products.iter().map(|p| release(p, "1.0", old)).collect();
    releases.push(release("product3", "1.1", now() - TimeDelta::minutes(1)));
    let parts = Parts {
        terms: BTreeMap::from([("pro-controle".to_owned(), terms)]),
        states: clients.iter().flat_map(|c| &c.servers).map(|s| (s.id.clone(), state.clone())).collect(),
        clients,
        releases,
        ..Parts::default()
    };
    World::new(parts, &mut Almanacs::default(), now()).expect("the parts fit together")
}

/// Plans every server; how many got a slot.
fn plan_all(world: &World) -> usize {
    let planned = |place| {
        world.with_facts(place, now(), |facts| {
            black_box(weigh(facts)).iter().filter(|(_, _, verdict)| verdict.plan().is_some()).count()
        })
    };
    world.places().map(planned).sum()
}

fn one(criterion: &mut Criterion) {
    let world = world(2);
    criterion.bench_function("one server, eight products, a release has landed", |b| {
        b.iter(|| world.with_facts(0, now(), |facts| black_box(weigh(facts)).bytes()));
    });
    criterion.bench_function("the same with every reason in words", |b| {
        b.iter(|| world.with_facts(0, now(), |facts| black_box(plan(facts)).len()));
    });
}

fn fleets(criterion: &mut Criterion) {
    let largest = std::env::var("NOCTULE_BENCH_SERVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut group = criterion.benchmark_group("a release lands");
    group.sample_size(10);
    for servers in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|n| *n <= largest) {
        let world = world(servers);
        assert_eq!(plan_all(&world), servers, "every server gets the release");
        let bytes: usize = world.places().map(|place| world.with_facts(place, now(), |f| weigh(f).bytes())).sum();
        println!("{servers} servers: {} bytes of decisions for each", bytes / servers);
        group.throughput(Throughput::Elements(servers as u64));
        group.bench_with_input(BenchmarkId::from_parameter(servers), &world, |b, world| b.iter(|| plan_all(world)));
    }
}

criterion_group!(benches, one, fleets);
criterion_main!(benches);
