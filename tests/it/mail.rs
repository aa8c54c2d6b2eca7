//! The outbox against a mail server that misbehaves: nothing lost, nothing twice, nothing silently dropped.

use super::databases;
use super::smtp::{Mood, PASSWORD, Server, USERNAME};
use super::world::{commit_fleet, orchestrator, paris};
use chrono::TimeDelta;
use noctule::edge::clock::Clock;
use noctule::edge::config::{Config, Smtp, SmtpSecurity};
use noctule::edge::store::{Changes, EventFilter, Row};
use noctule::model::alert::{AlertClass, NewAlert};
use noctule::model::event::EventKind;
use noctule::model::notice::{Letter, NewNotice, Notice, NoticeState};
use noctule::work::{Orchestrator, alerts, post};
use std::path::Path;

/// A relay at `server`, in clear.
fn relay(server: &Server) -> Smtp {
    relay_at(server.port())
}

pub(super) fn relay_at(port: u16) -> Smtp {
    Smtp {
        host: "127.0.0.1".into(),
        port: Some(port),
        security: SmtpSecurity::None,
        username: None,
        password_file: None,
        password_env: None,
        ca_file: None,
    }
}

/// An orchestrator that posts through `server`.
pub(super) async fn posting(dir: &Path, database: &str, server: &Server) -> Orchestrator {
    posting_by(dir, database, relay(server)).await
}

pub(super) async fn posting_by(dir: &Path, database: &str, smtp: Smtp) -> Orchestrator {
    let o = reopened_by(dir, database, smtp).await;
    commit_fleet(&o).await;
    o
}

pub(super) async fn reopened_by(dir: &Path, database: &str, smtp: Smtp) -> Orchestrator {
    // Writes the configuration; its mailer goes unused.
    drop(orchestrator(dir, database, "2026-04-29 17:00").await);
    let mut config = Config::read(&dir.join("noctule.toml")).expect("the configuration is good");
    config.mail.folder = None;
    config.mail.smtp = Some(smtp);
    Orchestrator::open(config, Some(Clock::stepped(paris("2026-04-29 17:00")))).await.expect("it opens")
}

/// A second replica on the database of [`posting`].
pub(super) async fn reopened(dir: &Path, database: &str, server: &Server) -> Orchestrator {
    reopened_by(dir, database, relay(server)).await
}

/// The same, encrypted, with a password and an authority to trust, both from files.
fn secured(dir: &Path, server: &Server, security: SmtpSecurity, password: &str) -> Smtp {
    secured_by(dir, relay(server), &server.authority, security, password)
}

pub(super) fn secured_by(dir: &Path, relay: Smtp, authority: &str, security: SmtpSecurity, password: &str) -> Smtp {
    std::fs::write(dir.join("password"), format!("{password}\n")).expect("it is written");
    std::fs::write(dir.join("ca.pem"), authority).expect("it is written");
    Smtp {
        security,
        username: Some(USERNAME.into()),
        password_file: Some(dir.join("password")),
        ca_file: Some(dir.join("ca.pem")),
        ..relay
    }
}

pub(super) fn letter(o: &Orchestrator, key: &str, client: &str) -> NewNotice {
    NewNotice {
        key: key.into(),
        at: o.clock.now(),
        client: Some(client.into()),
        server: None,
        deployment: None,
        letter: Letter::RequestCancelled {
            request: 7,
            product: "isacompta".into(),
            version: "15.0".parse().expect("a version"),
            by: "c.morel".into(),
        },
    }
}

pub(super) async fn write(o: &Orchestrator, notices: Vec<NewNotice>) {
    o.store.commit(Changes { notices, ..Changes::default() }).await.expect("it is written");
}

pub(super) async fn states(o: &Orchestrator) -> Vec<(String, &'static str, u32)> {
    let all = o.store.notices(None, 100).await.expect("it reads");
    all.into_iter()
        .map(|n| {
            let state = match n.state {
                NoticeState::Pending { .. } => "pending",
                NoticeState::Waiting { .. } => "waiting",
                NoticeState::Sent { .. } => "sent",
                NoticeState::Undelivered { .. } => "undelivered",
            };
            (n.body.key.clone(), state, n.attempts)
        })
        .collect()
}

