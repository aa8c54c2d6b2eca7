//! Which names inside a package may become files on any system we install on.
//!
//! A name is refused, never repaired: a package that needs repair is not the package that was tested.
//! The rules are those of the strictest system (Windows), applied everywhere, so that a package
//! behaves the same on every server.

use std::collections::BTreeMap;

/// Longest name of one entry, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// Longest single component of a name, in bytes.
pub const COMPONENT_BYTES_MAX: usize = 240;
/// Deepest nesting of folders.
pub const DEPTH_MAX: usize = 48;

/// Why a name was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is longer than {NAME_BYTES_MAX} bytes, or one part of it than {COMPONENT_BYTES_MAX}")]
    TooLong,
    #[error("is nested deeper than {DEPTH_MAX} folders")]
    TooDeep,
    #[error("is absolute")]
    Absolute,
    #[error("climbs out of its folder")]
    Climbs,
    #[error("holds the character {0:?}, which not every system can store")]
    Character(char),
    #[error("ends a part with a dot or a space")]
    TrailingDotOrSpace,
    #[error("is the name of a device ({0})")]
    Device(String),
    #[error("is the same file as {0:?} on a system that ignores case")]
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

fn fold(path: &str) -> String {
    // Upper first: a few letters (ß, ſ) only meet their twin that way.
    path.to_uppercase().to_lowercase()
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
    if let Some(bad) =
        name.chars().find(|c| c.is_control() || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*'))
    {
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
    if device { Err(NameError::Device(stem)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass_and_bad_names_say_why() {
        for good in ["a", "bin/app.exe", "données/é.txt", "com/x", "console", "COM10", ".hidden", "a b/c"] {
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
        assert_eq!(Names::default().accept(b"\xff", File), Err(NameError::NotUtf8));
    }
}
