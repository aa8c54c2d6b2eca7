//! What is held, late, withdrawn or waiting for a request is an event, an alert or a letter when it begins, not each
//! time: the server's standing remembers what was said.

use super::{Scene, Steps, Weighed};
use crate::decide::notice;
use crate::decide::planner::{Verdict, Verdicts};
use crate::decide::world::Site;
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::decision::{Decision, Outcome, Reason};
use crate::model::event::EventKind;
use crate::model::notice::{Letter, NewNotice};
use crate::model::rule::Rule;
use crate::model::standing::Standing;
use crate::model::version::Version;
use std::collections::{BTreeMap, btree_map};

/// Marks the line of a standing that says that what is installed was withdrawn.
const WITHDRAWN: &str = "!";
/// The word of what will not be in time.
const LATE: &str = "late";
/// Marks the second decision about a product.
const SECOND: &str = "#2";

/// Ends the line of what is held and will be late, or is.
const PAST: &str = " late";

/// Whether a line stands for each decision and each withdrawn release, and no other; what they say is [`differs`]'s.
pub(super) fn has_all(verdicts: &Verdicts, site: &Site) -> bool {
    let said = &site.standing.outcomes;
    verdicts.iter().count() + verdicts.withdrawn().count() == said.len()
        && verdicts.withdrawn().all(|r| said.contains_key(&format!("{}{WITHDRAWN}", r.product())))
}

/// What the standing says, read along with the decisions: both are in the order of the products.
pub(super) struct Reading<'a> {
    all: &'a BTreeMap<String, String>,
    rest: btree_map::Iter<'a, String, String>,
    last: &'a str,
}

impl<'a> Reading<'a> {
    pub fn of(site: &'a Site) -> Reading<'a> {
        let all = &site.standing.outcomes;
        Reading { all, rest: all.iter(), last: "" }
    }

    /// The line about `product`; asked again, that about its second decision.
    fn line(&mut self, product: &'a str) -> Option<&'a String> {
        let second = std::mem::replace(&mut self.last, product) == product;
        let is_it = |key: &str| if second { key.strip_suffix(SECOND) == Some(product) } else { key == product };
        match self.rest.by_ref().find(|(key, _)| !key.ends_with(WITHDRAWN)) {
            Some((key, line)) if is_it(key) => Some(line),
            // Out of step, it is looked up.
            Some(_) | None if second => self.all.get(&format!("{product}{SECOND}")),
            Some(_) | None => self.all.get(product),
        }
    }
}

/// Whether the standing does not say yet what was decided.
pub(super) fn differs<'a>(said: &mut Reading<'a>, (product, release, verdict): Weighed<'_, 'a>, rule: Rule) -> bool {
    let line = said.line(product);
    let version = verdict.intent().and(release).map_or("-", |r| r.version().as_str());
    let past = matches!(verdict, Verdict::Held(Some(placed)) if placed.is_late());
    line.is_none_or(|line| {
        line.strip_suffix(PAST).is_some() != past || !says(core(line), verdict.name(), rule, version)
    })
}

/// What a line says but for [`PAST`].
fn core(line: &str) -> &str {
    line.strip_suffix(PAST).unwrap_or(line)
}

fn is_held(line: &str) -> bool {
    line.starts_with("held ")
}

/// Whether a line says that the deadline passes: what is held can be late as well.
fn is_late(line: &str) -> bool {
    line.starts_with("late ") || line.ends_with(PAST)
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
            let key = if second { format!("{}{SECOND}", decision.product) } else { decision.product.clone() };
            let late = decision.outcome.is_late();
            let past = if late && matches!(decision.outcome, Outcome::Held { .. }) { PAST } else { "" };
            let was = before.get(&key).map_or("", String::as_str);
            let value = [decision.outcome.name(), " ", rule, " ", version, past].concat();
            if core(was) != core(&value) {
                self.begin(decision, steps);
            }
            if late && !is_late(was) {
                self.begin_late(decision, steps);
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
        match &decision.outcome {
            Outcome::Held { .. } => {
                if let Some(reason) = decision.reasons.last() {
                    self.tell_trouble(EventKind::Held, decision, reason, steps);
                }
            }
            Outcome::Waiting => self.offer_major(decision, steps),
            // What is late has a beginning of its own.
            Outcome::UpToDate | Outcome::Planned(_) | Outcome::Late(_) | Outcome::Running | Outcome::OutOfScope => {}
        }
    }

    /// It will not be in time, whether it is held besides or not: said once.
    fn begin_late(&self, decision: &Decision, steps: &mut Steps) {
        let night = decision.reasons.iter().rev().find(|r| r.rule == Rule::MinorNight);
        let reason = if matches!(decision.outcome, Outcome::Held { .. }) { night } else { None };
        if let Some(reason) = reason.or(decision.reasons.last()) {
            self.tell_trouble(EventKind::Late, decision, reason, steps);
        }
    }

    fn tell_trouble(&self, kind: EventKind, decision: &Decision, reason: &Reason, steps: &mut Steps) {
        let event = self.event(kind, format!("{}: {}", decision.product, reason.text));
        let event = event.server(&self.server.id).product(&decision.product);
        steps.events.push(event.reasons(decision.reasons.clone()));
        let word = if kind == EventKind::Late { LATE } else { decision.outcome.name() };
        steps.alerts.push(self.alert(word, decision, reason.rule));
    }

    fn alert(&self, word: &str, decision: &Decision, rule: Rule) -> NewAlert {
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
        let product = key.strip_suffix(SECOND).unwrap_or(key);
        let now = after.get(key).map_or("", String::as_str);
        let mut words = core(value).split(' ').skip(1);
        let (rule, version) = (words.next().unwrap_or_default(), words.next().filter(|v| *v != "-"));
        let name = version.map_or_else(|| product.to_owned(), |version| format!("{product} {version}"));
        let mut over = |word: &str, said: Option<String>| {
            if let Some(text) = said {
                let event = self.event(EventKind::Released, text);
                steps.events.push(event.server(&self.server.id).product(product));
            }
            steps.resolved.extend((word == LATE || !is_held(now)).then(|| cause(word, &self.server.id, product)));
        };
        if is_held(value) && core(value) != core(now) {
            over("held", Some(format!("{name} is no longer held ({rule})")));
        }
        // An alert about lateness outlives the installation that may end it. What is installed late, or given up, stays
        // late: only a plan in time takes that back.
        let runs = |line: &str| line.starts_with("running ");
        if (is_late(value) || runs(value)) && !is_late(now) && !runs(now) {
            let in_time = is_late(value) && now.starts_with("planned ");
            over(LATE, in_time.then(|| format!("{name} is no longer late: it is planned in time")));
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
                manifest: release.signed.manifest.clone(),
                earliest: count.earliest,
            },
        });
    }
}
