//! Attempts that a server was not fit for are attempts of that server: planning finds them with those that failed.

use sea_orm_migration::prelude::*;

pub(super) struct M0012Refused;

impl MigrationName for M0012Refused {
    fn name(&self) -> &str {
        "m0012_refused"
    }
}

const INDEX: &str = "CREATE INDEX deployment_missed ON deployment (finished_at) \
     WHERE state IN ('rolled_back', 'failed', 'refused')";

#[async_trait::async_trait]
impl MigrationTrait for M0012Refused {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(INDEX).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX deployment_missed").await.map(drop)
    }
}
