//! Clients and their servers, as `fleet.toml` declares them.

pub use super::closed::{ClosedDays, ClosedPeriod};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The whole file: what the provider looks after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    #[serde(default, rename = "client")]
    pub clients: Vec<Client>,
}

/// A customer: contract terms, order, contacts, calendar, servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// `[a-z0-9-]+`, unique.
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub language: Language,
    /// Name of the schedule (file stem in the schedules folder).
    pub schedule: String,
    /// Holidays region: `FR`, `FR-ALS`, `FR-971` … `FR-978`.
    pub holidays: String,
    /// Products of the order; what it does not name is never touched (`out-of-scope`).
    pub order: Vec<String>,
    pub contacts: Vec<Contact>,
    /// When the client wants no automatic work (a payroll run, a tax season).
    #[serde(default)]
    pub closed: Vec<ClosedPeriod>,
    #[serde(default, rename = "server")]
    pub servers: Vec<Server>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Fr,
    En,
}

/// The client's *Interlocuteur Informatique* (annexe 3): the first is the main one, a second the deputy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub name: String,
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// One managed machine of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// `[a-z0-9-]+`, unique in the fleet; also the agent's controller id.
    pub id: String,
    /// IANA zone of the site.
    pub zone: Tz,
    #[serde(default)]
    pub ring: Ring,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ring {
    /// Takes minors in the first night.
    Canary,
    #[default]
    Broad,
}
