//! `backup-first`: near its slot, what is planned is held while no recent successful backup is known.
//!
//! It is laid over a plan that is made already: a backup that is missing comes by itself, or staff see to it, and then
//! everything goes where it was to go. So it moves nothing, and room is kept for what it holds.

use super::because::Because;
use super::draft::{Draft, Placement, Verdict};
use super::{Facts, room};
use crate::decide::almanac::Work;
use crate::decide::notice;
use crate::model::release::Release;
use chrono::{DateTime, TimeDelta, Utc};

/// Time before a slot from which a missing backup holds the installation, so that staff can still act.
pub const BACKUP_LEAD: TimeDelta = TimeDelta::hours(4);

/// Says of all that is planned which backup it needs, and holds what lacks it; with it what goes together with it, and
/// what is to follow it.
pub(super) fn hold<'a>(facts: &Facts<'a>, drafts: &mut [Draft<'a>]) {
    let lacking: Vec<usize> = drafts.iter().filter_map(|draft| lacks(facts, draft)).collect();
    for draft in drafts.iter_mut() {
        let Some(placed) = draft.verdict.plan() else { continue };
        let since = backup_since(facts, placed);
        if lacking.contains(&placed.leader) {
            draft.reasons.push(Because::BackupMissing(since));
            let verdict = std::mem::replace(&mut draft.verdict, Verdict::Waiting);
            draft.verdict = verdict.hold();
            continue;
        }
        let because = match has_backup_since(facts, since) {
            true => Because::BackupGood(since),
            false => Because::BackupNeeded(since),
        };
        // What settles a decision is said last: its slot.
        let settled = draft.reasons.iter().position(|said| said.settles(placed.slot)).unwrap_or(draft.reasons.len());
        draft.reasons.insert(settled, because);
    }
    if !lacking.is_empty() {
        room::keep_order(facts, drafts);
    }
}

/// The leader of the group that a draft holds for want of a backup.
fn lacks(facts: &Facts, draft: &Draft) -> Option<usize> {
    let (placed, release) = (draft.verdict.plan()?, draft.release?);
    let lacks = is_due(facts, release, placed) && !has_backup_since(facts, backup_since(facts, placed));
    lacks.then_some(placed.leader)
}

/// Whether a backup that is missing holds it: its slot is near, or it has cost the release a night already. That it
/// would have to be there for the night after next is no end of the trouble.
fn is_due(facts: &Facts, release: &Release, placed: &Placement) -> bool {
    let failed = || facts.state.backup.as_ref().is_none_or(|b| !b.succeeded);
    let has_had_a_night = || facts.almanac.night_began(release.published_at(), facts.now);
    is_near(facts, placed) || placed.work == Work::Night && failed() && has_had_a_night()
}

fn is_near(facts: &Facts, placed: &Placement) -> bool {
    facts.now >= placed.slot.start - BACKUP_LEAD
}

fn has_backup_since(facts: &Facts, since: DateTime<Utc>) -> bool {
    facts.state.backup.as_ref().is_some_and(|b| b.succeeded && b.finished_at >= since)
}

fn backup_since(facts: &Facts, placed: &Placement) -> DateTime<Utc> {
    let openings = facts.almanac.openings(placed.work, facts.now);
    match openings.binary_search_by(|o| o.slot.cmp(placed.slot)) {
        Ok(place) => openings[place].backup_since,
        // An agreed slot is none of the contract's.
        Err(_) => notice::backup_not_before(facts.terms, facts.calendar(), placed.slot.start),
    }
}
