//! Minor updates: what was due on which server, whether it was there, and what stood in the way (`minor-night`).
//!
//! What is owed comes from the releases and from what each server ran, not from what was planned: a minor that nobody
//! ever planned is missed all the same.

use super::Scene;
use super::inventory::{Timeline, timelines};
use super::sheet::{Attempt, Minor, MinorOutcome, Span, Why};
use crate::decide::notice;
use crate::model::decision::Reason;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::EventKind;
use crate::model::fleet::Server;
use crate::model::release::Release;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};

/// Most reasons that are told of one update.
const WHYS_MAX: usize = 3;

/// What was due in the month, and what was due before and missing when it began.
pub(super) fn of(scene: &Scene) -> (Vec<Minor>, Vec<Minor>) {
    let timelines = timelines(scene);
    let nothing = Timeline::default();
    let (mut due, mut carried) = (Vec::new(), Vec::new());
    for server in &scene.client.servers {
        for product in &scene.client.order {
            let timeline = timelines.get(&(server.id.clone(), product.clone())).unwrap_or(&nothing);
            let releases: Vec<&Release> = scene.releases.iter().filter(|r| r.product() == product).collect();
            for release in &releases {
                let owed = Owed { scene, server, timeline, release };
                let Some(minor) = owed.minor(&releases) else { continue };
                if scene.is_within(minor.deadline) {
                    due.push(minor);
                } else if minor.deadline < scene.from && is_open_at(&minor, scene.from) {
                    carried.push(minor);
                }
            }
        }
    }
    for minors in [&mut due, &mut carried] {
        minors.sort_by(|a, b| {
            (a.deadline, &a.server, &a.product, a.published_at).cmp(&(
                b.deadline,
                &b.server,
                &b.product,
                b.published_at,
            ))
        });
    }
    (due, carried)
}

/// Whether it was neither there nor withdrawn at `at`.
fn is_open_at(minor: &Minor, at: DateTime<Utc>) -> bool {
    let over = [minor.installed_at, minor.withdrawn_at].into_iter().flatten().min();
    minor.outcome != MinorOutcome::Withdrawn && over.is_none_or(|over| at <= over)
}

/// One release on one server.
struct Owed<'a> {
    scene: &'a Scene<'a>,
    server: &'a Server,
    timeline: &'a Timeline,
    release: &'a Release,
}

impl<'a> Owed<'a> {
    /// The update, where the release is one for this server.
    fn minor(&self, releases: &[&Release]) -> Option<Minor> {
        let (scene, release) = (self.scene, self.release);
        let published = release.published_at();
        if release.manifest().is_manual() || scene.now < published {
            return None;
        }
        let own: Vec<&Deployment> = self.deployments().filter(|d| d.to == *release.version()).collect();
        let calendar = scene.calendar(&self.server.id);
        let deadline = notice::minor_deadline(scene.terms, &calendar, published);
        let base = self.base(deadline)?;
        if !is_minor_over(release, base, releases) {
            return None;
        }
        let done = self.done(&own);
        let withdrawn = release.retracted.as_ref().map(|r| r.at).filter(|at| done.as_ref().is_none_or(|(d, _)| at < d));
        let outcome = match (&done, withdrawn) {
            (_, Some(at)) if at <= deadline => MinorOutcome::Withdrawn,
            (Some((at, _)), _) if *at <= deadline => MinorOutcome::OnTime,
            (Some(_), _) => MinorOutcome::Late,
            (None, _) if scene.now <= deadline => MinorOutcome::Open,
            (None, _) => MinorOutcome::Missed,
        };
        let done = done.filter(|_| outcome != MinorOutcome::Withdrawn);
        let until = done.as_ref().map_or(scene.now, |(at, _)| *at);
        Some(Minor {
            server: self.server.id.clone(),
            zone: self.server.zone.name().to_owned(),
            product: release.product().to_owned(),
            from: Some(base.to_string()),
            version: release.version().to_string(),
            published_at: published,
            deadline,
            outcome,
            installed_at: done.as_ref().map(|(at, _)| *at),
            instead: done.as_ref().map(|(_, by)| *by).filter(|by| *by != release.version()).map(ToString::to_string),
            withdrawn_at: release.retracted.as_ref().map(|r| r.at),
            attempts: own.iter().filter(|d| d.state.started_at().is_some()).map(|d| attempt(d)).collect(),
            why: if outcome == MinorOutcome::OnTime { Vec::new() } else { self.why(&own, deadline, until) },
        })
    }

