//! Which names inside a package may become files on any system we install on.
//!
//! A name is refused, never repaired: a package that needs repair is not the package that was tested.
//! The rules are those of the strictest system (Windows), applied everywhere, so that a package
//! behaves the same on every server.

use serde::Serialize;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// Longest name of one entry, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// Longest single component of a name, in bytes.
pub const COMPONENT_BYTES_MAX: usize = 240;
/// Deepest nesting of folders.
pub const DEPTH_MAX: usize = 48;

/// Why a name was refused, and what would be right.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameError {
    #[error("has a name, or a part of one, that is empty; give each part a name")]
    Empty,
    #[error("has a name that is not UTF-8; rename it, with the UTF-8 mark (flag bit 11) beyond ASCII")]
    NotUtf8,
    #[error("has a name of more than {NAME_BYTES_MAX} bytes, or a part of more than {COMPONENT_BYTES_MAX}; shorten it")]
    TooLong,
    #[error("is nested deeper than {DEPTH_MAX} folders; flatten it")]
    TooDeep,
    #[error("has an absolute name; write it from the top of the package")]
    Absolute,
    #[error("has a name that climbs out of its folder; write it without . and ..")]
    Climbs,
    #[error("has {0:?} in its name, which not every system can store or show; rename it")]
    Character(char),
    #[error("has a name or folder that ends with a dot or a space, which Windows drops; rename it")]
    TrailingDotOrSpace,
    #[error("has the name of a device ({0}) on Windows; rename it")]
    Device(String),
    #[error("has a name like the short names of Windows ({0}), which can mean another file; rename it")]
    ShortName(String),
    #[error("is the same file as {0:?} where case and composition of letters do not count; rename one")]
    Duplicate(String),
}

/// The names seen so far in one package; catches those that would land on the same file.
#[derive(Default)]
pub struct Names {
    /// Folded path → (path as written, whether a file).
    seen: BTreeMap<String, (String, Kind)>,
}

/// What an entry creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
}

impl Names {
    /// Accepts the raw name of an entry, relative and with `/` between its parts, or says why not.
    pub fn accept(&mut self, raw: &[u8], kind: Kind) -> Result<String, NameError> {
        let name = std::str::from_utf8(raw).map_err(|_| NameError::NotUtf8)?;
        let name = match kind {
            Kind::Folder => name.strip_suffix('/').unwrap_or(name),
            Kind::File => name,
        };
        check(name)?;
        let mut at = 0;
        while let Some(next) = name[at..].find('/') {
            self.insert(&name[..at + next], Kind::Folder)?;
            at += next + 1;
        }
        self.insert(name, kind)?;
        Ok(name.to_owned())
    }

    fn insert(&mut self, path: &str, kind: Kind) -> Result<(), NameError> {
        match self.seen.get(&fold(path)) {
            None => {
                self.seen.insert(fold(path), (path.to_owned(), kind));
                Ok(())
            }
            Some((as_written, Kind::Folder)) if kind == Kind::Folder && as_written == path => Ok(()),
            Some((as_written, _)) => Err(NameError::Duplicate(as_written.clone())),
        }
    }
}

/// What names that may be one file have in common: canonical caseless matching (Unicode 3.13, D145), a little wider.
fn fold(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    // Upper first: a few letters (ß, ſ) only meet their twin that way.
    path.nfd().collect::<String>().to_uppercase().to_lowercase().nfd().collect()
}

/// Letters that show nothing or turn the order of what follows: two names that look the same are not.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
}

/// Whether Windows may have made this name as the short one of another file: `LONGNA~1.TXT`.
fn is_short_name(part: &str) -> bool {
    let (stem, extension) = part.split_once('.').unwrap_or((part, ""));
    let numbered = stem.rsplit_once('~').is_some_and(|(head, number)| {
        !head.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    });
    numbered && stem.chars().count() <= 8 && extension.chars().count() <= 3
}

/// Checks one relative name with `/` between its parts.
pub fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    // The colon covers drive letters and alternate data streams, the backslash UNC paths.
    if let Some(bad) = name.chars().find(|&c| c.is_control() || is_invisible(c) || r#"\:<>"|?*"#.contains(c)) {
        return Err(NameError::Character(bad));
    }
    if name.split('/').count() > DEPTH_MAX {
        return Err(NameError::TooDeep);
    }
    name.split('/').try_for_each(check_component)
}

