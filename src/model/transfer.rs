//! What fetching a release cost the site's line.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a package came to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// All of it, from the orchestrator.
    #[default]
    Whole,
    /// What had changed, from the orchestrator; the rest was installed already.
    Changed,
    /// From another server of the site.
    Neighbour,
}

/// One package and what it took to have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Length of the package.
    pub package_bytes: u64,
    /// Bytes of it that came over the site's line, those of broken-off tries included.
    pub moved_bytes: u64,
    pub way: Way,
    /// Why it came whole although less was looked for, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_whole: Option<String>,
}

impl Way {
    /// The word of the API.
    pub fn name(self) -> &'static str {
        match self {
            Way::Whole => "whole",
            Way::Changed => "changed",
            Way::Neighbour => "neighbour",
        }
    }
}

impl Transfer {
    /// Bytes that the line was spared; none where broken-off tries cost more than the package has.
    pub fn saved_bytes(&self) -> u64 {
        self.package_bytes.saturating_sub(self.moved_bytes)
    }

    /// Whether it is worth a word: everything else came whole, as packages do.
    pub fn is_news(&self) -> bool {
        self.way != Way::Whole || self.why_whole.is_some()
    }

    /// Another fetching of the same package, later: what both cost, and how the later one went.
    pub fn and_then(self, later: Transfer) -> Transfer {
        Transfer {
            moved_bytes: self.moved_bytes.saturating_add(later.moved_bytes),
            why_whole: later.why_whole.or(self.why_whole),
            ..later
        }
    }
}

/// `0.4 of 8.0 MiB moved, 95 % saved: only what changed`.
impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} moved", Amount { bytes: self.moved_bytes, of: self.package_bytes })?;
        if self.way != Way::Whole {
            // Rounded down: never more than was saved.
            let percent = u128::from(self.saved_bytes()) * 100 / u128::from(self.package_bytes.max(1));
            write!(f, ", {percent} % saved")?;
        }
        match (self.way, &self.why_whole) {
            (Way::Whole, None) => Ok(()),
            (Way::Whole, Some(why)) => write!(f, ", the whole package: {why}"),
            (Way::Changed, _) => f.write_str(": only what changed"),
            (Way::Neighbour, _) => f.write_str(": taken from a server beside it"),
        }
    }
}

/// Two lengths in the unit that shows the larger one best.
struct Amount {
    bytes: u64,
    of: u64,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.bytes.max(self.of);
        let (unit, name): (u64, &str) = match most {
            0..0x400 => return write!(f, "{} of {} bytes", self.bytes, self.of),
            0x400..0x10_0000 => (0x400, "KiB"),
            0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
            _ => (0x4000_0000, "GiB"),
        };
        let tenths = |bytes: u64| {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        write!(f, "{} of {} {name}", tenths(self.bytes), tenths(self.of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(moved_bytes: u64, package_bytes: u64, way: Way, why: Option<&str>, said: &str) {
        let transfer = Transfer { package_bytes, moved_bytes, way, why_whole: why.map(str::to_owned) };
        assert_eq!(transfer.to_string(), said);
        let travelled: Transfer = serde_json::from_str(&serde_json::to_string(&transfer).unwrap()).unwrap();
        assert_eq!(travelled, transfer);
    }

    #[test]
    fn a_transfer_is_told_in_one_line() {
        check(1023, 1023, Way::Whole, None, "1023 of 1023 bytes moved");
        check(0, 1024, Way::Neighbour, None, "0.0 of 1.0 KiB moved, 100 % saved: taken from a server beside it");
        check((1 << 20) - 1, (1 << 20) - 1, Way::Whole, None, "1023.9 of 1023.9 KiB moved");
        check(450_000, 8 << 20, Way::Changed, None, "0.4 of 8.0 MiB moved, 94 % saved: only what changed");
        check(9 << 20, 8 << 20, Way::Changed, None, "9.0 of 8.0 MiB moved, 0 % saved: only what changed");
        let why = Some("the server sends it whole only");
        let said = "1.5 of 1.5 GiB moved, the whole package: the server sends it whole only";
        check(3 << 29, 3 << 29, Way::Whole, why, said);
    }

    #[test]
    fn what_several_tries_cost_is_added_up() {
        let one = Transfer { package_bytes: 10, moved_bytes: 4, way: Way::Whole, why_whole: Some("x".into()) };
        let other = Transfer { package_bytes: 10, moved_bytes: 3, way: Way::Changed, why_whole: None };
        let both = one.and_then(other);
        assert_eq!((both.moved_bytes, both.saved_bytes(), both.way), (7, 3, Way::Changed));
    }
}
