//! What is held, late, withdrawn or waiting for a request is an event, an alert or a letter when it begins, not each
//! time: the server's standing remembers what was said.

use super::{Scene, Steps};
use crate::decide::notice;
use crate::decide::planner::Verdicts;
use crate::decide::world::Site;
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::decision::{Decision, Outcome};
use crate::model::event::EventKind;
use crate::model::notice::{Letter, NewNotice};
use crate::model::rule::Rule;
use crate::model::standing::Standing;
use crate::model::version::Version;
use std::collections::BTreeMap;

/// Marks the line of a standing that says that what is installed was withdrawn.
const WITHDRAWN: &str = "!";
/// Marks the second decision about a product.
const SECOND: &str = "#2";

/// Whether the standing already says what was decided.
pub(super) fn agrees(verdicts: &Verdicts, site: &Site) -> bool {
    let said = &site.standing.outcomes;
    let (mut lines, mut last) = (0, "");
    for ((product, release, verdict), rule) in verdicts.iter().zip(verdicts.rules()) {
        let second = product == last;
        last = product;
        let line = if second { said.get(&format!("{product}{SECOND}")) } else { said.get(product) };
        let version = verdict.intent().and(release).map_or("-", |r| r.version().as_str());
        if line.is_none_or(|line| !says(line, verdict.name(), rule, version)) {
            return false;
        }
        lines += 1;
    }
    let withdrawn = verdicts.withdrawn().count();
    lines + withdrawn == said.len()
        && verdicts.withdrawn().all(|r| said.contains_key(&format!("{}{WITHDRAWN}", r.product())))
}

/// Whether `line` is `outcome rule version`, compared without writing it.
fn says(line: &str, outcome: &str, rule: Rule, version: &str) -> bool {
    line.strip_prefix(outcome)
        .and_then(|rest| rest.strip_prefix(' ')?.strip_prefix(rule.id())?.strip_prefix(' '))
        .is_some_and(|rest| rest == version)
}

/// One cause per server, product and kind of trouble: the same trouble raised again is the same alert.
pub fn cause(word: &str, server: &str, product: &str) -> String {
    format!("{word}/{server}/{product}")
}

/// What the cause of a release that goes no further by itself begins with.
pub const HALTED: &str = "halted/";

/// The cause of a release that goes no further by itself: one alert, however many servers wait.
pub fn halted(product: &str, version: &Version) -> String {
    format!("{HALTED}{product} {version}")
}

