//! What is remembered of servers between polls, so that an idle poll costs one read and no write.
//!
//! Nothing here is the truth: losing it costs a few reads.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long what was read of a server is relied on, in minutes.
const REMEMBER_MINUTES: i64 = 10;
/// Most servers remembered.
const SERVERS_MAX: usize = 100_000;
/// Most progress lines kept in history for one action; a client that reports every second would fill it.
const PROGRESS_MAX: u32 = 100;

/// What was read of a server for its polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub client: String,
    pub stage_ahead: bool,
    pub reported_at: Option<DateTime<Utc>>,
    /// The action that was installed last.
    pub installed: Option<i64>,
    pub read_at: DateTime<Utc>,
}

/// The memory of one process.
#[derive(Debug, Default)]
pub struct Presence {
    known: Mutex<BTreeMap<String, Remembered>>,
    /// Action → how many lines it has in history, and the last.
    progress: Mutex<BTreeMap<i64, (u32, String)>>,
}

impl Presence {
    pub(super) fn recall(&self, server: &str, now: DateTime<Utc>) -> Option<Remembered> {
        let fresh = |known: &&Remembered| (now - known.read_at).abs() < TimeDelta::minutes(REMEMBER_MINUTES);
        lock(&self.known).get(server).filter(fresh).cloned()
    }

    pub(super) fn remember(&self, server: &str, known: Remembered) {
        let mut all = lock(&self.known);
        if SERVERS_MAX <= all.len() {
            all.clear();
        }
        all.insert(server.to_owned(), known);
    }

    /// Something of `server` changed: what was read of it is read again.
    pub fn forget(&self, server: &str) {
        lock(&self.known).remove(server);
    }

    /// Whether a progress line of `action` is worth a line of history: it is new, and there are not too many.
    pub(super) fn is_news(&self, action: i64, text: &str) -> bool {
        let mut all = lock(&self.progress);
        if SERVERS_MAX <= all.len() {
            all.clear();
        }
        let (count, last) = all.entry(action).or_default();
        if *last == text || PROGRESS_MAX <= *count {
            return false;
        }
        *count += 1;
        text.clone_into(last);
        true
    }

    pub(super) fn is_over(&self, action: i64) {
        lock(&self.progress).remove(&action);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is a map all the same.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
