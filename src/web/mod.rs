//! What is served over HTTP: the agent protocol (`ddi`), the REST API (`api`) calendars (`calendar`), and
//! the page on which a contact answers a letter (`concertation`).
//!
//! Every route answers errors as `{"error", "hint"}`, has a limit on what it reads and on how long it takes, and
//! knows who asks before it looks anything up. No page here decides or writes by itself: it calls `work`.

mod api;
mod calendar;
mod concertation;
mod ddi;
mod error;
mod identity;
mod serve;

pub use ddi::bodies;
pub use identity::{Identity, OPERATOR};
pub use serve::{ListenError, check_listen, serve, serve_tls};

use crate::work::Orchestrator;
use crate::work::presence::Presence;
use crate::work::tokens::TokenCache;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use error::ApiError;
use std::sync::Arc;
use std::time::Duration;

/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest time until an answer begins. A download's body may take longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What every handler shares.
struct App {
    o: Arc<Orchestrator>,
    tokens: TokenCache,
    presence: Presence,
}

/// Every route. Calls from within the process may carry an [`Identity`] as a request extension instead of a token.
pub fn router(o: Arc<Orchestrator>) -> Router {
    let app = Arc::new(App { o, tokens: TokenCache::default(), presence: Presence::default() });
    let (api, document) = api::routes().split_for_parts();
    let document = Arc::new(document);
    Router::new()
        .merge(api)
        .merge(ddi::routes())
        .merge(calendar::routes())
        .merge(concertation::routes())
        .route(api::DOCUMENT_PATH, routing::get(async move || Json(document.as_ref().clone())))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), identity::identify))
        .layer(middleware::from_fn(in_time))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}

async fn nowhere(request: Request) -> ApiError {
    let error = format!("there is nothing at {}", request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, error, format!("see {} for what there is", api::DOCUMENT_PATH))
}

async fn wrong_method(request: Request) -> ApiError {
    let error = format!("{} is not possible at {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, error, format!("see {} for what is", api::DOCUMENT_PATH))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let error = format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs());
            ApiError::new(StatusCode::REQUEST_TIMEOUT, error, "send the whole request at once, or try again later")
                .into_response()
        }
    }
}
