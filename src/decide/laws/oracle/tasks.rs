//! What is to be done on one server, by when, and everything that would do it.

use super::site::Site;
use crate::decide::window::CompiledWindow;
use crate::model::fleet::Ring;
use crate::model::release::Release;
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

/// A version that has to be there by an instant: a minor by its deadline night, a major by the client's date.
#[derive(Clone, Debug)]
pub struct Task {
    pub product: String,
    pub at_least: Version,
    pub by: DateTime<Utc>,
    pub request: Option<i64>,
}

impl Task {
    pub fn is_same(&self, other: &Task) -> bool {
        (&self.product, &self.at_least, self.request) == (&other.product, &other.at_least, other.request)
    }
}

/// Whose slots something goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Night,
    Manual,
    Major,
}

/// One way to install one release.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    pub release: &'a Release,
    pub kind: Kind,
    pub slot: Slot,
    pub need: TimeDelta,
    /// The client's contact agreed to the slot: nobody else's room is asked.
    pub agreed: bool,
    /// The product it was agreed to for, where that is another one that it goes along with.
    pub with: Option<String>,
}

/// Every deadline that is not over, each product's earliest first.
pub fn of(site: &Site) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (product, installed) in &site.state.inventory {
        if !site.client.order.contains(product) || site.running().any(|d| d.product == *product) {
            continue;
        }
        for release in minors(site, product, installed).filter(|r| !r.manifest().is_manual()) {
            let (product, at_least, by) = (product.clone(), release.version().clone(), deadline(site, release));
            tasks.push(Task { product, at_least, by, request: None });
        }
        if let Some(request) = request(site, product, installed) {
            let next = request.before.succ_opt().unwrap().and_time(NaiveTime::MIN);
            let by = site.calendar.instant(next, crate::decide::calendar::Fold::Earlier);
            let (product, at_least) = (product.clone(), request.version.clone());
            tasks.push(Task { product, at_least, by, request: Some(request.id) });
        }
    }
    tasks.retain(|task| task.by > site.now());
    tasks.sort_by(|a, b| a.by.cmp(&b.by).then(b.at_least.cmp(&a.at_least)));
    tasks
}

/// The next deadline of each product: what comes after it is planned when it is done.
pub fn first_of_each(tasks: Vec<Task>) -> Vec<Task> {
    let mut first: Vec<Task> = Vec::new();
    for task in tasks {
        if !first.iter().any(|t| t.product == task.product && t.request.is_some() == task.request.is_some()) {
            first.push(task);
        }
    }
    first
}

/// The request that counts for a product here: the newest version asked for.
fn request<'a>(site: &Site<'a>, product: &str, installed: &Version) -> Option<&'a Request> {
    let counts = |r: &&Request| {
        r.client == site.client.id
            && r.product == product
            && r.state == RequestState::Accepted
            && r.version > *installed
            && (r.servers.is_empty() || r.servers.contains(&site.server.id))
    };
    let all = site.case.parts.requests.iter().filter(counts);
    all.max_by_key(|r| (r.version.clone(), r.received_at, r.id))
}

/// The end of the night that makes the contract's number, the night of the day of publication counted first.
fn deadline(site: &Site, release: &Release) -> DateTime<Utc> {
    let day = site.calendar.date(release.published_at());
    let from = release.published_at() - TimeDelta::days(2);
    let nights = site.terms.minor_window().slots(&site.calendar, from, from + TimeDelta::days(60));
    let (mut days, mut by) = (Vec::new(), release.published_at());
    for night in nights.into_iter().filter(|night| site.calendar.date(night.start) >= day) {
        let begins = site.calendar.date(night.start);
        if days.last() != Some(&begins) {
            days.push(begins);
        }
        if days.len() > site.terms.schedule.minor.deadline_nights as usize {
            break;
        }
        by = night.end;
    }
    by
}

fn published<'a>(site: &Site<'a>, product: &str) -> impl Iterator<Item = &'a Release> {
    let (now, product) = (site.now(), product.to_owned());
    site.case.parts.releases.iter().filter(move |r| r.product() == product && r.published_at() <= now)
}

/// A major by its own word, by its number, or because one lies between.
fn is_major(site: &Site, release: &Release, installed: &Version) -> bool {
    let numbers = release.version().change_from(installed, release.manifest().scheme);
    let between = |r: &Release| installed < r.version() && r.version() <= release.version();
    numbers == Some(Change::Major)
        || published(site, release.product()).any(|r| between(r) && r.manifest().change == Change::Major)
}

fn minors<'a>(site: &Site<'a>, product: &str, installed: &Version) -> impl Iterator<Item = &'a Release> {
    let all: Vec<&Release> = published(site, product)
        .filter(|r| r.version() > installed && r.retracted.is_none() && !is_major(site, r, installed))
        .collect();
    all.into_iter()
}

/// The releases in play here that name `release` as a companion: minors, and the major that was asked for.
pub fn naming<'a>(site: &Site<'a>, release: &Release) -> Vec<&'a Release> {
    let names = |r: &&Release| {
        let with = &r.manifest().installs_with;
        with.iter().any(|c| c.product == release.product() && c.version == *release.version())
    };
    let here = site.state.inventory.iter().filter(|(product, _)| site.client.order.contains(*product));
    here.flat_map(|(product, installed)| {
        let wanted = request(site, product, installed).map(|r| r.version.clone());
        let asked =
            published(site, product).filter(move |r| wanted.as_ref() == Some(r.version()) && r.retracted.is_none());
        minors(site, product, installed).chain(asked).collect::<Vec<_>>()
    })
    .filter(names)
    .collect()
}

