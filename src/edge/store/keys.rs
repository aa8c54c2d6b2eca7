//! Keys that the service signs with.

use super::bulk::{Insert, Taken};
use super::commit::Size;
use super::{Result, Store};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DbErr};

impl Store {
    /// The key called `name`; where there is none yet, `fresh` from now on. Whoever asks at once gets the same.
    pub async fn key(&self, name: &str, fresh: &str) -> Result<String> {
        let select = Query::select()
            .column(Alias::new("body"))
            .from(Alias::new("signing_key"))
            .and_where(Expr::col(Alias::new("id")).eq(name))
            .to_owned();
        if let Some(row) = self.db.query_one(&select).await? {
            return Ok(row.try_get("", "body")?);
        }
        let tx = self.begin(Size::Job).await?;
        let insert = Insert { table: "signing_key", columns: &["id", "body"], taken: Taken::StaysOutFor("id") };
        insert.run(&tx, std::iter::once(vec![name.into(), fresh.into()])).await?;
        tx.commit().await?;
        // Ours, or that of somebody who was faster.
        let kept = self.db.query_one(&select).await?;
        let kept = kept.ok_or_else(|| DbErr::RecordNotFound(format!("the signing key {name}")))?;
        Ok(kept.try_get("", "body")?)
    }
}
