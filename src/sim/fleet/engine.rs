//! The virtual clock: what is due happens in order, each at its instant.
//!
//! Planning runs every so often ([`Setup::plan_minutes`]), whenever something happened, and when time alone changes an
//! answer: near a slot, when its backup has to be there, and when it is over. Before each hand-out the planner is asked
//! again. Agents poll when their start in the slot has come.

use super::book::{Book, Written};
use super::chance::{About, Chance, Faults};
use super::figures::Figures;
use super::happening::{Concerns, End, Happening};
use super::laws;
use crate::decide::checker::{Finding, Severity};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::durations::Durations;
use crate::decide::inspect;
use crate::decide::planner::{Facts, Verdict, Verdicts};
use crate::decide::reconcile::{self, Ids};
use crate::decide::rehearse;
use crate::decide::terms::Terms;
use crate::decide::world::{Almanacs, Parts, World, WorldError};
use crate::model::decision::Decision;
use crate::model::deployment::Deployment;
use crate::model::fleet::Client;
use crate::model::report::{Backup, ServerState};
use crate::model::rule::Rule;
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

/// Site-local minute of the day at which a working day's backup ends: 20:30.
const BACKUP_MINUTE: i64 = 20 * 60 + 30;
/// Hours after which a failed backup that is repaired in the night has been.
const REPAIR_HOURS: i64 = 5;

/// What is played.
pub struct Setup {
    pub terms: BTreeMap<String, Arc<Terms>>,
    pub clients: Vec<Client>,
    /// What is installed at the start, by server.
    pub states: BTreeMap<String, ServerState>,
    /// Releases that are known at the start.
    pub releases: Vec<crate::model::release::Release>,
    pub happenings: Vec<(DateTime<Utc>, Happening)>,
    pub from: NaiveDate,
    pub nights: i64,
    /// From one planning to the next when nothing happens.
    pub plan_minutes: i64,
    pub seed: u64,
    pub faults: Faults,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Happens(usize),
    Day(NaiveDate),
    Backup(usize),
    Repair(usize),
    Plan,
    /// Time alone may have changed a server's plan.
    Look(usize),
    Poll(usize),
    /// An installation ends on the machine: server, action.
    Ends(usize, i64),
    /// Nobody heard of it again.
    GiveUp(usize, i64),
    /// The agent missed a check, if it is still silent; it is heard again.
    Missed(usize),
    Heard(usize),
    MailBack,
}

/// Products and versions that are not handed out, whatever their slot.
pub(super) type Held = Vec<(String, Version)>;

fn held(verdicts: &Verdicts) -> Held {
    verdicts
        .iter()
        .zip(verdicts.rules())
        .filter(|((_, _, verdict), rule)| matches!(verdict, Verdict::Held(_)) && *rule != Rule::BackupFirst)
        .filter_map(|((product, release, _), _)| Some((product.to_owned(), release?.version().clone())))
        .collect()
}

/// One server's life beside what the orchestrator knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub backups_fail: bool,
    pub silent_until: Option<DateTime<Utc>>,
    pub next: Option<End>,
    /// Slots for which its agent already knows when to poll.
    pub polls: BTreeSet<DateTime<Utc>>,
    /// When its plan will be looked at again.
    pub looks: BTreeSet<DateTime<Utc>>,
    /// How what runs now will end.
    pub running: BTreeMap<i64, End>,
    /// Nothing is planned, held or late: until something happens, time changes nothing.
    pub quiet: bool,
}

pub(super) struct Play {
    pub world: World,
    pub book: Book,
    pub figures: Figures,
    pub now: DateTime<Utc>,
    pub lives: Vec<Life>,
    pub chance: Chance,
    pub faults: Faults,
    pub log: Option<Vec<String>>,
    pub request_id: i64,
    /// Servers on which a release failed and does not run: place, product, version.
    pub failed_on: BTreeSet<(usize, String, Version)>,
    pub terms: BTreeMap<String, Arc<Terms>>,
    pub almanacs: Almanacs,
    observed: Vec<(String, Version, u32)>,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, u64, Task)>>,
    sequence: u64,
    happenings: Vec<(DateTime<Utc>, Happening)>,
    until: DateTime<Utc>,
}

