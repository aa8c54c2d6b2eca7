//! What a month's report reads: one client's alerts, letters and events, and no more of them than it needs.

use super::outbox::read_notices;
use super::read::column;
use super::{Result, Store, Stored, chain};
use crate::model::alert::Alert;
use crate::model::event::{Event, EventKind};
use crate::model::notice::Notice;
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, LikeExpr, Order, Query};

/// What is in the outbox and did not leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Waiting included.
    pub pending: i64,
    /// When the oldest of them was written.
    pub oldest_at: Option<DateTime<Utc>>,
    pub undelivered: i64,
}

/// Events read at a time.
const EVENTS_AT_ONCE: u64 = 5_000;
/// Keys one statement asks for.
const KEYS_AT_ONCE: usize = 256;

impl Store {
    /// The alerts about a client that were raised at or after `since`, and older ones that are not resolved, by id.
    pub async fn alerts_of(&self, client: &str, since: DateTime<Utc>) -> Result<Vec<Stored<Alert>>> {
        let recent = column("raised_at").gte(since.timestamp_millis()).or(column("state").ne("resolved"));
        self.list(Condition::all().add(column("client").eq(client)).add(recent)).await
    }

    /// The letters to a client that were written in `[since, until)`, oldest first.
    pub async fn notices_between(
        &self,
        client: &str,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Stored<Notice>>> {
        let select = Query::select()
            .columns(["id", "rev", "body"].map(Alias::new))
            .from(Alias::new("notice"))
            .and_where(column("client").eq(client))
            .and_where(column("written_at").gte(since.timestamp_millis()))
            .and_where(column("written_at").lt(until.timestamp_millis()))
            .order_by(Alias::new("id"), Order::Asc)
            .to_owned();
        read_notices(&self.db, &self.db.query_all(&select).await?).await
    }

    /// The letters with these keys, as far as they exist, oldest first.
    pub async fn notices_by_key(&self, keys: &[String]) -> Result<Vec<Stored<Notice>>> {
        let mut found = Vec::new();
        for part in keys.chunks(KEYS_AT_ONCE) {
            let select = Query::select()
                .columns(["id", "rev", "body"].map(Alias::new))
                .from(Alias::new("notice"))
                .and_where(column("notice_key").is_in(part.iter().map(String::as_str)))
                .to_owned();
            found.extend(read_notices(&self.db, &self.db.query_all(&select).await?).await?);
        }
        found.sort_by_key(|notice| notice.id);
        Ok(found)
    }

    /// How many letters wait and how many were given up: those to a client, or all.
    pub async fn outbox(&self, client: Option<&str>) -> Result<Outbox> {
        let mut outbox = Outbox::default();
        let mut select = Query::select();
        select
            .column(Alias::new("state"))
            .expr_as(Expr::cust("COUNT(*)"), Alias::new("letters"))
            .expr_as(Expr::cust("MIN(written_at)"), Alias::new("oldest"))
            .from(Alias::new("notice"))
            .and_where(column("state").is_in(["pending", "waiting", "undelivered"]))
            .add_group_by([column("state")]);
        if let Some(client) = client {
            select.and_where(column("client").eq(client));
        }
        for row in self.db.query_all(&select).await? {
            let (state, letters): (String, i64) = (row.try_get("", "state")?, row.try_get("", "letters")?);
            if state == "undelivered" {
                outbox.undelivered = letters;
                continue;
            }
            let oldest = DateTime::from_timestamp_millis(row.try_get("", "oldest")?);
            outbox.pending += letters;
            outbox.oldest_at = [outbox.oldest_at, oldest].into_iter().flatten().min();
        }
        Ok(outbox)
    }

    /// A chain's events of these kinds (all, when empty) at or after `since`, in the chain's order. Read in pages.
    pub async fn chain_events(
        &self,
        client: &str,
        kinds: &[EventKind],
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let mut select = Query::select();
            select
                .expr(Expr::cust("*"))
                .from(Alias::new("event"))
                .and_where(column("client").eq(client))
                .and_where(column("seq").gt(after))
                .order_by(Alias::new("seq"), Order::Asc)
                .limit(EVENTS_AT_ONCE);
            if let Some(since) = since {
                select.and_where(column("at").gte(since.timestamp_millis()));
            }
            if !kinds.is_empty() {
                let any = kinds.iter().fold(Condition::any(), |any, kind| any.add(is_of(*kind)));
                select.cond_where(any);
            }
            let rows = self.db.query_all(&select).await?;
            let page = chain::read(&self.db, &rows).await?;
            after = page.last().map_or(after, |event| event.seq);
            events.extend(page);
            if (rows.len() as u64) < EVENTS_AT_ONCE {
                return Ok(events);
            }
        }
    }
}

/// Whether an event's body names this kind. Inside a string of it, quotation marks would be written with a backslash.
pub(super) fn is_of(kind: EventKind) -> Expr {
    let name = serde_json::to_string(&kind).expect("a kind is written as its name");
    // In a pattern `_` stands for any character: written so, it stands for itself.
    let pattern = format!("%\"kind\":{}%", name.replace('_', "\\_"));
    column("body").like(LikeExpr::new(pattern).escape('\\'))
}
