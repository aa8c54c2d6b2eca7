//! Pages of history: each way to narrow it has an index in the order of its pages, so that a page is a stretch of it.

use sea_orm_migration::prelude::*;

/// What is there already and goes: each is the beginning of another.
const SUPERSEDED: [&str; 4] =
    ["deployment_by_client_slot_start", "deployment_by_slot_start", "event_by_at", "event_by_server"];

const INDEXES: [&str; 8] = [
    "CREATE INDEX history_by_slot ON deployment (slot_start, id)",
    "CREATE INDEX history_by_client ON deployment (client, slot_start, id)",
    "CREATE INDEX history_by_server ON deployment (server, slot_start, id)",
    "CREATE INDEX history_by_product ON deployment (product, slot_start, id)",
    "CREATE INDEX history_troubled ON deployment (slot_start, id) \
     WHERE state IN ('rolled_back', 'refused', 'failed', 'cancelled')",
    "CREATE INDEX history_open ON deployment (slot_start, id) WHERE state IN ('planned', 'running')",
    "CREATE INDEX event_by_time ON event (at, client, seq)",
    "CREATE INDEX event_by_server_time ON event (server, at, seq)",
];

pub(super) struct M0022History;

impl MigrationName for M0022History {
    fn name(&self) -> &str {
        "m0022_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0022History {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for index in SUPERSEDED {
            db.execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        for index in INDEXES {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("these indexes stay: the versions before do not mind them".to_owned()))
    }
}
