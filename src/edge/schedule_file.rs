//! `schedules/*.toml`: contracts as data, read from a folder. A file's stem is the schedule's name.
//!
//! Reads and points; whether the terms make sense is decided elsewhere. [`ScheduleFile::point_at`] turns a place named
//! by keys (`windows.night.hours`) back into a line of the file, so that whoever finds a problem can show it.

use super::toml_errors::{self, TomlError};
use crate::model::schedule::Schedule;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Most schedules in one folder.
pub const FILES_MAX: usize = 200;

/// One schedule as read, with its text.
#[derive(Clone, Debug)]
pub struct ScheduleFile {
    /// The file's stem, by which clients name their schedule.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
    pub schedule: Schedule,
}

#[derive(Debug, thiserror::Error)]
pub enum ScheduleFileError {
    #[error("cannot read the schedules in {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// One file cannot be read or is no schedule; says which and where.
    #[error(transparent)]
    File(#[from] TomlError),
    #[error("{} holds no schedule; add one, such as pro-controle.toml", .0.display())]
    Empty(PathBuf),
    #[error("{} holds more than {FILES_MAX} schedules; keep one per contract", .0.display())]
    TooMany(PathBuf),
    #[error("the name of {} is not text; use letters, digits and dashes", .0.display())]
    Name(PathBuf),
}

/// Reads every `*.toml` of a folder, by name.
pub fn read_folder(folder: &Path) -> Result<Vec<ScheduleFile>, ScheduleFileError> {
    let failed = |source| ScheduleFileError::Folder { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
        if paths.len() > FILES_MAX {
            return Err(ScheduleFileError::TooMany(folder.to_owned()));
        }
    }
    if paths.is_empty() {
        return Err(ScheduleFileError::Empty(folder.to_owned()));
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Reads one schedule.
pub fn read(path: &Path) -> Result<ScheduleFile, ScheduleFileError> {
    let name =
        path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| ScheduleFileError::Name(path.to_owned()))?;
    let text = toml_errors::read_text(path)?;
    let schedule = toml_errors::parse(path, &text)?;
    Ok(ScheduleFile { name: name.to_owned(), path: path.to_owned(), text, schedule })
}

impl ScheduleFile {
    /// Bytes of the file that hold the value at `keys`, or, where a key is missing, the table that lacks it.
    pub fn span_of(&self, keys: &[&str]) -> Option<Range<usize>> {
        let root = DeTable::parse(&self.text).ok()?;
        let mut table = root.get_ref();
        let mut span = None;
        for key in keys {
            let Some(value) = table.get(*key) else { break };
            span = Some(value.span());
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        span
    }

    /// `message` under the file's name and line, with the line and the place in it underlined.
    ///
    /// `within` are bytes of the value, when it is a plain string and only a part of it is meant.
    pub fn point_at(&self, keys: &[&str], within: Option<Range<usize>>, message: &str) -> String {
        match self.bytes_of(keys, within) {
            Some(span) => point_at(&self.path, &self.text, span, message),
            None => format!("{}: {message}", self.path.display()),
        }
    }

    /// Bytes of the file that hold the value at `keys`, or those `within` it.
    pub fn bytes_of(&self, keys: &[&str], within: Option<Range<usize>>) -> Option<Range<usize>> {
        let value = self.span_of(keys)?;
        let quoted = self.text.get(value.start + 1..value.end.saturating_sub(1)).unwrap_or_default();
        // Bytes of the value are bytes of the file as long as nothing in it is escaped.
        let part = within.filter(|part| part.end <= quoted.len() && !quoted.contains('\\'));
        Some(part.map_or(value.clone(), |part| value.start + 1 + part.start..value.start + 1 + part.end))
    }
}

/// `message` under a file's name and line, with the line and `span` in it underlined.
pub fn point_at(path: &Path, text: &str, span: Range<usize>, message: &str) -> String {
    let path = path.display();
    let start = text.floor_char_boundary(span.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count();
    let meant = text.get(start..span.end).unwrap_or_default();
    let width = meant.lines().next().unwrap_or_default().chars().count().max(1);
    let margin = " ".repeat(number.to_string().len());
    let mut shown = format!("{path}:{number}: {message}\n");
    let _ = write!(shown, " {number} | {line}\n {margin} | {}{}", " ".repeat(column), "^".repeat(width));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const PRO_CONTROLE: &str = include_str!("../../schedules/pro-controle.toml");

    #[test]
    fn the_projects_own_schedules_are_read_by_name() {
        let read = read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules")).unwrap();
        let names: Vec<&str> = read.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["nuit-blanche", "pro-controle"]);
        assert_eq!(read[1].schedule.contract, "Pro Contrôle");
    }

    #[test]
    fn what_cannot_be_read_says_which_file() {
        let missing = read(Path::new("/nowhere/x.toml")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read /nowhere/x.toml: "), "{missing}");
        let empty = folder(&[("notes.txt", "")]);
        assert!(matches!(read_folder(empty.path()), Err(ScheduleFileError::Empty(_))));
    }

    #[test]
    fn an_unknown_field_and_a_wrong_type_name_file_and_line() {
        for (from, to, said) in [
            ("deadline_nights = 2", "deadline_night = 2", "broken.toml:29:1: unknown field `deadline_night`"),
            ("deadline_nights = 2", "deadline_night = 2", "did you mean `deadline_nights`?"),
            ("deadline_nights = 2", "deadline_nights = \"two\"", "invalid type"),
            ("deadline_nights = 2", "deadline_nights = -1", "invalid value"),
            ("deadline_nights = 2", "", "missing field `deadline_nights`"),
        ] {
            let broken = folder(&[("broken.toml", &PRO_CONTROLE.replace(from, to))]);
            let error = read_folder(broken.path()).unwrap_err().to_string();
            assert!(error.contains("broken.toml:") && error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_place_is_shown_on_its_line() {
        let file = ScheduleFile {
            name: "x".into(),
            path: "x.toml".into(),
            text: PRO_CONTROLE.replace("Mo-Su 22:00-07:00", "Mo-Fr 22:00-07:00; PH off"),
            schedule: toml::from_str(PRO_CONTROLE).unwrap(),
        };
        assert_eq!(
            file.point_at(&["windows", "night", "hours"], Some(19..25), "cut"),
            "x.toml:8: cut\n 8 | hours = \"Mo-Fr 22:00-07:00; PH off\"\n   |                             ^^^^^^"
        );
        let whole = file.point_at(&["minor", "deadline_nights"], None, "no");
        assert!(whole.ends_with("| deadline_nights = 2\n    |                   ^"), "{whole}");
        assert!(file.point_at(&["minor", "missing"], None, "no").contains("| [minor]"));
        assert_eq!(file.point_at(&["nothing"], None, "no"), "x.toml: no");
    }
}
