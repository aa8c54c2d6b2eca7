//! The outbox: notices wait here until the mail server has them.

use super::commit::take_ids;
use super::record::{Record, numbered, stored};
use super::{Result, Store, StoreError, Stored};
use crate::model::notice::{NewNotice, Notice, NoticeState};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction};

/// Adds notices; one whose key is already there is left as it is.
pub(super) async fn insert(tx: &DatabaseTransaction, notices: Vec<NewNotice>) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let mut id = take_ids(tx, "notice", i64::try_from(notices.len()).unwrap_or(i64::MAX)).await?;
    for body in notices {
        let notice = Notice { id, state: NoticeState::Pending { next_at: body.at }, body, attempts: 0 };
        id += 1;
        let text = serde_json::to_string(&notice).map_err(|source| StoreError::Corrupt {
            table: Notice::TABLE,
            id: numbered(notice.id),
            source,
        })?;
        let columns = notice.columns();
        let names = ["id", "rev", "body"].into_iter().chain(columns.iter().map(|(name, _)| *name)).map(Alias::new);
        let values = [notice.id().into(), 1_i64.into(), text.into()]
            .into_iter()
            .chain(columns.iter().map(|(_, value)| Expr::value(value.clone())));
        let insert = Query::insert()
            .into_table(Alias::new(Notice::TABLE))
            .columns(names)
            .values_panic(values)
            .on_conflict(OnConflict::column(Alias::new("notice_key")).do_nothing().to_owned())
            .to_owned();
        tx.execute(&insert).await?;
    }
    Ok(())
}

impl Store {
    /// Pending notices due at `now`, oldest first, leased until `lease_until` so that no other replica takes them.
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
        let tx = self.begin().await?;
        if tx.get_database_backend() == DatabaseBackend::Postgres {
            select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let mut leased = Vec::new();
        for row in tx.query_all(&select).await? {
            let mut notice: Stored<Notice> = stored(&row)?;
            notice.value.state = NoticeState::Pending { next_at: lease_until };
            notice.rev += 1;
            let body = serde_json::to_string(&notice.value).map_err(|source| StoreError::Corrupt {
                table: Notice::TABLE,
                id: numbered(notice.id),
                source,
            })?;
            let update = Query::update()
                .table(Alias::new(Notice::TABLE))
                .value(Alias::new("rev"), notice.rev)
                .value(Alias::new("body"), body)
                .value(Alias::new("next_at"), lease_until.timestamp_millis())
                .and_where(Expr::col(Alias::new("id")).eq(notice.value.id()))
                .to_owned();
            tx.execute(&update).await?;
            leased.push(notice);
        }
        tx.commit().await?;
        Ok(leased)
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
        let mut notices = self.db.query_all(&select).await?.iter().map(stored).collect::<Result<Vec<_>>>()?;
        notices.reverse();
        Ok(notices)
    }
}

fn due(now: DateTime<Utc>, limit: u64) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .columns(["id", "rev", "body"].map(Alias::new))
        .from(Alias::new(Notice::TABLE))
        .and_where(Expr::col(Alias::new("state")).eq("pending"))
        .and_where(Expr::col(Alias::new("next_at")).lte(now.timestamp_millis()))
        .order_by(Alias::new("id"), Order::Asc)
        .limit(limit)
        .to_owned()
}
