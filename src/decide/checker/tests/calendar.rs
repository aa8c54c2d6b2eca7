//! Holidays, notices, slots and deadlines against facts worked out by others.

use super::world::{PRO_CONTROLE, at};
use crate::decide::checker::civil;
use crate::decide::checker::holidays::Region;
use crate::decide::checker::hours::{Hours, WindowId};
use crate::decide::checker::major::Notice;
use crate::decide::checker::{Checker, CheckerError};
use crate::model::schedule::Schedule;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::HashMap;

const NUIT_BLANCHE: &str = include_str!("../../../../schedules/nuit-blanche.toml");

type Row = HashMap<String, String>;

fn rows(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

fn checker(schedule: &str, region: &str, zone: Tz) -> Checker {
    Checker::new(&toml::from_str(schedule).unwrap(), region, zone).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn easter_is_when_it_was_and_will_be() {
    // Both ends of what is possible, both exceptions of the rule, and the years ahead.
    for easter in [
        "1818-03-22",
        "1943-04-25",
        "1954-04-18",
        "1981-04-19",
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
        "2031-04-13",
        "2032-03-28",
        "2033-04-17",
        "2034-04-09",
        "2035-03-25",
        "2036-04-13",
        "2037-04-05",
        "2038-04-25",
        "2049-04-18",
        "2076-04-19",
        "2100-03-28",
        "2106-04-18",
        "2133-04-19",
        "2160-03-23",
    ] {
        let easter = date(easter);
        let days = Region::read("FR").unwrap().days(chrono::Datelike::year(&easter));
        for after in [1, 39, 50] {
            assert!(days.contains(&(easter + TimeDelta::days(after))), "{easter} +{after}");
        }
    }
}

#[test]
fn each_region_has_its_days() {
    let national = [
        "2026-01-01",
        "2026-04-06",
        "2026-05-01",
        "2026-05-08",
        "2026-05-14",
        "2026-05-25",
        "2026-07-14",
        "2026-08-15",
        "2026-11-01",
        "2026-11-11",
        "2026-12-25",
    ];
    for (region, own) in [
        ("FR", &[][..]),
        ("FR-ALS", &["2026-04-03", "2026-12-26"]),
        ("FR-971", &["2026-05-27"]),
        ("FR-972", &["2026-05-22"]),
        ("FR-973", &["2026-06-10"]),
        ("FR-974", &["2026-12-20"]),
        ("FR-975", &[]),
        ("FR-976", &["2026-04-27"]),
        ("FR-977", &["2026-10-09"]),
        ("FR-978", &["2026-05-28"]),
    ] {
        let mut expected: Vec<NaiveDate> = national.iter().chain(own).map(|day| date(day)).collect();
        expected.sort_unstable();
        assert_eq!(Region::read(region).unwrap().days(2026), expected, "{region}");
    }
    for unknown in ["", "fr", "FR-979", "FR-57", "DE"] {
        assert_eq!(Region::read(unknown), None, "{unknown}");
    }
}

#[test]
fn notices_are_counted_as_the_almanac_counts_them() {
    let rows = rows(include_str!("../../../../tests/it/data/deadlines.csv"));
    for row in &rows {
        let zone = match row["calendar"].as_str() {
            "FR" | "FR-ALS" => Tz::Europe__Paris,
            "FR-972" => Tz::America__Martinique,
            "FR-973" => Tz::America__Cayenne,
            "FR-974" => Tz::Indian__Reunion,
            other => panic!("no zone for {other}"),
        };
        let notice = checker(PRO_CONTROLE, &row["calendar"], zone).notice(row["request_utc"].parse().unwrap());
        let expected = Notice { counted_from: date(&row["day0"]), earliest: date(&row["deadline_5jo"]) };
        assert_eq!(notice, Some(expected), "{row:?}");
    }
    assert_eq!(rows.len(), 64);
}

fn instant(text: &str) -> DateTime<Utc> {
    at(text.strip_suffix('Z').unwrap())
}

/// A window open on one date between two civil times.
fn hours_of(zone: Tz, start: NaiveDateTime, end: NaiveDateTime) -> (Hours, WindowId) {
    let mut hours = Hours::new(zone, Region::read("FR").unwrap());
    let text = format!("{} {}-{}", start.format("%Y %b %d"), start.format("%H:%M"), end.format("%H:%M"));
    let id = hours.add(text.parse().unwrap());
    (hours, id)
}

#[test]
fn slots_fall_where_the_zone_says_and_unclear_bounds_on_the_safe_side() {
    let rows = rows(include_str!("../../../../tests/it/data/windows.csv"));
    let minute = TimeDelta::minutes(1);
    for row in &rows {
        let zone: Tz = row["zone"].parse().unwrap();
        let civil = |text: &str| -> NaiveDateTime { format!("{text}:00").parse().unwrap() };
        let (start, end) = (civil(&row["local_start"]), civil(&row["local_end"]));
        let (hours, id) = hours_of(zone, start, end);

        let safe = (!row["utc_start_conservative"].is_empty()).then(|| {
            Slot::new(instant(&row["utc_start_conservative"]), instant(&row["utc_end_conservative"])).unwrap()
        });
        assert_eq!(hours.night(id, start.date(), 1), safe, "{row:?}");
        assert_eq!(safe.map_or(0, |s| s.duration().num_minutes()).to_string(), row["minutes_conservative"], "{row:?}");
        if let Some(safe) = safe {
            for (from, to, inside) in [
                (safe.start, safe.end, true),
                (safe.start - minute, safe.end, false),
                (safe.start, safe.end + minute, false),
                (safe.start, safe.start + minute, true),
                (safe.end - minute, safe.end, true),
            ] {
                assert_eq!(hours.covers(id, Slot { start: from, end: to }), inside, "{row:?} {from} {to}");
            }
        }

        let wide = (civil::instants(zone, start).0, civil::instants(zone, end).1);
        assert_eq!(wide, (instant(&row["utc_start"]), instant(&row["utc_end"])), "{row:?}");
        if wide.0 < wide.1 {
            for (from, touched) in [(wide.0 - minute, false), (wide.0, true), (wide.1 - minute, true), (wide.1, false)]
            {
                assert_eq!(hours.touches(id, Slot { start: from, end: from + minute }), touched, "{row:?} {from}");
            }
        }
    }
    assert_eq!(rows.len(), 26);
}

#[test]
fn a_year_ends_in_the_middle_of_a_night_and_of_open_time() {
    let mut hours = Hours::new(Tz::Europe__Paris, Region::read("FR").unwrap());
    let night = hours.add("Mo-Su 22:00-07:00".parse().unwrap());
    let always = hours.add("24/7".parse().unwrap());
    let new_year = Slot { start: at("2026-12-31T21:00"), end: at("2027-01-01T06:00") };
    assert!(hours.covers(night, new_year));
    assert!(!hours.covers(night, Slot { end: new_year.end + TimeDelta::minutes(1), ..new_year }));
    assert_eq!(hours.night(night, date("2026-12-31"), 1), Some(new_year));
    assert_eq!(hours.night(night, date("2026-12-31"), 2).map(|night| night.end), Some(at("2027-01-02T06:00")));
    assert!(hours.covers(always, Slot { start: at("2026-02-01T00:00"), end: at("2029-02-01T00:00") }));
    assert!(hours.touches(night, Slot { start: at("2026-06-01T00:00"), end: at("2029-02-01T00:00") }));
    // Beyond the years it knows, nothing is open.
    assert!(!hours.covers(always, Slot { start: at("2189-12-31T00:00"), end: at("2190-12-31T00:00") }));
}

/// Every window of a schedule, minute by minute over four years, against hours written down by hand.
#[test]
fn windows_are_open_when_the_schedule_says_in_words() {
    use chrono::{Datelike, Timelike, Weekday};
    let zone = Tz::Europe__Paris;
    let holidays: Vec<NaiveDate> = (2025..=2029).flat_map(|year| Region::read("FR-ALS").unwrap().days(year)).collect();
    let holiday = |day: NaiveDate| holidays.contains(&day);
    let weekday = |day: NaiveDate| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    type Open<'a> = Box<dyn Fn(NaiveDate, u32, bool) -> bool + 'a>;
    let minutes = |from: u32, to: u32| move |minute: u32| (from * 60..to * 60).contains(&minute);
    // Open on this date, at this minute of it; in the night's morning the date is that of its evening.
    let cases: [(&str, &str, Open); 6] = [
        (
            PRO_CONTROLE,
            "night",
            Box::new(|_, minute, morning| if morning { minute < 7 * 60 } else { minute >= 22 * 60 }),
        ),
        (
            PRO_CONTROLE,
            "maintenance",
            Box::new(|day, minute, morning| {
                !morning
                    && !holiday(day)
                    && (weekday(day) && minutes(20, 22)(minute)
                        || day.weekday() == Weekday::Sat && minutes(8, 16)(minute))
            }),
        ),
        (
            PRO_CONTROLE,
            "office",
            Box::new(|day, minute, morning| !morning && !holiday(day) && weekday(day) && minutes(8, 18)(minute)),
        ),
        (
            PRO_CONTROLE,
            "service",
            Box::new(|day, minute, morning| !morning && !holiday(day) && weekday(day) && minutes(7, 22)(minute)),
        ),
        (
            NUIT_BLANCHE,
            "night",
            Box::new(|day, minute, morning| {
                !holiday(day)
                    && !matches!(day.weekday(), Weekday::Fri | Weekday::Sat)
                    && if morning { minute < 5 * 60 } else { minute >= 23 * 60 + 30 }
            }),
        ),
        (
            NUIT_BLANCHE,
            "maintenance",
            Box::new(|day, minute, morning| {
                !morning
                    && !holiday(day)
                    && (matches!(day.weekday(), Weekday::Tue | Weekday::Thu) && (300..450).contains(&minute)
                        || day.weekday() == Weekday::Sun && day.day() <= 7 && minutes(6, 14)(minute))
            }),
        ),
    ];
    for (text, name, open) in cases {
        let schedule: Schedule = toml::from_str(text).unwrap();
        let mut hours = Hours::new(zone, Region::read("FR-ALS").unwrap());
        let id = hours.add(schedule.windows[name].hours.parse().unwrap());
        let mut opened = 0;
        // Prime to the minutes of a day: every one of them comes up, on different days.
        let step = TimeDelta::minutes(29);
        let mut from = at("2025-12-30T00:00");
        while from < at("2029-01-03T00:00") {
            let local = civil::show(zone, from);
            let minute = local.hour() * 60 + local.minute();
            let expected =
                open(local.date(), minute, false) || local.date().pred_opt().is_some_and(|day| open(day, minute, true));
            let slot = Slot { start: from, end: from + TimeDelta::minutes(1) };
            assert_eq!(hours.covers(id, slot), expected, "{name} {local}");
            assert_eq!(hours.touches(id, slot), expected, "{name} {local}");
            opened += u32::from(expected);
            from += step;
        }
        assert!(opened > 1000, "{name} opens");
    }
}

#[test]
fn a_backup_counts_from_the_close_of_the_last_working_day_before() {
    let checker = checker(PRO_CONTROLE, "FR", Tz::Europe__Paris);
    for (day, close) in [
        ("2026-04-29", "2026-04-28T16:00"), // Wednesday: Tuesday's
        ("2026-05-01", "2026-04-30T16:00"), // a holiday: the day before
        ("2026-05-02", "2026-04-30T16:00"), // the Saturday after it
        ("2026-05-04", "2026-04-30T16:00"), // and the Monday
        ("2027-01-04", "2026-12-31T17:00"), // over New Year
        ("2026-10-26", "2026-10-23T16:00"), // over the clocks going back
    ] {
        let found = checker.hours.last_close_before(checker.windows.backup, day.parse().unwrap());
        assert_eq!(found, Some(at(close)), "{day}");
    }
    // A night is the day's in whose evening it began.
    for (now, day) in [
        ("2026-04-29T19:59", None),
        ("2026-04-29T20:00", Some("2026-04-29")),
        ("2026-04-30T04:59", Some("2026-04-29")),
        ("2026-04-30T05:00", None),
        ("2026-12-31T23:30", Some("2026-12-31")),
    ] {
        assert_eq!(checker.hours.began(checker.windows.minor, at(now)), day.map(date), "{now}");
    }
}

#[test]
fn what_cannot_be_checked_against_is_refused() {
    let schedule: Schedule = toml::from_str(PRO_CONTROLE).unwrap();
    let refused = |schedule: &Schedule, region: &str| Checker::new(schedule, region, Tz::Europe__Paris).err().unwrap();
    assert_eq!(refused(&schedule, "FR-57"), CheckerError::Region("FR-57".into()));
    let mut renamed = schedule.clone();
    renamed.major.window = "weekend".into();
    let missing = CheckerError::NoWindow { term: "major.window", window: "weekend".into() };
    assert_eq!(refused(&renamed, "FR"), missing);
    let mut garbled = schedule;
    garbled.windows.get_mut("night").unwrap().hours = "22h-7h".into();
    assert!(matches!(refused(&garbled, "FR"), CheckerError::Hours { window, .. } if window == "night"));
}
