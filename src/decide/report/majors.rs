//! Requests for major versions: their notice, their latest date, and when each server had its turn.

use super::Scene;
use super::manuals::{in_slot, is_cancelled};
use super::minors::failure;
use super::sheet::{Major, Refused, Visit};
use crate::decide::calendar::{Calendar, Fold};
use crate::decide::notice;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::deployment::Deployment;
use crate::model::notice::Letter;
use crate::model::request::{Request, RequestState};
use chrono::{DateTime, NaiveTime, Utc};

/// The requests that were received, carried out or over in the month, by number.
pub(super) fn of(scene: &Scene) -> Vec<Major> {
    let mut majors: Vec<Major> =
        scene.requests.iter().filter(|r| concerns(scene, r)).map(|r| major(scene, r)).collect();
    majors.sort_by_key(|m| m.request);
    majors
}

fn concerns(scene: &Scene, request: &Request) -> bool {
    let has_turn = || scene.in_month().any(|d| d.request == Some(request.id) && !is_cancelled(d));
    scene.is_within(request.received_at) || ended_at(request).is_some_and(|at| scene.is_within(at)) || has_turn()
}

fn ended_at(request: &Request) -> Option<DateTime<Utc>> {
    match &request.state {
        RequestState::Accepted => None,
        RequestState::Superseded { at, .. }
        | RequestState::Done { at }
        | RequestState::Cancelled { at, .. }
        | RequestState::Expired { at } => Some(*at),
    }
}

fn major(scene: &Scene, request: &Request) -> Major {
    let calendar = Calendar::new(scene.zone, scene.region);
    let count = notice::count(scene.terms, &calendar, request.received_at);
    let agreement = scene.agreements.iter().find(|a| shortens(a, request));
    let in_notice = count.earliest <= request.before;
    let visits = visits(scene, request);
    Major {
        request: request.id,
        product: request.product.clone(),
        version: request.version.to_string(),
        received_at: request.received_at,
        by: request.by.clone(),
        counted_from: count.counted_from,
        earliest: count.earliest,
        before: request.before,
        notice_kept: in_notice || agreement.is_some(),
        agreed_by: agreement.filter(|_| !in_notice).map(|a| a.by.clone()),
        state: request.state.name().to_owned(),
        ended_at: ended_at(request),
        on_time: on_time(request, &calendar),
        visits,
    }
}

fn shortens(agreement: &Agreement, request: &Request) -> bool {
    match &agreement.agreed {
        Agreed::ShortNotice { product, version, before } => {
            *product == request.product
                && *version == request.version
                && *before == request.before
                && agreement.at <= request.received_at
        }
        Agreed::Slot { .. } | Agreed::ClosedPeriod { .. } => false,
    }
}

/// Whether it was carried out by the end of its latest date. What the client withdrew or replaced was never late.
fn on_time(request: &Request, calendar: &Calendar) -> Option<bool> {
    match &request.state {
        RequestState::Done { at } => {
            let after = request.before.succ_opt().unwrap_or(request.before);
            Some(*at <= calendar.instant(after.and_time(NaiveTime::MIN), Fold::Later))
        }
        RequestState::Expired { .. } => Some(false),
        RequestState::Accepted | RequestState::Superseded { .. } | RequestState::Cancelled { .. } => None,
    }
}

fn visits(scene: &Scene, request: &Request) -> Vec<Visit> {
    let own = scene.deployments.iter().filter(|d| d.request == Some(request.id) && !is_cancelled(d));
    let mut visits: Vec<Visit> = own.map(|d| visit(scene, d)).collect();
    visits.sort_by_key(|v| (v.slot.start, v.deployment));
    visits
}

fn visit(scene: &Scene, d: &Deployment) -> Visit {
    Visit {
        deployment: d.id,
        server: d.server.clone(),
        zone: scene.calendar(&d.server).zone.name().to_owned(),
        slot: d.slot.into(),
        state: d.state.name().to_owned(),
        finished_at: d.state.finished_at(),
        in_slot: in_slot(scene, d, scene.terms.major_window()),
        why: failure(d),
    }
}

/// The requests that were refused in the month, as the client was told.
pub(super) fn refused(scene: &Scene) -> Vec<Refused> {
    let of_month = scene.notices.iter().filter(|n| scene.is_within(n.body.at));
    let mut refused: Vec<Refused> = of_month
        .filter_map(|n| match &n.body.letter {
            Letter::MajorRefused { product, version, by, before, earliest, why, .. } => Some(Refused {
                at: n.body.at,
                product: product.clone(),
                version: version.to_string(),
                by: by.clone(),
                before: *before,
                earliest: *earliest,
                text: why.en.clone().unwrap_or_else(|| why.fr.clone()),
                fr: why.fr.clone(),
            }),
            _ => None,
        })
        .collect();
    refused.sort_by(|a, b| (a.at, &a.product).cmp(&(b.at, &b.product)));
    refused
}
