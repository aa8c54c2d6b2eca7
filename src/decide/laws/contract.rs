//! What the contract promises of every plan, read off the windows and the nouns: nothing outside a slot, no major
//! without a valid request, nothing that the order does not name, groups all or nothing, a reason for everything; and
//! the checker, which reads the contract by itself, finds nothing fatal.

use super::draw::draw;
use super::pass::{Pass, look_twice};
use super::twice::line;
use super::world::Case;
use crate::decide::calendar::Calendar;
use crate::decide::checker::Finding;
use crate::decide::window::CompiledWindow;
use crate::model::agreement::Agreed;
use crate::model::decision::{Decision, Outcome, Plan};
use crate::model::fleet::{Client, Server};
use crate::model::release::Release;
use crate::model::request::RequestState;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::TimeDelta;
use proptest::prelude::*;

/// One server as a law looks at it.
struct Look<'a> {
    case: &'a Case,
    client: &'a Client,
    server: &'a Server,
    decisions: &'a [Decision],
}

fn check(case: &Case, pass: &Pass) -> Result<(), TestCaseError> {
    for (place, planned) in pass.servers.iter().enumerate() {
        let (client, server) = (&pass.world.customer(place).client, pass.world.server(place));
        let fatal: Vec<String> = planned.fatal.iter().map(Finding::to_string).collect();
        let lines: Vec<String> = planned.decisions.iter().map(line).collect();
        prop_assert_eq!(fatal, Vec::<String>::new(), "{:?}", lines);
        let look = Look { case, client, server, decisions: &planned.decisions };
        for decision in &planned.decisions {
            look.decision(decision).map_err(|why| TestCaseError::fail(format!("{why}: {}", line(decision))))?;
        }
    }
    Ok(())
}

impl Look<'_> {
    fn decision(&self, decision: &Decision) -> Result<(), &'static str> {
        let spoken = |text: &str| !text.trim().is_empty();
        let told = decision.reasons.iter().all(|reason| spoken(&reason.text) && spoken(&reason.fr));
        ensure(!decision.reasons.is_empty() && told, "no reason")?;
        let ordered = self.client.order.contains(&decision.product);
        ensure(matches!(decision.outcome, Outcome::OutOfScope) != ordered, "the order says otherwise")?;
        let Some(plan) = decision.outcome.plan() else { return Ok(()) };
        let release = self.case.release(&decision.product, &plan.version).ok_or("nobody published it")?;
        let installed = &self.case.parts.states[&self.server.id].inventory[&decision.product];
        ensure(release.retracted.is_none() && release.published_at() <= self.case.now, "not to be had")?;
        ensure(plan.version > *installed, "no update")?;
        ensure(
            release.manifest().upgrade_from.as_ref().is_none_or(|oldest| installed >= oldest),
            "over what is too old",
        )?;
        self.slot(release, plan)?;
        self.request(release, installed, plan)?;
        self.together(release, plan)
    }

    /// Inside a slot of its window, or in one that the contact agreed to for it or for what goes with it.
    fn slot(&self, release: &Release, plan: &Plan) -> Result<(), &'static str> {
        let terms = self.case.terms(self.client);
        let calendar = Calendar::new(self.server.zone, self.client.holidays.parse().unwrap());
        ensure(plan.slot.end > self.case.now, "over")?;
        let with = |d: &&Decision| d.outcome.plan().is_some_and(|p| p.leader == plan.leader);
        let agreed = self.decisions.iter().filter(with).any(|d| self.agreed(&d.product, plan.slot));
        if agreed {
            return Ok(());
        }
        let window = match (plan.request.is_some(), release.manifest().is_manual()) {
            (true, _) => terms.major_window(),
            (false, true) => terms.manual_window(),
            (false, false) => terms.minor_window(),
        };
        ensure(is_slot_of(window, &calendar, plan.slot), "outside a slot")?;
        ensure(!terms.barred_window().touches(&calendar, plan.slot), "in office hours")
    }

    fn agreed(&self, product: &str, within: Slot) -> bool {
        let here = |agreed: &Agreed| matches!(agreed, Agreed::Slot { server, product: of, slot } if *server == self.server.id && of == product && *slot == within);
        self.case.parts.agreements.iter().any(|a| a.client == self.client.id && here(&a.agreed))
    }

    /// A major has an accepted request of this client for exactly this, here, and ends by its date.
    fn request(&self, release: &Release, installed: &Version, plan: &Plan) -> Result<(), &'static str> {
        let major = |r: &&Release| {
            *r.version() > *installed
                && r.version() <= release.version()
                && r.product() == release.product()
                && r.published_at() <= self.case.now
                && r.manifest().change == Change::Major
        };
        let numbers = release.manifest().version.change_from(installed, release.manifest().scheme);
        let is_major = numbers == Some(Change::Major) || self.case.parts.releases.iter().any(|r| major(&r));
        ensure(is_major == plan.request.is_some(), "a request for what is no major, or a major without")?;
        let Some(id) = plan.request else { return Ok(()) };
        let request = self.case.parts.requests.iter().find(|r| r.id == id).ok_or("no such request")?;
        let ours = request.client == self.client.id && request.product == release.product();
        let here = request.servers.is_empty() || request.servers.contains(&self.server.id);
        ensure(ours && here && request.version == plan.version, "a request for something else")?;
        ensure(request.state == RequestState::Accepted, "a request that is over")?;
        let last = (plan.slot.end - TimeDelta::seconds(1)).with_timezone(&self.server.zone).date_naive();
        ensure(last <= request.before, "after the client's date")
    }

    /// Companions that are here go along, what is required is here or comes before.
    fn together(&self, release: &Release, plan: &Plan) -> Result<(), &'static str> {
        let inventory = &self.case.parts.states[&self.server.id].inventory;
        let plans = |product: &str| {
            let of = self.decisions.iter().filter(|d| d.product == product).filter_map(|d| d.outcome.plan());
            of.collect::<Vec<&Plan>>()
        };
        for companion in &release.manifest().installs_with {
            let missing = inventory.get(&companion.product).is_some_and(|there| *there < companion.version);
            let along = plans(&companion.product)
                .iter()
                .any(|p| p.version == companion.version && p.leader == plan.leader && p.slot == plan.slot);
            ensure(!missing || along, "without its companion")?;
        }
        for needed in &release.manifest().requires {
            let there = inventory.get(&needed.product).is_some_and(|v| *v >= needed.at_least);
            let runs = self.case.parts.deployments.iter().any(|d| {
                d.server == self.server.id
                    && d.product == needed.product
                    && d.to >= needed.at_least
                    && d.state.is_open()
                    && d.state.started_at().is_some()
            });
            let first = plans(&needed.product).iter().any(|p| {
                p.version >= needed.at_least
                    && (p.slot.end <= plan.slot.start
                        || p.leader == plan.leader && p.slot == plan.slot && p.position < plan.position)
            });
            ensure(there || runs || first, "before what it requires")?;
        }
        Ok(())
    }
}

fn ensure(good: bool, why: &'static str) -> Result<(), &'static str> {
    if good { Ok(()) } else { Err(why) }
}

fn is_slot_of(window: &CompiledWindow, calendar: &Calendar, slot: Slot) -> bool {
    window.slots(calendar, slot.start, slot.end).contains(&slot)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_the_contract(draw in draw()) {
        look_twice(&draw, check)?;
    }
}
