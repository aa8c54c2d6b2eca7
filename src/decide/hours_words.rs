//! Opening hours in words, for somebody who does not read the syntax: « du lundi au vendredi de 20 h à 22 h ».
//!
//! What is rare (Easter, offsets of dates) is left in its own syntax, quoted, rather than told wrongly.

use crate::model::fleet::Language;
use chrono::Weekday;
use opening_hours::OpeningHours;
use opening_hours_syntax::ExtendedTime;
use opening_hours_syntax::rules::day::{Date, DateOffset, HolidayKind, Month, MonthdayRange, WeekDayRange};
use opening_hours_syntax::rules::time::{Time, TimeSpan};
use opening_hours_syntax::rules::{RuleKind, RuleSequence};

/// Hours in words; hours that cannot be read are given back as they are.
pub fn hours(language: Language, hours: &str) -> String {
    let Ok(parsed) = hours.parse::<OpeningHours>() else { return hours.to_owned() };
    let separator = match language {
        Language::Fr => " ; ",
        Language::En => "; ",
    };
    let rules: Vec<String> = parsed.get_expression().rules.iter().map(|one| rule(language, one)).collect();
    rules.join(separator)
}

fn rule(language: Language, rule: &RuleSequence) -> String {
    let whole_day =
        rule.time_selector.spans == [TimeSpan::fixed_range(ExtendedTime::MIDNIGHT_00, ExtendedTime::MIDNIGHT_24)];
    let days = days(language, rule);
    let times: Vec<String> = rule.time_selector.spans.iter().map(|span| time_span(language, span)).collect();
    let and = match language {
        Language::Fr => " et ",
        Language::En => " and ",
    };
    let times = times.join(and);
    match (language, rule.kind, whole_day) {
        (Language::En, RuleKind::Closed, true) => format!("not on {days}"),
        (Language::Fr, RuleKind::Closed, true) => format!("sauf {days}"),
        (Language::En, RuleKind::Closed, false) => format!("not on {days} {times}"),
        (Language::Fr, RuleKind::Closed, false) => format!("sauf {days} {times}"),
        (Language::En, RuleKind::Open | RuleKind::Unknown, true) => format!("{days} around the clock"),
        (Language::Fr, RuleKind::Open | RuleKind::Unknown, true) => format!("{days} jour et nuit"),
        (Language::En | Language::Fr, RuleKind::Open | RuleKind::Unknown, false) => format!("{days} {times}"),
    }
}

/// The days of a rule: weekdays and holidays, then what narrows them.
fn days(language: Language, rule: &RuleSequence) -> String {
    let selector = &rule.day_selector;
    let every_day = match language {
        Language::Fr => "tous les jours",
        Language::En => "every day",
    };
    let weekdays: Vec<String> = selector.weekday.iter().map(|range| weekday_range(language, range)).collect();
    let mut text = if weekdays.is_empty() { every_day.to_owned() } else { weekdays.join(", ") };
    let within: Vec<String> = selector
        .monthday
        .iter()
        .map(|range| monthday_range(language, range).unwrap_or_else(|| format!("`{range}`")))
        .collect();
    if !within.is_empty() {
        let dates = within.join(", ");
        text = if weekdays.is_empty() { dates } else { format!("{text} ({dates})") };
    }
    for week in &selector.week {
        let (weeks, step) = week.clone().into_parts();
        let word = match language {
            Language::Fr => "semaine",
            Language::En => "week",
        };
        let (first, last) = (weeks.start().0, weeks.end().0);
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let step = if step > 1 { format!("/{step}") } else { String::new() };
        text = format!("{text} ({word} {range}{step})");
    }
    for year in &selector.year {
        text = format!("{text} ({year})");
    }
    text
}

