//! How things stand tonight.

use super::Problem;
use crate::web::error::{ApiError, Query};
use crate::web::{App, Identity};
use crate::work::views::{self, Status};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    client: Option<String>,
}

/// Tonight at a glance: planned, under way, held and why, open alerts, silent agents, feeds, the outbox.
#[utoipa::path(
    get, path = "/status", params(StatusQuery),
    responses((status = 200, body = Status), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn status(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<StatusQuery>,
) -> Result<Json<Status>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    // A quiet night of nobody would read like good news.
    if let Some(id) = &client
        && app.o.store.client(id).await?.is_none()
    {
        return Err(ApiError::not_found(format!("there is no client {id:?}")));
    }
    Ok(Json(views::status(&app.o, client.as_deref()).await?))
}
