//! What can go wrong with the database, told apart by what somebody has to do about it.
//!
//! Whatever the error, nothing of the commit was written.

use sea_orm::sqlx::{self, sqlite::SqliteError};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database {url}: {source}; the address is sqlite:PATH or postgres://…")]
    Open { url: String, source: DbErr },
    #[error("cannot bring the database to this version's tables: {0}")]
    Migrate(#[source] DbErr),
    /// A row was written by somebody else since it was read; the job's next activation is the retry.
    #[error("{what} changed meanwhile")]
    Conflict { what: String },
    #[error("{table} row {id} cannot be read: {source}")]
    Corrupt { table: &'static str, id: String, source: serde_json::Error },
    #[error(transparent)]
    NoRandomness(#[from] crate::edge::secret::NoRandomness),
    /// Another writer did not give way within the limits; worth another try later.
    #[error("the database is busy or locked by another process, nothing was written, try again: {0}")]
    Locked(#[source] DbErr),
    #[error("the database cannot be written: give this process the right to write the file and its folder: {0}")]
    ReadOnly(#[source] DbErr),
    #[error("the disk under the database is full, nothing was written: free some space: {0}")]
    Full(#[source] DbErr),
    #[error("the database refused: {0}")]
    Database(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> StoreError {
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            return StoreError::Locked(error);
        }
        match kind(&error) {
            Kind::Locked => StoreError::Locked(error),
            Kind::ReadOnly => StoreError::ReadOnly(error),
            Kind::Full => StoreError::Full(error),
            Kind::Other => StoreError::Database(error),
        }
    }
}

impl StoreError {
    /// The error of a statement about `what`, which may exist once only: a second one is a conflict.
    pub(super) fn about(error: DbErr, what: impl FnOnce() -> String) -> StoreError {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Conflict { what: what() },
            _ => error.into(),
        }
    }

    /// The error of opening `url`. What has nothing to do with the address does not send people to look at it.
    pub(super) fn opening(source: DbErr, url: impl FnOnce() -> String) -> StoreError {
        match kind(&source) {
            Kind::ReadOnly => StoreError::ReadOnly(source),
            Kind::Full => StoreError::Full(source),
            Kind::Locked | Kind::Other => StoreError::Open { url: url(), source },
        }
    }
}

enum Kind {
    Locked,
    ReadOnly,
    Full,
    Other,
}

fn kind(error: &DbErr) -> Kind {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return Kind::Other;
    };
    let sqlx::Error::Database(refusal) = error.as_ref() else {
        return if matches!(error.as_ref(), sqlx::Error::PoolTimedOut) { Kind::Locked } else { Kind::Other };
    };
    let code = refusal.code().unwrap_or_default();
    if refusal.try_downcast_ref::<SqliteError>().is_some() {
        // The low byte of an extended result code is the primary one (sqlite.org/rescode.html).
        return match code.parse::<u32>().unwrap_or(0) & 0xff {
            5 | 6 => Kind::Locked,
            8 => Kind::ReadOnly,
            13 => Kind::Full,
            _ => Kind::Other,
        };
    }
    // PostgreSQL, appendix A: serialization, deadlock, lock not available, cancelled by a time-out.
    match code.as_ref() {
        "40001" | "40P01" | "55P03" | "57014" => Kind::Locked,
        "25006" => Kind::ReadOnly,
        "53100" => Kind::Full,
        _ => Kind::Other,
    }
}
