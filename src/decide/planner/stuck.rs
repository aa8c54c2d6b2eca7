//! What cannot go whatever else is left aside: nothing on the way brings what it needs.

use super::because::Because;
use super::draft::Draft;
use super::{Facts, reach};
use crate::model::release::Release;
use crate::model::version::Version;

/// Whether a release needs another product in a version that is not there, and that neither a minor nor an accepted
/// request brings.
pub(super) fn is_stuck(facts: &Facts, drafts: &[Draft], release: &Release) -> bool {
    let manifest = release.manifest();
    let lacks =
        |product: &String, version: &Version| facts.state.inventory.get(product).is_none_or(|there| there < version);
    manifest.requires.iter().any(|needed| {
        let good = |version: &Version| *version >= needed.at_least;
        lacks(&needed.product, &needed.at_least) && !is_brought(facts, drafts, &needed.product, good)
    }) || manifest.installs_with.iter().any(|companion| {
        let good = |version: &Version| *version == companion.version;
        // Where its product is not installed, nothing has to come along.
        facts.state.inventory.contains_key(&companion.product)
            && lacks(&companion.product, &companion.version)
            && !is_brought(facts, drafts, &companion.product, good)
    })
}

fn is_brought(facts: &Facts, drafts: &[Draft], product: &str, good: impl Fn(&Version) -> bool) -> bool {
    let Some(installed) = facts.state.inventory.get(product) else { return false };
    let asked_for = |draft: &Draft| draft.reasons.iter().any(|said| matches!(said, Because::Requested(_)));
    let mut of = drafts.iter().filter(|draft| *draft.product == product);
    of.any(|draft| {
        draft.release.is_some_and(|r| good(r.version())) && (draft.verdict.intent().is_some() || asked_for(draft))
    }) || reach::look(facts, product, installed).outstanding.iter().any(|r| good(r.version()))
}
