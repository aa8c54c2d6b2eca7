//! Agents as the orchestrator meets them: they poll when their start has come, install what they are given, report,
//! and sometimes do not.

use super::book::Written;
use super::chance::About;
use super::engine::{Held, Play, Task};
use super::happening::End;
use super::laws;
use crate::decide::handout::{self, Asking, Offer};
use crate::decide::planner::BACKUP_LEAD;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Minutes until an agent that was given nothing in its slot asks again.
const AGAIN_MINUTES: i64 = 20;

impl Play {
    /// What time will bring the server: its agent polls when its slots begin and is told then when its own start comes;
    /// its plan is looked at when a slot is near and when it is over.
    pub(super) fn expect(&mut self, place: usize) {
        let soon = self.now + TimeDelta::seconds(1);
        let slots: Vec<Slot> = self.world.site(place).planned().map(|d| d.slot).collect();
        for slot in slots {
            let (start, near) = (slot.start.max(soon), (slot.start - BACKUP_LEAD).max(soon));
            if self.lives[place].polls.insert(start) {
                self.at(start, Task::Poll(place));
            }
            for look in [near, slot.end.max(soon)] {
                if look != start && self.lives[place].looks.insert(look) {
                    self.at(look, Task::Look(place));
                }
            }
        }
    }

    pub(super) fn poll(&mut self, place: usize) {
        let now = self.now;
        self.lives[place].polls.remove(&now);
        if let Some(until) = self.lives[place].silent_until {
            if now < until {
                self.poll_again(place, until);
                return;
            }
            self.lives[place].silent_until = None;
        }
        let (_, starts) = self.offer(place, &self.open(place), &Held::new());
        if let Some(start) = starts.first()
            && now < *start
        {
            return self.poll_again(place, *start);
        }
        // The planner is asked again before anything leaves.
        let held = self.plan(place);
        self.attend(place);
        let open = self.open(place);
        if open.is_empty() {
            return;
        }
        let (offer, starts) = self.offer(place, &open, &held);
        match offer {
            Offer::Install(action) if !action.is_running() => self.start(place, &action.deployments),
            Offer::Install(_) | Offer::Stop(_) => {}
            Offer::Nothing | Offer::Stage(..) => {
                let again = now + TimeDelta::minutes(AGAIN_MINUTES);
                let start = starts.into_iter().find(|start| now < *start && *start < again);
                self.poll_again(place, start.unwrap_or(again));
            }
        }
    }

    fn open(&self, place: usize) -> Vec<Deployment> {
        self.world.site(place).deployments.iter().filter(|d| d.state.is_open()).cloned().collect()
    }

    /// Asks again while a planned slot lasts.
    fn poll_again(&mut self, place: usize, at: DateTime<Utc>) {
        let waits = self.world.site(place).planned().any(|d| d.slot.start <= at && at < d.slot.end);
        if waits && self.lives[place].polls.insert(at) {
            self.at(at, Task::Poll(place));
        }
    }

    /// Staff attend what is manual in its slot, unless nobody is free.
    fn attend(&mut self, place: usize) {
        let now = self.now;
        let due = |d: &&Deployment| d.manual && d.attended_by.is_none() && d.slot.contains(now);
        let Some(deployment) = self.world.site(place).planned().find(due).cloned() else { return };
        if self.chance.happens(self.faults.unattended, About::Staff, place as u64, deployment.id.unsigned_abs()) {
            return;
        }
        let attended = Deployment { attended_by: Some("staff".to_owned()), ..deployment };
        let text = format!("{} {} is attended", attended.product, attended.to);
        let event = NewEvent::new(now, &attended.client, EventKind::Progress, text).about(&attended);
        self.write(place, Written { deployments: vec![attended], events: vec![event], ..Written::default() });
    }

