//! An agreement: the client's IT contact accepts something the contract lets them accept.
//!
//! It widens what the planner may do for one client and nothing else; who agreed and when is part of it, and every
//! decision that rests on one names it.

use super::slot::Slot;
use super::version::Version;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// What was agreed with whom, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub id: i64,
    pub client: String,
    #[serde(flatten)]
    pub agreed: Agreed,
    /// Who agreed: the contact's name or address.
    pub by: String,
    pub at: DateTime<Utc>,
}

/// What the client's contact accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "agreed", rename_all = "snake_case")]
pub enum Agreed {
    /// Another slot than the contract's for one installation (6.1.3, 6.1.4).
    Slot { server: String, product: String, slot: Slot },
    /// Automatic work in a closed period of the client's, on these site-local days, both included.
    ClosedPeriod {
        /// One server, or all of the client's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
        from: NaiveDate,
        to: NaiveDate,
    },
    /// A major version sooner than the notice allows (3.1.b.4): the provider and the client agree on the date.
    ShortNotice { product: String, version: Version, before: NaiveDate },
}

impl Agreement {
    /// When it is over everywhere: a day that is named has ended in every zone.
    pub fn ends_at(&self) -> DateTime<Utc> {
        let over =
            |day: NaiveDate| day.checked_add_days(Days::new(2)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc();
        match &self.agreed {
            Agreed::Slot { slot, .. } => slot.end,
            Agreed::ClosedPeriod { to, .. } => over(*to),
            Agreed::ShortNotice { before, .. } => over(*before),
        }
    }
}

impl Agreed {
    /// What kind of agreement it is, as commands and events name it: `slot`.
    pub fn name(&self) -> &'static str {
        match self {
            Agreed::Slot { .. } => "slot",
            Agreed::ClosedPeriod { .. } => "closed_period",
            Agreed::ShortNotice { .. } => "short_notice",
        }
    }
}
