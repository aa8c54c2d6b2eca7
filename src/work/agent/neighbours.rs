//! Takes packages from the other servers of the site before the line is asked for them, and gives them what this one has.
//!
//! What a neighbour gives is proven like anything else, before it is staged; what it does not give, or not in time, is
//! fetched as if there were no neighbours. While one of them fetches a package the others wait for it, for as long as it
//! gets on. The site's own network is not the line: its share of that (`[line]`) does not count here.

use super::perform::{Trouble, fail};
use super::staging::{forget_partial, prove_whole};
use super::watch::Watch;
use super::{Agent, AgentError, changed};
use crate::edge::agent_file::AgentConfig;
use crate::edge::download::{DownloadError, Watcher};
use crate::edge::host::archive::Limits;
use crate::edge::host::disk;
use crate::edge::neighbours::ask::{Advice, Neighbours, advise, time_max};
use crate::edge::neighbours::serve::Server;
use crate::edge::neighbours::shelf::{Claim, Shelf};
use crate::edge::neighbours::{Form, SiteSecret, Stage};
use crate::model::manifest::SignedManifest;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Answers without any progress after which a neighbour is not waited for any more; each takes ten seconds.
const STANDSTILLS_MAX: u32 = 6;
/// Most rounds of asking; each ends with one neighbour less or with news.
const ROUNDS_MAX: usize = 100;
/// What an entry of a package that was put together takes beside its bytes: two headers with its name.
const ENTRY_BYTES_MAX: u64 = 4096;

/// The site that this server shares downloads with.
pub(super) struct Site {
    neighbours: Neighbours,
    shelf: Shelf,
    /// `None` where this server gives nothing.
    server: Option<Server>,
}

/// What became of asking the neighbours.
pub(super) enum Taken {
    Done,
    /// Why one of them was of no use, where that is worth a word.
    Nothing(Option<String>),
}

impl Site {
    /// Opens the shelf and listens, as `agent.toml` says.
    pub async fn open(config: &AgentConfig) -> Result<Option<Site>, AgentError> {
        let Some(site) = &config.neighbours else { return Ok(None) };
        let secret = SiteSecret::read(&site.secret_file)?;
        let dir = config.state_dir.join("shared");
        let state = |source| AgentError::State { path: dir.clone(), source };
        let shelf = Shelf::open(dir.clone(), site.keep_days, site.mib_max).map_err(state)?;
        let neighbours = Neighbours::new(secret.clone(), site.listen, &site.peers).map_err(DownloadError::Http)?;
        let server = match site.listen {
            Some(address) => match Server::start(address, shelf.clone(), secret).await {
                Ok(server) => Some(server),
                // Installing does not depend on it.
                Err(error) => {
                    tracing::error!(%address, %error, "cannot listen for the neighbours; they are given nothing");
                    None
                }
            },
            None => None,
        };
        Ok(Some(Site { neighbours, shelf, server }))
    }

    /// Tells the neighbours that a package is about to be here.
    pub fn claim(&self, signed: &SignedManifest) -> Claim {
        self.shelf.claim(&signed.sha256)
    }

    /// Tells them how far it is with what it fetches itself.
    pub fn is_at(&self, sha256: &str, have: u64) {
        self.shelf.set(sha256, Stage::Moving { have });
    }
}

/// Watches what comes from a neighbour: it is told and ends with its slot, and costs the line nothing.
struct Beside<'a>(&'a Watch<'a>);

#[async_trait]
impl Watcher for Beside<'_> {
    fn bytes_per_second_max(&self) -> Option<u64> {
        None
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn moved(&self, _: u64) {}

    async fn at(&self, have: u64, want: u64) {
        self.0.tell(have, want).await;
    }
}

impl Agent {
    /// Where this server listens for its neighbours, if it does.
    pub fn listens_at(&self) -> Option<SocketAddr> {
        Some(self.site.as_ref()?.server.as_ref()?.address)
    }

