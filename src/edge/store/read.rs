//! Reading: every listing is ordered, so that what prints it prints the same twice.

use super::bulk::{Insert, Taken, parts};
use super::commit::Size;
use super::record::{Record, numbered, stored};
use super::{Enrolment, FeedFile, Result, Store, Stored, Token};
use crate::model::agreement::Agreement;
use crate::model::alert::Alert;
use crate::model::deployment::Deployment;
use crate::model::feed::Feed;
use crate::model::fleet::Client;
use crate::model::hold::{Hold, Resumption};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::standing::Standing;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, QueryResult};
use std::collections::BTreeMap;
use tokio::task::spawn_blocking;

/// Written out, as the indexes over what is open have it: a bound value would hide them from the databases.
pub(super) const OPEN_DEPLOYMENT: &str = "state IN ('planned', 'running')";
const OPEN_ALERT: &str = "state <> 'resolved'";
/// Rows whose bodies one thread reads before another is asked to help.
const ROWS_AT_ONCE: usize = 500;

fn select_from(table: &str) -> SelectStatement {
    Query::select()
        .columns(["id", "rev", "body"].map(Alias::new))
        .from(Alias::new(table))
        .order_by(Alias::new("id"), Order::Asc)
        .to_owned()
}

pub(super) fn column(name: &str) -> Expr {
    Expr::col(Alias::new(name))
}

/// Reads many rows: on this thread when they are few, else on those for work that takes its time.
pub(super) async fn all_stored<T: Record>(mut rows: Vec<QueryResult>) -> Result<Vec<Stored<T>>> {
    if rows.len() <= ROWS_AT_ONCE {
        return rows.iter().map(stored).collect();
    }
    let mut all = Vec::with_capacity(rows.len());
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let later = rows.split_off(ROWS_AT_ONCE.min(rows.len()));
        let part = std::mem::replace(&mut rows, later);
        parts.push(spawn_blocking(move || part.iter().map(stored).collect::<Result<Vec<Stored<T>>>>()));
    }
    for part in parts {
        all.extend(part.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?);
    }
    Ok(all)
}

impl Store {
    pub(super) async fn list<T: Record>(&self, condition: Condition) -> Result<Vec<Stored<T>>> {
        let select = select_from(T::TABLE).cond_where(condition).to_owned();
        all_stored(self.db.query_all(&select).await?).await
    }

    /// Rows that an index of their own holds, by id. The order is made here: asked for it, SQLite walks the whole table in
    /// that order instead of the index.
    pub(super) async fn list_few<T: Record>(&self, condition: Condition) -> Result<Vec<Stored<T>>> {
        let select = select_from(T::TABLE).cond_where(condition).clear_order_by().to_owned();
        let mut all = all_stored(self.db.query_all(&select).await?).await?;
        all.sort_by_cached_key(|row: &Stored<T>| row.value.id());
        Ok(all)
    }

    async fn get<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>> {
        let select = select_from(T::TABLE).and_where(column("id").eq(id)).to_owned();
        self.db.query_one(&select).await?.as_ref().map(stored).transpose()
    }

    /// Every client, by id.
    pub async fn clients(&self) -> Result<Vec<Stored<Client>>> {
        self.list(Condition::all()).await
    }

    /// One client, with its servers.
    pub async fn client(&self, id: &str) -> Result<Option<Stored<Client>>> {
        self.get(id).await
    }

    /// The client whose fleet has the server.
    pub async fn client_of_server(&self, server: &str) -> Result<Option<Stored<Client>>> {
        let client = Query::select()
            .column(Alias::new("client"))
            .from(Alias::new("server"))
            .and_where(column("id").eq(server))
            .to_owned();
        Ok(self.list(Condition::all().add(column("id").in_subquery(client))).await?.into_iter().next())
    }

    /// What a server's agent last reported.
    pub async fn state(&self, server: &str) -> Result<Option<Stored<(String, ServerState)>>> {
        self.get(server).await
    }

