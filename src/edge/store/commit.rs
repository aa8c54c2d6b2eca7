//! Writing: rows, events and notices in one transaction, or nothing.
//!
//! There is one way to write: a chunk of jobs, each whole. [`Store::commit`] writes a chunk of one. Within a chunk the
//! jobs touch nothing in common, so that it is as if each had been committed alone, in the order they came.
//!
//! Locks are taken in one order, whatever the jobs and however many: rows by table, those that are there by id, new ones
//! by what only one may be about; then the servers' places, then chains by name, shared texts by name, and the
//! counters of the outbox and of the calls. A job whose
//! own rows touch each other goes round again for the later ones. Two writers that still cross are told apart by the
//! database: one of them gets [`StoreError::Locked`].

use super::error::StoreError;
use super::prepare::{Key, Line, Prepared};
use super::record::Record;
use super::{Changes, Result, Store, calls, chain, outbox, rows, servers, sharing};
use crate::model::notice::Notice;
use sea_orm::{DatabaseBackend, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::{JoinHandle, spawn_blocking};

/// Most rows, events and notices that jobs share a transaction for: it keeps others waiting no longer than they notice,
/// and its disk write is paid once for all. One job alone may be larger.
const CHUNK_ROWS_MAX: usize = 4_000;
/// Jobs written out at a time, while those before them go to the database.
const PART_JOBS: usize = 500;

/// Who writes, which says on which connection: batches on one that knows their statements, single jobs side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Job,
    Batch,
}

/// A job and its place among the results.
type Job = (usize, Prepared);

/// Jobs that touch nothing in common.
#[derive(Default)]
struct Chunk {
    jobs: Vec<Job>,
    keys: BTreeSet<Key>,
    /// Keys of the notices, which go to the outbox after all rows.
    letters: BTreeSet<String>,
    rows: usize,
}

impl Chunk {
    fn takes(&self, job: &Prepared) -> bool {
        self.jobs.is_empty() || (self.rows + job.size() <= CHUNK_ROWS_MAX && !self.touches(job))
    }

    fn touches(&self, job: &Prepared) -> bool {
        // A letter written as a row comes before its chunk's notices, but has to give way to one of an earlier job.
        let second = |line: &Line| line.about.as_ref().is_some_and(|key| self.letters.contains(key));
        job.keys.keys().any(|key| self.keys.contains(key))
            || job.lines.iter().any(|line| line.table == Notice::TABLE && second(line))
    }

    fn push(&mut self, place: usize, job: Prepared) {
        self.rows += job.size();
        self.keys.extend(job.keys.keys().cloned());
        self.letters.extend(job.notices.iter().map(|notice| notice.key.clone()));
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
        self.write(Size::Job, vec![(0, Prepared::new(changes)?)], &mut results).await?;
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
                            self.write(Size::Batch, std::mem::take(&mut chunk).jobs, &mut results).await?;
                        }
                        chunk.push(place, job);
                    }
                    Err(error) => results[place] = Err(error),
                }
                place += 1;
            }
        }
        self.write(Size::Batch, chunk.jobs, &mut results).await?;
        Ok(results)
    }

    /// Writes a chunk. Jobs that cannot be written are left out, with the reason as their result.
    async fn write(&self, size: Size, chunk: Vec<Job>, results: &mut [Result<()>]) -> Result<()> {
        let mut chunks = vec![chunk];
        while let Some(mut jobs) = chunks.pop() {
            if jobs.iter().all(|(_, job)| job.size() == 0) {
                continue;
            }
            let writing = self.begin(size).await?;
            match write_all(&writing, &jobs).await {
                Ok(refused) if refused.is_empty() => writing.commit().await?,
                Ok(refused) => {
                    give_up(writing).await;
                    jobs.retain(|(place, _)| !refused.contains_key(place));
                    for (place, error) in refused {
                        results[place] = Err(error);
                    }
                    chunks.push(jobs);
                }
                Err(error @ StoreError::Conflict { .. }) => {
                    give_up(writing).await;
                    if let [(place, _)] = jobs.as_slice() {
                        results[*place] = Err(error);
                        continue;
                    }
                    // A statement failed and does not say for which job: it is in one of the halves.
                    let later = jobs.split_off(jobs.len() / 2);
                    chunks.extend([later, jobs]);
                }
                Err(error) => {
                    give_up(writing).await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// A transaction that writes: SQLite takes its write lock at once, so that it never has to give way half-way.
    /// Dropped without a commit it changes nothing.
    pub(super) async fn begin(&self, size: Size) -> Result<DatabaseTransaction> {
        let connections = match (self.db.get_database_backend(), size) {
            (DatabaseBackend::Sqlite, _) | (_, Size::Batch) => &self.writer,
            (_, Size::Job) => &self.db,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(connections.begin_with_options(options).await?)
    }
}

async fn give_up(writing: DatabaseTransaction) {
    // A failed rollback leaves the transaction to the dropped connection, which rolls it back.
    let _ = writing.rollback().await;
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
        sharing::keep(tx, jobs.iter().flat_map(|(_, job)| job.shared())).await?;
        let notices: Vec<_> = jobs.iter().flat_map(|(_, job)| &job.notices).collect();
        outbox::insert(tx, &notices).await?;
        calls::insert(tx, jobs.iter().flat_map(|(_, job)| &job.calls)).await?;
    }
    Ok(refused)
}
