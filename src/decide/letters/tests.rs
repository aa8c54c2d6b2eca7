//! Every letter in both languages, as its receiver reads it.

use super::*;
use crate::model::alert::AlertClass;
use crate::model::check::Unfit;
use crate::model::manifest::{Manifest, Text};
use crate::model::notice::{Consent, Installation, Standing, Visit};
use crate::model::slot::Slot;
use proptest::prelude::*;

const LANGUAGES: [Language; 2] = [Language::Fr, Language::En];

pub(super) fn manifest(product: &str, version: &str) -> Manifest {
    serde_json::from_value(serde_json::json!({
        "product": product,
        "version": version,
        "change": "minor",
        "notes": {
            "fr": "Mise à jour du plan comptable 2026.\n- Liasse fiscale : correction du cadre C.\n- Rapprochement bancaire : import des relevés CFONB 120.",
            "en": "Chart of accounts updated for 2026.\n- Tax return: frame C corrected.\n- Bank reconciliation: CFONB 120 statements are read.",
        },
        "duration_minutes": 20,
        "rollback_minutes": 10,
        "package": { "file": format!("{product}-{version}.zip") },
        "installer": { "kind": "zip" },
        "health": { "timeout_seconds": 60 },
        "detect": { "version_file": "VERSION" },
    }))
    .unwrap()
}

pub(super) fn minor() -> Installation {
    Installation {
        server: "cab-morel-01".to_owned(),
        zone: Tz::Europe__Paris,
        product: "isacompta".to_owned(),
        from: Some("14.20.003".parse().unwrap()),
        to: "14.20.004".parse().unwrap(),
        slot: Slot::new("2026-04-29T20:00:00Z".parse().unwrap(), "2026-04-30T05:00:00Z".parse().unwrap()).unwrap(),
        deadline: Some("2026-05-01T05:00:00Z".parse().unwrap()),
        finished_at: None,
        manifest: Box::new(manifest("isacompta", "14.20.004")),
    }
}

pub(super) fn finished(it: Installation, at: &str) -> Installation {
    Installation { finished_at: Some(at.parse().unwrap()), ..it }
}

pub(super) fn manual() -> Installation {
    let mut it = minor();
    it.slot = Slot::new("2026-05-04T18:00:00Z".parse().unwrap(), "2026-05-04T20:00:00Z".parse().unwrap()).unwrap();
    it.deadline = None;
    it.manifest.manual_steps = Some(Text { fr: "Relancer l'indexation.".to_owned(), en: None });
    it.manifest.closes_access = true;
    it
}

pub(super) fn major() -> Installation {
    let mut it = minor();
    it.slot = Slot::new("2026-05-09T06:00:00Z".parse().unwrap(), "2026-05-09T14:00:00Z".parse().unwrap()).unwrap();
    it.to = "15.0".parse().unwrap();
    it.deadline = None;
    it.manifest = Box::new(Manifest {
        duration_minutes: 180,
        closes_access: true,
        workstation_action: Some(Text {
            fr: "Lancez SetupClient.exe depuis le partage ISACOMPTA.".to_owned(),
            en: Some("Run SetupClient.exe from the ISACOMPTA share.".to_owned()),
        }),
        ..manifest("isacompta", "15.0")
    });
    it
}

/// Another server's turn, the Saturday after that of [`major`].
fn visit() -> Visit {
    let slot = Slot::new("2026-05-16T06:00:00Z".parse().unwrap(), "2026-05-16T14:00:00Z".parse().unwrap()).unwrap();
    Visit { server: "cab-morel-02".to_owned(), zone: Tz::Europe__Paris, from: None, slot }
}

fn text(fr: &str, en: &str) -> Text {
    Text { fr: fr.to_owned(), en: Some(en.to_owned()) }
}

