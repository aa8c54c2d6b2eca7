//! Watches a download: keeps it to the site's share of the line, ends it with its slot, and tells how far it is.

use super::Agent;
use crate::decide::steps::Order;
use crate::edge::ddi_client::messages::{Execution, Finished, Progress};
use crate::edge::download::Watcher;
use crate::model::manifest::SignedManifest;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Each of so many parts of a package is told to the server once: a line of history each, even over a week.
const TELLINGS: u64 = 10;
/// Smaller packages are here before anybody could look, in bytes.
const TOLD_FROM_BYTES: u64 = 16 << 20;

/// Is told how far a download is: the package's file, bytes that are here, bytes in all.
pub type Listener = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// One download of one order.
pub(super) struct Watch<'a> {
    agent: &'a Agent,
    order: &'a Order,
    signed: &'a SignedManifest,
    /// Parts of the package that were told.
    told: AtomicU64,
    moved: AtomicU64,
}

impl Watch<'_> {
    pub fn new<'a>(agent: &'a Agent, order: &'a Order, signed: &'a SignedManifest) -> Watch<'a> {
        Watch { agent, order, signed, told: AtomicU64::new(0), moved: AtomicU64::new(0) }
    }

    /// Bytes that came over the line.
    pub fn moved_bytes(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Watcher for Watch<'_> {
    fn bytes_per_second_max(&self) -> Option<u64> {
        self.agent.config.line.bytes_per_second_max(self.agent.clock.now())
    }

    /// The slot's end; before it even a line of a few bytes per second may take its time.
    fn is_over(&self) -> bool {
        self.order.slot.is_some_and(|slot| slot.end <= self.agent.clock.now())
    }

    fn moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    async fn at(&self, have: u64, want: u64) {
        if let Some(site) = &self.agent.site {
            site.is_at(&self.signed.sha256, have);
        }
        self.tell(have, want).await;
    }
}

impl Watch<'_> {
    /// Tells whoever watches, and the server now and then.
    pub async fn tell(&self, have: u64, want: u64) {
        let file = &self.signed.manifest.package.file;
        if let Some(listener) = &self.agent.listener {
            listener(file, have, want);
        }
        let part = have.saturating_mul(TELLINGS) / want.max(1);
        if TOLD_FROM_BYTES <= want && have < want && self.told.fetch_max(part, Ordering::Relaxed) < part {
            self.agent.tell_download(&self.order.action, file, have, want).await;
        }
    }
}

impl Agent {
    /// Calls `listener` with every piece of a download.
    pub fn told_to(mut self, listener: Listener) -> Agent {
        self.listener = Some(listener);
        self
    }

    /// Says how far a download is; a deaf server does not hold it up for longer than one call.
    async fn tell_download(&self, action: &str, file: &str, have: u64, want: u64) {
        let (have_mib, want_mib) = (have >> 20, want.div_ceil(1 << 20));
        let details = vec![format!("{file}: {have_mib} of {want_mib} MiB are here")];
        let mut feedback = self.feedback(Execution::Download, Finished::None, details);
        let count = |mib: u64| u32::try_from(mib).unwrap_or(u32::MAX);
        feedback.status.result.progress = Some(Progress { cnt: count(have_mib), of: count(want_mib) });
        let Ok(ddi) = self.ddi() else { return };
        if let Err(error) = ddi.feedback(action, &feedback).await {
            tracing::info!(%error, "progress not delivered");
        }
    }
}
