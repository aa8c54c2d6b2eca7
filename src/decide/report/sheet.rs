//! What a report says, as others parse it: fields are added, never renamed. Instants are UTC.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One client's month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    pub client: String,
    pub client_name: String,
    /// The client's own: `fr` or `en`.
    pub language: String,
    /// The contract's title.
    pub contract: String,
    /// `2026-05`.
    pub month: String,
    /// IANA zone of the clock that bounds the month: the client's first site's.
    pub zone: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub made_at: DateTime<Utc>,
    /// Whether the month was over when this was made.
    pub is_over: bool,
    /// The month as numbers, by name: `minors.due`, `minors.on_time`, …
    pub figures: BTreeMap<String, i64>,
    /// Every rule of the contract, in its order, then those of the house.
    pub rules: Vec<RuleFigure>,
    /// Minor updates that were due in the month, each on each server.
    pub minors: Vec<Minor>,
    /// Those that were due before and not installed when the month began.
    pub carried: Vec<Minor>,
    /// Updates that a technician attends.
    pub manuals: Vec<Manual>,
    /// Requests for major versions that were received, carried out or over in the month.
    pub majors: Vec<Major>,
    /// Requests that the contract did not allow.
    pub refused: Vec<Refused>,
    /// Every day of the month, with what began on it.
    pub nights: Vec<Night>,
    /// Alerts to the provider's staff about this client.
    pub interventions: Vec<Intervention>,
    pub letters: Letters,
    pub availability: Vec<Availability>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// What a rule said, in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The rule's id; absent for what an agent reported.
    pub rule: Option<String>,
    pub clause: Option<String>,
    pub text: String,
    pub fr: String,
}

/// One rule over the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleFigure {
    pub rule: String,
    /// Where the contract says it; null for a rule of the house.
    pub clause: Option<String>,
    /// Decisions whose reasons name it.
    pub decisions: u32,
    /// How often it was kept and broken, where that can be measured.
    pub kept: Option<u32>,
    pub broken: Option<u32>,
}

/// How a minor update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinorOutcome {
    /// It, or a newer one in its place, was there by the deadline.
    OnTime,
    /// It was there after the deadline.
    Late,
    /// The deadline has passed and it is not there.
    Missed,
    /// Its publisher withdrew it before the deadline, and it was not installed.
    Withdrawn,
    /// The deadline is still to come.
    Open,
}

/// One minor release on one server (`minor-night`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Minor {
    pub server: String,
    /// IANA zone of the site.
    pub zone: String,
    pub product: String,
    /// What ran there when it was published.
    pub from: Option<String>,
    pub version: String,
    pub published_at: DateTime<Utc>,
    pub deadline: DateTime<Utc>,
    pub outcome: MinorOutcome,
    pub installed_at: Option<DateTime<Utc>>,
    /// The newer version that went in its place.
    pub instead: Option<String>,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub attempts: Vec<Attempt>,
    /// Why it was not in time, or what stood in its way.
    pub why: Vec<Why>,
}

/// One try of a release on a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub deployment: i64,
    pub slot: Span,
    /// `installed`, `rolled_back`, `refused`, `failed` or `running`.
    pub state: String,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// What went wrong, as the agent said it.
    pub why: Option<String>,
}

/// An attended update (`manual-slots`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Manual {
    pub deployment: i64,
    pub server: String,
    pub zone: String,
    pub product: String,
    pub from: Option<String>,
    pub version: String,
    pub published_at: DateTime<Utc>,
    /// When the client was told of the slot.
    pub announced_at: Option<DateTime<Utc>>,
    pub slot: Span,
    pub attended_by: Option<String>,
    pub state: String,
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it kept to a slot that the contract or the client's contact allows; null until it has begun.
    pub in_slot: Option<bool>,
    pub why: Option<String>,
}

/// A request for a major version (`major-on-request`, `major-notice`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Major {
    pub request: i64,
    pub product: String,
    pub version: String,
    pub received_at: DateTime<Utc>,
    /// Who asked.
    pub by: String,
    /// Day the request counts as received.
    pub counted_from: NaiveDate,
    /// The earliest latest date that the notice allowed.
    pub earliest: NaiveDate,
    /// The latest date the client wished.
    pub before: NaiveDate,
    /// Whether the notice was kept, or the client and the provider agreed on a shorter one.
    pub notice_kept: bool,
    /// Who agreed to a shorter notice.
    pub agreed_by: Option<String>,
    /// `accepted`, `superseded`, `done`, `cancelled` or `expired`.
    pub state: String,
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether it was there by the latest date; null while that can still be.
    pub on_time: Option<bool>,
    /// Each server's turn.
    pub visits: Vec<Visit>,
}

/// One server's turn of a major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Visit {
    pub deployment: i64,
    pub server: String,
    pub zone: String,
    pub slot: Span,
    pub state: String,
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it kept to a slot that the contract or the client's contact allows; null until it has begun.
    pub in_slot: Option<bool>,
    pub why: Option<String>,
}

/// A request that was refused, as the client was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    pub at: DateTime<Utc>,
    pub product: String,
    pub version: String,
    pub by: String,
    pub before: NaiveDate,
    pub earliest: Option<NaiveDate>,
    pub text: String,
    pub fr: String,
}

/// What began on one day of the month, night included, on the clock of each site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Night {
    pub date: NaiveDate,
    /// Neither a weekend nor a public holiday.
    pub is_working_day: bool,
    pub holiday: Option<String>,
    pub installed: u32,
    pub rolled_back: u32,
    pub refused: u32,
    pub failed: u32,
    /// Planned or under way.
    pub planned: u32,
}

/// An alert and its clock (`gti-2h`, `escalation`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Intervention {
    pub alert: i64,
    /// What kind of trouble: `held`, `late`, `failed`, `silent`, …
    pub kind: String,
    /// `applications` or `systems`.
    pub class: String,
    pub server: Option<String>,
    pub product: Option<String>,
    /// As staff were told.
    pub title: String,
    pub raised_at: DateTime<Utc>,
    /// When somebody had to have intervened.
    pub due: DateTime<Utc>,
    /// Who took it up; null where nobody had to any more.
    pub taken: Option<Taken>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
    /// How far it was escalated, 0 to 3.
    pub level: u8,
    /// Minutes that the clock ran: to the intervention, to its end without one, or until now.
    pub clock_minutes: i64,
    /// Whether the clock counts service hours only.
    pub is_in_service_hours: bool,
    /// Whether it was in time; null while the clock runs.
    pub in_time: Option<bool>,
}

/// Who took an alert up, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    pub at: DateTime<Utc>,
    pub by: String,
}

/// The letters to the client that left in the month, or should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Letters {
    pub sent: u32,
    pub undelivered: u32,
    /// Still in the outbox.
    pub waiting: u32,
    /// Sent letters by kind: `minor-planned`, …
    pub kinds: BTreeMap<String, u32>,
    /// Each of them.
    pub post: Vec<Post>,
}

/// One letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Post {
    pub letter: i64,
    pub kind: String,
    pub written_at: DateTime<Utc>,
    /// What it is about, as far as the letter names it.
    pub server: Option<String>,
    pub product: Option<String>,
    pub version: Option<String>,
    /// `sent`, `undelivered` or `pending`.
    pub state: String,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    pub error: Option<String>,
}

/// How much of the month a server's agent could be heard (`hourly-checks`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    pub server: String,
    pub zone: String,
    /// Minutes of the month, until now, in which it was under our care.
    pub minutes: i64,
    /// Minutes of them without a word.
    pub silent_minutes: i64,
    /// When it was silent.
    pub silences: Vec<Span>,
}
