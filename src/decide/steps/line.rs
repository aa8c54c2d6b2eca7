//! The lines of the agent's journal, and the order that the first of them keeps.
//!
//! A line is on the disk before what it announces is done. Lines are only ever added to, and their fields have defaults:
//! an agent that was upgraded in between reads what the older one wrote.

use super::{Outcome, Step};
use crate::decide::reboot::Wish;
use crate::model::check::{Answer, Unfit};
use crate::model::manifest::SignedManifest;
use crate::model::slot::Slot;
use crate::model::transfer::Transfer;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the server asked for: one ordered group, all or nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub action: String,
    /// `None` from a server that gives no slot: then handing out is what opens it.
    pub slot: Option<Slot>,
    /// A backup that ended before this does not count.
    pub backup_not_before: Option<DateTime<Utc>>,
    pub parts: Vec<Part>,
}

/// One product of an order, as the server names it; what is installed is read from the signed manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub product: String,
    pub version: Version,
    pub publisher: String,
    /// TUF target of the manifest.
    pub manifest: String,
    /// Where the server offers the package.
    pub href: String,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    Accepted {
        at: DateTime<Utc>,
        order: Order,
        /// Without the server, which had allowed that.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        alone: bool,
    },
    Begun {
        at: DateTime<Utc>,
        step: Step,
    },
    /// Product → what it cost to have its package here.
    Fetched {
        at: DateTime<Utc>,
        transfers: BTreeMap<String, Transfer>,
    },
    /// The manifests that the publishers' metadata vouches for, in the order of the parts.
    Trusted {
        at: DateTime<Utc>,
        manifests: Vec<SignedManifest>,
    },
    /// What the pointers named before: product → slug.
    Old {
        at: DateTime<Utc>,
        pointers: BTreeMap<String, Option<String>>,
    },
    Done {
        at: DateTime<Utc>,
        step: Step,
    },
    /// What the server answered about itself in this step.
    Checked {
        at: DateTime<Utc>,
        step: Step,
        answers: Vec<Answer>,
    },
    Failed {
        at: DateTime<Utc>,
        step: Step,
        why: String,
    },
    /// The installer program of a product is started.
    Running {
        at: DateTime<Utc>,
        product: String,
        /// The start of the machine that this is in, where that can be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
    },
    /// How it ended; a code of success is one that the check has to confirm.
    Ran {
        at: DateTime<Utc>,
        product: String,
        answer: Answer,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reboot: Option<Wish>,
    },
    /// The machine is told to restart.
    RebootAsked {
        at: DateTime<Utc>,
        /// The start of the machine that this is in.
        boot: String,
    },
    /// It did, which ends all waiting for it.
    Rebooted {
        at: DateTime<Utc>,
    },
    /// It is not told to, or did not: a restart is outstanding.
    NotRebooted {
        at: DateTime<Utc>,
        why: String,
    },
    /// The installer of a product's previous version ended well, to go back, and restarts the machine.
    WentBack {
        at: DateTime<Utc>,
        product: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
    },
    /// The server was found unfit for it: before anything was touched, or by an installer, and then it is put back.
    Unfit {
        at: DateTime<Utc>,
        unfit: Unfit,
        why: String,
    },
    Cancelled {
        at: DateTime<Utc>,
        id: String,
    },
    Closed {
        at: DateTime<Utc>,
        outcome: Outcome,
    },
    Reported {
        at: DateTime<Utc>,
    },
}
