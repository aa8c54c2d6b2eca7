//! A server polls: what is it offered, and what happens when it takes it.
//!
//! A poll writes nothing, and an idle one reads one indexed row: what else it needs is remembered for a while. Taking
//! an action is one commit that moves every one of its deployments to running, with their events; two takers at once
//! get the same answer, and two servers at once do not overload the line they share.

use super::presence::{Presence, Remembered};
use super::{Orchestrator, observed};
use crate::decide::calendar::Calendar;
use crate::decide::durations::Durations;
use crate::decide::handout::{self, Action, Asking, Offer};
use crate::decide::notice::backup_not_before;
use crate::decide::terms::Terms;
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::agreement::Agreement;
use crate::model::deployment::{BadTransition, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Client;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::rule::Rule;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Attributes are asked for again after this long (`hourly-checks`, 6.2.4), in minutes.
const ATTRIBUTES_MINUTES: i64 = 50;
/// Longest a slot lasts, in days, that a running installation is looked for in.
const SLOT_DAYS_MAX: i64 = 30;
/// Times a hand-out is tried when rows change under it.
const TRIES_MAX: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum CheckInError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("client {client} names schedule {schedule:?}, which is not in the schedules folder")]
    NoSchedule { client: String, schedule: String },
    #[error("client {client}: {source}")]
    Region { client: String, source: crate::decide::calendar::UnknownRegion },
    #[error(transparent)]
    Transition(#[from] BadTransition),
}

/// The answer to a poll.
#[derive(Clone, Debug)]
pub struct CheckIn {
    pub offer: Offer,
    pub pause: TimeDelta,
    pub wants_attributes: bool,
    /// The action that was installed last.
    pub installed: Option<i64>,
}

/// An action as a server may see it now.
#[derive(Clone, Debug)]
pub struct HandOut {
    pub action: Action,
    /// Whether it is to be installed now, or only fetched.
    pub install: bool,
    /// Whether it may be begun in its slot without us, should the line be dead then.
    pub alone: bool,
    /// Oldest backup end that is recent enough in its slot.
    pub backup_not_before: DateTime<Utc>,
    /// Deployment → its release.
    pub releases: BTreeMap<i64, Release>,
}

/// Whether asking takes what is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Look,
    Take,
}

/// Answers a poll of `server`; `None` when the fleet has no such server.
pub async fn poll(o: &Orchestrator, presence: &Presence, server: &str) -> Result<Option<CheckIn>, CheckInError> {
    let now = o.clock.now();
    let Some(known) = remembered(o, presence, server).await? else { return Ok(None) };
    o.heard_from(server, now);
    let open: Vec<Deployment> = o.store.open_deployments(server).await?.into_iter().map(|d| d.value).collect();
    let near = |d: &Deployment| d.state != DeploymentState::Planned || handout::is_near(now, d);
    let (offer, starts) = if open.is_empty() || !(known.stage_ahead || open.iter().any(near)) {
        (Offer::Nothing, Vec::new())
    } else {
        match World::load(o, server, &open).await? {
            Some(mut world) => (world.offer(o, now, &open).await?, world.ask(now, &open, handout::starts)),
            None => return Ok(None),
        }
    };
    let stale = known.reported_at.is_none_or(|at| at + TimeDelta::minutes(ATTRIBUTES_MINUTES) <= now);
    Ok(Some(CheckIn {
        pause: handout::pause(now, server, &open, &offer, &starts),
        offer,
        wants_attributes: stale,
        installed: known.installed,
    }))
}

/// What a server's polls need besides its open deployments; read when it is not remembered.
pub async fn remembered(o: &Orchestrator, presence: &Presence, server: &str) -> Result<Option<Remembered>, StoreError> {
    let now = o.clock.now();
    if let Some(known) = presence.recall(server, now) {
        return Ok(Some(known));
    }
    let Some(client) = o.store.client_of_server(server).await? else { return Ok(None) };
    let state = o.store.state(server).await?.map(|s| s.value.1).unwrap_or_default();
    let last = o
        .store
        .deployments(&DeploymentFilter {
            server: Some(server.to_owned()),
            states: vec!["installed".to_owned()],
            limit: Some(1),
            ..DeploymentFilter::default()
        })
        .await?;
    let known = Remembered {
        client: client.id.clone(),
        stage_ahead: state.capabilities.contains(handout::STAGE_AHEAD),
        reported_at: state.reported_at,
        installed: last.last().map(|d| d.action),
        read_at: now,
    };
    presence.remember(server, known.clone());
    Ok(Some(known))
}

