//! What a polling server is offered, and how soon it should ask again.
//!
//! An installation is handed out inside its slot only, whole actions only, and only while everything it was planned
//! on still stands: a recent backup (`backup-first`), nothing withdrawn, somebody of the staff for a manual update
//! (`manual-slots`), time left for it and for going back. Outside, the client sees no deployment at all: a window
//! that the client itself is asked to respect is no window. Only an agent that declared [`STAGE_AHEAD`] may look at
//! an action early, to fetch it.

use super::durations::ASKING_MINUTES;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::report::ServerState;
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Capability of an agent that fetches ahead and waits for the slot by itself.
pub const STAGE_AHEAD: &str = "stage-ahead";
/// Capability of an agent that reports what is installed.
pub const INVENTORY: &str = "inventory";

/// Pause between two polls of a server with nothing near, in seconds.
const PAUSE_SECONDS: i64 = 300;
/// Longest pause of a server with nothing near, in seconds: its own place lies between the two.
const PAUSE_SECONDS_MAX: i64 = 360;
/// Pause while an action is offered, in seconds.
const PAUSE_BUSY_SECONDS: i64 = 60;
/// Shortest pause, in seconds.
const PAUSE_SECONDS_MIN: i64 = 5;
/// Widest spread over which servers poll after their start has come, in seconds.
const SPREAD_SECONDS: i64 = 30;

/// What is known when a server polls.
pub struct Asking<'a> {
    pub now: DateTime<Utc>,
    /// Its planned and running deployments.
    pub open: &'a [Deployment],
    pub state: &'a ServerState,
    /// Oldest backup end that is recent enough now (`decide::notice::backup_not_before`).
    pub backup_not_before: DateTime<Utc>,
    /// Deployments whose release was withdrawn by its publisher.
    pub retracted: &'a BTreeSet<i64>,
    /// Deployments that the planner holds for another reason than the backup.
    pub held: &'a BTreeSet<i64>,
    /// Deployment → minutes it takes, copy and going back included (`decide::durations::Durations::takes`).
    pub minutes: &'a BTreeMap<i64, u32>,
    /// Minutes of a night over which servers spread their starts (`rollout.splay_minutes`).
    pub splay_minutes: u32,
    /// Agreements that are not over; a slot the client agreed to is used from its beginning.
    pub agreements: &'a [Agreement],
    /// Whether the client's other servers use all of its line that installations may (`rollout.line_installs_max`).
    pub line_busy: bool,
}

/// What the server is offered.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    Nothing,
    /// To be installed now.
    Install(Action),
    /// To be fetched, not installed; why it is not yet to be installed.
    Stage(Action, &'static str),
    /// Handed out, its slot is over and it never closed: to be given up, if the client still can.
    Stop(Action),
}

/// The deployments that install together, by position.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub id: i64,
    pub deployments: Vec<Deployment>,
}

impl Action {
    /// The interval that every member allows.
    pub fn slot(&self) -> Option<Slot> {
        let start = self.deployments.iter().map(|d| d.slot.start).max()?;
        let end = self.deployments.iter().map(|d| d.slot.end).min()?;
        Slot::new(start, end)
    }

    /// Whether every member has been handed out.
    pub fn is_running(&self) -> bool {
        self.deployments.iter().all(|d| matches!(d.state, DeploymentState::Running { .. }))
    }

    fn is_planned(&self) -> bool {
        self.deployments.iter().all(|d| d.state == DeploymentState::Planned)
    }
}

/// The open deployments grouped into actions, the earliest slot first.
pub fn actions(open: &[Deployment]) -> Vec<Action> {
    let mut by_id: BTreeMap<i64, Vec<Deployment>> = BTreeMap::new();
    for deployment in open.iter().filter(|d| d.state.is_open()) {
        by_id.entry(deployment.action).or_default().push(deployment.clone());
    }
    let mut actions: Vec<Action> = by_id
        .into_iter()
        .map(|(id, mut deployments)| {
            deployments.sort_by_key(|d| (d.position, d.id));
            Action { id, deployments }
        })
        .collect();
    actions.sort_by_key(|a| (!a.is_running(), a.deployments.iter().map(|d| d.slot).min(), a.id));
    actions
}