fn check_component(part: &str) -> Result<(), NameError> {
    if part.is_empty() {
        return Err(NameError::Empty);
    }
    if part.len() > COMPONENT_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if part == "." || part == ".." {
        return Err(NameError::Climbs);
    }
    if part.ends_with(['.', ' ']) {
        return Err(NameError::TrailingDotOrSpace);
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| matches!(n.chars().collect::<Vec<_>>()[..], [c] if c.is_numeric()))
    };
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || numbered("COM")
        || numbered("LPT");
    if device {
        return Err(NameError::Device(stem));
    }
    if is_short_name(part) { Err(NameError::ShortName(part.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass_and_bad_names_say_why() {
        for good in [
            "a",
            "bin/app.exe",
            "données/é.txt",
            "com/x",
            "console",
            "COM10",
            ".hidden",
            "a b/c",
            "~$a.doc",
            "a~b",
            "verylong~1",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", NameError::Empty),
            ("a//b", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("../x", NameError::Climbs),
            ("a/../../x", NameError::Climbs),
            ("./x", NameError::Climbs),
            ("C:/x", NameError::Character(':')),
            ("file.txt:stream", NameError::Character(':')),
            ("a\\b", NameError::Character('\\')),
            ("\\\\host\\share", NameError::Character('\\')),
            ("a\0b", NameError::Character('\0')),
            ("a\nb", NameError::Character('\n')),
            ("a*", NameError::Character('*')),
            ("a./b", NameError::TrailingDotOrSpace),
            ("a ", NameError::TrailingDotOrSpace),
            ("x/NUL", NameError::Device("NUL".into())),
            ("con.txt", NameError::Device("CON".into())),
            ("aux .txt", NameError::Device("AUX".into())),
            ("lpt1.tar.gz", NameError::Device("LPT1".into())),
            ("COM¹", NameError::Device("COM¹".into())),
            ("lpt³.log", NameError::Device("LPT³".into())),
            ("conin$", NameError::Device("CONIN$".into())),
            ("CLOCK$.x", NameError::Device("CLOCK$".into())),
            ("PROGRA~1/x", NameError::ShortName("PROGRA~1".into())),
            ("GIT~12.TXT", NameError::ShortName("GIT~12.TXT".into())),
            ("gnp.\u{202e}exe", NameError::Character('\u{202e}')),
            ("a\u{200d}", NameError::Character('\u{200d}')),
        ] {
            assert_eq!(check(bad), Err(why), "{bad:?}");
        }
        assert_eq!(check(&"a/".repeat(DEPTH_MAX - 1)), Err(NameError::Empty));
        assert_eq!(check(&vec!["a"; DEPTH_MAX].join("/")), Ok(()));
        assert_eq!(check(&vec!["a"; DEPTH_MAX + 1].join("/")), Err(NameError::TooDeep));
        assert_eq!(check(&"a".repeat(COMPONENT_BYTES_MAX + 1)), Err(NameError::TooLong));
    }

    #[test]
    fn names_that_meet_on_one_file_are_refused() {
        let refused = |names: &[(&str, Kind)]| {
            let mut seen = Names::default();
            names.iter().find_map(|(name, kind)| seen.accept(name.as_bytes(), *kind).err())
        };
        use Kind::{File, Folder};
        assert_eq!(refused(&[("a/", Folder), ("a/b", File), ("a/c", File)]), None);
        assert_eq!(refused(&[("a", File), ("A", File)]), Some(NameError::Duplicate("a".into())));
        assert_eq!(refused(&[("a", File), ("a", File)]), Some(NameError::Duplicate("a".into())));
        assert_eq!(refused(&[("a", File), ("a/b", File)]), Some(NameError::Duplicate("a".into())));
        assert_eq!(refused(&[("a/b", File), ("a", File)]), Some(NameError::Duplicate("a".into())));
        assert_eq!(refused(&[("a/b", File), ("A/c", File)]), Some(NameError::Duplicate("a".into())));
        assert_eq!(refused(&[("É", File), ("é", File)]), Some(NameError::Duplicate("É".into())));
        assert_eq!(refused(&[("é", File), ("e\u{301}", File)]), Some(NameError::Duplicate("é".into())));
        assert_eq!(refused(&[("straße", File), ("STRASSE", File)]), Some(NameError::Duplicate("straße".into())));
        assert_eq!(refused(&[("Å", File), ("\u{212b}", File)]), Some(NameError::Duplicate("Å".into())));
        assert_eq!(Names::default().accept(b"\xff", File), Err(NameError::NotUtf8));
    }
}
