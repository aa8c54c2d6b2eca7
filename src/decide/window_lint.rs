//! What is refused in a window, with its place and what to write instead.
//!
//! Opening-hours syntax forgives more than a contract can: a holiday rule that cuts a night at midnight, a rule that
//! another one silently replaces, an end nobody knows. Some lints read the expression; those about what it *does*
//! look at the days it gives over a span of years.

use super::calendar::Region;
use super::hours_text::{as_written, find, find_time, fixed_offset, segment};
use super::window::{CompiledWindow, HOURS_BYTES_MAX, Openings};
use chrono::{NaiveDate, Weekday};
use opening_hours::OpeningHours;
use opening_hours_syntax::rules::day::{Date, HolidayKind, MonthdayRange, WeekDayRange};
use opening_hours_syntax::rules::time::{Time, TimeSpan};
use opening_hours_syntax::rules::{OpeningHoursExpression, RuleKind, RuleOperator, RuleSequence};
use opening_hours_syntax::{Error, ExtendedTime};
use std::ops::Range;

/// Years the lints look at: enough for a holiday to fall on every weekday, for week 53 and for 29 February.
const SAMPLE_YEARS: Range<i32> = 2026..2038;

/// One thing wrong with an opening-hours expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the expression it is about, when known.
    pub span: Option<Range<usize>>,
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

fn fault(span: Option<Range<usize>>, what: impl Into<String>, fix: impl Into<String>) -> Fault {
    Fault { span, what: what.into(), fix: fix.into() }
}

/// Reads an expression, or says where it stops being one.
pub(super) fn parse(hours: &str) -> Result<OpeningHours, Vec<Fault>> {
    const EXAMPLE: &str = "write days then hours, as in `Mo-Fr 20:00-22:00; Sa 08:00-16:00; PH off` \
                           (days are Mo Tu We Th Fr Sa Su, holidays PH)";
    if hours.len() > HOURS_BYTES_MAX {
        return Err(vec![fault(
            None,
            format!("these hours are {} bytes long, at most {HOURS_BYTES_MAX} are read", hours.len()),
            "split them into two windows",
        )]);
    }
    if hours.trim().is_empty() {
        return Err(vec![fault(None, "these hours are empty", EXAMPLE)]);
    }
    if let Some(span) = fixed_offset(hours) {
        let what = format!("`{}` fixes the distance from UTC, which is wrong half of the year", &hours[span.clone()]);
        let fix = "leave it out: hours are in the site's own time zone, which its server names (`Europe/Paris`)";
        return Err(vec![fault(Some(span), what, fix)]);
    }
    hours.parse().map_err(|error| {
        let Error::Syntax(syntax) = &error else {
            return vec![fault(None, format!("these hours cannot be read: {error}"), EXAMPLE)];
        };
        let span = match syntax.location {
            pest::error::InputLocation::Pos(at) => at..hours.len(),
            pest::error::InputLocation::Span((start, end)) => start..end,
        };
        let rest = hours.get(span.clone()).unwrap_or_default();
        let what = if rest.is_empty() {
            "these hours stop short".to_owned()
        } else {
            format!("these hours cannot be read from {rest:?} on")
        };
        vec![fault(Some(span), what, EXAMPLE)]
    })
}

/// Everything refused in an expression that parses.
pub(super) fn lint(hours: &str, expression: &OpeningHoursExpression, window: &CompiledWindow) -> Vec<Fault> {
    let faults = lint_words(hours, expression);
    // What cannot be told apart cannot be evaluated either: look at the days only when the words are sound.
    if !faults.is_empty() {
        return faults;
    }
    let days = window.sample(Region::AlsaceMoselle, SAMPLE_YEARS);
    if days.iter().all(|(_, openings)| openings.is_empty()) {
        let what = format!("this window never opens from {} to {}", SAMPLE_YEARS.start, SAMPLE_YEARS.end - 1);
        return vec![fault(None, what, "give it hours on some day, and let no later rule close them")];
    }
    lint_days(hours, expression, &days)
}

