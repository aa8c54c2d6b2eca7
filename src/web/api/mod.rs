//! The REST API under `/api/v1`, for the commands, the clients' contacts and the agents' enrolment.
//!
//! Staff see everything; a client's token sees and asks only for that client, and is told so when it tries otherwise.
//! The document at [`DOCUMENT_PATH`] is made from the handlers themselves.

mod agreements;
mod alerts;
mod concertation;
mod enrol;
mod fleet;
mod history;
mod holds;
mod plan;
mod report;
mod requests;
mod status;

use super::identity::{Identity, foreign};
use super::{App, error::ApiError};
use crate::decide::civil::YEARS;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the OpenAPI document is.
pub(super) const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

/// Most rows one answer holds.
const ROWS_MAX: u64 = 10_000;
/// Rows of an answer for which no limit was asked.
const ROWS_USUAL: u64 = 1_000;

#[derive(OpenApi)]
#[openapi(
    info(title = "Noctule", description = "History, plans, requests, alerts and letters of an update service under contract."),
    modifiers(&Bearer),
    security(("bearer" = [])),
    components(schemas(Problem))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

/// Every error has this body.
#[derive(Serialize, ToSchema)]
struct Problem {
    /// What is wrong.
    error: String,
    /// What to do.
    hint: String,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    let api = OpenApiRouter::new()
        .routes(routes!(enrol::enrol))
        .routes(routes!(enrol::feed_file))
        .routes(routes!(history::history))
        .routes(routes!(history::deployment_events))
        .routes(routes!(history::events))
        .routes(routes!(plan::plan))
        .routes(routes!(plan::explain))
        .routes(routes!(plan::attend))
        .routes(routes!(concertation::asked, concertation::answer))
        .routes(routes!(requests::receive, requests::list))
        .routes(routes!(requests::cancel))
        .routes(routes!(requests::change))
        .routes(routes!(agreements::record, agreements::list))
        .routes(routes!(holds::place, holds::list))
        .routes(routes!(holds::lift))
        .routes(routes!(holds::resume, holds::resumptions))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(alerts::resolve))
        .routes(routes!(status::status))
        .routes(routes!(report::report))
        .routes(routes!(report::verification))
        .routes(routes!(fleet::notices))
        .routes(routes!(fleet::again))
        .routes(routes!(fleet::fleet))
        .routes(routes!(fleet::health));
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", api)
}

/// An instant of a query: RFC 3339, or a date, which means its first moment in UTC.
fn instant(name: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let instant = text.parse::<DateTime<Utc>>().ok().or_else(date);
    instant.map(Some).ok_or_else(|| {
        let hint = "write 2026-04-29T20:00:00Z, or 2026-04-29; a + has to be written %2B";
        ApiError::bad_request(format!("{name} {text:?} is not an instant"), hint)
    })
}

/// The instant to decide for; a year whose calendar is not known has no plan.
fn at(text: Option<&str>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let at = instant("at", text)?;
    match at {
        Some(at) if !YEARS.contains(&at.year()) => {
            let hint = format!("write a time from {} to {}", YEARS.start(), YEARS.end());
            Err(ApiError::bad_request(format!("at {} is out of range", at.to_rfc3339()), hint))
        }
        Some(_) | None => Ok(at),
    }
}

fn limited(asked: Option<u64>) -> u64 {
    asked.unwrap_or(ROWS_USUAL).clamp(1, ROWS_MAX)
}

/// Refuses a client's question about another client's server.
async fn own_server(app: &App, identity: &Identity, server: Option<&str>) -> Result<(), ApiError> {
    if let (Identity::Client { client, .. }, Some(server)) = (identity, server)
        && let Some(owner) = app.o.store.client_of_server(server).await?
        && owner.id != *client
    {
        return Err(foreign(client));
    }
    Ok(())
}
