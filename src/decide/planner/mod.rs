//! The planner: one server's facts in, the decisions for its products out.
//!
//! Pure and level-triggered: the same facts give the same decisions, whatever was decided before. What was
//! promised before (an open deployment) is itself a fact, and its slot is kept while it is still admissible.
//!
//! Every decision carries the ordered reasons that led to it. They are data ([`because`]) and cost next to nothing;
//! [`Verdicts::decisions`] puts them in words for whoever writes or reads them, so that `explain` prints what the
//! planner thought and there is no second logic.
//!
//! It does not look at other servers. What binds them enters as data: ring progress and failure budget as
//! [`Rollout`], staff and the client's line as [`Load`].

mod backup;
mod because;
mod companion;
mod draft;
mod group;
pub mod major;
mod minor;
mod offer;
mod part;
mod reach;
mod room;
mod slots;
mod stuck;
mod trade;
mod words;

#[cfg(test)]
mod props;
#[cfg(test)]
mod stops_tests;
#[cfg(test)]
pub(in crate::decide) mod tests;
#[cfg(test)]
mod together_tests;

pub use backup::BACKUP_LEAD;
pub use draft::{Placement, Telling, Verdict, Verdicts};
pub use offer::offered;
pub use slots::stands;

use super::almanac::Almanac;
use super::calendar::Calendar;
use super::closed::Closed;
use super::durations::Durations;
use super::load::Load;
use super::rollout::Rollout;
use super::terms::Terms;
use crate::model::agreement::Agreement;
use crate::model::decision::Decision;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::fleet::{Client, Server};
use crate::model::hold::Hold;
use crate::model::release::Release;
use crate::model::report::ServerState;
use crate::model::request::Request;
use crate::model::version::Version;
use because::Because;
use chrono::{DateTime, Utc};
use draft::Draft;
use group::Barred;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every known release by product, ordered by version.
pub type Catalog = BTreeMap<String, Vec<Arc<Release>>>;

/// All the planner may know about one server.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub now: DateTime<Utc>,
    pub terms: &'a Terms,
    pub almanac: &'a Almanac,
    pub closed: &'a Closed,
    pub client: &'a Client,
    pub server: &'a Server,
    pub state: &'a ServerState,
    pub catalog: &'a Catalog,
    /// The client's requests.
    pub requests: &'a [Request],
    /// The client's agreements.
    pub agreements: &'a [Agreement],
    /// Holds on the server, its client, or any release.
    pub holds: &'a [Hold],
    /// This server's deployments that are open or did not end well, oldest first.
    pub deployments: &'a [Deployment],
    pub rollout: &'a Rollout,
    pub durations: &'a Durations,
    /// How many canary servers the fleet has for a product.
    pub canaries: &'a BTreeMap<String, usize>,
    pub load: Load<'a>,
}

impl<'a> Facts<'a> {
    fn calendar(&self) -> &'a Calendar {
        self.almanac.calendar()
    }
}

/// Decides for every product of the inventory, in words. Every decision has at least one reason; a product may have
/// two decisions, its next minor and the major that was requested.
pub fn plan(facts: &Facts) -> Vec<Decision> {
    weigh(facts).decisions(facts)
}

