//! The month day by day: what began on each, on the clock of each site.

use super::Scene;
use super::sheet::Night;
use crate::decide::calendar::Calendar;
use crate::model::deployment::DeploymentState;
use chrono::NaiveDate;
use std::collections::BTreeMap;

pub(super) fn of(scene: &Scene) -> Vec<Night> {
    let calendar = Calendar::new(scene.zone, scene.region);
    let mut nights: BTreeMap<NaiveDate, Night> =
        scene.month.days().map(|date| (date, Night::quiet(date, &calendar))).collect();
    for d in scene.in_month() {
        // Of a site whose clock is elsewhere, a slot of the month may begin on the day beside it.
        let date = scene.calendar(&d.server).date(d.slot.start);
        let night = nights.entry(date).or_insert_with(|| Night::quiet(date, &calendar));
        let count = match d.state {
            DeploymentState::Planned | DeploymentState::Running { .. } => &mut night.planned,
            DeploymentState::Installed { .. } => &mut night.installed,
            DeploymentState::RolledBack { .. } => &mut night.rolled_back,
            DeploymentState::Refused { .. } => &mut night.refused,
            DeploymentState::Failed { .. } => &mut night.failed,
            DeploymentState::Cancelled { .. } => continue,
        };
        *count += 1;
    }
    nights.into_values().collect()
}

impl Night {
    fn quiet(date: NaiveDate, calendar: &Calendar) -> Night {
        Night {
            date,
            is_working_day: calendar.is_working_day(date),
            holiday: calendar.holiday(date).map(str::to_owned),
            installed: 0,
            rolled_back: 0,
            refused: 0,
            failed: 0,
            planned: 0,
        }
    }

    /// All that began or will.
    pub fn total(&self) -> u32 {
        self.installed + self.rolled_back + self.refused + self.failed + self.planned
    }
}
