//! What people are called and what they wrote, which the history only names by digests, so that it can be erased.

use super::{name, text};
use sea_orm_migration::prelude::*;

pub(super) struct M0025Personal;

impl MigrationName for M0025Personal {
    fn name(&self) -> &str {
        "m0025_personal"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for M0025Personal {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(name("personal"))
            .col(text(manager, "digest").primary_key())
            .col(text(manager, "client"))
            .col(text(manager, "salt"))
            .col(ColumnDef::new(name("words")).text().not_null())
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create().name("personal_by_client").table(name("personal")).col(name("client")).to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom(
            "the history names what is in this table: without it nobody can read who did what".to_owned(),
        ))
    }
}
