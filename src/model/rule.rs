//! The contract's rules by id: the one place where a reader finds any of them.
//!
//! Each variant is a rule of the contract *Pro Contrôle*; its id is what appears in decisions,
//! history and letters, its clause is where to read it in the contract.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule of the contract, or one of the few rules of the house that are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    MinorNight,
    ManualSlots,
    MinorContentNotice,
    MajorOnRequest,
    MajorNotice,
    ServiceHours,
    Concertation,
    MaintenanceSlots,
    OfficeHours,
    OutOfScope,
    ServersOnly,
    BackupFirst,
    StandingAccess,
    HealthAfter,
    HourlyChecks,
    ThreeAttempts,
    #[serde(rename = "gti-2h")]
    Gti2h,
    Escalation,
    /// Only what the publisher's signed metadata vouches for is installed.
    SignedRelease,
    /// Versions, prerequisites and paths between versions as the manifests state them.
    Prerequisites,
    /// A release withdrawn by its publisher is never planned.
    Retracted,
    /// Canaries first; a release that fails too often halts by itself.
    Rollout,
    /// A person of the provider put it on hold.
    Hold,
    /// The client is closed: payroll runs, the tax season. It moves the work, not the date it is due.
    ClosedPeriod,
}

impl Rule {
    pub const ALL: [Rule; 24] = [
        Rule::MinorNight,
        Rule::ManualSlots,
        Rule::MinorContentNotice,
        Rule::MajorOnRequest,
        Rule::MajorNotice,
        Rule::ServiceHours,
        Rule::Concertation,
        Rule::MaintenanceSlots,
        Rule::OfficeHours,
        Rule::OutOfScope,
        Rule::ServersOnly,
        Rule::BackupFirst,
        Rule::StandingAccess,
        Rule::HealthAfter,
        Rule::HourlyChecks,
        Rule::ThreeAttempts,
        Rule::Gti2h,
        Rule::Escalation,
        Rule::SignedRelease,
        Rule::Prerequisites,
        Rule::Retracted,
        Rule::Rollout,
        Rule::Hold,
        Rule::ClosedPeriod,
    ];

    /// The stable id, as printed: `minor-night`.
    pub fn id(self) -> &'static str {
        match self {
            Rule::MinorNight => "minor-night",
            Rule::ManualSlots => "manual-slots",
            Rule::MinorContentNotice => "minor-content-notice",
            Rule::MajorOnRequest => "major-on-request",
            Rule::MajorNotice => "major-notice",
            Rule::ServiceHours => "service-hours",
            Rule::Concertation => "concertation",
            Rule::MaintenanceSlots => "maintenance-slots",
            Rule::OfficeHours => "office-hours",
            Rule::OutOfScope => "out-of-scope",
            Rule::ServersOnly => "servers-only",
            Rule::BackupFirst => "backup-first",
            Rule::StandingAccess => "standing-access",
            Rule::HealthAfter => "health-after",
            Rule::HourlyChecks => "hourly-checks",
            Rule::ThreeAttempts => "three-attempts",
            Rule::Gti2h => "gti-2h",
            Rule::Escalation => "escalation",
            Rule::SignedRelease => "signed-release",
            Rule::Prerequisites => "prerequisites",
            Rule::Retracted => "retracted",
            Rule::Rollout => "rollout",
            Rule::Hold => "hold",
            Rule::ClosedPeriod => "closed-period",
        }
    }

    /// Where to read it in the contract; `None` for a rule of the house.
    pub fn clause(self) -> Option<&'static str> {
        match self {
            Rule::MinorNight | Rule::ManualSlots | Rule::MinorContentNotice => Some("3.1.b.3"),
            Rule::MajorOnRequest | Rule::MajorNotice => Some("3.1.b.4"),
            Rule::ServiceHours => Some("6.1.1"),
            Rule::Concertation => Some("6.1.2"),
            Rule::MaintenanceSlots => Some("6.1.3"),
            Rule::OfficeHours => Some("6.1.4"),
            Rule::OutOfScope => Some("III, annexe 1-2"),
            Rule::ServersOnly => Some("annexe 4, 4.1-4.4"),
            Rule::BackupFirst => Some("IV.1-2"),
            Rule::StandingAccess => Some("3.2.a"),
            Rule::HealthAfter => Some("6.2.3"),
            Rule::HourlyChecks | Rule::ThreeAttempts => Some("6.2.4"),
            Rule::Gti2h => Some("6.1.6"),
            Rule::Escalation => Some("6.1.7"),
            Rule::SignedRelease
            | Rule::Prerequisites
            | Rule::Retracted
            | Rule::Rollout
            | Rule::Hold
            | Rule::ClosedPeriod => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
