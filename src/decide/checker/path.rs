//! From what the server runs to what is planned: retraction, direction, stepping stones, prerequisites, companions.

use super::Checker;
use super::finding::Findings;
use super::item::Item;
use super::scene::Scene;
use crate::model::rule::Rule;
use crate::model::version::Version;

impl Checker {
    pub(super) fn path(&self, scene: &Scene, item: &Item, items: &[Item], findings: &mut Findings) {
        if let Some(retraction) = item.release.retracted.as_ref().filter(|retraction| retraction.at <= scene.now) {
            let text = format!(
                "{} was withdrawn by its publisher on {}: {}",
                item.version,
                self.say(retraction.at),
                retraction.reason
            );
            findings.fatal(Rule::Retracted, item.product, text);
        }
        versions(item, findings);
        for requirement in &item.release.manifest().requires {
            if !scene.runs(&requirement.product, &requirement.at_least)
                && !comes_before(scene, item, items, &requirement.product, &requirement.at_least)
            {
                let text = format!(
                    "{} requires {} {}, which is neither installed nor planned before it",
                    item.version, requirement.product, requirement.at_least
                );
                findings.fatal(Rule::Prerequisites, item.product, text);
            }
        }
        for companion in &item.release.manifest().installs_with {
            // A server that does not run the companion has nothing to bring along.
            let concerned = scene.state.inventory.contains_key(&companion.product);
            let together = || {
                item.group(items).any(|other| other.product == companion.product && *other.version == companion.version)
            };
            if concerned && !scene.runs(&companion.product, &companion.version) && !together() {
                let text = format!(
                    "{} installs with {} {}, which is not in its group",
                    item.version, companion.product, companion.version
                );
                findings.fatal(Rule::Prerequisites, item.product, text);
            }
        }
    }
}

/// Never a downgrade, never the same version, and not over a version that is too old.
fn versions(item: &Item, findings: &mut Findings) {
    let Some(installed) = item.installed else {
        let text = format!("{} is planned, but the server is not known to run the product", item.version);
        return findings.warn(Rule::Prerequisites, item.product, text);
    };
    if item.version <= installed {
        let text = format!("the server runs {installed}, so {} would not be an update", item.version);
        findings.fatal(Rule::Prerequisites, item.product, text);
    }
    if let Some(oldest) = item.release.manifest().upgrade_from.as_ref().filter(|oldest| installed < *oldest) {
        let text = format!("{} installs over {oldest} or newer, and the server runs {installed}", item.version);
        findings.fatal(Rule::Prerequisites, item.product, text);
    }
}

/// Whether `product` reaches `at_least` before the item: running now, earlier in its group, or in a slot that is over.
fn comes_before(scene: &Scene, item: &Item, items: &[Item], product: &str, at_least: &Version) -> bool {
    scene.running().any(|(deployment, _)| deployment.product == product && deployment.to >= *at_least)
        || items.iter().any(|other| {
            other.product == product
                && other.version >= at_least
                && other.standing_covers(item)
                && (other.group == item.group && other.position < item.position || other.slot.end <= item.slot.start)
        })
}

impl Item<'_> {
    /// What goes must not rest on what is held.
    fn standing_covers(&self, other: &Item) -> bool {
        self.goes() || !other.goes()
    }
}
