//! Every letter in both languages, as its receiver reads it.

use super::samples::{letters, minor, together};
use super::*;
use crate::model::manifest::Text;
use proptest::prelude::*;
use std::sync::Arc;

const LANGUAGES: [Language; 2] = [Language::Fr, Language::En];

pub(super) fn desk() -> Desk {
    Desk {
        provider: "Service infogérance, Prestataire SAS".to_owned(),
        email: "iah@prestataire.example".to_owned(),
        phone: Some("03 20 00 00 00".to_owned()),
        zone: Tz::Europe__Paris,
        answer: Some("https://noctule.example.net/concertation/12/0/5bdcc146bf60754e6a042426089575c7".to_owned()),
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
        let manifest = Arc::make_mut(&mut it.manifest);
        manifest.notes = Text { fr: hostile.clone(), en: None };
        manifest.workstation_action = Some(Text { fr: hostile.clone(), en: None });
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
