//! Where each server belongs, as a table, so that a poll finds its client without reading the fleet.
//!
//! The rows repeat what the clients' bodies say and are written with them, here only. A server is one client's.

use super::bulk::{Insert, Taken, parts};
use super::prepare::Prepared;
use super::{Result, StoreError};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the servers of the clients just written. All leave before any arrives: a server may change hands in one commit.
///
/// A job that names a server of somebody else's is refused.
pub(super) async fn place(
    tx: &DatabaseTransaction,
    jobs: &[(usize, Prepared)],
    refused: &mut BTreeMap<usize, StoreError>,
) -> Result<()> {
    let fleets: Vec<_> = jobs.iter().filter(|(place, _)| !refused.contains_key(place)).collect();
    let clients: Vec<&str> = fleets.iter().flat_map(|(_, job)| job.fleet.keys().map(String::as_str)).collect();
    for part in parts(clients.len()) {
        let leave = Query::delete()
            .from_table(Alias::new("server"))
            .and_where(Expr::col(Alias::new("client")).is_in(clients[part].iter().copied()))
            .to_owned();
        tx.execute(&leave).await?;
    }
    for (place, job) in fleets {
        let arriving =
            job.fleet.iter().flat_map(|(client, servers)| servers.iter().map(move |server| (server, client)));
        let arriving: Vec<(&String, &String)> = arriving.collect();
        let rows =
            arriving.iter().map(|(server, client)| vec![server.as_str().into(), client.as_str().into()]).collect();
        let arrive = Insert { table: "server", columns: &["id", "client"], taken: Taken::StaysOut };
        let mut entered: BTreeSet<String> = arrive.returning(tx, rows, "id").await?.into_iter().collect();
        if let Some((server, _)) = arriving.iter().find(|(server, _)| !entered.remove(*server)) {
            refused.insert(*place, StoreError::Conflict { what: format!("server {server}") });
        }
    }
    Ok(())
}
