//! A client's requests for major versions: asked, listed, withdrawn.

use super::Problem;
use crate::decide::notice::NoticeCount;
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::identity::foreign;
use crate::web::{App, Identity};
use crate::work::requests::{self, Answer, Demand, Refusal};
use crate::work::views::SlotRow;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Needed of staff; a client asks for itself.
    client: Option<String>,
    product: String,
    #[schema(value_type = String)]
    version: Version,
    /// Latest date, at the site, on which the installation may end.
    before: NaiveDate,
    /// Only these servers; all that run the product when absent.
    #[serde(default)]
    servers: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    accepted: bool,
    id: i64,
    client: String,
    product: String,
    version: String,
    before: NaiveDate,
    received_at: DateTime<Utc>,
    slots: Vec<PlannedSlot>,
    counting: Counting,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PlannedSlot {
    server: String,
    slot: SlotRow,
}

/// How the notice was counted (3.1.b.4).
#[derive(Serialize, ToSchema)]
pub(super) struct Counting {
    /// The day the request counts as received.
    counted_from: NaiveDate,
    /// The working days after it.
    days: Vec<NaiveDate>,
    /// The earliest date that can be asked for.
    earliest: NaiveDate,
}

impl From<NoticeCount> for Counting {
    fn from(count: NoticeCount) -> Counting {
        Counting { counted_from: count.counted_from, days: count.days, earliest: count.earliest }
    }
}

/// A refusal: an error that also says how the notice was counted and which date would do.
#[derive(Serialize, ToSchema)]
#[allow(dead_code)] // the document's shape; the answer itself is made by `refused`
pub(super) struct Refused {
    error: String,
    hint: String,
    accepted: bool,
    /// The reason in French.
    fr: String,
    earliest: Option<NaiveDate>,
    counting: Option<Counting>,
}

/// Asks for a major version by a latest date.
#[utoipa::path(
    post, path = "/requests", request_body = Ask,
    responses(
        (status = 201, body = Accepted),
        (status = 403, body = Problem),
        (status = 422, body = Refused, description = "refused under the contract"),
    )
)]
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    identity: Identity,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let client = identity
        .limit(ask.client.as_deref())?
        .ok_or_else(|| ApiError::bad_request("the request does not say for which client", "add \"client\""))?;
    let by = identity.name().to_owned();
    let Ask { product, version, before, servers, .. } = ask;
    let demand = Demand { client, product, version, before, servers, by };
    match requests::receive(&app.o, demand).await? {
        Answer::Accepted { request, slots, count } => {
            let slots = slots.into_iter().map(|s| PlannedSlot { server: s.server, slot: s.slot.into() }).collect();
            let accepted = Accepted {
                accepted: true,
                id: request.id,
                client: request.client,
                product: request.product,
                version: request.version.to_string(),
                before: request.before,
                received_at: request.received_at,
                slots,
                counting: count.into(),
            };
            Ok((StatusCode::CREATED, Json(accepted)))
        }
        Answer::Refused(refusal) => Err(refused(refusal)),
    }
}

fn refused(refusal: Refusal) -> ApiError {
    let Refusal { why, earliest, count } = refusal;
    let hint = match earliest {
        Some(date) => format!("ask for {date} or later"),
        None => "no date would do; ask the provider".to_owned(),
    };
    let error = why.en.unwrap_or_else(|| why.fr.clone());
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, hint)
        .with("accepted", false)
        .with("fr", why.fr)
        .with("earliest", json!(earliest))
        .with("counting", json!(count.map(Counting::from)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    client: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RequestRow {
    id: i64,
    client: String,
    product: String,
    version: String,
    servers: Vec<String>,
    received_at: DateTime<Utc>,
    by: String,
    before: NaiveDate,
    /// `accepted`, `superseded`, `done`, `cancelled` or `expired`.
    state: String,
    ended_at: Option<DateTime<Utc>>,
}

impl From<Request> for RequestRow {
    fn from(request: Request) -> RequestRow {
        let ended_at = match &request.state {
            RequestState::Accepted => None,
            RequestState::Superseded { at, .. }
            | RequestState::Done { at }
            | RequestState::Cancelled { at, .. }
            | RequestState::Expired { at } => Some(*at),
        };
        RequestRow {
            id: request.id,
            client: request.client,
            product: request.product,
            version: request.version.to_string(),
            servers: request.servers,
            received_at: request.received_at,
            by: request.by,
            before: request.before,
            state: request.state.name().to_owned(),
            ended_at,
        }
    }
}

/// The requests that were accepted, and what became of them.
#[utoipa::path(get, path = "/requests", params(ListQuery), responses((status = 200, body = [RequestRow])))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<RequestRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    let requests = app.o.store.requests(client.as_deref()).await?;
    Ok(Json(requests.into_iter().map(|r| r.value.into()).collect()))
}

/// Withdraws a request that is not carried out yet.
#[utoipa::path(
    delete, path = "/requests/{id}", params(("id" = i64, Path)),
    responses((status = 200, body = RequestRow), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<i64>,
) -> Result<Json<RequestRow>, ApiError> {
    let own = identity.limit(None)?;
    let known = app.o.store.request(id).await?;
    if let (Some(own), Some(request)) = (&own, known)
        && request.client != *own
    {
        return Err(foreign(own));
    }
    let cancelled = requests::cancel(&app.o, id, own.as_deref(), identity.name()).await?;
    Ok(Json(cancelled.into()))
}
