//! A client's month under the contract, as data or as a page, and its second reckoning.

use super::Problem;
use crate::decide::report::{Month, Report, page};
use crate::model::fleet::Language;
use crate::web::error::{ApiError, Query};
use crate::web::{App, Identity};
use crate::work::views::{self, Verified};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Json,
    Html,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Needed of staff; a client asks for itself.
    client: Option<String>,
    /// `2026-05`.
    month: String,
    /// `json` or `html`, a page that prints.
    #[serde(default)]
    #[param(inline, value_type = Option<String>)]
    format: Form,
    /// Language of the page, `fr` or `en`; the client's own when absent.
    #[param(value_type = Option<String>)]
    lang: Option<Language>,
}

/// A client's compliance report: what was due and done in the month, and what each rule comes to.
#[utoipa::path(
    get, path = "/report", params(ReportQuery),
    responses(
        (status = 200, body = Report),
        (status = 400, body = Problem, description = "no client is named, or the month is none or has not begun"),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<ReportQuery>,
) -> Result<Response, ApiError> {
    let (client, month) = asked(&identity, query.client.as_deref(), &query.month)?;
    let report = views::report(&app.o, &client, month).await?;
    match query.format {
        Form::Json => Ok(Json(report).into_response()),
        Form::Html => {
            let own = if report.language == "en" { Language::En } else { Language::Fr };
            let page = page::html(&[report], query.lang.unwrap_or(own)).map_err(|error| ApiError::internal(&error))?;
            Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
        }
    }
}

fn asked(identity: &Identity, client: Option<&str>, month: &str) -> Result<(String, Month), ApiError> {
    let client = identity.limit(client)?;
    let client = client.ok_or_else(|| ApiError::bad_request("no client is named", "add client=…"))?;
    let month = month.parse().map_err(|error: crate::decide::report::NoMonth| {
        ApiError::bad_request(error.to_string(), "write month=2026-05")
    })?;
    Ok((client, month))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerificationQuery {
    /// Needed of staff; a client asks for itself.
    client: Option<String>,
    /// `2026-05`.
    month: String,
}

/// The facts of a report, worked out again from the history alone, and where the two differ.
#[utoipa::path(
    get, path = "/report/verification", params(VerificationQuery),
    responses(
        (status = 200, body = Verified),
        (status = 400, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn verification(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<VerificationQuery>,
) -> Result<Json<Verified>, ApiError> {
    let (client, month) = asked(&identity, query.client.as_deref(), &query.month)?;
    let report = views::report(&app.o, &client, month).await?;
    Ok(Json(views::verify(&app.o, &report, month).await?))
}
