//! Which part of a file a request asks for (RFC 9110, section 14).
//!
//! One range is served; several, or what cannot be read, are ignored and the whole file is sent, as the RFC allows.

/// The part to send; `last` is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Range {
        first: u64,
        last: u64,
    },
    /// Answered with 416.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `size` bytes whose strong tag is `tag`.
pub(super) fn part(range: Option<&str>, if_range: Option<&str>, tag: &str, size: u64) -> Part {
    // A range of another version of the file would make a mixture (13.1.5); a date is never a strong match.
    if if_range.is_some_and(|known| known.trim() != tag) {
        return Part::Whole;
    }
    let Some(spec) = range.and_then(|r| r.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Part::Whole };
    let number = |text: &str| {
        let text = text.trim();
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", "") => Part::Whole,
        ("", suffix) => match number(suffix) {
            None => Part::Whole,
            Some(0) => Part::Unsatisfiable,
            Some(_) if size == 0 => Part::Unsatisfiable,
            Some(n) => Part::Range { first: size.saturating_sub(n), last: size - 1 },
        },
        (first, last) => {
            let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), last) {
                (Some(first), Some(last)) if last < first => Part::Whole, // not a valid range
                (Some(first), Some(_)) if size <= first => Part::Unsatisfiable,
                (Some(first), Some(last)) => Part::Range { first, last: last.min(size - 1) },
                (None, _) | (_, None) => Part::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, want: Part) {
        assert_eq!(part(Some(range), None, "\"t\"", 100), want, "{range}");
    }

    #[test]
    fn ranges_as_the_rfc_has_them() {
        check("bytes=0-0", Part::Range { first: 0, last: 0 });
        check("bytes=0-", Part::Range { first: 0, last: 99 });
        check("bytes=99-", Part::Range { first: 99, last: 99 });
        check("bytes=100-", Part::Unsatisfiable);
        check("bytes=10-1000", Part::Range { first: 10, last: 99 });
        check("bytes=-1", Part::Range { first: 99, last: 99 });
        check("bytes=-1000", Part::Range { first: 0, last: 99 });
        check("bytes=-0", Part::Unsatisfiable);
        check("bytes=99999999999999999999999-", Part::Unsatisfiable);
        for ignored in ["bytes=5-4", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes", "bytes=+1-2"] {
            check(ignored, Part::Whole);
        }
        assert_eq!(part(None, None, "\"t\"", 100), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), None, "\"t\"", 0), Part::Unsatisfiable);
    }

    #[test]
    fn a_range_of_another_file_is_the_whole_file() {
        let tag = "\"t\"";
        assert_eq!(part(Some("bytes=5-"), Some("\"t\""), tag, 10), Part::Range { first: 5, last: 9 });
        for other in ["\"u\"", "W/\"t\"", "Wed, 29 Apr 2026 20:00:00 GMT"] {
            assert_eq!(part(Some("bytes=5-"), Some(other), tag, 10), Part::Whole, "{other}");
        }
    }
}
