//! `fleet apply`: the database made to match the file, after showing what changes.
//!
//! Idempotent: what is the same already is not touched, and a second run finds nothing. A server that leaves the fleet
//! loses its token and what was planned for it; its history stays. Applying never starts an installation by itself:
//! the planner sees the new fleet at its next activation.

use super::Orchestrator;
use super::tokens::{self, TokenError};
use crate::decide::calendar::Region;
use crate::decide::closed::Closed;
use crate::edge::fleet_file::{FleetFile, Step};
use crate::edge::store::{Changes, Row, Scope, StoreError, Stored, Token};
use crate::edge::toml_errors::nearest;
use crate::model::deployment::{BadTransition, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::{Client, ClosedPeriod, Contact, Fleet, Ring, Server};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// How long an enrolment code can be used, in days.
pub const CODE_DAYS: i64 = 7;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Transition(#[from] BadTransition),
}

/// What a fleet file is worth before it is applied.
#[derive(Debug, Default)]
pub struct Findings {
    /// Each with its line; a fleet with any is not applied.
    pub errors: Vec<String>,
    /// Each with its line; worth a look.
    pub warnings: Vec<String>,
}

/// Checks a fleet file against itself, the schedules and the known products; everything at once.
pub async fn check(o: &Orchestrator, file: &FleetFile) -> Result<Findings, StoreError> {
    let mut findings = Findings { errors: file.problems(), warnings: Vec::new() };
    let products: BTreeSet<String> = o.store.releases().await?.iter().map(|r| r.product().to_owned()).collect();
    for (c, client) in file.fleet.clients.iter().enumerate() {
        let place = |key| [Step::Key("client"), Step::At(c), Step::Key(key)];
        if !o.terms.contains_key(&client.schedule) {
            let names = o.terms.keys().map(String::as_str);
            let fix = match nearest(&client.schedule, names.clone()) {
                Some(name) => format!("did you mean {name:?}?"),
                None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            let message = format!("client {:?}: there is no schedule {:?}; {fix}", client.id, client.schedule);
            findings.errors.push(file.point(&place("schedule"), &message));
        }
        match client.holidays.parse::<Region>() {
            Ok(region) => findings.errors.extend(closed_problems(file, c, region)),
            Err(unknown) => {
                findings.errors.push(file.point(&place("holidays"), &format!("client {:?}: {unknown}", client.id)));
            }
        }
        // Before the first intake nothing is known, and every product would be warned of.
        let unknown = |product: &String| !products.is_empty() && !products.contains(product);
        for (i, product) in client.order.iter().enumerate().filter(|(_, product)| unknown(product)) {
            let fix = nearest(product, products.iter().map(String::as_str))
                .map_or_else(String::new, |known| format!("; did you mean {known:?}?"));
            let message = format!("client {:?}: no release of {product:?} is known yet{fix}", client.id);
            let place = [Step::Key("client"), Step::At(c), Step::Key("order"), Step::At(i)];
            findings.warnings.push(file.point(&place, &message));
        }
    }
    Ok(findings)
}

/// What is wrong with the closed periods of client `c`, those apart that the file has found already and the calendars
/// that are still to be read.
fn closed_problems(file: &FleetFile, c: usize, region: Region) -> Vec<String> {
    let client = &file.fleet.clients[c];
    let mut found = Vec::new();
    for (i, period) in client.closed.iter().enumerate() {
        if period.backwards().is_some() || matches!(period, ClosedPeriod::Calendar(_)) {
            continue;
        }
        let place = [Step::Key("client"), Step::At(c), Step::Key("closed"), Step::At(i)];
        let problems = Closed::problems(std::slice::from_ref(period), region);
        let say = |problem: &dyn std::fmt::Display| {
            file.point(&place, &format!("client {:?}: closed periods: {problem}", client.id))
        };
        found.extend(problems.iter().map(|problem| say(problem)));
    }
    found
}

/// What would change, in the order it is shown.
#[derive(Debug, Default)]
pub struct Difference {
    changes: Vec<ClientChange>,
    new_servers: Vec<String>,
    lost_servers: BTreeMap<String, Option<String>>,
}

#[derive(Debug)]
enum ClientChange {
    Added(Client),
    Changed { stored: Stored<Client>, client: Client, details: Vec<String> },
    Removed(Stored<Client>),
}

/// What applying did.
#[derive(Debug, Default)]
pub struct Applied {
    /// One-time enrolment codes of the servers that are new: shown once, stored nowhere.
    pub codes: Vec<EnrolmentCode>,
}

#[derive(Debug)]
pub struct EnrolmentCode {
    pub server: String,
    pub code: String,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// One line for each change: `+` added, `~` changed, `-` removed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for change in &self.changes {
            match change {
                ClientChange::Added(client) => {
                    lines.push(format!("+ client {} ({}), schedule {}", client.id, client.name, client.schedule));
                    lines.extend(client.servers.iter().map(|server| format!("+   server {}", describe(server))));
                }
                ClientChange::Changed { client, details, .. } => {
                    lines.push(format!("~ client {} ({})", client.id, client.name));
                    lines.extend(details.iter().map(|detail| detail.to_string()));
                }
                ClientChange::Removed(client) => {
                    lines.push(format!("- client {} ({}); its history stays", client.id, client.name));
                    lines.extend(client.servers.iter().map(|server| format!("-   server {}", server.id)));
                }
            }
        }
        lines
    }
}

