//! From decisions to steps as tables: what is written when something begins, moves, ends or stays.

use super::*;
use crate::decide::planner::tests::{manifest, release, terms};
use crate::decide::world::{Almanacs, Parts};
use crate::model::decision::Plan;
use crate::model::release::Retraction;
use crate::model::report::ServerState;
use crate::model::rule::Rule;
use crate::model::version::Change;
use std::sync::Arc;

/// Nights of the site, by the day they begin on in April 2026.
fn night(day: u32) -> Slot {
    let at = |day: u32, hour: u32| format!("2026-04-{day:02}T{hour:02}:00:00Z").parse().unwrap();
    Slot::new(at(day, 20), at(day + 1, 5)).unwrap()
}

/// One server that runs isacompta and isaged, both of which have a minor.
struct Story {
    world: World,
    now: DateTime<Utc>,
    next_id: i64,
}

impl Story {
    fn new() -> Story {
        let now = "2026-04-20T10:00:00Z".parse().unwrap();
        let client = serde_json::from_value(serde_json::json!({
            "id": "martin", "name": "Cabinet Martin", "schedule": "pro-controle", "holidays": "FR",
            "order": ["isacompta", "isaged"], "contacts": [], "server": [{ "id": "m1", "zone": "Europe/Paris" }],
        }));
        let inventory = [("isacompta", "14.20.002"), ("isaged", "3.8.0")];
        let inventory = inventory.map(|(product, version)| (product.to_owned(), version.parse().unwrap())).into();
        let minor = |product, version| release(manifest(product, version, Change::Minor), "2026-04-20 09:00");
        let parts = Parts {
            clients: vec![client.unwrap()],
            terms: [("pro-controle".to_owned(), Arc::new(terms().clone()))].into(),
            states: [("m1".to_owned(), ServerState { inventory, ..ServerState::default() })].into(),
            releases: vec![minor("isacompta", "14.20.003"), minor("isaged", "3.8.1")],
            ..Parts::default()
        };
        Story { world: World::new(parts, &mut Almanacs::default(), now).unwrap(), now, next_id: 1 }
    }

    fn decision(product: &str, outcome: Outcome) -> Decision {
        Decision {
            client: "martin".into(),
            server: "m1".into(),
            product: product.into(),
            outcome,
            reasons: vec![Reason::new(Rule::MinorNight, "because", "parce que")].into(),
        }
    }

    /// Writes what the decisions ask for, an hour after the last time, and tells it: events, letters, alerts.
    fn settle(&mut self, decisions: &[Decision]) -> Vec<String> {
        self.now += chrono::TimeDelta::hours(1);
        let n = new_deployments(decisions, self.world.site(0));
        let steps = steps(&self.world, 0, decisions, Ids::from(self.next_id), self.now).unwrap();
        self.next_id += i64::from(n);
        let site = self.world.site_mut(0);
        for deployment in &steps.deployments {
            site.deployments.retain(|d| d.id != deployment.id);
            site.deployments.push(deployment.clone());
        }
        site.deployments.retain(|d| d.state.is_open());
        site.standing = steps.standing.unwrap_or_else(|| site.standing.clone());
        let events = steps.events.iter().map(|e| format!("{:?}: {}", e.kind, e.text));
        let letters = steps.notices.iter().map(|n| format!("letter {}", n.key));
        let alerts = steps.alerts.iter().map(|a| format!("alert {}", a.cause));
        events.chain(letters).chain(alerts).chain(steps.resolved.iter().map(|c| format!("resolved {c}"))).collect()
    }
}

fn plan(version: &str, slot: Slot, leader: &str, position: u32) -> Plan {
    Plan { version: version.parse().unwrap(), slot, deadline: None, request: None, position, leader: leader.into() }
}

fn isacompta(day: u32) -> Decision {
    let placed = plan("14.20.003", night(day), "isacompta 14.20.003", 0);
    Story::decision("isacompta", Outcome::Planned(placed))
}

fn isaged(day: u32, leader: &str, position: u32) -> Decision {
    Story::decision("isaged", Outcome::Planned(plan("3.8.1", night(day), leader, position)))
}

