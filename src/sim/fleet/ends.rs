//! The end of an installation: what the machine runs then, what its agent reports, and what follows from it.

use super::book::Written;
use super::chance::About;
use super::engine::Play;
use super::happening::{End, Happening};
use crate::decide::settle::{self, Execution, Feedback, Finished, Refusal, Scene, Settled};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::Ring;

impl Play {
    /// The action ends so; everything that follows is written together.
    pub(super) fn settle(&mut self, place: usize, action: i64, end: End) {
        let members: Vec<Deployment> = self
            .world
            .site(place)
            .deployments
            .iter()
            .filter(|d| d.action == action && d.state.is_open())
            .cloned()
            .collect();
        if end == End::Installed {
            let inventory = &mut self.world.site_mut(place).state.inventory;
            for deployment in &members {
                inventory.insert(deployment.product.clone(), deployment.to.clone());
            }
        }
        let settled = match end {
            End::Installed | End::RolledBack | End::Failed => self.reported(place, &members, end),
            End::Lost => self.timed_out(place, &members),
        };
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => return self.violate(place, "transition", error.to_string()),
        };
        for deployment in &settled.deployments {
            self.figures.ended(deployment);
            self.count(place, deployment);
        }
        let client = self.world.customer(place).client.id.clone();
        for done in settled.requests {
            let requests = self.world.client_mut(&client).map(|c| &mut c.requests);
            requests.into_iter().flatten().filter(|r| r.id == done.id).for_each(|r| *r = done.clone());
        }
        let entry = Written {
            deployments: settled.deployments,
            events: settled.events,
            notices: settled.notices,
            alerts: settled.alerts,
            resolved: settled.resolved,
        };
        self.write(place, entry);
    }

    /// The agent's closing report, as it would word it.
    fn reported(&self, place: usize, members: &[Deployment], end: End) -> Result<Settled, Refusal> {
        let (finished, details): (_, &[&str]) = match end {
            End::Installed => (Finished::Success, &["noctule.result=installed"]),
            End::RolledBack => {
                (Finished::Failure, &["noctule.result=rolled_back", "noctule.why=the health check failed"])
            }
            End::Failed | End::Lost => (Finished::Failure, &["noctule.why=the old version could not be restored"]),
        };
        let details = details.iter().map(|line| (*line).to_owned()).collect();
        let feedback = Feedback { execution: Execution::Closed, finished, details };
        self.with_scene(place, members, |scene| settle::settle(scene, settle::About::Action, &feedback))
    }

    fn timed_out(&self, place: usize, members: &[Deployment]) -> Result<Settled, Refusal> {
        self.with_scene(place, members, settle::time_out)
    }

    fn with_scene<T>(&self, place: usize, members: &[Deployment], look: impl FnOnce(&Scene) -> T) -> T {
        let customer = self.world.customer(place);
        let releases = members.iter().filter_map(|d| self.world.release(&d.product, &d.to));
        look(&Scene {
            now: self.now,
            deployments: members,
            client: Some(&customer.client),
            state: &self.world.site(place).state,
            releases: releases.map(|r| (r.product(), &**r)).collect(),
            requests: &customer.requests,
            runs: &|server, product| self.world.installed(server, product).cloned(),
        })
    }

    /// How the release fares, for the rings and the failure budget.
    fn count(&mut self, place: usize, closed: &Deployment) {
        let canary = u32::from(self.world.server(place).ring == Ring::Canary);
        let key = (place, closed.product.clone(), closed.to.clone());
        let failed_before = self.failed_on.contains(&key);
        let progress = self.world.rollout_mut().entry(&closed.product, &closed.to);
        match closed.state {
            DeploymentState::Installed { .. } => {
                progress.installed += 1;
                progress.canaries_installed += canary;
                if failed_before {
                    progress.failed = progress.failed.saturating_sub(1);
                    progress.canaries_failed = progress.canaries_failed.saturating_sub(canary);
                    self.failed_on.remove(&key);
                }
            }
            DeploymentState::RolledBack { .. } | DeploymentState::Failed { .. } if !failed_before => {
                progress.failed += 1;
                progress.canaries_failed += canary;
                self.failed_on.insert(key);
            }
            DeploymentState::RolledBack { .. }
            | DeploymentState::Refused { .. }
            | DeploymentState::Failed { .. }
            | DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Cancelled { .. } => {}
        }
    }

    /// Staff look at what stopped, and every other day let it go on.
    pub(super) fn resume(&mut self, day: u64) {
        if self.faults == super::chance::Faults::NONE {
            return;
        }
        let terms: Vec<_> = self.world.customers().iter().map(|c| c.terms.clone()).collect();
        let Some(terms) = terms.first() else { return };
        let stopped: Vec<_> = self
            .world
            .rollout()
            .iter()
            .filter(|(_, _, p)| p.canaries_stop(&terms.schedule.rollout) || p.halt(&terms.schedule.rollout).is_some())
            .map(|(product, version, _)| (product.to_owned(), version.clone()))
            .collect();
        for (n, (product, version)) in stopped.into_iter().enumerate() {
            if self.chance.happens(500, About::Staff, day, 1_000_000 + n as u64) {
                self.failed_on.retain(|(_, p, v)| *p != product || *v != version);
                self.happen(Happening::Resumed { product, version });
            }
        }
    }
}
