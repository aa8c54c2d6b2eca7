//! The calendar against facts worked out by others: `data/deadlines.csv` (notices) and `data/windows.csv` (slots).

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use noctule::decide::calendar::{Calendar, Fold};
use noctule::decide::notice;
use noctule::decide::terms::{CompiledWindow, Terms};
use noctule::model::slot::Slot;
use std::collections::HashMap;

pub type Row = HashMap<String, String>;

pub fn rows(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().expect("the facts are CSV")
}

fn pro_controle() -> Terms {
    let file = toml::from_str(include_str!("../../schedules/pro-controle.toml")).expect("the schedule reads");
    Terms::compile(file).expect("the schedule compiles")
}

pub fn zone_of(region: &str) -> Tz {
    match region {
        "FR" | "FR-ALS" => Tz::Europe__Paris,
        "FR-972" => Tz::America__Martinique,
        "FR-973" => Tz::America__Cayenne,
        "FR-974" => Tz::Indian__Reunion,
        other => panic!("no zone for {other}"),
    }
}

#[test]
fn notices_are_counted_as_the_almanac_counts_them() {
    let terms = pro_controle();
    let rows = rows(include_str!("data/deadlines.csv"));
    for row in &rows {
        let region = &row["calendar"];
        let calendar = Calendar::new(zone_of(region), region.parse().unwrap());
        let received: DateTime<Utc> = row["request_utc"].parse().unwrap();
        let local: DateTime<chrono::FixedOffset> = row["request_local"].parse().unwrap();
        assert_eq!((local.to_utc(), local.naive_local()), (received, calendar.local(received)), "{row:?}");
        let count = notice::count(&terms, &calendar, received);
        assert_eq!(count.counted_from, row["day0"].parse::<NaiveDate>().unwrap(), "{row:?}");
        assert_eq!(count.earliest, row["deadline_5jo"].parse::<NaiveDate>().unwrap(), "{row:?}");
        assert_eq!((count.days.len(), count.days.last()), (5, Some(&count.earliest)), "{row:?}");
        assert!(count.days.iter().all(|day| calendar.is_working_day(*day)), "{row:?}");
    }
    assert_eq!(rows.len(), 64);
}

/// A window that opens at these hours on that weekday.
fn window_of(start: NaiveDateTime, end: NaiveDateTime) -> CompiledWindow {
    let day = &start.format("%a").to_string()[..2];
    CompiledWindow::compile(&format!("{day} {}-{}", start.format("%H:%M"), end.format("%H:%M"))).expect("it opens")
}

fn instant(text: &str) -> DateTime<Utc> {
    assert_eq!(text.len(), "2026-10-24T20:00Z".len());
    format!("{}:00Z", &text[..16]).parse().expect("the instant reads")
}

fn civil(text: &str) -> NaiveDateTime {
    format!("{text}:00").parse().expect("the civil time reads")
}

#[test]
fn slots_fall_where_the_zone_says_and_unclear_bounds_on_the_safe_side() {
    let rows = rows(include_str!("data/windows.csv"));
    for row in &rows {
        let calendar = Calendar::new(row["zone"].parse().unwrap(), "FR".parse().unwrap());
        let (start, end) = (civil(&row["local_start"]), civil(&row["local_end"]));
        let window = window_of(start, end);
        let (from, to) = (start.and_utc() - chrono::TimeDelta::days(2), end.and_utc() + chrono::TimeDelta::days(2));
        let safe = (!row["utc_start_conservative"].is_empty()).then(|| {
            Slot::new(instant(&row["utc_start_conservative"]), instant(&row["utc_end_conservative"])).unwrap()
        });
        assert_eq!(window.slots(&calendar, from, to), Vec::from_iter(safe), "{row:?}");
        let minutes = safe.map_or(0, |slot| slot.duration().num_minutes());
        assert_eq!(minutes.to_string(), row["minutes_conservative"], "{row:?}");

        // Read wide, the bounds are the other two, and the window touches exactly what is between them.
        let wide = (calendar.instant(start, Fold::Earlier), calendar.instant(end, Fold::Later));
        assert_eq!(wide, (instant(&row["utc_start"]), instant(&row["utc_end"])), "{row:?}");
        let Some(wide) = Slot::new(wide.0, wide.1) else { continue };
        let minute = chrono::TimeDelta::minutes(1);
        for (from, touched) in
            [(wide.start - minute, false), (wide.start, true), (wide.end - minute, true), (wide.end, false)]
        {
            let slot = Slot::new(from, from + minute).unwrap();
            assert_eq!(window.touches(&calendar, slot), touched, "{row:?} {from}");
        }
    }
    assert_eq!(rows.len(), 26);
}
