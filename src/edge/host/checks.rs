//! Asks a server the questions of [`crate::model::check`], each within its time-out, and tells what was seen.
//!
//! Nothing here changes anything, and no answer is an error: what could not be asked is an answer too. Checks of one list
//! are asked side by side, so that the slowest bounds them all.

use super::command::{self, CommandError, Ended, Purpose};
use super::probes::parse_mark;
use super::tree::inside;
use super::{disk, services};
use crate::model::check::{Answer, Check, Probe, Verdict};
use crate::model::manifest::Health;
use crate::model::rule::Rule;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::join_all;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Most bytes read of an HTTP answer in search of a text.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest text kept of what was seen, in characters.
const SEEN_CHARS_MAX: usize = 160;
/// Between two tries of what takes a while to come up.
const PAUSE: Duration = Duration::from_millis(500);

/// Where and when checks are asked.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Stands for `{dir}`: the tree of the product that the checks are about, if they are about one.
    pub dir: Option<&'a Path>,
    pub now: DateTime<Utc>,
    /// The program that knows the units of systemd.
    pub service_manager: &'a str,
    pub patience: Patience,
}

/// Whether what just started may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// One answer counts.
    Once,
    /// A port, a page or a service is asked again until its time-out: it may still be starting.
    WhileStarting,
}

/// Asks every check; the answers come in the order of the questions.
pub async fn ask_all(checks: impl IntoIterator<Item = &Check>, place: Place<'_>) -> Vec<Answer> {
    join_all(checks.into_iter().map(|check| async move {
        let allowed = Duration::from_secs(check.timeout_seconds.into());
        Answer { name: check.name.clone(), rule: check.rule(), verdict: ask(&check.probe, allowed, place).await }
    }))
    .await
}

/// Asks whether an installed tree works: its files are there, its own command says so, its further checks pass.
pub async fn ask_health(health: &Health, place: Place<'_>) -> Vec<Answer> {
    let answer = |name: &str, verdict| Answer { name: name.to_owned(), rule: Rule::HealthAfter, verdict };
    let mut answers = Vec::new();
    if let (false, Some(dir)) = (health.files.is_empty(), place.dir) {
        answers.push(answer("files", files(&health.files, dir)));
    }
    if !health.command.is_empty() {
        let own = Probe::Command { command: health.command.clone(), exits: vec![0], prints: None };
        let allowed = Duration::from_secs(health.timeout_seconds.into());
        answers.push(answer("own check", ask(&own, allowed, place).await));
    }
    answers.extend(ask_all(&health.checks, place).await);
    answers
}

fn files(names: &[String], dir: &Path) -> Verdict {
    for name in names {
        match inside(dir, name) {
            Ok(path) if path.is_file() => {}
            Ok(_) => return failed(format!("{name} is missing")),
            Err(error) => return cannot(error),
        }
    }
    passed(format!("{} of {} there", names.len(), names.len()))
}

