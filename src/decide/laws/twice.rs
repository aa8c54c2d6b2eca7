//! Planning twice changes nothing: what was decided is written down, and decided again at the same moment.

use super::draw::draw;
use super::pass::Pass;
use super::world::Case;
use crate::model::decision::{Decision, Plan};
use proptest::prelude::*;

/// What was decided, a line each: server, product, outcome, and the rule that settled it.
pub fn outcomes(pass: &Pass) -> Vec<String> {
    let all = pass.servers.iter().flat_map(|s| &s.decisions);
    all.map(line).collect()
}

pub fn line(decision: &Decision) -> String {
    let rule = decision.reasons.last().map_or("", |r| r.rule.id());
    let mut line = format!("{} {} {} {rule}", decision.server, decision.product, decision.outcome.name());
    if let Some(plan) = decision.outcome.intent() {
        let Plan { version, slot, deadline, request, position, leader } = plan;
        line +=
            &format!(" {version} {}/{} by {deadline:?} for {request:?} {position} of {leader}", slot.start, slot.end);
    }
    line
}

/// Plans, writes down, and plans again at the same moment.
pub fn check_twice(case: &mut Case) -> Result<(), TestCaseError> {
    let first = case.plan();
    for planned in &first.servers {
        prop_assert_eq!(planned.agrees, planned.steps.is_empty(), "{:?}", planned.steps);
    }
    case.write(&first);
    let second = case.plan();
    prop_assert_eq!(outcomes(&first), outcomes(&second));
    for planned in &second.servers {
        let said: Vec<&str> = planned.steps.events.iter().map(|e| e.text.as_str()).collect();
        prop_assert!(planned.agrees && planned.steps.is_empty(), "{said:?} {:?}", outcomes(&second));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn planning_twice_changes_nothing(draw in draw()) {
        let mut case = Case::new(&draw);
        check_twice(&mut case)?;
        case.go_on(&draw);
        check_twice(&mut case)?;
    }
}