#[test]
fn a_plan_is_written_and_told_once() {
    let mut story = Story::new();
    let told = story.settle(&[isacompta(20)]);
    let span = "Mon 20 Apr 22:00 to Tue 21 Apr 07:00";
    assert_eq!(told, [format!("Planned: isacompta 14.20.003 planned for {span}"), "letter planned/1".into()]);
    assert_eq!(story.settle(&[isacompta(20)]), [""; 0]);
}

#[test]
fn each_move_has_its_own_letter_back_to_where_it_was_too() {
    let mut story = Story::new();
    story.settle(&[isacompta(20)]);
    let mut keys = std::collections::BTreeSet::new();
    for day in [21, 20, 21, 20] {
        let told = story.settle(&[isacompta(day)]);
        let letters: Vec<&String> = told.iter().filter(|line| line.starts_with("letter moved/1/")).collect();
        assert_eq!((told.len(), letters.len()), (2, 1), "{told:?}");
        assert!(keys.insert(letters[0].clone()), "a key that was used before would keep the letter back: {told:?}");
        assert_eq!(story.settle(&[isacompta(day)]), [""; 0]);
    }
}

#[test]
fn a_group_shares_its_first_deployments_action_and_is_taken_apart_without_a_letter() {
    let mut story = Story::new();
    let leader = "isacompta 14.20.003";
    story.settle(&[isacompta(20), isaged(20, leader, 1)]);
    let actions = |story: &Story| -> Vec<(i64, i64, u32)> {
        story.world.site(0).deployments.iter().map(|d| (d.id, d.action, d.position)).collect()
    };
    assert_eq!(actions(&story), [(1, 1, 0), (2, 1, 1)]);
    assert_eq!(story.settle(&[isacompta(20), isaged(20, leader, 1)]), [""; 0]);
    let told = story.settle(&[isacompta(20), isaged(20, "isaged 3.8.1", 0)]);
    assert_eq!(told.len(), 1, "the night stays, so the client hears nothing: {told:?}");
    assert!(told[0].contains("isaged 3.8.1 stays on"), "{told:?}");
    assert_eq!(actions(&story), [(1, 1, 0), (2, 2, 0)]);
}

#[test]
fn what_is_no_longer_intended_is_given_up_and_says_why() {
    let mut story = Story::new();
    story.settle(&[isacompta(20)]);
    let waits = Story::decision("isacompta", Outcome::Waiting);
    let told = story.settle(std::slice::from_ref(&waits));
    assert_eq!(told, ["Cancelled: isacompta 14.20.003 given up: because", "letter cancelled/1"]);
    assert!(story.world.site(0).deployments.is_empty());
    // The product has left the server.
    story.settle(&[isacompta(21)]);
    let told = story.settle(&[]);
    assert_eq!(told[0], "Cancelled: isacompta 14.20.003 given up: the product is no longer on the server");
}

#[test]
fn a_withdrawn_release_is_given_up_with_its_publishers_reason() {
    let mut story = Story::new();
    story.settle(&[isacompta(20)]);
    let mut withdrawn = (**story.world.release("isacompta", &"14.20.003".parse().unwrap()).unwrap()).clone();
    withdrawn.retracted = Some(Retraction { at: story.now, reason: "faulty".into() });
    story.world.publish(withdrawn);
    let told = story.settle(&[Story::decision("isacompta", Outcome::UpToDate)]);
    assert_eq!(told[0], "Cancelled: isacompta 14.20.003 given up: withdrawn by its publisher: faulty");
    assert_eq!(told.iter().filter(|line| line.starts_with("letter retracted/")).count(), 1, "{told:?}");
}

#[test]
fn trouble_is_told_when_it_begins_and_taken_back_when_it_ends() {
    let mut story = Story::new();
    story.settle(&[isacompta(20)]);
    let held = Outcome::Held { plan: isacompta(20).outcome.plan().cloned() };
    let held = Story::decision("isacompta", held);
    let told = story.settle(std::slice::from_ref(&held));
    assert_eq!(told, ["Held: isacompta: because", "alert held/m1/isacompta"]);
    assert_eq!(story.settle(&[held]), [""; 0]);
    assert_eq!(story.world.site(0).deployments.len(), 1, "what is held keeps its promise");
    let told = story.settle(&[isacompta(20)]);
    assert_eq!(told.last().map(String::as_str), Some("resolved held/m1/isacompta"), "{told:?}");
}