async fn ask(probe: &Probe, allowed: Duration, place: Place<'_>) -> Verdict {
    let begun = Instant::now();
    loop {
        let left = allowed.saturating_sub(begun.elapsed());
        let verdict = match ask_once(probe, left, place).await {
            // What is told is the whole time that it had.
            Verdict::TimedOut { .. } => return Verdict::TimedOut { seconds: allowed.as_secs() as u32 },
            verdict => verdict,
        };
        let again = place.patience == Patience::WhileStarting && may_be_starting(probe) && !verdict.is_passed();
        if !again || allowed.saturating_sub(begun.elapsed()) <= PAUSE {
            return verdict;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Programs have their own idea of waiting; these have none.
fn may_be_starting(probe: &Probe) -> bool {
    match probe {
        Probe::Tcp { .. } | Probe::Http { .. } | Probe::Service { .. } => true,
        Probe::Command { .. }
        | Probe::FileAge { .. }
        | Probe::FreeDisk { .. }
        | Probe::Sessions { .. }
        | Probe::BackupAge { .. } => false,
    }
}

async fn ask_once(probe: &Probe, allowed: Duration, place: Place<'_>) -> Verdict {
    let timed_out = || Verdict::TimedOut { seconds: allowed.as_secs() as u32 };
    match probe {
        Probe::FileAge { file, age_minutes_max } => {
            let (file, now, limit) = (in_place(file, place), place.now, *age_minutes_max);
            let look = move || std::fs::metadata(&file).and_then(|data| data.modified());
            match blocking(allowed, look).await {
                None => timed_out(),
                Some(Ok(written)) => file_age(written.into(), now, limit),
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => failed("the file is not there"),
                Some(Err(error)) => cannot(error),
            }
        }
        Probe::FreeDisk { path, mib_min } => {
            let path = in_place(path, place);
            match blocking(allowed, move || disk::free_bytes(Path::new(&path))).await {
                None => timed_out(),
                Some(Ok(free)) => verdict(free >> 20 >= *mib_min, format!("{} MiB free, {mib_min} needed", free >> 20)),
                Some(Err(error)) => cannot(error),
            }
        }
        Probe::Tcp { address } => match timeout(allowed, tokio::net::TcpStream::connect(address)).await {
            Err(_) => timed_out(),
            Ok(Ok(_)) => passed(format!("{address} accepts connections")),
            Ok(Err(error)) => failed(format!("{address}: {error}")),
        },
        Probe::Http { url, status, contains } => match timeout(allowed, get(url, *status, contains.as_deref())).await {
            Err(_) => timed_out(),
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => failed(said_of(&error)),
        },
        Probe::Service { service } => {
            match timeout(allowed, services::state(place.service_manager, service, allowed + PAUSE)).await {
                Err(_) => timed_out(),
                Ok(Ok(state)) => verdict(state.is_running, format!("{service} is {}", state.said)),
                Ok(Err(error)) => cannot(error),
            }
        }
        Probe::Command { command, exits, prints } => {
            program(command, allowed, place, |ended| command_verdict(ended, exits, prints.as_deref())).await
        }
        Probe::Sessions { command, sessions_max } => {
            answered(command, allowed, place, |said| match said.trim().parse::<u32>() {
                Ok(open) => verdict(open <= *sessions_max, format!("{open} open, {sessions_max} allowed")),
                Err(_) => cannot(format!("it printed {:?}; it has to print a number of sessions", short(said))),
            })
            .await
        }
        Probe::BackupAge { command, age_hours_max } => {
            answered(command, allowed, place, |said| match parse_mark(said) {
                None => cannot(format!(
                    "it printed {:?}; it has to print an RFC 3339 instant, then ok or failed",
                    short(said)
                )),
                Some(backup) => {
                    let ended = backup.finished_at.to_rfc3339_opts(SecondsFormat::Secs, true);
                    let minutes = (place.now - backup.finished_at).num_minutes();
                    match backup.succeeded {
                        false => failed(format!("the backup that ended at {ended} failed")),
                        true => verdict(
                            minutes <= i64::from(*age_hours_max) * 60,
                            format!("ended at {ended}, at most {age_hours_max} h ago is needed"),
                        ),
                    }
                }
            })
            .await
        }
    }
}

fn file_age(written: DateTime<Utc>, now: DateTime<Utc>, minutes_max: u32) -> Verdict {
    let seen = format!("written at {}", written.to_rfc3339_opts(SecondsFormat::Secs, true));
    match (now - written).num_minutes() <= i64::from(minutes_max) {
        true => passed(seen),
        false => failed(format!("{seen}, more than {minutes_max} min ago")),
    }
}

fn command_verdict(ended: &Ended, exits: &[i32], prints: Option<&str>) -> Verdict {
    let said = ended.said().map(|line| format!(": {line}")).unwrap_or_default();
    let Some(code) = ended.status.code().filter(|code| exits.contains(code)) else {
        return failed(format!("{}{said}", ended.status));
    };
    match prints {
        Some(text) if !ended.out.contains(text) => failed(format!("it did not print {text:?}{said}")),
        Some(text) => passed(format!("printed {text:?}")),
        None => passed(format!("exit code {code}")),
    }
}

async fn get(url: &str, status: u16, contains: Option<&str>) -> reqwest::Result<Verdict> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let mut answer = http.get(url).send().await?;
    let got = answer.status().as_u16();
    if got != status {
        return Ok(failed(format!("status {got}, {status} is needed")));
    }
    let Some(text) = contains else { return Ok(passed(format!("status {got}"))) };
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        body.extend_from_slice(&piece[..piece.len().min(BODY_BYTES_MAX - body.len())]);
        if body.len() == BODY_BYTES_MAX {
            break;
        }
    }
    let found = String::from_utf8_lossy(&body).contains(text);
    let word = if found { "with" } else { "without" };
    Ok(verdict(found, format!("status {got} {word} {text:?}")))
}

/// The innermost cause says most.
fn said_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Runs a program and judges how it ended.
async fn program(argv: &[String], allowed: Duration, place: Place<'_>, judge: impl Fn(&Ended) -> Verdict) -> Verdict {
    let argv: Vec<String> = argv.iter().map(|part| in_place(part, place)).collect();
    match command::observe(&argv, place.dir, allowed, Purpose::Ask).await {
        Ok(ended) => judge(&ended),
        Err(CommandError::TimedOut { seconds, .. }) => Verdict::TimedOut { seconds: seconds as u32 },
        Err(error @ (CommandError::Empty | CommandError::Spawn { .. } | CommandError::Failed { .. })) => cannot(error),
    }
}

/// Runs a program whose answer is what it prints: one that fails has answered nothing.
async fn answered(argv: &[String], allowed: Duration, place: Place<'_>, judge: impl Fn(&str) -> Verdict) -> Verdict {
    program(argv, allowed, place, |ended| match ended.status.success() {
        true => judge(&ended.out),
        false => cannot(format!("{}: {}", ended.status, ended.said().unwrap_or_default())),
    })
    .await
}

/// What a system call says that may hang on a dead disk; `None` when it did.
async fn blocking<T: Send + 'static>(allowed: Duration, ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(allowed, tokio::task::spawn_blocking(ask)).await.ok()?.ok()
}

fn in_place(text: &str, place: Place<'_>) -> String {
    match place.dir {
        Some(dir) => text.replace("{dir}", &dir.display().to_string()),
        None => text.to_owned(),
    }
}

fn verdict(is_good: bool, seen: String) -> Verdict {
    if is_good { passed(seen) } else { failed(seen) }
}

fn passed(seen: impl AsRef<str>) -> Verdict {
    Verdict::Passed { seen: short(seen.as_ref()) }
}

fn failed(seen: impl AsRef<str>) -> Verdict {
    Verdict::Failed { seen: short(seen.as_ref()) }
}

fn cannot(why: impl ToString) -> Verdict {
    Verdict::CannotRun { why: short(&why.to_string()) }
}

/// One line, bounded.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SEEN_CHARS_MAX).collect()
}

#[cfg(test)]
#[cfg(unix)]
#[path = "checks_tests.rs"]
mod tests;
