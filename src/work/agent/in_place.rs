//! Products that installer programs keep: packages of kind msi and exe, on the way forward and on the way back.
//!
//! Such a product lives in one folder that `agent.toml` names. Forward: the folder is copied with everything in it, the
//! package is kept, its installer is run, its exit code is understood by `decide::return_codes`, and the customer's own
//! files (`preserve`) are put back over what it brought. Back: the installer of the previous version is run again where
//! it is kept, so that the machine's list of programs is right too, and then the folder is made what it was, byte for
//! byte. `Running` goes to the journal before an installer is started and `Ran` when its end was seen: one that ended
//! well is not run twice, and one whose end nobody saw is run again, which installers are made for.
//!
//! A code only says how an installer ended; the check decides. What it wants of the machine goes to the journal with the
//! code: a restart that finishes it comes when the whole group is installed ([`super::reboot`]), and while one that it
//! began itself is awaited nothing else is begun.

use super::Agent;
use super::perform::{Trouble, fail};
use crate::decide::reboot::Wish;
use crate::decide::return_codes::{Follows, understand};
use crate::decide::steps::{Installation, Line, Step};
use crate::edge::host::command::CommandError;
use crate::edge::host::in_place::InPlace;
use crate::edge::host::installer::{self, CommandLine, MSIEXEC, Run};
use crate::edge::host::kept_packages::KeptPackages;
use crate::edge::host::tree::{Tree, TreeError};
use crate::model::check::{Answer, Unfit, Verdict};
use crate::model::manifest::{Installer, Manifest, SignedManifest};
use crate::model::rule::Rule;
use crate::model::version::Version;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often an installer is run that finds something in use.
const BUSY_TRIES: usize = 3;
/// `ERROR_UNKNOWN_PRODUCT` of Windows Installer: what is to be removed is not there.
const NOT_THERE: i32 = 1605;

/// How an installer ended.
struct Ended {
    code: Option<i32>,
    follows: Follows,
    verdict: Verdict,
}

impl Agent {
    /// The folder of a product that its installer keeps, if this is one.
    pub(super) fn in_place(&self, product: &str) -> Option<InPlace> {
        let copies = self.config.state_dir.join("copies");
        self.config.installed.get(product).map(|at| InPlace::new(&at.directory, &copies, product))
    }

    fn kept_packages(&self) -> KeptPackages {
        KeptPackages::new(self.config.state_dir.join("packages"))
    }

    /// Where version `slug` of a product is, or will be.
    pub(super) fn dir_of(&self, product: &str, slug: &str) -> PathBuf {
        match self.in_place(product) {
            Some(place) => place.dir().to_path_buf(),
            None => Tree::new(&self.config.products_root, product).version_dir(slug),
        }
    }

    /// The version that `version_file` names of a product now.
    pub(super) fn observed(&self, product: &str, version_file: &str) -> Result<Option<Version>, TreeError> {
        match self.in_place(product) {
            Some(place) => place.observed(version_file),
            None => Tree::new(&self.config.products_root, product).observed(version_file),
        }
    }

    /// Slug of the version installed now.
    pub(super) fn current(&self, product: &str) -> Result<Option<String>, TreeError> {
        match self.in_place(product) {
            Some(_) => Ok(self.version_of(product)?.map(|version| version.slug())),
            None => Tree::new(&self.config.products_root, product).current(),
        }
    }

    /// What can be known of an installer before it is run; the bytes it and the way back may need on the disk.
    pub(super) async fn precheck_installer(&self, signed: &SignedManifest) -> Result<u64, Trouble> {
        let manifest = &signed.manifest;
        let product = &manifest.product;
        if matches!(manifest.installer, Installer::Msi { .. })
            && !cfg!(windows)
            && self.config.windows_installer == MSIEXEC
        {
            return Err(fail(format!("{} is of kind msi, which only Windows installs", manifest.package.file)));
        }
        let not_ready = |why: String| Trouble::Unfit(Unfit::NotReady, why);
        let Some(place) = self.in_place(product) else {
            return Err(not_ready(format!(
                "an installer keeps {product}, and nobody said where; add [installed.{product}] with its directory to agent.toml"
            )));
        };
        if self.tree(manifest).current().map_err(fail)?.is_some() {
            return Err(not_ready(format!(
                "{product} is in the agent's own tree already, and {} would install it a second time; move one away",
                manifest.package.file
            )));
        }
        self.proven(signed).await?;
        let copied = blocking(move || place.bytes()).await?.map_err(|error| not_ready(error.to_string()))?;
        Ok(copied.saturating_add(signed.size).saturating_add(manifest.platform.min_free_disk_mib << 20))
    }

