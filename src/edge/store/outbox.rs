//! The outbox: notices wait here until the mail server has them.

use super::bulk::{Insert, Taken};
use super::commit::Size;
use super::ids::take_ids;
use super::prepare::{Line, Write};
use super::record::{self, Record, numbered};
use super::sharing::{self, Shared};
use super::{Result, Store, StoreError, Stored};
use crate::model::notice::{NewNotice, Notice, NoticeState};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, QueryResult, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The advisory lock of whoever leases, on PostgreSQL.
const LEASING: i64 = 0x006e_6f63_7475_6c65;
/// Most notices that come along with those that were asked for.
const COMPANIONS_MAX: u64 = 2_000;

/// A notice as text, before it has its number.
pub(super) struct Entry {
    pub key: String,
    client: Option<String>,
    at: DateTime<Utc>,
    body: Box<RawValue>,
    pub shared: Option<Shared>,
}

impl Entry {
    pub(super) fn new(notice: &NewNotice) -> Result<Entry> {
        let corrupt = |source| StoreError::Corrupt { table: Notice::TABLE, id: notice.key.clone(), source };
        let mut body = serde_json::to_string(notice).map_err(corrupt)?;
        let shared = sharing::share(&mut body);
        let body = RawValue::from_string(body).map_err(corrupt)?;
        Ok(Entry { key: notice.key.clone(), client: notice.client.clone(), at: notice.at, body, shared })
    }

    /// The row that [`Notice`] itself would be.
    fn row(&self, id: i64) -> Result<Vec<Value>> {
        #[derive(Serialize)]
        struct Numbered<'a> {
            id: i64,
            body: &'a RawValue,
            state: NoticeState,
            attempts: u32,
        }
        let state = NoticeState::Pending { next_at: self.at };
        let notice = Numbered { id, body: &self.body, state, attempts: 0 };
        let id = numbered(id);
        let body = serde_json::to_string(&notice).map_err(|source| StoreError::Corrupt {
            table: Notice::TABLE,
            id: id.clone(),
            source,
        })?;
        let client = self.client.as_deref().unwrap_or("").into();
        let at = self.at.timestamp_millis();
        let values = vec![self.key.as_str().into(), client, "pending".into(), at.into(), at.into()];
        Ok(record::row(id, 1, body, values))
    }
}

/// Adds notices in order; one whose key is already there is left as it is.
pub(super) async fn insert(tx: &DatabaseTransaction, notices: &[&Entry]) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let first = take_ids(tx, "notice", i64::try_from(notices.len()).unwrap_or(i64::MAX)).await?;
    let rows: Vec<_> = notices.iter().zip(first..).map(|(notice, id)| notice.row(id)).collect::<Result<_>>()?;
    let columns = record::columns(Notice::COLUMNS);
    let insert = Insert { table: Notice::TABLE, columns: &columns, taken: Taken::StaysOutFor("notice_key") };
    Ok(insert.run(tx, rows.into_iter()).await?)
}

/// Reads notices from their rows, with the manifests that these only name.
pub(super) async fn read_notices(db: &impl ConnectionTrait, rows: &[QueryResult]) -> Result<Vec<Stored<Notice>>> {
    let mut bodies = rows.iter().map(|row| row.try_get("", "body")).collect::<std::result::Result<Vec<String>, _>>()?;
    sharing::restore(db, &mut bodies).await?;
    rows.iter().zip(&bodies).map(|(row, body)| record::stored_as(row, body)).collect()
}

