//! What stops work that would otherwise go: holds, a halted release, canaries, too many attempts, no backup.

use super::finding::Findings;
use super::item::Item;
use super::scene::{Scene, Spread};
use super::slots::agreed;
use super::{Checker, civil};
use crate::model::fleet::Ring;
use crate::model::hold::{Hold, HoldOn};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};

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
        for hold in self.stopped_by(scene, item, item.slot.start) {
            let until = hold.until.map_or("somebody lifts it".to_owned(), |until| self.say(until));
            let text = format!("{} is on hold until {until} ({}): {}", hold.on, hold.by, hold.reason);
            findings.fatal(Rule::Hold, item.product, text);
        }
    }

    /// The holds in force that still stop the item at `start`.
    fn stopped_by<'a>(&self, scene: &Scene<'a>, item: &Item, start: DateTime<Utc>) -> impl Iterator<Item = &'a Hold> {
        let (client, server, now) = (&scene.client.id, &scene.server.id, scene.now);
        scene.holds.iter().filter(move |hold| {
            let concerned = match &hold.on {
                HoldOn::Server { client: of, server: on } => of == client && on == server,
                HoldOn::Client { client: of } => of == client,
                HoldOn::Release { product, version } => product == item.product && version == item.version,
            };
            concerned && hold.is_active(now) && hold.until.is_none_or(|until| until > start)
        })
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
        if let Some(night) = self.night_to_wait_for(scene, item, items) {
            let text = format!(
                "{} of {} canaries run {} well, and the night of {} is before the deadline too",
                spread.canaries_settled,
                spread.canaries,
                item.version,
                self.say(night.start)
            );
            findings.warn(Rule::Rollout, item.product, text);
        }
    }

    /// A night after the planned one in which the item's group still could go in time. The deadline is the contract's,
    /// the rings are ours: where no such night is left, it goes without its canaries.
    fn night_to_wait_for(&self, scene: &Scene, item: &Item, items: &[Item]) -> Option<Slot> {
        let deadline = item.group(items).filter_map(|other| self.deadline_night(other.release)).map(|n| n.end).min()?;
        let each = |other: &Item| other.minutes(scene) + i64::from(self.backup.reserve_minutes);
        let has_room = |night: Slot| {
            let there = |other: &&Item| other.group == item.group || other.goes() && other.slot.overlaps(&night);
            let minutes: i64 = items.iter().filter(there).map(each).sum();
            night.start + TimeDelta::minutes(minutes) <= night.end
        };
        let is_open = |night: Slot| {
            item.group(items).all(|other| self.stopped_by(scene, other, night.start).next().is_none())
                && !self.hours.touches(self.windows.never_in, night)
                && self.is_open(scene, night)
        };
        self.nights(item.release)
            .filter(|night| night.start > item.slot.start && night.end <= deadline)
            .find(|night| is_open(*night) && has_room(*night))
    }

    /// Whether so many failures stop a release by themselves.
    fn halts(&self, spread: Spread) -> bool {
        let terms = &self.rollout;
        let share = u64::from(spread.failed) * 100 >= u64::from(terms.failures_percent) * u64::from(spread.tried);
        spread.failed > 0 && (spread.failed >= terms.failures_max || spread.tried >= terms.sample_min && share)
    }

    /// Whether an installation may start in `slot` as far as the backup goes (`backup-first`), or why not.
    ///
    /// The schedule says "the last working day before": before the day on which the slot begins, and one that begins
    /// inside a night begins with it. On Tuesday at 22:30, and at 01:00 in the same night, that is Monday's close.
    pub(super) fn backed_up(&self, scene: &Scene, slot: Slot) -> Result<(), String> {
        let windows = [self.windows.minor, self.windows.manual, self.windows.major];
        let began = windows.into_iter().find_map(|window| self.hours.began(window, slot.start));
        let day = began.unwrap_or_else(|| civil::show(self.zone, slot.start).date());
        let close = self.hours.last_close_before(self.windows.backup, day);
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
            && let Err(why) = self.backed_up(scene, item.slot)
        {
            findings.fatal(Rule::BackupFirst, item.product, format!("its slot has begun and it is not held: {why}"));
        }
    }
}
