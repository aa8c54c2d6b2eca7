//! The reasons in words: each names its rule, the facts used in site time, and what would change the answer.

use super::{Facts, Progress};
use crate::model::decision::{Plan, Reason};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{ClosedPeriod, Ring};
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::{Release, Retraction};
use crate::model::request::{Agreement, Request};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, Utc};

/// "Wed 29 Apr 22:00", site-local.
fn at(facts: &Facts, instant: DateTime<Utc>) -> String {
    facts.calendar.local(instant).format("%a %-d %b %H:%M").to_string()
}

/// "29/04 à 22:00", site-local.
fn le(facts: &Facts, instant: DateTime<Utc>) -> String {
    facts.calendar.local(instant).format("%d/%m à %H:%M").to_string()
}

fn span(facts: &Facts, slot: Slot) -> String {
    format!("{} to {}", at(facts, slot.start), at(facts, slot.end))
}

fn entre(facts: &Facts, slot: Slot) -> String {
    format!("du {} au {}", le(facts, slot.start), le(facts, slot.end))
}

pub(super) fn not_ordered(product: &str) -> Reason {
    Reason::new(
        Rule::OutOfScope,
        format!("{product} is installed but the client's order does not name it: it is never touched"),
        format!("{product} est installé mais ne figure pas au bon de commande : il n'est jamais modifié"),
    )
}

pub(super) fn running(facts: &Facts, deployment: &Deployment) -> Reason {
    let since = deployment.state.started_at().unwrap_or(facts.now);
    Reason::new(
        Rule::StandingAccess,
        format!("{} {} is being installed since {}", deployment.product, deployment.to, at(facts, since)),
        format!("{} {} est en cours d'installation depuis le {}", deployment.product, deployment.to, le(facts, since)),
    )
}

pub(super) fn retracted(facts: &Facts, release: &Release, retraction: &Retraction) -> Reason {
    Reason::new(
        Rule::Retracted,
        format!(
            "{} was withdrawn by its publisher on {}: {}",
            release.id(),
            at(facts, retraction.at),
            retraction.reason
        ),
        format!(
            "{} a été retirée par son éditeur le {} : {}",
            release.id(),
            le(facts, retraction.at),
            retraction.reason
        ),
    )
}

pub(super) fn up_to_date(product: &str, installed: &Version) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("{product} {installed} is the newest version that may be installed"),
        format!("{product} {installed} est la version installable la plus récente"),
    )
}

pub(super) fn stepping_stone(goal: &Release, first: &Release) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("{} cannot go over the installed version; {} comes first", goal.id(), first.id()),
        format!("{} ne s'installe pas sur la version en place ; {} vient d'abord", goal.id(), first.id()),
    )
}

pub(super) fn no_path(goal: &Release, installed: &Version) -> Reason {
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

pub(super) fn newer(facts: &Facts, release: &Release, installed: &Version) -> Reason {
    let when = release.published_at();
    Reason::new(
        Rule::StandingAccess,
        format!(
            "{} was published {}; {installed} is installed; a minor needs no approval",
            release.id(),
            at(facts, when)
        ),
        format!(
            "{} a été mise à disposition le {} ; {installed} est en place ; aucune autorisation n'est requise",
            release.id(),
            le(facts, when)
        ),
    )
}

pub(super) fn older_first(facts: &Facts, older: &Release, newest: &Release) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MinorNight,
        format!("{} keeps its own deadline, so it goes before {}", older.id(), newest.id()),
        format!("{} garde son échéance et passe donc avant {}", older.id(), newest.id()),
    )
}

pub(super) fn minor_deadline(facts: &Facts, release: &Release, deadline: DateTime<Utc>) -> Reason {
    let when = release.published_at();
    Reason::new(
        Rule::MinorNight,
        format!("published {}: to be installed by {}", at(facts, when), at(facts, deadline)),
        format!("mise à disposition le {} : à installer avant le {}", le(facts, when), le(facts, deadline)),
    )
}

pub(super) fn ring(facts: &Facts, release: &Release, progress: Progress) -> Reason {
    let (text, fr) = match facts.server.ring {
        Ring::Canary => ("canary server: first night".to_owned(), "serveur pilote : première nuit".to_owned()),
        Ring::Broad if !facts.canaries.contains(release.product()) => (
            "no canary server runs it: first night".to_owned(),
            "aucun serveur pilote ne l'utilise : première nuit".to_owned(),
        ),
        Ring::Broad if progress.installed > 0 => (
            format!("it settled well on {} canary server(s)", progress.installed),
            format!("elle fonctionne sur {} serveur(s) pilote(s)", progress.installed),
        ),
        Ring::Broad => (
            "canary servers go first: deadline night".to_owned(),
            "les serveurs pilotes passent d'abord : nuit de l'échéance".to_owned(),
        ),
    };
    Reason::new(Rule::Rollout, text, fr)
}

