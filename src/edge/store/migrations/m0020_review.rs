//! What a month's report searches by: whose alerts and letters, and of when.

use super::m0002_planning::{fill, millis};
use sea_orm::DatabaseBackend;
use sea_orm_migration::prelude::*;

const NUMBER: &str = "BIGINT NOT NULL DEFAULT 0";

const INDEXES: [&str; 3] = [
    "CREATE INDEX alert_by_client ON alert (client, raised_at)",
    "CREATE INDEX notice_by_client_written ON notice (client, written_at)",
    "CREATE INDEX event_by_client_at ON event (client, at)",
];

pub(super) struct M0020Review;

impl MigrationName for M0020Review {
    fn name(&self) -> &str {
        "m0020_review"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0020Review {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DatabaseBackend::Postgres => "VARCHAR COLLATE \"C\" NOT NULL DEFAULT ''",
            _ => "VARCHAR NOT NULL DEFAULT ''",
        };
        let db = manager.get_connection();
        for (table, column, kind) in
            [("alert", "client", text), ("alert", "raised_at", NUMBER), ("notice", "written_at", NUMBER)]
        {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")).await?;
        }
        fill(manager, "alert", &["client", "raised_at"], |body| {
            vec![body["client"].as_str().unwrap_or("").into(), millis(&body["raised_at"]).into()]
        })
        .await?;
        fill(manager, "notice", &["written_at"], |body| vec![millis(&body["body"]["at"]).into()]).await?;
        for index in INDEXES {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("these columns stay: the versions before do not mind them".to_owned()))
    }
}