async fn count(o: &Orchestrator, kind: EventKind) -> usize {
    let all = o.store.events(&EventFilter::default()).await.expect("it reads");
    all.into_iter().filter(|event| event.body.kind == kind).count()
}

pub(super) fn wait(o: &Orchestrator, minutes: i64) {
    o.clock.advance_to(o.clock.now() + TimeDelta::minutes(minutes));
}

pub(super) async fn open_causes(o: &Orchestrator) -> Vec<String> {
    o.store.alerts(false).await.expect("it reads").into_iter().map(|alert| alert.value.cause).collect()
}

fn trouble(cause: &str) -> NewAlert {
    NewAlert {
        cause: cause.into(),
        class: AlertClass::Systems,
        client: None,
        server: None,
        product: None,
        deployment: None,
        title: "something is wrong".into(),
        text: "hold: look at it".into(),
    }
}

#[tokio::test]
async fn a_mail_server_that_is_down_loses_nothing_and_then_gets_each_letter_once() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "martin"), letter(&o, "b", "rhin"), letter(&o, "c", "martin")]).await;
        server.set(Mood::Down);
        for _ in 0..5 {
            let report = post::run(&o).await.unwrap();
            assert_eq!((report.sent, report.undelivered), (0, 0));
            wait(&o, 2);
        }
        assert!(states(&o).await.iter().all(|(_, state, _)| *state == "pending"), "{:?}", states(&o).await);
        server.set(Mood::Good);
        wait(&o, 60);
        assert_eq!(post::run(&o).await.unwrap().sent, 3);
        wait(&o, 60);
        assert_eq!(post::run(&o).await.unwrap(), post::Report::default());
        let mut ids: Vec<String> = server.taken().into_iter().map(|mail| mail.id).collect();
        assert_eq!(ids.len(), 3);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
        let to: Vec<Vec<String>> = server.taken().into_iter().map(|mail| mail.to).collect();
        assert!(to.contains(&vec!["claire@martin.example".to_owned(), "hugo@martin.example".to_owned()]), "{to:?}");
        assert!(to.contains(&vec!["jean@rhin.example".to_owned()]), "{to:?}");
        assert_eq!(count(&o, EventKind::NoticeSent).await, 3);
        assert!(open_causes(&o).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_alert_is_tried_three_times_and_then_stays_visible() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::Later);
        let o = posting(dir.path(), &url, &server).await;
        let mut changes = Changes::default();
        alerts::raise(&o, &mut changes, trouble("test")).await.unwrap();
        o.store.commit(changes).await.unwrap();
        for (minutes, deferred, undelivered) in [(0, 1, 0), (4, 0, 0), (1, 1, 0), (14, 0, 0), (1, 0, 1)] {
            wait(&o, minutes);
            let report = post::run(&o).await.unwrap();
            // Giving up raises one alert of its own, whose letter is tried in the same activation.
            assert_eq!(
                (report.deferred - report.undelivered, report.undelivered),
                (deferred, undelivered),
                "{report:?}"
            );
        }
        assert_eq!(states(&o).await[0], ("alert/1/0".to_owned(), "undelivered", 3));
        assert_eq!(open_causes(&o).await, ["test", "undelivered/staff"]);
        for _ in 0..20 {
            wait(&o, 30);
            post::run(&o).await.unwrap();
        }
        // The alert about it is given up as well and breeds no third.
        let expected = [("alert/1/0".to_owned(), "undelivered", 3), ("alert/2/0".to_owned(), "undelivered", 3)];
        assert_eq!(states(&o).await, expected);
        assert_eq!(count(&o, EventKind::NoticeUndelivered).await, 2);
        assert_eq!(server.asked(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_refused_deputy_does_not_keep_the_letter_from_the_main_contact() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::Unknown("hugo@martin.example"));
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "martin")]).await;
        let report = post::run(&o).await.unwrap();
        // The letter, and the alert that says that an address is dead.
        assert_eq!((report.sent, report.undelivered), (2, 0));
        assert_eq!(server.taken()[0].to, ["claire@martin.example"]);
        assert_eq!(open_causes(&o).await, ["refused-recipient/martin"]);
        let alert = o.store.alerts(false).await.unwrap().remove(0);
        assert!(alert.text.contains("h…@martin.example") && !alert.text.contains("hugo"), "{}", alert.text);
    })
    .await;
}