pub(super) fn canary_failed(release: &Release, failed: u32) -> Reason {
    Reason::new(
        Rule::Rollout,
        format!(
            "{} failed on {failed} canary server(s); it waits until staff or its publisher settle it",
            release.id()
        ),
        format!("{} a échoué sur {failed} serveur(s) pilote(s) ; elle attend une décision", release.id()),
    )
}

pub(super) fn planned(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MinorNight,
        format!("night slot {}, outside office hours (6.1.4)", span(facts, slot)),
        format!("créneau de nuit {}, hors horaires de bureau (6.1.4)", entre(facts, slot)),
    )
}

pub(super) fn late(facts: &Facts, slot: Slot, deadline: DateTime<Utc>) -> Reason {
    Reason::new(
        Rule::MinorNight,
        format!("no night is left before {}; the next one is {}: late", at(facts, deadline), span(facts, slot)),
        format!(
            "aucune nuit possible avant le {} ; la prochaine est {} : en retard",
            le(facts, deadline),
            entre(facts, slot)
        ),
    )
}

pub(super) fn manual(facts: &Facts, release: &Release) -> Reason {
    let hours = facts.terms.schedule.manual.announce_hours;
    Reason::new(
        Rule::ManualSlots,
        format!(
            "{} needs a technician: never unattended, in a maintenance slot (6.1.3), announced {hours} h before",
            release.id()
        ),
        format!(
            "{} demande l'intervention d'un technicien : créneau de maintenance (6.1.3), annoncé {hours} h avant",
            release.id()
        ),
    )
}

pub(super) fn maintenance_slot(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("maintenance slot {}", span(facts, slot)),
        format!("créneau de maintenance {}", entre(facts, slot)),
    )
}

pub(super) fn major_slot(facts: &Facts, slot: Slot, spare: Option<Slot>, release: &Release) -> Reason {
    let minutes = super::slots::need(release).num_minutes();
    let (text, fr) = match spare {
        Some(spare) => (
            format!(
                "{minutes} min fit in the maintenance slot {}; {} is left for a retry",
                span(facts, slot),
                span(facts, spare)
            ),
            format!(
                "{minutes} min tiennent dans le créneau {} ; {} reste en secours",
                entre(facts, slot),
                entre(facts, spare)
            ),
        ),
        None => (
            format!("{minutes} min fit in the maintenance slot {}; no other is left for a retry", span(facts, slot)),
            format!("{minutes} min tiennent dans le créneau {} ; aucun autre ne reste en secours", entre(facts, slot)),
        ),
    };
    Reason::new(Rule::MaintenanceSlots, text, fr)
}

pub(super) fn too_short(facts: &Facts, slot: Slot, release: &Release) -> Reason {
    let minutes = super::slots::need(release).num_minutes();
    let left = (slot.end - slot.start.max(facts.now)).num_minutes();
    Reason::new(
        Rule::MaintenanceSlots,
        format!("{} needs {minutes} min with rollback; {} leaves {left}", release.id(), span(facts, slot)),
        format!(
            "{} demande {minutes} min, retour arrière compris ; le créneau {} n'en laisse que {left}",
            release.id(),
            entre(facts, slot)
        ),
    )
}

pub(super) fn office_hours(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::OfficeHours,
        format!("{} would run into office hours", span(facts, slot)),
        format!("le créneau {} empiète sur les horaires de bureau", entre(facts, slot)),
    )
}

pub(super) fn closed(facts: &Facts, slot: Slot, closed: &ClosedPeriod) -> Reason {
    Reason::new(
        Rule::Hold,
        format!(
            "{} falls into the client's closed period {} to {} ({})",
            at(facts, slot.start),
            closed.from,
            closed.to,
            closed.reason
        ),
        format!(
            "le {} tombe dans la période fermée du {} au {} ({})",
            le(facts, slot.start),
            closed.from,
            closed.to,
            closed.reason
        ),
    )
}

pub(super) fn no_slot(facts: &Facts, window: &str) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MaintenanceSlots,
        format!("no slot of the window {window:?} fits in the coming weeks: staff decide"),
        format!("aucun créneau « {window} » ne convient dans les semaines à venir : décision à prendre"),
    )
}

pub(super) fn no_slot_before(facts: &Facts, before: NaiveDate) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MajorNotice,
        format!("no maintenance slot long enough ends by {before}"),
        format!("aucun créneau de maintenance assez long ne se termine avant le {}", before.format("%d/%m/%Y")),
    )
}

pub(super) fn slot_full(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("other updates of this server already fill {}", span(facts, slot)),
        format!("d'autres mises à jour de ce serveur remplissent déjà le créneau {}", entre(facts, slot)),
    )
}

pub(super) fn failed_before(facts: &Facts, failed: &Deployment) -> Reason {
    let why = match &failed.state {
        DeploymentState::RolledBack { why, .. } | DeploymentState::Failed { why, .. } => why.as_str(),
        DeploymentState::Planned
        | DeploymentState::Running { .. }
        | DeploymentState::Installed { .. }
        | DeploymentState::Cancelled { .. } => "",
    };
    let when = failed.state.finished_at().unwrap_or(facts.now);
    Reason::new(
        Rule::HealthAfter,
        format!("attempt {} failed {}: {why}", failed.attempt, at(facts, when)),
        format!("la tentative {} a échoué le {} : {why}", failed.attempt, le(facts, when)),
    )
}

