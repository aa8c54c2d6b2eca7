//! Agreements say what kind they are. Those of the first version were all about another slot, and did not say so.

use super::m0002_planning::fill;
use sea_orm_migration::prelude::*;
use serde_json::Value as Json;

pub(super) struct M0011Agreements;

impl MigrationName for M0011Agreements {
    fn name(&self) -> &str {
        "m0011_agreements"
    }
}

/// The body with the word that it lacks; one that has it stays as it is.
fn named(body: &Json) -> Json {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.entry("agreed").or_insert_with(|| "slot".into());
    }
    body
}

#[async_trait::async_trait]
impl MigrationTrait for M0011Agreements {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fill(manager, "agreement", &["body"], |body| vec![named(body).to_string().into()]).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the word stays: the versions before do not mind it".to_owned()))
    }
}