    /// What every server's agent last reported, by server.
    pub async fn states(&self) -> Result<Vec<Stored<(String, ServerState)>>> {
        self.list(Condition::all()).await
    }

    /// Every release, retracted ones too.
    pub async fn releases(&self) -> Result<Vec<Stored<Release>>> {
        self.list(Condition::all()).await
    }

    /// The release of `product` whose version equals `version`, however it is written.
    pub async fn release(&self, product: &str, version: &Version) -> Result<Option<Stored<Release>>> {
        let all: Vec<Stored<Release>> = self.list(Condition::all().add(column("product").eq(product))).await?;
        Ok(all.into_iter().find(|r| r.version() == version))
    }

    /// One deployment.
    pub async fn deployment(&self, id: i64) -> Result<Option<Stored<Deployment>>> {
        self.get(&numbered(id)).await
    }

    /// The open (planned or running) deployments of one server: one indexed read, for idle polls.
    pub async fn open_deployments(&self, server: &str) -> Result<Vec<Stored<Deployment>>> {
        self.list_few(Condition::all().add(column("server").eq(server)).add(Expr::cust(OPEN_DEPLOYMENT))).await
    }

    /// The requests of a client, or of everybody, by id.
    pub async fn requests(&self, client: Option<&str>) -> Result<Vec<Stored<Request>>> {
        self.list(Condition::all().add_option(client.map(|c| column("client").eq(c)))).await
    }

    /// One request.
    pub async fn request(&self, id: i64) -> Result<Option<Stored<Request>>> {
        self.get(&numbered(id)).await
    }

    /// Every agreement, by id.
    pub async fn agreements(&self) -> Result<Vec<Stored<Agreement>>> {
        self.list(Condition::all()).await
    }

    /// Holds by id: those that hold at `active_at`, or every one there was.
    pub async fn holds(&self, active_at: Option<DateTime<Utc>>) -> Result<Vec<Stored<Hold>>> {
        // A hold may end within the millisecond that its column was cut to.
        let ends = active_at.map(|at| column("ends_at").gte(at.timestamp_millis()));
        let mut holds: Vec<Stored<Hold>> = self.list(Condition::all().add_option(ends)).await?;
        holds.retain(|hold| active_at.is_none_or(|at| hold.is_active(at)));
        Ok(holds)
    }

    /// One hold.
    pub async fn hold(&self, id: i64) -> Result<Option<Stored<Hold>>> {
        self.get(&numbered(id)).await
    }

    /// Every resumption of a release, by id.
    pub async fn resumptions(&self) -> Result<Vec<Stored<Resumption>>> {
        self.list(Condition::all()).await
    }

    /// Alerts that are not resolved, or all.
    pub async fn alerts(&self, all: bool) -> Result<Vec<Stored<Alert>>> {
        match all {
            true => self.list(Condition::all()).await,
            false => self.list_few(Condition::all().add(Expr::cust(OPEN_ALERT))).await,
        }
    }

    /// One alert.
    pub async fn alert(&self, id: i64) -> Result<Option<Stored<Alert>>> {
        self.get(&numbered(id)).await
    }

    /// The alert about `cause` that is not resolved.
    pub async fn open_alert(&self, cause: &str) -> Result<Option<Stored<Alert>>> {
        let open = Condition::all().add(column("cause").eq(cause)).add(Expr::cust(OPEN_ALERT));
        Ok(self.list(open).await?.into_iter().next())
    }

    /// Whether there ever was an alert about `cause`, resolved or not.
    pub async fn was_raised(&self, cause: &str) -> Result<bool> {
        let select = select_from(Alert::TABLE).and_where(column("cause").eq(cause)).limit(1).to_owned();
        Ok(self.db.query_one(&select).await?.is_some())
    }

