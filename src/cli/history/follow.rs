//! `--follow`: what happens, as it happens. Asks every two seconds for what is new, so that it works over the API too.

use super::super::api::{Client, EventRow};
use super::super::{Outcome, output};
use super::{Form, HistoryArgs, log, query, zones};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// Time between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// An event says when its job began; it is written when that is over. So far back what is new is looked for.
const LATE_MINUTES: i64 = 20;
/// Most lines shown before the first new one.
const BEFORE_MAX: usize = 10;
/// Most events asked for at a time.
const EVENTS_MAX: usize = 10_000;

pub(super) async fn run(client: &Client, args: &HistoryArgs) -> Outcome {
    let zones = zones(client).await?;
    let mut query = query(client, args).await?;
    let mut seen = Seen::default();
    let first = args.limit.min(BEFORE_MAX);
    let mut limit = first;
    loop {
        let mut asked = query.clone();
        asked.push(("limit", Some(limit.to_string())));
        let new: Vec<EventRow> = client.events(&asked).await?.into_iter().filter(|event| seen.is_new(event)).collect();
        match args.format {
            Form::Json => {
                for event in &new {
                    output::print(&serde_json::to_string(event)?)?;
                }
            }
            Form::Table | Form::Csv | Form::Xlsx if !new.is_empty() => output::print(&log(&new, &zones))?,
            Form::Table | Form::Csv | Form::Xlsx => {}
        }
        if let Some(since) = seen.since() {
            query.retain(|(name, _)| *name != "since");
            query.push(("since", Some(since.to_rfc3339_opts(SecondsFormat::Millis, true))));
        }
        limit = EVENTS_MAX;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What was shown of the last minutes.
#[derive(Default)]
struct Seen {
    shown: BTreeSet<(DateTime<Utc>, String, i64)>,
    /// The first question shows the latest; what is older than those is not new.
    begins: Option<DateTime<Utc>>,
}

impl Seen {
    fn is_new(&mut self, event: &EventRow) -> bool {
        let begins = *self.begins.get_or_insert(event.at);
        event.at >= begins && self.shown.insert((event.at, event.client.clone(), event.seq))
    }

    /// From when on the next question asks; forgets what is older.
    fn since(&mut self) -> Option<DateTime<Utc>> {
        let since = self.shown.last()?.0 - TimeDelta::minutes(LATE_MINUTES);
        self.shown.retain(|(at, ..)| *at >= since);
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: &str, client: &str, seq: i64) -> EventRow {
        EventRow {
            seq,
            at: at.parse().unwrap(),
            client: client.into(),
            server: None,
            product: None,
            deployment: None,
            request: None,
            kind: "planned".into(),
            text: String::new(),
            reasons: Vec::new(),
            prev: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn each_event_is_new_once_and_late_ones_are_not_lost() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&event("2026-05-01T10:00:00Z", "martin", 1)));
        assert!(!seen.is_new(&event("2026-05-01T10:00:00Z", "martin", 1)));
        assert!(seen.is_new(&event("2026-05-01T10:00:00Z", "rhin", 1)));
        assert!(seen.is_new(&event("2026-05-01T10:30:00Z", "martin", 3)));
        // Its job began before and ended after.
        assert!(seen.is_new(&event("2026-05-01T10:20:00Z", "martin", 2)));
        assert_eq!(seen.since(), Some("2026-05-01T10:10:00Z".parse().unwrap()));
        assert!(!seen.is_new(&event("2026-05-01T10:20:00Z", "martin", 2)));
        // Of before the first one shown.
        assert!(!seen.is_new(&event("2026-05-01T09:59:59Z", "martin", 0)));
    }
}
