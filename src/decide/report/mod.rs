//! The compliance report of one client and one month: what was due and when it was done, who asked, who was told, how
//! soon somebody intervened, and what each rule of the contract comes to.
//!
//! Pure: [`Ledger`] is what is known of the client, [`report`] thinks, [`page`] writes it for people. Every fact stands
//! in one month's report only: a minor in the month in which it was due, an attempt in that in which its slot began, an
//! alert in that in which it was raised, a letter in that in which it left, a request in those in which it was received
//! and carried out. What was due before and not done when the month began is told apart, and counted where it was due.
//!
//! [`Report::facts`] says the same as plain names and values. `decide::recount` works them out a second time, from the
//! history alone; the two share the nouns and no code.

mod availability;
mod chart;
mod figures;
mod interventions;
mod inventory;
mod letters;
mod majors;
mod manuals;
mod minors;
mod month;
mod nights;
pub mod page;
mod rules;
mod sheet;
mod words;

#[cfg(test)]
mod tests;

pub use month::{Month, NoMonth};
pub use sheet::{
    Attempt, Availability, Intervention, Letters, Major, Manual, Minor, MinorOutcome, Night, Post, Refused, Report,
    RuleFigure, Span, Taken, Visit, Why,
};

use crate::decide::calendar::{Calendar, Region};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::terms::Terms;
use crate::model::agreement::Agreement;
use crate::model::alert::Alert;
use crate::model::deployment::Deployment;
use crate::model::event::Event;
use crate::model::fleet::{Client, Language, Server};
use crate::model::notice::Notice;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// Days before the month in which what belongs to it may have begun: a release that is due in its first days, a letter
/// that the mail server took late, the backup before its first installation.
pub const LEAD_DAYS: i64 = 31;

/// What is known of one client. Whoever fills it may give more than the month needs.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    pub now: DateTime<Utc>,
    pub month: Month,
    pub client: &'a Client,
    pub terms: &'a Terms,
    pub region: Region,
    /// Every known release, withdrawn ones too.
    pub releases: &'a [Release],
    /// The client's, from [`LEAD_DAYS`] before the month to now.
    pub deployments: &'a [Deployment],
    pub requests: &'a [Request],
    pub agreements: &'a [Agreement],
    /// Those about the client, with those about silence that were raised before and lasted into the month.
    pub alerts: &'a [Alert],
    /// Letters to the client, and those to staff about its alerts.
    pub notices: &'a [Notice],
    /// The client's: every change of inventory, and the rest from [`LEAD_DAYS`] before the month on. In order.
    pub events: &'a [Event],
    /// What each server last said of itself.
    pub states: &'a BTreeMap<String, ServerState>,
}

/// Thinks the report through.
pub fn report(ledger: &Ledger) -> Report {
    let scene = Scene::new(ledger);
    let (minors, carried) = minors::of(&scene);
    let mut report = Report {
        client: ledger.client.id.clone(),
        client_name: ledger.client.name.clone(),
        language: match ledger.client.language {
            Language::Fr => "fr".to_owned(),
            Language::En => "en".to_owned(),
        },
        contract: ledger.terms.schedule.contract.clone(),
        month: ledger.month.to_string(),
        zone: scene.zone.name().to_owned(),
        from: scene.from,
        to: scene.to,
        made_at: ledger.now,
        is_over: scene.to <= ledger.now,
        figures: BTreeMap::new(),
        rules: Vec::new(),
        minors,
        carried,
        manuals: manuals::of(&scene),
        majors: majors::of(&scene),
        refused: majors::refused(&scene),
        nights: nights::of(&scene),
        interventions: interventions::of(&scene),
        letters: letters::of(&scene),
        availability: availability::of(&scene),
    };
    report.rules = rules::of(&scene, &report);
    report.figures = figures::of(&report);
    report
}

/// The ledger with the bounds of its month.
struct Scene<'a> {
    ledger: &'a Ledger<'a>,
    /// The clock that bounds the month: that of the client's first site.
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl<'a> std::ops::Deref for Scene<'a> {
    type Target = Ledger<'a>;
    fn deref(&self) -> &Ledger<'a> {
        self.ledger
    }
}

impl<'a> Scene<'a> {
    fn new(ledger: &'a Ledger<'a>) -> Scene<'a> {
        let zone = zone_of(ledger.client);
        let (from, to) = ledger.month.bounds(zone);
        Scene { ledger, zone, from, to }
    }

    fn is_within(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.to
    }

    fn server(&self, id: &str) -> Option<&'a Server> {
        self.ledger.client.servers.iter().find(|server| server.id == id)
    }

    /// The site's own clock and holidays; those of the first site for a server that has left.
    fn calendar(&self, server: &str) -> Calendar {
        Calendar::new(self.server(server).map_or(self.zone, |server| server.zone), self.ledger.region)
    }

    /// Deployments whose slot begins in the month.
    fn in_month(&self) -> impl Iterator<Item = &'a Deployment> + use<'a> {
        let (from, to) = (self.from, self.to);
        self.ledger.deployments.iter().filter(move |d| from <= d.slot.start && d.slot.start < to)
    }

    /// Those of them that were handed out.
    fn attempts(&self) -> impl Iterator<Item = &'a Deployment> + use<'a> {
        self.in_month().filter(|d| d.state.started_at().is_some())
    }
}

/// The clock that bounds a client's months.
pub fn zone_of(client: &Client) -> Tz {
    client.servers.first().map_or(PROVIDER_ZONE, |server| server.zone)
}

/// From when on a ledger of `month` has to know what happened.
pub fn begins(month: Month, client: &Client) -> DateTime<Utc> {
    month.bounds(zone_of(client)).0 - TimeDelta::days(LEAD_DAYS)
}
