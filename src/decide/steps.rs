//! What an agent does next, from its journal and the present instant.
//!
//! `fetch → verify → precheck → quiesce → snapshot → apply → check → commit`, or `→ restore`. The journal is
//! folded into an [`Installation`]; [`next`] is a pure function of it. Killed at any instant, the agent folds
//! the same journal again and goes on: steps may be begun twice, so each has to be repeatable.
//!
//! Invariants: nothing is touched before `precheck` is done; what was touched and did not end well is
//! restored; nothing is begun that could not be undone before its slot ends; every installation ends in
//! one outcome, which is reported until the server has heard it. A restart of the machine that an installer wants comes
//! when everything is applied, once, and then the check; while one is awaited nothing else is begun ([`super::reboot`]).

mod line;

pub use line::{Line, Order, Part};

use super::reboot::{Reboots, Wish};
use crate::model::check::{Answer, Unfit};
use crate::model::manifest::{Installer, SignedManifest};
use crate::model::transfer::Transfer;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How often applying or checking is begun before the old version is put back.
pub const TRIES_MAX: u32 = 2;
/// How often putting the old version back may fail before people have to look.
pub const RESTORES_MAX: u32 = 3;
/// How often it is begun at all. An interruption is no failure: what stopped the agent says nothing about the old
/// version, and giving up would leave services stopped. Only an agent that dies of restoring itself comes this far.
pub const RESTORES_BEGUN_MAX: u32 = 50;

/// One step of an installation, in the order they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Fetch,
    Verify,
    Precheck,
    Quiesce,
    Snapshot,
    Apply,
    Check,
    Commit,
    Restore,
}

/// The way forward; [`Step::Restore`] is the way back.
pub const FORWARD: [Step; 8] =
    [Step::Fetch, Step::Verify, Step::Precheck, Step::Quiesce, Step::Snapshot, Step::Apply, Step::Check, Step::Commit];

/// How an installation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Installed,
    /// The old version runs, as before; nothing else is left.
    RolledBack {
        why: String,
    },
    /// The server was not fit for it; nothing was touched, or an installer found out and everything was put back.
    Refused {
        unfit: Unfit,
        why: String,
    },
    /// The server's state is not known to be good.
    Failed {
        why: String,
    },
    /// Given up at the server's request before anything was changed.
    Cancelled {
        id: String,
    },
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Installed => f.write_str("installed"),
            Outcome::RolledBack { why } => write!(f, "the old version runs: {why}"),
            Outcome::Refused { why, .. } => write!(f, "everything is as it was: {why}"),
            Outcome::Failed { why } => write!(f, "failed: {why}"),
            Outcome::Cancelled { id } => write!(f, "cancelled by {id}"),
        }
    }
}

/// One order and how far it has come: the journal, folded.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    pub order: Order,
    pub manifests: Vec<SignedManifest>,
    pub old: BTreeMap<String, Option<String>>,
    pub transfers: BTreeMap<String, Transfer>,
    begun: BTreeMap<Step, u32>,
    done: BTreeSet<Step>,
    answers: BTreeMap<Step, Vec<Answer>>,
    /// Product → how its installer ended, `None` while it runs or when nobody saw its end.
    ran: BTreeMap<String, Option<Answer>>,
    /// Products that the installer of the previous version has put back.
    went_back: BTreeSet<String>,
    pub reboots: Reboots,
    unfit: Option<Unfit>,
    failed: Option<String>,
    restore_failures: u32,
    restore_failed: Option<String>,
    cancelled: Option<String>,
    /// When it was begun without the server, and ended, if it was.
    pub alone: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    pub outcome: Option<Outcome>,
    pub reported: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Do(Step),
    /// Have the machine restarted, if that may be, or say why not.
    Reboot,
    /// Look whether the machine has restarted; begin nothing before.
    AwaitReboot,
    /// Write that this step cannot be taken, then ask again.
    Fail(Step, String),
    Close(Outcome),
    Report(Outcome),
    Finished,
}

impl Installation {
    pub fn new(order: Order) -> Installation {
        Installation {
            order,
            manifests: Vec::new(),
            old: BTreeMap::new(),
            transfers: BTreeMap::new(),
            begun: BTreeMap::new(),
            done: BTreeSet::new(),
            answers: BTreeMap::new(),
            ran: BTreeMap::new(),
            went_back: BTreeSet::new(),
            reboots: Reboots::default(),
            unfit: None,
            failed: None,
            restore_failures: 0,
            restore_failed: None,
            cancelled: None,
            alone: None,
            outcome: None,
            reported: false,
        }
    }

