//! What the page calls things, in French and English.

use super::sheet::MinorOutcome;
use crate::model::fleet::Language;

/// French and English of one thing.
type Both = (&'static str, &'static str);

pub(super) fn pick(language: Language, (fr, en): Both) -> &'static str {
    match language {
        Language::Fr => fr,
        Language::En => en,
    }
}

/// What a rule asks for, in a line.
pub(super) fn rule(id: &str) -> Both {
    match id {
        "minor-night" => (
            "Les mises à jour mineures sont installées dans les nuits qui suivent leur publication, avant leur échéance",
            "Minor updates are installed in the nights after their publication, by their deadline",
        ),
        "manual-slots" => (
            "Les mises à jour qui demandent des manipulations se font dans un créneau assuré, par un technicien",
            "Updates that need handling are done in a staffed slot, by a technician",
        ),
        "minor-content-notice" => (
            "Le client est informé par courriel du contenu des mises à jour, avant et après",
            "The client is told by e-mail of what updates contain, before and after",
        ),
        "major-on-request" => (
            "Une version majeure n’est installée qu’à la demande expresse du client",
            "A major version is installed at the client’s express request only",
        ),
        "major-notice" => (
            "Le préavis d’une demande est respecté, et la date limite est tenue",
            "The notice of a request is kept, and its latest date is met",
        ),
        "service-hours" => {
            ("Le temps des interventions se compte aux heures de service", "Interventions are timed in service hours")
        }
        "concertation" => (
            "Les interruptions prévues aux heures de service sont annoncées à l’interlocuteur informatique",
            "Interruptions planned in service hours are announced to the IT contact",
        ),
        "maintenance-slots" => (
            "Les versions majeures sont installées dans les créneaux de maintenance",
            "Major versions are installed in the maintenance slots",
        ),
        "office-hours" => {
            ("Aucun travail aux heures de bureau, sauf accord", "No work during office hours, unless agreed")
        }
        "out-of-scope" => {
            ("Seuls les produits de la commande sont touchés", "Only the products of the order are touched")
        }
        "servers-only" => ("Seuls les serveurs sont mis à jour", "Only servers are updated"),
        "backup-first" => (
            "Aucune installation sans sauvegarde réussie et récente",
            "No installation without a recent successful backup",
        ),
        "standing-access" => {
            ("Une mise à jour mineure ne demande pas de nouvel accord", "A minor update needs no further approval")
        }
        "health-after" => (
            "L’application est contrôlée après installation ; en cas d’échec, l’ancienne version est remise",
            "The application is checked after installation; where that fails, the old version is put back",
        ),
        "hourly-checks" => (
            "Chaque serveur donne de ses nouvelles au moins toutes les heures",
            "Each server is heard from at least hourly",
        ),
        "three-attempts" => (
            "Chaque alerte est envoyée jusqu’à trois fois, puis reste visible",
            "Each alert is tried three times, then stays visible",
        ),
        "gti-2h" => (
            "Une alerte est prise en charge dans le délai d’intervention",
            "An alert is taken up within the intervention time",
        ),
        "escalation" => (
            "Une alerte qui n’est pas prise en charge remonte la hiérarchie",
            "An alert that nobody takes up is passed to the next level",
        ),
        "signed-release" => {
            ("Seul ce que l’éditeur a signé est installé", "Only what its publisher signed is installed")
        }
        "prerequisites" => (
            "Les prérequis et l’ordre des versions sont respectés",
            "Prerequisites and the order of versions are kept to",
        ),
        "retracted" => {
            ("Une version retirée par son éditeur n’est pas installée", "A withdrawn release is not installed")
        }
        "rollout" => (
            "Une version est d’abord éprouvée sur quelques serveurs ; ses échecs l’arrêtent",
            "A release is proven on a few servers first; its failures halt it",
        ),
        "hold" => ("Blocages posés par l’équipe", "Holds placed by staff"),
        "closed-period" => ("Périodes de fermeture du client", "The client’s closed periods"),
        _ => ("", ""),
    }
}

