//! A contract's terms in sentences, each with its clause and the rules it sets: for staff who edit a schedule, and for
//! a client's contact who asks what it says.

use super::hours_words;
use super::letters::when;
use super::terms::Terms;
use crate::model::fleet::Language;
use crate::model::rule::Rule;

/// One term in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Where it is in the file: `windows.night`, `minor`.
    pub place: String,
    pub clause: String,
    /// The rules that it sets.
    pub rules: Vec<Rule>,
    pub text: String,
}

/// Every term of a contract: its windows first, then what is done in them.
pub fn sentences(terms: &Terms, language: Language) -> Vec<Sentence> {
    let schedule = &terms.schedule;
    let windows = schedule.windows.iter().map(|(name, window)| Sentence {
        place: format!("windows.{name}"),
        clause: window.clause.clone(),
        rules: Vec::new(),
        text: hours_words::hours(language, &window.hours),
    });
    let parts: [(&str, &str, Vec<Rule>, String); 7] = [
        (
            "minor",
            schedule.minor.clause.as_str(),
            vec![Rule::MinorNight, Rule::StandingAccess, Rule::OfficeHours],
            minor(terms, language),
        ),
        ("manual", &schedule.manual.clause, vec![Rule::ManualSlots, Rule::Concertation], manual(terms, language)),
        (
            "major",
            &schedule.major.clause,
            vec![Rule::MajorOnRequest, Rule::MajorNotice, Rule::MaintenanceSlots, Rule::Concertation],
            major(terms, language),
        ),
        ("backup", &schedule.backup.clause, vec![Rule::BackupFirst], backup(terms, language)),
        (
            "intervention",
            &schedule.intervention.clause,
            vec![Rule::Gti2h, Rule::Escalation],
            intervention(terms, language),
        ),
        ("agents", &schedule.agents.clause, vec![Rule::HourlyChecks], agents(terms, language)),
        ("retry", &schedule.retry.clause, Vec::new(), retry(terms, language)),
    ];
    let told = letters(terms, language).map(|text| {
        ("letters", schedule.letters.clause.as_str(), vec![Rule::MinorContentNotice, Rule::Concertation], text)
    });
    let terms = parts.into_iter().chain(told).map(|(place, clause, rules, text)| Sentence {
        place: place.to_owned(),
        clause: clause.to_owned(),
        rules,
        text,
    });
    windows.chain(terms).collect()
}

fn minor(terms: &Terms, language: Language) -> String {
    let minor = &terms.schedule.minor;
    let (window, never_in, nights) = (&minor.window, &minor.never_in, minor.deadline_nights);
    match language {
        Language::Fr => format!(
            "les mises à jour mineures sont installées sans nouvel accord dans « {window} » : dans le premier \
             créneau qui commence après la publication, au plus tard à la fin de la nuit n° {nights} en comptant celle du \
             jour de publication ; \
             jamais pendant « {never_in} »"
        ),
        Language::En => format!(
            "minor updates are installed without further approval in `{window}`: in the first that begins after \
             publication, at the latest by the end of night {nights}, counting that of the day of publication; never \
             during `{never_in}`"
        ),
    }
}

fn manual(terms: &Terms, language: Language) -> String {
    let manual = &terms.schedule.manual;
    let (window, hours) = (&manual.window, manual.announce_hours);
    match language {
        Language::Fr => format!(
            "les mises à jour qui demandent des manipulations sont faites par l'équipe dans « {window} », annoncées \
             au moins {hours} h avant"
        ),
        Language::En => format!(
            "updates that need manipulations are done by staff in `{window}`, announced at least {hours} h before"
        ),
    }
}

fn major(terms: &Terms, language: Language) -> String {
    let major = &terms.schedule.major;
    let (window, days, close) = (&major.window, major.notice_working_days, &major.received_until_end_of);
    match language {
        Language::Fr => format!(
            "les versions majeures sont installées à la demande expresse du client, dans « {window} » ; la demande \
             précède d'au moins {days} jour{s} ouvré{s} la date limite souhaitée, le jour de la demande ne comptant pas ; \
             reçue après la fermeture de « {close} » ou un jour non ouvré, elle compte du jour ouvré suivant",
            s = if days > 1 { "s" } else { "" }
        ),
        Language::En => format!(
            "major versions are installed at the client's express request, in `{window}`; the request precedes the \
             latest date by at least {days} working day{s}, the day of the request not counted; received after `{close}` \
             has closed or on a day off, it counts from the next working day",
            s = if days == 1 { "" } else { "s" }
        ),
    }
}

