//! When a feed that fails is worth telling staff.
//!
//! What was tampered with, expired or is otherwise not what its publisher signed is told at once: trying again does not
//! help. A line that fails is given time: it is told after [`FETCHES_MAX`] fetches in a row or [`PATIENCE_MINUTES`],
//! whichever comes first, and once for each outage. These two constants are the only place that says so.

use crate::model::feed::{Feed, Outage};
use chrono::{DateTime, TimeDelta, Utc};

/// Failed fetches in a row after which staff are told (the contract's three attempts, 6.2.4).
pub const FETCHES_MAX: u32 = 3;
/// Minutes without a good fetch after which staff are told, however rarely a schedule fetches.
pub const PATIENCE_MINUTES: i64 = 60;

/// What one fetch learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing: it could not be had. What was refused before still is.
    Nothing { why: String },
    /// It was read; what of it is refused, and what of it could not be had this time.
    Read { refused: Option<String>, missing: Option<String> },
}

/// What staff and history are told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Refused(String),
    /// Nothing is refused any more.
    Accepted,
    Unreachable(Outage),
    /// An outage that was told is over.
    Reachable,
}

/// The feed after a fetch at `now`, and what is new about it.
pub fn after(before: &Feed, fetched: Fetched, now: DateTime<Utc>) -> (Feed, Vec<News>) {
    let (refused, failed) = match fetched {
        Fetched::Nothing { why } => (before.refused.clone(), Some(why)),
        Fetched::Read { refused, missing } => (refused, missing),
    };
    let mut news = Vec::new();
    match (&before.refused, &refused) {
        (before, Some(why)) if before.as_ref() != Some(why) => news.push(News::Refused(why.clone())),
        (Some(_), None) => news.push(News::Accepted),
        (None, None) | (_, Some(_)) => {}
    }
    let outage = failed.map(|why| lengthened(before.outage.as_ref(), why, now));
    let told = |outage: &Option<Outage>| outage.as_ref().is_some_and(|outage| outage.told);
    match (&outage, told(&before.outage)) {
        (Some(outage), false) if outage.told => news.push(News::Unreachable(outage.clone())),
        (None, true) => news.push(News::Reachable),
        (Some(_), _) | (None, false) => {}
    }
    (Feed { fetched_at: Some(now), refused, outage, ..before.clone() }, news)
}

/// The outage with one more failed fetch.
fn lengthened(before: Option<&Outage>, why: String, now: DateTime<Utc>) -> Outage {
    let since = before.map_or(now, |outage| outage.since);
    let fetches = before.map_or(0, |outage| outage.fetches).saturating_add(1);
    let enough = FETCHES_MAX <= fetches || TimeDelta::minutes(PATIENCE_MINUTES) <= now - since;
    Outage { since, fetches, why, told: enough || before.is_some_and(|outage| outage.told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Fetched = Fetched::Read { refused: None, missing: None };

    fn nothing() -> Fetched {
        Fetched::Nothing { why: "no answer".to_owned() }
    }

    fn read(refused: &str, missing: &str) -> Fetched {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Fetched::Read { refused: some(refused), missing: some(missing) }
    }

    /// Fetches at these minutes, each with the news that it has to be; returns the feed.
    #[track_caller]
    fn check(fetches: Vec<(i64, Fetched, &[&str])>) -> Feed {
        let mut feed = Feed::of("agiris");
        for (minute, fetched, expected) in fetches {
            let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
            let (after, news) = after(&feed, fetched, now);
            let told: Vec<String> = news
                .iter()
                .map(|news| match news {
                    News::Refused(why) => format!("refused: {why}"),
                    News::Accepted => "accepted".to_owned(),
                    News::Unreachable(outage) => format!("unreachable {}", outage.fetches),
                    News::Reachable => "reachable".to_owned(),
                })
                .collect();
            assert_eq!(told, expected, "minute {minute}");
            feed = after;
        }
        feed
    }

    #[test]
    fn a_line_is_told_at_the_third_failure_in_a_row_and_once() {
        check(vec![
            (0, nothing(), &[]),
            (10, nothing(), &[]),
            (20, nothing(), &["unreachable 3"]),
            (30, nothing(), &[]),
            (300, nothing(), &[]),
            (310, GOOD, &["reachable"]),
            (320, GOOD, &[]),
            (330, nothing(), &[]),
            (340, nothing(), &[]),
            (350, nothing(), &["unreachable 3"]),
        ]);
    }

    #[test]
    fn a_line_that_comes_back_in_time_is_nothing_to_tell() {
        let feed = check(vec![
            (0, nothing(), &[]),
            (10, nothing(), &[]),
            (20, GOOD, &[]),
            (30, nothing(), &[]),
            (40, GOOD, &[]),
        ]);
        assert_eq!((feed.outage, feed.refused), (None, None));
    }

    #[test]
    fn where_fetches_are_rare_an_hour_is_enough() {
        check(vec![(0, nothing(), &[]), (PATIENCE_MINUTES - 1, nothing(), &[])]);
        check(vec![(0, nothing(), &[]), (PATIENCE_MINUTES, nothing(), &["unreachable 2"])]);
        // A clock that went back makes nobody impatient.
        check(vec![(600, nothing(), &[]), (0, nothing(), &[])]);
    }

    #[test]
    fn what_is_refused_is_told_at_once_and_again_when_it_is_something_else() {
        check(vec![
            (0, read("expired", ""), &["refused: expired"]),
            (10, read("expired", ""), &[]),
            (20, read("rolled back", ""), &["refused: rolled back"]),
            (30, GOOD, &["accepted"]),
        ]);
    }

    #[test]
    fn a_line_that_fails_takes_back_no_refusal() {
        let feed = check(vec![
            (0, read("expired", ""), &["refused: expired"]),
            (10, nothing(), &[]),
            (20, read("expired", ""), &[]),
            (30, nothing(), &[]),
            (40, nothing(), &[]),
            (50, nothing(), &["unreachable 3"]),
        ]);
        assert_eq!(feed.refused.as_deref(), Some("expired"));
        check(vec![
            (0, nothing(), &[]),
            (10, nothing(), &[]),
            (20, nothing(), &["unreachable 3"]),
            (30, read("expired", ""), &["refused: expired", "reachable"]),
        ]);
    }

    #[test]
    fn a_package_that_cannot_be_had_is_an_outage_of_its_own_beside_what_is_refused() {
        check(vec![
            (0, read("bad hash", "no package"), &["refused: bad hash"]),
            (10, read("bad hash", "no package"), &[]),
            (20, read("", "no package"), &["accepted", "unreachable 3"]),
            (30, GOOD, &["reachable"]),
        ]);
    }
}
