//! Several updates of one night in one letter: each release once, with the servers it goes to.

use super::facts::{manifest_words, product_name};
use super::gather::{self, Told};
use super::markup::line;
use super::when;
use crate::model::fleet::Language;
use crate::model::notice::{Installation, Letter};
use minijinja::value::merge_maps;
use minijinja::{Value, context};

/// The template for letters that go together and the words for it; `None` for those that never do.
pub fn of(letters: &[&Letter], language: Language) -> Option<(&'static str, Value)> {
    let (told, first) = gather::told(letters.first()?)?;
    let all = letters.iter().map(|letter| gather::told(letter).map(|(_, it)| it));
    let all: Vec<&Installation> = all.collect::<Option<_>>()?;
    let template = match told {
        Told::Before => "planned_together",
        Told::After => "installed_together",
    };
    let mut servers: Vec<String> = all.iter().map(|it| line(&it.server)).collect();
    servers.sort();
    servers.dedup();
    let releases = releases(&all);
    let closing: Vec<String> = releases
        .iter()
        .filter(|(_, on)| on.iter().any(|it| it.manifest.closes_access))
        .map(|(it, _)| product_name(&it.product))
        .collect();
    let words = context! {
        releases => releases.iter().map(|(it, on)| release_words(it, on, language)).collect::<Vec<_>>(),
        where => listed(&servers, language),
        servers => servers,
        closing => closing,
        when => when::slot(language, first.slot, first.zone),
        short => when::short_slot(language, first.slot, first.zone),
    };
    Some((template, words))
}

/// `a`, `a et b`, `a, b et c`.
fn listed(names: &[String], language: Language) -> String {
    let and = if language == Language::Fr { " et " } else { " and " };
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{}{and}{last}", before.join(", ")),
        _ => names.join(", "),
    }
}

/// Each release with its installations, in the order in which they come.
fn releases<'a>(all: &[&'a Installation]) -> Vec<(&'a Installation, Vec<&'a Installation>)> {
    let mut releases: Vec<(&Installation, Vec<&Installation>)> = Vec::new();
    for it in all {
        match releases.iter_mut().find(|(known, _)| known.product == it.product && known.to == it.to) {
            Some((_, on)) => on.push(it),
            None => releases.push((it, vec![it])),
        }
    }
    releases
}

fn release_words(it: &Installation, on: &[&Installation], language: Language) -> Value {
    let words = context! {
        product => product_name(&it.product),
        version => line(it.to.as_str()),
        servers => on.iter().map(|it| server_words(it, language)).collect::<Vec<_>>(),
    };
    merge_maps([words, manifest_words(&it.manifest, language)])
}

fn server_words(it: &Installation, language: Language) -> Value {
    context! {
        server => line(&it.server),
        from => it.from.as_ref().map(|from| line(from.as_str())),
        finished => it.finished_at.map(|at| when::brief_moment(language, at, it.zone)),
        deadline => it.deadline.map(|at| when::moment(language, at, it.zone)),
        late => it.is_late(),
    }
}
