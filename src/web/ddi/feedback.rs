//! Reports about actions. Clients differ in `id`, `time` and `timestamp`, so none of them is read: an action is named
//! by the address, and a report happened when it arrived.

use super::actions::ActionPath;
use super::controller::Controller;
use crate::decide::settle::{About, Execution, Feedback, Finished};
use crate::web::App;
use crate::web::error::{ApiError, Json, Path};
use crate::work::settle;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Most detail lines read of one report.
const DETAILS_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Body {
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    execution: Option<String>,
    #[serde(default)]
    result: Option<Outcome>,
    /// Lines; a single one comes as a text from some clients.
    #[serde(default)]
    details: Value,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    finished: Option<String>,
}

pub(super) fn read(body: Body) -> Result<Feedback, ApiError> {
    let missing = |what: &str| {
        let hint = "send {\"status\":{\"execution\":\"closed\",\"result\":{\"finished\":\"success\"},\"details\":[]}}";
        ApiError::bad_request(format!("the report has no {what}"), hint)
    };
    let status = body.status.ok_or_else(|| missing("\"status\""))?;
    let execution = match status.execution.ok_or_else(|| missing("\"execution\""))?.to_ascii_lowercase().as_str() {
        "closed" => Execution::Closed,
        "proceeding" => Execution::Proceeding,
        "scheduled" => Execution::Scheduled,
        "resumed" => Execution::Resumed,
        "download" => Execution::Download,
        "downloaded" => Execution::Downloaded,
        "canceled" | "cancelled" => Execution::Canceled,
        "rejected" => Execution::Rejected,
        other => {
            let hint = "write closed, proceeding, scheduled, resumed, download, downloaded, canceled or rejected";
            return Err(ApiError::bad_request(format!("execution {other:?} is not known"), hint));
        }
    };
    let finished = status.result.and_then(|r| r.finished).map(|f| f.to_ascii_lowercase());
    let finished = match finished.as_deref() {
        None | Some("none") => Finished::None,
        Some("success") => Finished::Success,
        Some("failure") => Finished::Failure,
        Some(other) => {
            let error = format!("finished {other:?} is not known");
            return Err(ApiError::bad_request(error, "write success, failure or none"));
        }
    };
    let details = match status.details {
        Value::Array(lines) => lines.into_iter().take(DETAILS_MAX).map(super::bodies::plain).collect(),
        Value::Null => Vec::new(),
        line @ (Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            vec![super::bodies::plain(line)]
        }
    };
    Ok(Feedback { execution, finished, details })
}

/// `POST deploymentBase/{action}/feedback`.
pub(super) async fn deployment(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ActionPath>,
    Json(body): Json<Body>,
) -> Result<StatusCode, ApiError> {
    let feedback = read(body)?;
    app.o.heard_from(&controller.server, app.o.clock.now());
    settle::receive(&app.o, &app.presence, &controller.server, path.id()?, About::Action, &feedback).await?;
    Ok(StatusCode::OK)
}

/// `POST cancelAction/{id}/feedback`.
pub(super) async fn cancellation(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ActionPath>,
    Json(body): Json<Body>,
) -> Result<StatusCode, ApiError> {
    let feedback = read(body)?;
    app.o.heard_from(&controller.server, app.o.clock.now());
    settle::receive(&app.o, &app.presence, &controller.server, path.id()?, About::Cancellation, &feedback).await?;
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, want: Option<(Execution, Finished, usize)>) {
        let body: Body = serde_json::from_str(body).unwrap();
        assert_eq!(read(body).ok().map(|f| (f.execution, f.finished, f.details.len())), want);
    }

    #[test]
    fn reports_of_every_client_are_read() {
        use Execution::{Closed, Proceeding};
        check(
            r#"{"id":"1","status":{"execution":"closed","result":{"finished":"success"},"details":["a","b"]}}"#,
            Some((Closed, Finished::Success, 2)),
        );
        check(
            r#"{"id":1,"time":"20260429T200000","status":{"execution":"proceeding","result":{"finished":"none","progress":{"cnt":1,"of":2}},"details":"one"}}"#,
            Some((Proceeding, Finished::None, 1)),
        );
        check(
            r#"{"timestamp":1777492800000,"status":{"execution":"CLOSED","code":200,"result":{"finished":"failure"},"details":null}}"#,
            Some((Closed, Finished::Failure, 0)),
        );
        check(r#"{"status":{"execution":"proceeding"}}"#, Some((Proceeding, Finished::None, 0)));
        check(r#"{"status":{"execution":"exploded"}}"#, None);
        check(r#"{"status":{"execution":"closed","result":{"finished":"maybe"}}}"#, None);
        check("{}", None);
    }
}