fn weekday_range(language: Language, range: &WeekDayRange) -> String {
    match range {
        WeekDayRange::Holiday { kind, offset } => {
            let holidays = match (language, kind) {
                (Language::Fr, HolidayKind::Public) => "jours fériés",
                (Language::En, HolidayKind::Public) => "public holidays",
                (Language::Fr, HolidayKind::School) => "vacances scolaires",
                (Language::En, HolidayKind::School) => "school holidays",
            };
            match (language, *offset) {
                (_, 0) => holidays.to_owned(),
                (Language::Fr, 1) => format!("lendemains de {holidays}"),
                (Language::Fr, -1) => format!("veilles de {holidays}"),
                (Language::En, 1) => format!("days after {holidays}"),
                (Language::En, -1) => format!("days before {holidays}"),
                (Language::Fr, days) => format!("{holidays} {days:+} jours"),
                (Language::En, days) => format!("{holidays} {days:+} days"),
            }
        }
        WeekDayRange::Fixed { range, offset, nth_from_start, nth_from_end } => {
            let (first, last) = (*range.start(), *range.end());
            if *offset != 0 {
                let text = WeekDayRange::Fixed {
                    range: range.clone(),
                    offset: *offset,
                    nth_from_start: *nth_from_start,
                    nth_from_end: *nth_from_end,
                };
                return format!("`{text}`");
            }
            if nth_from_start.contains(&false) || nth_from_end.contains(&false) {
                return nth(language, first, nth_from_start, nth_from_end);
            }
            match (language, first == last, (first, last) == (Weekday::Mon, Weekday::Sun)) {
                (Language::En, _, true) => "every day".to_owned(),
                (Language::Fr, _, true) => "tous les jours".to_owned(),
                (Language::En, true, false) => weekday(language, first).to_owned(),
                (Language::Fr, true, false) => format!("le {}", weekday(language, first)),
                (Language::En, false, false) => {
                    format!("{} to {}", weekday(language, first), weekday(language, last))
                }
                (Language::Fr, false, false) => {
                    format!("du {} au {}", weekday(language, first), weekday(language, last))
                }
            }
        }
    }
}

/// `first Sunday of the month`, `dernier lundi du mois`.
fn nth(language: Language, day: Weekday, from_start: &[bool; 5], from_end: &[bool; 5]) -> String {
    let ordinals = |chosen: &[bool; 5], words: [&'static str; 5]| -> Vec<&'static str> {
        chosen.iter().zip(words).filter(|(chosen, _)| **chosen).map(|(_, word)| word).collect()
    };
    let (start, end, and) = match language {
        Language::En => (
            ["first", "second", "third", "fourth", "fifth"],
            ["last", "last but one", "last but two", "last but three", "last but four"],
            " and ",
        ),
        Language::Fr => (
            ["premier", "deuxième", "troisième", "quatrième", "cinquième"],
            ["dernier", "avant-dernier", "antépénultième", "quatrième avant la fin", "cinquième avant la fin"],
            " et ",
        ),
    };
    let mut words = ordinals(from_start, start);
    words.extend(ordinals(from_end, end));
    match language {
        Language::En => format!("{} {} of the month", words.join(and), weekday(language, day)),
        Language::Fr => format!("le {} {} du mois", words.join(and), weekday(language, day)),
    }
}

fn monthday_range(language: Language, range: &MonthdayRange) -> Option<String> {
    let text = match range {
        MonthdayRange::Month { range, year } => {
            let year = year.map_or_else(String::new, |year| format!(" {}", *year));
            let (first, last) = (month(language, *range.start()), month(language, *range.end()));
            match (language, first == last) {
                (_, true) => format!("{first}{year}"),
                (Language::Fr, false) => format!("de {first} à {last}{year}"),
                (Language::En, false) => format!("{first} to {last}{year}"),
            }
        }
        MonthdayRange::Date { start, end } => {
            let (first, last) = (date(language, start)?, date(language, end)?);
            match (language, first == last) {
                (Language::Fr, true) => format!("le {first}"),
                (Language::En, true) => first,
                (Language::Fr, false) => format!("du {first} au {last}"),
                (Language::En, false) => format!("{first} to {last}"),
            }
        }
    };
    Some(text)
}

fn date(language: Language, (date, offset): &(Date, DateOffset)) -> Option<String> {
    let Date::Fixed { year, month: of, day } = date else { return None };
    if *offset != DateOffset::default() {
        return None;
    }
    let day = if language == Language::Fr && *day == 1 { "1er".to_owned() } else { day.to_string() };
    let year = year.map_or_else(String::new, |year| format!(" {}", *year));
    Some(format!("{day} {}{year}", month(language, *of)))
}

fn time_span(language: Language, span: &TimeSpan) -> String {
    let (Time::Fixed(start), Time::Fixed(end)) = (span.range.start, span.range.end) else { return format!("`{span}`") };
    let (from, to) = (clock(language, start), clock(language, end));
    match (language, end <= start || end > ExtendedTime::MIDNIGHT_24) {
        (Language::En, false) => format!("{from} to {to}"),
        (Language::En, true) => format!("{from} to {to} the next day"),
        (Language::Fr, false) => format!("de {from} à {to}"),
        (Language::Fr, true) => format!("de {from} à {to} le lendemain"),
    }
}

fn clock(language: Language, time: ExtendedTime) -> String {
    let hour = if time > ExtendedTime::MIDNIGHT_24 { time.hour() - 24 } else { time.hour() };
    match (language, time.minute()) {
        (Language::Fr, 0) => format!("{hour} h"),
        (Language::Fr, minute) => format!("{hour} h {minute:02}"),
        (Language::En, minute) => format!("{hour:02}:{minute:02}"),
    }
}

fn weekday(language: Language, day: Weekday) -> &'static str {
    let (fr, en) = match day {
        Weekday::Mon => ("lundi", "Monday"),
        Weekday::Tue => ("mardi", "Tuesday"),
        Weekday::Wed => ("mercredi", "Wednesday"),
        Weekday::Thu => ("jeudi", "Thursday"),
        Weekday::Fri => ("vendredi", "Friday"),
        Weekday::Sat => ("samedi", "Saturday"),
        Weekday::Sun => ("dimanche", "Sunday"),
    };
    match language {
        Language::Fr => fr,
        Language::En => en,
    }
}

