//! Places in the text of opening hours, which the parsed expression does not keep.

use opening_hours_syntax::ExtendedTime;
use opening_hours_syntax::rules::RuleSequence;
use std::ops::Range;

/// A zone or an offset from UTC written into hours: `20:00Z`, `20:00+02:00`, `20:00-04:00-22:00-04:00`, `CET`.
pub(super) fn fixed_offset(hours: &str) -> Option<Range<usize>> {
    let bytes = hours.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let time_from = |at: usize| hours.get(at..at + 5).is_some_and(time_at);
    let word = |at: usize, name: &str| {
        hours.get(at..at + name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
            && !letter(at + name.len())
            && (at == 0 || !letter(at - 1))
    };
    (0..bytes.len()).find_map(|at| {
        if let Some(name) = ["UTC", "GMT", "CEST", "CET", "MEZ", "MESZ"].into_iter().find(|name| word(at, name)) {
            return Some(at..at + name.len());
        }
        let after_digit = at > 0 && digit(at - 1);
        match bytes[at] {
            b'Z' | b'z' if after_digit && !letter(at + 1) => Some(at..at + 1),
            b'+' if after_digit && digit(at + 1) => {
                let offset = hours[at + 1..].find(|c: char| !c.is_ascii_digit() && c != ':');
                Some(at..offset.map_or(hours.len(), |length| at + 1 + length))
            }
            b'-' if at >= 5 && time_from(at - 5) && time_from(at + 1) && bytes.get(at + 6) == Some(&b'-') => {
                Some(at..at + 6)
            }
            _ => None,
        }
    })
}

/// Whether five bytes are a clock time.
fn time_at(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| if at == 2 { byte == b':' } else { byte.is_ascii_digit() })
}

/// Where `what` stands in `place`, whatever its case.
pub(super) fn find(hours: &str, place: Range<usize>, what: &str) -> Option<Range<usize>> {
    if what.is_empty() {
        return None;
    }
    let at = place.start + hours.get(place)?.to_ascii_lowercase().find(&what.to_ascii_lowercase())?;
    Some(at..at + what.len())
}

/// Where clock times joined by dashes stand in `place`, with or without zeros in front and spaces between.
pub(super) fn find_time(hours: &str, place: Range<usize>, times: &[ExtendedTime], then: &str) -> Option<Range<usize>> {
    let texts: Vec<String> = times.iter().map(ToString::to_string).collect();
    let short: Vec<&str> = texts.iter().map(|text| text.strip_prefix('0').unwrap_or(text)).collect();
    [short, texts.iter().map(String::as_str).collect()]
        .iter()
        .flat_map(|times| [times.join("-"), times.join(" - "), times.join("- "), times.join(" -")])
        .map(|text| text + then)
        .filter_map(|text| find(hours, place.clone(), &text))
        .max_by_key(|found| (found.len(), std::cmp::Reverse(found.start)))
}

/// Where the rule at `index` stands, when the rules can be told apart by what separates them.
pub(super) fn segment(hours: &str, rules: usize, index: usize) -> Option<Range<usize>> {
    let (semicolons, any): (&[&str], &[&str]) = (&[";"], &[";", ", ", "||"]);
    let parts = [semicolons, any].into_iter().map(|marks| split(hours, marks)).find(|parts| parts.len() == rules)?;
    let part = parts.get(index)?.clone();
    let text = hours.get(part.clone())?;
    let start = part.start + (text.len() - text.trim_start().len());
    Some(start..start + text.trim().len())
}

/// The stretches of a text between `marks`.
fn split(hours: &str, marks: &[&str]) -> Vec<Range<usize>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some((at, mark)) =
        marks.iter().filter_map(|mark| Some((from + hours[from..].find(mark)?, mark))).min_by_key(|(at, _)| *at)
    {
        parts.push(from..at);
        from = at + mark.len();
    }
    parts.push(from..hours.len());
    parts
}

/// A rule in its author's words, when they can be told apart.
pub(super) fn as_written(hours: &str, place: &Option<Range<usize>>, rule: &RuleSequence) -> String {
    place.clone().and_then(|place| hours.get(place)).map_or_else(|| rule.to_string(), str::to_owned)
}
