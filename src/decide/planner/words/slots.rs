//! Slots in words: which fit, which do not, and what the backup says.

use super::{Said, Teller, day};
use crate::decide::durations::Source;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::fleet::Language;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};

impl Teller<'_, '_> {
    pub(super) fn deadline(&self, deadline: DateTime<Utc>) -> Said {
        let when = self.release.map_or(self.facts.now, |r| r.published_at());
        (
            format!("published {}: to be installed by {}", self.at(when), self.at(deadline)),
            format!("mise à disposition le {} : à installer avant le {}", self.le(when), self.le(deadline)),
        )
    }

    pub(super) fn deadline_at_risk(&self, deadline: DateTime<Utc>) -> Said {
        let (en, fr) = match self.facts.now < deadline {
            true => ("it is due by", "elle est due pour le"),
            false => ("it was due by", "elle était due pour le"),
        };
        (
            format!("{en} {}, and will not be in time as things stand", self.at(deadline)),
            format!("{fr} {}, et ne sera pas à temps en l'état", self.le(deadline)),
        )
    }

    pub(super) fn night_slot(&self, slot: &Slot) -> Said {
        let clause = self.clause(&self.facts.terms.schedule.minor.never_in);
        (
            format!("night slot {}, outside office hours ({clause})", self.span(slot)),
            format!("créneau de nuit {}, hors horaires de bureau ({clause})", self.entre(slot)),
        )
    }

    pub(super) fn late(&self, slot: &Slot, deadline: DateTime<Utc>) -> Said {
        (
            format!("no night is left before {}; the next one is {}: late", self.at(deadline), self.span(slot)),
            format!(
                "aucune nuit possible avant le {} ; la prochaine est celle {} : en retard",
                self.le(deadline),
                self.entre(slot)
            ),
        )
    }

    pub(super) fn manual(&self) -> Said {
        let terms = &self.facts.terms.schedule.manual;
        let (it, hours, clause) = (self.it(), terms.announce_hours, self.clause(&terms.window));
        (
            format!(
                "{it} needs a technician: never unattended, in a maintenance slot ({clause}), announced {hours} h before"
            ),
            format!(
                "{it} demande l'intervention d'un technicien : créneau de maintenance ({clause}), annoncé {hours} h avant"
            ),
        )
    }

    pub(super) fn maintenance_slot(&self, slot: &Slot) -> Said {
        (format!("maintenance slot {}", self.span(slot)), format!("créneau de maintenance {}", self.entre(slot)))
    }

    pub(super) fn major_slot(&self, slot: &Slot, spare: Option<&Slot>) -> Said {
        let (minutes, source) = self.minutes();
        let (rest, reste) = match spare {
            Some(spare) => (
                format!("{} is left for a retry", self.span(spare)),
                format!("celui {} reste en secours", self.entre(spare)),
            ),
            None => ("no other is left for a retry".into(), "aucun autre ne reste en secours".into()),
        };
        let (learned, appris) = source_words(source);
        (
            format!("{minutes} min{learned} fit in the maintenance slot {}; {rest}", self.span(slot)),
            format!("{minutes} min{appris} tiennent dans le créneau {} ; {reste}", self.entre(slot)),
        )
    }

    pub(super) fn too_short(&self, slot: &Slot) -> Said {
        let (minutes, source) = self.minutes();
        let left = (slot.end - slot.start.max(self.facts.now)).num_minutes();
        let (learned, appris) = source_words(source);
        (
            format!(
                "{} needs {minutes} min with start, copy and rollback{learned}; {} leaves {left}",
                self.it(),
                self.span(slot)
            ),
            format!(
                "{} demande {minutes} min, démarrage, copie et retour arrière compris{appris} ; le créneau {} n'en laisse que {left}",
                self.it(),
                self.entre(slot)
            ),
        )
    }

    /// Minutes the release needs of its slot, and where its own duration comes from.
    fn minutes(&self) -> (i64, Source) {
        let (terms, durations) = (self.facts.terms, self.facts.durations);
        let of = |r| (durations.need(terms, r).num_minutes(), durations.minutes(terms, r).1);
        self.release.map_or((0, Source::Estimate), of)
    }

    pub(super) fn office_hours(&self, slot: &Slot) -> Said {
        (
            format!("{} would run into office hours", self.span(slot)),
            format!("le créneau {} empiète sur les horaires de bureau", self.entre(slot)),
        )
    }

