//! Pages of history: deployments newest slot first, each page found where the one before ended.
//!
//! A page is a stretch of one index, whatever the filters: nothing is counted, skipped or sorted. That is what keeps it
//! quick when there are a million deployments (`benches/history.rs`).

use super::read::{all_stored, column};
use super::{DeploymentFilter, Result, Store, Stored};
use crate::model::deployment::Deployment;
use crate::model::fleet::Client;
use crate::model::request::Request;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, LikeExpr, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Deployments that did not end well, in the words of their index.
const TROUBLED: &str = "state IN ('rolled_back', 'refused', 'failed', 'cancelled')";
const TROUBLED_STATES: [&str; 4] = ["rolled_back", "refused", "failed", "cancelled"];
/// Deployments that can still change, in the words of theirs.
const OPEN: &str = "state IN ('planned', 'running')";
const OPEN_STATES: [&str; 2] = ["planned", "running"];
/// Names up to which a search asks the indexes for each. What more share is found soon by going through the history.
const NAMES_BY_INDEX: usize = 200;
/// Names that one statement lists; more are as good as all.
const NAMES_MAX: usize = 5_000;

impl Store {
    /// Deployments by slot, then id: the latest `limit` of them before `after`.
    pub async fn deployments(&self, filter: &DeploymentFilter) -> Result<Vec<Stored<Deployment>>> {
        let mut all = all_stored(self.db.query_all(&page(filter)).await?).await?;
        all.reverse();
        Ok(all)
    }

    /// The clients with these ids, as far as they are in the fleet.
    pub async fn clients_by_id(&self, ids: &[&str]) -> Result<Vec<Stored<Client>>> {
        self.list(Condition::all().add(column("id").is_in(ids.iter().copied()))).await
    }

    /// The requests with these numbers.
    pub async fn requests_by_id(&self, ids: &[i64]) -> Result<Vec<Stored<Request>>> {
        self.list(Condition::all().add(column("id").is_in(ids.iter().map(|id| super::record::numbered(*id))))).await
    }

    /// What a word of a search can name: every server that ever reported, every client that has a history, every release.
    pub async fn names(&self) -> Result<Names> {
        let mut servers = self.ids("server", "id").await?;
        servers.extend(self.ids("server_state", "id").await?);
        let releases = self.ids("release", "id").await?;
        let (products, versions): (BTreeSet<String>, BTreeSet<String>) = releases
            .iter()
            .filter_map(|id| id.split_once(' '))
            .map(|(product, version)| (product.to_owned(), version.to_owned()))
            .unzip();
        Ok(Names {
            servers: servers.into_iter().collect(),
            clients: self.ids("chain", "client").await?.into_iter().collect(),
            products,
            versions,
        })
    }

    async fn ids(&self, table: &str, name: &str) -> Result<Vec<String>> {
        let select = Query::select().column(Alias::new(name)).from(Alias::new(table)).to_owned();
        let rows = self.db.query_all(&select).await?;
        Ok(rows.iter().map(|row| row.try_get("", name)).collect::<std::result::Result<_, _>>()?)
    }
}

/// Where a page of history ended: the slot's start in milliseconds and the number of its oldest deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub slot_start: i64,
    pub id: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.slot_start, self.id)
    }
}

/// A text that no page ended with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not where a page ended; write what the page before said")]
pub struct NoCursor(String);

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> std::result::Result<Cursor, NoCursor> {
        let read = || {
            let (slot_start, id) = text.rsplit_once('-')?;
            Some(Cursor { slot_start: slot_start.parse().ok()?, id: id.parse().ok()? })
        };
        read().ok_or_else(|| NoCursor(text.to_owned()))
    }
}

/// What is searched for: a row has to answer to each word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub words: Vec<Word>,
}

/// One word of a search, with what it is part of the name of. What names nothing is looked for in what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Lower-case.
    pub text: String,
    pub clients: Vec<String>,
    pub servers: Vec<String>,
    pub products: Vec<String>,
    pub versions: Vec<String>,
    /// It is the number of one.
    pub deployment: Option<i64>,
}

impl Word {
    pub fn names_nothing(&self) -> bool {
        self.clients.is_empty()
            && self.servers.is_empty()
            && self.products.is_empty()
            && self.versions.is_empty()
            && self.deployment.is_none()
    }
}

/// What words can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub servers: BTreeSet<String>,
    pub clients: BTreeSet<String>,
    pub products: BTreeSet<String>,
    pub versions: BTreeSet<String>,
}

