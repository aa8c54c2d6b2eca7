//! Two servers of one site and one download; and neighbours that are of no use.

use super::World;
use super::changed::{cost, is_new, sent, size, world};
use super::line::toml_line;
use noctule::edge::agent_file::NeighboursConfig;
use noctule::edge::neighbours::SiteSecret;
use noctule::edge::neighbours::serve::Server;
use noctule::edge::neighbours::shelf::Shelf;
use noctule::model::transfer::Way;
use noctule::work::agent::Checkpoint;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SECRET: &str = "the servers of one site know this";

fn secret(world: &World, text: &str) -> PathBuf {
    let file = world.dir.path().join("site.secret");
    std::fs::write(&file, text).unwrap();
    file
}

/// Puts a server into the site, with these neighbours.
fn join(world: &mut World, peers: &[SocketAddr]) {
    world.config.neighbours = Some(NeighboursConfig {
        secret_file: secret(world, SECRET),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        peers: peers.to_vec(),
        keep_days: 3,
        mib_max: 64,
    });
}

/// Forgets what is installed: what comes then comes whole.
fn bare(world: &World) {
    std::fs::remove_dir_all(world.root().join("isacompta")).unwrap();
}

#[tokio::test]
async fn what_one_server_downloaded_the_next_takes_from_it_and_the_line_is_spared() {
    let (mut first, mut second) = (world().await, world().await);
    bare(&first);
    join(&mut first, &[]);
    let mut agent = first.agent(None).await;
    agent.run_once().await.unwrap();
    assert_eq!((sent(&first), cost(&first).way), (size(&first), Way::Whole));
    join(&mut second, &[agent.listens_at().unwrap()]);
    // At this share of the line it would take a quarter of an hour.
    second.config.line = toml_line("kib_per_second_max = 4");
    second.pass().await.unwrap();
    is_new(&second);
    assert_eq!(sent(&second), 0);
    let cost = cost(&second);
    assert_eq!((cost.way, cost.moved_bytes, cost.saved_bytes()), (Way::Neighbour, 0, size(&second)));
}

#[tokio::test]
async fn what_was_put_together_serves_a_neighbour_that_has_nothing() {
    let (mut first, mut second) = (world().await, world().await);
    join(&mut first, &[]);
    let mut agent = first.agent(None).await;
    agent.run_once().await.unwrap();
    assert_eq!(cost(&first).way, Way::Changed);
    bare(&second);
    join(&mut second, &[agent.listens_at().unwrap()]);
    second.pass().await.unwrap();
    assert_eq!(second.closing().0, "installed");
    assert!(second.running("isacompta") == super::changed::new_files());
    assert_eq!((sent(&second), cost(&second).way), (0, Way::Neighbour));
}

#[tokio::test]
async fn while_one_server_downloads_the_other_waits_for_it() {
    let (mut first, mut second) = (world().await, world().await);
    bare(&first);
    join(&mut first, &[]);
    let gate = first.close_the_gate();
    let mut agent = first.agent(None).await;
    join(&mut second, &[agent.listens_at().unwrap()]);
    let (waited, opened) = (Arc::new(AtomicUsize::new(0)), gate.clone());
    let counter = Arc::clone(&waited);
    let checkpoint: Checkpoint = Arc::new(move |point| {
        if point == "waiting for a neighbour" {
            counter.fetch_add(1, Ordering::SeqCst);
            opened.open();
        }
        false
    });
    let other = async {
        // The first one is in the middle of it.
        gate.arrived().await;
        second.agent(Some(checkpoint)).await.run_once().await.unwrap();
    };
    let (passed, ()) = tokio::join!(agent.run_once(), other);
    passed.unwrap();
    is_new(&second);
    assert_eq!((sent(&first), sent(&second)), (size(&first), 0), "one download for both");
    assert!(waited.load(Ordering::SeqCst) > 0);
}

/// A neighbour that has these bytes for the package.
async fn neighbour(world: &World, extension: &str, bytes: &[u8]) -> Server {
    let dir = world.dir.path().join("shelf");
    let shelf = Shelf::open(dir.clone(), 3, 64).unwrap();
    let sha256 = world.sha256("isacompta");
    std::fs::write(dir.join(format!("{sha256}.{extension}")), bytes).unwrap();
    let secret = SiteSecret::read(&secret(world, SECRET)).unwrap();
    Server::start("127.0.0.1:0".parse().unwrap(), shelf, secret).await.unwrap()
}

#[tokio::test]
async fn a_neighbour_that_sends_something_else_costs_a_sentence_and_nothing_more() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change, &str); 4] = [
        ("zip", |bytes| bytes[1000] ^= 1, "is not what its publisher signed"),
        ("zip", |bytes| bytes.push(0), "which this package cannot be"),
        ("files", |bytes| bytes[1000] ^= 1, "what was put together is refused"),
        ("files", |bytes| *bytes = super::world::good_package(), "is not what the publisher signed"),
    ];
    for (extension, change, said) in cases {
        let mut world = world().await;
        bare(&world);
        let mut bytes = world.fake.lock().unwrap().packages["isacompta"].clone();
        change(&mut bytes);
        let server = neighbour(&world, extension, &bytes).await;
        join(&mut world, &[server.address]);
        world.pass().await.unwrap();
        assert_eq!((world.closing().0.as_str(), sent(&world)), ("installed", size(&world)), "{said}");
        let cost = cost(&world);
        let why = cost.why_whole.clone().unwrap_or_default();
        assert!(cost.way == Way::Whole && why.contains("of no use") && why.contains(said), "{said}: {cost}");
    }
}

#[tokio::test]
async fn strangers_get_nothing_and_silent_neighbours_hold_nothing_up() {
    let mut world = world().await;
    let package = world.fake.lock().unwrap().packages["isacompta"].clone();
    let server = neighbour(&world, "zip", &package).await;
    let sha256 = world.sha256("isacompta");
    for path in [
        format!("/packages/{sha256}"),
        format!("/packages/{sha256}/whole"),
        format!("/packages/{sha256}/other"),
        "/packages/..%2f..%2fidentity.json".to_owned(),
    ] {
        let own = SiteSecret::read(&secret(&world, "another site's secret")).unwrap();
        for authorization in ["", &own.authorization(&path)] {
            let url = format!("http://{}{path}", server.address);
            let answer = reqwest::Client::new().get(url).header("authorization", authorization).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path}");
        }
    }
    // Nobody listens at the second address; the first does not know this server's secret.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    join(&mut world, &[server.address, nobody]);
    secret(&world, "another site's secret");
    world.pass().await.unwrap();
    is_new(&world);
    assert_eq!((cost(&world).way, cost(&world).why_whole), (Way::Changed, None));
    // Without a secret nothing is shared, and nothing begins.
    secret(&world, "short");
    let error = world.try_agent(None).await.err().expect("it is refused").to_string();
    assert!(error.contains("shorter than 16"), "{error}");
}