    pub(super) fn closed(&self, slot: &Slot) -> Said {
        let closure = self.facts.closed.covering(*slot, self.facts.server.zone);
        let text = |language| closure.as_ref().map(|c| c.text(language)).unwrap_or_default();
        (
            format!("{} falls into the client's closed period {}", self.at(slot.start), text(Language::En)),
            format!("le {} tombe dans une période fermée du client, {}", self.le(slot.start), text(Language::Fr)),
        )
    }

    pub(super) fn agreed_closed(&self, agreement: &Agreement) -> Said {
        let (from, to) = match &agreement.agreed {
            Agreed::ClosedPeriod { from, to, .. } => (*from, *to),
            Agreed::Slot { .. } | Agreed::ShortNotice { .. } => (NaiveDate::MIN, NaiveDate::MIN),
        };
        let ((from, du), (to, au)) = (day(from), day(to));
        (
            format!("{} agreed on {} to work in the closed days {from} to {to}", agreement.by, self.at(agreement.at)),
            format!(
                "{} a accepté le {} une intervention pendant les jours fermés du {du} au {au}",
                agreement.by,
                self.le(agreement.at)
            ),
        )
    }

    pub(super) fn agreed_slot(&self, agreement: &Agreement) -> Said {
        let (en, fr) = match &agreement.agreed {
            Agreed::Slot { slot, .. } => (self.span(slot).to_string(), self.entre(slot).to_string()),
            Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => (String::new(), String::new()),
        };
        (
            format!("{} agreed on {} to the slot {en}", agreement.by, self.at(agreement.at)),
            format!("{} a accepté le {} le créneau {fr}", agreement.by, self.le(agreement.at)),
        )
    }

    pub(super) fn no_slot(&self) -> Said {
        (
            format!("no slot for {} is left in the coming weeks: staff decide", self.it()),
            format!("aucun créneau pour {} dans les semaines à venir : décision à prendre", self.it()),
        )
    }

    pub(super) fn no_slot_before(&self, before: NaiveDate) -> Said {
        let (by, le) = day(before);
        (
            format!("no maintenance slot long enough ends by {by}"),
            format!("aucun créneau de maintenance assez long ne se termine d'ici au {le}"),
        )
    }

    pub(super) fn slot_full(&self, slot: &Slot) -> Said {
        (
            format!("other updates of this server already fill {}", self.span(slot)),
            format!("d'autres mises à jour de ce serveur remplissent déjà le créneau {}", self.entre(slot)),
        )
    }

    pub(super) fn spilled(&self, slot: &Slot) -> Said {
        (format!("so it goes in {}", self.span(slot)), format!("elle passe donc au créneau {}", self.entre(slot)))
    }

    pub(super) fn backup_good(&self, since: DateTime<Utc>) -> Said {
        let done = self.facts.state.backup.as_ref().map_or(self.facts.now, |b| b.finished_at);
        (
            format!("last backup succeeded {}; needed since {}", self.at(done), self.at(since)),
            format!("dernière sauvegarde réussie le {} ; requise depuis le {}", self.le(done), self.le(since)),
        )
    }

    pub(super) fn backup_needed(&self, since: DateTime<Utc>) -> Said {
        let (found, trouve) = self.backup_found();
        (
            format!("{found}; it will need a successful backup after {}", self.at(since)),
            format!("{trouve} ; il faudra une sauvegarde réussie après le {}", self.le(since)),
        )
    }

    pub(super) fn backup_missing(&self, since: DateTime<Utc>) -> Said {
        let (found, trouve) = self.backup_found();
        (
            format!("{found}; held until a successful backup after {}", self.at(since)),
            format!("{trouve} ; en attente d'une sauvegarde réussie après le {}", self.le(since)),
        )
    }

    fn backup_found(&self) -> Said {
        match &self.facts.state.backup {
            None => ("no backup is known".into(), "aucune sauvegarde connue".into()),
            Some(b) if !b.succeeded => (
                format!("the backup of {} failed", self.at(b.finished_at)),
                format!("la sauvegarde du {} a échoué", self.le(b.finished_at)),
            ),
            Some(b) => (
                format!("the last backup is of {}", self.at(b.finished_at)),
                format!("la dernière sauvegarde date du {}", self.le(b.finished_at)),
            ),
        }
    }
}

/// Where a duration comes from, unless it is the publisher's estimate.
fn source_words(source: Source) -> Said {
    match source {
        Source::Estimate => (String::new(), String::new()),
        Source::Observed(n) => (format!(" (seen on {n} installations)"), format!(" (constaté sur {n} installations)")),
        Source::Product(n) => (
            format!(" (as {n} earlier installations of the product took)"),
            format!(" (d'après {n} installations précédentes du produit)"),
        ),
    }
}