/// Compares the database with `fleet`; changes nothing.
pub async fn compare(o: &Orchestrator, fleet: &Fleet) -> Result<Difference, StoreError> {
    let stored = o.store.clients().await?;
    let known: BTreeSet<&str> = stored.iter().flat_map(|c| &c.servers).map(|s| s.id.as_str()).collect();
    let wanted: BTreeMap<&str, &str> =
        fleet.clients.iter().flat_map(|c| c.servers.iter().map(|s| (s.id.as_str(), c.id.as_str()))).collect();
    let mut difference = Difference {
        new_servers: wanted.keys().filter(|id| !known.contains(**id)).map(|id| (*id).to_owned()).collect(),
        ..Difference::default()
    };
    for old in &stored {
        for server in &old.servers {
            // A machine that changes hands is enrolled anew: its token speaks for the old owner's server.
            match wanted.get(server.id.as_str()) {
                None => {
                    difference.lost_servers.insert(server.id.clone(), None);
                }
                Some(owner) if *owner != old.id => {
                    difference.lost_servers.insert(server.id.clone(), Some((*owner).to_owned()));
                    difference.new_servers.push(server.id.clone());
                }
                Some(_) => {}
            }
        }
    }
    for client in &fleet.clients {
        match stored.iter().find(|old| old.id == client.id) {
            None => difference.changes.push(ClientChange::Added(client.clone())),
            Some(old) if old.value == *client => {}
            Some(old) => difference.changes.push(ClientChange::Changed {
                details: details(&old.value, client),
                stored: old.clone(),
                client: client.clone(),
            }),
        }
    }
    let gone = stored.into_iter().filter(|old| fleet.clients.iter().all(|client| client.id != old.id));
    difference.changes.extend(gone.map(ClientChange::Removed));
    Ok(difference)
}

/// Makes the database match `fleet`, which has been checked.
pub async fn apply(o: &Orchestrator, fleet: &Fleet) -> Result<Applied, FleetError> {
    commit(o, compare(o, fleet).await?).await
}

/// Writes `difference`: clients and their events together, then a code for each new server.
///
/// # Errors
/// A [`StoreError::Conflict`] when somebody changed the fleet since it was compared: what was shown no longer holds.
pub async fn commit(o: &Orchestrator, difference: Difference) -> Result<Applied, FleetError> {
    let now = o.clock.now();
    let mut changes = Changes::default();
    for change in difference.changes {
        match change {
            ClientChange::Added(client) => {
                let servers: Vec<&str> = client.servers.iter().map(|server| server.id.as_str()).collect();
                let text = format!("client added under {}, with {}", client.schedule, servers.join(", "));
                changes.events.push(NewEvent::new(now, &client.id, EventKind::FleetChanged, text));
                changes.rows.push(Row::Client(Stored::new(client)));
            }
            ClientChange::Changed { stored, client, details } => {
                let text = format!("client changed: {}", public(&details));
                changes.events.push(NewEvent::new(now, &client.id, EventKind::FleetChanged, text));
                changes.rows.push(Row::Client(stored.with(client)));
            }
            ClientChange::Removed(client) => {
                let text = "client removed from the fleet".to_owned();
                changes.events.push(NewEvent::new(now, &client.id, EventKind::FleetChanged, text));
                changes.rows.push(Row::RemoveClient(client));
            }
        }
    }
    for server in difference.lost_servers.keys() {
        retire(o, server, now, &mut changes).await?;
    }
    if !changes.is_empty() {
        o.store.commit(changes).await?;
    }
    let mut applied = Applied::default();
    for server in difference.new_servers {
        let code = tokens::issue_enrolment(o, &server, TimeDelta::days(CODE_DAYS)).await?;
        applied.codes.push(EnrolmentCode { server, code });
    }
    Ok(applied)
}

