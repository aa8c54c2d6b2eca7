//! What happened: deployments and events.

use super::{Problem, instant, limited, own_server};
use crate::edge::store::{DeploymentFilter, EventFilter};
use crate::model::event::Event;
use crate::web::error::{ApiError, Path, Query};
use crate::web::identity::foreign;
use crate::web::{App, Identity};
use crate::work::views::{self, HistoryRow, ReasonRow};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The states a deployment can be in.
const STATES: [&str; 7] = ["planned", "running", "installed", "rolled_back", "refused", "failed", "cancelled"];

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    client: Option<String>,
    server: Option<String>,
    product: Option<String>,
    /// State names, separated by commas.
    state: Option<String>,
    /// Slots that begin at or after this instant or date (UTC).
    since: Option<String>,
    /// Slots that begin before this instant or date (UTC).
    until: Option<String>,
    /// The latest so many.
    limit: Option<u64>,
}

/// Deployments, the earliest slot first.
#[utoipa::path(
    get, path = "/history", params(HistoryQuery),
    responses((status = 200, body = [HistoryRow]), (status = 403, body = Problem))
)]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Vec<HistoryRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    own_server(&app, &identity, query.server.as_deref()).await?;
    let states: Vec<String> = query
        .state
        .iter()
        .flat_map(|s| s.split(','))
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(unknown) = states.iter().find(|s| !STATES.contains(&s.as_str())) {
        return Err(ApiError::bad_request(
            format!("there is no state {unknown:?}"),
            format!("write {}", STATES.join(", ")),
        ));
    }
    let filter = DeploymentFilter {
        client,
        server: query.server,
        product: query.product,
        states,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        action: None,
        limit: Some(limited(query.limit)),
    };
    Ok(Json(views::history(&app.o, &filter).await?))
}

/// One line of history, with its place in the client's chain.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct EventRow {
    seq: i64,
    at: DateTime<Utc>,
    client: String,
    server: Option<String>,
    product: Option<String>,
    deployment: Option<i64>,
    request: Option<i64>,
    /// `planned`, `started`, `installed`, …
    kind: String,
    text: String,
    reasons: Vec<ReasonRow>,
    prev: String,
    hash: String,
}

impl From<Event> for EventRow {
    fn from(event: Event) -> EventRow {
        let kind = serde_json::to_value(event.body.kind).ok().and_then(|k| k.as_str().map(str::to_owned));
        EventRow {
            seq: event.seq,
            at: event.body.at,
            client: event.body.client,
            server: event.body.server,
            product: event.body.product,
            deployment: event.body.deployment,
            request: event.body.request,
            kind: kind.unwrap_or_default(),
            text: event.body.text,
            reasons: event.body.reasons.iter().map(ReasonRow::from).collect(),
            prev: event.prev,
            hash: event.hash,
        }
    }
}

/// The log of one deployment.
#[utoipa::path(
    get, path = "/history/{deployment}/events", params(("deployment" = i64, Path)),
    responses((status = 200, body = [EventRow]), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn deployment_events(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<i64>,
) -> Result<Json<Vec<EventRow>>, ApiError> {
    let limit = identity.limit(None)?;
    let found = app.o.store.deployment(id).await?;
    let deployment = found.ok_or_else(|| ApiError::not_found(format!("there is no deployment {id}")))?;
    match limit {
        Some(own) if own != deployment.client => return Err(foreign(&own)),
        Some(_) | None => {}
    }
    let filter = EventFilter { deployment: Some(id), ..EventFilter::default() };
    Ok(Json(app.o.store.events(&filter).await?.into_iter().map(EventRow::from).collect()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    client: Option<String>,
    server: Option<String>,
    deployment: Option<i64>,
    since: Option<String>,
    until: Option<String>,
    /// The latest so many.
    limit: Option<u64>,
}

/// Events, the oldest first.
#[utoipa::path(
    get, path = "/events", params(EventQuery),
    responses((status = 200, body = [EventRow]), (status = 403, body = Problem))
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<EventQuery>,
) -> Result<Json<Vec<EventRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    own_server(&app, &identity, query.server.as_deref()).await?;
    let filter = EventFilter {
        client,
        server: query.server,
        deployment: query.deployment,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        limit: Some(limited(query.limit)),
    };
    Ok(Json(app.o.store.events(&filter).await?.into_iter().map(EventRow::from).collect()))
}