    /// Takes a package from a neighbour that has it, or has fetched it while this waited.
    pub(super) async fn take_from_neighbours(
        &self,
        site: &Site,
        signed: &SignedManifest,
        watch: &Watch<'_>,
    ) -> Result<Taken, Trouble> {
        let (mut useless, mut why) = (BTreeSet::new(), None);
        for _ in 0..ROUNDS_MAX {
            if watch.is_over() {
                break;
            }
            let mut answers = site.neighbours.ask(&signed.sha256).await;
            answers.retain(|(peer, _)| !useless.contains(peer));
            match advise(site.neighbours.own(), &answers) {
                Advice::Fetch => break,
                Advice::WaitFor(peer) => {
                    tracing::info!(%peer, package = signed.manifest.package.file, "a neighbour fetches it");
                    self.point("waiting for a neighbour")?;
                    if !gets_on(site, peer, signed, watch).await {
                        useless.insert(peer);
                    }
                }
                Advice::Take(having) => {
                    for (peer, form, bytes) in having {
                        match self.take_from(site, peer, (form, bytes), signed, watch).await {
                            Ok(()) => return Ok(Taken::Done),
                            Err(trouble) => {
                                tracing::warn!(%peer, trouble, "a neighbour was of no use");
                                why = Some(format!("the neighbour {peer} was of no use: {trouble}"));
                                useless.insert(peer);
                            }
                        }
                    }
                }
            }
        }
        Ok(Taken::Nothing(why))
    }

    /// Takes a package from one neighbour and proves it; why that did not work is for the history.
    async fn take_from(
        &self,
        site: &Site,
        peer: SocketAddr,
        (form, bytes): (Form, u64),
        signed: &SignedManifest,
        watch: &Watch<'_>,
    ) -> Result<(), String> {
        let limits = Limits::of(&signed.manifest.package);
        let is_possible = match form {
            Form::Whole => bytes == signed.size,
            Form::Files => {
                let most = limits.bytes.saturating_add((limits.entries + 1).saturating_mul(ENTRY_BYTES_MAX));
                signed.manifest.package.files_sha256.is_some() && bytes <= most
            }
        };
        if !is_possible {
            return Err(format!("it has {bytes} bytes, which this package cannot be"));
        }
        let staged = self.staged(signed);
        let came = staged.with_extension("neighbour");
        let free = disk::free_bytes(&came).map_err(|error| error.to_string())?;
        if free < bytes.saturating_add(self.config.disk.margin_mib << 20) {
            return Err("there is not enough disk for what it has".to_owned());
        }
        let source = site.neighbours.source(peer, &signed.sha256, form).ok_or("it has no address")?;
        // Nothing of an earlier try: who cut it is not known any more.
        let _ = std::fs::remove_file(&came);
        let watched = Beside(watch);
        let taken = tokio::time::timeout(time_max(bytes), source.whole(&came, bytes, &watched)).await;
        let taken = match taken {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it took longer than {} s", time_max(bytes).as_secs())),
        };
        let kept = match form {
            Form::Whole => staged.clone(),
            Form::Files => self.assembled(signed),
        };
        let (file, signed) = (came.clone(), signed.clone());
        let prove = move || {
            match form {
                Form::Whole => prove_whole(&file, &signed).map(drop),
                Form::Files => changed::prove(&file, &signed).map(drop),
            }?;
            // Parts of another try at it serve nobody any more.
            forget_partial(&staged);
            std::fs::rename(&file, &kept).map_err(|error| error.to_string())
        };
        let proven = match taken {
            Ok(()) => {
                tokio::task::spawn_blocking(prove).await.map_err(|error| error.to_string()).and_then(|proven| proven)
            }
            Err(why) => Err(why),
        };
        proven.inspect_err(|_| drop(std::fs::remove_file(&came)))
    }

    /// Keeps a package that was fetched, and is proven now, for the neighbours.
    pub(super) async fn give_to_neighbours(&self, site: &Site, signed: &SignedManifest) -> Result<(), Trouble> {
        if site.server.is_none() {
            return Ok(());
        }
        self.proven(signed).await?;
        let assembled = self.assembled(signed);
        let (form, file) = match assembled.exists() {
            true => (Form::Files, assembled),
            false => (Form::Whole, self.staged(signed)),
        };
        let (shelf, sha256, now) = (site.shelf.clone(), signed.sha256.clone(), self.clock.now());
        let put = tokio::task::spawn_blocking(move || shelf.put(&sha256, form, &file, now)).await.map_err(fail)?;
        if let Err(error) = put {
            tracing::warn!(%error, "a package is not kept for the neighbours");
        }
        Ok(())
    }
}

/// Waits until a neighbour has a package or gives it up; `false` when it is silent or makes no progress.
async fn gets_on(site: &Site, peer: SocketAddr, signed: &SignedManifest, watch: &Watch<'_>) -> bool {
    let (mut last, mut standstills) = (None, 0);
    while !watch.is_over() {
        let Some(status) = site.neighbours.news(peer, &signed.sha256).await else { return false };
        if status.has.is_some() || status.under_way.is_none() {
            return true;
        }
        standstills = if status.under_way == last { standstills + 1 } else { 0 };
        if standstills == STANDSTILLS_MAX {
            return false;
        }
        last = status.under_way;
    }
    true
}
