//! Which orchestrator a command is about: a `noctule.toml` of this machine, or an API elsewhere.

use super::{Failure, Usage};
use crate::edge::config::{self, Config};
use crate::edge::toml_errors;
use crate::work::Orchestrator;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// Longest token file that is read, in bytes, and longest client.toml.
const TOKEN_BYTES_MAX: usize = 4096;

/// Where the orchestrator is. Without any of these: the environment (NOCTULE_CONFIG, or NOCTULE_API with
/// NOCTULE_TOKEN_FILE), then ./noctule.toml, then ./client.toml.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Access {
    /// Work on the database of this noctule.toml, as staff
    #[arg(long, value_name = "FILE", conflicts_with_all = ["api", "token_file"], help_heading = "Orchestrator")]
    pub config: Option<PathBuf>,
    /// Talk to the orchestrator at this URL
    #[arg(long, value_name = "URL", help_heading = "Orchestrator")]
    pub api: Option<Url>,
    /// File with the token for --api
    #[arg(long, value_name = "FILE", help_heading = "Orchestrator")]
    pub token_file: Option<PathBuf>,
}

/// An orchestrator, as found.
pub enum Found {
    Here(PathBuf),
    There { api: Url, token: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    api: Url,
    token_file: PathBuf,
}

impl Access {
    /// Finds out which orchestrator is meant.
    pub fn find(&self) -> Result<Found, Failure> {
        let environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(config) = &self.config {
            return Ok(Found::Here(config.clone()));
        }
        let api = match (&self.api, environment("NOCTULE_API")) {
            (Some(api), _) => Some(api.clone()),
            (None, Some(_)) if environment("NOCTULE_CONFIG").is_some() => {
                return Err(Usage("NOCTULE_CONFIG and NOCTULE_API are both set; unset one".to_owned()).into());
            }
            (None, Some(text)) => {
                let text = text.to_string_lossy();
                Some(text.parse().map_err(|error| Usage(format!("NOCTULE_API is {text:?}, no URL: {error}")))?)
            }
            (None, None) => None,
        };
        if let Some(api) = api {
            let file = self.token_file.clone().or_else(|| environment("NOCTULE_TOKEN_FILE").map(PathBuf::from));
            let file = file.ok_or_else(|| {
                Usage("an API needs a token: give --token-file FILE, or set NOCTULE_TOKEN_FILE".to_owned())
            })?;
            return there(api, &file);
        }
        if self.token_file.is_some() {
            return Err(Usage("--token-file goes with --api URL".to_owned()).into());
        }
        if let Some(config) = environment("NOCTULE_CONFIG") {
            return Ok(Found::Here(config.into()));
        }
        if Path::new("noctule.toml").is_file() {
            return Ok(Found::Here("noctule.toml".into()));
        }
        let client = Path::new("client.toml");
        if client.is_file() {
            let file: ClientFile = toml_errors::read(client)?;
            return there(file.api, &file.token_file);
        }
        Err(Usage("which orchestrator? give --config noctule.toml, or --api URL with --token-file FILE".to_owned())
            .into())
    }

    /// The orchestrator of a `noctule.toml`, for what only its operator may do.
    pub async fn open(&self) -> Result<Arc<Orchestrator>, Failure> {
        match self.find()? {
            Found::Here(path) => open(&path).await,
            Found::There { .. } => {
                Err(Usage("this is done where the orchestrator runs: give --config noctule.toml".to_owned()).into())
            }
        }
    }
}

/// Opens the orchestrator that `path` configures.
pub async fn open(path: &Path) -> Result<Arc<Orchestrator>, Failure> {
    Ok(Arc::new(Orchestrator::open(Config::read(path)?, None).await?))
}

fn there(api: Url, file: &Path) -> Result<Found, Failure> {
    if api.scheme() != "https" && !(api.scheme() == "http" && config::is_loopback(&api)) {
        return Err(
            Usage(format!("{api} has to be https (http only on loopback): the token would cross in clear")).into()
        );
    }
    let token = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the token file {}: {error}", file.display()))?;
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || token.chars().any(char::is_whitespace) {
        return Err(format!("{} holds no token; put the token alone on its first line", file.display()).into());
    }
    Ok(Found::There { api, token: token.to_owned() })
}
