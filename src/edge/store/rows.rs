//! Rows of nouns: written if their revision still stands and what they are about is free, else named.

use super::bulk::{Insert, Taken, parts};
use super::prepare::{Line, Prepared, Write};
use super::{Result, StoreError, record};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockType, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one table that may be written together, each with the place of its job.
#[derive(Default)]
struct Group<'a> {
    /// By id.
    known: BTreeMap<&'a str, (usize, &'a Line)>,
    /// By what only one may be about, then id.
    new: BTreeMap<(&'a str, &'a str), (usize, &'a Line)>,
}

/// Writes the rows of jobs that touch nothing in common. Returns the jobs that met a conflict, with the first of theirs.
///
/// # Errors
/// [`StoreError::Conflict`] when a statement runs into an index and does not say for which job.
pub(super) async fn write(tx: &DatabaseTransaction, jobs: &[(usize, Prepared)]) -> Result<BTreeMap<usize, StoreError>> {
    let mut groups: BTreeMap<(usize, &str), Group> = BTreeMap::new();
    for (place, job) in jobs {
        for line in &job.lines {
            let group = groups.entry((line.step, line.table)).or_default();
            match line.write {
                Write::Insert => {
                    group.new.insert((line.about.as_deref().unwrap_or(""), &line.id), (*place, line));
                }
                Write::Update | Write::Remove => {
                    group.known.insert(&line.id, (*place, line));
                }
            }
        }
    }
    let mut refused = BTreeMap::new();
    for ((_, table), mut group) in groups {
        // What follows a row that could not be written has nothing to say.
        group.known.retain(|_, (place, _)| !refused.contains_key(place));
        group.new.retain(|_, (place, _)| !refused.contains_key(place));
        change(tx, table, group.known.into_values().collect(), &mut refused).await?;
        insert(tx, table, group.new.into_values().collect(), &mut refused).await?;
    }
    for (_, job) in jobs {
        for file in &job.files {
            let columns = ["publisher", "name", "bytes"];
            let taken = Taken::Replaces(&["publisher", "name"]);
            let row = vec![file.publisher.as_str().into(), file.name.as_str().into(), file.bytes.clone().into()];
            Insert { table: "feed_file", columns: &columns, taken }.run(tx, vec![row]).await?;
        }
    }
    Ok(refused)
}

fn conflict(line: &Line) -> StoreError {
    StoreError::Conflict { what: format!("{} {}", line.table, line.id) }
}

/// Updates and removes rows that are there, in the order of their ids.
async fn change(
    tx: &DatabaseTransaction,
    table: &str,
    mut lines: Vec<(usize, &Line)>,
    refused: &mut BTreeMap<usize, StoreError>,
) -> Result<()> {
    let revs = lock(tx, table, &lines).await?;
    lines.retain(|(place, line)| {
        let stands = revs.get(&line.id) == Some(&line.rev);
        if !stands {
            refused.entry(*place).or_insert_with(|| conflict(line));
        }
        stands
    });
    let (removed, updated): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, line)| line.write == Write::Remove);
    for part in parts(removed.len()) {
        let ids = removed[part].iter().map(|(_, line)| line.id.as_str());
        let delete =
            Query::delete().from_table(Alias::new(table)).and_where(Expr::col(Alias::new("id")).is_in(ids)).to_owned();
        tx.execute(&delete).await?;
    }
    // Their rows are there and locked: only their places are taken.
    if let [(_, first), ..] = updated.as_slice() {
        let what = || match updated.as_slice() {
            [(_, line)] => format!("{table} {}", line.id),
            several => format!("one of {} rows of {table}", several.len()),
        };
        let columns = record::columns(first.columns);
        let update = Insert { table, columns: &columns, taken: Taken::Replaces(&["id"]) };
        let rows = updated.iter().map(|(_, line)| values(line, line.rev + 1)).collect();
        update.run(tx, rows).await.map_err(|error| StoreError::about(error, what))?;
    }
    Ok(())
}

/// The revisions that these rows have now; on PostgreSQL they keep them until the transaction is over.
async fn lock(tx: &DatabaseTransaction, table: &str, lines: &[(usize, &Line)]) -> Result<BTreeMap<String, i64>> {
    let mut revs = BTreeMap::new();
    for part in parts(lines.len()) {
        let ids = lines[part].iter().map(|(_, line)| line.id.as_str());
        let mut select = Query::select();
        select
            .columns(["id", "rev"].map(Alias::new))
            .from(Alias::new(table))
            .and_where(Expr::col(Alias::new("id")).is_in(ids));
        if tx.get_database_backend() == DatabaseBackend::Postgres {
            select.order_by(Alias::new("id"), Order::Asc).lock(LockType::Update);
        }
        for row in tx.query_all(&select).await? {
            revs.insert(row.try_get("", "id")?, row.try_get("", "rev")?);
        }
    }
    Ok(revs)
}

/// Inserts rows, in the order of what they are about: two writers cannot wait for each other's in a circle.
async fn insert(
    tx: &DatabaseTransaction,
    table: &str,
    lines: Vec<(usize, &Line)>,
    refused: &mut BTreeMap<usize, StoreError>,
) -> Result<()> {
    let Some((_, first)) = lines.first() else { return Ok(()) };
    let columns = record::columns(first.columns);
    let insert = Insert { table, columns: &columns, taken: Taken::StaysOut };
    let rows = lines.iter().map(|(_, line)| values(line, 1)).collect();
    let entered: BTreeSet<String> = insert.returning(tx, rows, "id").await?.into_iter().collect();
    for (place, line) in lines {
        if !entered.contains(&line.id) {
            refused.entry(place).or_insert_with(|| conflict(line));
        }
    }
    Ok(())
}

fn values(line: &Line, rev: i64) -> Vec<Value> {
    record::row(line.id.clone(), rev, line.body.clone(), line.values.clone())
}
