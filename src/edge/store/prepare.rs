//! Changes written out as rows of text and numbers, before any lock is taken.
//!
//! Serialising is most of a commit's work; nobody has to wait for it inside a transaction. What is made here does not
//! depend on the database, so that a chunk that has to be written again is not written out again.

use super::record::{self, Record};
use super::sharing::{self, Shared};
use super::{Changes, FeedFile, Result, Row, StoreError, Stored, chain, outbox};
use crate::model::call::NewCall;
use sea_orm::Value;
use std::collections::BTreeMap;

/// What two jobs may not both touch in one transaction: a row, or what only one row may be about.
pub(super) type Key = (&'static str, String);

/// The changes of one job, ready to be written.
#[derive(Default)]
pub(super) struct Prepared {
    pub lines: Vec<Line>,
    pub files: Vec<FeedFile>,
    /// Clients among the rows, with their servers.
    pub fleet: BTreeMap<String, Vec<String>>,
    pub events: Vec<chain::Entry>,
    pub notices: Vec<outbox::Entry>,
    pub calls: Vec<NewCall>,
    /// All that its rows touch, and the last step that does.
    pub keys: BTreeMap<Key, usize>,
}

/// One row.
pub(super) struct Line {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub values: Vec<Value>,
    pub id: String,
    pub about: Option<String>,
    pub body: String,
    /// What the body only names.
    pub shared: Option<Shared>,
    pub rev: i64,
    pub write: Write,
    /// Rows of a step come after those of the steps before it: they touch what those touched.
    pub step: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Write {
    Remove,
    Update,
    Insert,
}

impl Prepared {
    /// # Errors
    /// [`StoreError::Corrupt`] for what cannot be written as text.
    pub(super) fn new(changes: Changes) -> Result<Prepared> {
        let mut prepared = Prepared::default();
        for row in changes.rows {
            prepared.row(row)?;
        }
        prepared.events = changes.events.iter().map(chain::Entry::new).collect::<Result<_>>()?;
        prepared.notices = changes.notices.iter().map(outbox::Entry::new).collect::<Result<_>>()?;
        Ok(prepared)
    }

    /// How many rows it writes.
    pub(super) fn size(&self) -> usize {
        self.lines.len() + self.files.len() + self.events.len() + self.notices.len() + self.calls.len()
    }

    fn row(&mut self, row: Row) -> Result<()> {
        match row {
            Row::Client(row) => {
                self.keys.insert(fleet(), 0);
                self.fleet.insert(row.id.clone(), row.servers.iter().map(|server| server.id.clone()).collect());
                self.put(row)
            }
            Row::RemoveClient(row) => {
                self.keys.insert(fleet(), 0);
                self.line(row, Write::Remove)
            }
            Row::State(row) => self.put(row),
            Row::Release(row) => self.put(row),
            Row::Deployment(row) => self.put(row),
            Row::Request(row) => self.put(row),
            Row::Agreement(row) => self.put(row),
            Row::Hold(row) => self.put(row),
            Row::Resumption(row) => self.put(row),
            Row::Alert(row) => self.put(row),
            Row::Notice(row) => self.put(row),
            Row::NewCall(call) => {
                self.calls.push(call);
                Ok(())
            }
            Row::Call(row) => self.put(row),
            Row::Feed(row) => self.put(row),
            Row::FeedFile(file) => {
                self.files.push(file);
                Ok(())
            }
            Row::Token(row) => self.put(row),
            Row::Enrolment(row) => self.put(row),
            Row::Standing(row) => self.put(row),
        }
    }

    fn put<T: Record>(&mut self, row: Stored<T>) -> Result<()> {
        let write = if row.rev == 0 { Write::Insert } else { Write::Update };
        self.line(row, write)
    }

    fn line<T: Record>(&mut self, row: Stored<T>, write: Write) -> Result<()> {
        let mut line = Line::new(&row, write)?;
        let keys = [Some(format!("={}", line.id)), line.about.as_ref().map(|about| format!("~{about}"))];
        let keys: Vec<Key> = keys.into_iter().flatten().map(|key| (T::TABLE, key)).collect();
        // Rows with nothing in common may be written in any order, the others only in the order they came.
        line.step = keys.iter().filter_map(|key| self.keys.get(key)).max().map_or(0, |step| step + 1);
        self.keys.extend(keys.into_iter().map(|key| (key, line.step)));
        self.lines.push(line);
        Ok(())
    }

    /// Texts that its rows and notices only name.
    pub(super) fn shared(&self) -> impl Iterator<Item = &Shared> {
        let of_lines = self.lines.iter().filter_map(|line| line.shared.as_ref());
        of_lines.chain(self.notices.iter().filter_map(|notice| notice.shared.as_ref()))
    }
}

impl Line {
    pub(super) fn new<T: Record>(row: &Stored<T>, write: Write) -> Result<Line> {
        let (id, about, values) = (row.value.id(), row.value.about(), row.value.values());
        let mut body = serde_json::to_string(&row.value).map_err(|source| StoreError::Corrupt {
            table: T::TABLE,
            id: id.clone(),
            source,
        })?;
        let shared = if T::SHARES { sharing::share(&mut body) } else { None };
        let (table, columns, rev) = (T::TABLE, T::COLUMNS, row.rev);
        Ok(Line { table, columns, values, id, about, body, shared, rev, write, step: 0 })
    }

    /// The row as it will be.
    pub(super) fn row(&self) -> Vec<Value> {
        record::row(self.id.clone(), self.rev + 1, self.body.clone(), self.values.clone())
    }
}

/// Servers may change hands between any two clients, so jobs that write clients touch the same thing.
fn fleet() -> Key {
    ("server", String::new())
}
