//! Releases and requests in words: what is new, withdrawn, asked for.

use super::{Said, Teller, day};
use crate::decide::notice;
use crate::decide::planner::minor;
use crate::model::agreement::Agreement;
use crate::model::deployment::Deployment;
use crate::model::release::Release;
use crate::model::request::Request;
use chrono::NaiveDate;

impl Teller<'_, '_> {
    pub(super) fn silent(&self) -> Said {
        let server = &self.facts.server.id;
        (
            format!("the agent of {server} has not reported what is installed yet"),
            format!("l'agent de {server} n'a pas encore communiqué ce qui est installé"),
        )
    }

    pub(super) fn not_ordered(&self) -> Said {
        let product = self.product;
        (
            format!("{product} is installed but the client's order does not name it: it is never touched"),
            format!("{product} est installé mais ne figure pas au bon de commande : il n'est jamais modifié"),
        )
    }

    pub(super) fn running(&self, deployment: &Deployment) -> Said {
        let since = deployment.state.started_at().unwrap_or(self.facts.now);
        let it = format!("{} {}", deployment.product, deployment.to);
        (
            format!("{it} is being installed since {}", self.at(since)),
            format!("{it} est en cours d'installation depuis le {}", self.le(since)),
        )
    }

    pub(super) fn up_to_date(&self) -> Said {
        let installed = self.installed();
        (
            format!("{} {installed} is the newest version that may be installed", self.product),
            format!("{} {installed} est la version installable la plus récente", self.product),
        )
    }

    fn installed(&self) -> &str {
        self.facts.state.inventory.get(self.product).map_or("", |v| v.as_str())
    }

    pub(super) fn installed_retracted(&self, release: &Release) -> Said {
        let reason = release.retracted.as_ref().map_or("", |r| r.reason.as_str());
        (
            format!(
                "{}, which is installed, was withdrawn by its publisher: {reason}; nothing goes back by itself",
                release.id()
            ),
            format!(
                "{}, en place, a été retirée par son éditeur : {reason} ; aucun retour arrière automatique",
                release.id()
            ),
        )
    }

    pub(super) fn retracted(&self, release: &Release) -> Said {
        let it = release.id();
        match &release.retracted {
            Some(retraction) => (
                format!("{it} was withdrawn by its publisher on {}: {}", self.at(retraction.at), retraction.reason),
                format!("{it} a été retirée par son éditeur le {} : {}", self.le(retraction.at), retraction.reason),
            ),
            None => (format!("{it} was withdrawn"), format!("{it} a été retirée")),
        }
    }

    pub(super) fn newer(&self, release: &Release) -> Said {
        let (it, when, installed) = (release.id(), release.published_at(), self.installed());
        (
            format!("{it} was published {}; {installed} is installed; a minor needs no approval", self.at(when)),
            format!(
                "{it} a été mise à disposition le {} ; {installed} est en place ; aucune autorisation n'est requise",
                self.le(when)
            ),
        )
    }

    pub(super) fn older_first(&self, older: &Release, newest: &Release) -> Said {
        if older.version() > newest.version() {
            return (
                format!("{} replaces {}, which cannot go", older.id(), newest.id()),
                format!("{} remplace {}, qui ne peut être installée", older.id(), newest.id()),
            );
        }
        if minor::deadline_to_come(self.facts, older).is_none() {
            return (
                format!(
                    "{} keeps the deadline of an older version that it replaces, so it goes before {}",
                    older.id(),
                    newest.id()
                ),
                format!(
                    "{} tient l'échéance d'une version antérieure qu'elle remplace et passe donc avant {}",
                    older.id(),
                    newest.id()
                ),
            );
        }
        (
            format!("{} keeps its own deadline, so it goes before {}", older.id(), newest.id()),
            format!("{} garde son échéance et passe donc avant {}", older.id(), newest.id()),
        )
    }

    pub(super) fn numbers_say_major(&self, release: &Release) -> Said {
        let installed = self.installed();
        (
            format!(
                "{} calls itself minor, but its number says major over {installed}: it is taken as one",
                release.id()
            ),
            format!(
                "{} se dit mineure, mais son numéro indique une version majeure par rapport à {installed} : elle est traitée comme telle",
                release.id()
            ),
        )
    }

    pub(super) fn needs_request(&self, release: &Release) -> Said {
        (
            format!("{} is a major version: it is installed on the client's express request", release.id()),
            format!("{} est une version majeure : elle est installée à la demande expresse du client", release.id()),
        )
    }

    /// "a request; asked for today, its date can be 11 May or later".
    pub(super) fn request_remedy(&self, release: &Release) -> Said {
        let count = notice::count(self.facts.terms, self.facts.calendar(), self.facts.now);
        let (earliest, le) = day(count.earliest);
        (
            format!("a request for {}; asked for now, its latest date can be {earliest} or later", release.id(),),
            format!(
                "une demande pour {} ; faite maintenant, sa date limite peut être le {le} ou une date ultérieure",
                release.id(),
            ),
        )
    }

    pub(super) fn legal_date(&self, date: NaiveDate) -> Said {
        let (by, le) = day(date);
        (
            format!("a legal date calls for the major version: {by}"),
            format!("une échéance légale impose la version majeure : {le}"),
        )
    }

    /// "a request by Mon 4 May": the last day on which one is in time for the law's date.
    pub(super) fn legal_remedy(&self, date: NaiveDate) -> Said {
        let last = notice::last_request_day(self.facts.terms, self.facts.calendar(), self.facts.now, date);
        match last {
            Some(last) => {
                let (by, le) = day(last);
                (format!("a request by {by}"), format!("une demande au plus tard le {le}"))
            }
            None => (
                "it is too late for a request with full notice: a shorter one, agreed with the client's contact".into(),
                "il est trop tard pour une demande avec préavis complet : un préavis plus court, convenu avec l'interlocuteur".into(),
            ),
        }
    }

    pub(super) fn requested(&self, request: &Request) -> Said {
        let Request { id, product, version, received_at, before, .. } = request;
        let (by, le) = day(*before);
        (
            format!("request {id} received {}: {product} {version} by {by}", self.at(*received_at)),
            format!("demande {id} reçue le {} : {product} {version} au plus tard le {le}", self.le(*received_at)),
        )
    }

    pub(super) fn requested_gone(&self, request: &Request) -> Said {
        let Request { id, product, version, .. } = request;
        (
            format!("request {id} asks for {product} {version}, which is no longer offered"),
            format!("la demande {id} porte sur {product} {version}, qui n'est plus proposée"),
        )
    }

    pub(super) fn agreed_notice(&self, agreement: &Agreement) -> Said {
        (
            format!("a shorter notice was agreed with {} on {}", agreement.by, self.at(agreement.at)),
            format!("un préavis plus court a été convenu avec {} le {}", agreement.by, self.le(agreement.at)),
        )
    }
}
