//! What agents call besides their protocol: enrolment, and the mirrored metadata they verify again.

use super::Problem;
use crate::web::error::{ApiError, Json, Path};
use crate::web::{App, Identity};
use crate::work::enrol::{self, EnrolError};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrol {
    /// The one-time code.
    code: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Enrolled {
    server: String,
    tenant: String,
    /// For `Authorization: TargetToken …`; shown this once.
    token: String,
    /// Publisher → base64 of the `root.json` to pin.
    roots: BTreeMap<String, String>,
}

/// Turns a one-time code into a server's token.
#[utoipa::path(
    post, path = "/enrol", request_body = Enrol, security(()),
    responses((status = 200, body = Enrolled), (status = 403, body = Problem))
)]
pub(super) async fn enrol(
    State(app): State<Arc<App>>,
    Json(body): Json<Enrol>,
) -> Result<axum::Json<Enrolled>, ApiError> {
    // The roots are read first: a code is not used up for an answer that cannot be given.
    let mut roots = BTreeMap::new();
    for publisher in &app.o.publishers {
        let bytes = tokio::fs::read(&publisher.root).await.map_err(|error| {
            tracing::error!(publisher = publisher.name, path = %publisher.root.display(), %error, "a root cannot be read");
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            ApiError::new(status, "a publisher's root cannot be read", "try again later; the provider's log says which")
        })?;
        roots.insert(publisher.name.clone(), STANDARD.encode(bytes));
    }
    let enrolled = enrol::enrol(&app.o, &body.code).await.map_err(|error| match error {
        EnrolError::Store(error) => error.into(),
        EnrolError::BadCode => ApiError::forbidden(error.to_string(), "ask the provider for a fresh code"),
        EnrolError::Secret(error) => {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            ApiError::new(status, error.to_string(), "try again later")
        }
    })?;
    app.presence.forget(&enrolled.server);
    let tenant = app.o.tenant.clone();
    Ok(axum::Json(Enrolled { server: enrolled.server, tenant, token: enrolled.token, roots }))
}

#[derive(Deserialize)]
pub(super) struct FeedPath {
    publisher: String,
    kind: String,
    file: String,
}

/// A file of a publisher's mirrored TUF repository: `metadata` or `targets`.
#[utoipa::path(
    get, path = "/feeds/{publisher}/{kind}/{file}",
    params(
        ("publisher" = String, Path),
        ("kind" = String, Path, description = "`metadata` or `targets`"),
        ("file" = String, Path),
    ),
    responses((status = 200, content_type = "application/json"), (status = 404, body = Problem))
)]
pub(super) async fn feed_file(
    State(app): State<Arc<App>>,
    _: Identity,
    Path(path): Path<FeedPath>,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found(format!("{} has no {}/{}", path.publisher, path.kind, path.file));
    if path.kind != "metadata" && path.kind != "targets" {
        return Err(missing());
    }
    let name = format!("{}/{}", path.kind, path.file);
    let bytes = app.o.store.feed_file(&path.publisher, &name).await?.ok_or_else(missing)?;
    let fixed = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    Ok((fixed, bytes).into_response())
}
