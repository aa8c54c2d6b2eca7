//! A client's requests for major versions: asked, changed, listed, withdrawn.

use super::Problem;
use crate::decide::notice::NoticeCount;
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use crate::web::error::{ApiError, Json as Body, Path, Query};
use crate::web::identity::{Party, foreign};
use crate::web::{App, Identity};
use crate::work::requests::{self, Answer, Demand, Refusal, RequestError};
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
    /// Further majors by the same date: all are accepted, or none is.
    #[serde(default)]
    with: Vec<Together>,
    /// Who of the staff asks for the client, where the token does not say.
    by: Option<String>,
}

/// A major that is asked for together with another.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Together {
    product: String,
    #[schema(value_type = String)]
    version: Version,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    accepted: bool,
    #[serde(flatten)]
    request: InForce,
    /// Those that were asked for together with it.
    with: Vec<InForce>,
}

/// A request that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct InForce {
    id: i64,
    client: String,
    product: String,
    version: String,
    before: NaiveDate,
    received_at: DateTime<Utc>,
    by: String,
    slots: Vec<PlannedSlot>,
    counting: Counting,
    /// By which it stands although the notice is too short.
    agreement: Option<AgreementRef>,
    /// Requests that gave way to it.
    superseded: Vec<i64>,
    /// Whether the same was asked for before and nothing changed.
    repeated: bool,
}

/// Who agreed, and when.
#[derive(Serialize, ToSchema)]
pub(super) struct AgreementRef {
    id: i64,
    by: String,
    at: DateTime<Utc>,
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
    /// What has to be asked for together with it.
    together: Option<Together>,
    /// The request that was to be changed, and stands as it was.
    stands: Option<Stands>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Stands {
    id: i64,
    before: NaiveDate,
}

/// Asks for a major version by a latest date, or for several together. The same again changes nothing.
#[utoipa::path(
    post, path = "/requests", request_body = Ask,
    responses(
        (status = 201, body = Accepted),
        (status = 200, body = Accepted, description = "asked for before in the same words; nothing changed"),
        (status = 403, body = Problem),
        (status = 422, body = Refused, description = "refused under the contract"),
    )
)]
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    party: Party,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let client = party
        .0
        .limit(ask.client.as_deref())?
        .ok_or_else(|| ApiError::bad_request("the request does not say for which client", "add \"client\""))?;
    let by = asker(&app, &party, &client, ask.by.as_deref()).await?;
    let Ask { product, version, before, servers, with, .. } = ask;
    let demand = |product, version| Demand {
        client: client.clone(),
        product,
        version,
        before,
        servers: servers.clone(),
        by: by.clone(),
    };
    let demands = std::iter::once((product, version))
        .chain(with.into_iter().map(|together| (together.product, together.version)))
        .map(|(product, version)| demand(product, version))
        .collect();
    answered(requests::receive_together(&app.o, demands).await?, None)
}

async fn asker(app: &App, party: &Party, client: &str, by: Option<&str>) -> Result<String, ApiError> {
    let known = app.o.store.client(client).await?;
    let known = known.ok_or_else(|| ApiError::from(RequestError::NoClient(client.to_owned())))?;
    Ok(party.asker(&known, by)?.to_string())
}

fn answered(answer: Answer, stands: Option<Stands>) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let accepted = match answer {
        Answer::Accepted(accepted) => accepted,
        Answer::Refused(refusal) => return Err(refused(refusal, stands)),
    };
    let is_repeated = accepted.iter().all(|accepted| accepted.is_repeated);
    let mut in_force = accepted.into_iter().map(InForce::from);
    let request =
        in_force.next().ok_or_else(|| ApiError::bad_request("nothing is asked for", "name a product and version"))?;
    let status = if is_repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Accepted { accepted: true, request, with: in_force.collect() })))
}