/// isacompta in the night of `day`, due by the end of the night of the 20th, for these reasons in this order.
fn due(day: u32, outcome: impl Fn(Plan) -> Outcome, rules: &[Rule]) -> Decision {
    let placed = plan("14.20.003", night(day), "isacompta 14.20.003", 0);
    let outcome = outcome(Plan { deadline: Some(night(20).end), ..placed });
    let reasons = rules.iter().map(|rule| Reason::new(*rule, format!("because of {rule}"), "parce que")).collect();
    Decision { reasons, ..Story::decision("isacompta", outcome) }
}

fn held(plan: Plan) -> Outcome {
    Outcome::Held { plan: Some(plan) }
}

#[test]
fn a_missing_backup_is_one_alert_over_the_nights_it_costs_and_late_is_said_beside_it() {
    let mut story = Story::new();
    story.settle(&[due(20, Outcome::Planned, &[Rule::MinorNight])]);
    let told = story.settle(&[due(20, held, &[Rule::MinorNight, Rule::BackupFirst])]);
    assert_eq!(told, ["Held: isacompta: because of backup-first", "alert held/m1/isacompta"]);
    let next = due(21, held, &[Rule::MinorNight, Rule::BackupFirst]);
    let told = story.settle(std::slice::from_ref(&next));
    assert_eq!(told[0], "Moved: isacompta 14.20.003 moved to Tue 21 Apr 22:00 to Wed 22 Apr 07:00");
    assert_eq!(told[1], "Late: isacompta: because of minor-night");
    assert!(told[2].starts_with("letter moved/1/"), "{told:?}");
    assert_eq!(told[3..], ["alert late/m1/isacompta"], "the hold goes on, so its alert does");
    assert_eq!(story.settle(&[next]), [""; 0]);
    let told = story.settle(&[due(21, Outcome::Late, &[Rule::MinorNight])]);
    let over = "Released: isacompta 14.20.003 is no longer held (backup-first)";
    assert_eq!(told, [over, "resolved held/m1/isacompta"], "late it stays");
    let told = story.settle(&[Story::decision("isacompta", Outcome::UpToDate)]);
    assert!(told.iter().all(|line| !line.starts_with("Released")), "it was late to the end: {told:?}");
    assert_eq!(told.last().map(String::as_str), Some("resolved late/m1/isacompta"));
}

#[test]
fn a_plan_that_is_in_time_again_is_no_longer_late() {
    let mut story = Story::new();
    story.settle(&[due(21, Outcome::Late, &[Rule::Hold, Rule::MinorNight])]);
    let told = story.settle(&[due(20, Outcome::Planned, &[Rule::MinorNight])]);
    assert!(
        told.contains(&"Released: isacompta 14.20.003 is no longer late: it is planned in time".into()),
        "{told:?}"
    );
    assert_eq!(told.last().map(String::as_str), Some("resolved late/m1/isacompta"));
}

#[test]
fn a_hold_of_staffs_keeps_the_promise_whatever_its_night() {
    let mut story = Story::new();
    story.settle(&[due(20, Outcome::Planned, &[Rule::MinorNight])]);
    let told = story.settle(&[due(21, held, &[Rule::MinorNight, Rule::Hold])]);
    assert!(told.iter().all(|line| !line.contains("moved")), "{told:?}");
}

#[test]
fn a_moved_letter_says_what_spoke_against_the_old_slot() {
    let mut decision = due(20, Outcome::Planned, &[Rule::MinorNight, Rule::Hold, Rule::BackupFirst, Rule::MinorNight]);
    assert_eq!(why_moved(&decision).en.as_deref(), Some("because of hold"));
    decision.reasons = decision.reasons.iter().filter(|r| r.rule != Rule::Hold).cloned().collect();
    assert_eq!(
        why_moved(&decision).en.as_deref(),
        Some("because of minor-night"),
        "what settled it, for want of better"
    );
    let decision = due(21, held, &[Rule::MaintenanceSlots, Rule::BackupFirst]);
    assert_eq!(why_moved(&decision).en.as_deref(), Some("because of backup-first"));
}
