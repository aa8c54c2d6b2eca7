//! Decisions in the making, and what [`super::weigh`] returns: compact, borrowed, without a word yet.

use super::because::Because;
use super::{Facts, slots, words};
use crate::decide::almanac::Work;
use crate::model::decision::{Decision, Outcome, Plan};
use crate::model::release::Release;
use crate::model::request::Request;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// A decision in the making.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    pub product: &'a String,
    /// The release the decision is about, where there is one.
    pub release: Option<&'a Arc<Release>>,
    pub verdict: Verdict<'a>,
    pub reasons: Vec<Because<'a>>,
}

/// What was decided; the shape of [`Outcome`] without its copies.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'a> {
    UpToDate,
    Planned(Box<Placement<'a>>),
    Running,
    Waiting,
    Held(Option<Box<Placement<'a>>>),
    Late(Box<Placement<'a>>),
    OutOfScope,
}

/// Where a release was placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement<'a> {
    pub slot: &'a Slot,
    pub deadline: Option<DateTime<Utc>>,
    pub request: Option<&'a Request>,
    /// Whose slot it is: what is attended never shares one with what is not.
    pub work: Work,
    /// Index of the draft that leads the group; of itself for a release on its own.
    pub(super) leader: usize,
    pub position: u32,
}

/// How much is told of the reasons of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    All,
    /// What settled it.
    Last,
    /// That its rule settles it as before: for what nobody reads, because nothing becomes of it.
    Unchanged,
}

/// The decisions for one server, reasons as data.
#[derive(Clone, Debug)]
pub struct Verdicts<'a>(pub(super) Vec<Draft<'a>>);

impl<'a> Draft<'a> {
    pub(super) fn settled(product: &'a String, verdict: Verdict<'a>, because: Because<'a>) -> Draft<'a> {
        Draft { product, release: None, verdict, reasons: vec![because] }
    }

    pub(super) fn say(&mut self, because: Because<'a>) {
        if !self.reasons.contains(&because) {
            self.reasons.push(because);
        }
    }
}

impl<'a> Draft<'a> {
    /// Says with what, or after what, it goes. That it is late stays the last word.
    pub(super) fn say_how(&mut self, because: Because<'a>) {
        if !self.reasons.contains(&because) {
            let late = usize::from(matches!(self.reasons.last(), Some(Because::Late(..))));
            self.reasons.insert(self.reasons.len() - late, because);
        }
    }

    /// Says which slot is left for a retry of a major, or that none is.
    pub(super) fn say_retry(&mut self, slot: &'a Slot, retry: Option<&'a Slot>) {
        let said = self.reasons.iter_mut().filter(|said| matches!(said, Because::MajorSlot(of, _) if *of == slot));
        said.for_each(|said| *said = Because::MajorSlot(slot, retry));
    }

    /// Moves it to another slot; what was said of the old one is said of the new one.
    pub(super) fn move_to(&mut self, slot: &'a Slot) {
        let Some(placed) = self.verdict.plan_mut() else { return };
        let was = std::mem::replace(&mut placed.slot, slot);
        if was != slot {
            self.reasons.iter_mut().filter(|said| said.settles(was)).for_each(|said| *said = said.in_slot(slot));
            self.resettle();
        }
    }

    /// In time or late again for a placement that was moved.
    fn resettle(&mut self) {
        let Some(placed) = self.verdict.plan().cloned() else { return };
        let was_late = matches!(self.verdict, Verdict::Late(_));
        let late = placed.deadline.filter(|_| placed.is_late() && !was_late);
        self.reasons.extend(late.map(|deadline| Because::Late(placed.slot, deadline)));
        self.verdict = placed.settled();
    }
}

impl<'a> Placement<'a> {
    /// What becomes of it: planned, in time or late.
    pub(super) fn settled(self) -> Verdict<'a> {
        if self.is_late() { Verdict::Late(Box::new(self)) } else { Verdict::Planned(Box::new(self)) }
    }

    /// Whether it ends after its deadline. A major's is the client's date, which its slot never passes.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.slot.end > deadline)
    }
}