/// One of each, by the name of its snapshot.
pub(super) fn letters() -> Vec<(&'static str, Letter)> {
    let date = |text: &str| text.parse().unwrap();
    let version = |text: &str| text.parse().unwrap();
    let why = "the health check failed: the test company does not open".to_owned();
    vec![
        ("minor_planned", Letter::MinorPlanned(minor())),
        ("minor_installed", Letter::MinorInstalled(finished(minor(), "2026-04-29T20:41:00Z"))),
        ("minor_installed_late", Letter::MinorInstalled(finished(minor(), "2026-05-01T21:05:00Z"))),
        (
            "minor_failed",
            Letter::MinorFailed { installation: finished(minor(), "2026-04-29T21:02:00Z"), why: why.clone() },
        ),
        ("manual_planned", Letter::ManualPlanned(manual())),
        ("manual_installed", Letter::ManualInstalled(finished(manual(), "2026-05-04T18:50:00Z"))),
        (
            "manual_failed",
            Letter::ManualFailed { installation: finished(manual(), "2026-05-04T19:10:00Z"), why: why.clone() },
        ),
        (
            "major_available",
            Letter::MajorAvailable {
                product: "isacompta".to_owned(),
                version: version("15.0"),
                manifest: major().manifest,
                earliest: date("2026-05-07"),
            },
        ),
        (
            "major_requested",
            Letter::MajorRequested {
                request: 7,
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-12"),
                installation: major(),
                others: Vec::new(),
                agreed: None,
                replaces: Vec::new(),
            },
        ),
        (
            "major_requested_many",
            Letter::MajorRequested {
                request: 9,
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-16"),
                installation: major(),
                others: vec![
                    Visit { server: "cab-morel-02".to_owned(), from: Some(version("14.10.001")), ..visit() },
                    Visit { server: "cab-morel-974".to_owned(), zone: Tz::Indian__Reunion, ..visit() },
                ],
                agreed: None,
                replaces: Vec::new(),
            },
        ),
        (
            "major_requested_again",
            Letter::MajorRequested {
                request: 8,
                by: "staff zoe for morel".to_owned(),
                before: date("2026-05-05"),
                installation: major(),
                others: Vec::new(),
                agreed: Some(Consent {
                    by: "Mme Claire Morel".to_owned(),
                    at: "2026-04-30T07:30:00Z".parse().unwrap(),
                }),
                replaces: vec![7],
            },
        ),
        (
            "major_refused",
            Letter::MajorRefused {
                product: "isacompta".to_owned(),
                version: version("15.0"),
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-04"),
                earliest: Some(date("2026-05-09")),
                why: text("Le 4 mai 2026 est à moins de 5 jours ouvrés.", "4 May 2026 is under 5 working days away."),
                stands: None,
            },
        ),
        (
            "major_refused_stands",
            Letter::MajorRefused {
                product: "isacompta".to_owned(),
                version: version("15.0"),
                by: "c.morel@cabinet-morel.example (main contact)".to_owned(),
                before: date("2026-05-04"),
                earliest: Some(date("2026-05-09")),
                why: text("Le 4 mai 2026 est à moins de 5 jours ouvrés.", "4 May 2026 is under 5 working days away."),
                stands: Some(Standing { request: 7, before: date("2026-05-12") }),
            },
        ),
        ("legal_reminder", reminder(Some(date("2026-06-23")))),
        ("legal_reminder_too_late", reminder(None)),
        ("major_planned", Letter::MajorPlanned(major())),
        ("major_installed", Letter::MajorInstalled(finished(major(), "2026-05-09T09:12:00Z"))),
        (
            "major_failed",
            Letter::MajorFailed { installation: finished(major(), "2026-05-09T10:30:00Z"), why: why.clone() },
        ),
        ("degraded", Letter::Degraded { installation: finished(minor(), "2026-04-30T05:30:00Z"), why }),
        (
            "not_begun_sick",
            Letter::NotBegun {
                installation: finished(minor(), "2026-04-29T20:05:00Z"),
                unfit: Unfit::Sick,
                why: "the test company does not open".to_owned(),
            },
        ),
        (
            "not_begun_not_ready",
            Letter::NotBegun {
                installation: finished(major(), "2026-05-09T08:05:00Z"),
                unfit: Unfit::NotReady,
                why: "open sessions: failed (2 open, 0 allowed)".to_owned(),
            },
        ),
        (
            "moved",
            Letter::Moved {
                installation: minor(),
                was: Slot::new("2026-04-28T20:00:00Z".parse().unwrap(), "2026-04-29T05:00:00Z".parse().unwrap())
                    .unwrap(),
                why: text(
                    "La dernière sauvegarde du serveur n'avait pas abouti.",
                    "The server's last backup had not succeeded.",
                ),
            },
        ),
        (
            "cancelled",
            Letter::Cancelled {
                installation: major(),
                why: text("La demande n° 7 a été annulée.", "Request no. 7 was cancelled."),
            },
        ),
        (
            "retracted",
            Letter::Retracted {
                product: "isaged".to_owned(),
                version: version("2026.1"),
                reason: "erreur à l'ouverture des pièces jointes".to_owned(),
                installed_on: Vec::new(),
            },
        ),
        (
            "retracted_installed",
            Letter::Retracted {
                product: "isaged".to_owned(),
                version: version("2026.1"),
                reason: "erreur à l'ouverture des pièces jointes".to_owned(),
                installed_on: vec!["cab-morel-01".to_owned(), "cab-morel-02".to_owned()],
            },
        ),
        (
            "request_cancelled",
            Letter::RequestCancelled {
                request: 7,
                product: "isacompta".to_owned(),
                version: version("15.0"),
                by: "c.morel@cabinet-morel.example".to_owned(),
            },
        ),
        ("alert", alert(0)),
        ("alert_escalated", alert(2)),
    ]
}

