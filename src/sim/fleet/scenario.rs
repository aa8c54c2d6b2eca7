//! Scenario files: a small fleet and what happens to it, as people write them.
//!
//! Times without an offset are Paris time. Unknown fields are errors; each `[[happens]]` says exactly one thing.

use super::chance::Faults;
use super::engine::Setup;
use super::happening::{End, Happening};
use super::releases;
use crate::decide::handout::INVENTORY;
use crate::decide::terms::Terms;
use crate::model::agreement::Agreed;
use crate::model::fleet::Client;
use crate::model::hold::HoldOn;
use crate::model::manifest::{Companion, Requirement, Text};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Minutes from one planning to the next, as the planning job has it.
const PLAN_MINUTES: i64 = 5;

#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("happens {number} (at {at}): {what}")]
    Happens { number: usize, at: String, what: String },
    #[error("{place}: {text:?} is not a time; write YYYY-MM-DD HH:MM (Paris time) or an RFC 3339 instant")]
    Time { place: String, text: String },
    #[error("there is no schedule {schedule:?}; there are: {known}")]
    NoSchedule { schedule: String, known: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// One line of what it shows.
    title: String,
    from: NaiveDate,
    nights: i64,
    #[serde(default, rename = "client")]
    clients: Vec<Client>,
    /// Server → product → version found at the start.
    #[serde(default)]
    installed: BTreeMap<String, BTreeMap<String, Version>>,
    #[serde(default, rename = "release")]
    releases: Vec<ReleaseLine>,
    #[serde(default)]
    happens: Vec<Happens>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseLine {
    at: String,
    product: String,
    version: Version,
    #[serde(default = "minor")]
    change: Change,
    #[serde(default = "twenty")]
    minutes: u32,
    rollback: Option<u32>,
    #[serde(default)]
    manual: bool,
    upgrade_from: Option<Version>,
    #[serde(default)]
    requires: BTreeMap<String, Version>,
    #[serde(default)]
    installs_with: BTreeMap<String, Version>,
    legal_date: Option<NaiveDate>,
}

fn minor() -> Change {
    Change::Minor
}

fn twenty() -> u32 {
    20
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Happens {
    at: String,
    retracted: Option<Withdrawal>,
    requested: Option<Demand>,
    request_cancelled: Option<Cancel>,
    agreed_slot: Option<AgreedSlot>,
    agreed_closed: Option<AgreedClosed>,
    agreed_notice: Option<Demand>,
    held: Option<Holding>,
    lifted: Option<HoldOn>,
    resumed: Option<Which>,
    backups_fail: Option<String>,
    backups_work: Option<String>,
    backed_up: Option<String>,
    silent: Option<Silence>,
    next_install: Option<Next>,
    restarted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    product: String,
    version: Version,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    product: String,
    version: Version,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demand {
    client: String,
    product: String,
    version: Version,
    before: NaiveDate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    client: String,
    product: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreedSlot {
    client: String,
    server: String,
    product: String,
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreedClosed {
    client: String,
    server: Option<String>,
    from: NaiveDate,
    to: NaiveDate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holding {
    #[serde(flatten)]
    on: HoldOn,
    until: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    server: String,
    until: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    server: String,
    ends: Ends,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ends {
    Installed,
    RolledBack,
    Failed,
    Lost,
}

/// Reads a scenario; `terms` are the schedules by name. Returns its title too.
pub fn read(text: &str, terms: &BTreeMap<String, Arc<Terms>>) -> Result<(String, Setup), ScenarioError> {
    let file: File = toml::from_str(text)?;
    for client in &file.clients {
        if !terms.contains_key(&client.schedule) {
            let known = terms.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(ScenarioError::NoSchedule { schedule: client.schedule.clone(), known });
        }
    }
    let start = file.from.and_time(NaiveTime::MIN).and_utc();
    let (mut known, mut happenings) = (first_releases(&file, start), Vec::new());
    for line in file.releases {
        let at = instant(&line.at, "release")?;
        let release = release(line, at);
        if at < start {
            known.push(release);
        } else {
            happenings.push((at, Happening::Published(Box::new(release))));
        }
    }
    for (number, happens) in file.happens.into_iter().enumerate() {
        let at = instant(&happens.at, "happens")?;
        let text = happens.at.clone();
        let wrong = |what: String| ScenarioError::Happens { number: number + 1, at: text.clone(), what };
        let mut said = happens.said()?;
        match (said.pop(), said.pop()) {
            (Some(happening), None) => happenings.push((at, happening)),
            (None, _) => return Err(wrong("nothing happens; write one of retracted, requested, held, …".to_owned())),
            (Some(_), Some(_)) => return Err(wrong("two things happen; write two [[happens]]".to_owned())),
        }
    }
    happenings.sort_by_key(|(at, _)| *at);
    let states = file
        .installed
        .into_iter()
        .map(|(server, inventory)| {
            (
                server,
                ServerState {
                    inventory,
                    capabilities: BTreeSet::from([INVENTORY.to_owned()]),
                    ..ServerState::default()
                },
            )
        })
        .collect();
    let setup = Setup {
        terms: terms.clone(),
        clients: file.clients,
        states,
        releases: known,
        happenings,
        from: file.from,
        nights: file.nights,
        plan_minutes: PLAN_MINUTES,
        seed: 0,
        faults: Faults::NONE,
    };
    Ok((file.title, setup))
}

/// Whatever is installed at the start was published long before.
fn first_releases(file: &File, start: DateTime<Utc>) -> Vec<Release> {
    let mut known = BTreeMap::new();
    for (product, version) in file.installed.values().flatten() {
        known.entry((product, version)).or_insert_with(|| {
            releases::release(releases::manifest(product, version, Change::Minor, 20), start - TimeDelta::days(60))
        });
    }
    known.into_values().collect()
}

fn release(line: ReleaseLine, at: DateTime<Utc>) -> Release {
    let mut manifest = releases::manifest(&line.product, &line.version, line.change, line.minutes);
    manifest.rollback_minutes = line.rollback.unwrap_or(manifest.rollback_minutes);
    manifest.manual_steps = line.manual.then(|| Text { fr: "À la main.".to_owned(), en: None });
    manifest.upgrade_from = line.upgrade_from;
    manifest.legal_date = line.legal_date;
    let required = line.requires.into_iter();
    manifest.requires = required.map(|(product, at_least)| Requirement { product, at_least }).collect();
    let with = line.installs_with.into_iter();
    manifest.installs_with = with.map(|(product, version)| Companion { product, version }).collect();
    releases::release(manifest, at)
}

fn instant(text: &str, place: &str) -> Result<DateTime<Utc>, ScenarioError> {
    let wrong = || ScenarioError::Time { place: place.to_owned(), text: text.to_owned() };
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let civil = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").map_err(|_| wrong())?;
    chrono_tz::Europe::Paris.from_local_datetime(&civil).earliest().map(|at| at.to_utc()).ok_or_else(wrong)
}

impl Happens {
    fn said(self) -> Result<Vec<Happening>, ScenarioError> {
        let mut said = Vec::new();
        said.extend(self.retracted.map(|Withdrawal { product, version, reason }| Happening::Retracted {
            product,
            version,
            reason,
        }));
        said.extend(self.requested.map(|Demand { client, product, version, before }| Happening::Requested {
            client,
            product,
            version,
            before,
        }));
        said.extend(
            self.request_cancelled.map(|Cancel { client, product }| Happening::RequestCancelled { client, product }),
        );
        if let Some(AgreedSlot { client, server, product, from, to }) = self.agreed_slot {
            let (start, end) = (instant(&from, "agreed_slot.from")?, instant(&to, "agreed_slot.to")?);
            let slot = Slot::new(start, end).ok_or_else(|| ScenarioError::Time {
                place: "agreed_slot (it ends before it begins)".to_owned(),
                text: to,
            })?;
            said.push(Happening::Agreed { client, agreed: Agreed::Slot { server, product, slot } });
        }
        said.extend(self.agreed_closed.map(|AgreedClosed { client, server, from, to }| Happening::Agreed {
            client,
            agreed: Agreed::ClosedPeriod { server, from, to },
        }));
        said.extend(self.agreed_notice.map(|Demand { client, product, version, before }| Happening::Agreed {
            client,
            agreed: Agreed::ShortNotice { product, version, before },
        }));
        if let Some(Holding { on, until, reason }) = self.held {
            let until = until.map(|text| instant(&text, "held.until")).transpose()?;
            said.push(Happening::Held { on, until, reason });
        }
        said.extend(self.lifted.map(|on| Happening::Lifted { on }));
        said.extend(self.resumed.map(|Which { product, version }| Happening::Resumed { product, version }));
        said.extend(self.backups_fail.map(|server| Happening::BackupsFail { server, fail: true }));
        said.extend(self.backups_work.map(|server| Happening::BackupsFail { server, fail: false }));
        said.extend(self.backed_up.map(|server| Happening::BackedUp { server }));
        if let Some(Silence { server, until }) = self.silent {
            said.push(Happening::Silent { server, until: instant(&until, "silent.until")? });
        }
        said.extend(
            self.next_install.map(|Next { server, ends }| Happening::NextInstall { server, ends: ends.into() }),
        );
        said.extend(self.restarted.filter(|yes| *yes).map(|_| Happening::Restarted));
        Ok(said)
    }
}

impl From<Ends> for End {
    fn from(ends: Ends) -> End {
        match ends {
            Ends::Installed => End::Installed,
            Ends::RolledBack => End::RolledBack,
            Ends::Failed => End::Failed,
            Ends::Lost => End::Lost,
        }
    }
}
