//! Everything the planner needs, read once.

use super::{Catalog, PlanningError};
use crate::decide::calendar::{Calendar, Region};
use crate::decide::planner::{self, Facts, Rollout};
use crate::decide::terms::Terms;
use crate::edge::store::{DeploymentFilter, Standing, Stored};
use crate::model::agreement::Agreement;
use crate::model::decision::Decision;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Ring, Server};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use crate::work::Orchestrator;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which servers to look at; every field that is set narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub client: Option<String>,
    pub server: Option<String>,
}

/// The fleet, the catalog and what was promised, as the database had them at one moment.
pub struct World {
    clients: Vec<Client>,
    terms: BTreeMap<String, Arc<Terms>>,
    calendars: BTreeMap<String, Calendar>,
    states: BTreeMap<String, ServerState>,
    catalog: Catalog,
    requests: Vec<Stored<Request>>,
    plain_requests: Vec<Request>,
    agreements: Vec<Agreement>,
    pub(super) deployments: BTreeMap<String, Vec<Stored<Deployment>>>,
    plain_deployments: BTreeMap<String, Vec<Deployment>>,
    rollout: Rollout,
    canaries: BTreeSet<String>,
    pub(super) standings: BTreeMap<String, Stored<Standing>>,
    selection: Selection,
}

impl World {
    pub async fn load(o: &Orchestrator, selection: &Selection) -> Result<World, PlanningError> {
        let clients: Vec<Client> = o.store.clients().await?.into_iter().map(|c| c.value).collect();
        let mut calendars = BTreeMap::new();
        for client in &clients {
            if !o.terms.contains_key(&client.schedule) {
                return Err(PlanningError::NoSchedule { client: client.id.clone(), schedule: client.schedule.clone() });
            }
            let region: Region = client
                .holidays
                .parse()
                .map_err(|source| PlanningError::Region { client: client.id.clone(), source })?;
            for server in &client.servers {
                calendars.insert(server.id.clone(), Calendar::new(server.zone, region, client.closed.clone()));
            }
        }
        let states: BTreeMap<String, ServerState> = o.store.states().await?.into_iter().map(|s| s.value).collect();
        let mut deployments: BTreeMap<String, Vec<Stored<Deployment>>> = BTreeMap::new();
        for deployment in o.store.deployments(&DeploymentFilter::default()).await? {
            deployments.entry(deployment.server.clone()).or_default().push(deployment);
        }
        let plain_deployments: BTreeMap<String, Vec<Deployment>> = deployments
            .iter()
            .map(|(server, all)| (server.clone(), all.iter().map(|d| d.value.clone()).collect()))
            .collect();
        let requests = o.store.requests(None).await?;
        Ok(World {
            rollout: rollout(&clients, &states, &plain_deployments),
            canaries: canaries(&clients, &states),
            catalog: catalog(o.store.releases().await?),
            plain_requests: requests.iter().map(|r| r.value.clone()).collect(),
            requests,
            agreements: o.store.agreements().await?.into_iter().map(|a| a.value).collect(),
            standings: o.store.standings().await?.into_iter().map(|s| (s.server.clone(), s)).collect(),
            terms: o.terms.clone(),
            selection: selection.clone(),
            clients,
            calendars,
            states,
            deployments,
            plain_deployments,
        })
    }

    /// The selected servers with their clients, in the fleet's order.
    pub fn servers(&self) -> impl Iterator<Item = (&Client, &Server)> {
        self.clients
            .iter()
            .filter(|c| self.selection.client.as_ref().is_none_or(|id| *id == c.id))
            .flat_map(|c| c.servers.iter().map(move |s| (c, s)))
            .filter(|(_, s)| self.selection.server.as_ref().is_none_or(|id| *id == s.id))
    }

    /// The planner's decisions for one server at `now`.
    pub fn decide(&self, client: &Client, server: &Server, now: DateTime<Utc>) -> Vec<Decision> {
        self.with_facts(client, server, now, planner::plan)
    }

