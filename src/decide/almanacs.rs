//! Almanacs and checkers by schedule, zone and region, kept from one planning to the next.

use super::almanac::Almanac;
use super::calendar::{Calendar, Region};
use super::checker::{Checker, CheckerError};
use super::terms::Terms;
use crate::model::fleet::Client;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Almanacs by schedule, zone and region, kept from one planning to the next.
///
/// The checker's own reading of the same hours is kept beside them.
#[derive(Clone, Default)]
pub struct Almanacs {
    almanacs: BTreeMap<Key, Arc<Almanac>>,
    checkers: BTreeMap<Key, Arc<Checker>>,
}

/// Schedule, zone, region.
type Key = (String, &'static str, Region);

impl Almanacs {
    /// The almanac for planning at `now`, made when there is none that is still good.
    pub fn get(
        &mut self,
        terms: &Terms,
        schedule: &str,
        (zone, region): (Tz, Region),
        now: DateTime<Utc>,
    ) -> Arc<Almanac> {
        self.spanning(terms, schedule, (zone, region), now, now + chrono::TimeDelta::days(1))
    }

    /// The same, good for every instant from `now` to `until`.
    pub fn spanning(
        &mut self,
        terms: &Terms,
        schedule: &str,
        (zone, region): (Tz, Region),
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Arc<Almanac> {
        let make = || Arc::new(Almanac::new(terms, Calendar::new(zone, region), now, until));
        let kept = self.almanacs.entry((schedule.to_owned(), zone.name(), region)).or_insert_with(make);
        if !kept.is_good_at(now) {
            *kept = make();
        }
        kept.clone()
    }
}

impl Almanacs {
    /// The checker for sites of one schedule, zone and region.
    pub(super) fn checker(
        &mut self,
        client: &Client,
        terms: &Terms,
        (zone, region): (Tz, Region),
    ) -> Result<Arc<Checker>, CheckerError> {
        let key = (client.schedule.clone(), zone.name(), region);
        if let Some(known) = self.checkers.get(&key) {
            return Ok(known.clone());
        }
        let made = Checker::new(&terms.schedule, &client.holidays, zone)?;
        Ok(self.checkers.entry(key).or_insert(Arc::new(made)).clone())
    }
}
