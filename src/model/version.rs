//! Version strings as publishers write them: `14.20.003`, `2026.1`, `11.0A`, `15.30.02/DU3`, `4.0_SP1`.
//!
//! They are not semver. The raw text is kept for display; comparison works on a key of numbers and
//! words read from it, so `14.20.003` and `14.20.3` are the same version written twice.
//!
//! How the key was chosen: against the order in which some hundred Windows programs really published their
//! versions (`tests/it/data/versions.tsv` keeps a part). What that teaches:
//!
//! - numbers compare as numbers, and a missing one is zero: `3.18` and `3.18.0` are the same;
//! - a number after `-`, `_`, `/` or `+` is a revision of the number before it: `5.6-5`, then `5.6.1-5`;
//! - a word that says so is before the version it announces (`2.0-rc1`, then `2.0`), any other is after it
//!   (`11.0`, then `11.0A`; `15.30.02`, then `15.30.02/DU3`). A bare letter is no such word: `90.0b7` is after `90.0`;
//! - publishers also go back, keep two branches, and change scheme; no order of strings can tell. The manifest's
//!   `change` and `upgrade_from` have the last word.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest version string accepted, in bytes.
pub const VERSION_BYTES_MAX: usize = 64;
/// Bytes of a key that are compared as one number.
const HEAD_BYTES: usize = size_of::<u128>();

/// A version: its text as published and the key it is ordered by.
///
/// A fleet's plan compares and copies versions by the million. So the key is written out once, as text whose order is the
/// versions' order, and shared by all copies together with the version's own text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The key's first bytes, as a number whose order is theirs: mostly that is all of it.
    head: u128,
    /// The key, then the text as it was published.
    both: Arc<str>,
    /// Bytes of the key.
    key: usize,
    first_number: u64,
}

/// One comparable piece of a version. The declaration order is the comparison order: a pre-release
/// word sorts before the end of the version, the end before a suffix word, a word before a revision of
/// what precedes, and that before a further number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    PreRelease(String),
    End,
    Word(String),
    Revision,
    Number(u64),
}

impl Part {
    fn number(&self) -> Option<u64> {
        match self {
            Part::Number(n) => Some(*n),
            Part::PreRelease(_) | Part::End | Part::Word(_) | Part::Revision => None,
        }
    }

    /// Appends the part so that keys compare as text as their parts do: the sign of what it is first; a word ends before
    /// any letter, and a number says first how many digits it has.
    fn write(&self, key: &mut String) {
        match self {
            Part::PreRelease(word) => key.extend(["0", word.as_str(), " "]),
            Part::End => key.push('1'),
            Part::Word(word) => key.extend(["2", word.as_str(), " "]),
            Part::Revision => key.push('3'),
            Part::Number(n) => {
                let digits = n.to_string();
                // At most twenty of them.
                let length = u8::try_from(digits.len()).map_or('~', |length| char::from(b'a' + length));
                key.extend(['4', length]);
                key.push_str(&digits);
            }
        }
    }
}

/// How much a release changes: the manifest says it, the version numbers cross-check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Minor,
    Major,
}

/// Where a product's version strings keep their major number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// The first number is the major: `14.20.003`.
    #[default]
    Dotted,
    /// The first number is a year and says nothing about the size of the change: `2026.1`.
    Year,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VersionError {
    #[error("a version cannot be empty")]
    Empty,
    #[error("version {0:?} is longer than {VERSION_BYTES_MAX} bytes")]
    TooLong(String),
    #[error("version {raw:?} holds {found:?}: letters, digits and . - _ / + are allowed")]
    Character { raw: String, found: char },
    #[error("version {0:?} holds no digit")]
    NoDigit(String),
    #[error("version {0:?} has a number too large to compare")]
    NumberTooLarge(String),
}

impl Version {
    /// The text exactly as the publisher wrote it.
    pub fn as_str(&self) -> &str {
        &self.both[self.key..]
    }

