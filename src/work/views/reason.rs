//! A reason as rows show it: in short beside a deployment, in full in an explanation.

use crate::model::decision::Reason;
use crate::model::fleet::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A reason beside a deployment or an event; the plan says all there is to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReasonRow {
    pub rule: String,
    pub text: String,
    /// Where the contract says it; in a plan, absent for a rule of the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// The text in French; in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fr: Option<String>,
    /// What would change the answer; in a plan, where something would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The same in French.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy_fr: Option<String>,
}

/// A reason with all there is to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedReason {
    pub rule: String,
    /// Where the contract says it; null for a rule of the house.
    pub clause: Option<String>,
    pub text: String,
    /// The same in French.
    pub fr: String,
    /// What would change the answer; null where nothing the reader could do would.
    pub remedy: Option<String>,
    /// The same in French.
    pub remedy_fr: Option<String>,
}

impl From<&Reason> for ReasonRow {
    fn from(reason: &Reason) -> ReasonRow {
        ReasonRow {
            rule: reason.rule.id().to_owned(),
            text: reason.text.clone(),
            clause: None,
            fr: None,
            remedy: None,
            remedy_fr: None,
        }
    }
}

impl ReasonRow {
    /// The reason with all there is to it, as the plan tells it.
    pub(super) fn in_full(reason: &Reason) -> ReasonRow {
        let ExplainedReason { rule, clause, text, fr, remedy, remedy_fr } = reason.into();
        ReasonRow { rule, text, clause, fr: Some(fr), remedy, remedy_fr }
    }
}

impl From<&Reason> for ExplainedReason {
    fn from(reason: &Reason) -> ExplainedReason {
        let remedy = reason.remedy.as_ref();
        ExplainedReason {
            rule: reason.rule.id().to_owned(),
            clause: reason.rule.clause().map(str::to_owned),
            text: reason.text.clone(),
            fr: reason.fr.clone(),
            remedy: remedy.map(|text| text.get(Language::En).to_owned()),
            remedy_fr: remedy.map(|text| text.get(Language::Fr).to_owned()),
        }
    }
}
