//! What servers share is never promised twice: one installation of a server at a time, so many on a client's line, so
//! many attended over all clients of a contract; and each ring in its turn.

use super::draw::draw;
use super::pass::{Pass, look_twice};
use super::twice::outcomes;
use super::world::Case;
use crate::model::agreement::Agreed;
use crate::model::decision::{Outcome, Plan};
use crate::model::fleet::{Client, Ring};
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What one server does in one slot, together.
struct Work {
    server: String,
    slot: Slot,
    minutes: i64,
    attended: bool,
    agreed: bool,
}

/// The planned work of one client's servers, by group.
fn works(case: &Case, pass: &Pass, client: &Client) -> Vec<Work> {
    let terms = case.terms(client);
    let mut works: BTreeMap<(String, String), Work> = BTreeMap::new();
    for decision in pass.servers.iter().flat_map(|s| &s.decisions).filter(|d| d.client == client.id) {
        let Some(plan) = decision.outcome.plan() else { continue };
        let Plan { slot, leader, version, request, .. } = plan;
        let release = case.release(&decision.product, version).unwrap();
        let agreed = case.parts.agreements.iter().any(|a| {
            matches!(&a.agreed, Agreed::Slot { server, product, slot: agreed }
                if *server == decision.server && *product == decision.product && agreed == slot)
        });
        let work = works.entry((decision.server.clone(), leader.clone())).or_insert_with(|| Work {
            server: decision.server.clone(),
            slot: *slot,
            minutes: 0,
            attended: false,
            agreed: false,
        });
        work.minutes += case.parts.durations.need(terms, release).num_minutes();
        work.attended |= request.is_some() || release.manifest().is_manual();
        work.agreed |= agreed;
    }
    works.into_values().collect()
}

/// Whether an order exists in which each is done inside its slot, one after the other.
fn in_turn(works: &[&Work], from: DateTime<Utc>) -> bool {
    works.is_empty()
        || (0..works.len()).any(|next| {
            let done = works[next].slot.start.max(from) + chrono::TimeDelta::minutes(works[next].minutes);
            let mut rest = works.to_vec();
            rest.remove(next);
            done <= works[next].slot.end && in_turn(&rest, done)
        })
}

/// Whether so many lines carry all that is done in `slot`, whoever comes last.
fn is_carried(works: &[Work], slot: Slot, lines: i64, now: DateTime<Utc>) -> bool {
    let mut by_server: BTreeMap<&str, i64> = BTreeMap::new();
    for work in works.iter().filter(|w| w.slot.overlaps(&slot)) {
        *by_server.entry(&work.server).or_default() += work.minutes;
    }
    let (sum, longest) = (by_server.values().sum::<i64>(), by_server.values().max().copied().unwrap_or(0));
    // All lines are busy until the last one starts.
    by_server.len() as i64 <= lines
        || (sum - longest) + longest * lines <= (slot.end - slot.start.max(now)).num_minutes() * lines
}

fn check(case: &Case, pass: &Pass) -> Result<(), TestCaseError> {
    let mut attended: BTreeMap<&str, Vec<Work>> = BTreeMap::new();
    for client in &case.parts.clients {
        let works = works(case, pass, client);
        let lines = case.terms(client).schedule.rollout.line_installs_max;
        for server in &client.servers {
            let own: Vec<&Work> = works.iter().filter(|w| w.server == server.id).collect();
            prop_assert!(in_turn(&own, case.now), "two at once on {}: {:#?}", server.id, outcomes(pass));
        }
        for work in works.iter().filter(|w| !w.agreed) {
            let carried = is_carried(&works, work.slot, lines.into(), case.now);
            prop_assert!(carried, "the line of {}: {:#?}", client.id, outcomes(pass));
        }
        attended.entry(&client.schedule).or_default().extend(works.into_iter().filter(|w| w.attended));
    }
    for (schedule, works) in attended {
        let most = case.parts.terms[schedule].schedule.staff.installs_max as usize;
        for work in works.iter().filter(|w| !w.agreed) {
            for at in works.iter().map(|w| w.slot.start.max(work.slot.start)).filter(|at| work.slot.contains(*at)) {
                let mut there: Vec<&str> =
                    works.iter().filter(|w| w.slot.contains(at)).map(|w| w.server.as_str()).collect();
                there.sort_unstable();
                there.dedup();
                prop_assert!(there.len() <= most, "{there:?} at {at}: {:#?}", outcomes(pass));
            }
        }
    }
    rings(case, pass)
}

/// A release that halted goes nowhere; one whose canaries failed goes to no broad server.
fn rings(case: &Case, pass: &Pass) -> Result<(), TestCaseError> {
    for (place, planned) in pass.servers.iter().enumerate() {
        let (client, server) = (&pass.world.customer(place).client, pass.world.server(place));
        let terms = &case.terms(client).schedule.rollout;
        for decision in &planned.decisions {
            let (Outcome::Planned(plan) | Outcome::Late(plan)) = &decision.outcome else { continue };
            let progress = case.parts.rollout.get(&decision.product, &plan.version);
            prop_assert!(progress.halt(terms).is_none(), "halted: {:?}", decision.outcome);
            let stopped = server.ring == Ring::Broad && progress.canaries_stop(terms);
            prop_assert!(!stopped || plan.request.is_some(), "its canaries failed: {:?}", decision.outcome);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn what_servers_share_is_never_promised_twice(draw in draw()) {
        look_twice(&draw, check)?;
    }
}
