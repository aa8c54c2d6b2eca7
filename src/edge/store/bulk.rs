//! Many rows in one statement: what a database is asked once costs less than what it is asked a thousand times.
//!
//! Statements come in a few sizes, so that a connection prepares each text once however many rows there are. The
//! largest has room to spare under the databases' own limits (SQLite binds 32 766 values, PostgreSQL 65 535).

use sea_orm::sea_query::{Alias, Expr, InsertStatement, OnConflict, Query};
use sea_orm::{ConnectionTrait, DbErr, Value};
use std::ops::Range;

/// Rows of one statement. Ends with 1, so that any number of rows is a sum of them.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// Most columns of one row; `SIZES[0]` times this stays below every database's limit.
const COLUMNS_MAX: usize = 24;
const _: () = assert!(SIZES[0] * COLUMNS_MAX <= 32_766);

/// Cuts `rows` into the ranges that single statements take, in order.
pub(super) fn parts(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let size = *SIZES.iter().find(|size| **size <= rows - begin)?;
        begin += size;
        Some(begin - size..begin)
    })
}

/// What becomes of a row whose place is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken {
    /// The statement fails.
    Fails,
    /// It is left out, whichever unique index it runs into.
    StaysOut,
    /// It is left out if this column is the one; any other makes the statement fail.
    StaysOutFor(&'static str),
    /// The row that is there takes its values, found by this column.
    Replaces(&'static [&'static str]),
}

/// Inserts rows of `columns` in as few statements as there may be.
pub(super) struct Insert<'a> {
    pub table: &'a str,
    pub columns: &'a [&'a str],
    pub taken: Taken,
}

impl Insert<'_> {
    pub(super) async fn run(&self, tx: &impl ConnectionTrait, rows: Vec<Vec<Value>>) -> Result<(), DbErr> {
        for statement in self.statements(rows) {
            tx.execute(&statement).await?;
        }
        Ok(())
    }

    /// Like [`Insert::run`], and returns `column` of every row that got in.
    pub(super) async fn returning(
        &self,
        tx: &impl ConnectionTrait,
        rows: Vec<Vec<Value>>,
        column: &str,
    ) -> Result<Vec<String>, DbErr> {
        let mut entered = Vec::with_capacity(rows.len());
        for mut statement in self.statements(rows) {
            statement.returning_col(Alias::new(column));
            for row in tx.query_all(&statement).await? {
                entered.push(row.try_get("", column)?);
            }
        }
        Ok(entered)
    }

    fn statements(&self, rows: Vec<Vec<Value>>) -> impl Iterator<Item = InsertStatement> {
        let parts = parts(rows.len());
        let mut rows = rows.into_iter();
        parts.map(move |part| {
            let mut insert = Query::insert();
            insert.into_table(Alias::new(self.table)).columns(self.columns.iter().map(|name| Alias::new(*name)));
            for row in rows.by_ref().take(part.len()) {
                insert.values_panic(row.into_iter().map(Expr::value));
            }
            if let Some(on_conflict) = self.on_conflict() {
                insert.on_conflict(on_conflict);
            }
            insert
        })
    }

    fn on_conflict(&self) -> Option<OnConflict> {
        match self.taken {
            Taken::Fails => None,
            Taken::StaysOut => Some(OnConflict::new().do_nothing().to_owned()),
            Taken::StaysOutFor(column) => Some(OnConflict::column(Alias::new(column)).do_nothing().to_owned()),
            Taken::Replaces(key) => {
                let others = self.columns.iter().filter(|column| !key.contains(column));
                Some(
                    OnConflict::columns(key.iter().map(|name| Alias::new(*name)))
                        .update_columns(others.map(|name| Alias::new(*name)))
                        .to_owned(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SIZES, parts};

    #[test]
    fn every_row_is_in_one_part_and_parts_have_few_sizes() {
        for rows in [0, 1, 3, 4, 5, 255, 256, 257, 1_000, 10_007] {
            let parts: Vec<_> = parts(rows).collect();
            let covered: Vec<usize> = parts.iter().cloned().flatten().collect();
            assert_eq!(covered, (0..rows).collect::<Vec<_>>(), "{rows}");
            assert!(parts.iter().all(|part| SIZES.contains(&part.len())), "{rows}");
            let small = parts.iter().filter(|part| part.len() < SIZES[0]).count();
            assert!(small <= 4 * 3, "{rows}: {small} small statements");
        }
    }
}
