//! `noctule demo`: two weeks of the whole service in under a minute, on real parts and a clock that is stepped.

use super::feeds::{FeedsError, PUBLISHERS, Publishers};
use super::site::{Site, SiteError};
use super::story::{self, Act};
use super::telling::Telling;
use crate::edge::clock::Clock;
use crate::edge::config::{Config, ConfigError};
use crate::edge::store::StoreError;
use crate::model::fleet::Fleet;
use crate::work::requests::{self, Demand, RequestError};
use crate::work::{OpenError, Orchestrator};
use crate::work::{alerts, attend, fleet, intake, jobs};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that marks a folder as a demo's, which a new demo may replace.
const MARK: &str = ".noctule-demo";
/// The demo's customers.
const FLEET: &str = include_str!("fleet.toml");
const SCHEDULE: &str = include_str!("../../schedules/pro-controle.toml");
/// Time between two activations of everything.
const TICK: TimeDelta = TimeDelta::minutes(60);

/// Everything that goes on when the story has been told.
pub struct Demo {
    pub dir: PathBuf,
    pub orchestrator: Arc<Orchestrator>,
    pub address: SocketAddr,
    sites: Vec<Site>,
    publishers: Publishers,
    telling: Telling,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("{} is not empty and no earlier demo's; choose another folder with --dir", .0.display())]
    Foreign(PathBuf),
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Feeds(#[from] FeedsError),
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("{0}")]
    Work(String),
}

fn work(error: impl std::fmt::Display) -> DemoError {
    DemoError::Work(error.to_string())
}

/// Sets the stage in `dir`: publishers, orchestrator, servers with their agents.
pub async fn set_up(dir: &Path) -> Result<Demo, DemoError> {
    clear(dir)?;
    let dir = std::fs::canonicalize(dir).map_err(|source| DemoError::Io { path: dir.to_owned(), source })?;
    let (begins, ends) = story::span();
    let clock = Clock::stepped(begins);
    let publishers = Publishers::found(&dir.join("publishers"), &clock).await?;
    let feeds = publishers.serve().await?;
    let io = |source| DemoError::Io { path: dir.clone(), source };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).map_err(io);
    std::fs::create_dir_all(dir.join("schedules")).map_err(io)?;
    write("schedules/pro-controle.toml", SCHEDULE)?;
    write("fleet.toml", FLEET)?;
    write("noctule.toml", &noctule_toml(&dir, address, feeds, &publishers, ends))?;
    let config = Config::read(&dir.join("noctule.toml"))?;
    let orchestrator = Arc::new(Orchestrator::open(config, Some(clock.clone())).await?);
    let fleet: Fleet = toml::from_str(FLEET).map_err(work)?;
    let applied = fleet::apply(&orchestrator, &fleet).await.map_err(work)?;
    let router = crate::web::router(orchestrator.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut sites = Vec::new();
    for server in fleet.clients.iter().flat_map(|c| &c.servers) {
        let code = applied.codes.iter().find(|code| code.server == server.id).map_or("", |code| code.code.as_str());
        sites.push(Site::set_up(&dir, server, &format!("http://{address}"), code, &clock).await?);
    }
    Ok(Demo { telling: Telling::of(&fleet), dir, orchestrator, address, sites, publishers })
}

/// Empties a folder that an earlier demo made; refuses any other that holds something.
fn clear(dir: &Path) -> Result<(), DemoError> {
    let io = |source| DemoError::Io { path: dir.to_owned(), source };
    let empty = !dir.exists() || std::fs::read_dir(dir).map_err(io)?.next().is_none();
    if !empty && !dir.join(MARK).exists() {
        return Err(DemoError::Foreign(dir.to_owned()));
    }
    if !empty {
        std::fs::remove_dir_all(dir).map_err(io)?;
    }
    std::fs::create_dir_all(dir).map_err(io)?;
    std::fs::write(dir.join(MARK), "a demo of noctule; a new demo in this folder replaces it\n").map_err(io)
}

fn noctule_toml(
    dir: &Path,
    address: SocketAddr,
    feeds: SocketAddr,
    publishers: &Publishers,
    ends: DateTime<Utc>,
) -> String {
    let mut text = format!(
        r#"# The orchestrator of the demo. Every command takes it: noctule history --config {config}
listen = "{address}"
database = "sqlite:noctule.db"
packages = "packages"
schedules = "schedules"

# The demo's story ends here. Commands look at its database as of this moment; without these lines they use the real clock.
[clock]
at = "{at}"

[mail]
from = "Infogérance des applications <iah@prestataire.example>"
domain = "prestataire.example"
folder = "outbox"

[staff]
signature = "L'équipe Infogérance des applications"
phone = "+33 3 00 00 00 00"
iah = "iah@prestataire.example"
noc = "noc@prestataire.example"
levels = ["responsable.iah@prestataire.example", "responsable.infogerance@prestataire.example", "directeur.services@prestataire.example"]
"#,
        config = dir.join("noctule.toml").display(),
        at = ends.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    );
    for name in PUBLISHERS {
        let root = publishers.root(name);
        text.push_str(&format!(
            "\n[[publisher]]\nname = \"{name}\"\nurl = \"http://{feeds}/{name}\"\nroot = {:?}\n",
            root.display().to_string()
        ));
    }
    text
}

