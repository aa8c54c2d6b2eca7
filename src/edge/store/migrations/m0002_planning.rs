//! What planning the whole fleet searches by: when attempts began and ended, which requests stand, when agreements end.
//!
//! The columns repeat what bodies say. Those of rows that are there already are filled from the bodies as they were
//! when this was written; the nouns of today are not asked.

use sea_orm::{DatabaseBackend, QueryResult, Statement, Value};
use sea_orm_migration::prelude::*;
use serde_json::Value as Json;

/// Rows read at a time.
const PAGE: usize = 1_000;

const NUMBER: &str = "BIGINT NOT NULL DEFAULT 0";

/// Each holds all that its question asks for, so that it is answered from the index alone. Open deployments are in none
/// of them: planning writes no more for them.
const INDEXES: [&str; 5] = [
    "CREATE INDEX deployment_ended ON deployment (finished_at, product, version, state, server, started_at) \
     WHERE state IN ('installed', 'rolled_back', 'failed')",
    "CREATE INDEX deployment_failed ON deployment (finished_at, product, version, server) \
     WHERE state IN ('rolled_back', 'failed')",
    "CREATE INDEX deployment_installed ON deployment (product, version, finished_at, started_at) \
     WHERE state = 'installed'",
    "CREATE INDEX request_accepted ON request (client) WHERE state = 'accepted'",
    "CREATE INDEX agreement_by_slot_end ON agreement (slot_end)",
];

pub(super) struct M0002Planning;

impl MigrationName for M0002Planning {
    fn name(&self) -> &str {
        "m0002_planning"
    }
}

/// A table, its new columns, and their values as a body says them.
type Filling = (&'static str, &'static [&'static str], fn(&Json) -> Vec<Value>);

const FILLINGS: [Filling; 3] = [
    ("deployment", &["started_at", "finished_at"], |body| {
        let state = &body["state"];
        let ended = [millis(&state["finished_at"]), millis(&state["at"])].into_iter().find(|at| *at != 0);
        vec![millis(&state["started_at"]).into(), ended.unwrap_or(0).into()]
    }),
    ("request", &["state"], |body| vec![body["state"]["state"].as_str().unwrap_or("").into()]),
    ("agreement", &["slot_end"], |body| vec![millis(&body["slot"]["end"]).into()]),
];

#[async_trait::async_trait]
impl MigrationTrait for M0002Planning {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DatabaseBackend::Postgres => "VARCHAR COLLATE \"C\" NOT NULL DEFAULT ''",
            _ => "VARCHAR NOT NULL DEFAULT ''",
        };
        let columns = [
            ("deployment", "started_at", NUMBER),
            ("deployment", "finished_at", NUMBER),
            ("request", "state", text),
            ("agreement", "slot_end", NUMBER),
        ];
        let db = manager.get_connection();
        for (table, column, kind) in columns {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")).await?;
        }
        for (table, columns, values) in FILLINGS {
            fill(manager, table, columns, values).await?;
        }
        for index in INDEXES {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("these columns stay: the versions before do not mind them".to_owned()))
    }
}

/// Fills columns of every row from its body, page by page.
pub(super) async fn fill(
    manager: &SchemaManager<'_>,
    table: &str,
    columns: &[&str],
    values: fn(&Json) -> Vec<Value>,
) -> Result<(), DbErr> {
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let set: Vec<String> = columns.iter().zip(2..).map(|(column, place)| format!("{column} = ${place}")).collect();
    let update = format!("UPDATE {table} SET {} WHERE id = $1", set.join(", "));
    let mut after = String::new();
    loop {
        let page = format!("SELECT id, body FROM {table} WHERE id > $1 ORDER BY id LIMIT {PAGE}");
        let page = Statement::from_sql_and_values(backend, page, [after.as_str().into()]);
        let rows: Vec<QueryResult> = db.query_all_raw(page).await?;
        for row in &rows {
            let (id, body): (String, String) = (row.try_get("", "id")?, row.try_get("", "body")?);
            let body: Json = serde_json::from_str(&body)
                .map_err(|error| DbErr::Custom(format!("{table} row {id} cannot be read: {error}")))?;
            let values = [id.as_str().into()].into_iter().chain(values(&body));
            db.execute_raw(Statement::from_sql_and_values(backend, update.as_str(), values)).await?;
            after = id;
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}

/// An instant of a body in milliseconds, 0 where there is none.
pub(super) fn millis(at: &Json) -> i64 {
    let at = at.as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    at.map_or(0, |at| at.timestamp_millis())
}
