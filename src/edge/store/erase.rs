//! Erasing a person from what is kept about a client, and saying in its history that it was done.
//!
//! Events are not touched: what they mention of the person goes from beside them ([`super::personal`]), and the event
//! that tells of the erasure names the digests, which is what proves it was no forgery. In every other record the
//! person's names give way where they stand.

use super::chain::{self, Entry};
use super::commit::Size;
use super::personal::{self, ERASED};
use super::{Result, Store, StoreError};
use crate::model::event::{NewEvent, PROVIDER};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Records looked through at a time.
const PAGE: u64 = 1_000;
/// Records that say whose they are. Alerts and letters to staff alone are nobody's, and may speak of anybody.
const OF_A_CLIENT: [&str; 5] = ["deployment", "request", "agreement", "alert", "notice"];
/// The others that people are named in; there are few of them.
const OF_ALL: [&str; 6] = ["hold", "resumption", "standing", "token", "server_state", "webhook_call"];

/// What a person is called: an e-mail address, or a name of two words at least, which nothing else is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasable(String);

/// A text that may stand for something else than one person.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} may mean something else too: write an e-mail address, or a name of at least two words as it was written"
)]
pub struct NotErasable(String);

/// What was erased, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Digests of what the history no longer tells, by the chain that mentions it.
    pub mentions: BTreeMap<String, Vec<String>>,
    /// Other records that were rewritten.
    pub records: usize,
}

impl Erased {
    /// How many mentions that are.
    pub fn mentioned(&self) -> usize {
        self.mentions.values().map(Vec::len).sum()
    }
}

impl std::str::FromStr for Erasable {
    type Err = NotErasable;

    fn from_str(text: &str) -> std::result::Result<Erasable, NotErasable> {
        let text = text.trim();
        let is_address = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        let words = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        match (is_address && words == 1) || (!text.contains('@') && words >= 2) {
            true => Ok(Erasable(text.to_owned())),
            false => Err(NotErasable(text.to_owned())),
        }
    }
}

impl Erasable {
    /// Whether this is what somebody is called.
    pub fn is(&self, called: &str) -> bool {
        self.out_of(called) == ERASED
    }

    /// A text without it. Addresses are the same however they are written, names only as they are.
    fn out_of(&self, text: &str) -> String {
        if !self.0.contains('@') {
            return personal::replaced(text, &self.0, ERASED);
        }
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.to_ascii_lowercase().find(&self.0.to_ascii_lowercase()) {
            let (before, after) = (&rest[..at], &rest[at + self.0.len()..]);
            let longer_before = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "._-+%'".contains(c));
            let mut next = after.chars();
            let longer_after = match next.next() {
                Some('.' | '-') => next.next().is_some_and(char::is_alphanumeric),
                Some(c) => c.is_alphanumeric() || c == '_',
                None => false,
            };
            let found = &rest[at..at + self.0.len()];
            out.extend([before, if longer_before || longer_after { found } else { ERASED }]);
            rest = after;
        }
        out + rest
    }
}

impl Store {
    /// Erases a person, who may be called by any of `who`, from what is kept about `client` and from what the provider's own
    /// chain mentions; with the event that `told` makes of it for each chain, in one transaction. Where there is nothing to
    /// erase there is no event.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a record changed meanwhile: nothing is erased then, and it is worth another try.
    pub async fn erase(
        &self,
        client: &str,
        who: &[Erasable],
        told: impl Fn(&str, &Erased) -> NewEvent + Send,
    ) -> Result<Erased> {
        let tx = self.begin(Size::Job).await?;
        let erased = erase_all(&tx, client, who).await?;
        let mut by_chain = erased.mentions.clone();
        if erased.records > 0 {
            by_chain.entry(client.to_owned()).or_default();
        }
        let entries: Vec<Entry> = by_chain
            .into_iter()
            .map(|(chain, digests)| Entry::new(&NewEvent { erased: digests, ..told(&chain, &erased) }))
            .collect::<Result<_>>()?;
        chain::append(&tx, entries.iter()).await?;
        tx.commit().await?;
        Ok(erased)
    }

    /// What [`Store::erase`] would erase.
    pub async fn erasable(&self, client: &str, who: &[Erasable]) -> Result<Erased> {
        let tx = self.begin(Size::Job).await?;
        let erased = erase_all(&tx, client, who).await?;
        tx.rollback().await?;
        Ok(erased)
    }
}

async fn erase_all(tx: &DatabaseTransaction, client: &str, who: &[Erasable]) -> Result<Erased> {
    let mut erased = Erased::default();
    for table in OF_A_CLIENT {
        erased.records += records(tx, table, &[client, ""], who).await?;
    }
    for table in OF_ALL {
        erased.records += records(tx, table, &[], who).await?;
    }
    for chain in BTreeSet::from([client, PROVIDER]) {
        let mentions = mentions(tx, chain, who).await?;
        if !mentions.is_empty() {
            erased.mentions.insert(chain.to_owned(), mentions);
        }
    }
    Ok(erased)
}

