//! History: events appended to a chain of hashes, one chain per client.
//!
//! `hash = sha256(previous hash ‖ canonical JSON of the body)`. JSON here is canonical because objects are written
//! with sorted keys and without white space, and the bodies hold no floats. Each chain's end is a row of its own: writers
//! queue for it, and a history cut short no longer reaches it.
//!
//! Whoever can write the database can also forge a whole chain anew; that shows only against a hash kept elsewhere, as
//! in the exports staff make.

use super::{EventFilter, Result, Store, StoreError};
use crate::model::event::{Event, NewEvent};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockType, OnConflict, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryResult};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What the first event of a chain has as its predecessor's hash.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Most events one listing returns.
const EVENTS_MAX: u64 = 10_000;

/// The body as the hash sees it: keys sorted here, whatever order serde_json's own map is built to keep.
fn canonical(body: &NewEvent) -> std::result::Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(body)?;
    value.sort_all_objects();
    serde_json::to_string(&value)
}

pub(super) fn hash_of(prev: &str, body: &str) -> String {
    let mut sha = Sha256::new();
    sha.update(prev.as_bytes());
    sha.update(body.as_bytes());
    hex::encode(sha.finalize())
}

/// The end of one client's chain.
struct Head {
    seq: i64,
    hash: String,
}

/// Appends events in order, each to its client's chain. Writers of one chain go one after the other.
pub(super) async fn append(tx: &DatabaseTransaction, events: Vec<NewEvent>) -> Result<()> {
    let mut chains: BTreeMap<String, Vec<NewEvent>> = BTreeMap::new();
    for event in events {
        chains.entry(event.client.clone()).or_default().push(event);
    }
    // By name, in every process: two jobs that write to the same chains cannot wait for each other in a circle.
    for (client, events) in chains {
        let mut head = lock_head(tx, &client).await?;
        for event in events {
            head = append_one(tx, head, &event).await?;
        }
        let update = Query::update()
            .table(Alias::new("chain"))
            .value(Alias::new("seq"), head.seq)
            .value(Alias::new("hash"), head.hash)
            .and_where(Expr::col(Alias::new("client")).eq(client))
            .to_owned();
        tx.execute(&update).await?;
    }
    Ok(())
}

async fn append_one(tx: &DatabaseTransaction, head: Head, event: &NewEvent) -> Result<Head> {
    let seq = head.seq + 1;
    let id = format!("{}/{seq}", event.client);
    let body = canonical(event).map_err(|source| StoreError::Corrupt { table: "event", id: id.clone(), source })?;
    let hash = hash_of(&head.hash, &body);
    let columns = ["id", "client", "server", "prev", "hash", "seq", "deployment", "at", "body"].map(Alias::new);
    let insert = Query::insert()
        .into_table(Alias::new("event"))
        .columns(columns)
        .values_panic([
            id.clone().into(),
            event.client.as_str().into(),
            event.server.as_deref().unwrap_or("").into(),
            head.hash.into(),
            hash.as_str().into(),
            seq.into(),
            event.deployment.unwrap_or(0).into(),
            event.at.timestamp_millis().into(),
            body.into(),
        ])
        .to_owned();
    tx.execute(&insert).await.map_err(|error| StoreError::about(error, || format!("event {id}")))?;
    Ok(Head { seq, hash })
}

/// The chain's end; on PostgreSQL nobody else gets it until the transaction ends, SQLite has one writer anyway.
async fn lock_head(tx: &DatabaseTransaction, client: &str) -> Result<Head> {
    let mut select = heads();
    select.and_where(Expr::col(Alias::new("client")).eq(client));
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        select.lock(LockType::Update);
    }
    if let Some(row) = tx.query_one(&select).await? {
        return head(&row);
    }
    let begin = Query::insert()
        .into_table(Alias::new("chain"))
        .columns(["client", "seq", "hash"].map(Alias::new))
        .values_panic([client.into(), 0_i64.into(), GENESIS.into()])
        .on_conflict(OnConflict::column(Alias::new("client")).do_nothing().to_owned())
        .to_owned();
    tx.execute(&begin).await?;
    match tx.query_one(&select).await? {
        Some(row) => head(&row),
        None => Err(StoreError::Conflict { what: format!("history of {client}") }),
    }
}

fn heads() -> SelectStatement {
    Query::select().columns(["client", "seq", "hash"].map(Alias::new)).from(Alias::new("chain")).to_owned()
}

fn head(row: &QueryResult) -> Result<Head> {
    Ok(Head { seq: row.try_get("", "seq")?, hash: row.try_get("", "hash")? })
}

fn event(row: &QueryResult) -> Result<Event> {
    let body: String = row.try_get("", "body")?;
    let body = serde_json::from_str(&body).map_err(|source| StoreError::Corrupt {
        table: "event",
        id: row.try_get("", "id").unwrap_or_default(),
        source,
    })?;
    Ok(Event { seq: row.try_get("", "seq")?, prev: row.try_get("", "prev")?, hash: row.try_get("", "hash")?, body })
}

impl Store {
    /// Events in order of time, the latest `limit` of them, never more than 10 000: page with `until`.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<Event>> {
        let col = |name: &str| Expr::col(Alias::new(name.to_owned()));
        let mut select = Query::select();
        select.expr(Expr::cust("*")).from(Alias::new("event"));
        if let Some(client) = &filter.client {
            select.and_where(col("client").eq(client.as_str()));
        }
        if let Some(server) = &filter.server {
            select.and_where(col("server").eq(server.as_str()));
        }
        if let Some(deployment) = filter.deployment {
            select.and_where(col("deployment").eq(deployment));
        }
        if let Some(since) = filter.since {
            select.and_where(col("at").gte(since.timestamp_millis()));
        }
        if let Some(until) = filter.until {
            select.and_where(col("at").lt(until.timestamp_millis()));
        }
        select
            .order_by(Alias::new("at"), Order::Desc)
            .order_by(Alias::new("client"), Order::Desc)
            .order_by(Alias::new("seq"), Order::Desc)
            .limit(Ord::min(filter.limit.unwrap_or(EVENTS_MAX), EVENTS_MAX));
        let mut events = self.db.query_all(&select).await?.iter().map(event).collect::<Result<Vec<_>>>()?;
        events.reverse();
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::{GENESIS, canonical, hash_of};
    use crate::model::event::{EventKind, NewEvent};

    #[test]
    fn the_canonical_body_and_its_hash_never_change() {
        let at = "2026-04-29T20:00:00Z".parse().unwrap();
        let event =
            NewEvent::new(at, "martin", EventKind::Planned, "isacompta 14.20.003 is planned").server("martin-1");
        let body = canonical(&event).unwrap();
        assert_eq!(
            body,
            r#"{"at":"2026-04-29T20:00:00Z","client":"martin","kind":"planned","server":"martin-1","text":"isacompta 14.20.003 is planned"}"#
        );
        assert_eq!(hash_of(GENESIS, &body), "3b19018f1cb6e7716e01437a78aea873790b4445bcd31f93bec623e446af7dd2");
    }
}
