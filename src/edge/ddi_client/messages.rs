//! The messages of the hawkBit DDI as the agent reads and writes them. Unknown fields are ignored.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Answer to `POST /api/v1/enrol`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The server's id, also the controller id.
    pub server: String,
    pub tenant: String,
    pub token: String,
    /// Publisher → base64 of the TUF root to start from.
    pub roots: BTreeMap<String, String>,
}

/// Answer to a poll.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Base {
    #[serde(default)]
    pub config: Config,
    #[serde(default, rename = "_links")]
    pub links: Links,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub polling: Polling,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Polling {
    /// `HH:MM:SS`.
    #[serde(default)]
    pub sleep: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    pub deployment_base: Option<Link>,
    pub cancel_action: Option<Link>,
    pub config_data: Option<Link>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Link {
    pub href: String,
}

impl Base {
    /// The pause the server asks for, in seconds.
    pub fn sleep_seconds(&self) -> Option<u32> {
        let mut parts = self.config.polling.sleep.split(':').map(|p| p.parse::<u32>().ok());
        match (parts.next()??, parts.next()??, parts.next()??) {
            (h, m, s) if h < 100 && m < 60 && s < 60 => Some(h * 3600 + m * 60 + s),
            _ => None,
        }
    }
}

/// Answer to `GET …/deploymentBase/{action}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeploymentBase {
    pub id: String,
    pub deployment: Handed,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handed {
    /// `skip`, `attempt` or `forced`.
    pub download: String,
    pub update: String,
    #[serde(default)]
    pub maintenance_window: Option<String>,
    #[serde(default)]
    pub chunks: Vec<Chunk>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Chunk {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    #[serde(default)]
    pub metadata: Vec<Metadatum>,
}

impl Chunk {
    pub fn metadatum(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|m| m.key == key).map(|m| m.value.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Artifact {
    pub filename: String,
    pub size: u64,
    #[serde(rename = "_links")]
    pub links: ArtifactLinks,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ArtifactLinks {
    pub download: Option<Link>,
    pub download_http: Option<Link>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Metadatum {
    pub key: String,
    pub value: String,
}

/// Answer to `GET …/cancelAction/{id}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelAction {
    pub id: String,
    pub cancel_action: StopId,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopId {
    pub stop_id: String,
}

/// Body of `PUT …/configData`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigData {
    pub mode: &'static str,
    pub data: BTreeMap<String, String>,
}

/// Body of a feedback.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feedback {
    /// Milliseconds since 1970, as hawkBit clients send it.
    pub timestamp: i64,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub execution: Execution,
    pub result: FeedbackResult,
    pub details: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    Closed,
    Proceeding,
    Download,
    Downloaded,
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedbackResult {
    pub finished: Finished,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finished {
    Success,
    Failure,
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    pub cnt: u32,
    pub of: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_hours_minutes_seconds() {
        let asked = |sleep: &str| {
            let base: Base =
                serde_json::from_str(&format!(r#"{{"config":{{"polling":{{"sleep":"{sleep}"}}}}}}"#)).unwrap();
            base.sleep_seconds()
        };
        assert_eq!(asked("00:05:30"), Some(330));
        assert_eq!(asked("12:00:00"), Some(43200));
        for bad in ["", "5", "00:61:00", "a:b:c", "-1:00:00"] {
            assert_eq!(asked(bad), None, "{bad}");
        }
        assert_eq!(serde_json::from_str::<Base>("{}").unwrap().sleep_seconds(), None);
    }
}
