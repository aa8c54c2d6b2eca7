//! At the moment an installation starts, and once its result is in.

use super::Checker;
use super::finding::{Finding, Findings};
use super::item::Item;
use super::scene::Scene;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::rule::Rule;
use chrono::TimeDelta;

impl Checker {
    /// What is wrong with starting these deployments at [`Scene::now`]: those of one action, all of them. They may be
    /// planned still, or running since this instant.
    pub fn handed_out(&self, scene: &Scene, group: &[&Deployment]) -> Vec<Finding> {
        let mut findings = scene.findings();
        let items = Item::of_group(scene, group, &mut findings);
        for item in &items {
            self.scope(scene, item, &mut findings);
            self.path(scene, item, &items, &mut findings);
            self.slot(scene, item, &items, &mut findings);
            self.deadline(scene, item, &mut findings);
            self.major(scene, item, &mut findings);
            self.barriers(scene, item, &items, &mut findings);
            if !item.slot.contains(scene.now) {
                let text = format!("{} is outside its slot, {}", self.say(scene.now), self.say_slot(item.slot));
                findings.fatal(item.rule(), item.product, text);
            }
        }
        self.together(&items, &mut findings);
        self.one_start(scene, group, &items, &mut findings);
        self.room_left(scene, &items, &mut findings);
        findings.found
    }

    /// What holds once for the group: whose it is, the backup, the technician, and nothing else running here.
    fn one_start(&self, scene: &Scene, group: &[&Deployment], items: &[Item], findings: &mut Findings) {
        let Some(first) = group.first() else { return };
        for deployment in group {
            let product = &deployment.product;
            if deployment.client != scene.client.id || deployment.server != scene.server.id {
                let text = format!("it is for {} of {}", deployment.server, deployment.client);
                findings.fatal(Rule::ServersOnly, product, text);
            }
            let is_manual = items.iter().any(|item| item.product == *product && item.is_manual());
            if is_manual && deployment.attended_by.as_deref().unwrap_or_default().is_empty() {
                findings.fatal(Rule::ManualSlots, product, "it is manual, and nobody attends it".to_owned());
            }
            if deployment.reasons.is_empty() {
                findings.fatal(rule_of(deployment), product, "it starts without a reason".to_owned());
            }
        }
        if let Err(why) = self.backed_up(scene, first.slot) {
            findings.fatal(Rule::BackupFirst, &first.product, format!("it starts without a recent backup: {why}"));
        }
        if let Some((other, since)) = scene.running().find(|(other, _)| other.action != first.action) {
            let text = format!("{} {} is running here since {}", other.product, other.to, self.say(since));
            findings.fatal(Rule::Rollout, &first.product, text);
        }
    }

    /// What starts now ends, restore included, before the slot does.
    fn room_left(&self, scene: &Scene, items: &[Item], findings: &mut Findings) {
        let Some(first) = items.first().filter(|first| first.slot.contains(scene.now)) else { return };
        let work: i64 = items.iter().map(|item| item.minutes(scene)).sum();
        let minutes = work + i64::from(self.backup.reserve_minutes);
        if scene.now + TimeDelta::minutes(minutes) > first.slot.end {
            let text = format!(
                "{minutes} minutes, copy and restore included, from {} on go past the end of the slot, {}",
                self.say(scene.now),
                self.say(first.slot.end)
            );
            findings.fatal(first.rule(), first.product, text);
        }
    }

    /// What is wrong with how these deployments ended: those of one action, all of them.
    pub fn closed(&self, scene: &Scene, group: &[&Deployment]) -> Vec<Finding> {
        let mut findings = scene.findings();
        for deployment in group {
            self.result(scene, deployment, &mut findings);
        }
        let installed = group.iter().filter(|deployment| is_installed(deployment)).count();
        if let Some(left) = group.iter().find(|d| installed > 0 && !is_installed(d)) {
            let text =
                format!("{} of {} of its group are installed, and it is {}", installed, group.len(), left.state.name());
            findings.fatal(Rule::Prerequisites, &left.product, text);
        }
        findings.found
    }

    fn result(&self, scene: &Scene, deployment: &Deployment, findings: &mut Findings) {
        let Deployment { product, slot, to, .. } = deployment;
        let rule = rule_of(deployment);
        if let Some(started) = deployment.state.started_at().filter(|started| !slot.contains(*started)) {
            let text = format!("it started {}, outside its slot, {}", self.say(started), self.say_slot(*slot));
            findings.fatal(rule, product, text);
        }
        let DeploymentState::Installed { started_at, finished_at, observed } = &deployment.state else { return };
        if finished_at < started_at {
            let text = format!("it ended {}, before it started", self.say(*finished_at));
            findings.fatal(rule, product, text);
        }
        // The report may be what is late: a line that was down says nothing of the installation.
        if *finished_at > slot.end {
            let text = format!("it ended {}, after its slot, {}", self.say(*finished_at), self.say_slot(*slot));
            findings.warn(rule, product, text);
        }
        if let Some(found) = observed.as_ref().filter(|found| *found != to) {
            findings.fatal(
                Rule::HealthAfter,
                product,
                format!("{to} counts as installed, and the server runs {found}"),
            );
        }
        let before = scene.own_deployments().find(|other| {
            other.id != deployment.id && other.product == *product && other.to == *to && {
                matches!(&other.state, DeploymentState::Installed { finished_at, .. } if finished_at <= started_at)
            }
        });
        if let Some(before) = before {
            let text = format!("{to} was installed by deployment {} already", before.id);
            // Unless the server had lost it in between, which its inventory told when this one was planned.
            match &deployment.from {
                Some(from) if from < to => findings.warn(Rule::Prerequisites, product, text),
                Some(_) | None => findings.fatal(Rule::Prerequisites, product, text),
            }
        }
    }
}

/// The rule that lets it happen.
fn rule_of(deployment: &Deployment) -> Rule {
    if deployment.request.is_some() {
        Rule::MajorOnRequest
    } else if deployment.manual {
        Rule::ManualSlots
    } else {
        Rule::MinorNight
    }
}

fn is_installed(deployment: &Deployment) -> bool {
    match deployment.state {
        DeploymentState::Installed { .. } => true,
        DeploymentState::Planned
        | DeploymentState::Running { .. }
        | DeploymentState::RolledBack { .. }
        | DeploymentState::Refused { .. }
        | DeploymentState::Failed { .. }
        | DeploymentState::Cancelled { .. } => false,
    }
}