/// The one thing a polling server is offered: what it was given and has not closed, else what its slot allows now,
/// else what it may fetch ahead.
pub fn offer(asking: &Asking) -> Offer {
    let actions = actions(asking.open);
    if let Some(given) = actions.iter().find(|a| !a.is_planned()) {
        let inside = given.slot().is_some_and(|slot| slot.contains(asking.now));
        return match (given.is_running(), inside) {
            (true, true) => Offer::Install(given.clone()),
            (true, false) => Offer::Stop(given.clone()),
            // A group that is half closed is over; its rest is not started.
            (false, _) => Offer::Nothing,
        };
    }
    let mut early = None;
    for action in actions {
        match hindrance(asking, &action) {
            None => return Offer::Install(action),
            Some(hindrance) if hindrance.may_stage() => early = early.or(Some((action, hindrance.text()))),
            Some(_) => {}
        }
    }
    match early {
        Some((action, why)) if asking.state.capabilities.contains(STAGE_AHEAD) => Offer::Stage(action, why),
        _ => Offer::Nothing,
    }
}

/// Why an action is not to be installed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    NotYet,
    SlotOver,
    TooLate,
    Retracted,
    Held,
    LineBusy,
    Unattended,
    Backup,
}

impl Hindrance {
    fn may_stage(self) -> bool {
        match self {
            Hindrance::NotYet | Hindrance::LineBusy | Hindrance::Unattended | Hindrance::Backup | Hindrance::Held => {
                true
            }
            Hindrance::SlotOver | Hindrance::TooLate | Hindrance::Retracted => false,
        }
    }

    /// One sentence for the log.
    pub fn text(self) -> &'static str {
        match self {
            Hindrance::NotYet => "its start in the slot has not come",
            Hindrance::LineBusy => "the client's other servers use its line",
            Hindrance::SlotOver => "its slot is over",
            Hindrance::TooLate => "what is left of its slot is too short to install and to go back",
            Hindrance::Retracted => "its publisher withdrew it",
            Hindrance::Held => "the planner holds it",
            Hindrance::Unattended => "nobody of the staff attends it",
            Hindrance::Backup => "the last backup failed or is too old",
        }
    }
}

/// The first reason why a planned action is not to be installed now; `None` when it is.
pub fn hindrance(asking: &Asking, action: &Action) -> Option<Hindrance> {
    if action.deployments.iter().any(|d| asking.retracted.contains(&d.id)) {
        return Some(Hindrance::Retracted);
    }
    let Some(slot) = action.slot() else { return Some(Hindrance::SlotOver) };
    if asking.now < start_of(asking, action, slot) {
        return Some(Hindrance::NotYet);
    }
    if slot.end <= asking.now {
        return Some(Hindrance::SlotOver);
    }
    let needed: u32 = action.deployments.iter().filter_map(|d| asking.minutes.get(&d.id)).sum();
    if slot.end - asking.now < TimeDelta::minutes(needed.into()) {
        return Some(Hindrance::TooLate);
    }
    if action.deployments.iter().any(|d| asking.held.contains(&d.id)) {
        return Some(Hindrance::Held);
    }
    if asking.line_busy {
        return Some(Hindrance::LineBusy);
    }
    if action.deployments.iter().any(|d| d.manual && d.attended_by.is_none()) {
        return Some(Hindrance::Unattended);
    }
    let backup = asking.state.backup.as_ref();
    if !backup.is_some_and(|b| b.succeeded && asking.backup_not_before <= b.finished_at) {
        return Some(Hindrance::Backup);
    }
    None
}

/// Whether an agent that fetched `action` ahead may begin it in its slot even if it cannot reach the server then:
/// nothing stands against it but the time, as far as is known now.
pub fn may_go_alone(asking: &Asking, action: &Action) -> bool {
    let bars = |d: &Deployment| {
        asking.retracted.contains(&d.id) || asking.held.contains(&d.id) || d.manual || d.request.is_some()
    };
    !action.deployments.iter().any(bars)
}

