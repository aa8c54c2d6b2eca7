//! TOML files that people write, read with errors that name file, line, column and the nearest known field.

use serde::de::DeserializeOwned;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A field further away than this is no likely misspelling.
const DISTANCE_MAX: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum TomlError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{}:{line}:{column}: {message}", path.display())]
    Parse { path: PathBuf, line: usize, column: usize, message: String },
}

/// Reads and parses a file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, TomlError> {
    parse(path, &read_text(path)?)
}

/// Reads a file's text within its limit.
pub fn read_text(path: &Path) -> Result<String, TomlError> {
    let failed = |source| TomlError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(TomlError::TooLarge(path.to_owned()));
    }
    Ok(text)
}

/// Parses `text`, which `path` names in errors.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        TomlError::Parse { path: path.to_owned(), line, column, message: suggest(error.message()) }
    })
}

/// Line and column, both from 1, of byte `at`.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The line, from 1, on which `needle` first stands after `from` lines; for errors found after parsing.
pub fn line_of(text: &str, needle: &str) -> usize {
    text.find(needle).map_or(1, |at| place(text, at).0)
}

/// "unknown field `langage`, expected one of `language`, …" gets the field that was probably meant.
fn suggest(message: &str) -> String {
    let message = message.trim_end();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(found)) = (message.starts_with("unknown "), quoted.next()) else { return message.to_owned() };
    match nearest(found, quoted) {
        Some(known) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

/// The word that was probably meant by `found`, if one is near enough.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let nearest = known.into_iter().map(|known| (strsim::damerau_levenshtein(found, known), known)).min();
    nearest.filter(|(distance, _)| *distance <= DISTANCE_MAX).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        #[allow(dead_code)]
        language: String,
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = parse::<Page>(Path::new("page.toml"), text).unwrap_err().to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn an_error_names_the_place_and_what_was_meant() {
        check(
            "\n langage = \"fr\"",
            "page.toml:2:2: unknown field `langage`, expected `language`; did you mean `language`?",
        );
        check("x = 1", "page.toml:1:1: unknown field `x`, expected `language`");
        check("language = 3", "page.toml:1:12: invalid type: integer `3`, expected a string");
    }
}
