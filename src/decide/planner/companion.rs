//! A release that goes only together with one of another product that a newer one took the place of: the older of the
//! two goes first, where nothing else is the worse for it.

use super::Facts;
use super::because::Because;
use super::draft::{Draft, Placement, Verdict};
use super::group::Barred;
use super::minor;
use super::reach::outstanding;
use super::slots::Search;
use crate::decide::almanac::Work;
use crate::model::manifest::Companion;
use crate::model::release::Release;

/// What has to be left aside, and what is drafted then, for one release that waits for its companion to go in time.
/// `attempt` drafts and joins, leaving releases aside.
pub(super) fn older<'a>(
    facts: &Facts<'a>,
    drafts: &[Draft<'a>],
    barred: &[Barred<'a>],
    attempt: impl Fn(&[Barred<'a>]) -> Vec<Draft<'a>>,
) -> Option<(Vec<Barred<'a>>, Vec<Draft<'a>>)> {
    drafts.iter().find_map(|draft| {
        let (release, Because::CompanionMissing(companion)) = (draft.release?, *draft.reasons.last()?) else {
            return None;
        };
        let installed = facts.state.inventory.get(&companion.product)?;
        let offered = outstanding(facts, &companion.product, installed);
        offered.clone().find(|r| *r.version() == companion.version)?;
        let mut with = barred.to_vec();
        // Each try leaves one newer release aside.
        for _ in offered {
            let theirs = |drafts: &[Draft<'a>]| minor_of(drafts, companion).and_then(|d| d.release);
            let tried = (with.len() > barred.len()).then(|| attempt(&with));
            let newer = theirs(tried.as_deref().unwrap_or(drafts))?;
            match tried {
                Some(next) if *newer.version() == companion.version => {
                    return is_better(facts, drafts, &next, release, companion).then_some((with, next));
                }
                _ if *newer.version() < companion.version => return None,
                _ => with.push(Barred { release: newer, because: Because::CompanionFirst(release, newer) }),
            }
        }
        None
    })
}

/// The draft of the companion's product that goes by itself, in whichever version.
fn minor_of<'d, 'a>(drafts: &'d [Draft<'a>], companion: &Companion) -> Option<&'d Draft<'a>> {
    let goes = |d: &&Draft| d.verdict.plan().is_some_and(|placed| placed.request.is_none());
    drafts.iter().filter(|d| *d.product == companion.product).find(goes)
}

/// Whether `release` goes in time in `next`, and whatever was in time in `drafts` still is or follows in time.
fn is_better<'a>(
    facts: &Facts<'a>,
    drafts: &[Draft<'a>],
    next: &[Draft<'a>],
    release: &Release,
    companion: &Companion,
) -> bool {
    let ours =
        next.iter().find(|d| d.product == release.product() && d.release.is_some_and(|r| r.id() == release.id()));
    let (Some(ours), Some(was), Some(theirs)) = (ours, minor_of(drafts, companion), minor_of(next, companion)) else {
        return false;
    };
    let Verdict::Planned(placed) = &ours.verdict else { return false };
    meets_older(facts, release, placed)
        && follows_in_time(facts, was, theirs)
        && others_stay(drafts, next, [ours, theirs])
}

/// Whether the deadlines of the older releases that `release` takes the place of are met as well.
fn meets_older(facts: &Facts, release: &Release, placed: &Placement) -> bool {
    let Some(installed) = facts.state.inventory.get(release.product()) else { return false };
    let older = outstanding(facts, release.product(), installed).filter(|r| r.version() <= release.version());
    older.filter_map(|r| minor::deadline_to_come(facts, r)).all(|due| placed.slot.end <= due)
}

/// Whether each deadline that the newer companion met is met by the older, or by the newer in a night after it. Where
/// that cannot be, the earlier deadline counts, which is the older's.
fn follows_in_time(facts: &Facts, was: &Draft, now: &Draft) -> bool {
    let (Some(newer), Some(met), Some(older), Some(placed)) =
        (was.release, was.verdict.plan(), now.release, now.verdict.plan())
    else {
        return false;
    };
    let Some(installed) = facts.state.inventory.get(was.product) else { return false };
    let after = Search::new(facts, Work::Night, placed.slot.end, newer).first();
    let theirs = minor::deadline(facts, older);
    outstanding(facts, was.product, installed).filter(|r| r.version() <= newer.version()).all(|r| {
        let Some(due) = minor::deadline(facts, r).filter(|due| met.slot.end <= *due) else { return true };
        if r.version() <= older.version() {
            return placed.slot.end <= due;
        }
        after.is_some_and(|slot| slot.end <= due)
            || theirs.is_some_and(|theirs| placed.slot.end <= theirs && theirs < due)
    })
}

/// Whether all other products that were planned in time still are.
fn others_stay(drafts: &[Draft], next: &[Draft], but: [&Draft; 2]) -> bool {
    let planned = |d: &&Draft| matches!(d.verdict, Verdict::Planned(_));
    let others = drafts.iter().filter(|was| but.iter().all(|d| d.product != was.product)).filter(planned);
    others.into_iter().all(|was| next.iter().filter(planned).any(|now| now.product == was.product))
}
