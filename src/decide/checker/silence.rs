//! Decisions as such: each has reasons and is about this server, and "nothing to do" is true.

use super::Checker;
use super::finding::Findings;
use super::scene::Scene;
use crate::model::decision::{Decision, Outcome, Plan};
use crate::model::fleet::Ring;
use crate::model::manifest::Companion;
use crate::model::release::Release;
use crate::model::rule::Rule;
use crate::model::version::{Change, Version};

impl Checker {
    /// About this server, one for each product (a minor and a requested major may be two), each with whole reasons.
    pub(super) fn shape(&self, scene: &Scene, decisions: &[Decision], findings: &mut Findings) {
        for (at, decision) in decisions.iter().enumerate() {
            let product = &decision.product;
            if decision.client != scene.client.id || decision.server != scene.server.id {
                let text = format!("the decision is about {} of {}", decision.server, decision.client);
                findings.fatal(Rule::ServersOnly, product, text);
            }
            let mut earlier = decisions[..at].iter().filter(|earlier| earlier.product == *product);
            match (earlier.next(), earlier.next()) {
                (None, _) => {}
                (Some(one), None) => twice(scene, one, decision, findings),
                (Some(_), Some(_)) => {
                    findings.fatal(Rule::Prerequisites, product, "it is decided more than twice".to_owned());
                }
            }
            if decision.reasons.is_empty() || decision.reasons.iter().any(|r| r.text.is_empty() || r.fr.is_empty()) {
                let text = format!("{} without a reason in both languages", decision.outcome.name());
                findings.fatal(explained_by(&decision.outcome), product, text);
            }
        }
    }

    /// Nothing that could simply be installed is passed over, and what is said to run does.
    pub(super) fn silence(&self, scene: &Scene, decisions: &[Decision], findings: &mut Findings) {
        for decision in decisions {
            let product = &decision.product;
            let ordered = scene.client.order.contains(product);
            let runs = scene.running().any(|(deployment, _)| deployment.product == *product);
            match &decision.outcome {
                Outcome::OutOfScope if ordered => {
                    findings.fatal(Rule::OutOfScope, product, "the client's order names it".to_owned());
                }
                Outcome::UpToDate => self.nothing_newer(scene, product, findings),
                Outcome::Waiting => self.nothing_to_wait_for(scene, product, findings),
                Outcome::Running if !runs => {
                    findings.fatal(Rule::Prerequisites, product, "no installation of it is running".to_owned());
                }
                Outcome::Planned(_) | Outcome::Late(_) if runs => {
                    let text = "it is planned while an installation of it is running".to_owned();
                    findings.fatal(Rule::Prerequisites, product, text);
                }
                Outcome::OutOfScope
                | Outcome::Running
                | Outcome::Planned(_)
                | Outcome::Late(_)
                | Outcome::Held { .. } => {}
            }
        }
        for (product, installed) in &scene.state.inventory {
            if scene.client.order.contains(product)
                && !decisions.iter().any(|decision| decision.product == *product)
                && let Some(release) = self.simple(scene, product, installed)
            {
                let text = format!("{} could be installed, and nothing was decided", release.version());
                findings.fatal(rule_of(release), product, text);
            }
        }
    }

    fn nothing_newer(&self, scene: &Scene, product: &str, findings: &mut Findings) {
        let Some(installed) = scene.state.inventory.get(product) else { return };
        if let Some(release) = self.simple(scene, product, installed) {
            let text = format!("it runs {installed}, so it is not up to date: {} is out", release.version());
            findings.fatal(rule_of(release), product, text);
        } else if let Some(release) = newer(scene, product, installed).next() {
            let text = format!("it runs {installed} and is said to be up to date, though {} is out", release.version());
            findings.warn(rule_of(release), product, text);
        }
    }