/// When the server may start `action` in its slot: a place in the night that is its own and the same each night, so
/// that a fleet does not start at once. Never more than half of what the night leaves beside everything that is planned
/// into it. What people attend, and what has a slot that the client agreed to, starts with its slot.
fn start_of(asking: &Asking, action: &Action, slot: Slot) -> DateTime<Utc> {
    let attended = |d: &Deployment| d.manual || d.request.is_some() || d.change == Change::Major;
    let starts_with_slot = |d: &Deployment| attended(d) || is_agreed(asking.agreements, d);
    let Some(first) = action.deployments.first().filter(|_| !action.deployments.iter().any(starts_with_slot)) else {
        return slot.start;
    };
    let planned = asking.open.iter().filter(|d| d.state == DeploymentState::Planned && d.slot.overlaps(&slot));
    // Each is asked for before it starts: what the planner kept for that is not spare.
    let needed: i64 = planned.filter_map(|d| asking.minutes.get(&d.id)).map(|m| i64::from(*m) + ASKING_MINUTES).sum();
    let spare = (slot.duration() - TimeDelta::minutes(needed)).max(TimeDelta::zero());
    let spread = TimeDelta::minutes(asking.splay_minutes.into()).min(spare / 2);
    slot.start + TimeDelta::seconds(spread.num_seconds() * place(&first.server) / 1000)
}

fn is_agreed(agreements: &[Agreement], deployment: &Deployment) -> bool {
    agreements.iter().any(|agreement| match &agreement.agreed {
        Agreed::Slot { server, product, slot } => {
            *server == deployment.server && *product == deployment.product && *slot == deployment.slot
        }
        Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => false,
    })
}

/// When the server may start each action that has not begun and whose slot is not over; earliest first.
pub fn starts(asking: &Asking) -> Vec<DateTime<Utc>> {
    let mut starts: Vec<DateTime<Utc>> = actions(asking.open)
        .into_iter()
        .filter(Action::is_planned)
        .filter_map(|action| {
            let slot = action.slot().filter(|slot| asking.now < slot.end)?;
            Some(start_of(asking, &action, slot))
        })
        .collect();
    starts.sort_unstable();
    starts
}

/// Whether a slot is so near that the next poll has to know when the server may start in it.
pub fn is_near(now: DateTime<Utc>, deployment: &Deployment) -> bool {
    deployment.state == DeploymentState::Planned
        && deployment.slot.start <= now + TimeDelta::seconds(PAUSE_SECONDS_MAX)
        && now < deployment.slot.end
}

/// How long a server should wait before it polls again; `starts` are those of [`starts`], or none when nothing is
/// near.
///
/// Each server keeps one place in the spread, read from its id, so that a fleet does not poll at once and the answer
/// of an idle poll stays the same. As its start nears, the pause ends just after it.
pub fn pause(
    now: DateTime<Utc>,
    server: &str,
    open: &[Deployment],
    offer: &Offer,
    starts: &[DateTime<Utc>],
) -> TimeDelta {
    let place = place(server);
    let usual = match offer {
        Offer::Install(_) | Offer::Stop(_) => PAUSE_BUSY_SECONDS,
        Offer::Nothing | Offer::Stage(..) => PAUSE_SECONDS + (PAUSE_SECONDS_MAX - PAUSE_SECONDS) * place / 1000,
    };
    // Where the starts are not known, a slot's beginning is the earliest it can be.
    let planned = open.iter().filter(|d| d.state == DeploymentState::Planned).map(|d| d.slot.start);
    let known = starts.iter().copied();
    let next = known.chain(planned.filter(|_| starts.is_empty())).filter(|start| now < *start).min();
    let to_start = next.map(|start| (start - now).num_seconds() + SPREAD_SECONDS * place / 1000 + 1);
    // What hinders something whose start has come may go away any minute.
    let waiting = starts.iter().any(|start| *start <= now).then_some(PAUSE_BUSY_SECONDS);
    let seconds = [Some(usual), to_start, waiting].into_iter().flatten().min().unwrap_or(usual);
    TimeDelta::seconds(seconds.max(PAUSE_SECONDS_MIN))
}

/// A server's place in the spread, 0 to 999.
fn place(server: &str) -> i64 {
    let sum = server.bytes().fold(17_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    // The multiplier (2³² over the golden ratio) tells apart ids that differ in their last digit only.
    i64::from((sum.wrapping_mul(0x9E37_79B1) >> 16) % 1000)
}

#[cfg(test)]
#[path = "handout_tests.rs"]
mod tests;