/// Reads hours that say when a client is closed; what they come to is not looked at.
pub(super) fn read_closed(hours: &str) -> Result<OpeningHours, Vec<Fault>> {
    let parsed = parse(hours)?;
    let expression = parsed.get_expression();
    if expression.rules.iter().all(|rule| rule.kind == RuleKind::Closed) {
        let at = find(hours, 0..hours.len(), "off").or_else(|| find(hours, 0..hours.len(), "closed"));
        let fix = "leave it out, as in `Jan 10-Jan 20`; after days that are closed, `off` names exceptions";
        return Err(vec![fault(at, "these hours say when the client is closed, and `off` says when not", fix)]);
    }
    let faults = lint_words(hours, &expression);
    if faults.is_empty() { Ok(parsed) } else { Err(faults) }
}

/// Everything refused in hours that say when a client is closed.
pub(super) fn lint_closed(hours: &str) -> Vec<Fault> {
    let parsed = match read_closed(hours) {
        Ok(parsed) => parsed,
        Err(faults) => return faults,
    };
    let expression = parsed.get_expression();
    let days = CompiledWindow::of(parsed).sample(Region::AlsaceMoselle, SAMPLE_YEARS);
    let (first, last) = (SAMPLE_YEARS.start, SAMPLE_YEARS.end - 1);
    if days.iter().all(|(_, closed)| closed.is_empty()) {
        return vec![fault(
            None,
            format!("these hours close no day from {first} to {last}"),
            "remove them, or name days",
        )];
    }
    if days.iter().all(|(_, closed)| *closed == [(0, 24 * 60)]) {
        let fix = "remove the client from the fleet, or put it on hold";
        return vec![fault(None, format!("these hours close every day from {first} to {last}"), fix)];
    }
    lint_days(hours, &expression, &days)
}

fn lint_words(hours: &str, expression: &OpeningHoursExpression) -> Vec<Fault> {
    let rules = &expression.rules;
    let place = |index| segment(hours, rules.len(), index).unwrap_or(0..hours.len());
    rules.iter().enumerate().flat_map(|(index, rule)| lint_rule(hours, place(index), rule)).collect()
}

fn lint_days(hours: &str, expression: &OpeningHoursExpression, days: &[(NaiveDate, Openings)]) -> Vec<Fault> {
    let mut faults = idle_rules(hours, expression, days);
    if faults.is_empty() {
        faults.extend(cut_night(hours, expression, days));
    }
    faults
}

fn lint_rule(hours: &str, place: Range<usize>, rule: &RuleSequence) -> Vec<Fault> {
    let mut faults = Vec::new();
    if rule.kind == RuleKind::Unknown || !rule.comment.is_empty() {
        let what = "a window is open or off; `unknown` and quoted comments say neither";
        let at = find(hours, place.clone(), &rule.comment).or_else(|| find(hours, place.clone(), "unknown"));
        faults.push(fault(at, what, "put the remark in a `#` comment of the file"));
    }
    if rule.operator == RuleOperator::Fallback {
        let fix = "separate rules with `;` (the later one wins) or `, ` (both hold)";
        faults.push(fault(find(hours, 0..hours.len(), "||"), "`||` is for hours nobody is sure of", fix));
    }
    faults.extend(holiday_beside_day(hours, place.clone()));
    faults.extend(rule.day_selector.monthday.iter().filter_map(|range| lint_monthday(hours, place.clone(), range)));
    faults.extend(rule.day_selector.weekday.iter().filter_map(|range| lint_weekday(hours, place.clone(), range)));
    faults.extend(rule.time_selector.spans.iter().filter_map(|span| lint_span(hours, place.clone(), span)));
    faults
}

/// `PH Mo` is read as `PH,Mo`, where others read "holidays that are Mondays".
fn holiday_beside_day(hours: &str, place: Range<usize>) -> Option<Fault> {
    const DAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
    let pairs = DAYS.iter().flat_map(|day| [format!("PH {day}"), format!("{day} PH")]);
    let at = pairs.filter_map(|text| find(hours, place.clone(), &text)).min_by_key(|at| at.start)?;
    let what = format!("`{}` may be read as either day, or as days that are both", &hours[at.clone()]);
    Some(fault(Some(at), what, "write a comma for either, as in `PH,Mo-Fr 20:00-22:00`"))
}

