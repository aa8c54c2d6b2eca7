//! Which slot: admissible openings for one release on one server, and why others fall away.

use super::because::Because;
use super::{Facts, reach};
use crate::decide::almanac::{Opening, Work};
use crate::decide::calendar::Fold;
use crate::decide::load::Promise;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::hold::{Hold, HoldOn};
use crate::model::release::Release;
use crate::model::slot::Slot;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Most reasons kept about slots that fell away: a year of closed nights explains no more than the first few.
const REASONS_MAX: usize = 6;

/// Looks for slots for one release on one server.
pub(super) struct Search<'a, 'f> {
    facts: &'f Facts<'a>,
    work: Work,
    openings: &'a [Opening],
    from: DateTime<Utc>,
    need: TimeDelta,
    /// Start of the slot of the last failed try: the next one is in a later slot.
    failed_in: Option<DateTime<Utc>>,
    /// A hold with an end.
    hold: Option<&'a Hold>,
    pub reasons: Vec<Because<'a>>,
}

impl<'a, 'f> Search<'a, 'f> {
    /// Openings for `work` that begin at or after `from`, or are open now.
    pub fn new(facts: &'f Facts<'a>, work: Work, from: DateTime<Utc>, release: &Release) -> Search<'a, 'f> {
        Search {
            facts,
            work,
            openings: facts.almanac.openings(work, facts.now),
            from,
            need: facts.durations.need(facts.terms, release),
            failed_in: reach::failures(facts, release).next_back().map(|d| d.slot.start),
            hold: active_holds(facts, release).filter(|h| h.until.is_some()).max_by_key(|h| h.until),
            reasons: Vec::new(),
        }
    }

    /// The admissible openings among those known, earliest first, found as they are asked for.
    pub fn next_after(&mut self, place: &mut usize) -> Option<&'a Opening> {
        while let Some(opening) = self.openings.get(*place) {
            *place += 1;
            if self.admits(opening) {
                return Some(opening);
            }
        }
        None
    }

    /// Whether the release may go into an opening; what speaks against it is kept as a reason.
    fn admits(&mut self, opening: &'a Opening) -> bool {
        if opening.slot.start < self.from || self.failed_in.is_some_and(|start| opening.slot.start <= start) {
            return false;
        }
        match self.objection(opening) {
            None => true,
            Some(because) => {
                self.object(because);
                false
            }
        }
    }

    /// Those that end by `by`, and where there is none the first that ends later.
    pub fn by(&mut self, by: DateTime<Utc>) -> (Vec<&'a Slot>, Option<&'a Slot>) {
        let (mut in_time, mut place) = (Vec::new(), 0);
        loop {
            if !in_time.is_empty() && self.openings.get(place).is_none_or(|o| o.slot.end > by) {
                return (in_time, None);
            }
            match self.next_after(&mut place) {
                Some(opening) if opening.slot.end <= by => in_time.push(&opening.slot),
                later => return (in_time, later.map(|o| &o.slot)),
            }
        }
    }

    /// Those that end by `by`, the last first, found as they are asked for.
    pub fn back(&mut self, by: DateTime<Utc>) -> impl Iterator<Item = &'a Slot> + use<'_, 'a, 'f> {
        let openings = self.openings;
        // Openings neither overlap nor nest: they end in the order they begin in.
        let in_time = &openings[..openings.partition_point(|opening| opening.slot.end <= by)];
        in_time.iter().rev().filter(|opening| self.admits(opening)).map(|opening| &opening.slot)
    }

    /// The first.
    pub fn first(&mut self) -> Option<&'a Slot> {
        self.next_after(&mut 0).map(|opening| &opening.slot)
    }

    fn object(&mut self, because: Because<'a>) {
        if self.reasons.len() >= REASONS_MAX || self.reasons.contains(&because) {
            return;
        }
        // Only the next slot's shortness explains anything; that of a hundred later ones is noise.
        if matches!(because, Because::TooShort(_)) && self.reasons.iter().any(|r| matches!(r, Because::TooShort(_))) {
            return;
        }
        // A closed month is one reason, not thirty.
        if matches!(because, Because::Closed(slot) if self.is_said(slot)) {
            return;
        }
        self.reasons.push(because);
    }

    /// Whether the closure that `slot` falls into was said of an earlier slot.
    fn is_said(&self, slot: &Slot) -> bool {
        let of = |slot: &Slot| self.facts.closed.covering(*slot, self.facts.server.zone).map(|closure| closure.slot);
        self.reasons.iter().any(|said| matches!(said, Because::Closed(earlier) if of(earlier) == of(slot)))
    }

    /// Why an opening is not admissible.
    fn objection(&mut self, opening: &'a Opening) -> Option<Because<'a>> {
        let (facts, slot) = (self.facts, &opening.slot);
        if opening.length < self.need || slot.start < facts.now && !fits(facts, *slot, self.need) {
            return Some(Because::TooShort(slot));
        }
        if opening.barred {
            return Some(Because::OfficeHours(slot));
        }
        if let Some(hold) = self.hold.filter(|h| h.until.is_some_and(|until| slot.start < until)) {
            return Some(Because::HeldUntil(hold));
        }
        if facts.closed.covering(*slot, facts.server.zone).is_some() {
            match agreed_closed(facts, *slot) {
                Some(agreement) => self.object(Because::AgreedClosed(agreement)),
                None => return Some(Because::Closed(slot)),
            }
        }
        match self.work {
            Work::Manual | Work::Major if !staff_are_free(facts, *slot) => Some(Because::StaffBusy(slot)),
            Work::Night | Work::Manual | Work::Major => {
                (!line_carries(facts, &[(*slot, self.need)], *slot)).then_some(Because::LineBusy(slot))
            }
        }
    }
}

