//! The report of an agent that began without the server: the line was dead in the slot, and it had been allowed to.
//!
//! An agent's word alone makes nothing installed that no slot allowed. It has to have fetched ahead, what it names as its
//! beginning lies in the slot, or, where the slot was moved since, the machine says that it runs the new version.

use super::{Finished, Refusal, Said, Scene, Settled, observes};
use crate::decide::handout::STAGE_AHEAD;
use crate::model::deployment::{Deployment, DeploymentState};
use crate::model::event::{EventKind, NewEvent};
use chrono::{DateTime, SecondsFormat, Utc};

impl Scene<'_> {
    /// When the agent began alone, if it says so and that can be.
    pub(super) fn begun_alone(&self, said: &Said) -> Option<DateTime<Utc>> {
        let at = said.started_at.filter(|at| *at <= self.now)?;
        let mut planned = self.planned().peekable();
        planned.peek()?;
        let could = |d: &Deployment| {
            let runs = self.state.inventory.get(&d.product).filter(|_| observes(self.state));
            d.slot.contains(at) || (self.now < d.slot.start && d.published_at <= at && runs == Some(&d.to))
        };
        (self.state.capabilities.contains(STAGE_AHEAD) && planned.all(could)).then_some(at)
    }

    /// Everything of the action that is planned was begun at `begun`, and ends as the report says, when it says.
    pub(super) fn close_alone(
        &self,
        begun: DateTime<Utc>,
        finished: Finished,
        said: &Said,
    ) -> Result<Settled, Refusal> {
        let started = self.planned().map(|d| d.clone().start_alone(begun)).collect::<Result<Vec<_>, _>>()?;
        let ended = said.finished_at.filter(|at| begun <= *at).map_or(self.now, |at| at.min(self.now));
        let scene = Scene { deployments: &started, ..self.clone() };
        let mut settled = scene.close(finished, said, ended)?;
        let events = started.iter().map(|d| {
            let text = format!(
                "{} {} was begun by the agent of {} on {} without the server, which it could not reach; it reports afterwards",
                d.product,
                d.to,
                d.server,
                begun.to_rfc3339_opts(SecondsFormat::Millis, true)
            );
            NewEvent::new(self.now, &d.client, EventKind::Started, text).about(d)
        });
        settled.events = events.chain(settled.events).collect();
        Ok(settled)
    }

    fn planned(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().filter(|d| d.state == DeploymentState::Planned)
    }
}
