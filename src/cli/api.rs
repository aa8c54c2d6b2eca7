//! One client of the API for all commands: the router in this process, as staff, or an orchestrator over HTTP.
//!
//! Both ways carry the same requests and answers, so that what a command shows does not depend on where it runs.

use super::Failure;
use super::access::{self, Access, Found};
use crate::decide::report::{Month, Report};
use crate::web::{self, Identity};
use crate::work::views::{
    Explanation, HistoryRow, NoticeRow, PlanRow, ReasonRow, ServerRow, SlotRow, Status, Verified,
};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tower::ServiceExt;
use url::Url;
use url::form_urlencoded::Serializer;

/// Longest wait for a connection, and for a whole answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most rows asked for in one answer.
pub const ROWS_MAX: usize = 10_000;

/// A way to the API.
pub struct Client {
    way: Way,
}

enum Way {
    Here(Router),
    There { http: reqwest::Client, api: Url, token: String },
}

/// The API said no.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", if hint.is_empty() { String::new() } else { format!("; {hint}") })]
pub struct Refused {
    pub status: StatusCode,
    pub error: String,
    pub hint: String,
    pub body: Value,
}

/// One line of history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventRow {
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub client: String,
    pub server: Option<String>,
    pub product: Option<String>,
    pub deployment: Option<i64>,
    pub request: Option<i64>,
    pub kind: String,
    pub text: String,
    pub reasons: Vec<ReasonRow>,
    pub prev: String,
    pub hash: String,
}

/// The answer to an accepted request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    #[serde(flatten)]
    pub request: InForce,
    pub with: Vec<InForce>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InForce {
    pub id: i64,
    pub client: String,
    pub product: String,
    pub version: String,
    pub before: NaiveDate,
    pub received_at: DateTime<Utc>,
    pub by: String,
    pub slots: Vec<PlannedSlot>,
    pub counting: Counting,
    pub agreement: Option<AgreementRef>,
    pub superseded: Vec<i64>,
    pub repeated: bool,
}

/// Who agreed, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementRef {
    pub id: i64,
    pub by: String,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedSlot {
    pub server: String,
    pub slot: SlotRow,
}

/// How the notice was counted (3.1.b.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counting {
    pub counted_from: NaiveDate,
    pub days: Vec<NaiveDate>,
    pub earliest: NaiveDate,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestRow {
    pub id: i64,
    pub client: String,
    pub product: String,
    pub version: String,
    pub servers: Vec<String>,
    pub received_at: DateTime<Utc>,
    pub by: String,
    pub before: NaiveDate,
    pub state: String,
    pub ended_at: Option<DateTime<Utc>>,
    pub superseded_by: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlertRow {
    pub id: i64,
    pub class: String,
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    pub deployment: Option<i64>,
    pub title: String,
    pub text: String,
    pub raised_at: DateTime<Utc>,
    pub due: DateTime<Utc>,
    pub state: String,
    pub level: u8,
    pub by: Option<String>,
    pub changed_at: Option<DateTime<Utc>>,
    pub taken_up_at: Option<DateTime<Utc>>,
    pub taken_up_by: Option<String>,
    pub late_minutes: Option<i64>,
    pub note: Option<String>,
}

/// Names and values of a query; empty ones are left out.
pub type Query<'a> = Vec<(&'a str, Option<String>)>;

