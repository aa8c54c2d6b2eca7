//! Everything wrong with the form of a schedule file at once, where reading it stops at the first mistake.
//!
//! Whoever edits a contract wants all of it in one go. So each mistake is noted, mended with the value that a sound
//! contract has in its place, and the file is read again. What was mended is named: what the terms then say about those
//! places says nothing about the file.

use super::schedule_file::{ScheduleFile, ScheduleFileError};
use super::toml_errors::{self, nearest};
use crate::model::schedule::Schedule;
use serde::Deserialize;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

/// Most mistakes that are told of one file.
const MISTAKES_MAX: usize = 100;
/// Values to go on with.
const SOUND: &str = include_str!("../../schedules/pro-controle.toml");

/// A schedule file and the mistakes in its form.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The file, mended; `None` when it is no TOML or cannot be mended.
    pub file: Option<ScheduleFile>,
    pub text: String,
    pub mistakes: Vec<Mistake>,
}

/// One thing that keeps a file from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The keys that lead to it: `["minor", "deadline_nights"]`.
    pub keys: Vec<String>,
    /// Bytes of the file.
    pub span: Range<usize>,
    pub what: String,
    pub fix: String,
}

/// Reads a schedule file and notes every mistake in its form.
///
/// # Errors
/// When the file cannot be read at all.
pub fn survey(path: &Path) -> Result<Survey, ScheduleFileError> {
    let name =
        path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| ScheduleFileError::Name(path.to_owned()))?;
    let text = toml_errors::read_text(path)?;
    let (schedule, mistakes) = read(&text);
    let file = schedule.map(|schedule| ScheduleFile {
        name: name.to_owned(),
        path: path.to_owned(),
        text: text.clone(),
        schedule,
    });
    Ok(Survey { file, text, mistakes })
}

/// The schedule, mended, and the mistakes in the order of the text.
fn read(text: &str) -> (Option<Schedule>, Vec<Mistake>) {
    let (schedule, mut mistakes) = mend(text);
    mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
    (schedule, mistakes)
}

fn mend(text: &str) -> (Option<Schedule>, Vec<Mistake>) {
    let (mut root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return (None, errors.iter().take(MISTAKES_MAX).map(no_toml).collect());
    }
    let mut mistakes = Vec::new();
    while mistakes.len() < MISTAKES_MAX {
        match Schedule::deserialize(Deserializer::from(root.clone())) {
            Ok(schedule) => return (Some(schedule), mistakes),
            Err(error) => {
                let (mistake, mended) = note(&mut root, &error);
                mistakes.push(mistake);
                if mended.is_none() {
                    break;
                }
            }
        }
    }
    (None, mistakes)
}

fn no_toml(error: &Error) -> Mistake {
    let span = error.span().unwrap_or(0..0);
    let what = format!("this is no TOML: {}", error.message().trim_end().replace('\n', ", "));
    Mistake { keys: Vec::new(), span, what, fix: "write `key = value`, text in double quotes".to_owned() }
}

/// What an error says, and the file mended so that reading gets past it, if that can be.
fn note(root: &mut Spanned<DeTable<'_>>, error: &Error) -> (Mistake, Option<()>) {
    let mut keys = keys_of(error);
    let message = error.message().trim_end();
    let quoted = || message.split('`').skip(1).step_by(2);
    let span = error.span().unwrap_or(0..0);
    if let (true, Some(field)) = (message.starts_with("unknown field"), quoted().next()) {
        keys.extend((keys.last().map(String::as_str) != Some(field)).then(|| field.to_owned()));
        let known: Vec<&str> = quoted().skip(1).collect();
        let near = nearest(field, known.iter().copied());
        let fix = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("remove it; known here are {}", known.join(", ")),
        };
        let mended = rename(root, &keys, near);
        return (Mistake { keys, span, what: format!("unknown field `{field}`"), fix }, mended);
    }
    if let (true, Some(field)) = (message.starts_with("missing field"), quoted().next()) {
        keys.push(field.to_owned());
        let sound = sound(&keys);
        let fix = match sound.as_ref().map(Spanned::get_ref) {
            Some(DeValue::Table(_)) => format!("add [{}]", keys.join(".")),
            Some(value) => format!("add it, as in `{field} = {}`", shown(value)),
            None => format!("add `{field}`"),
        };
        let mended = sound.and_then(|value| insert(root, &keys, value));
        return (Mistake { keys, span, what: format!("missing field `{field}`"), fix }, mended);
    }
    let sound = sound(&keys);
    let fix = match sound.as_ref().map(Spanned::get_ref) {
        Some(DeValue::Table(_)) => format!("write it as a table, [{}]", keys.join(".")),
        Some(value) => format!("write it as in `{} = {}`", keys.last().map_or("", String::as_str), shown(value)),
        None => "see schedules/pro-controle.toml".to_owned(),
    };
    let mended = match sound {
        Some(value) => insert(root, &keys, value),
        None => remove(root, &keys),
    };
    (Mistake { keys, span, what: message.replace('\n', ", "), fix }, mended)
}

