//! The server an agent request is about, once it is clear that the asker may act for it.

use crate::web::error::ApiError;
use crate::web::identity::foreign;
use crate::web::{App, Identity};
use crate::work::checkin;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header;
use axum::http::request::Parts;
use std::sync::Arc;

/// The addressed server; its existence and the right to it are checked.
pub(super) struct Controller {
    pub(super) server: String,
    /// Address of this server's resources, as this client reaches them, without a slash at its end.
    pub(super) base: String,
}

impl Controller {
    pub(super) fn unknown(&self) -> ApiError {
        ApiError::not_found(format!("there is no server {:?}", self.server))
    }
}

impl FromRequestParts<Arc<App>> for Controller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Controller, ApiError> {
        let identity = Identity::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|error| ApiError::bad_request(error.to_string(), "check the address"))?;
        let param = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
        let (tenant, server) = (param("tenant").unwrap_or_default(), param("controller").unwrap_or_default());
        if !tenant.eq_ignore_ascii_case(&app.o.tenant) {
            return Err(ApiError::not_found(format!("there is no tenant {tenant:?}")));
        }
        match &identity {
            Identity::Target { server: own } if *own != server => {
                return Err(ApiError::forbidden(
                    "this token is for another server",
                    format!("this token speaks only for {own}"),
                ));
            }
            Identity::Target { .. } | Identity::Gateway { .. } => {}
            Identity::Staff { .. } | Identity::Client { .. } => {
                return Err(ApiError::forbidden("this is for agents", "use a TargetToken or a GatewayToken"));
            }
        }
        let base = format!("{}/{tenant}/controller/v1/{server}", origin(app, parts));
        let controller = Controller { server, base };
        let known = checkin::remembered(&app.o, &app.presence, &controller.server).await?;
        let known = known.ok_or_else(|| controller.unknown())?;
        match identity {
            Identity::Gateway { client } if client != known.client => Err(foreign(&client)),
            Identity::Gateway { .. } | Identity::Target { .. } | Identity::Staff { .. } | Identity::Client { .. } => {
                Ok(controller)
            }
        }
    }
}

/// Scheme and host as the client reaches us: the configured public address, else the host it named.
fn origin(app: &App, parts: &Parts) -> String {
    let config = &app.o.config;
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let sane =
        |host: &&str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
    match (&config.public_url, host.filter(sane)) {
        (None, Some(host)) => format!("{}://{host}", if config.tls.is_some() { "https" } else { "http" }),
        (Some(_), _) | (None, None) => app.o.base_url.clone(),
    }
}
