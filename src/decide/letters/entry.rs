//! The calendar entry that a letter brings, changes or takes away.

use super::facts::product_name;
use super::markup::line;
use super::when;
use crate::model::entry::Entry;
use crate::model::fleet::Language;
use crate::model::notice::{Installation, Letter};

/// The entry of `letter` about `deployment`; `None` for letters that touch no calendar.
pub fn of(letter: &Letter, deployment: Option<i64>, language: Language) -> Option<Entry> {
    let (it, cancelled) = match letter {
        Letter::MajorPlanned(it) | Letter::ManualPlanned(it) => (it, false),
        Letter::MinorPlanned(it) | Letter::Moved { installation: it, .. } => (it, false),
        Letter::Cancelled { installation, .. } => (installation, true),
        Letter::MinorInstalled(_)
        | Letter::MinorFailed { .. }
        | Letter::ManualInstalled(_)
        | Letter::ManualFailed { .. }
        | Letter::MajorAvailable { .. }
        | Letter::LegalReminder { .. }
        | Letter::MajorRequested { .. }
        | Letter::MajorRefused { .. }
        | Letter::ConcertationReminder(_)
        | Letter::MajorInstalled(_)
        | Letter::MajorFailed { .. }
        | Letter::Degraded { .. }
        | Letter::NotBegun { .. }
        | Letter::Retracted { .. }
        | Letter::RequestCancelled { .. }
        | Letter::Checkpoint { .. }
        | Letter::Alert { .. } => return None,
    };
    let entry = installation(it, deployment?, it.sequence?, language);
    Some(Entry { cancelled, ..entry })
}

/// The entry of one installation.
pub fn installation(it: &Installation, deployment: i64, sequence: u32, language: Language) -> Entry {
    let (product, server) = (product_name(&it.product), line(&it.server));
    let version = line(it.to.as_str());
    let duration = when::duration(language, it.manifest.duration_minutes);
    let closes = it.manifest.closes_access;
    let (summary, description) = match language {
        Language::Fr => (
            format!("{product} {version} : installation sur {server}"),
            format!(
                "Durée estimée : {duration}.\n{}",
                if closes {
                    format!("L'accès à {product} sera fermé : les utilisateurs doivent en être informés.")
                } else {
                    "Les utilisateurs doivent en être informés.".to_owned()
                }
            ),
        ),
        Language::En => (
            format!("{product} {version}: installation on {server}"),
            format!(
                "Estimated duration: {duration}.\n{}",
                if closes {
                    format!("Access to {product} will be closed: the users have to be told.")
                } else {
                    "The users have to be told.".to_owned()
                }
            ),
        ),
    };
    let key = format!("deployment/{deployment}");
    Entry { key, sequence, slot: it.slot, summary, description, location: server, cancelled: false }
}
