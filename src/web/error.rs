//! Errors as `{"error", "hint"}`: what is wrong, and what to do. What went wrong inside is logged, not told.
//!
//! The extractors here are axum's with these errors.

use crate::edge::store::StoreError;
use crate::work::alerts::AlertError;
use crate::work::checkin::CheckInError;
use crate::work::planning::PlanningError;
use crate::work::report::ReportError;
use crate::work::requests::RequestError;
use crate::work::settle::{Refusal, SettleError};
use crate::work::views;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// An answer that is an error.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: String,
    hint: String,
    more: Map<String, Value>,
}

impl ApiError {
    pub fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError { status, error: error.into(), hint: hint.into(), more: Map::new() }
    }

    /// Adds a field to the body.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> ApiError {
        self.more.insert(key.to_owned(), value.into());
        self
    }

    pub fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, error, hint)
    }

    pub fn not_found(error: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, error, "check the name or number; it may have been removed")
    }

    pub fn unauthenticated() -> ApiError {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "who asks is not known",
            "send `Authorization: Bearer …` (staff, clients), `TargetToken …` (agents) or `GatewayToken …`",
        )
    }

    pub fn forbidden(error: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, error, hint)
    }

    pub fn gone(error: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::GONE, error, "nothing is left to do for it")
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> ApiError {
        tracing::error!(%error, "a request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ApiError::new(status, "something failed inside", "try again later; the provider's log says what happened")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = Map::from_iter([
            ("error".to_owned(), Value::from(self.error)),
            ("hint".to_owned(), Value::from(self.hint)),
        ]);
        body.extend(self.more);
        let mut response = (self.status, axum::Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer, TargetToken, GatewayToken");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Conflict { .. } | StoreError::Locked(_) => {
                tracing::warn!(%error, "a request met others at the same rows");
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "others are writing the same", "try again in a moment")
            }
            StoreError::Open { .. }
            | StoreError::Migrate(_)
            | StoreError::Corrupt { .. }
            | StoreError::ReadOnly(_)
            | StoreError::Full(_)
            | StoreError::NoRandomness(_)
            | StoreError::Database(_) => ApiError::internal(&error),
        }
    }
}

impl From<PlanningError> for ApiError {
    fn from(error: PlanningError) -> ApiError {
        match error {
            PlanningError::Store(error) => error.into(),
            PlanningError::World(_) | PlanningError::Transition(_) => ApiError::internal(&error),
        }
    }
}

impl From<CheckInError> for ApiError {
    fn from(error: CheckInError) -> ApiError {
        match error {
            CheckInError::Store(error) => error.into(),
            CheckInError::NoSchedule { .. } | CheckInError::Region { .. } | CheckInError::Transition(_) => {
                ApiError::internal(&error)
            }
        }
    }
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> ApiError {
        match error {
            SettleError::Store(error) => error.into(),
            SettleError::NoAction { .. } => ApiError::not_found(error.to_string()),
            SettleError::Refused(Refusal::Over(_)) => ApiError::gone(error.to_string()),
            SettleError::Refused(Refusal::NeverOpened(_)) => {
                ApiError::new(StatusCode::CONFLICT, error.to_string(), "wait until it is handed out")
            }
            SettleError::Refused(Refusal::Transition(_)) => ApiError::internal(&error),
        }
    }
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> ApiError {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::NoServer(_) => ApiError::not_found(error.to_string()),
            ReportError::TooMany { .. }
            | ReportError::TooLong { .. }
            | ReportError::Version { .. }
            | ReportError::Product { .. }
            | ReportError::Instant { .. }
            | ReportError::Truth { .. } => {
                ApiError::bad_request(error.to_string(), "mend this attribute and send the report again")
            }
        }
    }
}

impl From<views::ReportError> for ApiError {
    fn from(error: views::ReportError) -> ApiError {
        match error {
            views::ReportError::Store(error) => error.into(),
            views::ReportError::NoClient(_) => ApiError::not_found(error.to_string()),
            views::ReportError::NotBegun(_) => ApiError::bad_request(error.to_string(), "name a month that has begun"),
            views::ReportError::NoSchedule { .. }
            | views::ReportError::Region { .. }
            | views::ReportError::Checker { .. } => ApiError::internal(&error),
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> ApiError {
        match error {
            RequestError::Planning(error) => error.into(),
            RequestError::Store(error) => error.into(),
            RequestError::NoClient(_) | RequestError::NoServer { .. } | RequestError::NoRequest(_) => {
                ApiError::not_found(error.to_string())
            }
            RequestError::Twice(_) => {
                ApiError::bad_request(error.to_string(), "name each product once, in the version that is wanted")
            }
            RequestError::NotAccepted(_) => ApiError::new(
                StatusCode::CONFLICT,
                error.to_string(),
                "only an accepted request can be changed or cancelled; ask anew",
            ),
        }
    }
}

impl From<AlertError> for ApiError {
    fn from(error: AlertError) -> ApiError {
        match error {
            AlertError::Store(error) => error.into(),
            AlertError::NotFound(_) => ApiError::not_found(error.to_string()),
            AlertError::Resolved(_) => {
                ApiError::new(StatusCode::CONFLICT, error.to_string(), "there is nothing left to do about it")
            }
            AlertError::Unsaid(_) => {
                ApiError::bad_request(error.to_string(), "say in a line who you are and what was done")
            }
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> ApiError {
        ApiError::new(rejection.status(), rejection.body_text(), "check the address")
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new(rejection.status(), rejection.body_text(), "check what follows the ? of the address")
    }
}

/// `axum::extract::Path` with our errors.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// `axum::extract::Query` with our errors.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// A JSON body, whatever its content type is called; empty counts as `{}`.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|rejection| {
            let hint = format!("a body has at most {} bytes", super::BODY_BYTES_MAX);
            ApiError::new(rejection.status(), rejection.body_text(), hint)
        })?;
        read_json(&bytes).map(Json)
    }
}

/// Reads a body; an empty one says nothing.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text).map_err(|error| {
        let hint = format!("mend line {}, column {} of the body", error.line(), error.column());
        ApiError::bad_request(format!("the body cannot be read as JSON: {error}"), hint)
    })
}
