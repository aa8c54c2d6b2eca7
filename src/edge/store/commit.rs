//! Writing: rows, events and notices in one transaction, or nothing.
//!
//! There is one way to write: a chunk of jobs, each whole. [`Store::commit`] writes a chunk of one. Within a chunk the
//! jobs touch nothing in common, so that it is as if each had been committed alone, in the order they came.
//!
//! Locks are taken in one order, whatever the jobs and however many: rows by table, those that are there by id, new ones
//! by what only one may be about; then the servers' places, then chains by name, then the outbox's counter. A job whose
//! own rows touch each other goes round again for the later ones. Two writers that still cross are told apart by the
//! database: one of them gets [`StoreError::Locked`].

use super::error::StoreError;
use super::prepare::{Key, Prepared};
use super::{Changes, Result, Store, chain, outbox, rows, servers};
use sea_orm::{
    ConnAcquireErr, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Deref;
use tokio::task::{JoinHandle, spawn_blocking};

/// Most rows, events and notices that jobs share a transaction for: it keeps others waiting no longer than they notice,
/// and its disk write is paid once for all. One job alone may be larger.
const CHUNK_ROWS_MAX: usize = 4_000;
/// Jobs written out at a time, while those before them go to the database.
const PART_JOBS: usize = 500;

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

    async fn give_up(self) {
        // A failed rollback leaves the transaction to the dropped connection, which rolls it back.
        let _ = self.tx.rollback().await;
    }
}

/// A job and its place among the results.
type Job = (usize, Prepared);

/// Jobs that touch nothing in common.
#[derive(Default)]
struct Chunk {
    jobs: Vec<Job>,
    keys: BTreeSet<Key>,
    rows: usize,
}

impl Chunk {
    fn takes(&self, job: &Prepared) -> bool {
        self.jobs.is_empty()
            || (self.rows + job.size() <= CHUNK_ROWS_MAX && !job.keys.keys().any(|key| self.keys.contains(key)))
    }

    fn push(&mut self, place: usize, job: Prepared) {
        self.rows += job.size();
        self.keys.extend(job.keys.keys().cloned());
        self.jobs.push((place, job));
    }
}

impl Store {
    /// Writes everything or nothing. Notices whose key is already there are left as they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a row changed since it was read, or what may be open only once already is.
    pub async fn commit(&self, changes: Changes) -> Result<()> {
        let mut results = vec![Ok(())];
        self.write(vec![(0, Prepared::new(changes)?)], &mut results).await?;
        results.remove(0)
    }

    /// Writes many jobs, each of them whole or not at all, in few transactions. The results are in the jobs' order.
    ///
    /// It is as if they had been committed one after the other: one that meets a [`StoreError::Conflict`] says so in its
    /// result and leaves nothing, the others are not held up by it.
    ///
    /// # Errors
    /// Whatever stops the database (it is locked, full, gone) stops the batch. Every job is then there whole or not at
    /// all; which of them, a level-triggered caller sees when it reads again.
    pub async fn commit_batch(&self, batch: Vec<Changes>) -> Result<Vec<Result<()>>> {
        let mut results: Vec<Result<()>> = batch.iter().map(|_| Ok(())).collect();
        let mut batch = batch.into_iter();
        let mut place = 0;
        let mut chunk = Chunk::default();
        let mut next = written_out(&mut batch);
        while let Some(part) = next {
            next = written_out(&mut batch);
            for job in part.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())) {
                match job {
                    Ok(job) => {
                        if !chunk.takes(&job) {
                            self.write(std::mem::take(&mut chunk).jobs, &mut results).await?;
                        }
                        chunk.push(place, job);
                    }
                    Err(error) => results[place] = Err(error),
                }
                place += 1;
            }
        }
        self.write(chunk.jobs, &mut results).await?;
        Ok(results)
    }

    /// Writes a chunk. Jobs that cannot be written are left out, with the reason as their result.
    async fn write(&self, chunk: Vec<Job>, results: &mut [Result<()>]) -> Result<()> {
        let mut chunks = vec![chunk];
        while let Some(mut jobs) = chunks.pop() {
            if jobs.iter().all(|(_, job)| job.size() == 0) {
                continue;
            }
            let writing = self.begin().await?;
            match write_all(&writing, &jobs).await {
                Ok(refused) if refused.is_empty() => writing.commit().await?,
                Ok(refused) => {
                    writing.give_up().await;
                    jobs.retain(|(place, _)| !refused.contains_key(place));
                    for (place, error) in refused {
                        results[place] = Err(error);
                    }
                    chunks.push(jobs);
                }
                Err(error @ StoreError::Conflict { .. }) => {
                    writing.give_up().await;
                    if let [(place, _)] = jobs.as_slice() {
                        results[*place] = Err(error);
                        continue;
                    }
                    // A statement failed and does not say for which job: it is in one of the halves.
                    let later = jobs.split_off(jobs.len() / 2);
                    chunks.extend([later, jobs]);
                }
                Err(error) => {
                    writing.give_up().await;
                    return Err(error);
                }
            }
        }
        Ok(())
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
}

/// Writes out the next jobs on a thread of their own, which has no time to wait for the database.
fn written_out(batch: &mut impl Iterator<Item = Changes>) -> Option<JoinHandle<Vec<Result<Prepared>>>> {
    let part: Vec<Changes> = batch.by_ref().take(PART_JOBS).collect();
    (!part.is_empty()).then(|| spawn_blocking(|| part.into_iter().map(Prepared::new).collect()))
}

/// Writes the jobs, or says which of them cannot be; the transaction is then good for nothing.
async fn write_all(tx: &DatabaseTransaction, jobs: &[Job]) -> Result<BTreeMap<usize, StoreError>> {
    let mut refused = rows::write(tx, jobs).await?;
    servers::place(tx, jobs, &mut refused).await?;
    if refused.is_empty() {
        chain::append(tx, jobs.iter().flat_map(|(_, job)| &job.events)).await?;
        let notices: Vec<_> = jobs.iter().flat_map(|(_, job)| &job.notices).collect();
        outbox::insert(tx, &notices).await?;
    }
    Ok(refused)
}
