//! Takes the steps of an installation on the host. Which step, and when, is `decide::steps`' business.
//!
//! Every step can be begun again after an interruption at any point. No step but `restore` undoes anything.

use super::checks::Kept;
use super::identity::write_secret;
use super::source::SourceError;
use super::staging::forget;
use super::{Agent, AgentError};
use crate::decide::steps::{Installation, Line, Step};
use crate::edge::host::archive::Inspected;
use crate::edge::host::services::ServiceError;
use crate::edge::host::tree::{self, NewVersion, Tree};
use crate::model::check::Unfit;
use crate::model::manifest::{Installer, Manifest, SignedManifest};
use std::collections::BTreeMap;
use std::fs::File;

/// Why a step did not end well.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It cannot be taken: the installation fails, with this sentence.
    Fail(String),
    /// The server is not fit for it, and nothing was touched, or everything goes back.
    Unfit(Unfit, String),
    /// An installer restarts the machine; the journal says so.
    Restart,
    /// Not now; the next pass tries again.
    Later(AgentError),
}

impl From<AgentError> for Trouble {
    fn from(error: AgentError) -> Trouble {
        Trouble::Later(error)
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Trouble {
        match error {
            SourceError::Unreachable { .. } => Trouble::Later(AgentError::Source(error)),
            SourceError::Refused { .. } => Trouble::Fail(error.to_string()),
        }
    }
}

pub(super) fn fail(error: impl std::fmt::Display) -> Trouble {
    Trouble::Fail(error.to_string())
}

impl Agent {
    pub(super) async fn perform(&mut self, step: Step, state: &Installation) -> Result<(), Trouble> {
        match step {
            Step::Fetch => self.fetch(state).await,
            Step::Verify => self.verify(state).await,
            Step::Precheck => self.precheck(state).await,
            Step::Quiesce => self.quiesce(state).await,
            Step::Snapshot => self.snapshot(state).await,
            Step::Apply => self.apply(state).await,
            Step::Check => self.check(state).await,
            Step::Commit => self.commit(state),
            Step::Restore => self.restore(state).await,
        }
    }

    pub(super) fn tree(&self, manifest: &Manifest) -> Tree {
        Tree::new(&self.config.products_root, &manifest.product)
    }

    async fn fetch(&mut self, state: &Installation) -> Result<(), Trouble> {
        let manifests = match self.trusted_before(state) {
            Some(manifests) => manifests,
            None => {
                let manifests = self.trusted(&state.order).await?;
                self.forget_others(&manifests);
                for (part, signed) in state.order.parts.iter().zip(&manifests) {
                    self.download(&state.order, part, signed).await?;
                }
                manifests
            }
        };
        let at = self.clock.now();
        self.write(Line::Fetched { at, transfers: self.transfers(&manifests) }).map_err(fail)?;
        self.forget_cost(&manifests);
        self.write(Line::Trusted { at, manifests }).map_err(fail)
    }

    async fn verify(&self, state: &Installation) -> Result<(), Trouble> {
        for signed in &state.manifests {
            self.proven(signed).await?;
        }
        Ok(())
    }

    /// Everything that can be known before a service is stopped.
    async fn precheck(&mut self, state: &Installation) -> Result<(), Trouble> {
        let mut need = self.config.disk.margin_mib << 20;
        let mut installed = self.inventory();
        for signed in &state.manifests {
            let manifest = &signed.manifest;
            self.services.check_known(&manifest.services).await.map_err(|error| match error {
                // A manifest may name what no server has: then the release is to blame.
                ServiceError::Unknown(_) => fail(error),
                ServiceError::NotLoaded { .. } | ServiceError::Action { .. } => {
                    Trouble::Unfit(Unfit::NotReady, error.to_string())
                }
            })?;
            tree::patterns(&manifest.preserve).map_err(fail)?;
            let anywhere = std::path::Path::new("");
            for name in manifest.health.files.iter().chain([&manifest.detect.version_file]) {
                tree::inside(anywhere, name).map_err(fail)?;
            }
            check_versions(manifest, &installed)?;
            installed.insert(manifest.product.clone(), manifest.version.clone());
            let bytes = match &manifest.installer {
                Installer::Zip {} => self.precheck_zip(signed).await?,
                Installer::Msi { .. } | Installer::Exe { .. } => self.precheck_installer(signed).await?,
            };
            need = need.saturating_add(bytes);
        }
        if let Some(why) = self.objection_to_its_own_restart(state) {
            return Err(Trouble::Unfit(Unfit::NotReady, why));
        }
        self.ask_before(state, need).await?;
        self.wait_for_others(state).await
    }