/// Dates that no year has: the hours would hold on days of the crate's own choosing.
fn lint_monthday(hours: &str, place: Range<usize>, range: &MonthdayRange) -> Option<Fault> {
    let MonthdayRange::Date { start, end } = range else { return None };
    [start.0, end.0].into_iter().find_map(|date| {
        let Date::Fixed { year, month, day } = date else { return None };
        // 2024 is a leap year: what it has not, no other has.
        let of = year.map_or(2024, |year| *year);
        if NaiveDate::from_ymd_opt(of, month as u32, day.into()).is_some() {
            return None;
        }
        let at = find(hours, place.clone(), &format!("{month} {day:02}"))
            .or_else(|| find(hours, place.clone(), &format!("{month} {day}")));
        let at = at.or_else(|| find(hours, place.clone(), &month.to_string()));
        let last = (28..day).rev().find(|day| NaiveDate::from_ymd_opt(of, month as u32, (*day).into()).is_some())?;
        Some(fault(
            at,
            format!("there is no {month} {day}"),
            format!("write `{month} {last}`, or the day that is meant"),
        ))
    })
}

fn lint_weekday(hours: &str, place: Range<usize>, range: &WeekDayRange) -> Option<Fault> {
    match range {
        WeekDayRange::Fixed { range, .. } => {
            let (first, last) = (*range.start(), *range.end());
            if first.num_days_from_monday() <= last.num_days_from_monday() {
                return None;
            }
            let days: Vec<&str> =
                std::iter::successors(Some(first), |day| (*day != last).then(|| day.succ())).map(short).collect();
            let text = format!("{}-{}", short(first), short(last));
            let what = format!("`{text}` runs over the end of the week; it is read as single days, not as one stretch");
            Some(fault(find(hours, place, &text), what, format!("write `{}` if that is meant", days.join(","))))
        }
        WeekDayRange::Holiday { kind: HolidayKind::School, .. } => Some(fault(
            find(hours, place, "SH"),
            "school holidays are not known here",
            "write the dates, as in `Jul 06-Aug 31 off`",
        )),
        WeekDayRange::Holiday { kind: HolidayKind::Public, .. } => None,
    }
}

fn lint_span(hours: &str, place: Range<usize>, span: &TimeSpan) -> Option<Fault> {
    let (Time::Fixed(start), Time::Fixed(end)) = (span.range.start, span.range.end) else {
        let at = ["sunrise", "sunset", "dawn", "dusk"].iter().find_map(|event| find(hours, place.clone(), event));
        let what = "hours that follow the sun are not the same two days running";
        return Some(fault(at, what, "write clock times, as in `20:00-22:00`"));
    };
    let text = format!("{start}-{end}");
    let at = || find_time(hours, place.clone(), &[start, end], "");
    if span.open_end {
        let at = find_time(hours, place.clone(), &[start], "+").or_else(|| find(hours, place, "+"));
        return Some(fault(at, format!("`{start}+` has no end"), format!("write when it ends, as in `{start}-18:00`")));
    }
    if span.repeats.is_some() {
        let what = "`/` lists moments, not a stretch of time";
        return Some(fault(find(hours, place, "/"), what, format!("write `{start}-{end}`")));
    }
    let whole_day = start == ExtendedTime::MIDNIGHT_00 && end == ExtendedTime::MIDNIGHT_24;
    if !whole_day && (start == end || end == plus_a_day(start)) {
        let what = format!("`{text}` is read as 24 hours");
        let fix = "write `00:00-24:00` for a whole day, or the end that is meant";
        return Some(fault(at(), what, fix));
    }
    if end > ExtendedTime::MIDNIGHT_24 {
        let past = end.add_hours(-24).unwrap_or(end);
        let what = format!("`{text}` ends after 24:00");
        return Some(fault(at(), what, format!("write `{start}-{past}`; it ends the next day")));
    }
    None
}

fn plus_a_day(time: ExtendedTime) -> ExtendedTime {
    time.add_hours(24).unwrap_or(time)
}

