//! The order in which facts arrive does not matter, nor that of clients who share nothing.

use super::draw::draw;
use super::pass::Pass;
use super::twice::line;
use super::world::Case;
use crate::model::decision::Decision;
use proptest::prelude::*;

/// The decisions of each server, as they are said: outcomes and every reason.
fn said(pass: &Pass) -> Vec<(String, Vec<String>)> {
    let of = |decision: &Decision| {
        let reasons: Vec<&str> = decision.reasons.iter().map(|r| r.text.as_str()).collect();
        format!("{}: {}", line(decision), reasons.join("; "))
    };
    let all = pass.servers.iter().enumerate();
    let mut all: Vec<(String, Vec<String>)> = all
        .map(|(place, planned)| (pass.world.server(place).id.clone(), planned.decisions.iter().map(of).collect()))
        .collect();
    all.sort();
    all
}

/// The same facts, each kind in another order.
fn shuffled(case: &Case, turn: usize) -> Case {
    let mut other = case.clone();
    fn stir<T>(all: &mut [T], turn: usize) {
        all.reverse();
        let by = if all.is_empty() { 0 } else { turn % all.len() };
        all.rotate_left(by);
    }
    let parts = &mut other.parts;
    stir(&mut parts.releases, turn);
    stir(&mut parts.requests, turn);
    stir(&mut parts.agreements, turn);
    stir(&mut parts.holds, turn);
    stir(&mut parts.deployments, turn);
    stir(&mut parts.standings, turn);
    for client in &mut parts.clients {
        stir(&mut client.order, turn);
        stir(&mut client.closed, turn);
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn the_order_in_which_facts_arrive_does_not_matter(draw in draw(), turn in 0..7_usize) {
        let mut case = Case::new(&draw);
        let first = case.plan();
        prop_assert_eq!(said(&first), said(&shuffled(&case, turn).plan()));
        case.write(&first);
        case.go_on(&draw);
        prop_assert_eq!(said(&case.plan()), said(&shuffled(&case, turn).plan()), "later");
    }

    #[test]
    fn clients_of_different_contracts_do_not_get_in_each_others_way(draw in draw()) {
        // Staff are shared within a contract and the line within a client: the two contracts may change places.
        let case = Case::new(&draw);
        let mut turned = case.clone();
        turned.parts.clients.sort_by(|a, b| b.schedule.cmp(&a.schedule));
        let mut other = case.clone();
        other.parts.clients.sort_by(|a, b| a.schedule.cmp(&b.schedule));
        prop_assert_eq!(said(&other.plan()), said(&turned.plan()));
        prop_assert_eq!(said(&case.plan()), said(&turned.plan()));
    }
}
