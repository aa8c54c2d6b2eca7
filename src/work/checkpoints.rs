//! Checkpoints: where every chain of the history ends, signed, for whoever keeps it out of the database owner's reach.

use super::Orchestrator;
use crate::decide::civil::PROVIDER_ZONE;
use crate::edge::signed_note::{NoteError, Signer};
use crate::edge::store::{Changes, StoreError};
use crate::model::checkpoint::Checkpoint;
use crate::model::notice::{Letter, NewNotice};
use chrono::{DateTime, Datelike, Days, NaiveDate, SubsecRound, Utc};

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
    pub at: DateTime<Utc>,
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
    let at = o.clock.now().trunc_subsecs(0);
    let text = Checkpoint { origin, at, heads }.to_string();
    let signed = signer.is_some();
    Ok(Taken { text: signer.map_or(text.clone(), |signer| signer.sign(&text)), at, chains, signed })
}

/// Writes the letter with this period's checkpoint, once; whether it did.
///
/// # Errors
/// As [`take`]; without a history there is nothing to keep yet, which is none.
pub async fn mail(o: &Orchestrator) -> Result<bool, CheckpointError> {
    let Some(checkpoints) = o.config.checkpoints.as_ref().filter(|it| !it.mail_to.is_empty()) else {
        return Ok(false);
    };
    let today = o.clock.now().with_timezone(&PROVIDER_ZONE).date_naive();
    let key = format!("checkpoint/{}", period(today, checkpoints.every_days));
    if o.store.has_notice(&key).await? {
        return Ok(false);
    }
    let Taken { text, at, chains, .. } = match take(o).await {
        Err(CheckpointError::Empty) => return Ok(false),
        taken => taken?,
    };
    let letter = Letter::Checkpoint { at, chains: u32::try_from(chains).unwrap_or(u32::MAX), note: text };
    let notice = NewNotice { key, at: o.clock.now(), client: None, server: None, deployment: None, letter };
    o.store.commit(Changes { notices: vec![notice], ..Changes::default() }).await?;
    Ok(true)
}

/// The first day of the period of `days` that `day` is in; every replica has the same.
fn period(day: NaiveDate, days: u16) -> NaiveDate {
    let into = day.num_days_from_ce().rem_euclid(i32::from(days.max(1)));
    day.checked_sub_days(Days::new(into.unsigned_abs().into())).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::period;

    #[test]
    fn a_period_begins_once_and_has_its_days() {
        let day = |text: &str| text.parse().unwrap();
        // 2026-05-03 is a Sunday: weeks counted from the first day of year 1, a Monday, begin with the day before.
        for (at, days, first) in [
            ("2026-05-02", 7, "2026-04-26"),
            ("2026-05-03", 7, "2026-05-03"),
            ("2026-05-09", 7, "2026-05-03"),
            ("2026-05-10", 7, "2026-05-10"),
            ("2026-05-10", 1, "2026-05-10"),
        ] {
            assert_eq!(period(day(at), days), day(first), "{at} {days}");
        }
    }
}