fn reminder(request_by: Option<chrono::NaiveDate>) -> Letter {
    Letter::LegalReminder {
        product: "isacompta".to_owned(),
        version: "15.0".parse().unwrap(),
        // Another date than the letter's, whose own it says.
        manifest: Box::new(Manifest { legal_date: "2020-01-01".parse().ok(), ..*major().manifest }),
        legal_date: "2026-07-01".parse().unwrap(),
        request_by,
    }
}

fn alert(level: u8) -> Letter {
    Letter::Alert {
        alert: 31,
        class: AlertClass::Systems,
        title: "isacompta held on cab-morel-01 (backup-first)".to_owned(),
        text: "minor-night: due by Friday 1 May 07:00\nbackup-first: the last backup is from 27 April".to_owned(),
        due: "2026-04-30T07:00:00Z".parse().unwrap(),
        level,
    }
}

pub(super) fn desk() -> Desk {
    Desk {
        provider: "Service infogérance, Prestataire SAS".to_owned(),
        email: "iah@prestataire.example".to_owned(),
        phone: Some("03 20 00 00 00".to_owned()),
        zone: Tz::Europe__Paris,
    }
}

pub(super) fn reader(language: Language) -> Reader {
    let name = if language == Language::Fr { "Mme Claire Morel" } else { "Claire Morel" };
    Reader { name: Some(name.to_owned()), language }
}

fn rendered(letter: &Letter, language: Language) -> Rendered {
    render(letter, &reader(language), &desk()).unwrap()
}

#[test]
fn every_letter_reads_well_in_both_languages() {
    for (name, letter) in letters() {
        let both = LANGUAGES.map(|language| {
            let Rendered { subject, text, .. } = rendered(&letter, language);
            format!("{subject}\n\n{text}")
        });
        insta::assert_snapshot!(name, both.join("\n════\n\n"));
    }
}

/// A night's letters that go in one mail, by the name of their snapshot.
pub(super) fn together() -> Vec<(&'static str, Vec<Letter>)> {
    let isaged = |it: Installation| Installation {
        product: "isaged".to_owned(),
        from: Some("2026.0".parse().unwrap()),
        to: "2026.1".parse().unwrap(),
        manifest: Box::new(Manifest {
            legal_date: "2026-07-01".parse().ok(),
            closes_access: true,
            workstation_action: Some(text("Redémarrez ISAGED.", "Restart ISAGED.")),
            ..manifest("isaged", "2026.1")
        }),
        ..it
    };
    let other = |it: Installation| Installation { server: "cab-morel-02".to_owned(), from: None, ..it };
    let late = finished(isaged(minor()), "2026-05-01T21:05:00Z");
    let done = || finished(minor(), "2026-04-29T20:41:00Z");
    vec![
        ("planned_together", vec![Letter::MinorPlanned(minor()), Letter::MinorPlanned(isaged(minor()))]),
        (
            "planned_together_on_many",
            vec![
                Letter::MinorPlanned(minor()),
                Letter::MinorPlanned(isaged(minor())),
                Letter::MinorPlanned(other(minor())),
            ],
        ),
        (
            "planned_together_one_release",
            vec![Letter::MinorPlanned(minor()), Letter::MinorPlanned(other(minor()))],
        ),
        ("installed_together", vec![Letter::MinorInstalled(done()), Letter::MinorInstalled(late)]),
        (
            "installed_together_one_release",
            vec![Letter::MinorInstalled(done()), Letter::MinorInstalled(other(done()))],
        ),
    ]
}

