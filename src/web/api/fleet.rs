//! The fleet, the letters, and whether we are well.

use super::{Problem, limited};
use crate::web::error::{ApiError, Query};
use crate::web::{App, Identity};
use crate::work::views::{self, NoticeRow, ServerRow};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ClientQuery {
    client: Option<String>,
    /// The latest so many.
    limit: Option<u64>,
}

/// The letters to clients, and what became of them; to staff, also those to staff.
#[utoipa::path(
    get, path = "/notices", params(ClientQuery),
    responses((status = 200, body = [NoticeRow]), (status = 403, body = Problem))
)]
pub(super) async fn notices(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<ClientQuery>,
) -> Result<Json<Vec<NoticeRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    Ok(Json(views::notices(&app.o, client.as_deref(), limited(query.limit)).await?))
}

/// The servers, with what each last said of itself.
#[utoipa::path(
    get, path = "/fleet", params(ClientQuery),
    responses((status = 200, body = [ServerRow]), (status = 403, body = Problem))
)]
pub(super) async fn fleet(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<ClientQuery>,
) -> Result<Json<Vec<ServerRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    Ok(Json(views::fleet(&app.o, client.as_deref()).await?))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`; anything else is not answered with 200.
    status: &'static str,
    version: &'static str,
    /// What time it is here.
    now: DateTime<Utc>,
}

/// Whether the service and its database answer. Needs no token.
#[utoipa::path(get, path = "/health", security(()), responses((status = 200, body = Health), (status = 500, body = Problem)))]
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<Json<Health>, ApiError> {
    // One indexed read of a row that need not exist.
    app.o.store.request(0).await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), now: app.o.clock.now() }))
}
