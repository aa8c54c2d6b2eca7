//! Carries a staged order out without the server, when the line is dead in its slot.
//!
//! Only what the server allowed to be begun alone, and only for as long as the grace of `agent.toml` since it was last
//! heard to want it: a retraction or a hold that could not be heard is bounded by that. The plan stays on the disk, so
//! that a restart in between costs nothing. Everything that is verified and checked with a server is without one too,
//! from manifests that the publishers' metadata vouched for when the package was fetched.

use super::identity::write_secret;
use super::{Agent, AgentError, Pass};
use crate::decide::steps::{Installation, Line, Order};
use crate::edge::ddi_client::DdiError;
use crate::edge::host::tree::sync_folder;
use crate::model::manifest::SignedManifest;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Furthest that the wall clock may have moved otherwise than time went since the server was last heard, in minutes:
/// a clock that was set says nothing of a slot.
const STEP_MINUTES_MAX: i64 = 5;

/// An order that may be begun without the server.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    order: Order,
    manifests: Vec<SignedManifest>,
    /// When the server last said that it wants this.
    heard_at: DateTime<Utc>,
}

/// Whether an error means that the server cannot be reached, rather than that it said no.
fn is_silence(error: &DdiError) -> bool {
    match error {
        DdiError::Http(_) => true,
        DdiError::Status { status, .. } => status.is_server_error(),
        DdiError::TooLong { .. } | DdiError::Json { .. } | DdiError::Unusable => false,
    }
}

impl Agent {
    fn plan_file(&self) -> PathBuf {
        self.config.state_dir.join("staged.json")
    }

    fn plan(&self) -> Option<Plan> {
        serde_json::from_slice(&std::fs::read(self.plan_file()).ok()?).ok()
    }

    pub(super) fn has_plan(&self) -> bool {
        self.plan_file().exists()
    }

    /// Remembers that the server, heard just now, wants `order`, whose package is here.
    pub(super) fn keep_plan(&self, order: &Order, manifests: Vec<SignedManifest>) {
        let plan = Plan { order: order.clone(), manifests, heard_at: self.clock.now() };
        let text = serde_json::to_vec(&plan).map_err(io::Error::from);
        if let Err(error) = text.and_then(|text| write_secret(&self.plan_file(), &text)) {
            tracing::warn!(%error, "without the server nothing can be begun");
        }
    }

    /// The server, heard just now, still wants `order` as it was staged; any other plan is over.
    pub(super) fn renew_plan(&self, order: &Order) {
        match self.plan() {
            Some(plan) if plan.order == *order => self.keep_plan(order, plan.manifests),
            Some(_) => self.forget_plan(),
            None => {}
        }
    }

    /// What was staged is not wanted any more, or begins now.
    pub(super) fn forget_plan(&self) {
        match std::fs::remove_file(self.plan_file()) {
            Ok(()) => drop(sync_folder(&self.config.state_dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "cannot forget what was staged"),
        }
    }

    /// When a staged order's slot opens, if that is still to come.
    pub(super) fn next_slot(&self) -> Option<DateTime<Utc>> {
        let start = self.plan()?.order.slot?.start;
        (self.clock.now() < start && self.config.offline_grace_minutes > 0).then_some(start)
    }

    /// The server did not answer a poll, with `error`: begins what is staged where that may be begun alone.
    pub(super) async fn go_alone(&mut self, error: DdiError, pass: &mut Pass) -> Result<(), AgentError> {
        let Some(plan) = self.plan().filter(|_| is_silence(&error)) else { return Err(error.into()) };
        let action = plan.order.action.clone();
        if let Some(why) = self.objection(&plan) {
            tracing::info!(action, why, "not begun without the server");
            return Err(error.into());
        }
        tracing::warn!(action, %error, "begun without the server, which was last heard at {}", plan.heard_at);
        let at = self.clock.now();
        self.journal.rotate()?;
        let accepted = Line::Accepted { at, order: plan.order.clone(), alone: true };
        self.journal.append(&accepted)?;
        self.state = Installation::fold([accepted]);
        self.drive(pass).await
    }

    /// The manifests of an order that is carried out alone, as they were trusted when it was staged.
    pub(super) fn trusted_before(&self, state: &Installation) -> Option<Vec<SignedManifest>> {
        let plan = self.plan().filter(|plan| state.alone.is_some() && plan.order == state.order)?;
        Some(plan.manifests)
    }

    /// Why a plan must not be begun without the server now, if it must not.
    fn objection(&self, plan: &Plan) -> Option<String> {
        let (now, grace) = (self.clock.now(), TimeDelta::minutes(self.config.offline_grace_minutes.into()));
        if grace.is_zero() {
            return Some("agent.toml has no offline_grace_minutes".to_owned());
        }
        if now < plan.heard_at || plan.heard_at + grace < now {
            return Some(format!("the server was last heard at {}, longer ago than its grace", plan.heard_at));
        }
        if self.heard.as_ref().is_some_and(|mark| self.clock.stepped_since(mark).num_minutes() > STEP_MINUTES_MAX) {
            return Some("the clock was set, or the machine slept, since the server was last heard".to_owned());
        }
        if plan.order.slot.is_none() {
            return Some("the server gave no slot".to_owned());
        }
        let mut state = Installation::new(plan.order.clone());
        state.take(Line::Trusted { at: now, manifests: plan.manifests.clone() });
        state.slot_objection(now)
    }
}
