//! Alerts and their clocks: how soon somebody took them up (`gti-2h`), how far they went (`escalation`).

use super::Scene;
use super::sheet::{Intervention, Taken};
use crate::decide::calendar::Calendar;
use crate::decide::notice;
use crate::model::alert::{Alert, AlertClass, AlertState};
use chrono::{DateTime, Utc};

/// The alerts that were raised in the month, by number.
pub(super) fn of(scene: &Scene) -> Vec<Intervention> {
    let raised = scene.alerts.iter().filter(|alert| scene.is_within(alert.raised_at));
    let mut found: Vec<Intervention> = raised.map(|alert| intervention(scene, alert)).collect();
    found.sort_by_key(|i| i.alert);
    found
}

fn intervention(scene: &Scene, alert: &Alert) -> Intervention {
    let calendar = match &alert.server {
        Some(server) => scene.calendar(server),
        None => Calendar::new(scene.zone, scene.region),
    };
    let taken = alert.taken_up().map(|(at, by)| Taken { at, by: by.to_owned() });
    let (resolved_at, note) = match &alert.state {
        AlertState::Open { .. } | AlertState::Acknowledged { .. } => (None, None),
        AlertState::Resolved { at, note, .. } => (Some(*at), Some(note.clone())),
    };
    let stopped = taken.as_ref().map(|taken| taken.at).or(resolved_at);
    let until = stopped.unwrap_or(scene.now);
    let class = match alert.class {
        AlertClass::Applications => "applications",
        AlertClass::Systems => "systems",
    };
    Intervention {
        alert: alert.id,
        kind: alert.cause.split('/').next().unwrap_or_default().to_owned(),
        class: class.to_owned(),
        server: alert.server.clone(),
        product: alert.product.clone(),
        title: alert.title.clone(),
        raised_at: alert.raised_at,
        due: alert.due,
        taken,
        resolved_at,
        note,
        level: alert.level(),
        clock_minutes: notice::clock_minutes(scene.terms, &calendar, alert.raised_at, until),
        is_in_service_hours: scene.terms.schedule.intervention.clock.is_some(),
        in_time: in_time(stopped, alert.due, scene.now),
    }
}

/// Whether the clock was stopped by `due`; unknown while it runs.
fn in_time(stopped: Option<DateTime<Utc>>, due: DateTime<Utc>, now: DateTime<Utc>) -> Option<bool> {
    match stopped {
        Some(at) => Some(at <= due),
        None => (due < now).then_some(false),
    }
}