pub(super) fn outcome(outcome: MinorOutcome) -> Both {
    match outcome {
        MinorOutcome::OnTime => ("à temps", "on time"),
        MinorOutcome::Late => ("en retard", "late"),
        MinorOutcome::Missed => ("non installée", "not installed"),
        MinorOutcome::Withdrawn => ("retirée par l’éditeur", "withdrawn by publisher"),
        MinorOutcome::Open => ("à venir", "still to come"),
    }
}

/// The state of a deployment.
pub(super) fn state(name: &str) -> Both {
    match name {
        "planned" => ("planifiée", "planned"),
        "running" => ("en cours", "under way"),
        "installed" => ("installée", "installed"),
        "rolled_back" => ("annulée, ancienne version remise", "rolled back"),
        "refused" => ("non commencée", "not begun"),
        "failed" => ("échouée", "failed"),
        "cancelled" => ("abandonnée", "cancelled"),
        _ => ("", ""),
    }
}

/// The state of a request.
pub(super) fn request(name: &str) -> Both {
    match name {
        "accepted" => ("acceptée", "accepted"),
        "superseded" => ("remplacée", "superseded"),
        "done" => ("réalisée", "done"),
        "cancelled" => ("retirée par le client", "withdrawn by the client"),
        "expired" => ("expirée", "expired"),
        _ => ("", ""),
    }
}

/// What kind of trouble an alert is about.
pub(super) fn trouble(kind: &str) -> Both {
    match kind {
        "held" => ("mise à jour bloquée", "update held"),
        "late" => ("mise à jour en retard", "update late"),
        "halted" => ("version arrêtée", "release halted"),
        "failed" => ("échec d’installation", "installation failed"),
        "sick" => ("application en défaut", "application unhealthy"),
        "not_ready" => ("serveur non prêt", "server not ready"),
        "silent" => ("serveur silencieux", "server silent"),
        "undelivered" => ("courriel non remis", "mail not delivered"),
        "refused-recipient" => ("destinataire refusé", "recipient refused"),
        "request-expired" => ("demande expirée", "request expired"),
        "staging" => ("préparation impossible", "cannot be prepared"),
        _ => ("autre alerte", "other alert"),
    }
}

/// What a letter is about.
pub(super) fn letter(kind: &str) -> Both {
    match kind {
        "minor-planned" => ("mise à jour mineure annoncée", "minor update announced"),
        "minor-installed" => ("mise à jour mineure installée", "minor update installed"),
        "minor-failed" => ("mise à jour mineure échouée", "minor update failed"),
        "manual-planned" => ("mise à jour manuelle annoncée", "manual update announced"),
        "manual-installed" => ("mise à jour manuelle installée", "manual update installed"),
        "manual-failed" => ("mise à jour manuelle échouée", "manual update failed"),
        "major-available" => ("version majeure disponible", "major version available"),
        "legal-reminder" => ("rappel d’une échéance légale", "legal date nears"),
        "major-requested" => ("demande de version majeure acceptée", "major request accepted"),
        "major-refused" => ("demande de version majeure refusée", "major request refused"),
        "major-planned" => ("version majeure planifiée", "major version planned"),
        "major-installed" => ("version majeure installée", "major version installed"),
        "major-failed" => ("version majeure échouée", "major version failed"),
        "degraded" => ("serveur en mode dégradé", "server degraded"),
        "not-begun" => ("mise à jour non commencée", "update not begun"),
        "moved" => ("créneau déplacé", "slot moved"),
        "cancelled" => ("mise à jour abandonnée", "update cancelled"),
        "retracted" => ("version retirée par l’éditeur", "release withdrawn"),
        "request-cancelled" => ("demande retirée", "request withdrawn"),
        _ => ("autre courriel", "other letter"),
    }
}

pub(super) fn post(state: &str) -> Both {
    match state {
        "sent" => ("envoyé", "sent"),
        "undelivered" => ("non remis", "undelivered"),
        "pending" => ("en attente", "waiting"),
        _ => ("", ""),
    }
}

/// The notes with which alerts end by themselves; anything else is what somebody wrote.
pub(super) fn note(language: Language, note: &str) -> String {
    match (language, note) {
        (Language::Fr, "installed since") => "installée depuis".to_owned(),
        (Language::Fr, "heard again") => "de nouveau joignable".to_owned(),
        (_, other) => other.to_owned(),
    }
}
