//! Shows the checker what is about to happen in a world: plans before they are written, installations as they start.
//!
//! The one place where planner and checker meet; neither knows of the other.

use super::checker::{Finding, Scene, Spread};
use super::world::World;
use crate::model::decision::Decision;
use crate::model::deployment::Deployment;
use crate::model::release::Release;
use chrono::{DateTime, Utc};

/// What is wrong with the decisions for the server at `place`.
pub fn decisions(world: &World, place: usize, decisions: &[Decision], now: DateTime<Utc>) -> Vec<Finding> {
    with_scene(world, place, now, |scene| world.site(place).checker.decisions(scene, decisions))
}

/// What is wrong with starting a group of deployments now.
pub fn handed_out(world: &World, place: usize, group: &[Deployment], now: DateTime<Utc>) -> Vec<Finding> {
    let group: Vec<&Deployment> = group.iter().collect();
    with_scene(world, place, now, |scene| world.site(place).checker.handed_out(scene, &group))
}

fn with_scene<T>(world: &World, place: usize, now: DateTime<Utc>, look: impl FnOnce(&Scene) -> T) -> T {
    let (site, customer) = (world.site(place), world.customer(place));
    let spread = |release: &Release| {
        let progress = world.rollout().of(release);
        let canaries = u32::try_from(world.canaries_of(release.product())).unwrap_or(u32::MAX);
        Spread {
            canaries,
            canaries_settled: progress.canaries_installed.min(canaries),
            tried: progress.tried(),
            failed: progress.failed,
        }
    };
    look(&Scene {
        now,
        client: &customer.client,
        server: world.server(place),
        state: &site.state,
        releases: world.catalog(),
        requests: &customer.requests,
        agreements: &customer.agreements,
        holds: world.holds(),
        deployments: &site.deployments,
        spread: &spread,
        minutes: &|release| world.durations().minutes(&customer.terms, release).0,
    })
}
