//! From decisions to steps: what has to be written so that the database says what was decided.
//!
//! Pure. Deployments are inserted, moved, regrouped or given up; what begins to be held, late or withdrawn is told
//! once, when it begins. Where nothing differs there are no steps, and [`differing`] finds that out before a reason is
//! put in words.

mod deployments;
mod standing;
#[cfg(test)]
mod tests;

pub use standing::{HALTED, cause, halted};

use super::letters::brief::Moment;
use super::planner::{Facts, Telling, Verdict, Verdicts};
use super::world::{Customer, Site, World};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::alert::NewAlert;
use crate::model::asker::Asker;
use crate::model::concertation::Concertation;
use crate::model::decision::{Decision, Outcome, Reason};
use crate::model::deployment::{BadTransition, Deployment};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::{Language, Server};
use crate::model::hold::HoldOn;
use crate::model::manifest::Text;
use crate::model::notice::{Consent, Installation, Letter, NewNotice};
use crate::model::release::Release;
use crate::model::request::RequestState;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::standing::Standing;
use crate::model::version::Change;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// What is to be written for one server, together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    /// New values of deployments, new ones included.
    pub deployments: Vec<Deployment>,
    pub events: Vec<NewEvent>,
    pub notices: Vec<NewNotice>,
    pub alerts: Vec<NewAlert>,
    /// Causes of alerts whose reason is gone.
    pub resolved: Vec<String>,
    pub standing: Option<Standing>,
}

impl Steps {
    pub fn is_empty(&self) -> bool {
        *self == Steps::default()
    }
}

/// Ids for new deployments, taken one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Ids(i64);

impl Ids {
    pub fn from(first: i64) -> Ids {
        Ids(first)
    }

    fn take(&mut self) -> i64 {
        let id = self.0;
        self.0 += 1;
        id
    }
}

/// One decision before it is put in words: product, release, verdict.
type Weighed<'v, 'a> = (&'a str, Option<&'a Arc<Release>>, &'v Verdict<'a>);

/// What has to be written for `verdicts`, in words; `None` where the server's open deployments and standing already say
/// what was decided.
///
/// Of decisions that are written as they are only the rule is told: nobody reads the rest, and telling is most of the
/// work. What settled them is where a deployment is given up, whose reason it can be.
pub fn differing<'a>(verdicts: &Verdicts<'a>, facts: &Facts<'a>, site: &Site) -> Option<Vec<Decision>> {
    let mut said = standing::Reading::of(site);
    let differing: Vec<bool> = verdicts
        .iter()
        .zip(verdicts.rules())
        .map(|(weighed, rule)| {
            // Read in any case: the reading goes along.
            let said_else = standing::differs(&mut said, weighed, rule);
            said_else || deployments::differs(verdicts, site, weighed, rule)
        })
        .collect();
    let all_intended = deployments::are_intended(verdicts, site);
    let agrees = !differing.contains(&true) && all_intended && standing::has_all(verdicts, site);
    let rest = if all_intended { Telling::Unchanged } else { Telling::Last };
    (!agrees).then(|| verdicts.decisions_about(facts, |place| if differing[place] { Telling::All } else { rest }))
}

/// The slots that deployments have once `verdicts` are written down, what runs left aside: the release, its slot, and
/// whether it was asked for.
pub fn slots<'v>(
    verdicts: &'v Verdicts,
    deployments: &'v [Deployment],
) -> impl Iterator<Item = (&'v Arc<Release>, Slot, bool)> {
    deployments::slots(verdicts, deployments)
}

/// How many deployments `decisions` add: so many ids are needed.
pub fn new_deployments(decisions: &[Decision], site: &Site) -> u32 {
    let is_new = |decision: &&Decision| {
        decision
            .outcome
            .plan()
            .is_some_and(|plan| !site.planned().any(|d| d.product == decision.product && d.to == plan.version))
    };
    u32::try_from(decisions.iter().filter(is_new).count()).unwrap_or(u32::MAX)
}

/// What has to be written for the server at `place` so that the database agrees with `decisions`.
pub fn steps(
    world: &World,
    place: usize,
    decisions: &[Decision],
    ids: Ids,
    now: DateTime<Utc>,
) -> Result<Steps, BadTransition> {
    let scene = Scene {
        world,
        customer: world.customer(place),
        site: world.site(place),
        server: world.server(place),
        place,
        now,
    };
    let mut steps = Steps::default();
    scene.deployments(decisions, ids, &mut steps)?;
    scene.standing(decisions, &mut steps);
    Ok(steps)
}

/// Where it happens.
struct Scene<'a> {
    world: &'a World,
    customer: &'a Customer,
    site: &'a Site,
    server: &'a Server,
    place: usize,
    now: DateTime<Utc>,
}

