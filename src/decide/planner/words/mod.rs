//! The reasons in words: each names its rule, the facts used in site time, and what would change the answer.
//!
//! One function for each reason, in French and English side by side, so that neither says more than the other.

mod release;
mod rollout;
mod slots;
mod together;

use super::Facts;
use super::because::{Because, RingStand};
use super::draft::Draft;
use crate::decide::letters::brief::{Clock, Day, Moment};
use crate::model::decision::{Reason, Reasons};
use crate::model::fleet::Language;
use crate::model::release::Release;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The reason in words.
pub(super) fn tell<'a>(facts: &Facts<'a>, draft: &Draft<'a>, because: &Because<'a>) -> Reason {
    Teller { facts, product: draft.product, release: draft.release.map(AsRef::as_ref) }.tell(because)
}

/// That a rule settles something as it did before.
pub(super) fn unchanged(rule: Rule) -> Reasons {
    static SAID: LazyLock<BTreeMap<Rule, Reasons>> = LazyLock::new(|| {
        let said = |rule| Reason::new(rule, "as it was decided before", "comme décidé auparavant");
        Rule::ALL.map(|rule| (rule, Reasons::from([said(rule)]))).into()
    });
    SAID.get(&rule).cloned().unwrap_or_default()
}

/// Reasons about one release in words.
pub(super) fn tell_of(facts: &Facts, release: &Release, reasons: &[Because]) -> Vec<Reason> {
    let teller = Teller { facts, product: release.product(), release: Some(release) };
    reasons.iter().map(|because| teller.tell(because)).collect()
}

/// The rule a reason rests on.
pub(super) fn rule(because: &Because) -> Rule {
    match because {
        Because::Silent => Rule::HourlyChecks,
        Because::NotOrdered => Rule::OutOfScope,
        Because::Running(_) | Because::Newer(_) => Rule::StandingAccess,
        Because::UpToDate
        | Because::NoPath(_)
        | Because::SteppingStone(..)
        | Because::SteppingMajor(..)
        | Because::RequirementMet(_)
        | Because::RequirementMissing(_)
        | Because::CompanionFirst(..)
        | Because::CompanionMissing(_)
        | Because::CompanionNotOrdered(_)
        | Because::PartnerHeld(_)
        | Because::Follows(..)
        | Because::Together(..)
        | Because::GroupDoesNotFit(_) => Rule::Prerequisites,
        Because::InstalledRetracted(_) | Because::Retracted(_) | Because::RequestedGone(_) => Rule::Retracted,
        Because::OlderFirst(..)
        | Because::MakesWay(..)
        | Because::Deadline(_)
        | Because::DeadlineAtRisk(_)
        | Because::Late(..)
        | Because::NightSlot(_) => Rule::MinorNight,
        Because::NumbersSayMajor(_) | Because::NeedsRequest(_) | Because::LegalDate(_) | Because::Requested(_) => {
            Rule::MajorOnRequest
        }
        Because::FailedBefore(_) => Rule::HealthAfter,
        Because::StaffTakeOver(_) => Rule::Gti2h,
        Because::CanaryFailed(..) | Because::Halted(..) | Because::Ring(_) | Because::LineBusy(_) => Rule::Rollout,
        Because::HeldBy(_) | Because::HeldUntil(_) => Rule::Hold,
        Because::Closed(_) | Because::AgreedClosed(_) => Rule::ClosedPeriod,
        Because::Manual => Rule::ManualSlots,
        Because::NoSlotBefore(_) | Because::AgreedNotice(_) => Rule::MajorNotice,
        Because::MaintenanceSlot(_)
        | Because::MajorSlot(..)
        | Because::AgreedSlot(_)
        | Because::TooShort(_)
        | Because::StaffBusy(_)
        | Because::NoSlot
        | Because::SlotFull(_)
        | Because::Spilled(_) => Rule::MaintenanceSlots,
        Because::OfficeHours(_) => Rule::OfficeHours,
        Because::BackupGood(_) | Because::BackupNeeded(_) | Because::BackupMissing(_) => Rule::BackupFirst,
    }
}

