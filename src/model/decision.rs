//! The planner's answer for one server and product, with the ordered reasons that led there.

use super::manifest::Text;
use super::rule::Rule;
use super::slot::Slot;
use super::version::Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One step of the reasoning: the rule and what it said here, in French and English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub rule: Rule,
    /// English, as staff and the history read it.
    pub text: String,
    /// French, as the client reads it.
    pub fr: String,
    /// What would change the answer ("a backup after Fri 22 May 19:00"), where something would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Text>,
}

/// Ordered reasons; shared by the decision, its deployment and the history.
pub type Reasons = Arc<[Reason]>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub client: String,
    pub server: String,
    pub product: String,
    pub outcome: Outcome,
    /// Never empty.
    pub reasons: Reasons,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Outcome {
    UpToDate,
    Planned(Plan),
    /// An installation is under way.
    Running,
    /// Nothing to do until somebody else moves (a request, a prerequisite, a canary).
    Waiting,
    /// Something forbids it now; staff were told. `plan` is what would happen were it lifted.
    Held {
        plan: Option<Plan>,
    },
    /// Planned, but past its deadline.
    Late(Plan),
    OutOfScope,
}

/// What will be installed and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub version: Version,
    pub slot: Slot,
    /// When the contract says it must be done; absent for a release without one.
    pub deadline: Option<DateTime<Utc>>,
    /// The request that asked for it, for a major.
    pub request: Option<i64>,
    /// Products of one group share it: one slot, in this order, all or nothing.
    /// Position of this product in the group's order; 0 for a product on its own.
    pub position: u32,
    /// The release whose plan leads the group (`isacompta 14.20.004`); itself for a release on its own.
    pub leader: String,
}

impl Reason {
    pub fn new(rule: Rule, text: impl Into<String>, fr: impl Into<String>) -> Reason {
        Reason { rule, text: text.into(), fr: fr.into(), remedy: None }
    }

    /// Says what would change the answer, in English and French.
    pub fn unless(self, en: impl Into<String>, fr: impl Into<String>) -> Reason {
        Reason { remedy: Some(Text { fr: fr.into(), en: Some(en.into()) }), ..self }
    }
}

impl Outcome {
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::UpToDate => "up_to_date",
            Outcome::Planned(_) => "planned",
            Outcome::Running => "running",
            Outcome::Waiting => "waiting",
            Outcome::Held { .. } => "held",
            Outcome::Late(_) => "late",
            Outcome::OutOfScope => "out_of_scope",
        }
    }

    /// Whether what is intended ends after its deadline, held or not.
    pub fn is_late(&self) -> bool {
        self.intent().is_some_and(|plan| plan.deadline.is_some_and(|deadline| plan.slot.end > deadline))
    }

    /// What may be handed out in its slot.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Outcome::Planned(plan) | Outcome::Late(plan) => Some(plan),
            Outcome::UpToDate | Outcome::Running | Outcome::Waiting | Outcome::Held { .. } | Outcome::OutOfScope => {
                None
            }
        }
    }

    /// What is intended, even where it is held now.
    pub fn intent(&self) -> Option<&Plan> {
        match self {
            Outcome::Planned(plan) | Outcome::Late(plan) => Some(plan),
            Outcome::Held { plan } => plan.as_ref(),
            Outcome::UpToDate | Outcome::Running | Outcome::Waiting | Outcome::OutOfScope => None,
        }
    }
}