impl Client {
    /// Finds and opens the orchestrator that `access` means.
    pub async fn connect(access: &Access) -> Result<Client, Failure> {
        let way = match access.find()? {
            Found::Here(path) => Way::Here(web::router(access::open(&path).await?)),
            Found::There { api, token } => {
                let http =
                    reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).build()?;
                Way::There { http, api, token }
            }
        };
        Ok(Client { way })
    }

    pub async fn history(&self, query: &Query<'_>) -> Result<Vec<HistoryRow>, Failure> {
        self.get("history", query).await
    }

    pub async fn deployment_events(&self, id: i64) -> Result<Vec<EventRow>, Failure> {
        self.get(&format!("history/{id}/events"), &Vec::new()).await
    }

    pub async fn events(&self, query: &Query<'_>) -> Result<Vec<EventRow>, Failure> {
        self.get("events", query).await
    }

    pub async fn plan(&self, query: &Query<'_>) -> Result<Vec<PlanRow>, Failure> {
        self.get("plan", query).await
    }

    pub async fn explain(&self, query: &Query<'_>) -> Result<Explanation, Failure> {
        self.get("explain", query).await
    }

    pub async fn status(&self, client: Option<String>) -> Result<Status, Failure> {
        self.get("status", &vec![("client", client)]).await
    }

    pub async fn report(&self, client: Option<String>, month: Month) -> Result<Report, Failure> {
        self.get("report", &vec![("client", client), ("month", Some(month.to_string()))]).await
    }

    pub async fn verification(&self, client: Option<String>, month: Month) -> Result<Verified, Failure> {
        self.get("report/verification", &vec![("client", client), ("month", Some(month.to_string()))]).await
    }

    pub async fn fleet(&self) -> Result<Vec<ServerRow>, Failure> {
        self.get("fleet", &Vec::new()).await
    }

    pub async fn requests(&self, query: &Query<'_>) -> Result<Vec<RequestRow>, Failure> {
        self.get("requests", query).await
    }

    pub async fn request(&self, ask: &Value) -> Result<Accepted, Failure> {
        self.call(Method::POST, "requests", &Vec::new(), Some(ask)).await
    }

    pub async fn change_request(&self, id: i64, change: &Value) -> Result<Accepted, Failure> {
        self.call(Method::POST, &format!("requests/{id}/change"), &Vec::new(), Some(change)).await
    }

    pub async fn cancel_request(&self, id: i64) -> Result<RequestRow, Failure> {
        self.call(Method::DELETE, &format!("requests/{id}"), &Vec::new(), None).await
    }

    pub async fn alerts(&self, all: bool) -> Result<Vec<AlertRow>, Failure> {
        self.get("alerts", &vec![("all", Some(all.to_string()))]).await
    }

    pub async fn acknowledge(&self, id: i64, by: Option<&str>) -> Result<AlertRow, Failure> {
        let body = serde_json::json!({ "by": by });
        self.call(Method::POST, &format!("alerts/{id}/ack"), &Vec::new(), Some(&body)).await
    }

    pub async fn resolve(&self, id: i64, by: Option<&str>, note: &str) -> Result<AlertRow, Failure> {
        let body = serde_json::json!({ "by": by, "note": note });
        self.call(Method::POST, &format!("alerts/{id}/resolve"), &Vec::new(), Some(&body)).await
    }

    /// What a contact is asked about a deployment's slot, and what was answered.
    pub async fn asked(&self, id: i64) -> Result<Value, Failure> {
        self.get(&format!("deployments/{id}/concertation"), &Vec::new()).await
    }

    /// Records a contact's answer about a deployment's slot.
    pub async fn answer(&self, id: i64, answer: &str, by: Option<&str>) -> Result<Value, Failure> {
        let body = serde_json::json!({ "answer": answer, "by": by });
        self.call(Method::POST, &format!("deployments/{id}/concertation"), &Vec::new(), Some(&body)).await
    }

    /// The latest letters, of a client or of everybody.
    pub async fn letters(&self, client: Option<&str>) -> Result<Vec<NoticeRow>, Failure> {
        let limit = Some(ROWS_MAX.to_string());
        self.get("notices", &vec![("client", client.map(str::to_owned)), ("limit", limit)]).await
    }

    /// Sends a letter that was given up once more.
    pub async fn send_again(&self, id: i64, by: Option<&str>) -> Result<NoticeRow, Failure> {
        let body = serde_json::json!({ "by": by });
        self.call(Method::POST, &format!("notices/{id}/again"), &Vec::new(), Some(&body)).await
    }

    /// Says who attends a manual update; answers with their name.
    pub async fn attend(&self, id: i64, by: Option<&str>) -> Result<Value, Failure> {
        let body = serde_json::json!({ "by": by });
        self.call(Method::POST, &format!("deployments/{id}/attend"), &Vec::new(), Some(&body)).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &Query<'_>) -> Result<T, Failure> {
        self.call(Method::GET, path, query, None).await
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let given = query.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let query = Serializer::new(String::new()).extend_pairs(given).finish();
        let path = match query.as_str() {
            "" => format!("api/v1/{path}"),
            query => format!("api/v1/{path}?{query}"),
        };
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let (status, bytes) = match &self.way {
            Way::Here(router) => here(router, method, &path, body).await?,
            Way::There { http, api, token } => there(http, api, token, method, &path, body).await?,
        };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                format!("the answer to {path} cannot be read: {error}; is it the same version of noctule?").into()
            });
        }
        Err(refused(status, &bytes).into())
    }
}

async fn here(router: &Router, method: Method, path: &str, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), Failure> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))?;
    request.extensions_mut().insert(Identity::Staff { name: web::OPERATOR.to_owned() });
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?;
    Ok((status, bytes.to_vec()))
}

async fn there(
    http: &reqwest::Client,
    api: &Url,
    token: &str,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let unreachable =
        |error: reqwest::Error| format!("cannot reach the orchestrator at {api}: {}", error.without_url());
    let mut base = api.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    let request = http
        .request(method, base.join(path)?)
        .bearer_auth(token)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body);
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes; ask for less").into());
        }
        bytes.extend_from_slice(&part);
    }
    Ok((status, bytes))
}

fn refused(status: StatusCode, bytes: &[u8]) -> Refused {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let error = text("error").unwrap_or_else(|| format!("the orchestrator answered {status}; is the URL right?"));
    Refused { status, error, hint: text("hint").unwrap_or_default(), body }
}
