//! Many rows in one statement: what a database is asked once costs less than what it is asked a thousand times.
//!
//! SQLite gets rows as places in the text. Such statements come in a few sizes, so that a connection prepares each text
//! once however many rows there are; the largest has room to spare under SQLite's own limit (32 766 values). PostgreSQL
//! gets each column as one array: there is one text for any number of rows, which it need not read and plan anew.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};
use std::collections::BTreeSet;
use std::ops::Range;

/// Rows of one statement. Ends with 1, so that any number of rows is a sum of them.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// Most rows whose columns are one statement's arrays: the database works on one while the next is put together.
const ARRAY_ROWS_MAX: usize = 512;
/// Most columns of one row; `SIZES[0]` times this stays below SQLite's limit.
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
        let mut left = rows.len();
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let size = match backend {
                DatabaseBackend::Postgres => left.min(ARRAY_ROWS_MAX),
                _ => *SIZES.iter().find(|size| **size <= left)?,
            };
            left -= size;
            let part: Vec<Vec<Value>> = rows.by_ref().take(size).collect();
            Some(self.statement(backend, part, returning))
        })
    }

    fn statement(&self, backend: DatabaseBackend, rows: Vec<Vec<Value>>, returning: Option<&str>) -> Statement {
        match (backend, array_types(&rows)) {
            (DatabaseBackend::Postgres, Some(types)) => {
                let sql = self.sql(self.as_arrays(&types), returning);
                Statement::from_sql_and_values(backend, sql, arrays(types, rows))
            }
            _ => {
                let sql = self.sql(self.as_places(backend, rows.len()), returning);
                Statement::from_sql_and_values(backend, sql, rows.into_iter().flatten())
            }
        }
    }

    /// The rows as places in the text. It is made by hand: a query builder takes longer over it than the database.
    fn as_places(&self, backend: DatabaseBackend, rows: usize) -> String {
        let mut sql = String::with_capacity(rows * (self.columns.len() * 8 + 4) + 8);
        sql.push_str("VALUES ");
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
        sql
    }

    /// The rows as one array for each column.
    fn as_arrays(&self, types: &[ArrayType]) -> String {
        let place = |(place, array): (usize, &ArrayType)| format!("${}::{}", place + 1, array_name(array));
        let places: Vec<String> = types.iter().enumerate().map(place).collect();
        format!("SELECT * FROM UNNEST({})", places.join(", "))
    }

    fn sql(&self, rows: String, returning: Option<&str>) -> String {
        let names = |columns: &[&str]| columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let mut sql = format!("INSERT INTO \"{}\" ({}) {rows}", self.table, names(self.columns));
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

/// The kinds of array that hold these rows' columns, where arrays can: no value is missing.
fn array_types(rows: &[Vec<Value>]) -> Option<Vec<ArrayType>> {
    let of = |value: &Value| match value {
        Value::String(Some(_)) => Some(ArrayType::String),
        Value::BigInt(Some(_)) => Some(ArrayType::BigInt),
        Value::Bytes(Some(_)) => Some(ArrayType::Bytes),
        _ => None,
    };
    let types: Vec<ArrayType> = rows.first()?.iter().map(of).collect::<Option<_>>()?;
    let fits = |row: &Vec<Value>| row.iter().map(of).eq(types.iter().cloned().map(Some));
    rows.iter().all(fits).then_some(types)
}

fn array_name(array: &ArrayType) -> &'static str {
    match array {
        ArrayType::BigInt => "int8[]",
        ArrayType::Bytes => "bytea[]",
        _ => "text[]",
    }
}

/// Rows turned into columns.
fn arrays(types: Vec<ArrayType>, rows: Vec<Vec<Value>>) -> Vec<Value> {
    let mut columns: Vec<Vec<Value>> = types.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    types.into_iter().zip(columns).map(|(array, column)| Value::Array(array, Some(Box::new(column)))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Insert, SIZES, Taken, parts};
    use sea_orm::{DatabaseBackend, Value};

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
        let text = |backend, taken, rows: &[(&str, i64)], returning| {
            let rows = rows.iter().map(|(id, at)| vec![Value::from(*id), Value::from(*at)]).collect();
            insert(taken).statement(backend, rows, returning).sql
        };
        let (postgres, sqlite) = (DatabaseBackend::Postgres, DatabaseBackend::Sqlite);
        let rows = [("a", 1), ("b", 2)];
        let arrays = r#"INSERT INTO "seen" ("id", "at") SELECT * FROM UNNEST($1::text[], $2::int8[])"#;
        assert_eq!(text(postgres, Taken::Fails, &rows, None), arrays);
        assert_eq!(text(postgres, Taken::StaysOut, &rows[..1], None), format!("{arrays} ON CONFLICT DO NOTHING"));
        assert_eq!(
            text(postgres, Taken::Replaces(&["id"]), &rows, None),
            format!(r#"{arrays} ON CONFLICT ("id") DO UPDATE SET "at" = excluded."at""#)
        );
        let places = r#"INSERT INTO "seen" ("id", "at") VALUES (?, ?), (?, ?)"#;
        assert_eq!(
            text(sqlite, Taken::StaysOutFor("id"), &rows, Some("id")),
            format!(r#"{places} ON CONFLICT ("id") DO NOTHING RETURNING "id""#)
        );
    }

    #[test]
    fn what_no_array_can_hold_is_written_row_by_row() {
        let insert = Insert { table: "seen", columns: &["id", "at"], taken: Taken::Fails };
        for (second, missing) in [(Value::BigInt(None), Value::from(1_i64)), (Value::from(1_i64), Value::BigInt(None))]
        {
            let rows = vec![vec!["a".into(), second], vec!["b".into(), missing]];
            let statement = insert.statement(DatabaseBackend::Postgres, rows, None);
            assert_eq!(statement.sql, r#"INSERT INTO "seen" ("id", "at") VALUES ($1, $2), ($3, $4)"#);
        }
    }

    #[test]
    fn every_row_is_in_one_statement_in_its_order() {
        let insert = Insert { table: "seen", columns: &["id", "at"], taken: Taken::Fails };
        for backend in [DatabaseBackend::Sqlite, DatabaseBackend::Postgres] {
            for n in [0, 1, 5, 511, 512, 513, 2_000_i64] {
                let rows: Vec<Vec<Value>> = (0..n).map(|at| vec![format!("{at}").into(), at.into()]).collect();
                let written: Vec<i64> = insert
                    .statements(backend, rows.into_iter(), None)
                    .flat_map(|statement| statement.values.unwrap().0)
                    .flat_map(|value| match value {
                        Value::Array(_, Some(column)) => *column,
                        one => vec![one],
                    })
                    .filter_map(|value| if let Value::BigInt(at) = value { at } else { None })
                    .collect();
                assert_eq!(written, (0..n).collect::<Vec<_>>(), "{backend:?} {n}");
            }
        }
    }
}
