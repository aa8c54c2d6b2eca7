//! What a webhook is to tell, in the order in which it happened.

use super::{Noun, name, nouns};
use sea_orm_migration::prelude::*;

const CALLS: [Noun; 1] =
    [("webhook_call", &["call_key", "i:alert", "state", "i:next_at"], &[&["state", "next_at"], &["alert", "id"]])];
const ONCE: &str = "CREATE UNIQUE INDEX one_call_per_key ON webhook_call (call_key)";

pub(super) struct M0030Calls;

impl MigrationName for M0030Calls {
    fn name(&self) -> &str {
        "m0030_calls"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0030Calls {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        nouns(manager, &CALLS).await?;
        manager.get_connection().execute_unprepared(ONCE).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, ..) in CALLS {
            manager.drop_table(Table::drop().table(name(table)).to_owned()).await?;
        }
        Ok(())
    }
}
