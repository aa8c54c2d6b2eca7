//! Opening a database and bringing it to this version's tables.

use super::{Result, Store, StoreError, migrations::Migrator};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr};
use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sea_orm_migration::MigratorTrait;
use std::time::Duration;

/// How long one process may keep the database, and it the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections one process keeps, besides one for writing. SQLite has one writer at a time whatever the number.
    pub connections_max: u32,
    /// Longest wait for a free connection, or for this process's turn to write.
    pub acquire_timeout: Duration,
    /// Longest wait for another process's lock.
    pub lock_timeout: Duration,
    /// Longest a PostgreSQL statement may run, and a transaction of a dead process may linger.
    pub statement_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 8,
            acquire_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// Replicas that start together take turns at the tables; the number only has to be the same in all of them.
const LOCK_TABLES: &str = "SELECT pg_advisory_xact_lock(5625874623)";
/// A change of tables may take longer than a statement of every day.
const TAKE_TIME: &str = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '10min'";

impl Store {
    /// Opens `sqlite:PATH` (created when missing) or `postgres://…` and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the address or the server is no good, [`StoreError::ReadOnly`] when the file may not be
    /// written, [`StoreError::Migrate`] when the tables cannot be brought to this version.
    pub async fn open(url: &str) -> Result<Store> {
        Store::open_with(url, Limits::default()).await
    }

    /// Like [`Store::open`], with other limits.
    pub async fn open_with(url: &str, limits: Limits) -> Result<Store> {
        let open = |source| StoreError::opening(source, || without_secret(url));
        let db = Database::connect(options(url, limits, Purpose::Everything).map_err(open)?).await.map_err(open)?;
        db.execute_unprepared("SELECT 1").await.map_err(open)?;
        migrate(&db).await.map_err(StoreError::Migrate)?;
        let writer = match limits.connections_max {
            1 => db.clone(),
            _ => Database::connect(options(url, limits, Purpose::Writing).map_err(open)?).await.map_err(open)?,
        };
        Ok(Store { db, writer })
    }

    /// Closes the connections; what was committed is on disk.
    pub async fn close(self) -> Result<()> {
        self.writer.close().await?;
        Ok(self.db.close().await?)
    }
}

/// What connections are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Everything,
    /// One connection, opened when something is first written. What it has learnt, from statements to pages, stays of use:
    /// the jobs of a batch are all alike, and no other connection changes pages behind its back.
    Writing,
}

/// Memory for pages of the database being written, in KiB: a chunk's, so that none is written before its commit.
const WRITER_CACHE_KIB: u32 = 64 * 1024;
/// Pages of the log from which a commit also brings them into the database: not at every chunk of a batch.
const LOG_PAGES: u32 = 4_000;

fn options(url: &str, limits: Limits, purpose: Purpose) -> std::result::Result<ConnectOptions, DbErr> {
    let sqlite = url.strip_prefix("sqlite:");
    if sqlite.is_none() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        // Said here because the library's own message repeats the address, secret and all.
        return Err(DbErr::Custom("there is no such kind of database".to_owned()));
    }
    // A path is taken as it is; an address with parameters is left to the library.
    let path = sqlite.filter(|rest| !rest.contains('?')).map(|rest| rest.strip_prefix("//").unwrap_or(rest).to_owned());
    let writing = purpose == Purpose::Writing;
    let mut options = ConnectOptions::new(if path.is_some() { "sqlite:noctule.db" } else { url });
    options
        .max_connections(if writing { 1 } else { limits.connections_max })
        .connect_lazy(writing)
        .acquire_timeout(limits.acquire_timeout)
        .connect_timeout(limits.acquire_timeout)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            let sqlite = sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(limits.lock_timeout)
                .foreign_keys(true);
            let sqlite = match purpose {
                Purpose::Everything => sqlite,
                Purpose::Writing => sqlite
                    .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
                    .pragma("wal_autocheckpoint", LOG_PAGES.to_string()),
            };
            match &path {
                Some(path) => sqlite.filename(path).create_if_missing(true),
                None => sqlite,
            }
        })
        .map_sqlx_postgres_opts(move |postgres| {
            let ms = |duration: Duration| duration.as_millis().to_string();
            postgres.application_name("noctule").options([
                ("lock_timeout", ms(limits.lock_timeout)),
                ("statement_timeout", ms(limits.statement_timeout)),
                ("idle_in_transaction_session_timeout", ms(limits.statement_timeout)),
            ])
        });
    Ok(options)
}

/// Applies what is missing, all of it or nothing.
async fn migrate(db: &DatabaseConnection) -> std::result::Result<(), DbErr> {
    let postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    if !postgres && Migrator::get_pending_migrations(db).await?.is_empty() {
        return Ok(()); // A copy that may only be read stays readable.
    }
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(immediate).await?;
    if postgres {
        tx.execute_unprepared(TAKE_TIME).await?;
        tx.execute_unprepared(LOCK_TABLES).await?;
    }
    Migrator::up(&tx, None).await?;
    tx.commit().await
}

/// The address without its secrets, for messages: neither user and password nor parameters.
fn without_secret(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let url = url.split_once('?').map_or(url, |(address, _)| address);
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Store, StoreError, without_secret};
    use crate::edge::store::{Changes, FeedFile, Row};
    use crate::model::event::{EventKind, NewEvent};
    use sea_orm::ConnectionTrait;

    #[test]
    fn an_error_never_shows_the_password() {
        assert_eq!(without_secret("postgres://noctule:s3cret@db/n"), "postgres://…@db/n");
        assert_eq!(without_secret("postgres://db/n?password=s3cret"), "postgres://db/n");
        assert_eq!(without_secret("sqlite:/var/lib/noctule.db"), "sqlite:/var/lib/noctule.db");
    }

    #[tokio::test]
    async fn an_unknown_kind_of_database_is_refused_without_its_password() {
        let error = Store::open("postgre://noctule:s3cret@db/n").await.err().unwrap().to_string();
        assert!(error.contains("postgre://…@db/n") && !error.contains("s3cret"), "{error}");
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_leaves_nothing_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { connections_max: 1, ..Limits::default() };
        let store = Store::open_with(&format!("sqlite:{}/n.db", dir.path().display()), limits).await.unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let changes = |bytes: usize| Changes {
            events: vec![NewEvent::new(at, "martin", EventKind::FleetChanged, "one")],
            rows: vec![Row::FeedFile(FeedFile {
                publisher: "agiris".into(),
                name: "metadata/1.root.json".into(),
                bytes: vec![7; bytes],
            })],
            ..Changes::default()
        };
        store.commit(changes(10)).await.unwrap();
        // The database may grow by no page from here on: what a full disk is to it.
        store.db.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let error = store.commit(changes(1_000_000)).await.unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        let read = store.feed_file("agiris", "metadata/1.root.json").await.unwrap().unwrap();
        assert_eq!(read.len(), 10);
        assert_eq!(store.events(&Default::default()).await.unwrap().len(), 1);
        store.db.execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
        store.commit(changes(1_000_000)).await.unwrap();
        assert_eq!(store.verify_chain(None).await.unwrap(), []);
    }
}
