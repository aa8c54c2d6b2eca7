//! Texts that many letters have in common, by the sha256 of their bytes.

use super::{name, text};
use sea_orm_migration::prelude::*;

pub(super) struct M0003Sharing;

impl MigrationName for M0003Sharing {
    fn name(&self) -> &str {
        "m0003_sharing"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0003Sharing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(name("shared_text"))
            .col(text(manager, "id").primary_key())
            .col(ColumnDef::new(name("body")).text().not_null())
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("letters name these texts: without them they cannot be read".to_owned()))
    }
}
