//! History in pages, searched, written out and followed: on each database, over the API and by the real binary.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::cli::Desk;
use super::site::{self, Site};
use super::world::{manifest, paris};
use chrono::TimeDelta;
use noctule::edge::config::Config;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::manifest::SignedManifest;
use noctule::model::release::Release;
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use noctule::work::Orchestrator;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

const API: &str = "/api/v1";
const PRODUCTS: [&str; 3] = ["isacompta", "isaged", "isa_paye"];

/// Deployment `n`: many begin at one time, as they do in a night.
fn deployment(n: i64) -> Deployment {
    let server = if n % 3 == 0 { "rhin-1" } else { "martin-1" };
    let start = paris("2026-03-02 22:00") + TimeDelta::days(n / 11);
    let (started_at, finished_at) = (start + TimeDelta::minutes(5), start + TimeDelta::minutes(20));
    let state = match n % 7 {
        0 => DeploymentState::RolledBack {
            started_at,
            finished_at,
            why: format!("Échec, dossier illisible: 100% \"{n}\""),
        },
        1 => DeploymentState::Planned,
        2 => DeploymentState::Cancelled { at: start, why: "superseded by 99".into() },
        _ => DeploymentState::Installed { started_at, finished_at, observed: None },
    };
    Deployment {
        id: n,
        action: n,
        position: 0,
        client: if n % 3 == 0 { "rhin" } else { "martin" }.into(),
        server: server.into(),
        product: PRODUCTS[n as usize % 3].into(),
        from: None,
        to: format!("14.20.{n:03}").parse().unwrap(),
        change: Change::Minor,
        manual: false,
        attended_by: None,
        concertation: Default::default(),
        slot: Slot::new(start, start + TimeDelta::hours(9)).unwrap(),
        published_at: start,
        deadline: None,
        request: None,
        attempt: 1,
        reasons: Vec::new().into(),
        transfer: None,
        state,
    }
}

const DEPLOYMENTS: i64 = 150;

async fn fill(o: &Orchestrator) {
    let mut rows: Vec<Row> = (1..=DEPLOYMENTS).map(|n| Row::Deployment(Stored::new(deployment(n)))).collect();
    for product in PRODUCTS {
        let manifest = manifest(product, "14.20.007", "minor", "");
        let (published_at, sha256) = (paris("2026-03-01 12:00"), "0".repeat(64));
        let signed =
            SignedManifest { publisher: "agiris".into(), published_at, size: 1, sha256, manifest: manifest.into() };
        let release =
            Release { signed, seen_at: published_at, retracted: None, sha1: String::new(), md5: String::new() };
        rows.push(Row::Release(Stored::new(release)));
    }
    // Whoever has a history can be named.
    let events =
        ["martin", "rhin"].map(|client| NewEvent::new(o.clock.now(), client, EventKind::FleetChanged, "filled"));
    o.store.commit(Changes { rows, events: events.to_vec(), ..Changes::default() }).await.unwrap();
}

