//! The calendar of one site: zone, public holidays of its region, the client's closed periods.

use crate::model::fleet::ClosedPeriod;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

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
    pub closed: Vec<ClosedPeriod>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown holidays region {0:?}: FR, FR-ALS or FR-971 to FR-978")]
pub struct UnknownRegion(pub String);

impl std::str::FromStr for Region {
    type Err = UnknownRegion;
    fn from_str(_text: &str) -> Result<Region, UnknownRegion> {
        todo!()
    }
}

impl Calendar {
    pub fn new(zone: Tz, region: Region, closed: Vec<ClosedPeriod>) -> Calendar {
        Calendar { zone, region, closed }
    }

    /// Site-local civil time of an instant.
    pub fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.zone).naive_local()
    }

    /// The public holiday on `date` in this region, by its French name.
    pub fn holiday(&self, _date: NaiveDate) -> Option<&'static str> {
        todo!()
    }

    /// Monday to Friday, public holidays excluded (*jours ouvrés*).
    pub fn is_working_day(&self, _date: NaiveDate) -> bool {
        todo!()
    }

    /// The client's closed period that covers `date`.
    pub fn closed_on(&self, _date: NaiveDate) -> Option<&ClosedPeriod> {
        todo!()
    }
}
