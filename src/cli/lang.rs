//! Which language a command speaks: the one asked for, or the locale's; and what it calls decisions, kinds and times.

use crate::decide::letters::brief;
use crate::model::fleet::Language;
use crate::work::views::{ExplainedReason, HistoryRow, ReasonRow};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    Fr,
    En,
}

impl Lang {
    pub fn language(self) -> Language {
        match self {
            Lang::Fr => Language::Fr,
            Lang::En => Language::En,
        }
    }

    /// What was asked for, or what the locale speaks.
    pub fn or_locale(lang: Option<Lang>) -> Language {
        match lang {
            Some(lang) => lang.language(),
            None => of_locale(|name| std::env::var(name).ok()),
        }
    }
}

/// French for a French locale, English for any other. POSIX: the first of these that is set and not empty decides.
fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Language {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let locale = names.into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let french = locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("fr"));
    if french { Language::Fr } else { Language::En }
}

/// `en` or `fr`, whichever is spoken.
pub fn either<T>(language: Language, en: T, fr: T) -> T {
    match language {
        Language::En => en,
        Language::Fr => fr,
    }
}

/// A decision by its name in the API; a French one speaks of the update.
pub fn decision(language: Language, name: &str) -> String {
    let french = match name {
        "up_to_date" => "à jour",
        "planned" => "planifiée",
        "running" => "en cours",
        "waiting" => "en attente",
        "held" => "bloquée",
        "late" => "en retard",
        "out_of_scope" => "hors périmètre",
        other => other,
    };
    either(language, name, french).replace('_', " ")
}

/// `minor`, `major` or `manual`, of what is known of a row.
pub fn kind(language: Language, row: &HistoryRow) -> &str {
    match (row.manual, row.change.as_deref()) {
        (true, _) => either(language, "manual", "manuelle"),
        (false, Some("minor")) => either(language, "minor", "mineure"),
        (false, Some("major")) => either(language, "major", "majeure"),
        (false, other) => other.unwrap_or_default(),
    }
}

/// `Fri 22 May 2026`, `ven. 22 mai 2026`.
pub fn date(language: Language, date: NaiveDate) -> String {
    format!("{} {}", brief::Day(language, date), date.year())
}

/// `Fri 22 May 2026 22:00`, `ven. 22 mai 2026 22:00`, site time.
pub fn instant(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    format!("{} {}", date(language, local.date_naive()), local.format("%H:%M"))
}

/// An instant by which something is due: the end of a day is `24:00` of that day, not the next one's `00:00`.
pub fn due(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone).naive_local();
    match local.date().pred_opt().filter(|_| local.time() == NaiveTime::MIN) {
        Some(day) => format!("{} 24:00", date(language, day)),
        None => instant(language, at, zone),
    }
}

/// `22:00–07:00`, site time; the second day is named when more than a night is between them.
pub fn hours(language: Language, start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> String {
    let (from, to) = (start.with_timezone(&zone), end.with_timezone(&zone));
    let end = match end - start < TimeDelta::hours(24) {
        true => to.format("%H:%M").to_string(),
        false => instant(language, end, zone),
    };
    format!("{}–{end}", from.format("%H:%M"))
}

/// A reason in one language.
#[derive(Clone, Copy, Debug)]
pub struct Spoken<'a> {
    pub rule: &'a str,
    pub clause: Option<&'a str>,
    pub text: &'a str,
    pub remedy: Option<&'a str>,
}

