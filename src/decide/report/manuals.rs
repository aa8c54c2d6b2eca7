//! Updates that a technician attends (`manual-slots`), and whether work kept to its slot (`maintenance-slots`).

use super::Scene;
use super::minors::failure;
use super::sheet::Manual;
use crate::decide::window::CompiledWindow;
use crate::model::agreement::Agreed;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::notice::{Letter, NoticeState};
use crate::model::slot::Slot;
use crate::model::version::Change;
use chrono::{DateTime, Utc};

/// The manual updates whose slot began in the month, by slot. What was given up before it was begun is none.
pub(super) fn of(scene: &Scene) -> Vec<Manual> {
    let is_ours = |d: &&Deployment| d.manual && d.change == Change::Minor && !is_cancelled(d);
    let mut manuals: Vec<Manual> = scene.in_month().filter(is_ours).map(|d| manual(scene, d)).collect();
    manuals.sort_by_key(|m| (m.slot.start, m.deployment));
    manuals
}

fn manual(scene: &Scene, d: &Deployment) -> Manual {
    Manual {
        deployment: d.id,
        server: d.server.clone(),
        zone: scene.calendar(&d.server).zone.name().to_owned(),
        product: d.product.clone(),
        from: d.from.as_ref().map(ToString::to_string),
        version: d.to.to_string(),
        published_at: d.published_at,
        announced_at: announced_at(scene, d),
        slot: d.slot.into(),
        attended_by: d.attended_by.clone(),
        state: d.state.name().to_owned(),
        finished_at: d.state.finished_at(),
        in_slot: in_slot(scene, d, scene.terms.manual_window()),
        why: failure(d),
    }
}

pub(super) fn is_cancelled(d: &Deployment) -> bool {
    matches!(d.state, DeploymentState::Cancelled { .. })
}

/// When the client had the letter about this slot: that of planning it, or of its last move before it began.
pub(super) fn announced_at(scene: &Scene, d: &Deployment) -> Option<DateTime<Utc>> {
    let about = scene.notices.iter().filter(|n| n.body.deployment == Some(d.id));
    let sent = about.filter_map(|n| match (&n.body.letter, &n.state) {
        (Letter::ManualPlanned(i) | Letter::MajorPlanned(i) | Letter::MinorPlanned(i), NoticeState::Sent { at }) => {
            Some((i.slot, *at))
        }
        (Letter::Moved { installation, .. }, NoticeState::Sent { at }) => Some((installation.slot, *at)),
        _ => None,
    });
    sent.filter(|(slot, _)| *slot == d.slot).map(|(_, at)| at).min()
}

/// Whether an attempt began and ended inside its slot, and that slot is one of `window` or was agreed; `None` until it
/// has begun.
pub(super) fn in_slot(scene: &Scene, d: &Deployment, window: &CompiledWindow) -> Option<bool> {
    let started = d.state.started_at()?;
    let ended = d.state.finished_at().unwrap_or(started);
    let calendar = scene.calendar(&d.server);
    let allowed = || window.slots(&calendar, d.slot.start, d.slot.end).iter().any(|s| covers(*s, d.slot));
    let kept = d.slot.start <= started && ended <= d.slot.end;
    Some(kept && (is_agreed(scene, d) || allowed()))
}

/// Whether the client's contact agreed to the slot of this installation.
pub(super) fn is_agreed(scene: &Scene, d: &Deployment) -> bool {
    scene.agreements.iter().any(|agreement| match &agreement.agreed {
        Agreed::Slot { server, product, slot } => *server == d.server && *product == d.product && covers(*slot, d.slot),
        Agreed::ClosedPeriod { .. } | Agreed::ShortNotice { .. } => false,
    })
}

fn covers(outer: Slot, inner: Slot) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
