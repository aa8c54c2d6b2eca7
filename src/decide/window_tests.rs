//! Slots of windows, one unit either side of every edge.

use super::*;
use chrono_tz::Tz;

fn calendar(zone: Tz, region: &str) -> Calendar {
    Calendar::new(zone, region.parse().unwrap())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn window(hours: &str) -> CompiledWindow {
    CompiledWindow::compile(hours).unwrap_or_else(|faults| panic!("{hours}: {faults:?}"))
}

/// The slots of `hours` between two UTC instants, as `local start/local end minutes`.
fn shown(hours: &str, site: &Calendar, from: &str, to: &str) -> Vec<String> {
    window(hours)
        .slots(site, at(from), at(to))
        .into_iter()
        .map(|slot| {
            format!(
                "{}/{} {}",
                site.local(slot.start).format("%a %d %H:%M"),
                site.local(slot.end).format("%a %d %H:%M"),
                slot.duration().num_minutes()
            )
        })
        .collect()
}

const NIGHT: &str = "Mo-Su 22:00-07:00";
const MAINTENANCE: &str = "Mo-Fr 20:00-22:00; Sa 08:00-16:00; PH off";

#[test]
fn a_night_is_one_slot_across_midnight_weekends_and_holidays() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    assert_eq!(
        shown(NIGHT, &paris, "2026-04-30T12:00:00Z", "2026-05-03T12:00:00Z"),
        ["Thu 30 22:00/Fri 01 07:00 540", "Fri 01 22:00/Sat 02 07:00 540", "Sat 02 22:00/Sun 03 07:00 540"]
    );
}

#[test]
fn slots_are_whole_and_the_query_is_half_open() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    let night = "Wed 29 22:00/Thu 30 07:00 540";
    // The night of 29 April is 20:00Z to 05:00Z.
    for (from, to, found) in [
        ("2026-04-29T19:59:00Z", "2026-04-29T20:00:00Z", false),
        ("2026-04-29T19:59:00Z", "2026-04-29T20:00:01Z", true),
        ("2026-04-30T04:59:59Z", "2026-04-30T05:00:00Z", true),
        ("2026-04-30T05:00:00Z", "2026-04-30T05:00:01Z", false),
        ("2026-04-29T23:00:00Z", "2026-04-29T23:00:01Z", true),
        ("2026-04-29T23:00:00Z", "2026-04-29T23:00:00Z", false),
        ("2026-04-29T23:00:00Z", "2026-04-29T22:00:00Z", false),
    ] {
        let slots = shown(NIGHT, &paris, from, to);
        assert_eq!(slots, if found { vec![night] } else { vec![] }, "{from} {to}");
    }
}

#[test]
fn maintenance_skips_holidays_and_keeps_saturdays() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    assert_eq!(
        shown(MAINTENANCE, &paris, "2026-04-29T00:00:00Z", "2026-05-05T00:00:00Z"),
        [
            "Wed 29 20:00/Wed 29 22:00 120",
            "Thu 30 20:00/Thu 30 22:00 120",
            "Sat 02 08:00/Sat 02 16:00 480",
            "Mon 04 20:00/Mon 04 22:00 120"
        ]
    );
    // 15 August 2026 is a Saturday.
    assert!(shown(MAINTENANCE, &paris, "2026-08-15T00:00:00Z", "2026-08-15T22:00:00Z").is_empty());
}

#[test]
fn holidays_are_those_of_the_site() {
    let office = "Mo-Fr 08:00-18:00; PH off";
    for (region, day, open) in [
        ("FR", "2026-04-03", true),
        ("FR-ALS", "2026-04-03", false),
        ("FR", "2026-05-22", true),
        ("FR-972", "2026-05-22", false),
        ("FR-971", "2026-05-22", true),
        ("FR-975", "2026-07-14", false),
    ] {
        let site = calendar(Tz::Europe__Paris, region);
        let slots = shown(office, &site, &format!("{day}T00:00:00Z"), &format!("{day}T20:00:00Z"));
        assert_eq!(slots.len(), usize::from(open), "{region} {day}");
        assert_eq!(window(office).close_of(&site, day.parse().unwrap()).is_some(), open, "{region} {day}");
    }
}