#[test]
fn what_one_night_brings_reads_as_one_letter() {
    for (name, letters) in together() {
        let letters: Vec<&Letter> = letters.iter().collect();
        let both = LANGUAGES.map(|language| {
            let found = Templates::built_in().render(&letters, &reader(language), &desk()).unwrap();
            assert!(found.subject.chars().count() <= 110, "{name}: {}", found.subject);
            format!("{}\n\n{}", found.subject, found.text)
        });
        insta::assert_snapshot!(name, both.join("\n════\n\n"));
    }
}

#[test]
fn the_page_holds_the_letter_and_loads_nothing() {
    let page = rendered(&Letter::MinorPlanned(minor()), Language::Fr).html;
    for word in ["http:", "https:", "src=", "url(", "<script", "<link", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    insta::assert_snapshot!("page", page);
}

#[test]
fn a_subject_says_product_version_server_and_when() {
    for (name, letter) in letters() {
        for language in LANGUAGES {
            let subject = rendered(&letter, language).subject;
            assert!(!subject.is_empty() && subject.chars().count() <= 110, "{name}: {subject}");
            if name.starts_with("minor") || name.ends_with("planned") || name == "moved" {
                for word in
                    ["ISACOMPTA", "cab-morel-01", "2026", if name.starts_with("major") { "15.0" } else { "14.20.004" }]
                {
                    assert!(subject.contains(word), "{name}: {subject} lacks {word}");
                }
            }
        }
    }
}

#[test]
fn both_parts_say_the_same_words() {
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace().filter(|w| !matches!(*w, "-" | "--")).map(str::to_lowercase).collect()
    };
    for (name, letter) in letters() {
        for language in LANGUAGES {
            let it = rendered(&letter, language);
            let body = it.html.split_once("<body").unwrap().1.split_once('>').unwrap().1;
            let mut plain = String::new();
            let mut inside = false;
            for c in body.chars() {
                match c {
                    '<' => inside = true,
                    '>' => {
                        inside = false;
                        plain.push(' ');
                    }
                    c if !inside => plain.push(c),
                    _ => {}
                }
            }
            for (code, c) in
                [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")]
            {
                plain = plain.replace(code, c);
            }
            assert_eq!(words(&plain), words(&it.text), "{name}");
        }
    }
}

#[test]
fn a_greeting_fits_the_name() {
    for (language, name, greeting) in [
        (Language::Fr, Some("Mme Claire Morel"), "Bonjour Madame Morel,"),
        (Language::Fr, Some("M. Petit"), "Bonjour Monsieur Petit,"),
        (Language::Fr, Some("Claire Morel"), "Bonjour Claire Morel,"),
        (Language::Fr, Some(" \r\n"), "Bonjour,"),
        (Language::Fr, None, "Bonjour,"),
        (Language::En, Some("Mrs Claire Morel"), "Dear Mrs Morel,"),
        (Language::En, Some("Claire Morel"), "Dear Claire Morel,"),
        (Language::En, None, "Hello,"),
    ] {
        assert_eq!(salutation(&Reader { name: name.map(str::to_owned), language }), greeting);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn facts_from_outside_stay_facts(
        hostile in "(\r\n|\n|\r|# |## |~ |\\| |<b>|&amp;|</td>|\\{\\{ 1 \\}\\}|Bcc: x@evil.example|[ -~éœ]){0,12}",
    ) {
        let mut it = minor();
        it.server = hostile.clone();
        it.manifest.notes = Text { fr: hostile.clone(), en: None };
        it.manifest.workstation_action = Some(Text { fr: hostile.clone(), en: None });
        let plain = rendered(&Letter::MinorPlanned(minor()), Language::Fr);
        let letter = Letter::MinorFailed { installation: it.clone(), why: hostile.clone() };
        for letter in [letter, Letter::MinorPlanned(it)] {
            let found = render(&letter, &Reader { name: Some(hostile.clone()), language: Language::Fr }, &desk()).unwrap();
            prop_assert!(!found.subject.contains(|c: char| c.is_control()));
            prop_assert!(found.subject.starts_with("ISACOMPTA"));
            prop_assert!(!found.html.contains("<b>"), "{}", found.html);
            prop_assert_eq!(found.html.matches("</body>").count(), plain.html.matches("</body>").count());
            prop_assert!(found.text.lines().all(|l| l.chars().count() <= markup::COLUMNS || !l.trim().contains(' ')));
        }
    }
}
