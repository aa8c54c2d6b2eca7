//! The planner's promises over generated worlds: what must hold whatever the facts are.

use super::tests::{World, manifest, terms};
use super::*;
use crate::decide::laws::seed;
use crate::decide::notice;
use crate::decide::window::CompiledWindow;
use crate::model::decision::Outcome;
use crate::model::deployment::DeploymentState;
use crate::model::fleet::Ring;
use crate::model::manifest::{Requirement, Text};
use crate::model::release::Retraction;
use crate::model::report::Backup;
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::TimeDelta;
use proptest::prelude::*;

const ZONES: [chrono_tz::Tz; 4] =
    [chrono_tz::Europe::Paris, chrono_tz::Indian::Reunion, chrono_tz::America::Miquelon, chrono_tz::Pacific::Noumea];

/// One release, drawn: product, line, patch, hours since publication, minutes it takes, flags.
type Draw = (u8, bool, u8, i64, u32, u8);

fn world() -> impl Strategy<Value = World> {
    let releases = prop::collection::vec((0..3_u8, any::<bool>(), 0..6_u8, 0..240_i64, 5..300_u32, any::<u8>()), 0..8);
    let request = prop::option::of(0..40_i64);
    // Minutes from 1 January 2026 over fifteen months, both clock changes included.
    (0..650_000_i64, 0..ZONES.len(), any::<bool>(), releases, request, prop::option::of(0..100_i64), any::<bool>())
        .prop_map(|(minute, zone, canary, releases, request, backup_hours, canaries)| {
            let mut world = World::at("2026-01-01 00:00");
            world.now += TimeDelta::minutes(minute);
            world.client.servers[0].zone = ZONES[zone];
            world.client.servers[0].ring = if canary { Ring::Canary } else { Ring::Broad };
            world.state.backup =
                backup_hours.map(|h| Backup { finished_at: world.now - TimeDelta::hours(h), succeeded: h % 7 != 0 });
            world = world.install("isapaye", "14.20.000").install("eic", "14.20.000");
            for draw in releases {
                world = publish(world, draw);
            }
            if canaries {
                world.canaries.extend([("isacompta".to_owned(), 1), ("isapaye".to_owned(), 1)]);
            }
            match request {
                Some(days) => {
                    let before = (world.now + TimeDelta::days(days)).date_naive().to_string();
                    world.request("15.00.001", &before)
                }
                None => world,
            }
        })
}

fn publish(mut world: World, (product, major, patch, hours, minutes, flags): Draw) -> World {
    let product = ["isacompta", "isapaye", "eic"][usize::from(product)];
    let version = if major { format!("15.00.{patch:03}") } else { format!("14.20.{patch:03}") };
    if world.releases.iter().any(|r| r.product() == product && r.version().as_str() == version) {
        return world;
    }
    let mut manifest = manifest(product, &version, if major { Change::Major } else { Change::Minor });
    manifest.duration_minutes = minutes;
    if flags & 1 == 1 {
        manifest.manual_steps = Some(Text { fr: "Relancer".into(), en: None });
    }
    if flags & 2 == 2 && product == "isapaye" {
        manifest.requires = vec![Requirement { product: "isacompta".into(), at_least: "14.20.003".parse().unwrap() }];
    }
    if flags & 4 == 4 {
        manifest.upgrade_from = Some("14.20.001".parse().unwrap());
    }
    let published = world.now - TimeDelta::hours(hours);
    world = world.publish(manifest, "2026-01-01 00:00");
    if let Some(release) = world.releases.last_mut() {
        release.signed.published_at = published;
        release.retracted = (flags & 24 == 24).then(|| Retraction { at: published, reason: "faulty".into() });
    }
    world
}

/// The decisions as open deployments, as the planning job would have written them.
fn promise(world: &mut World, decisions: &[Decision]) {
    for decision in decisions {
        if let Some(plan) = decision.outcome.plan() {
            let mut deployment = super::tests::deployment(
                world,
                plan.version.as_str(),
                ("2026-01-01 00:00", "2026-01-01 01:00"),
                DeploymentState::Planned,
            );
            deployment.product = decision.product.clone();
            deployment.slot = plan.slot;
            world.deployments.push(deployment);
        }
    }
}

