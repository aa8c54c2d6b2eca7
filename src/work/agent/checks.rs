//! What the agent asks its server before and after an installation, and what follows from the answers.
//!
//! Before: the last backup, the administrator's conditions, and whether what is installed works at all. An application
//! that is sick already is not touched: an update would be blamed for it, and going back would not cure it. After: the
//! new versions by their manifests, and whatever worked before. Every answer goes to the journal, and from there into the
//! reports.

use super::Agent;
use super::perform::{Trouble, fail, services};
use crate::decide::steps::{Installation, Line, Step};
use crate::edge::host::checks::{self, Patience, Place};
use crate::edge::host::command::CommandError;
use crate::edge::host::disk;
use crate::edge::host::in_place::InPlace;
use crate::edge::host::probes::{self, BackupProbeError};
use crate::model::check::{Answer, Check, Unfit, Verdict, When};
use crate::model::manifest::Health;
use crate::model::rule::Rule;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How to tell that an installed version works, as its own manifest said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Slug of the version; of any other one it says nothing.
    pub version: String,
    pub health: Health,
}

impl Agent {
    /// Asks everything that has to be true before a service is stopped. All is asked, so that all is told.
    pub(super) async fn ask_before(&mut self, state: &Installation, need_bytes: u64) -> Result<(), Trouble> {
        let own = std::iter::once(self.ask_backup(state).await).chain(self.ask_disks(state, need_bytes));
        let mut found: Vec<(Unfit, Answer)> = own.map(|answer| (Unfit::NotReady, answer)).collect();
        let conditions = self.config.checks.iter().filter(|check| check.when().is_before());
        let answers = checks::ask_all(conditions.clone(), self.place(None, Patience::Once)).await;
        found.extend(conditions.map(blame).zip(answers));
        for signed in &state.manifests {
            let product = &signed.manifest.product;
            let Some(slug) = self.current(product).map_err(fail)? else { continue };
            let Some(kept) = self.health.get(product).filter(|kept| kept.version == slug) else {
                tracing::info!(product, slug, "nobody said how to tell that this version works");
                continue;
            };
            let dir = self.dir_of(product, &slug);
            let mut own = kept.health.clone();
            own.checks.retain(|check| check.when().is_before());
            let blames: Vec<Unfit> = own.checks.iter().map(blame).collect();
            let answers = checks::ask_health(&own, self.place(Some(&dir), Patience::Once)).await;
            // Files and its own command come first.
            let sick = std::iter::repeat_n(Unfit::Sick, answers.len() - blames.len());
            found.extend(
                sick.chain(blames).zip(answers).map(|(unfit, answer)| (unfit, of_product(product, &slug, answer))),
            );
        }
        // A sick application is the worse news.
        let bad = |(_, answer): &&(Unfit, Answer)| !answer.verdict.is_passed();
        let worst = found.iter().filter(bad).min_by_key(|(unfit, _)| match unfit {
            Unfit::Sick => 0,
            Unfit::NotReady => 1,
        });
        let trouble = worst.map(|(unfit, answer)| match unfit {
            Unfit::Sick => Trouble::Unfit(*unfit, format!("it did not work before the installation: {answer}")),
            Unfit::NotReady => Trouble::Unfit(*unfit, answer.to_string()),
        });
        self.note(Step::Precheck, found.into_iter().map(|(_, answer)| answer).collect());
        trouble.map_or(Ok(()), Err)
    }

    /// Asks whether the new versions work, and whether what worked before still does.
    pub(super) async fn ask_after(&mut self, state: &Installation) -> Result<(), Trouble> {
        let (mut found, mut trouble) = (Vec::new(), None);
        for signed in &state.manifests {
            let (product, version) = (&signed.manifest.product, &signed.manifest.version);
            let dir = self.dir_of(product, &version.slug());
            let mut own = signed.manifest.health.clone();
            own.checks.retain(|check| check.when().is_after());
            let answers = checks::ask_health(&own, self.place(Some(&dir), Patience::WhileStarting)).await;
            let bad = answers.iter().find(|answer| !answer.verdict.is_passed());
            if let Some(bad) = bad {
                trouble.get_or_insert(format!("{product} {version} does not work: {bad}"));
            }
            found.extend(answers.into_iter().map(|answer| of_product(product, &version.slug(), answer)));
        }
        let started = self.services.checks(&services(state));
        let still = self.config.checks.iter().filter(|check| check.when().is_after());
        let answers = checks::ask_all(started.iter().chain(still), self.place(None, Patience::WhileStarting)).await;
        if let Some(bad) = answers.iter().find(|answer| !answer.verdict.is_passed()) {
            trouble.get_or_insert(format!("something does not work after the installation: {bad}"));
        }
        found.extend(answers);
        self.note(Step::Check, found);
        trouble.map_or(Ok(()), |why| Err(Trouble::Fail(why)))
    }

