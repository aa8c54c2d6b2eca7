//! The month as numbers by name, and as the facts that a second reckoning has to agree with.

use super::sheet::{Minor, MinorOutcome, Report};
use chrono::SecondsFormat;
use std::collections::BTreeMap;

/// The numbers at the head of the report.
pub(super) fn of(report: &Report) -> BTreeMap<String, i64> {
    let mut figures = BTreeMap::new();
    let mut put = |name: &str, number: usize| {
        figures.insert(name.to_owned(), i64::try_from(number).unwrap_or(i64::MAX));
    };
    let ended = |outcome: MinorOutcome| report.minors.iter().filter(|m| m.outcome == outcome).count();
    let (on_time, late, missed) = (ended(MinorOutcome::OnTime), ended(MinorOutcome::Late), ended(MinorOutcome::Missed));
    put("minors.due", on_time + late + missed);
    put("minors.on_time", on_time);
    put("minors.late", late);
    put("minors.missed", missed);
    put("minors.withdrawn", ended(MinorOutcome::Withdrawn));
    put("minors.open", ended(MinorOutcome::Open));
    put("minors.carried", report.carried.len());
    let nights = |count: fn(&super::Night) -> u32| report.nights.iter().map(|n| count(n) as usize).sum::<usize>();
    put("attempts.installed", nights(|n| n.installed));
    put("attempts.rolled_back", nights(|n| n.rolled_back));
    put("attempts.refused", nights(|n| n.refused));
    put("attempts.failed", nights(|n| n.failed));
    put("manuals.installed", report.manuals.iter().filter(|m| m.state == "installed").count());
    put("requests.received", report.majors.iter().filter(|m| is_within(report, m.received_at)).count());
    put("requests.refused", report.refused.len());
    put("majors.installed", report.majors.iter().flat_map(|m| &m.visits).filter(|v| is_done_now(report, v)).count());
    put("alerts.raised", report.interventions.len());
    let timed = |kept: Option<bool>| report.interventions.iter().filter(|i| i.in_time == kept).count();
    put("alerts.in_time", timed(Some(true)));
    put("alerts.late", timed(Some(false)));
    put("alerts.running", timed(None));
    put("letters.sent", report.letters.sent as usize);
    put("letters.undelivered", report.letters.undelivered as usize);
    put("letters.waiting", report.letters.waiting as usize);
    put("agents.silences", report.availability.iter().map(|a| a.silences.len()).sum());
    figures
}

fn is_within(report: &Report, at: chrono::DateTime<chrono::Utc>) -> bool {
    report.from <= at && at < report.to
}

fn is_done_now(report: &Report, visit: &super::Visit) -> bool {
    visit.state == "installed" && is_within(report, visit.slot.start)
}

impl Report {
    /// The figures that are compared with those worked out from the history alone, and each fact behind them.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        for minor in self.minors.iter().filter(|m| m.outcome != MinorOutcome::Open) {
            let name = format!("minor {} {} {}", minor.server, minor.product, minor.version);
            facts.insert(name, ended(minor));
        }
        for night in &self.nights {
            let states = [
                ("installed", night.installed),
                ("rolled back", night.rolled_back),
                ("refused", night.refused),
                ("failed", night.failed),
            ];
            for (state, number) in states.into_iter().filter(|(_, number)| *number > 0) {
                facts.insert(format!("night {} {state}", night.date), number.to_string());
            }
        }
        for i in &self.interventions {
            let kept = match i.in_time {
                Some(true) => "in time",
                Some(false) => "late",
                None => "running",
            };
            facts.insert(format!("alert {}", i.alert), format!("level {} {kept}", i.level));
        }
        for name in ["requests.received", "requests.refused", "letters.sent", "letters.undelivered"] {
            facts.insert(name.to_owned(), self.figures.get(name).copied().unwrap_or_default().to_string());
        }
        for a in &self.availability {
            facts.insert(format!("silent {}", a.server), format!("{} min", a.silent_minutes));
        }
        facts
    }
}

fn ended(minor: &Minor) -> String {
    let word = match minor.outcome {
        MinorOutcome::OnTime => "on time",
        MinorOutcome::Late => "late",
        MinorOutcome::Missed => "missed",
        MinorOutcome::Withdrawn => "withdrawn",
        MinorOutcome::Open => "open",
    };
    let at = minor.installed_at.map(|at| format!(" {}", at.to_rfc3339_opts(SecondsFormat::Millis, true)));
    format!("{word}{}", at.unwrap_or_default())
}
