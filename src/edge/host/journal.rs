//! A durable, append-only journal: one JSON line per entry, on the disk before the call returns.
//!
//! Invariants: an entry that [`Journal::append`] accepted survives a power cut; a line torn by one is
//! dropped at the next opening (it was never acknowledged); damage anywhere else is an error, not a guess.
//! What the entries mean is the caller's business.

use super::tree::sync_folder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Largest journal that is read back, in bytes; one installation writes a few kilobytes.
pub const JOURNAL_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot use the journal {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("journal {} is larger than {JOURNAL_BYTES_MAX} bytes; move it away and look at the server", path.display())]
    TooLarge { path: PathBuf },
    #[error("journal {} line {line} is damaged ({source}); look at the server, then move the file away", path.display())]
    Damaged { path: PathBuf, line: usize, source: serde_json::Error },
}

/// An open journal of entries of type `T`.
pub struct Journal<T> {
    path: PathBuf,
    file: File,
    entry: PhantomData<fn(T)>,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Opens or creates the journal at `path` and returns what it holds.
    pub fn open(path: &Path) -> Result<(Journal<T>, Vec<T>), JournalError> {
        let io = |source| JournalError::Io { path: path.to_path_buf(), source };
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        if let Some(folder) = path.parent() {
            sync_folder(folder).map_err(io)?;
        }
        let mut bytes = Vec::new();
        (&mut file).take(JOURNAL_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > JOURNAL_BYTES_MAX {
            return Err(JournalError::TooLarge { path: path.to_path_buf() });
        }
        // What follows the last line feed was being written when the machine stopped.
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        file.seek(SeekFrom::Start(whole as u64)).map_err(io)?;
        let lines = bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let entries = lines
            .enumerate()
            .map(|(at, line)| {
                serde_json::from_slice(line).map_err(|source| JournalError::Damaged {
                    path: path.to_path_buf(),
                    line: at + 1,
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok((Journal { path: path.to_path_buf(), file, entry: PhantomData }, entries))
    }

    /// Writes one entry; when this returns it is on the disk.
    pub fn append(&mut self, entry: &T) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|e| io(e.into()))?;
        line.push(b'\n');
        let end = self.file.stream_position().map_err(io)?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // A half-written line must not end up in front of the next one.
            let _ = self.file.set_len(end);
            let _ = self.file.seek(SeekFrom::Start(end));
            return Err(io(source));
        }
        Ok(())
    }

    /// Starts afresh; what was there is kept as `….last` for whoever comes to look.
    pub fn rotate(&mut self) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut kept = self.path.clone().into_os_string();
        kept.push(".last");
        // A copy and a truncation, so that the open file stays the journal at every instant.
        fs::copy(&self.path, &kept).map_err(io)?;
        self.file.set_len(0).map_err(io)?;
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        self.file.sync_all().map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<Vec<u32>, JournalError> {
        Ok(Journal::<u32>::open(path)?.1)
    }

    #[test]
    fn entries_survive_and_a_torn_line_at_any_byte_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, old) = Journal::<u32>::open(&path).unwrap();
        assert!(old.is_empty());
        for n in [10, 200, 3000] {
            journal.append(&n).unwrap();
        }
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|b| **b == b'\n').count();
            assert_eq!(read(&path).unwrap(), [10, 200, 3000][..whole]);
            let (mut journal, _) = Journal::<u32>::open(&path).unwrap();
            journal.append(&7).unwrap();
            assert_eq!(read(&path).unwrap().last(), Some(&7));
        }
    }

    #[test]
    fn damage_before_the_end_is_an_error_and_rotation_keeps_the_old_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        fs::write(&path, "1\nx\n3\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        fs::write(&path, "1\n").unwrap();
        let mut journal = Journal::<u32>::open(&path).unwrap().0;
        journal.rotate().unwrap();
        journal.append(&2).unwrap();
        assert_eq!(read(&path).unwrap(), [2]);
        assert_eq!(fs::read_to_string(dir.path().join("journal.last")).unwrap(), "1\n");
    }
}
