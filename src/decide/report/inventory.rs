//! What a server ran at any moment, from what the history says of its inventory.

use super::Scene;
use crate::model::event::EventKind;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// One product on one server, over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// In order of time.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    at: DateTime<Utc>,
    before: Option<Version>,
    after: Option<Version>,
}

/// Every product of every server, by server and product.
pub(super) fn timelines(scene: &Scene) -> BTreeMap<(String, String), Timeline> {
    let mut all: BTreeMap<(String, String), Timeline> = BTreeMap::new();
    for event in scene.events.iter().filter(|e| e.body.kind == EventKind::InventoryChanged) {
        let (Some(server), Some(product)) = (&event.body.server, &event.body.product) else { continue };
        if let Some((before, after)) = read(&event.body.text) {
            let change = Change { at: event.body.at, before, after };
            all.entry((server.clone(), product.clone())).or_default().changes.push(change);
        }
    }
    all
}

/// When the server first said what it runs: from then on it is under our care.
pub(super) fn first_found(scene: &Scene, server: &str) -> Option<DateTime<Utc>> {
    let own = scene.events.iter().map(|e| &e.body).filter(|e| e.server.as_deref() == Some(server));
    own.filter(|e| e.kind == EventKind::InventoryChanged).map(|e| e.at).min()
}

/// The versions before and after, of a line that `work::report` wrote.
fn read(text: &str) -> Option<(Option<Version>, Option<Version>)> {
    let version = |word: &str| word.parse::<Version>().ok();
    match *text.split(' ').collect::<Vec<_>>().as_slice() {
        [_, new, "found", ..] => Some((None, Some(version(new)?))),
        [_, "went", "from", old, "to", new] => Some((Some(version(old)?), Some(version(new)?))),
        [_, old, "is", "no", "longer", ..] => Some((Some(version(old)?), None)),
        _ => None,
    }
}

impl Timeline {
    /// What ran at `at`, as far as it was known by then.
    pub fn at(&self, at: DateTime<Utc>) -> Option<&Version> {
        match self.changes.iter().rfind(|change| change.at <= at) {
            Some(change) => change.after.as_ref(),
            None => self.changes.first()?.before.as_ref(),
        }
    }

    /// When it was first found after `at`, and in which version.
    pub fn found_after(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, &Version)> {
        self.changes.iter().filter(|change| at < change.at).find_map(|c| Some((c.at, c.after.as_ref()?)))
    }

    /// When a version at least as new as `version` was first found after `since`.
    pub fn reached(&self, version: &Version, since: DateTime<Utc>) -> Option<(DateTime<Utc>, &Version)> {
        let reaches = |c: &'_ Change| c.after.as_ref().is_some_and(|after| after >= version);
        self.changes.iter().filter(|c| since < c.at && reaches(c)).find_map(|c| Some((c.at, c.after.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_history_are_understood() {
        let version = |text: &str| Some(text.parse::<Version>().unwrap());
        for (text, told) in [
            ("isaged 3.8.0 found on the server", Some((None, version("3.8.0")))),
            ("isaged went from 3.8.0 to 3.8.1", Some((version("3.8.0"), version("3.8.1")))),
            ("isaged 3.8.1 is no longer on the server", Some((version("3.8.1"), None))),
            ("isaged is something else", None),
        ] {
            assert_eq!(read(text), told, "{text}");
        }
    }

    #[test]
    fn a_timeline_answers_for_any_moment() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let change = |when: &str, before: Option<&str>, after: Option<&str>| Change {
            at: at(when),
            before: before.map(|v| v.parse().unwrap()),
            after: after.map(|v| v.parse().unwrap()),
        };
        let timeline = Timeline {
            changes: vec![
                change("2026-05-01T00:00:00Z", None, Some("1.0")),
                change("2026-05-03T00:00:00Z", Some("1.0"), Some("1.2")),
            ],
        };
        let ran = |when: &str| timeline.at(at(when)).map(|v| v.as_str());
        assert_eq!(ran("2026-04-30T23:59:59Z"), None);
        assert_eq!(ran("2026-05-01T00:00:00Z"), Some("1.0"));
        assert_eq!(ran("2026-05-02T23:59:59Z"), Some("1.0"));
        assert_eq!(ran("2026-05-03T00:00:00Z"), Some("1.2"));
        let one: Version = "1.1".parse().unwrap();
        assert_eq!(timeline.reached(&one, at("2026-05-01T00:00:00Z")).map(|r| r.1.as_str()), Some("1.2"));
        assert_eq!(timeline.reached(&one, at("2026-05-03T00:00:00Z")), None);
        assert_eq!(timeline.found_after(at("2026-04-01T00:00:00Z")).map(|r| r.1.as_str()), Some("1.0"));
    }
}
