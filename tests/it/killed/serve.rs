//! `noctule serve`, killed while it plans, posts and takes reports, and started again on the same database: nothing is
//! lost, nothing is there twice, and the history's chain holds.

use super::super::databases;
use super::super::site::PACKAGE;
use super::super::world::{manifest, orchestrator_at, paris, report};
use super::service::{BETWEEN_MINUTES, Service};
use super::{Random, seed};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::clock::Clock;
use noctule::edge::config::Config;
use noctule::edge::store::{Changes, DeploymentFilter, EventFilter, Row, Scope, Stored};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::EventKind;
use noctule::model::fleet::Fleet;
use noctule::model::manifest::SignedManifest;
use noctule::model::notice::NoticeState;
use noctule::model::release::Release;
use noctule::work::{Orchestrator, jobs, tokens};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const PRO_CONTROLE: &str = include_str!("../../../schedules/pro-controle.toml");
/// Longest one telling may take, far more than it does: a service that hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(300);
const CLIENTS: usize = 9;
const SERVERS: usize = CLIENTS * 2;
/// Lives that are cut short: while planning, while posting, while reports come in, while posting again.
const KILLS: [usize; 4] = [4, 4, 5, 3];
fn fleet() -> Fleet {
    let clients = (0..CLIENTS).map(|n| {
        format!(
            "[[client]]\nid = \"c{n}\"\nname = \"Cabinet {n}\"\nschedule = \"pro-controle\"\nholidays = \"FR\"\n\
             order = [\"isacompta\"]\ncontacts = [{{ name = \"Mme {n}\", email = \"c{n}@client.example\" }}]\n\
             [[client.server]]\nid = \"c{n}-a\"\nzone = \"Europe/Paris\"\n[[client.server]]\nid = \"c{n}-b\"\nzone = \"Europe/Paris\"\n"
        )
    });
    toml::from_str(&clients.collect::<String>()).unwrap()
}

/// A fleet that runs 14.20.002, was backed up, and has a release of today before it.
async fn prepare(dir: &Path, url: &str, now: DateTime<Utc>) -> (Orchestrator, Vec<(String, String)>) {
    // No share of failures halts the release: what is asked here is whether every report arrives, not what follows.
    drop(orchestrator_at(dir, url, now).await);
    std::fs::create_dir(dir.join("schedules")).unwrap();
    let schedule = edited(PRO_CONTROLE, "failures_percent = 10", "failures_percent = 100");
    // Letters go as soon as they are written: there is more to interrupt.
    let schedule = edited(&edited(&schedule, "gather_minutes = 30", "gather_minutes = 0"), "quiet = \"night\"", "");
    std::fs::write(dir.join("schedules/pro-controle.toml"), schedule).unwrap();
    let (path, repository) = (dir.join("noctule.toml"), Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules"));
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, edited(&config, &format!("{repository:?}"), "\"schedules\"")).unwrap();
    let o = Orchestrator::open(Config::read(&path).unwrap(), Some(Clock::stepped(now))).await.unwrap();
    let mut rows: Vec<Row> = fleet().clients.into_iter().map(|c| Row::Client(Stored::new(c))).collect();
    let sha256 = hex::encode(Sha256::digest(PACKAGE));
    std::fs::write(o.packages.path(&sha256), PACKAGE).unwrap();
    let manifest = manifest("isacompta", "14.20.003", "minor", "");
    let signed = SignedManifest {
        publisher: "agiris".into(),
        published_at: now,
        size: PACKAGE.len() as u64,
        sha256,
        manifest: manifest.into(),
    };
    let release = Release { signed, seen_at: now, retracted: None, sha1: "5a1".into(), md5: "3d5".into() };
    rows.push(Row::Release(Stored::new(release)));
    o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
    let mut secrets = Vec::new();
    for server in (0..CLIENTS).flat_map(|n| [format!("c{n}-a"), format!("c{n}-b")]) {
        report(&o, &server, &[("isacompta", "14.20.002")], Some(now)).await;
        let scope = Scope::Target { server: server.clone() };
        secrets.push((server.clone(), tokens::issue(&o, &server, scope).await.unwrap()));
    }
    (o, secrets)
}

#[track_caller]
fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

async fn deployments(o: &Orchestrator) -> Vec<Deployment> {
    let all = o.store.deployments(&DeploymentFilter::default()).await.unwrap();
    all.into_iter().map(|deployment| deployment.value).collect()
}

/// Every letter, as client, server and what it is; in any order.
async fn letters(o: &Orchestrator) -> Vec<(Option<String>, Option<String>, &'static str)> {
    let all = o.store.notices(None, 10_000).await.unwrap().into_iter().map(|notice| notice.value.body);
    let mut told: Vec<_> = all.map(|body| (body.client, body.server, body.letter.name())).collect();
    told.sort();
    told
}