    fn key(&self) -> &str {
        &self.both[..self.key]
    }

    /// The first number of the version (`14` in `14.20.003`).
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// What the numbers alone say about going from `from` to `self`, if they say anything.
    /// Under [`Scheme::Year`] the numbers are silent.
    pub fn change_from(&self, from: &Version, scheme: Scheme) -> Option<Change> {
        match scheme {
            Scheme::Year => None,
            Scheme::Dotted if self.first_number() == from.first_number() => Some(Change::Minor),
            Scheme::Dotted => Some(Change::Major),
        }
    }

    /// The version as one path or TUF target segment: `15.30.02/DU3` becomes `15.30.02_DU3`.
    pub fn slug(&self) -> String {
        self.as_str()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
            .collect()
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(raw: &str) -> Result<Self, VersionError> {
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(VersionError::Empty);
        }
        if raw.len() > VERSION_BYTES_MAX {
            return Err(VersionError::TooLong(raw.to_owned()));
        }
        if let Some(found) =
            raw.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_' | '/' | '+'))
        {
            return Err(VersionError::Character { raw: raw.to_owned(), found });
        }
        if !raw.contains(|c: char| c.is_ascii_digit()) {
            return Err(VersionError::NoDigit(raw.to_owned()));
        }
        let parts = key_of(raw)?;
        let first_number = parts.iter().find_map(Part::number).unwrap_or(0);
        let mut both = String::with_capacity(raw.len() * 3);
        parts.iter().for_each(|part| part.write(&mut both));
        let key = both.len();
        both.push_str(raw);
        Ok(Version { head: head(both.as_bytes(), key), both: both.into(), key, first_number })
    }
}

/// The first bytes of a key of so many. No byte of a key is zero, so a shorter key comes before those it begins.
fn head(bytes: &[u8], key: usize) -> u128 {
    let mut head = [0; HEAD_BYTES];
    let known = key.min(HEAD_BYTES);
    head[..known].copy_from_slice(&bytes[..known]);
    u128::from_be_bytes(head)
}

/// Splits into runs of digits and runs of letters; a leading `v` is decoration. Zeros before the end, a word or a
/// revision do not count: `2.0` is `2`, and so `2.0-rc1` comes before it.
fn key_of(raw: &str) -> Result<Vec<Part>, VersionError> {
    let mut key = Vec::new();
    let mut rest =
        raw.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(raw);
    let mut revises = false;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_alphanumeric() {
            revises |= first != '.';
            rest = &rest[1..];
            continue;
        }
        let same = |c: char| {
            if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() }
        };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        rest = tail;
        if first.is_ascii_digit() {
            if revises && matches!(key.last(), Some(Part::Number(_))) {
                drop_zeros(&mut key);
                key.push(Part::Revision);
            }
            key.push(Part::Number(run.parse().map_err(|_| VersionError::NumberTooLarge(raw.to_owned()))?));
        } else {
            drop_zeros(&mut key);
            key.push(word(run));
        }
        revises = false;
    }
    drop_zeros(&mut key);
    key.push(Part::End);
    Ok(key)
}

/// Drops the zeros that end a key so far, and a revision that they leave empty; one part always stays.
fn drop_zeros(key: &mut Vec<Part>) {
    while key.len() > 1 && matches!(key.last(), Some(Part::Number(0) | Part::Revision)) {
        key.pop();
    }
}

fn word(run: &str) -> Part {
    let lower = run.to_ascii_lowercase();
    match lower.as_str() {
        "alpha" | "beta" | "rc" | "pre" | "preview" | "dev" | "nightly" | "snapshot" => Part::PreRelease(lower),
        _ => Part::Word(lower),
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Version").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = || match self.key.max(other.key) <= HEAD_BYTES {
            true => Ordering::Equal,
            false => self.key().cmp(other.key()),
        };
        self.head.cmp(&other.head).then_with(rest)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(raw: String) -> Result<Self, VersionError> {
        raw.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.as_str().to_owned()
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
