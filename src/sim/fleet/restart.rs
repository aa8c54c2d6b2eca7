//! The orchestrator stops and starts again from what is written: nothing else may matter.

use super::engine::Play;
use crate::decide::world::{Parts, World};

impl Play {
    /// Makes the world anew from what a database would hold.
    pub(super) fn restart(&mut self) {
        let mut parts = Parts { terms: self.terms.clone(), ..Parts::default() };
        for customer in self.world.customers() {
            parts.clients.push(customer.client.clone());
            parts.requests.extend(customer.requests.iter().cloned());
            parts.agreements.extend(customer.agreements.iter().cloned());
        }
        for place in self.world.places() {
            let (site, server) = (self.world.site(place), self.world.server(place));
            parts.states.insert(server.id.clone(), site.state.clone());
            parts.standings.push(site.standing.clone());
            parts.deployments.extend(site.deployments.iter().cloned());
        }
        parts.releases = self.world.catalog().values().flatten().map(|r| (**r).clone()).collect();
        parts.holds = self.world.holds().to_vec();
        parts.rollout = self.world.rollout().clone();
        parts.durations = self.world.durations().clone();
        match World::new(parts, &mut self.almanacs, self.now) {
            Ok(world) => self.world = world,
            Err(error) => self.violate(0, "restart", error.to_string()),
        }
    }
}
