//! Deadlines worked out again, and who is late (`minor-night`).

use super::finding::Findings;
use super::item::{Item, Standing};
use super::scene::Scene;
use super::{Checker, civil};
use crate::model::release::Release;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};

impl Checker {
    /// The night at whose end a minor has to be installed: the first counts from the day of its publication.
    pub(super) fn deadline_night(&self, release: &Release) -> Option<Slot> {
        let day = civil::show(self.zone, release.published_at()).date();
        self.hours.night(self.windows.minor, day, self.minor.deadline_nights)
    }

    /// The nights up to the deadline, the last one first.
    pub(super) fn nights(&self, release: &Release) -> impl Iterator<Item = Slot> {
        let day = civil::show(self.zone, release.published_at()).date();
        (1..=self.minor.deadline_nights).rev().filter_map(move |n| self.hours.night(self.windows.minor, day, n))
    }

    /// When the contract says it must be done: the end of the deadline night for a minor, the end of the client's
    /// latest date for a major. A manual update has slots and no deadline.
    pub(super) fn due(&self, scene: &Scene, item: &Item) -> Option<DateTime<Utc>> {
        if item.is_major() {
            let request = scene.requests.iter().find(|request| Some(request.id) == item.request)?;
            Some(self.end_of(request.before))
        } else if item.is_manual() {
            None
        } else {
            Some(self.deadline_night(item.release)?.end)
        }
    }

    pub(super) fn deadline(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        let due = self.due(scene, item);
        // Without its request a major has no date to compare with; that is a finding of its own.
        if item.deadline == due || item.is_major() && due.is_none() {
            return;
        }
        let name = |deadline: Option<DateTime<Utc>>| deadline.map_or("none".to_owned(), |at| self.say(at));
        let text = format!("its deadline is {}, and the plan says {}", name(due), name(item.deadline));
        let rule = if item.is_major() { Rule::MajorNotice } else { Rule::MinorNight };
        findings.fatal(rule, item.product, text);
    }

    /// Past its deadline means `Late`, and nothing else does. A major has no `Late`: it ends by its date or is not planned.
    pub(super) fn lateness(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        let due = self.due(scene, item);
        if item.is_major() && due.is_none() {
            return;
        }
        let due = due.filter(|_| !item.is_major());
        let text = match (item.standing, due) {
            (Standing::Goes, Some(due)) if item.slot.end > due => format!(
                "{} ends after its deadline, {}, and is not shown as late",
                self.say_slot(item.slot),
                self.say(due)
            ),
            (Standing::Late, Some(due)) if item.slot.end <= due => {
                format!("{} meets its deadline, {}, and is shown as late", self.say_slot(item.slot), self.say(due))
            }
            (Standing::Late, None) => format!("{} is shown as late and has no deadline", self.say_slot(item.slot)),
            (Standing::Goes | Standing::Late | Standing::Held, _) => return,
        };
        findings.fatal(if item.is_major() { Rule::MajorNotice } else { Rule::MinorNight }, item.product, text);
    }
}
