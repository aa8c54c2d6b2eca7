//! `GET /calendar/SECRET.ics`: planned work for whoever knows the address.
//!
//! Calendars cannot send a token in a header, so this one is part of the address. It opens nothing else, and nothing
//! else opens this. Whoever guesses is told that there is nothing.

use super::App;
use super::error::ApiError;
use crate::edge::store::Scope;
use crate::work::appointments;
use crate::work::tokens::Assurance;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/calendar/{file}", get(calendar))
}

async fn calendar(State(app): State<Arc<App>>, Path(file): Path<String>) -> Result<Response, ApiError> {
    let nothing = || ApiError::not_found("there is no calendar at this address");
    let secret = file.strip_suffix(".ics").ok_or_else(nothing)?;
    let token = app.tokens.identify(&app.o, secret, Assurance::Now).await?.ok_or_else(nothing)?;
    let client = match token.scope {
        Scope::Calendar { client } => client,
        Scope::Staff | Scope::Client { .. } | Scope::Target { .. } | Scope::Gateway { .. } => return Err(nothing()),
    };
    let text = appointments::feed(&app.o, client.as_deref()).await?.ok_or_else(nothing)?;
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, text).into_response())
}
