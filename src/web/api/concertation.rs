//! Concertation (6.1.2) over the API: what a contact is asked about a slot, and the answer, their own or as staff record it.
//!
//! Another slot than those offered is agreed to under `/agreements`.

use super::{Problem, foreign};
use crate::model::asker::Asker;
use crate::model::notice::Consent;
use crate::web::error::{ApiError, Json as Body, Path};
use crate::web::identity::Party;
use crate::web::{App, Identity};
use crate::work::concertation::{self, Answer, Asked, ConcertationError};
use crate::work::views::SlotRow;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct AskedRow {
    deployment: i64,
    client: String,
    server: String,
    product: String,
    version: String,
    slot: SlotRow,
    asked_at: DateTime<Utc>,
    /// Who agreed to the slot.
    agreed: Option<ConsentRow>,
    /// Who confirmed that the users are informed.
    informed: Option<ConsentRow>,
    /// Other slots that can be chosen; agree to one under `/agreements`.
    offered: Vec<SlotRow>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ConsentRow {
    by: String,
    at: DateTime<Utc>,
}

impl From<Consent> for ConsentRow {
    fn from(consent: Consent) -> ConsentRow {
        ConsentRow { by: consent.by, at: consent.at }
    }
}

impl From<Asked> for AskedRow {
    fn from(asked: Asked) -> AskedRow {
        let Asked { deployment, concertation, offered } = asked;
        AskedRow {
            deployment: deployment.id,
            client: deployment.client,
            server: deployment.server,
            product: deployment.product,
            version: deployment.to.to_string(),
            slot: deployment.slot.into(),
            asked_at: concertation.asked_at,
            agreed: concertation.agreed.map(Into::into),
            informed: concertation.informed.map(Into::into),
            offered: offered.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    /// `agreed` to the slot, or users `informed`.
    answer: Said,
    /// Who answered; needed of staff, the token's own contact otherwise.
    by: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Said {
    Agreed,
    Informed,
}

/// What the contact is asked about the slot of a deployment, what was answered, and which other slots there are.
#[utoipa::path(
    get, path = "/deployments/{id}/concertation", params(("id" = i64, Path)),
    responses(
        (status = 200, body = AskedRow),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    )
)]
pub(super) async fn asked(
    State(app): State<Arc<App>>,
    party: Party,
    Path(id): Path<i64>,
) -> Result<Json<AskedRow>, ApiError> {
    own(&app, &party, id).await?;
    Ok(Json(concertation::asked(&app.o, id, None).await?.into()))
}

/// Records the contact's answer about the slot of a deployment.
#[utoipa::path(
    post, path = "/deployments/{id}/concertation", params(("id" = i64, Path)), request_body = Answered,
    responses(
        (status = 200, body = AskedRow),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    )
)]
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    party: Party,
    Path(id): Path<i64>,
    Body(body): Body<Answered>,
) -> Result<Json<AskedRow>, ApiError> {
    own(&app, &party, id).await?;
    let answer = match body.answer {
        Said::Agreed => Answer::Agreed,
        Said::Informed => Answer::Informed,
    };
    let (by, recorder) = match (&party.0, body.by) {
        (Identity::Client { .. }, Some(by)) => (by, None),
        (Identity::Client { name, client }, None) => match app.o.store.client(client).await? {
            Some(client) => (Asker::of_token(name, &client).to_string(), None),
            None => (name.clone(), None),
        },
        (_, Some(by)) => (by, Some(party.0.name())),
        (_, None) => {
            let hint = "add \"by\": the contact's name or address";
            return Err(ApiError::bad_request("it does not say who of the client answered", hint));
        }
    };
    concertation::answer(&app.o, id, None, answer, &by, recorder).await?;
    Ok(Json(concertation::asked(&app.o, id, None).await?.into()))
}

/// A client's contact sees and answers what is asked of that client.
async fn own(app: &App, party: &Party, id: i64) -> Result<(), ApiError> {
    let deployment = app.o.store.deployment(id).await?.ok_or(ConcertationError::NoDeployment(id))?;
    match &party.0 {
        Identity::Client { client, .. } if *client != deployment.client => Err(foreign(client)),
        Identity::Client { .. } | Identity::Staff { .. } | Identity::Target { .. } | Identity::Gateway { .. } => Ok(()),
    }
}

impl From<ConcertationError> for ApiError {
    fn from(error: ConcertationError) -> ApiError {
        let text = error.to_string();
        match error {
            ConcertationError::Store(error) => error.into(),
            ConcertationError::Planning(error) => error.into(),
            ConcertationError::Agreement(error) => error.into(),
            ConcertationError::Secret(_) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text, "try again later"),
            ConcertationError::Unsaid(_) => ApiError::bad_request(text, "write the contact's name or address"),
            ConcertationError::NoDeployment(_) => ApiError::not_found(text),
            ConcertationError::NotAsked(_)
            | ConcertationError::Over { .. }
            | ConcertationError::Superseded(_)
            | ConcertationError::Already { .. }
            | ConcertationError::NotOffered => {
                ApiError::new(StatusCode::CONFLICT, text, "see `noctule plan` for what is to come")
            }
        }
    }
}
