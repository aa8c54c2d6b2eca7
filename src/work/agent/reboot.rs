//! Restarts the machine where `decide::reboot` lets it, and finds out afterwards whether it did.
//!
//! The journal says that the machine is told before it is. A pass never waits for the machine to go down: what stops the
//! agent for that would wait for the pass. So the pass ends, and each further one only looks which start of the machine
//! it is in. An agent that was killed in between does the same and never tells the machine twice.

use super::{Agent, AgentError, Pass};
use crate::decide::reboot::{Consent, Fate, Terms, Wish, fate, objection, objection_to_its_own};
use crate::decide::return_codes::restarts_by_itself;
use crate::decide::steps::{Installation, Line, Step};
use crate::edge::host::boot;
use crate::edge::host::command::{self, Purpose};
use crate::model::check::{Answer, Verdict};
use crate::model::rule::Rule;
use std::time::Duration;

/// Between two looks whether the machine has restarted.
const LOOK_PAUSE: Duration = Duration::from_secs(15);
/// Longest run of the program that is told to restart the machine; the restart comes after it.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

impl Agent {
    pub(super) fn reboot_terms(&self) -> Terms {
        let config = &self.config.reboot;
        let consent = if config.allowed { Consent::Given } else { Consent::Withheld };
        Terms { consent, minutes: config.minutes }
    }

    /// The name of this start of the machine; without one a restart cannot be told from none.
    pub(super) fn boot(&self) -> Option<String> {
        let name = boot::name(self.config.reboot.boot_id_file.as_deref());
        name.inspect_err(|error| tracing::warn!(%error, "which start of the machine this is cannot be told")).ok()
    }

    /// Has the machine restarted for what was installed, or writes down why not.
    pub(super) async fn reboot(&mut self, state: &Installation) -> Result<(), AgentError> {
        let (action, boot) = (&state.order.action, self.boot());
        if state.reboots.has_restarted(boot.as_deref()) {
            self.write_down(Line::Rebooted { at: self.clock.now() });
            return Ok(());
        }
        let unknown = || "which start of the machine this is cannot be told".to_owned();
        let boot = match objection(state, self.reboot_terms(), self.clock.now()) {
            Some(why) => Err(why),
            None => boot.ok_or_else(unknown),
        };
        let boot = match boot {
            Ok(boot) => boot,
            Err(why) => {
                self.not_rebooted(why);
                return Ok(());
            }
        };
        self.point("restart to be asked for")?;
        if let Err(error) = self.write(Line::RebootAsked { at: self.clock.now(), boot }) {
            // A restart that no journal knows of would be asked for again.
            self.not_rebooted(error.to_string());
            return Ok(());
        }
        self.point("restart written down")?;
        tracing::warn!(action, "the machine is restarted");
        self.tell_progress(action, Step::Apply, "the machine is restarted").await;
        let told = command::run(&self.config.reboot.command, None, COMMAND_TIMEOUT, Purpose::Ask).await;
        self.point("restart asked for")?;
        if let Err(error) = told {
            self.not_rebooted(format!("the machine was told to restart and refused: {error}"));
        }
        Ok(())
    }

    /// Looks what has become of a restart that was begun; how long to wait before the next look, if it is still to come.
    pub(super) async fn await_reboot(&mut self, state: &Installation) -> Option<Duration> {
        let asked = state.reboots.awaited()?;
        match fate(asked, self.reboot_terms(), self.boot().as_deref(), self.clock.now()) {
            Fate::Awaited => return Some(LOOK_PAUSE),
            Fate::Happened => {
                tracing::info!(action = state.order.action, "the machine has restarted");
                self.write_down(Line::Rebooted { at: self.clock.now() });
                self.tell_progress(&state.order.action, Step::Apply, "the machine has restarted").await;
            }
            Fate::Never(why) => self.not_rebooted(why),
        }
        None
    }

    pub(super) fn not_rebooted(&mut self, why: String) {
        tracing::warn!(why, "a restart of the machine is outstanding");
        self.write_down(Line::NotRebooted { at: self.clock.now(), why });
    }

    /// Whether a restart is awaited, in which nothing else is begun.
    pub(super) fn awaits_reboot(&self, pass: &mut Pass) -> bool {
        pass.awaits_reboot = self.state.as_ref().is_some_and(|state| state.reboots.is_awaited());
        pass.awaits_reboot
    }

    /// An installer that restarts the machine by itself takes its agent with it, which does not see its end. Where the
    /// manifest says that it does, the machine has restarted since, and the new version says that it is there, it ended
    /// so; the check decides. Anything else was an interruption.
    pub(super) fn recognise_end(&mut self, state: &Installation) {
        let Some(product) = state.running() else { return };
        let signed = state.manifests.iter().find(|signed| signed.manifest.product == product);
        let Some(manifest) = signed.map(|signed| &signed.manifest) else { return };
        if !restarts_by_itself(&manifest.installer) || !state.reboots.has_restarted(self.boot().as_deref()) {
            return;
        }
        let observed = self.observed(product, &manifest.detect.version_file).ok().flatten();
        if observed.as_ref() != Some(&manifest.version) {
            return;
        }
        let name = format!("{product} {}, installer", manifest.version.slug());
        let seen = "the machine restarted while it ran, as its manifest says".to_owned();
        let answer = Answer { name, rule: Rule::HealthAfter, verdict: Verdict::Passed { seen } };
        let reboot = Some(Wish::Initiated);
        self.write_down(Line::Ran { at: self.clock.now(), product: product.to_owned(), answer, reboot });
    }

    /// Why an installer that restarts the machine by itself is not to be started here and now.
    pub(super) fn objection_to_its_own_restart(&self, state: &Installation) -> Option<String> {
        let manifests = state.manifests.iter().map(|signed| &signed.manifest);
        let manifest = manifests.into_iter().find(|manifest| restarts_by_itself(&manifest.installer))?;
        let why = objection_to_its_own(state, self.reboot_terms(), self.clock.now())?;
        Some(format!("the installer of {} restarts the machine: {why}", manifest.product))
    }
}