/// A server that left: its token ends, what was planned for it is given up.
async fn retire(o: &Orchestrator, server: &str, now: DateTime<Utc>, changes: &mut Changes) -> Result<(), FleetError> {
    for token in o.store.tokens().await? {
        if token.revoked_at.is_none() && matches!(&token.scope, Scope::Target { server: of } if of == server) {
            let revoked = Token { revoked_at: Some(now), ..token.value.clone() };
            changes.rows.push(Row::Token(token.with(revoked)));
        }
    }
    for deployment in o.store.open_deployments(server).await? {
        if deployment.state == DeploymentState::Planned {
            let why = "the server left the fleet".to_owned();
            let cancelled = deployment.value.clone().cancel(now, why.clone())?;
            let event = NewEvent::new(now, &cancelled.client, EventKind::Cancelled, why).about(&cancelled);
            changes.events.push(event);
            changes.rows.push(Row::Deployment(deployment.with(cancelled)));
        }
    }
    Ok(())
}

fn describe(server: &Server) -> String {
    let ring = match server.ring {
        Ring::Canary => "canary",
        Ring::Broad => "broad",
    };
    format!("{} ({}, {ring})", server.id, server.zone)
}

/// What differs, one line each.
fn details(old: &Client, new: &Client) -> Vec<String> {
    let mut lines = Vec::new();
    let mut field = |name: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("~   {name}: {old} → {new}"));
        }
    };
    field("name", old.name.clone(), new.name.clone());
    field("language", format!("{:?}", old.language).to_lowercase(), format!("{:?}", new.language).to_lowercase());
    field("schedule", old.schedule.clone(), new.schedule.clone());
    field("holidays", old.holidays.clone(), new.holidays.clone());
    field("order", old.order.join(", "), new.order.join(", "));
    let contacts = |client: &Client| {
        let show = |c: &Contact| match &c.phone {
            Some(phone) => format!("{} <{}> {phone}", c.name, c.email),
            None => format!("{} <{}>", c.name, c.email),
        };
        client.contacts.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    field("contacts", contacts(old), contacts(new));
    for (sign, left, right) in [("+", new, old), ("-", old, new)] {
        let only_left = left.closed.iter().filter(|period| !right.closed.contains(period));
        lines.extend(only_left.map(|period| format!("{sign}   closed: {period}")));
    }
    for server in &new.servers {
        match old.servers.iter().find(|known| known.id == server.id) {
            None => lines.push(format!("+   server {}", describe(server))),
            Some(known) if known != server => {
                lines.push(format!("~   server {} → {}", describe(known), describe(server)));
            }
            Some(_) => {}
        }
    }
    for server in old.servers.iter().filter(|known| new.servers.iter().all(|server| server.id != known.id)) {
        lines.push(format!("-   server {}", server.id));
    }
    if lines.is_empty() {
        lines.push("~   order of servers or closed periods".to_owned());
    }
    lines
}

/// Most closed periods that history names one by one; more are counted.
const CLOSED_NAMED_MAX: usize = 10;

/// The details as history keeps them: contacts are personal data, so only that they changed is told.
fn public(details: &[String]) -> String {
    let is_closed = |line: &&String| line.get(4..).is_some_and(|text| text.starts_with("closed: "));
    let count = |sign: char| details.iter().filter(is_closed).filter(|line| line.starts_with(sign)).count();
    let (added, removed) = (count('+'), count('-'));
    let many = added + removed > CLOSED_NAMED_MAX;
    let say = |line: &String| {
        let (sign, text) = line.split_at(line.find(|c: char| c.is_alphanumeric()).unwrap_or(0));
        if text.starts_with("contacts:") || text.starts_with("name:") {
            text.split(':').next().unwrap_or_default().to_owned()
        } else if text.starts_with("closed:") && sign.starts_with('-') {
            format!("no longer {text}")
        } else if text.starts_with("server ") && sign.starts_with('-') {
            format!("removed {text}")
        } else if text.starts_with("server ") && sign.starts_with('+') {
            format!("added {text}")
        } else {
            text.to_owned()
        }
    };
    let mut said: Vec<String> = details.iter().filter(|line| !(many && is_closed(line))).map(say).collect();
    if many {
        said.push(format!("{added} closed periods added, {removed} removed"));
    }
    said.join("; ")
}
