//! What is believed of a release whose signatures are good: a publisher signs for its own products, once, and soundly.
//!
//! Pure: everything known is an argument. An objection is a sentence; the release is looked at again at every refresh.

use crate::decide::circles;
use crate::edge::manifest_file;
use crate::model::manifest::{Manifest, SignedManifest};
use crate::model::release::ReleaseId;
use crate::model::version::Change;
use chrono::{DateTime, TimeDelta, Utc};

/// How far a publisher's clock may be ahead of ours, in minutes.
const AHEAD_MINUTES_MAX: i64 = 60;

/// Which release a manifest is about.
pub(super) fn id(signed: &SignedManifest) -> ReleaseId {
    ReleaseId { product: signed.manifest.product.clone(), version: signed.manifest.version.clone() }
}

/// What is to be done about a release that a feed lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not taken, and why.
    Refused(String),
    /// Taken before, or listed twice under two spellings of one version.
    Known,
    /// To be taken, once its package is here.
    New,
}

/// Judges what one feed lists, in this order, against the releases `known` of all publishers.
pub(super) fn judge(listed: &[&SignedManifest], known: &[SignedManifest], now: DateTime<Utc>) -> Vec<Verdict> {
    let everything: Vec<&SignedManifest> = known.iter().chain(listed.iter().copied()).collect();
    let everything: Vec<&Manifest> = everything.into_iter().map(|signed| &*signed.manifest).collect();
    let circular = circles::circular(&everything);
    // What is known, and what this feed adds to it.
    let mut taken: Vec<&SignedManifest> = known.iter().collect();
    let mut verdicts = Vec::new();
    for new in listed.iter().copied() {
        let id = id(new);
        verdicts.push(if let Some(why) = objection(new, taken.iter().copied(), now) {
            Verdict::Refused(why)
        } else if taken.iter().any(|known| self::id(known) == id) {
            Verdict::Known
        } else if let Some(circle) = circular.get(&id) {
            Verdict::Refused(circle.to_string())
        } else if let Some(apart) = circles::apart(&new.manifest, &everything) {
            Verdict::Refused(apart.to_string())
        } else {
            taken.push(new);
            Verdict::New
        });
    }
    verdicts
}

/// Why `new` is not taken, given the releases `known` before. `known` may hold `new` itself, unchanged.
pub(super) fn objection<'a>(
    new: &SignedManifest,
    known: impl Iterator<Item = &'a SignedManifest>,
    now: DateTime<Utc>,
) -> Option<String> {
    for old in known.filter(|old| old.manifest.product == new.manifest.product) {
        if old.publisher != new.publisher {
            return Some(format!("{} is a product of {}", new.manifest.product, old.publisher));
        }
        if old.manifest.version == new.manifest.version && old != new {
            return Some("it was changed after its publication; the first one stays in force".to_owned());
        }
    }
    if new.published_at > now + TimeDelta::minutes(AHEAD_MINUTES_MAX) {
        return Some(format!("it is dated in the future, {}", new.published_at.to_rfc3339()));
    }
    let problems = manifest_file::problems(&new.manifest);
    let told: Vec<String> = problems.into_iter().map(|p| format!("`{}`: {}", p.place, p.what)).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// What the version numbers say, where they contradict the manifest's `change`.
pub(super) fn contradiction<'a>(
    new: &SignedManifest,
    known: impl Iterator<Item = &'a SignedManifest>,
) -> Option<Change> {
    let m = &new.manifest;
    let before = known
        .map(|old| &old.manifest)
        .filter(|old| old.product == m.product && old.version < m.version)
        .max_by(|a, b| a.version.cmp(&b.version))?;
    m.version.change_from(&before.version, m.scheme).filter(|said| *said != m.change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn now() -> DateTime<Utc> {
        "2026-04-29T12:00:00Z".parse().unwrap()
    }

    fn signed(product: &str, version: &str, requires: &[(&str, &str)]) -> SignedManifest {
        let requires: Vec<_> =
            requires.iter().map(|(p, v)| serde_json::json!({ "product": p, "at_least": v })).collect();
        serde_json::from_value(serde_json::json!({
            "publisher": "agiris", "published_at": now(), "size": 1, "sha256": "00",
            "manifest": {
                "product": product, "version": version, "change": "minor", "notes": { "fr": "Corrections." },
                "duration_minutes": 5, "rollback_minutes": 5, "requires": requires,
                "package": { "file": "p.zip" }, "installer": { "kind": "zip" },
                "health": { "files": ["VERSION"], "timeout_seconds": 5 }, "detect": { "version_file": "VERSION" },
            }
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(new: &SignedManifest, known: &[SignedManifest], expected: Option<&str>) {
        let said = objection(new, known.iter(), now());
        match expected {
            None => assert_eq!(said, None),
            Some(part) => assert!(said.as_ref().is_some_and(|s| s.contains(part)), "{said:?}"),
        }
    }

    #[test]
    fn a_publisher_signs_for_its_own_products_once_and_soundly() {
        let old = signed("isacompta", "14.20.003", &[]);
        check(&old, &[], None);
        check(&old, std::slice::from_ref(&old), None);
        let theirs = SignedManifest { publisher: "eic".into(), ..signed("isacompta", "14.20.004", &[]) };
        check(&theirs, std::slice::from_ref(&old), Some("isacompta is a product of agiris"));
        let changed = SignedManifest { size: 2, ..signed("isacompta", "14.20.3", &[]) };
        check(&changed, std::slice::from_ref(&old), Some("changed after its publication"));
        let at = |minutes| SignedManifest { published_at: now() + TimeDelta::minutes(minutes), ..old.clone() };
        check(&at(AHEAD_MINUTES_MAX), &[], None);
        check(&at(AHEAD_MINUTES_MAX + 1), &[], Some("in the future"));
        let mut unsound = old.clone();
        Arc::make_mut(&mut unsound.manifest).duration_minutes = 0;
        check(&unsound, &[], Some("`duration_minutes`"));
    }

    #[test]
    fn a_circle_is_refused_with_its_way_and_what_is_known_stays() {
        let known = [SignedManifest { publisher: "eic".into(), ..signed("c", "1", &[("a", "2")]) }];
        let (first, second) = (signed("a", "1", &[]), signed("a", "2", &[("c", "1")]));
        let verdicts = judge(&[&first, &second], &known, now());
        let why = "what it requires requires it in turn (a 2, c 1), so it can never be installed".to_owned();
        assert_eq!(verdicts, [Verdict::New, Verdict::Refused(why)]);
    }

    #[test]
    fn numbers_may_contradict_the_manifest() {
        let old = [signed("a", "14.20", &[]), signed("a", "16.1", &[])];
        assert_eq!(contradiction(&signed("a", "15.00", &[]), old.iter()), Some(Change::Major));
        assert_eq!(contradiction(&signed("a", "14.30", &[]), old.iter()), None);
        assert_eq!(contradiction(&signed("b", "15.00", &[]), old.iter()), None);
    }
}