/// The keys that an error prints: `in `minor.window``.
fn keys_of(error: &Error) -> Vec<String> {
    let text = error.to_string();
    let printed = text.trim_end().lines().last().and_then(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    printed.map(|keys| keys.split('.').map(str::to_owned).collect()).unwrap_or_default()
}

/// What a sound contract has at `keys`; every window is like the first.
fn sound(keys: &[String]) -> Option<Spanned<DeValue<'static>>> {
    let root = DeTable::parse(SOUND).ok()?;
    let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    if let ["windows", name, ..] = &mut keys[..] {
        *name = "office";
    }
    let (first, rest) = keys.split_first()?;
    let mut value = root.get_ref().get(*first)?;
    for key in rest {
        let DeValue::Table(table) = value.get_ref() else { return None };
        value = table.get(*key)?;
    }
    Some(value.clone())
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Array(items) => {
            format!("[{}]", items.iter().map(|item| shown(item.get_ref())).collect::<Vec<_>>().join(", "))
        }
        DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => "…".to_owned(),
    }
}

/// The table that holds the last of `keys`.
fn holder<'r, 't>(root: &'r mut Spanned<DeTable<'t>>, keys: &[String]) -> Option<&'r mut DeTable<'t>> {
    let (_, above) = keys.split_last()?;
    let mut table = root.get_mut();
    for key in above {
        match table.get_mut(key.as_str())?.get_mut() {
            DeValue::Table(inner) => table = inner,
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => return None,
        }
    }
    Some(table)
}

fn remove(root: &mut Spanned<DeTable<'_>>, keys: &[String]) -> Option<()> {
    holder(root, keys)?.remove(keys.last()?.as_str()).map(|_| ())
}

/// Gives a value the name that was probably meant, or removes it.
fn rename(root: &mut Spanned<DeTable<'_>>, keys: &[String], meant: Option<&str>) -> Option<()> {
    let table = holder(root, keys)?;
    let value = table.remove(keys.last()?.as_str())?;
    if let Some(meant) = meant.filter(|meant| !table.contains_key(*meant)) {
        table.insert(Spanned::new(0..0, meant.to_owned().into()), value);
    }
    Some(())
}

fn insert<'t>(root: &mut Spanned<DeTable<'t>>, keys: &[String], value: Spanned<DeValue<'t>>) -> Option<()> {
    let key = keys.last()?.clone();
    holder(root, keys)?.insert(Spanned::new(0..0, key.into()), value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mistakes of a sound contract after changes of its text: place, line, what and fix.
    fn mistakes(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = SOUND.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let (schedule, mistakes) = read(&text);
        assert!(schedule.is_some() || mistakes[0].what.contains("no TOML"), "{mistakes:?}");
        mistakes
            .iter()
            .map(|m| {
                format!("{} {}: {}; {}", toml_errors::place(&text, m.span.start).0, m.keys.join("."), m.what, m.fix)
            })
            .collect()
    }

    #[test]
    fn a_sound_file_has_no_mistakes() {
        assert_eq!(mistakes(&[]), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_has_its_line_and_its_fix() {
        for (from, to, expected) in [
            (
                "deadline_nights = 2",
                "deadline_night = 2",
                "29 minor.deadline_night: unknown field `deadline_night`; did you mean `deadline_nights`?",
            ),
            (
                "deadline_nights = 2",
                "deadline_nights = \"two\"",
                "29 minor.deadline_nights: invalid type: string \"two\", expected u32; write it as in `deadline_nights = 2`",
            ),
            (
                "deadline_nights = 2",
                "deadline_nights = -1",
                "29 minor.deadline_nights: invalid value: integer `-1`, expected u32; write it as in `deadline_nights = 2`",
            ),
            (
                "deadline_nights = 2\n",
                "",
                "26 minor.deadline_nights: missing field `deadline_nights`; add it, as in `deadline_nights = 2`",
            ),
            ("[retry]", "[retrie]", "83 retrie: unknown field `retrie`; did you mean `retry`?"),
            (
                "hours = \"Mo-Su 22:00-07:00\"\n",
                "",
                "7 windows.night.hours: missing field `hours`; add it, as in `hours = \"Mo-Fr 08:00-18:00; PH off\"`",
            ),
            (
                "hours = \"Mo-Su 22:00-07:00\"",
                "hour = \"Mo-Su 22:00-07:00\"",
                "8 windows.night.hour: unknown field `hour`; did you mean `hours`?",
            ),
            (
                "contract = \"Pro Contrôle\"\n",
                "",
                "1 contract: missing field `contract`; add it, as in `contract = \"Pro Contrôle\"`",
            ),
            (
                "[windows.night]",
                "[windows.night]\nzone = \"Europe/Paris\"",
                "8 windows.night.zone: unknown field `zone`; remove it; known here are hours, clause",
            ),
        ] {
            let found = mistakes(&[(from, to)]);
            assert_eq!(found[0], expected, "{to}");
        }
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let found = mistakes(&[
            ("hours = \"Mo-Su 22:00-07:00\"", "hour = \"Mo-Su 22:00-07:00\""),
            ("deadline_nights = 2", "deadline_nights = \"two\""),
            ("window = \"night\"", "window = 7"),
            ("never_in = \"office\"", "never = \"office\""),
            ("escalate_after_hours = [24, 48]", "escalate_after_hours = [24, \"48\"]"),
            ("[retry]\nclause = \"6.2.4\"\nattempts_max = 3\n", ""),
        ]);
        let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "1 retry",
                "8 windows.night.hour",
                "28 minor.window",
                "29 minor.deadline_nights",
                "30 minor.never",
                "75 intervention.escalate_after_hours",
            ],
            "{found:#?}"
        );
    }

    #[test]
    fn what_is_no_toml_says_each_place() {
        let found = mistakes(&[("deadline_nights = 2", "deadline_nights 2"), ("attempts_max = 3", "attempts_max 3")]);
        assert!(found.len() == 2 && found[0].starts_with("29 : this is no TOML"), "{found:#?}");
    }
}
