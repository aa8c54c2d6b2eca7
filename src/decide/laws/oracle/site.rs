//! One server as the search sees it: its calendar, what it runs, and what stands in the way of a slot.

use super::super::pass::Pass;
use super::super::world::Case;
use crate::decide::calendar::Calendar;
use crate::decide::load::Promise;
use crate::decide::notice;
use crate::decide::terms::Terms;
use crate::model::agreement::Agreed;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, ClosedPeriod, Server};
use crate::model::hold::{Hold, HoldOn};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

pub struct Site<'a> {
    pub case: &'a Case,
    pub client: &'a Client,
    pub server: &'a Server,
    pub state: &'a ServerState,
    pub terms: &'a Terms,
    pub calendar: Calendar,
    /// What the client's other servers were promised, each.
    pub line: Vec<Vec<Promise>>,
    /// What is attended elsewhere under the same contract, each server.
    pub staff: Vec<Vec<Slot>>,
}

impl<'a> Site<'a> {
    pub fn new(case: &'a Case, pass: &'a Pass, place: usize) -> Site<'a> {
        let (client, server) = (&pass.world.customer(place).client, pass.world.server(place));
        let promised = |place| pass.world.with_facts(place, case.now, |facts| facts.load.own.to_vec());
        let others = || pass.world.places().filter(|other| *other != place);
        let of_client = |other: &usize| pass.world.customer(*other).client.id == client.id;
        let of_contract = |other: &usize| pass.world.customer(*other).client.schedule == client.schedule;
        let attended = |promises: Vec<Promise>| promises.iter().filter(|p| p.attended).map(|p| p.slot).collect();
        Site {
            case,
            client,
            server,
            state: &case.parts.states[&server.id],
            terms: case.terms(client),
            calendar: Calendar::new(server.zone, client.holidays.parse().unwrap()),
            line: others().filter(of_client).map(promised).collect(),
            staff: others().filter(of_contract).map(|other| attended(promised(other))).collect(),
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.case.now
    }

    pub fn deployments(&self) -> impl Iterator<Item = &'a Deployment> {
        let server = &self.server.id;
        self.case.parts.deployments.iter().filter(move |d| d.server == *server)
    }

    pub fn running(&self) -> impl Iterator<Item = &'a Deployment> {
        self.deployments().filter(|d| matches!(d.state, DeploymentState::Running { .. }))
    }

    /// Failed attempts of a release, the last one first.
    pub fn failed(&self, release: &Release) -> Vec<&'a Deployment> {
        let failed =
            |d: &&Deployment| d.state.is_missed() && d.product == release.product() && d.to == *release.version();
        let mut failed: Vec<&Deployment> = self.deployments().filter(failed).collect();
        failed.sort_by_key(|d| std::cmp::Reverse(d.id));
        failed
    }

    pub fn holds(&self, release: &Release) -> impl Iterator<Item = &'a Hold> {
        let (client, server, now) = (&self.client.id, &self.server.id, self.now());
        let (product, version) = (release.product().to_owned(), release.version().clone());
        self.case.parts.holds.iter().filter(move |hold| {
            let here = match &hold.on {
                HoldOn::Server { client: of, server: on } => of == client && on == server,
                HoldOn::Client { client: of } => of == client,
                HoldOn::Release { product: of, version: v } => *of == product && *v == version,
            };
            here && hold.lifted.is_none() && hold.at <= now && hold.until.is_none_or(|until| until > now)
        })
    }

    /// Time a release takes of its slot: copy, installation, and the way back.
    pub fn need(&self, release: &Release) -> TimeDelta {
        let (minutes, _) = self.case.parts.durations.minutes(self.terms, release);
        let all = minutes + release.manifest().rollback_minutes + self.terms.schedule.backup.reserve_minutes;
        // The last is until its agent has asked for it.
        TimeDelta::minutes(i64::from(all) + 1)
    }

    /// Whether the client has closed on a day that the slot touches, and not agreed to it.
    pub fn is_closed(&self, slot: Slot) -> bool {
        let last = self.calendar.date(slot.end - TimeDelta::seconds(1));
        let touched = self.calendar.date(slot.start).iter_days().take_while(|day| *day <= last);
        touched.into_iter().any(|day| self.is_closed_on(day) && !self.is_agreed_on(day))
    }

    fn is_closed_on(&self, day: NaiveDate) -> bool {
        self.client.closed.iter().any(|period| match period {
            ClosedPeriod::Days(days) => days.from <= day && day <= days.to,
            other => panic!("no such period is drawn: {other:?}"),
        })
    }

    fn is_agreed_on(&self, day: NaiveDate) -> bool {
        self.agreed().any(|agreed| match agreed {
            Agreed::ClosedPeriod { server, from, to } => {
                server.as_ref().is_none_or(|s| *s == self.server.id) && *from <= day && day <= *to
            }
            Agreed::Slot { .. } | Agreed::ShortNotice { .. } => false,
        })
    }

    /// Slots that the contact agreed to for a product here.
    pub fn agreed_slots(&self, product: &str) -> Vec<Slot> {
        let slot = |agreed: &Agreed| match agreed {
            Agreed::Slot { server, product: of, slot } => (*server == self.server.id && of == product).then_some(*slot),
            Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => None,
        };
        self.agreed().filter_map(slot).collect()
    }

    fn agreed(&self) -> impl Iterator<Item = &'a Agreed> {
        let client = &self.client.id;
        self.case.parts.agreements.iter().filter(move |a| a.client == *client).map(|a| &a.agreed)
    }

    /// Whether a good backup is recent enough for work in `slot`.
    pub fn is_backed_up(&self, slot: Slot) -> bool {
        let since = notice::backup_not_before(self.terms, &self.calendar, slot.start);
        self.state.backup.as_ref().is_some_and(|b| b.succeeded && b.finished_at >= since)
    }
}
