//! Letters: every notice as a subject, a text part and an HTML part, in French or English. Pure.
//!
//! Each letter is one template in a small markup (`markup`), from which both parts are made, so that they cannot
//! disagree. What changes, when in the site's own time, what the client has to do, whom to ask; the contract's
//! clauses stand in the small print. Addresses, headers and sending are `edge::mail`'s.

mod facts;
pub mod markup;
pub mod when;
mod who;

use crate::model::fleet::Language;
use crate::model::notice::Letter;
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use std::sync::LazyLock;

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

/// A template that does not fit its letter: a defect of this program.
#[derive(Debug, thiserror::Error)]
#[error("the letter template {template} cannot be rendered: {source}")]
pub struct LetterError {
    pub template: String,
    #[source]
    pub source: minijinja::Error,
}

/// Longest subject, in characters; longer ones are cut at the end.
pub const SUBJECT_CHARS_MAX: usize = 200;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(
            (concat!($name, ".fr.txt"), include_str!(concat!("templates/", $name, ".fr.txt"))),
            (concat!($name, ".en.txt"), include_str!(concat!("templates/", $name, ".en.txt"))),
        )*]
    };
}

const LAYOUT: &str = "layout.html";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the delimiters are the default ones"),
    );
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    let letters = templates![
        "minor_planned",
        "minor_installed",
        "failed",
        "degraded",
        "not_begun",
        "manual_planned",
        "major_available",
        "legal_reminder",
        "major_requested",
        "major_refused",
        "major_planned",
        "major_installed",
        "major_todo",
        "moved",
        "cancelled",
        "retracted",
        "request_cancelled",
        "alert",
        "closing",
    ];
    for (name, source) in letters.into_iter().chain([(LAYOUT, include_str!("templates/layout.html"))]) {
        environment.add_template(name, source).expect("the templates are part of the program and parse");
    }
    environment
});

/// Writes `letter` to `reader` in the name of `desk`.
pub fn render(letter: &Letter, reader: &Reader, desk: &Desk) -> Result<Rendered, LetterError> {
    let language = reader.language;
    let (template, context) = facts::of(letter, language, desk);
    let body = fill(&named(template, language), context)?;
    let mut sheet = markup::parse(&body, language);
    sheet.blocks.insert(0, markup::Block::Paragraph(salutation(reader)));
    if !matches!(letter, Letter::Alert { .. }) {
        let contact = context! {
            provider => markup::line(&desk.provider),
            email => markup::line(&desk.email),
            phone => desk.phone.as_deref().map(markup::line),
        };
        sheet.blocks.extend(markup::parse(&fill(&named("closing", language), contact)?, language).blocks);
    }
    if let Some(clauses) = facts::clauses(letter, language) {
        sheet.blocks.push(markup::Block::Small(markup::typeset(&clauses, language)));
    }
    let subject: String = sheet.subject.chars().take(SUBJECT_CHARS_MAX).collect();
    let lang = match language {
        Language::Fr => "fr",
        Language::En => "en",
    };
    let page = context! { lang => lang, subject => &subject, blocks => markup::values(&sheet.blocks) };
    let html = fill(LAYOUT, page)?;
    Ok(Rendered { subject, text: markup::text(&sheet.blocks), html })
}

fn named(template: &str, language: Language) -> String {
    match language {
        Language::Fr => format!("{template}.fr.txt"),
        Language::En => format!("{template}.en.txt"),
    }
}

fn fill(template: &str, context: Value) -> Result<String, LetterError> {
    TEMPLATES
        .get_template(template)
        .and_then(|found| found.render(context))
        .map_err(|source| LetterError { template: template.to_owned(), source })
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
