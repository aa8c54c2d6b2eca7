//! History: events appended to a chain of hashes, one chain per client.
//!
//! `hash = sha256(previous hash ‖ canonical JSON of the body)`. JSON here is canonical because objects are written
//! with sorted keys and without white space, and the bodies hold no floats. Each chain's end is a row of its own: writers
//! queue for it, and a history cut short no longer reaches it.
//!
//! What people are called and what they wrote is not in the bodies, but named by them ([`super::personal`]).
//!
//! Whoever can write the database can also forge a whole chain anew; that shows only against a hash kept elsewhere: a
//! [`crate::model::checkpoint`].

use super::bulk::{Insert, Taken, parts};
use super::personal::{self, Mention};
use super::{EventFilter, Result, Store, StoreError};
use crate::model::event::{Event, NewEvent};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LikeExpr, LockType, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryResult, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What the first event of a chain has as its predecessor's hash.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Most events one listing returns.
const EVENTS_MAX: u64 = 10_000;

/// One event as text, without a place in its chain yet.
pub(super) struct Entry {
    client: String,
    server: String,
    deployment: i64,
    /// Milliseconds.
    at: i64,
    /// Canonical, which is what is hashed.
    body: String,
    /// What the body only names.
    mentions: Vec<Mention>,
}

impl Entry {
    pub(super) fn new(event: &NewEvent) -> Result<Entry> {
        let corrupt = |source| StoreError::Corrupt { table: "event", id: format!("{}/new", event.client), source };
        let (without, mentions) = personal::take_out(event)?.unzip();
        Ok(Entry {
            client: event.client.clone(),
            server: event.server.clone().unwrap_or_default(),
            deployment: event.deployment.unwrap_or(0),
            at: event.at.timestamp_millis(),
            body: canonical(without.as_ref().unwrap_or(event)).map_err(corrupt)?,
            mentions: mentions.unwrap_or_default(),
        })
    }
}

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
#[derive(Clone)]
struct Head {
    seq: i64,
    hash: String,
}

const HEAD_COLUMNS: [&str; 3] = ["client", "seq", "hash"];
const EVENT_COLUMNS: [&str; 9] = ["id", "client", "server", "prev", "hash", "seq", "deployment", "at", "body"];

/// Appends events in order, each to its client's chain. Writers of one chain go one after the other.
pub(super) async fn append<'a>(tx: &DatabaseTransaction, events: impl Iterator<Item = &'a Entry> + Send) -> Result<()> {
    let mut chains: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for event in events {
        chains.entry(&event.client).or_default().push(event);
    }
    if chains.is_empty() {
        return Ok(());
    }
    let clients: Vec<&str> = chains.keys().copied().collect();
    let mut heads = lock_heads(tx, &clients).await?;
    personal::keep(tx, chains.values().flatten().flat_map(|event| &event.mentions)).await?;
    let events =
        chains.values().enumerate().flat_map(|(chain, events)| events.iter().map(move |event| (chain, *event)));
    let events: Vec<(usize, &Entry)> = events.collect();
    let what = || match clients.as_slice() {
        [client] => format!("history of {client}"),
        several => format!("history of {} clients", several.len()),
    };
    let rows = events.iter().map(|(chain, event)| place(&mut heads[*chain], event));
    let insert = Insert { table: "event", columns: &EVENT_COLUMNS, taken: Taken::Fails };
    insert.run(tx, rows).await.map_err(|error| StoreError::about(error, what))?;
    let ends = clients.iter().zip(heads);
    let rows = ends.map(|(client, head)| vec![(*client).into(), head.seq.into(), head.hash.into()]);
    let chain = Insert { table: "chain", columns: &HEAD_COLUMNS, taken: Taken::Replaces(&["client"]) };
    Ok(chain.run(tx, rows).await?)
}

/// The event as the next row of its chain, whose end it becomes.
fn place(head: &mut Head, event: &Entry) -> Vec<Value> {
    let seq = head.seq + 1;
    let hash = hash_of(&head.hash, &event.body);
    let prev = std::mem::replace(head, Head { seq, hash: hash.clone() }).hash;
    vec![
        format!("{}/{seq}", event.client).into(),
        event.client.as_str().into(),
        event.server.as_str().into(),
        prev.into(),
        hash.into(),
        seq.into(),
        event.deployment.into(),
        event.at.into(),
        event.body.as_str().into(),
    ]
}

/// The ends of these chains, which are in order of their names; chains without one get it.
///
/// On PostgreSQL nobody else gets these ends until the transaction is over; SQLite has one writer anyway. All of them
/// are made before any is locked, and both in order of names in every process, so that no two wait in a circle.
async fn lock_heads(tx: &DatabaseTransaction, clients: &[&str]) -> Result<Vec<Head>> {
    let mut known = read_heads(tx, clients, false).await?;
    let new: Vec<&str> = clients.iter().copied().filter(|client| !known.contains_key(*client)).collect();
    let rows = new.iter().map(|client| vec![(*client).into(), 0_i64.into(), GENESIS.into()]);
    let begin = Insert { table: "chain", columns: &HEAD_COLUMNS, taken: Taken::StaysOutFor("client") };
    begin.run(tx, rows).await?;
    let postgres = tx.get_database_backend() == DatabaseBackend::Postgres;
    if postgres || !new.is_empty() {
        known = read_heads(tx, clients, postgres).await?;
    }
    let head = |client: &&str| {
        known.remove(*client).ok_or_else(|| StoreError::Conflict { what: format!("history of {client}") })
    };
    clients.iter().map(head).collect()
}

async fn read_heads(tx: &DatabaseTransaction, clients: &[&str], lock: bool) -> Result<BTreeMap<String, Head>> {
    let mut heads = BTreeMap::new();
    for part in parts(clients.len()) {
        let mut select = Query::select();
        select
            .columns(HEAD_COLUMNS.map(Alias::new))
            .from(Alias::new("chain"))
            .and_where(Expr::col(Alias::new("client")).is_in(clients[part].iter().copied()));
        if lock {
            select.order_by(Alias::new("client"), Order::Asc).lock(LockType::Update);
        }
        for row in tx.query_all(&select).await? {
            let head = Head { seq: row.try_get("", "seq")?, hash: row.try_get("", "hash")? };
            heads.insert(row.try_get("", "client")?, head);
        }
    }
    Ok(heads)
}

/// Reads events from their rows, with the words that these only name.
pub(super) async fn read(db: &impl ConnectionTrait, rows: &[QueryResult]) -> Result<Vec<Event>> {
    let mut events = rows.iter().map(event).collect::<Result<Vec<_>>>()?;
    personal::put_back(db, &mut events.iter_mut().map(|event| &mut event.body).collect::<Vec<_>>()).await?;
    Ok(events)
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
        if let Some(product) = &filter.product {
            select.and_where(is_about(product));
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
        let mut events = read(&self.db, &self.db.query_all(&select).await?).await?;
        events.reverse();
        Ok(events)
    }
}

/// Whether an event's body names this product, as [`super::review::is_of`] asks for its kind.
fn is_about(product: &str) -> Expr {
    let name = serde_json::to_string(product).expect("a text is written as JSON");
    let pattern = format!("%\"product\":{}%", name.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    Expr::col(Alias::new("body")).like(LikeExpr::new(pattern).escape('\\'))
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
