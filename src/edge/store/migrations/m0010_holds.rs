//! What staff hold back, and which releases they let go on.

use super::{Noun, name, nouns};
use sea_orm_migration::prelude::*;

const HOLDS: [Noun; 2] = [("hold", &["i:ends_at"], &[&["ends_at"]]), ("resumption", &[], &[])];

pub(super) struct M0010Holds;

impl MigrationName for M0010Holds {
    fn name(&self) -> &str {
        "m0010_holds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0010Holds {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        nouns(manager, &HOLDS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, ..) in HOLDS {
            manager.drop_table(Table::drop().table(name(table)).to_owned()).await?;
        }
        Ok(())
    }
}
