//! A server of the demo: a folder with its products, its backups, and the real agent that looks after it.

use super::story;
use crate::edge::agent_file;
use crate::edge::clock::Clock;
use crate::model::fleet::Server;
use crate::work::agent::{Agent, AgentError};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Time that each step of an installation takes in the demo.
const STEP: TimeDelta = TimeDelta::seconds(15);

/// One machine of the demo.
pub(super) struct Site {
    pub server: String,
    pub agent: Agent,
    backup: PathBuf,
    pub backups_run: bool,
    pub zone: chrono_tz::Tz,
}

impl Site {
    /// Lays out the machine's folder and opens its agent, which enrols with `code` at its first poll.
    pub async fn set_up(dir: &Path, server: &Server, url: &str, code: &str, clock: &Clock) -> Result<Site, SiteError> {
        let (zone, server) = (server.zone, server.id.as_str());
        let home = dir.join("servers").join(server);
        let io = |source| SiteError::Io { path: home.clone(), source };
        std::fs::create_dir_all(&home).map_err(io)?;
        let products: Vec<(String, String)> = story::INSTALLED
            .iter()
            .filter(|(name, _)| *name == server)
            .flat_map(|(_, products)| products.iter().map(|(p, v)| ((*p).to_owned(), (*v).to_owned())))
            .collect();
        for (product, version) in &products {
            let tree = home.join("before").join(product);
            std::fs::create_dir_all(tree.join("data")).map_err(io)?;
            std::fs::write(tree.join("VERSION"), format!("{version}\n")).map_err(io)?;
            std::fs::write(tree.join("data/dossiers.txt"), format!("dossiers de {server}\n")).map_err(io)?;
        }
        let backup = home.join("backup.log");
        std::fs::write(&backup, "").map_err(io)?;
        std::fs::write(home.join("enrol.code"), code).map_err(io)?;
        let path = home.join("agent.toml");
        std::fs::write(&path, agent_toml(&home, url, &products)).map_err(io)?;
        let config = agent_file::load(&path)?;
        let hands = clock.clone();
        // Each step takes its time, so that the history shows durations.
        let checkpoint = Arc::new(move |_: &str| {
            hands.advance_to(hands.now() + STEP);
            false
        });
        let agent = Agent::new(config, clock.clone()).await?.checked_by(checkpoint);
        Ok(Site { server: server.to_owned(), agent, backup, backups_run: true, zone })
    }

    /// The backup software's report, as of `at`.
    pub fn back_up(&self, at: DateTime<Utc>) -> Result<(), SiteError> {
        let line = format!("{} ok\n", at.to_rfc3339());
        std::fs::write(&self.backup, line).map_err(|source| SiteError::Io { path: self.backup.clone(), source })
    }
}

fn agent_toml(home: &Path, url: &str, products: &[(String, String)]) -> String {
    let path = |name: &str| format!("{:?}", home.join(name).display().to_string());
    let mut text = format!(
        "# The agent of one server of the demo.\nserver = \"{url}\"\nstate_dir = {}\nproducts_root = {}\n\
         enrol_code_file = {}\n\n[backup]\nfile = {}\n\n[disk]\nmargin_mib = 1\n",
        path("state"),
        path("products"),
        path("enrol.code"),
        path("backup.log")
    );
    for (name, version) in products {
        text.push_str(&format!(
            "\n[[product]]\nname = \"{name}\"\nversion = \"{version}\"\ndirectory = {}\n",
            path(&format!("before/{name}"))
        ));
    }
    text
}

#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Config(#[from] agent_file::AgentFileError),
    #[error(transparent)]
    Agent(#[from] AgentError),
}
