//! Letters: every notice as a subject, a text part and an HTML part, in French or English. Pure.
//!
//! Each letter is one template in a small markup (`markup`), from which both parts are made, so that they cannot
//! disagree. What changes, when in the site's own time, what the client has to do, whom to ask; the contract's
//! clauses stand in the small print. Addresses, headers and sending are `edge::mail`'s.

pub mod agenda;
pub mod brief;
pub mod check;
pub mod entry;
mod facts;
pub mod gather;
pub mod markup;
pub mod samples;
mod templates;
mod together;
pub mod when;
pub mod who;

pub use facts::{checkpoint_file, product_name};
pub use templates::{BUILT_IN, LAYOUT, Templates};

use crate::model::fleet::Language;
use crate::model::notice::Letter;
use chrono_tz::Tz;
use minijinja::{Value, context};
use templates::named;

/// Who writes: stands under every letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desk {
    /// The provider's name.
    pub provider: String,
    /// Where the client asks.
    pub email: String,
    pub phone: Option<String>,
    /// Zone of times in letters to staff.
    pub zone: Tz,
    /// Where the client answers to the letter, if it asks something.
    pub answer: Option<String>,
}

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// As the fleet file names the main contact (`Mme Claire Martin`); `None` for a team.
    pub name: Option<String>,
    pub language: Language,
}

/// A letter ready to be put in an envelope. The subject is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A template that is none, or that does not fit its letter.
#[derive(Debug, thiserror::Error)]
#[error("the letter template {template} cannot be rendered: {source}")]
pub struct LetterError {
    pub template: String,
    #[source]
    pub source: minijinja::Error,
}

/// Longest subject, in characters; longer ones are cut at the end.
pub const SUBJECT_CHARS_MAX: usize = 200;

/// Writes `letter` to `reader` in the name of `desk`, with the program's own templates.
pub fn render(letter: &Letter, reader: &Reader, desk: &Desk) -> Result<Rendered, LetterError> {
    Templates::built_in().render(&[letter], reader, desk)
}

impl Templates {
    /// Writes `letters` to `reader` in the name of `desk`: one as itself, several that [`gather`] put together as one.
    pub fn render(&self, letters: &[&Letter], reader: &Reader, desk: &Desk) -> Result<Rendered, LetterError> {
        let language = reader.language;
        let together = if letters.len() > 1 { together::of(letters, language) } else { None };
        let (template, context) = match (together, letters.first()) {
            (Some(together), _) => together,
            (None, Some(letter)) => facts::of(letter, language, desk),
            (None, None) => ("closing", Value::UNDEFINED),
        };
        let mut sheet = markup::parse(&self.fill(&named(template, language), context)?, language);
        sheet.blocks.insert(0, markup::Block::Paragraph(salutation(reader)));
        if !letters.iter().any(|letter| matches!(letter, Letter::Alert { .. })) {
            let contact = context! {
                provider => markup::line(&desk.provider),
                email => markup::line(&desk.email),
                phone => desk.phone.as_deref().map(markup::line),
            };
            sheet.blocks.extend(markup::parse(&self.fill(&named("closing", language), contact)?, language).blocks);
        }
        if let Some(clauses) = facts::clauses(letters, language) {
            sheet.blocks.push(markup::Block::Small(markup::typeset(&clauses, language)));
        }
        let subject: String = sheet.subject.chars().take(SUBJECT_CHARS_MAX).collect();
        let lang = match language {
            Language::Fr => "fr",
            Language::En => "en",
        };
        let page = context! { lang => lang, subject => &subject, blocks => markup::values(&sheet.blocks) };
        let html = self.fill(LAYOUT, page)?;
        Ok(Rendered { subject, text: markup::text(&sheet.blocks), html })
    }
}

/// `Bonjour Madame Martin,`: by title and family name where the title is known, else by the whole name.
fn salutation(reader: &Reader) -> String {
    let name = reader.name.as_deref().map(markup::line).unwrap_or_default();
    let (title, rest) = name.split_once(' ').unwrap_or(("", &name));
    let family = rest.split_once(' ').map_or(rest, |(_, family)| family);
    match (reader.language, title) {
        (Language::Fr, _) if name.is_empty() => "Bonjour,".to_owned(),
        (Language::Fr, "Mme" | "Madame") => format!("Bonjour Madame {family},"),
        (Language::Fr, "M." | "Monsieur") => format!("Bonjour Monsieur {family},"),
        (Language::Fr, _) => format!("Bonjour {name},"),
        (Language::En, _) if name.is_empty() => "Hello,".to_owned(),
        (Language::En, "Mr" | "Mrs" | "Ms" | "Dr") => format!("Dear {title} {family},"),
        (Language::En, "Mme" | "M.") => format!("Dear {rest},"),
        (Language::En, _) => format!("Dear {name},"),
    }
}

#[cfg(test)]
mod tests;
