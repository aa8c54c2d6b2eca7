//! Fetches what is missing of a package, by the way that costs the site's line least, and keeps count of what it cost.
//!
//! What is here already is not fetched. Neighbours are asked first, where there are any ([`super::neighbours`]), then for
//! only what changed, where that can be ([`super::changed`]); the whole package, taken up where it was cut, is the way that always is. Whichever it was, what came is proven afterwards
//! ([`super::staging`]).

use super::changed::Attempt;
use super::neighbours::Taken;
use super::perform::{Trouble, fail};
use super::watch::Watch;
use super::{Agent, AgentError};
use crate::decide::steps::{Order, Part};
use crate::edge::download::{DownloadError, Source};
use crate::edge::host::disk;
use crate::model::manifest::SignedManifest;
use crate::model::transfer::{Transfer, Way};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How often one pass takes up a broken download again.
const RESUMES_MAX: usize = 5;

impl Agent {
    /// Downloads what is missing of one package.
    pub(super) async fn download(&self, order: &Order, part: &Part, signed: &SignedManifest) -> Result<(), Trouble> {
        let staged = self.staged(signed);
        if self.assembled(signed).exists() || std::fs::metadata(&staged).is_ok_and(|m| m.len() == signed.size) {
            return Ok(());
        }
        let watch = Watch::new(self, order, signed);
        // Told for as long as it is under way.
        let _claim = self.site.as_ref().map(|site| site.claim(signed));
        let mut transfer = self.transfer(signed);
        let source = self.ddi()?.source(&part.href).map_err(AgentError::Ddi)?;
        let fetched = self.fetch_package(&source, signed, &watch, &mut transfer).await;
        transfer.moved_bytes = transfer.moved_bytes.saturating_add(watch.moved_bytes());
        self.keep_transfer(signed, &transfer);
        fetched?;
        match &self.site {
            Some(site) => self.give_to_neighbours(site, signed).await,
            None => Ok(()),
        }
    }

    async fn fetch_package(
        &self,
        source: &Source<'_>,
        signed: &SignedManifest,
        watch: &Watch<'_>,
        transfer: &mut Transfer,
    ) -> Result<(), Trouble> {
        if let Some(site) = &self.site {
            match self.take_from_neighbours(site, signed, watch).await? {
                Taken::Done => {
                    (transfer.way, transfer.why_whole) = (Way::Neighbour, None);
                    return Ok(());
                }
                Taken::Nothing(None) => {}
                Taken::Nothing(Some(why)) => transfer.why_whole = Some(why),
            }
            site.is_at(&signed.sha256, 0);
        }
        match self.fetch_changed(source, signed, watch).await? {
            Attempt::Done => {
                (transfer.way, transfer.why_whole) = (Way::Changed, None);
                return Ok(());
            }
            Attempt::NotTried => {}
            Attempt::Whole(why) => {
                tracing::info!(package = signed.manifest.package.file, why, "it is fetched whole");
                // A neighbour that was of no use comes first: somebody should look at it.
                transfer.why_whole =
                    Some(transfer.why_whole.take().map_or(why.clone(), |first| format!("{first}; {why}")));
            }
        }
        transfer.way = Way::Whole;
        self.fetch_whole(source, signed, watch).await
    }

    async fn fetch_whole(
        &self,
        source: &Source<'_>,
        signed: &SignedManifest,
        watch: &Watch<'_>,
    ) -> Result<(), Trouble> {
        let file = self.staged(signed);
        let have = std::fs::metadata(&file).map_or(0, |m| m.len());
        let missing = signed.size.saturating_sub(have);
        let free = disk::free_bytes(&file).map_err(|e| fail(format!("cannot read the disk: {e}")))?;
        if free < missing.saturating_add(self.config.disk.margin_mib << 20) {
            return Err(fail(format!(
                "not enough disk to download {}: {} MiB free, {} MiB needed and {} MiB to stay free",
                signed.manifest.package.file,
                free >> 20,
                missing.div_ceil(1 << 20),
                self.config.disk.margin_mib
            )));
        }
        self.patiently(signed, async || source.whole(&file, signed.size, watch).await).await
    }

    /// Tries a download again while the line breaks, as often as one pass may.
    pub(super) async fn patiently<T>(
        &self,
        signed: &SignedManifest,
        mut download: impl AsyncFnMut() -> Result<T, DownloadError>,
    ) -> Result<T, Trouble> {
        let mut last = None;
        for _ in 0..RESUMES_MAX {
            match download().await {
                Ok(done) => return Ok(done),
                Err(error) => last = Some(again(error, signed)?),
            }
        }
        Err(last.map_or(AgentError::NotEnrolled, AgentError::Download).into())
    }

    fn transfer_file(&self, signed: &SignedManifest) -> PathBuf {
        self.staged(signed).with_extension("transfer")
    }

    /// What fetching a package has cost so far and was not told yet.
    fn transfer(&self, signed: &SignedManifest) -> Transfer {
        let kept = std::fs::read(self.transfer_file(signed)).ok();
        let kept: Option<Transfer> = kept.and_then(|text| serde_json::from_slice(&text).ok());
        // An earlier life that was killed left no account, only what had arrived.
        let here = || {
            let files = [self.staged(signed), self.staged(signed).with_extension("parts")];
            files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum()
        };
        kept.unwrap_or_else(|| Transfer {
            package_bytes: signed.size,
            moved_bytes: here(),
            way: Way::Whole,
            why_whole: None,
        })
    }

    fn keep_transfer(&self, signed: &SignedManifest, transfer: &Transfer) {
        let kept = serde_json::to_vec(transfer).map_err(std::io::Error::from);
        if let Err(error) = kept.and_then(|text| std::fs::write(self.transfer_file(signed), text)) {
            tracing::warn!(%error, "what the download cost is not kept");
        }
    }

    /// What fetching each product's package has cost, for a report.
    pub(super) fn transfers(&self, manifests: &[SignedManifest]) -> BTreeMap<String, Transfer> {
        manifests.iter().map(|signed| (signed.manifest.product.clone(), self.transfer(signed))).collect()
    }

    /// It is in the journal now: a later try begins at nothing.
    pub(super) fn forget_cost(&self, manifests: &[SignedManifest]) {
        for signed in manifests {
            self.keep_transfer(signed, &Transfer { moved_bytes: 0, ..self.transfer(signed) });
        }
    }
}

/// An error after which the download may be taken up again; what follows from any other.
fn again(error: DownloadError, signed: &SignedManifest) -> Result<DownloadError, Trouble> {
    match error {
        DownloadError::Over { have, want } => Err(fail(format!(
            "the package had not arrived when the slot ended: {have} of {want} bytes are here, and serve the next try"
        ))),
        DownloadError::Write { .. } | DownloadError::TooMuch(_) => {
            Err(fail(format!("cannot download {}: {error}", signed.manifest.package.file)))
        }
        DownloadError::Http(_) | DownloadError::Cut { .. } => {
            tracing::info!(%error, "download broken off, taking it up again");
            Ok(error)
        }
        DownloadError::Status(_) | DownloadError::Short { .. } | DownloadError::NoParts(_) => {
            Err(AgentError::Download(error).into())
        }
    }
}