fn month(language: Language, month: Month) -> &'static str {
    let (fr, en) = match month {
        Month::January => ("janvier", "January"),
        Month::February => ("février", "February"),
        Month::March => ("mars", "March"),
        Month::April => ("avril", "April"),
        Month::May => ("mai", "May"),
        Month::June => ("juin", "June"),
        Month::July => ("juillet", "July"),
        Month::August => ("août", "August"),
        Month::September => ("septembre", "September"),
        Month::October => ("octobre", "October"),
        Month::November => ("novembre", "November"),
        Month::December => ("décembre", "December"),
    };
    match language {
        Language::Fr => fr,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_read_as_sentences() {
        for (text, fr, en) in [
            ("Mo-Su 22:00-07:00", "tous les jours de 22 h à 7 h le lendemain", "every day 22:00 to 07:00 the next day"),
            (
                "Mo-Fr 20:00-22:00; Sa 08:00-16:00; PH off",
                "du lundi au vendredi de 20 h à 22 h ; le samedi de 8 h à 16 h ; sauf jours fériés",
                "Monday to Friday 20:00 to 22:00; Saturday 08:00 to 16:00; not on public holidays",
            ),
            (
                "Su,Mo-Th 23:30-05:00; PH 23:30-05:00 off",
                "le dimanche, du lundi au jeudi de 23 h 30 à 5 h le lendemain ; sauf jours fériés de 23 h 30 à 5 h le lendemain",
                "Sunday, Monday to Thursday 23:30 to 05:00 the next day; not on public holidays 23:30 to 05:00 the next day",
            ),
            (
                "Tu,Th 05:00-07:30,12:00-13:00; Su[1] 06:00-14:00",
                "le mardi, le jeudi de 5 h à 7 h 30 et de 12 h à 13 h ; le premier dimanche du mois de 6 h à 14 h",
                "Tuesday, Thursday 05:00 to 07:30 and 12:00 to 13:00; first Sunday of the month 06:00 to 14:00",
            ),
            ("24/7", "tous les jours jour et nuit", "every day around the clock"),
            ("Jan 10-Jan 20", "du 10 janvier au 20 janvier jour et nuit", "10 January to 20 January around the clock"),
            (
                "Mar 01 20:00-22:00, Jul-Aug Mo 20:00-24:00",
                "le 1er mars de 20 h à 22 h ; le lundi (de juillet à août) de 20 h à 24 h",
                "1 March 20:00 to 22:00; Monday (July to August) 20:00 to 24:00",
            ),
            ("Mo[-1] off", "sauf le dernier lundi du mois", "not on last Monday of the month"),
            ("week 53 Mo 20:00-22:00", "le lundi (semaine 53) de 20 h à 22 h", "Monday (week 53) 20:00 to 22:00"),
            (
                "PH +1 day 20:00-22:00",
                "lendemains de jours fériés de 20 h à 22 h",
                "days after public holidays 20:00 to 22:00",
            ),
            ("easter -2 days 08:00-12:00", "`easter -2 days` de 8 h à 12 h", "`easter -2 days` 08:00 to 12:00"),
            ("n'importe quoi", "n'importe quoi", "n'importe quoi"),
        ] {
            assert_eq!(hours(Language::Fr, text), fr);
            assert_eq!(hours(Language::En, text), en);
        }
    }
}
