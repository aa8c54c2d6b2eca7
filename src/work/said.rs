//! What people type about themselves and their reasons: one line, not empty, of a bounded length.

/// Longest name of a person, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 1_000;
/// Longest note of what was done, in characters.
const NOTE_CHARS_MAX: usize = 2_000;

/// A text that nobody could read in the history.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} is missing or too long: write one line of 1 to {max} characters")]
pub struct Unsaid {
    what: &'static str,
    max: usize,
}

/// The name of whoever acts or agrees.
pub(super) fn name(what: &'static str, text: &str) -> Result<String, Unsaid> {
    line(what, text, NAME_CHARS_MAX)
}

/// Why they do.
pub(super) fn reason(text: &str) -> Result<String, Unsaid> {
    line("the reason", text, REASON_CHARS_MAX)
}

/// What was done.
pub(super) fn note(text: &str) -> Result<String, Unsaid> {
    line("the note of what was done", text, NOTE_CHARS_MAX)
}

fn line(what: &'static str, text: &str, max: usize) -> Result<String, Unsaid> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    if line.is_empty() || line.chars().count() > max { Err(Unsaid { what, max }) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_a_bounded_length() {
        let longest = "é".repeat(NAME_CHARS_MAX);
        for (text, expected) in [
            ("Claire Martin", Some("Claire Martin")),
            (" Claire\r\nBcc: \u{7}x ", Some("Claire Bcc: x")),
            ("", None),
            (" \u{0} ", None),
            (longest.as_str(), Some(longest.as_str())),
        ] {
            assert_eq!(name("who agrees", text).ok().as_deref(), expected);
        }
        let error = name("who agrees", &"é".repeat(NAME_CHARS_MAX + 1)).unwrap_err();
        assert_eq!(error.to_string(), "who agrees is missing or too long: write one line of 1 to 200 characters");
    }
}
