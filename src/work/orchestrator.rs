//! What every job of the orchestrator works with, opened once.

use super::letters::{Letters, LettersError};
use crate::decide::durations::Durations;
use crate::decide::terms::Terms;
use crate::decide::world::Almanacs;
use crate::edge::clock::Clock;
use crate::edge::config::{Config, ConfigError, Publisher, Staff};
use crate::edge::mail::{MailError, Mailer};
use crate::edge::packages::{PackageError, Packages};
use crate::edge::schedule_file::{self, ScheduleFileError};
use crate::edge::store::{Store, StoreError};
use crate::edge::webhook::{Webhook, WebhookError};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for a publisher's server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything a job needs. Made once, shared by jobs and pages.
pub struct Orchestrator {
    pub store: Store,
    pub clock: Clock,
    /// Compiled contracts by schedule name.
    pub terms: BTreeMap<String, Arc<Terms>>,
    pub packages: Packages,
    pub publishers: Vec<Publisher>,
    pub mailer: Mailer,
    /// Who else is told of alerts.
    pub webhook: Option<Webhook>,
    /// What letters are written from.
    pub letters: Letters,
    /// For feeds and packages; limits are set per download.
    pub http: reqwest::Client,
    pub staff: Staff,
    pub tenant: String,
    /// What agents and clients call, without a slash at its end.
    pub base_url: String,
    pub config: Config,
    /// Before this nobody could be heard.
    pub opened_at: DateTime<Utc>,
    /// Servers heard from since the watch job last wrote them down.
    pub seen: Mutex<BTreeMap<String, DateTime<Utc>>>,
    /// How long releases took, as planning or a hand-out last learned it, and when.
    pub(super) learned: Mutex<Option<(DateTime<Utc>, Arc<Durations>)>>,
    /// What the calendar says of the coming weeks, kept between two plannings.
    pub(super) almanacs: Mutex<Almanacs>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Packages(#[from] PackageError),
    #[error(transparent)]
    Schedule(#[from] ScheduleFileError),
    #[error("{0}")]
    Terms(String),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Letters(#[from] LettersError),
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl Orchestrator {
    /// Opens the database and reads the contracts. The clock is the configured one, unless `clock` is given.
    pub async fn open(config: Config, clock: Option<Clock>) -> Result<Orchestrator, OpenError> {
        let clock = clock.unwrap_or_else(|| match &config.clock {
            Some(frozen) => Clock::stepped(frozen.at),
            None => Clock::System,
        });
        let opened_at = clock.now();
        let terms = read_terms(&config)?;
        Ok(Orchestrator {
            store: Store::open(&config.database_url()?).await?,
            clock,
            terms,
            packages: Packages::open(&config.packages)?,
            publishers: config.publishers.clone(),
            mailer: open_mailer(&config)?,
            webhook: config.webhook.as_ref().map(Webhook::open).transpose()?,
            letters: match &config.mail.templates {
                Some(folder) => Letters::read(folder)?,
                None => Letters::built_in(),
            },
            http: reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build()?,
            staff: config.staff.clone(),
            tenant: config.tenant.clone(),
            base_url: config.base_url().trim_end_matches('/').to_owned(),
            config,
            opened_at,
            seen: Mutex::new(BTreeMap::new()),
            learned: Mutex::default(),
            almanacs: Mutex::default(),
        })
    }

    pub(super) fn almanacs(&self) -> std::sync::MutexGuard<'_, Almanacs> {
        self.almanacs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes that `server` was heard from at `at`; the watch job writes such notes in batches.
    pub fn heard_from(&self, server: &str, at: DateTime<Utc>) {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.insert(server.to_owned(), at);
    }
}

/// Letters say "reply to this message": where nothing else is set, the reply goes to the applications desk.
fn open_mailer(config: &Config) -> Result<Mailer, MailError> {
    let mut mail = config.mail.clone();
    mail.reply_to.get_or_insert_with(|| config.staff.iah.clone());
    Mailer::open(&mail)
}

/// Reads and compiles every contract of the folder; all problems at once, each on its line.
fn read_terms(config: &Config) -> Result<BTreeMap<String, Arc<Terms>>, OpenError> {
    let mut terms = BTreeMap::new();
    let mut problems = Vec::new();
    for file in schedule_file::read_folder(&config.schedules)? {
        match Terms::compile(file.schedule.clone()) {
            Ok(compiled) => {
                terms.insert(file.name.clone(), Arc::new(compiled));
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| {
                let keys: Vec<&str> = problem.place.split('.').collect();
                file.point_at(&keys, problem.span, &format!("{}; {}", problem.what, problem.fix))
            })),
        }
    }
    if problems.is_empty() { Ok(terms) } else { Err(OpenError::Terms(problems.join("\n"))) }
}
