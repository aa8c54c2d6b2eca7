//! What happened: deployments and events.

use super::{Problem, instant, limited, own_server};
use crate::edge::store::{Cursor, DeploymentFilter, EventFilter, NoCursor, Search};
use crate::model::event::Event;
use crate::web::error::{ApiError, Path, Query};
use crate::web::identity::foreign;
use crate::web::{App, Identity};
use crate::work::views::{self, HistoryRow, ReasonRow};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

/// Longest search, in characters and in words.
const SEARCH_CHARS_MAX: usize = 200;
const SEARCH_WORDS_MAX: usize = 8;

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
    /// Only what comes before the page that ended here: the slot's start in milliseconds, `-` and the id of its first
    /// row. The `Link` of a full page has it.
    after: Option<String>,
    /// Words that name a client, server, product or version, or stand in what went wrong.
    search: Option<String>,
}

/// Deployments, the earliest slot first. A full page names the next one, which is older, in its `Link` header.
#[utoipa::path(
    get, path = "/history", params(HistoryQuery),
    responses((status = 200, body = [HistoryRow]), (status = 403, body = Problem))
)]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    identity: Identity,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, ApiError> {
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
        search: match query.search.as_deref() {
            Some(text) => Some(searched(&app, text).await?),
            None => None,
        },
        after: match query.after.as_deref() {
            Some(text) => Some(text.parse().map_err(|error: NoCursor| {
                ApiError::bad_request(error.to_string(), "follow the Link of the page before")
            })?),
            None => None,
        },
        limit: Some(limited(query.limit)),
    };
    let rows = views::history(&app.o, &filter).await?;
    let next = rows.first().filter(|_| rows.len() as u64 == limited(query.limit)).and_then(next);
    let link = next.map(|cursor| [(header::LINK, linked(&uri, &cursor))]);
    Ok((link.map(AppendHeaders), Json(rows)).into_response())
}

async fn searched(app: &App, text: &str) -> Result<Search, ApiError> {
    if text.chars().count() > SEARCH_CHARS_MAX || text.split_whitespace().count() > SEARCH_WORDS_MAX {
        let hint = format!("write up to {SEARCH_WORDS_MAX} words, {SEARCH_CHARS_MAX} characters together");
        return Err(ApiError::bad_request("the search is too long", hint));
    }
    Ok(views::search(&app.o, text).await?)
}

/// Where a page that begins with `row` ended: older rows come before it.
fn next(row: &HistoryRow) -> Option<Cursor> {
    Some(Cursor { slot_start: row.slot.as_ref()?.start.timestamp_millis(), id: row.id? })
}

/// The address of the next page (RFC 8288).
fn linked(uri: &Uri, cursor: &Cursor) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.filter(|(name, _)| name != "after")).append_pair("after", &cursor.to_string());
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())
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
    product: Option<String>,
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
        product: query.product,
        deployment: query.deployment,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        limit: Some(limited(query.limit)),
    };
    Ok(Json(app.o.store.events(&filter).await?.into_iter().map(EventRow::from).collect()))
}