impl Store {
    /// Notices due at `now`, oldest first, leased until `lease_until` so that no other replica takes them; at most `limit`,
    /// and with them what else waits for the same clients, due or not: some of it may go in the same mail.
    pub async fn lease_notices(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Stored<Notice>>> {
        let mut select = due(now, limit);
        // An idle activation reads one index and takes no lock.
        if self.db.query_one(&select).await?.is_none() {
            return Ok(Vec::new());
        }
        let tx = self.begin(Size::Job).await?;
        let postgres = tx.get_database_backend() == DatabaseBackend::Postgres;
        if postgres {
            // One leases at a time, so that no two share one client's letters between them.
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LEASING})")).await?;
            select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let mut leased = read_notices(&tx, &tx.query_all(&select).await?).await?;
        let mut others = companions(&leased, now);
        if postgres {
            others.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let known: BTreeSet<i64> = leased.iter().map(|notice| notice.id).collect();
        leased.extend(
            read_notices(&tx, &tx.query_all(&others).await?).await?.into_iter().filter(|n| !known.contains(&n.id)),
        );
        leased.sort_by_key(|notice| notice.id);
        let mut lines = Vec::with_capacity(leased.len());
        for notice in &mut leased {
            notice.value.state = NoticeState::Pending { next_at: lease_until };
            lines.push(Line::new(notice, Write::Update)?);
            notice.rev += 1;
        }
        sharing::keep(&tx, lines.iter().filter_map(|line| line.shared.as_ref())).await?;
        let columns = record::columns(Notice::COLUMNS);
        let update = Insert { table: Notice::TABLE, columns: &columns, taken: Taken::Replaces(&["id"]) };
        update.run(&tx, lines.iter().map(Line::row)).await?;
        tx.commit().await?;
        Ok(leased)
    }

    /// One notice.
    pub async fn notice_by_id(&self, id: i64) -> Result<Option<Stored<Notice>>> {
        let select = Query::select()
            .columns(["id", "rev", "body"].map(Alias::new))
            .from(Alias::new(Notice::TABLE))
            .and_where(Expr::col(Alias::new("id")).eq(numbered(id)))
            .to_owned();
        Ok(read_notices(&self.db, &self.db.query_all(&select).await?).await?.into_iter().next())
    }

    /// The notice with this key.
    pub async fn notice(&self, key: &str) -> Result<Option<Stored<Notice>>> {
        let select = Query::select()
            .columns(["id", "rev", "body"].map(Alias::new))
            .from(Alias::new(Notice::TABLE))
            .and_where(Expr::col(Alias::new("notice_key")).eq(key))
            .to_owned();
        Ok(read_notices(&self.db, &self.db.query_all(&select).await?).await?.into_iter().next())
    }

    /// Whether a notice with this key was ever written.
    pub async fn has_notice(&self, key: &str) -> Result<bool> {
        let select = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new(Notice::TABLE))
            .and_where(Expr::col(Alias::new("notice_key")).eq(key))
            .to_owned();
        Ok(self.db.query_one(&select).await?.is_some())
    }

    /// Notices of a client, or of everybody, oldest first, the latest `limit` of them.
    pub async fn notices(&self, client: Option<&str>, limit: u64) -> Result<Vec<Stored<Notice>>> {
        let mut select = Query::select();
        select.columns(["id", "rev", "body"].map(Alias::new)).from(Alias::new(Notice::TABLE));
        if let Some(client) = client {
            select.and_where(Expr::col(Alias::new("client")).eq(client));
        }
        select.order_by(Alias::new("id"), Order::Desc).limit(limit);
        let mut notices = read_notices(&self.db, &self.db.query_all(&select).await?).await?;
        notices.reverse();
        Ok(notices)
    }
}

/// What else waits for the clients of `leased`; staff's letters keep no company.
fn companions(leased: &[Stored<Notice>], now: DateTime<Utc>) -> SelectStatement {
    let clients: BTreeSet<&str> = leased.iter().filter_map(|notice| notice.body.client.as_deref()).collect();
    let state = || Expr::col(Alias::new("state"));
    let is_due = Expr::col(Alias::new("next_at")).lte(now.timestamp_millis());
    Query::select()
        .columns(["id", "rev", "body"].map(Alias::new))
        .from(Alias::new(Notice::TABLE))
        .and_where(Expr::col(Alias::new("client")).is_in(clients))
        .and_where(state().eq("waiting").or(state().eq("pending").and(is_due)))
        .order_by(Alias::new("id"), Order::Asc)
        .limit(COMPANIONS_MAX)
        .to_owned()
}

fn due(now: DateTime<Utc>, limit: u64) -> SelectStatement {
    Query::select()
        .columns(["id", "rev", "body"].map(Alias::new))
        .from(Alias::new(Notice::TABLE))
        .and_where(Expr::col(Alias::new("state")).is_in(["pending", "waiting"]))
        .and_where(Expr::col(Alias::new("next_at")).lte(now.timestamp_millis()))
        .order_by(Alias::new("id"), Order::Asc)
        .limit(limit)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Line, Stored, Write};
    use crate::model::notice::{Letter, NewNotice, Notice, NoticeState};

    #[test]
    fn a_new_notice_is_written_as_the_notice_it_will_be() {
        let letter = Letter::Retracted {
            product: "isacompta".into(),
            version: "14.20.003".parse().unwrap(),
            reason: "« à-nouveaux » faux".into(),
            installed_on: vec!["martin-1".into()],
        };
        let at = "2026-04-29T20:00:00.5Z".parse().unwrap();
        for client in [Some("martin".to_owned()), None] {
            let body = NewNotice {
                key: "retracted/1".into(),
                at,
                client,
                server: None,
                deployment: Some(7),
                letter: letter.clone(),
            };
            let row = Entry::new(&body).unwrap().row(42).unwrap();
            let notice = Notice { id: 42, body, state: NoticeState::Pending { next_at: at }, attempts: 0, mail: None };
            let line = Line::new(&Stored::new(notice), Write::Insert).unwrap();
            assert_eq!(row, line.row());
        }
    }
}
