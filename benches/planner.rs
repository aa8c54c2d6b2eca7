//! What planning costs: one server with eight products, and a thousand of them.
//!
//! Run with `cargo bench`. Figures depend on the machine; compare within one run.

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use noctule::decide::calendar::{Calendar, Region};
use noctule::decide::planner::{Catalog, Facts, Rollout, plan};
use noctule::decide::terms::Terms;
use noctule::model::fleet::Fleet;
use noctule::model::manifest::{Manifest, SignedManifest};
use noctule::model::release::Release;
use noctule::model::report::{Backup, ServerState};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

const PRODUCTS: usize = 8;

fn now() -> DateTime<Utc> {
    "2026-04-29T15:00:00Z".parse().expect("an instant")
}

fn release(product: &str) -> Arc<Release> {
    let manifest: Manifest = toml::from_str(&format!(
        "product = {product:?}\nversion = \"1.1\"\nchange = \"minor\"\nnotes = {{ fr = \"Corrections.\" }}\n\
         duration_minutes = 20\nrollback_minutes = 10\npackage = {{ file = \"p.zip\" }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ timeout_seconds = 10 }}\ndetect = {{ version_file = \"VERSION\" }}\n"
    ))
    .expect("a manifest");
    let signed = SignedManifest {
        publisher: "agiris".into(),
        published_at: now() - TimeDelta::minutes(1),
        size: 1,
        sha256: String::new(),
        manifest,
    };
    Arc::new(Release { signed, seen_at: now(), retracted: None, sha1: String::new(), md5: String::new() })
}

fn planning(criterion: &mut Criterion) {
    let schedule = toml::from_str(include_str!("../schedules/pro-controle.toml")).expect("the schedule parses");
    let terms = Terms::compile(schedule).expect("the schedule is good");
    let products: Vec<String> = (0..PRODUCTS).map(|n| format!("product{n}")).collect();
    let fleet: Fleet = toml::from_str(&format!(
        "[[client]]\nid = \"c\"\nname = \"C\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\norder = {products:?}\n\
         contacts = []\n[[client.server]]\nid = \"s\"\nzone = \"Europe/Paris\"\n"
    ))
    .expect("a fleet");
    let client = &fleet.clients[0];
    let calendar = Calendar::new(client.servers[0].zone, Region::National, Vec::new());
    let state = ServerState {
        inventory: products.iter().map(|p| (p.clone(), "1.0".parse().expect("a version"))).collect(),
        backup: Some(Backup { finished_at: now(), succeeded: true }),
        ..ServerState::default()
    };
    let catalog: Catalog = products.iter().map(|p| (p.clone(), vec![release(p)])).collect();
    let (rollout, canaries) = (Rollout::new(), BTreeSet::new());
    let facts = Facts {
        now: now(),
        terms: &terms,
        calendar: &calendar,
        client,
        server: &client.servers[0],
        state: &state,
        catalog: &catalog,
        requests: &[],
        agreements: &[],
        deployments: &[],
        rollout: &rollout,
        canaries: &canaries,
    };
    assert_eq!(plan(&facts).len(), PRODUCTS, "the bench plans something");
    criterion.bench_function("one server, eight products", |b| b.iter(|| plan(black_box(&facts))));
    criterion.bench_function("a thousand servers, eight products", |b| {
        b.iter(|| (0..1000).map(|_| plan(black_box(&facts)).len()).sum::<usize>())
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = planning
}
criterion_main!(benches);