/// Nothing is lost and nothing is twice among the letters: each was sent, recorded once, and is one whole file.
async fn every_letter_left_once(o: &Orchestrator, dir: &Path) {
    let notices = o.store.notices(None, 10_000).await.unwrap();
    assert!(notices.iter().all(|notice| matches!(notice.state, NoticeState::Sent { .. })), "{notices:?}");
    let files: Vec<String> = std::fs::read_dir(dir.join("outbox"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            assert_eq!(path.extension().and_then(|e| e.to_str()), Some("eml"), "half-written: {}", path.display());
            std::fs::read_to_string(path).unwrap()
        })
        .collect();
    let id = |letter: &String| letter.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned();
    let ids: BTreeSet<String> = files.iter().map(id).collect();
    // What one night brings to a client is one mail.
    let mails: BTreeSet<&str> = notices.iter().map(|notice| notice.mail.as_ref().unwrap().key.as_str()).collect();
    assert_eq!((files.len(), ids.len()), (mails.len(), mails.len()));
    let events = o.store.events(&EventFilter::default()).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.body.kind == EventKind::NoticeSent).count(), notices.len());
    assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
}

/// Kills while the first jobs of a life plan: once so many deployments are there.
async fn killed_while_planning(service: &mut Service<'_>, o: &Orchestrator) {
    for _ in 0..KILLS[0] {
        let wanted = deployments(o).await.len() + service.random.below(SERVERS / KILLS[0] + 1);
        let life = service.live().await;
        while deployments(o).await.len() < wanted.min(SERVERS) {
            tokio::task::yield_now().await;
        }
        service.kill(life).await;
        assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
    }
}

/// Kills while letters leave: after so many of them, as the log tells. Then every job runs once, undisturbed.
async fn killed_while_posting(service: &mut Service<'_>, o: &Orchestrator, kills: usize) {
    let pending = async || {
        let all = o.store.notices(None, 10_000).await.unwrap();
        all.iter().filter(|notice| matches!(notice.state, NoticeState::Pending { .. })).count()
    };
    for left in (1..=kills).rev() {
        let letters = pending().await / (left + 1);
        let mut life = service.live().await;
        for _ in 0..letters.min(1 + service.random.below(letters.max(1))) {
            life.logged(" sent\"").await;
        }
        service.kill(life).await;
        assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
    }
    let mut life = service.live().await;
    let mut left = pending().await;
    while left > 0 {
        let line: Value = serde_json::from_str(&life.logged(" sent\"").await).unwrap();
        left = left.saturating_sub(line["letters"].as_u64().unwrap() as usize);
    }
    life.end().await;
    o.clock.advance_to(service.now + TimeDelta::minutes(BETWEEN_MINUTES));
    jobs::run_all_once(o).await.unwrap();
}

/// The agent of one server, as stubborn as ours: it takes what it is offered, installs it, and reports until it is
/// heard. Every fourth one's health check fails.
async fn agent(
    n: usize,
    server: String,
    secret: String,
    mut lives: watch::Receiver<String>,
    heard: watch::Sender<usize>,
) {
    let http = reqwest::Client::new();
    let works = n % 4 != 3;
    let mut action: Option<String> = None;
    loop {
        let life = lives.borrow_and_update().clone();
        match visit(&http, &life, &server, &secret, works, &mut action).await {
            Ok(true) => return heard.send_modify(|count| *count += 1),
            // Not offered yet, or others were writing the same.
            Ok(false) => tokio::task::yield_now().await,
            // The service was killed in the middle of it: on to its next life.
            Err(error) => {
                assert!(!error.is_status() && !error.is_decode() || error.is_body(), "{error}");
                lives.changed().await.unwrap();
            }
        }
    }
}

/// One visit; `true` once the report was taken.
async fn visit(
    http: &reqwest::Client,
    life: &str,
    server: &str,
    secret: &str,
    works: bool,
    action: &mut Option<String>,
) -> Result<bool, reqwest::Error> {
    let base = format!("{life}/DEFAULT/controller/v1/{server}");
    let token = format!("TargetToken {secret}");
    let call = async |request: reqwest::RequestBuilder| {
        let answer = request.header("authorization", &token).send().await?;
        let status = answer.status();
        assert!(status != StatusCode::INTERNAL_SERVER_ERROR && status != StatusCode::BAD_REQUEST, "{status}");
        Ok::<_, reqwest::Error>((status, answer.bytes().await?))
    };
    let version = if action.is_some() && works { "14.20.003" } else { "14.20.002" };
    let attributes = json!({"data": {"noctule.inventory.isacompta": version, "noctule.capabilities": "inventory",
        "noctule.backup.finished_at": "2026-04-29T19:00:00Z", "noctule.backup.succeeded": "true"}});
    if !call(http.put(format!("{base}/configData")).json(&attributes)).await?.0.is_success() {
        return Ok(false);
    }
    let Some(id) = action.clone() else {
        let (_, polled) = call(http.get(&base)).await?;
        let polled: Value = serde_json::from_slice(&polled).unwrap();
        let Some(link) = polled["_links"]["deploymentBase"]["href"].as_str() else { return Ok(false) };
        let path = link.split_once("/DEFAULT").unwrap().1;
        let (status, handed) = call(http.get(format!("{life}/DEFAULT{path}"))).await?;
        if status.is_success() {
            let handed: Value = serde_json::from_slice(&handed).unwrap();
            *action = Some(handed["id"].as_str().unwrap().to_owned());
        }
        return Ok(false);
    };
    let (finished, details) = if works {
        ("success", json!(["noctule.result=installed"]))
    } else {
        ("failure", json!(["noctule.result=rolled_back", "noctule.why=the test company does not open"]))
    };
    let said = json!({"status": {"execution": "closed", "result": {"finished": finished}, "details": details}});
    let (status, _) = call(http.post(format!("{base}/deploymentBase/{id}/feedback")).json(&said)).await?;
    assert!(status != StatusCode::NOT_FOUND && status != StatusCode::CONFLICT, "{status}: the hand-out was lost");
    // 410: it was heard in a life that did not come to answer.
    Ok(status.is_success() || status == StatusCode::GONE)
}

