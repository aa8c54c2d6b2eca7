//! Public holidays of every region against a list that others made (`data/holidays.csv`): the national days, and what each
//! region adds to them.

use chrono::{Datelike, NaiveDate};
use noctule::decide::calendar::Region;
use noctule::decide::holidays::holiday;
use std::collections::{BTreeMap, BTreeSet};

const REGIONS: [&str; 10] =
    ["FR", "FR-ALS", "FR-971", "FR-972", "FR-973", "FR-974", "FR-975", "FR-976", "FR-977", "FR-978"];

#[test]
fn every_day_of_every_region_is_a_holiday_or_not_as_others_say() {
    let mut reader = csv::Reader::from_reader(&include_bytes!("data/holidays.csv")[..]);
    let mut listed: BTreeMap<String, BTreeSet<NaiveDate>> = BTreeMap::new();
    for line in reader.deserialize() {
        let (region, date, _name): (String, NaiveDate, String) = line.expect("the facts are CSV");
        listed.entry(region).or_default().insert(date);
    }
    // Saint-Pierre-et-Miquelon has none of its own.
    let named: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(named, REGIONS.into_iter().filter(|region| *region != "FR-975").collect());
    let years: BTreeSet<i32> = listed["FR"].iter().map(|date| date.year()).collect();
    assert_eq!((years.first(), years.last(), years.len()), (Some(&2020), Some(&2040), 21));

    let (first, last) = (listed["FR"].first().copied().unwrap(), NaiveDate::from_ymd_opt(2040, 12, 31).unwrap());
    let mut compared = 0;
    for name in REGIONS {
        let region: Region = name.parse().unwrap();
        let own = |date: &NaiveDate| listed.get(name).is_some_and(|days| days.contains(date));
        for date in first.iter_days().take_while(|date| *date <= last) {
            let expected = listed["FR"].contains(&date) || own(&date);
            assert_eq!(holiday(region, date).is_some(), expected, "{name} {date}");
            compared += 1;
        }
    }
    assert_eq!(compared, 10 * 7671);
}
