//! Releases that need each other, in words.

use super::super::Facts;
use super::{at, entre, le, span};
use crate::model::decision::{Plan, Reason};
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::Release;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Version;

pub(in crate::decide::planner) fn stepping_stone(goal: &Release, first: &Release) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("{} cannot go over the installed version; {} comes first", goal.id(), first.id()),
        format!("{} ne s'installe pas sur la version en place ; {} vient d'abord", goal.id(), first.id()),
    )
}

pub(in crate::decide::planner) fn no_path(goal: &Release, installed: &Version) -> Reason {
    let oldest = goal.manifest().upgrade_from.as_ref().map_or("a later one", |v| v.as_str());
    Reason::new(
        Rule::Prerequisites,
        format!(
            "{} installs over {oldest} or later, {installed} is there and no release leads from one to the other",
            goal.id()
        ),
        format!(
            "{} s'installe sur {oldest} ou plus récent ; {installed} est en place et aucune version ne fait le lien",
            goal.id()
        ),
    )
}

pub(in crate::decide::planner) fn requirement_met(requirement: &Requirement) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("requires {} {}, which is there", requirement.product, requirement.at_least),
        format!("nécessite {} {}, déjà en place", requirement.product, requirement.at_least),
    )
}

pub(in crate::decide::planner) fn requirement_missing(facts: &Facts, requirement: &Requirement) -> Reason {
    let there = facts.state.inventory.get(&requirement.product).map_or("none", |v| v.as_str());
    Reason::new(
        Rule::Prerequisites,
        format!(
            "requires {} {} or later ({there} is there) and nothing planned brings it",
            requirement.product, requirement.at_least
        ),
        format!(
            "nécessite {} {} ou plus récent ({there} en place) et rien de planifié ne l'apporte",
            requirement.product, requirement.at_least
        ),
    )
}

pub(in crate::decide::planner) fn companion_missing(companion: &Companion) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("goes only together with {} {}, which cannot be planned", companion.product, companion.version),
        format!("ne s'installe qu'avec {} {}, qui ne peut être planifiée", companion.product, companion.version),
    )
}

pub(in crate::decide::planner) fn partner_held(partner: &str) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("goes together with {partner}, which is held"),
        format!("s'installe avec {partner}, qui est en attente"),
    )
}

pub(in crate::decide::planner) fn follows(facts: &Facts, partner: &str, theirs: &Plan) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("after {partner} {}, planned {}", theirs.version, at(facts, theirs.slot.start)),
        format!("après {partner} {}, prévue le {}", theirs.version, le(facts, theirs.slot.start)),
    )
}

pub(in crate::decide::planner) fn together(facts: &Facts, partner: &str, slot: Slot) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("one group with {partner}, in order, all or nothing, {}", span(facts, slot)),
        format!("un seul lot avec {partner}, dans l'ordre, tout ou rien, {}", entre(facts, slot)),
    )
}

pub(in crate::decide::planner) fn group_does_not_fit(partner: &str) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("no slot holds it and {partner} together"),
        format!("aucun créneau ne suffit pour {partner} et lui à la fois"),
    )
}