/// Rules without which the window would be the same: another rule replaces what they say.
fn idle_rules(hours: &str, expression: &OpeningHoursExpression, days: &[(NaiveDate, Openings)]) -> Vec<Fault> {
    let rules = &expression.rules;
    let mut faults = Vec::new();
    if rules.len() < 2 {
        return faults;
    }
    for (index, rule) in rules.iter().enumerate() {
        let opens_later = rules[index + 1..].iter().any(|later| later.kind == RuleKind::Open);
        // `Mo-Fr 08:00-18:00; Sa-Su off` says twice what is so anyway; nobody is misled.
        if rule.kind == RuleKind::Closed && !opens_later {
            continue;
        }
        let mut without = expression.clone();
        without.rules.remove(index);
        // The crate writes some expressions (`PH +1 day`) in a way it does not read; those get the benefit of doubt.
        let Some(without) =
            without.to_string().parse::<OpeningHours>().ok().filter(|read| *read.get_expression() == without)
        else {
            continue;
        };
        if CompiledWindow::of(without).sample(Region::AlsaceMoselle, SAMPLE_YEARS) != days {
            continue;
        }
        let place = segment(hours, rules.len(), index);
        let text = as_written(hours, &place, rule);
        let fix = if rule.kind == RuleKind::Closed {
            format!("move `{text}` to the end: after `;` the later rule wins")
        } else {
            format!("remove `{text}`, or join the rules with `, ` so that both hold")
        };
        faults.push(fault(place, format!("`{text}` has no effect"), fix));
    }
    faults
}

/// A night that one rule opens and another cuts at midnight, leaving its evening or its morning alone.
fn cut_night(hours: &str, expression: &OpeningHoursExpression, days: &[(NaiveDate, Openings)]) -> Option<Fault> {
    let opening = || expression.rules.iter().filter(|rule| rule.kind == RuleKind::Open);
    let spans = || opening().flat_map(|rule| &rule.time_selector.spans);
    let (midnight, day_end) = (Time::Fixed(ExtendedTime::MIDNIGHT_00), Time::Fixed(ExtendedTime::MIDNIGHT_24));
    // Hours written to start or end at midnight do so on purpose.
    let may_start = spans().any(|span| span.range.start == midnight);
    let may_end = spans().any(|span| span.range.end == day_end || span.range.end == midnight);
    let (date, left) = days.windows(2).find_map(|pair| {
        let ends = pair[0].1.last().is_some_and(|(_, end)| *end == 24 * 60);
        let starts = pair[1].1.first().is_some_and(|(start, _)| *start == 0);
        match (ends, starts) {
            (true, false) if !may_end => Some((pair[0].0, "its evening without its morning")),
            (false, true) if !may_start => Some((pair[0].0, "its morning without its evening")),
            (true | false, true | false) => None,
        }
    })?;
    let closing = expression.rules.iter().position(|rule| {
        rule.kind == RuleKind::Closed
            && rule.time_selector.spans == [TimeSpan::fixed_range(ExtendedTime::MIDNIGHT_00, ExtendedTime::MIDNIGHT_24)]
    });
    let what = format!("the night of {date} is cut at midnight, which leaves {left}");
    Some(match closing {
        Some(index) => {
            let rule = &expression.rules[index];
            let mut hours_open: Vec<String> = spans().map(ToString::to_string).collect();
            hours_open.sort();
            hours_open.dedup();
            let fix = format!("close whole nights: write `{} {} off`", rule.day_selector, hours_open.join(","));
            let place = segment(hours, expression.rules.len(), index);
            let text = as_written(hours, &place, rule);
            fault(place, format!("{what}: `{text}` ends there"), fix)
        }
        None => {
            fault(None, what, "let a rule that changes a night name the night's own hours, as in `PH 22:00-07:00 off`")
        }
    })
}

fn short(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Mo",
        Weekday::Tue => "Tu",
        Weekday::Wed => "We",
        Weekday::Thu => "Th",
        Weekday::Fri => "Fr",
        Weekday::Sat => "Sa",
        Weekday::Sun => "Su",
    }
}

#[cfg(test)]
#[path = "window_lint_tests.rs"]
mod tests;
