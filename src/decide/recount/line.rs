//! What a line of the history says, word by word.

use crate::model::event::NewEvent;
use crate::model::version::Version;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The word after `before`, without what punctuation ends it.
pub(super) fn word_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.split([' ', ';', ':', ',', ')']).next().filter(|word| !word.is_empty())
}

/// The instant after `before`.
pub(super) fn instant_after(text: &str, before: &str) -> Option<DateTime<Utc>> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.split([' ', ';', ',', ')']).next()?.trim_end_matches(':').parse().ok()
}

/// The second word: the version, where the first is the product.
pub(super) fn version(text: &str) -> Option<Version> {
    text.split(' ').nth(1)?.parse().ok()
}

/// The number of an alert.
pub(super) fn alert(event: &NewEvent) -> Option<i64> {
    word_after(&event.text, "alert ")?.parse().ok()
}

/// When a slot begins that is told as `Mon 4 May 22:00 to …`: the first such time that is not before the day it was told.
pub(super) fn slot_start(
    text: &str,
    before: &str,
    told: DateTime<Utc>,
    zone: Tz,
) -> Option<(NaiveDate, DateTime<Utc>)> {
    let rest = &text[text.find(before)? + before.len()..];
    let words: Vec<&str> = rest.split(' ').take(4).collect();
    let [_, day, month, time] = *words.as_slice() else { return None };
    let time = NaiveTime::parse_from_str(time, "%H:%M").ok()?;
    let earliest = told.with_timezone(&zone).date_naive() - TimeDelta::days(2);
    let of_year = |year: i32| NaiveDate::parse_from_str(&format!("{day} {month} {year}"), "%d %b %Y").ok();
    let date = [earliest.year(), earliest.year() + 1].into_iter().filter_map(of_year).find(|date| *date >= earliest)?;
    Some((date, date.and_time(time).and_local_timezone(zone).earliest()?.to_utc()))
}
