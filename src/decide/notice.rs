//! Counting: nights (`minor-night`), working days (`major-notice`), service hours (`gti-2h`), backups (`backup-first`).
//!
//! Every count is in the site's own days. None looks at the client's closed periods: a closed period moves the work,
//! never the date it is due.

use super::calendar::{Calendar, Fold};
use super::terms::Terms;
use crate::model::slot::Slot;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Days looked back for a close of the backup's window before midnight is taken instead.
const CLOSE_SEARCH_DAYS_MAX: usize = 30;

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
///
/// The day of receipt does not count. A request received on a day off, or once the day's service hours have ended
/// (22:00 sharp included), counts as received the next working day.
pub fn count(terms: &Terms, calendar: &Calendar, received: DateTime<Utc>) -> NoticeCount {
    let major = &terms.schedule.major;
    let day = calendar.date(received);
    let close = terms.window(&major.received_until_end_of).close_of(calendar, day);
    let in_time = calendar.is_working_day(day) && close.is_some_and(|close| received < close);
    let counted_from = if in_time { day } else { calendar.next_working_day(day) };
    let days: Vec<NaiveDate> = std::iter::successors(Some(counted_from), |day| Some(calendar.next_working_day(*day)))
        .skip(1)
        .take(major.notice_working_days as usize)
        .collect();
    let earliest = days.last().copied().unwrap_or(counted_from);
    NoticeCount { counted_from, days, earliest }
}

/// The last day from `now` on which a request, received before the end of the service hours, is admissible by `before`;
/// today only while these hours last, `None` when it is too late.
pub fn last_request_day(
    terms: &Terms,
    calendar: &Calendar,
    now: DateTime<Utc>,
    before: NaiveDate,
) -> Option<NaiveDate> {
    let today = calendar.date(now);
    let received = |day: NaiveDate| {
        if day == today { now } else { calendar.instant(day.and_time(NaiveTime::MIN), Fold::Earlier) }
    };
    std::iter::successors(Some(before), |day| day.checked_sub_days(Days::new(1)))
        .take_while(|day| *day >= today)
        .find(|day| count(terms, calendar, received(*day)).earliest <= before)
}

/// The `count`-th working day strictly after `date`; `date` itself for zero.
pub fn add_working_days(calendar: &Calendar, date: NaiveDate, count: u32) -> NaiveDate {
    (0..count).fold(date, |day, _| calendar.next_working_day(day))
}

/// The first `count` nights that begin at or after publication (`minor-night`, 3.1.b.3); the first is the target.
pub fn minor_nights(terms: &Terms, calendar: &Calendar, published: DateTime<Utc>, count: usize) -> Vec<Slot> {
    terms.minor_window().starting_from(calendar, published, count)
}

/// When a minor published at `published` is late (`minor-night`, 3.1.b.3): the end of the night that makes
/// `deadline_nights`, counting the nights by the site-local day they begin on, the day of publication first.
///
/// The hour of publication does not matter: what is published on day D at 23:00, when the night of D has begun, is
/// still due at the end of the night of D+1, and that night is then its target too.
pub fn minor_deadline(terms: &Terms, calendar: &Calendar, published: DateTime<Utc>) -> DateTime<Utc> {
    let day_start = calendar.instant(calendar.date(published).and_time(NaiveTime::MIN), Fold::Earlier);
    let nights_max = terms.schedule.minor.deadline_nights as usize;
    // Two slots may begin on one day; together they are that day's night.
    let mut deadline = published;
    let mut nights = Vec::new();
    for slot in terms.minor_window().starting_from(calendar, day_start, nights_max * 4) {
        let day = calendar.date(slot.start);
        if nights.last() != Some(&day) {
            if nights.len() == nights_max {
                break;
            }
            nights.push(day);
        }
        deadline = slot.end;
    }
    deadline
}

/// When an alert raised at `raised` is due (`gti-2h`, 6.1.6): minutes counted inside the clock's window.
///
/// Time that runs out exactly at closing is due at closing. A clock whose window opens too rarely is elapsed time.
pub fn intervention_due(terms: &Terms, calendar: &Calendar, raised: DateTime<Utc>) -> DateTime<Utc> {
    let intervention = &terms.schedule.intervention;
    let within = TimeDelta::minutes(intervention.within_minutes.into());
    let Some(clock) = &intervention.clock else {
        return raised + within;
    };
    let window = terms.window(clock);
    let mut left = within;
    let mut from = raised;
    // A month of service hours holds the longest intervention time many times over.
    for _ in 0..120 {
        let to = from + TimeDelta::days(7);
        for slot in window.slots(calendar, from, to) {
            let (start, end) = (slot.start.max(from), slot.end.min(to));
            if left <= end - start {
                return start + left;
            }
            left -= end - start;
        }
        from = to;
    }
    raised + within
}

/// Minutes that the intervention clock (`gti-2h`, 6.1.6) runs from `from` to `to`: those inside its window, or all.
pub fn clock_minutes(terms: &Terms, calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let Some(clock) = &terms.schedule.intervention.clock else {
        return (to - from).num_minutes().max(0);
    };
    let open = terms.window(clock).slots(calendar, from, to).into_iter();
    let time: TimeDelta = open.map(|slot| slot.end.min(to) - slot.start.max(from)).sum();
    time.num_minutes()
}

/// Oldest backup that is recent enough for work done at `at` (`backup-first`, IV.1-2): a backup must have finished
/// after it.
///
/// It is the close of the last working day strictly before the day that the slot around `at` began on. A slot keeps
/// one answer from its start to its end, midnight or not, and the evening's slot accepts last night's backup:
/// on Wednesday at 22:30, and on Thursday at 01:00 in the same night, Tuesday's close; on Thursday at noon,
/// Wednesday's; over a weekend, Friday's.
pub fn backup_not_before(terms: &Terms, calendar: &Calendar, at: DateTime<Utc>) -> DateTime<Utc> {
    backup_since_day(terms, calendar, calendar.date(slot_began(terms, calendar, at)))
}

/// The start of the slot that `at` is in; `at` itself outside of any.
fn slot_began(terms: &Terms, calendar: &Calendar, at: DateTime<Utc>) -> DateTime<Utc> {
    let windows = [terms.minor_window(), terms.manual_window(), terms.major_window()];
    windows.iter().find_map(|window| window.slot_at(calendar, at)).map_or(at, |slot| slot.start)
}

/// The backup limit of slots that begin on the site-local `day`: see [`backup_not_before`].
pub(super) fn backup_since_day(terms: &Terms, calendar: &Calendar, day: NaiveDate) -> DateTime<Utc> {
    let window = terms.window(&terms.schedule.backup.since_close_of);
    let before = calendar.previous_working_day(day);
    std::iter::successors(Some(before), |day| Some(calendar.previous_working_day(*day)))
        .take(CLOSE_SEARCH_DAYS_MAX)
        .find_map(|day| window.close_of(calendar, day))
        .unwrap_or_else(|| calendar.instant(before.and_time(NaiveTime::MIN), Fold::Earlier))
}

#[cfg(test)]
#[path = "notice_tests.rs"]
mod tests;
