//! Many rows in one statement: what a database is asked once costs less than what it is asked a thousand times.
//!
//! Statements come in a few sizes, so that a connection prepares each text once however many rows there are. The
//! largest has room to spare under the databases' own limits (SQLite binds 32 766 values, PostgreSQL 65 535).

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};
use std::collections::BTreeSet;
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
    pub(super) async fn run(
        &self,
        tx: &DatabaseTransaction,
        rows: impl ExactSizeIterator<Item = Vec<Value>> + Send,
    ) -> Result<(), DbErr> {
        let mut statements = self.statements(tx.get_database_backend(), rows, None);
        let mut next = statements.next();
        while let Some(statement) = next {
            // The database works on one while the next is put together.
            let (done, following) = tokio::join!(tx.execute_raw(statement), async { statements.next() });
            done?;
            next = following;
        }
        Ok(())
    }

    /// Like [`Insert::run`], and returns `column` of every row that got in.
    pub(super) async fn returning(
        &self,
        tx: &DatabaseTransaction,
        rows: impl ExactSizeIterator<Item = Vec<Value>> + Send,
        column: &str,
    ) -> Result<BTreeSet<String>, DbErr> {
        let mut entered = BTreeSet::new();
        let mut statements = self.statements(tx.get_database_backend(), rows, Some(column));
        let mut next = statements.next();
        while let Some(statement) = next {
            let (done, following) = tokio::join!(tx.query_all_raw(statement), async { statements.next() });
            for row in done? {
                entered.insert(row.try_get_by_index(0)?);
            }
            next = following;
        }
        Ok(entered)
    }

    fn statements(
        &self,
        backend: DatabaseBackend,
        mut rows: impl ExactSizeIterator<Item = Vec<Value>>,
        returning: Option<&str>,
    ) -> impl Iterator<Item = Statement> {
        parts(rows.len()).map(move |part| {
            let sql = self.sql(backend, part.len(), returning);
            Statement::from_sql_and_values(backend, sql, rows.by_ref().take(part.len()).flatten())
        })
    }

    /// The text for `rows` rows. It is made by hand: a query builder takes longer over it than the database.
    fn sql(&self, backend: DatabaseBackend, rows: usize, returning: Option<&str>) -> String {
        let names = |columns: &[&str]| columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let mut sql = format!("INSERT INTO \"{}\" ({}) VALUES ", self.table, names(self.columns));
        sql.reserve(rows * (self.columns.len() * 8 + 4));
        let mut place = 0;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { "), (" });
            for column in 0..self.columns.len() {
                if column > 0 {
                    sql.push_str(", ");
                }
                place += 1;
                match backend {
                    // SQLite looks a numbered place up by its name, in a list of all of them.
                    DatabaseBackend::Sqlite => sql.push('?'),
                    _ => {
                        sql.push('$');
                        sql.push_str(&place.to_string());
                    }
                }
            }
        }
        sql.push(')');
        match self.taken {
            Taken::Fails => {}
            Taken::StaysOut => sql.push_str(" ON CONFLICT DO NOTHING"),
            Taken::StaysOutFor(column) => sql.push_str(&format!(" ON CONFLICT (\"{column}\") DO NOTHING")),
            Taken::Replaces(key) => {
                let others = self.columns.iter().filter(|column| !key.contains(column));
                let set: Vec<String> = others.map(|column| format!("\"{column}\" = excluded.\"{column}\"")).collect();
                sql.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", names(key), set.join(", ")));
            }
        }
        if let Some(column) = returning {
            sql.push_str(&format!(" RETURNING \"{column}\""));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::{Insert, SIZES, Taken, parts};
    use sea_orm::DatabaseBackend;

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

    #[test]
    fn each_database_gets_its_text() {
        let insert = |taken| Insert { table: "seen", columns: &["id", "at"], taken };
        let text = |taken, rows| insert(taken).sql(DatabaseBackend::Postgres, rows, None);
        let begin = r#"INSERT INTO "seen" ("id", "at") VALUES"#;
        assert_eq!(text(Taken::Fails, 2), format!("{begin} ($1, $2), ($3, $4)"));
        assert_eq!(text(Taken::StaysOut, 1), format!("{begin} ($1, $2) ON CONFLICT DO NOTHING"));
        assert_eq!(
            text(Taken::Replaces(&["id"]), 1),
            format!(r#"{begin} ($1, $2) ON CONFLICT ("id") DO UPDATE SET "at" = excluded."at""#)
        );
        assert_eq!(
            insert(Taken::StaysOutFor("id")).sql(DatabaseBackend::Sqlite, 2, Some("id")),
            format!(r#"{begin} (?, ?), (?, ?) ON CONFLICT ("id") DO NOTHING RETURNING "id""#)
        );
    }
}
