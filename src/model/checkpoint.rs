//! A checkpoint: where every chain of the history ended at one moment.
//!
//! Kept where the database's owner cannot reach it (a letter, another machine, paper), it is what the history is held
//! against later: whoever rewrites a chain before its end gives that end another hash.
//!
//! As text it is what is signed: the origin, the moment, and for each client its number of events and the last one's
//! hash, a line each.

use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most bytes of a checkpoint's text that are read: a hundred thousand clients.
pub const CHECKPOINT_BYTES_MAX: usize = 16 << 20;
/// What the first line begins with.
const TITLE: &str = "noctule history of ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose history it is: the domain of the provider's Message-IDs.
    pub origin: String,
    /// When it was taken, in whole seconds.
    pub at: DateTime<Utc>,
    /// The end of each client's chain.
    pub heads: BTreeMap<String, Head>,
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Events in it, which is the last one's number.
    pub seq: i64,
    /// The last event's sha256, in lower-case hex.
    pub hash: String,
}

/// A text that is no checkpoint.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: expected {expected}")]
pub struct NotACheckpoint {
    /// From 1.
    pub line: usize,
    pub expected: &'static str,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}{}", self.origin)?;
        writeln!(f, "{}", self.at.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        self.heads.iter().try_for_each(|(client, head)| writeln!(f, "{client} {} {}", head.seq, head.hash))
    }
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Checkpoint, NotACheckpoint> {
        let not = |line, expected| NotACheckpoint { line, expected };
        let mut lines = text.lines();
        let origin = lines.next().and_then(|line| line.strip_prefix(TITLE)).filter(|origin| !origin.is_empty());
        let origin = origin.ok_or(not(1, "\"noctule history of\" and the provider's domain"))?.to_owned();
        let at = lines.next().and_then(|line| DateTime::parse_from_rfc3339(line).ok());
        let at = at.ok_or(not(2, "the moment, as 2026-11-26T12:00:00Z"))?.to_utc();
        let mut heads = BTreeMap::new();
        for (place, line) in lines.enumerate() {
            let wrong = not(place + 3, "a client, a number of events and a sha256 in lower-case hex");
            let mut words = line.split(' ');
            let (Some(client), Some(seq), Some(hash), None) = (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(wrong);
            };
            let seq = seq.parse().ok().filter(|seq| *seq >= 1);
            let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            match seq {
                Some(seq) if is_hash && !client.is_empty() => {
                    let twice = heads.insert(client.to_owned(), Head { seq, hash: hash.to_owned() }).is_some();
                    if twice {
                        return Err(not(place + 3, "each client once"));
                    }
                }
                Some(_) | None => return Err(wrong),
            }
        }
        Ok(Checkpoint { origin, at, heads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "3b19018f1cb6e7716e01437a78aea873790b4445bcd31f93bec623e446af7dd2";

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let heads = [("cabinet-martin", 142), ("provider", 7)].map(|(client, seq)| {
            let head = Head { seq, hash: HASH.to_owned() };
            (client.to_owned(), head)
        });
        let at = "2026-11-26T12:00:00Z".parse().unwrap();
        let checkpoint = Checkpoint { origin: "example.net".to_owned(), at, heads: heads.into() };
        let text = checkpoint.to_string();
        assert_eq!(
            text,
            format!(
                "noctule history of example.net\n2026-11-26T12:00:00Z\ncabinet-martin 142 {HASH}\nprovider 7 {HASH}\n"
            )
        );
        assert_eq!(text.parse(), Ok(checkpoint));
    }

    #[test]
    fn what_is_no_checkpoint_says_where() {
        let begin = "noctule history of example.net\n2026-11-26T12:00:00Z\n";
        for (text, line) in [
            (String::new(), 1),
            ("noctule history of \n".to_owned(), 1),
            ("noctule history of example.net\nnow\n".to_owned(), 2),
            (format!("{begin}martin 0 {HASH}\n"), 3),
            (format!("{begin}martin 1 {}\n", &HASH[1..]), 3),
            (format!("{begin}martin 1 {}\n", HASH.to_uppercase()), 3),
            (format!("{begin}martin 1 {HASH} more\n"), 3),
            (format!("{begin} 1 {HASH}\n"), 3),
            (format!("{begin}martin 1 {HASH}\n\n"), 4),
            (format!("{begin}martin 1 {HASH}\nmartin 2 {HASH}\n"), 4),
        ] {
            assert_eq!(text.parse::<Checkpoint>().unwrap_err().line, line, "{text}");
        }
    }
}
