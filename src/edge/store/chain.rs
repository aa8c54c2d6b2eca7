//! History: events appended to a chain of hashes, one chain per client.
//!
//! `hash = sha256(previous hash ‖ canonical JSON of the body)`. JSON here is canonical because objects are written
//! with sorted keys and without white space, and the bodies hold no floats.

use super::commit::locked;
use super::{EventFilter, Result, Store, StoreError};
use crate::model::event::{Event, NewEvent};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryResult, Statement};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What the first event of a chain has as its predecessor's hash.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Most events one listing returns.
const EVENTS_MAX: u64 = 10_000;

/// A place where the stored history is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBreak {
    pub client: String,
    pub seq: i64,
    pub what: String,
}

fn canonical(body: &NewEvent) -> std::result::Result<String, serde_json::Error> {
    // serde_json's map is ordered by key, so going through a value sorts every object.
    Ok(serde_json::to_value(body)?.to_string())
}

fn hash_of(prev: &str, body: &str) -> String {
    let mut sha = Sha256::new();
    sha.update(prev.as_bytes());
    sha.update(body.as_bytes());
    hex::encode(sha.finalize())
}

/// Appends events in order, each to its client's chain. Writers of one chain go one after the other.
pub(super) async fn append(tx: &DatabaseTransaction, events: Vec<NewEvent>) -> Result<()> {
    let mut heads: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for event in &events {
        if !heads.contains_key(&event.client) {
            let head = head(tx, &event.client).await?;
            heads.insert(event.client.clone(), head);
        }
    }
    for event in events {
        let Some((seq, prev)) = heads.get_mut(&event.client) else { continue };
        *seq += 1;
        let id = format!("{}/{seq}", event.client);
        let body =
            canonical(&event).map_err(|source| StoreError::Corrupt { table: "event", id: id.clone(), source })?;
        let hash = hash_of(prev, &body);
        let columns = ["id", "client", "server", "prev", "hash", "seq", "deployment", "at", "body"].map(Alias::new);
        let insert = Query::insert()
            .into_table(Alias::new("event"))
            .columns(columns)
            .values_panic([
                id.into(),
                event.client.as_str().into(),
                event.server.as_deref().unwrap_or("").into(),
                prev.as_str().into(),
                hash.as_str().into(),
                (*seq).into(),
                event.deployment.unwrap_or(0).into(),
                event.at.timestamp_millis().into(),
                body.into(),
            ])
            .to_owned();
        tx.execute(&insert).await.map_err(locked)?;
        *prev = hash;
    }
    Ok(())
}

/// The last event's place and hash; on PostgreSQL the chain stays locked until the transaction ends.
async fn head(tx: &DatabaseTransaction, client: &str) -> Result<(i64, String)> {
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let values = [format!("noctule/chain/{client}").into()];
        tx.execute_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, lock, values))
            .await
            .map_err(locked)?;
    }
    let last = Query::select()
        .columns([Alias::new("seq"), Alias::new("hash")])
        .from(Alias::new("event"))
        .and_where(Expr::col(Alias::new("client")).eq(client))
        .order_by(Alias::new("seq"), Order::Desc)
        .limit(1)
        .to_owned();
    match tx.query_one(&last).await? {
        Some(row) => Ok((row.try_get("", "seq")?, row.try_get("", "hash")?)),
        None => Ok((0, GENESIS.to_owned())),
    }
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
    /// Events in order of time, the latest `limit` of them.
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
            .limit(filter.limit.map_or(EVENTS_MAX, |limit| if limit < EVENTS_MAX { limit } else { EVENTS_MAX }));
        let mut events = self.db.query_all(&select).await?.iter().map(event).collect::<Result<Vec<_>>>()?;
        events.reverse();
        Ok(events)
    }

    /// Walks the chains of `client` (or of everybody) and names every row that was changed, removed or reordered.
    pub async fn verify_chain(&self, client: Option<&str>) -> Result<Vec<ChainBreak>> {
        let mut select = Query::select();
        select.expr(Expr::cust("*")).from(Alias::new("event"));
        if let Some(client) = client {
            select.and_where(Expr::col(Alias::new("client")).eq(client));
        }
        select.order_by(Alias::new("client"), Order::Asc).order_by(Alias::new("seq"), Order::Asc);
        let mut breaks = Vec::new();
        let mut at: Option<(String, i64, String)> = None;
        for row in self.db.query_all(&select).await? {
            let (client, seq): (String, i64) = (row.try_get("", "client")?, row.try_get("", "seq")?);
            let (prev, hash): (String, String) = (row.try_get("", "prev")?, row.try_get("", "hash")?);
            let body: String = row.try_get("", "body")?;
            let (expected_seq, expected_prev) = match &at {
                Some((same, last, hash)) if *same == client => (last + 1, hash.clone()),
                _ => (1, GENESIS.to_owned()),
            };
            let mut found = |what: String| breaks.push(ChainBreak { client: client.clone(), seq, what });
            if seq != expected_seq {
                found(format!("event {expected_seq} is missing"));
            } else if prev != expected_prev {
                found("does not follow the event before it".to_owned());
            }
            if hash_of(&prev, &body) != hash {
                found("its content is not what was written".to_owned());
            }
            at = Some((client, seq, hash));
        }
        Ok(breaks)
    }
}
