//! What goes together only because one requires the other goes apart where that saves a deadline: what is required in its
//! own slot, the other behind it.

use super::because::Because;
use super::draft::{Draft, Verdict};
use super::{Facts, trade};
use std::cmp::Reverse;

/// Settles again with a pair apart that found no room in time together, where nothing is the worse for it. `settle`
/// drafts, joins and makes room, keeping these products out of the slots of what they require.
pub(super) fn pairs<'a>(
    facts: &Facts<'a>,
    mut drafts: Vec<Draft<'a>>,
    settle: impl Fn(&[&'a String]) -> Vec<Draft<'a>>,
) -> Vec<Draft<'a>> {
    let mut apart: Vec<&'a String> = Vec::new();
    // Each round parts one more.
    for _ in 0..drafts.len() {
        let crowded =
            drafts.iter().filter(|draft| !apart.contains(&draft.product) && is_crowded(facts, draft, &drafts));
        let better = crowded.map(|draft| draft.product).find_map(|product| {
            let with: Vec<&'a String> = apart.iter().copied().chain([product]).collect();
            let settled = settle(&with);
            is_better(facts, &drafts, &settled).then_some((with, settled))
        });
        let Some((with, settled)) = better else { break };
        (apart, drafts) = (with, settled);
    }
    drafts
}

/// Whether it goes, or was to go, with something it requires, and one of them does not go in time.
fn is_crowded<'a>(facts: &Facts<'a>, draft: &Draft<'a>, drafts: &[Draft<'a>]) -> bool {
    let Some(release) = draft.release else { return false };
    let in_time = |draft: &Draft| matches!(draft.verdict, Verdict::Planned(_));
    let together = |other: &Draft<'a>| {
        let said =
            |b: &Because| matches!(b, Because::Together(with, _) if other.release.is_some_and(|r| r.id() == with.id()));
        draft.reasons.iter().any(said)
    };
    release.manifest().requires.iter().any(|needed| {
        let there = facts.state.inventory.get(&needed.product).is_some_and(|v| *v >= needed.at_least);
        let mut partners = drafts.iter().filter(|other| *other.product == needed.product);
        !there && partners.any(|other| together(other) && !(in_time(draft) && in_time(other)))
    })
}

/// Whether more goes in time, goes less late, or goes at all, and nothing is the worse for it.
fn is_better(facts: &Facts, was: &[Draft], settled: &[Draft]) -> bool {
    let rank = |draft: &Draft| match &draft.verdict {
        Verdict::Planned(_) => (2, None),
        Verdict::Late(placed) => (1, Some(Reverse(placed.slot.end))),
        _ => (0, None),
    };
    let best = |drafts: &[Draft], product: &str| drafts.iter().filter(|d| d.product == product).map(rank).max();
    let both = || was.iter().map(|d| (best(was, d.product), best(settled, d.product)));
    both().all(|(was, is)| is >= was)
        && both().any(|(was, is)| is > was)
        && trade::is_no_worse(&trade::met(facts, was), &trade::met(facts, settled))
}
