//! Tonight at a glance: what is planned, what is under way, what is held or late and why, open alerts, silent agents,
//! feeds, the outbox. Read from what was written; nothing is decided anew, so a large fleet costs a few indexed reads.

use super::SlotRow;
use super::history::change_name;
use crate::decide::calendar::{Calendar, Region};
use crate::decide::silence;
use crate::edge::store::{StoreError, Stored};
use crate::model::alert::{Alert, AlertState};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Server};
use crate::model::rule::Rule;
use crate::work::Orchestrator;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use utoipa::ToSchema;

/// How far ahead the next night is looked for.
const NIGHT_WITHIN: TimeDelta = TimeDelta::hours(48);

/// How things stand. Instants are UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub now: DateTime<Utc>,
    pub clients: usize,
    pub servers: usize,
    /// Servers whose agent never reported.
    pub unheard: Vec<String>,
    /// What begins until the end of each site's coming night, by slot.
    pub tonight: Vec<TonightRow>,
    /// What was handed out and has not ended.
    pub running: Vec<TonightRow>,
    /// What is held or will be late.
    pub held: Vec<HeldRow>,
    /// Alerts that are not resolved, the soonest due first.
    pub alerts: Vec<OpenAlert>,
    /// Agents that are not heard any more.
    pub silent: Vec<SilentRow>,
    /// The publishers' feeds; to staff only.
    pub feeds: Vec<FeedRow>,
    pub outbox: Outbox,
}

/// One installation to come or under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TonightRow {
    pub id: i64,
    pub client: String,
    pub server: String,
    /// IANA zone of the site.
    pub zone: String,
    pub product: String,
    pub from: Option<String>,
    pub to: String,
    /// `minor` or `major`.
    pub change: String,
    pub manual: bool,
    pub attended_by: Option<String>,
    pub slot: SlotRow,
    /// `planned`, `held`, `late` or `running`.
    pub state: String,
    pub started_at: Option<DateTime<Utc>>,
}

/// Something that is held, or will be late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldRow {
    pub client: String,
    pub server: String,
    pub product: String,
    pub version: Option<String>,
    /// `held` or `late`.
    pub state: String,
    pub rule: String,
    pub clause: Option<String>,
    /// As staff were told; null where the alert about it is over.
    pub text: Option<String>,
}

