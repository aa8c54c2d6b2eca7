//! Who asked, in the letter's own language. The provider's staff are named by their service, a contact by address.

use super::markup::line;
use crate::model::asker::{Asker, Role};
use crate::model::fleet::Language;

/// Who asked, where the word stands alone: `claire@martin.example (main contact)`, `our service, on your behalf`.
pub fn named(by: &str, language: Language) -> String {
    let staff = match language {
        Language::Fr => "notre service, en votre nom",
        Language::En => "our service, on your behalf",
    };
    staff_or(by, language).unwrap_or_else(|| staff.to_owned())
}

/// After "the request": `made by claire@martin.example (main contact)`.
pub fn asked(by: &str, language: Language) -> String {
    match (language, staff_or(by, language)) {
        (Language::Fr, None) => "transmise en votre nom par notre service".to_owned(),
        (Language::En, None) => "made by our service on your behalf".to_owned(),
        (Language::Fr, Some(name)) => format!("de {name}"),
        (Language::En, Some(name)) => format!("made by {name}"),
    }
}

/// After "cancelled": `by claire@martin.example (main contact)`.
pub fn did(by: &str, language: Language) -> String {
    match (language, staff_or(by, language)) {
        (Language::Fr, None) => "en votre nom par notre service".to_owned(),
        (Language::En, None) => "by our service on your behalf".to_owned(),
        (Language::Fr, Some(name)) => format!("par {name}"),
        (Language::En, Some(name)) => format!("by {name}"),
    }
}

/// `None` for the provider's staff.
fn staff_or(by: &str, language: Language) -> Option<String> {
    match Asker::read(by) {
        Asker::Staff { .. } => None,
        Asker::Contact { email, role } => {
            let role = match (language, role) {
                (Language::Fr, Role::Main) => "interlocuteur principal",
                (Language::Fr, Role::Deputy) => "interlocuteur suppléant",
                (Language::En, Role::Main) => "main contact",
                (Language::En, Role::Deputy) => "deputy contact",
            };
            Some(format!("{} ({role})", line(&email)))
        }
        Asker::Token(name) => Some(line(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asked_is_named_in_both_languages() {
        for (by, fr, en) in [
            ("staff zoe for martin", "transmise en votre nom par notre service", "made by our service on your behalf"),
            ("staff for martin", "transmise en votre nom par notre service", "made by our service on your behalf"),
            (
                "c@m.example (main contact)",
                "de c@m.example (interlocuteur principal)",
                "made by c@m.example (main contact)",
            ),
            ("claire", "de claire", "made by claire"),
        ] {
            assert_eq!((asked(by, Language::Fr).as_str(), asked(by, Language::En).as_str()), (fr, en));
        }
        for (by, fr, en) in [
            ("staff zoe for martin", "en votre nom par notre service", "by our service on your behalf"),
            (
                "h@m.example (deputy contact)",
                "par h@m.example (interlocuteur suppléant)",
                "by h@m.example (deputy contact)",
            ),
        ] {
            assert_eq!((did(by, Language::Fr).as_str(), did(by, Language::En).as_str()), (fr, en));
        }
    }
}
