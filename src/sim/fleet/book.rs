//! What a database would hold: deployments, events, letters, alerts, written together or not at all.

use super::figures::Figures;
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::{self, Desk, Reader};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::deployment::Deployment;
use crate::model::event::NewEvent;
use crate::model::fleet::Language;
use crate::model::notice::NewNotice;
use chrono::{DateTime, Utc};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Every so-manieth letter is written out in full, beside the first of each kind.
const LETTERS_BETWEEN: usize = 97;

/// Written together.
#[derive(Default)]
pub struct Written {
    pub deployments: Vec<Deployment>,
    pub events: Vec<NewEvent>,
    pub notices: Vec<NewNotice>,
    pub alerts: Vec<NewAlert>,
    pub resolved: Vec<String>,
}

/// The whole record.
pub struct Book {
    /// Those that are open: of what is over nobody asks again, and a year of it would fill the memory.
    pub deployments: BTreeMap<i64, Deployment>,
    /// Lines of history so far.
    pub events: u64,
    /// The keys of all letters: none is written twice. Nobody asks for their order.
    letters: HashSet<String>,
    kinds: BTreeSet<&'static str>,
    /// Letters that wait for the mail server.
    pub waiting: usize,
    pub mail_down: bool,
    /// Title of each open alert, by its cause.
    alerts: BTreeMap<String, String>,
    /// Letters and alerts in words, where the story is told, until whoever tells it takes them.
    pub told: Vec<String>,
    tells: bool,
    /// When the entry is written, where no line of history goes before what is told of it.
    bare: Option<DateTime<Utc>>,
    next_id: i64,
    desk: Desk,
}

impl Book {
    pub fn new(tells: bool) -> Book {
        Book {
            deployments: BTreeMap::new(),
            events: 0,
            letters: HashSet::new(),
            kinds: BTreeSet::new(),
            waiting: 0,
            mail_down: false,
            alerts: BTreeMap::new(),
            told: Vec::new(),
            tells,
            bare: None,
            next_id: 1,
            desk: Desk {
                provider: "Infogérance".to_owned(),
                email: "infogerance@example.net".to_owned(),
                phone: None,
                zone: PROVIDER_ZONE,
                answer: None,
            },
        }
    }

    /// The first of `n` fresh ids.
    pub fn allocate(&mut self, n: u32) -> i64 {
        let first = self.next_id;
        self.next_id += i64::from(n);
        first
    }

    /// Writes an entry. Notices whose key is there already are left as they are, alerts with an open cause too.
    pub fn write(&mut self, entry: Written, now: DateTime<Utc>, figures: &mut Figures) {
        for deployment in entry.deployments {
            if deployment.state.is_open() {
                self.deployments.insert(deployment.id, deployment);
            } else {
                self.deployments.remove(&deployment.id);
            }
        }
        self.bare = entry.events.is_empty().then_some(now);
        self.events += entry.events.len() as u64;
        for event in &entry.events {
            figures.event(event);
        }
        for notice in entry.notices {
            self.post(notice, now, figures);
        }
        for cause in entry.resolved {
            if let Some(title) = self.alerts.remove(&cause) {
                figures.alerts_resolved += 1;
                self.tell(|| format!("alert over: {title}"));
            }
        }
        for alert in entry.alerts {
            if let Entry::Vacant(place) = self.alerts.entry(alert.cause.clone()) {
                figures.alert(&alert);
                place.insert(alert.title.clone());
                let team = match alert.class {
                    AlertClass::Applications => "applications",
                    AlertClass::Systems => "systems",
                };
                self.tell(|| format!("alert to {team}: {}", alert.title));
            }
        }
    }

    /// A line under the one that it follows from.
    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.tells {
            let at = |at: DateTime<Utc>| at.with_timezone(&PROVIDER_ZONE).format("%a %-d %b %H:%M").to_string();
            self.told.push(format!("{}  {}", self.bare.map_or_else(|| "  ".to_owned(), at), line()));
        }
    }

    fn post(&mut self, notice: NewNotice, now: DateTime<Utc>, figures: &mut Figures) {
        if self.letters.contains(&notice.key) {
            return;
        }
        let kind = notice.letter.name();
        let first = self.kinds.insert(kind);
        if (first || self.letters.len().is_multiple_of(LETTERS_BETWEEN))
            && let Err(error) = self.render(&notice)
        {
            figures.violate(now, notice.server.clone(), "minor-content-notice", format!("{kind}: {error}"));
        }
        *figures.letters.entry(kind.to_owned()).or_default() += 1;
        self.tell(|| format!("letter to {}: {kind}", notice.client.as_deref().unwrap_or("staff")));
        self.letters.insert(notice.key);
        if self.mail_down {
            self.waiting += 1;
            figures.letters_delayed += 1;
        }
    }

    fn render(&self, notice: &NewNotice) -> Result<(), String> {
        for language in [Language::Fr, Language::En] {
            let reader = Reader { name: Some("Mme Martin".to_owned()), language };
            let letter = letters::render(&notice.letter, &reader, &self.desk).map_err(|e| e.to_string())?;
            if letter.subject.is_empty() || letter.text.is_empty() || letter.html.is_empty() {
                return Err("a part is empty".to_owned());
            }
        }
        Ok(())
    }

    /// Whether a letter with this key was written.
    pub fn has_letter(&self, key: &str) -> bool {
        self.letters.contains(key)
    }

    /// Alerts that nobody's reason took back.
    pub fn open_alerts(&self) -> usize {
        self.alerts.len()
    }
}
