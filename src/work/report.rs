//! What a server says of itself (`configData`): inventory, backup, capabilities.
//!
//! What a machine says it runs is the truth; it is kept with an event when it changed. Attributes that are not ours
//! are accepted and not kept: other clients send what they like.

use super::Orchestrator;
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent};
use crate::model::report::{Backup, ServerState};
use crate::model::version::{Version, VersionError};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Most attributes one report may carry.
pub const ATTRIBUTES_MAX: usize = 512;
/// Longest key, in bytes (hawkBit's own limit).
pub const KEY_BYTES_MAX: usize = 128;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024;

const INVENTORY_PREFIX: &str = "noctule.inventory.";
const BACKUP_AT: &str = "noctule.backup.finished_at";
const BACKUP_OK: &str = "noctule.backup.succeeded";
const CAPABILITIES: &str = "noctule.capabilities";

/// How reported attributes meet those that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Merge,
    Replace,
    Remove,
}

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no server {0:?}")]
    NoServer(String),
    #[error("{count} attributes are more than {ATTRIBUTES_MAX}")]
    TooMany { count: usize },
    #[error(
        "attribute {key:?} is too long: a key has at most {KEY_BYTES_MAX} bytes, a value at most {VALUE_BYTES_MAX}"
    )]
    TooLong { key: String },
    #[error("attribute {key:?}: {source}")]
    Version { key: String, source: VersionError },
    #[error("attribute {key:?} names no product: write {INVENTORY_PREFIX}<product> with letters a-z, digits and -")]
    Product { key: String },
    #[error("attribute {BACKUP_AT:?}: {value:?} is not an RFC 3339 instant such as 2026-04-29T20:00:00Z")]
    Instant { value: String },
    #[error("attribute {BACKUP_OK:?}: {value:?} is neither true nor false")]
    Truth { value: String },
}

/// Takes a report of `server` into its state.
pub async fn receive(
    o: &Orchestrator,
    server: &str,
    mode: Mode,
    data: BTreeMap<String, String>,
) -> Result<ServerState, ReportError> {
    let now = o.clock.now();
    let client = o.store.client_of_server(server).await?.ok_or_else(|| ReportError::NoServer(server.to_owned()))?;
    let known = o.store.state(server).await?;
    let before = known.as_ref().map(|k| k.value.1.clone()).unwrap_or_default();
    let after = merged(&before, mode, data, now)?;
    let mut changes = Changes::default();
    for (product, text) in differences(&before.inventory, &after.inventory) {
        let event = NewEvent::new(now, &client.id, EventKind::InventoryChanged, text);
        changes.events.push(event.server(server).product(&product));
    }
    if let Some(backup) = after.backup.as_ref().filter(|b| before.backup.as_ref() != Some(*b)) {
        let event = NewEvent::new(now, &client.id, EventKind::BackupReported, backup.line());
        changes.events.push(event.server(server));
    }
    let value = (server.to_owned(), after.clone());
    changes.rows.push(Row::State(match known {
        Some(known) => known.with(value),
        None => Stored::new(value),
    }));
    o.store.commit(changes).await?;
    Ok(after)
}

/// A server's state once its report is taken in, or what is wrong with the report.
pub fn merged(
    before: &ServerState,
    mode: Mode,
    data: BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<ServerState, ReportError> {
    if ATTRIBUTES_MAX < data.len() {
        return Err(ReportError::TooMany { count: data.len() });
    }
    if let Some((key, _)) = data.iter().find(|(k, v)| KEY_BYTES_MAX < k.len() || VALUE_BYTES_MAX < v.len()) {
        return Err(ReportError::TooLong { key: key.chars().take(KEY_BYTES_MAX).collect() });
    }
    let mut all = match mode {
        Mode::Merge | Mode::Remove => attributes(before),
        Mode::Replace => BTreeMap::new(),
    };
    match mode {
        Mode::Merge | Mode::Replace => all.extend(data),
        Mode::Remove => all.retain(|key, _| !data.contains_key(key)),
    }
    state_of(&all, now)
}

/// A state as the attributes that say it.
fn attributes(state: &ServerState) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        state.inventory.iter().map(|(p, v)| (format!("{INVENTORY_PREFIX}{p}"), v.to_string())).collect();
    if let Some(backup) = &state.backup {
        all.insert(BACKUP_AT.to_owned(), backup.finished_at.to_rfc3339());
        all.insert(BACKUP_OK.to_owned(), backup.succeeded.to_string());
    }
    if !state.capabilities.is_empty() {
        all.insert(CAPABILITIES.to_owned(), Vec::from_iter(state.capabilities.iter().map(String::as_str)).join(","));
    }
    all
}

