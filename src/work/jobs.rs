//! When the jobs run: a heartbeat in UTC from the schedules' crons, one worker for each job.
//!
//! The scheduler only rings; it never carries work. A ring during an activation is remembered once, so that no job
//! overlaps itself and none is missed; a scheduler that falls silent (a machine that slept, a clock set back) is
//! replaced by a ring of our own. Every job is level-triggered: ringing more often changes nothing. Zoned crons are
//! not used: the scheduler keeps the offset of the day it was created, and would ring an hour off after a DST change.

use super::{Orchestrator, checkpoints, concertation, intake, planning, post, reminders, watch, webhook};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// Longest one activation may take; the next one is the retry.
const ACTIVATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Longest without a ring from the scheduler.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest wait for the work in flight when the service ends. Whatever is cut off is safe to repeat.
const GRACE: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    #[error("cannot start the scheduler of the jobs: {0}")]
    Scheduler(#[from] JobSchedulerError),
}

/// An activation that failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
#[error("the {job} job failed: {why}")]
pub struct JobFailed {
    pub job: &'static str,
    pub why: String,
}

/// One job of the orchestrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Every publisher's feed: releases and retractions.
    Fetch,
    /// Every server's decisions.
    Plan,
    /// Silent agents, overdue deployments, escalations, legal dates.
    Watch,
    /// Letters of the outbox.
    Post,
    /// Calls of the webhook, at the rings of the letters and beside them: neither waits for the other's receiver.
    Call,
}

impl Job {
    /// In the order in which one run of all makes the most of what the others found.
    pub const ALL: [Job; 5] = [Job::Fetch, Job::Plan, Job::Watch, Job::Post, Job::Call];

    pub fn name(self) -> &'static str {
        match self {
            Job::Fetch => "fetch",
            Job::Plan => "plan",
            Job::Watch => "watch",
            Job::Post => "post",
            Job::Call => "call",
        }
    }

    /// What can use this job's results at once, without waiting for its own ring.
    fn next(self) -> &'static [Job] {
        match self {
            Job::Fetch => &[Job::Plan],
            Job::Plan | Job::Watch => &[Job::Post, Job::Call],
            Job::Post | Job::Call => &[],
        }
    }

    /// The crons of this job in all contracts: it wakes for each.
    fn crons(self, o: &Orchestrator) -> BTreeSet<&str> {
        o.terms
            .values()
            .map(|terms| {
                let jobs = &terms.schedule.jobs;
                match self {
                    Job::Fetch => jobs.fetch.as_str(),
                    Job::Plan => jobs.plan.as_str(),
                    Job::Watch => jobs.watch.as_str(),
                    Job::Post | Job::Call => jobs.post.as_str(),
                }
            })
            .collect()
    }
}

/// Runs every job once, in order: fetch, plan, watch, post, call.
///
/// # Errors
/// [`JobFailed`] of the first job that failed; the others ran all the same.
pub async fn run_all_once(o: &Orchestrator) -> Result<(), JobFailed> {
    let mut outcome = Ok(());
    for job in Job::ALL {
        outcome = outcome.and(activate(o, job).await);
    }
    outcome
}

/// Runs the jobs, at once and then at their rings, until `stop`; then lets the work in flight end.
///
/// # Errors
/// [`JobsError`] when the scheduler does not start. A job that fails is logged and tried again at its next ring.
pub async fn run(o: Arc<Orchestrator>, stop: CancellationToken) -> Result<(), JobsError> {
    let bells = Bells::default();
    let mut scheduler = JobScheduler::new().await?;
    for job in Job::ALL {
        for cron in job.crons(&o) {
            let bell = bells.of(job).clone();
            let ring = tokio_cron_scheduler::Job::new(cron, move |_, _| bell.notify_one())?;
            scheduler.add(ring).await?;
        }
    }
    scheduler.start().await?;
    let mut workers = JoinSet::new();
    for job in Job::ALL {
        workers.spawn(work(o.clone(), job, bells.clone(), stop.clone()));
    }
    stop.cancelled().await;
    let ended = tokio::time::timeout(GRACE, async { while workers.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(
            "jobs were still at work {} s after the end was asked for; they will be repeated",
            GRACE.as_secs()
        );
    }
    workers.shutdown().await;
    scheduler.shutdown().await?;
    Ok(())
}

/// One bell for each job. A ring that nobody waits for is kept, once.
#[derive(Clone, Debug, Default)]
struct Bells {
    fetch: Arc<Notify>,
    plan: Arc<Notify>,
    watch: Arc<Notify>,
    post: Arc<Notify>,
    call: Arc<Notify>,
}

impl Bells {
    fn of(&self, job: Job) -> &Arc<Notify> {
        match job {
            Job::Fetch => &self.fetch,
            Job::Plan => &self.plan,
            Job::Watch => &self.watch,
            Job::Post => &self.post,
            Job::Call => &self.call,
        }
    }
}

/// The life of one job: an activation, then the next ring.
async fn work(o: Arc<Orchestrator>, job: Job, bells: Bells, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let o = o.clone();
        // In a task of its own, so that a panic ends this activation and not the job.
        let activation = tokio::spawn(async move { tokio::time::timeout(ACTIVATION_TIMEOUT, activate(&o, job)).await });
        match activation.await {
            // A failure has been logged already.
            Ok(Ok(Ok(()) | Err(_))) => {}
            Ok(Err(_)) => tracing::error!(job = job.name(), "gave up after {} s", ACTIVATION_TIMEOUT.as_secs()),
            Err(error) => tracing::error!(job = job.name(), %error, "the activation broke off"),
        }
        for next in job.next() {
            bells.of(*next).notify_one();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tokio::time::timeout(SILENCE_MAX, bells.of(job).notified()) => {}
        }
    }
}

async fn activate(o: &Orchestrator, job: Job) -> Result<(), JobFailed> {
    match job {
        Job::Fetch => tell(job, intake::run(o).await),
        Job::Plan => tell(job, planning::run(o).await),
        // Each runs whatever became of the one before.
        Job::Watch => {
            let (watched, reminded) = (tell(job, watch::run(o).await), tell(job, reminders::run(o).await));
            let asked = tell(job, concertation::remind::run(o).await);
            watched.and(reminded).and(asked).and(tell(job, checkpoints::mail(o).await))
        }
        Job::Post => tell(job, post::run(o).await),
        Job::Call => tell(job, webhook::run(o).await),
    }
}

fn tell<T: Debug, E: std::error::Error>(job: Job, outcome: Result<T, E>) -> Result<(), JobFailed> {
    match outcome {
        Ok(report) => {
            tracing::debug!(job = job.name(), ?report, "done");
            Ok(())
        }
        Err(error) => {
            tracing::error!(job = job.name(), %error, "failed; the next activation tries again");
            Err(JobFailed { job: job.name(), why: error.to_string() })
        }
    }
}
