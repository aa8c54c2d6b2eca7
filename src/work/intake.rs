//! The fetching job: follow every publisher's feed, verify it, keep its releases.
//!
//! Metadata, manifests, releases and events of one refresh are one transaction. A feed that is refused is an event and
//! an alert once, not at every try, and one that cannot be reached only when it lasts; what was verified before stays in
//! force. A release whose package cannot be mirrored yet is left out and tried again.

mod health;
mod judge;

use super::Orchestrator;
use crate::decide::feed_health::Fetched;
use crate::edge::config::Publisher;
use crate::edge::feed::{self, FeedError, Listed};
use crate::edge::packages::Digests;
use crate::edge::store::{Changes, FeedFile, Row, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::manifest::SignedManifest;
use crate::model::release::{Release, ReleaseId};
use crate::model::version::{Change, Scheme};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt, stream};
use judge::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most feeds fetched at the same time.
const FEEDS_AT_ONCE: usize = 4;

/// Longest that one try at a package may take; what has arrived by then serves the next one.
const PACKAGE_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub feeds: usize,
    /// Feeds that could not be used at all: refused or not to be had.
    pub refused: usize,
    pub released: usize,
    pub retracted: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refreshes every feed once, several at a time. One feed's trouble does not stop the others, nor does its slowness.
