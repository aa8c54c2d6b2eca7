//! What planning reads of the whole fleet: what is open, and how attempts ended, without reading all history.
//!
//! Full rows are read only where their bodies are needed; the rest are columns that an index holds by itself
//! (`deployment_ended`, `deployment_failed`, `deployment_installed`, made by the second migration).

use super::bulk::parts;
use super::read::{OPEN_DEPLOYMENT, column};
use super::{Result, Store, StoreError, Stored};
use crate::model::agreement::Agreement;
use crate::model::deployment::Deployment;
use crate::model::release::ReleaseId;
use crate::model::request::Request;
use crate::model::version::Version;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};
use std::collections::BTreeMap;

/// An attempt that is over, in the words of the indexes. One that a server was not fit for says nothing of its release.
const ENDED: &str = "state IN ('installed', 'rolled_back', 'failed')";
const FAILED: &str = "state IN ('rolled_back', 'failed')";
/// An attempt of a server's that did not end well, whosever fault it was.
const MISSED: &str = "state IN ('rolled_back', 'failed', 'refused')";
/// Releases one statement asks for.
const RELEASES_AT_ONCE: usize = 50;

/// How an attempt ended that was handed out. A deployment that was cancelled before is no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttemptEnd {
    Installed,
    RolledBack,
    Failed,
}

/// One attempt that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    pub product: String,
    pub version: Version,
    pub server: String,
    pub end: AttemptEnd,
    /// To the millisecond, like `finished_at`.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: DateTime<Utc>,
}

/// How the attempts of one release ended, over the whole fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub installed: u64,
    pub rolled_back: u64,
    pub failed: u64,
    /// Servers on which an attempt was rolled back or failed, whatever came after.
    pub servers_failed: u64,
}

/// How long one installation took.
#[derive(Clone, Debug, PartialEq)]
pub struct InstallTime {
    pub product: String,
    pub version: Version,
    /// From hand-out to the agent's report; begun minutes count.
    pub minutes: u32,
    pub finished_at: DateTime<Utc>,
}

impl Store {
    /// The open (planned or running) deployments of every server, by id.
    pub async fn all_open_deployments(&self) -> Result<Vec<Stored<Deployment>>> {
        self.list_few(Condition::all().add(Expr::cust(OPEN_DEPLOYMENT))).await
    }

    /// The deployments that were rolled back, refused or failed at or after `since`, by id.
    pub async fn failed_attempts(&self, since: DateTime<Utc>) -> Result<Vec<Stored<Deployment>>> {
        let recent = column("finished_at").gte(since.timestamp_millis());
        self.list_few(Condition::all().add(Expr::cust(MISSED)).add(recent)).await
    }

    /// The requests that are accepted and neither done, cancelled nor expired, by id.
    pub async fn accepted_requests(&self) -> Result<Vec<Stored<Request>>> {
        self.list_few(Condition::all().add(Expr::cust("state = 'accepted'"))).await
    }

    /// The requests that were carried out, by id.
    pub async fn done_requests(&self) -> Result<Vec<Stored<Request>>> {
        self.list(Condition::all().add(Expr::cust("state = 'done'"))).await
    }

    /// The agreements that are not over at `at`, by id.
    pub async fn agreements_after(&self, at: DateTime<Utc>) -> Result<Vec<Stored<Agreement>>> {
        self.list_few(Condition::all().add(column("slot_end").gt(at.timestamp_millis()))).await
    }

    /// The attempts that ended at or after `since`, in the order they ended; on these servers only, if they are given.
    pub async fn release_tally(&self, since: DateTime<Utc>, servers: Option<&[String]>) -> Result<Vec<Tally>> {
        let select = format!(
            "SELECT product, version, server, state, started_at, finished_at FROM deployment \
             WHERE {ENDED} AND finished_at >= $1"
        );
        let mut tally = Vec::new();
        match servers {
            None => {
                for row in self.ask(select, vec![since.timestamp_millis().into()]).await? {
                    tally.push(tally_of(&row)?);
                }
            }
            Some(servers) => {
                for part in parts(servers.len()) {
                    let places: Vec<String> = (2..part.len() + 2).map(|place| format!("${place}")).collect();
                    let select = format!("{select} AND server IN ({})", places.join(", "));
                    let names = servers[part].iter().map(|server| server.as_str().into());
                    let values = [since.timestamp_millis().into()].into_iter().chain(names).collect();
                    for row in self.ask(select, values).await? {
                        tally.push(tally_of(&row)?);
                    }
                }
            }
        }
        // Here, so that servers asked for in several statements come in one order too.
        tally.sort_by(|a, b| {
            (a.finished_at, &a.server, &a.product, a.end).cmp(&(b.finished_at, &b.server, &b.product, b.end))
        });
        Ok(tally)
    }

