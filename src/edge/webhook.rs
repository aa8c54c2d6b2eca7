//! The receiver of calls: one address of the provider's, told by signed POSTs.
//!
//! Signed as "Standard Webhooks" 1.0.0 says (<https://www.standardwebhooks.com>), so that receivers verify with a library of
//! theirs: `webhook-id`, the same however often a call is tried; `webhook-timestamp`, of the attempt; `webhook-signature`,
//! `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`, one for each key. Taken is what is answered with 2xx.
//! Redirects are not followed. Neither the key nor the address beyond its host is ever shown: some addresses are secrets.

mod key;

pub use key::{KeyError, generate};

use super::config;
use crate::model::call::NewCall;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use key::Keys;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response, StatusCode};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest one attempt may take, of the 15 to 30 s that the specification recommends.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 2048;
/// Most of it that is shown, in characters.
const ANSWER_CHARS_MAX: usize = 200;

/// A `[webhook]` table that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("[webhook] {0}")]
    Key(#[from] KeyError),
    #[error("[webhook] ca_file {}: {what}", path.display())]
    Authority { path: PathBuf, what: String },
    #[error("[webhook] cannot be set up: {0}")]
    Http(#[source] reqwest::Error),
}

/// Why a call was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the receiver does not answer: {0}")]
    Unanswered(String),
    #[error("the receiver answered {status}")]
    NotTaken {
        status: u16,
        /// How its answer begins, in one line.
        said: String,
        /// How long it asks to be left alone.
        wait: Option<TimeDelta>,
    },
}

impl CallError {
    /// With the receiver's own words, which are not for the log.
    pub fn in_full(&self) -> String {
        match self {
            CallError::NotTaken { said, .. } if !said.is_empty() => format!("{self}: {said}"),
            CallError::NotTaken { status: 300..=399, .. } => {
                format!("{self}: redirects are not followed, write the address it leads to")
            }
            CallError::NotTaken { .. } | CallError::Unanswered(_) => self.to_string(),
        }
    }

    /// How long the receiver asks to be left alone.
    pub fn wait(&self) -> Option<TimeDelta> {
        match self {
            CallError::NotTaken { wait, .. } => *wait,
            CallError::Unanswered(_) => None,
        }
    }
}

/// Where calls go. Cloning shares the connections.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    keys: Keys,
    http: reqwest::Client,
    timeout: Duration,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Reads the key; connects to nothing yet.
    pub fn open(settings: &config::Webhook) -> Result<Webhook, WebhookError> {
        let keys = Keys::read(settings)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("noctule/", env!("CARGO_PKG_VERSION")));
        if config::is_loopback(&settings.url) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &settings.ca_file {
            let wrong = |what: String| WebhookError::Authority { path: path.clone(), what };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if authorities.is_empty() {
                return Err(wrong("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        let http = builder.build().map_err(WebhookError::Http)?;
        Ok(Webhook { url: settings.url.clone(), keys, http, timeout: TIMEOUT })
    }

    /// The same, which gives one attempt this long.
    pub fn patient_for(self, timeout: Duration) -> Webhook {
        Webhook { timeout, ..self }
    }

    /// The host that is called, as messages may show it.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Makes one attempt at `now`; returns the status it was taken with.
    pub async fn call(&self, call: &NewCall, now: DateTime<Utc>) -> Result<u16, CallError> {
        let timestamp = now.timestamp();
        let request = self
            .http
            .post(self.url.clone())
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("webhook-id", &call.key)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.keys.sign(&call.key, timestamp, &call.body))
            .body(call.body.clone());
        let answer = request.send().await.map_err(|error| CallError::Unanswered(told(error)))?;
        let status = answer.status();
        // What goes with it is of no interest.
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let wait = wait(&answer);
        Err(CallError::NotTaken { status: status.as_u16(), said: beginning(answer).await, wait })
    }
}

/// A failure with its causes, without the address.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// `Retry-After` in seconds, where it means something (RFC 9110, 10.2.3); a date is left to our own patience.
fn wait(answer: &Response) -> Option<TimeDelta> {
    if !matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds: u32 = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(TimeDelta::seconds(seconds.into()))
}

/// How an answer begins, as one line.
async fn beginning(answer: Response) -> String {
    let (mut bytes, mut body) = (Vec::new(), answer.bytes_stream());
    while let Some(Ok(piece)) = body.next().await {
        bytes.extend_from_slice(&piece[..piece.len().min(ANSWER_BYTES_MAX - bytes.len())]);
        if bytes.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(ANSWER_CHARS_MAX).collect()
}