    /// Folds a journal; `None` when it holds no order.
    pub fn fold(lines: impl IntoIterator<Item = Line>) -> Option<Installation> {
        let mut state: Option<Installation> = None;
        for line in lines {
            if let (Line::Accepted { order, .. }, None) = (&line, &state) {
                state = Some(Installation::new(order.clone()));
            }
            if let Some(state) = &mut state {
                state.take(line);
            }
        }
        state
    }

    /// Takes one more line into account.
    pub fn take(&mut self, line: Line) {
        match line {
            Line::Accepted { order, alone, at } => {
                *self = Installation { alone: alone.then_some((at, None)), ..Installation::new(order) };
            }
            Line::Begun { step, .. } => *self.begun.entry(step).or_default() += 1,
            Line::Fetched { transfers, .. } => {
                for (product, later) in transfers {
                    let both = match self.transfers.remove(&product) {
                        Some(earlier) => earlier.and_then(later),
                        None => later,
                    };
                    self.transfers.insert(product, both);
                }
            }
            Line::Trusted { manifests, .. } => self.manifests = manifests,
            Line::Old { pointers, .. } => self.old = pointers,
            Line::Done { step, .. } => drop(self.done.insert(step)),
            // A step that is taken again asks again.
            Line::Checked { step, answers, .. } => drop(self.answers.insert(step, answers)),
            Line::Running { product, boot, .. } => {
                self.reboots.running(boot);
                self.ran.insert(product, None);
            }
            Line::Ran { product, answer, reboot, at } => {
                self.answers.entry(Step::Apply).or_default().push(answer.clone());
                self.reboots.ran(&product, reboot, at);
                self.ran.insert(product, Some(answer));
            }
            Line::RebootAsked { at, boot } => self.reboots.asked(at, boot),
            Line::Rebooted { at } => {
                self.left_for_a_restart();
                self.reboots.happened(at);
            }
            Line::NotRebooted { why, .. } => {
                self.left_for_a_restart();
                self.reboots.outstanding(why);
            }
            Line::WentBack { product, boot, at } => {
                self.reboots.running(boot);
                self.reboots.ran(&product, Some(Wish::Initiated), at);
                self.went_back.insert(product);
            }
            Line::Unfit { unfit, why, .. } => {
                self.unfit.get_or_insert(unfit);
                self.failed.get_or_insert(why);
            }
            Line::Failed { step: Step::Restore, why, .. } => {
                self.restore_failures += 1;
                self.restore_failed = Some(why);
            }
            Line::Failed { why, .. } => drop(self.failed.get_or_insert(why)),
            Line::Cancelled { id, .. } => self.cancelled = Some(id),
            Line::Closed { outcome, at } => {
                self.outcome = Some(outcome);
                self.alone = self.alone.map(|(begun, _)| (begun, Some(at)));
            }
            Line::Reported { .. } => self.reported = true,
        }
    }

    pub fn has_begun(&self, step: Step) -> bool {
        self.begun(step) > 0
    }

    /// Whether a cancellation can still be honoured without undoing an installed version.
    pub fn can_cancel(&self) -> bool {
        !self.has_begun(Step::Apply) && self.outcome.is_none() && self.cancelled.is_none()
    }

    /// The installer of a product: `None` when it was never started, else how it ended, as far as that is known.
    pub fn ran(&self, product: &str) -> Option<Option<&Answer>> {
        self.ran.get(product).map(Option::as_ref)
    }

    /// The product whose installer runs, as far as anybody knows.
    pub fn running(&self) -> Option<&str> {
        self.ran.iter().find(|(_, end)| end.is_none()).map(|(product, _)| product.as_str())
    }

    /// Whether the installer of the previous version has put a product back, and that is not to be done again.
    pub fn went_back(&self, product: &str) -> bool {
        self.went_back.contains(product)
    }

    /// A step that is left because an installer restarts the machine was not interrupted.
    fn left_for_a_restart(&mut self) {
        if self.reboots.is_awaited_of_an_installer()
            && let Some(begun) = self.begun.get_mut(&Step::Apply)
        {
            *begun = begun.saturating_sub(1);
        }
    }

    /// Whether every installer of the group has ended well, so that nothing that takes its time is left to apply.
    fn have_all_run(&self) -> bool {
        let ended = |product| self.ran(product).flatten().is_some_and(|answer| answer.verdict.is_passed());
        let is_zip = |signed: &SignedManifest| matches!(signed.manifest.installer, Installer::Zip {});
        !self.ran.is_empty() && self.manifests.iter().all(|signed| is_zip(signed) || ended(&signed.manifest.product))
    }

    /// What the server answered about itself in one step.
    pub fn answers_of(&self, step: Step) -> impl Iterator<Item = &Answer> {
        self.answers.get(&step).into_iter().flatten()
    }

