//! The fetching job: follow every publisher's feed, verify it, keep its releases.
//!
//! Metadata, manifests, releases and events of one refresh are one transaction. A feed that is refused is an event and
//! an alert once, not at every try; what was verified before stays in force. A release whose package cannot be
//! mirrored yet is left out and tried again.

mod judge;

use super::{Orchestrator, alerts};
use crate::edge::config::Publisher;
use crate::edge::feed::{self, Listed};
use crate::edge::packages::PackageError;
use crate::edge::store::{Changes, Feed, FeedFile, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::manifest::SignedManifest;
use crate::model::release::{Release, ReleaseId};
use crate::model::version::Change;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest one package may take to download; it is tried again from its start.
const PACKAGE_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

/// What one activation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub feeds: usize,
    pub refused: usize,
    pub released: usize,
    pub retracted: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refreshes every feed once. One feed's trouble does not stop the others.
pub async fn run(o: &Orchestrator) -> Result<Report, IntakeError> {
    let mut report = Report::default();
    if let Err(error) = o.packages.sweep(o.clock.now()) {
        tracing::warn!(%error, "incomplete downloads could not be removed");
    }
    for publisher in &o.publishers {
        report.feeds += 1;
        let outcome = match refresh(o, publisher).await {
            Ok(refreshed) => take(o, publisher, refreshed, &mut report).await,
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
enum RefreshError {
    #[error("cannot read the pinned root: {0}")]
    Root(std::io::Error),
    #[error(transparent)]
    Feed(#[from] feed::Failed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn refresh(o: &Orchestrator, publisher: &Publisher) -> Result<feed::Refreshed, RefreshError> {
    let root = tokio::fs::read(&publisher.root).await.map_err(RefreshError::Root)?;
    let known = o.store.feed_files(&publisher.name, "").await?;
    let source = feed::Source { publisher: &publisher.name, url: &publisher.url, root: &root };
    Ok(feed::refresh(&o.http, &source, known, o.clock.now()).await?)
}

/// Keeps what a refresh brought.
async fn take(
    o: &Orchestrator,
    publisher: &Publisher,
    refreshed: feed::Refreshed,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = o.clock.now();
    let known: BTreeMap<ReleaseId, Stored<Release>> =
        o.store.releases().await?.into_iter().map(|r| (r.id(), r)).collect();
    let mut changes = Changes::default();
    let mut troubles = refreshed.unusable;
    let mut listed: Vec<Listed> = refreshed.releases.into_iter().map(feed::Verified::into_inner).collect();
    listed.sort_by_key(|l| l.signed.published_at);
    // What is known, and what this refresh adds to it.
    let mut taken: Vec<SignedManifest> = known.values().map(|r| r.signed.clone()).collect();
    let everything: Vec<&SignedManifest> =
        known.values().map(|r| &r.signed).chain(listed.iter().map(|l| &l.signed)).collect();
    let circular = judge::circular(&everything);
    for listed in &listed {
        let id = judge::id(&listed.signed);
        if let Some(why) = judge::objection(&listed.signed, taken.iter(), now) {
            troubles.push(format!("{id}: {why}"));
        } else if let Some(release) = known.get(&id) {
            if release.retracted.is_none() && listed.retracted.is_some() {
                retract(release, listed, now, &mut changes);
                report.retracted += 1;
            }
        } else if taken.contains(&listed.signed) {
            // Listed twice under two spellings of one version.
        } else if circular.contains(&id) {
            troubles.push(format!("{id}: what it requires requires it in turn, so it can never be installed"));
        } else {
            match mirror(o, publisher, listed).await {
                Ok(release) => {
                    let contradiction = judge::contradiction(&release.signed, taken.iter());
                    changes.events.push(published(&release, contradiction, now));
                    taken.push(release.signed.clone());
                    changes.rows.push(Row::Release(Stored::new(release)));
                    report.released += 1;
                }
                Err(why) => troubles.push(format!("{id}: {why}")),
            }
        }
    }
    changes.rows.extend(refreshed.files.into_iter().map(Row::FeedFile));
    settle(o, publisher, (!troubles.is_empty()).then(|| troubles.join("; ")), now, &mut changes).await?;
    o.store.commit(changes).await
}

/// Fetches the package; only then is the release one.
async fn mirror(o: &Orchestrator, publisher: &Publisher, listed: &Listed) -> Result<Release, String> {
    let url = format!("{}/targets/{}", publisher.url.trim_end_matches('/'), listed.package_file);
    let download = o.packages.mirror(&o.http, &url, listed.signed.size, &listed.signed.sha256);
    let digests = match tokio::time::timeout(PACKAGE_TIMEOUT, download).await {
        Ok(digests) => digests.map_err(|error: PackageError| error.to_string())?,
        Err(_) => return Err(format!("{url} was not there after {} hours", PACKAGE_TIMEOUT.as_secs() / 3600)),
    };
    Ok(Release {
        signed: listed.signed.clone(),
        seen_at: o.clock.now(),
        retracted: listed.retracted.clone(),
        sha1: digests.sha1,
        md5: digests.md5,
    })
}

fn published(release: &Release, contradiction: Option<Change>, now: DateTime<Utc>) -> NewEvent {
    let name = |change| match change {
        Change::Minor => "minor",
        Change::Major => "major",
    };
    let change = name(release.manifest().change);
    let manual = if release.manifest().is_manual() { ", manual" } else { "" };
    let withdrawn = if release.retracted.is_some() { ", already withdrawn" } else { "" };
    let doubt = contradiction
        .map(|said| format!("; its number says {}, so it is treated as major", name(said)))
        .unwrap_or_default();
    let text =
        format!("{} published by {} ({change}{manual}{withdrawn}){doubt}", release.id(), release.signed.publisher);
    NewEvent::new(now, PROVIDER, EventKind::ReleasePublished, text).product(release.product())
}

fn retract(known: &Stored<Release>, listed: &Listed, now: DateTime<Utc>, changes: &mut Changes) {
    let reason = listed.retracted.as_ref().map_or("", |r| r.reason.as_str());
    let text = format!("{} withdrawn by {}: {reason}", known.id(), known.signed.publisher);
    changes.events.push(NewEvent::new(now, PROVIDER, EventKind::ReleaseRetracted, text).product(known.product()));
    let release = Release { retracted: listed.retracted.clone(), ..known.value.clone() };
    changes.rows.push(Row::Release(known.with(release)));
}

/// A whole feed was refused: what was verified before stays, newer roots count, and staff hear of it once.
async fn refuse(o: &Orchestrator, publisher: &Publisher, error: RefreshError) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    let why = error.to_string();
    match error {
        RefreshError::Store(error) => return Err(error),
        RefreshError::Feed(failed) => {
            changes.rows.extend(failed.roots.into_iter().map(|file: FeedFile| Row::FeedFile(file)));
        }
        RefreshError::Root(_) => {}
    }
    settle(o, publisher, Some(why), o.clock.now(), &mut changes).await?;
    o.store.commit(changes).await
}

/// Writes how the feed is doing, when that changed, with its event and alert.
async fn settle(
    o: &Orchestrator,
    publisher: &Publisher,
    error: Option<String>,
    now: DateTime<Utc>,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let known = o.store.feed(&publisher.name).await?;
    let before = known.as_ref().and_then(|f| f.error.clone());
    if known.is_some() && before == error && changes.is_empty() {
        return Ok(());
    }
    let cause = format!("feed/{}", publisher.name);
    match (&before, &error) {
        (before, Some(why)) if before.as_ref() != Some(why) => {
            let text = format!("feed of {} refused: {why}", publisher.name);
            changes.events.push(NewEvent::new(now, PROVIDER, EventKind::FeedRefused, text.clone()));
            let alert = NewAlert {
                cause,
                class: AlertClass::Applications,
                client: None,
                server: None,
                product: None,
                deployment: None,
                title: format!("feed of {} refused", publisher.name),
                text,
            };
            alerts::raise(o, changes, alert).await?;
        }
        (Some(_), None) => {
            let text = format!("feed of {} is good again", publisher.name);
            changes.events.push(NewEvent::new(now, PROVIDER, EventKind::FeedRecovered, text));
            alerts::resolve_cause(o, changes, &cause, "the feed is good again").await?;
        }
        (None, None) | (_, Some(_)) => {}
    }
    let feed = Feed { publisher: publisher.name.clone(), fetched_at: Some(now), error };
    changes.rows.push(Row::Feed(known.map_or_else(|| Stored::new(feed.clone()), |k| k.with(feed.clone()))));
    Ok(())
}
