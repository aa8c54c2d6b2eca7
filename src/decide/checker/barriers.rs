//! What stops work that would otherwise go: holds, a halted release, canaries, too many attempts, no backup.

use super::Checker;
use super::finding::Findings;
use super::item::Item;
use super::scene::{Scene, Spread};
use super::slots::agreed;
use crate::model::fleet::Ring;
use crate::model::hold::HoldOn;
use crate::model::rule::Rule;
use chrono::{DateTime, Utc};

impl Checker {
    pub(super) fn barriers(&self, scene: &Scene, item: &Item, items: &[Item], findings: &mut Findings) {
        if !item.goes() {
            return;
        }
        self.holds(scene, item, findings);
        self.rings(scene, item, items, findings);
        let failures = scene.failures(item.product, item.version);
        if failures >= self.retry.attempts_max as usize {
            let text = format!("{} failed here {failures} times: the next attempt is up to staff", item.version);
            findings.fatal(Rule::ThreeAttempts, item.product, text);
        }
    }

    /// Nothing starts under a hold: one that ends by itself before the slot is none.
    fn holds(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        let concerns = |on: &HoldOn| match on {
            HoldOn::Server { client, server } => *client == scene.client.id && *server == scene.server.id,
            HoldOn::Client { client } => *client == scene.client.id,
            HoldOn::Release { product, version } => product == item.product && version == item.version,
        };
        for hold in scene.holds.iter().filter(|hold| concerns(&hold.on) && hold.is_active(scene.now)) {
            if hold.until.is_none_or(|until| until > item.slot.start) {
                let until = hold.until.map_or("somebody lifts it".to_owned(), |until| self.say(until));
                let text = format!("{} is on hold until {until} ({}): {}", hold.on, hold.by, hold.reason);
                findings.fatal(Rule::Hold, item.product, text);
            }
        }
    }

    fn rings(&self, scene: &Scene, item: &Item, items: &[Item], findings: &mut Findings) {
        let spread = (scene.spread)(item.release);
        if self.halts(spread) {
            let text = format!(
                "{} halted: it failed on {} of {} servers, and staff have not let it go on",
                item.version, spread.failed, spread.tried
            );
            findings.fatal(Rule::Rollout, item.product, text);
        }
        let waits = match scene.server.ring {
            Ring::Canary => false,
            Ring::Broad => spread.canaries_settled < spread.canaries,
        };
        if !waits || item.group(items).any(Item::is_attended) || agreed(scene, item, items) {
            return;
        }
        // The deadline is the contract's, the rings are ours: in the deadline night of any of the group it goes.
        let last_chance = item
            .group(items)
            .filter_map(|other| self.deadline_night(other.release))
            .any(|night| item.slot.start >= night.start);
        if !last_chance {
            let text = format!(
                "{} of {} canaries run {} well, and {} is before its deadline night",
                spread.canaries_settled,
                spread.canaries,
                item.version,
                self.say_slot(item.slot)
            );
            findings.fatal(Rule::Rollout, item.product, text);
        }
    }

    /// Whether so many failures stop a release by themselves.
    fn halts(&self, spread: Spread) -> bool {
        let terms = &self.rollout;
        let share = u64::from(spread.failed) * 100 >= u64::from(terms.failures_percent) * u64::from(spread.tried);
        spread.failed > 0 && (spread.failed >= terms.failures_max || spread.tried >= terms.sample_min && share)
    }

    /// Whether an installation may start at `at` as far as the backup goes (`backup-first`), or why not.
    pub(super) fn backed_up(&self, scene: &Scene, at: DateTime<Utc>) -> Result<(), String> {
        let close = self.hours.last_close(self.windows.backup, at);
        let wanted = close.map_or("a backup is needed".to_owned(), |close| {
            format!("one that ended after {} is needed", self.say(close))
        });
        match &scene.state.backup {
            None => Err(format!("no backup is known: {wanted}")),
            Some(backup) if !backup.succeeded => Err(format!("the last backup failed: {wanted}")),
            Some(backup) if close.is_some_and(|close| backup.finished_at < close) => {
                Err(format!("the last backup ended {}: {wanted}", self.say(backup.finished_at)))
            }
            Some(_) => Ok(()),
        }
    }

    /// A plan whose slot has begun could start any moment: without a backup it has to be held.
    pub(super) fn backup_when_due(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        if item.goes()
            && item.slot.contains(scene.now)
            && let Err(why) = self.backed_up(scene, scene.now)
        {
            findings.fatal(Rule::BackupFirst, item.product, format!("its slot has begun and it is not held: {why}"));
        }
    }
}