    /// The bytes that a zip needs on the disk, when nothing speaks against it.
    async fn precheck_zip(&mut self, signed: &SignedManifest) -> Result<u64, Trouble> {
        let manifest = &signed.manifest;
        if let Some(place) = self.in_place(&manifest.product) {
            let (product, dir) = (&manifest.product, place.dir().display());
            return Err(fail(format!("an installer keeps {product} in {dir}; a zip would put it elsewhere")));
        }
        let package = self.proven(signed).await?;
        let unpacked = self.judged(signed, package).await?.bytes;
        Ok(unpacked.max(manifest.platform.min_free_disk_mib << 20))
    }

    async fn quiesce(&mut self, state: &Installation) -> Result<(), Trouble> {
        for name in services(state) {
            self.services.stop(&name).await.map_err(fail)?;
            self.point("service stopped")?;
        }
        self.wait_for_everybody(state).await
    }

    async fn snapshot(&mut self, state: &Installation) -> Result<(), Trouble> {
        // What has begun to be changed is no longer what was there before.
        if state.has_begun(Step::Apply) && !state.old.is_empty() {
            return Ok(());
        }
        self.copy_folders(state).await?;
        let mut pointers = BTreeMap::new();
        for signed in &state.manifests {
            let manifest = &signed.manifest;
            pointers.insert(manifest.product.clone(), self.current(&manifest.product).map_err(fail)?);
        }
        let at = self.clock.now();
        self.write(Line::Old { at, pointers }).map_err(fail)
    }

    /// All versions are laid down and all installers have ended before the first pointer moves.
    async fn apply(&mut self, state: &Installation) -> Result<(), Trouble> {
        for signed in zips(state) {
            let old = old_slug(state, signed);
            if old.as_deref() == Some(&signed.manifest.version.slug()) {
                continue;
            }
            let package = self.proven(signed).await?;
            // Proven again, it is what was judged before; only a new life has to judge it again.
            let inspected = self.judged(signed, package.try_clone().map_err(fail)?).await?;
            let (tree, signed) = (self.tree(&signed.manifest), signed.clone());
            let laid =
                tokio::task::spawn_blocking(move || lay_down(&tree, &signed, &package, &inspected, old.as_deref()));
            laid.await.map_err(fail)??;
            self.point("version laid down")?;
        }
        for signed in state.manifests.iter().filter(|signed| !is_zip(signed)) {
            self.install(state, signed).await?;
        }
        for signed in zips(state) {
            self.tree(&signed.manifest).switch_to(Some(&signed.manifest.version.slug())).map_err(fail)?;
            self.point("pointer switched")?;
        }
        Ok(())
    }

    async fn check(&mut self, state: &Installation) -> Result<(), Trouble> {
        for name in services(state).iter().rev() {
            self.services.start(name).await.map_err(fail)?;
            self.point("service started")?;
        }
        self.ask_after(state).await?;
        for signed in &state.manifests {
            let manifest = &signed.manifest;
            let (product, version) = (&manifest.product, &manifest.version);
            let observed = self.observed(product, &manifest.detect.version_file).map_err(fail)?;
            if observed.as_ref() != Some(version) {
                let says = observed.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
                return Err(Trouble::Fail(format!("{product} should be {version} now but says it is {says}")));
            }
        }
        Ok(())
    }

    /// Tidies up behind a success. Nothing here can turn it into a failure.
    fn commit(&mut self, state: &Installation) -> Result<(), Trouble> {
        for signed in &state.manifests {
            let manifest = &signed.manifest;
            self.version_files.insert(manifest.product.clone(), manifest.detect.version_file.clone());
            let health = manifest.health.clone();
            self.health.insert(manifest.product.clone(), Kept { version: manifest.version.slug(), health });
            if is_zip(signed) {
                let (new, old) = (manifest.version.slug(), old_slug(state, signed));
                let keep: Vec<&str> = [Some(new.as_str()), old.as_deref()].into_iter().flatten().collect();
                if let Err(error) = self.tree(manifest).prune(&keep) {
                    tracing::warn!(product = manifest.product, %error, "cannot remove old versions");
                }
            } else {
                self.keep_package(manifest);
                self.forget_copy(&manifest.product);
            }
            forget(&self.staged(signed));
        }
        let known = [
            ("version-files.json", serde_json::to_vec(&self.version_files)),
            ("health.json", serde_json::to_vec(&self.health)),
        ];
        for (file, text) in known {
            let path = self.config.state_dir.join(file);
            if let Err(error) = text.map_err(std::io::Error::from).and_then(|text| write_secret(&path, &text)) {
                tracing::warn!(file, %error, "cannot remember what is installed");
            }
        }
        Ok(())
    }

