//! Releases that need each other, in words.

use super::{Said, Teller};
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::Release;
use crate::model::slot::Slot;

impl Teller<'_, '_> {
    pub(super) fn stepping_stone(&self, goal: &Release, first: &Release) -> Said {
        (
            format!("{} cannot go over the installed version; {} comes first", goal.id(), first.id()),
            format!("{} ne s'installe pas sur la version en place ; {} vient d'abord", goal.id(), first.id()),
        )
    }

    pub(super) fn no_path(&self, goal: &Release) -> Said {
        let installed = self.facts.state.inventory.get(goal.product()).map_or("", |v| v.as_str());
        let from = goal.manifest().upgrade_from.as_ref();
        let (oldest, ancienne) =
            from.map_or(("a later version", "une version plus récente"), |v| (v.as_str(), v.as_str()));
        let it = goal.id();
        (
            format!(
                "{it} installs over {oldest} or later, {installed} is there and no release leads from one to the other"
            ),
            format!(
                "{it} s'installe sur {ancienne} ou plus récent ; {installed} est en place et aucune version ne fait le lien"
            ),
        )
    }

    pub(super) fn requirement_met(&self, requirement: &Requirement) -> Said {
        let Requirement { product, at_least } = requirement;
        (
            format!("requires {product} {at_least}, which is there"),
            format!("nécessite {product} {at_least}, déjà en place"),
        )
    }

    pub(super) fn requirement_missing(&self, requirement: &Requirement) -> Said {
        let Requirement { product, at_least } = requirement;
        let there = self.facts.state.inventory.get(product);
        let (found, trouve) = there.map_or(("none", "aucune version"), |v| (v.as_str(), v.as_str()));
        (
            format!("requires {product} {at_least} or later ({found} is there) and nothing planned brings it"),
            format!(
                "nécessite {product} {at_least} ou plus récent ({trouve} en place) et rien de planifié ne l'apporte"
            ),
        )
    }

    pub(super) fn companion_first(&self, other: &Release, newer: &Release) -> Said {
        let (it, other, newer) = (self.it(), other.id(), newer.id());
        (
            format!("{other} goes only together with {it}, which therefore goes before {newer}"),
            format!("{other} ne s'installe qu'avec {it}, qui passe donc avant {newer}"),
        )
    }

    pub(super) fn makes_way(&self, other: &Release, aside: &Release) -> Said {
        let (it, other, aside) = (self.it(), other.id(), aside.id());
        (
            format!("{other} meets its deadline only if {it} goes rather than {aside}"),
            format!("{other} ne tient son échéance que si {it} passe à la place de {aside}"),
        )
    }

    pub(super) fn companion_missing(&self, companion: &Companion) -> Said {
        let (it, Companion { product, version }) = (self.it(), companion);
        (
            format!("{it} goes only together with {product} {version}, which cannot be planned"),
            format!("{it} ne s'installe qu'avec {product} {version}, qui ne peut être planifiée"),
        )
    }

    pub(super) fn companion_not_ordered(&self, companion: &Companion) -> Said {
        let (it, Companion { product, version }) = (self.it(), companion);
        (
            format!("{it} goes only together with {product} {version}, and the order does not name {product}"),
            format!("{it} ne s'installe qu'avec {product} {version}, et le bon de commande ne nomme pas {product}"),
        )
    }

    pub(super) fn stepping_major(&self, goal: &Release, first: &Release) -> Said {
        let (goal, first) = (goal.id(), first.id());
        (
            format!("{goal} needs {first} first, a major that has to be asked for as well"),
            format!("{goal} nécessite d'abord {first}, version majeure à demander elle aussi"),
        )
    }

    pub(super) fn partner_held(&self, partner: &Release) -> Said {
        let it = partner.id();
        (format!("goes together with {it}, which is held"), format!("s'installe avec {it}, qui est en attente"))
    }

    pub(super) fn follows(&self, partner: &Release, slot: &Slot) -> Said {
        let it = partner.id();
        (
            format!("after {it}, planned {}", self.at(slot.start)),
            format!("après {it}, prévue le {}", self.le(slot.start)),
        )
    }

    pub(super) fn together(&self, partner: &Release, slot: &Slot) -> Said {
        let it = partner.id();
        (
            format!("one group with {it}, in order, all or nothing, {}", self.span(slot)),
            format!("un seul lot avec {it}, dans l'ordre, tout ou rien, {}", self.entre(slot)),
        )
    }

    pub(super) fn group_does_not_fit(&self, partner: &Release) -> Said {
        let it = partner.id();
        (
            format!("no slot holds it and {it} together"),
            format!("aucun créneau ne suffit pour {it} et celle-ci à la fois"),
        )
    }
}