/// Kills while all agents install and report at once: after so many reports were taken.
async fn killed_while_reports_come_in(service: &mut Service<'_>, o: &Orchestrator, secrets: Vec<(String, String)>) {
    let (lives, life_of) = watch::channel(String::new());
    let (heard, mut hearing) = watch::channel(0);
    let mut life = service.live().await;
    lives.send(life.address.clone()).unwrap();
    let mut agents = JoinSet::new();
    for (n, (server, secret)) in secrets.into_iter().enumerate() {
        agents.spawn(agent(n, server, secret, life_of.clone(), heard.clone()));
    }
    for kill in 1..=KILLS[2] {
        let wanted = SERVERS * (kill - 1) / KILLS[2] + service.random.below(SERVERS / KILLS[2] + 1);
        hearing.wait_for(|count| wanted <= *count).await.unwrap();
        service.kill(life).await;
        assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
        life = service.live().await;
        lives.send(life.address.clone()).unwrap();
    }
    while let Some(ended) = agents.join_next().await {
        ended.unwrap();
    }
    life.end().await;
}

#[tokio::test]
async fn a_service_killed_at_its_work_loses_nothing_and_does_nothing_twice() {
    databases::each_url(|url| async move {
        eprintln!("seed {}", seed());
        let told = tokio::time::timeout(PATIENCE, killed_at_its_work(&url)).await;
        told.expect("the service and its agents come to an end");
    })
    .await;
}

async fn killed_at_its_work(url: &str) {
    let dir = tempfile::tempdir().unwrap();
    let start = paris("2026-04-29 17:00");
    let (o, secrets) = prepare(dir.path(), url, start).await;
    let mut service = Service::new(dir.path(), Random(seed() ^ u64::from(url.starts_with("sqlite"))));

    service.now = start;
    killed_while_planning(&mut service, &o).await;
    killed_while_posting(&mut service, &o, KILLS[1]).await;
    // What a service that nobody killed would have planned and told.
    let other = tempfile::tempdir().unwrap();
    let (calm, _) = prepare(other.path(), "sqlite:noctule.db", start).await;
    jobs::run_all_once(&calm).await.unwrap();
    let planned = async |o: &Orchestrator| -> BTreeSet<String> {
        let all = deployments(o).await;
        assert_eq!(all.len(), SERVERS);
        all.iter().map(|d| format!("{} {} {} {:?} {:?}", d.server, d.product, d.to, d.slot, d.state)).collect()
    };
    assert_eq!(planned(&o).await, planned(&calm).await);
    assert_eq!(letters(&o).await, letters(&calm).await);
    every_letter_left_once(&o, dir.path()).await;

    // The night has begun, for whichever server the last.
    service.now = paris("2026-04-29 23:00");
    killed_while_reports_come_in(&mut service, &o, secrets).await;
    killed_while_posting(&mut service, &o, KILLS[3]).await;
    let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
    for deployment in deployments(&o).await.iter().filter(|deployment| deployment.attempt == 1) {
        let filter = EventFilter { deployment: Some(deployment.id), ..EventFilter::default() };
        let events = o.store.events(&filter).await.unwrap();
        let count = |kind| events.iter().filter(|event| event.body.kind == kind).count();
        let installed = matches!(deployment.state, DeploymentState::Installed { .. });
        let once = [EventKind::Planned, EventKind::Started].map(count);
        let end = [EventKind::Installed, EventKind::RolledBack, EventKind::Failed].map(count);
        assert_eq!((once, end), ([1, 1], [installed.into(), (!installed).into(), 0]), "{deployment:?}");
        *ended.entry(deployment.state.name()).or_default() += 1;
    }
    let failed = SERVERS / 4;
    assert_eq!(ended, [("installed", SERVERS - failed), ("rolled_back", failed)].into());
    let told = letters(&o).await;
    let count = |name: &str| told.iter().filter(|(_, _, letter)| *letter == name).count();
    assert_eq!((count("minor-installed"), count("minor-failed")), (SERVERS - failed, failed), "{told:?}");
    let causes: Vec<String> = o.store.alerts(true).await.unwrap().into_iter().map(|a| a.value.cause).collect();
    assert_eq!(causes.iter().filter(|cause| cause.starts_with("failed/")).count(), failed, "{causes:?}");
    every_letter_left_once(&o, dir.path()).await;
    assert_eq!(service.kills, KILLS.iter().sum::<usize>());
}