    /// Copies the folders that installers are about to change.
    pub(super) async fn copy_folders(&self, state: &Installation) -> Result<(), Trouble> {
        let folder = self.config.state_dir.join("copies");
        for signed in &state.manifests {
            let Some(place) = self.in_place(&signed.manifest.product) else { continue };
            std::fs::create_dir_all(&folder).map_err(fail)?;
            blocking(move || place.take_copy()).await?.map_err(fail)?;
            self.point("folder copied")?;
        }
        Ok(())
    }

    /// Runs the installer of one product, unless it ended well already, and keeps the customer's own files.
    pub(super) async fn install(&mut self, state: &Installation, signed: &SignedManifest) -> Result<(), Trouble> {
        let manifest = &signed.manifest;
        let product = manifest.product.clone();
        let place = self.in_place(&product).ok_or_else(|| fail(format!("nobody said where {product} is")))?;
        let ended_well = state.ran(&product).flatten().is_some_and(|answer| answer.verdict.is_passed());
        if !ended_well {
            self.proven(signed).await?;
            let (packages, kept, staged) = (self.kept_packages(), signed.clone(), self.staged(signed));
            let package = blocking(move || packages.keep(&kept, &staged)).await?.map_err(fail)?;
            self.point("package kept")?;
            let running = Line::Running { at: self.clock.now(), product: product.clone(), boot: self.boot() };
            self.write(running).map_err(fail)?;
            self.point("installer to run")?;
            let log = self.log(manifest, "install");
            let run = self.run_of(manifest, &package, place.dir(), &log);
            let line = run.install().ok_or_else(|| fail(format!("{product} has no installer")))?;
            let room = state.time_left(self.clock.now());
            let ended = self.run_patiently(&line, manifest, &package, &log, room).await?;
            self.point("installer ran")?;
            let answer = told(manifest, "installer", ended.verdict.clone());
            tracing::info!(product, %answer, "installer ended");
            let reboot = wish(ended.follows);
            self.write(Line::Ran { at: self.clock.now(), product: product.clone(), answer, reboot }).map_err(fail)?;
            self.point("installer's end written")?;
            if let Some(trouble) = trouble(manifest, &ended) {
                return Err(trouble);
            }
            if reboot == Some(Wish::Initiated) {
                tracing::warn!(product, "its installer restarts the machine");
                return Err(Trouble::Restart);
            }
        }
        let preserve = manifest.preserve.clone();
        blocking(move || place.keep(&preserve)).await?.map_err(fail)?;
        self.point("customer's files kept")?;
        Ok(())
    }

