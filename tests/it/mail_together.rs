//! What one night brings to a client is one mail, in one conversation; what went well waits for the morning.

use super::databases;
use super::mail::{posting, wait};
use super::smtp::{Mail, Mood, Server};
use super::world::{manifest, paris, publish, report};
use chrono::TimeDelta;
use noctule::edge::store::{Changes, Row, Stored};
use noctule::model::fleet::Client;
use noctule::model::notice::{Installation, Letter, NewNotice, NoticeState};
use noctule::model::slot::Slot;
use noctule::work::{Orchestrator, planning, post};
use std::collections::BTreeSet;

fn header<'a>(mail: &'a Mail, name: &str) -> Option<&'a str> {
    mail.text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// What reached the client of these tests; staff have their own mail.
fn told(server: &Server) -> Vec<Mail> {
    server.taken().into_iter().filter(|mail| mail.to.contains(&"claire@martin.example".to_owned())).collect()
}

/// The text part, as it is read: quoted-printable undone as far as these letters need it.
fn body(mail: &Mail) -> String {
    let text = mail.text.split_once("\n\n").expect("a head and a body").1;
    text.replace("=\n", "").replace("=C3=A0", "à")
}

/// What installing `product` on `server` in the night of 29 April comes to.
fn installation(server: &str, product: &str) -> Installation {
    Installation {
        server: server.to_owned(),
        zone: chrono_tz::Europe::Paris,
        product: product.to_owned(),
        from: None,
        to: "2.0".parse().unwrap(),
        slot: Slot::new(paris("2026-04-29 22:00"), paris("2026-04-30 07:00")).unwrap(),
        deadline: None,
        finished_at: None,
        sequence: None,
        manifest: manifest(product, "2.0", "minor", "").into(),
    }
}

async fn write(o: &Orchestrator, client: &str, word: &str, deployment: i64, letter: Letter) {
    let notice = NewNotice {
        key: format!("{word}/{deployment}"),
        at: o.clock.now(),
        client: Some(client.to_owned()),
        server: Some(format!("{client}-1")),
        deployment: Some(deployment),
        letter,
    };
    o.store.commit(Changes { notices: vec![notice], ..Changes::default() }).await.unwrap();
}

#[tokio::test]
async fn a_night_is_announced_in_one_mail_and_confirmed_in_one_that_answers_it() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        // Wednesday 29 April, 17:00.
        let o = posting(dir.path(), &url, &server).await;
        report(&o, "martin-1", &[("isacompta", "14.20.002"), ("isaged", "3.8.0")], Some(o.clock.now())).await;
        publish(&o, manifest("isacompta", "14.20.003", "minor", "")).await;
        planning::run(&o).await.unwrap();
        post::run(&o).await.unwrap();
        assert_eq!(told(&server).len(), 0, "it waits for others of its night");
        wait(&o, 20);
        publish(&o, manifest("isaged", "3.8.1", "minor", "")).await;
        planning::run(&o).await.unwrap();
        post::run(&o).await.unwrap();
        assert_eq!(told(&server).len(), 0);
        let waiting = o.store.notices(Some("martin"), 10).await.unwrap();
        assert!(
            waiting.iter().all(|n| matches!(n.state, NoticeState::Waiting { .. }) && n.mail.is_none()),
            "{waiting:?}"
        );
        wait(&o, 10);
        post::run(&o).await.unwrap();
        let announced = told(&server).remove(0);
        assert_eq!(announced.to, ["claire@martin.example", "hugo@martin.example"]);
        let text = body(&announced);
        assert!(text.contains("ISACOMPTA 14.20.003") && text.contains("ISAGED 3.8.1"), "{text}");
        assert_eq!(header(&announced, "In-Reply-To"), None);

        let notices = o.store.notices(Some("martin"), 10).await.unwrap();
        let ids: Vec<i64> = notices.iter().filter_map(|n| n.body.deployment).collect();
        assert_eq!(ids.len(), 2);
        o.clock.advance_to(paris("2026-04-29 22:40"));
        write(&o, "martin", "installed", ids[0], Letter::MinorInstalled(installation("martin-1", "isacompta"))).await;
        post::run(&o).await.unwrap();
        assert_eq!(told(&server).len(), 1, "nobody is woken by a success");
        o.clock.advance_to(paris("2026-04-30 03:10"));
        write(&o, "martin", "installed", ids[1], Letter::MinorInstalled(installation("martin-1", "isaged"))).await;
        let failed = Letter::Degraded { installation: installation("martin-1", "isaged"), why: "it crashed".into() };
        write(&o, "martin", "failed", 99, failed).await;
        post::run(&o).await.unwrap();
        assert_eq!(told(&server).len(), 2, "trouble is told at once");
        o.clock.advance_to(paris("2026-04-30 06:59"));
        post::run(&o).await.unwrap();
        assert_eq!(told(&server).len(), 2);
        o.clock.advance_to(paris("2026-04-30 07:00"));
        post::run(&o).await.unwrap();
        let confirmed = told(&server).remove(2);
        for name in ["In-Reply-To", "References"] {
            assert_eq!(header(&confirmed, name), Some(announced.id.as_str()), "{name}");
        }
        assert_ne!(confirmed.id, announced.id);
        assert_eq!(post::run(&o).await.unwrap(), post::Report::default());
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_together_is_tried_again_together_and_as_the_same_message() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let o = posting(dir.path(), &url, &server).await;
        for (n, product) in [(1, "isacompta"), (2, "isaged")] {
            write(&o, "martin", "planned", n, Letter::MinorPlanned(installation("martin-1", product))).await;
        }
        server.set(Mood::DropAfterData);
        wait(&o, 30);
        assert_eq!(post::run(&o).await.unwrap().deferred, 1);
        server.set(Mood::Good);
        // Of the same night, but the mail is as it is.
        write(&o, "martin", "planned", 3, Letter::MinorPlanned(installation("martin-1", "isaflux"))).await;
        wait(&o, 5);
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        wait(&o, 30);
        assert_eq!(post::run(&o).await.unwrap().sent, 1);
        let taken = server.taken();
        assert_eq!(taken.len(), 3);
        assert_eq!(taken[0], taken[1]);
        assert!(!taken[1].text.contains("ISAFLUX") && taken[2].text.contains("ISAFLUX"));
        assert_ne!(taken[1].id, taken[2].id);
    })
    .await;
}

