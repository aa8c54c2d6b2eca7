//! A month as people write it: `2026-05`.

use crate::decide::calendar::{self, Fold};
use crate::decide::civil::YEARS;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use std::fmt;
use std::str::FromStr;

/// One month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// The first of the month, in [`YEARS`].
    first: NaiveDate,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no month from {from} to {to}; write 2026-05", from = YEARS.start(), to = YEARS.end())]
pub struct NoMonth(pub String);

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Month, NoMonth> {
        let wrong = || NoMonth(text.to_owned());
        let is_written_so = text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let first: NaiveDate =
            if is_written_so { format!("{text}-01").parse().map_err(|_| wrong())? } else { return Err(wrong()) };
        if YEARS.contains(&first.year()) { Ok(Month { first }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.format("%Y-%m"))
    }
}

impl Month {
    pub fn first(self) -> NaiveDate {
        self.first
    }

    /// The days of the month.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        let month = self.first.month();
        self.first.iter_days().take_while(move |day| day.month() == month)
    }

    /// Its first moment in `zone`, and the next month's.
    pub fn bounds(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        let start = |day: NaiveDate| calendar::instant(zone, day.and_time(NaiveTime::MIN), Fold::Earlier);
        let next = self.days().last().and_then(|day| day.succ_opt()).unwrap_or(NaiveDate::MAX);
        (start(self.first), start(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_and_bounded_on_the_clock_of_its_site() {
        for (text, zone, from, to) in [
            ("2026-05", chrono_tz::Europe::Paris, "2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z"),
            ("2026-03", chrono_tz::Europe::Paris, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
            ("2026-12", chrono_tz::Indian::Reunion, "2026-11-30T20:00:00Z", "2026-12-31T20:00:00Z"),
        ] {
            let month: Month = text.parse().unwrap();
            assert_eq!(month.to_string(), text);
            assert_eq!(month.bounds(zone), (from.parse().unwrap(), to.parse().unwrap()), "{text}");
        }
        assert_eq!("2028-02".parse::<Month>().unwrap().days().count(), 29);
        for text in ["", "2026", "2026-13", "2026-5", "05-2026", "1999-12", "2101-01", "2026-05-01", "+026-05"] {
            assert_eq!(text.parse::<Month>(), Err(NoMonth(text.to_owned())), "{text}");
        }
    }
}
