//! The agent protocol: Eclipse hawkBit's *Direct Device Integration*, under `/{tenant}/controller/v1/{controllerId}`.
//!
//! What is offered, and when, is decided in `work::checkin`; here it is only said in the protocol's words. Unknown
//! fields of clients are ignored, ours travel as chunk metadata that other clients ignore.

mod actions;
mod artifacts;
pub mod bodies;
mod controller;
mod feedback;
mod range;

use super::App;
use super::error::{ApiError, Json};
use crate::decide::handout::Offer;
use crate::work::checkin::{self, CheckIn};
use crate::work::report::{self, Mode};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use bodies::ConfigData;
use controller::Controller;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an agent polls.
pub(super) const ROOT: &str = "/{tenant}/controller/v1/{controller}";
const HAL: &str = "application/hal+json";

pub(super) fn routes() -> Router<Arc<App>> {
    let at = |rest: &str| format!("{ROOT}{rest}");
    Router::new()
        .route(ROOT, get(poll))
        .route(&at("/configData"), put(config_data))
        .route(&at("/deploymentBase/{action}"), get(actions::deployment))
        .route(&at("/deploymentBase/{action}/feedback"), post(feedback::deployment))
        .route(&at("/cancelAction/{action}"), get(actions::cancellation))
        .route(&at("/cancelAction/{action}/feedback"), post(feedback::cancellation))
        .route(&at("/installedBase"), put(installed_by_hand))
        .route(&at("/installedBase/{action}"), get(actions::installed))
        .route(&at("/confirmationBase"), get(confirmation))
        .route(&at("/confirmationBase/activateAutoConfirm"), post(confirm_by_itself))
        .route(&at("/confirmationBase/deactivateAutoConfirm"), post(confirm_each))
        .route(&at("/confirmationBase/{action}"), get(no_confirmation))
        .route(&at("/confirmationBase/{action}/feedback"), post(no_confirmation))
        .route(&at("/softwaremodules/{module}/artifacts"), get(artifacts::list))
        .route(&at("/softwaremodules/{module}/artifacts/{file}"), get(artifacts::download))
}

/// Writes `body` in the flavour of JSON the client asked for.
fn answer(headers: &HeaderMap, body: &Value) -> Response {
    let hal = headers.get_all(header::ACCEPT).iter().any(|a| a.to_str().is_ok_and(|a| a.contains(HAL)));
    let kind = if hal { HAL } else { "application/json" };
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

/// Whether the client already has what carries `tag` (RFC 9110, 13.1.2: weak comparison).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|list| list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag))
}

async fn poll(State(app): State<Arc<App>>, controller: Controller, headers: HeaderMap) -> Result<Response, ApiError> {
    let found = checkin::poll(&app.o, &app.presence, &controller.server).await?;
    let check_in = found.ok_or_else(|| controller.unknown())?;
    let body = polled(&controller, &check_in);
    let digest = Sha256::digest(body.to_string().as_bytes());
    let tag = format!("\"{}\"", hex::encode(&digest[..12]));
    let mut response =
        if has(&headers, &tag) { StatusCode::NOT_MODIFIED.into_response() } else { answer(&headers, &body) };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn polled(controller: &Controller, check_in: &CheckIn) -> Value {
    let link = |rest: String| json!({ "href": format!("{}/{rest}", controller.base) });
    let mut links = serde_json::Map::new();
    match &check_in.offer {
        Offer::Nothing => {}
        Offer::Install(action) => {
            // What follows the ? makes the answer new when the same action may be installed, so no client goes on
            // with the old one.
            links.insert("deploymentBase".to_owned(), link(format!("deploymentBase/{}?c=install", action.id)));
        }
        Offer::Stage(action, _) => {
            let slot = action.slot().map_or(0, |slot| slot.start.timestamp());
            links.insert("deploymentBase".to_owned(), link(format!("deploymentBase/{}?c=stage-{slot}", action.id)));
        }
        Offer::Stop(action) => {
            links.insert("cancelAction".to_owned(), link(format!("cancelAction/{}", action.id)));
        }
    }
    if check_in.wants_attributes {
        links.insert("configData".to_owned(), link("configData".to_owned()));
    }
    if let Some(action) = check_in.installed {
        links.insert("installedBase".to_owned(), link(format!("installedBase/{action}")));
    }
    let seconds = check_in.pause.num_seconds();
    let sleep = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    json!({ "config": { "polling": { "sleep": sleep } }, "_links": links })
}

async fn config_data(
    State(app): State<Arc<App>>,
    controller: Controller,
    Json(body): Json<ConfigData>,
) -> Result<StatusCode, ApiError> {
    let (mode, data) = body.read()?;
    report::receive(&app.o, &controller.server, mode, data).await?;
    app.o.heard_from(&controller.server, app.o.clock.now());
    app.presence.forget(&controller.server);
    Ok(StatusCode::OK)
}

/// Body of `PUT installedBase`: somebody at the site installed it.
#[derive(Deserialize)]
struct Assigned {
    name: String,
    version: String,
}

async fn installed_by_hand(
    State(app): State<Arc<App>>,
    controller: Controller,
    Json(body): Json<Assigned>,
) -> Result<StatusCode, ApiError> {
    let data = BTreeMap::from([(format!("noctule.inventory.{}", body.name), body.version)]);
    report::receive(&app.o, &controller.server, Mode::Merge, data).await?;
    app.presence.forget(&controller.server);
    Ok(StatusCode::OK)
}

/// Nothing waits for a person at the site: access stands (`standing-access`, 3.2.a), and what needs an agreement has
/// it before a slot is planned.
async fn confirmation(controller: Controller, headers: HeaderMap) -> Response {
    let href = format!("{}/confirmationBase/deactivateAutoConfirm", controller.base);
    let body = json!({
        "autoConfirm": { "active": true, "initiator": "contract" },
        "_links": { "deactivateAutoConfirm": { "href": href } },
    });
    answer(&headers, &body)
}

async fn confirm_by_itself(_: Controller) -> StatusCode {
    StatusCode::OK
}

async fn confirm_each(_: Controller) -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "installations are confirmed by the contract (3.2.a) and not at the machine",
        "ask the provider to put this server on hold",
    )
}

async fn no_confirmation(_: Controller) -> ApiError {
    ApiError::not_found("no action waits for a confirmation")
}
