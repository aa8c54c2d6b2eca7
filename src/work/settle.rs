//! A server reports: progress becomes a line of history, a closing report ends the deployment.
//!
//! The end is one commit: the deployment's new state, its event, the client's letter, the alert to staff or the end of
//! the one that was open, and the request it fulfilled. A report about what is over changes nothing, so repeating one
//! is harmless. What the machine says it runs decides, not that the installer was content.

use super::presence::Presence;
use super::{Orchestrator, alerts, report};
use crate::edge::store::{Changes, DeploymentFilter, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::deployment::{BadTransition, Closing, Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use crate::model::notice::{Installation, Letter, NewNotice};
use crate::model::report::ServerState;
use crate::model::request::{Request, RequestState};
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Times a report is tried when rows change under it.
const TRIES_MAX: u32 = 3;
/// Longest text kept of one report, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// How far the server is (`status.execution` of the protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    Closed,
    Proceeding,
    Scheduled,
    Resumed,
    Download,
    Downloaded,
    Canceled,
    Rejected,
}

/// How it went (`status.result.finished`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finished {
    Success,
    Failure,
    #[default]
    None,
}

/// A report about an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    pub execution: Execution,
    pub finished: Finished,
    pub details: Vec<String>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Noted,
    Settled,
}

#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("server {server} has no action {action}")]
    NoAction { server: String, action: i64 },
    #[error("action {0} is over")]
    Over(i64),
    #[error("action {0} was never handed out: its slot has not opened, so it cannot have been carried out")]
    NeverOpened(i64),
    #[error(transparent)]
    Transition(#[from] BadTransition),
}

/// What the details of a report say: lines `noctule.<key>=<value>` are for us, the others for people.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    result: Option<String>,
    why: Option<String>,
    step: Option<String>,
    observed: BTreeMap<String, Version>,
    lines: Vec<String>,
}

impl Said {
    fn read(details: &[String]) -> Said {
        let mut said = Said::default();
        for line in details {
            let pair = line.strip_prefix("noctule.").and_then(|rest| rest.split_once('='));
            match pair {
                Some(("result", value)) => said.result = Some(value.to_owned()),
                Some(("why", value)) => said.why = Some(short(value)),
                Some(("step", value)) => said.step = Some(short(value)),
                Some((key, value)) => {
                    if let (Some(product), Ok(version)) = (key.strip_prefix("observed."), value.parse()) {
                        said.observed.insert(product.to_owned(), version);
                    }
                }
                None if line.trim().is_empty() => {}
                None => said.lines.push(short(line)),
            }
        }
        said
    }

    /// Why it failed, in one sentence.
    fn why(&self) -> String {
        let text = self.why.clone().or_else(|| (!self.lines.is_empty()).then(|| self.lines.join("; ")));
        let text = text.unwrap_or_else(|| "the agent reported a failure and did not say why".to_owned());
        short(&match &self.step {
            Some(step) if self.why.is_some() => format!("{text} (step {step})"),
            Some(_) | None => text,
        })
    }
}

fn short(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_CHARS_MAX).collect()
}

