//! The reasons as data: small, borrowed from the facts, and put in words only for whoever reads them.
//!
//! Planning a fleet makes hundreds of thousands of these and shows a few hundred. `words` is the one place that turns
//! one into a sentence.

use super::super::rollout::{Halt, Progress};
use crate::model::agreement::Agreement;
use crate::model::deployment::Deployment;
use crate::model::hold::Hold;
use crate::model::manifest::{Companion, Requirement};
use crate::model::release::Release;
use crate::model::request::Request;
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};

/// One step of the reasoning about one product. What it is about by itself (the product, the release that was
/// chosen) is the draft's; it names what else it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Because<'a> {
    /// The agent has not said what is installed.
    Silent,
    NotOrdered,
    Running(&'a Deployment),
    UpToDate,
    /// What is installed was withdrawn; nothing goes back by itself.
    InstalledRetracted(&'a Release),
    Retracted(&'a Release),
    NoPath(&'a Release),
    SteppingStone(&'a Release, &'a Release),
    /// A major leads to the first, and has to be asked for by itself.
    SteppingMajor(&'a Release, &'a Release),
    Newer(&'a Release),
    /// The first keeps its deadline and so goes before the second.
    OlderFirst(&'a Release, &'a Release),
    /// The first goes only together with the companion that the second would take the place of.
    CompanionFirst(&'a Release, &'a Release),
    /// The first meets a deadline only where the second is left aside.
    MakesWay(&'a Release, &'a Release),
    NumbersSayMajor(&'a Release),

    FailedBefore(&'a Deployment),
    StaffTakeOver(&'a Release),
    CanaryFailed(&'a Release, u32),
    Halted(&'a Release, Halt, Tally),
    Ring(RingStand),
    HeldBy(&'a Hold),
    /// A hold with an end: slots that begin before it fall away.
    HeldUntil(&'a Hold),

    Deadline(DateTime<Utc>),
    DeadlineAtRisk(DateTime<Utc>),
    Late(&'a Slot, DateTime<Utc>),
    NightSlot(&'a Slot),
    Manual,
    MaintenanceSlot(&'a Slot),

    NeedsRequest(&'a Release),
    LegalDate(NaiveDate),
    Requested(&'a Request),
    RequestedGone(&'a Request),
    MajorSlot(&'a Slot, Option<&'a Slot>),
    NoSlotBefore(NaiveDate),
    AgreedNotice(&'a Agreement),

    AgreedSlot(&'a Agreement),
    AgreedClosed(&'a Agreement),
    Closed(&'a Slot),
    TooShort(&'a Slot),
    OfficeHours(&'a Slot),
    StaffBusy(&'a Slot),
    LineBusy(&'a Slot),
    NoSlot,
    SlotFull(&'a Slot),
    Spilled(&'a Slot),

    BackupGood(DateTime<Utc>),
    /// It will need one; the slot is not near yet.
    BackupNeeded(DateTime<Utc>),
    BackupMissing(DateTime<Utc>),

    RequirementMet(&'a Requirement),
    RequirementMissing(&'a Requirement),
    CompanionMissing(&'a Companion),
    /// The server runs an older one, which is nothing of ours.
    CompanionNotOrdered(&'a Companion),
    PartnerHeld(&'a Release),
    Follows(&'a Release, &'a Slot),
    Together(&'a Release, &'a Slot),
    GroupDoesNotFit(&'a Release),
}

/// How far a release got when it halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub failed: u32,
    pub tried: u32,
}

/// A server's place in the rollout of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RingStand {
    Canary,
    /// The fleet has no canary server for the product.
    NoCanaries,
    /// It settled on so many canary servers.
    Settled(u32),
    /// Canaries go first: the deadline night.
    Waits,
}

impl<'a> Because<'a> {
    /// Whether it settles that something goes into `slot`, by itself or after something else.
    pub(super) fn settles(&self, slot: &Slot) -> bool {
        match self {
            Because::NightSlot(said)
            | Because::MaintenanceSlot(said)
            | Because::MajorSlot(said, _)
            | Because::Together(_, said)
            | Because::Late(said, _) => *said == slot,
            Because::Follows(..) => true,
            _ => false,
        }
    }

    /// The same of another slot.
    pub(super) fn in_slot(self, slot: &'a Slot) -> Because<'a> {
        match self {
            Because::NightSlot(_) => Because::NightSlot(slot),
            Because::MaintenanceSlot(_) => Because::MaintenanceSlot(slot),
            Because::MajorSlot(..) => Because::MajorSlot(slot, None),
            Because::Late(_, deadline) => Because::Late(slot, deadline),
            Because::Together(other, _) => Because::Together(other, slot),
            other => other,
        }
    }

    /// Whether it may have to do with what other servers take of what all share.
    pub(super) fn is_of_others(&self) -> bool {
        matches!(
            self,
            Because::StaffBusy(_)
                | Because::LineBusy(_)
                | Because::SlotFull(_)
                | Because::Together(..)
                | Because::GroupDoesNotFit(_)
        )
    }
}

impl From<Progress> for Tally {
    fn from(progress: Progress) -> Tally {
        Tally { failed: progress.failed, tried: progress.tried() }
    }
}

const _: () = assert!(size_of::<Because>() <= 32, "a reason is copied by the hundred thousand");
