//! Alerts: what demands action of staff.

use super::Problem;
use crate::model::alert::{Alert, AlertClass, AlertState};
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::{App, Identity};
use crate::work::alerts;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertQuery {
    /// Also those that are resolved.
    #[serde(default)]
    all: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AlertRow {
    id: i64,
    /// `applications` or `systems`.
    class: String,
    client: Option<String>,
    server: Option<String>,
    product: Option<String>,
    deployment: Option<i64>,
    title: String,
    text: String,
    raised_at: DateTime<Utc>,
    /// When somebody has to have intervened.
    due: DateTime<Utc>,
    /// `open`, `acknowledged` or `resolved`.
    state: String,
    /// How far it was escalated, 0 to 3; it stays as it was when somebody took it up.
    level: u8,
    /// Who took it up or, once it is resolved, ended it: nobody where its reason went away by itself.
    by: Option<String>,
    changed_at: Option<DateTime<Utc>>,
    /// When somebody intervened, and who.
    taken_up_at: Option<DateTime<Utc>>,
    taken_up_by: Option<String>,
    /// Minutes by which that was after `due`, begun ones counted; 0 when it was in time.
    late_minutes: Option<i64>,
    note: Option<String>,
}

impl From<Alert> for AlertRow {
    fn from(alert: Alert) -> AlertRow {
        let (level, late_by) = (alert.level(), alert.late_by());
        let taken_up = alert.taken_up().map(|(at, by)| (at, by.to_owned()));
        let (taken_up_at, taken_up_by) = taken_up.unzip();
        let (state, by, changed_at, note) = match alert.state {
            AlertState::Open { .. } => ("open", None, None, None),
            AlertState::Acknowledged { at, by, .. } => ("acknowledged", Some(by), Some(at), None),
            AlertState::Resolved { at, note, by, .. } => ("resolved", by, Some(at), Some(note)),
        };
        let class = match alert.class {
            AlertClass::Applications => "applications",
            AlertClass::Systems => "systems",
        };
        AlertRow {
            id: alert.id,
            class: class.to_owned(),
            client: alert.client,
            server: alert.server,
            product: alert.product,
            deployment: alert.deployment,
            title: alert.title,
            text: alert.text,
            raised_at: alert.raised_at,
            due: alert.due,
            state: state.to_owned(),
            level,
            by,
            changed_at,
            taken_up_at,
            taken_up_by,
            late_minutes: late_by.map(|late| (late.num_milliseconds() + 59_999) / 60_000),
            note,
        }
    }
}

/// The alerts that are not resolved.
#[utoipa::path(
    get, path = "/alerts", params(AlertQuery),
    responses((status = 200, body = [AlertRow]), (status = 403, body = Problem))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<AlertQuery>,
) -> Result<Json<Vec<AlertRow>>, ApiError> {
    identity.require_staff()?;
    Ok(Json(app.o.store.alerts(query.all).await?.into_iter().map(|a| a.value.into()).collect()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledge {
    /// Who intervenes; whoever asks, when absent.
    by: Option<String>,
}

/// Somebody intervenes: the alert's clock stops.
#[utoipa::path(
    post, path = "/alerts/{id}/ack", params(("id" = i64, Path)), request_body = Acknowledge,
    responses((status = 200, body = AlertRow), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<i64>,
    Body(body): Body<Acknowledge>,
) -> Result<Json<AlertRow>, ApiError> {
    identity.require_staff()?;
    let by = named(body.by.as_deref(), &identity);
    Ok(Json(alerts::acknowledge(&app.o, id, by).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    /// What was done. It may not be empty.
    #[serde(default)]
    note: String,
    /// Who says so; whoever asks, when absent.
    by: Option<String>,
}

/// The alert is over.
#[utoipa::path(
    post, path = "/alerts/{id}/resolve", params(("id" = i64, Path)), request_body = Resolve,
    responses(
        (status = 200, body = AlertRow), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn resolve(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<i64>,
    Body(body): Body<Resolve>,
) -> Result<Json<AlertRow>, ApiError> {
    identity.require_staff()?;
    let by = named(body.by.as_deref(), &identity);
    Ok(Json(alerts::resolve(&app.o, id, by, &body.note).await?.into()))
}

/// Who it is that does something: the name given, else whoever asks.
fn named<'a>(by: Option<&'a str>, identity: &'a Identity) -> &'a str {
    by.map(str::trim).filter(|by| !by.is_empty()).unwrap_or(identity.name())
}
