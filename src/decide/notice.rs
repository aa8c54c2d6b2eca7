//! Counting working days (`major-notice`) and service hours (`gti-2h`).

use super::calendar::Calendar;
use super::terms::Terms;
use chrono::{DateTime, NaiveDate, Utc};

/// How a notice was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeCount {
    /// Day the request counts as received; it is day 0.
    pub counted_from: NaiveDate,
    /// The working days counted, the last of which is `earliest`.
    pub days: Vec<NaiveDate>,
    /// Earliest admissible latest date.
    pub earliest: NaiveDate,
}

/// Counts the notice of a request received at `received` (`major-notice`, 3.1.b.4).
pub fn count(_terms: &Terms, _calendar: &Calendar, _received: DateTime<Utc>) -> NoticeCount {
    todo!()
}

/// When an alert raised at `raised` is due (`gti-2h`, 6.1.6): minutes counted inside the clock's window.
pub fn intervention_due(_terms: &Terms, _calendar: &Calendar, _raised: DateTime<Utc>) -> DateTime<Utc> {
    todo!()
}

/// Oldest backup that is recent enough at `now` (`backup-first`): the close of the last working day before
/// the one that is open or coming; a backup must have finished after it.
pub fn backup_not_before(_terms: &Terms, _calendar: &Calendar, _now: DateTime<Utc>) -> DateTime<Utc> {
    todo!()
}
