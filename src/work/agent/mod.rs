//! The agent: polls, reports, downloads, installs, restores. It cannot break a server.
//!
//! One pass ([`Agent::run_once`]) does everything there is to do: it first ends what an earlier life left in
//! the journal, then asks the server. The journal is written before each dangerous step and folded by
//! `decide::steps`, which alone says what comes next. What is installed is what the publishers signed, never
//! the server's word. Deliberately not here: windows and calendars (the server's), and any state that is not
//! in the journal or on the disk.

mod cancellation;
mod changed;
mod checks;
mod download;
mod identity;
mod in_place;
mod in_use;
mod neighbours;
mod offline;
pub mod order;
mod perform;
mod reboot;
mod report;
pub mod source;
mod staging;
mod watch;

pub use watch::Listener;

use crate::decide::steps::{Installation, Line, Next, Outcome, Step, next};
use crate::edge::agent_file::AgentConfig;
use crate::edge::clock::{Clock, Mark};
use crate::edge::ddi_client::messages::{Base, Enrolled};
use crate::edge::ddi_client::{DdiClient, DdiError};
use crate::edge::download::DownloadError;
use crate::edge::host::archive::Inspected;
use crate::edge::host::journal::{Journal, JournalError};
use crate::edge::host::private_folder;
use crate::edge::host::services::Services;
use crate::edge::host::tree::{Tree, TreeError};
use crate::edge::lock::Lock;
use crate::edge::neighbours::SecretError;
use chrono::{DateTime, Utc};
use order::When;
use perform::Trouble;
use report::Ending;
use source::{ReleaseSource, SourceError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Pause after a failed pass, doubled up to the configured maximum.
const RETRY_SECONDS: u64 = 15;
/// Most turns of one installation; a correct step function stays far below.
const TURNS_MAX: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("cannot use {}: {source}", path.display())]
    State { path: PathBuf, source: std::io::Error },
    #[error("another agent uses {}; stop it first", .0.display())]
    Locked(PathBuf),
    #[error("no enrolment code: set NOCTULE_ENROL_CODE or enrol_code_file in agent.toml")]
    NoCode,
    #[error("enrolment failed: {0}; ask for a new code if this one was used")]
    Enrol(#[source] DdiError),
    #[error("the root of {publisher} from the enrolment cannot be used; enrol again")]
    Root { publisher: String },
    #[error("the agent is not enrolled yet")]
    NotEnrolled,
    #[error(transparent)]
    Ddi(#[from] DdiError),
    #[error("cannot download: {0}")]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Site(#[from] SecretError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Only a test's checkpoint asks for it.
    #[error("stopped at {0}")]
    Stopped(String),
    #[error("the installation of action {0} does not come to an end")]
    Endless(String),
}

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// How long to wait before the next one.
    pub sleep: Duration,
    /// Installations that ended and were reported: action and outcome.
    pub ended: Vec<(String, Outcome)>,
    /// Whether a release is downloaded and waits for its slot.
    pub staged: bool,
    /// Whether the machine is being restarted for an installation, which goes on after it.
    pub awaits_reboot: bool,
}

/// Called at every named point of an installation; `true` makes the agent drop everything there, as a power
/// cut would. For tests.
pub type Checkpoint = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Makes the verifier once the agent knows who it is.
pub type Sources = Arc<dyn Fn(&AgentConfig, &Enrolled) -> Result<Box<dyn ReleaseSource>, AgentError> + Send + Sync>;

