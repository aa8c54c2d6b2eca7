//! Who this agent is: the result of its enrolment, kept from other users of the machine.

use super::AgentError;
use crate::edge::agent_file::AgentConfig;
use crate::edge::ddi_client::{self, messages::Enrolled};
use crate::edge::host::tree::sync_folder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Environment variable with the one-time code; never an argument, where every process could read it.
pub const CODE_VARIABLE: &str = "NOCTULE_ENROL_CODE";
/// Longest code, in bytes.
const CODE_BYTES_MAX: usize = 512;

/// The identity on the disk, if the agent has enrolled.
pub fn load(state_dir: &Path) -> Result<Option<Enrolled>, AgentError> {
    let path = state_dir.join("identity.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(AgentError::State { path, source }),
    };
    serde_json::from_str(&text).map(Some).map_err(|e| AgentError::State { path, source: e.into() })
}

/// Exchanges the one-time code for an identity and keeps it.
pub async fn enrol(config: &AgentConfig) -> Result<Enrolled, AgentError> {
    let code = code(config)?;
    let enrolled = ddi_client::enrol(&config.server, &code).await.map_err(AgentError::Enrol)?;
    let path = config.state_dir.join("identity.json");
    let text =
        serde_json::to_vec_pretty(&enrolled).map_err(|e| AgentError::State { path: path.clone(), source: e.into() })?;
    write_secret(&path, &text).map_err(|source| AgentError::State { path, source })?;
    tracing::info!(server.id = %enrolled.server, "enrolled");
    Ok(enrolled)
}

fn code(config: &AgentConfig) -> Result<String, AgentError> {
    let code = match (std::env::var(CODE_VARIABLE), &config.enrol_code_file) {
        (Ok(code), _) => code,
        (Err(_), Some(path)) => {
            fs::read_to_string(path).map_err(|source| AgentError::State { path: path.clone(), source })?
        }
        (Err(_), None) => return Err(AgentError::NoCode),
    };
    let code = code.trim();
    if code.is_empty() || code.len() > CODE_BYTES_MAX { Err(AgentError::NoCode) } else { Ok(code.to_owned()) }
}

/// Writes a file whole, durable and for its owner only.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path.parent().unwrap_or(path))
}