    fn deployments(&self) -> impl Iterator<Item = &'a Deployment> + use<'a> {
        let (server, product) = (self.server.id.as_str(), self.release.product());
        self.scene.ledger.deployments.iter().filter(move |d| d.server == server && d.product == product)
    }

    /// What it goes over: what ran at publication, or what came under our care with the server before the deadline.
    fn base(&self, deadline: DateTime<Utc>) -> Option<&Version> {
        let published = self.release.published_at();
        let later = || self.timeline.found_after(published).filter(|(at, _)| *at <= deadline).map(|(_, found)| found);
        self.timeline.at(published).or_else(later).filter(|base| *base < self.release.version())
    }

    /// When this version or a newer one was there, and which. What was put there by hand is there too; what we installed
    /// ourselves was there when the agent said so, whatever its inventory says around it.
    fn done<'b>(&'b self, own: &[&'b Deployment]) -> Option<(DateTime<Utc>, &'b Version)> {
        let version = self.release.version();
        let newer = self.deployments().filter(|d| d.to > *version);
        let installed = own.iter().copied().chain(newer).filter_map(|d| match d.state {
            DeploymentState::Installed { started_at, finished_at, .. } => Some((finished_at, &d.to, started_at)),
            _ => None,
        });
        let ours = installed.min();
        let found = self.timeline.reached(version, self.release.published_at());
        let by_hand = found.filter(|(at, _)| ours.is_none_or(|(.., started)| *at < started));
        by_hand.or(ours.map(|(at, version, _)| (at, version)))
    }

    fn why(&self, own: &[&Deployment], deadline: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Why> {
        let mut whys: Vec<Why> = Vec::new();
        let mut add = |why: Why| {
            if !whys.contains(&why) {
                whys.push(why);
            }
        };
        if deadline < self.release.seen_at {
            let text = "the publisher's feed brought it after its deadline".to_owned();
            let fr = "le dépôt de l’éditeur ne l’a livrée qu’après son échéance".to_owned();
            add(Why { rule: Some("signed-release".to_owned()), clause: None, text, fr });
        }
        for failed in own.iter().filter(|d| d.state.is_missed()) {
            let said = failure(failed).unwrap_or_default();
            add(Why { rule: None, clause: None, text: said.clone(), fr: said });
        }
        let published = self.release.published_at();
        for event in self.scene.events.iter().map(|e| &e.body) {
            let about = event.server.as_deref() == Some(&self.server.id)
                && event.product.as_deref() == Some(self.release.product());
            let trouble = matches!(event.kind, EventKind::Held | EventKind::Late);
            if about && trouble && published <= event.at && event.at <= until {
                // What settled it was said last; a hold says it before the lateness that follows.
                event.reasons.last().map(of_reason).into_iter().for_each(&mut add);
            }
        }
        if let Some(planned) = own.iter().find(|d| deadline < d.slot.end) {
            planned.reasons.last().map(of_reason).into_iter().for_each(&mut add);
        }
        let surplus = whys.len().saturating_sub(WHYS_MAX);
        whys.drain(..surplus);
        whys
    }
}

/// Whether it is a minor over `base`: the manifest says so, the numbers do not contradict, and no major lies between.
fn is_minor_over(release: &Release, base: &Version, releases: &[&Release]) -> bool {
    let manifest = release.manifest();
    let crosses = |other: &&Release| {
        let between = base < other.version() && other.version() <= release.version();
        between && other.manifest().change == Change::Major && other.published_at() <= release.published_at()
    };
    manifest.change == Change::Minor
        && manifest.version.change_from(base, manifest.scheme) != Some(Change::Major)
        && !releases.iter().any(crosses)
}

pub(super) fn attempt(d: &Deployment) -> Attempt {
    Attempt {
        deployment: d.id,
        slot: d.slot.into(),
        state: d.state.name().to_owned(),
        started_at: d.state.started_at(),
        finished_at: d.state.finished_at(),
        why: failure(d),
    }
}

/// What went wrong with a deployment, as it was said.
pub(super) fn failure(d: &Deployment) -> Option<String> {
    d.state.why().map(str::to_owned)
}

fn of_reason(reason: &Reason) -> Why {
    Why {
        rule: Some(reason.rule.id().to_owned()),
        clause: reason.rule.clause().map(str::to_owned),
        text: reason.text.clone(),
        fr: reason.fr.clone(),
    }
}

impl From<Slot> for Span {
    fn from(slot: Slot) -> Span {
        Span { start: slot.start, end: slot.end }
    }
}
