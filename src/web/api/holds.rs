//! What staff hold back, and what they let go on.

use super::agreements::moment;
use super::{Problem, plan};
use crate::model::hold::{Hold, HoldOn, Resumption};
use crate::model::release::ReleaseId;
use crate::model::version::Version;
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::identity::Staff;
use crate::web::{App, Identity};
use crate::work::holds::{self, HoldError, Target};
use crate::work::planning::Selection;
use crate::work::resume::{self, ResumeError};
use crate::work::views::{PlanFilter, PlanRow};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What is held: `server`, `client`, `product` with `version`, or `name` for any of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceHold {
    server: Option<String>,
    client: Option<String>,
    product: Option<String>,
    version: Option<String>,
    /// A server, a client, or a product and its version: whichever is called so.
    name: Option<String>,
    /// `2026-05-09T08:00` on the clock of the site (of a release: Paris), an instant with its offset, or a day, which
    /// is held to its end; until it is lifted when absent.
    until: Option<String>,
    reason: String,
    /// Who of the staff; whoever asks, when absent.
    by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HoldRow {
    id: i64,
    /// `server`, `client` or `release`.
    on: String,
    client: Option<String>,
    server: Option<String>,
    product: Option<String>,
    version: Option<String>,
    /// When it ends by itself; null lasts until somebody lifts it.
    until: Option<DateTime<Utc>>,
    reason: String,
    by: String,
    at: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by: Option<String>,
    /// Whether it holds now.
    active: bool,
}

impl HoldRow {
    fn of(hold: Hold, now: DateTime<Utc>) -> HoldRow {
        let active = hold.is_active(now);
        let (on, client, server, product, version) = match hold.on {
            HoldOn::Server { client, server } => ("server", Some(client), Some(server), None, None),
            HoldOn::Client { client } => ("client", Some(client), None, None, None),
            HoldOn::Release { product, version } => ("release", None, None, Some(product), Some(version.to_string())),
        };
        let (lifted_at, lifted_by) = hold.lifted.map(|lifted| (lifted.at, lifted.by)).unzip();
        HoldRow {
            id: hold.id,
            on: on.to_owned(),
            client,
            server,
            product,
            version,
            until: hold.until,
            reason: hold.reason,
            by: hold.by,
            at: hold.at,
            lifted_at,
            lifted_by,
            active,
        }
    }
}

/// A hold, and the plan of what it is about.
#[derive(Serialize, ToSchema)]
pub(super) struct HoldAnswer {
    #[serde(flatten)]
    hold: HoldRow,
    plan: Vec<PlanRow>,
}

/// Holds back installations on a server, for a client, or of a release. The same hold again changes nothing.
#[utoipa::path(
    post, path = "/holds", request_body = PlaceHold,
    responses(
        (status = 201, body = HoldAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn place(
    State(app): State<Arc<App>>,
    Staff(name): Staff,
    Body(body): Body<PlaceHold>,
) -> Result<(StatusCode, Json<HoldAnswer>), ApiError> {
    let target = match (body.server, body.client, body.product, body.version, body.name) {
        (Some(server), None, None, None, None) => Target::Server(server),
        (None, Some(client), None, None, None) => Target::Client(client),
        (None, None, Some(product), Some(version), None) => Target::Release { product, version },
        (None, None, None, None, Some(name)) => Target::Named(name),
        _ => {
            let hint = "give \"server\", \"client\", \"product\" with \"version\", or \"name\"; one of them";
            return Err(ApiError::bad_request("it does not say what to hold", hint));
        }
    };
    let until = body.until.as_deref().map(moment).transpose()?;
    let hold = holds::place(&app.o, &target, until, &body.reason, body.by.as_deref().unwrap_or(&name)).await?;
    Ok((StatusCode::CREATED, Json(answer(&app, hold).await)))
}

async fn answer(app: &App, hold: Hold) -> HoldAnswer {
    let mut filter = PlanFilter::default();
    let mut only = None;
    match &hold.on {
        HoldOn::Server { client, server } => {
            filter.selection = Selection { client: Some(client.clone()), server: Some(server.clone()) };
        }
        HoldOn::Client { client } => filter.selection.client = Some(client.clone()),
        HoldOn::Release { product, version } => {
            filter.product = Some(product.clone());
            only = Some(version.to_string());
        }
    }
    let plan = plan::beside(app, &filter, |row| only.is_none() || row.row.to == only).await;
    HoldAnswer { hold: HoldRow::of(hold, app.o.clock.now()), plan }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LiftHold {
    /// Who of the staff; whoever asks, when absent.
    by: Option<String>,
}

/// Ends a hold before its time.
#[utoipa::path(
    post, path = "/holds/{id}/lift", params(("id" = i64, Path)), request_body = LiftHold,
    responses(
        (status = 200, body = HoldAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    )
)]
pub(super) async fn lift(
    State(app): State<Arc<App>>,
    Staff(name): Staff,
    Path(id): Path<i64>,
    Body(body): Body<LiftHold>,
) -> Result<Json<HoldAnswer>, ApiError> {
    let hold = holds::lift(&app.o, id, body.by.as_deref().unwrap_or(&name)).await?;
    Ok(Json(answer(&app, hold).await))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HoldQuery {
    /// Only holds on this client and its servers.
    client: Option<String>,
    /// Also those that are over.
    #[serde(default)]
    all: bool,
}

/// The holds in force; a client sees those on itself and its servers.
#[utoipa::path(
    get, path = "/holds", params(HoldQuery),
    responses((status = 200, body = [HoldRow]), (status = 403, body = Problem))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<HoldQuery>,
) -> Result<Json<Vec<HoldRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    let now = app.o.clock.now();
    let holds = app.o.store.holds((!query.all).then_some(now)).await?;
    let concerns = |on: &HoldOn| match (on, &client) {
        (_, None) => true,
        (HoldOn::Server { client, .. } | HoldOn::Client { client }, Some(own)) => client == own,
        (HoldOn::Release { .. }, Some(_)) => false,
    };
    Ok(Json(holds.into_iter().filter(|h| concerns(&h.on)).map(|h| HoldRow::of(h.value, now)).collect()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    product: String,
    #[schema(value_type = String)]
    version: Version,
    reason: String,
    /// Who of the staff; whoever asks, when absent.
    by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ResumptionRow {
    id: i64,
    product: String,
    version: String,
    at: DateTime<Utc>,
    by: String,
    reason: String,
}

impl From<Resumption> for ResumptionRow {
    fn from(resumption: Resumption) -> ResumptionRow {
        let Resumption { id, release, at, by, reason } = resumption;
        ResumptionRow { id, product: release.product, version: release.version.to_string(), at, by, reason }
    }
}

/// A resumption, what it ended, and the plan of the release.
#[derive(Serialize, ToSchema)]
pub(super) struct ResumeAnswer {
    #[serde(flatten)]
    resumption: ResumptionRow,
    /// Holds on the release that were lifted.
    lifted: Vec<i64>,
    plan: Vec<PlanRow>,
}

/// Lets a release go on that halted or is held: failures before it count no more.
#[utoipa::path(
    post, path = "/resumptions", request_body = Resume,
    responses(
        (status = 201, body = ResumeAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    )
)]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Staff(name): Staff,
    Body(body): Body<Resume>,
) -> Result<(StatusCode, Json<ResumeAnswer>), ApiError> {
    let release = ReleaseId { product: body.product, version: body.version };
    let resumed = resume::resume(&app.o, release, &body.reason, body.by.as_deref().unwrap_or(&name)).await?;
    let resumption = ResumptionRow::from(resumed.resumption);
    let filter = PlanFilter { product: Some(resumption.product.clone()), ..PlanFilter::default() };
    let plan = plan::beside(&app, &filter, |row| row.row.to.as_ref() == Some(&resumption.version)).await;
    Ok((StatusCode::CREATED, Json(ResumeAnswer { resumption, lifted: resumed.lifted, plan })))
}

/// The releases that were let go on, by number.
#[utoipa::path(
    get, path = "/resumptions",
    responses((status = 200, body = [ResumptionRow]), (status = 403, body = Problem))
)]
pub(super) async fn resumptions(State(app): State<Arc<App>>, _: Staff) -> Result<Json<Vec<ResumptionRow>>, ApiError> {
    Ok(Json(app.o.store.resumptions().await?.into_iter().map(|r| r.value.into()).collect()))
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> ApiError {
        match error {
            HoldError::Store(error) => error.into(),
            HoldError::NoServer(_)
            | HoldError::NoClient(_)
            | HoldError::NoRelease(_)
            | HoldError::Unknown(_)
            | HoldError::NoHold(_) => ApiError::not_found(error.to_string()),
            HoldError::Ambiguous(_) => ApiError::bad_request(error.to_string(), "give \"server\" or \"client\""),
            HoldError::Unsaid(_) => ApiError::bad_request(error.to_string(), "say who and why"),
            HoldError::Over(_) | HoldError::Retracted(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "nothing is held by this")
            }
            HoldError::NotHeld(_) => ApiError::new(StatusCode::CONFLICT, error.to_string(), "there is nothing to lift"),
        }
    }
}

impl From<ResumeError> for ApiError {
    fn from(error: ResumeError) -> ApiError {
        match error {
            ResumeError::Planning(error) => error.into(),
            ResumeError::Store(error) => error.into(),
            ResumeError::NoRelease(_) => ApiError::not_found(error.to_string()),
            ResumeError::Unsaid(_) => ApiError::bad_request(error.to_string(), "say who and why"),
            ResumeError::Retracted { .. } | ResumeError::NotHalted(_) | ResumeError::NotHeld(_) => {
                ApiError::new(StatusCode::CONFLICT, error.to_string(), "there is nothing to resume")
            }
        }
    }
}