/// Decides for every product of the inventory, and keeps the reasons as data.
pub fn weigh<'a>(facts: &Facts<'a>) -> Verdicts<'a> {
    if facts.state.inventory.is_empty() {
        let silent = |product| Draft::settled(product, Verdict::Waiting, Because::Silent);
        let mut order: Vec<&String> = facts.client.order.iter().collect();
        order.sort_unstable();
        return Verdicts(order.into_iter().map(silent).collect());
    }
    // Only a product that leaves something aside is drafted again. The drafts are kept for that where something is tied:
    // most servers try nothing twice.
    let bare = OnceCell::new();
    let attempt = |barred: &[Barred<'a>], apart: &[&'a String]| {
        let mut drafts = if barred.is_empty() {
            let drafts = draft_all(facts);
            if group::is_any_tied(&drafts) {
                bare.get_or_init(|| drafts.clone());
            }
            drafts
        } else {
            redraft(facts, bare.get_or_init(|| draft_all(facts)), barred)
        };
        group::join(facts, &mut drafts, apart);
        drafts
    };
    let settle = |aside: &[Barred<'a>], apart: &[&'a String]| {
        let with = |more: &[Barred<'a>]| attempt(&[aside, more].concat(), apart);
        let mut drafts = group::fall_back(facts, with(&[]), with);
        room::make(facts, &mut drafts);
        drafts
    };
    let roomy = |apart: &[&'a String]| room::give_way(facts, settle(&[], apart), |aside| settle(aside, apart));
    let drafts = part::pairs(facts, roomy(&[]), roomy);
    let mut drafts = trade::others(facts, drafts, |aside| settle(aside, &[]));
    backup::hold(facts, &mut drafts);
    group::number(&mut drafts);
    Verdicts(drafts)
}

/// Every product on its own.
fn draft_all<'a>(facts: &Facts<'a>) -> Vec<Draft<'a>> {
    let mut drafts = Vec::with_capacity(facts.state.inventory.len());
    for (product, installed) in &facts.state.inventory {
        draft(facts, product, installed, &[], &mut drafts);
    }
    drafts
}

/// The same, with releases left aside.
fn redraft<'a>(facts: &Facts<'a>, bare: &[Draft<'a>], barred: &[Barred<'a>]) -> Vec<Draft<'a>> {
    let mut drafts = Vec::with_capacity(bare.len() + 1);
    // Products are borrowed from the inventory: one place, one product.
    for known in bare.chunk_by(|one, next| std::ptr::eq(one.product, next.product)) {
        let product = known[0].product;
        let is_barred = barred.iter().any(|b| b.release.product() == product);
        match is_barred.then(|| facts.state.inventory.get(product)).flatten() {
            Some(installed) => draft(facts, product, installed, barred, &mut drafts),
            None => drafts.extend_from_slice(known),
        }
    }
    drafts
}

fn draft<'a>(
    facts: &Facts<'a>,
    product: &'a String,
    installed: &'a Version,
    barred: &[Barred<'a>],
    drafts: &mut Vec<Draft<'a>>,
) {
    if !facts.client.order.iter().any(|ordered| ordered == product) {
        drafts.push(Draft::settled(product, Verdict::OutOfScope, Because::NotOrdered));
        return;
    }
    if let Some(running) = running(facts, product) {
        let mut draft = Draft::settled(product, Verdict::Running, Because::Running(running));
        // That what is there was withdrawn stays true while its successor goes in.
        let withdrawn = reach::withdrawn(facts, product, installed).map(Because::InstalledRetracted);
        draft.reasons.splice(0..0, withdrawn);
        drafts.push(draft);
        return;
    }
    let reach = reach::look(facts, product, installed);
    if reach.minors.is_empty() && reach.majors.is_empty() && reach.stranded.is_none() {
        drafts.push(Draft { product, release: None, verdict: Verdict::UpToDate, reasons: reach.reasons });
        return;
    }
    let minor = minor::draft(facts, product, &reach, barred);
    let major = major::draft(facts, product, installed, &reach);
    match (minor, major) {
        // A product that only waits for a request needs no second line when a minor is on its way. The last reason
        // is the one that settled it: that stays the minor's.
        (Some(minor), Some(mut major)) if major.verdict.intent().is_none() => {
            major.reasons.extend(minor.reasons);
            drafts.push(Draft { reasons: major.reasons, ..minor });
        }
        (None, Some(mut major)) => {
            let settled = std::mem::replace(&mut major.reasons, reach.reasons);
            major.reasons.extend(settled);
            drafts.push(major);
        }
        (minor, major) => drafts.extend(minor.into_iter().chain(major)),
    }
}

fn running<'a>(facts: &Facts<'a>, product: &str) -> Option<&'a Deployment> {
    facts.deployments.iter().find(|d| matches!(d.state, DeploymentState::Running { .. }) && d.product == product)
}
