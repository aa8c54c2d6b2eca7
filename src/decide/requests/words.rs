//! The answers in words, French and English side by side, each with its clause.

use super::{Ask, Refusal};
use crate::decide::notice::NoticeCount;
use crate::decide::world::Customer;
use crate::model::agreement::Agreement;
use crate::model::decision::Reason;
use crate::model::fleet::Client;
use crate::model::manifest::Text;
use crate::model::release::{ReleaseId, Retraction};
use crate::model::rule::Rule;
use crate::model::version::Version;
use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;

fn text(en: String, fr: String) -> Text {
    Text { fr, en: Some(en) }
}

/// A refusal that no date would change.
pub(super) fn refusal(ask: &Ask, why: Text) -> Refusal {
    Refusal {
        product: ask.product.clone(),
        version: ask.version.clone(),
        why,
        earliest: None,
        count: None,
        together: None,
    }
}

pub(super) fn not_ordered(ask: &Ask, client: &Client) -> Refusal {
    let (product, name) = (&ask.product, &client.name);
    refusal(
        ask,
        text(
            format!("{product} is not in the order of {name} (III, annexe 1-2)"),
            format!("{product} ne figure pas au bon de commande de {name} (III, annexes 1 et 2)."),
        ),
    )
}

pub(super) fn no_product(ask: &Ask) -> Refusal {
    let product = &ask.product;
    refusal(ask, text(format!("there is no product {product:?}"), format!("Le produit « {product} » n'existe pas.")))
}

pub(super) fn not_published(ask: &Ask) -> Refusal {
    let Ask { product, version, .. } = ask;
    refusal(
        ask,
        text(
            format!("{product} {version} has not been published"),
            format!("{product} {version} n'a pas été mise à disposition."),
        ),
    )
}

pub(super) fn retracted(ask: &Ask, retraction: &Retraction) -> Refusal {
    let (Ask { product, version, .. }, reason) = (ask, &retraction.reason);
    refusal(
        ask,
        text(
            format!("{product} {version} was withdrawn by its publisher: {reason}"),
            format!("{product} {version} a été retirée par son éditeur : {reason}"),
        ),
    )
}

pub(super) fn not_running(ask: &Ask, client: &Client) -> Refusal {
    let (product, name) = (&ask.product, &client.name);
    let (on, sur) = match ask.servers.as_slice() {
        [] => (format!("no server of {name}"), format!("Aucun serveur de {name}")),
        named => (format!("none of {}", named.join(", ")), format!("Aucun des serveurs {}", named.join(", "))),
    };
    refusal(
        ask,
        text(format!("{on} is known to run {product}"), format!("{sur} n'exécute {product} à notre connaissance.")),
    )
}

pub(super) fn installed(ask: &Ask) -> Refusal {
    let Ask { product, version, .. } = ask;
    refusal(
        ask,
        text(
            format!("{product} {version} or newer is already installed"),
            format!("{product} {version} ou plus récent est déjà installé."),
        ),
    )
}

pub(super) fn minor(ask: &Ask) -> Refusal {
    let Ask { product, version, .. } = ask;
    refusal(
        ask,
        text(
            format!("{product} {version} is a minor update: it is installed at night without a request (3.1.b.3)"),
            format!(
                "{product} {version} est une mise à jour mineure : elle est installée de nuit sans demande (3.1.b.3)."
            ),
        ),
    )
}

pub(super) fn nowhere(ask: &Ask, client: &Client) -> Refusal {
    let name = &client.name;
    refusal(ask, text(format!("{name} has no server"), format!("{name} n'a aucun serveur.")))
}

/// The partner is known and can be asked for as well.
pub(super) fn required(ask: &Ask, partner: &ReleaseId, at_least: &Version, server: &str) -> Refusal {
    let (Ask { product, version, .. }, needed) = (ask, &partner.product);
    let why = text(
        format!(
            "{product} {version} needs {needed} {at_least} or later on {server}, a major version that is not requested: request {partner} together with it"
        ),
        format!(
            "{product} {version} nécessite {needed} {at_least} ou plus récent sur {server}, une version majeure qui n'est pas demandée : demandez {partner} en même temps."
        ),
    );
    Refusal { together: Some(partner.clone()), ..refusal(ask, why) }
}

