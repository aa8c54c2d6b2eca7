//! Majors: an accepted request of this client for this product (`major-on-request`), early enough, and done by its
//! date (`major-notice`).

use super::finding::Findings;
use super::item::Item;
use super::scene::Scene;
use super::{Checker, civil};
use crate::model::agreement::Agreed;
use crate::model::request::{Request, RequestState};
use crate::model::rule::Rule;
use chrono::{DateTime, NaiveDate, Utc};

/// The arithmetic of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The working day on which the request counts as received.
    pub counted_from: NaiveDate,
    /// The earliest latest date it may name.
    pub earliest: NaiveDate,
}

impl Checker {
    /// Counts the working days of a notice; `None` beyond the years the checker knows.
    pub(super) fn notice(&self, received: DateTime<Utc>) -> Option<Notice> {
        let day = civil::show(self.zone, received).date();
        let close = self.hours.close_of(self.windows.received, day).filter(|_| self.hours.is_working_day(day));
        let counted_from = match close {
            Some(close) if received < close => day,
            Some(_) | None => self.hours.working_day_after(day)?,
        };
        let mut earliest = counted_from;
        for _ in 0..self.notice_working_days {
            earliest = self.hours.working_day_after(earliest)?;
        }
        Some(Notice { counted_from, earliest })
    }

    /// The instant at which `day` is over at the site.
    pub(super) fn end_of(&self, day: NaiveDate) -> DateTime<Utc> {
        day.succ_opt().map_or(DateTime::<Utc>::MAX_UTC, |next| civil::day_start(self.zone, next))
    }

    pub(super) fn major(&self, scene: &Scene, item: &Item, findings: &mut Findings) {
        if !item.is_major() {
            return;
        }
        let request = match entitled(scene, item) {
            Ok(request) => request,
            Err(text) => return findings.fatal(Rule::MajorOnRequest, item.product, text),
        };
        if item.slot.end > self.end_of(request.before) {
            let text = format!("{} ends after the client's latest date, {}", self.say_slot(item.slot), request.before);
            findings.fatal(Rule::MajorNotice, item.product, text);
        }
        let in_time = self.notice(request.received_at).is_some_and(|notice| request.before >= notice.earliest);
        if !in_time && !short_notice(scene, request) {
            let earliest = self.notice(request.received_at).map_or("none".to_owned(), |n| n.earliest.to_string());
            let text = format!(
                "request {}, received {}, names {}: the notice allows {earliest}, and nothing sooner was agreed",
                request.id,
                self.say(request.received_at),
                request.before
            );
            findings.fatal(Rule::MajorNotice, item.product, text);
        }
    }
}

/// The request that the plan names, or why it does not carry it.
fn entitled<'a>(scene: &Scene<'a>, item: &Item) -> Result<&'a Request, String> {
    let id = item.request.ok_or_else(|| format!("{} is a major here and names no request", item.version))?;
    let Some(request) = scene.requests.iter().find(|request| request.id == id) else {
        return Err(format!("request {id} is not known"));
    };
    let refuse = |why: String| Err(format!("request {id} {why}"));
    if request.client != scene.client.id {
        return refuse(format!("is from {}", request.client));
    }
    if request.product != item.product {
        return refuse(format!("is for {}", request.product));
    }
    // Stepping stones on the way to what was asked for go under the same request.
    if request.version < *item.version {
        return refuse(format!("is for {}, and the plan is for {}", request.version, item.version));
    }
    if !request.servers.is_empty() && !request.servers.contains(&scene.server.id) {
        return refuse(format!("covers {}, not this server", request.servers.join(", ")));
    }
    if request.received_at > scene.now {
        return refuse("has not been received yet".to_owned());
    }
    match request.state {
        RequestState::Accepted => Ok(request),
        RequestState::Superseded { .. }
        | RequestState::Done { .. }
        | RequestState::Cancelled { .. }
        | RequestState::Expired { .. } => refuse(format!("is {}", request.state.name())),
    }
}

/// Whether the client agreed to a sooner date than the notice allows, and to this one.
fn short_notice(scene: &Scene, request: &Request) -> bool {
    scene.agreed().any(|agreed| match agreed {
        Agreed::ShortNotice { product, version, before } => {
            *product == request.product && *version == request.version && *before <= request.before
        }
        Agreed::Slot { .. } | Agreed::ClosedPeriod { .. } => false,
    })
}
