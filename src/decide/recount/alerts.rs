//! Alerts with their clocks, and silences, from what was raised, taken up, passed on and resolved.

use super::Case;
use super::line::{alert, word_after};
use crate::model::event::{EventKind, NewEvent};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

struct Raised<'a> {
    event: &'a NewEvent,
    stopped: Option<DateTime<Utc>>,
    resolved: Option<DateTime<Utc>>,
    level: u8,
}

pub(super) fn add(case: &Case, from: DateTime<Utc>, to: DateTime<Utc>, facts: &mut BTreeMap<String, String>) {
    let mut alerts: BTreeMap<i64, Raised> = BTreeMap::new();
    for event in case.own.iter().map(|e| &e.body) {
        let Some(id) = alert(event) else { continue };
        if event.kind == EventKind::AlertRaised {
            alerts.insert(id, Raised { event, stopped: None, resolved: None, level: 0 });
        }
        let Some(known) = alerts.get_mut(&id) else { continue };
        match event.kind {
            EventKind::AlertAcknowledged => known.stopped = known.stopped.or(Some(event.at)),
            EventKind::AlertEscalated => {
                known.level = word_after(&event.text, "to level ").and_then(|n| n.parse().ok()).unwrap_or(known.level);
            }
            EventKind::AlertResolved => {
                known.stopped = known.stopped.or(Some(event.at));
                known.resolved = Some(event.at);
            }
            _ => {}
        }
    }
    for (id, raised) in &alerts {
        if !(from <= raised.event.at && raised.event.at < to) {
            continue;
        }
        let due = case.checker(raised.event.server.as_deref()).map(|c| c.intervention_due(raised.event.at));
        let kept = match (raised.stopped, due) {
            (Some(at), Some(due)) if at <= due => "in time",
            (None, Some(due)) if case.now <= due => "running",
            _ => "late",
        };
        facts.insert(format!("alert {id}"), format!("level {} {kept}", raised.level));
    }
    silences(case, (from, to), &alerts, facts);
}

/// Minutes of the month that each agent was silent, each minute once.
fn silences(
    case: &Case,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    alerts: &BTreeMap<i64, Raised>,
    facts: &mut BTreeMap<String, String>,
) {
    let grace = TimeDelta::minutes(case.silent_after_minutes.into());
    for server in &case.client.servers {
        let own = |e: &&NewEvent| e.server.as_ref() == Some(&server.id);
        let Some(first) = case.of(EventKind::InventoryChanged).find(own) else { continue };
        let (begin, end) = (from.max(first.at), to.min(case.now));
        let title = format!("{} is silent (", server.id);
        let spans = alerts.values().filter(|r| own(&r.event) && r.event.text.contains(&title));
        let mut spans: Vec<_> = spans
            .map(|r| ((r.event.at - grace).max(begin), r.resolved.unwrap_or(case.now).min(end)))
            .filter(|(start, end)| start < end)
            .collect();
        spans.sort();
        let (mut silent, mut reached) = (TimeDelta::zero(), begin);
        for (start, end) in spans {
            silent += (end - start.max(reached)).max(TimeDelta::zero());
            reached = reached.max(end);
        }
        let minutes = silent.num_minutes();
        facts.insert(format!("silent {}", server.id), format!("{minutes} min"));
    }
}
