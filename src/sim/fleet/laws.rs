//! The laws of the simulation itself, beside the independent checker: few, and looked at where things happen.

use super::book::Book;
use super::figures::Figures;
use crate::decide::world::World;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::NewEvent;
use crate::model::version::Change;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// At the moment an installation starts.
pub fn started(world: &World, place: usize, deployment: &Deployment, now: DateTime<Utc>, figures: &mut Figures) {
    let mut broken = |rule: &str, text: String| {
        figures.violate(
            now,
            Some(deployment.server.clone()),
            rule,
            format!("{} {}: {text}", deployment.product, deployment.to),
        );
    };
    if !deployment.slot.contains(now) {
        broken("slot", format!("started outside its slot {} to {}", deployment.slot.start, deployment.slot.end));
    }
    let release = world.release(&deployment.product, &deployment.to);
    if release.is_none_or(|r| r.retracted.is_some()) {
        broken("retracted", "started although it is withdrawn or unknown".to_owned());
    }
    let site = world.site(place);
    let installed = site.state.inventory.get(&deployment.product);
    if installed.is_none_or(|v| *v >= deployment.to) {
        broken("twice", format!("started over {installed:?}"));
    }
    if !world.customer(place).client.order.contains(&deployment.product) {
        broken("out-of-scope", "the order does not name it".to_owned());
    }
    let crosses = installed.is_some_and(|v| v.first_number() != deployment.to.first_number());
    let asked = deployment.request.is_some_and(|id| world.customer(place).requests.iter().any(|r| r.id == id));
    if (crosses || deployment.change == Change::Major) && !asked {
        broken("major-on-request", "a major that nobody asked for".to_owned());
    }
    if deployment.manual && deployment.attended_by.is_none() {
        broken("manual-slots", "unattended".to_owned());
    }
}

/// Each change of a deployment has its event, and those a client is told of their letter.
pub fn recorded(
    before: &Book,
    deployments: &[Deployment],
    events: &[NewEvent],
    keys: &BTreeSet<&str>,
    now: DateTime<Utc>,
    figures: &mut Figures,
) {
    for deployment in deployments {
        let known = before.deployments.get(&deployment.id);
        let mut broken = |rule: &str, text: &str| {
            let text = format!("{} {} ({}): {text}", deployment.product, deployment.to, deployment.id);
            figures.violate(now, Some(deployment.server.clone()), rule, text);
        };
        if known != Some(deployment) && !events.iter().any(|e| e.deployment == Some(deployment.id)) {
            broken("event", "changed without an event");
        }
        let told = |key: String| keys.contains(key.as_str()) || before.has_letter(&key);
        let missing = match &deployment.state {
            DeploymentState::Planned => known.is_none() && !told(format!("planned/{}", deployment.id)),
            DeploymentState::Installed { .. } => !told(format!("installed/{}", deployment.id)),
            DeploymentState::RolledBack { .. } | DeploymentState::Refused { .. } | DeploymentState::Failed { .. } => {
                !told(format!("failed/{}", deployment.id))
            }
            DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => false,
        };
        let moved = known.is_some_and(|k| k.state == deployment.state && k.slot != deployment.slot);
        let moves = format!("moved/{}/", deployment.id);
        let told_anew = keys.iter().any(|key| key.starts_with(&moves) && !before.has_letter(key));
        if missing || (moved && !told_anew) {
            broken("notice", "the client was not told");
        }
    }
}