/// Shows `server` the action it is offered, and with [`Intent::Take`] starts what is to be installed; `None` when it
/// is not offered this action.
pub async fn hand_out(
    o: &Orchestrator,
    server: &str,
    action: i64,
    intent: Intent,
) -> Result<Option<HandOut>, CheckInError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let now = o.clock.now();
        let rows = o.store.open_deployments(server).await?;
        let open: Vec<Deployment> = rows.iter().map(|d| d.value.clone()).collect();
        let Some(mut world) = World::load(o, server, &open).await? else { return Ok(None) };
        let (offered, install) = match world.offer(o, now, &open).await? {
            Offer::Install(offered) if offered.id == action => (offered, true),
            Offer::Stage(offered, _) if offered.id == action => (offered, false),
            Offer::Install(_) | Offer::Stage(..) | Offer::Stop(_) | Offer::Nothing => return Ok(None),
        };
        let alone = !install && world.ask(now, &open, |asking| handout::may_go_alone(asking, &offered));
        let begins = offered.slot().map_or(now, |slot| slot.start.max(now));
        let backup_not_before = oldest_backup(&world.terms, &world.client, server, begins)?;
        if !install || intent == Intent::Look || offered.is_running() {
            return Ok(Some(HandOut { action: offered, install, alone, backup_not_before, releases: world.releases }));
        }
        let (mut changes, started) = start(&rows, &offered, now)?;
        world.claim_line(&mut changes);
        match o.store.commit(changes).await {
            Ok(()) => {
                tracing::info!(server.id = server, action, "handed out");
                return Ok(Some(HandOut {
                    action: started,
                    install,
                    alone,
                    backup_not_before,
                    releases: world.releases,
                }));
            }
            Err(StoreError::Conflict { .. }) if tries < TRIES_MAX => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Every deployment of `action` begins, or none does.
fn start(rows: &[Stored<Deployment>], action: &Action, now: DateTime<Utc>) -> Result<(Changes, Action), BadTransition> {
    let mut changes = Changes::default();
    let mut started = Vec::new();
    for row in rows.iter().filter(|row| row.action == action.id) {
        let deployment = row.value.clone().start(now)?;
        let text = format!("{} {} handed to the agent of {}", deployment.product, deployment.to, deployment.server);
        changes.events.push(NewEvent::new(now, &deployment.client, EventKind::Started, text).about(&deployment));
        started.push(deployment.clone());
        changes.rows.push(Row::Deployment(row.with(deployment)));
    }
    started.sort_by_key(|d| (d.position, d.id));
    Ok((changes, Action { id: action.id, deployments: started }))
}

/// What a hand-out to one server depends on.
struct World {
    state: ServerState,
    backup_not_before: DateTime<Utc>,
    releases: BTreeMap<i64, Release>,
    held: BTreeSet<i64>,
    terms: Arc<Terms>,
    agreements: Vec<Agreement>,
    /// The planner's.
    durations: Arc<Durations>,
    client: Stored<Client>,
    server: String,
    line_busy: bool,
}

impl World {
    async fn load(o: &Orchestrator, server: &str, open: &[Deployment]) -> Result<Option<World>, CheckInError> {
        let Some(client) = o.store.client_of_server(server).await? else { return Ok(None) };
        let state = o.store.state(server).await?.map(|s| s.value.1).unwrap_or_default();
        let mut releases = BTreeMap::new();
        for deployment in open {
            if let Some(release) = o.store.release(&deployment.product, &deployment.to).await? {
                releases.insert(deployment.id, release.value);
            }
        }
        let standing = o.store.standing(server).await?.map(|s| s.value.outcomes).unwrap_or_default();
        let held =
            open.iter().filter(|d| standing.iter().any(|(key, said)| holds(key, said, d))).map(|d| d.id).collect();
        let terms = terms_of(o, &client)?.clone();
        Ok(Some(World {
            state,
            backup_not_before: oldest_backup(&terms, &client, server, o.clock.now())?,
            agreements: o.store.agreements_after(o.clock.now()).await?.into_iter().map(|a| a.value).collect(),
            durations: observed::recall(o, o.clock.now()).await?,
            line_busy: false,
            server: server.to_owned(),
            releases,
            held,
            terms,
            client,
        }))
    }

    /// What the server is offered. Whether its client's line is free is read only where something would begin.
    async fn offer(&mut self, o: &Orchestrator, now: DateTime<Utc>, open: &[Deployment]) -> Result<Offer, StoreError> {
        let offer = self.ask(now, open, handout::offer);
        if !self.line_is_shared() || !matches!(&offer, Offer::Install(action) if !action.is_running()) {
            return Ok(offer);
        }
        self.line_busy = self.installs_max() <= running_beside(o, &self.client, &self.server).await?;
        Ok(if self.line_busy { self.ask(now, open, handout::offer) } else { offer })
    }

    fn installs_max(&self) -> usize {
        self.terms.schedule.rollout.line_installs_max as usize
    }

    /// Whether the client's servers are more than its line carries at once.
    fn line_is_shared(&self) -> bool {
        self.installs_max() < self.client.servers.len()
    }

    /// Taking writes the client's row as it is, so that of two servers which found the line free at once, one looks
    /// again.
    fn claim_line(&self, changes: &mut Changes) {
        if self.line_is_shared() {
            changes.rows.push(Row::Client(self.client.with(self.client.value.clone())));
        }
    }

    /// What the hand-out says of this server's open deployments.
    fn ask<T>(&self, now: DateTime<Utc>, open: &[Deployment], question: impl FnOnce(&Asking) -> T) -> T {
        // A release that is no longer known cannot be handed out any more than one that was withdrawn.
        let standing = |d: &&Deployment| self.releases.get(&d.id).is_some_and(|r| r.retracted.is_none());
        let retracted: BTreeSet<i64> = open.iter().filter(|d| !standing(d)).map(|d| d.id).collect();
        let takes = |r: &Release| self.durations.takes(&self.terms, r).num_minutes();
        let minutes = self.releases.iter().map(|(id, r)| (*id, u32::try_from(takes(r)).unwrap_or(u32::MAX))).collect();
        question(&Asking {
            now,
            open,
            state: &self.state,
            backup_not_before: self.backup_not_before,
            retracted: &retracted,
            held: &self.held,
            minutes: &minutes,
            splay_minutes: self.terms.schedule.rollout.splay_minutes,
            agreements: &self.agreements,
            line_busy: self.line_busy,
        })
    }
}

/// Whether a line of the planner's standing (`held minor-night 14.20.004`) holds `deployment`. A hold for want of a
/// backup is not counted: the backup itself is looked at again.
fn holds(key: &str, said: &str, deployment: &Deployment) -> bool {
    let mut words = said.split(' ');
    let product = key.split('#').next() == Some(deployment.product.as_str());
    let held = words.next() == Some("held");
    let rule = words.next().is_some_and(|rule| rule != Rule::BackupFirst.id());
    let version =
        words.next().and_then(|v| v.parse().ok()).is_some_and(|v: crate::model::version::Version| v == deployment.to);
    product && held && rule && version
}

fn terms_of<'a>(o: &'a Orchestrator, client: &Client) -> Result<&'a Arc<Terms>, CheckInError> {
    o.terms
        .get(&client.schedule)
        .ok_or_else(|| CheckInError::NoSchedule { client: client.id.clone(), schedule: client.schedule.clone() })
}

/// Installations that run on the client's other servers.
async fn running_beside(o: &Orchestrator, client: &Client, server: &str) -> Result<usize, StoreError> {
    let filter = DeploymentFilter {
        client: Some(client.id.clone()),
        states: vec!["running".to_owned()],
        // What runs began its slot lately; the slot's start is what the index reaches.
        since: Some(o.clock.now() - TimeDelta::days(SLOT_DAYS_MAX)),
        ..DeploymentFilter::default()
    };
    let running = o.store.deployments(&filter).await?;
    let actions: BTreeSet<i64> = running.iter().filter(|d| d.server != server).map(|d| d.action).collect();
    Ok(actions.len())
}

fn oldest_backup(
    terms: &Terms,
    client: &Client,
    server: &str,
    at: DateTime<Utc>,
) -> Result<DateTime<Utc>, CheckInError> {
    let region =
        client.holidays.parse().map_err(|source| CheckInError::Region { client: client.id.clone(), source })?;
    let zone = client.servers.iter().find(|s| s.id == server).map_or(chrono_tz::UTC, |s| s.zone);
    let calendar = Calendar::new(zone, region);
    Ok(backup_not_before(terms, &calendar, at))
}
