//! The calendar of one site: zone, and public holidays of its region.
//!
//! Civil time exists only here and in [`super::window`]. A client's closed periods are no part of it: [`super::closed`]
//! reads them, and what they mean for an update is the planner's business.

use super::holidays;
use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use std::fmt;

/// Holidays region: national days, plus what the region adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    National,
    AlsaceMoselle,
    /// An overseas department or collectivity, 971 to 978.
    Overseas(u16),
}

#[derive(Clone, Debug)]
pub struct Calendar {
    pub zone: Tz,
    pub region: Region,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown holidays region {0:?}: write FR, FR-ALS or FR-971 to FR-978")]
pub struct UnknownRegion(pub String);

impl std::str::FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Region, UnknownRegion> {
        match text {
            "FR" => Ok(Region::National),
            "FR-ALS" => Ok(Region::AlsaceMoselle),
            "FR-971" | "FR-972" | "FR-973" | "FR-974" | "FR-975" | "FR-976" | "FR-977" | "FR-978" => {
                text["FR-".len()..].parse().map(Region::Overseas).map_err(|_| UnknownRegion(text.to_owned()))
            }
            _ => Err(UnknownRegion(text.to_owned())),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Region::National => f.pad("FR"),
            Region::AlsaceMoselle => f.pad("FR-ALS"),
            Region::Overseas(department) => write!(f, "FR-{department}"),
        }
    }
}

/// Which instant a civil time stands for when the clock repeats or skips it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The first of two.
    Earlier,
    /// The second of two.
    Later,
}

impl Calendar {
    pub fn new(zone: Tz, region: Region) -> Calendar {
        Calendar { zone, region }
    }

    /// Site-local civil time of an instant.
    pub fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.zone).naive_local()
    }

    /// Site-local date of an instant.
    pub fn date(&self, instant: DateTime<Utc>) -> NaiveDate {
        self.local(instant).date()
    }

    /// The instant of a site-local civil time. A time the clock skips is the instant it skips at.
    pub fn instant(&self, civil: NaiveDateTime, fold: Fold) -> DateTime<Utc> {
        instant(self.zone, civil, fold)
    }

    /// The public holiday on `date` in this region, by its French name.
    pub fn holiday(&self, date: NaiveDate) -> Option<&'static str> {
        holidays::holiday(self.region, date)
    }

    /// Monday to Friday, public holidays excluded (*jours ouvrés*).
    pub fn is_working_day(&self, date: NaiveDate) -> bool {
        !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) && self.holiday(date).is_none()
    }

    /// The first working day strictly after `date`.
    pub fn next_working_day(&self, date: NaiveDate) -> NaiveDate {
        date.iter_days().skip(1).find(|day| self.is_working_day(*day)).unwrap_or(NaiveDate::MAX)
    }

    /// The last working day strictly before `date`.
    pub fn previous_working_day(&self, date: NaiveDate) -> NaiveDate {
        let mut day = date;
        while let Some(before) = day.pred_opt() {
            day = before;
            if self.is_working_day(day) {
                break;
            }
        }
        day
    }
}

/// The instant of a civil time in `zone`. A time the clock skips is the instant it skips at.
pub fn instant(zone: Tz, civil: NaiveDateTime, fold: Fold) -> DateTime<Utc> {
    match (zone.from_local_datetime(&civil), fold) {
        (MappedLocalTime::Single(only), _) => only.to_utc(),
        (MappedLocalTime::Ambiguous(earlier, _), Fold::Earlier) => earlier.to_utc(),
        (MappedLocalTime::Ambiguous(_, later), Fold::Later) => later.to_utc(),
        (MappedLocalTime::None, Fold::Earlier | Fold::Later) => clock_jumps_over(zone, civil),
    }
}

/// The first second whose local time is past `civil`, which the zone's clock skips.
fn clock_jumps_over(zone: Tz, civil: NaiveDateTime) -> DateTime<Utc> {
    // No offset from UTC exceeds 14 hours, no jump exceeds a day.
    let (mut before, mut after) = (-40 * 3600_i64, 40 * 3600_i64);
    let middle = civil.and_utc();
    while after - before > 1 {
        let half = before + (after - before) / 2;
        if (middle + TimeDelta::seconds(half)).with_timezone(&zone).naive_local() > civil {
            after = half;
        } else {
            before = half;
        }
    }
    middle + TimeDelta::seconds(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn calendar(zone: Tz, region: &str) -> Calendar {
        Calendar::new(zone, region.parse().unwrap())
    }

    #[test]
    fn regions_read_and_print() {
        for text in ["FR", "FR-ALS", "FR-971", "FR-974", "FR-975", "FR-978"] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), text);
        }
        for text in ["", "fr", "FR-970", "FR-979", "FR-+971", "FR-57", "BE", "FR-0971"] {
            assert_eq!(text.parse::<Region>(), Err(UnknownRegion(text.to_owned())));
        }
    }

    #[test]
    fn working_days_step_over_weekends_and_holidays() {
        let fr = calendar(Tz::Europe__Paris, "FR");
        let als = calendar(Tz::Europe__Paris, "FR-ALS");
        for (from, next) in [
            ("2026-04-29", "2026-04-30"),
            ("2026-04-30", "2026-05-04"),
            ("2026-05-07", "2026-05-11"),
            ("2026-04-03", "2026-04-07"),
        ] {
            assert_eq!(fr.next_working_day(date(from)), date(next), "after {from}");
            assert_eq!(fr.previous_working_day(date(next)), date(from), "before {next}");
        }
        assert!(fr.is_working_day(date("2026-04-03")));
        assert!(!als.is_working_day(date("2026-04-03")));
        assert!(!fr.is_working_day(date("2026-05-02")));
    }

    #[test]
    fn repeated_and_missing_times_are_read_as_asked() {
        let at = |zone: Tz, civil: &str, fold| {
            calendar(zone, "FR").instant(civil.parse().unwrap(), fold).format("%FT%RZ").to_string()
        };
        let paris = Tz::Europe__Paris;
        for (civil, earlier, later) in [
            ("2026-10-25T01:59:00", "2026-10-24T23:59Z", "2026-10-24T23:59Z"),
            ("2026-10-25T02:00:00", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),
            ("2026-10-25T02:59:00", "2026-10-25T00:59Z", "2026-10-25T01:59Z"),
            ("2026-10-25T03:00:00", "2026-10-25T02:00Z", "2026-10-25T02:00Z"),
            ("2027-03-28T01:59:00", "2027-03-28T00:59Z", "2027-03-28T00:59Z"),
            ("2027-03-28T02:00:00", "2027-03-28T01:00Z", "2027-03-28T01:00Z"),
            ("2027-03-28T02:59:00", "2027-03-28T01:00Z", "2027-03-28T01:00Z"),
            ("2027-03-28T03:00:00", "2027-03-28T01:00Z", "2027-03-28T01:00Z"),
        ] {
            assert_eq!(at(paris, civil, Fold::Earlier), earlier, "{civil}");
            assert_eq!(at(paris, civil, Fold::Later), later, "{civil}");
        }
        // A half-hour jump, and a whole day that never was.
        assert_eq!(at(Tz::Australia__Lord_Howe, "2026-10-04T02:15:00", Fold::Later), "2026-10-03T15:30Z");
        assert_eq!(at(Tz::Pacific__Apia, "2011-12-30T12:00:00", Fold::Later), "2011-12-30T10:00Z");
    }
}
