//! Proof that the history is what was written: every chain walked from its first event to its end.

use super::chain::{GENESIS, hash_of};
use super::{Result, Store, personal};
use crate::model::checkpoint::{Checkpoint, Head};
use crate::model::event::NewEvent;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, QueryResult};
use std::collections::{BTreeMap, BTreeSet};

/// Events read at a time, so that a long history needs no more memory than a short one.
const PAGE: u64 = 1_000;

/// A place where the stored history is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBreak {
    pub client: String,
    /// The event at which it shows.
    pub seq: i64,
    pub what: String,
}

/// How far a walk has come.
#[derive(Default)]
struct Walk {
    client: String,
    seq: i64,
    hash: String,
    breaks: Vec<ChainBreak>,
    /// Events that name words which are not there as they were written, and the digests of these.
    altered: Vec<(i64, String)>,
    /// What later events say was erased.
    erased: BTreeSet<String>,
}

impl Store {
    /// Walks the chains of `client` (or of everybody) and names every row that was changed, removed or reordered.
    ///
    /// A chain is read in pages while others may append to it; what arrives during the walk is part of it or not.
    pub async fn verify_chain(&self, client: Option<&str>) -> Result<Vec<ChainBreak>> {
        // Names before ends: an event and its chain's end are written together, so a name seen has its end.
        let mut clients = BTreeSet::new();
        let named = Query::select().distinct().column(Alias::new("client")).from(Alias::new("event")).to_owned();
        for row in self.db.query_all(&named).await? {
            clients.insert(row.try_get("", "client")?);
        }
        let mut ends = self.heads().await?;
        clients.extend(ends.keys().cloned());
        let mut breaks = Vec::new();
        for one in clients.into_iter().filter(|one: &String| client.is_none_or(|client| client == one)) {
            // What is appended from here on only makes a chain longer.
            let end = ends.remove(&one);
            breaks.extend(self.walk(one, end).await?);
        }
        Ok(breaks)
    }

    /// The end of every chain, as it says itself; one query, so all of them at one moment.
    pub async fn heads(&self) -> Result<BTreeMap<String, Head>> {
        let ends =
            Query::select().columns(["client", "seq", "hash"].map(Alias::new)).from(Alias::new("chain")).to_owned();
        let mut heads = BTreeMap::new();
        for row in self.db.query_all(&ends).await? {
            let head = Head { seq: row.try_get("", "seq")?, hash: row.try_get("", "hash")? };
            heads.insert(row.try_get("", "client")?, head);
        }
        // A chain that was only begun has no end yet.
        heads.retain(|_, head| head.seq > 0);
        Ok(heads)
    }

    /// Where the chains of `client` (or of everybody) are not those that `checkpoint` saw the ends of.
    ///
    /// Together with [`Store::verify_chain`] it finds what that alone cannot: a whole chain forged anew, or cut short with
    /// its end. A checkpoint says nothing of what came after it.
    pub async fn verify_against(&self, checkpoint: &Checkpoint, client: Option<&str>) -> Result<Vec<ChainBreak>> {
        let mut breaks = Vec::new();
        let seen = checkpoint.heads.iter().filter(|(one, _)| client.is_none_or(|client| client == one.as_str()));
        for (client, head) in seen {
            let event = Query::select()
                .column(Alias::new("hash"))
                .from(Alias::new("event"))
                .and_where(Expr::col(Alias::new("client")).eq(client.as_str()))
                .and_where(Expr::col(Alias::new("seq")).eq(head.seq))
                .to_owned();
            let hash: Option<String> =
                self.db.query_one(&event).await?.map(|row| row.try_get("", "hash")).transpose()?;
            let of = checkpoint.at.format("%Y-%m-%dT%H:%M:%SZ");
            let what = match hash {
                Some(hash) if hash == head.hash => continue,
                Some(_) => format!("is not the event that the checkpoint of {of} saw"),
                None => format!("is missing; the checkpoint of {of} saw it"),
            };
            breaks.push(ChainBreak { client: client.clone(), seq: head.seq, what });
        }
        Ok(breaks)
    }