impl From<requests::Accepted> for InForce {
    fn from(accepted: requests::Accepted) -> InForce {
        let requests::Accepted { request, slots, count, agreement, superseded, is_repeated } = accepted;
        InForce {
            id: request.id,
            client: request.client,
            product: request.product,
            version: request.version.to_string(),
            before: request.before,
            received_at: request.received_at,
            by: request.by,
            slots: slots.into_iter().map(|s| PlannedSlot { server: s.server, slot: s.slot.into() }).collect(),
            counting: count.into(),
            agreement: agreement.map(|a| AgreementRef { id: a.id, by: a.by, at: a.at }),
            superseded,
            repeated: is_repeated,
        }
    }
}

fn refused(refusal: Refusal, stands: Option<Stands>) -> ApiError {
    let Refusal { product: _, version: _, why, earliest, count, together } = refusal;
    let hint = match (earliest, &together) {
        (Some(date), _) => format!("ask for {date} or later"),
        (None, Some(partner)) => format!("ask for {partner} together with it, in one request"),
        (None, None) => "no date would do; ask the provider".to_owned(),
    };
    let hint = match &stands {
        Some(stands) => format!("{hint}; request {} by {} stands as it was", stands.id, stands.before),
        None => hint,
    };
    let together = together.map(|id| Together { product: id.product, version: id.version });
    let error = why.en.unwrap_or_else(|| why.fr.clone());
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, hint)
        .with("accepted", false)
        .with("fr", why.fr)
        .with("earliest", json!(earliest))
        .with("counting", json!(count.map(Counting::from)))
        .with("together", json!(together))
        .with("stands", json!(stands))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRequest {
    /// The new latest date.
    before: NaiveDate,
    /// The new servers; those it had when absent.
    servers: Option<Vec<String>>,
    /// Who of the staff asks for the client, where the token does not say.
    by: Option<String>,
}

/// Asks a request anew with another date or other servers. The notice counts from now; refused, the old one stands.
#[utoipa::path(
    post, path = "/requests/{id}/change", params(("id" = i64, Path)), request_body = ChangeRequest,
    responses(
        (status = 201, body = Accepted),
        (status = 200, body = Accepted, description = "it asks for this already; nothing changed"),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Refused, description = "refused under the contract; the old request stands"),
    )
)]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    party: Party,
    Path(id): Path<i64>,
    Body(body): Body<ChangeRequest>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let known = own(&app, &party, id).await?;
    let by = asker(&app, &party, &known.client, body.by.as_deref()).await?;
    let change = requests::Change { before: body.before, servers: body.servers };
    let stands = Stands { id, before: known.before };
    answered(requests::change(&app.o, id, Some(&known.client), change, by).await?, Some(stands))
}

/// The request `id`, when whoever asks may touch it.
async fn own(app: &App, party: &Party, id: i64) -> Result<Request, ApiError> {
    let known = app.o.store.request(id).await?.ok_or(RequestError::NoRequest(id))?;
    match party.0.limit(None)? {
        Some(own) if own != known.client => Err(foreign(&own)),
        Some(_) | None => Ok(known.value),
    }
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
    /// The request that took the place of one that is superseded.
    superseded_by: Option<i64>,
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
        let superseded_by = match &request.state {
            RequestState::Superseded { by, .. } => Some(*by),
            RequestState::Accepted
            | RequestState::Done { .. }
            | RequestState::Cancelled { .. }
            | RequestState::Expired { .. } => None,
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
            superseded_by,
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
    party: Party,
    Path(id): Path<i64>,
) -> Result<Json<RequestRow>, ApiError> {
    let known = own(&app, &party, id).await?;
    // A client that left the fleet has requests all the same.
    let by = match app.o.store.client(&known.client).await? {
        Some(client) => party.asker(&client, None)?.to_string(),
        None => party.0.name().to_owned(),
    };
    Ok(Json(requests::cancel(&app.o, id, Some(&known.client), &by).await?.into()))
}
