//! The little markup letters are written in, and its two renderings, so that both parts say the same.
//!
//! One line, one meaning: `# ` subject, `## ` heading, `- ` list item, `| label | value` fact, `> label | address` link, `~ ` small print;
//! other lines make paragraphs, which a blank line ends. Facts from outside pass [`line`] or [`block`] first, so that
//! none of them can become a subject or a heading.

use crate::model::fleet::Language;
use minijinja::{Value, context};

/// Columns of the text part.
pub const COLUMNS: usize = 76;

/// A parsed letter.
#[derive(Debug, PartialEq, Eq)]
pub struct Sheet {
    pub subject: String,
    pub blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    Heading(String),
    Paragraph(String),
    List(Vec<String>),
    Facts(Vec<(String, String)>),
    /// What it leads to, and its address, which both parts show.
    Link(String, String),
    Small(String),
}

/// A value from outside as one line: control characters and runs of space become one space.
pub fn line(value: &str) -> String {
    value
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A text from outside: its paragraphs and lists stay, its other line beginnings mean nothing.
pub fn block(value: &str) -> String {
    let lines = value.lines().map(|text| {
        let one_line = line(text);
        let text = one_line.trim_start_matches(['#', '|', '~', '>', ' ']);
        match text.strip_prefix("* ").or_else(|| text.strip_prefix("• ")) {
            Some(item) => format!("- {item}"),
            None => text.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads a rendered template.
pub fn parse(source: &str, language: Language) -> Sheet {
    let mut sheet = Sheet { subject: String::new(), blocks: Vec::new() };
    let mut paragraph_open = false;
    for raw in source.lines() {
        let text = typeset(raw.trim(), language);
        let continues = std::mem::replace(&mut paragraph_open, false);
        if text.is_empty() {
            continue;
        } else if let Some(subject) = text.strip_prefix("# ") {
            sheet.subject = subject.to_owned();
        } else if let Some(heading) = text.strip_prefix("## ") {
            sheet.blocks.push(Block::Heading(heading.to_owned()));
        } else if let Some(small) = text.strip_prefix("~ ") {
            sheet.blocks.push(Block::Small(small.to_owned()));
        } else if let Some((label, address)) = text.strip_prefix("> ").and_then(|link| link.split_once(" | ")) {
            sheet.blocks.push(Block::Link(label.to_owned(), address.to_owned()));
        } else if let Some(item) = text.strip_prefix("- ") {
            match sheet.blocks.last_mut() {
                Some(Block::List(items)) => items.push(item.to_owned()),
                _ => sheet.blocks.push(Block::List(vec![item.to_owned()])),
            }
            paragraph_open = true;
        } else if let Some((label, value)) = text.strip_prefix("| ").and_then(|fact| fact.split_once(" | ")) {
            let fact = (label.to_owned(), value.to_owned());
            match sheet.blocks.last_mut() {
                Some(Block::Facts(facts)) => facts.push(fact),
                _ => sheet.blocks.push(Block::Facts(vec![fact])),
            }
        } else {
            paragraph_open = true;
            match sheet.blocks.last_mut() {
                Some(Block::Paragraph(before)) if continues => append(before, &text),
                Some(Block::List(items)) if continues => {
                    append(items.last_mut().expect("a list is made with its first item"), &text);
                }
                _ => sheet.blocks.push(Block::Paragraph(text)),
            }
        }
    }
    sheet
}

fn append(before: &mut String, more: &str) {
    before.push(' ');
    before.push_str(more);
}

/// The text part: wrapped at [`COLUMNS`], lists and facts indented.
pub fn text(blocks: &[Block]) -> String {
    let mut out = String::new();
    for (index, block) in blocks.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        match block {
            Block::Heading(heading) => {
                wrap(&mut out, &heading.to_uppercase(), "", "");
                // The heading belongs to what follows it.
                continue;
            }
            Block::Paragraph(paragraph) => wrap(&mut out, paragraph, "", ""),
            Block::List(items) => items.iter().for_each(|item| wrap(&mut out, item, "- ", "  ")),
            Block::Facts(facts) => {
                let width = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
                for (label, value) in facts {
                    let first = format!("  {label:<width$}  ");
                    wrap(&mut out, value, &first, &" ".repeat(width + 4));
                }
            }
            Block::Link(label, address) => {
                wrap(&mut out, label, "", "");
                wrap(&mut out, address, "  ", "  ");
            }
            Block::Small(small) => {
                out.push_str("--\u{20}\n");
                wrap(&mut out, small, "", "");
            }
        }
    }
    out
}

fn wrap(out: &mut String, text: &str, first: &str, rest: &str) {
    let mut column = first.chars().count();
    let mut empty = true;
    out.push_str(first);
    // Only plain spaces break; non-breaking ones do not.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let width = word.chars().count();
        if !empty && column + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(rest);
            column = rest.chars().count();
            empty = true;
        }
        if !empty {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        empty = false;
    }
    out.push('\n');
}

/// The blocks as the HTML layout reads them.
pub fn values(blocks: &[Block]) -> Value {
    let of = |kind: &str, text: &str| context! { kind => kind, text => text };
    let list = |items: Vec<Value>, kind: &str| context! { kind => kind, items => Value::from_iter(items) };
    Value::from_iter(blocks.iter().map(|block| match block {
        Block::Heading(text) => of("heading", text),
        Block::Paragraph(text) => of("paragraph", text),
        Block::Small(text) => of("small", text),
        Block::Link(label, address) => context! { kind => "link", text => label, address => address },
        Block::List(items) => list(items.iter().map(Value::from).collect(), "list"),
        Block::Facts(facts) => list(
            facts.iter().map(|(label, value)| Value::from_iter([Value::from(label), Value::from(value)])).collect(),
            "facts",
        ),
    }))
}

/// French typography: spaces that do not break before tall punctuation and in hours, curly apostrophes.
pub fn typeset(text: &str, language: Language) -> String {
    if language == Language::En {
        return text.replace('\'', "’");
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut letters = text.replace('\'', "’").chars().collect::<Vec<_>>().into_iter().peekable();
    let mut before = ' ';
    while let Some(c) = letters.next() {
        let next = letters.peek().copied();
        let set = match (c, next) {
            (' ', Some(':' | '»')) => '\u{a0}',
            (' ', Some(';' | '!' | '?')) => '\u{202f}',
            (' ', Some('h')) if before.is_ascii_digit() && is_hour(letters.clone()) => '\u{a0}',
            (' ', _) if before == '«' || before == '°' => '\u{a0}',
            (' ', Some(digit)) if digit.is_ascii_digit() && ends_with_hour(&out) => '\u{a0}',
            _ => c,
        };
        out.push(set);
        before = c;
    }
    out
}

/// Whether `h` stands alone: the hour sign, not a word.
fn is_hour(mut letters: impl Iterator<Item = char>) -> bool {
    letters.next() == Some('h') && letters.next().is_none_or(|c| !c.is_alphanumeric())
}

/// Whether the text ends with an hour sign, which minutes follow.
fn ends_with_hour(out: &str) -> bool {
    out.strip_suffix("\u{a0}h").is_some_and(|hour| hour.ends_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_typography() {
        for (plain, set) in [
            ("Version : 14", "Version\u{a0}: 14"),
            ("l'heure ; non", "l’heure\u{202f}; non"),
            ("à 22 h 41 précises", "à 22\u{a0}h\u{a0}41 précises"),
            ("entre 22 h et 7 h (heure", "entre 22\u{a0}h et 7\u{a0}h (heure"),
            ("14.20 hier", "14.20 hier"),
            ("demande n° 12", "demande n°\u{a0}12"),
        ] {
            assert_eq!(typeset(plain, Language::Fr), set);
        }
    }

    #[test]
    fn what_comes_from_outside_stays_text() {
        let hostile = block("# Sujet\n## Titre\n| a | b\n~ petit\n* un\n- deux\r\nBcc: x@y");
        let sheet = parse(&hostile, Language::Fr);
        assert_eq!(sheet.subject, "");
        assert!(sheet.blocks.iter().all(|b| matches!(b, Block::Paragraph(_) | Block::List(_))), "{sheet:?}");
        assert_eq!(line("a\r\nBcc: b\u{0} c"), "a Bcc: b c");
    }

    #[test]
    fn no_line_of_the_text_part_is_too_long() {
        let blocks = [
            Block::Paragraph("mot ".repeat(60)),
            Block::List(vec!["point ".repeat(40)]),
            Block::Facts(vec![("Intervention".to_owned(), "valeur ".repeat(40))]),
        ];
        let text = text(&blocks);
        assert!(text.lines().all(|l| l.chars().count() <= COLUMNS), "{text}");
    }
}
