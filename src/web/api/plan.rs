//! What will happen, and why; who attends a manual update.

use super::{Problem, at, own_server};
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::{App, Identity};
use crate::work::attend::{self, AttendError};
use crate::work::planning::Selection;
use crate::work::views::{self, Explanation, PlanFilter, PlanRow};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Farthest a plan looks ahead, in days.
const DAYS_MAX: u32 = 366;
/// Longest name of a person, in characters.
const NAME_CHARS_MAX: usize = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlanQuery {
    client: Option<String>,
    server: Option<String>,
    product: Option<String>,
    /// Decides as if it were this instant, with what is known now (RFC 3339; a date is its first moment in UTC); now
    /// when absent.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-05-22T20:00:00Z")]
    at: Option<String>,
    /// How many days ahead; without limit when absent.
    days: Option<u32>,
    /// Also what is up to date, waits, or is out of the order's scope.
    #[serde(default)]
    all: bool,
}

/// What will be installed where and when, and what is held or late, and why. Changes nothing.
#[utoipa::path(
    get, path = "/plan", params(PlanQuery),
    responses(
        (status = 200, body = [PlanRow]),
        (status = 400, body = Problem, description = "`at` is no instant, or a year whose calendar is not known"),
        (status = 403, body = Problem),
        (status = 404, body = Problem, description = "there is no such client or server"),
    )
)]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<PlanQuery>,
) -> Result<Json<Vec<PlanRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    own_server(&app, &identity, query.server.as_deref()).await?;
    known(&app, client.as_deref(), query.server.as_deref()).await?;
    let filter = PlanFilter {
        selection: Selection { client, server: query.server },
        product: query.product,
        at: at(query.at.as_deref())?,
        days: query.days.map(|days| days.min(DAYS_MAX)),
        all: query.all,
    };
    Ok(Json(views::plan(&app.o, &filter).await?))
}

/// An empty plan of what does not exist would read like good news.
async fn known(app: &App, client: Option<&str>, server: Option<&str>) -> Result<(), ApiError> {
    if let Some(id) = client
        && app.o.store.client(id).await?.is_none()
    {
        return Err(ApiError::not_found(format!("there is no client {id:?}")));
    }
    if let Some(id) = server {
        let owner = app.o.store.client_of_server(id).await?;
        if owner.is_none_or(|owner| client.is_some_and(|client| owner.id != client)) {
            let of = client.map_or_else(String::new, |client| format!(" of {client}"));
            return Err(ApiError::not_found(format!("there is no server {id:?}{of}")));
        }
    }
    Ok(())
}

/// Most rows of the plan in an answer about something else.
const ROWS_BESIDE_MAX: usize = 100;

/// The plan as it is now, beside the answer to what may have changed it. What was written stays written, so a plan
/// that cannot be made is left out.
pub(super) async fn beside(app: &App, filter: &PlanFilter, is_concerned: impl Fn(&PlanRow) -> bool) -> Vec<PlanRow> {
    match views::plan(&app.o, filter).await {
        Ok(rows) => rows.into_iter().filter(|row| is_concerned(row)).take(ROWS_BESIDE_MAX).collect(),
        Err(error) => {
            tracing::warn!(%error, "an answer leaves without its plan");
            Vec::new()
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    server: String,
    /// Only this product.
    product: Option<String>,
    /// Decides as if it were this instant, with what is known now (RFC 3339; a date is its first moment in UTC); now
    /// when absent.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-05-22T20:00:00Z")]
    at: Option<String>,
}

/// The ordered reasons behind the decisions about one server, each with its rule and clause, and what would change it.
#[utoipa::path(
    get, path = "/explain", params(ExplainQuery),
    responses(
        (status = 200, body = Explanation),
        (status = 400, body = Problem, description = "`at` is no instant, or a year whose calendar is not known"),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, ApiError> {
    identity.limit(None)?;
    own_server(&app, &identity, Some(&query.server)).await?;
    let at = at(query.at.as_deref())?;
    let found = views::explain(&app.o, &query.server, query.product.as_deref(), at).await?;
    let explanation = found.ok_or_else(|| ApiError::not_found(format!("there is no server {:?}", query.server)))?;
    if let (Some(product), true) = (&query.product, explanation.decisions.is_empty()) {
        return Err(ApiError::not_found(format!("nothing is known of {product:?} on {}", query.server)));
    }
    Ok(Json(explanation))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Attend {
    /// Who will be there; whoever asks, when absent.
    by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Attended {
    deployment: i64,
    by: String,
}

/// Names who of the staff attends a manual update; without them it is not handed out.
#[utoipa::path(
    post, path = "/deployments/{id}/attend", params(("id" = i64, Path)), request_body = Attend,
    responses((status = 200, body = Attended), (status = 403, body = Problem), (status = 409, body = Problem))
)]
pub(super) async fn attend(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<i64>,
    Body(body): Body<Attend>,
) -> Result<Json<Attended>, ApiError> {
    identity.require_staff()?;
    let by = body.by.unwrap_or_else(|| identity.name().to_owned());
    let by = by.trim();
    if by.is_empty() || NAME_CHARS_MAX < by.chars().count() {
        return Err(ApiError::bad_request("\"by\" is not a name", format!("write 1 to {NAME_CHARS_MAX} characters")));
    }
    let attended = attend::attend(&app.o, id, by).await.map_err(|error| match error {
        AttendError::Store(error) => error.into(),
        AttendError::NotFound(_) => ApiError::not_found(error.to_string()),
        AttendError::NotManual(_) | AttendError::TooLate { .. } => {
            ApiError::new(StatusCode::CONFLICT, error.to_string(), "see `noctule plan` for what is to be attended")
        }
    })?;
    Ok(Json(Attended { deployment: attended.id, by: by.to_owned() }))
}