impl Scene<'_> {
    pub(super) fn standing(&self, decisions: &[Decision], steps: &mut Steps) {
        let before = &self.site.standing.outcomes;
        let mut after = BTreeMap::new();
        for decision in decisions {
            let version = decision.outcome.intent().map_or("-", |p| p.version.as_str());
            let rule = decision.reasons.last().map_or("", |r| r.rule.id());
            let second = after.contains_key(&decision.product);
            let key = format!("{}{}", decision.product, if second { SECOND } else { "" });
            let value = format!("{} {rule} {version}", decision.outcome.name());
            if before.get(&key) != Some(&value) {
                self.begin(decision, steps);
            }
            after.insert(key, value);
        }
        self.withdrawn(before, &mut after, steps);
        for (key, value) in before {
            if after.get(key) != Some(value) {
                self.end(key, value, &after, steps);
            }
        }
        if *before != after {
            steps.standing = Some(Standing { server: self.server.id.clone(), outcomes: after });
        }
    }

    /// What is installed was withdrawn by its publisher: the client is told, once.
    fn withdrawn(&self, before: &BTreeMap<String, String>, after: &mut BTreeMap<String, String>, steps: &mut Steps) {
        for (product, version) in &self.site.state.inventory {
            if !self.customer.client.order.contains(product) {
                continue;
            }
            let Some(release) = self.world.release(product, version).filter(|r| r.retracted.is_some()) else {
                continue;
            };
            let (key, value) = (format!("{product}{WITHDRAWN}"), format!("installed {version}"));
            if before.get(&key) != Some(&value) {
                let reason = release.retracted.as_ref().map_or("", |r| r.reason.as_str());
                let text = format!("{}, installed here, was withdrawn by its publisher: {reason}", release.id());
                let event = self.event(EventKind::ReleaseRetracted, text);
                steps.events.push(event.server(&self.server.id).product(product));
                self.tell_retraction(release, None, steps);
            }
            after.insert(key, value);
        }
    }

    fn begin(&self, decision: &Decision, steps: &mut Steps) {
        let kind = match &decision.outcome {
            Outcome::Held { .. } => EventKind::Held,
            Outcome::Late(_) => EventKind::Late,
            Outcome::Waiting => return self.offer_major(decision, steps),
            Outcome::UpToDate | Outcome::Planned(_) | Outcome::Running | Outcome::OutOfScope => return,
        };
        let Some(reason) = decision.reasons.last() else { return };
        let event = self.event(kind, format!("{}: {}", decision.product, reason.text));
        let event = event.server(&self.server.id).product(&decision.product);
        steps.events.push(event.reasons(decision.reasons.clone()));
        steps.alerts.push(self.alert(decision, reason.rule));
    }

    fn alert(&self, decision: &Decision, rule: Rule) -> NewAlert {
        let word = decision.outcome.name();
        let text = decision.reasons.iter().map(|r| format!("{}: {}", r.rule, r.text)).collect::<Vec<_>>().join("\n");
        if rule == Rule::Rollout
            && let Some(version) = self.stopped(&decision.product)
        {
            return NewAlert {
                cause: halted(&decision.product, &version),
                class: AlertClass::Applications,
                client: None,
                server: None,
                product: Some(decision.product.clone()),
                deployment: None,
                title: format!("{} {version} goes no further by itself ({rule})", decision.product),
                text,
            };
        }
        NewAlert {
            cause: cause(word, &self.server.id, &decision.product),
            class: if rule == Rule::BackupFirst { AlertClass::Systems } else { AlertClass::Applications },
            client: Some(self.client().to_owned()),
            server: Some(self.server.id.clone()),
            product: Some(decision.product.clone()),
            deployment: None,
            title: format!("{} {word} on {} ({rule})", decision.product, self.server.id),
            text,
        }
    }

    /// The version that the planner would install and that stopped.
    fn stopped(&self, product: &str) -> Option<Version> {
        self.facts(|facts| {
            let verdicts = crate::decide::planner::weigh(facts);
            verdicts
                .iter()
                .find(|(of, ..)| *of == product)
                .and_then(|(_, release, _)| release.map(|r| r.version().clone()))
        })
    }

    fn end(&self, key: &str, value: &str, after: &BTreeMap<String, String>, steps: &mut Steps) {
        let Some(word) = value.split(' ').next().filter(|word| matches!(*word, "held" | "late")) else { return };
        let product = key.strip_suffix(SECOND).unwrap_or(key);
        let event = self.event(EventKind::Released, format!("{product}: no longer {value}"));
        steps.events.push(event.server(&self.server.id).product(product));
        let still = after.get(key).is_some_and(|v| v.split(' ').next() == Some(word));
        if !still {
            steps.resolved.push(cause(word, &self.server.id, product));
        }
    }

    /// A major that only waits for a request is announced once per client (annexe 3).
    fn offer_major(&self, decision: &Decision, steps: &mut Steps) {
        if decision.reasons.last().map(|r| r.rule) != Some(Rule::MajorOnRequest) {
            return;
        }
        let newest = self.world.catalog().get(&decision.product);
        let newest = newest.and_then(|all| all.iter().rev().find(|r| r.retracted.is_none()));
        let Some(release) = newest else { return };
        let count = notice::count(&self.customer.terms, self.site.almanac.calendar(), self.now);
        steps.notices.push(NewNotice {
            key: format!("available/{}/{}/{}", self.client(), release.product(), release.version()),
            at: self.now,
            client: Some(self.client().to_owned()),
            server: None,
            deployment: None,
            letter: Letter::MajorAvailable {
                product: release.product().to_owned(),
                version: release.version().clone(),
                manifest: Box::new(release.manifest().clone()),
                earliest: count.earliest,
            },
        });
    }
}
