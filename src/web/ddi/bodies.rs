//! What agents send, read without a server around it: the handlers' own way from bytes to words.

use super::feedback;
use crate::decide::settle::Feedback;
use crate::web::error::{ApiError, read_json};
use crate::work::report::Mode;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Body of `PUT configData`. Older clients send further fields (`id`, `time`, `status`).
#[derive(Deserialize)]
pub(super) struct ConfigData {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    data: Option<BTreeMap<String, Value>>,
}

impl ConfigData {
    pub(super) fn read(self) -> Result<(Mode, BTreeMap<String, String>), ApiError> {
        let mode = match self.mode.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "merge") => Mode::Merge,
            Some("replace") => Mode::Replace,
            Some("remove") => Mode::Remove,
            Some(other) => {
                let error = format!("mode {other:?} is not known");
                return Err(ApiError::bad_request(error, "write merge, replace or remove, or leave it out"));
            }
        };
        let data = self.data.ok_or_else(|| {
            let hint = "send {\"mode\":\"merge\",\"data\":{\"key\":\"value\"}}";
            ApiError::bad_request("the report has no \"data\"", hint)
        })?;
        Ok((mode, data.into_iter().map(|(key, value)| (key, plain(value))).collect()))
    }
}

/// A report about an action, of `deploymentBase/{action}/feedback` and `cancelAction/{id}/feedback`.
pub fn feedback(body: &[u8]) -> Result<Feedback, ApiError> {
    feedback::read(read_json(body)?)
}

/// Attributes of a server and how they meet those known, of `configData`.
pub fn attributes(body: &[u8]) -> Result<(Mode, BTreeMap<String, String>), ApiError> {
    read_json::<ConfigData>(body)?.read()
}

/// An attribute's value as text; clients send numbers and truth values too.
pub(super) fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
