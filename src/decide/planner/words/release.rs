//! Releases and requests in words: what is new, withdrawn, asked for, failed.

use super::super::{Facts, Progress};
use super::{at, le};
use crate::model::decision::Reason;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::Ring;
use crate::model::release::{Release, Retraction};
use crate::model::request::Request;
use crate::model::rule::Rule;
use crate::model::version::Version;
use chrono::{DateTime, Utc};

pub(in crate::decide::planner) fn not_ordered(product: &str) -> Reason {
    Reason::new(
        Rule::OutOfScope,
        format!("{product} is installed but the client's order does not name it: it is never touched"),
        format!("{product} est installé mais ne figure pas au bon de commande : il n'est jamais modifié"),
    )
}

pub(in crate::decide::planner) fn running(facts: &Facts, deployment: &Deployment) -> Reason {
    let since = deployment.state.started_at().unwrap_or(facts.now);
    Reason::new(
        Rule::StandingAccess,
        format!("{} {} is being installed since {}", deployment.product, deployment.to, at(facts, since)),
        format!("{} {} est en cours d'installation depuis le {}", deployment.product, deployment.to, le(facts, since)),
    )
}

pub(in crate::decide::planner) fn retracted(facts: &Facts, release: &Release, retraction: &Retraction) -> Reason {
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

pub(in crate::decide::planner) fn up_to_date(product: &str, installed: &Version) -> Reason {
    Reason::new(
        Rule::Prerequisites,
        format!("{product} {installed} is the newest version that may be installed"),
        format!("{product} {installed} est la version installable la plus récente"),
    )
}

pub(in crate::decide::planner) fn newer(facts: &Facts, release: &Release, installed: &Version) -> Reason {
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

pub(in crate::decide::planner) fn older_first(facts: &Facts, older: &Release, newest: &Release) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MinorNight,
        format!("{} keeps its own deadline, so it goes before {}", older.id(), newest.id()),
        format!("{} garde son échéance et passe donc avant {}", older.id(), newest.id()),
    )
}

pub(in crate::decide::planner) fn minor_deadline(facts: &Facts, release: &Release, deadline: DateTime<Utc>) -> Reason {
    let when = release.published_at();
    Reason::new(
        Rule::MinorNight,
        format!("published {}: to be installed by {}", at(facts, when), at(facts, deadline)),
        format!("mise à disposition le {} : à installer avant le {}", le(facts, when), le(facts, deadline)),
    )
}

pub(in crate::decide::planner) fn ring(facts: &Facts, release: &Release, progress: Progress) -> Reason {
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

pub(in crate::decide::planner) fn canary_failed(release: &Release, failed: u32) -> Reason {
    Reason::new(
        Rule::Rollout,
        format!(
            "{} failed on {failed} canary server(s); it waits until staff or its publisher settle it",
            release.id()
        ),
        format!("{} a échoué sur {failed} serveur(s) pilote(s) ; elle attend une décision", release.id()),
    )
}

pub(in crate::decide::planner) fn manual(facts: &Facts, release: &Release) -> Reason {
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

pub(in crate::decide::planner) fn failed_before(facts: &Facts, failed: &Deployment) -> Reason {
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

pub(in crate::decide::planner) fn staff_take_over(facts: &Facts, release: &Release) -> Reason {
    let most = facts.terms.schedule.retry.attempts_max;
    Reason::new(
        Rule::Gti2h,
        format!("{most} attempt(s) of {} are used up: staff take over", release.id()),
        format!("les {most} tentative(s) de {} sont épuisées : l'équipe prend le relais", release.id()),
    )
}

pub(in crate::decide::planner) fn needs_request(facts: &Facts, release: &Release) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MajorOnRequest,
        format!("{} is a major version: it is installed on the client's express request", release.id()),
        format!("{} est une version majeure : elle est installée à la demande expresse du client", release.id()),
    )
}

pub(in crate::decide::planner) fn requested(facts: &Facts, request: &Request) -> Reason {
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

pub(in crate::decide::planner) fn requested_is_gone(request: &Request) -> Reason {
    Reason::new(
        Rule::Retracted,
        format!("request {} asks for {} {}, which is no longer offered", request.id, request.product, request.version),
        format!("la demande {} porte sur {} {}, qui n'est plus proposée", request.id, request.product, request.version),
    )
}