impl Demo {
    /// Plays the story to its end; every line was read back from the history.
    pub async fn play(&mut self, tell: &mut (dyn FnMut(&str) -> Result<(), String> + Send)) -> Result<(), DemoError> {
        let (begins, ends) = story::span();
        let mut acts = story::acts().into_iter().peekable();
        let mut at = begins;
        self.nightly_backups(begins, true)?;
        while at <= ends {
            while let Some((_, act)) = acts.next_if(|(when, _)| *when <= at) {
                self.perform(act).await?;
            }
            self.orchestrator.clock.advance_to(at);
            self.daily_routine(at).await?;
            self.tick().await?;
            for line in self.telling.news(&self.orchestrator.store).await? {
                tell(&line).map_err(DemoError::Work)?;
            }
            let next_act = acts.peek().map(|(when, _)| *when);
            at = next_act.unwrap_or(at + TICK).clamp(at + TimeDelta::minutes(1), at + TICK);
            self.orchestrator.clock.advance_to(at);
        }
        Ok(())
    }

    /// One activation of every job, then every agent's poll, then the jobs again on what the agents said.
    async fn tick(&mut self) -> Result<(), DemoError> {
        jobs::run_all_once(&self.orchestrator).await.map_err(work)?;
        for site in &mut self.sites {
            site.agent.run_once().await.map_err(SiteError::Agent)?;
        }
        jobs::run_all_once(&self.orchestrator).await.map_err(work)
    }

    /// What happens every day without anybody: publishers keep their metadata fresh, servers back up.
    async fn daily_routine(&self, at: DateTime<Utc>) -> Result<(), DemoError> {
        if at.hour() == 3 {
            self.publishers.resign().await?;
        }
        self.nightly_backups(at, false)
    }

    /// Backups run at 20:00 site time on working evenings; the demo's servers report them in a file.
    fn nightly_backups(&self, at: DateTime<Utc>, first: bool) -> Result<(), DemoError> {
        for site in self.sites.iter().filter(|s| s.backups_run || first) {
            let local = at.with_timezone(&site.zone);
            if first || local.hour() == 20 {
                site.back_up(at)?;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, act: Act) -> Result<(), DemoError> {
        let o = &self.orchestrator;
        match act {
            Act::Publish { manifest, health } => self.publishers.publish(manifest, health).await?,
            Act::Retract { publisher, product, version, reason } => {
                self.publishers.retract(publisher, product, version, reason).await?;
            }
            Act::Request { client, product, version, before } => {
                let contact = o.store.client(client).await?.and_then(|c| c.contacts.first().map(|c| c.email.clone()));
                let version = version.parse().map_err(work)?;
                let by = contact.unwrap_or_default();
                let demand =
                    Demand { client: client.into(), product: product.into(), version, before, servers: Vec::new(), by };
                requests::receive(o, demand).await?;
            }
            Act::Attend { server, product, by } => {
                let open = o.store.open_deployments(server).await?;
                if let Some(deployment) = open.iter().find(|d| d.product == product && d.manual) {
                    attend::attend(o, deployment.id, by).await.map_err(work)?;
                }
            }
            Act::Backups { server, running } => {
                let now = o.clock.now();
                for site in self.sites.iter_mut().filter(|s| s.server == server) {
                    site.backups_run = running;
                    if running {
                        site.back_up(now)?;
                    }
                }
            }
            Act::Tamper { product, version } => {
                // Before any agent downloads it ahead of its slot.
                intake::run(o).await.map_err(work)?;
                self.flip_a_byte(product, version).await?;
            }
            Act::Mend { product, version } => self.flip_a_byte(product, version).await?,
            Act::Acknowledge { by } => {
                for alert in o.store.alerts(false).await? {
                    if matches!(alert.state, crate::model::alert::AlertState::Open { .. }) {
                        alerts::acknowledge(o, alert.id, by).await.map_err(work)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Flips the last byte of a mirrored package; doing it twice puts the right one back.
    async fn flip_a_byte(&self, product: &str, version: &str) -> Result<(), DemoError> {
        let version = version.parse().map_err(work)?;
        let Some(release) = self.orchestrator.store.release(product, &version).await? else { return Ok(()) };
        let path = self.orchestrator.packages.path(&release.signed.sha256);
        let io = |source| DemoError::Io { path: path.clone(), source };
        let mut bytes = std::fs::read(&path).map_err(io)?;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        std::fs::write(&path, bytes).map_err(io)
    }

    /// How many letters were written.
    pub fn letters(&self) -> usize {
        std::fs::read_dir(self.dir.join("outbox")).map_or(0, Iterator::count)
    }

    /// Goes on: the clock stands at the story's end, agents keep polling, until `shutdown` resolves.
    pub async fn go_on(mut self, shutdown: impl Future<Output = ()>) -> Result<(), DemoError> {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(std::time::Duration::from_secs(5)) => self.tick().await?,
            }
        }
    }
}
