//! What the server takes back: of what is not begun, and of what can still be left.

use super::{Agent, AgentError};

impl Agent {
    /// A cancellation of something not begun here is simply true.
    pub(super) async fn answer_cancellation(&mut self, href: &str) -> Result<(), AgentError> {
        match self.ddi()?.cancellation(href).await? {
            Some(cancel) => self.tell_cancelled(&cancel.id).await,
            None => Ok(()),
        }
    }

    /// Asks once more, before something is changed, whether it is still wanted. A silent line is no "no".
    pub(super) async fn look_for_cancellation(&mut self, action: &str) -> Option<String> {
        let ddi = self.ddi.as_mut()?;
        let link = ddi.poll().await.ok()?.links.cancel_action?;
        let cancel = ddi.cancellation(&link.href).await.ok()??;
        (cancel.cancel_action.stop_id == action).then_some(cancel.id)
    }
}
