//! When the server's last backup ended, and how.

use super::command::{self, CommandError, Purpose};
use crate::edge::agent_file::BackupProbe;
use crate::model::report::Backup;
use chrono::{DateTime, Utc};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes read of a backup's mark file.
const MARK_BYTES_MAX: u64 = 4096;

/// Why the state of the backup is not known.
#[derive(Debug, thiserror::Error)]
pub enum BackupProbeError {
    #[error("the backup probe gave no answer: {0}")]
    Command(#[from] CommandError),
    #[error("the backup probe printed {said:?}; it has to print an RFC 3339 instant, then ok or failed")]
    Answer { said: String },
    #[error("cannot read the backup's mark {}: {source}", path.display())]
    Mark { path: PathBuf, source: std::io::Error },
}

/// The last backup, as the probe tells it.
///
/// A command prints `2026-04-29T21:05:00Z ok` (or `failed`). A mark file may hold the same line; any other
/// file counts by its age: it was written when the last backup succeeded.
pub async fn last_backup(probe: &BackupProbe) -> Result<Backup, BackupProbeError> {
    match probe {
        BackupProbe::Command { command, timeout_seconds } => {
            let timeout = Duration::from_secs(u64::from(*timeout_seconds));
            let said = command::run(command, None, timeout, Purpose::Ask).await?;
            parse_mark(&said).ok_or(BackupProbeError::Answer { said: said.trim().chars().take(100).collect() })
        }
        BackupProbe::File { file } => {
            let read = || {
                let mut bytes = Vec::new();
                let opened = File::open(file)?;
                let modified = opened.metadata()?.modified()?;
                opened.take(MARK_BYTES_MAX).read_to_end(&mut bytes)?;
                Ok((modified, bytes))
            };
            let (modified, bytes) = read().map_err(|source| BackupProbeError::Mark { path: file.clone(), source })?;
            let written = parse_mark(&String::from_utf8_lossy(&bytes));
            Ok(written.unwrap_or(Backup { finished_at: DateTime::<Utc>::from(modified), succeeded: true }))
        }
    }
}

/// Reads `<RFC 3339 instant> [ok|failed]`.
pub(super) fn parse_mark(text: &str) -> Option<Backup> {
    let mut words = text.lines().next()?.split_whitespace();
    let finished_at = DateTime::parse_from_rfc3339(words.next()?).ok()?.to_utc();
    let succeeded = match words.next() {
        None | Some("ok") => true,
        Some("failed") => false,
        Some(_) => return None,
    };
    Some(Backup { finished_at, succeeded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_an_instant_and_a_verdict() {
        let told = |text| parse_mark(text).map(|b| (b.finished_at.to_rfc3339(), b.succeeded));
        let at = "2026-04-29T19:05:00+00:00".to_owned();
        assert_eq!(told("2026-04-29T21:05:00+02:00 ok\n"), Some((at.clone(), true)));
        assert_eq!(told("2026-04-29T19:05:00Z failed\nmore"), Some((at.clone(), false)));
        assert_eq!(told("2026-04-29T19:05:00Z"), Some((at, true)));
        assert_eq!(told("2026-04-29T19:05:00Z maybe"), None);
        assert_eq!(told("yesterday ok"), None);
        assert_eq!(told(""), None);
    }

    #[tokio::test]
    async fn a_file_counts_by_its_age_unless_it_says_more() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mark");
        let probe = BackupProbe::File { file: file.clone() };
        assert!(last_backup(&probe).await.unwrap_err().to_string().contains("mark"));
        std::fs::write(&file, "archive bytes").unwrap();
        assert!(last_backup(&probe).await.unwrap().succeeded);
        std::fs::write(&file, "2026-04-29T19:05:00Z failed").unwrap();
        assert!(!last_backup(&probe).await.unwrap().succeeded);
    }
}