pub(super) fn required_missing(ask: &Ask, needed: &str, at_least: &Version, server: &str) -> Refusal {
    let Ask { product, version, .. } = ask;
    refusal(
        ask,
        text(
            format!("{product} {version} needs {needed} {at_least} or later on {server}, which does not run it"),
            format!(
                "{product} {version} nécessite {needed} {at_least} ou plus récent sur {server}, où ce produit n'est pas installé."
            ),
        ),
    )
}

pub(super) fn required_unpublished(ask: &Ask, needed: &str, at_least: &Version, server: &str) -> Refusal {
    let Ask { product, version, .. } = ask;
    refusal(
        ask,
        text(
            format!("{product} {version} needs {needed} {at_least} or later on {server}, which has not been published"),
            format!(
                "{product} {version} nécessite {needed} {at_least} ou plus récent sur {server}, qui n'a pas été mise à disposition."
            ),
        ),
    )
}

pub(super) fn companion(ask: &Ask, partner: &ReleaseId, server: &str) -> Refusal {
    let Ask { product, version, .. } = ask;
    let why = text(
        format!(
            "{product} {version} goes only together with {partner} on {server}, a major version that is not requested: request {partner} together with it"
        ),
        format!(
            "{product} {version} ne s'installe qu'avec {partner} sur {server}, une version majeure qui n'est pas demandée : demandez {partner} en même temps."
        ),
    );
    Refusal { together: Some(partner.clone()), ..refusal(ask, why) }
}

fn french(day: NaiveDate) -> String {
    day.format("%d/%m/%Y").to_string()
}

pub(super) fn short_notice(customer: &Customer, ask: &Ask, count: &NoticeCount) -> Text {
    let days = customer.terms.schedule.major.notice_working_days;
    let list = |format: &str| count.days.iter().map(|d| d.format(format).to_string()).collect::<Vec<_>>().join(", ");
    text(
        format!(
            "{} is under {days} working days away (3.1.b.4): the request counts as received on {}, and the working days after it are {}; the earliest admissible date is {}",
            ask.before,
            count.counted_from,
            list("%a %-d %b"),
            count.earliest
        ),
        format!(
            "Le {} est à moins de {days} jours ouvrés (3.1.b.4) : la demande est réputée reçue le {}, et les jours ouvrés qui suivent sont les {} ; la première date recevable est le {}.",
            french(ask.before),
            french(count.counted_from),
            list("%d/%m"),
            french(count.earliest)
        ),
    )
}

pub(super) fn no_slot(ask: &Ask, need: TimeDelta) -> Text {
    let minutes = need.num_minutes();
    text(
        format!(
            "no maintenance slot (6.1.3) of {minutes} minutes, start, backup and rollback included, ends by {}",
            ask.before
        ),
        format!(
            "Aucun créneau de maintenance (6.1.3) de {minutes} minutes, démarrage, sauvegarde et retour arrière compris, ne se termine avant le {}.",
            french(ask.before)
        ),
    )
}

/// How the notice was counted, for the history.
pub(super) fn counted(ask: &Ask, count: &NoticeCount) -> Reason {
    let (from, earliest) = (count.counted_from, count.earliest);
    Reason::new(
        Rule::MajorNotice,
        format!("asked for by {}; counts as received on {from}, earliest admissible date {earliest}", ask.before),
        format!(
            "demandée pour le {} au plus tard ; réputée reçue le {}, première date recevable le {}",
            french(ask.before),
            french(from),
            french(earliest)
        ),
    )
}

/// Who agreed to the shorter notice, and when.
pub(super) fn agreed(ask: &Ask, agreement: &Agreement, zone: Tz) -> Reason {
    let Agreement { id, by, at, .. } = agreement;
    let local = at.with_timezone(&zone);
    Reason::new(
        Rule::MajorNotice,
        format!(
            "sooner than the notice by agreement {id}: {by} agreed to {} on {}",
            ask.before,
            local.format("%a %-d %b %Y %H:%M")
        ),
        format!(
            "avant le préavis par l'accord n° {id} : {by} a accepté le {} en date du {}",
            french(ask.before),
            local.format("%d/%m/%Y %H:%M")
        ),
    )
}
