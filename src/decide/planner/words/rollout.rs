//! Rings, failures, holds and what others take, in words.

use super::super::because::{RingStand, Tally};
use super::{Said, Teller};
use crate::decide::rollout::Halt;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::hold::{Hold, HoldOn};
use crate::model::release::Release;
use crate::model::slot::Slot;

impl Teller<'_, '_> {
    pub(super) fn ring(&self, stand: RingStand) -> Said {
        match stand {
            RingStand::Canary => ("canary server: first night".into(), "serveur pilote : première nuit".into()),
            RingStand::NoCanaries => (
                "no canary server runs it: first night".into(),
                "aucun serveur pilote ne l'utilise : première nuit".into(),
            ),
            RingStand::Settled(n) => (
                format!("it settled well on {n} canary server{}", s(n)),
                format!("elle fonctionne sur {n} serveur{0} pilote{0}", s(n)),
            ),
            RingStand::Waits => (
                "canary servers go first: deadline night".into(),
                "les serveurs pilotes passent d'abord : nuit de l'échéance".into(),
            ),
        }
    }

    pub(super) fn canary_failed(&self, release: &Release, failed: u32) -> Said {
        let it = release.id();
        (
            format!(
                "{it} failed on {failed} canary server{}; it waits until staff or its publisher settle it",
                s(failed)
            ),
            format!("{it} a échoué sur {failed} serveur{0} pilote{0} ; elle attend une décision", s(failed)),
        )
    }

    pub(super) fn halted(&self, release: &Release, halt: Halt, tally: Tally) -> Said {
        let (it, terms) = (release.id(), &self.facts.terms.schedule.rollout);
        let Tally { failed, tried } = tally;
        let (budget, limite) = match halt {
            Halt::Failures => (format!("{} failures", terms.failures_max), format!("{} échecs", terms.failures_max)),
            Halt::Share => (
                format!("{} % of those tried", terms.failures_percent),
                format!("{} % des essais", terms.failures_percent),
            ),
        };
        (
            format!("{it} halted: it failed on {failed} of {tried} servers, the budget is {budget}"),
            format!("{it} est suspendue : échec sur {failed} serveurs sur {tried}, la limite est de {limite}"),
        )
    }

    pub(super) fn failed_before(&self, failed: &Deployment) -> Said {
        let why = match &failed.state {
            DeploymentState::RolledBack { why, .. }
            | DeploymentState::Refused { why, .. }
            | DeploymentState::Failed { why, .. } => why.as_str(),
            DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Installed { .. }
            | DeploymentState::Cancelled { .. } => "",
        };
        let when = failed.state.finished_at().unwrap_or(self.facts.now);
        (
            format!("attempt {} failed {}: {why}", failed.attempt, self.at(when)),
            format!("la tentative {} a échoué le {} : {why}", failed.attempt, self.le(when)),
        )
    }

    pub(super) fn staff_take_over(&self, release: &Release) -> Said {
        let (most, it) = (self.facts.terms.schedule.retry.attempts_max, release.id());
        match most {
            1 => (
                format!("the one attempt of {it} is used up: staff take over"),
                format!("l'unique tentative de {it} est épuisée : l'équipe prend le relais"),
            ),
            most => (
                format!("{most} attempts of {it} are used up: staff take over"),
                format!("les {most} tentatives de {it} sont épuisées : l'équipe prend le relais"),
            ),
        }
    }

    pub(super) fn held_by(&self, hold: &Hold) -> Said {
        (
            format!("{} put {} on hold on {}: {}", hold.by, hold.on, self.at(hold.at), hold.reason),
            format!("{} a bloqué {} le {} : {}", hold.by, cible(&hold.on), self.le(hold.at), hold.reason),
        )
    }

    pub(super) fn held_until(&self, hold: &Hold) -> Said {
        let until = hold.until.unwrap_or(self.facts.now);
        (
            format!("{} put {} on hold until {}: {}", hold.by, hold.on, self.at(until), hold.reason),
            format!("{} a bloqué {} jusqu'au {} : {}", hold.by, cible(&hold.on), self.le(until), hold.reason),
        )
    }

    pub(super) fn line_busy(&self, slot: &Slot) -> Said {
        let most = self.facts.terms.schedule.rollout.line_installs_max;
        (
            format!("the client's other servers fill {}: at most {most} at once on its line", self.span(slot)),
            format!(
                "les autres serveurs du client occupent le créneau {} : {most} au plus à la fois",
                self.entre(slot)
            ),
        )
    }

    pub(super) fn staff_busy(&self, slot: &Slot) -> Said {
        let most = self.facts.terms.schedule.staff.installs_max;
        (
            format!("staff already attend {most} update{} in {}", s(most), self.span(slot)),
            format!("l'équipe suit déjà {most} mise{} à jour sur le créneau {}", s(most), self.entre(slot)),
        )
    }
}

/// What a noun ends with when there are so many of it, in both languages.
fn s(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What is held, in French.
fn cible(on: &HoldOn) -> String {
    match on {
        HoldOn::Server { server, .. } => format!("le serveur {server}"),
        HoldOn::Client { client } => format!("le client {client}"),
        HoldOn::Release { product, version } => format!("la version {product} {version}"),
    }
}
