//! An independent checker of plans: written from the contract's rules, sharing nothing with the planner but the nouns.
//!
//! The planner decides; the checker only says which rule a decision would break, so that a fault of the planner is a
//! finding and not a breach. It has its own holidays, its own civil time and its own reading of windows, and
//! `tests/it/tidy.rs` keeps it so. It asks three times: before a plan is committed ([`Checker::decisions`]), when an
//! installation starts ([`Checker::handed_out`]), and once its result is in ([`Checker::closed`]); [`fleet`] looks at
//! what binds servers to each other.
//!
//! A correct world has no findings. A fatal finding is a rule that would surely be broken; a warning needs somebody's
//! judgement. It does not look for the best plan: that a better one exists is at most a warning.

mod asked;
mod barriers;
mod civil;
mod closed;
mod deadline;
mod finding;
mod fleet;
mod handout;
mod holidays;
mod hours;
mod item;
mod major;
mod path;
mod scene;
mod silence;
mod slots;
mod together;

#[cfg(test)]
mod tests;

pub use finding::{Finding, Severity};
pub use fleet::{Limits, fleet};
pub use scene::{Scene, Spread};

use crate::model::decision::Decision;
use crate::model::rule::Rule;
use crate::model::schedule::{
    BackupTerms, InterventionTerms, ManualTerms, MinorTerms, RetryTerms, RolloutTerms, Schedule,
};
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use finding::Findings;
use holidays::Region;
use hours::{Hours, WindowId};
use item::Item;
use opening_hours::OpeningHours;
use std::collections::BTreeMap;

/// Checks what happens at sites of one schedule, one holidays region and one zone. Built once and shared: hours are
/// worked out a year at a time, on first use.
pub struct Checker {
    zone: Tz,
    hours: Hours,
    minor: MinorTerms,
    manual: ManualTerms,
    notice_working_days: u32,
    rollout: RolloutTerms,
    backup: BackupTerms,
    retry: RetryTerms,
    intervention: InterventionTerms,
    windows: Windows,
}

/// The windows that the terms name.
struct Windows {
    minor: WindowId,
    never_in: WindowId,
    manual: WindowId,
    major: WindowId,
    received: WindowId,
    backup: WindowId,
    /// In which the intervention clock runs; always, without one.
    clock: Option<WindowId>,
}

/// A schedule or site that nothing can be checked against.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckerError {
    #[error("there are no holidays for the region {0:?}; write FR, FR-ALS or FR-971 to FR-978")]
    Region(String),
    #[error("{term} names the window {window:?}, which the schedule does not have; add [windows.{window}]")]
    NoWindow { term: &'static str, window: String },
    #[error("the hours of the window {window:?} cannot be read: {why}")]
    Hours { window: String, why: String },
}

impl Checker {
    /// Reads a schedule for sites in `zone` with the holidays of `region`.
    ///
    /// # Errors
    /// When the region is unknown, a term names a window that is not there, or hours cannot be read.
    pub fn new(schedule: &Schedule, region: &str, zone: Tz) -> Result<Checker, CheckerError> {
        let mut hours = Hours::new(zone, Region::read(region).ok_or_else(|| CheckerError::Region(region.to_owned()))?);
        let mut read: BTreeMap<&str, WindowId> = BTreeMap::new();
        let mut window = |term: &'static str, name: &'_ str| -> Result<WindowId, CheckerError> {
            let Some((name, text)) = schedule.windows.get_key_value(name) else {
                return Err(CheckerError::NoWindow { term, window: name.to_owned() });
            };
            if let Some(id) = read.get(name.as_str()) {
                return Ok(*id);
            }
            let parsed: OpeningHours = text.hours.parse().map_err(|error: opening_hours_syntax::Error| {
                CheckerError::Hours { window: name.clone(), why: error.to_string() }
            })?;
            let id = hours.add(parsed);
            read.insert(name, id);
            Ok(id)
        };
        let windows = Windows {
            minor: window("minor.window", &schedule.minor.window)?,
            never_in: window("minor.never_in", &schedule.minor.never_in)?,
            manual: window("manual.window", &schedule.manual.window)?,
            major: window("major.window", &schedule.major.window)?,
            received: window("major.received_until_end_of", &schedule.major.received_until_end_of)?,
            backup: window("backup.since_close_of", &schedule.backup.since_close_of)?,
            clock: match &schedule.intervention.clock {
                Some(clock) => Some(window("intervention.clock", clock)?),
                None => None,
            },
        };
        Ok(Checker {
            zone,
            hours,
            minor: schedule.minor.clone(),
            manual: schedule.manual.clone(),
            notice_working_days: schedule.major.notice_working_days,
            rollout: schedule.rollout.clone(),
            backup: schedule.backup.clone(),
            retry: schedule.retry.clone(),
            intervention: schedule.intervention.clone(),
            windows,
        })
    }

    /// What is wrong with the decisions for one server, as they would be committed: all of its decisions at once.
    pub fn decisions(&self, scene: &Scene, decisions: &[Decision]) -> Vec<Finding> {
        let mut findings = scene.findings();
        let items = Item::of_decisions(scene, decisions, &mut findings);
        self.shape(scene, decisions, &mut findings);
        self.silence(scene, decisions, &mut findings);
        for item in &items {
            let before = findings.found.len();
            self.scope(scene, item, &mut findings);
            self.path(scene, item, &items, &mut findings);
            self.slot(scene, item, &items, &mut findings);
            self.announced(scene, item, &items, &mut findings);
            self.deadline(scene, item, &mut findings);
            self.lateness(scene, item, &mut findings);
            self.major(scene, item, &mut findings);
            self.barriers(scene, item, &items, &mut findings);
            self.backup_when_due(scene, item, &mut findings);
            // What is held does not happen: what is wrong with it comes up again before it goes.
            if !item.goes() {
                findings.soften(before);
            }
        }
        self.together(&items, &mut findings);
        self.capacity(scene, &items, &mut findings);
        findings.found
    }

    /// The order names it (`out-of-scope`).
    fn scope(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        if !scene.client.order.iter().any(|ordered| ordered == item.product) {
            let text = format!("the client's order does not name it, so {} must not be planned", item.version);
            findings.fatal(Rule::OutOfScope, item.product, text);
        }
    }

    fn say(&self, at: DateTime<Utc>) -> String {
        civil::say(self.zone, at)
    }

    fn say_slot(&self, slot: Slot) -> String {
        civil::say_slot(self.zone, slot)
    }
}