/// Plays `setup` to its end. With `tell`, every line of what happened is kept as well.
pub fn play(setup: Setup, tell: bool) -> Result<(Figures, Vec<String>), WorldError> {
    let mut play = Play::new(setup, tell)?;
    while let Some(Reverse((at, _, task))) = play.queue.pop() {
        if at >= play.until {
            break;
        }
        play.now = at;
        play.perform(task);
    }
    play.figures.alerts_open = play.book.open_alerts();
    let mut log = play.log.unwrap_or_default();
    log.append(&mut play.book.told);
    Ok((play.figures, log))
}

impl Play {
    fn new(setup: Setup, tell: bool) -> Result<Play, WorldError> {
        let start = setup.from.and_time(NaiveTime::MIN).and_utc();
        let until = start + TimeDelta::days(setup.nights);
        let mut almanacs = Almanacs::default();
        for client in &setup.clients {
            let (Some(terms), Ok(region)) = (setup.terms.get(&client.schedule), client.holidays.parse()) else {
                continue;
            };
            for server in &client.servers {
                almanacs.spanning(terms, &client.schedule, (server.zone, region), start, until);
            }
        }
        let servers = setup.clients.iter().map(|c| c.servers.len()).sum();
        let figures = Figures {
            servers,
            clients: setup.clients.len(),
            nights: setup.nights,
            from: setup.from.to_string(),
            ..Figures::default()
        };
        let parts = Parts {
            clients: setup.clients,
            terms: setup.terms.clone(),
            states: setup.states,
            releases: setup.releases,
            ..Parts::default()
        };
        let mut play = Play {
            world: World::new(parts, &mut almanacs, start)?,
            book: Book::new(tell),
            figures,
            now: start,
            lives: vec![Life::default(); servers],
            chance: Chance::new(setup.seed),
            faults: setup.faults,
            log: tell.then(Vec::new),
            request_id: 0,
            failed_on: BTreeSet::new(),
            terms: setup.terms,
            almanacs,
            observed: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            happenings: setup.happenings,
            until,
        };
        play.first_backups();
        let due: Vec<DateTime<Utc>> = play.happenings.iter().map(|(at, _)| *at).collect();
        for (index, at) in due.into_iter().enumerate() {
            play.at(at, Task::Happens(index));
        }
        for day in setup.from.iter_days().take(usize::try_from(setup.nights).unwrap_or(0)) {
            play.at(day.and_time(NaiveTime::MIN).and_utc(), Task::Day(day));
        }
        let mut at = start;
        while at < until {
            play.at(at, Task::Plan);
            at += TimeDelta::minutes(setup.plan_minutes);
        }
        Ok(play)
    }

    /// Everybody begins with a good backup of the evening before.
    fn first_backups(&mut self) {
        for place in self.world.places() {
            let finished_at = self.now - TimeDelta::hours(4);
            self.world.site_mut(place).state.backup = Some(Backup { finished_at, succeeded: true });
        }
    }

