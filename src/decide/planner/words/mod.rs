//! The reasons in words: each names its rule, the facts used in site time, and what would change the answer.

mod release;
mod slots;
mod together;

pub(super) use release::*;
pub(super) use slots::*;
pub(super) use together::*;

use super::Facts;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};

/// "Wed 29 Apr 22:00", site-local.
fn at(facts: &Facts, instant: DateTime<Utc>) -> String {
    facts.calendar.local(instant).format("%a %-d %b %H:%M").to_string()
}

/// "29/04 à 22:00", site-local.
fn le(facts: &Facts, instant: DateTime<Utc>) -> String {
    facts.calendar.local(instant).format("%d/%m à %H:%M").to_string()
}

fn span(facts: &Facts, slot: Slot) -> String {
    format!("{} to {}", at(facts, slot.start), at(facts, slot.end))
}

fn entre(facts: &Facts, slot: Slot) -> String {
    format!("du {} au {}", le(facts, slot.start), le(facts, slot.end))
}
