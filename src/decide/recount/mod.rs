//! The report's facts worked out a second time, from the history alone: the client's chain of events and the provider's.
//!
//! It reads no row of the database and shares no code with `decide::report`: only the nouns, and for deadlines and
//! clocks the checker, which reads contracts in its own way. `tests/it/tidy.rs` keeps it so. Where both agree, a report
//! says what the history, which nobody can quietly rewrite, says too.

mod alerts;
mod line;
mod minors;
mod nights;

#[cfg(test)]
mod tests;

use crate::decide::checker::Checker;
use crate::model::event::{Event, EventKind, NewEvent};
use crate::model::fleet::Client;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is read: the events in order, of the client's chain and of the provider's.
pub struct Case<'a> {
    pub now: DateTime<Utc>,
    /// The first of the month.
    pub first: NaiveDate,
    pub client: &'a Client,
    pub own: &'a [Event],
    pub provider: &'a [Event],
    /// A checker for each site, by server.
    pub checkers: &'a BTreeMap<String, Arc<Checker>>,
    /// After how long an agent counts as silent, in minutes.
    pub silent_after_minutes: u32,
}

/// The facts by name, as the report names them.
pub fn facts(case: &Case) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let Some((from, to)) = case.bounds() else { return facts };
    minors::add(case, from, to, &mut facts);
    nights::add(case, from, to, &mut facts);
    alerts::add(case, from, to, &mut facts);
    let counted = [
        ("requests.received", EventKind::RequestAccepted),
        ("requests.refused", EventKind::RequestRefused),
        ("letters.sent", EventKind::NoticeSent),
        ("letters.undelivered", EventKind::NoticeUndelivered),
    ];
    for (name, kind) in counted {
        let number = case.of(kind).filter(|e| from <= e.at && e.at < to).count();
        facts.insert(name.to_owned(), number.to_string());
    }
    facts
}

/// What differs between a report and the history: name, what the report says, what the history says.
pub fn differences(
    report: &BTreeMap<String, String>,
    history: &BTreeMap<String, String>,
) -> Vec<(String, Option<String>, Option<String>)> {
    let names: std::collections::BTreeSet<&String> = report.keys().chain(history.keys()).collect();
    let both = names.into_iter().map(|name| (name.clone(), report.get(name).cloned(), history.get(name).cloned()));
    both.filter(|(_, report, history)| report != history).collect()
}

impl<'a> Case<'a> {
    /// The month on the clock of the client's first site; Paris for a client without any.
    fn bounds(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let zone = self.client.servers.first().map_or(chrono_tz::Europe::Paris, |server| server.zone);
        let midnight = |day: NaiveDate| zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
        let next = (self.first + TimeDelta::days(31)).format("%Y-%m-01").to_string();
        Some((midnight(self.first)?.to_utc(), midnight(next.parse().ok()?)?.to_utc()))
    }

    fn of(&self, kind: EventKind) -> impl Iterator<Item = &'a NewEvent> {
        self.own.iter().map(|event| &event.body).filter(move |event| event.kind == kind)
    }

    fn zone(&self, server: &str) -> Tz {
        let found = self.client.servers.iter().find(|s| s.id == server).or(self.client.servers.first());
        found.map_or(chrono_tz::Europe::Paris, |server| server.zone)
    }

    /// The checker of a server's site, or of the first one's.
    fn checker(&self, server: Option<&str>) -> Option<&'a Checker> {
        let first = || self.client.servers.first().map(|s| s.id.as_str());
        self.checkers.get(server.or_else(first)?).map(|checker| &**checker)
    }
}