pub(super) fn staff_take_over(facts: &Facts, release: &Release) -> Reason {
    let most = facts.terms.schedule.retry.attempts_max;
    Reason::new(
        Rule::Gti2h,
        format!("{most} attempt(s) of {} are used up: staff take over", release.id()),
        format!("les {most} tentative(s) de {} sont épuisées : l'équipe prend le relais", release.id()),
    )
}

pub(super) fn needs_request(facts: &Facts, release: &Release) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MajorOnRequest,
        format!("{} is a major version: it is installed on the client's express request", release.id()),
        format!("{} est une version majeure : elle est installée à la demande expresse du client", release.id()),
    )
}

pub(super) fn requested(facts: &Facts, request: &Request) -> Reason {
    Reason::new(
        Rule::MajorOnRequest,
        format!(
            "request {} received {}: {} {} by {}",
            request.id,
            at(facts, request.received_at),
            request.product,
            request.version,
            request.before
        ),
        format!(
            "demande {} reçue le {} : {} {} avant le {}",
            request.id,
            le(facts, request.received_at),
            request.product,
            request.version,
            request.before.format("%d/%m/%Y")
        ),
    )
}

pub(super) fn requested_is_gone(request: &Request) -> Reason {
    Reason::new(
        Rule::Retracted,
        format!("request {} asks for {} {}, which is no longer offered", request.id, request.product, request.version),
        format!("la demande {} porte sur {} {}, qui n'est plus proposée", request.id, request.product, request.version),
    )
}

pub(super) fn agreed(facts: &Facts, agreement: &Agreement) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("the client's contact agreed to {} on {}", span(facts, agreement.slot), at(facts, agreement.at)),
        format!("l'interlocuteur a accepté le créneau {} le {}", entre(facts, agreement.slot), le(facts, agreement.at)),
    )
}

pub(super) fn backup_good(facts: &Facts, not_before: DateTime<Utc>) -> Reason {
    let done = facts.state.backup.as_ref().map_or(facts.now, |b| b.finished_at);
    Reason::new(
        Rule::BackupFirst,
        format!("last backup succeeded {}; needed since {}", at(facts, done), at(facts, not_before)),
        format!("dernière sauvegarde réussie le {} ; requise depuis le {}", le(facts, done), le(facts, not_before)),
    )
}

pub(super) fn backup_missing(facts: &Facts, not_before: DateTime<Utc>, near: bool) -> Reason {
    let (found, trouve) = match &facts.state.backup {
        None => ("no backup is known".to_owned(), "aucune sauvegarde connue".to_owned()),
        Some(b) if !b.succeeded => (
            format!("the backup of {} failed", at(facts, b.finished_at)),
            format!("la sauvegarde du {} a échoué", le(facts, b.finished_at)),
        ),
        Some(b) => (
            format!("the last backup is of {}", at(facts, b.finished_at)),
            format!("la dernière sauvegarde date du {}", le(facts, b.finished_at)),
        ),
    };
    let (verb, verbe) = if near { ("held until", "en attente d'") } else { ("it will need", "il faudra ") };
    Reason::new(
        Rule::BackupFirst,
        format!("{found}; {verb} a successful backup after {}", at(facts, not_before)),
        format!("{trouve} ; {verbe}une sauvegarde réussie après le {}", le(facts, not_before)),
    )
}

pub(super) fn requirement_met(requirement: &Requirement) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("requires {} {}, which is there", requirement.product, requirement.at_least),
        format!("nécessite {} {}, déjà en place", requirement.product, requirement.at_least),
    )
}

pub(super) fn requirement_missing(facts: &Facts, requirement: &Requirement) -> Reason {
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

pub(super) fn companion_missing(companion: &Companion) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("goes only together with {} {}, which cannot be planned", companion.product, companion.version),
        format!("ne s'installe qu'avec {} {}, qui ne peut être planifiée", companion.product, companion.version),
    )
}

pub(super) fn partner_held(partner: &str) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("goes together with {partner}, which is held"),
        format!("s'installe avec {partner}, qui est en attente"),
    )
}

pub(super) fn follows(facts: &Facts, partner: &str, theirs: &Plan) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("after {partner} {}, planned {}", theirs.version, at(facts, theirs.slot.start)),
        format!("après {partner} {}, prévue le {}", theirs.version, le(facts, theirs.slot.start)),
    )
}

pub(super) fn together(facts: &Facts, partner: &str, slot: Slot) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("one group with {partner}, in order, all or nothing, {}", span(facts, slot)),
        format!("un seul lot avec {partner}, dans l'ordre, tout ou rien, {}", entre(facts, slot)),
    )
}

pub(super) fn group_does_not_fit(partner: &str) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("no slot holds it and {partner} together"),
        format!("aucun créneau ne suffit pour {partner} et lui à la fois"),
    )
}
