//! Slots in words: which fit, which do not, and what the backup says.

use super::super::Facts;
use super::{at, entre, le, span};
use crate::model::decision::Reason;
use crate::model::fleet::ClosedDays;
use crate::model::release::Release;
use crate::model::request::Agreement;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};

pub(in crate::decide::planner) fn planned(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MinorNight,
        format!("night slot {}, outside office hours (6.1.4)", span(facts, slot)),
        format!("créneau de nuit {}, hors horaires de bureau (6.1.4)", entre(facts, slot)),
    )
}

pub(in crate::decide::planner) fn late(facts: &Facts, slot: Slot, deadline: DateTime<Utc>) -> Reason {
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

pub(in crate::decide::planner) fn maintenance_slot(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("maintenance slot {}", span(facts, slot)),
        format!("créneau de maintenance {}", entre(facts, slot)),
    )
}

pub(in crate::decide::planner) fn major_slot(
    facts: &Facts,
    slot: Slot,
    spare: Option<Slot>,
    release: &Release,
) -> Reason {
    let minutes = super::super::slots::need(release).num_minutes();
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

pub(in crate::decide::planner) fn too_short(facts: &Facts, slot: Slot, release: &Release) -> Reason {
    let minutes = super::super::slots::need(release).num_minutes();
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

pub(in crate::decide::planner) fn office_hours(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::OfficeHours,
        format!("{} would run into office hours", span(facts, slot)),
        format!("le créneau {} empiète sur les horaires de bureau", entre(facts, slot)),
    )
}

pub(in crate::decide::planner) fn closed(facts: &Facts, slot: Slot, closed: &ClosedDays) -> Reason {
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

pub(in crate::decide::planner) fn no_slot(facts: &Facts, window: &str) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MaintenanceSlots,
        format!("no slot of the window {window:?} fits in the coming weeks: staff decide"),
        format!("aucun créneau « {window} » ne convient dans les semaines à venir : décision à prendre"),
    )
}

pub(in crate::decide::planner) fn no_slot_before(facts: &Facts, before: NaiveDate) -> Reason {
    let _ = facts;
    Reason::new(
        Rule::MajorNotice,
        format!("no maintenance slot long enough ends by {before}"),
        format!("aucun créneau de maintenance assez long ne se termine avant le {}", before.format("%d/%m/%Y")),
    )
}

pub(in crate::decide::planner) fn slot_full(facts: &Facts, slot: Slot) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("other updates of this server already fill {}", span(facts, slot)),
        format!("d'autres mises à jour de ce serveur remplissent déjà le créneau {}", entre(facts, slot)),
    )
}

pub(in crate::decide::planner) fn agreed(facts: &Facts, agreement: &Agreement) -> Reason {
    Reason::new(
        Rule::MaintenanceSlots,
        format!("the client's contact agreed to {} on {}", span(facts, agreement.slot), at(facts, agreement.at)),
        format!("l'interlocuteur a accepté le créneau {} le {}", entre(facts, agreement.slot), le(facts, agreement.at)),
    )
}

pub(in crate::decide::planner) fn backup_good(facts: &Facts, not_before: DateTime<Utc>) -> Reason {
    let done = facts.state.backup.as_ref().map_or(facts.now, |b| b.finished_at);
    Reason::new(
        Rule::BackupFirst,
        format!("last backup succeeded {}; needed since {}", at(facts, done), at(facts, not_before)),
        format!("dernière sauvegarde réussie le {} ; requise depuis le {}", le(facts, done), le(facts, not_before)),
    )
}

pub(in crate::decide::planner) fn backup_missing(facts: &Facts, not_before: DateTime<Utc>, near: bool) -> Reason {
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