    /// What the server answered about itself, before and after, in the order it was asked.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values().flatten()
    }

    fn begun(&self, step: Step) -> u32 {
        self.begun.get(&step).copied().unwrap_or(0)
    }

    /// Installing and, should it fail, restoring every product of the group, by the publishers' estimates.
    pub fn time_needed(&self) -> TimeDelta {
        let minutes = self.manifests.iter().map(|s| &s.manifest);
        TimeDelta::minutes(minutes.map(|m| i64::from(m.duration_minutes) + i64::from(m.rollback_minutes)).sum())
    }

    /// Putting every product of the group back, by the publishers' estimates.
    pub fn rollback_needed(&self) -> TimeDelta {
        TimeDelta::minutes(self.manifests.iter().map(|s| i64::from(s.manifest.rollback_minutes)).sum())
    }

    /// Checking every product of the group, when each answer comes at its last moment.
    pub fn check_needed(&self) -> TimeDelta {
        let seconds = self.manifests.iter().map(|s| s.manifest.health.seconds_max());
        TimeDelta::seconds(seconds.sum())
    }

    /// How long something may still be installed at `now` so that every product can be put back within the slot.
    pub fn time_left(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.order.slot.map(|slot| (slot.end - self.rollback_needed() - now).max(TimeDelta::zero()))
    }

    /// Why the slot does not allow beginning at `now`, if it does not.
    pub fn slot_objection(&self, now: DateTime<Utc>) -> Option<String> {
        let slot = self.order.slot?;
        if now < slot.start {
            return Some(format!("the slot opens only at {}", instant(slot.start)));
        }
        if now >= slot.end {
            return Some(format!("the slot ended at {}", instant(slot.end)));
        }
        let needed = self.time_needed();
        (now + needed > slot.end).then(|| {
            format!(
                "installing and, if need be, restoring takes {} min, but the slot ends at {}",
                needed.num_minutes(),
                instant(slot.end)
            )
        })
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The agent's step function.
pub fn next(state: &Installation, now: DateTime<Utc>) -> Next {
    if state.reported {
        return Next::Finished;
    }
    if let Some(outcome) = &state.outcome {
        return Next::Report(outcome.clone());
    }
    if state.reboots.is_awaited() {
        return Next::AwaitReboot;
    }
    if state.failed.is_some() || state.cancelled.is_some() {
        return back(state);
    }
    let Some(step) = FORWARD.into_iter().find(|step| !state.done.contains(step)) else {
        return Next::Close(Outcome::Installed);
    };
    if step == Step::Check && !state.has_begun(step) && state.reboots.is_wanted() {
        return Next::Reboot;
    }
    let objection = match step {
        // Fetching may take nights; it only ends when the slot does.
        Step::Fetch | Step::Verify => state
            .order
            .slot
            .filter(|slot| now >= slot.end)
            .map(|slot| format!("the package had not arrived when the slot ended at {}", instant(slot.end))),
        Step::Precheck | Step::Quiesce | Step::Snapshot | Step::Apply => {
            let tried = state.begun(step) >= TRIES_MAX && step == Step::Apply;
            let interrupted = || "the installation was interrupted twice".to_owned();
            let may_go_on = step == Step::Apply && state.have_all_run();
            tried.then(interrupted).or_else(|| state.slot_objection(now).filter(|_| !may_go_on))
        }
        Step::Check => {
            (state.begun(step) >= TRIES_MAX).then(|| "checking the new version was interrupted twice".to_owned())
        }
        Step::Commit | Step::Restore => None,
    };
    match objection {
        Some(why) => Next::Fail(step, why),
        None => Next::Do(step),
    }
}

/// The way back, and how it ends.
fn back(state: &Installation) -> Next {
    let why = state.failed.clone().unwrap_or_else(|| "cancelled".to_owned());
    let restored = !state.has_begun(Step::Quiesce) || state.done.contains(&Step::Restore);
    if restored {
        return Next::Close(match (&state.cancelled, state.unfit) {
            (Some(id), _) => Outcome::Cancelled { id: id.clone() },
            (None, Some(unfit)) => Outcome::Refused { unfit, why },
            (None, None) => Outcome::RolledBack { why },
        });
    }
    if state.restore_failures >= RESTORES_MAX || state.begun(Step::Restore) >= RESTORES_BEGUN_MAX {
        let also = state.restore_failed.as_deref().unwrap_or("it was interrupted each time");
        return Next::Close(Outcome::Failed { why: format!("{why}; putting the old version back failed: {also}") });
    }
    Next::Do(Step::Restore)
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