impl<'a> Verdict<'a> {
    /// What may be handed out in its slot.
    pub fn plan(&self) -> Option<&Placement<'a>> {
        match self {
            Verdict::Planned(placement) | Verdict::Late(placement) => Some(placement),
            Verdict::UpToDate | Verdict::Running | Verdict::Waiting | Verdict::Held(_) | Verdict::OutOfScope => None,
        }
    }

    pub(super) fn plan_mut(&mut self) -> Option<&mut Placement<'a>> {
        match self {
            Verdict::Planned(placement) | Verdict::Late(placement) => Some(placement),
            Verdict::UpToDate | Verdict::Running | Verdict::Waiting | Verdict::Held(_) | Verdict::OutOfScope => None,
        }
    }

    /// What is intended, even where it is held now.
    pub fn intent(&self) -> Option<&Placement<'a>> {
        match self {
            Verdict::Planned(placement) | Verdict::Late(placement) => Some(placement),
            Verdict::Held(placement) => placement.as_deref(),
            Verdict::UpToDate | Verdict::Running | Verdict::Waiting | Verdict::OutOfScope => None,
        }
    }

    /// The same, held.
    pub(super) fn hold(self) -> Verdict<'a> {
        match self {
            Verdict::Planned(placement) | Verdict::Late(placement) => Verdict::Held(Some(placement)),
            other @ (Verdict::UpToDate
            | Verdict::Running
            | Verdict::Waiting
            | Verdict::Held(_)
            | Verdict::OutOfScope) => other,
        }
    }

    /// [`Outcome::name`].
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::UpToDate => "up_to_date",
            Verdict::Planned(_) => "planned",
            Verdict::Running => "running",
            Verdict::Waiting => "waiting",
            Verdict::Held(_) => "held",
            Verdict::Late(_) => "late",
            Verdict::OutOfScope => "out_of_scope",
        }
    }
}

impl<'a> Verdicts<'a> {
    /// Every decision in words.
    pub fn decisions(&self, facts: &Facts<'a>) -> Vec<Decision> {
        self.decisions_about(facts, |_| Telling::All)
    }

    /// Every decision, in as many words as are `asked` for at its place.
    pub fn decisions_about(&self, facts: &Facts<'a>, asked: impl Fn(usize) -> Telling) -> Vec<Decision> {
        let tell = |(place, draft): (usize, &Draft<'a>)| self.decision(facts, draft, asked(place));
        self.0.iter().enumerate().map(tell).collect()
    }

    /// What is decided for each product: the product, the release, the verdict.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a Arc<Release>>, &Verdict<'a>)> {
        self.0.iter().map(|d| (d.product.as_str(), d.release, &d.verdict))
    }

    /// The rule that settled each decision, in their order.
    pub fn rules(&self) -> impl Iterator<Item = crate::model::rule::Rule> {
        self.0.iter().filter_map(|d| d.reasons.last().map(words::rule))
    }

    /// The product and release that go first among those that go together with `placed`.
    pub fn first_with(&self, placed: &Placement) -> Option<(&'a str, Option<&'a Arc<Release>>)> {
        let together = |d: &&Draft<'a>| d.verdict.plan().is_some_and(|p| p.leader == placed.leader);
        let first = |d: &&Draft<'a>| d.verdict.plan().map(|p| p.position);
        self.0.iter().filter(together).min_by_key(first).map(|d| (d.product.as_str(), d.release))
    }

    /// Whether others may have kept something from where it would have gone: that was said, or it moved.
    pub fn gave_way(&self, facts: &Facts<'a>) -> bool {
        self.0.iter().any(|draft| {
            draft.reasons.iter().any(Because::is_of_others)
                || draft.release.zip(draft.verdict.intent()).is_some_and(|(release, placed)| {
                    slots::promised(facts, release).is_some_and(|promised| promised != placed.slot)
                })
        })
    }