fn ids(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Every row that a query lets through, page by page, oldest first, with how many pages it took.
async fn walked(site: &Site, token: &str, query: &str, limit: usize) -> (Vec<i64>, usize) {
    let (mut all, mut pages) = (Vec::new(), 0);
    let mut path = format!("{API}/history?{query}&limit={limit}");
    loop {
        let answer = site.get(&path, token).await;
        let page = ids(&answer.ok().json());
        pages += 1;
        assert!(page.len() <= limit);
        all.splice(0..0, page);
        let Some(link) = answer.headers.get("link") else { return (all, pages) };
        let link = link.to_str().unwrap();
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
}

#[tokio::test]
async fn pages_make_up_the_whole_whatever_the_filters() {
    site::each(async |site| {
        fill(&site.o).await;
        let staff = site.staff().await;
        let kept = |keep: &dyn Fn(&Deployment) -> bool| -> Vec<i64> {
            let mut found: Vec<Deployment> = (1..=DEPLOYMENTS).map(deployment).filter(|d| keep(d)).collect();
            found.sort_by_key(|d| (d.slot.start, d.id));
            found.iter().map(|d| d.id).collect()
        };
        let state = |d: &Deployment, names: &[&str]| names.contains(&d.state.name());
        for (query, expected) in [
            ("", kept(&|_| true)),
            ("client=martin", kept(&|d| d.client == "martin")),
            ("server=rhin-1", kept(&|d| d.server == "rhin-1")),
            ("product=isa_paye", kept(&|d| d.product == "isa_paye")),
            ("state=rolled_back,cancelled", kept(&|d| state(d, &["rolled_back", "cancelled"]))),
            ("state=planned", kept(&|d| state(d, &["planned"]))),
            ("state=planned,installed", kept(&|d| state(d, &["planned", "installed"]))),
            (
                "client=martin&product=isaged&state=installed",
                kept(&|d| d.client == "martin" && d.product == "isaged" && state(d, &["installed"])),
            ),
            (
                "since=2026-03-05&until=2026-03-10",
                kept(&|d| (paris("2026-03-05 01:00")..paris("2026-03-10 01:00")).contains(&d.slot.start)),
            ),
            // Words name clients by id or name, servers, products, versions, numbers; each has to be answered to.
            ("search=cabinet", kept(&|d| d.client == "martin")),
            ("search=RHIN-1%20isacompta", kept(&|d| d.server == "rhin-1" && d.product == "isacompta")),
            ("search=isa_paye", kept(&|d| d.product == "isa_paye")),
            ("search=14.20.007", kept(&|d| d.to.as_str() == "14.20.007")),
            ("search=%2342", vec![42]),
            // What names nothing is looked for in what went wrong.
            ("search=illisible", kept(&|d| state(d, &["rolled_back"]))),
            ("search=DOSSIER%20martin", kept(&|d| state(d, &["rolled_back"]) && d.client == "martin")),
            ("search=%C3%A9chec", kept(&|d| state(d, &["rolled_back"]))),
            ("search=100%25", kept(&|d| state(d, &["rolled_back"]))),
            ("search=%2249%22", vec![49]),
            ("search=rolled_back", Vec::new()),
            ("search=superseded&state=cancelled", kept(&|d| state(d, &["cancelled"]))),
            ("search=isaXpaye", Vec::new()),
        ] {
            for limit in [7, 50, 1_000] {
                let (found, pages) = walked(&site, &staff, query, limit).await;
                assert_eq!(found, expected, "{query} by {limit}");
                assert!(pages <= expected.len() / limit + 1, "{query} by {limit}: {pages} pages");
                let once: BTreeSet<i64> = found.iter().copied().collect();
                assert_eq!(once.len(), found.len());
            }
        }
        // A page stays where it was when newer ones come before it.
        let page = site.get(&format!("{API}/history?limit=5"), &staff).await;
        let next = page.header("link").to_owned();
        let rows = vec![Row::Deployment(Stored::new(deployment(DEPLOYMENTS + 5)))];
        site.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        let next = next.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        assert_eq!(ids(&site.get(&next, &staff).await.ok().json()), [141, 142, 143, 144, 145]);
        for (query, said) in [("after=soon", "is not where a page ended"), ("search=a+b+c+d+e+f+g+h+i", "is too long")]
        {
            let body = site.get(&format!("{API}/history?{query}"), &staff).await.refused(400);
            assert!(body["error"].as_str().unwrap().contains(said), "{body}");
        }
        // A client's search finds its own alone.
        let martin = site.client("martin").await;
        assert_eq!(walked(&site, &martin, "search=rhin", 50).await.0, Vec::<i64>::new());
        let events = site.get(&format!("{API}/events?product=isa_paye"), &staff).await.ok().json();
        assert_eq!(events.as_array().unwrap().len(), 0);
    })
    .await;
}

/// A desk with the demo's fleet, whose database the history is written into.
async fn filled(desk: &Desk) -> Orchestrator {
    let config = Config::read(&desk.path().join("noctule.toml")).unwrap();
    let o = Orchestrator::open(config, None).await.unwrap();
    fill(&o).await;
    o
}

#[tokio::test]
async fn the_command_pages_searches_and_writes_out() {
    let desk = Desk::applied();
    let o = filled(&desk).await;
    let all = desk.json("history --format json");
    assert_eq!(all.as_array().unwrap().len(), 150);
    let output = desk.run("history --limit 20 --format json");
    let place = String::from_utf8(output.stderr).unwrap();
    let place =
        place.trim().strip_prefix("the latest 20; older ones: --after ").expect("the next page is named").to_owned();
    let older = desk.json(&format!("history --limit 1000 --format json --after {place}"));
    assert_eq!(ids(&older), (1..=130).collect::<Vec<_>>());
    for line in desk.printed("history --search illisible").lines() {
        assert!(line.chars().count() <= 100 && !line.contains('\u{1b}'), "{line}");
    }
    desk.refused("history --after soon", 1, &["is not where a page ended"]);
    desk.refused("history --search x --events", 2, &["cannot be used with"]);
    desk.refused("history --follow --format csv", 2, &["--follow prints lines"]);

    let csv = desk.printed("history --format csv --limit 3");
    assert!(csv.lines().next().unwrap().starts_with("id,client,server,product,from,to,change,manual,state,zone"));
    desk.printed("history --format xlsx --out month.xlsx");
    let mut book = zip::ZipArchive::new(std::fs::File::open(desk.path().join("month.xlsx")).unwrap()).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        book.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let (sheet, texts) = (part("xl/worksheets/sheet1.xml"), part("xl/sharedStrings.xml"));
    assert_eq!(sheet.matches("<row ").count(), 151);
    assert!(
        sheet.contains("<autoFilter ref=\"A1:X151\"/>") && !sheet.contains("<f>"),
        "it can be filtered, and reckons nothing"
    );
    assert!(texts.contains(">isa_paye<") && texts.contains(">finished_at<"));
    // The 2nd of March 2026 at 21:00 UTC, as a workbook counts: 46083.875.
    assert!(sheet.contains("<v>46083.875</v>"), "instants are dates");
    o.store.clone().close().await.unwrap();
}

struct Followed(Child);

impl Drop for Followed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_happens_is_shown_as_it_happens() {
    let desk = Desk::applied();
    let o = filled(&desk).await;
    let mut child = Followed(desk.command("history --follow --client martin").stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().expect("it goes on").unwrap();
    assert!(next().ends_with("fleet changed: filled"));
    for text in ["first", "second"] {
        let event = NewEvent::new(o.clock.now(), "martin", EventKind::Planned, text);
        let other = NewEvent::new(o.clock.now(), "rhin", EventKind::Planned, "of somebody else");
        o.store.commit(Changes { events: vec![other, event], ..Changes::default() }).await.unwrap();
        assert!(next().ends_with(&format!("planned: {text}")));
    }
    drop(child);
    o.store.clone().close().await.unwrap();
}
