//! A figure per rule: how many of the month's decisions name it, and how often it was kept where that can be measured.
//!
//! A decision is a deployment whose slot begins in the month, a hold or a lateness that was told in it, or a request
//! that was accepted in it: what was written down with its reasons. What is measured is told beside each rule below.

use super::Scene;
use super::manuals::{announced_at, in_slot, is_agreed};
use super::sheet::{MinorOutcome, Report, RuleFigure};
use crate::decide::{escalation, notice};
use crate::model::alert::{Alert, AlertState};
use crate::model::decision::Reason;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::EventKind;
use crate::model::notice::{Letter, NoticeState};
use crate::model::report::Backup;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Change;
use std::collections::BTreeSet;

pub(super) fn of(scene: &Scene, report: &Report) -> Vec<RuleFigure> {
    let decisions = decisions(scene);
    let figure = |rule: Rule| {
        let named = decisions.iter().filter(|rules| rules.contains(&rule)).count();
        let tally = measured(scene, report, rule);
        RuleFigure {
            rule: rule.id().to_owned(),
            clause: rule.clause().map(str::to_owned),
            decisions: count(named),
            kept: tally.as_ref().map(|t| t.kept),
            broken: tally.as_ref().map(|t| t.broken),
        }
    };
    Rule::ALL.into_iter().map(figure).collect()
}

/// The rules that each decision of the month names.
fn decisions(scene: &Scene) -> Vec<BTreeSet<Rule>> {
    let named = |reasons: &[Reason]| reasons.iter().map(|r| r.rule).collect::<BTreeSet<Rule>>();
    let told = scene.events.iter().map(|e| &e.body).filter(|e| scene.is_within(e.at));
    let told = told.filter(|e| matches!(e.kind, EventKind::Held | EventKind::Late | EventKind::RequestAccepted));
    scene.in_month().map(|d| named(&d.reasons)).chain(told.map(|e| named(&e.reasons))).collect()
}

/// How often a rule was kept and broken.
#[derive(Default)]
struct Tally {
    kept: u32,
    broken: u32,
}