    /// How the attempts that ended at or after `since` fared, release by release: counted by the database.
    pub async fn release_outcomes(&self, since: DateTime<Utc>) -> Result<BTreeMap<ReleaseId, Outcomes>> {
        let select = format!(
            "SELECT product, version, \
               COUNT(CASE WHEN state = 'installed' THEN 1 END) AS installed, \
               COUNT(CASE WHEN state = 'rolled_back' THEN 1 END) AS rolled_back, \
               COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed \
             FROM deployment WHERE {ENDED} AND finished_at >= $1 GROUP BY product, version"
        );
        // Apart, over the few rows it is about: telling servers apart costs a sort.
        let servers = format!(
            "SELECT product, version, COUNT(DISTINCT server) AS servers_failed \
             FROM deployment WHERE {FAILED} AND finished_at >= $1 GROUP BY product, version"
        );
        let since: Value = since.timestamp_millis().into();
        let mut outcomes: BTreeMap<ReleaseId, Outcomes> = BTreeMap::new();
        for row in self.ask(select, vec![since.clone()]).await? {
            // Two spellings of one version are one release.
            let known = outcomes.entry(release(&row)?).or_default();
            known.installed += count(&row, "installed")?;
            known.rolled_back += count(&row, "rolled_back")?;
            known.failed += count(&row, "failed")?;
        }
        for row in self.ask(servers, vec![since]).await? {
            outcomes.entry(release(&row)?).or_default().servers_failed += count(&row, "servers_failed")?;
        }
        Ok(outcomes)
    }

    /// How long these releases took to install, the latest `per_release` installations of each, newest first.
    pub async fn install_times(&self, releases: &[ReleaseId], per_release: u32) -> Result<Vec<InstallTime>> {
        let mut times = Vec::new();
        for part in releases.chunks(RELEASES_AT_ONCE) {
            let mut values: Vec<Value> = vec![i64::from(per_release).into()];
            let one = |release: &ReleaseId| {
                values.extend([release.product.as_str().into(), release.version.as_str().into()]);
                format!(
                    "SELECT * FROM (SELECT product, version, started_at, finished_at FROM deployment \
                     WHERE state = 'installed' AND product = ${} AND version = ${} \
                     ORDER BY finished_at DESC LIMIT $1) AS latest",
                    values.len() - 1,
                    values.len()
                )
            };
            let select = part.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ");
            for row in self.ask(select, values).await? {
                let (Some(started_at), finished_at) = (instant(&row, "started_at")?, finished_at(&row)?) else {
                    continue;
                };
                times.push(InstallTime {
                    product: row.try_get("", "product")?,
                    version: version(&row)?,
                    minutes: minutes(finished_at - started_at),
                    finished_at,
                });
            }
        }
        times.sort_by(|a, b| b.finished_at.cmp(&a.finished_at).then_with(|| a.product.cmp(&b.product)));
        Ok(times)
    }

    async fn ask(&self, select: String, values: Vec<Value>) -> Result<Vec<QueryResult>> {
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), select, values);
        Ok(self.db.query_all_raw(statement).await?)
    }
}

fn tally_of(row: &QueryResult) -> Result<Tally> {
    let state: String = row.try_get("", "state")?;
    Ok(Tally {
        product: row.try_get("", "product")?,
        version: version(row)?,
        server: row.try_get("", "server")?,
        end: match state.as_str() {
            "installed" => AttemptEnd::Installed,
            "rolled_back" => AttemptEnd::RolledBack,
            _ => AttemptEnd::Failed,
        },
        started_at: instant(row, "started_at")?,
        finished_at: finished_at(row)?,
    })
}

fn release(row: &QueryResult) -> Result<ReleaseId> {
    Ok(ReleaseId { product: row.try_get("", "product")?, version: version(row)? })
}

fn count(row: &QueryResult, column: &str) -> Result<u64> {
    Ok(row.try_get::<i64>("", column)?.unsigned_abs())
}

fn version(row: &QueryResult) -> Result<Version> {
    let text: String = row.try_get("", "version")?;
    text.parse().map_err(|error| unreadable(&format!("deployment of version {text:?}: {error}")))
}

fn instant(row: &QueryResult, column: &str) -> Result<Option<DateTime<Utc>>> {
    let millis: i64 = row.try_get("", column)?;
    Ok((millis != 0).then(|| DateTime::from_timestamp_millis(millis)).flatten())
}

fn finished_at(row: &QueryResult) -> Result<DateTime<Utc>> {
    instant(row, "finished_at")?.ok_or_else(|| unreadable("an ended deployment without its end"))
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Database(DbErr::Custom(what.to_owned()))
}

fn minutes(time: TimeDelta) -> u32 {
    let seconds = u64::try_from(time.num_seconds()).unwrap_or(0);
    u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX)
}
