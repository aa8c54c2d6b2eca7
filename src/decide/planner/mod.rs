//! The planner: one server's facts in, the decisions for its products out.
//!
//! Pure and level-triggered: the same facts give the same decisions, whatever was decided before. What was
//! promised before (an open deployment) is itself a fact, and its slot is kept while it is still admissible.
//! Every decision carries the ordered reasons that led to it; `explain` prints them and has no second logic.
//! It does not look at other servers: ring progress enters as [`Rollout`].

mod group;
pub mod major;
mod minor;
mod reach;
mod slots;
mod words;

#[cfg(test)]
mod props;
#[cfg(test)]
mod tests;

use super::calendar::Calendar;
use super::terms::Terms;
use crate::model::agreement::Agreement;
use crate::model::decision::{Decision, Outcome, Reason};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Server};
use crate::model::release::{Release, ReleaseId};
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::rule::Rule;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every known release by product, ordered by version.
pub type Catalog = BTreeMap<String, Vec<Arc<Release>>>;

/// How far a release got, over the whole fleet.
pub type Rollout = BTreeMap<ReleaseId, Progress>;

/// One release's way through the canary ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Canary servers on which it was installed.
    pub installed: u32,
    /// Canary servers on which an attempt failed or was rolled back, and that do not run it now.
    pub failed: u32,
}

/// All the planner may know about one server.
pub struct Facts<'a> {
    pub now: DateTime<Utc>,
    pub terms: &'a Terms,
    pub calendar: &'a Calendar,
    pub client: &'a Client,
    pub server: &'a Server,
    pub state: &'a ServerState,
    pub catalog: &'a Catalog,
    pub requests: &'a [Request],
    pub agreements: &'a [Agreement],
    /// This server's deployments, oldest first.
    pub deployments: &'a [Deployment],
    pub rollout: &'a Rollout,
    /// Products for which the fleet has canary servers.
    pub canaries: &'a std::collections::BTreeSet<String>,
}

/// Decides for every product of the inventory. Every decision has at least one reason; a product may have two
/// decisions, its next minor and the major that was requested.
pub fn plan(facts: &Facts) -> Vec<Decision> {
    if facts.state.inventory.is_empty() {
        return facts.client.order.iter().map(|product| decision(facts, product, silent(facts))).collect();
    }
    let mut drafts = Vec::new();
    for (product, installed) in &facts.state.inventory {
        drafts.extend(draft(facts, product, installed));
    }
    group::join(facts, &mut drafts);
    slots::reserve(facts, &mut drafts);
    drafts.into_iter().map(|draft| decision(facts, &draft.product, (draft.outcome, draft.reasons))).collect()
}

/// A decision in the making.
struct Draft {
    product: String,
    /// The release the decision is about, where there is one.
    release: Option<Arc<Release>>,
    outcome: Outcome,
    reasons: Vec<Reason>,
}

impl Draft {
    fn settled(product: &str, outcome: Outcome, reasons: Vec<Reason>) -> Draft {
        Draft { product: product.to_owned(), release: None, outcome, reasons }
    }
}

fn decision(facts: &Facts, product: &str, (outcome, reasons): (Outcome, Vec<Reason>)) -> Decision {
    Decision {
        client: facts.client.id.clone(),
        server: facts.server.id.clone(),
        product: product.to_owned(),
        outcome,
        reasons,
    }
}

fn silent(facts: &Facts) -> (Outcome, Vec<Reason>) {
    let reason = Reason::new(
        Rule::HourlyChecks,
        format!("the agent of {} has not reported what is installed yet", facts.server.id),
        format!("l'agent de {} n'a pas encore communiqué ce qui est installé", facts.server.id),
    );
    (Outcome::Waiting, vec![reason])
}

fn draft(facts: &Facts, product: &str, installed: &Version) -> Vec<Draft> {
    if !facts.client.order.iter().any(|ordered| ordered == product) {
        let reason = words::not_ordered(product);
        return vec![Draft::settled(product, Outcome::OutOfScope, vec![reason])];
    }
    if let Some(running) = running(facts, product) {
        let reason = words::running(facts, running);
        return vec![Draft::settled(product, Outcome::Running, vec![reason])];
    }
    let reach = reach::look(facts, product, installed);
    let major = major::draft(facts, product, installed, &reach);
    let minor = minor::draft(facts, product, installed, &reach);
    match (minor, major) {
        // A product that only waits for a request needs no second line when a minor is on its way.
        (Some(minor), Some(major)) if major.outcome.intent().is_none() => {
            // The last reason is the one that settled it: that stays the minor's.
            let reasons = major.reasons.into_iter().chain(minor.reasons).collect();
            vec![Draft { reasons, ..minor }]
        }
        (Some(minor), Some(major)) => vec![minor, major],
        (Some(minor), None) => vec![minor],
        (None, Some(major)) => vec![major],
        (None, None) => vec![Draft::settled(product, Outcome::UpToDate, reach.reasons)],
    }
}

fn running<'a>(facts: &'a Facts, product: &str) -> Option<&'a Deployment> {
    facts.deployments.iter().find(|d| d.product == product && matches!(d.state, DeploymentState::Running { .. }))
}
