//! Whether the machine is restarted for an installation, and what became of that.
//!
//! A restart is what an installer asks for when it ended (Windows Installer's 3010), or begins by itself (1641). The agent
//! restarts the machine once everything of the group is installed, where the manifests of those that ask allow it, the
//! administrator does not forbid it, and the slot still holds the restart, the check and the way back. Once for an
//! installation, never twice: what was asked for and did not happen within its minutes is outstanding, and staff hear of
//! it. Whether the machine did restart is told by the name of its start, never by time.

use super::steps::Installation;
use crate::model::manifest::Reboot;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the administrator of a server says of restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub consent: Consent,
    /// How long the machine may take from being told until the agent runs again, in minutes.
    pub minutes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    Given,
    Withheld,
}

/// What an installer that ended well wants of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// A restart finishes it.
    Required,
    /// It restarts the machine by itself.
    Initiated,
}

/// Who restarts the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Agent,
    Installer,
}

/// A restart that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub at: DateTime<Utc>,
    pub by: By,
    /// The start of the machine that it was asked in; `None` where that could not be told.
    pub boot: Option<String>,
}

/// What a journal says of restarts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reboots {
    /// Products that want a restart and have had none since.
    wishes: BTreeSet<String>,
    /// The start of the machine in which the last installer was started.
    boot: Option<String>,
    awaited: Option<Asked>,
    was_asked: bool,
    happened_at: Option<DateTime<Utc>>,
    outstanding: Option<String>,
}

/// How the restarts of an installation ended, for its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was wanted.
    None,
    Happened(DateTime<Utc>),
    /// One is wanted, and it is not for the agent to do.
    Required(String),
    /// The machine was told to restart and did not.
    Failed(String),
}

/// What has become of a restart that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Awaited,
    Happened,
    /// It is not waited for any more: why, in one sentence.
    Never(String),
}

impl Reboots {
    pub(super) fn running(&mut self, boot: Option<String>) {
        self.boot = boot;
    }

    pub(super) fn ran(&mut self, product: &str, wish: Option<Wish>, at: DateTime<Utc>) {
        match wish {
            None => {}
            Some(Wish::Required) => drop(self.wishes.insert(product.to_owned())),
            Some(Wish::Initiated) => self.begin(Asked { at, by: By::Installer, boot: self.boot.clone() }),
        }
    }

    pub(super) fn asked(&mut self, at: DateTime<Utc>, boot: String) {
        self.begin(Asked { at, by: By::Agent, boot: Some(boot) });
    }

    fn begin(&mut self, asked: Asked) {
        self.awaited = Some(asked);
        self.was_asked = true;
    }

    pub(super) fn happened(&mut self, at: DateTime<Utc>) {
        // Whoever wanted one has had it.
        *self = Reboots { was_asked: self.was_asked, happened_at: Some(at), ..Reboots::default() };
    }

    pub(super) fn outstanding(&mut self, why: String) {
        self.awaited = None;
        self.outstanding.get_or_insert(why);
    }

    /// Whether one was begun of which nobody knows yet how it ended.
    pub fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    pub(super) fn is_awaited_of_an_installer(&self) -> bool {
        self.awaited.as_ref().is_some_and(|asked| asked.by == By::Installer)
    }

    /// The restart that was begun, if nobody knows yet how it ended.
    pub fn awaited(&self) -> Option<&Asked> {
        self.awaited.as_ref()
    }

    /// Whether one is wanted that nobody has begun, nor said why not.
    pub fn is_wanted(&self) -> bool {
        !self.wishes.is_empty() && self.awaited.is_none() && self.outstanding.is_none()
    }

    /// Whether the machine has restarted since the last installer was started, whatever for.
    pub fn has_restarted(&self, boot: Option<&str>) -> bool {
        matches!((self.boot.as_deref(), boot), (Some(then), Some(now)) if then != now)
    }

    pub fn end(&self) -> End {
        match (&self.outstanding, self.happened_at) {
            (Some(why), _) if self.was_asked && self.happened_at.is_none() => End::Failed(why.clone()),
            (Some(why), _) => End::Required(why.clone()),
            (None, _) if !self.wishes.is_empty() => {
                let products: Vec<&str> = self.wishes.iter().map(String::as_str).collect();
                End::Required(format!(
                    "the installer of {} wanted it, before everything went back",
                    products.join(", ")
                ))
            }
            (None, Some(at)) => End::Happened(at),
            (None, None) => End::None,
        }
    }
}

/// Why the machine is not restarted at `now` for what was installed, if it is not.
pub fn objection(state: &Installation, terms: Terms, now: DateTime<Utc>) -> Option<String> {
    let reboots = &state.reboots;
    if reboots.was_asked {
        return Some("the machine was restarted for this installation once already".to_owned());
    }
    let mut wants = state.manifests.iter().map(|s| &s.manifest).filter(|m| reboots.wishes.contains(&m.product));
    if let Some(manifest) = wants.find(|manifest| manifest.reboot == Reboot::Never) {
        return Some(format!("the manifest of {} {} does not allow it", manifest.product, manifest.version));
    }
    slot_objection(state, terms, state.check_needed() + state.rollback_needed(), now)
}

/// Why an installer that restarts the machine by itself is not started at `now`, if it is not.
pub fn objection_to_its_own(state: &Installation, terms: Terms, now: DateTime<Utc>) -> Option<String> {
    slot_objection(state, terms, state.time_needed(), now)
}

fn slot_objection(state: &Installation, terms: Terms, besides: TimeDelta, now: DateTime<Utc>) -> Option<String> {
    if terms.consent == Consent::Withheld {
        return Some("agent.toml forbids it".to_owned());
    }
    let Some(slot) = state.order.slot else { return Some("the server gave no slot for it".to_owned()) };
    let needed = TimeDelta::minutes(terms.minutes.into()) + besides;
    (slot.end < now + needed).then(|| {
        let end = slot.end.to_rfc3339_opts(SecondsFormat::Secs, true);
        let minutes = (needed + TimeDelta::seconds(59)).num_minutes();
        format!("the restart and what may follow it take {minutes} min, but the slot ends at {end}")
    })
}

/// What has become of `asked` at `now`, in the start of the machine named `boot`.
pub fn fate(asked: &Asked, terms: Terms, boot: Option<&str>, now: DateTime<Utc>) -> Fate {
    if let (Some(then), Some(now)) = (asked.boot.as_deref(), boot)
        && then != now
    {
        return Fate::Happened;
    }
    let waited = now - asked.at;
    // A clock that was set back says nothing of how long it was.
    if waited < TimeDelta::zero() || TimeDelta::minutes(terms.minutes.into()) <= waited {
        let who = match asked.by {
            By::Agent => "the machine was told to restart",
            By::Installer => "an installer said that it restarts the machine",
        };
        return Fate::Never(format!("{who}, and it did not within {} min", terms.minutes));
    }
    Fate::Awaited
}

#[cfg(test)]
#[path = "reboot_tests.rs"]
mod tests;
