//! Everything wrong with a template that an operator wrote, found before a letter is written with it. Pure.
//!
//! A template is parsed, the words it takes are compared with those that its letters bring, and every sample letter is
//! written with it: what fails then would have failed in the night.

use super::samples;
use super::templates::{BUILT_IN, LAYOUT, Templates};
use super::{Desk, LetterError, Reader, SUBJECT_CHARS_MAX, facts, markup, together};
use crate::model::fleet::Language;
use crate::model::notice::Letter;
use minijinja::Value;
use std::collections::BTreeSet;

/// One thing wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// From 1; `None` for what is wrong with all of it.
    pub line: Option<usize>,
    pub what: String,
    pub fix: String,
}

impl Problem {
    fn new(line: Option<usize>, what: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { line, what: what.into(), fix: fix.into() }
    }
}

/// What no page may hold: it would be fetched when a letter is read, or run.
const REMOTE: [&str; 8] = ["http:", "https:", "src=", "url(", "<script", "<link", "@import", "<iframe"];

/// The name of a template that `name` was probably meant to be.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = BUILT_IN.iter().map(|(name, _)| *name);
    names.min_by_key(|known| strsim::damerau_levenshtein(name, known)).filter(|known| {
        let distance = strsim::damerau_levenshtein(name, known);
        distance <= 4 && distance < known.len() / 2
    })
}