/// The agent of one server.
pub struct Agent {
    config: AgentConfig,
    clock: Clock,
    services: Services,
    sources: Sources,
    checkpoint: Option<Checkpoint>,
    listener: Option<Listener>,
    /// When the server last answered a poll in this life.
    heard: Option<Mark>,
    ddi: Option<DdiClient>,
    /// The servers it shares downloads with.
    site: Option<neighbours::Site>,
    source: Option<Box<dyn ReleaseSource>>,
    journal: Journal<Line>,
    state: Option<Installation>,
    /// Attributes the server was last told, and when.
    told: Option<(BTreeMap<String, String>, DateTime<Utc>)>,
    /// Product → the file of its tree that names its version.
    version_files: BTreeMap<String, String>,
    /// Product → how to tell that the version installed works.
    health: BTreeMap<String, checks::Kept>,
    /// The action last staged, or that cannot be staged; staging is not tried again before its slot.
    staged_action: Option<(String, bool)>,
    /// What the packages of the present installation hold, by their sha256.
    inspected: BTreeMap<String, Arc<Inspected>>,
    /// Held for as long as the agent lives: one agent per state folder.
    _lock: Lock,
}

impl Agent {
    /// Opens the agent's state; releases are verified from the roots pinned at enrolment.
    pub async fn new(config: AgentConfig, clock: Clock) -> Result<Agent, AgentError> {
        let sources: Sources = Arc::new(|config, enrolled| Ok(Box::new(source::Mirrors::new(config, enrolled)?)));
        Agent::with(config, clock, sources, None).await
    }