fn state_of(all: &BTreeMap<String, String>, now: DateTime<Utc>) -> Result<ServerState, ReportError> {
    let mut state = ServerState { reported_at: Some(now), ..ServerState::default() };
    for (key, value) in all {
        let Some(product) = key.strip_prefix(INVENTORY_PREFIX) else { continue };
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if product.is_empty() || !product.chars().all(named) {
            return Err(ReportError::Product { key: key.clone() });
        }
        let version: Version = value.parse().map_err(|source| ReportError::Version { key: key.clone(), source })?;
        state.inventory.insert(product.to_owned(), version);
    }
    if let Some(value) = all.get(BACKUP_AT) {
        let finished_at: DateTime<Utc> = value.parse().map_err(|_| ReportError::Instant { value: value.clone() })?;
        let succeeded = match all.get(BACKUP_OK).map(String::as_str) {
            Some("true") => true,
            Some("false") | None => false,
            Some(other) => return Err(ReportError::Truth { value: other.to_owned() }),
        };
        // A backup that ends in the future is a clock that is ahead; it is not worth more than one that ended now.
        state.backup = Some(Backup { finished_at: finished_at.min(now), succeeded });
    }
    let capabilities = all.get(CAPABILITIES).map_or("", String::as_str);
    state.capabilities = capabilities.split(',').map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect();
    Ok(state)
}

fn differences(before: &BTreeMap<String, Version>, after: &BTreeMap<String, Version>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (product, version) in after {
        match before.get(product) {
            None => found.push((product.clone(), format!("{product} {version} found on the server"))),
            Some(old) if old.as_str() != version.as_str() => {
                found.push((product.clone(), format!("{product} went from {old} to {version}")));
            }
            Some(_) => {}
        }
    }
    for (product, old) in before.iter().filter(|(p, _)| !after.contains_key(*p)) {
        found.push((product.clone(), format!("{product} {old} is no longer on the server")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn modes_merge_replace_and_remove() {
        let now = at("2026-04-29T20:00:00Z");
        let full = data(&[
            ("noctule.inventory.isacompta", "14.20.003"),
            ("noctule.inventory.isaged", "3.1"),
            (BACKUP_AT, "2026-04-29T19:00:00+01:00"),
            (BACKUP_OK, "true"),
            (CAPABILITIES, "stage-ahead, inventory"),
            ("os", "Windows"),
        ]);
        let state = merged(&ServerState::default(), Mode::Replace, full, now).unwrap();
        assert_eq!(state.backup, Some(Backup { finished_at: at("2026-04-29T18:00:00Z"), succeeded: true }));
        assert!(crate::decide::settle::observes(&state));
        let merge = merged(&state, Mode::Merge, data(&[("noctule.inventory.isaged", "3.2")]), now).unwrap();
        assert_eq!(merge.inventory["isaged"].as_str(), "3.2");
        assert_eq!(merge.inventory["isacompta"].as_str(), "14.20.003");
        let removed = merged(&state, Mode::Remove, data(&[("noctule.inventory.isaged", "")]), now).unwrap();
        assert_eq!(Vec::from_iter(removed.inventory.keys()), ["isacompta"]);
        let replaced = merged(&state, Mode::Replace, data(&[("noctule.inventory.x", "1")]), now).unwrap();
        assert_eq!((replaced.inventory.len(), replaced.backup, replaced.capabilities.len()), (1, None, 0));
    }

    #[test]
    fn a_backup_of_the_future_ended_now() {
        let now = at("2026-04-29T20:00:00Z");
        let state = state_of(&data(&[(BACKUP_AT, "2030-01-01T00:00:00Z"), (BACKUP_OK, "true")]), now).unwrap();
        assert_eq!(state.backup.unwrap().finished_at, now);
    }

    #[test]
    fn bad_attributes_are_named() {
        let now = at("2026-04-29T20:00:00Z");
        for (key, value, want) in [
            ("noctule.inventory.isaged", "none", "holds no digit"),
            ("noctule.inventory.", "1", "names no product"),
            (BACKUP_AT, "yesterday", "RFC 3339"),
        ] {
            let error = merged(&ServerState::default(), Mode::Merge, data(&[(key, value)]), now).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        assert!(merged(&ServerState::default(), Mode::Merge, data(&[("k", &long)]), now).is_err());
    }
}