/// Puts `source` in the place of the template called `name`, if there is nothing wrong with it; else says what is.
pub fn replace(set: &mut Templates, name: &str, source: &str) -> Result<(), Vec<Problem>> {
    if !BUILT_IN.iter().any(|(known, _)| *known == name) {
        let fix = nearest(name).map_or_else(
            || "`noctule letters list` says which there are".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        return Err(vec![Problem::new(None, format!("no letter is written with {name:?}"), fix)]);
    }
    let mut changed = set.clone();
    if let Err(error) = changed.replace(name, source) {
        return Err(vec![said(&error, name)]);
    }
    let mut problems = BTreeSet::new();
    problems.extend(unknown_words(&changed, name, source));
    problems.extend(remote(name, source));
    for (_, letters) in samples::all() {
        problems.extend(written(&changed, name, &letters.iter().collect::<Vec<_>>()));
    }
    if problems.is_empty() {
        *set = changed;
        return Ok(());
    }
    // A word that is said to be unknown need not be told again by each letter that lacks it.
    let known: BTreeSet<usize> =
        problems.iter().filter(|p| p.what.starts_with(UNKNOWN)).filter_map(|p| p.line).collect();
    problems.retain(|p| p.what.starts_with(UNKNOWN) || p.line.is_none_or(|line| !known.contains(&line)));
    Err(problems.into_iter().collect())
}

const UNKNOWN: &str = "there is no word";

fn language(name: &str) -> Option<Language> {
    match name {
        _ if name.ends_with(".fr.txt") => Some(Language::Fr),
        _ if name.ends_with(".en.txt") => Some(Language::En),
        _ => None,
    }
}

fn desk() -> Desk {
    Desk {
        provider: "Service infogérance".to_owned(),
        email: "support@example.net".to_owned(),
        phone: Some("03 20 00 00 00".to_owned()),
        zone: crate::decide::civil::PROVIDER_ZONE,
        answer: Some("https://noctule.example.net/concertation/12/0/5bdcc146bf60754e6a042426089575c7".to_owned()),
    }
}

/// Writes a sample in every language that `name` is for; what goes wrong elsewhere is not its fault.
fn written(set: &Templates, name: &str, letters: &[&Letter]) -> Vec<Problem> {
    let languages = match language(name) {
        Some(language) => vec![language],
        None => vec![Language::Fr, Language::En],
    };
    let mut problems = Vec::new();
    for language in languages {
        let reader = Reader { name: Some("Mme Claire Morel".to_owned()), language };
        match set.render(letters, &reader, &desk()) {
            Err(error) if concerns(&error, name) => problems.push(said(&error, name)),
            Err(_) => {}
            Ok(_) if !is_of(name, letters, language) => {}
            Ok(rendered) if rendered.subject.is_empty() => problems.push(Problem::new(
                None,
                "the letter has no subject",
                "begin with a line such as `# {{ product }} {{ version }}`, alone on its line",
            )),
            Ok(rendered) if rendered.subject.chars().count() >= SUBJECT_CHARS_MAX => {
                let what = format!("the subject has {SUBJECT_CHARS_MAX} characters or more, and is cut");
                problems.push(Problem::new(None, what, "make it shorter; what follows belongs in the letter"));
            }
            Ok(_) => {}
        }
    }
    problems
}

/// Whether `name` is the letter's own template, which has to give it a subject.
fn is_of(name: &str, letters: &[&Letter], language: Language) -> bool {
    context(letters, language).is_some_and(|(template, _)| super::named(template, language) == name)
}

fn context(letters: &[&Letter], language: Language) -> Option<(&'static str, Value)> {
    match letters {
        [letter] => Some(facts::of(letter, language, &desk())),
        several => together::of(several, language),
    }
}

fn concerns(error: &LetterError, name: &str) -> bool {
    error.template == name
        || error.source.name() == Some(name)
        || causes(error).iter().any(|at| at.name() == Some(name))
}

/// The error and those it comes from: an included template names itself only there.
fn causes(error: &LetterError) -> Vec<&minijinja::Error> {
    let mut causes = vec![&error.source];
    while let Some(cause) = causes.last().and_then(|last| std::error::Error::source(*last)?.downcast_ref()) {
        causes.push(cause);
    }
    causes
}

fn said(error: &LetterError, name: &str) -> Problem {
    let at = causes(error).into_iter().rfind(|at| at.name() == Some(name)).unwrap_or(&error.source);
    let what = at.detail().map_or_else(|| at.kind().to_string(), |detail| format!("{}: {detail}", at.kind()));
    let line = if at.name() == Some(name) { at.line() } else { None };
    Problem::new(line, what, "compare with the program's own: `noctule letters show` prints it")
}

/// Words that `source` takes and none of its letters brings.
fn unknown_words(set: &Templates, name: &str, source: &str) -> Vec<Problem> {
    let brought = words(name);
    let mut problems = Vec::new();
    for word in set.words_of(name).into_iter().filter(|word| !brought.contains(word)) {
        let place = source
            .lines()
            .position(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word));
        let near = brought.iter().min_by_key(|known| strsim::damerau_levenshtein(&word, known));
        let fix = match near {
            Some(near) if strsim::damerau_levenshtein(&word, near) <= 2 => format!("did you mean {near}?"),
            _ => format!("its letters bring: {}", brought.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        };
        problems.push(Problem::new(place.map(|at| at + 1), format!("{UNKNOWN} {word:?}"), fix));
    }
    problems
}

/// The words that letters bring to the template called `name`.
fn words(name: &str) -> BTreeSet<String> {
    let fixed: &[&str] = match name {
        LAYOUT => &["lang", "subject", "blocks"],
        _ if name.starts_with("closing.") => &["provider", "email", "phone"],
        _ => &[],
    };
    let mut words: BTreeSet<String> = fixed.iter().map(|word| (*word).to_owned()).collect();
    let Some(language) = language(name) else { return words };
    for (_, letters) in samples::all() {
        let Some((template, context)) = context(&letters.iter().collect::<Vec<_>>(), language) else { continue };
        // What is included has the words of whoever includes it.
        let includes = || {
            let whole = super::named(template, language);
            BUILT_IN.iter().any(|(of, source)| *of == whole && source.contains(&format!("include \"{name}\"")))
        };
        if super::named(template, language) == name || includes() {
            words.extend(context.try_iter().into_iter().flatten().map(|key| key.to_string()));
        }
    }
    words
}

/// Lines of the page that would fetch something when a letter is read.
fn remote(name: &str, source: &str) -> Vec<Problem> {
    if name != LAYOUT {
        return Vec::new();
    }
    let found = source.lines().enumerate().filter_map(|(at, line)| {
        let lower = line.to_lowercase();
        let word = REMOTE.iter().find(|word| lower.contains(**word))?;
        let what = format!("{word:?}: a letter loads and runs nothing when it is read");
        Some(Problem::new(Some(at + 1), what, "put styles and words into the page itself"))
    });
    found.collect()
}

/// A text on one line, for whoever prints a problem.
pub fn one_line(problem: &Problem) -> String {
    markup::line(&format!("{}; {}", problem.what, problem.fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, source: &str, expected: &[(Option<usize>, &str)]) {
        let mut set = Templates::built_in().clone();
        match replace(&mut set, name, source) {
            Ok(()) => assert!(expected.is_empty(), "{name}: {source:?} should be refused"),
            Err(problems) => {
                assert_eq!(problems.len(), expected.len(), "{problems:#?}");
                for (problem, (line, said)) in problems.iter().zip(expected) {
                    assert_eq!(problem.line, *line, "{problem:?}");
                    assert!(one_line(problem).contains(said), "{problem:?} should say {said:?}");
                }
            }
        }
    }

    #[test]
    fn the_programs_own_templates_have_nothing_wrong() {
        for (name, source) in BUILT_IN {
            check(name, source, &[]);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        check("minor_planed.fr.txt", "# x", &[(None, "did you mean minor_planned.fr.txt?")]);
        check("notes.txt", "# x", &[(None, "noctule letters list")]);
        check("minor_planned.fr.txt", "# {{ product }}\n\n{% if from %}x", &[(Some(3), "syntax error")]);
        check("minor_planned.fr.txt", "# {{ prodct }}\ntext", &[(Some(1), "did you mean product?")]);
        check(
            "minor_planned.fr.txt",
            "\n# {{ product }}\n{{ nothing_of_it }}",
            &[(Some(3), "its letters bring: closes_access")],
        );
        check("minor_planned.fr.txt", "{{ product }}", &[(None, "no subject")]);
        check("minor_planned.fr.txt", "# {{ product | shout }}", &[(Some(1), "unknown filter")]);
        check(
            "closing.fr.txt",
            "Bien à vous,\n{{ product }}",
            &[(Some(2), "its letters bring: email, phone, provider")],
        );
        check("layout.html", "<html>\n<img src=\"x\">{{ subject }}", &[(Some(2), "loads and runs nothing")]);
        let long = format!("# {}", "x".repeat(300));
        check("alert.en.txt", &long, &[(None, "make it shorter")]);
    }

    #[test]
    fn a_good_one_takes_the_place_of_the_programs() {
        let mut set = Templates::built_in().clone();
        replace(&mut set, "minor_planned.fr.txt", "# Notre {{ product }}\nÀ bientôt.").unwrap();
        let letter = Letter::MinorPlanned(samples::minor());
        let reader = Reader { name: None, language: Language::Fr };
        let ours = set.render(&[&letter], &reader, &desk()).unwrap();
        assert_eq!(ours.subject, "Notre ISACOMPTA");
        let theirs = Templates::built_in().render(&[&letter], &reader, &desk()).unwrap();
        assert_ne!(ours.subject, theirs.subject);
    }
}