/// Every way to install any release of a product: its minors, or the major that was asked for.
pub fn choices<'a>(site: &Site<'a>, product: &str, request: bool, until: DateTime<Utc>) -> Vec<Choice<'a>> {
    let Some(installed) = site.state.inventory.get(product) else { return Vec::new() };
    if !site.client.order.iter().any(|o| o == product) || site.running().any(|d| d.product == product) {
        return Vec::new();
    }
    let releases: Vec<&Release> = if request {
        let wanted = self::request(site, product, installed).map(|r| r.version.clone());
        let asked = |r: &&Release| wanted.as_ref() == Some(r.version());
        let mut all = published(site, product).filter(asked);
        all.find(|r| r.retracted.is_none() && is_major(site, r, installed)).into_iter().collect()
    } else {
        minors(site, product, installed).collect()
    };
    releases
        .into_iter()
        .filter(|r| may_go(site, r, installed, request))
        .flat_map(|r| slots(site, r, request, until))
        .collect()
}

/// Nothing stands in the way of the release here as such.
fn may_go(site: &Site, release: &Release, installed: &Version, request: bool) -> bool {
    let progress = site.case.parts.rollout.of(release);
    let terms = &site.terms.schedule.rollout;
    let share =
        |failed: u32, tried: u32| u64::from(failed) * 100 >= u64::from(terms.failures_percent) * u64::from(tried);
    let tried = progress.installed + progress.failed;
    let halted = progress.failed > 0
        && (progress.failed >= terms.failures_max || tried >= terms.sample_min && share(progress.failed, tried));
    let canaries = progress.canaries_installed + progress.canaries_failed;
    let stopped = site.server.ring == Ring::Broad
        && progress.canaries_failed > 0
        && share(progress.canaries_failed, canaries)
        && !request;
    !halted
        && !stopped
        && release.manifest().upgrade_from.as_ref().is_none_or(|oldest| oldest <= installed)
        && site.failed(release).len() < site.terms.schedule.retry.attempts_max as usize
        && site.holds(release).all(|hold| hold.until.is_some())
}

fn slots<'a>(site: &Site<'a>, release: &'a Release, request: bool, until: DateTime<Utc>) -> Vec<Choice<'a>> {
    let kind = match (request, release.manifest().is_manual()) {
        (true, _) => Kind::Major,
        (false, true) => Kind::Manual,
        (false, false) => Kind::Night,
    };
    let window: &CompiledWindow = match kind {
        Kind::Night => site.terms.minor_window(),
        Kind::Manual => site.terms.manual_window(),
        Kind::Major => site.terms.major_window(),
    };
    let (now, need) = (site.now(), site.need(release));
    let last_failed = site.failed(release).first().map(|d| d.slot.start);
    let held_until = site.holds(release).filter_map(|hold| hold.until).max();
    let announced = now + TimeDelta::hours(site.terms.schedule.manual.announce_hours.into());
    let told = |slot: Slot| {
        let mut promised = site.deployments().filter(|d| d.product == release.product() && d.to == *release.version());
        promised.any(|d| d.state == crate::model::deployment::DeploymentState::Planned && d.slot == slot)
    };
    let possible = |slot: &Slot| {
        slot.end > now
            && slot.end <= until
            && slot.end - slot.start.max(now) >= need
            && last_failed.is_none_or(|start| slot.start > start)
            && held_until.is_none_or(|until| until <= slot.start)
            && (slot.start >= release.published_at() || kind == Kind::Major)
    };
    let admissible = |slot: &Slot| {
        possible(slot)
            // What is open already is no slot for a major that was not promised it; it has begun.
            && (kind != Kind::Major || slot.start >= now || told(*slot))
            && (kind != Kind::Manual || slot.start >= announced || told(*slot))
            && !site.terms.barred_window().touches(&site.calendar, *slot)
            && !site.is_closed(*slot)
    };
    let contract = window.slots(&site.calendar, now - TimeDelta::days(1), until).into_iter().filter(admissible);
    // An agreement opens a slot for one installation (maintenance-slots): another product's goes along with it, but not what
    // fits into no slot of its own. That is held, and staff are told.
    let fits = window.slots(&site.calendar, now, now + TimeDelta::days(14)).iter().any(|s| s.duration() >= need);
    let agreed =
        site.state.inventory.keys().filter(|product| fits || *product == release.product()).flat_map(|product| {
            let slots = site.agreed_slots(product).into_iter().filter(possible);
            let slots = slots.filter(|slot| slot.start >= release.published_at());
            slots.map(|slot| (slot, Some(product.clone()).filter(|p| p != release.product()))).collect::<Vec<_>>()
        });
    let choice = |slot, agreed, with| Choice { release, kind, slot, need, agreed, with };
    let contract = contract.map(|slot| choice(slot, false, None));
    contract.chain(agreed.map(|(slot, with)| choice(slot, true, with))).collect()
}