    /// Lends the planner's facts of one server to `look`.
    pub fn with_facts<T>(
        &self,
        client: &Client,
        server: &Server,
        now: DateTime<Utc>,
        look: impl FnOnce(&Facts) -> T,
    ) -> T {
        let unknown = ServerState::default();
        look(&Facts {
            now,
            terms: &self.terms[&client.schedule],
            calendar: &self.calendars[&server.id],
            client,
            server,
            state: self.states.get(&server.id).unwrap_or(&unknown),
            catalog: &self.catalog,
            requests: &self.plain_requests,
            agreements: &self.agreements,
            deployments: self.plain_deployments.get(&server.id).map_or(&[], Vec::as_slice),
            rollout: &self.rollout,
            canaries: &self.canaries,
        })
    }

    /// A known release.
    pub fn release(&self, product: &str, version: &Version) -> Option<&Arc<Release>> {
        self.catalog.get(product)?.iter().find(|r| r.version() == version)
    }

    /// Whether any release of `product` is known.
    pub fn knows_product(&self, product: &str) -> bool {
        self.catalog.contains_key(product)
    }

    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|c| c.id == id)
    }

    pub fn installed(&self, server: &str, product: &str) -> Option<&Version> {
        self.states.get(server)?.inventory.get(product)
    }

    pub fn terms_of(&self, client: &Client) -> &Terms {
        &self.terms[&client.schedule]
    }

    pub fn calendar(&self, server: &str) -> Option<&Calendar> {
        self.calendars.get(server)
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

    /// Accepted requests whose latest date has passed everywhere the client has servers.
    pub(super) fn overdue_requests(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Stored<Request>> {
        self.requests.iter().filter(move |r| {
            matches!(r.state, RequestState::Accepted)
                && self.client(&r.client).is_none_or(|client| {
                    client.servers.iter().all(|s| now.with_timezone(&s.zone).date_naive() > r.before)
                })
        })
    }
}

fn catalog(releases: Vec<Stored<Release>>) -> Catalog {
    let mut catalog = Catalog::new();
    for release in releases {
        catalog.entry(release.product().to_owned()).or_default().push(Arc::new(release.value));
    }
    for releases in catalog.values_mut() {
        releases.sort_by(|a, b| a.version().cmp(b.version()));
    }
    catalog
}

fn canaries(clients: &[Client], states: &BTreeMap<String, ServerState>) -> BTreeSet<String> {
    let mut products = BTreeSet::new();
    for client in clients {
        for server in client.servers.iter().filter(|s| s.ring == Ring::Canary) {
            let inventory = states.get(&server.id).map(|s| &s.inventory);
            products.extend(inventory.into_iter().flat_map(|i| i.keys()).filter(|p| client.order.contains(p)).cloned());
        }
    }
    products
}

/// How each release fared on the canary servers.
fn rollout(
    clients: &[Client],
    states: &BTreeMap<String, ServerState>,
    deployments: &BTreeMap<String, Vec<Deployment>>,
) -> Rollout {
    let mut rollout = Rollout::new();
    for server in clients.iter().flat_map(|c| &c.servers).filter(|s| s.ring == Ring::Canary) {
        let mut bad: BTreeSet<crate::model::release::ReleaseId> = BTreeSet::new();
        for deployment in deployments.get(&server.id).into_iter().flatten() {
            let id = crate::model::release::ReleaseId {
                product: deployment.product.clone(),
                version: deployment.to.clone(),
            };
            match deployment.state {
                DeploymentState::RolledBack { .. } | DeploymentState::Failed { .. } => {
                    bad.insert(id);
                }
                DeploymentState::Installed { .. } => {
                    bad.remove(&id);
                    rollout.entry(id).or_default().installed += 1;
                }
                DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => {}
            }
        }
        let inventory = states.get(&server.id).map(|s| &s.inventory);
        for id in bad {
            let runs_it = inventory.and_then(|i| i.get(&id.product)).is_some_and(|v| *v >= id.version);
            if !runs_it {
                rollout.entry(id).or_default().failed += 1;
            }
        }
    }
    rollout
}