/// English and French.
type Said = (String, String);

/// A slot in site time.
struct Span {
    language: Language,
    start: NaiveDateTime,
    end: NaiveDateTime,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (Moment(self.language, self.start), Moment(self.language, self.end));
        let (from, to) = (Clock(self.start.time()), Clock(self.end.time()));
        let day = Day(self.language, self.start.date());
        match (self.language, self.start.date() == self.end.date()) {
            (Language::En, true) => write!(f, "{start} to {to}"),
            (Language::En, false) => write!(f, "{start} to {end}"),
            (Language::Fr, true) => write!(f, "du {day} de {from} à {to}"),
            (Language::Fr, false) => write!(f, "du {start} au {end}"),
        }
    }
}

/// What is being talked about.
struct Teller<'f, 'a> {
    facts: &'f Facts<'a>,
    product: &'f str,
    release: Option<&'f Release>,
}

impl Teller<'_, '_> {
    fn tell(&self, because: &Because) -> Reason {
        let (text, fr) = self.say(because);
        let reason = Reason::new(rule(because), text, fr);
        match self.remedy(because) {
            Some((en, fr)) => reason.unless(en, fr),
            None => reason,
        }
    }

    fn say(&self, because: &Because) -> Said {
        match *because {
            Because::Silent => self.silent(),
            Because::NotOrdered => self.not_ordered(),
            Because::Running(deployment) => self.running(deployment),
            Because::UpToDate => self.up_to_date(),
            Because::InstalledRetracted(release) => self.installed_retracted(release),
            Because::Retracted(release) => self.retracted(release),
            Because::Newer(release) => self.newer(release),
            Because::OlderFirst(older, newest) => self.older_first(older, newest),
            Because::NumbersSayMajor(release) => self.numbers_say_major(release),
            Because::NeedsRequest(release) => self.needs_request(release),
            Because::LegalDate(date) => self.legal_date(date),
            Because::Requested(request) => self.requested(request),
            Because::RequestedGone(request) => self.requested_gone(request),
            Because::AgreedNotice(agreement) => self.agreed_notice(agreement),

            Because::FailedBefore(failed) => self.failed_before(failed),
            Because::StaffTakeOver(release) => self.staff_take_over(release),
            Because::CanaryFailed(release, failed) => self.canary_failed(release, failed),
            Because::Halted(release, halt, tally) => self.halted(release, halt, tally),
            Because::Ring(stand) => self.ring(stand),
            Because::HeldBy(hold) => self.held_by(hold),
            Because::HeldUntil(hold) => self.held_until(hold),
            Because::LineBusy(slot) => self.line_busy(slot),
            Because::StaffBusy(slot) => self.staff_busy(slot),

            Because::Deadline(deadline) => self.deadline(deadline),
            Because::DeadlineAtRisk(deadline) => self.deadline_at_risk(deadline),
            Because::Late(slot, deadline) => self.late(slot, deadline),
            Because::NightSlot(slot) => self.night_slot(slot),
            Because::Manual => self.manual(),
            Because::MaintenanceSlot(slot) => self.maintenance_slot(slot),
            Because::MajorSlot(slot, spare) => self.major_slot(slot, spare),
            Because::NoSlotBefore(before) => self.no_slot_before(before),
            Because::AgreedSlot(agreement) => self.agreed_slot(agreement),
            Because::AgreedClosed(agreement) => self.agreed_closed(agreement),
            Because::Closed(slot) => self.closed(slot),
            Because::TooShort(slot) => self.too_short(slot),
            Because::OfficeHours(slot) => self.office_hours(slot),
            Because::NoSlot => self.no_slot(),
            Because::SlotFull(slot) => self.slot_full(slot),
            Because::Spilled(slot) => self.spilled(slot),
            Because::BackupGood(since) => self.backup_good(since),
            Because::BackupNeeded(since) => self.backup_needed(since),
            Because::BackupMissing(since) => self.backup_missing(since),

            Because::NoPath(goal) => self.no_path(goal),
            Because::SteppingStone(goal, first) => self.stepping_stone(goal, first),
            Because::SteppingMajor(goal, first) => self.stepping_major(goal, first),
            Because::RequirementMet(requirement) => self.requirement_met(requirement),
            Because::RequirementMissing(requirement) => self.requirement_missing(requirement),
            Because::CompanionFirst(other, newer) => self.companion_first(other, newer),
            Because::MakesWay(other, aside) => self.makes_way(other, aside),
            Because::CompanionMissing(companion) => self.companion_missing(companion),
            Because::CompanionNotOrdered(companion) => self.companion_not_ordered(companion),
            Because::PartnerHeld(partner) => self.partner_held(partner),
            Because::Follows(partner, slot) => self.follows(partner, slot),
            Because::Together(partner, slot) => self.together(partner, slot),
            Because::GroupDoesNotFit(partner) => self.group_does_not_fit(partner),
        }
    }

