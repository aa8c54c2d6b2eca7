//! An exhaustive search beside the planner: whenever it finds any schedule that meets a server's deadlines, the plan
//! meets them; where it finds none, the plan does not claim to.
//!
//! Written from the contract's rules: it shares the nouns and the calendar with the planner, and none of its reasoning.
//! It looks at one server at a time, beside what the others were promised: that is how the planner sees it.

mod search;
mod site;
mod tasks;

use super::draw::{Draw, DrawnRelease, client, draw, release};
use super::pass::{Pass, look_twice};
use super::twice::line;
use super::world::Case;
use crate::model::decision::{Decision, Outcome};
use proptest::prelude::*;
use search::Search;
use site::Site;
use tasks::Task;

/// Whether the decisions do a task in time. A backup that is still missing may hold it back in its slot.
fn does(site: &Site, task: &Task, decisions: &[Decision]) -> bool {
    decisions.iter().filter(|d| d.product == task.product).any(|decision| {
        let planned = match &decision.outcome {
            Outcome::Planned(plan) | Outcome::Late(plan) => Some(plan),
            Outcome::Held { plan: Some(plan) } if !site.is_backed_up(plan.slot) => Some(plan),
            _ => None,
        };
        planned.is_some_and(|plan| {
            plan.request.is_some() == task.request.is_some()
                && plan.version >= task.at_least
                && plan.slot.end <= task.by
        })
    })
}

fn check(case: &Case, pass: &Pass) -> Result<(), TestCaseError> {
    for (place, planned) in pass.servers.iter().enumerate() {
        let site = Site::new(case, pass, place);
        let lines = || planned.decisions.iter().map(line).collect::<Vec<_>>();
        // What cannot be done in time even by itself is no deadline to meet.
        let mut tasks = tasks::of(&site);
        tasks.retain(|task| Search::new(&site, vec![task.clone()]).finds());
        let mut due = tasks::first_of_each(tasks.clone());
        // A later deadline that the plan meets at once is not given up for the next.
        tasks.retain(|task| does(&site, task, &planned.decisions) && !due.iter().any(|d| d.is_same(task)));
        due.append(&mut tasks);
        let (found, done) =
            (Search::new(&site, due.clone()).schedule(), due.iter().all(|task| does(&site, task, &planned.decisions)));
        prop_assert!(found.is_none() || done, "{due:#?} could go {found:?}, and the plan is {:#?}", lines());
        prop_assert!(found.is_some() || !done, "{due:#?} cannot go, and the plan is {:#?}", lines());
        // Nothing that is due alone is passed over in silence.
        for task in due.iter().filter(|task| !does(&site, task, &planned.decisions)) {
            let mut of = planned.decisions.iter().filter(|d| d.product == task.product);
            let told = of.any(|d| !matches!(d.outcome, Outcome::UpToDate | Outcome::OutOfScope | Outcome::Running));
            prop_assert!(told, "{task:?} is passed over: {:#?}", lines());
        }
    }
    Ok(())
}

prop_compose! {
    /// A world of few servers and much to do: short of room, and small enough to search.
    fn small()(
        clients in prop::collection::vec(client(2), 1..=2),
        releases in prop::collection::vec((release(), prop::option::of(100..420_u32)), 1..7),
        world in draw(),
    ) -> Draw {
        let longer = |(release, minutes): (DrawnRelease, Option<u32>)| {
            DrawnRelease { minutes: minutes.unwrap_or(release.minutes), spread: (0, 0, 0), ..release }
        };
        Draw { clients, releases: releases.into_iter().map(longer).collect(), ..world }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn deadlines_are_met_whenever_any_schedule_meets_them(draw in small()) {
        look_twice(&draw, check)?;
    }
}