    /// Makes the machine's list of programs right again where an installer may have changed it, by the installer of the
    /// previous version. Says whether anything was run.
    pub(super) async fn reinstall(&mut self, state: &Installation, signed: &SignedManifest) -> Result<bool, Trouble> {
        let manifest = &signed.manifest;
        let (product, new) = (&manifest.product, manifest.version.slug());
        let Some(place) = self.in_place(product).filter(InPlace::has_copy) else { return Ok(false) };
        let Some(ran) = state.ran(product) else { return Ok(false) };
        if state.went_back(product) {
            return Ok(true);
        }
        // Windows Installer undoes by itself what it says has failed.
        let undone = ran.is_some_and(|answer| matches!(answer.verdict, Verdict::Failed { .. }));
        if undone && matches!(manifest.installer, Installer::Msi { .. }) {
            return Ok(false);
        }
        let old = state.old.get(product).cloned().flatten();
        let packages = self.kept_packages();
        let find = |slug: &str| {
            let (packages, product, slug) = (packages.clone(), product.clone(), slug.to_owned());
            blocking(move || packages.find(&product, &slug))
        };
        let previous = match &old {
            Some(slug) => find(slug).await?,
            None => None,
        };
        if let (Some(slug), None) = (&old, &previous) {
            let why = format!(
                "the package of {slug} is not kept here: its files are back, but the machine's list of programs may name {new}"
            );
            self.note(Step::Restore, vec![told(manifest, "list of programs", Verdict::CannotRun { why })]);
            return Ok(false);
        }
        if let Some(now) = find(&new).await? {
            let log = self.log(manifest, "remove");
            if let Some(line) = self.run_of(manifest, &now.path, place.dir(), &log).uninstall() {
                let ended = self.run_patiently(&line, manifest, &now.path, &log, None).await?;
                self.point("new version removed")?;
                if ended.code != Some(NOT_THERE)
                    && let Some(trouble) = trouble(manifest, &ended)
                {
                    return Err(trouble);
                }
            }
        }
        let Some(previous) = previous else { return Ok(true) };
        let manifest = &previous.signed.manifest;
        let log = self.log(manifest, "restore");
        let run = self.run_of(manifest, &previous.path, place.dir(), &log);
        let Some(line) = run.install() else { return Ok(true) };
        let ended = self.run_patiently(&line, manifest, &previous.path, &log, None).await?;
        self.point("previous installer ran")?;
        let (failed, wish, version) = (trouble(manifest, &ended), wish(ended.follows), manifest.version.clone());
        self.note(Step::Restore, vec![told(manifest, "installer, to go back", ended.verdict)]);
        match (failed, wish) {
            (Some(trouble), _) => Err(trouble),
            (None, Some(Wish::Required)) => {
                self.not_rebooted(format!("going back to {product} {version} wants it"));
                Ok(true)
            }
            (None, Some(Wish::Initiated)) => {
                let boot = self.boot();
                self.write_down(Line::WentBack { at: self.clock.now(), product: product.clone(), boot });
                Err(Trouble::Restart)
            }
            (None, None) => Ok(true),
        }
    }

    /// Makes the folder of a product what it was before.
    pub(super) async fn put_back(&self, state: &Installation, signed: &SignedManifest) -> Result<(), Trouble> {
        let product = signed.manifest.product.clone();
        let Some(place) = self.in_place(&product) else { return Ok(()) };
        let (packages, old) = (self.kept_packages(), state.old.get(&product).cloned().flatten());
        blocking(move || place.put_back()).await?.map_err(fail)?;
        self.point("folder put back")?;
        packages.keep_only(&product, &old.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(())
    }

    /// Forgets the copy that was taken of a product's folder: it is installed, or back.
    pub(super) fn forget_copy(&self, product: &str) {
        if let Some(place) = self.in_place(product)
            && let Err(error) = place.forget_copy()
        {
            tracing::warn!(product, %error, "cannot remove the copy of its folder");
        }
    }

    /// Keeps the package of the version installed now, to go back to; the others go.
    pub(super) fn keep_package(&self, manifest: &Manifest) {
        self.kept_packages().keep_only(&manifest.product, &[&manifest.version.slug()]);
    }

    fn run_of<'a>(&'a self, manifest: &'a Manifest, package: &'a Path, dir: &'a Path, log: &'a Path) -> Run<'a> {
        Run { installer: &manifest.installer, package, dir, log, msiexec: &self.config.windows_installer }
    }

    /// Where an installer writes what it did; the last one of its kind stays.
    fn log(&self, manifest: &Manifest, what: &str) -> PathBuf {
        self.config.state_dir.join("logs").join(format!("{}-{what}.log", manifest.product))
    }

    /// Runs an installer to its end, again while something is in use, within `room` and its own time-out.
    async fn run_patiently(
        &self,
        line: &CommandLine,
        manifest: &Manifest,
        package: &Path,
        log: &Path,
        room: Option<chrono::TimeDelta>,
    ) -> Result<Ended, Trouble> {
        let Some(settings) = self.config.installed.get(&manifest.product) else {
            return Err(fail(format!("nobody said where {} is", manifest.product)));
        };
        let own = Duration::from_secs(settings.timeout_seconds.into());
        let allowed = room.map_or(own, |room| room.to_std().unwrap_or_default().min(own));
        let until = tokio::time::Instant::now() + allowed;
        let pause = Duration::from_secs(settings.busy_pause_seconds.into());
        let (folder, logs) = (package.parent().unwrap_or(package), log.parent().unwrap_or(log));
        std::fs::create_dir_all(logs).map_err(fail)?;
        let lock_path = self.config.state_dir.join("installer.lock");
        let Some(lock) = installer::alone(&lock_path, allowed).await.map_err(fail)? else {
            let why = "an installer of an earlier start still runs".to_owned();
            return Ok(Ended { code: None, follows: Follows::Restore, verdict: Verdict::CannotRun { why } });
        };
        let mut tries = 1;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let ended = ended(manifest, line.run(folder, &lock, left).await, log);
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if ended.follows != Follows::TryAgain || tries == BUSY_TRIES || left <= pause {
                return Ok(ended);
            }
            tracing::info!(product = manifest.product, verdict = ?ended.verdict, "its installer is run again");
            tries += 1;
            tokio::time::sleep(pause).await;
        }
    }
}

