//! Everything the planner needs, read once, with the revisions that writing back needs.

use super::PlanningError;
use crate::decide::calendar::Calendar;
use crate::decide::planner::Facts;
use crate::decide::rehearse;
use crate::decide::rollout::Rollout;
use crate::decide::terms::Terms;
use crate::decide::world::{self, Parts};
use crate::edge::store::{AttemptEnd, Outcomes, Stored, Tally};
use crate::model::decision::Decision;
use crate::model::deployment::Deployment;
use crate::model::fleet::{Client, Ring, Server};
use crate::model::hold::Resumption;
use crate::model::release::{Release, ReleaseId};
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use crate::work::Orchestrator;
use crate::work::observed::{self, HISTORY_DAYS};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Reads what planning at `now` needs, and no more: history only as counts and columns.
    pub async fn load(o: &Orchestrator, selection: &Selection, now: DateTime<Utc>) -> Result<World, PlanningError> {
        let since = now - TimeDelta::days(HISTORY_DAYS);
        let store = &o.store;
        let clients: Vec<Client> = store.clients().await?.into_iter().map(|c| c.value).collect();
        let states: BTreeMap<String, ServerState> = store.states().await?.into_iter().map(|s| s.value).collect();
        let releases: Vec<Release> = store.releases().await?.into_iter().map(|r| r.value).collect();
        let open = store.all_open_deployments().await?;
        let failed: Vec<Deployment> = store.failed_attempts(since).await?.into_iter().map(|d| d.value).collect();
        let standings = store.standings().await?;
        let requests = store.accepted_requests().await?;
        let deployment_revs = open.iter().map(|d| (d.id, d.rev)).collect();
        let standing_revs = standings.iter().map(|s| (s.server.clone(), s.rev)).collect();
        let canaries = canaries(&clients);
        let fared = Fared {
            tally: store.release_tally(since, Some(&canaries)).await?,
            outcomes: store.release_outcomes(since).await?,
            failed: &failed,
            resumed: resumed(store.resumptions().await?),
            states: &states,
            canaries: canaries.iter().map(String::as_str).collect(),
        };
        let parts = Parts {
            terms: o.terms.clone(),
            rollout: fared.rollout(),
            durations: observed::learn(o, releases.iter(), now).await?,
            releases,
            requests: requests.iter().map(|r| r.value.clone()).collect(),
            agreements: store.agreements_after(now).await?.into_iter().map(|a| a.value).collect(),
            holds: store.holds(Some(now)).await?.into_iter().map(|h| h.value).collect(),
            standings: standings.into_iter().map(|s| s.value).collect(),
            deployments: open.into_iter().map(|d| d.value).chain(failed).collect(),
            clients,
            states,
        };
        let world = world::World::new(parts, &mut o.almanacs(), now)?;
        Ok(World { deployment_revs, standing_revs, world, selection: selection.clone(), requests })
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
        self.world.with_facts(place, now, rehearse::plan)
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

/// The canary servers, by id.
fn canaries(clients: &[Client]) -> Vec<String> {
    clients.iter().flat_map(|c| &c.servers).filter(|s| s.ring == Ring::Canary).map(|s| s.id.clone()).collect()
}

/// The last resumption of each release.
fn resumed(resumptions: Vec<Stored<Resumption>>) -> BTreeMap<ReleaseId, DateTime<Utc>> {
    let mut last = BTreeMap::new();
    for resumption in resumptions {
        let at: &mut DateTime<Utc> = last.entry(resumption.release.clone()).or_insert(resumption.at);
        *at = resumption.at.max(*at);
    }
    last
}

/// How releases fared, as the database tells it.
struct Fared<'a> {
    /// Attempts on canary servers.
    tally: Vec<Tally>,
    outcomes: BTreeMap<ReleaseId, Outcomes>,
    failed: &'a [Deployment],
    /// When staff last let a release go on: what failed before counts no longer.
    resumed: BTreeMap<ReleaseId, DateTime<Utc>>,
    states: &'a BTreeMap<String, ServerState>,
    canaries: BTreeSet<&'a str>,
}

impl Fared<'_> {
    fn rollout(&self) -> Rollout {
        let mut rollout = Rollout::default();
        for (release, outcomes) in &self.outcomes {
            rollout.entry(&release.product, &release.version).installed =
                u32::try_from(outcomes.installed).unwrap_or(u32::MAX);
        }
        for attempt in self.tally.iter().filter(|t| t.end == AttemptEnd::Installed) {
            rollout.entry(&attempt.product, &attempt.version).canaries_installed += 1;
        }
        // A server counts once, and no longer once it runs the release after all.
        let failed: BTreeSet<(&str, &str, &Version)> = self
            .failed
            .iter()
            .filter(|d| !self.runs(d) && !self.is_forgiven(d))
            .map(|d| (d.server.as_str(), d.product.as_str(), &d.to))
            .collect();
        for (server, product, version) in failed {
            let progress = rollout.entry(product, version);
            progress.failed += 1;
            progress.canaries_failed += u32::from(self.canaries.contains(server));
        }
        rollout
    }

    fn is_forgiven(&self, deployment: &Deployment) -> bool {
        let release = ReleaseId { product: deployment.product.clone(), version: deployment.to.clone() };
        let ended = deployment.state.finished_at();
        self.resumed.get(&release).is_some_and(|at| ended.is_none_or(|ended| ended <= *at))
    }

    fn runs(&self, deployment: &Deployment) -> bool {
        let found = self.states.get(&deployment.server).and_then(|s| s.inventory.get(&deployment.product));
        found.is_some_and(|version| *version >= deployment.to)
    }
}