impl Scene<'_> {
    fn client(&self) -> &str {
        &self.customer.client.id
    }

    fn event(&self, kind: EventKind, text: impl Into<String>) -> NewEvent {
        NewEvent::new(self.now, self.client(), kind, text).personal(self.people())
    }

    /// What people are called and wrote in the reasons of what is decided here.
    fn people(&self) -> Vec<String> {
        let concerns = |on: &HoldOn| match on {
            HoldOn::Server { server, .. } => *server == self.server.id,
            HoldOn::Client { client } => *client == self.customer.client.id,
            HoldOn::Release { .. } => true,
        };
        let holds = self.world.holds().iter().filter(|hold| concerns(&hold.on));
        let held = holds.flat_map(|hold| [&hold.by, &hold.reason]);
        let agreed = self.customer.agreements.iter().map(|agreement| &agreement.by);
        let asked = self.customer.requests.iter().filter(|r| r.state == RequestState::Accepted).map(|r| &r.by);
        // Contacts are called by their address, which the store finds by itself.
        let named = agreed.chain(asked).filter(|by| !matches!(Asker::read(by), Asker::Contact { .. }));
        held.chain(named).cloned().collect()
    }

    fn facts<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        self.world.with_facts(self.place, self.now, look)
    }

    /// A slot in the site's own time: "Wed 29 Apr 22:00 to Thu 30 Apr 07:00".
    fn when(&self, slot: Slot) -> String {
        let local = |at: DateTime<Utc>| Moment(Language::En, at.with_timezone(&self.server.zone).naive_local());
        format!("{} to {}", local(slot.start), local(slot.end))
    }

    fn installation(&self, deployment: &Deployment, release: &Release) -> Installation {
        Installation {
            server: deployment.server.clone(),
            zone: self.server.zone,
            product: deployment.product.clone(),
            from: deployment.from.clone(),
            to: deployment.to.clone(),
            slot: deployment.slot,
            deadline: deployment.deadline,
            finished_at: deployment.state.finished_at(),
            sequence: deployment.concertation.as_ref().map(|it| it.version),
            manifest: release.signed.manifest.clone(),
        }
    }

    /// What the contact is asked about a deployment's slot, which is new: about what is attended, and what another slot was
    /// agreed for. Once asked, every change has to arrive. Whoever chose the slot has agreed to it.
    fn asked(&self, deployment: &Deployment) -> Option<Concertation> {
        let chose = |agreement: &&Agreement| match &agreement.agreed {
            Agreed::Slot { server, product, slot } => {
                (server, product) == (&deployment.server, &deployment.product) && slot.contains(deployment.slot.start)
            }
            Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => false,
        };
        let chosen = self.customer.agreements.iter().find(chose);
        let attended = deployment.change == Change::Major || deployment.manual;
        if !attended && deployment.concertation.is_none() && chosen.is_none() {
            return None;
        }
        let agreed = chosen.map(|agreement| Consent { by: agreement.by.clone(), at: agreement.at });
        Some(Concertation { agreed, ..Concertation::after(deployment.concertation.as_ref(), self.now) })
    }

    fn notify(&self, key: String, deployment: &Deployment, letter: Letter, steps: &mut Steps) {
        steps.notices.push(NewNotice {
            key,
            at: self.now,
            client: Some(self.client().to_owned()),
            server: Some(self.server.id.clone()),
            deployment: Some(deployment.id),
            letter,
        });
    }

    /// A client is told of a withdrawn release once, whether it was planned or runs already; and once more should it
    /// turn out to run after all.
    fn tell_retraction(&self, release: &Release, deployment: Option<i64>, steps: &mut Steps) {
        let Some(retraction) = &release.retracted else { return };
        let installed_on = self.world.running(self.customer, release.product(), release.version());
        let installed = if installed_on.is_empty() { "" } else { "/installed" };
        steps.notices.push(NewNotice {
            key: format!("retracted/{}/{}{installed}", self.client(), release.id()),
            at: self.now,
            client: Some(self.client().to_owned()),
            server: Some(self.server.id.clone()),
            deployment,
            letter: Letter::Retracted {
                product: release.product().to_owned(),
                version: release.version().clone(),
                reason: retraction.reason.clone(),
                installed_on,
            },
        });
    }
}

/// The reason that settled a decision, for a letter.
fn why(decision: &Decision) -> Text {
    let last: Option<&Reason> = decision.reasons.last();
    Text { fr: last.map(|r| r.fr.clone()).unwrap_or_default(), en: last.map(|r| r.text.clone()) }
}

/// Why a slot was left: what speaks against it, where the decision names it.
fn why_moved(decision: &Decision) -> Text {
    let against =
        |r: &&Reason| matches!(r.rule, Rule::Hold | Rule::ClosedPeriod | Rule::MaintenanceSlots | Rule::OfficeHours);
    let reasons: Vec<&Reason> = match decision.outcome.plan() {
        Some(_) => decision.reasons.iter().filter(against).collect(),
        None => Vec::new(),
    };
    if reasons.is_empty() {
        return why(decision);
    }
    let fr = reasons.iter().map(|r| r.fr.as_str()).collect::<Vec<_>>().join("\n");
    Text { fr, en: Some(reasons.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("\n")) }
}

fn intends(decision: &Decision, deployment: &Deployment) -> bool {
    let intent: Option<&crate::model::decision::Plan> = Outcome::intent(&decision.outcome);
    decision.product == deployment.product && intent.is_some_and(|p| p.version == deployment.to)
}
