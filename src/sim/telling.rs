//! The story as it is printed: what the history says happened, dated in the site's own time, with the rule.

use crate::decide::civil::PROVIDER_ZONE;
use crate::edge::store::{EventFilter, Store, StoreError};
use crate::model::event::{Event, EventKind, PROVIDER};
use crate::model::fleet::Fleet;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

/// Reads new events and turns them into lines.
pub(super) struct Telling {
    zones: BTreeMap<String, Tz>,
    told: BTreeSet<(String, i64)>,
    since: Option<DateTime<Utc>>,
    last_day: String,
}

impl Telling {
    pub fn of(fleet: &Fleet) -> Telling {
        let zones = fleet.clients.iter().flat_map(|c| c.servers.iter().map(|s| (s.id.clone(), s.zone))).collect();
        Telling { zones, told: BTreeSet::new(), since: None, last_day: String::new() }
    }

    /// The lines of what was written since the last call.
    pub async fn news(&mut self, store: &Store) -> Result<Vec<String>, StoreError> {
        let filter = EventFilter { since: self.since, ..EventFilter::default() };
        let mut lines = Vec::new();
        let mut events = store.events(&filter).await?;
        // What the publishers did comes before what follows from it.
        events.sort_by_key(|event| (event.body.at, event.body.client != PROVIDER));
        for event in events {
            self.since = self.since.max(Some(event.body.at));
            if self.told.insert((event.body.client.clone(), event.seq)) && worth_telling(event.body.kind) {
                self.tell(&event, &mut lines);
            }
        }
        Ok(lines)
    }

    fn tell(&mut self, event: &Event, lines: &mut Vec<String>) {
        let body = &event.body;
        let zone = body.server.as_ref().and_then(|s| self.zones.get(s)).copied().unwrap_or(PROVIDER_ZONE);
        let local = body.at.with_timezone(&zone);
        let ours = body.at.with_timezone(&PROVIDER_ZONE);
        let day = ours.format("%A %-d %B %Y").to_string();
        if day != self.last_day {
            lines.push(format!("\n{day}"));
            self.last_day = day;
        }
        let who = body.server.as_deref().unwrap_or(&body.client);
        let rule = body.reasons.last().map_or_else(String::new, |reason| match reason.rule.clause() {
            Some(clause) => format!("  [{} {clause}]", reason.rule),
            None => format!("  [{}]", reason.rule),
        });
        let zone = match (zone == PROVIDER_ZONE, local.date_naive() == ours.date_naive()) {
            (true, _) => String::new(),
            (false, true) => " (site time)".to_owned(),
            (false, false) => format!(" (site time, {})", local.format("%A")),
        };
        lines.push(format!("  {} {:<18} {}{rule}{zone}", local.format("%H:%M"), who, body.text));
    }
}

/// Progress and bookkeeping stay in the event log.
fn worth_telling(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::Progress
            | EventKind::BackupReported
            | EventKind::InventoryChanged
            | EventKind::NoticeSent
            | EventKind::Enrolled
            | EventKind::Started
    )
}
