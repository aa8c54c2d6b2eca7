//! The fleet, the letters, and whether we are well.

use super::{Problem, limited};
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::identity::Staff;
use crate::web::{App, Identity};
use crate::work::post::again::{self, AgainError};
use crate::work::views::{self, NoticeRow, ServerRow};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// Who wants it; whoever asks, when absent.
    by: Option<String>,
}

/// Sends a letter that was given up once more, as the same message.
#[utoipa::path(
    post, path = "/notices/{id}/again", params(("id" = i64, Path)), request_body = Again,
    responses(
        (status = 200, body = NoticeRow),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    )
)]
pub(super) async fn again(
    State(app): State<Arc<App>>,
    Staff(name): Staff,
    Path(id): Path<i64>,
    Body(body): Body<Again>,
) -> Result<Json<NoticeRow>, ApiError> {
    let by = body.by.unwrap_or(name);
    let notice = again::again(&app.o, id, &by).await.map_err(|error| {
        let text = error.to_string();
        match error {
            AgainError::Store(error) => error.into(),
            AgainError::Unsaid(_) => ApiError::bad_request(text, "write a name"),
            AgainError::NoLetter(_) => ApiError::not_found(text),
            AgainError::NotGivenUp { .. } => {
                ApiError::new(StatusCode::CONFLICT, text, "`noctule letters undelivered` lists what was given up")
            }
        }
    })?;
    Ok(Json(views::notice_row(notice)))
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
