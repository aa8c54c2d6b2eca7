//! The almanac says what the calendar says when asked one by one.

use super::*;
use crate::decide::calendar::Region;
use proptest::prelude::*;

const ZONES: [chrono_tz::Tz; 4] =
    [chrono_tz::Europe::Paris, chrono_tz::Indian::Reunion, chrono_tz::America::Miquelon, chrono_tz::Pacific::Noumea];

fn terms(file: usize) -> Terms {
    let text =
        [include_str!("../../schedules/pro-controle.toml"), include_str!("../../schedules/nuit-blanche.toml")][file];
    Terms::compile(toml::from_str(text).unwrap()).unwrap()
}

fn at(hour: i64) -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_almanac_agrees_with_the_calendar(file in 0..2_usize, zone in 0..4_usize, hour in 0..12_000_i64, before in prop_oneof![0..100_i64, 0..5_000_i64]) {
        let terms = terms(file);
        let calendar = Calendar::new(ZONES[zone], Region::National);
        let now = at(hour);
        let almanac = Almanac::new(&terms, calendar.clone(), now, now);
        for (work, window) in [(Work::Night, terms.minor_window()), (Work::Manual, terms.manual_window())] {
            let slots = window.slots(&calendar, now, now + TimeDelta::days(SEARCH_DAYS));
            let openings = almanac.openings(work, now);
            prop_assert_eq!(openings.iter().map(|o| o.slot).collect::<Vec<_>>(), slots);
            for opening in openings.iter().step_by(9) {
                prop_assert_eq!(opening.backup_since, notice::backup_not_before(&terms, &calendar, opening.slot.start));
                prop_assert_eq!(opening.barred, terms.barred_window().touches(&calendar, opening.slot));
            }
        }
        let since = notice::backup_not_before(&terms, &calendar, now);
        prop_assert_eq!(almanac.backup_not_before(&terms, now), since);
        let published = now - TimeDelta::hours(before);
        let mut nights = terms.minor_window().slots(&calendar, published, now + TimeDelta::seconds(1)).into_iter();
        let began = nights.any(|night| published <= night.start && night.start <= now);
        prop_assert_eq!(almanac.night_began(published, now), began);
        let deadline = notice::minor_deadline(&terms, &calendar, published);
        prop_assert_eq!(almanac.minor_deadline(&terms, published), deadline);
        prop_assert_eq!(almanac.deadline_to_come(&terms, published, now), Some(deadline).filter(|d| *d > now));
    }

    #[test]
    fn an_almanac_of_a_span_is_that_of_each_of_its_instants(hour in 0..4_000_i64, later in 0..2_000_i64) {
        let terms = terms(0);
        let calendar = Calendar::new(ZONES[0], Region::AlsaceMoselle);
        let (from, now) = (at(hour), at(hour + later));
        let (wide, narrow) = (
            Almanac::new(&terms, calendar.clone(), from, at(hour + 2_000)),
            Almanac::new(&terms, calendar, now, now),
        );
        for work in [Work::Night, Work::Manual, Work::Major] {
            prop_assert_eq!(wide.openings(work, now), narrow.openings(work, now));
        }
    }
}
