//! The templates that letters are written from: the program's own, each of which an operator's file may replace.
//!
//! What a template may say is settled by the words that its letter brings ([`super::facts`]): a name that no letter
//! has is an error, not an empty place.

use super::LetterError;
use crate::model::fleet::Language;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The page around the HTML part of every letter.
pub const LAYOUT: &str = "layout.html";

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(
            (concat!($name, ".fr.txt"), include_str!(concat!("templates/", $name, ".fr.txt"))),
            (concat!($name, ".en.txt"), include_str!(concat!("templates/", $name, ".en.txt"))),
        )*
        (LAYOUT, include_str!("templates/layout.html"))]
    };
}

/// Every template of the program, by the name of its file.
pub const BUILT_IN: &[(&str, &str)] = templates![
    "minor_planned",
    "planned_together",
    "minor_installed",
    "installed_together",
    "failed",
    "degraded",
    "not_begun",
    "manual_planned",
    "major_available",
    "legal_reminder",
    "major_requested",
    "major_refused",
    "major_planned",
    "concertation_reminder",
    "major_installed",
    "major_todo",
    "moved",
    "cancelled",
    "retracted",
    "request_cancelled",
    "checkpoint",
    "alert",
    "closing",
];

static OWN: LazyLock<Templates> = LazyLock::new(|| {
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
    for (name, source) in BUILT_IN {
        environment.add_template(name, source).expect("the templates are part of the program and parse");
    }
    Templates { environment }
});

/// A whole set: one template for each name of [`BUILT_IN`].
#[derive(Clone, Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The program's own.
    pub fn built_in() -> &'static Templates {
        &OWN
    }

    /// Puts `source` in the place of the template called `name`.
    ///
    /// # Errors
    /// [`LetterError`] for what is no template, with the line.
    pub fn replace(&mut self, name: &str, source: &str) -> Result<(), LetterError> {
        self.environment
            .add_template_owned(name.to_owned(), source.to_owned())
            .map_err(|source| LetterError { template: name.to_owned(), source })
    }

    /// The words that a template takes from its letter.
    pub(super) fn words_of(&self, template: &str) -> BTreeSet<String> {
        let found = self.environment.get_template(template).map(|found| found.undeclared_variables(false));
        let functions: Vec<String> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        found.unwrap_or_default().into_iter().filter(|word| !functions.contains(word)).collect()
    }

    pub(super) fn fill(&self, template: &str, context: Value) -> Result<String, LetterError> {
        self.environment
            .get_template(template)
            .and_then(|found| found.render(context))
            .map_err(|source| LetterError { template: template.to_owned(), source })
    }
}

pub(super) fn named(template: &str, language: Language) -> String {
    match language {
        Language::Fr => format!("{template}.fr.txt"),
        Language::En => format!("{template}.en.txt"),
    }
}