impl<'a> Spoken<'a> {
    pub fn explained(language: Language, reason: &'a ExplainedReason) -> Spoken<'a> {
        let ExplainedReason { rule, clause, text, fr, remedy, remedy_fr } = reason;
        let remedy = either(language, remedy, remedy_fr).as_deref();
        Spoken { rule, clause: clause.as_deref(), text: either(language, text, fr), remedy }
    }

    /// A reason of the plan; in English where it carries no French.
    pub fn planned(language: Language, reason: &'a ReasonRow) -> Spoken<'a> {
        let ReasonRow { rule, text, clause, fr, remedy, remedy_fr } = reason;
        let text = either(language, text, fr.as_ref().unwrap_or(text));
        Spoken { rule, clause: clause.as_deref(), text, remedy: either(language, remedy, remedy_fr).as_deref() }
    }

    /// `minor-night (3.1.b.3): …`, or the bare id of a rule of the house.
    pub fn sentence(&self, language: Language) -> String {
        let colon = either(language, ":", " :");
        match self.clause {
            Some(clause) => format!("{} ({clause}){colon} {}", self.rule, self.text),
            None => format!("{}{colon} {}", self.rule, self.text),
        }
    }

    /// `what would change this: …`
    pub fn way_out(&self, language: Language) -> Option<String> {
        let lead = either(language, "what would change this:", "ce qui changerait la réponse :");
        self.remedy.map(|remedy| format!("{lead} {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_which_language() {
        for (set, language) in [
            (&[][..], Language::En),
            (&[("LANG", "fr_FR.UTF-8")], Language::Fr),
            (&[("LANG", "fr")], Language::Fr),
            (&[("LANG", "FR_ca.utf8")], Language::Fr),
            (&[("LANG", "french")], Language::Fr),
            (&[("LANG", "C")], Language::En),
            (&[("LANG", "de_FR.UTF-8")], Language::En),
            (&[("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "fr_FR.UTF-8")], Language::Fr),
            (&[("LC_ALL", "C.UTF-8"), ("LC_MESSAGES", "fr_FR.UTF-8"), ("LANG", "fr_FR.UTF-8")], Language::En),
            (&[("LC_ALL", "fr_BE.UTF-8"), ("LC_MESSAGES", "en_GB"), ("LANG", "en_GB")], Language::Fr),
            // Set to nothing is not set.
            (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "fr_FR")], Language::Fr),
            // Other categories say nothing about messages.
            (&[("LC_TIME", "fr_FR.UTF-8")], Language::En),
        ] {
            let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(of_locale(variable), language, "{set:?}");
        }
        assert_eq!(Lang::or_locale(Some(Lang::Fr)), Language::Fr);
        assert_eq!(Lang::or_locale(Some(Lang::En)), Language::En);
    }

    #[test]
    fn times_are_told_in_either_language() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (start, end) = (at("2026-05-22T20:00:00Z"), at("2026-05-23T05:00:00Z"));
        let (paris, reunion) = (Tz::Europe__Paris, Tz::Indian__Reunion);
        for (language, zone, told, span) in [
            (Language::En, paris, "Fri 22 May 2026 22:00", "22:00–07:00"),
            (Language::Fr, paris, "ven. 22 mai 2026 22:00", "22:00–07:00"),
            (Language::Fr, reunion, "sam. 23 mai 2026 00:00", "00:00–09:00"),
        ] {
            assert_eq!(instant(language, start, zone), told);
            assert_eq!(hours(language, start, end, zone), span);
        }
        assert_eq!(hours(Language::Fr, start, end + TimeDelta::days(8), paris), "22:00–dim. 31 mai 2026 07:00");
        assert_eq!(due(Language::En, at("2026-05-30T22:00:00Z"), paris), "Sat 30 May 2026 24:00");
        assert_eq!(due(Language::Fr, at("2026-05-01T05:00:00Z"), paris), "ven. 1er mai 2026 07:00");
        assert_eq!(due(Language::Fr, at("2026-05-30T22:00:01Z"), paris), "dim. 31 mai 2026 00:00");
        assert_eq!(date(Language::Fr, "2026-08-01".parse().unwrap()), "sam. 1er août 2026");
    }

    #[test]
    fn every_decision_has_a_name_in_french() {
        for name in ["up_to_date", "planned", "running", "waiting", "held", "late", "out_of_scope"] {
            assert_ne!(decision(Language::Fr, name), decision(Language::En, name));
            assert!(!decision(Language::En, name).contains('_'));
        }
    }
}
