//! Deciding as if it were written down already, until that changes nothing.
//!
//! What was promised has a weight of its own: a group that was moved for want of room may look otherwise once its members
//! have their slots. Where one was moved and something is late all the same, the next planning is rehearsed in this one, so
//! that it finds nothing to change.

use super::load::Load;
use super::planner::{self, Facts, Verdicts};
use super::reconcile;
use super::world::World;
use crate::model::decision::Decision;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::release::Release;
use crate::model::slot::Slot;

/// Most rehearsals of one server. What still changes then goes on at the next planning.
const REHEARSALS_MAX: u32 = 4;

/// Decides for every product of a server, in words.
pub fn plan(facts: &Facts) -> Vec<Decision> {
    weigh(facts, |facts, verdicts| verdicts.decisions(facts))
}

/// Weighs what is to be done on a server, and gives what `look` makes of it.
pub fn weigh<T>(facts: &Facts, look: impl FnOnce(&Facts, &Verdicts) -> T) -> T {
    let verdicts = planner::weigh(facts);
    if verdicts.is_crowded() { again(facts, facts, &verdicts, REHEARSALS_MAX, look) } else { look(facts, &verdicts) }
}

/// `facts` are those before anything was rehearsed, `before` those that led to `verdicts`.
fn again<T>(
    facts: &Facts,
    before: &Facts,
    verdicts: &Verdicts,
    left: u32,
    look: impl FnOnce(&Facts, &Verdicts) -> T,
) -> T {
    let planned = reconcile::slots(verdicts, before.deployments);
    let planned = planned.map(|(release, slot, requested)| as_written(before, release, slot, requested));
    let others = before.deployments.iter().filter(|d| d.state != DeploymentState::Planned).cloned();
    let written: Vec<Deployment> = others.chain(planned).collect();
    let own = World::promises(before, verdicts);
    let then = Facts { deployments: &written, load: Load { own: &own, ..before.load }, ..*before };
    let next = planner::weigh(&then);
    if left == 0 || next.are_the_same(verdicts) {
        return look(facts, verdicts);
    }
    again(facts, &then, &next, left - 1, look)
}

/// The deployment that it will be, as far as deciding looks at it.
fn as_written(facts: &Facts, release: &Release, slot: Slot, requested: bool) -> Deployment {
    let request = facts.requests.iter().find(|r| requested && r.product == release.product());
    Deployment {
        id: 0,
        action: 0,
        position: 0,
        client: facts.client.id.clone(),
        server: facts.server.id.clone(),
        product: release.product().to_owned(),
        from: None,
        to: release.version().clone(),
        change: release.manifest().change,
        manual: release.manifest().is_manual(),
        attended_by: None,
        concertation: None,
        slot,
        published_at: release.published_at(),
        deadline: None,
        request: request.map(|request| request.id),
        attempt: 1,
        reasons: [].into(),
        transfer: None,
        state: DeploymentState::Planned,
    }
}
