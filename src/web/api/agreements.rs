//! What the clients' contacts agreed to: recorded by staff, or by the client for itself.

use super::plan;
use super::{Problem, own_server};
use crate::decide::civil::Moment;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::asker::Asker;
use crate::model::version::Version;
use crate::web::error::{ApiError, Json as Body, Query};
use crate::web::identity::Party;
use crate::web::{App, Identity};
use crate::work::agreements::{self, AgreementError, Proposal};
use crate::work::planning::Selection;
use crate::work::views::{PlanFilter, PlanRow, SlotRow};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What was agreed; which fields there are says its kind.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "agreed", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Agree {
    /// Another slot than the contract's for one installation (6.1.3).
    Slot {
        server: String,
        product: String,
        /// `2026-05-09T08:00` on the clock of the site, or an instant with its offset.
        from: String,
        to: String,
        /// Who agreed; needed of staff, the token's own contact otherwise.
        by: Option<String>,
    },
    /// Automatic work in a closed period of the client, on these days of the site, both included.
    ClosedPeriod {
        /// Needed of staff; a client agrees for itself.
        client: Option<String>,
        /// All of the client's, when absent.
        server: Option<String>,
        from: NaiveDate,
        to: NaiveDate,
        by: Option<String>,
    },
    /// A major version by a date that is under the notice (3.1.b.4).
    ShortNotice {
        client: Option<String>,
        product: String,
        #[schema(value_type = String)]
        version: Version,
        before: NaiveDate,
        by: Option<String>,
    },
}

#[derive(Serialize, ToSchema)]
pub(super) struct AgreementRow {
    id: i64,
    client: String,
    /// `slot`, `closed_period` or `short_notice`.
    agreed: String,
    server: Option<String>,
    product: Option<String>,
    version: Option<String>,
    /// The slot, of a `slot`.
    slot: Option<SlotRow>,
    /// The days, of a `closed_period`.
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    /// The date, of a `short_notice`.
    before: Option<NaiveDate>,
    /// Who agreed.
    by: String,
    at: DateTime<Utc>,
}

impl From<Agreement> for AgreementRow {
    fn from(agreement: Agreement) -> AgreementRow {
        let row = AgreementRow {
            id: agreement.id,
            client: agreement.client,
            agreed: agreement.agreed.name().to_owned(),
            server: None,
            product: None,
            version: None,
            slot: None,
            from: None,
            to: None,
            before: None,
            by: agreement.by,
            at: agreement.at,
        };
        match agreement.agreed {
            Agreed::Slot { server, product, slot } => {
                AgreementRow { server: Some(server), product: Some(product), slot: Some(slot.into()), ..row }
            }
            Agreed::ClosedPeriod { server, from, to } => AgreementRow { server, from: Some(from), to: Some(to), ..row },
            Agreed::ShortNotice { product, version, before } => {
                AgreementRow { product: Some(product), version: Some(version.to_string()), before: Some(before), ..row }
            }
        }
    }
}

/// An agreement, and the plan of what it is about.
#[derive(Serialize, ToSchema)]
pub(super) struct Recorded {
    #[serde(flatten)]
    agreement: AgreementRow,
    plan: Vec<PlanRow>,
}

/// Records what a client's contact agreed to.
#[utoipa::path(
    post, path = "/agreements", request_body = Agree,
    responses(
        (status = 201, body = Recorded),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem, description = "it cannot be agreed to"),
    )
)]
pub(super) async fn record(
    State(app): State<Arc<App>>,
    party: Party,
    Body(agree): Body<Agree>,
) -> Result<(StatusCode, Json<Recorded>), ApiError> {
    let (proposal, by) = proposal(&app, &party.0, agree).await?;
    let (by, recorder) = match (&party.0, by) {
        (Identity::Client { .. }, Some(by)) => (by, None),
        (Identity::Client { name, client }, None) => match app.o.store.client(client).await? {
            Some(client) => (Asker::of_token(name, &client).to_string(), None),
            None => (name.clone(), None),
        },
        (_, Some(by)) => (by, Some(party.0.name())),
        (_, None) => {
            let hint = "add \"by\": the contact's name or address";
            return Err(ApiError::bad_request("it does not say who of the client agreed", hint));
        }
    };
    let agreement = agreements::record(&app.o, proposal, &by, recorder).await?;
    let (server, product) = match &agreement.agreed {
        Agreed::Slot { server, product, .. } => (Some(server.clone()), Some(product.clone())),
        Agreed::ClosedPeriod { server, .. } => (server.clone(), None),
        Agreed::ShortNotice { product, .. } => (None, Some(product.clone())),
    };
    let selection = Selection { client: Some(agreement.client.clone()), server };
    let filter = PlanFilter { selection, product, ..PlanFilter::default() };
    let plan = plan::beside(&app, &filter, |_| true).await;
    Ok((StatusCode::CREATED, Json(Recorded { agreement: agreement.into(), plan })))
}

/// What is proposed and by whom, once whoever asks may ask it.
async fn proposal(app: &App, identity: &Identity, agree: Agree) -> Result<(Proposal, Option<String>), ApiError> {
    let whose = |client: Option<String>| {
        let client = identity.limit(client.as_deref())?;
        client.ok_or_else(|| ApiError::bad_request("it does not say which client agreed", "add \"client\""))
    };
    Ok(match agree {
        Agree::Slot { server, product, from, to, by } => {
            own_server(app, identity, Some(&server)).await?;
            (Proposal::Slot { server, product, from: moment(&from)?, to: moment(&to)? }, by)
        }
        Agree::ClosedPeriod { client, server, from, to, by } => {
            (Proposal::Closed { client: whose(client)?, server, from, to }, by)
        }
        Agree::ShortNotice { client, product, version, before, by } => {
            (Proposal::Notice { client: whose(client)?, product, version, before }, by)
        }
    })
}

/// A time as people write it.
pub(super) fn moment(text: &str) -> Result<Moment, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("{error}"), "mend this time"))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AgreementQuery {
    client: Option<String>,
}

/// What was agreed, by number.
#[utoipa::path(
    get, path = "/agreements", params(AgreementQuery),
    responses((status = 200, body = [AgreementRow]), (status = 403, body = Problem))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<AgreementQuery>,
) -> Result<Json<Vec<AgreementRow>>, ApiError> {
    let client = identity.limit(query.client.as_deref())?;
    let all = app.o.store.agreements().await?.into_iter().map(|agreement| agreement.value);
    Ok(Json(all.filter(|a| client.as_ref().is_none_or(|c| a.client == *c)).map(AgreementRow::from).collect()))
}

impl From<AgreementError> for ApiError {
    fn from(error: AgreementError) -> ApiError {
        match error {
            AgreementError::Planning(error) => error.into(),
            AgreementError::Store(error) => error.into(),
            AgreementError::NoClient(_)
            | AgreementError::NoServer(_)
            | AgreementError::NotTheirs { .. }
            | AgreementError::NoProduct(_)
            | AgreementError::NoRelease(_) => ApiError::not_found(error.to_string()),
            AgreementError::Unsaid(_) => ApiError::bad_request(error.to_string(), "add \"by\": the contact's name"),
            AgreementError::NotOrdered { .. }
            | AgreementError::NotThere { .. }
            | AgreementError::Retracted { .. }
            | AgreementError::NoMajor { .. }
            | AgreementError::NoSlot(_)
            | AgreementError::SlotOver(_)
            | AgreementError::SlotTooLong { .. }
            | AgreementError::SlotTooShort { .. }
            | AgreementError::Reversed { .. }
            | AgreementError::Past(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "nothing was recorded")
            }
        }
    }
}
