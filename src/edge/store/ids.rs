//! Ids, given once each.

use super::commit::Size;
use super::{Result, Sequence, Store};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

impl Store {
    /// The first of `n` fresh ids. Gaps are harmless.
    pub async fn allocate(&self, sequence: Sequence, n: u32) -> Result<i64> {
        let name = match sequence {
            Sequence::Deployment => "deployment",
            Sequence::Request => "request",
            Sequence::Agreement => "agreement",
            Sequence::Hold => "hold",
            Sequence::Resumption => "resumption",
            Sequence::Alert => "alert",
            Sequence::Notice => "notice",
        };
        let tx = self.begin(Size::Job).await?;
        let first = take_ids(&tx, name, i64::from(n)).await?;
        tx.commit().await?;
        Ok(first)
    }
}

/// Advances the counter `name` by `n` inside a transaction and returns the first of the ids.
pub(super) async fn take_ids(tx: &DatabaseTransaction, name: &str, n: i64) -> Result<i64> {
    let (table, id, last) = (Alias::new("counter"), Alias::new("id"), Alias::new("last"));
    let upsert = Query::insert()
        .into_table(table.clone())
        .columns([id.clone(), last.clone()])
        .values_panic([name.into(), n.into()])
        .on_conflict(
            OnConflict::column(id.clone())
                .value(last.clone(), Expr::col((table.clone(), last.clone())).add(n))
                .to_owned(),
        )
        .to_owned();
    tx.execute(&upsert).await?;
    let read = Query::select().column(last).from(table).and_where(Expr::col(id).eq(name)).to_owned();
    let row = tx.query_one(&read).await?.ok_or_else(|| DbErr::RecordNotFound(name.to_owned()))?;
    let end: i64 = row.try_get("", "last")?;
    Ok(end - n + 1)
}
