//! How much of the month each agent could be heard (`hourly-checks`, 6.2.4).
//!
//! Silence is what its alert says: it began at the agent's last word, which the alert came `silent_after_minutes`
//! after, and ended when the agent was heard again. A pause shorter than that is no silence.

use super::Scene;
use super::inventory::first_found;
use super::sheet::{Availability, Span};
use crate::decide::silence;
use crate::model::alert::{Alert, AlertState};
use chrono::{DateTime, TimeDelta, Utc};

pub(super) fn of(scene: &Scene) -> Vec<Availability> {
    let until = scene.to.min(scene.now);
    let limit = TimeDelta::minutes(scene.terms.schedule.agents.silent_after_minutes.into());
    let servers = scene.client.servers.iter().filter_map(|server| {
        let since = first_found(scene, &server.id)?.max(scene.from);
        let cause = silence::cause(&server.id);
        let clipped = |alert: &Alert| {
            let (start, end) = (alert.raised_at - limit, ended_at(alert).unwrap_or(scene.now));
            let (start, end) = (start.max(since), end.min(until));
            (start < end).then_some(Span { start, end })
        };
        let mut silences: Vec<Span> = scene.alerts.iter().filter(|a| a.cause == cause).filter_map(clipped).collect();
        silences.sort_by_key(|s| s.start);
        // An alert that staff ended too soon is followed by another about the same silence.
        silences.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            if joins {
                last.end = last.end.max(next.end);
            }
            joins
        });
        Some(Availability {
            server: server.id.clone(),
            zone: server.zone.name().to_owned(),
            minutes: (until - since).num_minutes().max(0),
            silent_minutes: silences.iter().map(|s| s.end - s.start).sum::<TimeDelta>().num_minutes(),
            silences,
        })
    });
    servers.collect()
}

fn ended_at(alert: &Alert) -> Option<DateTime<Utc>> {
    match &alert.state {
        AlertState::Resolved { at, .. } => Some(*at),
        AlertState::Open { .. } | AlertState::Acknowledged { .. } => None,
    }
}

impl Availability {
    /// Hundredths of a percent of its time in which it was heard; `None` when it was not under our care.
    pub fn basis_points(&self) -> Option<i64> {
        (self.minutes > 0).then(|| (self.minutes - self.silent_minutes) * 10_000 / self.minutes)
    }
}