    /// The same agent, with `checkpoint` called at every named point.
    pub fn checked_by(mut self, checkpoint: Checkpoint) -> Agent {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Opens the agent's state with a verifier and, in tests, a checkpoint of the caller's.
    pub async fn with(
        config: AgentConfig,
        clock: Clock,
        sources: Sources,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Agent, AgentError> {
        let state = |path: PathBuf| move |source| AgentError::State { path, source };
        private_folder::make(&config.state_dir).await.map_err(state(config.state_dir.clone()))?;
        for folder in [config.state_dir.join("staging"), config.products_root.clone()] {
            std::fs::create_dir_all(&folder).map_err(state(folder.clone()))?;
        }
        let lock_path = config.state_dir.join("lock");
        let taken = Lock::take(&lock_path).map_err(state(lock_path.clone()))?;
        let lock = taken.ok_or_else(|| AgentError::Locked(config.state_dir.clone()))?;
        let mut version_files: BTreeMap<String, String> = std::fs::read(config.state_dir.join("version-files.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let mut health: BTreeMap<String, checks::Kept> = std::fs::read(config.state_dir.join("health.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        for product in &config.products {
            if let Some(own) = &product.health {
                let kept = checks::Kept { version: product.version.slug(), health: own.clone() };
                health.entry(product.name.clone()).or_insert(kept);
            }
            Tree::new(&config.products_root, &product.name).adopt(&product.version.slug(), &product.directory)?;
            version_files.entry(product.name.clone()).or_insert_with(|| product.version_file.clone());
        }
        let site = neighbours::Site::open(&config).await?;
        let (journal, lines) = Journal::open(&config.state_dir.join("journal.jsonl"))?;
        Ok(Agent {
            services: Services::new(config.services.clone(), config.service_manager.clone()),
            ddi: None,
            site,
            source: None,
            journal,
            state: Installation::fold(lines),
            told: None,
            version_files,
            health,
            staged_action: None,
            inspected: BTreeMap::new(),
            _lock: lock,
            config,
            clock,
            sources,
            checkpoint,
            listener: None,
            heard: None,
        })
    }

    /// One pass: ends what was begun, asks the server, does everything there is to do.
    pub async fn run_once(&mut self) -> Result<Pass, AgentError> {
        let mut pass = Pass::default();
        if let Some(enrolled) = identity::load(&self.config.state_dir)? {
            self.connect(&enrolled)?;
        } else {
            let enrolled = identity::enrol(&self.config).await?;
            self.connect(&enrolled)?;
        }
        self.drive(&mut pass).await?;
        if self.awaits_reboot(&mut pass) {
            return Ok(pass);
        }
        let base = match self.ddi_mut()?.poll().await {
            Ok(base) => base,
            Err(error) => {
                self.go_alone(error, &mut pass).await?;
                if !self.awaits_reboot(&mut pass) {
                    pass.sleep = Duration::from_secs(RETRY_SECONDS);
                }
                return Ok(pass);
            }
        };
        self.heard = Some(self.clock.mark());
        self.tell_attributes(base.links.config_data.is_some()).await?;
        if let Some(link) = &base.links.cancel_action {
            self.answer_cancellation(&link.href).await?;
        }
        match &base.links.deployment_base {
            Some(link) => self.take_deployment(&link.href, &mut pass).await?,
            None => self.forget_plan(),
        }
        if !self.awaits_reboot(&mut pass) {
            pass.sleep = self.pause(&base);
        }
        Ok(pass)
    }

    /// Runs passes until `shutdown` resolves; a pass under way is finished first.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), AgentError> {
        tokio::pin!(shutdown);
        let mut failures = 0;
        loop {
            let pause = match self.run_once().await {
                Ok(pass) => {
                    failures = 0;
                    pass.sleep
                }
                // Nothing will change by itself.
                Err(error @ AgentError::NoCode) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "pass failed, trying again");
                    failures += 1;
                    let seconds = RETRY_SECONDS << (failures - 1).min(8);
                    let pause = Duration::from_secs(seconds.min(u64::from(self.config.poll.max_seconds)));
                    // What may be begun without the server is not slept through.
                    let to_slot = self.next_slot().and_then(|start| (start - self.clock.now()).to_std().ok());
                    pause.min(to_slot.unwrap_or(pause) + Duration::from_secs(1))
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = &mut shutdown => return Ok(()),
            }
        }
    }

    fn connect(&mut self, enrolled: &Enrolled) -> Result<(), AgentError> {
        if self.ddi.is_none() {
            let Enrolled { server, tenant, token, .. } = enrolled;
            self.source = Some((self.sources)(&self.config, enrolled)?);
            self.ddi = Some(DdiClient::new(&self.config.server, tenant, server, token)?);
        }
        Ok(())
    }

    fn ddi(&self) -> Result<&DdiClient, AgentError> {
        self.ddi.as_ref().ok_or(AgentError::NotEnrolled)
    }

    fn ddi_mut(&mut self) -> Result<&mut DdiClient, AgentError> {
        self.ddi.as_mut().ok_or(AgentError::NotEnrolled)
    }

    fn source(&self) -> Result<&dyn ReleaseSource, AgentError> {
        self.source.as_deref().ok_or(AgentError::NotEnrolled)
    }

    fn pause(&self, base: &Base) -> Duration {
        let asked = base.sleep_seconds().unwrap_or(300);
        Duration::from_secs(asked.clamp(self.config.poll.min_seconds, self.config.poll.max_seconds).into())
    }

    async fn take_deployment(&mut self, href: &str, pass: &mut Pass) -> Result<(), AgentError> {
        let Some(handed) = self.ddi()?.deployment(href).await? else {
            self.forget_plan();
            return Ok(());
        };
        let order = match order::read(&handed) {
            Ok(order) => order,
            Err(why) => {
                return self.tell_outcome(&handed.id, Ending::default(), &Outcome::RolledBack { why }).await;
            }
        };
        match order::when(&handed, &order, self.clock.now()) {
            When::Stage => {
                self.renew_plan(&order);
                self.stage(&order, order::may_go_alone(&handed), pass).await
            }
            When::Install => {
                self.forget_plan();
                let at = self.clock.now();
                tracing::info!(action = order.action, "installation accepted");
                self.journal.rotate()?;
                self.journal.append(&Line::Accepted { at, order: order.clone(), alone: false })?;
                self.state = Some(Installation::new(order));
                self.drive(pass).await
            }
        }
    }

    /// Takes steps until the installation in the journal has ended and the server has heard it, or the machine restarts.
    async fn drive(&mut self, pass: &mut Pass) -> Result<(), AgentError> {
        if let Some(state) = self.state.clone() {
            self.recognise_end(&state);
        }
        for _ in 0..TURNS_MAX {
            let Some(state) = self.state.clone() else { return Ok(()) };
            let action = state.order.action.clone();
            match next(&state, self.clock.now()) {
                Next::Do(step) => self.take_step(step, &state).await?,
                Next::Reboot => self.reboot(&state).await?,
                Next::AwaitReboot => {
                    if let Some(pause) = self.await_reboot(&state).await {
                        pass.sleep = pause;
                        return Ok(());
                    }
                }
                Next::Fail(step, why) => self.write_down(Line::Failed { at: self.clock.now(), step, why }),
                Next::Close(outcome) => {
                    tracing::info!(action, ?outcome, "installation ended");
                    self.point("closing")?;
                    self.write_down(Line::Closed { at: self.clock.now(), outcome });
                }
                Next::Report(outcome) => {
                    self.point("reporting")?;
                    self.tell_outcome(&action, Ending::of(&state), &outcome).await?;
                    self.point("reported")?;
                    self.write_down(Line::Reported { at: self.clock.now() });
                    pass.ended.push((action, outcome));
                }
                Next::Finished => {
                    self.forget_plan();
                    self.journal.rotate()?;
                    self.state = None;
                    self.staged_action = None;
                    self.inspected.clear();
                    return Ok(());
                }
            }
        }
        Err(AgentError::Endless(self.state.as_ref().map(|s| s.order.action.clone()).unwrap_or_default()))
    }

    async fn take_step(&mut self, step: Step, state: &Installation) -> Result<(), AgentError> {
        let action = state.order.action.clone();
        if matches!(step, Step::Quiesce | Step::Apply)
            && state.can_cancel()
            && let Some(id) = self.look_for_cancellation(&action).await
        {
            self.write_down(Line::Cancelled { at: self.clock.now(), id });
            return Ok(());
        }
        self.point(&format!("{step:?} to begin"))?;
        // A fetch over many nights is one line.
        if (step != Step::Fetch || !state.has_begun(step))
            && let Err(error) = self.write(Line::Begun { at: self.clock.now(), step })
            && step != Step::Restore
        {
            // Going forward without a journal could not be undone.
            self.write_down(Line::Failed { at: self.clock.now(), step, why: error.to_string() });
            return Ok(());
        }
        self.point(&format!("{step:?} begun"))?;
        let Some(state) = self.state.clone() else { return Ok(()) };
        match self.perform(step, &state).await {
            Ok(()) => {
                self.point(&format!("{step:?} to end"))?;
                self.write_down(Line::Done { at: self.clock.now(), step });
                self.tell_progress(&action, step, "done").await;
            }
            Err(Trouble::Fail(why)) => {
                tracing::warn!(action, ?step, why, "step failed");
                self.point(&format!("{step:?} to fail"))?;
                self.write_down(Line::Failed { at: self.clock.now(), step, why: why.clone() });
                self.tell_progress(&action, step, &why).await;
            }
            Err(Trouble::Unfit(unfit, why)) => {
                tracing::warn!(action, ?unfit, why, "the server is not fit for it");
                self.point(&format!("{step:?} to refuse"))?;
                self.write_down(Line::Unfit { at: self.clock.now(), unfit, why: why.clone() });
                self.tell_progress(&action, step, &why).await;
            }
            // It is taken again after that.
            Err(Trouble::Restart) => {}
            Err(Trouble::Later(error)) => return Err(error),
        }
        self.point(&format!("{step:?} ended"))
    }

    /// One durable line, then the same in memory.
    fn write(&mut self, line: Line) -> Result<(), JournalError> {
        let written = self.journal.append(&line);
        if written.is_ok()
            && let Some(state) = &mut self.state
        {
            state.take(line);
        }
        written
    }

    /// Like [`Agent::write`], for what has already happened: true even if it cannot be written down.
    /// After a restart the step is then taken again, which every step allows.
    fn write_down(&mut self, line: Line) {
        if let Err(error) = self.journal.append(&line) {
            tracing::error!(%error, "the journal cannot be written");
        }
        if let Some(state) = &mut self.state {
            state.take(line);
        }
    }

    fn point(&self, name: &str) -> Result<(), AgentError> {
        match &self.checkpoint {
            Some(stop) if stop(name) => Err(AgentError::Stopped(name.to_owned())),
            _ => Ok(()),
        }
    }
}