///
/// Only the network is shared out: what was fetched is judged and written feed by feed, so that two publishers cannot
/// both become the first with one product.
pub async fn run(o: &Orchestrator) -> Result<Report, IntakeError> {
    let mut report = Report::default();
    if let Err(error) = o.packages.sweep(o.clock.now()) {
        tracing::warn!(%error, "incomplete downloads could not be removed");
    }
    // Boxed, because the compiler cannot tell that the bare futures may move between threads.
    let fetches: Vec<_> =
        o.publishers.iter().map(|publisher| async move { (publisher, fetch(o, publisher).await) }.boxed()).collect();
    let mut fetched = stream::iter(fetches).buffer_unordered(FEEDS_AT_ONCE);
    while let Some((publisher, fetched)) = fetched.next().await {
        report.feeds += 1;
        let outcome = match fetched {
            Ok(found) => take(o, publisher, found, &mut report).await,
            Err(error) => {
                report.refused += 1;
                refuse(o, publisher, error).await
            }
        };
        match outcome {
            // Another replica took the same news; the next activation finds nothing left to do.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("cannot read the pinned root: {0}")]
    Root(std::io::Error),
    #[error(transparent)]
    Feed(#[from] feed::Failed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one feed brought over the network.
struct Found {
    refreshed: feed::Refreshed,
    /// What became of the packages of releases that looked new.
    packages: BTreeMap<ReleaseId, Result<Digests, Missing>>,
}

/// Why a package is not here.
enum Missing {
    /// It may be at the next refresh.
    Yet(String),
    /// Somebody has to look.
    Refused(String),
}

async fn fetch(o: &Orchestrator, publisher: &Publisher) -> Result<Found, FetchError> {
    let root = tokio::fs::read(&publisher.root).await.map_err(FetchError::Root)?;
    let mirrored = o.store.feed_files(&publisher.name, "").await?;
    let source = feed::Source { publisher: &publisher.name, url: &publisher.url, root: &root };
    let mut refreshed = feed::refresh(&o.http, &source, mirrored, o.clock.now()).await?;
    refreshed.releases.sort_by_key(|listed| listed.get().signed.published_at);
    let known = signed(&o.store.releases().await?);
    let listed: Vec<&SignedManifest> = refreshed.releases.iter().map(|listed| &listed.get().signed).collect();
    let mut packages = BTreeMap::new();
    for (listed, verdict) in refreshed.releases.iter().zip(judge::judge(&listed, &known, o.clock.now())) {
        if verdict == Verdict::New {
            packages.insert(judge::id(&listed.get().signed), mirror(o, publisher, listed.get()).await);
        }
    }
    Ok(Found { refreshed, packages })
}

/// Fetches a package; only then may its release become one.
async fn mirror(o: &Orchestrator, publisher: &Publisher, listed: &Listed) -> Result<Digests, Missing> {
    let url = format!("{}/targets/{}", publisher.url.trim_end_matches('/'), listed.package_file);
    let download = o.packages.mirror(&o.http, &url, listed.signed.size, &listed.signed.sha256);
    match tokio::time::timeout(PACKAGE_TIMEOUT, download).await {
        Ok(Ok(digests)) => Ok(digests),
        Ok(Err(error)) if error.is_passing() => Err(Missing::Yet(error.to_string())),
        Ok(Err(error)) => Err(Missing::Refused(error.to_string())),
        Err(_) => Err(Missing::Yet(format!("{url} was not there after {} hours", PACKAGE_TIMEOUT.as_secs() / 3600))),
    }
}

/// Keeps what a refresh brought, judged against what is known now.
async fn take(o: &Orchestrator, publisher: &Publisher, found: Found, report: &mut Report) -> Result<(), StoreError> {
    let now = o.clock.now();
    let known: BTreeMap<ReleaseId, Stored<Release>> =
        o.store.releases().await?.into_iter().map(|r| (r.id(), r)).collect();
    let (mut refused, mut missing) = (Vec::new(), Vec::new());
    for (name, error) in found.refreshed.unusable {
        match error {
            FeedError::Refused(why) => refused.push(format!("{name}: {why}")),
            FeedError::Unreachable(why) => missing.push(format!("{name}: {why}")),
        }
    }
    let listed: Vec<Listed> = found.refreshed.releases.into_iter().map(feed::Verified::into_inner).collect();
    let mut taken: Vec<SignedManifest> = known.values().map(|release| release.signed.clone()).collect();
    let verdicts = judge::judge(&listed.iter().map(|listed| &listed.signed).collect::<Vec<_>>(), &taken, now);
    let mut packages = found.packages;
    let mut changes = Changes::default();
    for (listed, verdict) in listed.into_iter().zip(verdicts) {
        let id = judge::id(&listed.signed);
        match verdict {
            Verdict::Refused(why) => refused.push(format!("{id}: {why}")),
            Verdict::Known => {
                if let Some(release) = known.get(&id).filter(|r| r.retracted.is_none() && listed.retracted.is_some()) {
                    retract(release, &listed, now, &mut changes);
                    report.retracted += 1;
                }
            }
            Verdict::New => match packages.remove(&id) {
                Some(Ok(digests)) => {
                    let release = release(listed, digests, now);
                    let contradiction = judge::contradiction(&release.signed, taken.iter());
                    changes.events.push(published(&release, contradiction, now));
                    taken.push(release.signed.clone());
                    changes.rows.push(Row::Release(Stored::new(release)));
                    report.released += 1;
                }
                Some(Err(Missing::Refused(why))) => refused.push(format!("{id}: {why}")),
                Some(Err(Missing::Yet(why))) => missing.push(format!("{id}: {why}")),
                // It did not look new when its feed was fetched; the next refresh brings it.
                None => tracing::debug!(release = %id, "its package was not fetched this time"),
            },
        }
    }
    changes.rows.extend(found.refreshed.files.into_iter().map(Row::FeedFile));
    let told = |troubles: Vec<String>| (!troubles.is_empty()).then(|| troubles.join("; "));
    let read = Fetched::Read { refused: told(refused), missing: told(missing) };
    health::settle(o, &publisher.name, read, Some(&found.refreshed.expires), &mut changes).await?;
    o.store.commit(changes).await
}

fn signed(releases: &[Stored<Release>]) -> Vec<SignedManifest> {
    releases.iter().map(|release| release.signed.clone()).collect()
}

fn release(listed: Listed, digests: Digests, now: DateTime<Utc>) -> Release {
    let Digests { sha1, md5 } = digests;
    Release { signed: listed.signed, seen_at: now, retracted: listed.retracted, sha1, md5 }
}

/// The history's line about a release that was taken in.
pub fn published(release: &Release, contradiction: Option<Change>, now: DateTime<Utc>) -> NewEvent {
    let name = |change| match change {
        Change::Minor => "minor",
        Change::Major => "major",
    };
    let change = name(release.manifest().change);
    let manual = if release.manifest().is_manual() { ", manual" } else { "" };
    let scheme = match release.manifest().scheme {
        Scheme::Dotted => "",
        Scheme::Year => ", numbered by year",
    };
    let withdrawn = if release.retracted.is_some() { ", already withdrawn" } else { "" };
    let doubt = contradiction
        .map(|said| format!("; its number says {}, so it is treated as major", name(said)))
        .unwrap_or_default();
    let at = release.published_at().format("%Y-%m-%dT%H:%M:%SZ");
    let (id, publisher) = (release.id(), &release.signed.publisher);
    let text = format!("{id} published by {publisher} on {at} ({change}{manual}{scheme}{withdrawn}){doubt}");
    NewEvent::new(now, PROVIDER, EventKind::ReleasePublished, text).product(release.product())
}

fn retract(known: &Stored<Release>, listed: &Listed, now: DateTime<Utc>, changes: &mut Changes) {
    let reason = listed.retracted.as_ref().map_or("", |r| r.reason.as_str());
    let at = listed.retracted.as_ref().map_or(now, |r| r.at).format("%Y-%m-%dT%H:%M:%SZ");
    let text = format!("{} withdrawn by {} on {at}: {reason}", known.id(), known.signed.publisher);
    changes.events.push(NewEvent::new(now, PROVIDER, EventKind::ReleaseRetracted, text).product(known.product()));
    let release = Release { retracted: listed.retracted.clone(), ..known.value.clone() };
    changes.rows.push(Row::Release(known.with(release)));
}

/// An address as an alert may show it, without what some hide in it.
fn shown(address: &str) -> String {
    let Ok(mut url) = address.parse::<url::Url>() else { return String::new() };
    // Neither can fail: an address of a feed has a host.
    let _ = (url.set_username(""), url.set_password(None));
    url.to_string()
}

/// A feed could not be used at all: what was verified before stays in force, and newer roots count.
async fn refuse(o: &Orchestrator, publisher: &Publisher, error: FetchError) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    let why = error.to_string();
    let refused = |why| Fetched::Read { refused: Some(why), missing: None };
    let fetched = match error {
        FetchError::Store(error) => return Err(error),
        FetchError::Root(_) => refused(why),
        FetchError::Feed(failed) => {
            changes.rows.extend(failed.roots.into_iter().map(|file: FeedFile| Row::FeedFile(file)));
            match failed.error {
                FeedError::Refused(_) => refused(why),
                FeedError::Unreachable(why) => Fetched::Nothing { why: format!("{}: {why}", shown(&publisher.url)) },
            }
        }
    };
    health::settle(o, &publisher.name, fetched, None, &mut changes).await?;
    o.store.commit(changes).await
}
