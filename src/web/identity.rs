//! Who asks: staff, a client's contact, a server's agent, a client's gateway.
//!
//! Each kind of token has its own scheme, so that one cannot be used as another. No handler reads a token itself.
//! A revoked token ends with the next request, whichever process revoked it; only the bare poll of an agent, which says
//! no more than whether something waits, is answered for up to a minute, so that an idle one reads one row.

use super::error::ApiError;
use super::{App, ddi};
use crate::edge::store::Scope;
use crate::model::asker::Asker;
use crate::model::fleet::Client;
use crate::work::tokens::Assurance;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// What staff without a token are called: whoever runs a command beside the database.
pub const OPERATOR: &str = "staff";

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Staff {
        name: String,
    },
    /// An IT contact: sees and asks only for this client.
    Client {
        name: String,
        client: String,
    },
    /// One server's agent.
    Target {
        server: String,
    },
    /// May act for the client's servers.
    Gateway {
        client: String,
    },
}

impl Identity {
    /// What history calls whoever asks.
    pub fn name(&self) -> &str {
        match self {
            Identity::Staff { name } | Identity::Client { name, .. } => name,
            Identity::Target { server } => server,
            Identity::Gateway { client } => client,
        }
    }

    pub(super) fn require_staff(&self) -> Result<(), ApiError> {
        match self {
            Identity::Staff { .. } => Ok(()),
            Identity::Client { .. } | Identity::Target { .. } | Identity::Gateway { .. } => {
                Err(ApiError::forbidden("this is for the provider's staff", "use a staff token"))
            }
        }
    }

    /// The client that an answer is limited to: the one asked for, and a client's own whatever it asks.
    pub(super) fn limit(&self, asked: Option<&str>) -> Result<Option<String>, ApiError> {
        match self {
            Identity::Staff { .. } => Ok(asked.map(str::to_owned)),
            Identity::Client { client, .. } if asked.is_none_or(|asked| asked == client) => Ok(Some(client.clone())),
            Identity::Client { client, .. } => Err(foreign(client)),
            Identity::Target { .. } | Identity::Gateway { .. } => {
                Err(ApiError::forbidden("an agent's token does not open this", "use a staff or client token"))
            }
        }
    }
}

/// A client asks for what is another's.
pub(super) fn foreign(client: &str) -> ApiError {
    ApiError::forbidden("this belongs to another client", format!("this token sees and asks only for {client}"))
}

/// Puts the [`Identity`] of whoever sent a token into the request; a token that is not valid ends it here.
pub(super) async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if request.extensions().get::<Identity>().is_none()
        && let Some(authorization) = request.headers().get(header::AUTHORIZATION)
    {
        let text = authorization.to_str().unwrap_or_default();
        let assurance = if is_poll(&request) { Assurance::Lately } else { Assurance::Now };
        match known(&app, text, assurance).await {
            Ok(identity) => drop(request.extensions_mut().insert(identity)),
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

fn is_poll(request: &Request) -> bool {
    request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == ddi::ROOT)
}

async fn known(app: &App, authorization: &str, assurance: Assurance) -> Result<Identity, ApiError> {
    let (scheme, secret) = authorization.split_once(' ').ok_or_else(ApiError::unauthenticated)?;
    let token = app.tokens.identify(&app.o, secret.trim(), assurance).await?.ok_or_else(ApiError::unauthenticated)?;
    let (wanted, identity) = match token.scope {
        Scope::Staff => ("Bearer", Identity::Staff { name: token.name }),
        Scope::Client { client } => ("Bearer", Identity::Client { name: token.name, client }),
        Scope::Target { server } => ("TargetToken", Identity::Target { server }),
        Scope::Gateway { client } => ("GatewayToken", Identity::Gateway { client }),
        Scope::Calendar { .. } => return Err(ApiError::unauthenticated()),
    };
    if scheme.eq_ignore_ascii_case(wanted) { Ok(identity) } else { Err(ApiError::unauthenticated()) }
}

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Identity, ApiError> {
        parts.extensions.get::<Identity>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

/// The provider's staff, by name; everybody else is refused before anything of the body is looked at.
pub(super) struct Staff(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Staff, ApiError> {
        let identity = Identity::from_request_parts(parts, state).await?;
        identity.require_staff()?;
        Ok(Staff(identity.name().to_owned()))
    }
}

/// Staff or a client; an agent's token is refused before anything of the body is looked at.
pub(super) struct Party(pub Identity);

impl<S: Send + Sync> FromRequestParts<S> for Party {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Party, ApiError> {
        let identity = Identity::from_request_parts(parts, state).await?;
        identity.limit(None)?;
        Ok(Party(identity))
    }
}

impl Party {
    /// Whose name stands under what is asked for `client`, as history and letters tell it. Staff may say who of them.
    pub(super) fn asker(&self, client: &Client, by: Option<&str>) -> Result<Asker, ApiError> {
        let by = by.map(str::trim).filter(|by| !by.is_empty());
        match (&self.0, by) {
            (Identity::Staff { name }, by) => Ok(Asker::Staff {
                name: by.or(Some(name.as_str()).filter(|name| *name != OPERATOR)).map(str::to_owned),
                client: client.id.clone(),
            }),
            (Identity::Client { name, .. }, None) => Ok(Asker::of_token(name, client)),
            (Identity::Client { .. }, Some(_)) => {
                Err(ApiError::bad_request("\"by\" says who of the staff asks", "leave it out: the token says who asks"))
            }
            (Identity::Target { .. } | Identity::Gateway { .. }, _) => Err(ApiError::unauthenticated()),
        }
    }
}