fn out_of(text: &str, who: &[Erasable]) -> Option<String> {
    let without = who.iter().fold(text.to_owned(), |text, one| one.out_of(&text));
    (without != text).then_some(without)
}

/// Takes them out of what a chain mentions.
async fn mentions(tx: &DatabaseTransaction, chain: &str, who: &[Erasable]) -> Result<Vec<String>> {
    let select = Query::select()
        .columns(["digest", "words"].map(Alias::new))
        .from(Alias::new(personal::TABLE))
        .and_where(Expr::col(Alias::new("client")).eq(chain))
        .order_by(Alias::new("digest"), Order::Asc)
        .to_owned();
    let mut erased = Vec::new();
    for row in tx.query_all(&select).await? {
        let (digest, words): (String, String) = (row.try_get("", "digest")?, row.try_get("", "words")?);
        let Some(without) = out_of(&words, who) else { continue };
        let update = Query::update()
            .table(Alias::new(personal::TABLE))
            // Without its salt, nobody can try names against the digest.
            .values([(Alias::new("salt"), "".into()), (Alias::new("words"), without.into())])
            .and_where(Expr::col(Alias::new("digest")).eq(digest.as_str()))
            .to_owned();
        tx.execute(&update).await?;
        erased.push(digest);
    }
    Ok(erased)
}

/// Takes them out of the records of `clients` (of everybody, where none is named); how many that were.
async fn records(tx: &DatabaseTransaction, table: &'static str, clients: &[&str], who: &[Erasable]) -> Result<usize> {
    let (mut rewritten, mut after) = (0, String::new());
    loop {
        let mut select = Query::select();
        select
            .columns(["id", "rev", "body"].map(Alias::new))
            .from(Alias::new(table))
            .and_where(Expr::col(Alias::new("id")).gt(after.as_str()))
            .order_by(Alias::new("id"), Order::Asc)
            .limit(PAGE);
        if !clients.is_empty() {
            select.and_where(Expr::col(Alias::new("client")).is_in(clients.iter().copied()));
        }
        let rows = tx.query_all(&select).await?;
        for row in &rows {
            let body: String = row.try_get("", "body")?;
            after = row.try_get("", "id")?;
            let corrupt = |source| StoreError::Corrupt { table, id: after.clone(), source };
            let mut value: Value = serde_json::from_str(&body).map_err(corrupt)?;
            if rewrite(&mut value, who) == 0 {
                continue;
            }
            let rev: i64 = row.try_get("", "rev")?;
            let update = Query::update()
                .table(Alias::new(table))
                .values([(Alias::new("rev"), (rev + 1).into()), (Alias::new("body"), value.to_string().into())])
                .and_where(Expr::col(Alias::new("id")).eq(after.as_str()))
                .and_where(Expr::col(Alias::new("rev")).eq(rev))
                .to_owned();
            if tx.execute(&update).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict { what: format!("{table} {after}") });
            }
            rewritten += 1;
        }
        if (rows.len() as u64) < PAGE {
            return Ok(rewritten);
        }
    }
}

/// Takes them out of every text of a record; how many texts had them.
fn rewrite(value: &mut Value, who: &[Erasable]) -> usize {
    match value {
        Value::String(text) => match out_of(text, who) {
            Some(without) => {
                *text = without;
                1
            }
            None => 0,
        },
        Value::Array(items) => items.iter_mut().map(|item| rewrite(item, who)).sum(),
        Value::Object(fields) => fields.values_mut().map(|field| rewrite(field, who)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_an_address_or_two_words() {
        for (text, is_one) in [
            ("claire@martin.example", true),
            (" Mme Martin ", true),
            ("Claire Martin", true),
            ("Martin", false),
            ("martin", false),
            ("a - b c", true),
            ("M -", false),
            ("", false),
            ("@", false),
            ("a@", false),
            ("Claire <claire@martin.example>", false),
        ] {
            assert_eq!(text.parse::<Erasable>().is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn only_the_person_goes() {
        for (who, text, left) in [
            ("c@x.fr", "by C@X.fr, <c@x.fr>.", "by [erased], <[erased]>."),
            (
                "c@x.fr",
                "anne.c@x.fr, ac@x.fr, c@x.fr.example, c@x.frs, c@x.fr-a",
                "anne.c@x.fr, ac@x.fr, c@x.fr.example, c@x.frs, c@x.fr-a",
            ),
            ("c@x.fr", "é c@x.fr: c@x.fr. É", "é [erased]: [erased]. É"),
            ("Claire Martin", "Mme Claire Martin said; Claire Martinez did", "Mme [erased] said; Claire Martinez did"),
            ("Claire Martin", "claire martin", "claire martin"),
        ] {
            assert_eq!(who.parse::<Erasable>().unwrap().out_of(text), left);
        }
        let who = "c@x.fr".parse::<Erasable>().unwrap();
        assert!(who.is("C@x.fr") && !who.is("c@x.fr (main contact)"));
    }
}