#[test]
fn a_cancelled_night_is_cancelled_whole() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    assert_eq!(
        shown("Mo-Fr 22:00-07:00; PH 22:00-07:00 off", &paris, "2026-04-29T12:00:00Z", "2026-05-05T12:00:00Z"),
        ["Wed 29 22:00/Thu 30 07:00 540", "Thu 30 22:00/Fri 01 07:00 540", "Mon 04 22:00/Tue 05 07:00 540"]
    );
}

#[test]
fn the_clock_change_makes_nights_of_eight_and_ten_hours() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    let minutes = |from: &str, to: &str| -> Vec<i64> {
        window(NIGHT).slots(&paris, at(from), at(to)).iter().map(|slot| slot.duration().num_minutes()).collect()
    };
    assert_eq!(minutes("2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z"), [540, 600, 540]);
    assert_eq!(minutes("2027-03-26T12:00:00Z", "2027-03-29T12:00:00Z"), [540, 480, 540]);
}

#[test]
fn what_may_be_open_is_touched_and_what_may_be_shut_is_no_slot() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    let repeated = window("Su 02:15-02:45");
    let (from, to) = (at("2026-10-25T00:00:00Z"), at("2026-10-25T02:00:00Z"));
    assert!(repeated.slots(&paris, from, to).is_empty());
    for (start, end, touched) in [
        ("2026-10-25T00:14:00Z", "2026-10-25T00:15:00Z", false),
        ("2026-10-25T00:15:00Z", "2026-10-25T00:16:00Z", true),
        ("2026-10-25T01:44:00Z", "2026-10-25T01:45:00Z", true),
        ("2026-10-25T01:45:00Z", "2026-10-25T01:46:00Z", false),
    ] {
        assert_eq!(repeated.touches(&paris, Slot::new(at(start), at(end)).unwrap()), touched, "{start}");
    }
}

#[test]
fn zones_far_away_have_nights_of_their_own() {
    for (zone, start) in [
        (Tz::Indian__Reunion, "2026-04-29T18:00:00Z"),
        (Tz::America__Miquelon, "2026-04-30T00:00:00Z"),
        (Tz::Pacific__Noumea, "2026-04-29T11:00:00Z"),
        (Tz::Pacific__Tahiti, "2026-04-30T08:00:00Z"),
        (Tz::Pacific__Kiritimati, "2026-04-29T08:00:00Z"),
        (Tz::Pacific__Niue, "2026-04-30T09:00:00Z"),
    ] {
        let site = calendar(zone, "FR");
        let slot = window(NIGHT).slot_at(&site, at(start)).unwrap();
        assert_eq!((slot.start, slot.duration().num_minutes()), (at(start), 540), "{zone}");
        assert_eq!(window(NIGHT).slot_at(&site, at(start) - TimeDelta::seconds(1)), None, "{zone}");
        assert_eq!(site.date(slot.start), "2026-04-29".parse().unwrap(), "{zone}");
    }
}

#[test]
fn a_window_that_never_closes_gives_days() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    assert_eq!(
        shown("24/7", &paris, "2026-04-29T12:00:00Z", "2026-04-30T12:00:00Z"),
        ["Wed 29 00:00/Thu 30 00:00 1440", "Thu 30 00:00/Fri 01 00:00 1440"]
    );
    assert_eq!(
        shown("Fr 20:00-24:00; Sa 00:00-24:00; Su 00:00-06:00", &paris, "2026-04-30T12:00:00Z", "2026-05-04T12:00:00Z"),
        ["Fri 01 20:00/Sat 02 00:00 240", "Sat 02 00:00/Sun 03 00:00 1440", "Sun 03 00:00/Sun 03 06:00 360"]
    );
}