/// The contract's opening for `work` that is exactly this slot.
pub(super) fn opening_of<'a>(facts: &Facts<'a>, work: Work, slot: &Slot) -> Option<&'a Opening> {
    let openings = facts.almanac.openings(work, facts.now);
    openings.binary_search_by(|o| o.slot.cmp(slot)).ok().map(|place| &openings[place])
}

/// From when on a manual update may be done that is planned now: its contact hears of it so long before.
pub(super) fn announced(facts: &Facts, release: &Release) -> DateTime<Utc> {
    let hours = facts.terms.schedule.manual.announce_hours;
    facts.now.max(release.published_at()) + TimeDelta::hours(hours.into())
}

/// The opening for `work` that is this slot, where the release may still go into it.
pub(super) fn kept<'a>(facts: &Facts<'a>, work: Work, release: &Release, slot: &Slot) -> Option<&'a Slot> {
    let opening = opening_of(facts, work, slot)?;
    let mut search = Search::new(facts, work, release.published_at(), release);
    search.admits(opening).then_some(&opening.slot)
}

/// Whether `need` still fits between now (or the slot's start) and the slot's end.
pub(super) fn fits(facts: &Facts, slot: Slot, need: TimeDelta) -> bool {
    slot.end - slot.start.max(facts.now) >= need
}

/// Whether the client's line carries what this server is to do in `slot` beside what its other servers do then.
pub(super) fn line_carries(facts: &Facts, own: &[(Slot, TimeDelta)], slot: Slot) -> bool {
    let lines = facts.terms.schedule.rollout.line_installs_max.max(1);
    facts.load.line_carries(own, slot, lines, facts.now)
}

/// Whether staff and the client's line still have room for what this server is to get.
pub fn stands(facts: &Facts, intents: &[Promise]) -> bool {
    let own: Vec<(Slot, TimeDelta)> = intents.iter().map(|p| (p.slot, TimeDelta::minutes(p.minutes.into()))).collect();
    intents.iter().all(|p| (!p.attended || staff_are_free(facts, p.slot)) && line_carries(facts, &own, p.slot))
}

