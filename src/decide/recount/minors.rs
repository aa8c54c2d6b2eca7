//! What was due and whether it was there, from what was published, found and installed.

use super::Case;
use super::line::{instant_after, version, word_after};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::version::{Change, Scheme, Version};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeMap;

struct Published {
    product: String,
    version: Version,
    at: DateTime<Utc>,
    change: Change,
    is_manual: bool,
    scheme: Scheme,
    withdrawn: Option<DateTime<Utc>>,
}

pub(super) fn add(case: &Case, from: DateTime<Utc>, to: DateTime<Utc>, facts: &mut BTreeMap<String, String>) {
    let published = published(case);
    for server in &case.client.servers {
        let Some(checker) = case.checker(Some(&server.id)) else { continue };
        for release in published.iter().filter(|p| p.change == Change::Minor && !p.is_manual) {
            let Some(due) = checker.minor_due(release.at).filter(|due| from <= *due && *due < to) else { continue };
            let ordered = case.client.order.contains(&release.product);
            let over = runs_before(case, &server.id, release, due).filter(|over| is_minor(release, over, &published));
            if !ordered || over.is_none() || case.now < release.at {
                continue;
            }
            let there = there(case, &server.id, release);
            let left = release.withdrawn.filter(|at| there.is_none_or(|there| *at < there));
            let told = match (there, left) {
                (_, Some(left)) if left <= due => "withdrawn".to_owned(),
                (Some(at), _) => {
                    let word = if at <= due { "on time" } else { "late" };
                    format!("{word} {}", at.to_rfc3339_opts(SecondsFormat::Millis, true))
                }
                (None, _) if case.now <= due => continue,
                (None, _) => "missed".to_owned(),
            };
            facts.insert(format!("minor {} {} {}", server.id, release.product, release.version), told);
        }
    }
}

fn published(case: &Case) -> Vec<Published> {
    let own = || case.provider.iter().map(|e| &e.body).filter(|e| e.client == PROVIDER);
    let mut all: Vec<Published> = own()
        .filter(|e| e.kind == EventKind::ReleasePublished)
        .filter_map(|e| {
            let told = e.text.split_once('(')?.1;
            let is_major = told.starts_with("major") || told.contains("it is treated as major");
            Some(Published {
                product: e.product.clone()?,
                version: version(&e.text)?,
                at: instant_after(&e.text, " on ").unwrap_or(e.at),
                change: if is_major { Change::Major } else { Change::Minor },
                is_manual: told.contains(", manual"),
                scheme: if told.contains(", numbered by year") { Scheme::Year } else { Scheme::Dotted },
                withdrawn: None,
            })
        })
        .collect();
    for e in own().filter(|e| e.kind == EventKind::ReleaseRetracted) {
        let known = all
            .iter_mut()
            .find(|p| e.product.as_ref() == Some(&p.product) && version(&e.text).as_ref() == Some(&p.version));
        if let Some(known) = known {
            known.withdrawn = instant_after(&e.text, " on ").or(Some(e.at));
        }
    }
    all
}

/// What a release goes over: what ran when it was published, else what was found first before it was due.
fn runs_before(case: &Case, server: &str, release: &Published, due: DateTime<Utc>) -> Option<Version> {
    let mut runs: Option<Version> = None;
    for (at, before, after) in found(case, server, &release.product) {
        if at <= release.at {
            runs = after;
        } else if runs.is_none() && at <= due {
            // Told after the publication: it ran before, or it came with the server.
            return before.or(after).filter(|v| *v < release.version);
        } else {
            break;
        }
    }
    runs.filter(|v| *v < release.version)
}

/// When a product was found to have changed on a server: before and after.
fn found(
    case: &Case,
    server: &str,
    product: &str,
) -> impl Iterator<Item = (DateTime<Utc>, Option<Version>, Option<Version>)> {
    let parsed = |word: Option<&str>| word.and_then(|word| word.parse::<Version>().ok());
    case.of(EventKind::InventoryChanged)
        .filter(move |e| e.server.as_deref() == Some(server) && e.product.as_deref() == Some(product))
        .map(move |e| match (word_after(&e.text, " went from "), word_after(&e.text, " to ")) {
            (Some(old), new) => (e.at, parsed(Some(old)), parsed(new)),
            (None, _) if e.text.ends_with("found on the server") => (e.at, None, version(&e.text)),
            (None, _) => (e.at, version(&e.text), None),
        })
}

fn is_minor(release: &Published, over: &Version, published: &[Published]) -> bool {
    let major_between = published.iter().any(|p| {
        p.product == release.product
            && p.change == Change::Major
            && p.at <= release.at
            && *over < p.version
            && p.version <= release.version
    });
    !major_between && release.version.change_from(over, release.scheme) != Some(Change::Major)
}

/// When the release, or a newer one, was there.
fn there(case: &Case, server: &str, release: &Published) -> Option<DateTime<Utc>> {
    let about = |e: &&NewEvent| e.server.as_deref() == Some(server) && e.product.as_ref() == Some(&release.product);
    let done =
        case.of(EventKind::Installed).filter(about).filter(|e| version(&e.text).is_some_and(|v| v >= release.version));
    let ours = done.map(|e| (instant_after(&e.text, "; it ended ").unwrap_or(e.at), e.deployment)).min();
    let by_hand = found(case, server, &release.product)
        .find(|(at, _, after)| release.at < *at && after.as_ref().is_some_and(|v| *v >= release.version))
        .map(|(at, ..)| at);
    let begun = |id: Option<i64>| {
        let told = case.of(EventKind::Started).find(|e| e.deployment == id)?;
        Some(instant_after(&told.text, " on ").unwrap_or(told.at))
    };
    match (ours, by_hand) {
        (Some((_, id)), Some(hand)) if begun(id).is_some_and(|begun| hand < begun) => Some(hand),
        (Some((at, _)), _) => Some(at),
        (None, hand) => hand,
    }
}