fn backup(terms: &Terms, language: Language) -> String {
    let close = &terms.schedule.backup.since_close_of;
    match language {
        Language::Fr => format!(
            "rien n'est installé sans une sauvegarde réussie, terminée après la fermeture de « {close} » le dernier \
             jour ouvré"
        ),
        Language::En => format!(
            "nothing is installed without a backup that succeeded, finished after `{close}` closed on the last working day"
        ),
    }
}

fn intervention(terms: &Terms, language: Language) -> String {
    let intervention = &terms.schedule.intervention;
    let within = when::duration(language, intervention.within_minutes);
    let clock = match (language, &intervention.clock) {
        (Language::Fr, Some(window)) => format!("comptés pendant « {window} »"),
        (Language::Fr, None) => "comptés à toute heure".to_owned(),
        (Language::En, Some(window)) => format!("counted while `{window}` is open"),
        (Language::En, None) => "counted at any hour".to_owned(),
    };
    let delays: Vec<String> = intervention.escalate_after_hours.iter().map(|hours| format!("{hours} h")).collect();
    let delays = match (language, delays.is_empty()) {
        (_, true) => String::new(),
        (Language::Fr, false) => format!(", puis {} après le dépassement", delays.join(" et ")),
        (Language::En, false) => format!(", and again {} after that", delays.join(" and ")),
    };
    match language {
        Language::Fr => {
            format!("un échec est pris en charge sous {within}, {clock} ; sinon l'alerte monte d'un niveau{delays}")
        }
        Language::En => {
            format!("a failure is taken in hand within {within}, {clock}; or the alert goes up a level{delays}")
        }
    }
}

fn agents(terms: &Terms, language: Language) -> String {
    let silent = when::duration(language, terms.schedule.agents.silent_after_minutes);
    match language {
        Language::Fr => format!("un serveur muet depuis {silent} déclenche une alerte"),
        Language::En => format!("a server that has been silent for {silent} raises an alert"),
    }
}

fn retry(terms: &Terms, language: Language) -> String {
    let attempts = terms.schedule.retry.attempts_max;
    match language {
        Language::Fr => format!(
            "une version est tentée au plus {attempts} fois sur un serveur, chaque fois dans un autre créneau ; ensuite \
             l'équipe prend le relais"
        ),
        Language::En => format!(
            "a release is tried at most {attempts} times on one server, each time in another slot; then staff take over"
        ),
    }
}

/// `None` where every letter goes alone and at once.
fn letters(terms: &Terms, language: Language) -> Option<String> {
    let letters = &terms.schedule.letters;
    let minutes = when::duration(language, letters.gather_minutes);
    let gathered = (letters.gather_minutes > 0).then(|| match language {
        Language::Fr => format!("les mises à jour d'une même nuit annoncées en {minutes} le sont par un seul message"),
        Language::En => format!("updates of one night announced within {minutes} are announced in one letter"),
    });
    let quiet = letters.quiet.as_ref().map(|window| match language {
        Language::Fr => {
            format!(
                "ce qui s'est bien passé ou peut attendre est écrit après « {window} », en un seul message par nuit"
            )
        }
        Language::En => {
            format!("what went well or can wait is written after `{window}`, in one letter for each night")
        }
    });
    let days = letters.remind_working_days;
    let reminded = (days > 0).then(|| match language {
        Language::Fr => format!(
            "l'interlocuteur qui n'a pas donné son accord à un créneau est relancé {days} jour{s} ouvré{s} avant",
            s = if days > 1 { "s" } else { "" }
        ),
        Language::En => format!(
            "a contact who has not agreed to a slot is reminded {days} working day{s} before it",
            s = if days == 1 { "" } else { "s" }
        ),
    });
    let parts: Vec<String> = gathered.into_iter().chain(quiet).chain(reminded).collect();
    let between = if language == Language::Fr { " ; " } else { "; " };
    (!parts.is_empty()).then(|| parts.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences of a contract as a page.
    fn page(file: &str, language: Language) -> String {
        let terms = Terms::compile(toml::from_str(file).unwrap()).unwrap();
        sentences(&terms, language)
            .iter()
            .map(|s| {
                let rules: Vec<&str> = s.rules.iter().map(|rule| rule.id()).collect();
                format!("{} ({}) [{}]: {}\n", s.place, s.clause, rules.join(" "), s.text)
            })
            .collect()
    }

    #[test]
    fn both_contracts_read_as_sentences() {
        insta::assert_snapshot!(
            "pro_controle_fr",
            page(include_str!("../../schedules/pro-controle.toml"), Language::Fr)
        );
        insta::assert_snapshot!(
            "pro_controle_en",
            page(include_str!("../../schedules/pro-controle.toml"), Language::En)
        );
        insta::assert_snapshot!(
            "nuit_blanche_en",
            page(include_str!("../../schedules/nuit-blanche.toml"), Language::En)
        );
    }
}
