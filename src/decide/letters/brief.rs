//! Dates and times where many stand close together: `jeu. 30 avr. à 22:00`, `Thu 30 Apr 22:00`.
//!
//! A planned fleet is full of them, so they are written piece by piece straight into the sentence they stand in.

use crate::model::fleet::Language;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use std::fmt;

const DAYS_FR: [&str; 7] = ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."];
const DAYS_EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS_FR: [&str; 12] =
    ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."];
const MONTHS_EN: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Two digits for each number that a clock or a month has.
const TWO_DIGITS: &str = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
                          50515253545556575859";

/// `jeu. 30 avr.`, `Thu 30 Apr`.
#[derive(Clone, Copy, Debug)]
pub struct Day(pub Language, pub NaiveDate);

/// `22:00`, `07:05`.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub NaiveTime);

/// `jeu. 30 avr. à 22:00`, `Thu 30 Apr 22:00`.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Language, pub NaiveDateTime);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Day(language, date) = self;
        let (weekday, month) = (date.weekday().num_days_from_monday() as usize, date.month0() as usize);
        let (weekday, month) = match language {
            Language::Fr => (DAYS_FR[weekday], MONTHS_FR[month]),
            Language::En => (DAYS_EN[weekday], MONTHS_EN[month]),
        };
        f.write_str(weekday)?;
        f.write_str(" ")?;
        match (language, date.day()) {
            (Language::Fr, 1) => f.write_str("1er")?,
            (Language::Fr | Language::En, day @ 0..10) => f.write_str(&two_digits(day)[1..])?,
            (Language::Fr | Language::En, day) => f.write_str(two_digits(day))?,
        }
        f.write_str(" ")?;
        f.write_str(month)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(two_digits(self.0.hour()))?;
        f.write_str(":")?;
        f.write_str(two_digits(self.0.minute()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment(language, local) = self;
        Day(*language, local.date()).fmt(f)?;
        f.write_str(match language {
            Language::Fr => " à ",
            Language::En => " ",
        })?;
        Clock(local.time()).fmt(f)
    }
}

/// `07` for 7; of numbers under sixty.
fn two_digits(number: u32) -> &'static str {
    let at = 2 * number as usize;
    TWO_DIGITS.get(at..at + 2).unwrap_or("??")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_days() {
        for (date, fr, en) in [
            ("2026-05-01", "ven. 1er mai", "Fri 1 May"),
            ("2026-02-09", "lun. 9 févr.", "Mon 9 Feb"),
            ("2026-07-31", "ven. 31 juil.", "Fri 31 Jul"),
            ("2026-12-10", "jeu. 10 déc.", "Thu 10 Dec"),
        ] {
            let date = date.parse().unwrap();
            let said = |language| Day(language, date).to_string();
            assert_eq!((said(Language::Fr).as_str(), said(Language::En).as_str()), (fr, en));
        }
    }

    #[test]
    fn moments() {
        for (at, fr, en) in [
            ("2026-04-30T22:00:00", "jeu. 30 avr. à 22:00", "Thu 30 Apr 22:00"),
            ("2026-08-02T07:05:59", "dim. 2 août à 07:05", "Sun 2 Aug 07:05"),
            ("2026-08-02T23:59:00", "dim. 2 août à 23:59", "Sun 2 Aug 23:59"),
        ] {
            let at = at.parse().unwrap();
            let said = |language| Moment(language, at).to_string();
            assert_eq!((said(Language::Fr).as_str(), said(Language::En).as_str()), (fr, en));
        }
    }
}
