//! Keys that the service signs with, made when they are first needed; all replicas sign with the same.

use super::{name, text};
use sea_orm_migration::prelude::*;

pub(super) struct M0021Keys;

impl MigrationName for M0021Keys {
    fn name(&self) -> &str {
        "m0021_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0021Keys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(name("signing_key"))
            .col(text(manager, "id").primary_key())
            .col(ColumnDef::new(name("body")).text().not_null())
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("links in letters are signed with these keys: without them nobody can answer".to_owned()))
    }
}