    /// Puts every product of the group back, last first, and starts the services.
    async fn restore(&mut self, state: &Installation) -> Result<(), Trouble> {
        let installers_ran = state.manifests.iter().any(|signed| state.ran(&signed.manifest.product).is_some());
        // Installers start services too.
        if state.has_begun(Step::Check) || installers_ran {
            self.stop_again(state).await?;
        }
        let mut troubles = Vec::new();
        let mut reinstalled = false;
        for signed in state.manifests.iter().rev().filter(|signed| !is_zip(signed)) {
            match self.reinstall(state, signed).await {
                Ok(ran) => reinstalled |= ran,
                Err(Trouble::Fail(why) | Trouble::Unfit(_, why)) => troubles.push(why),
                Err(other @ (Trouble::Later(_) | Trouble::Restart)) => return Err(other),
            }
        }
        if reinstalled {
            self.stop_again(state).await?;
        }
        for signed in state.manifests.iter().rev() {
            // Without an entry the snapshot was not taken, so nothing was laid down.
            let Some(old) = state.old.get(&signed.manifest.product) else { continue };
            if is_zip(signed) {
                let tree = self.tree(&signed.manifest);
                if let Err(error) = tree.restore(old.as_deref(), &signed.manifest.version.slug()) {
                    troubles.push(error.to_string());
                }
            } else {
                match self.put_back(state, signed).await {
                    Ok(()) => {}
                    Err(Trouble::Fail(why) | Trouble::Unfit(_, why)) => troubles.push(why),
                    Err(other @ (Trouble::Later(_) | Trouble::Restart)) => return Err(other),
                }
            }
            self.point("product restored")?;
        }
        for name in services(state).iter().rev() {
            if let Err(error) = self.services.start(name).await {
                troubles.push(error.to_string());
            }
            self.point("service started again")?;
        }
        if !troubles.is_empty() {
            return Err(Trouble::Fail(troubles.join("; ")));
        }
        for signed in state.manifests.iter().filter(|signed| !is_zip(signed)) {
            self.forget_copy(&signed.manifest.product);
            self.point("copy forgotten")?;
        }
        Ok(())
    }

    async fn stop_again(&self, state: &Installation) -> Result<(), Trouble> {
        for name in services(state) {
            // It may never have started; the old version goes back all the same.
            if let Err(error) = self.services.stop(&name).await {
                tracing::warn!(service = name, %error, "cannot stop before restoring");
            }
            self.point("service stopped again")?;
        }
        Ok(())
    }
}

fn is_zip(signed: &SignedManifest) -> bool {
    matches!(signed.manifest.installer, Installer::Zip {})
}

fn zips(state: &Installation) -> impl Iterator<Item = &SignedManifest> {
    state.manifests.iter().filter(|signed| is_zip(signed))
}

/// Each service of the group once, in the order of the manifests.
pub(super) fn services(state: &Installation) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in state.manifests.iter().flat_map(|signed| &signed.manifest.services) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

pub(super) fn old_slug(state: &Installation, signed: &SignedManifest) -> Option<String> {
    state.old.get(&signed.manifest.product).cloned().flatten()
}

fn lay_down(
    tree: &Tree,
    signed: &SignedManifest,
    package: &File,
    inspected: &Inspected,
    old: Option<&str>,
) -> Result<(), Trouble> {
    let manifest = &signed.manifest;
    // After an interruption the pointer may already name what is about to be laid down again.
    if tree.current().map_err(fail)?.as_deref() != old {
        tree.switch_to(old).map_err(fail)?;
    }
    let slug = manifest.version.slug();
    let new = NewVersion { slug: &slug, package, inspected, preserve: &manifest.preserve, old };
    tree.lay_down(&new).map_err(|e| Trouble::Fail(format!("{}: {e}", manifest.product)))
}

/// What the manifest asks of the versions installed now; the agent also refuses to be led back to an old release.
fn check_versions(
    manifest: &Manifest,
    installed: &BTreeMap<String, crate::model::version::Version>,
) -> Result<(), Trouble> {
    let (product, version) = (&manifest.product, &manifest.version);
    if let Some(now) = installed.get(product) {
        if now > version {
            return Err(Trouble::Fail(format!("{product} {version} is older than the installed {now}")));
        }
        if let Some(from) = manifest.upgrade_from.as_ref().filter(|from| now < from) {
            return Err(Trouble::Fail(format!("{product} {version} installs over {from} or later, not over {now}")));
        }
    }
    for required in &manifest.requires {
        if installed.get(&required.product).is_none_or(|now| *now < required.at_least) {
            return Err(Trouble::Fail(format!(
                "{product} {version} requires {} {} or later first",
                required.product, required.at_least
            )));
        }
    }
    Ok(())
}