    /// The alerts about any of `causes` that are not resolved, by cause: one indexed read for many.
    pub async fn open_alerts_by_cause(&self, causes: &[String]) -> Result<BTreeMap<String, Stored<Alert>>> {
        let mut open = BTreeMap::new();
        for part in parts(causes.len()) {
            let about = column("cause").is_in(causes[part].iter().map(String::as_str));
            let found: Vec<Stored<Alert>> =
                self.list_few(Condition::all().add(about).add(Expr::cust(OPEN_ALERT))).await?;
            open.extend(found.into_iter().map(|alert| (alert.cause.clone(), alert)));
        }
        Ok(open)
    }

    /// What was last decided for one server.
    pub async fn standing(&self, server: &str) -> Result<Option<Stored<Standing>>> {
        self.get(server).await
    }

    /// What was last decided for every server, by server.
    pub async fn standings(&self) -> Result<Vec<Stored<Standing>>> {
        self.list(Condition::all()).await
    }

    /// How a publisher's feed is doing.
    pub async fn feed(&self, publisher: &str) -> Result<Option<Stored<Feed>>> {
        self.get(publisher).await
    }

    /// One file of a publisher's mirrored repository.
    pub async fn feed_file(&self, publisher: &str, name: &str) -> Result<Option<Vec<u8>>> {
        let select = Query::select()
            .column(Alias::new("bytes"))
            .from(Alias::new("feed_file"))
            .and_where(column("publisher").eq(publisher))
            .and_where(column("name").eq(name))
            .to_owned();
        Ok(self.db.query_one(&select).await?.map(|row| row.try_get("", "bytes")).transpose()?)
    }

    /// Names and bytes of a publisher's mirrored files whose name starts with `prefix`.
    pub async fn feed_files(&self, publisher: &str, prefix: &str) -> Result<Vec<FeedFile>> {
        let select = Query::select()
            .columns(["name", "bytes"].map(Alias::new))
            .from(Alias::new("feed_file"))
            .and_where(column("publisher").eq(publisher))
            .and_where(column("name").gte(prefix))
            .and_where(column("name").lt(format!("{prefix}{}", char::MAX)))
            .order_by(Alias::new("name"), Order::Asc)
            .to_owned();
        let rows = self.db.query_all(&select).await?;
        let file = |row: &QueryResult| {
            Ok(FeedFile {
                publisher: publisher.to_owned(),
                name: row.try_get("", "name")?,
                bytes: row.try_get("", "bytes")?,
            })
        };
        rows.iter().map(file).collect()
    }

    /// The bearer whose secret has this sha256.
    pub async fn token(&self, hash: &str) -> Result<Option<Stored<Token>>> {
        self.get(hash).await
    }

    /// Every token, revoked ones too.
    pub async fn tokens(&self) -> Result<Vec<Stored<Token>>> {
        self.list(Condition::all()).await
    }

    /// The enrolment code that has this sha256.
    pub async fn enrolment(&self, hash: &str) -> Result<Option<Stored<Enrolment>>> {
        self.get(hash).await
    }

    /// Records that these servers were heard from; batched, without events. Server id → instant.
    pub async fn seen(&self, servers: &BTreeMap<String, DateTime<Utc>>) -> Result<()> {
        if servers.is_empty() {
            return Ok(());
        }
        let tx = self.begin(Size::Job).await?;
        let rows = servers.iter().map(|(server, at)| vec![server.as_str().into(), at.timestamp_millis().into()]);
        let upsert = Insert { table: "seen", columns: &["id", "at"], taken: Taken::Replaces(&["id"]) };
        upsert.run(&tx, rows).await?;
        Ok(tx.commit().await?)
    }

    /// When each server was last heard from.
    pub async fn last_seen(&self) -> Result<BTreeMap<String, DateTime<Utc>>> {
        let select = Query::select().columns(["id", "at"].map(Alias::new)).from(Alias::new("seen")).to_owned();
        let mut seen = BTreeMap::new();
        for row in self.db.query_all(&select).await? {
            let at: i64 = row.try_get("", "at")?;
            if let Some(at) = DateTime::from_timestamp_millis(at) {
                seen.insert(row.try_get("", "id")?, at);
            }
        }
        Ok(seen)
    }
}