    fn nothing_to_wait_for(&self, scene: &Scene, product: &str, findings: &mut Findings) {
        let Some(installed) = scene.state.inventory.get(product) else { return };
        let Some(release) = self.simple(scene, product, installed) else { return };
        let spread = (scene.spread)(release);
        if scene.server.ring == Ring::Canary || spread.canaries_settled >= spread.canaries {
            let text = format!("it waits, though {} could be installed", release.version());
            findings.warn(rule_of(release), product, text);
        }
    }

    /// The newest minor that nothing stands in the way of.
    fn simple<'a>(&self, scene: &Scene<'a>, product: &str, installed: &Version) -> Option<&'a Release> {
        newer(scene, product, installed).find(|release| {
            let manifest = release.manifest();
            let has = |companion: &Companion| {
                !scene.state.inventory.contains_key(&companion.product)
                    || scene.runs(&companion.product, &companion.version)
            };
            manifest.upgrade_from.as_ref().is_none_or(|oldest| oldest <= installed)
                && manifest.requires.iter().all(|needed| scene.runs(&needed.product, &needed.at_least))
                && manifest.installs_with.iter().all(has)
                && scene.failures(product, release.version()) < self.retry.attempts_max as usize
        })
    }
}

/// Minors above what is installed, published and not withdrawn, newest first.
fn newer<'a>(scene: &Scene<'a>, product: &str, installed: &Version) -> impl Iterator<Item = &'a Release> {
    let releases = scene.releases_of(product);
    let above = releases.partition_point(|release| release.version() <= installed);
    releases[above..].iter().rev().map(AsRef::as_ref).filter(move |release: &&Release| {
        release.published_at() <= scene.now
            && release.retracted.as_ref().is_none_or(|retraction| retraction.at > scene.now)
            && scene.change(release, Some(installed)) == Change::Minor
    })
}

fn rule_of(minor: &Release) -> Rule {
    if minor.manifest().is_manual() { Rule::ManualSlots } else { Rule::MinorNight }
}

/// Two decisions for one product are a minor on its way and the major that was asked for, and nothing else.
fn twice(scene: &Scene, one: &Decision, other: &Decision, findings: &mut Findings) {
    let product = &other.product;
    let change =
        |plan: &Plan| Some(scene.change(scene.release(product, &plan.version)?, scene.state.inventory.get(product)));
    let settled = |outcome: &Outcome| match outcome {
        Outcome::UpToDate | Outcome::OutOfScope | Outcome::Running => true,
        Outcome::Planned(_) | Outcome::Late(_) | Outcome::Held { .. } | Outcome::Waiting => false,
    };
    if settled(&one.outcome) || settled(&other.outcome) {
        let text = format!("it is both {} and {}", one.outcome.name(), other.outcome.name());
        return findings.fatal(Rule::Prerequisites, product, text);
    }
    // One of the two may wait while the other goes.
    let (Some(one), Some(other)) = (one.outcome.intent(), other.outcome.intent()) else { return };
    let (lower, upper) = if one.version <= other.version { (one, other) } else { (other, one) };
    if (change(lower), change(upper)) != (Some(Change::Minor), Some(Change::Major)) {
        let text = format!("{} and {} are both planned, and are not a minor and a major", lower.version, upper.version);
        findings.fatal(Rule::Prerequisites, product, text);
    } else if upper.slot.start < lower.slot.end {
        // Should the major fail, the minor is what is left to do: nothing is lost by planning it.
        let text = format!(
            "{} is planned no earlier than {}, after which it would be a downgrade",
            lower.version, upper.version
        );
        findings.warn(Rule::Prerequisites, product, text);
    }
}

/// The rule that a decision without a reason leaves unexplained.
fn explained_by(outcome: &Outcome) -> Rule {
    match outcome {
        Outcome::OutOfScope => Rule::OutOfScope,
        Outcome::Held { .. } => Rule::Hold,
        Outcome::Waiting => Rule::Prerequisites,
        Outcome::Planned(plan) | Outcome::Late(plan) if plan.request.is_some() => Rule::MajorOnRequest,
        Outcome::Planned(_) | Outcome::Late(_) | Outcome::UpToDate | Outcome::Running => Rule::MinorNight,
    }
}
