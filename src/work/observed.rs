//! How long releases took to install: learned once for whoever needs it, so that the planner and the hand-out cannot
//! disagree about what still fits into a slot.

use super::Orchestrator;
use crate::decide::durations::Durations;
use crate::edge::store::StoreError;
use crate::model::release::{Release, ReleaseId};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, PoisonError};

/// How far back attempts still say something about a release, in days.
pub(super) const HISTORY_DAYS: i64 = 180;
/// Observed installations of one release that its duration is learned from.
const OBSERVATIONS_MAX: u32 = 200;
/// How long a hand-out goes by what was learned before, in minutes: planning learns anew each time.
const FRESH_MINUTES: i64 = 5;

/// Learns from the installations of what was published lately among `releases`, and keeps it for hand-outs.
pub(super) async fn learn<'a>(
    o: &Orchestrator,
    releases: impl Iterator<Item = &'a Release>,
    now: DateTime<Utc>,
) -> Result<Durations, StoreError> {
    let since = now - TimeDelta::days(HISTORY_DAYS);
    let recent: Vec<ReleaseId> = releases.filter(|r| r.published_at() >= since).map(Release::id).collect();
    let times = o.store.install_times(&recent, OBSERVATIONS_MAX).await?;
    let durations = Durations::learn(times.iter().map(|t| (t.product.as_str(), &t.version, t.minutes)));
    *o.learned.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::new(durations.clone())));
    Ok(durations)
}

/// What was learned in the last minutes, else learned now.
pub(super) async fn recall(o: &Orchestrator, now: DateTime<Utc>) -> Result<Arc<Durations>, StoreError> {
    let known = o.learned.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let fresh = |at: DateTime<Utc>| at <= now && now < at + TimeDelta::minutes(FRESH_MINUTES);
    if let Some((_, durations)) = known.filter(|(at, _)| fresh(*at)) {
        return Ok(durations);
    }
    let releases = o.store.releases().await?;
    Ok(Arc::new(learn(o, releases.iter().map(|release| &release.value), now).await?))
}
