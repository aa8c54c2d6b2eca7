//! A schedule: the terms of one contract as data, each citing its clause (`schedules/*.toml`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file as written. `decide::terms` compiles and checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The contract's title.
    pub contract: String,
    /// Named windows; `night`, `maintenance`, `office` and `service` are the ones the rules use.
    pub windows: BTreeMap<String, Window>,
    pub minor: MinorTerms,
    pub manual: ManualTerms,
    pub major: MajorTerms,
    pub rollout: RolloutTerms,
    pub staff: StaffTerms,
    pub backup: BackupTerms,
    pub intervention: InterventionTerms,
    pub agents: AgentTerms,
    pub retry: RetryTerms,
    /// Absent: every letter goes alone and at once.
    #[serde(default)]
    pub letters: LetterTerms,
    /// When each job wakes, as six-field cron in UTC. A job is level-triggered: waking more often changes nothing.
    pub jobs: JobTerms,
}

/// A window in OpenStreetMap opening-hours syntax, site-local.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub hours: String,
    pub clause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinorTerms {
    pub clause: String,
    /// Window minors are installed in.
    pub window: String,
    /// Nights from publication to the deadline: 2 means the end of the night of the following day.
    pub deadline_nights: u32,
    /// Window no automatic work may overlap.
    pub never_in: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManualTerms {
    pub clause: String,
    pub window: String,
    /// Hours between planning a manual update and its slot, so that the contact can inform the users.
    pub announce_hours: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MajorTerms {
    pub clause: String,
    pub window: String,
    pub notice_working_days: u32,
    /// Window after whose end a request counts as received the next working day.
    pub received_until_end_of: String,
    /// Days before a release's legal date on which a client who has not requested it is reminded; the largest first.
    pub remind_days_before: Vec<u32>,
}

/// How a release goes through the fleet, and when it stops by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutTerms {
    pub clause: String,
    /// Failed servers at which a release halts, however many it was tried on.
    pub failures_max: u32,
    /// Share of the servers tried at which it halts, once `sample_min` were tried.
    pub failures_percent: u32,
    pub sample_min: u32,
    /// Installations at once on one client's line.
    pub line_installs_max: u32,
    /// Minutes of the night over which servers spread their starts.
    pub splay_minutes: u32,
    /// Observations from which the time a release really takes (p95) replaces its publisher's estimate.
    pub durations_min: u32,
}

/// What the provider's staff can attend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffTerms {
    pub clause: String,
    /// Manual and major updates at the same time, over all clients of this contract.
    pub installs_max: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTerms {
    pub clause: String,
    /// A backup must be newer than the last working day's close of this window.
    pub since_close_of: String,
    /// Minutes of each slot kept for the copy that is made before an installation.
    pub reserve_minutes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterventionTerms {
    pub clause: String,
    pub within_minutes: u32,
    /// Window the clock runs in; absent: elapsed time.
    #[serde(default)]
    pub clock: Option<String>,
    /// Elapsed hours after the breach for levels 2 and 3.
    pub escalate_after_hours: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentTerms {
    pub clause: String,
    pub silent_after_minutes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryTerms {
    pub clause: String,
    /// Attempts of one release on one server before staff take over.
    pub attempts_max: u32,
}

/// How letters to a client are gathered, and when they keep quiet. Alerts to staff are no letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LetterTerms {
    pub clause: String,
    /// Minutes for which the announcement of an update waits for others of the same night.
    pub gather_minutes: u32,
    /// Window in which nobody is written to about what went well, or about what begins after its end.
    #[serde(default)]
    pub quiet: Option<String>,
    /// Working days before a slot on which a contact who has not agreed to it is reminded; 0: never.
    #[serde(default)]
    pub remind_working_days: u32,
}

/// Six-field cron expressions (seconds first), UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTerms {
    pub fetch: String,
    pub plan: String,
    pub post: String,
    pub watch: String,
}
