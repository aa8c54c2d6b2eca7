//! Where something misses its deadline for what goes beside it, another release of that may not be in its way: an older one
//! that takes less room, or one that goes by itself. It goes instead where that meets more deadlines and misses none that
//! was met.

use super::because::Because;
use super::draft::{Draft, Verdict};
use super::group::Barred;
use super::minor::deadline_to_come;
use super::stuck::is_stuck;
use super::{Facts, reach};
use crate::model::release::Release;
use std::sync::Arc;

/// Settles again with a release aside that is in the way of another. `settle` drafts, joins and makes room, leaving
/// releases aside.
pub(super) fn others<'a>(
    facts: &Facts<'a>,
    mut drafts: Vec<Draft<'a>>,
    settle: impl Fn(&[Barred<'a>]) -> Vec<Draft<'a>>,
) -> Vec<Draft<'a>> {
    let mut barred: Vec<Barred<'a>> = Vec::new();
    // Each round leaves one more aside.
    while barred.len() < drafts.len() {
        let met = met(facts, &drafts);
        let crowded = drafts.iter().filter(|draft| is_crowded(facts, &drafts, draft));
        let better = crowded.flat_map(|crowded| drafts.iter().map(move |draft| (crowded, draft))).find_map(
            |(crowded, draft)| {
                let with: Vec<Barred<'a>> =
                    barred.iter().copied().chain([one_of_two(facts, draft, crowded)?]).collect();
                let settled = settle(&with);
                // The reason names who gains by it.
                let gains = !settled.iter().any(|d| d.product == crowded.product && is_crowded(facts, &settled, d));
                (gains && is_better(&met, &self::met(facts, &settled))).then_some((with, settled))
            },
        );
        let Some((with, settled)) = better else { break };
        (barred, drafts) = (with, settled);
    }
    drafts
}

/// Whether it misses a deadline that is still to come for what goes beside it, or for what another release would bring.
fn is_crowded(facts: &Facts, drafts: &[Draft], draft: &Draft) -> bool {
    let (Some(release), Some(installed)) = (draft.release, facts.state.inventory.get(draft.product)) else {
        return false;
    };
    let missing = |said: &Because| matches!(said, Because::RequirementMissing(_) | Because::CompanionMissing(_));
    let beside = |said: &Because| matches!(said, Because::SlotFull(_) | Because::Follows(..) | Because::Together(..));
    let crowded = match draft.verdict {
        Verdict::Waiting | Verdict::Held(None) => {
            draft.reasons.last().is_some_and(missing) && !is_stuck(facts, drafts, release)
        }
        Verdict::Late(_) | Verdict::Held(Some(_)) => draft.reasons.iter().any(beside),
        Verdict::UpToDate | Verdict::Planned(_) | Verdict::Running | Verdict::OutOfScope => false,
    };
    let end = draft.verdict.plan().map(|placed| placed.slot.end);
    let made_up_for = |r: &&Arc<Release>| r.version() <= release.version();
    let misses = |r: &Arc<Release>| deadline_to_come(facts, r).is_some_and(|due| end.is_none_or(|end| due < end));
    crowded && reach::outstanding(facts, draft.product, installed).filter(made_up_for).any(misses)
}

/// A minor that goes by itself while another of its product could.
fn one_of_two<'a>(facts: &Facts<'a>, draft: &Draft<'a>, crowded: &Draft<'a>) -> Option<Barred<'a>> {
    let (placed, release) = (draft.verdict.plan().filter(|placed| placed.request.is_none())?, draft.release?);
    let installed = facts.state.inventory.get(draft.product)?;
    reach::outstanding(facts, draft.product, installed).find(|r| r.version() != release.version())?;
    let because = match crowded.release {
        Some(other) if crowded.product != draft.product => Because::MakesWay(other, release),
        Some(_) | None => Because::SlotFull(placed.slot),
    };
    Some(Barred { release, because })
}

/// For each product in turn: whether each deadline to come is met, whether what was asked for goes, and whether anything
/// does where something goes by itself. What is done by hand has no deadline to miss.
pub(super) fn met(facts: &Facts, drafts: &[Draft]) -> Vec<bool> {
    let mut met = Vec::new();
    for (product, installed) in &facts.state.inventory {
        let placed = || drafts.iter().filter(|d| d.product == product).filter_map(|d| d.verdict.plan().zip(d.release));
        let mut by_hand = true;
        for older in reach::outstanding(facts, product, installed) {
            by_hand &= older.manifest().is_manual();
            let Some(due) = deadline_to_come(facts, older) else { continue };
            met.push(placed().any(|(plan, release)| release.version() >= older.version() && plan.slot.end <= due));
        }
        met.push(placed().any(|(plan, _)| plan.request.is_some()));
        met.push(by_hand || placed().next().is_some());
    }
    met
}

/// Whether nothing is missed that was met.
pub(super) fn is_no_worse(was: &[bool], is: &[bool]) -> bool {
    was.iter().zip(is).all(|(was, is)| is >= was)
}

/// The same, and more is met.
pub(super) fn is_better(was: &[bool], is: &[bool]) -> bool {
    is_no_worse(was, is) && was != is
}
