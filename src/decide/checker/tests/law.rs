//! The planner over generated worlds: whatever the facts are, the checker finds nothing fatal in what it plans.

use super::fleet_of_one::{Draw, Site, draw};
use crate::decide::checker::{Finding, Severity};
use proptest::prelude::*;

fn fatal(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|found| found.severity == Severity::Fatal).map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_the_planner_plans_breaks_no_rule(draw in draw()) {
        let site = Site::new(&draw);
        prop_assert_eq!(fatal(&site.check(&site.plan())), Vec::<String>::new());
    }
}

#[test]
fn explore() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    let n: usize = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let only = std::env::var("ONLY").unwrap_or("fatal".into());
    let mut runner = TestRunner::deterministic();
    let key = |f: &Finding| {
        let words: Vec<&str> = f
            .text
            .split_whitespace()
            .filter(|w| {
                w.chars().all(|c| c.is_alphabetic() || c == ',')
                    && w.len() > 3
                    && !["isacompta", "isapaye", "isaged"].contains(w)
            })
            .collect();
        format!("{} {} {}", f.severity, f.rule, words[words.len().saturating_sub(5)..].join(" "))
    };
    let mut seen: std::collections::BTreeMap<String, usize> = Default::default();
    for _ in 0..n {
        let mut tree = draw().new_tree(&mut runner).unwrap();
        let twice = std::env::var("TWICE").is_ok();
        let make = |d: &Draw| {
            let mut s = Site::new(d);
            if twice {
                let p = s.plan();
                s.go_on(&p, d.later);
            }
            s
        };
        let look = |d: &Draw| {
            let s = make(d);
            let p = s.plan();
            s.check(&p).iter().filter(|f| f.severity.name() == only).map(key).collect::<Vec<_>>()
        };
        for k in look(&tree.current()) {
            let c = seen.entry(k.clone()).or_default();
            *c += 1;
            if *c > 1 {
                continue;
            }
            let mut best = tree.current();
            if tree.simplify() {
                loop {
                    let now = tree.current();
                    let moved = if look(&now).contains(&k) {
                        best = now;
                        tree.simplify()
                    } else {
                        tree.complicate()
                    };
                    if !moved {
                        break;
                    }
                }
            }
            let site = make(&best);
            let plan = site.plan();
            println!("## {k}\n  now {} {best:?}", site.now);
            for d in &plan {
                println!(
                    "  -> {} {:?} because {:?}",
                    d.product,
                    d.outcome,
                    d.reasons.iter().map(|r| &r.text).collect::<Vec<_>>()
                );
            }
            for f in site.check(&plan) {
                println!("  !! {f}");
            }
        }
    }
    println!("{seen:#?}");
}

#[test]
fn hand() {
    let r = |product: usize, patch: u32, requires: bool| super::fleet_of_one::DrawnRelease {
        product,
        major: false,
        says_minor: false,
        patch,
        hours: 1,
        minutes: 20,
        manual: false,
        requires,
        along: false,
        from: false,
        retracted: false,
        failures: 0,
        spread: (0, 0),
    };
    let base = Draw {
        schedule: 0,
        site: 0,
        minute: 15 * 60,
        canary: false,
        canaries: [false; 3],
        releases: vec![r(0, 3, false), r(1, 1, true)],
        request: None,
        short_notice: false,
        hold: None,
        agreed: None,
        closed: None,
        backup: Some((1, true)),
        later: (0, false),
    };
    let show = |name: &str, d: &Draw| {
        let site = Site::new(d);
        let plan = site.plan();
        println!("## {name}");
        for d in &plan {
            println!(
                "  -> {} {:?} because {:?}",
                d.product,
                d.outcome,
                d.reasons.iter().map(|r| &r.text).collect::<Vec<_>>()
            );
        }
        for f in site.check(&plan) {
            println!("  !! {f}");
        }
    };
    show("M canaries of the required", &Draw { canaries: [true, false, false], ..base.clone() });
    show("N hold on the required", &Draw { hold: Some((2, Some(30))), ..base.clone() });
    let mut failed = base.clone();
    failed.releases[0].failures = 1;
    failed.releases[0].hours = 30;
    show("failed before", &failed);
    show("agreed for the required only", &Draw { agreed: Some((0, 26, 3)), ..base.clone() });
    show("agreed for the other", &Draw { agreed: Some((1, 26, 3)), ..base.clone() });
    let mut manual = base.clone();
    manual.releases[0].manual = true;
    show("manual required", &manual);
}