fn staff_are_free(facts: &Facts, slot: Slot) -> bool {
    facts.load.has_staff(slot, facts.terms.schedule.staff.installs_max)
}

/// The first agreement by which a slot may lie in a closed period: with the others, it covers every closed day that the
/// slot touches.
fn agreed_closed<'a>(facts: &Facts<'a>, slot: Slot) -> Option<&'a Agreement> {
    let calendar = facts.calendar();
    let start_of = |day: NaiveDate| calendar.instant(day.and_time(NaiveTime::MIN), Fold::Earlier);
    let (mut left, mut first) = (vec![slot], None);
    for agreement in facts.agreements {
        let (from, to) = match &agreement.agreed {
            Agreed::ClosedPeriod { server, from, to }
                if agreement.client == facts.client.id && server.as_ref().is_none_or(|s| *s == facts.server.id) =>
            {
                (start_of(*from), start_of(to.checked_add_days(Days::new(1)).unwrap_or(*to)))
            }
            Agreed::ClosedPeriod { .. } | Agreed::Slot { .. } | Agreed::ShortNotice { .. } => continue,
        };
        let outside = |s: &Slot| [Slot::new(s.start, s.end.min(from)), Slot::new(s.start.max(to), s.end)];
        let rest: Vec<Slot> = left.iter().flat_map(outside).flatten().collect();
        if rest != left {
            first = first.or(Some(agreement));
            left = rest;
        }
    }
    first.filter(|_| left.iter().all(|rest| facts.closed.covering(*rest, facts.server.zone).is_none()))
}

/// The slot the client's contact agreed to for this product, the earliest in which it still fits.
pub(super) fn agreed<'a>(facts: &Facts<'a>, release: &Release) -> Option<(&'a Agreement, &'a Slot)> {
    let need = || facts.durations.need(facts.terms, release);
    let ours = |a: &'a Agreement| match &a.agreed {
        Agreed::Slot { server, product, slot } => (a.client == facts.client.id
            && *server == facts.server.id
            && product == release.product()
            && slot.end > facts.now
            && may_begin(facts, release, slot)
            && fits(facts, *slot, need()))
        .then_some((a, slot)),
        Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => None,
    };
    facts.agreements.iter().filter_map(ours).min_by_key(|(a, slot)| (slot.start, a.id))
}

/// Whether a release may begin in a slot, whoever agreed to it: it is out, no hold stops it then, and its last try was in
/// an earlier one.
pub(super) fn may_begin(facts: &Facts, release: &Release, slot: &Slot) -> bool {
    let failed_in = reach::failures(facts, release).next_back().map(|d| d.slot.start);
    slot.start >= release.published_at()
        && failed_in.is_none_or(|start| slot.start > start)
        && active_holds(facts, release).all(|hold| hold.until.is_none_or(|until| until <= slot.start))
}

/// The holds in force that concern this server and release.
pub(super) fn active_holds<'a>(facts: &Facts<'a>, release: &Release) -> impl Iterator<Item = &'a Hold> {
    facts.holds.iter().filter(move |hold| {
        hold.is_active(facts.now)
            && match &hold.on {
                HoldOn::Server { server, .. } => *server == facts.server.id,
                HoldOn::Client { client } => *client == facts.client.id,
                HoldOn::Release { product, version } => product == release.product() && version == release.version(),
            }
    })
}

/// The slot promised before for this release.
pub(super) fn promised<'a>(facts: &Facts<'a>, release: &Release) -> Option<&'a Slot> {
    open_deployment(facts, release).map(|d| &d.slot)
}

pub(super) fn open_deployment<'a>(facts: &Facts<'a>, release: &Release) -> Option<&'a Deployment> {
    facts.deployments.iter().find(|d| {
        matches!(d.state, DeploymentState::Planned) && d.product == release.product() && d.to == *release.version()
    })
}
