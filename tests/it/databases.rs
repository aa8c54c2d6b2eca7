//! The databases the tests run on: SQLite always, PostgreSQL where `NOCTULE_TEST_POSTGRES` names a server.
//!
//! In CI a missing PostgreSQL fails; on a user's machine the test says that it skips it.

use noctule::edge::store::Store;
use sea_orm::{ConnectionTrait, Database};
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

/// Address of a PostgreSQL server on which the tests may create databases: `postgres://user:password@host:port/db`.
const POSTGRES: &str = "NOCTULE_TEST_POSTGRES";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs `story` on a fresh, empty store of each kind.
pub async fn each<F: Future<Output = ()>>(story: impl Fn(Store) -> F) {
    let story = &story;
    each_url(|url| async move { story(Store::open(&url).await.expect("the database opens")).await }).await;
}

/// Runs `story` with the address of a fresh, empty database of each kind.
pub async fn each_url<F: Future<Output = ()>>(story: impl Fn(String) -> F) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    story(format!("sqlite:{}", dir.path().join("noctule.db").display())).await;
    match std::env::var(POSTGRES) {
        Ok(server) => story(fresh_postgres(&server).await).await,
        Err(_) if std::env::var_os("CI").is_some() => {
            panic!("{POSTGRES} is not set: in CI the PostgreSQL half may not be skipped")
        }
        Err(_) => eprintln!("skipped on PostgreSQL: set {POSTGRES} to a server to run it there too"),
    }
}

async fn fresh_postgres(server: &str) -> String {
    let name = format!("noctule_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Database::connect(server).await.expect("the PostgreSQL server answers");
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("an old database goes");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database is created");
    let (base, _) = server.rsplit_once('/').expect("the address names a database");
    format!("{base}/{name}")
}