/// Takes a report of `server` about `action`.
pub async fn receive(
    o: &Orchestrator,
    presence: &Presence,
    server: &str,
    action: i64,
    feedback: &Feedback,
) -> Result<Heard, SettleError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let rows = of_action(o, server, action).await?;
        if !rows.iter().any(|d| d.state.is_open()) {
            return Err(SettleError::Over(action));
        }
        let running = rows.iter().any(|d| matches!(d.state, DeploymentState::Running { .. }));
        let said = Said::read(&feedback.details);
        let (changes, heard) = match (feedback.execution, feedback.finished, running) {
            (Execution::Closed, _, true) => (close(o, &rows, feedback.finished, &said).await?, Heard::Settled),
            (Execution::Closed, Finished::Failure, false) => (staging_failed(o, &rows, &said).await?, Heard::Noted),
            (Execution::Closed, Finished::Success | Finished::None, false) => {
                return Err(SettleError::NeverOpened(action));
            }
            (execution, _, _) => (progress(o, presence, &rows, execution, &said), Heard::Noted),
        };
        match o.store.commit(changes).await {
            Ok(()) => {
                if heard == Heard::Settled {
                    presence.is_over(action);
                    presence.forget(server);
                }
                return Ok(heard);
            }
            Err(StoreError::Conflict { .. }) if tries < TRIES_MAX => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The server agrees to give up an action whose slot is over (`closed`), or goes on with it.
pub async fn receive_cancel(
    o: &Orchestrator,
    presence: &Presence,
    server: &str,
    action: i64,
    feedback: &Feedback,
) -> Result<Heard, SettleError> {
    let ended = match feedback.execution {
        Execution::Closed => true,
        Execution::Canceled => feedback.finished != Finished::Failure,
        Execution::Proceeding
        | Execution::Scheduled
        | Execution::Resumed
        | Execution::Download
        | Execution::Downloaded
        | Execution::Rejected => false,
    };
    let rows = of_action(o, server, action).await?;
    if !rows.iter().any(|d| d.state.is_open()) {
        return Err(SettleError::Over(action));
    }
    let running = rows.iter().all(|d| !matches!(d.state, DeploymentState::Planned));
    if !running {
        return Err(SettleError::NeverOpened(action));
    }
    let said = Said::read(&feedback.details);
    let (changes, heard) = if ended {
        let said = Said { why: Some("given up: its slot ended before it was carried out".to_owned()), ..said };
        (close(o, &rows, Finished::Failure, &said).await?, Heard::Settled)
    } else {
        (progress(o, presence, &rows, feedback.execution, &said), Heard::Noted)
    };
    o.store.commit(changes).await?;
    if heard == Heard::Settled {
        presence.is_over(action);
        presence.forget(server);
    }
    Ok(heard)
}

async fn of_action(o: &Orchestrator, server: &str, action: i64) -> Result<Vec<Stored<Deployment>>, SettleError> {
    let filter = DeploymentFilter { action: Some(action), ..DeploymentFilter::default() };
    let mut rows = o.store.deployments(&filter).await?;
    rows.retain(|d| d.server == server);
    rows.sort_by_key(|d| (d.position, d.id));
    if rows.is_empty() { Err(SettleError::NoAction { server: server.to_owned(), action }) } else { Ok(rows) }
}

/// A line of history for each news of an action that goes on.
fn progress(
    o: &Orchestrator,
    presence: &Presence,
    rows: &[Stored<Deployment>],
    execution: Execution,
    said: &Said,
) -> Changes {
    let mut changes = Changes::default();
    let word = match execution {
        Execution::Closed => "closed",
        Execution::Proceeding => "proceeding",
        Execution::Scheduled => "scheduled",
        Execution::Resumed => "resumed",
        Execution::Download => "downloading",
        Execution::Downloaded => "downloaded",
        Execution::Canceled => "cancelled by the agent, which is still bound to it",
        Execution::Rejected => "rejected by the agent, which may still carry it out",
    };
    let more = said.step.iter().map(|step| format!("step {step}")).chain(said.why.clone()).chain(said.lines.clone());
    let text = short(&std::iter::once(word.to_owned()).chain(more).collect::<Vec<_>>().join("; "));
    if let Some(first) = rows.iter().find(|d| d.state.is_open()).filter(|d| presence.is_news(d.action, &text)) {
        let event = NewEvent::new(o.clock.now(), &first.client, EventKind::Progress, text);
        changes.events.push(event.about(first));
    }
    changes
}

/// Fetching ahead failed: nothing was installed and the slot is still to come, but staff should know now.
async fn staging_failed(o: &Orchestrator, rows: &[Stored<Deployment>], said: &Said) -> Result<Changes, StoreError> {
    let mut changes = Changes::default();
    for deployment in rows.iter().filter(|d| d.state == DeploymentState::Planned).take(1) {
        let text = format!("could not be prepared ahead: {}", said.why());
        let alert = NewAlert {
            cause: format!("staging/{}", deployment.id),
            class: AlertClass::Applications,
            client: Some(deployment.client.clone()),
            server: Some(deployment.server.clone()),
            product: Some(deployment.product.clone()),
            deployment: Some(deployment.id),
            title: format!("{} {} cannot be prepared on {}", deployment.product, deployment.to, deployment.server),
            text: text.clone(),
        };
        let before = changes.rows.len();
        alerts::raise(o, &mut changes, alert).await?;
        if before < changes.rows.len() {
            let event = NewEvent::new(o.clock.now(), &deployment.client, EventKind::Progress, text);
            changes.events.push(event.about(deployment));
        }
    }
    Ok(changes)
}

/// Every running deployment of the action ends as the report, and the machine's inventory, say.
async fn close(
    o: &Orchestrator,
    rows: &[Stored<Deployment>],
    finished: Finished,
    said: &Said,
) -> Result<Changes, SettleError> {
    let now = o.clock.now();
    let mut changes = Changes::default();
    let Some(first) = rows.first() else { return Ok(changes) };
    let known = o.store.state(&first.server).await?;
    let mut state = known.as_ref().map(|k| k.value.1.clone()).unwrap_or_default();
    let mut unobserved = false;
    for row in rows.iter().filter(|d| matches!(d.state, DeploymentState::Running { .. })) {
        let closing = closing(row, finished, said, &state);
        if closing == (Closing::Installed { observed: None }) {
            // Nobody will report what runs there: the closing report is all there is to plan on.
            state.inventory.insert(row.product.clone(), row.to.clone());
            unobserved = true;
        }
        let closed = row.value.clone().close(now, closing)?;
        ended(o, &mut changes, row, closed, &state, now).await?;
    }
    if unobserved {
        let value = (first.server.clone(), state);
        changes.rows.push(Row::State(known.map_or_else(|| Stored::new(value.clone()), |k| k.with(value.clone()))));
    }
    Ok(changes)
}

fn closing(deployment: &Deployment, finished: Finished, said: &Said, state: &ServerState) -> Closing {
    let observes = report::has_inventory(state);
    let runs = state.inventory.get(&deployment.product).filter(|_| observes);
    let is_new = runs == Some(&deployment.to);
    let what_runs = runs
        .map_or_else(|| "the machine does not say it runs it".to_owned(), |v| format!("the machine says it runs {v}"));
    match finished {
        Finished::Success | Finished::None if !observes => Closing::Installed { observed: None },
        Finished::Success | Finished::None if is_new => Closing::Installed { observed: runs.cloned() },
        Finished::Success | Finished::None => {
            Closing::Failed { why: format!("reported as installed, but {what_runs}") }
        }
        Finished::Failure if said.result.as_deref() == Some("rolled_back") && is_new => {
            Closing::Failed { why: format!("reported as rolled back, but {what_runs}: {}", said.why()) }
        }
        Finished::Failure if said.result.as_deref() == Some("rolled_back") => Closing::RolledBack { why: said.why() },
        Finished::Failure => Closing::Failed { why: said.why() },
    }
}

/// Adds what follows from the end of a deployment: its row, event, letter, alert and request.
pub async fn ended(
    o: &Orchestrator,
    changes: &mut Changes,
    row: &Stored<Deployment>,
    closed: Deployment,
    state: &ServerState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let name = format!("{} {}", closed.product, closed.to);
    let (kind, text, why) = match &closed.state {
        DeploymentState::Installed { observed: Some(version), .. } => {
            (EventKind::Installed, format!("{name} installed; the machine says it runs {version}"), None)
        }
        DeploymentState::Installed { observed: None, .. } => {
            (EventKind::Installed, format!("{name} installed, as the agent reports; not observed"), None)
        }
        DeploymentState::RolledBack { why, .. } => {
            (EventKind::RolledBack, format!("{name} failed and the old version was restored: {why}"), Some(why.clone()))
        }
        DeploymentState::Failed { why, .. } => (EventKind::Failed, format!("{name} failed: {why}"), Some(why.clone())),
        DeploymentState::Planned | DeploymentState::Running { .. } | DeploymentState::Cancelled { .. } => {
            return Ok(()); // not an end that follows a hand-out
        }
    };
    changes.events.push(NewEvent::new(now, &closed.client, kind, text.clone()).about(&closed));
    let cause = format!("failed/{}/{}/{}", closed.server, closed.product, closed.to);
    match &why {
        None => {
            alerts::resolve_cause(o, changes, &cause, "installed since").await?;
            fulfil(o, changes, &closed, state, now).await?;
        }
        Some(why) => {
            let (class, word) =
                (AlertClass::Applications, if kind == EventKind::RolledBack { "rolled back" } else { "failed" });
            let alert = NewAlert {
                cause,
                class,
                client: Some(closed.client.clone()),
                server: Some(closed.server.clone()),
                product: Some(closed.product.clone()),
                deployment: Some(closed.id),
                title: format!("{name} {word} on {}", closed.server),
                text: why.clone(),
            };
            alerts::raise(o, changes, alert).await?;
        }
    }
    tell(o, changes, &closed, why, now).await?;
    tracing::info!(server.id = %closed.server, deployment.id = closed.id, state = closed.state.name(), "{text}");
    changes.rows.push(Row::Deployment(row.with(closed)));
    Ok(())
}

/// The client's letter about the end of a deployment.
async fn tell(
    o: &Orchestrator,
    changes: &mut Changes,
    closed: &Deployment,
    why: Option<String>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let release = o.store.release(&closed.product, &closed.to).await?;
    let client = o.store.client(&closed.client).await?;
    let (Some(release), Some(client)) = (release, client) else {
        tracing::warn!(deployment.id = closed.id, "no letter: its release or client is not in the store any more");
        return Ok(());
    };
    let installation = Installation {
        server: closed.server.clone(),
        zone: client.servers.iter().find(|s| s.id == closed.server).map_or(chrono_tz::Europe::Paris, |s| s.zone),
        product: closed.product.clone(),
        from: closed.from.clone(),
        to: closed.to.clone(),
        slot: closed.slot,
        deadline: closed.deadline,
        finished_at: closed.state.finished_at(),
        manifest: Box::new(release.manifest().clone()),
    };
    let word = if why.is_some() { "failed" } else { "installed" };
    // Only what was rolled back is known to run again.
    let degraded = matches!(closed.state, DeploymentState::Failed { .. });
    let letter = match (closed.change, closed.manual, why) {
        (Change::Major | Change::Minor, _, Some(why)) if degraded => Letter::Degraded { installation, why },
        (Change::Major, _, None) => Letter::MajorInstalled(installation),
        (Change::Major, _, Some(why)) => Letter::MajorFailed { installation, why },
        (Change::Minor, true, None) => Letter::ManualInstalled(installation),
        (Change::Minor, true, Some(why)) => Letter::ManualFailed { installation, why },
        (Change::Minor, false, None) => Letter::MinorInstalled(installation),
        (Change::Minor, false, Some(why)) => Letter::MinorFailed { installation, why },
    };
    changes.notices.push(NewNotice {
        key: format!("{word}/{}", closed.id),
        at: now,
        client: Some(closed.client.clone()),
        server: Some(closed.server.clone()),
        deployment: Some(closed.id),
        letter,
    });
    Ok(())
}

/// A request is done when every server it is about runs the version it asked for.
async fn fulfil(
    o: &Orchestrator,
    changes: &mut Changes,
    closed: &Deployment,
    state: &ServerState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(id) = closed.request else { return Ok(()) };
    let Some(request) = o.store.request(id).await?.filter(|r| r.state == RequestState::Accepted) else {
        return Ok(());
    };
    let Some(client) = o.store.client(&closed.client).await? else { return Ok(()) };
    for server in client.servers.iter().filter(|s| request.servers.is_empty() || request.servers.contains(&s.id)) {
        let inventory = if server.id == closed.server {
            state.inventory.clone()
        } else {
            o.store.state(&server.id).await?.map(|s| s.value.1.inventory).unwrap_or_default()
        };
        // A server without the product is none of the request's business.
        if inventory.get(&request.product).is_some_and(|version| *version < request.version) {
            return Ok(());
        }
    }
    let text = format!("request {id} is done: {} {} runs wherever it was asked for", request.product, request.version);
    let event = NewEvent::new(now, &request.client, EventKind::RequestDone, text);
    changes.events.push(event.product(&request.product).request(id));
    let done = Request { state: RequestState::Done { at: now }, ..request.value.clone() };
    changes.rows.push(Row::Request(request.with(done)));
    Ok(())
}
