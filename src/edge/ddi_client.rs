//! The agent's side of the hawkBit *Direct Device Integration* protocol, over TLS or loopback.
//!
//! Every call has a time-out and every answer a size limit; redirects are not followed, and the token only
//! ever goes to the configured server: links in answers are taken by their path. Unknown fields are ignored.
//! Deliberately not done: trusting anything that comes back. What is installed is verified elsewhere.

pub mod messages;

use super::download::Source;
use futures_util::StreamExt;
use messages::{Base, CancelAction, ConfigData, DeploymentBase, Enrolled, Feedback};
use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

/// Largest JSON answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest silence within a download.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum DdiError {
    #[error("cannot reach the server: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the server answered {status} to {call}")]
    Status { call: String, status: StatusCode },
    #[error("the server's answer to {call} is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong { call: String },
    #[error("the server's answer to {call} cannot be read: {source}")]
    Json { call: String, source: serde_json::Error },
    #[error("the token or the address cannot be used in a request")]
    Unusable,
}

/// What the server made of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Yes,
    /// The action is over or unknown: nobody waits for this report any more.
    Over,
}

/// A connection to the orchestrator as one server.
pub struct DdiClient {
    http: reqwest::Client,
    server: Url,
    base: Url,
    /// The last poll's validator and answer, for 304.
    last: Option<(HeaderValue, Base)>,
}

/// A client without identity or with one: the time-outs and limits are the same.
pub fn http_client(authorization: Option<&str>) -> Result<reqwest::Client, DdiError> {
    let mut headers = HeaderMap::new();
    if let Some(value) = authorization {
        let mut value = HeaderValue::from_str(value).map_err(|_| DdiError::Unusable)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(reqwest::Client::builder()
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("noctule-agent/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// Exchanges a one-time code for an identity.
pub async fn enrol(server: &Url, code: &str) -> Result<Enrolled, DdiError> {
    let url = server.join("api/v1/enrol").map_err(|_| DdiError::Unusable)?;
    let request = http_client(None)?.post(url).json(&serde_json::json!({ "code": code })).timeout(CALL_TIMEOUT);
    read(accept("enrol", request.send().await?)?, "enrol").await
}

impl DdiClient {
    /// `server` ends with a slash when it has a path.
    pub fn new(server: &Url, tenant: &str, controller: &str, token: &str) -> Result<DdiClient, DdiError> {
        let mut base = server.clone();
        base.path_segments_mut().map_err(|()| DdiError::Unusable)?.pop_if_empty().extend([
            tenant,
            "controller",
            "v1",
            controller,
        ]);
        let http = http_client(Some(&format!("TargetToken {token}")))?;
        Ok(DdiClient { http, server: server.clone(), base, last: None })
    }

    /// Asks what there is to do. An unchanged answer costs the server one row.
    pub async fn poll(&mut self) -> Result<Base, DdiError> {
        let mut request = self.http.get(self.base.clone()).timeout(CALL_TIMEOUT);
        if let Some((etag, _)) = &self.last {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        let response = request.send().await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, known))) = (response.status(), &self.last) {
            return Ok(known.clone());
        }
        let response = accept("poll", response)?;
        let etag = response.headers().get(ETAG).cloned();
        let base: Base = read(response, "poll").await?;
        self.last = etag.map(|etag| (etag, base.clone()));
        Ok(base)
    }

    /// Reads the deployment at `href`; `None` when it is no longer offered.
    pub async fn deployment(&self, href: &str) -> Result<Option<DeploymentBase>, DdiError> {
        self.get(href, "deploymentBase").await
    }

    pub async fn cancellation(&self, href: &str) -> Result<Option<CancelAction>, DdiError> {
        self.get(href, "cancelAction").await
    }

    pub async fn put_config(&self, data: &ConfigData) -> Result<(), DdiError> {
        let url = self.url(&["configData"])?;
        let response = self.send_json(Method::PUT, url, data).await?;
        accept("configData", response).map(|_| ())
    }

    /// Reports on a deployment.
    pub async fn feedback(&self, action: &str, feedback: &Feedback) -> Result<Heard, DdiError> {
        self.report("deploymentBase", action, feedback).await
    }

    /// Reports on a cancellation.
    pub async fn cancel_feedback(&self, id: &str, feedback: &Feedback) -> Result<Heard, DdiError> {
        self.report("cancelAction", id, feedback).await
    }

    async fn report(&self, resource: &'static str, id: &str, feedback: &Feedback) -> Result<Heard, DdiError> {
        let url = self.url(&[resource, id, "feedback"])?;
        let response = self.send_json(Method::POST, url, feedback).await?;
        match response.status() {
            StatusCode::GONE | StatusCode::NOT_FOUND => Ok(Heard::Over),
            _ => accept("feedback", response).map(|_| Heard::Yes),
        }
    }

    /// The file at `href`.
    pub fn source(&self, href: &str) -> Result<Source<'_>, DdiError> {
        Ok(Source { http: &self.http, url: self.own(href)?, authorization: None })
    }

    async fn get<T: DeserializeOwned>(&self, href: &str, call: &str) -> Result<Option<T>, DdiError> {
        let response = self.http.get(self.own(href)?).timeout(CALL_TIMEOUT).send().await?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => read(accept(call, response)?, call).await.map(Some),
        }
    }

    async fn send_json(&self, method: Method, url: Url, body: &impl Serialize) -> Result<Response, DdiError> {
        Ok(self.http.request(method, url).json(body).timeout(CALL_TIMEOUT).send().await?)
    }

    fn url(&self, segments: &[&str]) -> Result<Url, DdiError> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| DdiError::Unusable)?.extend(segments);
        Ok(url)
    }

    /// A link of an answer on the configured server, whatever host it names.
    fn own(&self, href: &str) -> Result<Url, DdiError> {
        let link = self.base.join(href).map_err(|_| DdiError::Unusable)?;
        let mut url = self.server.clone();
        url.set_path(link.path());
        url.set_query(link.query());
        Ok(url)
    }
}

fn accept(call: &str, response: Response) -> Result<Response, DdiError> {
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(DdiError::Status { call: call.to_owned(), status: response.status() })
    }
}

async fn read<T: DeserializeOwned>(response: Response, call: &str) -> Result<T, DdiError> {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(DdiError::TooLong { call: call.to_owned() });
        }
    }
    serde_json::from_slice(&bytes).map_err(|source| DdiError::Json { call: call.to_owned(), source })
}