#[tokio::test]
async fn a_letter_refused_for_good_is_not_tried_again_and_staff_are_told() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::Unknown("jean@rhin.example"));
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "rhin"), letter(&o, "b", "nobody")]).await;
        let report = post::run(&o).await.unwrap();
        assert_eq!((report.sent, report.deferred, report.undelivered), (2, 0, 2));
        assert_eq!(states(&o).await[0], ("a".to_owned(), "undelivered", 1));
        assert_eq!(open_causes(&o).await, ["undelivered/rhin", "undelivered/nobody"]);
        assert!(server.taken().iter().all(|mail| mail.to == ["noc@provider.example"]));
    })
    .await;
}

#[tokio::test]
async fn what_was_given_up_is_offered_again_and_goes_as_the_same_message() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::Unknown("jean@rhin.example"));
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "rhin")]).await;
        assert_eq!(post::run(&o).await.unwrap().undelivered, 1);
        let id = o.store.notice("a").await.unwrap().unwrap().id;
        for (id, by, said) in [(id + 99, "Nadia", "there is no letter"), (id, " ", "who sends it again")] {
            let error = post::again::again(&o, id, by).await.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        server.set(Mood::Good);
        post::again::again(&o, id, "Nadia").await.unwrap();
        let error = post::again::again(&o, id, "Nadia").await.unwrap_err().to_string();
        assert!(error.contains("is pending"), "{error}");
        post::run(&o).await.unwrap();
        let mine: Vec<_> = states(&o).await.into_iter().filter(|(key, ..)| key == "a").collect();
        assert_eq!(mine, [("a".to_owned(), "sent", 1)]);
        assert_eq!(server.taken().iter().filter(|mail| mail.to == ["jean@rhin.example"]).count(), 1);
        assert_eq!(count(&o, EventKind::NoticeAgain).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_lost_after_the_letter_was_taken_repeats_the_same_message() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::DropAfterData);
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "rhin")]).await;
        assert_eq!(post::run(&o).await.unwrap().deferred, 1);
        server.set(Mood::Good);
        wait(&o, 5);
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        let taken = server.taken();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0], taken[1]);
        assert!(taken[0].id.ends_with("@provider.example>"), "{}", taken[0].id);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_closing_is_asked_once_and_costs_no_letter_an_attempt() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        server.set(Mood::Closing);
        let o = posting(dir.path(), &url, &server).await;
        write(&o, vec![letter(&o, "a", "rhin"), letter(&o, "b", "rhin"), letter(&o, "c", "rhin")]).await;
        assert_eq!(post::run(&o).await.unwrap().deferred, 1);
        let attempts: Vec<u32> = states(&o).await.into_iter().map(|(_, _, attempts)| attempts).collect();
        assert_eq!(attempts, [1, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_killed_between_sending_and_recording_sends_the_same_message_again() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let o = orchestrator(dir.path(), &url, "2026-04-29 17:00").await;
        commit_fleet(&o).await;
        write(&o, vec![letter(&o, "a", "martin")]).await;
        let unsent = o.store.notices(None, 1).await.unwrap().remove(0);
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        let files = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
            let entries = std::fs::read_dir(dir.path().join("outbox")).unwrap();
            entries
                .map(|entry| entry.unwrap().path())
                .map(|path| (path.clone(), std::fs::read(path).unwrap()))
                .collect()
        };
        let before = files();
        // What the database says where the record was never written.
        let sent = o.store.notices(None, 1).await.unwrap().remove(0);
        let unrecorded = Notice { mail: sent.mail.clone(), ..unsent.value };
        let rows = vec![Row::Notice(sent.with(unrecorded))];
        o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        wait(&o, 20);
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        let after = files();
        assert_eq!((before.len(), after.len()), (1, 1));
        assert_eq!(before[0].0, after[0].0);
        // The same message, but for the line that says so.
        let again = String::from_utf8(after[0].1.clone()).unwrap();
        let marked = "X-Noctule-Repeat: yes\r\n";
        assert_eq!(again.matches(marked).count(), 1, "{again}");
        assert_eq!(again.replacen(marked, "", 1).as_bytes(), before[0].1);
        let told = o.store.events(&EventFilter::default()).await.unwrap();
        let told = told.iter().filter(|event| event.body.text.contains("may have been sent before")).count();
        assert_eq!(told, 1);
        let name = before[0].0.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("2026-04-29T1500Z-request-cancelled-martin-"), "{name}");
    })
    .await;
}

