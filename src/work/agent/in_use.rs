//! Waits for whoever uses the products about to be replaced, and postpones the installation when they stay.
//!
//! What is open while it is replaced is half old and half new to whoever has it, and what a user saves after the
//! customer's files were copied would be lost. So it is looked at twice: before anything stops, where the services that
//! will be stopped can be told from others, and once they are stopped, before anything is copied. Somebody who stays ends
//! it like an installer that finds files in use: the server is not ready, everything is as it was, another night.

use super::Agent;
use super::perform::{Trouble, fail, services};
use crate::decide::steps::{Installation, Step};
use crate::edge::host::in_use::{self, Except};
use crate::model::check::{Answer, Unfit, Verdict};
use crate::model::rule::Rule;
use std::time::Duration;

impl Agent {
    /// Before anything stops. Where a service's own programs cannot be told from others, this waits for the second look.
    pub(super) async fn wait_for_others(&mut self, state: &Installation) -> Result<(), Trouble> {
        match self.services.units(&services(state)) {
            Some(units) => self.wait_for_users(state, Step::Precheck, units).await,
            None => Ok(()),
        }
    }

    /// With the services stopped.
    pub(super) async fn wait_for_everybody(&mut self, state: &Installation) -> Result<(), Trouble> {
        self.wait_for_users(state, Step::Quiesce, Vec::new()).await
    }

    async fn wait_for_users(&mut self, state: &Installation, step: Step, units: Vec<String>) -> Result<(), Trouble> {
        let config = self.config.in_use.clone();
        let pause = Duration::from_secs(config.pause_seconds.into());
        let except = Except { units, programs: config.ignore_programs };
        for signed in &state.manifests {
            let product = &signed.manifest.product;
            let Some(slug) = self.current(product).map_err(fail)? else { continue };
            let dir = self.dir_of(product, &slug);
            let mut seen = None;
            for tried in 1..=config.tries_max {
                let (folder, except) = (dir.clone(), except.clone());
                let looked = tokio::task::spawn_blocking(move || in_use::look(&folder, &except)).await.map_err(fail)?;
                let found = match looked {
                    Ok(found) => found,
                    Err(error) => {
                        // Not to know is no reason to stay on the old version for ever.
                        let verdict = Verdict::CannotRun { why: error.to_string() };
                        self.note(step, vec![told(product, &slug, verdict)]);
                        break;
                    }
                };
                if found.unseen > 0 {
                    tracing::info!(product, unseen = found.unseen, "not every process could be looked at");
                }
                if found.users.is_empty() {
                    if let Some(seen) = seen {
                        let seen = format!("free at look {tried}; before, {seen}");
                        self.note(step, vec![told(product, &slug, Verdict::Passed { seen })]);
                    }
                    break;
                }
                let users = found.told(&dir);
                tracing::info!(product, users, tried, "it is in use");
                let over = tried == config.tries_max || state.slot_objection(self.clock.now()).is_some();
                if over {
                    let answer = told(product, &slug, Verdict::Failed { seen: format!("in use: {users}") });
                    let why = answer.to_string();
                    self.note(step, vec![answer]);
                    return Err(Trouble::Unfit(Unfit::NotReady, why));
                }
                seen = Some(users);
                self.point("waiting for users")?;
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }
}

fn told(product: &str, slug: &str, verdict: Verdict) -> Answer {
    Answer { name: format!("{product} {slug}, its users"), rule: Rule::HealthAfter, verdict }
}