    /// Whether something is late, held, or away from its agreed slot for what goes beside it, as far as can be told.
    pub fn is_crowded(&self) -> bool {
        let said = |what: fn(&Because) -> bool| self.0.iter().any(|draft| draft.reasons.iter().any(what));
        let any = |verdict: fn(&Verdict) -> bool| self.0.iter().any(|draft| verdict(&draft.verdict));
        any(|v| matches!(v, Verdict::Late(_))) && said(|b| b.is_of_others() || matches!(b, Because::Follows(..)))
            || any(|v| matches!(v, Verdict::Held(_)))
                && said(|b| matches!(b, Because::SlotFull(_) | Because::Follows(..)))
            || said(|b| matches!(b, Because::AgreedSlot(_))) && said(|b| matches!(b, Because::Together(..)))
    }

    /// Whether the same was decided, whatever led there.
    pub fn are_the_same(&self, other: &Verdicts) -> bool {
        let one = self.0.iter().map(|d| (d.product, d.release.map(|r| r.id()), &d.verdict));
        one.eq(other.0.iter().map(|d| (d.product, d.release.map(|r| r.id()), &d.verdict)))
    }

    /// Whether a release goes because another one would be late, or make something late: what others take may change that.
    pub fn leans(&self) -> bool {
        let leans = |because: &Because| matches!(because, Because::OlderFirst(..) | Because::MakesWay(..));
        self.0.iter().any(|draft| draft.reasons.iter().any(leans))
    }

    /// Releases that are installed and were withdrawn.
    pub fn withdrawn(&self) -> impl Iterator<Item = &'a Release> {
        self.0.iter().flat_map(|d| &d.reasons).filter_map(|because| match because {
            Because::InstalledRetracted(release) => Some(*release),
            _ => None,
        })
    }

    /// Memory it holds, in bytes.
    pub fn bytes(&self) -> usize {
        let of = |draft: &Draft| {
            let placed = draft.verdict.intent().map_or(0, |_| size_of::<Placement>());
            draft.reasons.capacity() * size_of::<Because>() + placed
        };
        size_of::<Verdicts>() + self.0.capacity() * size_of::<Draft>() + self.0.iter().map(of).sum::<usize>()
    }

    fn decision(&self, facts: &Facts<'a>, draft: &Draft<'a>, asked: Telling) -> Decision {
        let tell = |reasons: &[Because<'a>]| reasons.iter().map(|said| words::tell(facts, draft, said)).collect();
        let reasons = match (asked, draft.reasons.as_slice()) {
            (Telling::All, all) => tell(all),
            (Telling::Last, all) => tell(&all[all.len().saturating_sub(1)..]),
            (Telling::Unchanged, [.., last]) => words::unchanged(words::rule(last)),
            (Telling::Unchanged, []) => [].into(),
        };
        Decision {
            client: facts.client.id.clone(),
            server: facts.server.id.clone(),
            product: draft.product.clone(),
            outcome: self.outcome(draft),
            reasons,
        }
    }

    fn outcome(&self, draft: &Draft<'a>) -> Outcome {
        let plan = |placement: &Placement<'a>| self.plan_of(draft, placement);
        match &draft.verdict {
            Verdict::UpToDate => Outcome::UpToDate,
            Verdict::Planned(placement) => Outcome::Planned(plan(placement)),
            Verdict::Running => Outcome::Running,
            Verdict::Waiting => Outcome::Waiting,
            Verdict::Held(placement) => Outcome::Held { plan: placement.as_deref().map(plan) },
            Verdict::Late(placement) => Outcome::Late(plan(placement)),
            Verdict::OutOfScope => Outcome::OutOfScope,
        }
    }

    fn plan_of(&self, draft: &Draft<'a>, placement: &Placement<'a>) -> Plan {
        let release = draft.release.expect("what is placed is a release");
        let leader = self.0.get(placement.leader).and_then(|d| d.release).unwrap_or(release);
        Plan {
            version: release.version().clone(),
            slot: *placement.slot,
            deadline: placement.deadline,
            request: placement.request.map(|r| r.id),
            position: placement.position,
            leader: leader.id().to_string(),
        }
    }
}