    async fn walk(&self, client: String, end: Option<Head>) -> Result<Vec<ChainBreak>> {
        let mut walk = Walk { client, seq: 0, hash: GENESIS.to_owned(), ..Walk::default() };
        let mut after = i64::MIN;
        loop {
            let page = Query::select()
                .expr(Expr::cust("*"))
                .from(Alias::new("event"))
                .and_where(Expr::col(Alias::new("client")).eq(walk.client.as_str()))
                .and_where(Expr::col(Alias::new("seq")).gt(after))
                .order_by(Alias::new("seq"), Order::Asc)
                .limit(PAGE)
                .to_owned();
            let rows = self.db.query_all(&page).await?;
            let mut named = Vec::new();
            for row in &rows {
                let event = walk.step(row)?;
                named.extend(event.iter().flat_map(|event| &event.mentions).map(|digest| (walk.seq, digest.clone())));
                walk.erased.extend(event.map(|event| event.erased).unwrap_or_default());
                if end.as_ref().is_some_and(|end| end.seq == walk.seq && end.hash != walk.hash) {
                    walk.found(walk.seq, "is not the event the chain ends with".to_owned());
                }
            }
            let digests: Vec<String> = named.iter().map(|(_, digest)| digest.clone()).collect();
            let words = personal::read(&self.db, &digests).await?;
            named.retain(|(_, digest)| !words.get(digest).is_some_and(|words| words.are(digest)));
            walk.altered.extend(named);
            match rows.last() {
                Some(last) => after = last.try_get("", "seq")?,
                None => break,
            }
        }
        match end {
            Some(Head { seq, .. }) if walk.seq < seq => walk.found(seq, missing(walk.seq + 1, seq)),
            // Appended since, by a commit that moved the end along; or added behind its back.
            Some(Head { seq, .. }) if walk.seq > seq && self.end_of(&walk.client).await? < walk.seq => {
                walk.found(walk.seq, "stands after the last event".to_owned());
            }
            Some(_) => {}
            None => walk.found(walk.seq, "nothing says that the chain ends here".to_owned()),
        }
        for (seq, digest) in std::mem::take(&mut walk.altered) {
            if !walk.erased.contains(&digest) {
                walk.found(
                    seq,
                    "a name or a text in it is not what was written, and no event says it was erased".to_owned(),
                );
            }
        }
        Ok(walk.breaks)
    }

    async fn end_of(&self, client: &str) -> Result<i64> {
        let end = Query::select()
            .column(Alias::new("seq"))
            .from(Alias::new("chain"))
            .and_where(Expr::col(Alias::new("client")).eq(client))
            .to_owned();
        Ok(self.db.query_one(&end).await?.map(|row| row.try_get("", "seq")).transpose()?.unwrap_or(0))
    }
}

impl Walk {
    /// Takes the next row, and returns its event where it is one.
    fn step(&mut self, row: &QueryResult) -> Result<Option<NewEvent>> {
        let seq: i64 = row.try_get("", "seq")?;
        let (prev, hash): (String, String) = (row.try_get("", "prev")?, row.try_get("", "hash")?);
        let body: String = row.try_get("", "body")?;
        if seq < self.seq + 1 {
            self.found(seq, "stands before the first event".to_owned());
        } else if seq > self.seq + 1 {
            self.found(seq, missing(self.seq + 1, seq - 1));
        } else if prev != self.hash {
            self.found(seq, "does not follow the event before it".to_owned());
        }
        let event = serde_json::from_str::<NewEvent>(&body).ok();
        if hash_of(&prev, &body) != hash {
            self.found(seq, "its content is not what was written".to_owned());
        } else if !is_filed_right(row, &self.client, event.as_ref())? {
            self.found(seq, "is filed under what it does not say".to_owned());
        }
        (self.seq, self.hash) = (seq, hash);
        Ok(event)
    }

    fn found(&mut self, seq: i64, what: String) {
        self.breaks.push(ChainBreak { client: self.client.clone(), seq, what });
    }
}

/// Whether the columns a listing filters by repeat the body: a row filed elsewhere would be as good as removed.
fn is_filed_right(row: &QueryResult, client: &str, event: Option<&NewEvent>) -> Result<bool> {
    let Some(event) = event else { return Ok(false) };
    let (server, deployment, at): (String, i64, i64) =
        (row.try_get("", "server")?, row.try_get("", "deployment")?, row.try_get("", "at")?);
    Ok(event.client == client
        && event.server.as_deref().unwrap_or("") == server
        && event.deployment.unwrap_or(0) == deployment
        && event.at.timestamp_millis() == at)
}

fn missing(first: i64, last: i64) -> String {
    if first == last { format!("event {first} is missing") } else { format!("events {first} to {last} are missing") }
}
