//! What a run comes to: counts, compliance by rule, and every law that was broken.

use crate::model::alert::NewAlert;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::rule::Rule;
use crate::model::version::Change;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A law that was broken: a defect of the program, never of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    pub at: DateTime<Utc>,
    pub server: Option<String>,
    /// The rule or law.
    pub rule: String,
    pub text: String,
}

/// Installed so many, so many of them in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InTime {
    pub installed: u64,
    pub in_time: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    pub servers: usize,
    pub clients: usize,
    pub nights: i64,
    pub seed: Option<u64>,
    pub from: String,
    pub releases: u64,
    pub plannings: u64,
    /// Plans that the checker looked at.
    pub checked: u64,
    /// What the checker thought worth a look.
    pub warnings: u64,
    pub minor: InTime,
    pub manual: InTime,
    pub major: InTime,
    /// Why minors were late when planned so, by the rule that shut their nights.
    pub late_because: BTreeMap<String, u64>,
    /// Lines of history by kind.
    pub events: BTreeMap<String, u64>,
    pub letters: BTreeMap<String, u64>,
    pub letters_delayed: u64,
    /// Alerts by what their cause begins with.
    pub alerts: BTreeMap<String, u64>,
    pub alerts_resolved: u64,
    pub alerts_open: usize,
    pub requests_refused: u64,
    pub violations: Vec<Violation>,
}

impl InTime {
    fn add(&mut self, in_time: bool) {
        self.installed += 1;
        self.in_time += u64::from(in_time);
    }
}

impl Figures {
    pub fn event(&mut self, event: &NewEvent) {
        let kind = serde_json::to_value(event.kind).ok().and_then(|k| k.as_str().map(str::to_owned));
        *self.events.entry(kind.unwrap_or_default()).or_default() += 1;
        if event.kind == EventKind::Late {
            *self.late_because.entry(late_because(event).id().to_owned()).or_default() += 1;
        }
    }

    pub fn alert(&mut self, alert: &NewAlert) {
        let what = alert.cause.split('/').next().unwrap_or_default();
        *self.alerts.entry(what.to_owned()).or_default() += 1;
    }

    /// A deployment ended.
    pub fn ended(&mut self, deployment: &Deployment) {
        let DeploymentState::Installed { finished_at, .. } = &deployment.state else { return };
        let in_time = deployment.deadline.is_none_or(|deadline| *finished_at <= deadline);
        match (deployment.change, deployment.manual) {
            (Change::Major, _) => self.major.add(in_time),
            (Change::Minor, true) => self.manual.add(in_time),
            (Change::Minor, false) => self.minor.add(in_time),
        }
    }

    pub fn violate(&mut self, at: DateTime<Utc>, server: Option<String>, rule: &str, text: String) {
        self.violations.push(Violation { at, server, rule: rule.to_owned(), text });
    }
}

/// The first reason of a late plan that says what shut its nights.
fn late_because(event: &NewEvent) -> Rule {
    let shut = |rule: Rule| {
        matches!(
            rule,
            Rule::Hold
                | Rule::ClosedPeriod
                | Rule::Rollout
                | Rule::HealthAfter
                | Rule::MaintenanceSlots
                | Rule::OfficeHours
                | Rule::Prerequisites
        )
    };
    if event.reasons.last().is_some_and(|r| r.rule == Rule::BackupFirst) {
        return Rule::BackupFirst;
    }
    event.reasons.iter().map(|r| r.rule).find(|rule| shut(*rule)).unwrap_or(Rule::MinorNight)
}

/// "98.2 % (1,203 of 1,225)".
impl fmt::Display for InTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.installed {
            0 => write!(f, "none"),
            n => write!(f, "{:.1} % ({} of {n})", 100.0 * self.in_time as f64 / n as f64, self.in_time),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |map: &BTreeMap<String, u64>| {
            map.iter().map(|(what, n)| format!("{what} {n}")).collect::<Vec<_>>().join(", ")
        };
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (servers, clients) = (count(self.servers, "server"), count(self.clients, "client"));
        writeln!(f, "{servers} of {clients}, {} nights from {}", self.nights, self.from)?;
        writeln!(f, "releases published   {}", self.releases)?;
        writeln!(f, "minors in time       {}", self.minor)?;
        writeln!(f, "majors by their date {}", self.major)?;
        writeln!(f, "manual updates       {} installed", self.manual.installed)?;
        writeln!(
            f,
            "said late because of {}",
            if self.late_because.is_empty() { "-".into() } else { counted(&self.late_because) }
        )?;
        writeln!(f, "requests refused     {}", self.requests_refused)?;
        writeln!(f, "history              {}", counted(&self.events))?;
        writeln!(f, "letters              {}", counted(&self.letters))?;
        writeln!(f, "letters delayed      {}", self.letters_delayed)?;
        let alerts = if self.alerts.is_empty() { "none".into() } else { counted(&self.alerts) };
        writeln!(f, "alerts               {alerts} ({} still open)", self.alerts_open)?;
        writeln!(
            f,
            "plans checked        {} in {} plannings, {} worth a look",
            self.checked, self.plannings, self.warnings
        )?;
        for v in &self.violations {
            let server = v.server.as_deref().unwrap_or("-");
            writeln!(f, "VIOLATION {} {server} {}: {}", v.at.format("%F %R UTC"), v.rule, v.text)?;
        }
        write!(f, "violations           {}", self.violations.len())
    }
}