    /// What the orchestrator offers now, and when the server may start what has not begun.
    fn offer(&self, place: usize, open: &[Deployment], held: &Held) -> (Offer, Vec<DateTime<Utc>>) {
        let (site, customer) = (self.world.site(place), self.world.customer(place));
        let release = |d: &Deployment| self.world.release(&d.product, &d.to);
        let retracted: BTreeSet<i64> =
            open.iter().filter(|d| release(d).is_none_or(|r| r.retracted.is_some())).map(|d| d.id).collect();
        let minutes: BTreeMap<i64, u32> = open
            .iter()
            .filter_map(|d| {
                let takes = self.world.durations().takes(&customer.terms, release(d)?).num_minutes();
                Some((d.id, u32::try_from(takes).unwrap_or(u32::MAX)))
            })
            .collect();
        let is_held = |d: &&Deployment| held.iter().any(|(product, to)| *product == d.product && *to == d.to);
        let held: BTreeSet<i64> = open.iter().filter(is_held).map(|d| d.id).collect();
        let running_beside = customer
            .sites
            .clone()
            .filter(|other| *other != place)
            .filter(|other| self.world.site(*other).deployments.iter().any(is_running))
            .count();
        let asking = Asking {
            now: self.now,
            open,
            state: &site.state,
            backup_not_before: site.almanac.backup_not_before(&customer.terms, self.now),
            retracted: &retracted,
            held: &held,
            minutes: &minutes,
            splay_minutes: customer.terms.schedule.rollout.splay_minutes,
            agreements: &customer.agreements,
            line_busy: running_beside >= customer.terms.schedule.rollout.line_installs_max as usize,
        };
        (handout::offer(&asking), handout::starts(&asking))
    }

    fn start(&mut self, place: usize, deployments: &[Deployment]) {
        let now = self.now;
        self.inspect_start(place, deployments);
        let mut entry = Written::default();
        let mut action = None;
        for deployment in deployments {
            laws::started(&self.world, place, deployment, now, &mut self.figures);
            match deployment.clone().start(now) {
                Ok(started) => {
                    let text = format!("{} {} handed to the agent of {}", started.product, started.to, started.server);
                    entry.events.push(NewEvent::new(now, &started.client, EventKind::Started, text).about(&started));
                    action = Some(started.action);
                    entry.deployments.push(started);
                }
                Err(error) => self.violate(place, "transition", error.to_string()),
            }
        }
        let slot_end = deployments.iter().map(|d| d.slot.end).min().unwrap_or(now);
        let minutes: i64 = deployments.iter().map(|d| self.takes(place, d)).sum();
        self.write(place, entry);
        let Some(action) = action else { return };
        let end = self.end_of(place, action);
        self.lives[place].running.insert(action, end);
        match end {
            End::Lost => {
                let silent = self.world.customer(place).terms.schedule.agents.silent_after_minutes;
                self.at(slot_end + TimeDelta::minutes(i64::from(silent)), Task::GiveUp(place, action));
            }
            End::Installed | End::RolledBack | End::Failed => {
                self.at(now + TimeDelta::minutes(minutes), Task::Ends(place, action));
            }
        }
    }

    /// Minutes an installation really takes: mostly less than its publisher thinks, now and then more.
    fn takes(&self, place: usize, deployment: &Deployment) -> i64 {
        let estimate = self
            .world
            .release(&deployment.product, &deployment.to)
            .map_or(1, |r| i64::from(r.manifest().duration_minutes));
        let percent = self.chance.on(About::Duration, place as u64, deployment.id.unsigned_abs()).i64(40..105);
        (estimate * percent / 100).max(1)
    }

    fn end_of(&mut self, place: usize, action: i64) -> End {
        if let Some(end) = self.lives[place].next.take() {
            return end;
        }
        let faults = self.faults;
        let draw = self.chance.on(About::Install, place as u64, action.unsigned_abs()).u32(0..1000);
        match draw {
            d if d < faults.rolled_back => End::RolledBack,
            d if d < faults.rolled_back + faults.failed => End::Failed,
            d if d < faults.rolled_back + faults.failed + faults.lost => End::Lost,
            _ => End::Installed,
        }
    }

    pub(super) fn ends(&mut self, place: usize, action: i64) {
        if let Some(until) = self.lives[place].silent_until.filter(|until| self.now < *until) {
            // It ended, but nobody hears of it before the line is back.
            self.at(until, Task::Ends(place, action));
            return;
        }
        let Some(end) = self.lives[place].running.remove(&action) else { return };
        self.settle(place, action, end);
        self.plan(place);
    }

    pub(super) fn give_up(&mut self, place: usize, action: i64) {
        if self.lives[place].running.remove(&action).is_some() {
            self.settle(place, action, End::Lost);
            self.plan(place);
        }
    }
}

fn is_running(deployment: &Deployment) -> bool {
    matches!(deployment.state, DeploymentState::Running { .. })
}
