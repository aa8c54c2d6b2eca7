//! A manual update is handed out only while somebody of the staff attends it (`manual-slots`, 3.1.b.3).

use super::Orchestrator;
use crate::edge::store::{Changes, Row, StoreError};
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};

#[derive(Debug, thiserror::Error)]
pub enum AttendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no deployment {0}")]
    NotFound(i64),
    #[error("deployment {0} is not a manual update: it needs nobody")]
    NotManual(i64),
    #[error("deployment {id} is {state}: it can only be attended while planned, until its slot ends")]
    TooLate { id: i64, state: &'static str },
}

/// `by` will be there for deployment `id`. Naming somebody else replaces them.
pub async fn attend(o: &Orchestrator, id: i64, by: &str) -> Result<Deployment, AttendError> {
    let now = o.clock.now();
    let known = o.store.deployment(id).await?.ok_or(AttendError::NotFound(id))?;
    if !known.manual {
        return Err(AttendError::NotManual(id));
    }
    if known.state != DeploymentState::Planned || known.slot.end <= now {
        return Err(AttendError::TooLate { id, state: known.state.name() });
    }
    let attended = Deployment { attended_by: Some(by.to_owned()), ..known.value.clone() };
    let text = format!("{} {} will be attended by {by}", attended.product, attended.to);
    let event = NewEvent::new(now, &attended.client, EventKind::Progress, text).about(&attended).personal([by]);
    let rows = vec![Row::Deployment(known.with(attended.clone()))];
    o.store.commit(Changes { rows, events: vec![event], notices: Vec::new() }).await?;
    Ok(attended)
}
