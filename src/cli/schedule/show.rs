//! `noctule schedule show FILE`: a contract in words.

use super::Contract;
use crate::cli::args::Shape;
use crate::cli::{Outcome, output};
use crate::decide::terms_words::{self, Sentence};
use crate::model::fleet::Language;
use crate::model::rule::Rule;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Page {
    contract: String,
    terms: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    place: String,
    clause: String,
    rules: Vec<Rule>,
    text: String,
}

pub fn run(path: &Path, language: Language, format: Shape) -> Outcome {
    let Contract { file, terms } = Contract::sound(path)?;
    let sentences = terms_words::sentences(&terms, language);
    if format == Shape::Json {
        let row = |Sentence { place, clause, rules, text }| Row { place, clause, rules, text };
        let terms = sentences.into_iter().map(row).collect();
        return output::print_json(&Page { contract: file.schedule.contract, terms });
    }
    let mut page = format!("{}\n", file.schedule.contract);
    for Sentence { place, clause, rules, text } in sentences {
        let rules: Vec<&str> = rules.iter().map(|rule| rule.id()).collect();
        let rules = if rules.is_empty() { String::new() } else { format!("; {}", rules.join(", ")) };
        let _ = write!(page, "\n{place} ({clause}{rules})\n");
        for line in output::wrapped(&text, 96) {
            let _ = writeln!(page, "  {line}");
        }
    }
    output::print(&page)
}
