//! The staging folder: packages that were fetched, and the proof that they are the signed ones.
//!
//! A staged file is named by the package's digest, so that a release fetched ahead of its slot is found again, and one
//! release never passes for another. Whole packages are proven by size and sha256 of the signed manifest, those that
//! were put together by the signed list of their files; after download and again right before they are unpacked. What an
//! installation that failed left here serves its next try; the next order of something else takes it away.

use super::order::Alone;
use super::perform::Trouble;
use super::{Agent, AgentError, Pass, changed, order};
use crate::decide::steps::Order;
use crate::edge::download::Pieces;
use crate::edge::host::archive::{self, Inspected, Limits};
use crate::edge::host::kept_packages::digest;
use crate::model::manifest::SignedManifest;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Agent {
    /// Downloads and verifies ahead of the slot; whether that worked is only told in the slot.
    pub(super) async fn stage(&mut self, order: &Order, alone: Alone, pass: &mut Pass) -> Result<(), AgentError> {
        if let Some((action, staged)) = &self.staged_action
            && *action == order.action
            && (!staged || alone == Alone::No || self.has_plan())
        {
            pass.staged = *staged;
            if alone == Alone::No {
                self.forget_plan();
            }
            return Ok(());
        }
        let mut transfers = BTreeMap::new();
        let staged = match self.fetch_ahead(order).await {
            Ok(manifests) => {
                transfers = self.transfers(&manifests);
                match alone {
                    Alone::Yes => self.keep_plan(order, manifests),
                    Alone::No => self.forget_plan(),
                }
                true
            }
            Err(Trouble::Later(error)) => return Err(error),
            // Nothing is run ahead of a slot.
            Err(Trouble::Restart) => false,
            Err(Trouble::Fail(why) | Trouble::Unfit(_, why)) => {
                tracing::warn!(action = order.action, why, "cannot be staged; its slot will tell");
                false
            }
        };
        if staged {
            self.tell_staged(&order.action, &transfers).await?;
        }
        self.staged_action = Some((order.action.clone(), staged));
        pass.staged = staged;
        Ok(())
    }

    async fn fetch_ahead(&self, order: &Order) -> Result<Vec<SignedManifest>, Trouble> {
        let manifests = self.trusted(order).await?;
        self.forget_others(&manifests);
        for (part, signed) in order.parts.iter().zip(&manifests) {
            self.download(order, part, signed).await?;
            self.proven(signed).await?;
        }
        Ok(manifests)
    }

    /// The signed manifests of an order, verified now.
    pub(super) async fn trusted(&self, order: &Order) -> Result<Vec<SignedManifest>, Trouble> {
        let source = self.source()?;
        let mut manifests = Vec::new();
        for part in &order.parts {
            let trusted = source.manifest(&part.publisher, &part.manifest, self.clock.now()).await?;
            if let Some(why) = order::mismatch(part, &trusted.signed) {
                return Err(Trouble::Fail(why));
            }
            if let Some(reason) = trusted.retracted {
                return Err(Trouble::Fail(format!(
                    "{} {} was retracted by its publisher: {reason}",
                    part.product, part.version
                )));
            }
            manifests.push(trusted.signed);
        }
        Ok(manifests)
    }

    /// Removes what was staged for other orders than one of `wanted`.
    pub(super) fn forget_others(&self, wanted: &[SignedManifest]) {
        let staging = self.config.state_dir.join("staging");
        let Ok(entries) = std::fs::read_dir(&staging) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let digest = path.file_stem().and_then(|stem| stem.to_str());
            if !wanted.iter().any(|signed| Some(signed.sha256.as_str()) == digest) {
                forget(&path);
            }
        }
    }

    /// What a package that was just proven holds, judged whole; in this life once, for it is the same by its digest.
    pub(super) async fn judged(&mut self, signed: &SignedManifest, package: File) -> Result<Arc<Inspected>, Trouble> {
        if let Some(known) = self.inspected.get(&signed.sha256) {
            return Ok(Arc::clone(known));
        }
        let limits = Limits::of(&signed.manifest.package);
        let inspected = tokio::task::spawn_blocking(move || archive::inspect_file(&package, limits)).await;
        let inspected = inspected.map_err(|e| Trouble::Fail(format!("judging the package broke off: {e}")))?;
        let refused = |error| Trouble::Fail(format!("{} is refused: {error}", signed.manifest.package.file));
        let inspected = Arc::new(inspected.map_err(refused)?);
        self.inspected.insert(signed.sha256.clone(), Arc::clone(&inspected));
        Ok(inspected)
    }

    /// Where a package is staged.
    pub(super) fn staged(&self, signed: &SignedManifest) -> PathBuf {
        self.config.state_dir.join("staging").join(format!("{}.zip", signed.sha256))
    }

    /// The staged package, proven to be the signed one; a wrong one is removed.
    pub(super) async fn proven(&self, signed: &SignedManifest) -> Result<File, Trouble> {
        let (whole, assembled, signed) = (self.staged(signed), self.assembled(signed), signed.clone());
        let prove = move || -> Result<File, String> {
            let proven = match assembled.exists() {
                true => changed::prove(&assembled, &signed).map(|(file, _)| file),
                false => prove_whole(&whole, &signed),
            };
            proven.inspect_err(|_| forget(&whole))
        };
        tokio::task::spawn_blocking(prove)
            .await
            .map_err(|e| Trouble::Fail(format!("verification broke off: {e}")))?
            .map_err(Trouble::Fail)
    }
}

pub(super) fn prove_whole(path: &Path, signed: &SignedManifest) -> Result<File, String> {
    let name = &signed.manifest.package.file;
    let (bytes, digest) = digest(path).map_err(|e| format!("cannot read the downloaded {name}: {e}"))?;
    if bytes != signed.size || digest != signed.sha256 {
        return Err(format!(
            "{name} is not what its publisher signed (size {bytes} and sha256 {digest} instead of {} and {})",
            signed.size, signed.sha256
        ));
    }
    File::open(path).map_err(|e| format!("cannot open the downloaded {name}: {e}"))
}

/// Removes a staged package and what belongs to it; a leftover costs space, nothing else.
pub(super) fn forget(path: &Path) {
    forget_partial(path);
    let beside = ["transfer", "files", "assembling", "neighbour"].map(|extension| path.with_extension(extension));
    beside.iter().for_each(|file| remove(file));
}

/// Removes what has arrived of a package from the orchestrator.
pub(super) fn forget_partial(path: &Path) {
    remove(path);
    remove(&path.with_extension("etag"));
    Pieces::forget(path);
}

fn remove(file: &Path) {
    if let Err(error) = std::fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "cannot remove a staged file");
    }
}
