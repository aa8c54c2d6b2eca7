//! What an action consists of: `deploymentBase`, `cancelAction`, `installedBase`.

use super::{answer, controller::Controller};
use crate::edge::store::{DeploymentFilter, EventFilter};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::manifest::target_name;
use crate::model::release::Release;
use crate::web::App;
use crate::web::error::{ApiError, Path, Query};
use crate::work::checkin::{self, Intent};
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use chrono::SecondsFormat;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most lines of history an agent is shown.
const HISTORY_MAX: u64 = 50;

/// The path below a controller; tenant and controller are [`Controller`]'s.
#[derive(Deserialize)]
pub(super) struct ActionPath {
    pub(super) action: String,
}

impl ActionPath {
    /// The action's number; what is none is an action that does not exist.
    pub(super) fn id(&self) -> Result<i64, ApiError> {
        self.action.parse().map_err(|_| ApiError::not_found(format!("there is no action {:?}", self.action)))
    }
}

#[derive(Deserialize)]
pub(super) struct History {
    /// Lines of history wanted; -1 for all.
    #[serde(default, rename = "actionHistory")]
    lines: i64,
}

/// `GET deploymentBase/{action}`: takes the action when its slot is open, shows it when it may only be fetched.
pub(super) async fn deployment(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ActionPath>,
    Query(history): Query<History>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    // A HEAD looks, it does not start anything.
    let intent = if method == Method::GET { Intent::Take } else { Intent::Look };
    let found = checkin::hand_out(&app.o, &controller.server, id, intent).await?;
    let handed = found.ok_or_else(|| ApiError::not_found(format!("action {id} is not offered now")))?;
    let backup = handed.backup_not_before.to_rfc3339_opts(SecondsFormat::Secs, true);
    let alone = handed.alone.then(|| ("noctule.offline", "allowed".to_owned()));
    let more: Vec<_> = [("noctule.backup.not_before", backup)].into_iter().chain(alone).collect();
    let chunks = chunks(&controller, &handed.action.deployments, &handed.releases, &more);
    let (update, window) = if handed.install { ("forced", "available") } else { ("skip", "unavailable") };
    let mut body = json!({
        "id": id.to_string(),
        "deployment": {
            "download": "forced",
            "update": update,
            "maintenanceWindow": window,
            "chunks": chunks,
        },
    });
    if history.lines != 0 {
        let status = if handed.install { "RUNNING" } else { "SCHEDULED" };
        body["actionHistory"] = action_history(&app, &handed.action.deployments, status, history.lines).await?;
    }
    Ok(answer(&headers, &body))
}

async fn action_history(app: &App, deployments: &[Deployment], status: &str, lines: i64) -> Result<Value, ApiError> {
    let limit = u64::try_from(lines).unwrap_or(HISTORY_MAX).min(HISTORY_MAX);
    let mut messages = Vec::new();
    for deployment in deployments {
        let filter = EventFilter { deployment: Some(deployment.id), limit: Some(limit), ..EventFilter::default() };
        messages.extend(app.o.store.events(&filter).await?.into_iter().map(|e| (e.body.at, e.body.text)));
    }
    messages.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let newest_first: Vec<String> =
        messages.into_iter().take(usize::try_from(limit).unwrap_or(0)).map(|(_, text)| text).collect();
    Ok(json!({ "status": status, "messages": newest_first }))
}

/// `GET cancelAction/{id}`: what was handed out, is not closed, and whose slot is over.
pub(super) async fn cancellation(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ActionPath>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, now) = (path.id()?, app.o.clock.now());
    let open = app.o.store.open_deployments(&controller.server).await?;
    let overdue =
        |d: &Deployment| d.action == id && matches!(d.state, DeploymentState::Running { .. }) && d.slot.end <= now;
    if !open.iter().any(|d| overdue(d)) {
        return Err(ApiError::not_found(format!("action {id} is not being cancelled")));
    }
    Ok(answer(&headers, &json!({ "id": id.to_string(), "cancelAction": { "stopId": id.to_string() } })))
}

/// `GET installedBase/{action}`: what an installed action consisted of.
pub(super) async fn installed(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ActionPath>,
    Query(history): Query<History>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    let filter = DeploymentFilter {
        server: Some(controller.server.clone()),
        action: Some(id),
        states: vec!["installed".to_owned()],
        ..DeploymentFilter::default()
    };
    let mut deployments: Vec<Deployment> =
        app.o.store.deployments(&filter).await?.into_iter().map(|d| d.value).collect();
    deployments.sort_by_key(|d| (d.position, d.id));
    if deployments.is_empty() {
        return Err(ApiError::not_found(format!("action {id} is not installed here")));
    }
    let mut releases = BTreeMap::new();
    for deployment in &deployments {
        if let Some(release) = app.o.store.release(&deployment.product, &deployment.to).await? {
            releases.insert(deployment.id, release.value);
        }
    }
    let chunks = chunks(&controller, &deployments, &releases, &[]);
    let mut body = json!({
        "id": id.to_string(),
        "deployment": { "download": "forced", "update": "forced", "chunks": chunks },
    });
    if history.lines != 0 {
        body["actionHistory"] = action_history(&app, &deployments, "FINISHED", history.lines).await?;
    }
    Ok(answer(&headers, &body))
}

/// One chunk for each deployment, in the order of installation.
fn chunks(
    controller: &Controller,
    deployments: &[Deployment],
    releases: &BTreeMap<i64, Release>,
    more: &[(&str, String)],
) -> Vec<Value> {
    let chunk = |deployment: &Deployment| {
        let release = releases.get(&deployment.id)?;
        let (start, end) = (deployment.slot.start, deployment.slot.end);
        let instant = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let metadata = [
            ("noctule.publisher", release.signed.publisher.clone()),
            ("noctule.manifest", target_name(&deployment.product, &deployment.to)),
            ("noctule.slot.not_before", instant(start)),
            ("noctule.slot.not_after", instant(end)),
        ];
        let metadata: Vec<Value> = metadata
            .into_iter()
            .chain(more.iter().cloned())
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        Some(json!({
            "part": "bApp",
            "name": deployment.product,
            "version": deployment.to.as_str(),
            "artifacts": [artifact(controller, deployment.id, release)],
            "metadata": metadata,
        }))
    };
    deployments.iter().filter_map(chunk).collect()
}

/// A package as the protocol describes one; some clients check sha1 alone, some follow `download-http` alone.
pub(super) fn artifact(controller: &Controller, module: i64, release: &Release) -> Value {
    let file = &release.manifest().package.file;
    let link = |suffix: &str| json!({ "href": format!("{}/softwaremodules/{module}/artifacts/{file}{suffix}", controller.base) });
    json!({
        "filename": file,
        "hashes": { "sha1": release.sha1, "md5": release.md5, "sha256": release.signed.sha256 },
        "size": release.signed.size,
        "_links": {
            "download": link(""),
            "md5sum": link(".MD5SUM"),
            "download-http": link(""),
            "md5sum-http": link(".MD5SUM"),
        },
    })
}
