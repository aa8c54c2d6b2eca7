//! Opening a database and bringing it to this version's tables.

use super::{Result, Store, StoreError, migrations::Migrator};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use sea_orm_migration::MigratorTrait;
use std::time::Duration;

/// Most connections one process keeps. SQLite has one writer at a time whatever the number.
const CONNECTIONS_MAX: u32 = 8;
/// Longest wait for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for another writer's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest a PostgreSQL statement may run.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

impl Store {
    /// Opens `sqlite:PATH` (created when missing) or `postgres://…` and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the address or the server is no good, [`StoreError::Migrate`] when the tables cannot
    /// be brought to this version.
    pub async fn open(url: &str) -> Result<Store> {
        let address = match url.strip_prefix("sqlite:") {
            Some(path) if !path.contains('?') => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        };
        let mut options = ConnectOptions::new(address);
        options
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_timeout(ACQUIRE_TIMEOUT)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| {
                use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
                sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(BUSY_TIMEOUT)
                    .foreign_keys(true)
            });
        if url.starts_with("postgres") {
            options.statement_timeout(STATEMENT_TIMEOUT);
        }
        let open = |source| StoreError::Open { url: without_password(url), source };
        let db = Database::connect(options).await.map_err(open)?;
        db.execute_unprepared("SELECT 1").await.map_err(open)?;
        Migrator::up(&db, None).await.map_err(StoreError::Migrate)?;
        Ok(Store { db })
    }

    /// Closes the connections; what was committed is on disk.
    pub async fn close(self) -> Result<()> {
        Ok(self.db.close().await?)
    }
}

/// The address without its secret, for messages.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_error_never_shows_the_password() {
        assert_eq!(without_password("postgres://noctule:s3cret@db/n"), "postgres://…@db/n");
        assert_eq!(without_password("sqlite:/var/lib/noctule.db"), "sqlite:/var/lib/noctule.db");
    }
}
