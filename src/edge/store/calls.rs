//! Calls of the webhook: they wait here, in the order in which they were written, until the receiver has them.
//!
//! Their numbers are given inside the transaction that writes them, so that they are in the order of the commits.

use super::bulk::{Insert, Taken};
use super::commit::Size;
use super::ids::take_ids;
use super::prepare::{Line, Write};
use super::read::column;
use super::record::{self, Record, numbered, stored};
use super::{Result, Store, Stored};
use crate::model::call::{Call, CallState, NewCall};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction};

/// The advisory lock of whoever leases, on PostgreSQL.
const LEASING: i64 = 0x006e_6f63_6361_6c6c;
/// No earlier call of the same alert waits: each alert is told in order.
const FIRST_OF_ITS_ALERT: &str = "NOT EXISTS (SELECT 1 FROM webhook_call earlier WHERE earlier.alert = webhook_call.alert \
     AND earlier.id < webhook_call.id AND earlier.state = 'pending')";

impl Record for Call {
    const TABLE: &'static str = "webhook_call";
    const COLUMNS: &'static [&'static str] = &["call_key", "alert", "state", "next_at"];
    fn id(&self) -> String {
        numbered(self.id)
    }
    /// Its instant is when it is tried, or was taken or given up.
    fn values(&self) -> Vec<sea_orm::Value> {
        let at = match self.state {
            CallState::Pending { next_at: at } | CallState::Taken { at } | CallState::GivenUp { at } => at,
        };
        vec![
            self.new.key.as_str().into(),
            self.new.alert.into(),
            self.state.name().into(),
            at.timestamp_millis().into(),
        ]
    }
    fn about(&self) -> Option<String> {
        Some(self.new.key.clone())
    }
}

/// What waits for the receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    pub waiting: i64,
    /// The first of them.
    pub oldest: Option<Stored<Call>>,
    pub given_up: i64,
    /// When any call was last taken.
    pub last_taken: Option<DateTime<Utc>>,
}

/// Adds calls in order; one whose key is already there is left as it is.
pub(super) async fn insert<'a>(tx: &DatabaseTransaction, calls: impl Iterator<Item = &'a NewCall>) -> Result<()> {
    let calls: Vec<&NewCall> = calls.collect();
    if calls.is_empty() {
        return Ok(());
    }
    let first = take_ids(tx, Call::TABLE, i64::try_from(calls.len()).unwrap_or(i64::MAX)).await?;
    let line = |(new, id): (&&NewCall, i64)| {
        let new = (*new).clone();
        let state = CallState::Pending { next_at: new.at };
        Line::new(&Stored::new(Call { id, offered_at: new.at, new, state, attempts: 0, error: None }), Write::Insert)
    };
    let lines: Vec<Line> = calls.iter().zip(first..).map(line).collect::<Result<_>>()?;
    let columns = record::columns(Call::COLUMNS);
    let insert = Insert { table: Call::TABLE, columns: &columns, taken: Taken::StaysOutFor("call_key") };
    Ok(insert.run(tx, lines.iter().map(Line::row)).await?)
}

fn select() -> SelectStatement {
    Query::select()
        .columns(["id", "rev", "body"].map(Alias::new))
        .from(Alias::new(Call::TABLE))
        .order_by(Alias::new("id"), Order::Asc)
        .to_owned()
}

fn due(now: DateTime<Utc>, limit: u64) -> SelectStatement {
    select()
        .and_where(column("state").eq("pending"))
        .and_where(column("next_at").lte(now.timestamp_millis()))
        .and_where(Expr::cust(FIRST_OF_ITS_ALERT))
        .limit(limit)
        .to_owned()
}

impl Store {
    /// Calls due at `now`, oldest first and at most one for each alert, leased until `lease_until` so that no other replica
    /// takes them; at most `limit`.
    pub async fn lease_calls(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Stored<Call>>> {
        let mut due = due(now, limit);
        // An idle activation takes no lock.
        if self.db.query_one(&due).await?.is_none() {
            return Ok(Vec::new());
        }
        let tx = self.begin(Size::Job).await?;
        if tx.get_database_backend() == DatabaseBackend::Postgres {
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LEASING})")).await?;
            due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let mut leased: Vec<Stored<Call>> = tx.query_all(&due).await?.iter().map(stored).collect::<Result<_>>()?;
        let mut lines = Vec::with_capacity(leased.len());
        for call in &mut leased {
            call.value.state = CallState::Pending { next_at: lease_until };
            lines.push(Line::new(call, Write::Update)?);
            call.rev += 1;
        }
        let columns = record::columns(Call::COLUMNS);
        let update = Insert { table: Call::TABLE, columns: &columns, taken: Taken::Replaces(&["id"]) };
        update.run(&tx, lines.iter().map(Line::row)).await?;
        tx.commit().await?;
        Ok(leased)
    }

    /// The calls in this state, oldest first, at most `limit`.
    pub async fn calls(&self, state: &str, limit: u64) -> Result<Vec<Stored<Call>>> {
        let select = select().and_where(column("state").eq(state)).limit(limit).to_owned();
        self.db.query_all(&select).await?.iter().map(stored).collect()
    }

    /// How the queue stands.
    pub async fn call_queue(&self) -> Result<Queue> {
        let mut queue = Queue { oldest: self.calls("pending", 1).await?.into_iter().next(), ..Queue::default() };
        let count = Query::select()
            .column(Alias::new("state"))
            .expr_as(Expr::col(Alias::new("id")).count(), Alias::new("calls"))
            .from(Alias::new(Call::TABLE))
            .cond_where(Condition::all().add(column("state").is_in(["pending", "given_up"])))
            .group_by_col(Alias::new("state"))
            .to_owned();
        for row in self.db.query_all(&count).await? {
            let (state, calls): (String, i64) = (row.try_get("", "state")?, row.try_get("", "calls")?);
            if state == "pending" { queue.waiting = calls } else { queue.given_up = calls }
        }
        let taken = Query::select()
            .column(Alias::new("next_at"))
            .from(Alias::new(Call::TABLE))
            .and_where(column("state").eq("taken"))
            .order_by(Alias::new("next_at"), Order::Desc)
            .limit(1)
            .to_owned();
        if let Some(row) = self.db.query_one(&taken).await? {
            queue.last_taken = DateTime::from_timestamp_millis(row.try_get("", "next_at")?);
        }
        Ok(queue)
    }
}
