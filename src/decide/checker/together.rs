//! What installs together: whole groups, in one slot, in one order; and room for everything in the server's slots.

use super::Checker;
use super::finding::Findings;
use super::item::{Group, Item};
use super::scene::Scene;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};

impl Checker {
    /// Each group is whole: one slot, positions from 0 without a gap, and it goes or is held as one.
    pub(super) fn together(&self, items: &[Item], findings: &mut Findings) {
        for (at, item) in items.iter().enumerate() {
            if items[..at].iter().any(|earlier| earlier.group == item.group) {
                continue;
            }
            let before = findings.found.len();
            if let Some(text) = self.split(item, items) {
                findings.fatal(Rule::Prerequisites, item.product, text);
            }
            if !item.group(items).any(Item::goes) {
                findings.soften(before);
            }
        }
    }

    fn split(&self, item: &Item, items: &[Item]) -> Option<String> {
        let Item { product, slot, .. } = item;
        if let Some(other) = item.group(items).find(|other| other.slot != *slot) {
            return Some(format!(
                "{} is in its group and has another slot: {}, not {}",
                other.product,
                self.say_slot(other.slot),
                self.say_slot(*slot)
            ));
        }
        if let Some(other) = item.group(items).find(|other| other.goes() != item.goes()) {
            return Some(format!("of its group, {product} and {} do not go together", other.product));
        }
        let size = item.group(items).count();
        let placed = |place: usize| item.group(items).filter(|other| other.position as usize == place).count() == 1;
        if let Some(place) = (0..size).find(|place| !placed(*place)) {
            return Some(format!("its group of {size} has not one product at position {place}"));
        }
        let leads = |leader: &str| {
            item.group(items).any(|other| {
                leader.strip_prefix(other.product).and_then(|rest| rest.strip_prefix(' '))
                    == Some(other.version.as_str())
            })
        };
        match item.group {
            Group::Leader(leader) if !leads(leader) => Some(format!("{leader} leads its group and is not in it")),
            Group::Leader(_) | Group::Action(_) => None,
        }
    }

    /// Everything fits: for any two instants, what has to happen between them takes no longer than there is.
    pub(super) fn capacity(&self, scene: &Scene, items: &[Item], findings: &mut Findings) {
        let loads = self.loads(scene, items);
        for (at, first) in loads.iter().enumerate() {
            for last in &loads {
                let (from, to) = (first.slot.start, last.slot.end);
                // The same two instants need looking at only once.
                if loads[..at].iter().any(|earlier| earlier.slot.start == from) {
                    break;
                }
                let inside = || loads.iter().filter(|load| from <= load.slot.start && load.slot.end <= to);
                let minutes: i64 = inside().map(|load| load.minutes).sum();
                let room = (to - from).max(TimeDelta::zero());
                if minutes > 0 && TimeDelta::minutes(minutes + i64::from(self.backup.reserve_minutes)) > room {
                    let Some(load) = inside().next_back() else { continue };
                    let text = format!(
                        "{minutes} minutes of work, restore included, and {} for the copy do not fit between {} and {}",
                        self.backup.reserve_minutes,
                        self.say(from),
                        self.say(to)
                    );
                    return findings.fatal(load.rule, load.product, text);
                }
            }
        }
    }

    /// Each product's work, and what of its slot is left for it.
    fn loads<'b>(&self, scene: &Scene<'b>, items: &'b [Item]) -> Vec<Load<'b>> {
        let left = |slot: Slot, from: DateTime<Utc>| Slot { start: slot.start.max(from), end: slot.end };
        let planned = items.iter().filter(|item| item.goes() && item.slot.start < item.slot.end).map(|item| Load {
            product: item.product,
            rule: item.rule(),
            slot: left(item.slot, scene.now),
            minutes: item.minutes(scene),
        });
        let running = scene.running().filter_map(|(deployment, started_at)| {
            let release = scene.release(&deployment.product, &deployment.to)?;
            Some(Load {
                product: &deployment.product,
                rule: if deployment.manual { Rule::ManualSlots } else { Rule::MinorNight },
                slot: left(deployment.slot, started_at),
                minutes: i64::from((scene.minutes)(release)) + i64::from(release.manifest().rollback_minutes),
            })
        });
        running.chain(planned).collect()
    }
}

struct Load<'a> {
    product: &'a str,
    rule: Rule,
    slot: Slot,
    minutes: i64,
}
