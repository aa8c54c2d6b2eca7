//! Writing: rows, events and notices in one transaction, or nothing.
//!
//! Locks are taken in one order: rows as the job lists them, then chains by name, then the outbox's counter. Two jobs
//! that still cross on rows are told apart by the database: one of them gets [`super::StoreError::Locked`].

use super::error::StoreError;
use super::record::Record;
use super::{Changes, FeedFile, Result, Row, Sequence, Store, Stored, chain, outbox, servers};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use std::collections::BTreeMap;
use std::ops::Deref;

/// A transaction that writes, and its turn to do so. Dropped without [`Writing::commit`] it changes nothing.
pub(super) struct Writing {
    tx: DatabaseTransaction,
    /// Given up after the transaction: fields are dropped in this order.
    _turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Deref for Writing {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.tx
    }
}

impl Writing {
    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

impl Store {
    /// Writes everything or nothing. Notices whose key is already there are left as they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a row changed since it was read, or what may be open only once already is.
    pub async fn commit(&self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let writing = self.begin().await?;
        match write_all(&writing, changes).await {
            Ok(()) => writing.commit().await,
            Err(error) => {
                // A failed rollback leaves the transaction to the dropped connection, which rolls it back.
                let _ = writing.tx.rollback().await;
                Err(error)
            }
        }
    }

    /// A transaction that writes: SQLite takes its write lock at once, so that it never has to give way half-way.
    pub(super) async fn begin(&self) -> Result<Writing> {
        let turn = match &self.turn {
            Some(turn) => Some(
                tokio::time::timeout(self.acquire_timeout, turn.clone().lock_owned())
                    .await
                    .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?,
            ),
            None => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Writing { tx: self.db.begin_with_options(options).await?, _turn: turn })
    }

    /// The first of `n` fresh ids. Gaps are harmless.
    pub async fn allocate(&self, sequence: Sequence, n: u32) -> Result<i64> {
        let name = match sequence {
            Sequence::Deployment => "deployment",
            Sequence::Request => "request",
            Sequence::Agreement => "agreement",
            Sequence::Hold => "hold",
            Sequence::Resumption => "resumption",
            Sequence::Alert => "alert",
            Sequence::Notice => "notice",
        };
        let tx = self.begin().await?;
        let first = take_ids(&tx, name, i64::from(n)).await?;
        tx.commit().await?;
        Ok(first)
    }
}

/// Advances the counter `name` by `n` inside a transaction and returns the first of the ids.
pub(super) async fn take_ids(tx: &DatabaseTransaction, name: &str, n: i64) -> Result<i64> {
    let (table, id, last) = (Alias::new("counter"), Alias::new("id"), Alias::new("last"));
    let upsert = Query::insert()
        .into_table(table.clone())
        .columns([id.clone(), last.clone()])
        .values_panic([name.into(), n.into()])
        .on_conflict(
            OnConflict::column(id.clone())
                .value(last.clone(), Expr::col((table.clone(), last.clone())).add(n))
                .to_owned(),
        )
        .to_owned();
    tx.execute(&upsert).await?;
    let read = Query::select().column(last).from(table).and_where(Expr::col(id).eq(name)).to_owned();
    let row = tx.query_one(&read).await?.ok_or_else(|| DbErr::RecordNotFound(name.to_owned()))?;
    let end: i64 = row.try_get("", "last")?;
    Ok(end - n + 1)
}

async fn write_all(tx: &DatabaseTransaction, changes: Changes) -> Result<()> {
    let mut fleet = BTreeMap::new();
    for row in changes.rows {
        match row {
            Row::Client(row) => {
                fleet.insert(row.id.clone(), row.servers.iter().map(|server| server.id.clone()).collect());
                put(tx, row).await?;
            }
            Row::RemoveClient(row) => remove(tx, row).await?,
            Row::State(row) => put(tx, row).await?,
            Row::Release(row) => put(tx, row).await?,
            Row::Deployment(row) => put(tx, row).await?,
            Row::Request(row) => put(tx, row).await?,
            Row::Agreement(row) => put(tx, row).await?,
            Row::Hold(row) => put(tx, row).await?,
            Row::Resumption(row) => put(tx, row).await?,
            Row::Alert(row) => put(tx, row).await?,
            Row::Notice(row) => put(tx, row).await?,
            Row::Feed(row) => put(tx, row).await?,
            Row::FeedFile(file) => put_file(tx, file).await?,
            Row::Token(row) => put(tx, row).await?,
            Row::Enrolment(row) => put(tx, row).await?,
            Row::Standing(row) => put(tx, row).await?,
        }
    }
    servers::place(tx, fleet).await?;
    chain::append(tx, changes.events).await?;
    outbox::insert(tx, changes.notices).await
}

async fn put<T: Record>(tx: &DatabaseTransaction, row: Stored<T>) -> Result<()> {
    let id = row.value.id();
    let body = serde_json::to_string(&row.value).map_err(|source| StoreError::Corrupt {
        table: T::TABLE,
        id: id.clone(),
        source,
    })?;
    let columns = row.value.columns();
    let what = || format!("{} {id}", T::TABLE);
    if row.rev == 0 {
        let names = ["id", "rev", "body"].into_iter().chain(columns.iter().map(|(name, _)| *name)).map(Alias::new);
        let values = [id.clone().into(), 1_i64.into(), body.into()]
            .into_iter()
            .chain(columns.iter().map(|(_, value)| Expr::value(value.clone())));
        let insert = Query::insert().into_table(Alias::new(T::TABLE)).columns(names).values_panic(values).to_owned();
        tx.execute(&insert).await.map_err(|error| StoreError::about(error, what))?;
        return Ok(());
    }
    let update = Query::update()
        .table(Alias::new(T::TABLE))
        .value(Alias::new("rev"), row.rev + 1)
        .value(Alias::new("body"), body)
        .values(columns.into_iter().map(|(name, value)| (Alias::new(name), Expr::value(value))))
        .and_where(Expr::col(Alias::new("id")).eq(id.as_str()))
        .and_where(Expr::col(Alias::new("rev")).eq(row.rev))
        .to_owned();
    match tx.execute(&update).await.map_err(|error| StoreError::about(error, what))?.rows_affected() {
        0 => Err(StoreError::Conflict { what: what() }),
        _ => Ok(()),
    }
}

async fn remove<T: Record>(tx: &DatabaseTransaction, row: Stored<T>) -> Result<()> {
    let delete = Query::delete()
        .from_table(Alias::new(T::TABLE))
        .and_where(Expr::col(Alias::new("id")).eq(row.value.id()))
        .and_where(Expr::col(Alias::new("rev")).eq(row.rev))
        .to_owned();
    match tx.execute(&delete).await?.rows_affected() {
        0 => Err(StoreError::Conflict { what: format!("{} {}", T::TABLE, row.value.id()) }),
        _ => Ok(()),
    }
}

async fn put_file(tx: &DatabaseTransaction, file: FeedFile) -> Result<()> {
    let columns = ["publisher", "name", "bytes"].map(Alias::new);
    let upsert = Query::insert()
        .into_table(Alias::new("feed_file"))
        .columns(columns)
        .values_panic([file.publisher.into(), file.name.into(), file.bytes.into()])
        .on_conflict(
            OnConflict::columns([Alias::new("publisher"), Alias::new("name")])
                .update_column(Alias::new("bytes"))
                .to_owned(),
        )
        .to_owned();
    tx.execute(&upsert).await?;
    Ok(())
}