/// An alert that is not resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenAlert {
    pub id: i64,
    pub client: Option<String>,
    pub title: String,
    pub raised_at: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// `open` or `acknowledged`.
    pub state: String,
    pub level: u8,
    pub by: Option<String>,
    /// Whether its clock has run out with nobody on it.
    pub is_overdue: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SilentRow {
    pub client: String,
    pub server: String,
    pub zone: String,
    pub last_seen: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeedRow {
    pub publisher: String,
    /// `good`, `refused`, `unreachable`, or `unread` before the first fetch.
    pub state: String,
    /// Since when it cannot be fetched.
    pub since: Option<DateTime<Utc>>,
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outbox {
    pub waiting: i64,
    /// When the oldest that waits was written.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Given up; they stay here until somebody has told the client otherwise.
    pub undelivered: i64,
}

/// How things stand for `client`, or for everybody.
pub async fn status(o: &Orchestrator, client: Option<&str>) -> Result<Status, StoreError> {
    let now = o.clock.now();
    let clients: Vec<Client> = match client {
        Some(id) => o.store.client(id).await?.into_iter().map(|c| c.value).collect(),
        None => o.store.clients().await?.into_iter().map(|c| c.value).collect(),
    };
    let fleet = Fleet::of(&clients);
    let seen = last_seen(o).await?;
    let alerts: Vec<Alert> = o.store.alerts(false).await?.into_iter().map(|a| a.value).collect();
    let held = held(o, &fleet, &alerts).await?;
    let open: Vec<Stored<Deployment>> = o.store.all_open_deployments().await?;
    let mut rows: Vec<TonightRow> = open
        .iter()
        .filter_map(|d| {
            let (client, server) = fleet.site(&d.server)?;
            let is_running = matches!(d.state, DeploymentState::Running { .. });
            let begins = is_running || d.slot.start < night_end(o, client, server, now);
            (begins && (is_running || now < d.slot.end)).then(|| row(d, server, &held))
        })
        .collect();
    rows.sort_by(|a, b| (&a.client, a.slot.start, &a.server, a.id).cmp(&(&b.client, b.slot.start, &b.server, b.id)));
    let (running, tonight) = rows.into_iter().partition(|row| row.state == "running");
    let waiting = o.store.outbox(client).await?;
    Ok(Status {
        now,
        clients: clients.len(),
        servers: fleet.sites.len(),
        unheard: fleet.sites.keys().filter(|id| !seen.contains_key(**id)).map(|id| (*id).to_owned()).collect(),
        tonight,
        running,
        silent: silent(&fleet, &alerts, &seen),
        alerts: open_alerts(alerts, client, now),
        held,
        feeds: if client.is_none() { feeds(o).await? } else { Vec::new() },
        outbox: waiting.into(),
    })
}

/// Every server with its client.
struct Fleet<'a> {
    sites: BTreeMap<&'a str, (&'a Client, &'a Server)>,
}

impl<'a> Fleet<'a> {
    fn of(clients: &'a [Client]) -> Fleet<'a> {
        let sites = clients.iter().flat_map(|c| c.servers.iter().map(move |s| (s.id.as_str(), (c, s))));
        Fleet { sites: sites.collect() }
    }

    fn site(&self, server: &str) -> Option<(&'a Client, &'a Server)> {
        self.sites.get(server).copied()
    }
}

/// When the night that has begun, or the next one, is over at a site; a day from now where no contract says.
fn night_end(o: &Orchestrator, client: &Client, server: &Server, now: DateTime<Utc>) -> DateTime<Utc> {
    let region: Option<Region> = client.holidays.parse().ok();
    let found = o.terms.get(&client.schedule).zip(region).and_then(|(terms, region)| {
        let calendar = Calendar::new(server.zone, region);
        terms.minor_window().slots(&calendar, now, now + NIGHT_WITHIN).into_iter().next()
    });
    found.map_or(now + TimeDelta::hours(24), |night| night.end)
}

fn row(d: &Deployment, server: &Server, held: &[HeldRow]) -> TonightRow {
    let is_about = |h: &&HeldRow| {
        h.server == d.server && h.product == d.product && h.version.as_deref().is_none_or(|v| v == d.to.as_str())
    };
    let state = match &d.state {
        DeploymentState::Running { .. } => "running".to_owned(),
        _ => held.iter().find(is_about).map_or_else(|| "planned".to_owned(), |h| h.state.clone()),
    };
    TonightRow {
        id: d.id,
        client: d.client.clone(),
        server: d.server.clone(),
        zone: server.zone.name().to_owned(),
        product: d.product.clone(),
        from: d.from.as_ref().map(ToString::to_string),
        to: d.to.to_string(),
        change: change_name(d.change),
        manual: d.manual,
        attended_by: d.attended_by.clone(),
        slot: d.slot.into(),
        state,
        started_at: d.state.started_at(),
    }
}

/// What the planner last decided to hold, or found late.
async fn held(o: &Orchestrator, fleet: &Fleet<'_>, alerts: &[Alert]) -> Result<Vec<HeldRow>, StoreError> {
    let mut rows = Vec::new();
    for standing in o.store.standings().await? {
        let Some((client, _)) = fleet.site(&standing.server) else { continue };
        for (key, line) in &standing.outcomes {
            let words: Vec<&str> = line.split(' ').collect();
            let [state @ ("held" | "late"), rule, version, ..] = *words.as_slice() else { continue };
            let product = key.split('#').next().unwrap_or(key);
            rows.push(HeldRow {
                client: client.id.clone(),
                server: standing.server.clone(),
                product: product.to_owned(),
                version: (version != "-").then(|| version.to_owned()),
                state: state.to_owned(),
                rule: rule.to_owned(),
                clause: Rule::ALL.iter().find(|r| r.id() == rule).and_then(|r| r.clause()).map(str::to_owned),
                text: told(alerts, state, &standing.server, product, rule),
            });
        }
    }
    rows.sort_by(|a, b| (&a.client, &a.server, &a.product).cmp(&(&b.client, &b.server, &b.product)));
    Ok(rows)
}

/// What staff were told of it: the line of the rule that settled it, which is the last one of its kind.
fn told(alerts: &[Alert], state: &str, server: &str, product: &str, rule: &str) -> Option<String> {
    let cause = format!("{state}/{server}/{product}");
    let halted = |a: &&Alert| a.cause.starts_with("halted/") && a.product.as_deref() == Some(product);
    let about = alerts.iter().find(|a| a.cause == cause).or_else(|| alerts.iter().find(halted))?;
    about.text.lines().rev().find_map(|line| line.strip_prefix(rule)?.strip_prefix(": ")).map(str::to_owned)
}

fn open_alerts(alerts: Vec<Alert>, client: Option<&str>, now: DateTime<Utc>) -> Vec<OpenAlert> {
    let own = |a: &Alert| client.is_none_or(|client| a.client.as_deref() == Some(client));
    let mut rows: Vec<OpenAlert> = alerts
        .into_iter()
        .filter(own)
        .filter_map(|a| {
            let (state, level, by) = match a.state {
                AlertState::Open { level } => ("open", level, None),
                AlertState::Acknowledged { by, level, .. } => ("acknowledged", level, Some(by)),
                AlertState::Resolved { .. } => return None,
            };
            Some(OpenAlert {
                id: a.id,
                client: a.client,
                title: a.title,
                raised_at: a.raised_at,
                due: a.due,
                is_overdue: state == "open" && a.due < now,
                state: state.to_owned(),
                level,
                by,
            })
        })
        .collect();
    rows.sort_by_key(|a| (a.state == "acknowledged", a.due, a.id));
    rows
}

fn silent(fleet: &Fleet, alerts: &[Alert], seen: &BTreeMap<String, DateTime<Utc>>) -> Vec<SilentRow> {
    let causes: std::collections::BTreeSet<&str> = alerts.iter().map(|a| a.cause.as_str()).collect();
    let is_silent = |server: &&str| causes.contains(silence::cause(server).as_str());
    let silent = fleet.sites.iter().filter(|(server, _)| is_silent(server));
    silent
        .map(|(server, (client, site))| SilentRow {
            client: client.id.clone(),
            server: (*server).to_owned(),
            zone: site.zone.name().to_owned(),
            last_seen: seen.get(*server).copied(),
        })
        .collect()
}

async fn last_seen(o: &Orchestrator) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
    let mut seen = o.store.last_seen().await?;
    seen.extend(o.seen.lock().unwrap_or_else(PoisonError::into_inner).clone());
    Ok(seen)
}

async fn feeds(o: &Orchestrator) -> Result<Vec<FeedRow>, StoreError> {
    let mut rows = Vec::new();
    for publisher in &o.publishers {
        let known = o.store.feed(&publisher.name).await?;
        let (state, since, why) = match known.as_deref() {
            None => ("unread", None, None),
            Some(feed) => match (&feed.refused, &feed.outage) {
                (Some(why), _) => ("refused", None, Some(why.clone())),
                (None, Some(outage)) => ("unreachable", Some(outage.since), Some(outage.why.clone())),
                (None, None) => ("good", None, None),
            },
        };
        rows.push(FeedRow { publisher: publisher.name.clone(), state: state.to_owned(), since, why });
    }
    Ok(rows)
}

impl From<crate::edge::store::Outbox> for Outbox {
    fn from(outbox: crate::edge::store::Outbox) -> Outbox {
        Outbox { waiting: outbox.pending, oldest_at: outbox.oldest_at, undelivered: outbox.undelivered }
    }
}