#[test]
fn hours_that_look_at_dates_open_when_they_say() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    for (hours, from, expected) in [
        ("Sa[1] 08:00-16:00", "2026-04-29T00:00:00Z", "2026-05-02"),
        ("Feb 29 20:00-22:00", "2026-04-29T00:00:00Z", "2028-02-29"),
        ("Jan-Mar Mo-Fr 22:00-07:00", "2026-04-29T00:00:00Z", "2027-01-01"),
        ("week 53 Mo 20:00-22:00", "2026-04-29T00:00:00Z", "2026-12-28"),
        ("PH 20:00-22:00", "2026-04-29T00:00:00Z", "2026-05-01"),
        ("Sa[1] 08:00-16:00; PH off", "2026-07-20T00:00:00Z", "2026-08-01"),
        ("Jul-Aug Mo-Sa 20:00-22:00; PH off", "2026-08-14T21:00:00Z", "2026-08-17"),
    ] {
        let slots = window(hours).starting_from(&paris, at(from), 1);
        assert_eq!(slots.first().map(|s| paris.date(s.start)), Some(expected.parse().unwrap()), "{hours}");
    }
}

#[test]
fn both_ways_of_finding_a_day_agree() {
    for hours in [NIGHT, MAINTENANCE, "Mo-Fr 22:00-07:00; PH 22:00-07:00 off", "Mo-Th 18:00-02:00, Sa,PH 09:00-12:00"] {
        let tabled = window(hours);
        assert!(matches!(tabled.days, DayRule::Weekly(_)), "{hours}");
        let dated = CompiledWindow { days: DayRule::Dated(hours.parse().unwrap()) };
        for region in ["FR", "FR-ALS", "FR-974"] {
            let region = region.parse().unwrap();
            assert_eq!(tabled.sample(region, 2026..2030), dated.sample(region, 2026..2030), "{hours}");
        }
    }
}

#[test]
fn the_close_belongs_to_the_day_the_slot_starts_on() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    let close = |hours: &str, day: &str| window(hours).close_of(&paris, day.parse().unwrap());
    assert_eq!(close("Mo-Fr 08:00-12:00,14:00-18:00", "2026-04-29"), Some(at("2026-04-29T16:00:00Z")));
    assert_eq!(close(NIGHT, "2026-04-29"), Some(at("2026-04-30T05:00:00Z")));
    assert_eq!(close("Sa 22:00-07:00", "2026-05-03"), None);
}

#[test]
fn starting_from_counts_slots_not_yet_begun() {
    let paris = calendar(Tz::Europe__Paris, "FR");
    let first = |from: &str| window(NIGHT).starting_from(&paris, at(from), 40)[0].start;
    assert_eq!(first("2026-04-29T20:00:00Z"), at("2026-04-29T20:00:00Z"));
    assert_eq!(first("2026-04-29T20:00:01Z"), at("2026-04-30T20:00:00Z"));
    let slots = window(NIGHT).starting_from(&paris, at("2026-04-29T20:00:01Z"), 40);
    assert_eq!(slots.len(), 40);
    assert!(slots.windows(2).all(|pair| pair[0].end < pair[1].start));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn slots_are_apart_in_order_and_the_same_from_wherever_one_asks(
        hour in 0_i64..24 * 366 * 3,
        length in 1_i64..200,
        zone in proptest::sample::select(vec![
            Tz::Europe__Paris, Tz::Indian__Reunion, Tz::America__Miquelon, Tz::Pacific__Noumea, Tz::America__Nuuk,
            Tz::Australia__Lord_Howe,
        ]),
        hours in proptest::sample::select(vec![
            NIGHT, MAINTENANCE, "24/7", "Mo-Fr 22:00-07:00; PH 22:00-07:00 off", "00:30-01:30,02:00-03:00,23:30-00:10",
            "Sa[1] 08:00-16:00; PH off",
        ]),
    ) {
        let (site, window) = (calendar(zone, "FR"), window(hours));
        let from = at("2026-01-01T00:00:00Z") + TimeDelta::hours(hour);
        let to = from + TimeDelta::hours(length);
        let slots = window.slots(&site, from, to);
        for pair in slots.windows(2) {
            proptest::prop_assert!(pair[0].end <= pair[1].start);
        }
        let wider = window.slots(&site, from - TimeDelta::days(9), to + TimeDelta::days(9));
        let within: Vec<Slot> = wider.into_iter().filter(|slot| slot.start < to && from < slot.end).collect();
        proptest::prop_assert_eq!(&slots, &within);
        for slot in slots {
            proptest::prop_assert_eq!(window.slot_at(&site, slot.start), Some(slot));
            proptest::prop_assert!(window.touches(&site, slot));
            proptest::prop_assert!(slot.duration() <= TimeDelta::hours(48));
        }
    }
}
