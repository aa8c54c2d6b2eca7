//! Everything the planner needs, read once, with the revisions that writing back needs.

use super::PlanningError;
use crate::decide::calendar::Calendar;
use crate::decide::durations::Durations;
use crate::decide::planner::{self, Facts};
use crate::decide::rollout::Rollout;
use crate::decide::terms::Terms;
use crate::decide::world::{self, Parts};
use crate::edge::store::{DeploymentFilter, Stored};
use crate::model::decision::Decision;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Ring, Server};
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use crate::work::Orchestrator;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Which servers to look at; every field that is set narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub client: Option<String>,
    pub server: Option<String>,
}

/// The world as the database had it at one moment.
pub struct World {
    world: world::World,
    /// Revisions of open deployments by id, and of standings by server.
    pub(super) deployment_revs: BTreeMap<i64, i64>,
    pub(super) standing_revs: BTreeMap<String, i64>,
    pub(super) requests: Vec<Stored<Request>>,
    selection: Selection,
}

impl std::ops::Deref for World {
    type Target = world::World;
    fn deref(&self) -> &world::World {
        &self.world
    }
}

impl std::ops::DerefMut for World {
    fn deref_mut(&mut self) -> &mut world::World {
        &mut self.world
    }
}

impl World {
    pub async fn load(o: &Orchestrator, selection: &Selection, now: DateTime<Utc>) -> Result<World, PlanningError> {
        let clients: Vec<Client> = o.store.clients().await?.into_iter().map(|c| c.value).collect();
        let states: BTreeMap<String, ServerState> = o.store.states().await?.into_iter().map(|s| s.value).collect();
        let all = o.store.deployments(&DeploymentFilter::default()).await?;
        let standings = o.store.standings().await?;
        let requests = o.store.requests(None).await?;
        let plain: Vec<Deployment> = all.iter().map(|d| d.value.clone()).collect();
        let parts = Parts {
            terms: o.terms.clone(),
            rollout: rollout(&clients, &states, &plain),
            durations: durations(&plain),
            releases: o.store.releases().await?.into_iter().map(|r| r.value).collect(),
            requests: requests.iter().map(|r| r.value.clone()).collect(),
            agreements: o.store.agreements().await?.into_iter().map(|a| a.value).collect(),
            holds: Vec::new(),
            standings: standings.iter().map(|s| s.value.clone()).collect(),
            deployments: plain.into_iter().filter(matters).collect(),
            clients,
            states,
        };
        Ok(World {
            deployment_revs: all.iter().filter(|d| d.state.is_open()).map(|d| (d.id, d.rev)).collect(),
            standing_revs: standings.iter().map(|s| (s.server.clone(), s.rev)).collect(),
            world: world::World::new(parts, &mut o.almanacs(), now)?,
            selection: selection.clone(),
            requests,
        })
    }

    /// The places of the selected servers, in the fleet's order.
    pub fn selected(&self) -> impl Iterator<Item = usize> + use<'_> {
        let Selection { client, server } = &self.selection;
        self.world.places().filter(move |place| {
            client.as_ref().is_none_or(|id| *id == self.world.customer(*place).client.id)
                && server.as_ref().is_none_or(|id| *id == self.world.server(*place).id)
        })
    }

    /// The planner's decisions for one server at `now`.
    pub fn decide(&self, place: usize, now: DateTime<Utc>) -> Vec<Decision> {
        self.world.with_facts(place, now, planner::plan)
    }

    pub fn client(&self, id: &str) -> Option<&Client> {
        self.world.client(id).map(|c| &c.client)
    }

    /// Lends the planner's facts of one server of the fleet to `look`.
    pub fn with_facts<T>(
        &self,
        _client: &Client,
        server: &Server,
        now: DateTime<Utc>,
        look: impl FnOnce(&Facts) -> T,
    ) -> T {
        let place = self.world.place(&server.id).expect("the server is one of this world's own");
        self.world.with_facts(place, now, look)
    }

    pub fn terms_of(&self, client: &Client) -> &Terms {
        &self.world.client(&client.id).expect("the client is one of this world's own").terms
    }

    pub fn calendar(&self, server: &str) -> Option<&Calendar> {
        Some(self.world.site(self.world.place(server)?).almanac.calendar())
    }

    pub fn accepted_requests<'a>(
        &'a self,
        client: &'a str,
        product: &'a str,
    ) -> impl Iterator<Item = &'a Stored<Request>> {
        self.requests
            .iter()
            .filter(move |r| r.client == client && r.product == product && matches!(r.state, RequestState::Accepted))
    }
}

/// Whether the planner wants to hear of it: it is open, or did not end well.
fn matters(deployment: &Deployment) -> bool {
    match deployment.state {
        DeploymentState::Planned
        | DeploymentState::Running { .. }
        | DeploymentState::RolledBack { .. }
        | DeploymentState::Failed { .. } => true,
        DeploymentState::Installed { .. } | DeploymentState::Cancelled { .. } => false,
    }
}

/// How each release fared, on the canary servers and on all.
fn rollout(clients: &[Client], states: &BTreeMap<String, ServerState>, deployments: &[Deployment]) -> Rollout {
    let rings: BTreeMap<&str, Ring> =
        clients.iter().flat_map(|c| &c.servers).map(|s| (s.id.as_str(), s.ring)).collect();
    // The last word of each server on each release.
    let mut ends: BTreeMap<(&str, &str, &Version), bool> = BTreeMap::new();
    for deployment in deployments {
        let key = (deployment.server.as_str(), deployment.product.as_str(), &deployment.to);
        match deployment.state {
            DeploymentState::RolledBack { .. } | DeploymentState::Failed { .. } => ends.insert(key, false),
            DeploymentState::Installed { .. } => ends.insert(key, true),
            DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => None,
        };
    }
    let mut rollout = Rollout::default();
    for ((server, product, version), went_well) in ends {
        let Some(ring) = rings.get(server) else { continue };
        let runs = states.get(server).and_then(|s| s.inventory.get(product)).is_some_and(|v| v >= version);
        let progress = rollout.entry(product, version);
        let canary = u32::from(*ring == Ring::Canary);
        if went_well {
            progress.installed += 1;
            progress.canaries_installed += canary;
        } else if !runs {
            progress.failed += 1;
            progress.canaries_failed += canary;
        }
    }
    rollout
}

/// What installations took, to the next whole minute.
fn durations(deployments: &[Deployment]) -> Durations {
    Durations::learn(deployments.iter().filter_map(|d| match &d.state {
        DeploymentState::Installed { started_at, finished_at, .. } => {
            let minutes = (*finished_at - *started_at).num_seconds().max(0).div_euclid(60) + 1;
            Some((d.product.clone(), d.to.clone(), u32::try_from(minutes).unwrap_or(u32::MAX)))
        }
        DeploymentState::Planned
        | DeploymentState::Running { .. }
        | DeploymentState::RolledBack { .. }
        | DeploymentState::Failed { .. }
        | DeploymentState::Cancelled { .. } => None,
    }))
}
