//! The planner and the hand-out over generated worlds: whatever the facts are, the checker finds nothing fatal.
//!
//! What the planner once got wrong stands below, each with its smallest case.

use super::fleet_of_one::{Draw, DrawnRelease, Site, draw};
use super::world::heads;
use crate::decide::checker::Finding;
use crate::decide::laws::seed;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn what_the_planner_plans_breaks_no_rule(draw in draw()) {
        let mut site = Site::new(&draw);
        let first = site.plan();
        prop_assert_eq!(fatal(site.check(&first)), Vec::<String>::new());
        site.go_on(&first, draw.later);
        let second = site.plan();
        prop_assert_eq!(fatal(site.check(&second)), Vec::<String>::new(), "after {:?} h", draw.later);
    }

    #[test]
    fn what_is_handed_out_breaks_no_rule(draw in draw()) {
        let mut site = Site::new(&draw);
        let decisions = site.plan();
        site.go_on(&decisions, (draw.later.0, false));
        if let Some(group) = site.offer() {
            prop_assert_eq!(fatal(site.check_start(&group)), Vec::<String>::new());
        }
    }
}

/// What would break the contract.
fn fatal(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().filter(Finding::is_fatal).map(|found| found.to_string()).collect()
}

/// A minor published at 15:00 on Thursday 1 January 2026.
fn minor(product: usize, patch: u32) -> DrawnRelease {
    DrawnRelease {
        product,
        major: false,
        says_minor: false,
        patch,
        hours: 1,
        minutes: 20,
        manual: false,
        requires: false,
        along: false,
        from: false,
        retracted: false,
        failures: 0,
        spread: (0, 0),
    }
}

/// A broad server of Pro Contrôle in Paris, an hour later, with a good backup.
fn quiet(releases: Vec<DrawnRelease>) -> Draw {
    Draw {
        schedule: 0,
        site: 0,
        minute: 15 * 60,
        canary: false,
        canaries: [false; 3],
        releases,
        request: None,
        short_notice: false,
        hold: None,
        agreed: None,
        closed: None,
        backup: Some((1, true)),
        later: (0, false),
    }
}

/// ISACOMPTA, and an ISAPAYE that needs it.
fn pair() -> Vec<DrawnRelease> {
    vec![minor(0, 3), DrawnRelease { requires: true, ..minor(1, 1) }]
}

fn check(name: &str, draw: &Draw, expected: &[&str]) {
    let mut site = Site::new(draw);
    if draw.later.0 > 0 {
        let decisions = site.plan();
        site.go_on(&decisions, draw.later);
    }
    let findings = site.check(&site.plan());
    assert_eq!(heads(&findings), expected, "{name}: {findings:#?}");
}

#[test]
fn small_worlds_without_a_fault_have_no_findings() {
    check("one", &quiet(vec![minor(0, 3)]), &[]);
    check("a pair", &quiet(pair()), &[]);
    check("a hold", &Draw { hold: Some((0, Some(30))), ..quiet(pair()) }, &[]);
    check("canaries", &Draw { canaries: [true; 3], ..quiet(pair()) }, &[]);
}

#[test]
fn what_the_planner_once_got_wrong() {
    // Looked at on Friday at noon, planned for that evening.
    let manual = DrawnRelease { manual: true, hours: 40, ..minor(0, 3) };
    let late = Draw { minute: 35 * 60, ..quiet(vec![manual]) };
    check("announced late", &late, &[]);

    let agreed = Draw { hold: Some((0, Some(6))), agreed: Some((0, 5, 1)), ..quiet(vec![minor(0, 3)]) };
    check("an agreed slot under a hold", &agreed, &[]);
    let held = Draw { hold: Some((2, Some(30))), ..quiet(pair()) };
    check("a group under a hold on one of it", &held, &[]);

    let over = DrawnRelease { major: true, says_minor: true, ..minor(1, 3) };
    let major = DrawnRelease { major: true, ..minor(1, 1) };
    check("a minor over a major", &quiet(vec![over, major]), &[]);

    let ring = Draw { canaries: [true, false, false], ..quiet(pair()) };
    check("a group before the canaries of one of it", &ring, &[]);

    // Two of 266 minutes each and one night of 540; the second is looked at while the first is under way.
    let long = |product: usize| DrawnRelease { minutes: 256, hours: 20, ..minor(product, 1) };
    let running = Draw { later: (7, true), ..quiet(vec![long(0), long(2)]) };
    check("no room beside what is running", &running, &[]);
}
