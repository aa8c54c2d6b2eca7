//! What binds servers to each other: one installation of a server at once, so many on a client's line, so many that
//! staff attend, and groups that are whole.

use super::civil;
use super::finding::{Finding, Severity};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::rule::Rule;
use crate::model::schedule::Schedule;
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// The limits of one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attended installations at once, over all its clients.
    pub attended_max: u32,
    /// Installations at once on one client's line.
    pub line_max: u32,
}

impl From<&Schedule> for Limits {
    fn from(schedule: &Schedule) -> Limits {
        Limits { attended_max: schedule.staff.installs_max, line_max: schedule.rollout.line_installs_max }
    }
}

/// One action: what installs together on one server.
struct Action<'a> {
    first: &'a Deployment,
    members: Vec<&'a Deployment>,
}

/// What is wrong between the open deployments (planned and running) of all servers under one contract. `zone_of` tells
/// a server's zone, for the texts.
pub fn fleet<'a>(
    deployments: impl IntoIterator<Item = &'a Deployment>,
    limits: Limits,
    zone_of: &dyn Fn(&str) -> Tz,
) -> Vec<Finding> {
    let mut actions: BTreeMap<i64, Action> = BTreeMap::new();
    let mut open: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut found = Vec::new();
    for deployment in deployments.into_iter().filter(|deployment| deployment.state.is_open()) {
        if let Some(other) = open.insert((&deployment.server, &deployment.product), deployment.id) {
            let text = format!("deployments {other} and {} are both open", deployment.id);
            found.push(fatal(Rule::Prerequisites, deployment, text));
        }
        let action = actions.entry(deployment.action);
        action.or_insert_with(|| Action { first: deployment, members: Vec::new() }).members.push(deployment);
    }
    found.extend(actions.values().filter_map(|action| action.split()));
    found.extend(crowded_servers(&actions, zone_of));
    found.extend(crowded_lines(&actions, limits));
    found.extend(crowded_staff(&actions, limits, zone_of));
    found
}

impl Action<'_> {
    /// All or nothing: one server, one slot, one state, and every position taken once.
    fn split(&self) -> Option<Finding> {
        let Action { first, members } = self;
        let same = |other: &&&Deployment| {
            other.client == first.client
                && other.server == first.server
                && other.slot == first.slot
                && other.state.name() == first.state.name()
        };
        let text = if let Some(other) = members.iter().find(|other| !same(other)) {
            format!("deployments {} and {} are one action and differ in server, slot or state", first.id, other.id)
        } else {
            let placed = |place: usize| members.iter().filter(|m| m.position as usize == place).count() == 1;
            let gap = (0..members.len()).find(|place| !placed(*place))?;
            format!("action {} has {} open deployments and not one at position {gap}", first.action, members.len())
        };
        Some(fatal(Rule::Prerequisites, first, text))
    }

    fn running_since(&self) -> Option<DateTime<Utc>> {
        self.members.iter().find_map(|member| match member.state {
            DeploymentState::Running { started_at } => Some(started_at),
            DeploymentState::Planned
            | DeploymentState::Installed { .. }
            | DeploymentState::RolledBack { .. }
            | DeploymentState::Refused { .. }
            | DeploymentState::Failed { .. }
            | DeploymentState::Cancelled { .. } => None,
        })
    }

    fn is_attended(&self) -> bool {
        self.members.iter().any(|member| member.manual || member.change == Change::Major)
    }
}

/// No two installations of one server at once.
fn crowded_servers(actions: &BTreeMap<i64, Action>, zone_of: &dyn Fn(&str) -> Tz) -> Vec<Finding> {
    let mut running: BTreeMap<&str, &Action> = BTreeMap::new();
    let mut found = Vec::new();
    for action in actions.values() {
        let (first, Some(since)) = (action.first, action.running_since()) else { continue };
        if let Some(other) = running.insert(&first.server, action) {
            let since = civil::say(zone_of(&first.server), other.running_since().map_or(since, |at| at.max(since)));
            let text = format!("actions {} and {} run at once since {since}", other.first.action, first.action);
            found.push(fatal(Rule::Rollout, first, text));
        }
    }
    found
}

fn crowded_lines(actions: &BTreeMap<i64, Action>, limits: Limits) -> Vec<Finding> {
    let mut lines: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
    for action in actions.values().filter(|action| action.running_since().is_some()) {
        lines.entry(&action.first.client).or_default().push(action);
    }
    let mut found = Vec::new();
    for (client, running) in lines.into_iter().filter(|(_, running)| running.len() > limits.line_max as usize) {
        let text = format!("{} installations run at once on its line, at most {} may", running.len(), limits.line_max);
        found.push(Finding {
            server: String::new(),
            product: String::new(),
            ..fatal(Rule::Rollout, running[0].first, text)
        });
        debug_assert_eq!(client, running[0].first.client);
    }
    found
}

/// Attended work that may happen at the same time, because its slots overlap, is no more than staff can attend.
fn crowded_staff(actions: &BTreeMap<i64, Action>, limits: Limits, zone_of: &dyn Fn(&str) -> Tz) -> Vec<Finding> {
    let mut attended: Vec<(Slot, &Action)> =
        actions.values().filter(|action| action.is_attended()).map(|action| (action.first.slot, action)).collect();
    attended.sort_by_key(|(slot, action)| (slot.start, action.first.action));
    let mut ends: Vec<DateTime<Utc>> = Vec::new();
    let mut found = Vec::new();
    let mut crowded = false;
    for (slot, action) in attended {
        ends.retain(|end| *end > slot.start);
        ends.push(slot.end);
        let over = ends.len() > limits.attended_max as usize;
        // One finding for each crowd, at the installation that is one too many.
        if over && !crowded {
            let from = civil::say(zone_of(&action.first.server), slot.start);
            let text = format!(
                "{} attended installations overlap at {from}, staff attend {}",
                ends.len(),
                limits.attended_max
            );
            found.push(fatal(Rule::ServiceHours, action.first, text));
        }
        crowded = over;
    }
    found
}

fn fatal(rule: Rule, deployment: &Deployment, text: String) -> Finding {
    Finding {
        severity: Severity::Fatal,
        rule,
        client: deployment.client.clone(),
        server: deployment.server.clone(),
        product: deployment.product.clone(),
        text,
    }
}
