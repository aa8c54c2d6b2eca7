//! A client's closed periods: nothing happens in them without an agreement for each of their days that it touches.

use super::finding::Findings;
use super::item::Item;
use super::scene::Scene;
use super::{Checker, civil};
use crate::model::agreement::Agreed;
use crate::model::closed::ClosedPeriod;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

impl Checker {
    pub(super) fn closed_periods(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        if scene.client.closed.is_empty() {
            return;
        }
        let (first, last) = self.days(item.slot);
        for period in scene.client.closed.iter().filter(|period| is_near(period, first, last)) {
            match self.not_agreed(scene, period, item.slot) {
                Ok(None) => {}
                Ok(Some(day)) => {
                    let text = format!(
                        "{} falls in a closed period of the client, {period}: nothing was agreed for {day}",
                        self.say_slot(item.slot)
                    );
                    findings.fatal(Rule::ClosedPeriod, item.product, text);
                }
                // What cannot be read cannot be kept: staff look, and the intake of fleets should have refused it.
                Err(why) => findings.warn(Rule::ClosedPeriod, item.product, format!("{period} cannot be read: {why}")),
            }
        }
    }

    /// Whether nothing of the slot is closed.
    pub(super) fn is_open(&self, scene: &Scene, slot: Slot) -> bool {
        scene.client.closed.iter().all(|period| self.not_agreed(scene, period, slot) == Ok(None))
    }

    /// The first closed day of the slot that the client did not open again.
    fn not_agreed(&self, scene: &Scene, period: &ClosedPeriod, slot: Slot) -> Result<Option<NaiveDate>, String> {
        let closed = |(from, to): (DateTime<Utc>, DateTime<Utc>)| {
            let part = Slot::new(from.max(slot.start), to.min(slot.end))?;
            let (first, last) = self.days(part);
            first.iter_days().take_while(|day| *day <= last).find(|day| !opened(scene, *day))
        };
        let wide = |from: NaiveDateTime, to: NaiveDateTime| {
            (civil::instants(self.zone, from).0, civil::instants(self.zone, to).1)
        };
        Ok(match period {
            ClosedPeriod::Days(days) => closed((civil::day_start(self.zone, days.from), self.end_of(days.to))),
            ClosedPeriod::Times(times) => closed(wide(times.from, times.to)),
            ClosedPeriod::Instants(instants) => closed((instants.from, instants.to)),
            ClosedPeriod::Hours(closing) => {
                let (first, last) = self.days(slot);
                self.hours.opening(&closing.hours, first, last)?.into_iter().find_map(closed)
            }
            ClosedPeriod::Calendar(_) => return Err("its calendar was not read when the fleet was applied".to_owned()),
        })
    }

    /// The site's days that a slot touches, the first and the last.
    fn days(&self, slot: Slot) -> (NaiveDate, NaiveDate) {
        let day = |at| civil::show(self.zone, at).date();
        (day(slot.start), day(slot.end - TimeDelta::nanoseconds(1)))
    }
}

/// Whether a period can have to do with these days at all: most of a long list has not.
fn is_near(period: &ClosedPeriod, first: NaiveDate, last: NaiveDate) -> bool {
    match period {
        ClosedPeriod::Days(days) => days.from <= last && first <= days.to,
        ClosedPeriod::Times(times) => times.from.date() <= last && first <= times.to.date(),
        ClosedPeriod::Instants(_) | ClosedPeriod::Hours(_) | ClosedPeriod::Calendar(_) => true,
    }
}

/// Whether the client agreed to work on a closed day.
fn opened(scene: &Scene, day: NaiveDate) -> bool {
    scene.agreed().any(|agreed| match agreed {
        Agreed::ClosedPeriod { server, from, to } => {
            server.as_ref().is_none_or(|server| *server == scene.server.id) && (*from..=*to).contains(&day)
        }
        Agreed::Slot { .. } | Agreed::ShortNotice { .. } => false,
    })
}
