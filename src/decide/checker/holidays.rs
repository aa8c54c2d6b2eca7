//! Public holidays of a site: eleven national days, and those of its region.
//!
//! Article L3133-1 of the French labour code; L3134-13 for Alsace-Moselle; L3422-2 for the day on which slavery ended
//! overseas. Saint-Pierre-et-Miquelon (975) has no such day.

use chrono::{NaiveDate, TimeDelta};

/// Which holidays a site has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    alsace_moselle: bool,
    /// Month and day.
    abolition: Option<(u32, u32)>,
}

impl Region {
    /// `FR`, `FR-ALS`, `FR-971` … `FR-978`; `None` for anything else.
    pub fn read(name: &str) -> Option<Region> {
        let overseas = |month, day| Some(Region { alsace_moselle: false, abolition: Some((month, day)) });
        match name {
            "FR" | "FR-975" => Some(Region { alsace_moselle: false, abolition: None }),
            "FR-ALS" => Some(Region { alsace_moselle: true, abolition: None }),
            "FR-971" => overseas(5, 27),
            "FR-972" => overseas(5, 22),
            "FR-973" => overseas(6, 10),
            "FR-974" => overseas(12, 20),
            "FR-976" => overseas(4, 27),
            "FR-977" => overseas(10, 9),
            "FR-978" => overseas(5, 28),
            _ => None,
        }
    }

    /// The region's holidays of one year, in order.
    pub fn days(self, year: i32) -> Vec<NaiveDate> {
        let mut fixed = vec![(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];
        let mut from_easter = vec![1, 39, 50];
        if self.alsace_moselle {
            fixed.push((12, 26));
            from_easter.push(-2);
        }
        fixed.extend(self.abolition);
        let easter = easter(year);
        let mut days: Vec<NaiveDate> = fixed
            .into_iter()
            .filter_map(|(month, day)| NaiveDate::from_ymd_opt(year, month, day))
            .chain(from_easter.into_iter().filter_map(|days| easter?.checked_add_signed(TimeDelta::days(days))))
            .collect();
        days.sort_unstable();
        days.dedup();
        days
    }
}

/// Easter Sunday of the Gregorian calendar: Gauss's rule as Lichtenberg completed it in 1997.
fn easter(year: i32) -> Option<NaiveDate> {
    let century = year / 100;
    let leap_shift = (3 * century + 3) / 4;
    let moon_shift = 15 + leap_shift - (8 * century + 13) / 25;
    let moon_year = year % 19;
    let seed = (19 * moon_year + moon_shift) % 30;
    let correction = (seed + moon_year / 11) / 29;
    let full_moon = 21 + seed - correction;
    let first_sunday = 7 - (year + year / 4 + 2 - leap_shift).rem_euclid(7);
    let to_sunday = 7 - (full_moon - first_sunday).rem_euclid(7);
    // Counted in days of March, of which there may be more than 31.
    NaiveDate::from_ymd_opt(year, 3, 1)?.checked_add_signed(TimeDelta::days(i64::from(full_moon + to_sunday - 1)))
}