fn ended(manifest: &Manifest, ended: Result<crate::edge::host::command::Ended, CommandError>, log: &Path) -> Ended {
    let no_code = |verdict| Ended { code: None, follows: Follows::Restore, verdict };
    let ended = match ended {
        Ok(ended) => ended,
        Err(CommandError::TimedOut { seconds, .. }) => {
            return no_code(Verdict::TimedOut { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) });
        }
        Err(error) => return no_code(Verdict::Failed { seen: error.to_string() }),
    };
    let Some(code) = ended.status.code() else {
        return no_code(Verdict::Failed { seen: format!("it was ended from outside ({})", ended.status) });
    };
    let understood = understand(&manifest.installer, code);
    let verdict = match understood.follows {
        Follows::Check | Follows::CheckThenReboot | Follows::CheckAfterReboot => {
            Verdict::Passed { seen: understood.says }
        }
        Follows::TryAgain | Follows::Postpone | Follows::Restore | Follows::RestoreForStaff => {
            let said = ended.said().map(|said| format!(" ({said})")).unwrap_or_default();
            let log = if log.exists() { format!("; its log is {}", log.display()) } else { String::new() };
            Verdict::Failed { seen: format!("{}{said}{log}", understood.says) }
        }
    };
    Ended { code: Some(code), follows: understood.follows, verdict }
}

/// What follows for the installation, where it does not just go on.
fn trouble(manifest: &Manifest, ended: &Ended) -> Option<Trouble> {
    let how = match &ended.verdict {
        Verdict::TimedOut { seconds } => {
            format!("did not end within {seconds} s and was ended, with everything it started")
        }
        verdict => verdict.to_string(),
    };
    let says = format!("the installer of {} {} {how}", manifest.product, manifest.version);
    match ended.follows {
        Follows::Check | Follows::CheckThenReboot | Follows::CheckAfterReboot => None,
        Follows::TryAgain | Follows::Postpone => Some(Trouble::Unfit(Unfit::NotReady, says)),
        Follows::Restore => Some(Trouble::Fail(says)),
        Follows::RestoreForStaff => {
            Some(Trouble::Fail(format!("{says}; it will end the same until somebody changes something")))
        }
    }
}

/// What an installer that ended so wants of the machine.
fn wish(follows: Follows) -> Option<Wish> {
    match follows {
        Follows::CheckThenReboot => Some(Wish::Required),
        Follows::CheckAfterReboot => Some(Wish::Initiated),
        Follows::Check | Follows::TryAgain | Follows::Postpone | Follows::Restore | Follows::RestoreForStaff => None,
    }
}

fn told(manifest: &Manifest, what: &str, verdict: Verdict) -> Answer {
    let name = format!("{} {}, {what}", manifest.product, manifest.version.slug());
    Answer { name, rule: Rule::HealthAfter, verdict }
}

/// Work on files that may take minutes.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(fail)
}
