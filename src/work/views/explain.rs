//! Why things are as they are on one server: the planner's own reasons, in its order.

use super::{ExplainedReason, SlotRow};
use crate::model::decision::Decision;
use crate::work::Orchestrator;
use crate::work::planning::{self, PlanningError, Selection};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The decisions about one server, with their reasons in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub server: String,
    pub client: String,
    pub zone: String,
    /// The instant it holds for.
    pub at: DateTime<Utc>,
    pub decisions: Vec<ExplainedDecision>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedDecision {
    pub product: String,
    pub decision: String,
    pub to: Option<String>,
    pub slot: Option<SlotRow>,
    pub deadline: Option<DateTime<Utc>>,
    pub reasons: Vec<ExplainedReason>,
}

/// Why things are as they are on one server; `None` when the fleet has no such server.
pub async fn explain(
    o: &Orchestrator,
    server: &str,
    product: Option<&str>,
    at: Option<DateTime<Utc>>,
) -> Result<Option<Explanation>, PlanningError> {
    let Some(client) = o.store.client_of_server(server).await? else { return Ok(None) };
    let zone = client.servers.iter().find(|s| s.id == server).map_or("UTC", |s| s.zone.name());
    let selection = Selection { client: Some(client.id.clone()), server: Some(server.to_owned()) };
    let decisions = planning::preview(o, at, &selection).await?;
    let asked = decisions.iter().filter(|d| product.is_none_or(|p| p == d.product));
    Ok(Some(Explanation {
        server: server.to_owned(),
        client: client.id.clone(),
        zone: zone.to_owned(),
        at: at.unwrap_or_else(|| o.clock.now()),
        decisions: asked.map(explained).collect(),
    }))
}

fn explained(decision: &Decision) -> ExplainedDecision {
    let plan = decision.outcome.intent();
    ExplainedDecision {
        product: decision.product.clone(),
        decision: decision.outcome.name().to_owned(),
        to: plan.map(|p| p.version.to_string()),
        slot: plan.map(|p| p.slot.into()),
        deadline: plan.and_then(|p| p.deadline),
        reasons: decision.reasons.iter().map(ExplainedReason::from).collect(),
    }
}