#[tokio::test]
async fn two_posting_at_once_send_each_letter_once() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let o = posting(dir.path(), &url, &server).await;
        write(&o, (0..12).map(|n| letter(&o, &format!("n{n}"), "rhin")).collect()).await;
        let (one, other) = tokio::join!(post::run(&o), post::run(&o));
        assert_eq!(one.unwrap().sent + other.unwrap().sent, 12);
        assert_eq!(server.taken().len(), 12);
    })
    .await;
}

#[tokio::test]
async fn letters_go_encrypted_and_under_a_name_after_starttls_and_within_tls() {
    for security in [SmtpSecurity::Starttls, SmtpSecurity::Tls] {
        databases::each_url(|url| async move {
            let dir = tempfile::tempdir().unwrap();
            let server = Server::securing(security).await;
            let smtp = secured(dir.path(), &server, security, PASSWORD);
            let o = posting_by(dir.path(), &url, smtp).await;
            let key = format!("{security:?}");
            write(&o, vec![letter(&o, &key, "martin")]).await;
            assert_eq!(post::run(&o).await.unwrap().sent, 1);
            assert_eq!(server.taken()[0].to, ["claire@martin.example", "hugo@martin.example"]);
            let clear = server.in_clear();
            assert!(clear.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{clear:?}");
            assert_eq!(clear.is_empty(), security == SmtpSecurity::Tls);
        })
        .await;
    }
}

#[tokio::test]
async fn without_trust_a_name_or_encryption_nothing_is_said_and_nothing_lost() {
    for (case, spoken, wanted) in [
        ("no authority vouches", SmtpSecurity::Starttls, SmtpSecurity::Starttls),
        ("no authority vouches", SmtpSecurity::Tls, SmtpSecurity::Tls),
        ("wrong password", SmtpSecurity::Starttls, SmtpSecurity::Starttls),
        ("nothing to encrypt with", SmtpSecurity::None, SmtpSecurity::Starttls),
    ] {
        databases::each_url(|url| async move {
            let dir = tempfile::tempdir().unwrap();
            let server = Server::securing(spoken).await;
            let password = if case == "wrong password" { "guess" } else { PASSWORD };
            let mut smtp = secured(dir.path(), &server, wanted, password);
            if case != "wrong password" {
                smtp.ca_file = None;
            }
            if spoken == SmtpSecurity::None {
                // Not even a letter that needs no name.
                (smtp.username, smtp.password_file) = (None, None);
            }
            let o = posting_by(dir.path(), &url, smtp).await;
            let key = format!("{case} {spoken:?}");
            write(&o, vec![letter(&o, &key, "martin")]).await;
            let report = post::run(&o).await.unwrap();
            assert_eq!((report.sent, report.undelivered), (0, 0), "{key}");
            let mine = states(&o).await.into_iter().find(|(of, ..)| *of == key).expect("it is kept");
            assert_eq!(mine.1, "pending", "{key}");
            assert!(server.taken().is_empty() && server.asked() == 0, "{key}");
            let clear = server.in_clear();
            assert!(clear.iter().all(|line| ["EHLO", "STAR", "QUIT"].contains(&&line[..4])), "{key}: {clear:?}");
        })
        .await;
    }
}
