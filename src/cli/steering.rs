//! What steers the planner, as the API tells it: agreements, holds, resumptions, each with the plan it leads to.

use super::api::{Client, Query};
use super::{Failure, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::{Moment, PROVIDER_ZONE};
use crate::work::views::{PlanRow, SlotRow};
use axum::http::Method;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Write as _;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementRow {
    pub id: i64,
    pub client: String,
    pub agreed: String,
    pub server: Option<String>,
    pub product: Option<String>,
    pub version: Option<String>,
    pub slot: Option<SlotRow>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub before: Option<NaiveDate>,
    pub by: String,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HoldRow {
    pub id: i64,
    pub on: String,
    pub client: Option<String>,
    pub server: Option<String>,
    pub product: Option<String>,
    pub version: Option<String>,
    pub until: Option<DateTime<Utc>>,
    pub reason: String,
    pub by: String,
    pub at: DateTime<Utc>,
    pub lifted_at: Option<DateTime<Utc>>,
    pub lifted_by: Option<String>,
    pub active: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResumptionRow {
    pub id: i64,
    pub product: String,
    pub version: String,
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
    pub lifted: Vec<i64>,
}

/// What was done, and the plan of what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WithPlan<T> {
    #[serde(flatten)]
    pub done: T,
    pub plan: Vec<PlanRow>,
}

impl<T> WithPlan<T> {
    /// The plan, a line for each row.
    pub fn plan_lines(&self) -> String {
        let mut text = String::new();
        for PlanRow { row, decision } in &self.plan {
            let zone = output::zone(&row.zone);
            let slot =
                row.slot.as_ref().map_or_else(String::new, |s| format!(" {}", output::slot(s.start, s.end, zone)));
            let to = row.to.as_deref().unwrap_or_default();
            let decision = decision.replace('_', " ");
            let _ = writeln!(text, "  plan: {} {} {to} {decision}{slot} ({zone})", row.server, row.product);
        }
        text
    }
}

impl HoldRow {
    /// `server martin-srv1`, as histories name it.
    pub fn what(&self) -> String {
        let name = |part: &Option<String>| part.clone().unwrap_or_default();
        match self.on.as_str() {
            "server" => format!("server {}", name(&self.server)),
            "client" => format!("client {}", name(&self.client)),
            _ => format!("release {} {}", name(&self.product), name(&self.version)),
        }
    }

    /// Until when, on the clock of `zone`.
    pub fn end(&self, zone: Tz) -> String {
        self.until
            .map_or_else(|| "until it is lifted".to_owned(), |until| format!("until {}", output::instant(until, zone)))
    }
}

impl Client {
    pub async fn agree(&self, body: &Value) -> Result<WithPlan<AgreementRow>, Failure> {
        self.call(Method::POST, "agreements", &Vec::new(), Some(body)).await
    }

    pub async fn agreements(&self, query: &Query<'_>) -> Result<Vec<AgreementRow>, Failure> {
        self.get("agreements", query).await
    }

    pub async fn hold(&self, body: &Value) -> Result<WithPlan<HoldRow>, Failure> {
        self.call(Method::POST, "holds", &Vec::new(), Some(body)).await
    }

    pub async fn holds(&self, query: &Query<'_>) -> Result<Vec<HoldRow>, Failure> {
        self.get("holds", query).await
    }

    pub async fn lift(&self, id: i64, by: Option<&str>) -> Result<WithPlan<HoldRow>, Failure> {
        self.call(Method::POST, &format!("holds/{id}/lift"), &Vec::new(), Some(&json!({ "by": by }))).await
    }

    pub async fn resume(&self, body: &Value) -> Result<WithPlan<ResumptionRow>, Failure> {
        self.call(Method::POST, "resumptions", &Vec::new(), Some(body)).await
    }

    /// A moment of the command line as the API reads it; without an offset it is on the clock of the site, named by
    /// its server or its client.
    pub async fn instant(
        &self,
        moment: Option<Moment>,
        (server, client): (Option<&str>, Option<&str>),
        fold: Fold,
    ) -> Result<Option<String>, Failure> {
        let Some(moment) = moment else { return Ok(None) };
        let zone = match moment {
            Moment::Instant(_) => PROVIDER_ZONE,
            Moment::Local(_) | Moment::Day(_) => self.zone_of(server, client).await?,
        };
        Ok(Some(Moment::Instant(moment.start(zone, fold)).to_string()))
    }

    /// The zone of a server, else of the client's first, else the provider's: what times about it are told in.
    pub async fn zone_of(&self, server: Option<&str>, client: Option<&str>) -> Result<Tz, Failure> {
        if server.is_none() && client.is_none() {
            return Ok(PROVIDER_ZONE);
        }
        let fleet = self.fleet().await?;
        let row = fleet.iter().find(|row| Some(row.server.as_str()) == server);
        let row = row.or_else(|| fleet.iter().find(|row| Some(row.client.as_str()) == client));
        Ok(row.map_or(PROVIDER_ZONE, |row| output::zone(&row.zone)))
    }
}
