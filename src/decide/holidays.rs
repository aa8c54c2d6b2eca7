//! French public holidays, by region.
//!
//! Eleven national days (Code du travail, L3133-1); Good Friday and 26 December in Alsace-Moselle (L3134-13);
//! the day that commemorates the abolition of slavery overseas (L3422-2 and decree 83-1003). Easter is computed
//! with the anonymous Gregorian algorithm, so no table runs out. Knows nothing of a client's own closed periods.

use super::calendar::Region;
use chrono::{Datelike, NaiveDate, TimeDelta};

/// Holidays on the same day of every year: month, day, name.
const NATIONAL: [(u32, u32, &str); 8] = [
    (1, 1, "Jour de l'an"),
    (5, 1, "Fête du Travail"),
    (5, 8, "Victoire 1945"),
    (7, 14, "Fête nationale"),
    (8, 15, "Assomption"),
    (11, 1, "Toussaint"),
    (11, 11, "Armistice 1918"),
    (12, 25, "Noël"),
];

/// Holidays that follow Easter Sunday, in days.
const AFTER_EASTER: [(i64, &str); 3] = [(1, "Lundi de Pâques"), (39, "Ascension"), (50, "Lundi de Pentecôte")];

const ABOLITION: &str = "Abolition de l'esclavage";

/// The public holiday on `date` in `region`, by its French name.
pub fn holiday(region: Region, date: NaiveDate) -> Option<&'static str> {
    let day = (date.month(), date.day());
    if let Some((_, _, name)) = NATIONAL.iter().find(|(month, of_month, _)| (*month, *of_month) == day) {
        return Some(name);
    }
    if let Some(name) = regional(region, day) {
        return Some(name);
    }
    // Everything that follows Easter falls between Good Friday's 20 March and Whit Monday's 14 June.
    if !(3..=6).contains(&day.0) {
        return None;
    }
    let after = (date - easter_sunday(date.year())?).num_days();
    if region == Region::AlsaceMoselle && after == -2 {
        return Some("Vendredi saint");
    }
    AFTER_EASTER.iter().find(|(days, _)| *days == after).map(|(_, name)| *name)
}

/// What a region adds on a fixed day of the year.
fn regional(region: Region, day: (u32, u32)) -> Option<&'static str> {
    match region {
        Region::National => None,
        Region::AlsaceMoselle => (day == (12, 26)).then_some("Saint-Étienne"),
        Region::Overseas(department) => (abolition_day(department) == Some(day)).then_some(ABOLITION),
    }
}

/// The day that commemorates the abolition of slavery; Saint-Pierre-et-Miquelon (975) has none.
fn abolition_day(department: u16) -> Option<(u32, u32)> {
    match department {
        971 => Some((5, 27)),
        972 => Some((5, 22)),
        973 => Some((6, 10)),
        974 => Some((12, 20)),
        976 => Some((4, 27)),
        977 => Some((10, 9)),
        978 => Some((5, 28)),
        _ => None,
    }
}

/// Easter Sunday of a Gregorian year (anonymous algorithm, Nature 1876); `None` outside the calendar's range.
pub fn easter_sunday(year: i32) -> Option<NaiveDate> {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let days_from_22_march = h + l - 7 * m;
    NaiveDate::from_ymd_opt(year, 3, 22)?.checked_add_signed(TimeDelta::days(days_from_22_march.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_falls_where_the_almanac_says() {
        for day in [
            "1818-03-22",
            "1943-04-25",
            "2000-04-23",
            "2008-03-23",
            "2011-04-24",
            "2024-03-31",
            "2025-04-20",
            "2026-04-05",
            "2027-03-28",
            "2028-04-16",
            "2029-04-01",
            "2030-04-21",
            "2038-04-25",
            "2285-03-22",
        ] {
            assert_eq!(easter_sunday(date(day).year()), Some(date(day)), "{day}");
        }
    }

    #[test]
    fn each_year_has_eleven_national_days_unless_two_meet() {
        for year in 2020..2100 {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            let count =
                first.iter_days().take_while(|d| d.year() == year).filter(|d| holiday(Region::National, *d).is_some());
            // Ascension falls on 1 May in 2008, on 8 May in 2059 for example.
            let met = [(5, 1), (5, 8)].iter().any(|(month, day)| {
                NaiveDate::from_ymd_opt(year, *month, *day)
                    .is_some_and(|d| (d - easter_sunday(year).unwrap()).num_days() == 39)
            });
            assert_eq!(count.count(), if met { 10 } else { 11 }, "{year}");
        }
    }

    #[test]
    fn holidays_and_the_days_beside_them() {
        let fr = Region::National;
        for (day, name) in [
            ("2026-01-01", "Jour de l'an"),
            ("2026-04-06", "Lundi de Pâques"),
            ("2026-05-01", "Fête du Travail"),
            ("2026-05-08", "Victoire 1945"),
            ("2026-05-14", "Ascension"),
            ("2026-05-25", "Lundi de Pentecôte"),
            ("2026-07-14", "Fête nationale"),
            ("2026-08-15", "Assomption"),
            ("2026-11-01", "Toussaint"),
            ("2026-11-11", "Armistice 1918"),
            ("2026-12-25", "Noël"),
        ] {
            assert_eq!(holiday(fr, date(day)), Some(name), "{day}");
            assert_eq!(holiday(fr, date(day) - TimeDelta::days(1)), None, "day before {day}");
            assert_eq!(holiday(fr, date(day) + TimeDelta::days(1)), None, "day after {day}");
        }
    }

    #[test]
    fn regions_add_their_own_days_and_only_theirs() {
        let regions: Vec<Region> =
            [Region::National, Region::AlsaceMoselle].into_iter().chain((971..=978).map(Region::Overseas)).collect();
        for (day, own) in [
            ("2026-04-03", Region::AlsaceMoselle),
            ("2026-12-26", Region::AlsaceMoselle),
            ("2026-05-27", Region::Overseas(971)),
            ("2026-05-22", Region::Overseas(972)),
            ("2026-06-10", Region::Overseas(973)),
            ("2026-12-20", Region::Overseas(974)),
            ("2026-04-27", Region::Overseas(976)),
            ("2026-10-09", Region::Overseas(977)),
            ("2026-05-28", Region::Overseas(978)),
        ] {
            for region in &regions {
                assert_eq!(holiday(*region, date(day)).is_some(), *region == own, "{day} in {region:?}");
            }
        }
    }

    #[test]
    fn national_days_are_those_that_others_list() {
        use opening_hours::localization::Country;
        let listed = Country::FR.holidays();
        let (first, last) = (date("2020-01-01"), date("2035-12-31"));
        for day in first.iter_days().take_while(|day| *day <= last) {
            assert_eq!(listed.get_public().contains(day), holiday(Region::National, day).is_some(), "{day}");
        }
    }
}