    /// What would change the answer, where something would.
    fn remedy(&self, because: &Because) -> Option<Said> {
        match *because {
            Because::NotOrdered => Some((
                format!("an order that names {}", self.product),
                format!("un bon de commande qui nomme {}", self.product),
            )),
            Because::Silent => Some(("a report of the agent".to_owned(), "un compte rendu de l'agent".to_owned())),
            Because::NeedsRequest(release) | Because::SteppingMajor(_, release) => Some(self.request_remedy(release)),
            Because::CompanionNotOrdered(companion) => Some((
                format!("an order that names {}", companion.product),
                format!("un bon de commande qui nomme {}", companion.product),
            )),
            Because::RequestedGone(_) => {
                Some(("a request for another version".to_owned(), "une demande pour une autre version".to_owned()))
            }
            Because::NoSlotBefore(_) => Some((
                "a later date, or another slot that the client's contact agrees to".to_owned(),
                "une date plus tardive, ou un autre créneau accepté par l'interlocuteur".to_owned(),
            )),
            Because::BackupMissing(since) => Some((
                format!("a successful backup after {}", self.at(since)),
                format!("une sauvegarde réussie après le {}", self.le(since)),
            )),
            Because::CanaryFailed(release, _) | Because::Halted(release, ..) => Some((
                format!("staff resuming {}, or a corrected release", release.id()),
                format!("la reprise de {} par l'équipe, ou une version corrigée", release.id()),
            )),
            Because::StaffTakeOver(release) => Some((
                format!("staff installing {}, or a newer release", release.id()),
                format!("l'installation de {} par l'équipe, ou une version plus récente", release.id()),
            )),
            Because::HeldBy(hold) => Some((
                format!("staff lifting hold {}", hold.id),
                format!("la levée du blocage {} par l'équipe", hold.id),
            )),
            Because::HeldUntil(hold) => hold.until.map(|until| {
                let id = hold.id;
                (
                    format!("the end of hold {id}, {}, or staff lifting it", self.at(until)),
                    format!("la fin du blocage {id}, le {}, ou sa levée par l'équipe", self.le(until)),
                )
            }),
            Because::Closed(_) => Some((
                "the client's contact agreeing to work in that period".to_owned(),
                "l'accord de l'interlocuteur pour intervenir pendant cette période".to_owned(),
            )),
            Because::Late(..) => Some((
                "an earlier slot that the client's contact agrees to".to_owned(),
                "un créneau plus proche accepté par l'interlocuteur".to_owned(),
            )),
            Because::NoSlot => Some((
                "another slot that the client's contact agrees to".to_owned(),
                "un autre créneau accepté par l'interlocuteur".to_owned(),
            )),
            Because::GroupDoesNotFit(_) => Some((
                "a longer slot that the client's contact agrees to".to_owned(),
                "un créneau plus long accepté par l'interlocuteur".to_owned(),
            )),
            Because::PartnerHeld(partner) => Some(see(&partner.id().to_string())),
            Because::CompanionMissing(companion) => Some(see(&format!("{} {}", companion.product, companion.version))),
            Because::LegalDate(date) => Some(self.legal_remedy(date)),
            Because::Ring(RingStand::Waits) => Some((
                "success on all canary servers, for an earlier night".to_owned(),
                "la réussite sur tous les serveurs pilotes, pour une nuit plus proche".to_owned(),
            )),
            Because::RequirementMissing(requirement) => Some((
                format!("{} {} or later, planned or installed", requirement.product, requirement.at_least),
                format!("{} {} ou plus récent, planifié ou en place", requirement.product, requirement.at_least),
            )),
            Because::NoPath(goal) => Some((
                format!("a release that leads to {}", goal.id()),
                format!("une version intermédiaire menant à {}", goal.id()),
            )),
            Because::Retracted(_) | Because::InstalledRetracted(_) => Some((
                "a newer release of its publisher".to_owned(),
                "une version plus récente de l'éditeur".to_owned(),
            )),
            Because::Running(_)
            | Because::UpToDate
            | Because::Newer(_)
            | Because::OlderFirst(..)
            | Because::CompanionFirst(..)
            | Because::MakesWay(..)
            | Because::NumbersSayMajor(_)
            | Because::Requested(_)
            | Because::AgreedNotice(_)
            | Because::FailedBefore(_)
            | Because::Ring(RingStand::Canary | RingStand::NoCanaries | RingStand::Settled(_))
            | Because::DeadlineAtRisk(_)
            | Because::LineBusy(_)
            | Because::StaffBusy(_)
            | Because::Deadline(_)
            | Because::NightSlot(_)
            | Because::Manual
            | Because::MaintenanceSlot(_)
            | Because::MajorSlot(..)
            | Because::AgreedSlot(_)
            | Because::AgreedClosed(_)
            | Because::TooShort(_)
            | Because::OfficeHours(_)
            | Because::SlotFull(_)
            | Because::Spilled(_)
            | Because::BackupGood(_)
            | Because::BackupNeeded(_)
            | Because::SteppingStone(..)
            | Because::RequirementMet(_)
            | Because::Follows(..)
            | Because::Together(..) => None,
        }
    }