impl Tally {
    /// Each item counts as kept, as broken, or, where nothing can be said yet, not at all.
    fn of(items: impl Iterator<Item = Option<bool>>) -> Option<Tally> {
        let mut tally = Tally::default();
        for kept in items.flatten() {
            *(if kept { &mut tally.kept } else { &mut tally.broken }) += 1;
        }
        Some(tally)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn measured(scene: &Scene, report: &Report, rule: Rule) -> Option<Tally> {
    let attempts = || scene.attempts();
    let attended = || attempts().filter(|d| d.manual || d.change == Change::Major);
    match rule {
        // Minors due in the month: there by the deadline.
        Rule::MinorNight => Tally::of(report.minors.iter().map(|minor| match minor.outcome {
            MinorOutcome::OnTime => Some(true),
            MinorOutcome::Late | MinorOutcome::Missed => Some(false),
            MinorOutcome::Withdrawn | MinorOutcome::Open => None,
        })),
        // Attempts of manual updates: inside a staffed slot, attended by somebody.
        Rule::ManualSlots => Tally::of(attempts().filter(|d| d.manual).map(|d| {
            let window = match d.change {
                Change::Minor => scene.terms.manual_window(),
                Change::Major => scene.terms.major_window(),
            };
            in_slot(scene, d, window).map(|kept| kept && (d.attended_by.is_some() || d.change == Change::Major))
        })),
        // Attempts of minors: the client had the letter that announces it, and that which tells its end.
        Rule::MinorContentNotice => Tally::of(attempts().filter(|d| d.change == Change::Minor).map(|d| told(scene, d))),
        // Attempts of majors: somebody had asked.
        Rule::MajorOnRequest => {
            Tally::of(attempts().filter(|d| d.change == Change::Major).map(|d| Some(d.request.is_some())))
        }
        // Requests received in the month: their notice; requests whose date is known to have been met or missed: their date.
        Rule::MajorNotice => Tally::of(report.majors.iter().flat_map(|m| {
            let notice = scene.is_within(m.received_at).then_some(m.notice_kept);
            let date = m.on_time.filter(|_| m.ended_at.is_some_and(|at| scene.is_within(at)));
            [notice, date]
        })),
        // Attempts of majors and manual updates: announced to the client before their slot, so that users could be told.
        Rule::Concertation => {
            Tally::of(attended().map(|d| Some(announced_at(scene, d).is_some_and(|at| at <= d.slot.start))))
        }
        // Attempts of majors: inside a slot of 6.1.3, or of the contact's agreement.
        Rule::MaintenanceSlots => Tally::of(
            attempts().filter(|d| d.change == Change::Major).map(|d| in_slot(scene, d, scene.terms.major_window())),
        ),
        // All attempts: none during office hours without an agreement.
        Rule::OfficeHours => Tally::of(attempts().map(|d| out_of_office(scene, d))),
        // All attempts: of products that the order names.
        Rule::OutOfScope => Tally::of(attempts().map(|d| Some(scene.client.order.contains(&d.product)))),
        // Attempts that touched something: a backup before each.
        Rule::BackupFirst => {
            let touched = attempts().filter(|d| !matches!(d.state, DeploymentState::Refused { .. }));
            Tally::of(touched.map(|d| Some(was_backed_up(scene, d))))
        }
        // Attempts that ended: checked, and put back where the check failed.
        Rule::HealthAfter => Tally::of(attempts().map(|d| match d.state {
            DeploymentState::Installed { .. } | DeploymentState::RolledBack { .. } => Some(true),
            DeploymentState::Failed { .. } => Some(false),
            DeploymentState::Refused { .. }
            | DeploymentState::Planned
            | DeploymentState::Running { .. }
            | DeploymentState::Cancelled { .. } => None,
        })),
        // Servers: heard all month.
        Rule::HourlyChecks => {
            Tally::of(report.availability.iter().map(|a| (a.minutes > 0).then_some(a.silences.is_empty())))
        }
        // Letters to staff about the month's alerts: delivered, within the attempts of 6.2.4.
        Rule::ThreeAttempts => Tally::of(alert_letters(scene, report)),
        Rule::Gti2h => Tally::of(report.interventions.iter().map(|i| i.in_time)),
        // Alerts that nobody took up in time: passed on as far as they should have been.
        Rule::Escalation => Tally::of(of_month(scene).filter_map(|alert| escalated(scene, alert)).map(Some)),
        Rule::ServiceHours
        | Rule::ServersOnly
        | Rule::StandingAccess
        | Rule::SignedRelease
        | Rule::Prerequisites
        | Rule::Retracted
        | Rule::Rollout
        | Rule::Hold
        | Rule::ClosedPeriod => None,
    }
}

/// Whether the client was told before and after; unknown while the attempt or a letter is on its way.
fn told(scene: &Scene, d: &Deployment) -> Option<bool> {
    d.state.finished_at()?;
    let about = || scene.notices.iter().filter(|n| n.body.client.is_some() && n.body.deployment == Some(d.id));
    let before = about().find(|n| {
        matches!(n.body.letter, Letter::MinorPlanned(_) | Letter::ManualPlanned(_) | Letter::MajorPlanned(_))
    });
    let after = about().find(|n| {
        matches!(
            n.body.letter,
            Letter::MinorInstalled(_)
                | Letter::MinorFailed { .. }
                | Letter::ManualInstalled(_)
                | Letter::ManualFailed { .. }
                | Letter::NotBegun { .. }
                | Letter::Degraded { .. }
        )
    });
    let arrived = |state: &NoticeState| match state {
        NoticeState::Sent { .. } => Some(true),
        NoticeState::Undelivered { .. } => Some(false),
        NoticeState::Pending { .. } | NoticeState::Waiting { .. } => None,
    };
    let letter = |found: Option<&crate::model::notice::Notice>| found.map_or(Some(false), |n| arrived(&n.state));
    Some(letter(before)? && letter(after)?)
}

/// Whether no moment of the attempt fell into office hours, or its slot was agreed.
fn out_of_office(scene: &Scene, d: &Deployment) -> Option<bool> {
    let started = d.state.started_at()?;
    let ended = d.state.finished_at().unwrap_or(scene.now);
    let Some(work) = Slot::new(started, ended) else { return Some(true) };
    let barred = scene.terms.barred_window().slots(&scene.calendar(&d.server), work.start, work.end);
    Some(barred.is_empty() || is_agreed(scene, d))
}

/// Whether a backup that succeeded and was recent enough is known before the attempt began, by the server's report or by
/// what the agent asked itself.
fn was_backed_up(scene: &Scene, d: &Deployment) -> bool {
    let Some(started) = d.state.started_at() else { return false };
    let needed = notice::backup_not_before(scene.terms, &scene.calendar(&d.server), started);
    let own = || scene.events.iter().map(|e| &e.body).filter(|e| e.server.as_deref() == Some(&d.server));
    let reported = own()
        .filter(|e| e.kind == EventKind::BackupReported && e.at <= started)
        .filter_map(|e| Backup::read(&e.text))
        .any(|backup| backup.succeeded && needed < backup.finished_at && backup.finished_at <= started);
    // A state of before the month's events has no line among them.
    let known = scene.states.get(&d.server).and_then(|s| s.backup.as_ref());
    let known = known.is_some_and(|b| b.succeeded && needed < b.finished_at && b.finished_at <= started);
    let asked = own().any(|e| e.deployment == Some(d.id) && e.reasons.iter().any(|r| r.rule == Rule::BackupFirst));
    reported || known || asked
}

fn of_month<'a>(scene: &'a Scene) -> impl Iterator<Item = &'a Alert> {
    scene.alerts.iter().filter(|a| scene.is_within(a.raised_at))
}

fn alert_letters<'a>(scene: &'a Scene, report: &'a Report) -> impl Iterator<Item = Option<bool>> + 'a {
    scene.notices.iter().filter_map(|n| match &n.body.letter {
        Letter::Alert { alert, .. } if report.interventions.iter().any(|i| i.alert == *alert) => Some(match n.state {
            NoticeState::Sent { .. } => Some(true),
            NoticeState::Undelivered { .. } => Some(false),
            NoticeState::Pending { .. } | NoticeState::Waiting { .. } => None,
        }),
        _ => None,
    })
}

/// Whether an alert that was not taken up in time reached the level it should have; `None` for one that was.
fn escalated(scene: &Scene, alert: &Alert) -> Option<bool> {
    let (stopped, level) = match &alert.state {
        AlertState::Open { level } => (scene.now, *level),
        AlertState::Acknowledged { at, level, .. } => (*at, *level),
        AlertState::Resolved { at, level, taken_up, .. } => (taken_up.as_ref().map_or(*at, |t| t.at), *level),
    };
    // The watch job looks every few minutes: what was stopped between two looks was not passed on.
    let due = escalation::level(&scene.terms.schedule.intervention, alert.due, stopped - escalation::GRACE);
    (due > 0).then_some(level >= due)
}
