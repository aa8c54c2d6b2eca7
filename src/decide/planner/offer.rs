//! Which other slots a client's contact may choose from: what the contract admits, and staff can keep.

use super::Facts;
use super::slots::{Search, announced};
use crate::decide::almanac::Work;
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};

/// Most slots offered.
const OFFERED_MAX: usize = 6;

/// The admissible slots for `release`, the earliest first, `except` the one it has; those that end by `by`, where there is
/// a date. None begins before its contact can have told the users.
pub fn offered(facts: &Facts, release: &Release, by: Option<DateTime<Utc>>, except: Slot) -> Vec<Slot> {
    let work = if release.manifest().is_manual() { Work::Manual } else { Work::Major };
    let mut search = Search::new(facts, work, announced(facts, release), release);
    let mut place = 0;
    let admissible = std::iter::from_fn(|| search.next_after(&mut place)).map(|opening| opening.slot);
    admissible
        .take_while(|slot| by.is_none_or(|by| slot.end <= by))
        .filter(|slot| *slot != except)
        .take(OFFERED_MAX)
        .collect()
}
