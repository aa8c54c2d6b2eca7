//! Where each server belongs, as a table, so that a poll finds its client without reading the fleet.
//!
//! The rows repeat what the clients' bodies say and are written with them, here only. A server is one client's.

use super::{Result, StoreError};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::BTreeMap;

/// Writes the servers of the clients just written. All leave before any arrives: a server may change hands in one commit.
pub(super) async fn place(tx: &DatabaseTransaction, fleet: BTreeMap<String, Vec<String>>) -> Result<()> {
    for client in fleet.keys() {
        let leave = Query::delete()
            .from_table(Alias::new("server"))
            .and_where(Expr::col(Alias::new("client")).eq(client.as_str()))
            .to_owned();
        tx.execute(&leave).await?;
    }
    for (client, servers) in fleet {
        for server in servers {
            let arrive = Query::insert()
                .into_table(Alias::new("server"))
                .columns(["id", "client"].map(Alias::new))
                .values_panic([server.as_str().into(), client.as_str().into()])
                .to_owned();
            tx.execute(&arrive).await.map_err(|error| StoreError::about(error, || format!("server {server}")))?;
        }
    }
    Ok(())
}
