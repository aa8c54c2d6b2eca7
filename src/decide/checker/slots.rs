//! Whether a slot is where the contract lets that kind of work happen: `minor-night`, `manual-slots`,
//! `maintenance-slots`, `office-hours`, and the agreements that open another slot.

use super::Checker;
use super::finding::Findings;
use super::item::Item;
use super::scene::Scene;
use crate::model::rule::Rule;
use chrono::TimeDelta;

impl Checker {
    pub(super) fn slot(&self, scene: &Scene, item: &Item, items: &[Item], findings: &mut Findings) {
        if item.slot.start >= item.slot.end {
            let text = format!("the slot {} is empty, so it is no slot", self.say_slot(item.slot));
            return findings.fatal(item.rule(), item.product, text);
        }
        if agreed(scene, item, items) {
            return;
        }
        self.inside_windows(item, items, findings);
        self.closed_periods(scene, item, findings);
    }

    fn inside_windows(&self, item: &Item, items: &[Item], findings: &mut Findings) {
        let open = |window, name: &str, rule, findings: &mut Findings| {
            if !self.hours.covers(window, item.slot) {
                let text = format!("{} is not inside {name}, and nothing else was agreed", self.say_slot(item.slot));
                findings.fatal(rule, item.product, text);
            }
        };
        if item.is_major() {
            open(self.windows.major, "a slot for major updates", Rule::MaintenanceSlots, findings);
        }
        if item.is_manual() && !(item.is_major() && self.windows.major == self.windows.manual) {
            open(self.windows.manual, "a slot for manual updates", Rule::ManualSlots, findings);
        }
        // What has to go together with attended work goes in its slot.
        if item.group(items).any(Item::is_attended) {
            return;
        }
        open(self.windows.minor, "one night", Rule::MinorNight, findings);
        if self.hours.touches(self.windows.never_in, item.slot) {
            let text = format!("{} overlaps office hours, and nothing was agreed", self.say_slot(item.slot));
            findings.fatal(Rule::OfficeHours, item.product, text);
        }
    }

    /// A manual update is announced long enough before its slot (`concertation`); one that is already planned there was.
    pub(super) fn announced(&self, scene: &Scene, item: &Item, items: &[Item], findings: &mut Findings) {
        let planned_before = || {
            scene.own_deployments().any(|deployment| {
                deployment.state.is_open()
                    && deployment.product == item.product
                    && deployment.to == *item.version
                    && deployment.slot == item.slot
            })
        };
        let earliest = scene.now + TimeDelta::hours(i64::from(self.manual.announce_hours));
        let soon = item.is_manual() && !item.is_major() && item.goes() && item.slot.start < earliest;
        if !soon || agreed(scene, item, items) || planned_before() {
            return;
        }
        let text = format!(
            "{} leaves the client's contact less than {} hours to inform the users: not before {}",
            self.say_slot(item.slot),
            self.manual.announce_hours,
            self.say(earliest)
        );
        // A retry takes the next slot; the users know already, and whether that is enough is for people to say.
        if scene.failures(item.product, item.version) > 0 {
            findings.warn(Rule::Concertation, item.product, text);
        } else {
            findings.fatal(Rule::Concertation, item.product, text);
        }
    }
}

/// Whether the client agreed to this slot for any of what installs together.
pub(super) fn agreed(scene: &Scene, item: &Item, items: &[Item]) -> bool {
    !scene.agreements.is_empty() && item.group(items).any(|other| scene.agreed_slot(other.product, item.slot))
}