fn page(filter: &DeploymentFilter) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["id", "rev", "body"].map(Alias::new)).from(Alias::new("deployment"));
    // The narrowest of them is asked of its index, the others of each row on the way: left to itself, SQLite, which keeps no
    // figures of its tables, takes any.
    let by = [("server", &filter.server), ("client", &filter.client), ("product", &filter.product)];
    let mut by = by.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    if let Some((name, value)) = by.next() {
        select.and_where(column(name).eq(value.as_str()));
    }
    for (name, value) in by {
        select.and_where(on_the_way(name).eq(value.as_str()));
    }
    if !filter.states.is_empty() {
        let states = filter.states.iter().map(String::as_str);
        // One client's rows, or one server's, are fewer than all that are in a state.
        if filter.client.is_some() || filter.server.is_some() {
            select.and_where(on_the_way("state").is_in(states));
        } else {
            let known = [(&TROUBLED_STATES[..], TROUBLED), (&OPEN_STATES[..], OPEN)];
            let of = |known: &[&str]| filter.states.iter().all(|state| known.contains(&state.as_str()));
            match known.into_iter().find(|(known, _)| of(known)) {
                // Said by what it is not: two conditions that both seem to pick few rows would have PostgreSQL fetch and
                // sort them all instead of going through the index.
                Some((known, words)) => {
                    select.and_where(Expr::cust(words));
                    let others = known.iter().copied().filter(|state| !filter.states.iter().any(|s| s == state));
                    let others: Vec<&str> = others.collect();
                    if !others.is_empty() {
                        select.and_where(column("state").is_not_in(others));
                    }
                }
                None => {
                    select.and_where(column("state").is_in(states));
                }
            }
        }
    }
    if let Some(action) = filter.action {
        select.and_where(column("action").eq(action));
    }
    if let Some(since) = filter.since {
        select.and_where(column("slot_start").gte(since.timestamp_millis()));
    }
    if let Some(until) = filter.until {
        select.and_where(column("slot_start").lt(until.timestamp_millis()));
    }
    if let Some(Cursor { slot_start, id }) = filter.after {
        let place = Expr::tuple([column("slot_start"), column("id")]);
        let before = Expr::tuple([Expr::value(slot_start), Expr::value(super::record::numbered(id))]);
        select.and_where(place.lt(before));
    }
    for word in filter.search.iter().flat_map(|search| &search.words) {
        select.cond_where(found(word));
    }
    select.order_by(Alias::new("slot_start"), Order::Desc).order_by(Alias::new("id"), Order::Desc);
    if let Some(limit) = filter.limit {
        select.limit(limit);
    }
    select
}

/// Whether a row is about what a word of a search names, or went wrong in its words.
fn found(word: &Word) -> Condition {
    let Word { text, clients, servers, products, versions, deployment } = word;
    if word.names_nothing() {
        let pattern = LikeExpr::new(format!("%{}%", escaped(text))).escape('\\');
        return Condition::all().add(Expr::cust(TROUBLED)).add(Expr::cust("LOWER(body)").like(pattern));
    }
    let is_release = !products.is_empty() || !versions.is_empty();
    let by_index = !is_release && clients.len() + servers.len() <= NAMES_BY_INDEX;
    let mut any = Condition::any();
    for (name, values) in [("client", clients), ("server", servers)] {
        if !values.is_empty() {
            any = any.add(one_of(name, values, by_index));
        }
    }
    for (name, values) in [("product", products), ("version", versions)] {
        if !values.is_empty() {
            any = any.add(one_of(name, values, false));
        }
    }
    if let Some(id) = deployment {
        any = any.add(column("id").eq(super::record::numbered(*id)));
    }
    any
}

/// A column whose indexes are left aside: they do not answer for what is made from it.
fn on_the_way(name: &str) -> Expr {
    Expr::cust(format!("{name} || ''"))
}

/// Whether a column has one of these values; asked of an index or of each row on the way.
fn one_of(name: &str, values: &[String], by_index: bool) -> Expr {
    if values.len() > NAMES_MAX {
        return Expr::cust("1 = 1");
    }
    let subject = if by_index { column(name) } else { on_the_way(name) };
    let values: Vec<Value> = values.iter().map(|value| value.as_str().into()).collect();
    subject.is_in(values)
}

/// A word as it stands in a body, as a pattern that means nothing else. Letters that only one of the databases knows in
/// both cases stand for any: [`Search::holds`] has the last word.
fn escaped(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let mut pattern = String::with_capacity(inner.len());
    for c in inner.chars() {
        match c {
            '\\' | '%' | '_' => pattern.extend(['\\', c]),
            c if c.is_ascii() => pattern.push(c),
            _ => pattern.push('_'),
        }
    }
    pattern
}

impl Search {
    /// Whether a row that a word without a name found really went wrong in its words, and not just says them elsewhere.
    pub fn holds(&self, deployment: &Deployment) -> bool {
        let why = deployment.state.why().map(str::to_lowercase).unwrap_or_default();
        self.words.iter().filter(|word| word.names_nothing()).all(|word| why.contains(&word.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_again_and_nothing_else_is() {
        let cursor = Cursor { slot_start: 1_777_888_800_000, id: 15 };
        assert_eq!(cursor.to_string(), "1777888800000-15");
        assert_eq!("1777888800000-15".parse(), Ok(cursor));
        assert_eq!("-5-15".parse(), Ok(Cursor { slot_start: -5, id: 15 }));
        for text in ["", "15", "-", "a-1", "1-a", "1777888800000-15 ", "9223372036854775808-1"] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_word_is_no_pattern() {
        assert_eq!(escaped("100%_a"), "100\\%\\_a");
        assert_eq!(escaped("échec"), "_chec");
        assert_eq!(escaped("a\"b\\"), "a\\\\\"b\\\\\\\\");
    }
}
