//! One planning of a whole world, as the planning job does it: decide for one server after the other, promise, find
//! the steps, write them down.

use super::draw::{Draw, Fate};
use super::world::Case;
use crate::decide::checker::Finding;
use crate::decide::inspect;
use crate::decide::reconcile::{self, Ids, Steps};
use crate::decide::rounds;
use crate::decide::world::World;
use crate::model::decision::Decision;
use crate::model::deployment::{Closing, Deployment, DeploymentState};
use crate::model::report::Backup;
use chrono::TimeDelta;
use proptest::test_runner::TestCaseError;
use std::collections::BTreeMap;

/// What one planning of a fleet came to.
pub struct Pass {
    pub world: World,
    pub servers: Vec<Planned>,
}

/// What it came to for one server.
pub struct Planned {
    pub decisions: Vec<Decision>,
    /// Whether what is written already says so.
    pub agrees: bool,
    pub steps: Steps,
    /// What the checker forbids: nothing of it is written.
    pub fatal: Vec<Finding>,
}

/// Looks at what is planned for a drawn world, and once more after what was planned is written and time went by.
pub fn look_twice(draw: &Draw, check: impl Fn(&Case, &Pass) -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    let mut case = Case::new(draw);
    let first = case.plan();
    check(&case, &first)?;
    case.write(&first);
    case.go_on(draw);
    check(&case, &case.plan())
}

impl Case {
    pub fn plan(&self) -> Pass {
        let mut world = self.world();
        let places = world.places();
        let decided = rounds::plan(&mut world, places, self.now, |world, place, facts, verdicts| {
            (verdicts.decisions(facts), reconcile::differing(verdicts, facts, world.site(place)))
        });
        let mut id = self.next_id;
        let mut servers = Vec::new();
        for (place, (decisions, differing)) in decided {
            let mut fatal = inspect::decisions(&world, place, &decisions, self.now);
            fatal.retain(Finding::is_fatal);
            let steps = |told: &[Decision]| reconcile::steps(&world, place, told, Ids::from(id), self.now).unwrap();
            let (agrees, steps) = match &differing {
                None => (true, steps(&decisions)),
                // What is not told in all words is not written either.
                Some(differing) => {
                    assert_eq!(steps(differing), steps(&decisions));
                    (false, steps(differing))
                }
            };
            id += i64::from(reconcile::new_deployments(&decisions, world.site(place)));
            servers.push(Planned { decisions, agrees, steps, fatal });
        }
        Pass { world, servers }
    }

    /// Writes down what a planning came to.
    pub fn write(&mut self, pass: &Pass) {
        for planned in &pass.servers {
            for deployment in &planned.steps.deployments {
                self.next_id = self.next_id.max(deployment.id + 1);
                match self.parts.deployments.iter_mut().find(|known| known.id == deployment.id) {
                    Some(known) => *known = deployment.clone(),
                    None => self.parts.deployments.push(deployment.clone()),
                }
            }
            if let Some(standing) = &planned.steps.standing {
                self.parts.standings.retain(|known| known.server != standing.server);
                self.parts.standings.push(standing.clone());
            }
        }
        self.parts.deployments.retain(|d| !matches!(d.state, DeploymentState::Cancelled { .. }));
    }

    /// Time goes by: backups come, and of what is due something becomes.
    pub fn go_on(&mut self, draw: &Draw) {
        let before = self.now;
        self.now += TimeDelta::hours(draw.later);
        if draw.backs_up {
            for state in self.parts.states.values_mut().filter(|_| draw.later > 0) {
                state.backup = Some(Backup { finished_at: self.now - TimeDelta::minutes(30), succeeded: true });
            }
        }
        let mut fates: BTreeMap<i64, Fate> = BTreeMap::new();
        // A server installs one thing at a time: what runs on it, runs alone.
        let mut busy: Vec<String> = Vec::new();
        let all = std::mem::take(&mut self.parts.deployments);
        let is_over = |d: &Deployment| d.slot.end <= self.now;
        for deployment in &all {
            let due = deployment.state.is_open() && deployment.slot.start.max(before) < self.now;
            if !due || fates.contains_key(&deployment.action) {
                continue;
            }
            let drawn = draw.fates.get(fates.len() % draw.fates.len().max(1)).copied().unwrap_or(Fate::Missed);
            let runs = drawn == Fate::Running;
            let fate =
                if runs && (is_over(deployment) || busy.contains(&deployment.server)) { Fate::Missed } else { drawn };
            busy.extend((fate == Fate::Running).then(|| deployment.server.clone()));
            fates.insert(deployment.action, fate);
        }
        for deployment in all {
            let started = deployment.slot.start.max(before);
            match fates.get(&deployment.action) {
                None | Some(Fate::Missed) => self.parts.deployments.push(deployment),
                Some(Fate::Running) => self.parts.deployments.push(deployment.start(started).unwrap()),
                Some(Fate::Installed) => {
                    let progress = self.parts.rollout.entry(&deployment.product, &deployment.to);
                    progress.installed += 1;
                    let state = self.parts.states.get_mut(&deployment.server).unwrap();
                    state.inventory.insert(deployment.product, deployment.to);
                }
                Some(Fate::Failed) => {
                    let progress = self.parts.rollout.entry(&deployment.product, &deployment.to);
                    progress.failed += 1;
                    let at = self.now.min(started + TimeDelta::minutes(30));
                    let running = deployment.start(started).unwrap();
                    let why = "w".to_owned();
                    self.parts.deployments.push(running.close(at, Closing::RolledBack { why }).unwrap());
                }
            }
        }
    }
}