    fn place<'a>(&'a self, dir: Option<&'a Path>, patience: Patience) -> Place<'a> {
        Place { dir, now: self.clock.now(), service_manager: &self.config.service_manager, patience }
    }

    /// The journal first: a report that is lost can be made again.
    pub(super) fn note(&mut self, step: Step, answers: Vec<Answer>) {
        for answer in &answers {
            tracing::info!(?step, %answer, "checked");
        }
        if !answers.is_empty() {
            self.write_down(Line::Checked { at: self.clock.now(), step, answers });
        }
    }

    async fn ask_backup(&self, state: &Installation) -> Answer {
        Answer { name: "backup".to_owned(), rule: Rule::BackupFirst, verdict: self.backup_verdict(state).await }
    }

    /// Every disk that is written to. They may be one: each has to have room for everything.
    fn ask_disks(&self, state: &Installation, need_bytes: u64) -> Vec<Answer> {
        let mut answers = vec![disk_answer("disk".to_owned(), &self.config.products_root, need_bytes)];
        let places: Vec<_> = state.manifests.iter().filter_map(|s| self.in_place(&s.manifest.product)).collect();
        if !places.is_empty() {
            answers.push(disk_answer("disk of the agent's copies".to_owned(), &self.config.state_dir, need_bytes));
        }
        let own = |place: &InPlace| disk_answer(format!("disk of {}", place.dir().display()), place.dir(), need_bytes);
        answers.extend(places.iter().map(own));
        answers
    }

    async fn backup_verdict(&self, state: &Installation) -> Verdict {
        let Some(config) = &self.config.backup else {
            let why = "the agent has no backup probe; add [backup] to agent.toml".to_owned();
            return Verdict::CannotRun { why };
        };
        let backup = match probes::last_backup(&config.probe).await {
            Ok(backup) => backup,
            Err(BackupProbeError::Command(CommandError::TimedOut { seconds, .. })) => {
                return Verdict::TimedOut { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) };
            }
            Err(error) => return Verdict::CannotRun { why: error.to_string() },
        };
        let ended = backup.finished_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        if !backup.succeeded {
            return Verdict::Failed { seen: format!("the last backup, which ended at {ended}, failed") };
        }
        let too_old = self.clock.since(backup.finished_at).num_minutes() > i64::from(config.age_hours_max) * 60
            || state.order.backup_not_before.is_some_and(|bound| backup.finished_at < bound);
        match too_old {
            true => Verdict::Failed { seen: format!("the last backup ended at {ended}, too long ago") },
            false => Verdict::Passed { seen: format!("the last backup ended at {ended}") },
        }
    }
}

fn disk_answer(name: String, path: &Path, need_bytes: u64) -> Answer {
    let verdict = match disk::free_bytes(path) {
        Err(error) => Verdict::CannotRun { why: error.to_string() },
        Ok(free) => {
            let (free_mib, need_mib) = (free >> 20, need_bytes.div_ceil(1 << 20));
            match need_bytes <= free {
                true => Verdict::Passed { seen: format!("{free_mib} MiB free, {need_mib} MiB needed") },
                false => {
                    Verdict::Failed { seen: format!("not enough disk: {free_mib} MiB free, {need_mib} MiB needed") }
                }
            }
        }
    };
    Answer { name, rule: Rule::HealthAfter, verdict }
}

/// What works in general and does not now is sick; what was only to be waited for is not ready.
fn blame(check: &Check) -> Unfit {
    match check.when() {
        When::Both | When::After => Unfit::Sick,
        When::Before => Unfit::NotReady,
    }
}

fn of_product(product: &str, slug: &str, answer: Answer) -> Answer {
    Answer { name: format!("{product} {slug}, {}", answer.name), ..answer }
}
