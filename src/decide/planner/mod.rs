//! The planner: one server's facts in, one decision per product out.

use super::calendar::Calendar;
use super::terms::Terms;
use crate::model::decision::Decision;
use crate::model::deployment::Deployment;
use crate::model::fleet::{Client, Server};
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::{Agreement, Request};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every known release by product, ordered by version.
pub type Catalog = BTreeMap<String, Vec<Arc<Release>>>;

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
}

/// Decides for every product of the order and the inventory. Every decision has at least one reason.
pub fn plan(_facts: &Facts) -> Vec<Decision> {
    todo!()
}
