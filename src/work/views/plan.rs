//! What will be installed where and when, and what is held or late, and why.

use super::history::{Context, change_name};
use super::{HistoryRow, ReasonRow};
use crate::edge::store::DeploymentFilter;
use crate::model::decision::{Decision, Outcome};
use crate::model::deployment::Deployment;
use crate::model::version::Change;
use crate::work::Orchestrator;
use crate::work::planning::{self, PlanningError, Selection};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A row of the plan: the same, with what was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanRow {
    #[serde(flatten)]
    pub row: HistoryRow,
    /// `up_to_date`, `planned`, `running`, `waiting`, `held`, `late` or `out_of_scope`.
    pub decision: String,
}

/// Which decisions of the plan to show.
#[derive(Clone, Debug, Default)]
pub struct PlanFilter {
    pub selection: Selection,
    pub product: Option<String>,
    /// The instant to plan for, with what is known now; now when absent.
    pub at: Option<DateTime<Utc>>,
    /// Leaves out what is planned to begin later than this.
    pub days: Option<u32>,
    /// Also what needs nothing (up to date, out of scope) or waits for somebody else.
    pub all: bool,
}

/// What will be installed where and when, and what is held or late; changes nothing.
pub async fn plan(o: &Orchestrator, filter: &PlanFilter) -> Result<Vec<PlanRow>, PlanningError> {
    let decisions = planning::preview(o, filter.at, &filter.selection).await?;
    let context = Context::load(o, None).await?;
    let until = filter.days.map(|days| filter.at.unwrap_or_else(|| o.clock.now()) + TimeDelta::days(days.into()));
    let mut open: BTreeMap<String, Vec<Deployment>> = BTreeMap::new();
    let states = vec!["planned".to_owned(), "running".to_owned()];
    let wanted = DeploymentFilter {
        client: filter.selection.client.clone(),
        server: filter.selection.server.clone(),
        states,
        ..DeploymentFilter::default()
    };
    for deployment in o.store.deployments(&wanted).await? {
        open.entry(deployment.server.clone()).or_default().push(deployment.value);
    }
    let mut inventories = BTreeMap::new();
    for state in o.store.states().await? {
        let (server, state) = state.value;
        inventories.insert(server, state.inventory);
    }
    let mut rows = Vec::new();
    for decision in decisions {
        let interesting = match &decision.outcome {
            Outcome::Planned(_) | Outcome::Late(_) | Outcome::Held { .. } | Outcome::Running => true,
            Outcome::UpToDate | Outcome::Waiting | Outcome::OutOfScope => filter.all,
        };
        let asked = filter.product.as_ref().is_none_or(|p| *p == decision.product);
        let soon = decision.outcome.intent().zip(until).is_none_or(|(plan, until)| plan.slot.start < until);
        if !interesting || !asked || !soon {
            continue;
        }
        let known = open.get(&decision.server).and_then(|all| all.iter().find(|d| carries(&decision, d)));
        let mut row = match known {
            Some(known) => context.row(known),
            None => bare(&context, &decision),
        };
        row.reasons = decision.reasons.iter().map(ReasonRow::in_full).collect();
        row.from = row.from.or_else(|| {
            inventories.get(&decision.server).and_then(|i| i.get(&decision.product)).map(ToString::to_string)
        });
        if let Some(plan) = decision.outcome.intent() {
            row.slot = Some(plan.slot.into());
            row.deadline = plan.deadline;
            row.request = context.request(plan.request);
            row.to = Some(plan.version.to_string());
            if known.is_none()
                && let Some(release) = o.store.release(&decision.product, &plan.version).await?
            {
                row.published_at = Some(release.published_at());
                row.manual = release.manifest().is_manual();
                let change = if plan.request.is_some() { Change::Major } else { release.manifest().change };
                row.change = Some(change_name(change));
            }
        }
        rows.push(PlanRow { row, decision: decision.outcome.name().to_owned() });
    }
    rows.sort_by_cached_key(|r| {
        let slot = r.row.slot.as_ref().map(|s| s.start);
        (slot.is_none(), slot, r.row.client.clone(), r.row.server.clone(), r.row.product.clone())
    });
    Ok(rows)
}

/// Whether `deployment` is what `decision` speaks of.
fn carries(decision: &Decision, deployment: &Deployment) -> bool {
    let running = decision.outcome == Outcome::Running && deployment.state.name() == "running";
    let intended = decision.outcome.intent().is_some_and(|plan| plan.version == deployment.to);
    decision.product == deployment.product && (running || intended)
}

/// A row for a decision that no deployment carries yet.
fn bare(context: &Context, decision: &Decision) -> HistoryRow {
    HistoryRow {
        id: None,
        client: decision.client.clone(),
        server: decision.server.clone(),
        product: decision.product.clone(),
        from: None,
        to: None,
        change: None,
        manual: false,
        state: None,
        zone: context.zone(&decision.server),
        published_at: None,
        request: None,
        slot: None,
        deadline: None,
        started_at: None,
        finished_at: None,
        attempts: 0,
        on_time: None,
        transfer: None,
        reasons: Vec::new(),
    }
}
