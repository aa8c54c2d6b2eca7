//! What began in which night and how it ended, from what was planned, moved, started and ended.

use super::Case;
use super::line::slot_start;
use crate::model::event::EventKind;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn add(case: &Case, from: DateTime<Utc>, to: DateTime<Utc>, facts: &mut BTreeMap<String, String>) {
    let mut slots: BTreeMap<i64, (NaiveDate, DateTime<Utc>)> = BTreeMap::new();
    let mut begun: BTreeSet<i64> = BTreeSet::new();
    let mut nights: BTreeMap<(NaiveDate, &str), usize> = BTreeMap::new();
    for event in case.own.iter().map(|e| &e.body) {
        let (Some(id), Some(server)) = (event.deployment, &event.server) else { continue };
        let zone = case.zone(server);
        let state = match event.kind {
            EventKind::Planned | EventKind::Moved => {
                let told = [" planned for ", " moved to "];
                let slot = told.into_iter().find_map(|before| slot_start(&event.text, before, event.at, zone));
                slots.extend(slot.map(|slot| (id, slot)));
                continue;
            }
            EventKind::Started => {
                begun.insert(id);
                continue;
            }
            EventKind::Installed => "installed",
            EventKind::RolledBack => "rolled back",
            EventKind::Refused => "refused",
            EventKind::Failed => "failed",
            _ => continue,
        };
        let in_month = slots.get(&id).filter(|(_, start)| from <= *start && *start < to);
        if let Some((date, _)) = in_month.filter(|_| begun.contains(&id) || state == "failed") {
            *nights.entry((*date, state)).or_default() += 1;
        }
    }
    facts.extend(nights.into_iter().map(|((date, state), n)| (format!("night {date} {state}"), n.to_string())));
}
