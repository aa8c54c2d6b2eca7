//! `noctule serve`, killed again and again while letters leave through a mail server by other people: every letter
//! arrives, none is another's, and what comes twice says so.

use super::super::databases;
use super::super::mail::{letter, write};
use super::super::mail_servers::{Faulty, has_aiosmtpd};
use super::super::world::{fleet, orchestrator_at, paris};
use super::service::{BETWEEN_MINUTES, Service};
use super::{Random, seed};
use chrono::TimeDelta;
use noctule::edge::store::{Changes, EventFilter, Row, Stored};
use noctule::model::event::EventKind;
use noctule::model::notice::NoticeState;
use noctule::work::{Orchestrator, jobs};
use std::collections::BTreeMap;

/// Lives cut short on each database; `NOCTULE_TEST_KILLS` says another number.
const KILLS: usize = 100;
/// Letters of each life: some lives leave a few for the next.
const LETTERS: usize = 3;

fn kills() -> usize {
    std::env::var("NOCTULE_TEST_KILLS").ok().map_or(KILLS, |text| text.parse().expect("the kills are a number"))
}

#[tokio::test]
async fn a_service_killed_two_hundred_times_while_posting_loses_no_letter() {
    if !has_aiosmtpd() {
        return;
    }
    databases::each_url(|url| async move {
        eprintln!("seed {}", seed());
        killed_while_posting(&url, kills()).await;
    })
    .await;
}

async fn killed_while_posting(url: &str, kills: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Faulty::start(seed(), None);
    let mut arrived = server.mend();
    let start = paris("2026-04-29 10:00");
    let o = orchestrator_at(dir.path(), url, start).await;
    let rows = fleet().clients.into_iter().map(|client| Row::Client(Stored::new(client))).collect();
    o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
    let path = dir.path().join("noctule.toml");
    let relay = format!("[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n[staff]", server.port);
    let config =
        std::fs::read_to_string(&path).unwrap().replace("folder = \"outbox\"\n", "").replace("[staff]", &relay);
    std::fs::write(&path, config).unwrap();
    let mut service = Service::new(dir.path(), Random(seed() ^ u64::from(url.starts_with("sqlite"))));
    service.now = start;
    for life in 0..kills {
        let new = (0..LETTERS).map(|n| letter(&o, &format!("{life}/{n}"), if n == 0 { "martin" } else { "rhin" }));
        write(&o, new.collect()).await;
        let mut life = service.live().await;
        for _ in 0..service.random.below(LETTERS) {
            life.logged(" sent\"").await;
        }
        service.kill(life).await;
    }
    assert_eq!(service.kills, kills);
    o.clock.advance_to(service.now + TimeDelta::minutes(BETWEEN_MINUTES));
    finish(&o, &path).await;
    arrived.extend(server.end());
    every_letter_arrived(&o, kills, &arrived).await;
}

/// An undisturbed service posts what is left.
async fn finish(o: &Orchestrator, config: &std::path::Path) {
    let config = noctule::edge::config::Config::read(config).unwrap();
    let last = Orchestrator::open(config, Some(noctule::edge::clock::Clock::stepped(o.clock.now()))).await.unwrap();
    jobs::run_all_once(&last).await.unwrap();
}

async fn every_letter_arrived(o: &Orchestrator, kills: usize, arrived: &[serde_json::Value]) {
    let letters = kills * LETTERS;
    let notices = o.store.notices(None, 10_000).await.unwrap();
    assert_eq!(notices.len(), letters);
    assert!(notices.iter().all(|notice| matches!(notice.state, NoticeState::Sent { .. })), "{notices:?}");
    let mut copies: BTreeMap<&str, Vec<&serde_json::Value>> = BTreeMap::new();
    for mail in arrived {
        copies.entry(mail["id"].as_str().unwrap()).or_default().push(mail);
    }
    assert_eq!(copies.len(), letters);
    for (id, mails) in &copies {
        // The first need not be marked: a life that was killed before it sent anything begins what the next one repeats.
        let unmarked = mails.iter().filter(|mail| mail["repeat"].is_null()).count();
        assert!(unmarked <= 1 && mails[1..].iter().all(|mail| !mail["repeat"].is_null()), "{id}: {mails:?}");
    }
    let repeats = arrived.len() - letters;
    eprintln!("{letters} letters, {repeats} of them came once more after {kills} kills");
    // Who is killed between sending and recording leaves one letter to repeat, no more.
    assert!(repeats <= kills, "{repeats} repeats after {kills} kills");
    let events = o.store.events(&EventFilter::default()).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.body.kind == EventKind::NoticeSent).count(), letters);
    assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
}
