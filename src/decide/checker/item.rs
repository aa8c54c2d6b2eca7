//! One installation that is planned or about to start, seen the same way whether it comes from a decision or from a
//! deployment.

use super::finding::Findings;
use super::scene::Scene;
use crate::model::decision::{Decision, Outcome, Plan};
use crate::model::deployment::Deployment;
use crate::model::release::Release;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::{Change, Version};
use chrono::{DateTime, Utc};

/// One product's installation on the server.
pub(super) struct Item<'a> {
    pub product: &'a str,
    pub version: &'a Version,
    pub slot: Slot,
    pub deadline: Option<DateTime<Utc>>,
    pub request: Option<i64>,
    pub position: u32,
    pub group: Group<'a>,
    pub standing: Standing,
    pub release: &'a Release,
    pub installed: Option<&'a Version>,
    /// How much it changes here, whatever the plan says.
    pub change: Change,
}

/// What installs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group<'a> {
    /// The release that leads it, as a plan names it.
    Leader(&'a str),
    /// The action, as deployments share it.
    Action(i64),
}

/// Whether it may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In its slot, by its deadline.
    Goes,
    /// In its slot, past its deadline.
    Late,
    /// Not before something is lifted.
    Held,
}

impl<'a> Item<'a> {
    /// The plans among the decisions; one for a release nobody signed is a finding and not an item.
    pub fn of_decisions(scene: &Scene<'a>, decisions: &'a [Decision], findings: &mut Findings) -> Vec<Item<'a>> {
        let mut items = Vec::new();
        for decision in decisions {
            let (plan, standing) = match &decision.outcome {
                Outcome::Planned(plan) => (plan, Standing::Goes),
                Outcome::Late(plan) => (plan, Standing::Late),
                Outcome::Held { plan: Some(plan) } => (plan, Standing::Held),
                Outcome::Held { plan: None }
                | Outcome::UpToDate
                | Outcome::Running
                | Outcome::Waiting
                | Outcome::OutOfScope => continue,
            };
            let Plan { version, slot, deadline, request, position, leader } = plan;
            let Some(release) = signed(scene, &decision.product, version, findings) else { continue };
            let installed = scene.state.inventory.get(&decision.product);
            items.push(Item {
                product: &decision.product,
                version,
                slot: *slot,
                deadline: *deadline,
                request: *request,
                position: *position,
                group: Group::Leader(leader),
                standing,
                release,
                installed,
                change: scene.change(release, installed),
            });
        }
        items
    }

    /// The deployments of one action.
    pub fn of_group(scene: &Scene<'a>, group: &[&'a Deployment], findings: &mut Findings) -> Vec<Item<'a>> {
        let mut items = Vec::new();
        for deployment in group {
            let Some(release) = signed(scene, &deployment.product, &deployment.to, findings) else { continue };
            let installed = scene.state.inventory.get(&deployment.product);
            items.push(Item {
                product: &deployment.product,
                version: &deployment.to,
                slot: deployment.slot,
                deadline: deployment.deadline,
                request: deployment.request,
                position: deployment.position,
                group: Group::Action(deployment.action),
                standing: Standing::Goes,
                release,
                installed,
                change: scene.change(release, installed),
            });
        }
        items
    }

    pub fn goes(&self) -> bool {
        match self.standing {
            Standing::Goes | Standing::Late => true,
            Standing::Held => false,
        }
    }

    pub fn is_manual(&self) -> bool {
        self.release.manifest().is_manual()
    }

    pub fn is_major(&self) -> bool {
        self.change == Change::Major
    }

    /// Whether a technician has to be there: majors and manual updates.
    pub fn is_attended(&self) -> bool {
        self.is_major() || self.is_manual()
    }

    /// The rule that gives it its slot.
    pub fn rule(&self) -> Rule {
        if self.is_major() {
            Rule::MaintenanceSlots
        } else if self.is_manual() {
            Rule::ManualSlots
        } else {
            Rule::MinorNight
        }
    }

    /// Minutes to install it and, should it fail, to put the old version back.
    pub fn minutes(&self, scene: &Scene) -> i64 {
        i64::from((scene.minutes)(self.release)) + i64::from(self.release.manifest().rollback_minutes)
    }

    /// Those that install together with it, itself included.
    pub fn group<'b>(&'b self, items: &'b [Item<'a>]) -> impl Iterator<Item = &'b Item<'a>> {
        items.iter().filter(|other| other.group == self.group)
    }
}

/// The release, if publishers' metadata vouches for it by now (`signed-release`).
fn signed<'a>(scene: &Scene<'a>, product: &str, version: &Version, findings: &mut Findings) -> Option<&'a Release> {
    let release = scene.release(product, version);
    match release {
        None => findings.fatal(Rule::SignedRelease, product, format!("no publisher's metadata vouches for {version}")),
        Some(release) if release.published_at() > scene.now => {
            findings.fatal(Rule::SignedRelease, product, format!("{version} has not been published yet"));
        }
        Some(_) => return release,
    }
    None
}