    pub(super) fn at(&mut self, at: DateTime<Utc>, task: Task) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, task)));
    }

    /// A line of the story, in the time of the server it is about.
    pub(super) fn tell(&mut self, place: Option<usize>, line: impl FnOnce() -> String) {
        let Some(log) = &mut self.log else { return };
        let zone = place.map_or(PROVIDER_ZONE, |place| self.world.server(place).zone);
        // Another clock than the provider's is named, or the lines would seem to be out of order.
        let clock = if zone == PROVIDER_ZONE { "%a %-d %b %H:%M" } else { "%a %-d %b %H:%M (%:z)" };
        let when = self.now.with_timezone(&zone).format(clock);
        log.append(&mut self.book.told);
        log.push(format!("{when}  {}", line()));
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Happens(index) => {
                let happening = self.happenings[index].1.clone();
                let concerns = happening.concerns();
                self.happen(happening);
                match concerns {
                    Concerns::Everybody => self.plan_where(|_, _| true),
                    Concerns::Users(product) => self.plan_where(|play, place| play.runs(place, &product)),
                    Concerns::Client(client) => {
                        let sites = self.world.client(&client).map(|c| c.sites.clone());
                        for place in sites.into_iter().flatten() {
                            self.plan(place);
                        }
                    }
                    Concerns::Nobody => {}
                }
            }
            Task::Day(day) => self.day(day),
            Task::Backup(place) => self.backup(place),
            Task::Repair(place) => self.backed_up(place),
            Task::Plan => self.plan_where(|play, place| !play.lives[place].quiet),
            Task::Look(place) => {
                self.lives[place].looks.remove(&self.now);
                if !self.lives[place].quiet {
                    self.plan(place);
                }
            }
            Task::Poll(place) => self.poll(place),
            Task::Ends(place, action) => self.ends(place, action),
            Task::GiveUp(place, action) => self.give_up(place, action),
            Task::Missed(place) => self.missed(place),
            Task::Heard(place) => self.heard(place),
            Task::MailBack => {
                self.book.mail_down = false;
                self.book.waiting = 0;
            }
        }
    }

    /// The day's backups, and whatever else a day decides.
    fn day(&mut self, day: NaiveDate) {
        let number = day_number(day);
        for place in self.world.places() {
            let calendar = self.world.site(place).almanac.calendar();
            if calendar.is_working_day(day) {
                let evening = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(BACKUP_MINUTE);
                let at = calendar.instant(evening, crate::decide::calendar::Fold::Later);
                self.at(at, Task::Backup(place));
            }
            if self.chance.happens(self.faults.silence, About::Silence, place as u64, number) {
                self.lives[place].silent_until = Some(self.now + TimeDelta::days(1));
                self.silent(place);
            }
        }
        if self.chance.happens(self.faults.mail, About::Mail, number, 0) {
            self.book.mail_down = true;
            self.at(self.now + TimeDelta::days(1), Task::MailBack);
        }
        self.resume(number);
        // What installations took is learned now and then; a release's own times weigh at once.
        if number.is_multiple_of(7) {
            let observed = self.observed.iter().map(|(product, version, took)| (product.as_str(), version, *took));
            self.world.learn(Durations::learn(observed));
        }
    }

    fn backup(&mut self, place: usize) {
        let number = day_number(self.now.date_naive());
        let fails = self.lives[place].backups_fail
            || self.chance.happens(self.faults.backup, About::Backup, place as u64, number);
        self.world.site_mut(place).state.backup = Some(Backup { finished_at: self.now, succeeded: !fails });
        if fails {
            let server = self.world.server(place).id.clone();
            self.tell(Some(place), || format!("{server}: the backup failed"));
            let repaired = self.chance.happens(self.faults.backup_repair, About::BackupRepair, place as u64, number);
            if repaired && !self.lives[place].backups_fail {
                self.at(self.now + TimeDelta::hours(REPAIR_HOURS), Task::Repair(place));
            }
        }
        let tomorrow = self.now + TimeDelta::days(1);
        if self.world.site(place).planned().any(|d| d.slot.start < tomorrow) {
            self.plan(place);
        }
    }

    /// A backup by hand, after one that failed.
    pub(super) fn backed_up(&mut self, place: usize) {
        self.world.site_mut(place).state.backup = Some(Backup { finished_at: self.now, succeeded: true });
        let server = self.world.server(place).id.clone();
        self.tell(Some(place), || format!("{server}: a backup was made"));
        self.plan(place);
    }

    /// Plans every server that something may have changed for.
    fn plan_where(&mut self, concerned: impl Fn(&Play, usize) -> bool) {
        self.figures.plannings += 1;
        self.expire_requests();
        for place in self.world.places() {
            if concerned(self, place) {
                self.plan(place);
            }
        }
    }

    fn runs(&self, place: usize, product: &str) -> bool {
        self.world.site(place).state.inventory.contains_key(product)
    }

    /// Plans one server and writes what differs. Returns what is held for another reason than the backup, which is
    /// looked at again when something is handed out.
    pub(super) fn plan(&mut self, place: usize) -> Held {
        let (world, now) = (&self.world, self.now);
        let looked = |facts: &Facts, verdicts: &Verdicts| {
            let quiet = verdicts
                .iter()
                .all(|(_, _, verdict)| matches!(verdict, Verdict::UpToDate | Verdict::OutOfScope | Verdict::Waiting));
            let decisions = reconcile::differing(verdicts, facts, world.site(place));
            (quiet, held(verdicts), World::promises(facts, verdicts), decisions)
        };
        let (quiet, held, promises, decisions) = world.with_facts(place, now, |facts| rehearse::weigh(facts, looked));
        self.world.promise(place, promises);
        self.lives[place].quiet = quiet;
        let Some(decisions) = decisions else { return held };
        self.inspect(place, &decisions);
        let n = reconcile::new_deployments(&decisions, self.world.site(place));
        let ids = Ids::from(self.book.allocate(n));
        match reconcile::steps(&self.world, place, &decisions, ids, now) {
            Ok(steps) => {
                if let Some(standing) = steps.standing {
                    self.world.site_mut(place).standing = standing;
                }
                let entry = Written {
                    deployments: steps.deployments,
                    events: steps.events,
                    notices: steps.notices,
                    alerts: steps.alerts,
                    resolved: steps.resolved,
                };
                self.write(place, entry);
            }
            Err(error) => self.violate(place, "transition", error.to_string()),
        }
        self.expect(place);
        held
    }

    /// Writes an entry and lets the world know.
    pub(super) fn write(&mut self, place: usize, entry: Written) {
        let keys: BTreeSet<&str> = entry.notices.iter().map(|n| n.key.as_str()).collect();
        laws::recorded(&self.book, &entry.deployments, &entry.events, &keys, self.now, &mut self.figures);
        for event in &entry.events {
            let whose = event.server.as_ref().unwrap_or(&event.client);
            self.tell(Some(place), || format!("{whose}: {}", event.text));
        }
        for deployment in &entry.deployments {
            self.keep(place, deployment);
        }
        self.book.write(entry, self.now, &mut self.figures);
    }

    /// Keeps in the world what planning wants to hear of: what is open, or did not end well.
    fn keep(&mut self, place: usize, deployment: &Deployment) {
        use crate::model::deployment::DeploymentState as State;
        let all = &mut self.world.site_mut(place).deployments;
        all.retain(|d| d.id != deployment.id);
        match deployment.state {
            State::Planned
            | State::Running { .. }
            | State::RolledBack { .. }
            | State::Refused { .. }
            | State::Failed { .. } => {
                let at = all.partition_point(|d| d.id < deployment.id);
                all.insert(at, deployment.clone());
            }
            State::Installed { started_at, finished_at, .. } => {
                let minutes = u32::try_from((finished_at - started_at).num_minutes() + 1).unwrap_or(u32::MAX);
                self.observed.push((deployment.product.clone(), deployment.to.clone(), minutes));
                // What failed before and runs now is the past.
                all.retain(|d| d.state.is_open() || d.product != deployment.product || d.to > deployment.to);
            }
            State::Cancelled { .. } => {}
        }
    }

    /// The checker looks at every plan before it is written.
    fn inspect(&mut self, place: usize, decisions: &[Decision]) {
        self.figures.checked += 1;
        self.report(inspect::decisions(&self.world, place, decisions, self.now));
    }

    /// The checker looks at every installation as it starts.
    pub(super) fn inspect_start(&mut self, place: usize, group: &[Deployment]) {
        self.report(inspect::handed_out(&self.world, place, group, self.now));
    }

    fn report(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            match finding.severity {
                Severity::Warning => self.figures.warnings += 1,
                Severity::Fatal => {
                    let text = finding.to_string();
                    self.figures.violate(self.now, Some(finding.server), finding.rule.id(), text);
                }
            }
        }
    }

    pub(super) fn violate(&mut self, place: usize, rule: &str, text: String) {
        let server = self.world.server(place).id.clone();
        self.figures.violate(self.now, Some(server), rule, text);
    }
}

fn day_number(day: NaiveDate) -> u64 {
    use chrono::Datelike;
    u64::try_from(day.num_days_from_ce()).unwrap_or(0)
}
