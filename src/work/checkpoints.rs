//! Checkpoints: where every chain of the history ends, signed, for whoever keeps it out of the database owner's reach.

use super::Orchestrator;
use crate::edge::signed_note::{NoteError, Signer};
use crate::edge::store::StoreError;
use crate::model::checkpoint::Checkpoint;
use chrono::SubsecRound;

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the key of [checkpoints]: {0}")]
    Key(#[from] NoteError),
    #[error("nothing has happened yet: there is no chain to checkpoint")]
    Empty,
}

/// A checkpoint as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Ends with a new line.
    pub text: String,
    pub chains: usize,
    pub signed: bool,
}

/// Takes a checkpoint of now. It changes nothing.
///
/// # Errors
/// [`CheckpointError::Empty`] where there is no history, [`CheckpointError::Key`] where the key cannot be read.
pub async fn take(o: &Orchestrator) -> Result<Taken, CheckpointError> {
    let heads = o.store.heads().await?;
    if heads.is_empty() {
        return Err(CheckpointError::Empty);
    }
    let origin = o.config.mail.domain.clone();
    let signer = o.config.checkpoints.as_ref().map(|it| Signer::load(&origin, &it.key_file)).transpose()?;
    let chains = heads.len();
    let text = Checkpoint { origin, at: o.clock.now().trunc_subsecs(0), heads }.to_string();
    let signed = signer.is_some();
    Ok(Taken { text: signer.map_or(text.clone(), |signer| signer.sign(&text)), chains, signed })
}