#[tokio::test]
async fn a_change_never_overtakes_the_announcement_it_changes() {
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let o = posting(dir.path(), &url, &server).await;
        let it = installation("martin-1", "isacompta");
        write(&o, "martin", "planned", 1, Letter::MinorPlanned(it.clone())).await;
        post::run(&o).await.unwrap();
        wait(&o, 3);
        let why = noctule::model::manifest::Text { fr: "Bilan.".into(), en: None };
        write(&o, "martin", "moved", 1, Letter::Moved { was: it.slot, installation: it, why }).await;
        assert_eq!(post::run(&o).await.unwrap().sent, 2);
        let taken = server.taken();
        assert_eq!(header(&taken[1], "In-Reply-To"), Some(taken[0].id.as_str()));
        assert_eq!(header(&taken[0], "In-Reply-To"), None);
    })
    .await;
}

#[tokio::test]
async fn two_replicas_never_share_one_clients_mail_between_them() {
    const CLIENTS: i64 = 40;
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let one = posting(dir.path(), &url, &server).await;
        let other = super::mail::reopened(dir.path(), &url, &server).await;
        let martin = one.store.client("martin").await.unwrap().unwrap().value;
        let clients = (0..CLIENTS).map(|n| {
            let mut client = Client { id: format!("c{n}"), servers: Vec::new(), ..martin.clone() };
            client.contacts.truncate(1);
            client.contacts[0].email = format!("c{n}@client.example");
            Row::Client(Stored::new(client))
        });
        one.store.commit(Changes { rows: clients.collect(), ..Changes::default() }).await.unwrap();
        // Three each, written in turns, so that no batch of leases ends between two clients.
        let at = one.clock.now();
        let notices = (0..3 * CLIENTS).map(|n| NewNotice {
            key: format!("planned/{n}"),
            at,
            client: Some(format!("c{}", n % CLIENTS)),
            server: None,
            deployment: Some(n),
            letter: Letter::MinorPlanned(installation("srv", &format!("product-{}", n / CLIENTS))),
        });
        one.store.commit(Changes { notices: notices.collect(), ..Changes::default() }).await.unwrap();
        for o in [&one, &other] {
            o.clock.advance_to(at + TimeDelta::minutes(30));
        }
        let (a, b) = tokio::join!(post::run(&one), post::run(&other));
        assert_eq!(a.unwrap().sent + b.unwrap().sent, CLIENTS as usize);
        let taken = server.taken();
        let told: BTreeSet<&String> = taken.iter().flat_map(|mail| &mail.to).collect();
        assert_eq!((taken.len(), told.len()), (CLIENTS as usize, CLIENTS as usize));
        assert!(taken.iter().all(|mail| (0..3).all(|n| mail.text.contains(&format!("PRODUCT-{n}")))));
    })
    .await;
}
