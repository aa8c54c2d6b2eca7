//! `noctule schedule notice FILE --received T`: how the notice of a major version is counted.

use super::{Contract, Site};
use crate::cli::args::Shape;
use crate::cli::{Outcome, output};
use crate::decide::calendar::{Calendar, Fold};
use crate::decide::civil::Moment;
use crate::decide::notice;
use chrono::{Datelike, NaiveDate, Weekday};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Count {
    /// Day the request counts as received; it does not count itself.
    counted_from: NaiveDate,
    /// Earliest latest date that could be asked for.
    earliest: NaiveDate,
    /// The working days counted, the last of which is `earliest`.
    days: Vec<NaiveDate>,
    /// Days from the request to `earliest` that were not counted.
    skipped: Vec<Skipped>,
}

#[derive(Debug, Serialize)]
struct Skipped {
    date: NaiveDate,
    why: String,
}

pub fn run(path: &Path, received: Moment, site: Site, format: Shape) -> Outcome {
    let contract = Contract::sound(path)?;
    let calendar = site.calendar();
    let received = received.start(site.zone, Fold::Earlier);
    let count = notice::count(&contract.terms, &calendar, received);
    let day = calendar.date(received);
    let count = Count {
        skipped: skipped(&calendar, day, &count),
        counted_from: count.counted_from,
        earliest: count.earliest,
        days: count.days,
    };
    if format == Shape::Json {
        return output::print_json(&count);
    }
    let Site { zone, holidays } = site;
    let why = match (count.counted_from == day, calendar.is_working_day(day)) {
        (true, _) => String::new(),
        (false, false) => ", a day off".to_owned(),
        (false, true) => format!(", after `{}` had closed", contract.terms.schedule.major.received_until_end_of),
    };
    let date = |date: NaiveDate| date.format("%a %-d %b %Y").to_string();
    let mut text = format!(
        "received {} in {zone} (holidays {holidays}){why}\n  counts from   {}\n",
        output::instant(received, zone),
        date(count.counted_from)
    );
    for (index, day) in count.days.iter().enumerate() {
        let _ = writeln!(text, "  working day {} {}", index + 1, date(*day));
    }
    let _ = writeln!(text, "  earliest date {}", count.earliest);
    for Skipped { date: day, why } in count.skipped {
        let _ = writeln!(text, "  not counted   {} ({why})", date(day));
    }
    output::print(&text)
}

/// The days off between the request and the earliest date.
fn skipped(calendar: &Calendar, received: NaiveDate, count: &notice::NoticeCount) -> Vec<Skipped> {
    let days = received.iter_days().take_while(|day| *day <= count.earliest);
    days.filter(|day| !calendar.is_working_day(*day))
        .map(|date| {
            let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun).then_some("weekend");
            let why = calendar.holiday(date).or(weekend).unwrap_or("a day off").to_owned();
            Skipped { date, why }
        })
        .collect()
}
