//! Which of a client's letters go now, which of them together, and which wait. Pure.
//!
//! What one night brings is announced in one mail and confirmed in one mail. What went well, and what begins only after
//! the quiet hours, waits for their end; what went wrong or changes a promise goes at once, and alone. A letter never
//! overtakes an earlier one about the same deployment. A mail that was begun stays as it was begun.

use crate::model::notice::{Installation, Letter, Notice};
use crate::model::slot::Slot;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

/// Most letters in one mail.
pub const TOGETHER_MAX: usize = 40;
/// How long before its slot an update is announced at the latest, where there is time for that, in minutes.
const AHEAD_MINUTES: i64 = 120;

/// What the contract says of letters.
pub struct Habits<'a> {
    /// How long an announcement waits for others of its night.
    pub gather: TimeDelta,
    /// The quiet hours around an instant, on the clock of a site.
    pub quiet: &'a dyn Fn(DateTime<Utc>, Tz) -> Option<Slot>,
    /// Zone of letters that are about no site.
    pub home: Tz,
}

/// What becomes of letters, by their places in the list given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// To be sent, in this order; those that go in one mail together.
    pub mails: Vec<Vec<usize>>,
    /// To be looked at again.
    pub waiting: Vec<(usize, DateTime<Utc>)>,
}

/// What letters must have in common to go in one mail.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Company<'a> {
    Begun(&'a str),
    Night(Told, Slot, &'static str),
    Alone(usize),
}

/// On which side of the work a letter is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Before,
    After,
}

/// Sorts the letters of one client, given in the order in which they were written.
pub fn sort(notices: &[&Notice], habits: &Habits, now: DateTime<Utc>) -> Sorted {
    let mut bundles: BTreeMap<Company, Vec<usize>> = BTreeMap::new();
    for (place, notice) in notices.iter().enumerate() {
        bundles.entry(company(notice, place)).or_default().push(place);
    }
    let mut bundles: Vec<(DateTime<Utc>, Vec<usize>)> = bundles
        .into_iter()
        .flat_map(|(company, places)| {
            // What was begun is never parted.
            let most = if matches!(company, Company::Begun(_)) { usize::MAX } else { TOGETHER_MAX };
            places.chunks(most.min(places.len())).map(<[usize]>::to_vec).collect::<Vec<_>>()
        })
        .map(|places| (places.iter().map(|place| due(notices[*place], habits)).min().unwrap_or(now), places))
        .collect();
    bundles.sort_by_key(|(_, places)| places[0]);
    let deployments =
        |places: &[usize]| -> Vec<i64> { places.iter().filter_map(|place| notices[*place].body.deployment).collect() };
    // The last first: each takes along what was to be said before it.
    let mut spoken_of = BTreeSet::new();
    for (due, places) in bundles.iter_mut().rev() {
        if *due <= now || deployments(places).iter().any(|deployment| spoken_of.contains(deployment)) {
            *due = now;
            spoken_of.extend(deployments(places));
        }
    }
    let mut sorted = Sorted::default();
    for (due, places) in bundles {
        match due <= now {
            true => sorted.mails.push(places),
            false => sorted.waiting.extend(places.into_iter().map(|place| (place, due))),
        }
    }
    sorted.waiting.sort_unstable();
    sorted
}

fn company<'a>(notice: &'a Notice, place: usize) -> Company<'a> {
    if let Some(mail) = &notice.mail {
        return Company::Begun(&mail.key);
    }
    match told(&notice.body.letter) {
        // An invitation keeps a mail to itself.
        Some((Told::Before, it)) if it.sequence.is_some() => Company::Alone(place),
        Some((told, it)) => Company::Night(told, it.slot, it.zone.name()),
        None => Company::Alone(place),
    }
}

/// What goes in one mail with others of its night: announcements, or confirmations, of unattended work.
pub(super) fn told(letter: &Letter) -> Option<(Told, &Installation)> {
    match letter {
        Letter::MinorPlanned(it) => Some((Told::Before, it)),
        Letter::MinorInstalled(it) | Letter::ManualInstalled(it) => Some((Told::After, it)),
        Letter::MinorFailed { .. }
        | Letter::ManualPlanned(_)
        | Letter::ManualFailed { .. }
        | Letter::MajorAvailable { .. }
        | Letter::LegalReminder { .. }
        | Letter::MajorRequested { .. }
        | Letter::MajorRefused { .. }
        | Letter::MajorPlanned(_)
        | Letter::ConcertationReminder(_)
        | Letter::MajorInstalled(_)
        | Letter::MajorFailed { .. }
        | Letter::Degraded { .. }
        | Letter::NotBegun { .. }
        | Letter::Moved { .. }
        | Letter::Cancelled { .. }
        | Letter::Retracted { .. }
        | Letter::RequestCancelled { .. }
        | Letter::Checkpoint { .. }
        | Letter::Alert { .. } => None,
    }
}

/// From when on a letter may go.
fn due(notice: &Notice, habits: &Habits) -> DateTime<Utc> {
    let written = notice.body.at;
    if notice.mail.is_some() {
        return written;
    }
    let after_quiet = |at: DateTime<Utc>, zone| (habits.quiet)(at, zone).map_or(at, |quiet| quiet.end.max(at));
    let before = |at: DateTime<Utc>, it: &Installation| match (habits.quiet)(at, it.zone) {
        Some(quiet) if quiet.end <= it.slot.start => quiet.end.max(at),
        Some(_) | None => at,
    };
    match &notice.body.letter {
        Letter::MinorPlanned(it) => {
            let ahead = it.slot.start - TimeDelta::minutes(AHEAD_MINUTES);
            before((written + habits.gather).min(ahead).max(written), it)
        }
        Letter::ManualPlanned(it) | Letter::MajorPlanned(it) | Letter::ConcertationReminder(it) => before(written, it),
        Letter::MinorInstalled(it) | Letter::ManualInstalled(it) | Letter::MajorInstalled(it) => {
            after_quiet(written, it.zone)
        }
        Letter::MajorAvailable { .. } | Letter::LegalReminder { .. } => after_quiet(written, habits.home),
        Letter::MinorFailed { .. }
        | Letter::ManualFailed { .. }
        | Letter::MajorRequested { .. }
        | Letter::MajorRefused { .. }
        | Letter::MajorFailed { .. }
        | Letter::Degraded { .. }
        | Letter::NotBegun { .. }
        | Letter::Moved { .. }
        | Letter::Cancelled { .. }
        | Letter::Retracted { .. }
        | Letter::RequestCancelled { .. }
        | Letter::Checkpoint { .. }
        | Letter::Alert { .. } => written,
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