    /// "Wed 29 Apr 22:00", site-local.
    fn at(&self, instant: DateTime<Utc>) -> Moment {
        Moment(Language::En, self.facts.calendar().local(instant))
    }

    /// "mer. 29 avr. à 22:00", site-local.
    fn le(&self, instant: DateTime<Utc>) -> Moment {
        Moment(Language::Fr, self.facts.calendar().local(instant))
    }

    /// "Wed 29 Apr 22:00 to Thu 30 Apr 07:00", "Thu 30 Apr 20:00 to 22:00".
    fn span(&self, slot: &Slot) -> Span {
        self.between(Language::En, slot)
    }

    /// "du mer. 29 avr. à 22:00 au jeu. 30 avr. à 07:00", "du jeu. 30 avr. de 20:00 à 22:00".
    fn entre(&self, slot: &Slot) -> Span {
        self.between(Language::Fr, slot)
    }

    fn between(&self, language: Language, slot: &Slot) -> Span {
        let calendar = self.facts.calendar();
        Span { language, start: calendar.local(slot.start), end: calendar.local(slot.end) }
    }

    /// The release the decision is about, by name.
    fn it(&self) -> String {
        self.release.map_or_else(|| self.product.to_owned(), |r| r.id().to_string())
    }

    /// The clause of one of the schedule's windows.
    fn clause(&self, window: &str) -> &str {
        self.facts.terms.schedule.windows.get(window).map_or("", |w| w.clause.as_str())
    }
}

/// What stands in another product's way is said there.
fn see(partner: &str) -> Said {
    (
        format!("what frees {partner}: see its own reasons"),
        format!("ce qui débloque {partner} : voir ses propres motifs"),
    )
}

/// "Fri 22 May 2026", "ven. 22 mai 2026".
fn day(date: NaiveDate) -> Said {
    let told = |language| format!("{} {}", Day(language, date), date.year());
    (told(Language::En), told(Language::Fr))
}