fn is_slot_of(window: &CompiledWindow, calendar: &Calendar, slot: Slot) -> bool {
    window.slots(calendar, slot.start, slot.end).contains(&slot)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_the_contract(world in world()) {
        let terms = terms();
        let calendar = world.calendar();
        for decision in world.plan() {
            prop_assert!(!decision.reasons.is_empty(), "no reason: {decision:?}");
            let ordered = world.client.order.contains(&decision.product);
            prop_assert_eq!(matches!(decision.outcome, Outcome::OutOfScope), !ordered);
            let Some(plan) = decision.outcome.plan() else { continue };
            let release = world.releases.iter().find(|r| r.product() == decision.product && *r.version() == plan.version);
            let release = release.expect("what is planned was published");
            let installed = &world.state.inventory[&decision.product];
            prop_assert!(release.retracted.is_none() && release.published_at() <= world.now);
            prop_assert!(plan.version > *installed, "never a downgrade, never twice");
            prop_assert!(plan.slot.end > world.now);
            let crosses = plan.version.first_number() != installed.first_number();
            prop_assert!(!crosses || plan.request.is_some(), "a major without a request");
            if plan.request.is_some() || release.manifest().is_manual() {
                prop_assert!(is_slot_of(terms.window("maintenance"), &calendar, plan.slot));
            } else {
                prop_assert!(is_slot_of(terms.window("night"), &calendar, plan.slot));
                let deadline = notice::minor_deadline(terms, &calendar, release.published_at());
                prop_assert_eq!(plan.deadline, Some(deadline));
                prop_assert_eq!(matches!(decision.outcome, Outcome::Late(_)), plan.slot.end > deadline);
            }
            prop_assert!(!terms.window("office").touches(&calendar, plan.slot), "overlaps office hours");
            let need = i64::from(release.manifest().duration_minutes + release.manifest().rollback_minutes);
            prop_assert!(plan.slot.end - plan.slot.start.max(world.now) >= TimeDelta::minutes(need), "cannot end in its slot");
            if let Some(request) = plan.request {
                let request = world.requests.iter().find(|r| r.id == request).expect("it names a request");
                let last = (plan.slot.end - TimeDelta::seconds(1)).with_timezone(&calendar.zone).date_naive();
                prop_assert!(last <= request.before, "ends after the latest date");
            }
        }
    }

    #[test]
    fn whatever_is_held_late_or_waits_says_what_would_change_it(world in world()) {
        for decision in world.plan() {
            let stuck = matches!(decision.outcome, Outcome::Held { .. } | Outcome::Late(_) | Outcome::Waiting);
            let way_out = decision.reasons.iter().any(|reason| reason.remedy.is_some());
            prop_assert!(way_out || !stuck, "no way out: {decision:?}");
            for reason in decision.reasons.iter() {
                prop_assert!(reason.remedy.as_ref().is_none_or(|r| !r.fr.is_empty() && r.en.as_ref().is_some_and(|en| !en.is_empty())));
            }
        }
    }

    #[test]
    fn planning_twice_changes_nothing(world in world()) {
        let mut world = world;
        let first = world.plan();
        promise(&mut world, &first);
        let second = world.plan();
        let plans = |all: &[Decision]| all.iter().map(|d| (d.product.clone(), d.outcome.clone())).collect::<Vec<_>>();
        prop_assert_eq!(plans(&first), plans(&second));
    }

    #[test]
    fn the_order_in_which_releases_arrive_does_not_matter(world in world()) {
        let mut other = world.clone();
        other.releases.reverse();
        prop_assert_eq!(world.plan(), other.plan());
    }

    #[test]
    fn a_required_product_comes_first_or_along(world in world()) {
        let decisions = world.plan();
        for decision in &decisions {
            let Some(plan) = decision.outcome.plan() else { continue };
            let release = world.releases.iter().find(|r| r.product() == decision.product && *r.version() == plan.version);
            for requirement in &release.expect("it was published").manifest().requires {
                let there = world.state.inventory.get(&requirement.product).is_some_and(|v| *v >= requirement.at_least);
                let along = decisions.iter().any(|d| d.product == requirement.product && d.outcome.plan().is_some_and(|p| {
                    p.version >= requirement.at_least
                        && (p.slot.end <= plan.slot.start || (p.leader == plan.leader && p.position < plan.position && p.slot == plan.slot))
                }));
                prop_assert!(there || along, "{decision:?}");
            }
        }
    }
}
